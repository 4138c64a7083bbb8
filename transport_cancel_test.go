package cloudlb_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/elb"
)

var errShutdown = errors.New("the deploy was called off")

// TestCancel: a context that ends is answered at once, wherever the call is.
func TestCancel(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		op    operation
		setup func(t *testing.T, cfg *cloudlb.Config) []step
		sent  int
		want  verdict
	}{
		{"before", slbAdd, func(*testing.T, *cloudlb.Config) []step { return nil }, 0, verdict{cloudlb.ClassUnknown, notSent, 0}},
		{"in the limiter", slbAdd, func(t *testing.T, cfg *cloudlb.Config) []step {
			cfg.Limiter = cloudlb.NewLimiter()
			cfg.Limiter.SetBudget("slb", "", cloudlb.Budget{Calls: 1, Per: time.Hour})
			if err := cfg.Limiter.Wait(t.Context(), "slb", cfg.Region, "AddVServerGroupBackendServers", cloudlb.Budget{}); err != nil {
				t.Fatal(err)
			}
			return nil
		}, 0, verdict{cloudlb.ClassUnknown, notSent, 0}},
		{"in the credentials", slbAdd, func(_ *testing.T, cfg *cloudlb.Config) []step {
			cfg.Credentials = providerFunc(func(ctx context.Context) (cloudlb.Credentials, error) {
				<-ctx.Done()
				return cloudlb.Credentials{}, ctx.Err()
			})
			return nil
		}, 0, verdict{cloudlb.ClassUnknown, notSent, 0}},
		{"after careless credentials", slbAdd, func(_ *testing.T, cfg *cloudlb.Config) []step {
			static := cfg.Credentials
			cfg.Credentials = providerFunc(func(ctx context.Context) (cloudlb.Credentials, error) {
				<-ctx.Done()
				return static.Credentials(ctx)
			})
			return nil
		}, 0, verdict{cloudlb.ClassUnknown, notSent, 0}},
		{"in dial", slbAdd, func(t *testing.T, cfg *cloudlb.Config) []step {
			end := make(chan struct{})
			t.Cleanup(func() { close(end) })
			cfg.HTTPClient = &http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
				<-end // net/http goes on dialling for the next request
				return nil, errRefused
			}}}
			return nil
		}, 0, verdict{cloudlb.ClassUnknown, notSent, 1}},
		{"waiting for the answer", slbAdd, func(*testing.T, *cloudlb.Config) []step { return []step{hangs} }, 1, verdict{cloudlb.ClassUnknown, unknown, 1}},
		{"waiting for the answer to a token call", albAdd, func(*testing.T, *cloudlb.Config) []step { return []step{hangs} }, 1, verdict{cloudlb.ClassUnknown, unknown, 1}},
		{"in the reply", slbAdd, func(*testing.T, *cloudlb.Config) []step { return []step{hangsInBody(200, `{"RequestId":`)} }, 1, verdict{cloudlb.ClassUnknown, unknown, 1}},
		{"in an error reply", slbAdd, func(*testing.T, *cloudlb.Config) []step { return []step{hangsInBody(500, `{"Code":`)} }, 1, verdict{unavailable, unknown, 1}},
		{"in back-off", slbAdd, func(_ *testing.T, cfg *cloudlb.Config) []step {
			return []step{aliError(400, "Throttling", "no", "Retry-After", "30")}
		}, 1, verdict{throttled, rejected, 1}},
		{"in back-off after an unknown outcome", albAdd, func(*testing.T, *cloudlb.Config) []step {
			return []step{fails(errReset), aliError(400, "Throttling", "no", "Retry-After", "30")}
		}, 2, verdict{throttled, unknown, 2}},
		{"waiting for a busy resource", slbAdd, func(*testing.T, *cloudlb.Config) []step {
			return []step{aliError(449, "SystemBusy", "no", "Retry-After", "30")}
		}, 1, verdict{busy, rejected, 1}},
	} {
		for _, how := range []string{"cancel", "cause", "deadline"} {
			if c.name == "before" && how == "deadline" {
				continue // the same as cancel
			}
			t.Run(c.name+"/"+how, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					s := newScript(t)
					cfg := testConfig(s)
					s.steps = c.setup(t, &cfg)
					const after = 7 * time.Second
					ended := context.Canceled
					var ctx context.Context
					switch how {
					case "cancel":
						inner, cancel := context.WithCancel(t.Context())
						defer cancel()
						time.AfterFunc(after, cancel)
						ctx = inner
						if c.name == "before" {
							cancel()
						}
					case "cause":
						inner, cancel := context.WithCancelCause(t.Context())
						defer cancel(nil)
						time.AfterFunc(after, func() { cancel(errShutdown) })
						ctx = inner
						if c.name == "before" {
							cancel(errShutdown)
						}
					case "deadline":
						inner, cancel := context.WithTimeout(t.Context(), after)
						defer cancel()
						ctx, ended = inner, context.DeadlineExceeded
					}
					start := time.Now()
					_, err := c.op.bind(t, cfg)(ctx)
					took := time.Since(start)
					e := failure(t, err)
					atOnce := how == "deadline" && (strings.Contains(c.name, "back-off") || strings.Contains(c.name, "busy") || c.name == "in the limiter")
					switch {
					case atOnce && took >= after:
						t.Errorf("answered after %s, though the wait could not end in time", took)
					case !atOnce && c.name == "before" && took != 0, !atOnce && c.name != "before" && took != after:
						t.Errorf("answered after %s", took)
					case !atOnce && !errors.Is(err, ended):
						t.Errorf("%v does not wrap %v", err, ended)
					case how == "cause" && !errors.Is(err, errShutdown):
						t.Errorf("%v does not wrap the cause", err)
					}
					want := c.want
					if c.name == "in the limiter" && how == "deadline" {
						want.Class = throttled
					}
					if diff := cmp.Diff(want, verdictOf(e)); diff != "" {
						t.Errorf("(-want +got):\n%s%v", diff, err)
					}
					if how != "deadline" && errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("%v is a DeadlineExceeded too", err)
					}
					if e.Outcome == unknown && e.Hint == "" {
						t.Errorf("no hint in %v", err)
					}
					<-time.After(10 * time.Minute)
					if s.count() != c.sent {
						t.Errorf("%d requests were sent, want %d", s.count(), c.sent)
					}
				})
			})
		}
	}
}

