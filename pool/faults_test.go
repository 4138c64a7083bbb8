package pool_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

func key(server string) pool.Key { return pool.Key{Server: server, Port: 80} }

// TestApplyWhenCallsFail exchanges i-1, i-2 for i-3, i-4 with one fault each.
func TestApplyWhenCallsFail(t *testing.T) {
	t.Parallel()
	rejected := &cloudlb.Error{Service: "mem", Operation: "Add", Class: cloudlb.ClassInvalid, Outcome: cloudlb.OutcomeRejected, Code: "Bad", RequestID: "r-1"}
	jobFailed := &cloudlb.Error{Service: "mem", Operation: "WaitForJob", Outcome: cloudlb.OutcomeUnknown, Err: cloudlb.ErrJobFailed}
	unfinished := &cloudlb.WaitError{Service: "mem", Operation: "WaitForJob", Err: cloudlb.ErrUnfinished}
	all := []string{"add 2", "set-weight 2", "remove 2"}
	tests := []struct {
		name    string
		faults  []mempool.Fault
		calls   []string
		wantErr error
		entries map[string]pool.Outcome // nil: all done
	}{
		{name: "none", calls: all},
		{name: "lost reply of add", faults: []mempool.Fault{{Op: mempool.Add, After: true}}, calls: all},
		{name: "lost reply of set-weight", faults: []mempool.Fault{{Op: mempool.SetWeight, After: true}}, calls: all},
		{name: "lost reply of remove", faults: []mempool.Fault{{Op: mempool.Remove, After: true}}, calls: all},
		{
			name: "lost request", faults: []mempool.Fault{{Op: mempool.Add, Err: &cloudlb.Error{Class: cloudlb.ClassUnavailable, Outcome: cloudlb.OutcomeUnknown}}},
			calls: []string{"add 2", "add 2", "set-weight 2", "remove 2"},
		},
		{
			name: "lost again and again", faults: []mempool.Fault{{Op: mempool.Add, Times: -1, Err: &cloudlb.Error{Class: cloudlb.ClassUnavailable, Outcome: cloudlb.OutcomeUnknown}}},
			calls: []string{"add 2", "add 2", "add 2", "add 2"}, wantErr: cloudlb.ErrUnavailable,
			entries: map[string]pool.Outcome{"i-1:80": pool.NotAttempted, "i-2:80": pool.NotAttempted, "i-3:80": pool.Incomplete, "i-4:80": pool.Incomplete},
		},
		{
			name: "rejected", faults: []mempool.Fault{{Op: mempool.Add, Err: rejected}}, calls: []string{"add 2"}, wantErr: cloudlb.ErrInvalid,
			entries: map[string]pool.Outcome{"i-1:80": pool.NotAttempted, "i-2:80": pool.NotAttempted, "i-3:80": pool.Incomplete, "i-4:80": pool.Incomplete},
		},
		{
			name: "one member refused", faults: []mempool.Fault{{Op: mempool.Add, Only: []driver.Key{key("i-4")}, Err: rejected}}, calls: []string{"add 2"}, wantErr: cloudlb.ErrInvalid,
			entries: map[string]pool.Outcome{"i-1:80": pool.NotAttempted, "i-2:80": pool.NotAttempted, "i-3:80": pool.Done, "i-4:80": pool.Incomplete},
		},
		{
			name: "one member not done, once", faults: []mempool.Fault{{Op: mempool.Add, Only: []driver.Key{key("i-4")}, Err: &cloudlb.Error{Class: cloudlb.ClassUnavailable}}},
			calls: []string{"add 2", "add 1", "set-weight 2", "remove 2"},
		},
		{name: "job failed after it had its effect", faults: []mempool.Fault{{Op: mempool.Wait, Err: jobFailed, After: true}}, calls: all},
		{name: "waiting was given up", faults: []mempool.Fault{{Op: mempool.Wait, Err: unfinished}}, calls: all},
		{name: "pool cannot be read before", faults: []mempool.Fault{{Op: mempool.Health}}, wantErr: cloudlb.ErrUnavailable},
		{
			name: "pool cannot be read after", faults: []mempool.Fault{{Op: mempool.Health, Skip: 1, Times: -1}, {Op: mempool.Members, Times: -1}}, calls: []string{"add 2"}, wantErr: cloudlb.ErrUnavailable,
			entries: map[string]pool.Outcome{"i-1:80": pool.NotAttempted, "i-2:80": pool.NotAttempted, "i-3:80": pool.Unclear, "i-4:80": pool.Unclear},
		},
		{
			name: "drained and not removed", faults: []mempool.Fault{{Op: mempool.Remove, Err: rejected}}, calls: all, wantErr: cloudlb.ErrInvalid,
			entries: map[string]pool.Outcome{"i-1:80": pool.Incomplete, "i-2:80": pool.Incomplete, "i-3:80": pool.Done, "i-4:80": pool.Done},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := mempool.New(mempool.WithServers("i-1:80", "i-2:80"), mempool.WithDurations(2*time.Second, time.Second, time.Second))
				p := pool.New(mem)
				plan, err := p.Plan(t.Context(), servers(3, 4), pool.PlanOptions{MinInService: 2})
				if err != nil {
					t.Fatal(err)
				}
				for _, f := range tt.faults {
					mem.Inject(f)
				}
				r, err := p.Apply(t.Context(), plan)
				if !errors.Is(err, tt.wantErr) || (err == nil) != (tt.wantErr == nil) {
					t.Errorf("error %v, want %v", err, tt.wantErr)
				}
				if d := cmp.Diff(tt.calls, kinds(mem)); d != "" {
					t.Errorf("calls: %s", d)
				}
				for _, e := range r.Entries {
					want := pool.Done
					if tt.entries != nil {
						want = tt.entries[e.Key.String()]
					} else if tt.wantErr != nil {
						want = pool.NotAttempted
					}
					if e.Outcome != want {
						t.Errorf("%s: %s, want %s", e.Key, e.Outcome, want)
					}
					if (e.Err == nil) != (e.Outcome == pool.Done || e.Outcome == pool.NotAttempted) {
						t.Errorf("%s: %s with error %v", e.Key, e.Outcome, e.Err)
					}
				}
				if err == nil {
					return
				}
				// Whatever it was, doing it again ends it.
				for _, f := range tt.faults {
					if f.Times < 0 {
						mem.Inject(f)
						return
					}
				}
				if r, err := p.Apply(t.Context(), plan); err != nil {
					t.Errorf("second Apply: %v\n%s", err, r)
				}
				if d := cmp.Diff(map[string]int{"i-3:80": 100, "i-4:80": 100}, weights(t, p)); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

// TestApplyIsSafe applies random changes to random pools with random faults, a
// restart at a random moment, and somebody else who changes the pool meanwhile.
// However it goes: enough members are in service at every moment, nothing is
// added twice, and applying again ends at what was planned.
func TestApplyIsSafe(t *testing.T) {
	t.Parallel()
	for seed := range uint64(400) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			there, desired := randomSpecs(r), randomSpecs(r)
			var members []driver.Member
			for _, s := range there {
				members = append(members, driver.Member{Key: s.Key, Weight: *s.Weight, Phase: driver.Ready})
			}
			least := 0
			watch := func(members []driver.Member) {
				n := 0
				for _, m := range members {
					if m.Weight > 0 && m.Phase != driver.Joining && m.Phase != driver.Leaving {
						n++
					}
				}
				if n < least {
					t.Errorf("seed %d: %d in service, want %d", seed, n, least)
				}
			}
			var mem *mempool.Pool
			ctx, restart := context.WithCancel(t.Context())
			defer restart()
			restartAt := r.IntN(12)
			calls, watching := 0, false
			mem = mempool.New(mempool.WithMembers(members...), mempool.WithDurations(time.Second, time.Second, time.Second), mempool.WithChecking(time.Duration(r.IntN(20))*time.Second),
				mempool.WithDescription(func(d *driver.Description) {
					d.Add.Most, d.SetWeight.Most, d.Remove.Most = 1+r.IntN(4), 1+r.IntN(4), 1+r.IntN(4)
				}),
				mempool.WithHook(func(c mempool.Call) {
					if watching {
						return
					}
					if calls++; calls == restartAt {
						restart()
					}
					watching = true
					members, err := mem.Members(context.Background(), false)
					watching = false
					if err != nil {
						t.Error(err)
					}
					watch(members)
				}))
			p := pool.New(mem)
			inService := 0
			for _, m := range members {
				if m.Weight > 0 {
					inService++
				}
			}
			opts := pool.PlanOptions{MinInService: r.IntN(inService + 1), Drain: time.Duration(1+r.IntN(10)) * time.Second}
			plan, err := p.Plan(t.Context(), desired, opts)
			if err != nil {
				return // too few in service at the end
			}
			least = opts.MinInService
			for range r.IntN(4) {
				mem.Inject(mempool.Fault{Skip: r.IntN(4), After: r.IntN(2) == 0, Times: 1 + r.IntN(2), Err: []error{
					nil,
					&cloudlb.Error{Class: cloudlb.ClassUnavailable, Outcome: cloudlb.OutcomeUnknown},
					&cloudlb.Error{Class: cloudlb.ClassThrottled, Outcome: cloudlb.OutcomeRejected},
				}[r.IntN(3)]})
			}
			var last error
			for range 20 {
				if _, last = p.Apply(ctx, plan); last == nil {
					break
				}
				ctx = t.Context()
				<-time.After(2 * time.Second) // the services' clients wait for a busy pool, mempool's do not
			}
			if last != nil {
				t.Fatalf("seed %d: %v\n%s", seed, last, plan)
			}
			want := make(map[string]int)
			old := make(map[pool.Key]int)
			for _, m := range members {
				old[m.Key] = m.Weight
			}
			for _, s := range desired {
				want[s.Key.String()] = 100
				if w, ok := old[s.Key]; ok {
					want[s.Key.String()] = w
				}
				if s.Weight != nil {
					want[s.Key.String()] = *s.Weight
				}
			}
			if d := cmp.Diff(want, weights(t, p)); d != "" {
				t.Errorf("seed %d: %s", seed, d)
			}
			for _, c := range mem.Calls() {
				if c.Op == mempool.Add && errors.Is(c.Err, cloudlb.ErrAlreadyExists) {
					t.Errorf("seed %d: added twice", seed)
				}
			}
		})
	}
}

