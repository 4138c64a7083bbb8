package pool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/mempool"
	"github.com/cloudlb/cloudlb/slb"
)

// The code between the marks is quoted by docs/pools.md.

// doc: verbs

// grow adds two servers; one that is there already stays as it is.
func grow(ctx context.Context, p *pool.Pool) error {
	report, err := p.Add(ctx, pool.Server("i-7", 80), pool.Weighted("i-8", 80, 50))
	if err == nil && report.Unchanged() {
		fmt.Println("both were there")
	}
	for _, e := range report.Failed() {
		fmt.Println(e.Key, e.Outcome, e.Err, e.RequestID)
	}
	return err
}

// doc: reconcile

// reconcile makes a pool have the desired members, and no others of ours.
func reconcile(ctx context.Context, p *pool.Pool, desired []pool.Spec) error {
	plan, err := p.Plan(ctx, desired, pool.PlanOptions{
		Owner:        pool.OwnedBy("deploy"), // members with other labels stay
		MinInService: 2,
		MaxChange:    0.5,
	})
	if err != nil {
		return err // nothing was sent
	}
	fmt.Print(plan)
	report, err := p.Apply(ctx, plan)
	fmt.Print(report)
	return err
}

// doc: two processes

// propose stores a plan for somebody to look at.
func propose(ctx context.Context, p *pool.Pool, desired []pool.Spec, file string) error {
	plan, err := p.Plan(ctx, desired, pool.PlanOptions{MinInService: 2})
	if err != nil {
		return err
	}
	content, err := json.MarshalIndent(plan, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o600)
}

// approve carries out the plan of a file, in another process. After a crash it
// is called again, with the same file.
func approve(ctx context.Context, p *pool.Pool, file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	plan, err := pool.ReadPlan(content)
	if err != nil {
		return err
	}
	_, err = p.Apply(ctx, plan)
	return err
}

// doc: errors

// next says what to do about an error.
func next(err error) string {
	switch {
	case err == nil:
		return "nothing: it is done"
	case errors.Is(err, cloudlb.ErrInvalid):
		return "correct what the error names; nothing was sent"
	case errors.Is(err, pool.ErrDrift):
		return "find out who else changes the pool, then plan again"
	case errors.Is(err, pool.ErrMinInService), errors.Is(err, pool.ErrNotInService):
		return "look at the members' health, then do it again"
	case errors.Is(err, pool.ErrLockLost):
		return "see that the other process is done, then do it again"
	case errors.Is(err, cloudlb.ErrDenied), errors.Is(err, cloudlb.ErrUnauthenticated):
		return "correct the permissions, then do it again"
	default:
		return "do it again: what has happened is not repeated"
	}
}

// doc: drain

// maintain takes a server out of one pool, has work done, and brings it back.
func maintain(ctx context.Context, p *pool.Pool, server pool.Key, work func(context.Context) error) error {
	drained, err := p.Drain(ctx, pool.Drain{Members: []pool.Key{server}, For: time.Minute, MinInService: 1})
	if err != nil {
		return err // it is back, or the error says that it is not
	}
	workErr := work(ctx)
	_, err = p.Restore(context.WithoutCancel(ctx), drained) // with the weight that it had
	return errors.Join(workErr, err)
}

// doc: rollout

// roll deploys to all servers of a pool, and goes on where it was when it is
// called again.
func roll(ctx context.Context, p *pool.Pool, release string, deploy, probe func(context.Context, pool.Member) error) error {
	report, err := p.Rollout(ctx, pool.Rollout{
		Release:        release,
		MaxUnavailable: 2,
		MinInService:   3,
		Drain:          time.Minute,
		Deploy:         deploy,
		Probe:          probe,
		Deployed: func(ctx context.Context, m pool.Member) (bool, error) {
			return probe(ctx, m) == nil, nil // a killed process was at it: is it done?
		},
		Journal: pool.FileJournal("web.journal"),
	})
	fmt.Print(report)
	return err
}

// doc: canary

