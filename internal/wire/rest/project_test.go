package rest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
)

const (
	projectID = "0123456789abcdef0123456789abcdef"
	otherID   = "fedcba9876543210fedcba9876543210"
	poolID    = "36ce7086-a496-4666-9064-5ba0e6840c75"
	secretKey = "very-secret-key-000000000000000000000001"
)

// script answers requests in the caller's goroutine.
type script func(*http.Request) (status int, body string)

func (s script) RoundTrip(r *http.Request) (*http.Response, error) {
	status, body := s(r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: r, ContentLength: int64(len(body)),
		Header: http.Header{"Content-Type": {"application/json"}, "X-Request-Id": {"req-1"}},
		Body:   io.NopCloser(strings.NewReader(body)),
	}, nil
}

func isIAM(r *http.Request) bool { return strings.HasPrefix(r.URL.Host, "iam.") }

func newELB(t *testing.T, s script, change ...func(*cloudlb.Config)) *elb.Client {
	t.Helper()
	cfg := cloudlb.Config{
		Region:      "cn-north-4",
		Credentials: cloudlb.StaticCredentials("AKAKAKAKAKAKAKAKAKAK", secretKey, ""),
		HTTPClient:  &http.Client{Transport: s},
		Retry:       cloudlb.NoRetry(),
	}
	for _, f := range change {
		f(&cfg)
	}
	c, err := elb.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func list(ctx context.Context, c *elb.Client) error {
	_, err := c.ListMembers(ctx, elb.ListMembersRequest{PoolID: poolID})
	return err
}

const (
	oneProject = `{"projects":[{"id":"` + projectID + `","name":"cn-north-4","domain_id":"d1","enabled":true}]}`
	noMembers  = `{"members":[],"page_info":{"current_count":0},"request_id":"r"}`
)

// TestProjectAnswers has one row for everything that IAM may say.
func TestProjectAnswers(t *testing.T) {
	t.Parallel()
	entry := func(id, name string) string {
		return fmt.Sprintf(`{"id":%q,"name":%q,"domain_id":"d1"}`, id, name)
	}
	projects := func(entries ...string) string { return `{"projects":[` + strings.Join(entries, ",") + `]}` }
	const domains = `{"domains":[{"id":"d1d1","name":"acme"}]}`
	for _, c := range []struct {
		name     string
		status   int
		projects string
		domains  string // empty: refused
		is       error
		says     []string // nothing: found
	}{
		{name: "one", projects: projects(entry(projectID, "cn-north-4"))},
		{name: "and ones inside it", projects: projects(entry(otherID, "cn-north-4_web"), entry(projectID, "cn-north-4"))},
		{name: "without domain", projects: `{"projects":[{"id":"` + projectID + `","name":"cn-north-4"}]}`},
		{
			name: "none", projects: projects(), domains: domains, is: cloudlb.ErrInvalid,
			says: []string{`account "acme" (d1d1)`, `no project for region "cn-north-4"`, "Config.Region", "WithProjectID"},
		},
		{
			name: "none and no account", projects: projects(), is: cloudlb.ErrInvalid,
			says: []string{`the account of these credentials`, `no project for region "cn-north-4"`},
		},
		{
			name: "another region's", projects: projects(entry(projectID, "cn-north-1")), is: cloudlb.ErrInvalid,
			says: []string{`account "d1"`, `no project for region "cn-north-4"`},
		},
		{
			name: "several", projects: projects(entry(projectID, "cn-north-4"), entry(otherID, "cn-north-4")), is: cloudlb.ErrInvalid,
			says: []string{`account "d1" has 2 projects named "cn-north-4"`, "WithProjectID", projectID, otherID},
		},
		{
			name: "only inside it", projects: projects(entry(otherID, "cn-north-4_web")), is: cloudlb.ErrInvalid,
			says: []string{`account "d1"`, `region "cn-north-4" itself`, otherID + ` ("cn-north-4_web")`, "WithProjectID"},
		},
		{
			name: "disabled", is: cloudlb.ErrInvalid,
			projects: `{"projects":[{"id":"` + projectID + `","name":"cn-north-4","domain_id":"d1","enabled":false}]}`,
			says:     []string{`region "cn-north-4" in account "d1" is disabled`},
		},
		{
			name: "an ID that is none", projects: projects(entry("../../v3/users", "cn-north-4")), is: cloudlb.ErrInvalid,
			says: []string{"no usable ID"},
		},
		{name: "an empty reply", projects: " ", is: cloudlb.ErrUnavailable, says: []string{"looking up the project ID", "empty"}},
		{name: "garbage", projects: "<html>", is: cloudlb.ErrUnavailable, says: []string{"not a JSON object"}},
		{name: "broken", status: 500, projects: "oops", says: []string{"looking up the project ID", "status 500"}},
		{
			name: "denied", status: 403, projects: `{"error_code":"APIGW.0302","error_msg":"no policy"}`, is: cloudlb.ErrDenied,
			says: []string{"APIGW.0302", "WithProjectID"},
		},
		{
			name: "wrong keys", status: 401, projects: `{"error_code":"APIGW.0301","error_msg":"bad key ` + secretKey + `"}`,
			is: cloudlb.ErrUnauthenticated, says: []string{"APIGW.0301"},
		},
		{
			name: "not found", status: 404, projects: `{"error_code":"IAM.0004","error_msg":"Could not find it."}`,
			is: cloudlb.ErrInvalid, says: []string{"Could not find it."},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var asked, path string
			client := newELB(t, func(r *http.Request) (int, string) {
				switch {
				case !isIAM(r):
					path = r.URL.Path
					if got := r.Header.Get("X-Project-Id"); got != projectID {
						t.Errorf("X-Project-Id: %q", got)
					}
					return 200, noMembers
				case r.URL.Path == "/v3/auth/domains" && c.domains == "":
					return 403, `{"error":{"code":403,"message":"no"}}`
				case r.URL.Path == "/v3/auth/domains":
					return 200, c.domains
				}
				if r.Header.Get("X-Project-Id") != "" {
					t.Error("the lookup names a project")
				}
				asked = r.Method + " " + r.URL.String()
				return max(c.status, 200), c.projects
			})
			err := list(t.Context(), client)
			if want := "GET https://iam.cn-north-4.myhuaweicloud.com/v3/projects?name=cn-north-4"; asked != want {
				t.Errorf("asked %s", asked)
			}
			if c.says == nil {
				if err != nil || path != "/v3/"+projectID+"/elb/pools/"+poolID+"/members" {
					t.Errorf("%v, path %s", err, path)
				}
				return
			}
			if err == nil {
				t.Fatal("no error")
			}
			e, ok := errors.AsType[*cloudlb.Error](err)
			if !ok || e.Service != "elb" || e.Outcome != cloudlb.OutcomeNotSent || path != "" {
				t.Errorf("%v; path %q", err, path)
			}
			if c.is != nil && !e.Is(c.is) {
				t.Errorf("class %s of: %v", e.Class, err)
			}
			if errors.Is(err, cloudlb.ErrNotFound) {
				t.Errorf("passes for a member that is gone: %v", err)
			}
			for _, want := range c.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v; want %q", err, want)
				}
			}
			if text := fmt.Sprintf("%v %+v %#v", err, e, client); strings.Contains(text, secretKey) || strings.Contains(err.Error(), "\n") {
				t.Errorf("the error shows too much: %s", text)
			}
		})
	}
}

