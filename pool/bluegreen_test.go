package pool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

// disabling is a pool that can disable members, like those of APIG.
func disabling(d *driver.Description) {
	d.Disable, d.Enable = driver.Verb{Operation: "Disable", Most: 50}, driver.Verb{Operation: "Enable", Most: 50}
}

// TestBlueGreen goes forward, back from every stage, and forward again in
// another process.
func TestBlueGreen(t *testing.T) {
	t.Parallel()
	old := map[string]int{"i-1:80": 100, "i-2:80": 40}
	for name, opts := range map[string][]mempool.Option{"weights": nil, "disable": {mempool.WithDescription(disabling)}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := weighted(append(opts, mempool.WithDurations(time.Second, time.Second, time.Second), mempool.WithChecking(20*time.Second)), 100, 40)
				p := pool.New(mem)
				ctx := t.Context()
				another := func(sw *pool.Switched) *pool.Switched {
					t.Helper()
					b, err := json.Marshal(sw)
					if err != nil {
						t.Fatal(err)
					}
					var out pool.Switched
					if err := json.Unmarshal(b, &out); err != nil {
						t.Fatal(err)
					}
					return &out
				}
				forward := func() *pool.Switched {
					t.Helper()
					sw, err := p.BlueGreen(ctx, pool.BlueGreen{New: servers(5, 7), MinInService: 2})
					if err != nil || sw.Stage != pool.StageSwitched || sw.Report.Count(pool.Done) != 5 {
						t.Fatal(err, sw.Stage, sw.Report.String())
					}
					for m, err := range p.Members(ctx) {
						serves := slices.Contains([]string{"i-5", "i-6", "i-7"}, m.Server)
						d, _ := p.Describe(ctx)
						if err != nil || pool.InService(d, m) != serves {
							t.Errorf("%v: %+v", err, m)
						}
					}
					return another(sw)
				}
				sw := forward()
				if err := p.Back(ctx, sw); err != nil || sw.Stage != pool.StageBack {
					t.Fatal(err, sw.Stage, sw.Report.String())
				}
				if d := cmp.Diff(old, weights(t, p)); d != "" {
					t.Error(d)
				}
				if err := p.Back(ctx, sw); err != nil || sw.Report.Calls != 0 {
					t.Error(err, sw.Report.String())
				}
				if err := p.Finish(ctx, sw); !errors.Is(err, cloudlb.ErrInvalid) {
					t.Error(err)
				}
				sw = forward()
				<-time.After(time.Hour)
				start := time.Now()
				if err := p.Finish(ctx, sw); err != nil || sw.Stage != pool.StageFinished || time.Since(start) > 10*time.Second {
					t.Fatal(err, sw.Stage, time.Since(start))
				}
				if d := cmp.Diff(map[string]int{"i-5:80": 100, "i-6:80": 100, "i-7:80": 100}, weights(t, p)); d != "" {
					t.Error(d)
				}
				if err := p.Finish(ctx, sw); err != nil || sw.Report.Calls != 0 {
					t.Error(err, sw.Report.String())
				}
				sw = another(sw)
				if err := p.Back(ctx, sw); err != nil {
					t.Fatal(err, sw.Report.String())
				}
				if d := cmp.Diff(old, weights(t, p)); d != "" {
					t.Error(d)
				}
				d, err := p.Describe(ctx)
				if err != nil {
					t.Fatal(err)
				}
				for m, err := range p.Members(ctx) {
					if err != nil || !pool.InService(d, m) {
						t.Errorf("%v: %+v", err, m)
					}
				}
			})
		})
	}
}

