package pool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
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

// fleetOf is a pool of members i-1 to i-n, with the weights 10, 20, ..., of which
// the last is 0.
func fleetOf(n int, opts ...mempool.Option) *mempool.Pool {
	var members []driver.Member
	for i := range n {
		w := 10 * (i + 1)
		if i == n-1 {
			w = 0
		}
		members = append(members, driver.Member{Key: key(fmt.Sprintf("i-%d", i+1)), Weight: w, Phase: driver.Ready})
	}
	return mempool.New(append([]mempool.Option{mempool.WithMembers(members...)}, opts...)...)
}

func fleetWeights(n int) map[string]int {
	want := make(map[string]int, n)
	for i := range n {
		want[fmt.Sprintf("i-%d:80", i+1)] = 10 * (i + 1)
	}
	want[fmt.Sprintf("i-%d:80", n)] = 0
	return want
}

// deploys notes what was deployed. It fails the test if a member that is deployed
// to gets requests.
type deploys struct {
	t     *testing.T
	p     driver.Pool
	takes time.Duration
	fail  func(server string, undo bool) error

	mu     sync.Mutex
	done   []string
	undone []string
	busy   int
	most   int
}

func (d *deploys) run(ctx context.Context, m pool.Member, undo bool) error {
	members, err := d.p.Members(context.WithoutCancel(ctx), false)
	if err != nil {
		d.t.Error(err)
	}
	for _, now := range members {
		if now.Key == m.Key && now.Weight > 0 && now.Phase != driver.Disabled {
			d.t.Errorf("%s gets requests while it is deployed to", m.Key)
		}
	}
	d.mu.Lock()
	d.busy++
	d.most = max(d.most, d.busy)
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		d.busy--
		d.mu.Unlock()
	}()
	select {
	case <-time.After(d.takes):
	case <-ctx.Done():
		return ctx.Err()
	}
	if d.fail != nil {
		if err := d.fail(m.Server, undo); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if undo {
		d.undone = append(d.undone, m.Server)
	} else {
		d.done = append(d.done, m.Server)
	}
	return nil
}

func (d *deploys) deploy(ctx context.Context, m pool.Member) error { return d.run(ctx, m, false) }
func (d *deploys) undo(ctx context.Context, m pool.Member) error   { return d.run(ctx, m, true) }

func (d *deploys) deployed(_ context.Context, m pool.Member) (bool, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Contains(d.done, m.Server) && !slices.Contains(d.undone, m.Server), nil
}

func stagesOf(r *pool.RolloutReport) map[string]string {
	out := make(map[string]string)
	for _, m := range r.Members {
		out[m.Key.Server] = string(m.Stage)
		if m.Out {
			out[m.Key.Server] += " out"
		}
	}
	return out
}

