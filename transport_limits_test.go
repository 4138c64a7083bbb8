package cloudlb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
)

// checkWindow checks that no window of length per saw more than calls.
func checkWindow(t *testing.T, sent []sentRequest, calls int, per time.Duration) {
	t.Helper()
	for i := range len(sent) - calls {
		if d := sent[i+calls].at.Sub(sent[i].at); d <= per {
			t.Fatalf("calls %d to %d, %d of them, started within %s", i, i+calls, calls+1, d)
		}
	}
}

// TestBudgets: clients that share a Limiter stay within the published budget
// together, in any window.
func TestBudgets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		op    operation
		calls int
		most  time.Duration
	}{
		{albAdd, 200, 125 * time.Second},
		{slbAdd, 90, 310 * time.Second},
	} {
		t.Run(c.op.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t).then(c.op.ok)
				cfg := testConfig(s)
				cfg.Limiter = cloudlb.NewLimiter()
				clients := [2]caller{c.op.bind(t, cfg), c.op.bind(t, cfg)}
				start := time.Now()
				var wg sync.WaitGroup
				for i := range 500 {
					wg.Go(func() {
						if _, err := clients[i%2](t.Context()); err != nil {
							t.Errorf("call %d: %v", i, err)
						}
					})
					if i%50 == 0 {
						<-time.After(700 * time.Millisecond) // not all at the same instant
					}
				}
				wg.Wait()
				sent := s.requests()
				if len(sent) != 500 {
					t.Fatalf("%d calls", len(sent))
				}
				checkWindow(t, sent, c.calls, time.Minute)
				if d := time.Since(start); d > c.most {
					t.Errorf("500 calls took %s: the budget was not used", d)
				}
			})
		})
	}
}

// TestBudgetsApart: budgets are per region and operation, retries count, and
// clients without a common Limiter have budgets of their own.
func TestBudgetsApart(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t).then(answers(200, `{"JobId":"job-1","RequestId":"R-1"}`))
		cfg := testConfig(s)
		cfg.Limiter = new(cloudlb.Limiter) // the zero value is ready
		other := cfg
		other.Region = "cn-beijing"
		own := cfg
		own.Limiter = nil
		calls := []caller{albAdd.bind(t, cfg), albAdd.bind(t, other), slbAdd.bind(t, cfg), albRead.bind(t, cfg), albAdd.bind(t, own)}
		start := time.Now()
		for range 90 {
			for i, call := range calls {
				if _, err := call(t.Context()); err != nil {
					t.Fatalf("%d: %v", i, err)
				}
			}
		}
		if d := time.Since(start); d != 0 {
			t.Errorf("calls held each other up for %s", d)
		}
	})
	t.Run("retries", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			n := 0
			s := newScript(t).then(func(r *http.Request) (*http.Response, error) {
				if n++; n%3 != 0 {
					return fails(errReset)(r)
				}
				return albAdd.ok(r)
			})
			cfg := testConfig(s)
			cfg.Limiter = cloudlb.NewLimiter()
			cfg.Limiter.SetBudget("alb", "AddServersToServerGroup", cloudlb.Budget{Calls: 7, Per: 10 * time.Second})
			call := albAdd.bind(t, cfg)
			for range 20 {
				if _, err := call(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			checkWindow(t, s.requests(), 7, 10*time.Second)
		})
	})
}

