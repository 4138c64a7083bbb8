package huaweicloud_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/credentials/huaweicloud"
	"github.com/cloudlb/cloudlb/elb"
)

func metadata(endpoint string) cloudlb.CredentialsProvider {
	return huaweicloud.Metadata(huaweicloud.MetadataOptions{Endpoint: endpoint})
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	for _, sessions := range []bool{false, true} {
		e := &ecs{sessions: sessions}
		p := metadata(serve(t, e.ServeHTTP))
		for range 3 {
			cred := get(t, p)
			if cred.AccessKeyID != "AK000000000000000001" || cred.SecretAccessKey != secret || cred.SecurityToken != "token-1" || time.Until(cred.Expires) < 59*time.Minute {
				t.Errorf("sessions %t: wrong keys, expiry %s", sessions, cred.Expires)
			}
		}
		if e.reads != 1 {
			t.Errorf("sessions %t: %d reads", sessions, e.reads)
		}
	}
}

// TestMetadataSessionEnds: a session that the service forgets is renewed once.
func TestMetadataSessionEnds(t *testing.T) {
	t.Parallel()
	e := &ecs{sessions: true}
	p := metadata(serve(t, e.ServeHTTP)).(cloudlb.CredentialsRefresher)
	used := get(t, p)
	e.mu.Lock()
	e.session += 10
	e.expires = time.Time{}
	e.mu.Unlock()
	cred, err := p.Refresh(t.Context(), used)
	if err != nil || cred.AccessKeyID != "AK000000000000000002" || e.session != 12 {
		t.Errorf("%v %v, session %d", cred.AccessKeyID, err, e.session)
	}
}

func TestMetadataAnswers(t *testing.T) {
	t.Parallel()
	later := time.Now().Add(time.Hour)
	for _, c := range []struct {
		name    string
		put     int // 0: 404
		session string
		status  int
		body    string
		is      error
		says    string
	}{
		{name: "no agency", status: 401, body: "Please configure Cloud Service Agency first", is: cloudlb.ErrUnauthenticated, says: "has no agency"},
		{name: "nothing there", status: 404, is: cloudlb.ErrUnauthenticated, says: "has no agency"},
		{name: "token required, none given", status: 401, is: cloudlb.ErrInvalid, says: "status 404"},
		{name: "down", status: 500, body: secret, is: cloudlb.ErrUnavailable, says: "Internal Server Error"},
		{name: "overloaded", status: 429, is: cloudlb.ErrThrottled, says: "status 429"},
		{name: "sessions down", put: 500, status: 200, is: cloudlb.ErrUnavailable, says: "status 500"},
		{name: "sessions refused", put: 403, status: 200, is: cloudlb.ErrDenied, says: "status 403"},
		{name: "session empty", put: 200, status: 200, is: cloudlb.ErrUnavailable, says: "not a session token"},
		{name: "session is a page", put: 200, session: "<html> hello", status: 200, is: cloudlb.ErrUnavailable, says: "not a session token"},
		{name: "redirect", status: 302, is: cloudlb.ErrInvalid, says: "redirect"},
		{name: "empty", status: 200, is: cloudlb.ErrUnavailable, says: "empty"},
		{name: "blank", status: 200, body: " \n", is: cloudlb.ErrUnavailable, says: "empty"},
		{name: "page", status: 200, body: "<html>" + secret, is: cloudlb.ErrUnavailable, says: "not the JSON"},
		{name: "cut", status: 200, body: keysJSON("a", "t", later)[:60], is: cloudlb.ErrUnavailable, says: "not the JSON"},
		{name: "numbers", status: 200, body: `{"credential":{"access":1,"secret":2}}`, is: cloudlb.ErrUnavailable, says: "not the JSON"},
		{name: "null", status: 200, body: `{"credential":null}`, is: cloudlb.ErrUnavailable, says: "no credential"},
		{name: "array", status: 200, body: `[]`, is: cloudlb.ErrUnavailable, says: "not the JSON"},
		{name: "no keys", status: 200, body: `{"credential":{"secret":"` + secret + `"}}`, is: cloudlb.ErrUnavailable, says: "no access key"},
		{name: "no token", status: 200, body: keysJSON("a", "", later), is: cloudlb.ErrUnavailable, says: "no security token"},
		{name: "a key with a line", status: 200, body: keysJSON("a\r\nX: y", "t", later), is: cloudlb.ErrUnavailable, says: "characters"},
		{
			name: "no expiry", status: 200, is: cloudlb.ErrUnavailable, says: "does not say when",
			body: `{"credential":{"access":"a","secret":"` + secret + `","securitytoken":"t"}}`,
		},
		{
			name: "odd expiry", status: 200, is: cloudlb.ErrUnavailable, says: "no known form",
			body: `{"credential":{"access":"a","secret":"` + secret + `","securitytoken":"t","expires_at":"tomorrow"}}`,
		},
		{name: "expired", status: 200, body: keysJSON("a", "t", time.Now().Add(-time.Minute)), is: cloudlb.ErrUnavailable, says: "this machine's clock"},
		{name: "endless", status: 200, body: strings.Repeat(" ", 2<<20), is: cloudlb.ErrUnavailable, says: "more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			fails(t, metadata(serve(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.URL.Path == "/elsewhere":
					t.Error("the redirect was followed")
				case r.Method == http.MethodPut && c.put != 0:
					w.WriteHeader(c.put)
					fmt.Fprint(w, c.session)
				case r.Method == http.MethodPut:
					w.WriteHeader(http.StatusNotFound)
				default:
					w.Header().Set("Location", "/elsewhere")
					w.WriteHeader(c.status)
					fmt.Fprint(w, c.body)
				}
			})), c.is, "ECS metadata", c.says)
		})
	}
}

