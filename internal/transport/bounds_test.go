package transport_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
)

// The documented bounds of many calls on one client, see
// docs/errors-and-retries.md.
const (
	mostConnections  = 16
	mostBytesWaiting = 16 << 10 // heap and stack of a call that waits
)

// manyCalls is how many are made at the same time.
func manyCalls() int {
	if raceDetector {
		return 4_000 // it ends programs with more than 8,128 goroutines
	}
	return 10_000
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func config() cloudlb.Config {
	return cloudlb.Config{
		Region:      "cn-hangzhou",
		Credentials: cloudlb.StaticCredentials("EXAMPLEACCESSKEY", "example-secret", ""),
	}
}

func newALB(t *testing.T, cfg cloudlb.Config) *alb.Client {
	t.Helper()
	c, err := alb.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func addServers(ctx context.Context, c *alb.Client) error {
	_, err := c.AddServersToServerGroup(ctx, alb.AddServersToServerGroupRequest{
		ServerGroupID: "sgp-1",
		Servers:       []alb.AddedServer{{ServerID: "i-1", ServerType: alb.ServerTypeEcs, Port: 80}, {ServerID: "i-2", ServerType: alb.ServerTypeEcs, Port: 80}},
	})
	return err
}

const added = `{"JobId":"job-1","RequestId":"R-1"}`

func memory() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// TestManyWaiting: calls beyond the published budget wait in their own
// goroutine, without another and without a timer each, in bounded memory. They
// all get their turn, and keep the budget.
func TestManyWaiting(t *testing.T) { //nolint:paralleltest // It counts goroutines and memory.
	calls := manyCalls()
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int64
		cfg := config()
		cfg.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			_ = r.Body.Close()
			sent.Add(1)
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(added)), Request: r}, nil
		})}
		c := newALB(t, cfg)
		goroutines, before := runtime.NumGoroutine(), memory()
		var wg sync.WaitGroup
		start := time.Now()
		for range calls {
			wg.Go(func() {
				if err := addServers(t.Context(), c); err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		const budget = 200 // in a minute, and 1 % more of a minute
		waiting := calls - budget
		each := int(memory()-before) / waiting
		t.Logf("%d calls wait, %d bytes each", waiting, each)
		if n := runtime.NumGoroutine() - goroutines; n > waiting+waiting/100 { // some are the runtime's and other tests'
			t.Errorf("%d goroutines for %d calls that wait", n, waiting)
		}
		if each > mostBytesWaiting && !raceDetector {
			t.Errorf("%d bytes for a call that waits, want at most %d", each, mostBytesWaiting)
		}
		if sent.Load() != budget {
			t.Errorf("%d requests in the first window, want %d", sent.Load(), budget)
		}
		wg.Wait()
		windows := (calls - 1) / budget
		if got, least := time.Since(start), time.Duration(windows)*time.Minute; got < least || got > least*102/100 || sent.Load() != int64(calls) {
			t.Errorf("%d requests took %s, want %d in %s", sent.Load(), got, calls, least)
		}
	})
	if n := memory(); n > 256<<20 {
		t.Errorf("%d bytes are left", n)
	}
}

// TestManyCancelled: the same calls leave at once when their context ends, and
// have sent nothing.
func TestManyCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var sent atomic.Int64
		cfg := config()
		cfg.HTTPClient = &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			sent.Add(1)
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}
		c := newALB(t, cfg)
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var notSent atomic.Int64
		for range manyCalls() / 2 {
			wg.Go(func() {
				err := addServers(ctx, c)
				if !errors.Is(err, context.Canceled) {
					t.Error(err)
				}
				if e, ok := errors.AsType[*cloudlb.Error](err); ok && e.Outcome == cloudlb.OutcomeNotSent {
					notSent.Add(1)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		cancel()
		wg.Wait()
		if d := time.Since(start); d > 0 {
			t.Errorf("the calls took %s to leave", d)
		}
		if got := sent.Load() + notSent.Load(); got != int64(manyCalls()/2) {
			t.Errorf("%d requests were sent, %d calls say that they sent none", sent.Load(), notSent.Load())
		}
	})
}

// held is a server that holds its answers until release closes.
type held struct {
	*httptest.Server
	connections, under, mostUnder, served atomic.Int64
	full, release                         chan struct{}
}

func newHeld(t *testing.T, full int64) *held {
	h := &held{full: make(chan struct{}), release: make(chan struct{})}
	h.Server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		n := h.under.Add(1)
		defer h.under.Add(-1)
		for most := h.mostUnder.Load(); n > most && !h.mostUnder.CompareAndSwap(most, n); most = h.mostUnder.Load() {
		}
		if h.served.Add(1) == full {
			close(h.full)
		}
		<-h.release
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, added)
	}))
	h.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			h.connections.Add(1)
		}
	}
	h.Start()
	t.Cleanup(h.Close)
	return h
}