// TestSetBudget: an account's own budgets replace the published ones.
func TestSetBudget(t *testing.T) {
	t.Parallel()
	const none = 0
	for _, c := range []struct {
		name      string
		op        operation
		service   string
		operation string
		budget    cloudlb.Budget
		gap       time.Duration // between two calls; none: no limit
	}{
		{"an operation", albAdd, "alb", "AddServersToServerGroup", cloudlb.Budget{Calls: 1, Per: 10 * time.Second}, 10 * time.Second},
		{"a service", slbRead, "slb", "", cloudlb.Budget{Calls: 1, Per: 5 * time.Second}, 5 * time.Second},
		{"another operation", albAdd, "alb", "ReplaceServersInServerGroup", cloudlb.Budget{Calls: 1, Per: time.Hour}, none},
		{"another service", albAdd, "slb", "", cloudlb.Budget{Calls: 1, Per: time.Hour}, none},
		{"without a published one", elbRead, "elb", "ListMembers", cloudlb.Budget{Calls: 1, Per: 2 * time.Second}, 2 * time.Second},
		{"by the method's name", apigAdd, "apig", "AddVpcChannelMembers", cloudlb.Budget{Calls: 1, Per: 3 * time.Second}, 3 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t).then(c.op.ok)
				cfg := testConfig(s)
				cfg.Limiter = cloudlb.NewLimiter()
				cfg.Limiter.SetBudget(c.service, c.operation, c.budget)
				call := c.op.bind(t, cfg)
				for range 3 {
					if _, err := call(t.Context()); err != nil {
						t.Fatal(err)
					}
				}
				sent := s.requests()
				for i := range 2 {
					if gap := sent[i+1].at.Sub(sent[i].at); gap < c.gap || gap > c.gap+c.gap/10 {
						t.Errorf("%s between calls, want %s", gap, c.gap)
					}
				}
			})
		})
	}
	t.Run("no limit", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := newScript(t).then(slbAdd.ok)
			cfg := testConfig(s)
			cfg.Limiter = cloudlb.NewLimiter()
			cfg.Limiter.SetBudget("slb", "", cloudlb.Budget{Calls: 1, Per: time.Hour})
			cfg.Limiter.SetBudget("slb", "AddVServerGroupBackendServers", cloudlb.Budget{})
			call := slbAdd.bind(t, cfg)
			start := time.Now()
			for range 300 {
				if _, err := call(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if d := time.Since(start); d != 0 {
				t.Errorf("it took %s", d)
			}
		})
	})
}

// slow is a Limiter that allows one call of slbAdd in ten seconds, and a
// caller that has used it up.
func slow(t *testing.T, s *script) (cloudlb.Config, caller) {
	t.Helper()
	cfg := testConfig(s)
	cfg.Limiter = cloudlb.NewLimiter()
	cfg.Limiter.SetBudget("slb", "", cloudlb.Budget{Calls: 1, Per: 10 * time.Second})
	call := slbAdd.bind(t, cfg)
	if _, err := call(t.Context()); err != nil {
		t.Fatal(err)
	}
	return cfg, call
}

// TestLimiterDeadline: a call whose turn comes after its deadline is refused at
// once, also behind others that wait, and asks for no keys.
func TestLimiterDeadline(t *testing.T) {
	t.Parallel()
	for _, behind := range []int{0, 1, 20} {
		t.Run(fmt.Sprint(behind, " waiting"), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t).then(slbAdd.ok)
				cfg, call := slow(t, s)
				var wg sync.WaitGroup
				waiting, stop := context.WithCancel(t.Context())
				for range behind {
					wg.Go(func() { _, _ = call(waiting) })
				}
				synctest.Wait()
				cfg.Credentials = providerFunc(func(context.Context) (cloudlb.Credentials, error) {
					t.Error("the provider was asked")
					return cloudlb.Credentials{}, nil
				})
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				start := time.Now()
				_, err := slbAdd.bind(t, cfg)(ctx)
				e := failure(t, err)
				if diff := cmp.Diff(verdict{throttled, notSent, 0}, verdictOf(e)); diff != "" {
					t.Errorf("(-want +got):\n%s%v", diff, err)
				}
				if d := time.Since(start); d != 0 {
					t.Errorf("answered after %s", d)
				}
				if !errors.Is(err, cloudlb.ErrThrottled) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "1 call") {
					t.Errorf("got %v", err)
				}
				stop()
				wg.Wait()
				if s.count() != 1 {
					t.Errorf("%d calls were made", s.count())
				}
			})
		})
	}
}

// TestCancelledWaiters: those who leave the queue cost the others nothing.
func TestCancelledWaiters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t).then(slbAdd.ok)
		_, call := slow(t, s)
		start := time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				_, err := call(ctx)
				if e := failure(t, err); !errors.Is(err, context.Canceled) || e.Outcome != notSent || e.Attempts != 0 {
					t.Errorf("got %v", err)
				}
			})
		}
		synctest.Wait()
		wg.Go(func() {
			if _, err := call(t.Context()); err != nil {
				t.Error(err)
			}
		})
		<-time.After(time.Second)
		cancel()
		wg.Wait()
		if d := time.Since(start); d < 10*time.Second || d > 10200*time.Millisecond {
			t.Errorf("the next call was allowed after %s, want 10s", d)
		}
		if s.count() != 2 {
			t.Errorf("%d calls were made, want 2", s.count())
		}
	})
}