// canary adds a server without requests and gives it more and more of them.
func canary(ctx context.Context, p *pool.Pool, server pool.Key, errorRate func(context.Context) (float64, error)) error {
	if _, err := p.Add(ctx, pool.Spec{Key: server, Weight: new(0)}); err != nil {
		return err
	}
	report, err := p.Shift(ctx, pool.Shift{
		To:    []pool.Key{server},
		Steps: []float64{1, 10, 50, 100},
		Bake:  10 * time.Minute,
		Check: func(ctx context.Context, s pool.Share) error {
			rate, err := errorRate(ctx)
			if err == nil && rate > 0.01 {
				err = fmt.Errorf("at %.3g%% of the requests the error rate is %g", s.Real, rate)
			}
			return err // an error brings the old weights back
		},
	})
	if report.RestoreErr != nil {
		return fmt.Errorf("%w; the old weights are not back: %w", err, report.RestoreErr)
	}
	return err
}

// doc: blue-green

// replaceAll has new servers take over, and goes back if they are not good.
func replaceAll(ctx context.Context, p *pool.Pool, fresh []pool.Spec, good func(context.Context) error) error {
	sw, err := p.BlueGreen(ctx, pool.BlueGreen{New: fresh, MinInService: 2, Journal: pool.FileJournal("web.switch")})
	if err != nil {
		return err // the old servers serve, unless the error says that they do not
	}
	if err := good(ctx); err != nil {
		return errors.Join(err, p.Back(context.WithoutCancel(ctx), sw))
	}
	return p.Finish(ctx, sw) // removes the old servers
}

// doc: fleet

// update makes all pools of several accounts and regions as desired. What goes
// wrong in one keeps no other from being changed.
func update(ctx context.Context, pools []*pool.Pool, desired pool.Desired) error {
	fleet := &pool.Fleet{Pools: pools, StopAfter: 5}
	plan, err := fleet.Plan(ctx, desired)
	if err != nil {
		return err
	}
	fmt.Println(plan.Estimate()) // 1000 pools to change, 1000 calls, at least 11m0s: ...
	report, err := fleet.Apply(ctx, plan)
	fmt.Print(report)
	return err
}

// doc: locker

// leases is what etcd, Consul or a database has: of those who Acquire a key one
// goes on at a time. lost is closed when it loses the key before it releases it.
type leases interface {
	Acquire(ctx context.Context, key string) (lost <-chan struct{}, release func(), err error)
}

// leaseLocker is a pool.Locker of leases.
type leaseLocker struct {
	leases  leases
	account string // several accounts may share the leases
}

// Lock implements pool.Locker.
func (l leaseLocker) Lock(ctx context.Context, key string) (context.Context, func(), error) {
	lost, release, err := l.leases.Acquire(ctx, l.account+"/"+key)
	if err != nil {
		return nil, nil, err
	}
	held, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		select {
		case <-lost:
			cancel(pool.ErrLockLost)
		case <-done:
			cancel(nil)
		}
	}()
	return held, sync.OnceFunc(func() { close(done); release() }), nil
}

// doc: events

// logged is a pool that says what happens in a log.
func logged(lb *slb.Client, group string, log *slog.Logger) *pool.Pool {
	return pool.New(lb.Pool(group), pool.WithEvents(func(e pool.Event) {
		level := slog.LevelInfo
		if e.Kind == pool.Failed || e.Kind == pool.Noticed {
			level = slog.LevelWarn
		}
		log.LogAttrs(context.Background(), level, e.String(), slog.String("kind", string(e.Kind)), slog.Duration("left", e.Left))
	}))
}

// doc: mempool

func TestDocGrowWhenAReplyIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(mempool.WithServers("i-1:80"))
		mem.Inject(mempool.Fault{Op: mempool.Add, After: true}) // it is carried out, and its reply lost
		if err := grow(t.Context(), pool.New(mem)); err != nil {
			t.Error(err)
		}
		if mem.Count(mempool.Add) != 1 {
			t.Error("it was sent again")
		}
	})
}

// doc: traffic