// TestProjectOnce has many callers and one lookup.
func TestProjectOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var lookups atomic.Int32
		c := newELB(t, func(r *http.Request) (int, string) {
			if isIAM(r) {
				lookups.Add(1)
				<-time.After(time.Second)
				return 200, oneProject
			}
			return 200, noMembers
		})
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if err := list(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if err := list(t.Context(), c); err != nil {
			t.Error(err)
		}
		if n := lookups.Load(); n != 1 {
			t.Errorf("%d lookups", n)
		}
	})
}

// TestProjectWaiterLeaves: a caller with a shorter deadline does not wait for
// the lookup of another.
func TestProjectWaiterLeaves(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newELB(t, func(r *http.Request) (int, string) {
			if isIAM(r) {
				<-time.After(10 * time.Second)
				return 200, oneProject
			}
			return 200, noMembers
		})
		first := make(chan error, 1)
		go func() { first <- list(t.Context(), c) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		start := time.Now()
		err := list(ctx, c)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
			t.Errorf("after %s: %v", time.Since(start), err)
		}
		if err := <-first; err != nil {
			t.Errorf("the caller that looks it up: %v", err)
		}
	})
}

// TestProjectTakeOver: the caller that looks the project up leaves; the others
// must not fail with its context's error.
func TestProjectTakeOver(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var lookups atomic.Int32
		c := newELB(t, func(r *http.Request) (int, string) {
			if isIAM(r) {
				lookups.Add(1)
				select {
				case <-time.After(10 * time.Second):
				case <-r.Context().Done():
				}
				return 200, oneProject
			}
			return 200, noMembers
		})
		ctx, cancel := context.WithCancel(t.Context())
		first := make(chan error, 1)
		go func() { first <- list(ctx, c) }()
		synctest.Wait()
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if err := list(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		cancel()
		if err := <-first; !errors.Is(err, context.Canceled) {
			t.Errorf("the one that left: %v", err)
		}
		wg.Wait()
		if n := lookups.Load(); n != 2 {
			t.Errorf("%d lookups", n)
		}
	})
}