// TestPause: a wait that the service asks of one call holds back the others of
// the operation too, with words of its own.
func TestPause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t, huaweiError(429, "APIGW.0308", "limit:1,time:30 second")).then(elbBatch.ok)
		cfg := testConfig(s)
		cfg.Limiter = cloudlb.NewLimiter()
		cfg.Retry.MaxAttempts = 1
		first, second := elbBatch.bind(t, cfg), elbBatch.bind(t, cfg)
		if _, err := first(t.Context()); !errors.Is(err, cloudlb.ErrThrottled) {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := second(ctx)
		if e := failure(t, err); e.Class != throttled || e.Outcome != notSent || strings.Contains(err.Error(), "0 calls") || !strings.Contains(err.Error(), "30s") {
			t.Errorf("got %v", err)
		}
		if _, err := second(t.Context()); err != nil {
			t.Error(err)
		}
		if gap := s.requests()[1].at.Sub(s.requests()[0].at); gap != 30*time.Second {
			t.Errorf("the other call waited %s", gap)
		}
	})
}

// endless is a body without end that counts what is read of it.
type endless struct {
	read   atomic.Int64
	closed atomic.Bool
	left   int64 // < 0: no end
}

func (e *endless) Read(b []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := len(b)
	if e.left > 0 {
		n = int(min(int64(n), e.left))
		e.left -= int64(n)
	}
	for i := range b[:n] {
		b[i] = ' '
	}
	e.read.Add(int64(n))
	return n, nil
}

func (e *endless) Close() error { e.closed.Store(true); return nil }

// TestBodyBounds: of an error body no more than 64 KiB is read, of a reply no
// more than 32 MiB, and a longer reply is refused as a whole.
func TestBodyBounds(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		status int
		size   int64
		most   int64
	}{
		{"10 MB error", 500, 10 << 20, 64 << 10},
		{"endless error", 500, -1, 64 << 10},
		{"endless redirect", 307, -1, 64 << 10},
		{"33 MiB reply", 200, 33 << 20, 32<<20 + 1},
		{"endless reply", 200, -1, 32<<20 + 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			body := &endless{left: c.size}
			_, err := slbAdd.bind(t, once(newScript(t, streams(c.status, body))))(t.Context())
			e := failure(t, err)
			if e.StatusCode != c.status || e.Attempts != 1 {
				t.Errorf("got %v", err)
			}
			if got := body.read.Load(); got > c.most {
				t.Errorf("%d bytes were read, want at most %d", got, c.most)
			}
			if !body.closed.Load() {
				t.Error("the body was not closed")
			}
			checkOneLine(t, err)
		})
	}
	t.Run("announced", func(t *testing.T) {
		t.Parallel()
		body := &endless{left: 33 << 20}
		s := newScript(t, func(r *http.Request) (*http.Response, error) {
			resp, err := streams(200, body)(r)
			resp.ContentLength = 33 << 20
			return resp, err
		})
		if _, err := slbAdd.bind(t, once(s))(t.Context()); !errors.Is(err, cloudlb.ErrUnavailable) {
			t.Errorf("got %v", err)
		}
		if body.read.Load() != 0 {
			t.Errorf("%d bytes were read of a reply that announces too many", body.read.Load())
		}
	})
	t.Run("31 MiB reply", func(t *testing.T) {
		t.Parallel()
		body := struct {
			io.Reader
			io.Closer
		}{io.MultiReader(&endless{left: 31 << 20}, strings.NewReader(`{"RequestId":"R-1"}`)), io.NopCloser(nil)}
		meta, err := slbAdd.bind(t, once(newScript(t, streams(200, body))))(t.Context())
		if err != nil || meta.RequestID != "R-1" {
			t.Errorf("%+v, %v", meta, err)
		}
	})
	for _, size := range []int{10 << 20, -1} {
		t.Run(fmt.Sprint("socket ", size), func(t *testing.T) {
			t.Parallel()
			cfg, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(http.StatusInternalServerError)
				chunk := []byte(strings.Repeat("x", 1<<16))
				for n := 0; size < 0 || n < size; n += len(chunk) {
					if _, err := w.Write(chunk); err != nil {
						return // the client has read enough
					}
				}
			})
			_, err := slbAdd.bind(t, cfg)(t.Context())
			if diff := cmp.Diff(verdict{unavailable, unknown, 1}, verdictOf(failure(t, err))); diff != "" {
				t.Errorf("(-want +got):\n%s%v", diff, err)
			}
		})
	}
}

// countConnections counts the connections that a server accepts.
func countConnections(server *httptest.Server) *atomic.Int32 {
	n := new(atomic.Int32)
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			n.Add(1)
		}
	}
	return n
}