func randomSpecs(r *rand.Rand) []pool.Spec {
	var specs []pool.Spec
	for _, i := range r.Perm(12)[:1+r.IntN(8)] {
		specs = append(specs, pool.Weighted(fmt.Sprintf("i-%d", i), 80, 10*r.IntN(6)))
	}
	return specs
}

// TestApplyAmongOthers: somebody else changes the pool in the middle.
func TestApplyAmongOthers(t *testing.T) {
	t.Parallel()
	edit := func(f func([]driver.Member) []driver.Member) func(*mempool.Pool) {
		return func(m *mempool.Pool) { m.Edit(f) }
	}
	gone := func(server string) func(*mempool.Pool) {
		return edit(func(ms []driver.Member) []driver.Member {
			return slices.DeleteFunc(ms, func(m driver.Member) bool { return m.Server == server })
		})
	}
	set := func(server string, w int) func(*mempool.Pool) {
		return edit(func(ms []driver.Member) []driver.Member {
			for i := range ms {
				if ms[i].Server == server {
					ms[i].Weight = w
				}
			}
			return ms
		})
	}
	tests := []struct {
		name   string
		at     mempool.Op // what they do comes right before this call
		they   func(*mempool.Pool)
		err    error
		drift  string
		want   map[string]int
		opts   pool.PlanOptions
		second error // of applying again
	}{
		{name: "the member to remove is gone", at: mempool.Remove, they: gone("i-1"), want: map[string]int{"i-2:80": 50, "i-3:80": 100}},
		{
			name: "the member to add is there", at: mempool.Add, they: edit(func(ms []driver.Member) []driver.Member { return append(ms, member("i-3", 100, "")) }),
			want: map[string]int{"i-2:80": 50, "i-3:80": 100},
		},
		{name: "the member to reweight is gone", at: mempool.SetWeight, they: gone("i-2"), err: pool.ErrDrift, drift: "", want: map[string]int{"i-3:80": 100}, second: pool.ErrDrift},
		{name: "a weight is changed after us", at: mempool.Remove, they: set("i-2", 7), err: pool.ErrDrift, drift: "i-2:80 at weight 7, not 50", want: map[string]int{"i-2:80": 7, "i-3:80": 100}},
		{
			name: "somebody appears", at: mempool.Remove, they: edit(func(ms []driver.Member) []driver.Member { return append(ms, member("i-9", 1, "")) }),
			drift: "i-9:80 appeared", want: map[string]int{"i-2:80": 50, "i-3:80": 100, "i-9:80": 1},
		},
		{
			name: "others go down", at: mempool.SetWeight, they: set("i-3", 0), opts: pool.PlanOptions{MinInService: 2}, err: pool.ErrMinInService,
			want: map[string]int{"i-1:80": 100, "i-2:80": 100, "i-3:80": 0}, second: pool.ErrMinInService,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var once sync.Once
				var mem *mempool.Pool
				mem = mempool.New(mempool.WithServers("i-1:80", "i-2:80"), mempool.WithHook(func(c mempool.Call) {
					if tt.name == "others go down" && c.Op == mempool.Health && mem.Count(mempool.Add) == 1 && mem.Count(mempool.Health) > 2 || c.Op == tt.at && tt.name != "others go down" {
						once.Do(func() { tt.they(mem) })
					}
				}))
				p := pool.New(mem)
				plan, err := p.Plan(t.Context(), []pool.Spec{pool.Weighted("i-2", 80, 50), pool.Server("i-3", 80)}, tt.opts)
				if err != nil {
					t.Fatal(err)
				}
				r, err := p.Apply(t.Context(), plan)
				if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
					t.Errorf("error %v, want %v\n%s", err, tt.err, r)
				}
				if tt.drift != "" && (len(r.Drift) != 1 || r.Drift[0].String() != tt.drift) {
					t.Errorf("drift %v, want %s", r.Drift, tt.drift)
				}
				if d := cmp.Diff(tt.want, weights(t, p)); d != "" {
					t.Error(d)
				}
				if r, err := p.Apply(t.Context(), plan); !errors.Is(err, tt.second) || (err == nil) != (tt.second == nil) {
					t.Errorf("second Apply: error %v, want %v\n%s", err, tt.second, r)
				}
			})
		})
	}
}