// hangsInBody is a step whose body stops before its end.
func hangsInBody(status int, start string) step {
	return func(r *http.Request) (*http.Response, error) {
		body, w := io.Pipe()
		go func() {
			_, _ = io.WriteString(w, start)
			<-r.Context().Done()
			w.CloseWithError(r.Context().Err())
		}()
		return streams(status, body)(r)
	}
}

// TestCancelOnASocket: the same with a real connection, where the answer to a
// cancellation is a matter of milliseconds.
func TestCancelOnASocket(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]string{
		"no answer": "",
		"headers":   "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n",
		"body":      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"RequestId\":",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			arrived, release := make(chan struct{}), make(chan struct{})
			cfg, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				conn := hijack(t, w)
				defer conn.Close()
				_, _ = io.WriteString(conn, start)
				close(arrived)
				<-release
			})
			defer close(release)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			answered := make(chan error, 1)
			go func() {
				_, err := slbAdd.bind(t, cfg)(ctx)
				answered <- err
			}()
			<-arrived
			start := time.Now()
			cancel()
			err := <-answered
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("answered after %s", d)
			}
			if e := failure(t, err); !errors.Is(err, context.Canceled) || e.Outcome != unknown || e.Attempts != 1 {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestCancelProjectLookup: a call that waits for another's lookup of the
// project leaves when its own context ends, and the lookup goes on.
func TestCancelProjectLookup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t,
			func(r *http.Request) (*http.Response, error) {
				<-time.After(5 * time.Second)
				return answers(200, `{"projects":[{"id":"`+testProject+`","name":"cn-hangzhou"}]}`)(r)
			},
			elbRead.ok)
		c := must[*elb.Client](t)(elb.New(testConfig(s)))
		first := make(chan error, 1)
		go func() {
			_, err := c.ListMembers(t.Context(), elb.ListMembersRequest{PoolID: "pool-1"})
			first <- err
		}()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := c.ListMembers(ctx, elb.ListMembersRequest{PoolID: "pool-1"})
		if e := failure(t, err); !errors.Is(err, context.DeadlineExceeded) || e.Outcome != notSent || e.Attempts != 0 {
			t.Errorf("got %v", err)
		}
		if err := <-first; err != nil {
			t.Error(err)
		}
	})
}
