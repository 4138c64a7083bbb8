package cloudlb_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/elb"
)

// TestRotatingCredentials: a hundred goroutines on one client whose keys change
// under it. Every request is whole: keys, token and body belong together.
func TestRotatingCredentials(t *testing.T) {
	t.Parallel()
	const goroutines, rounds = 100, 5
	var attempts atomic.Int32
	cfg, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sum := sha256.Sum256(body)
		if got := r.Header.Get("X-Acs-Content-Sha256"); got != hex.EncodeToString(sum[:]) {
			t.Errorf("the body is not the one that was signed: %s", body)
		}
		_, generation, _ := strings.Cut(r.Header.Get("X-Acs-Security-Token"), "token-")
		if !strings.Contains(r.Header.Get("Authorization"), "Credential=key-"+generation+",") {
			t.Errorf("token of generation %s with %s", generation, r.Header.Get("Authorization"))
		}
		if group := r.URL.Query().Get("ServerGroupId"); !strings.Contains(string(body)+r.URL.RawQuery, "i-"+group+"-19") {
			t.Errorf("group %s with the servers of another: %s", group, body)
		}
		w.Header().Set("Content-Type", "application/json")
		if attempts.Add(1)%7 == 0 {
			w.WriteHeader(http.StatusInternalServerError)
			_, _ = io.WriteString(w, `{"Code":"InternalError","Message":"oops"}`)
			return
		}
		_, _ = fmt.Fprintf(w, `{"JobId":"job-%s","RequestId":"R-1"}`, r.URL.Query().Get("ServerGroupId"))
	})
	var n atomic.Int32
	cfg.Credentials = providerFunc(func(context.Context) (cloudlb.Credentials, error) {
		generation := n.Add(1) / 3
		return cloudlb.Credentials{
			AccessKeyID: fmt.Sprint("key-", generation), SecretAccessKey: fmt.Sprint("secret-", generation),
			SecurityToken: fmt.Sprint("token-", generation), Expires: time.Now().Add(time.Minute),
		}, nil
	})
	cfg.Limiter = cloudlb.NewLimiter()
	cfg.Limiter.SetBudget("alb", "", cloudlb.Budget{})
	cfg.Logger = slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var seen atomic.Int32
	cfg.Hooks.Attempt = func(context.Context, cloudlb.Attempt) { seen.Add(1) }
	cfg.Hooks.Wait = func(_ context.Context, w cloudlb.Wait) { _ = w.Err.Error() }
	c := must[*alb.Client](t)(alb.New(cfg))
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			req := alb.AddServersToServerGroupRequest{ServerGroupID: fmt.Sprintf("g%03d", g)}
			for i := range 20 {
				req.Servers = append(req.Servers, alb.AddedServer{ServerID: fmt.Sprintf("i-%s-%d", req.ServerGroupID, i), ServerType: alb.ServerTypeEcs, Port: 80})
			}
			for range rounds {
				res, err := c.AddServersToServerGroup(t.Context(), req)
				if err != nil {
					if !errors.Is(err, cloudlb.ErrUnavailable) { // four unlucky attempts in a row
						t.Error(err)
					}
					continue
				}
				if res.JobID != "job-"+req.ServerGroupID {
					t.Errorf("group %s got the reply %s", req.ServerGroupID, res.JobID)
				}
			}
		})
	}
	wg.Wait()
	if seen.Load() != attempts.Load() {
		t.Errorf("the hook saw %d attempts of %d", seen.Load(), attempts.Load())
	}
}

// TestOneProjectLookup: many first calls at the same time ask IAM once.
func TestOneProjectLookup(t *testing.T) {
	t.Parallel()
	var lookups, calls atomic.Int32
	cfg, server := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if strings.HasPrefix(r.URL.Path, "/v3/projects") {
			lookups.Add(1)
			_, _ = fmt.Fprintf(w, `{"projects":[{"id":%q,"name":"cn-hangzhou"}]}`, testProject)
			return
		}
		calls.Add(1)
		if !strings.HasPrefix(r.URL.Path, "/v3/"+testProject+"/") || r.Header.Get("X-Project-Id") != testProject {
			t.Errorf("a call to %s for project %q", r.URL.Path, r.Header.Get("X-Project-Id"))
		}
		_, _ = io.WriteString(w, `{"members":[]}`)
	})
	c := must[*elb.Client](t)(elb.New(cfg, elb.WithIAMEndpoint(server.URL)))
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := c.ListMembers(t.Context(), elb.ListMembersRequest{PoolID: "pool-1"}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if lookups.Load() != 1 || calls.Load() != 50 {
		t.Errorf("%d lookups and %d calls, want 1 and 50", lookups.Load(), calls.Load())
	}
}