// TestMetadataForms are the two spellings of the fields.
func TestMetadataForms(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"credential":{"access":"a","secret":"s","securitytoken":"t","expires_at":"2999-01-02T03:04:05.678901Z"}}`,
		`{"credential":{"accessKeyId":"a","secretAccessKey":"s","securityToken":"t","expiration":"2999-01-02T03:04:05Z","more":{}}}`,
		`{"credentials":{"accessKeyId":"a","secretAccessKey":"s","securityToken":"t","expiration":"2999-01-02T03:04:05"}}`,
	} {
		cred := get(t, metadata(serve(t, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			fmt.Fprint(w, body)
		})))
		want := cloudlb.Credentials{AccessKeyID: "a", SecretAccessKey: "s", SecurityToken: "t", Expires: time.Date(2999, 1, 2, 3, 4, 5, 0, time.UTC)}
		if cred.Expires = cred.Expires.Truncate(time.Second); cred != want {
			t.Errorf("%s: wrong", body)
		}
	}
}

func TestMetadataAway(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close() // its port refuses now
	fails(t, metadata(s.URL), cloudlb.ErrUnauthenticated, "does not look like an ECS", s.URL)
	for _, endpoint := range []string{"ftp://x", "169.254.169.254", "http://x/path", "http://u:" + secret + "@x", "http://x?q", "::"} {
		fails(t, metadata(endpoint), cloudlb.ErrInvalid, "MetadataOptions.Endpoint")
	}
}

// TestMetadataHangs: each request has 3 seconds, a caller leaves when its
// context ends.
func TestMetadataHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := huaweicloud.Metadata(huaweicloud.MetadataOptions{HTTPClient: inProcess(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.URL.Host != "169.254.169.254" {
				t.Errorf("asked %s", r.URL.Host)
			}
			<-r.Context().Done()
		}))})
		start := time.Now()
		fails(t, p, cloudlb.ErrUnauthenticated, "does not look like an ECS", "within 3s")
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("took %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start = time.Now()
		if _, err := p.Credentials(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		synctest.Wait()
		<-time.After(time.Minute)
	})
}

var accessKey = regexp.MustCompile(`Access=(\w+)`)

// TestMetadataRotation: a day of 100 clients' calls, over a metadata service that
// rotates its keys every half an hour and is down for a while. No call may be
// signed with keys that have expired, none may fail.
func TestMetadataRotation(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &ecs{sessions: true}
		began := time.Now()
		down := func() bool {
			at := time.Since(began)
			return at > 5*time.Hour && at < 5*time.Hour+2*time.Minute
		}
		creds := huaweicloud.Metadata(huaweicloud.MetadataOptions{HTTPClient: inProcess(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if <-time.After(100 * time.Millisecond); down() {
				w.WriteHeader(http.StatusInternalServerError)
				return
			}
			e.ServeHTTP(w, r)
		}))})
		var calls, keys atomic.Int32
		var seen sync.Map
		c, err := elb.New(cloudlb.Config{
			Region: "cn-north-4", Credentials: creds,
			HTTPClient: inProcess(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				ak := ""
				if m := accessKey.FindStringSubmatch(r.Header.Get("Authorization")); m != nil {
					ak = m[1]
				}
				if _, old := seen.LoadOrStore(ak, true); !old {
					keys.Add(1)
				}
				if !e.valid(ak) || !strings.HasPrefix(r.Header.Get("X-Security-Token"), "token-") {
					t.Errorf("after %s: signed with %q", time.Since(began), ak)
				}
				<-time.After(50 * time.Millisecond)
				w.Header().Set("Content-Type", "application/json")
				fmt.Fprint(w, `{"members":[],"page_info":{}}`)
			})),
		}, elb.WithProjectID("0123456789abcdef0123456789abcdef"))
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				for time.Since(began) < 24*time.Hour {
					_, err := c.ListMembers(t.Context(), elb.ListMembersRequest{PoolID: "36ce7086-a496-4666-9064-5ba0e6840c75"})
					if err != nil {
						t.Errorf("after %s: %v", time.Since(began), err)
						return
					}
					<-time.After(10*time.Minute + time.Duration(i)*time.Second)
				}
			})
		}
		wg.Wait()
		if e.reads > 24*12 || keys.Load() < 20 || calls.Load() < 100*24*4 {
			t.Errorf("%d calls, %d keys, %d reads of the metadata", calls.Load(), keys.Load(), e.reads)
		}
	})
}

// TestMetadataExpired: with keys past their time and a service that is down
// calls fail, and with the service they work again.
func TestMetadataExpired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		e := &ecs{}
		var down atomic.Bool
		p := huaweicloud.Metadata(huaweicloud.MetadataOptions{HTTPClient: inProcess(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if down.Load() {
				<-r.Context().Done()
				return
			}
			e.ServeHTTP(w, r)
		}))})
		first := get(t, p)
		down.Store(true)
		<-time.After(59 * time.Minute)
		if cred := get(t, p); cred != first {
			t.Error("other keys from a service that is down")
		}
		<-time.After(2 * time.Minute)
		text := fails(t, p, cloudlb.ErrUnavailable, "within 3s")
		if strings.Contains(text, "does not look like an ECS") {
			t.Error(text)
		}
		down.Store(false)
		if cred := get(t, p); cred == first {
			t.Error("the old keys")
		}
	})
}

func TestPodIdentity(t *testing.T) {
	t.Parallel()
	file := write(t, secret+"\n")
	answer := http.StatusOK
	uri := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Method != http.MethodPost || string(body) != "{}" || r.Header.Get("Authorization") != secret || r.Header.Get("Content-Type") != "application/json; charset=utf-8" {
			t.Errorf("%s %s %v", r.Method, body, r.Header)
		}
		w.WriteHeader(answer)
		if answer != http.StatusOK {
			fmt.Fprintf(w, `{"error_code":"E1","error_msg":"bad token %s"}`, secret)
			return
		}
		fmt.Fprint(w, strings.Replace(keysJSON("pod", "t", time.Now().Add(time.Hour)), "credential", "credentials", 1))
	})
	pod := func(uri, file string) cloudlb.CredentialsProvider {
		return huaweicloud.PodIdentity(huaweicloud.PodIdentityOptions{URI: uri + "/v1/credentials", TokenFile: file})
	}
	if cred := get(t, pod(uri, file)); cred.AccessKeyID != "pod" || cred.Expires.IsZero() {
		t.Error("wrong keys")
	}
	answer = http.StatusUnauthorized
	fails(t, pod(uri, file), cloudlb.ErrUnauthenticated, "pod identity", "E1", "bad token ***")
	fails(t, pod(uri, file+".gone"), cloudlb.ErrUnauthenticated, "the token")
	fails(t, pod(uri, write(t, " ")), cloudlb.ErrUnauthenticated, "holds none")
	for _, far := range []string{"http://203.0.113.7", "http://metadata.example", "file://", "http://u:" + secret + "@127.0.0.1"} {
		fails(t, pod(far, file), cloudlb.ErrUnauthenticated, "must be https")
	}
}

func FuzzKeys(f *testing.F) {
	for _, seed := range []string{
		"", "{}", "null", "[]", `{"credential":{}}`, `{"credentials":null}`, keysJSON("a", "t", time.Now().Add(time.Hour)),
		`{"credential":{"ACCESS":"a","secret":"s","securityToken":"t","expiration":"2999-01-02T03:04:05"}}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		cred, err := huaweicloud.ParseKeys(body)
		if err != nil {
			if cred != (cloudlb.Credentials{}) || len(err.Error()) > 200 {
				t.Error(err)
			}
			return
		}
		if cred.AccessKeyID == "" || cred.SecretAccessKey == "" || cred.SecurityToken == "" || !time.Now().Before(cred.Expires) {
			t.Error("half of the keys")
		}
	})
}