// TestBlueGreenStays: when the new members are not well, the old ones serve on.
func TestBlueGreenStays(t *testing.T) {
	t.Parallel()
	denied := &cloudlb.Error{Class: cloudlb.ClassDenied, Outcome: cloudlb.OutcomeRejected}
	tests := []struct {
		name  string
		do    func(mem *mempool.Pool, o *pool.BlueGreen)
		want  error
		stage pool.Stage
	}{
		{"unhealthy", func(mem *mempool.Pool, _ *pool.BlueGreen) { mem.SetHealth(key("i-6"), driver.Unhealthy) }, pool.ErrNotInService, pool.StageBack},
		{"kept for a look", func(mem *mempool.Pool, o *pool.BlueGreen) {
			mem.SetHealth(key("i-6"), driver.Unhealthy)
			o.KeepNew = true
		}, pool.ErrNotInService, pool.StageAdding},
		{"switch refused", func(mem *mempool.Pool, _ *pool.BlueGreen) {
			mem.Inject(mempool.Fault{Op: mempool.SetWeight, Err: denied})
		}, cloudlb.ErrDenied, pool.StageBack},
		{"second call of the switch refused", func(mem *mempool.Pool, _ *pool.BlueGreen) {
			mem.Inject(mempool.Fault{Op: mempool.SetWeight, Skip: 1, Err: denied})
		}, cloudlb.ErrDenied, pool.StageBack},
		{"add refused", func(mem *mempool.Pool, _ *pool.BlueGreen) { mem.Inject(mempool.Fault{Op: mempool.Add, Err: denied}) }, cloudlb.ErrDenied, pool.StageBack},
		{"nothing works any more", func(mem *mempool.Pool, _ *pool.BlueGreen) {
			mem.Inject(mempool.Fault{Op: mempool.SetWeight, Skip: 1, Times: -1, Err: denied})
		}, cloudlb.ErrDenied, pool.StageReturning},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := weighted([]mempool.Option{mempool.WithDurations(time.Second, time.Second, time.Second), mempool.WithDescription(func(d *driver.Description) { d.SetWeight.Most = 1 })}, 100, 40)
				o := pool.BlueGreen{New: servers(5, 6)}
				tt.do(mem, &o)
				p := pool.New(mem)
				sw, err := p.BlueGreen(t.Context(), o)
				if !errors.Is(err, tt.want) || sw.Stage != tt.stage {
					t.Errorf("%v, %s: %s", err, sw.Stage, sw.Report.String())
				}
				want := map[string]int{"i-1:80": 100, "i-2:80": 40}
				switch sw.Stage {
				case pool.StageAdding:
					want["i-5:80"], want["i-6:80"] = 100, 100
				case pool.StageReturning: // one is out, and cannot be brought back
					want = map[string]int{"i-1:80": 0, "i-2:80": 40, "i-5:80": 100, "i-6:80": 100}
				default:
				}
				if d := cmp.Diff(want, weights(t, p)); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

// TestBlueGreenCancelled cancels at every call: everything is as before, or
// switched.
func TestBlueGreenCancelled(t *testing.T) {
	t.Parallel()
	for at := 1; ; at++ {
		reached := false
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			calls := 0
			mem := weighted([]mempool.Option{mempool.WithDurations(time.Second, 2*time.Second, time.Second), mempool.WithChecking(8 * time.Second), mempool.WithHook(func(mempool.Call) {
				if calls++; calls == at {
					reached = true
					cancel()
				}
			})}, 100, 40)
			p := pool.New(mem)
			sw, err := p.BlueGreen(ctx, pool.BlueGreen{New: servers(5, 6)})
			want := map[string]int{"i-1:80": 100, "i-2:80": 40}
			if sw.Stage == pool.StageSwitched {
				want = map[string]int{"i-1:80": 0, "i-2:80": 0, "i-5:80": 100, "i-6:80": 100}
			}
			if d := cmp.Diff(want, weights(t, p)); d != "" {
				t.Errorf("call %d: %v: %s", at, err, d)
			}
			if (err == nil) != (sw.Stage == pool.StageSwitched) {
				t.Errorf("call %d: %v, %s", at, err, sw.Stage)
			}
		})
		if !reached {
			if at < 12 {
				t.Errorf("only %d calls", at)
			}
			return
		}
	}
}