// TestProjectFailure: those that wait share the failure, later calls try again.
func TestProjectFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var lookups atomic.Int32
		c := newELB(t, func(r *http.Request) (int, string) {
			switch {
			case !isIAM(r):
				return 200, noMembers
			case lookups.Add(1) == 1:
				<-time.After(time.Second)
				return 403, `{"error_code":"APIGW.0302","error_msg":"not yet"}`
			default:
				return 200, oneProject
			}
		})
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				if err := list(t.Context(), c); !errors.Is(err, cloudlb.ErrDenied) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if err := list(t.Context(), c); err != nil || lookups.Load() != 2 {
			t.Errorf("%v after %d lookups", err, lookups.Load())
		}
	})
}

// TestProjectPanic: a provider that panics in the lookup leaves no caller
// behind.
func TestProjectPanic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newELB(t, func(*http.Request) (int, string) {
			<-time.After(time.Second)
			panic("script")
		})
		go func() {
			defer func() { _ = recover() }()
			_ = list(t.Context(), c)
		}()
		synctest.Wait()
		if err := list(t.Context(), c); err == nil || !strings.Contains(err.Error(), "broken off") {
			t.Error(err)
		}
	})
}

func TestProjectToken(t *testing.T) {
	t.Parallel()
	const token = "MIIEsecret-iam-token"
	cloud := fakecloud.New(fakecloud.WithRegion("cn-north-4"), fakecloud.WithToken(token))
	cfg := cloud.Config()
	cfg.Credentials = cloudlb.StaticToken(token)
	iam := "https://fakecloud.invalid"
	c, err := elb.New(cfg, elb.WithIAMEndpoint(iam))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := list(t.Context(), c); !errors.Is(err, cloudlb.ErrNotFound) { // the pool: it got that far
			t.Error(err)
		}
	}
	a, err := apig.New(cfg, apig.WithIAMEndpoint(iam))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.ListVpcChannels(t.Context(), apig.ListVpcChannelsRequest{InstanceID: "eddc4d25480b4cd6b512f270a1b8b341"}); err != nil {
		t.Log(err) // what the instance says does not matter
	}
	if n := cloud.Calls("iam", "KeystoneListProjects"); n != 2 {
		t.Errorf("%d lookups of two clients", n)
	}

	cfg.Region = "cn-north-1" // of which this account has no project
	if c, err = elb.New(cfg, elb.WithIAMEndpoint(iam)); err != nil {
		t.Fatal(err)
	}
	err = list(t.Context(), c)
	if !errors.Is(err, cloudlb.ErrInvalid) || !strings.Contains(err.Error(), `region "cn-north-1"`) || strings.Contains(err.Error(), token) {
		t.Error(err)
	}
}

func TestProjectGiven(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New(fakecloud.WithRegion("cn-north-4"))
	c, err := elb.New(cloud.Config(), elb.WithProjectID(cloud.ProjectID()))
	if err != nil {
		t.Fatal(err)
	}
	if err := list(t.Context(), c); !errors.Is(err, cloudlb.ErrNotFound) {
		t.Error(err)
	}
	if n := cloud.Calls("iam", "KeystoneListProjects"); n != 0 {
		t.Errorf("%d lookups", n)
	}
	for _, id := range []string{"cn-north-4", projectID + projectID + "0", "../" + projectID[3:], "p\n"} {
		if _, err := elb.New(cloud.Config(), elb.WithProjectID(id)); !errors.Is(err, cloudlb.ErrInvalid) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// TestProjectSites: the European site has a domain of its own.
func TestProjectSites(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{
		"cn-north-4":  "iam.cn-north-4.myhuaweicloud.com",
		"eu-west-0":   "iam.eu-west-0.myhuaweicloud.com",
		"eu-west-101": "iam.eu-west-101.myhuaweicloud.eu",
		"cn-east-99":  "iam.cn-east-99.myhuaweicloud.com",
	} {
		var host string
		c := newELB(t, func(r *http.Request) (int, string) {
			if isIAM(r) {
				host = r.URL.Host
			}
			return 200, `{"projects":[{"id":"` + projectID + `","name":"` + region + `"}]}`
		}, func(cfg *cloudlb.Config) { cfg.Region = region })
		_ = list(t.Context(), c)
		if host != want {
			t.Errorf("%s: %s", region, host)
		}
	}
}

func TestProjectNilContext(t *testing.T) {
	t.Parallel()
	c := newELB(t, func(*http.Request) (int, string) { t.Error("sent"); return 500, "" })
	var none context.Context
	if err := list(none, c); !errors.Is(err, cloudlb.ErrInvalid) {
		t.Error(err)
	}
}
