package huaweicloud_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/credentials/huaweicloud"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
)

// iam gives tokens for one password, valid for a day.
type iam struct {
	status atomic.Int32 // 0: as usual
	asked  atomic.Int32
	given  atomic.Int32
	body   atomic.Value // the last request's, decoded
}

func (i *iam) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	i.asked.Add(1)
	var in struct {
		Auth struct {
			Identity struct {
				Password struct {
					User struct{ Password string }
				}
			}
		}
	}
	b, _ := io.ReadAll(r.Body)
	var all any
	_ = json.Unmarshal(b, &all)
	_ = json.Unmarshal(b, &in)
	i.body.Store(all)
	w.Header().Set("X-IAM-Trace-Id", "trace-1")
	switch status := int(i.status.Load()); {
	case r.Method != http.MethodPost || r.URL.Path != "/v3/auth/tokens":
		w.WriteHeader(http.StatusNotFound)
	case status == -1:
		<-r.Context().Done()
	case status != 0:
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"code":%d,"message":"it says %s","title":"x"}}`, status, secret)
	case in.Auth.Identity.Password.User.Password != secret:
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, `{"error":{"code":401,"message":"The username or password is wrong.","title":"Unauthorized"}}`)
	default:
		w.Header().Set("X-Subject-Token", fmt.Sprintf("iam-token-%d", i.given.Add(1)))
		w.WriteHeader(http.StatusCreated)
		fmt.Fprintf(w, `{"token":{"expires_at":%q,"methods":["password"]}}`, time.Now().UTC().Add(24*time.Hour).Format("2006-01-02T15:04:05.000000Z"))
	}
}

func iamToken(t *testing.T, i http.Handler, change ...func(*huaweicloud.IAMTokenOptions)) cloudlb.CredentialsProvider {
	t.Helper()
	opts := huaweicloud.IAMTokenOptions{User: "deploy", Password: secret, Domain: "acme", Region: "cn-north-4", HTTPClient: inProcess(i)}
	for _, f := range change {
		f(&opts)
	}
	p, err := huaweicloud.IAMToken(opts)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestIAMToken(t *testing.T) {
	t.Parallel()
	type object = map[string]any
	for name, c := range map[string]struct {
		change func(*huaweicloud.IAMTokenOptions)
		scope  object
	}{
		"region":       {nil, object{"project": object{"name": "cn-north-4"}}},
		"project name": {func(o *huaweicloud.IAMTokenOptions) { o.ProjectName = "cn-north-4_web" }, object{"project": object{"name": "cn-north-4_web"}}},
		"project ID":   {func(o *huaweicloud.IAMTokenOptions) { o.ProjectID, o.Region = "p1", "" }, object{"project": object{"id": "p1"}}},
		"domain":       {func(o *huaweicloud.IAMTokenOptions) { o.DomainScope = true }, object{"domain": object{"name": "acme"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			i := &iam{}
			var changes []func(*huaweicloud.IAMTokenOptions)
			if c.change != nil {
				changes = append(changes, c.change)
			}
			p := iamToken(t, i, changes...)
			for range 3 {
				cred := get(t, p)
				if cred.Token != "iam-token-1" || cred.AccessKeyID != "" || time.Until(cred.Expires) < 23*time.Hour {
					t.Errorf("wrong token, expires %s", cred.Expires)
				}
			}
			want := object{"auth": object{
				"identity": object{"methods": []any{"password"}, "password": object{"user": object{
					"name": "deploy", "password": secret, "domain": object{"name": "acme"},
				}}},
				"scope": c.scope,
			}}
			if diff := cmp.Diff(any(want), i.body.Load()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestIAMTokenEndpoints(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{
		"":            "https://iam.myhuaweicloud.com/v3/auth/tokens?nocatalog=true",
		"cn-north-4":  "https://iam.cn-north-4.myhuaweicloud.com/v3/auth/tokens?nocatalog=true",
		"eu-west-101": "https://iam.eu-west-101.myhuaweicloud.eu/v3/auth/tokens?nocatalog=true",
	} {
		var asked string
		get(t, iamToken(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = r.URL.String()
			new(iam).ServeHTTP(w, r)
		}), func(o *huaweicloud.IAMTokenOptions) { o.Region, o.ProjectID = region, "p1" }))
		if asked != want {
			t.Errorf("%q: %s", region, asked)
		}
	}
}

func TestIAMTokenOptions(t *testing.T) {
	t.Parallel()
	_, err := huaweicloud.IAMToken(huaweicloud.IAMTokenOptions{})
	for _, want := range []string{"User is required", "Password is required", "Domain is required", "Region is required"} {
		if !errors.Is(err, cloudlb.ErrInvalid) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v; want %q", err, want)
		}
	}
	good := huaweicloud.IAMTokenOptions{User: "u", Password: secret, Domain: "d", Region: "cn-north-4"}
	for want, change := range map[string]func(*huaweicloud.IAMTokenOptions){
		"for one of them":           func(o *huaweicloud.IAMTokenOptions) { o.ProjectID, o.DomainScope = "p", true },
		"not a region ID":           func(o *huaweicloud.IAMTokenOptions) { o.Region = "evil.example/" },
		"Endpoint is not https":     func(o *huaweicloud.IAMTokenOptions) { o.Endpoint = "http://127.0.0.1" },
		"scheme and host only":      func(o *huaweicloud.IAMTokenOptions) { o.Endpoint = "https://x/v3" },
		"Password is not UTF-8":     func(o *huaweicloud.IAMTokenOptions) { o.Password = "\xff" },
		"Endpoint must be scheme a": func(o *huaweicloud.IAMTokenOptions) { o.Endpoint = "iam.example" },
	} {
		o := good
		change(&o)
		if _, err := huaweicloud.IAMToken(o); !errors.Is(err, cloudlb.ErrInvalid) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%v; want %q", err, want)
		}
	}
}

// TestIAMTokenWrongPassword: the refusal is clear, and not provoked again and
// again, because IAM locks the user.
func TestIAMTokenWrongPassword(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := &iam{}
		p := iamToken(t, i, func(o *huaweicloud.IAMTokenOptions) { o.Password = "not-it-at-all" })
		for range 3 {
			text := fails(t, p, cloudlb.ErrUnauthenticated, "401", "The username or password is wrong.", `user "deploy"`, `account "acme"`, "trace-1")
			if strings.Contains(text, "not-it") {
				t.Error("the password is in the error")
			}
			<-time.After(5*time.Minute + time.Second)
		}
		if n := i.asked.Load(); n != 3 {
			t.Errorf("%d requests", n)
		}
		for range 10 {
			fails(t, p, cloudlb.ErrUnauthenticated, "401")
		}
		fails(t, p, cloudlb.ErrUnauthenticated, "remembered")
		if n := i.asked.Load(); n != 4 {
			t.Errorf("%d requests", n)
		}
	})
}

func TestIAMTokenAnswers(t *testing.T) {
	t.Parallel()
	for status, is := range map[int]error{
		400: cloudlb.ErrInvalid, 401: cloudlb.ErrUnauthenticated, 403: cloudlb.ErrDenied, 404: cloudlb.ErrInvalid,
		429: cloudlb.ErrThrottled, 500: cloudlb.ErrUnavailable, 503: cloudlb.ErrUnavailable, 307: cloudlb.ErrInvalid,
	} {
		i := &iam{}
		i.status.Store(int32(status))
		fails(t, iamToken(t, i), is, "IAM token", fmt.Sprint("status ", status), "trace-1")
	}
	for says, answer := range map[string]func(http.ResponseWriter){
		"no token":     func(w http.ResponseWriter) { w.WriteHeader(201); fmt.Fprint(w, `{}`) },
		"OK":           func(w http.ResponseWriter) { fmt.Fprint(w, "hello "+secret) },
		"not the JSON": func(w http.ResponseWriter) { w.Header().Set("X-Subject-Token", "t"); w.WriteHeader(201) },
		"does not say when": func(w http.ResponseWriter) {
			w.Header().Set("X-Subject-Token", "t")
			w.WriteHeader(201)
			fmt.Fprint(w, `{"token":{}}`)
		},
	} {
		fails(t, iamToken(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { answer(w) })), nil, says)
	}
}

// TestIAMTokenLife: hangs, a day's rotation, a token that ends before its time.
func TestIAMTokenLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := &iam{}
		i.status.Store(-1)
		p := iamToken(t, i)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.Credentials(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		fails(t, p, cloudlb.ErrUnavailable, "no answer within 10s")
		i.status.Store(0)
		first := get(t, p)
		<-time.After(23*time.Hour + 55*time.Minute)
		get(t, p)
		synctest.Wait()
		second := get(t, p)
		if second == first {
			t.Error("the token was not replaced before its end")
		}
		third, err := p.(cloudlb.CredentialsRefresher).Refresh(t.Context(), second)
		if err != nil || third == second || i.given.Load() != 3 {
			t.Errorf("%v, %d tokens", err, i.given.Load())
		}
	})
}

func TestIAMTokenClient(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New(fakecloud.WithRegion("cn-north-4"), fakecloud.WithToken("iam-token-1"))
	cfg := cloud.Config()
	cfg.Credentials = iamToken(t, &iam{})
	c, err := elb.New(cfg, elb.WithIAMEndpoint("https://fakecloud.invalid"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.ListMembers(t.Context(), elb.ListMembersRequest{PoolID: "36ce7086-a496-4666-9064-5ba0e6840c75"})
	if e, ok := errors.AsType[*cloudlb.Error](err); !ok || e.StatusCode != http.StatusNotFound { // of the pool: the token was accepted
		t.Error(err)
	}
}