// keeper is a RoundTripper that answers before it has read the body, as HTTP/2
// may, and keeps the body.
type keeper struct {
	mu     sync.Mutex
	closes bool
	bodies []io.ReadCloser
}

func (k *keeper) RoundTrip(r *http.Request) (*http.Response, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.bodies = append(k.bodies, r.Body)
	if k.closes {
		r.Body.Close()
	}
	return elbBatch.ok(r)
}

// TestBodyAfterTheCall: a body that is read late is never that of another call.
// A long one is in a buffer that other calls use, which is kept while the body
// is open; a closed one reads nothing.
func TestBodyAfterTheCall(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		members int
		closes  bool
	}{{1, false}, {1, true}, {200, false}, {200, true}} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			t.Parallel()
			k := &keeper{closes: c.closes}
			client := must[*elb.Client](t)(elb.New(testConfig(k), elb.WithProjectID(testProject)))
			for i := range 50 {
				req := elb.BatchCreateMembersRequest{PoolID: "pool-1"}
				for m := range c.members {
					req.Members = append(req.Members, elb.BatchMemberSpec{Address: fmt.Sprintf("192.0.2.%d", 100+i), ProtocolPort: 80 + m})
				}
				if _, err := client.BatchCreateMembers(t.Context(), req); err != nil {
					t.Fatal(err)
				}
			}
			for i, body := range k.bodies {
				b, err := io.ReadAll(body)
				body.Close()
				if c.closes && c.members > 1 {
					if len(b) > 0 || err == nil {
						t.Fatalf("closed body %d reads %s, %v", i, b, err)
					}
				} else if n := strings.Count(string(b), fmt.Sprintf("192.0.2.%d", 100+i)); err != nil || n != c.members {
					t.Fatalf("body %d reads %s, %v", i, b, err)
				}
			}
		})
	}
}

// TestBodyReadAgain: a RoundTripper that sends a body twice gets the same one.
func TestBodyReadAgain(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	var bodies []string
	rt := roundTripper(func(r *http.Request) (*http.Response, error) {
		for range 2 {
			body, err := r.GetBody()
			if err != nil {
				return nil, err
			}
			b, err := io.ReadAll(body)
			if err != nil {
				return nil, err
			}
			body.Close()
			bodies = append(bodies, string(b))
		}
		s.then(elbBatch.ok)
		return s.RoundTrip(r)
	})
	if _, err := elbBatch.bind(t, testConfig(rt))(t.Context()); err != nil {
		t.Fatal(err)
	}
	if sent := s.requests()[0].body; sent == "" || bodies[0] != sent || bodies[1] != sent {
		t.Errorf("sent %q, GetBody gave %q", sent, bodies)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestEarlyAnswers over HTTP/2: answers that come before the body was read, and
// cancelled calls, in parallel on one connection; bodies stay whole.
func TestEarlyAnswers(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			t.Errorf("the request came by %s", r.Proto)
		}
		w.Header().Set("Content-Type", "application/json")
		switch n.Add(1) % 4 {
		case 0:
			w.WriteHeader(http.StatusTooManyRequests)
			return
		case 1:
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error_code":"ELB.8902","error_msg":"no"}`)
			return
		}
		body, err := io.ReadAll(r.Body)
		if pool := strings.Split(r.URL.Path, "/")[5]; err == nil && strings.Count(string(body), `"`+pool+`-`) != 200 {
			t.Errorf("pool %s got the body of another", pool)
		}
		_, _ = io.WriteString(w, `{"request_id":"r-1","members":[{"id":"m-1"}]}`)
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	cfg := testConfig(nil)
	cfg.Endpoint, cfg.HTTPClient = server.URL, server.Client()
	cfg.Retry.BaseDelay, cfg.Retry.MaxDelay = time.Millisecond, time.Millisecond
	c := must[*elb.Client](t)(elb.New(cfg, elb.WithProjectID(testProject)))
	var wg sync.WaitGroup
	for g := range 20 {
		wg.Go(func() {
			req := elb.BatchCreateMembersRequest{PoolID: fmt.Sprintf("pool%02d", g)}
			for i := range 200 {
				req.Members = append(req.Members, elb.BatchMemberSpec{Name: fmt.Sprintf("%s-%d", req.PoolID, i), Address: fmt.Sprintf("192.0.2.%d", i), ProtocolPort: 80})
			}
			for i := range 10 {
				ctx, cancel := context.WithCancel(t.Context())
				if i%3 == 2 {
					go cancel()
				}
				_, err := c.BatchCreateMembers(ctx, req)
				if err != nil && !errors.Is(err, cloudlb.ErrThrottled) && !errors.Is(err, cloudlb.ErrInvalid) && !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				cancel()
			}
		})
	}
	wg.Wait()
}