func TestDocReplaceAllLosesNoRequest(t *testing.T) {
	t.Chdir(t.TempDir()) // for the journal
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New(fakecloud.WithJobDuration(30 * time.Second))
		group := cloud.AddServerGroup(fakecloud.ServerGroup{
			Servers: []fakecloud.BackendServer{{ID: "i-1", Port: 80}, {ID: "i-2", Port: 80}},
		})
		lb, err := alb.New(cloud.Config())
		if err != nil {
			t.Fatal(err)
		}
		users := cloud.Traffic(group, 100, fakecloud.WithRequestDuration(20*time.Second))
		err = replaceAll(t.Context(), pool.New(lb.Pool(group)),
			[]pool.Spec{pool.Server("i-3", 80), pool.Server("i-4", 80)},
			func(context.Context) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		users.Stopped("i-1")
		users.Stopped("i-2")
		<-time.After(time.Minute)
		if report := users.Report(); report.Lost() > 0 || report.Members["i-3:80"].Requests == 0 {
			t.Error(report)
		}
	})
}

// doc: end

// docALB is a pool of ALB servers i-1 to i-4, of weight 100, that are ours.
func docALB(t *testing.T) (*fakecloud.Cloud, *pool.Pool) {
	t.Helper()
	cloud := fakecloud.New()
	var servers []fakecloud.BackendServer
	for i := range 4 {
		servers = append(servers, fakecloud.BackendServer{ID: fmt.Sprintf("i-%d", i+1), Port: 80, Description: "deploy"})
	}
	group := cloud.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-web", Servers: servers})
	lb, err := alb.New(cloud.Config())
	if err != nil {
		t.Fatal(err)
	}
	return cloud, pool.New(lb.Pool(group))
}

// docServers are the servers of its first ALB group, with their weights.
func docServers(cloud *fakecloud.Cloud) string {
	var all []string
	for _, s := range cloud.State().ServerGroups[0].Servers {
		all = append(all, fmt.Sprintf("%s %d", s.ID, *s.Weight))
	}
	return strings.Join(all, ", ")
}

// The functions of the document do what it says. They are one test because the
// journals are in the working directory.
func TestDocFunctions(t *testing.T) {
	t.Chdir(t.TempDir())
	desired := []pool.Spec{pool.Weighted("i-1", 80, 50), pool.Server("i-2", 80), pool.Server("i-3", 80)}
	broken := errors.New("broken")
	for _, tt := range []struct {
		name string
		do   func(ctx context.Context, p *pool.Pool) error
		err  error
		want string
	}{
		{"reconcile", func(ctx context.Context, p *pool.Pool) error { return reconcile(ctx, p, desired) }, nil, "i-1 50, i-2 100, i-3 100"},
		{"reconcile too much", func(ctx context.Context, p *pool.Pool) error { return reconcile(ctx, p, desired[:1]) }, cloudlb.ErrInvalid, "i-1 100, i-2 100, i-3 100, i-4 100"},
		{"grow", grow, nil, "i-1 100, i-2 100, i-3 100, i-4 100, i-7 100, i-8 50"},
		{"two processes", func(ctx context.Context, p *pool.Pool) error {
			if err := propose(ctx, p, desired, "plan.json"); err != nil {
				return err
			}
			if err := approve(ctx, p, "plan.json"); err != nil {
				return err
			}
			return approve(ctx, p, "plan.json") // changes nothing
		}, nil, "i-1 50, i-2 100, i-3 100"},
		{"maintain", func(ctx context.Context, p *pool.Pool) error {
			return maintain(ctx, p, pool.Key{Server: "i-1", Port: 80}, func(context.Context) error { return broken })
		}, broken, "i-1 100, i-2 100, i-3 100, i-4 100"},
		{"canary", func(ctx context.Context, p *pool.Pool) error {
			return canary(ctx, p, pool.Key{Server: "i-9", Port: 80}, func(context.Context) (float64, error) { return 0, nil })
		}, nil, "i-1 0, i-2 0, i-3 0, i-4 0, i-9 100"},
		{"bad canary", func(ctx context.Context, p *pool.Pool) error {
			return canary(ctx, p, pool.Key{Server: "i-9", Port: 80}, func(context.Context) (float64, error) { return 0, broken })
		}, broken, "i-1 100, i-2 100, i-3 100, i-4 100, i-9 0"},
		{"roll", func(ctx context.Context, p *pool.Pool) error {
			return roll(ctx, p, "v2", func(context.Context, pool.Member) error { return nil }, func(context.Context, pool.Member) error { return nil })
		}, nil, "i-1 100, i-2 100, i-3 100, i-4 100"},
		{"bad replacement", func(ctx context.Context, p *pool.Pool) error {
			return replaceAll(ctx, p, []pool.Spec{pool.Server("i-5", 80), pool.Server("i-6", 80)}, func(context.Context) error { return broken })
		}, broken, "i-1 100, i-2 100, i-3 100, i-4 100"},
		{"update", func(ctx context.Context, p *pool.Pool) error {
			return update(ctx, []*pool.Pool{p}, func(context.Context, *pool.Pool, pool.Description) ([]pool.Spec, pool.PlanOptions, error) {
				return desired, pool.PlanOptions{}, nil
			})
		}, nil, "i-1 50, i-2 100, i-3 100"},
	} {
		synctest.Test(t, func(t *testing.T) {
			cloud, p := docALB(t)
			if err := tt.do(t.Context(), p); !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
				t.Errorf("%s: error %v, want %v", tt.name, err, tt.err)
			}
			if got := docServers(cloud); got != tt.want {
				t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
			}
		})
	}
}