// TestStaleReads: lists show the pool as it was a while ago.
func TestStaleReads(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(mempool.WithServers("i-1:80", "i-2:80"))
		mem.SetLag(8 * time.Second)
		<-time.After(10 * time.Second)
		p := pool.New(mem)
		r, err := p.Replace(t.Context(), []pool.Key{key("i-1")}, servers(3, 3), pool.PlanOptions{MinInService: 2})
		if err != nil {
			t.Fatal(err, r)
		}
		if d := cmp.Diff([]string{"add 1", "set-weight 1", "remove 1"}, kinds(mem)); d != "" {
			t.Error(d)
		}
		mem.SetLag(10 * time.Minute)
		if r, err = p.Add(t.Context(), servers(4, 4)...); !errors.Is(err, pool.ErrNotVisible) || r.Count(pool.Unclear) != 1 {
			t.Error(err, r)
		}
	})
}

// TestInService: what is added and does not come into service keeps the rest
// from happening.
func TestInService(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		opts  pool.PlanOptions
		like  func(*driver.Description)
		probe func(context.Context, pool.Member) error
		bad   bool
		took  time.Duration // at least
		err   error
	}{
		{name: "unhealthy", bad: true, err: pool.ErrNotInService, took: pool.DefaultInService},
		{name: "unhealthy, and less patience", bad: true, opts: pool.PlanOptions{InService: time.Minute}, err: pool.ErrNotInService, took: time.Minute},
		{name: "unhealthy, and nobody cares", bad: true, opts: pool.PlanOptions{IgnoreHealth: true}},
		{name: "health cannot be read", bad: true, like: func(d *driver.Description) { d.NoHealth = "no listener" }},
		{name: "the probe says no", probe: func(context.Context, pool.Member) error { return errors.New("503") }, err: pool.ErrNotInService, took: pool.DefaultInService},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				opts := []mempool.Option{mempool.WithServers("i-1:80")}
				if tt.like != nil {
					opts = append(opts, mempool.WithDescription(tt.like))
				}
				mem := mempool.New(opts...)
				if tt.bad {
					mem.SetHealth(key("i-2"), driver.Unhealthy)
				}
				p := pool.New(mem, pool.WithProbe(tt.probe))
				start := time.Now()
				r, err := p.Replace(t.Context(), []pool.Key{key("i-1")}, servers(2, 2), tt.opts)
				if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
					t.Fatalf("error %v, want %v\n%s", err, tt.err, r)
				}
				if d := time.Since(start); d < tt.took {
					t.Errorf("it took %s, want %s", d, tt.took)
				}
				if _, there := weights(t, p)["i-1:80"]; there != (tt.err != nil) {
					t.Errorf("i-1 is there: %v", there)
				}
			})
		})
	}
}