func (h *held) config() cloudlb.Config {
	cfg := config()
	cfg.Endpoint, cfg.AllowHTTP = h.URL, true
	cfg.Limiter = cloudlb.NewLimiter()
	cfg.Limiter.SetBudget("alb", "", cloudlb.Budget{}) // only the connections limit
	return cfg
}

// TestManyConnections: as many calls at the same time on the client's own
// connections, all of which succeed.
func TestManyConnections(t *testing.T) { //nolint:paralleltest // It counts goroutines.
	h := newHeld(t, mostConnections)
	c := newALB(t, h.config())
	calls := manyCalls()
	goroutines := runtime.NumGoroutine()
	var wg sync.WaitGroup
	for range calls {
		wg.Go(func() {
			if err := addServers(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	<-h.full
	most := runtime.NumGoroutine() - goroutines
	close(h.release)
	wg.Wait()
	t.Logf("%d calls: %d connections, up to %d goroutines", h.served.Load(), h.connections.Load(), most)
	if h.served.Load() != int64(calls) {
		t.Errorf("%d of %d calls arrived", h.served.Load(), calls)
	}
	if n := max(h.connections.Load(), h.mostUnder.Load()); n > mostConnections {
		t.Errorf("%d connections, %d requests at the same time, want at most %d", h.connections.Load(), h.mostUnder.Load(), mostConnections)
	}
	// Each connection has two goroutines here and one or two in the server, and
	// one is dialled in another.
	if most > calls+6*mostConnections {
		t.Errorf("%d goroutines for %d calls", most, calls)
	}
}

// TestFewConnections: goroutines that call again and again use no more
// connections than they are, up to the bound.
func TestFewConnections(t *testing.T) {
	t.Parallel()
	times := 50
	if raceDetector {
		times = 10
	}
	for range times {
		h := newHeld(t, 1)
		close(h.release)
		c := newALB(t, h.config())
		var wg sync.WaitGroup
		for range mostConnections {
			wg.Go(func() {
				for range 20 {
					if err := addServers(t.Context(), c); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if n := h.connections.Load(); n > mostConnections {
			t.Fatalf("%d connections of %d goroutines", n, mostConnections)
		}
		h.Close()
	}
}

// TestWaitForConnection: a call that waits for one leaves when its context
// ends, and has sent nothing.
func TestWaitForConnection(t *testing.T) {
	t.Parallel()
	h := newHeld(t, mostConnections)
	c := newALB(t, h.config())
	var wg sync.WaitGroup
	for range mostConnections {
		wg.Go(func() {
			if err := addServers(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	<-h.full
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	err := addServers(ctx, c)
	e, ok := errors.AsType[*cloudlb.Error](err)
	if !ok || !errors.Is(err, context.DeadlineExceeded) || e.Outcome != cloudlb.OutcomeNotSent || e.Attempts != 0 || !strings.Contains(err.Error(), "waiting for a connection") {
		t.Errorf("got %v", err)
	}
	close(h.release)
	wg.Wait()
	if h.served.Load() != mostConnections {
		t.Errorf("%d requests arrived", h.served.Load())
	}
}

// TestOwnTransport: the bound is of the client's own connections. A transport
// from Config has its own.
func TestOwnTransport(t *testing.T) {
	t.Parallel()
	const calls = 2 * mostConnections
	h := newHeld(t, calls)
	cfg := h.config()
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	cfg.HTTPClient = &http.Client{Transport: transport}
	c := newALB(t, cfg)
	var wg sync.WaitGroup
	for range calls {
		wg.Go(func() {
			if err := addServers(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	<-h.full // all at the same time
	close(h.release)
	wg.Wait()
}