// oneLease has one key for all, which revoke takes away.
type oneLease struct {
	revoke chan struct{}
	keys   []string
}

func (o *oneLease) Acquire(ctx context.Context, key string) (<-chan struct{}, func(), error) {
	o.keys = append(o.keys, key)
	return o.revoke, func() {}, ctx.Err()
}

func TestDocLocker(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New(fakecloud.WithConfiguringWindow(0))
		group := cloud.AddVServerGroup(fakecloud.VServerGroup{ID: "rsp-1", LoadBalancerID: "lb-1", Servers: []fakecloud.BackendServer{{ID: "i-1", Port: 80}}})
		lb, err := slb.New(cloud.Config())
		if err != nil {
			t.Fatal(err)
		}
		o := &oneLease{revoke: make(chan struct{})}
		p := pool.New(lb.Pool(group), pool.WithLocker(leaseLocker{o, "shop"}))
		if _, err := p.SetWeight(t.Context(), pool.Weighted("i-1", 80, 5)); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(o.keys, ", "); got != "shop/pool slb/cn-hangzhou/rsp-1, shop/write slb/cn-hangzhou/lb-1" {
			t.Error(got)
		}
		time.AfterFunc(time.Second, func() { close(o.revoke) }) // while SLB settles
		_, err = p.SetWeight(t.Context(), pool.Weighted("i-1", 80, 6))
		if !errors.Is(err, pool.ErrLockLost) || next(err) == next(nil) {
			t.Errorf("error %v", err)
		}

		var log strings.Builder
		quiet := logged(lb, group, slog.New(slog.NewTextHandler(io.MultiWriter(&log), nil)))
		if _, err := quiet.SetWeight(t.Context(), pool.Weighted("i-1", 80, 7)); err != nil || !strings.Contains(log.String(), "kind=changed") {
			t.Errorf("%v: %s", err, log.String())
		}
	})
}

// TestDocument checks that the document's Go code is what runs here, and that
// everything marked is quoted.
func TestDocument(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(filepath.Join("..", "docs", "pools.md"))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_docs_test.go")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(source), "\n// doc: ")
	marked, _, _ := strings.Cut(rest, "\n// doc: end\n")
	sections := strings.Split(marked, "\n// doc: ")
	blocks := strings.Split(string(doc), "```go\n")[1:]
	if len(blocks) != len(sections) {
		t.Errorf("%d blocks of Go code in the document, %d sections here", len(blocks), len(sections))
	}
	for i, s := range sections {
		name, code, _ := strings.Cut(s, "\n")
		if i < len(blocks) {
			if block, _, _ := strings.Cut(blocks[i], "```"); strings.TrimSpace(block) != strings.TrimSpace(code) {
				t.Errorf("block %d of the document is not the section %q", i+1, name)
			}
		}
	}
}