// TestTurns: changes of one pool wait for each other, calls of one lock key too.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		locks := new(driver.Locks)
		build := func(id, lock string) *mempool.Pool {
			return mempool.New(mempool.WithLocks(locks), mempool.WithDurations(10*time.Second, 0, 0),
				mempool.WithDescription(func(d *driver.Description) { d.ID, d.LockKey = id, lock }))
		}
		start := time.Now()
		var wg sync.WaitGroup
		took := make([]time.Duration, 4)
		for i, mem := range []*mempool.Pool{build("a", "lb-1"), build("b", "lb-1"), build("c", "c")} {
			wg.Go(func() {
				if r, err := pool.New(mem).Add(t.Context(), servers(1, 3)...); err != nil {
					t.Error(err, r)
				}
				took[i] = time.Since(start)
			})
		}
		wg.Wait()
		if took[2] > 11*time.Second || max(took[0], took[1]) < 20*time.Second || min(took[0], took[1]) > 11*time.Second {
			t.Errorf("took %v: two of one load balancer wait for each other, the third does not", took)
		}
	})
}

// lease is a Locker whose turn is lost after a while.
type lease struct{ after time.Duration }

func (l lease) Lock(ctx context.Context, key string) (context.Context, func(), error) {
	held, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(l.after, func() { cancel(pool.ErrLockLost) })
	return held, func() { timer.Stop(); cancel(nil) }, nil
}

func TestLockLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(mempool.WithServers("i-1:80", "i-2:80"))
		p := pool.New(mem, pool.WithLocker(lease{after: 10 * time.Second}))
		r, err := p.Replace(t.Context(), []pool.Key{key("i-1")}, nil, pool.PlanOptions{Drain: time.Minute})
		if !errors.Is(err, pool.ErrLockLost) || r.Count(pool.Incomplete) != 1 {
			t.Errorf("%v\n%s", err, r)
		}
		if d := cmp.Diff([]string{"set-weight 1"}, kinds(mem)); d != "" {
			t.Error(d)
		}
	})
}

// TestCancelledWhileWaiting: the context ends between a call and its effect. The
// member is not said to be untouched.
func TestCancelledWhileWaiting(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		mem := mempool.New(mempool.WithServers("i-1:80"), mempool.WithDurations(0, 3*time.Second, 0), mempool.WithHook(func(c mempool.Call) {
			if c.Op == mempool.SetWeight {
				cancel()
			}
		}))
		r, err := pool.New(mem).SetWeight(ctx, pool.Weighted("i-1", 80, 7))
		if !errors.Is(err, context.Canceled) || r.Count(pool.Unclear) != 1 {
			t.Errorf("%v\n%s", err, r)
		}
	})
}

// TestGoneWhileAwaited: somebody removes what was added before it is in service.
func TestGoneWhileAwaited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(mempool.WithServers("i-1:80"), mempool.WithChecking(time.Minute))
		p := pool.New(mem)
		time.AfterFunc(10*time.Second, func() {
			mem.Edit(func(ms []driver.Member) []driver.Member {
				return slices.DeleteFunc(ms, func(m driver.Member) bool { return m.Server == "i-2" })
			})
		})
		start := time.Now()
		r, err := p.Replace(t.Context(), []pool.Key{key("i-1")}, servers(2, 2), pool.PlanOptions{})
		if !errors.Is(err, pool.ErrDrift) || time.Since(start) > 2*time.Minute {
			t.Errorf("after %s: %v\n%s", time.Since(start), err, r)
		}
		if d := cmp.Diff(map[string]int{"i-1:80": 100}, weights(t, p)); d != "" {
			t.Error(d)
		}
	})
}

// TestReadsFailForAWhile: the pool cannot be read right after a call.
func TestReadsFailForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(mempool.WithServers("i-1:80"))
		mem.Inject(mempool.Fault{Op: mempool.Members, Skip: 1, Times: 3})
		mem.Inject(mempool.Fault{Op: mempool.Health, Skip: 0, Times: 3})
		p := pool.New(mem)
		r, err := p.Replace(t.Context(), []pool.Key{key("i-1")}, servers(2, 2), pool.PlanOptions{})
		if err != nil || r.Count(pool.Done) != 2 {
			t.Errorf("%v\n%s", err, r)
		}
	})
}