// TestIdleConnections: calls that fail leave the connections to the next ones.
func TestIdleConnections(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		switch calls.Add(1) % 5 {
		case 0:
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"error_code":"APIGW.0201","error_msg":"oops"}`)
		case 1:
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"error_code":"APIGW.0302","error_msg":"no"}`)
		case 2:
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, "<html>"+strings.Repeat(" ", 10<<10))
		case 3:
			_, _ = io.WriteString(w, `[]`)
		default:
			_, _ = io.WriteString(w, `{"request_id":"r-1","member":{"id":"m-1"}}`)
		}
	}))
	connections := countConnections(server)
	server.Start()
	defer server.Close()
	cfg := testConfig(nil)
	cfg.HTTPClient = nil
	cfg.Endpoint, cfg.AllowHTTP = server.URL, true
	call := elbCreate.bind(t, cfg)
	for range 25 {
		_, _ = call(t.Context())
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := call(ended); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := call(t.Context(), cloudlb.WithClientToken("none")); !errors.Is(err, cloudlb.ErrInvalid) {
		t.Error(err)
	}
	_, _ = call(t.Context())
	if calls.Load() != 26 || connections.Load() != 1 {
		t.Errorf("%d calls used %d connections, want 26 on 1", calls.Load(), connections.Load())
	}
}

// TestConnectionCount: 16 goroutines use 16 connections, however often they
// call.
func TestConnectionCount(t *testing.T) {
	t.Parallel()
	const goroutines, rounds = 16, 20
	var arrived atomic.Int32
	all := make(chan struct{})
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if n := arrived.Add(1); n == goroutines { // the first round is under way at the same time
			close(all)
		}
		<-all
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"request_id":"r-1","member":{"id":"m-1"}}`)
	}))
	connections := countConnections(server)
	server.Start()
	defer server.Close()
	cfg := testConfig(nil)
	cfg.HTTPClient = nil
	cfg.Endpoint, cfg.AllowHTTP = server.URL, true
	call := elbCreate.bind(t, cfg)
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range rounds {
				if _, err := call(t.Context()); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if arrived.Load() != goroutines*rounds || connections.Load() > goroutines {
		t.Errorf("%d calls used %d connections", arrived.Load(), connections.Load())
	}
}

// TestCallersTrace: hooks that the caller's context carries are called once for
// every attempt.
func TestCallersTrace(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	cfg, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) < 4 {
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"request_id":"r-1","member":{"id":"m-1"}}`)
	})
	var asked, got, wrote atomic.Int32
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{
		GetConn:      func(string) { asked.Add(1) },
		GotConn:      func(httptrace.GotConnInfo) { got.Add(1) },
		WroteRequest: func(httptrace.WroteRequestInfo) { wrote.Add(1) },
	})
	if _, err := elbCreate.bind(t, cfg)(ctx); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]int32{4, 4, 4}, []int32{asked.Load(), got.Load(), wrote.Load()}); diff != "" {
		t.Errorf("calls of the hooks in 4 attempts (-want +got):\n%s", diff)
	}
}

const quietVariable = "CLOUDLB_TEST_QUIET"

// TestQuiet: whatever happens, nothing is written to the standard streams. The
// test runs itself as a program of its own to see them.
func TestQuiet(t *testing.T) {
	if os.Getenv(quietVariable) != "" {
		beQuiet(t)
		os.Exit(0)
	}
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, must[string](t)(os.Executable()), "-test.run=^TestQuiet$")
	cmd.Env = append(os.Environ(), quietVariable+"=1", "DEBUG=dara,sdk")
	out, err := cmd.CombinedOutput()
	if err != nil || len(out) > 0 {
		t.Errorf("%v, with output:\n%s", err, out)
	}
}

func beQuiet(t *testing.T) {
	for _, op := range []operation{albAdd, slbAdd, elbBatch, elbDelete, apigCreate} {
		for _, step := range []step{
			aliError(400, "Throttling", "no"), aliError(500, "InternalError", "no"), fails(errReset), fails(errRefused),
			answers(302, "", "Location", "https://other.invalid"), answers(200, "<html>"), answers(200, "{"), op.ok,
		} {
			cfg := testConfig(newScript(t).then(step))
			cfg.Retry.BaseDelay, cfg.Retry.MaxDelay = time.Microsecond, time.Microsecond
			call := op.bind(t, cfg)
			_, _ = call(t.Context())
			ctx, cancel := context.WithCancel(t.Context())
			cancel()
			_, _ = call(ctx)
		}
	}
}