// TestRollout deploys to all members: how many calls, how many at a time, and
// the old weights afterwards.
func TestRollout(t *testing.T) {
	t.Parallel()
	disable := mempool.WithDescription(func(d *driver.Description) {
		d.Disable = driver.Verb{Operation: "Disable", Most: 3}
		d.Enable = driver.Verb{Operation: "Enable", Most: 3}
	})
	tests := []struct {
		name    string
		o       pool.Rollout
		like    mempool.Option
		calls   int
		batches int
		most    int // at a time
	}{
		{name: "one by one", calls: 2 * 6, batches: 7, most: 1},
		{name: "three at a time", o: pool.Rollout{MaxUnavailable: 3}, calls: 2 * 2, batches: 3, most: 3},
		{name: "all that MinInService allows", o: pool.Rollout{MaxUnavailable: 7, MinInService: 2}, calls: 2 * 2, batches: 2, most: 5},
		{name: "all at once", o: pool.Rollout{MaxUnavailable: 100}, calls: 2, batches: 1, most: 7},
		{name: "some", o: pool.Rollout{MaxUnavailable: 2, Members: []pool.Key{key("i-6"), key("i-7"), key("i-2")}}, calls: 4, batches: 2, most: 2},
		{name: "by disabling", o: pool.Rollout{MaxUnavailable: 4}, like: disable, calls: 2*2 + 2*1, batches: 2, most: 4},
		{
			name: "health cannot be read", o: pool.Rollout{MaxUnavailable: 4, MinInService: 1}, calls: 4, batches: 2, most: 4,
			like: mempool.WithDescription(func(d *driver.Description) { d.NoHealth = "no listener" }),
		},
		{
			name: "health at zero", o: pool.Rollout{MaxUnavailable: 4, MinInService: 1}, calls: 4, batches: 2, most: 4,
			like: mempool.WithDescription(func(d *driver.Description) { d.HealthAtZero = true }),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := fleetOf(7, tt.like, mempool.WithDurations(0, 5*time.Second, 0))
				mem.SetHealth(key("i-7"), driver.Unhealthy) // nobody waits for one of weight 0
				d := &deploys{t: t, p: mem, takes: time.Minute}
				o := tt.o
				probes := 0
				var mu sync.Mutex
				o.Deploy = d.deploy
				o.Probe = func(context.Context, pool.Member) error {
					mu.Lock()
					defer mu.Unlock()
					if probes++; probes%2 == 1 {
						return errors.New("not yet")
					}
					return nil
				}
				o.Journal = pool.MemoryJournal()
				before, err := pool.New(mem).Describe(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				p := pool.New(mem)
				r, err := p.Rollout(t.Context(), o)
				if err != nil {
					t.Fatal(err, r)
				}
				want := 7
				if o.Members != nil {
					want = len(o.Members)
				}
				if r.Count(pool.RolloutDone) != want || len(d.done) != want || r.Batches != tt.batches || r.Calls != tt.calls || d.most != tt.most {
					t.Errorf("%d deployed, %d batches, %d calls, %d at a time, want %d, %d, %d, %d\n%s", len(d.done), r.Batches, r.Calls, d.most, want, tt.batches, tt.calls, tt.most, r)
				}
				if diff := cmp.Diff(fleetWeights(7), weights(t, p)); diff != "" {
					t.Error(diff)
				}
				for m, err := range p.Members(t.Context()) {
					if err != nil || m.Phase != driver.Ready {
						t.Error(m, err)
					}
				}
				if len(r.Drift) > 0 || r.Pool != "mem/local/"+before.ID {
					t.Error(r)
				}
				// The journal is finished: the next one begins anew.
				if r, err := p.Rollout(t.Context(), o); err != nil || r.Resumed || len(d.done) != 2*want {
					t.Error(err, r)
				}
			})
		})
	}
}

// TestRolloutRefused: nothing is sent for what cannot be done.
func TestRolloutRefused(t *testing.T) {
	t.Parallel()
	deploy := func(context.Context, pool.Member) error { return nil }
	tests := []struct {
		name string
		o    pool.Rollout
		like mempool.Option
		want string
		is   error
	}{
		{name: "no Deploy", want: "Deploy is missing"},
		{name: "no members named", o: pool.Rollout{Deploy: deploy, Members: []pool.Key{}}, want: "Members is empty"},
		{name: "unknown member", o: pool.Rollout{Deploy: deploy, Members: []pool.Key{key("i-99")}}, want: "i-99:80 is not in the pool"},
		{name: "negative", o: pool.Rollout{Deploy: deploy, MaxUnavailable: -1, MinInService: -2, InService: -3}, want: "MaxUnavailable"},
		{name: "GoOn without a limit", o: pool.Rollout{Deploy: deploy, OnFailure: pool.GoOn}, want: "MaxFailures is 0"},
		{name: "a limit without GoOn", o: pool.Rollout{Deploy: deploy, MaxFailures: 1}, want: "MaxFailures is 1"},
		{name: "RollBack without Undo", o: pool.Rollout{Deploy: deploy, OnFailure: pool.RollBack}, want: "Undo is missing"},
		{name: "OnFailure", o: pool.Rollout{Deploy: deploy, OnFailure: "panic"}, want: "OnFailure"},
		{name: "MinInService", o: pool.Rollout{Deploy: deploy, MinInService: 2, Members: []pool.Key{key("i-1"), key("i-2")}}, want: "MinInService is 2", is: pool.ErrMinInService},
		{name: "MinInService, for those that serve", o: pool.Rollout{Deploy: deploy, MinInService: 2}, want: "MinInService is 2", is: pool.ErrMinInService},
		{
			name: "weights have no effect", o: pool.Rollout{Deploy: deploy}, want: "the pool hashes addresses",
			like: mempool.WithDescription(func(d *driver.Description) { d.Weights.Ignored = "the pool hashes addresses" }),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mem := fleetOf(3, tt.like)
			_, err := pool.New(mem).Rollout(t.Context(), tt.o)
			if !errors.Is(err, cloudlb.ErrInvalid) || !strings.Contains(err.Error(), tt.want) || tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("error %v, want one about %q", err, tt.want)
			}
			if n := mem.Count(mempool.SetWeight); n > 0 {
				t.Errorf("%d calls", n)
			}
		})
	}
}