// TestBlueGreenJournal looks at what is left if it is killed before any call,
// goes on from there, and goes back.
func TestBlueGreenJournal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var worlds []world
		first := &note{}
		var mem *mempool.Pool
		mem = weighted([]mempool.Option{mempool.WithDescription(func(d *driver.Description) { d.SetWeight.Most, d.Add.Most, d.Remove.Most = 1, 1, 1 }), mempool.WithHook(func(mempool.Call) {
			w := world{journal: slices.Clone(first.b)}
			mem.Edit(func(members []driver.Member) []driver.Member { w.members = slices.Clone(members); return members })
			worlds = append(worlds, w)
		})}, 100, 40, 7)
		o := pool.BlueGreen{New: servers(5, 6), Journal: first}
		p := pool.New(mem)
		sw, err := p.BlueGreen(t.Context(), o)
		if err == nil {
			err = p.Finish(t.Context(), sw)
		}
		if err != nil {
			t.Fatal(err)
		}
		begun := 0
		for i, w := range worlds {
			var at pool.Switched
			if len(w.journal) == 0 {
				continue
			}
			if err := json.Unmarshal(w.journal, &at); err != nil {
				t.Fatal(err)
			}
			begun++
			p := pool.New(mempool.New(mempool.WithMembers(w.members...)))
			sw := &at
			if at.Stage != pool.StageFinishing && at.Stage != pool.StageFinished {
				o.Journal = &note{b: slices.Clone(w.journal)}
				if sw, err = p.BlueGreen(t.Context(), o); err != nil {
					t.Fatalf("call %d: %v", i, err)
				}
			}
			if err := p.Finish(t.Context(), sw); err != nil {
				t.Errorf("call %d: %v %s", i, err, sw.Report.String())
			}
			if d := cmp.Diff(map[string]int{"i-5:80": 100, "i-6:80": 100}, weights(t, p)); d != "" {
				t.Errorf("call %d: %s", i, d)
			}
			var back pool.Switched
			if err := json.Unmarshal(w.journal, &back); err != nil {
				t.Fatal(err)
			}
			p = pool.New(mempool.New(mempool.WithMembers(w.members...)))
			if err := p.Back(t.Context(), &back); err != nil {
				t.Errorf("call %d: %v %s", i, err, back.Report.String())
			}
			if d := cmp.Diff(map[string]int{"i-1:80": 100, "i-2:80": 40, "i-3:80": 7}, weights(t, p)); d != "" {
				t.Errorf("call %d, %s: %s", i, at.Stage, d)
			}
		}
		if begun < 20 {
			t.Errorf("only %d worlds", begun)
		}
	})
}

func TestBlueGreenForeign(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := weighted(nil, 100, 100)
		p := pool.New(mem)
		sw, err := p.BlueGreen(t.Context(), pool.BlueGreen{New: servers(5, 6), MinInService: 2})
		if err != nil {
			t.Fatal(err)
		}
		mem.Edit(func(members []driver.Member) []driver.Member { members[0].Weight = 100; return members })
		if err := p.Finish(t.Context(), sw); !errors.Is(err, pool.ErrDrift) || sw.Stage != pool.StageSwitched {
			t.Error(err, sw.Stage)
		}
		mem.Edit(func(members []driver.Member) []driver.Member { members[0].Weight = 0; return members })
		mem.SetHealth(key("i-6"), driver.Unhealthy)
		if err := p.Finish(t.Context(), sw); !errors.Is(err, pool.ErrMinInService) || sw.Stage != pool.StageSwitched {
			t.Error(err, sw.Stage)
		}
		// Somebody has removed an old one: the others come back.
		mem.Edit(func(members []driver.Member) []driver.Member { return members[1:] })
		if err := p.Back(t.Context(), sw); !errors.Is(err, pool.ErrMinInService) && !errors.Is(err, pool.ErrDrift) {
			t.Error(err, sw.Stage)
		}
		if got := weights(t, p)["i-2:80"]; got != 100 {
			t.Error(got)
		}
	})
}

func TestBlueGreenRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		opts []mempool.Option
		o    pool.BlueGreen
		want string
	}{
		{"no effect", []mempool.Option{mempool.WithDescription(func(d *driver.Description) { d.Weights.Ignored = "it hashes addresses" })}, pool.BlueGreen{New: servers(5, 5)}, "use Replace"},
		{"nobody", nil, pool.BlueGreen{}, "New is empty"},
		{"no requests", nil, pool.BlueGreen{New: []pool.Spec{pool.Weighted("i-5", 80, 0)}}, "New[0].Weight is 0"},
		{"both", nil, pool.BlueGreen{New: servers(1, 1), Old: []pool.Key{key("i-1")}}, "Old[0] i-1:80 is the same member as New[0]"},
		{"absent", nil, pool.BlueGreen{New: servers(5, 5), Old: []pool.Key{key("i-9")}}, "Old[0] i-9:80 is not in the pool"},
		{"few", nil, pool.BlueGreen{New: servers(5, 5), MinInService: 2}, "MinInService is 2, and 1 members"},
		{"full", []mempool.Option{mempool.WithDescription(func(d *driver.Description) { d.MaxMembers = 2 })}, pool.BlueGreen{New: servers(5, 5)}, "use Replace, which"},
		{"others'", nil, pool.BlueGreen{New: servers(5, 5), Old: []pool.Key{key("i-1")}, Owner: pool.OwnedBy("us")}, "Old[0] i-1:80 belongs to somebody else"},
		{"journal", nil, pool.BlueGreen{New: servers(5, 5), Journal: &note{b: []byte(`{"method":"Shift"}`)}}, "no record of a BlueGreen"},
		{"negative", nil, pool.BlueGreen{New: servers(5, 5), RestoreTimeout: -1, InService: -1}, "RestoreTimeout is -1ns"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mem := weighted(tt.opts, 100, 100)
			_, err := pool.New(mem).BlueGreen(t.Context(), tt.o)
			if e, ok := errors.AsType[*cloudlb.Error](err); !ok || e.Class != cloudlb.ClassInvalid || e.Outcome != cloudlb.OutcomeNotSent || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if len(kinds(mem)) > 0 {
				t.Error(kinds(mem))
			}
		})
	}
}

// TestBlueGreenLosesNothing switches, goes back, switches again and finishes,
// while calls go wrong at random and users send requests.
func TestBlueGreenLosesNothing(t *testing.T) {
	t.Parallel()
	for _, s := range services() {
		for seed := range *seeds {
			t.Run(fmt.Sprintf("%s/%d", s.name, seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { blueGreen(t, s, uint64(seed)) })
			})
		}
	}
}

func blueGreen(t *testing.T, s service, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 8))
	cloud := fakecloud.New(fakecloud.WithoutBudgets(), fakecloud.WithSeed(seed))
	n := 2 + r.IntN(4)
	var old []pool.Spec
	o := pool.BlueGreen{MinInService: n, Drain: 5 * time.Second}
	before := make(map[string]int)
	for i := range n {
		m := s.spec(i + 1)
		m.Weight = new(1 + r.IntN(100))
		before[m.Key.String()] = *m.Weight
		old, o.New = append(old, m), append(o.New, s.spec(100+i))
	}
	drv, target := s.make(t, cloud, cloud.Config(), old...)
	p := pool.New(drv)
	traffic := cloud.Traffic(target, 20, fakecloud.WithRequestDuration(3*time.Second))
	<-time.After(time.Minute) // members that were seeded are healthy
	d, err := p.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	writes := []string{d.Add.Operation, d.SetWeight.Operation, d.Remove.Operation}
	if d.Disable.Exists() {
		writes = append(writes, d.Disable.Operation, d.Enable.Operation)
	}
	stop := watchService(t.Context(), t, drv)
	var sw *pool.Switched
	until := func(what string, do func() error) {
		t.Helper()
		weather(cloud, r, s.name, writes)
		var err error
		for range 10 {
			if err = do(); err == nil {
				cloud.RemoveFaults()
				return
			}
			<-time.After(10 * time.Second)
		}
		t.Fatalf("seed %d: %s: %v", seed, what, err)
	}
	forward := func() (err error) {
		if sw, err = p.BlueGreen(t.Context(), o); err != nil && sw.Stage != pool.StageBack && sw.Stage != "" {
			err = p.Back(t.Context(), sw)
			return errors.Join(errors.New("not switched"), err)
		}
		return err
	}
	until("forward", forward)
	until("back", func() error { return p.Back(t.Context(), sw) })
	if got := weights(t, p); !cmp.Equal(got, before) {
		t.Errorf("after going back: %v, want %v", got, before)
	}
	for _, m := range o.New {
		traffic.Stopped(m.Server)
	}
	<-time.After(10 * time.Second)
	for _, m := range o.New {
		traffic.Started(m.Server)
	}
	until("forward again", forward)
	until("finish", func() error { return p.Finish(t.Context(), sw) })
	for _, m := range old {
		traffic.Stopped(m.Server)
	}
	<-time.After(time.Minute)
	if least := stop(); least < n {
		t.Errorf("%d members in service, want %d", least, n)
	}
	if res := traffic.Report(); res.Lost() > 0 || res.Offered < 1000 {
		t.Error(res)
	}
}
