package transport_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
)

// pipes is a listener whose connections are in memory, so that time stands
// still while bytes travel. open counts the clients' ends.
type pipes struct {
	accept chan net.Conn
	closed chan struct{}
	once   sync.Once
	open   atomic.Int64
}

func newPipes() *pipes { return &pipes{accept: make(chan net.Conn), closed: make(chan struct{})} }

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.accept:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error { p.once.Do(func() { close(p.closed) }); return nil }

func (*pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)} }

func (p *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.accept <- theirs:
		p.open.Add(1)
		return &pipe{Conn: ours, owner: p}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type pipe struct {
	net.Conn
	owner *pipes
	once  sync.Once
}

func (p *pipe) Close() error {
	p.once.Do(func() { p.owner.open.Add(-1) })
	return p.Conn.Close()
}

// watched counts what attempts hold: contexts with their timers, and bodies of
// answers.
type watched struct {
	base             http.RoundTripper
	requests         atomic.Int64
	contexts, bodies atomic.Int64
}

func (w *watched) RoundTrip(r *http.Request) (*http.Response, error) {
	w.requests.Add(1)
	w.contexts.Add(1)
	context.AfterFunc(r.Context(), func() { w.contexts.Add(-1) })
	resp, err := w.base.RoundTrip(r)
	if err == nil {
		w.bodies.Add(1)
		resp.Body = &watchedBody{ReadCloser: resp.Body, owner: w}
	}
	return resp, err
}

type watchedBody struct {
	io.ReadCloser
	owner *watched
	once  sync.Once
}

func (b *watchedBody) Close() error {
	b.once.Do(func() { b.owner.bodies.Add(-1) })
	return b.ReadCloser.Close()
}

// TestSoak: ten minutes of calls on one client for each service, while the
// service throttles, fails, hangs, resets connections, is busy and cuts answers
// short. Every call ends with a reply or an error that says what happened, and
// in the end nothing is left: no goroutine, timer, body or connection.
func TestSoak(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New(fakecloud.WithRequestLog(1), fakecloud.WithJobDuration(time.Second))
		for _, effect := range []fakecloud.Effect{
			fakecloud.Throttle(2 * time.Second), fakecloud.Busy(), fakecloud.Unavailable(500), fakecloud.Unavailable(503),
			fakecloud.Hang(), fakecloud.Slow(time.Second), fakecloud.ResetBefore(), fakecloud.ResetAfter(),
			fakecloud.Truncate(), fakecloud.EmptyAnswer(), fakecloud.ContentType("text/html"),
		} {
			cloud.Inject(fakecloud.Fault{Effect: effect, Probability: 0.03})
		}
		listener := newPipes()
		server := &http.Server{Handler: cloud, ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)}
		go func() { _ = server.Serve(listener) }()
		base := &http.Transport{DialContext: listener.dial, MaxIdleConnsPerHost: mostConnections}
		w := &watched{base: base}
		cfg := cloud.Config()
		cfg.Endpoint, cfg.AllowHTTP, cfg.HTTPClient = "http://fakecloud.invalid", true, &http.Client{Transport: w}
		cfg.Retry.AttemptTimeout, cfg.Retry.BusyTimeout = 5*time.Second, 20*time.Second

		good, bad := soak(t, cloud, cfg)
		if good == 0 || bad == 0 || w.requests.Load() <= good+bad {
			t.Errorf("%d calls succeeded, %d failed, with %d requests", good, bad, w.requests.Load())
		}
		t.Logf("%d calls succeeded, %d failed, with %d requests", good, bad, w.requests.Load())
		synctest.Wait()
		if n := w.bodies.Load(); n != 0 {
			t.Errorf("%d bodies are open", n)
		}
		if n := w.contexts.Load(); n != 0 {
			t.Errorf("%d attempts still have their timer", n)
		}
		if n := listener.open.Load(); n > mostConnections {
			t.Errorf("%d connections are open", n)
		}
		base.CloseIdleConnections()
		synctest.Wait()
		if n := listener.open.Load(); n != 0 {
			t.Errorf("%d connections do not close", n)
		}
		_ = server.Close()
		// synctest fails the test if a goroutine does not end.
	})
}

// soak makes calls from several goroutines and counts how they end.
func soak(t *testing.T, cloud *fakecloud.Cloud, cfg cloudlb.Config) (good, bad int64) {
	t.Helper()
	lb := newALB(t, cfg)
	e, err := elb.New(cfg, elb.WithProjectID(cloud.ProjectID()))
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context() // which does not end with the soak, so that it ends nothing
	end := time.Now().Add(10 * time.Minute)
	var succeeded, failed atomic.Int64
	var wg sync.WaitGroup
	often := func(call func(i int) error) {
		wg.Go(func() {
			pace := time.NewTicker(500 * time.Millisecond)
			defer pace.Stop()
			for i := 0; time.Now().Before(end); i++ {
				<-pace.C
				switch err := call(i); {
				case err == nil:
					succeeded.Add(1)
				case sane(err):
					failed.Add(1)
				default:
					t.Error(err)
				}
			}
		})
	}
	for range 3 {
		group := cloud.AddServerGroup(fakecloud.ServerGroup{Servers: []fakecloud.BackendServer{{ID: "i-1", Port: 80}}})
		often(func(i int) error {
			_, err := lb.UpdateServerGroupServersAttribute(ctx, alb.UpdateServerGroupServersAttributeRequest{
				ServerGroupID: group,
				Servers:       []alb.UpdatedServer{{ServerID: "i-1", ServerType: alb.ServerTypeEcs, Port: 80, Weight: new(i % 100)}},
			})
			return err
		})
		often(func(int) error {
			_, err := lb.ListServerGroupServers(ctx, alb.ListServerGroupServersRequest{ServerGroupID: group})
			return err
		})
		pool := cloud.AddPool(fakecloud.Pool{Members: []fakecloud.PoolMember{{ID: group + "-m", Address: "192.0.2.1", Port: 80}}})
		often(func(i int) error {
			_, err := e.UpdateMember(ctx, elb.UpdateMemberRequest{PoolID: pool, MemberID: group + "-m", Member: elb.MemberUpdate{Weight: new(i % 100)}})
			return err
		})
	}
	wg.Wait()
	return succeeded.Load(), failed.Load()
}

// sane reports an error that the injected faults explain.
func sane(err error) bool {
	e, ok := errors.AsType[*cloudlb.Error](err)
	if !ok || e.Operation == "" {
		return false
	}
	return errors.Is(err, cloudlb.ErrThrottled) || errors.Is(err, cloudlb.ErrBusy) || errors.Is(err, cloudlb.ErrUnavailable) ||
		e.StatusCode == http.StatusBadRequest && e.Code == "" // a refusal that was cut short
}