// TestRolloutFailures: members fail, in each way, with each OnFailure.
func TestRolloutFailures(t *testing.T) {
	t.Parallel()
	const n = 6
	// whose fails: i-3, and with GoOn i-5 too.
	type result struct {
		stages map[string]string
		out    []string // at weight 0
		undone []string
	}
	waiting := func(from int) map[string]string {
		out := make(map[string]string)
		for i := 1; i <= n; i++ {
			out[fmt.Sprintf("i-%d", i)] = "done"
			if i >= from {
				out[fmt.Sprintf("i-%d", i)] = "waiting"
			}
		}
		return out
	}
	with := func(m map[string]string, kv ...string) map[string]string {
		for i := 0; i < len(kv); i += 2 {
			m[kv[i]] = kv[i+1]
		}
		return m
	}
	tests := []struct {
		name string
		o    pool.Rollout
		bad  []string
		undo string // whose Undo fails
		want result
	}{
		{name: "stop", bad: []string{"i-3"}, want: result{stages: with(waiting(4), "i-3", "failed out"), out: []string{"i-3"}}},
		{
			name: "stop, others of the batch come back", o: pool.Rollout{MaxUnavailable: 4}, bad: []string{"i-3"},
			want: result{stages: with(waiting(5), "i-3", "failed out"), out: []string{"i-3"}},
		},
		{
			name: "go on", o: pool.Rollout{OnFailure: pool.GoOn, MaxFailures: 2}, bad: []string{"i-3", "i-5"},
			want: result{stages: with(waiting(7), "i-3", "failed out", "i-5", "failed out"), out: []string{"i-3", "i-5"}},
		},
		{
			name: "go on until there are too many", o: pool.Rollout{OnFailure: pool.GoOn, MaxFailures: 1}, bad: []string{"i-3", "i-5"},
			want: result{stages: with(waiting(6), "i-3", "failed out", "i-5", "failed out"), out: []string{"i-3", "i-5"}},
		},
		{
			name: "go on, but MinInService", o: pool.Rollout{OnFailure: pool.GoOn, MaxFailures: 5, MinInService: 4}, bad: []string{"i-3"},
			want: result{stages: with(waiting(4), "i-3", "failed out", "i-6", "done"), out: []string{"i-3"}},
		},
		{
			name: "roll back", o: pool.Rollout{OnFailure: pool.RollBack}, bad: []string{"i-3"},
			want: result{stages: with(waiting(4), "i-1", "undone", "i-2", "undone", "i-3", "undone"), undone: []string{"i-3", "i-2", "i-1"}},
		},
		{
			name: "roll back in batches", o: pool.Rollout{OnFailure: pool.RollBack, MaxUnavailable: 2}, bad: []string{"i-5"},
			want: result{
				stages: with(waiting(7), "i-1", "undone", "i-2", "undone", "i-3", "undone", "i-4", "undone", "i-5", "undone", "i-6", "undone"),
				undone: []string{"i-5", "i-6", "i-4", "i-3", "i-2", "i-1"},
			},
		},
		{
			name: "rolling back fails", o: pool.Rollout{OnFailure: pool.RollBack}, bad: []string{"i-3"}, undo: "i-2",
			want: result{stages: with(waiting(4), "i-2", "failed out", "i-3", "undone"), out: []string{"i-2"}, undone: []string{"i-3"}},
		},
	}
	for _, way := range []string{"deploy", "timeout", "probe", "health", "pool's probe"} {
		for _, tt := range tests {
			t.Run(way+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					mem := fleetOf(n, mempool.WithDurations(0, time.Second, 0))
					d := &deploys{t: t, p: mem, takes: time.Minute}
					fails := func(server string) bool {
						d.mu.Lock()
						defer d.mu.Unlock()
						return slices.Contains(tt.bad, server) && !slices.Contains(d.undone, server)
					}
					sick := errors.New("it is sick")
					o := tt.o
					o.Undo = func(ctx context.Context, m pool.Member) error {
						if tt.undo == m.Server {
							return sick
						}
						if err := d.undo(ctx, m); err != nil {
							return err
						}
						mem.SetHealth(m.Key, driver.HealthUnknown)
						return nil
					}
					o.Journal = pool.MemoryJournal()
					var opts []pool.Option
					o.Deploy = d.deploy
					switch way {
					case "deploy":
						d.fail = func(server string, undo bool) error {
							if !undo && fails(server) {
								return sick
							}
							return nil
						}
					case "timeout":
						o.DeployTimeout = 2 * time.Minute
						o.Deploy = func(ctx context.Context, m pool.Member) error {
							if fails(m.Server) {
								<-ctx.Done()
								return errors.Join(sick, ctx.Err())
							}
							return d.deploy(ctx, m)
						}
					case "probe":
						o.Probe = func(_ context.Context, m pool.Member) error {
							if fails(m.Server) {
								return sick
							}
							return nil
						}
					case "health":
						for _, server := range tt.bad {
							mem.SetHealth(key(server), driver.Unhealthy)
						}
						o.IgnoreHealth = false
						sick = pool.ErrNotInService
					case "pool's probe":
						opts = append(opts, pool.WithProbe(func(_ context.Context, m pool.Member) error {
							if fails(m.Server) {
								return sick
							}
							return nil
						}))
					}
					if way == "health" && tt.o.MinInService > 0 {
						t.Skip("the sick one is not in service from the start")
					}
					p := pool.New(mem, opts...)
					r, err := p.Rollout(t.Context(), o)
					if !errors.Is(err, pool.ErrNotDeployed) && !(errors.Is(err, pool.ErrMinInService) && tt.o.MinInService > 0) {
						t.Fatal(err)
					}
					if tt.o.MinInService == 0 && !errors.Is(err, sick) {
						t.Error(err)
					}
					want := tt.want
					if diff := cmp.Diff(want.stages, stagesOf(r)); diff != "" {
						t.Errorf("stages: %s\n%v\n%s", diff, err, r)
					}
					wantWeights := fleetWeights(n)
					for _, server := range want.out {
						wantWeights[server+":80"] = 0
						if !strings.Contains(err.Error(), server+":80") {
							t.Errorf("the error does not name %s: %v", server, err)
						}
					}
					if diff := cmp.Diff(wantWeights, weights(t, p)); diff != "" {
						t.Errorf("weights: %s", diff)
					}
					undone := slices.Clone(d.undone)
					if tt.o.MaxUnavailable > 1 {
						slices.Sort(undone)
						slices.Sort(want.undone)
					}
					if diff := cmp.Diff(want.undone, undone); diff != "" {
						t.Errorf("undone: %s", diff)
					}
					if b, err := json.Marshal(r); err != nil || !strings.Contains(string(b), `"stage":"`) {
						t.Error(string(b), err)
					}
					if len(want.out) == 0 {
						return
					}
					// What made them fail is mended: calling it again ends it.
					tt.bad, tt.undo = nil, ""
					for _, server := range want.out {
						mem.SetHealth(key(server), driver.HealthUnknown)
					}
					o.OnFailure, o.MaxFailures = pool.Stop, 0
					o.Probe = nil
					again, err := pool.New(mem).Rollout(t.Context(), o)
					if !again.Resumed || (err != nil) != (tt.o.OnFailure == pool.RollBack) {
						t.Errorf("again: %v\n%s", err, again)
					}
					if diff := cmp.Diff(fleetWeights(n), weights(t, p)); diff != "" {
						t.Errorf("weights after all: %s", diff)
					}
				})
			})
		}
	}
}
