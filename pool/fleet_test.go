package pool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
	"github.com/cloudlb/cloudlb/slb"
)

// memFleet is a fleet of so many pools in memory of one account, "mem-0" and so
// on, each of which has the servers i-1 to i-3. Changes take 2 seconds.
func memFleet(n int, opts ...mempool.Option) (*pool.Fleet, []*mempool.Pool) {
	f := new(pool.Fleet)
	var mems []*mempool.Pool
	for i := range n {
		mem := mempool.New(append([]mempool.Option{
			mempool.WithServers("i-1:80", "i-2:80", "i-3:80"),
			mempool.WithDurations(2*time.Second, 2*time.Second, 2*time.Second),
			mempool.WithDescription(func(d *pool.Description) {
				d.ID, d.Account = fmt.Sprintf("mem-%d", i), "account"
			}),
		}, opts...)...)
		mems = append(mems, mem)
		f.Pools = append(f.Pools, pool.New(mem))
	}
	return f, mems
}

// want is a Desired that is the same for all pools.
func want(specs ...pool.Spec) pool.Desired {
	return func(context.Context, *pool.Pool, pool.Description) ([]pool.Spec, pool.PlanOptions, error) {
		return specs, pool.PlanOptions{}, nil
	}
}

// halves are i-1 to i-3 with weight 50.
func halves() []pool.Spec {
	return []pool.Spec{pool.Weighted("i-1", 80, 50), pool.Weighted("i-2", 80, 50), pool.Weighted("i-3", 80, 50)}
}

// outcomes are the pools with how they ended, in the order of the report.
func outcomes(report *pool.FleetReport) []string {
	var out []string
	for _, p := range report.Pools {
		out = append(out, p.Pool[strings.LastIndexByte(p.Pool, '/')+1:]+" "+string(p.Outcome))
	}
	return out
}

func TestFleetPartialFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, mems := memFleet(7)
		if _, err := f.Pools[1].SetWeight(t.Context(), halves()...); err != nil {
			t.Fatal(err)
		}
		refused := &cloudlb.Error{Service: "mem", Class: cloudlb.ClassDenied, Outcome: cloudlb.OutcomeRejected}
		mems[2].Inject(mempool.Fault{Op: mempool.Describe, Times: -1, Err: refused})
		mems[3].Inject(mempool.Fault{Op: mempool.SetWeight, Times: -1, Err: refused})
		noIdea := errors.New("the inventory is down")
		f.Pools = append(f.Pools, f.Pools[0]) // named twice
		report, err := f.Change(t.Context(), func(_ context.Context, _ *pool.Pool, d pool.Description) ([]pool.Spec, pool.PlanOptions, error) {
			switch d.ID {
			case "mem-4":
				return nil, pool.PlanOptions{}, noIdea
			case "mem-5":
				return nil, pool.PlanOptions{}, nil // would empty it
			default:
				return halves(), pool.PlanOptions{}, nil
			}
		})
		wanted := []string{
			"mem-0 done", "mem-1 unchanged", "pools[2] not attempted", "mem-3 failed",
			"mem-4 not attempted", "mem-5 not attempted", "mem-6 done", "mem-0 not attempted",
		}
		if diff := cmp.Diff(wanted, outcomes(report)); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		for _, target := range []error{noIdea, cloudlb.ErrInvalid, cloudlb.ErrDenied} {
			if !errors.Is(err, target) {
				t.Errorf("%v does not match %v", err, target)
			}
		}
		if text := err.Error(); !strings.HasPrefix(text, "Change: 5 of 8 pools failed: ") || strings.Contains(text, "\n") {
			t.Errorf("error: %q", text)
		}
		if report.Calls != 3 || report.Count(pool.Done) != 2 || len(report.Failed()) != 5 {
			t.Errorf("report: %v", report)
		}
		if r := report.Pools[3].Report; r == nil || r.Count(pool.Incomplete) != 3 {
			t.Errorf("members of the one that failed: %v", r)
		}
		if report.Pools[0].Report != nil {
			t.Error("the report keeps the members of a pool that is well")
		}
		b, err := json.Marshal(report)
		if err != nil || !strings.Contains(string(b), "the inventory is down") {
			t.Errorf("JSON: %s, %v", b, err)
		}
		if diff := cmp.Diff(map[string]int{"i-1:80": 50, "i-2:80": 50, "i-3:80": 50}, weights(t, f.Pools[6])); diff != "" {
			t.Errorf("the pool behind those that failed (-want +got):\n%s", diff)
		}
	})
}

func TestFleetStopAfter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, mems := memFleet(10)
		for _, i := range []int{1, 3} {
			mems[i].Inject(mempool.Fault{Op: mempool.SetWeight, Times: -1, Err: &cloudlb.Error{Class: cloudlb.ClassDenied, Outcome: cloudlb.OutcomeRejected}})
		}
		f.Parallel, f.StopAfter = 1, 2
		report, err := f.Change(t.Context(), want(halves()...))
		if err == nil || report.Count(pool.Done) != 2 || report.Count(pool.Incomplete) != 2 || report.Count(pool.NotAttempted) != 6 {
			t.Errorf("%v, %v", report, err)
		}
		for _, mem := range mems[4:] {
			if len(kinds(mem)) > 0 {
				t.Errorf("a pool was changed after two had failed")
			}
		}
	})
}

// TestFleetCancel: 3 pools are changed in 2 seconds, 3 are under way when the
// context ends, the others are not touched. A second run finishes the work.
func TestFleetCancel(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, mems := memFleet(9)
		f.Parallel = 3
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		report, err := f.Change(ctx, want(halves()...))
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error: %v", err)
		}
		wanted := []string{
			"mem-0 done", "mem-1 done", "mem-2 done", "mem-3 failed", "mem-4 failed", "mem-5 failed",
			"mem-6 not attempted", "mem-7 not attempted", "mem-8 not attempted",
		}
		if diff := cmp.Diff(wanted, outcomes(report)); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if took := report.Took; took != 3*time.Second {
			t.Errorf("it took %s to stop", took)
		}
		for i, mem := range mems {
			if sent := len(kinds(mem)) > 0; sent != (i < 6) {
				t.Errorf("pool %d: sent is %t", i, sent)
			}
		}
		<-time.After(5 * time.Second) // what was accepted is carried out
		report, err = f.Change(t.Context(), want(halves()...))
		if err != nil || report.Count(pool.Unchanged) != 6 || report.Count(pool.Done) != 3 {
			t.Errorf("the second run: %v, %v", report, err)
		}
	})
}

// TestFleetPlanIsAValue: the plan goes through JSON, loses an entry to a
// reviewer, and is applied by a Fleet with its pools in another order.
func TestFleetPlanIsAValue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, mems := memFleet(5)
		mems[2].Inject(mempool.Fault{Op: mempool.Members, Times: 1, Err: &cloudlb.Error{Class: cloudlb.ClassDenied, Outcome: cloudlb.OutcomeRejected}})
		plan, err := f.Plan(t.Context(), want(halves()...))
		if !errors.Is(err, cloudlb.ErrDenied) || plan == nil || plan.Pools[2].Plan != nil || plan.Pools[2].Problem == "" {
			t.Fatalf("plan: %v, %v", plan, err)
		}
		for i, mem := range mems {
			if got := kinds(mem); len(got) > 0 {
				t.Errorf("planning changed pool %d: %v", i, got)
			}
		}
		if plan.Empty() || plan.Calls() != 4 {
			t.Errorf("calls: %d", plan.Calls())
		}
		b, err := json.Marshal(plan)
		if err != nil {
			t.Fatal(err)
		}
		read, err := pool.ReadFleetPlan(b)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(plan, read); diff != "" {
			t.Errorf("through JSON (-want +got):\n%s", diff)
		}
		read.Pools = slices.Delete(read.Pools, 0, 1)
		slices.Reverse(f.Pools)
		f.Pools = f.Pools[1:] // without mem-4
		report, err := f.Apply(t.Context(), read)
		if err == nil {
			t.Error("no error for the pools that are not done")
		}
		wanted := []string{"mem-1 done", "mem-2 not attempted", "mem-3 done", "mem-4 not attempted"}
		if diff := cmp.Diff(wanted, outcomes(report)); diff != "" {
			t.Errorf("outcomes (-want +got):\n%s", diff)
		}
		if len(kinds(mems[0])) > 0 || len(kinds(mems[1])) == 0 {
			t.Error("the entry that was taken out was applied, or the other was not")
		}
		report, err = f.Apply(t.Context(), read)
		if err == nil || report.Calls != 0 || report.Count(pool.Unchanged) != 2 {
			t.Errorf("applied again: %v, %v", report, err)
		}
	})
}

func TestFleetRefuses(t *testing.T) {
	t.Parallel()
	f, _ := memFleet(2)
	plan, err := f.Plan(t.Context(), want(halves()...))
	if err != nil {
		t.Fatal(err)
	}
	twice, other, old := *plan, *plan, *plan
	twice.Pools = []pool.FleetPlanEntry{plan.Pools[0], plan.Pools[0]}
	other.Pools = slices.Clone(plan.Pools)
	other.Pools[0].Pool = "mem/local/mem-9"
	old.Version = 99
	keep := func(pool.Member) bool { return false }
	save := pool.EvacuateOptions{Save: func(pool.Evacuated) error { return nil }}
	for name, call := range map[string]func() error{
		"no pools": func() error { _, err := new(pool.Fleet).Change(t.Context(), want()); return err },
		"nil pool": func() error {
			_, err := (&pool.Fleet{Pools: []*pool.Pool{nil}}).Audit(t.Context(), pool.AuditOptions{})
			return err
		},
		"negative Parallel": func() error {
			_, err := (&pool.Fleet{Pools: f.Pools, Parallel: -1}).Plan(t.Context(), want())
			return err
		},
		"negative StopAfter": func() error {
			_, err := (&pool.Fleet{Pools: f.Pools, StopAfter: -1}).Plan(t.Context(), want())
			return err
		},
		"Plan of nil":         func() error { _, err := f.Plan(t.Context(), nil); return err },
		"Change to nil":       func() error { _, err := f.Change(t.Context(), nil); return err },
		"Apply of nil":        func() error { _, err := f.Apply(t.Context(), nil); return err },
		"pool planned twice":  func() error { _, err := f.Apply(t.Context(), &twice); return err },
		"plan of other pool":  func() error { _, err := f.Apply(t.Context(), &other); return err },
		"unknown version":     func() error { _, err := f.Apply(t.Context(), &old); return err },
		"no JSON":             func() error { _, err := pool.ReadFleetPlan([]byte("{")); return err },
		"Evacuate of nil":     func() error { _, err := f.Evacuate(t.Context(), nil, save); return err },
		"Evacuate unsaved":    func() error { _, err := f.Evacuate(t.Context(), keep, pool.EvacuateOptions{}); return err },
		"Restore of nonsense": func() error { _, err := f.Restore(t.Context(), []pool.Evacuated{{Pool: "x"}}); return err },
		"Find of nothing":     func() error { return firstError(f.Find(t.Context())) },
		"Find without server": func() error { return firstError(f.Find(t.Context(), pool.Key{Port: 80})) },
	} {
		err := call()
		v, ok := errors.AsType[*cloudlb.ValidationError](err)
		if !errors.Is(err, cloudlb.ErrInvalid) || !ok || len(v.Problems) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func firstError(seq func(func(pool.Found, error) bool)) error {
	for _, err := range seq {
		return err
	}
	return nil
}

// TestFleetAccounts: 180 groups are 2 windows of one account's budget. The
// groups of two accounts do not wait for each other; two clients of one account
// that share a Limiter keep to its budget.
func TestFleetAccounts(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		accounts int
		at       [2]time.Duration
	}{
		{"one account, two clients", 1, [2]time.Duration{3 * time.Minute, 3*time.Minute + 10*time.Second}},
		{"two accounts", 2, [2]time.Duration{time.Minute, time.Minute + 10*time.Second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var f pool.Fleet
				var clouds []*fakecloud.Cloud
				for range tt.accounts {
					clouds = append(clouds, fakecloud.New())
				}
				var limiter *cloudlb.Limiter
				for i := range 2 {
					cloud := clouds[i%tt.accounts]
					cfg := cloud.Config()
					if tt.accounts == 2 || limiter == nil {
						limiter = cloudlb.NewLimiter()
					}
					cfg.Limiter = limiter
					lb, err := slb.New(cfg)
					if err != nil {
						t.Fatal(err)
					}
					for k := range 180 {
						id := cloud.AddVServerGroup(fakecloud.VServerGroup{
							ID: fmt.Sprintf("rsp-%d-%d", i, k), LoadBalancerID: fmt.Sprintf("lb-%d-%d", i, k), Servers: fleetServers(3),
						})
						f.Pools = append(f.Pools, pool.New(lb.Pool(id)))
					}
				}
				plan, err := f.Plan(t.Context(), want(reweighed(3, 3)...))
				if err != nil {
					t.Fatal(err)
				}
				if got := plan.Estimate().AtLeast; got != tt.at[0] {
					t.Errorf("estimate: %s, want %s", got, tt.at[0])
				}
				report, err := f.Apply(t.Context(), plan)
				if err != nil {
					t.Fatal(err)
				}
				if report.Took < tt.at[0] || report.Took > tt.at[1] {
					t.Errorf("it took %s, want %s", report.Took, tt.at)
				}
				for _, cloud := range clouds {
					if refused := refusals(cloud); len(refused) > 0 {
						t.Errorf("refused: %v", refused)
					}
				}
			})
		})
	}
}

// TestFleetForecast: what events say is left is never more than what was left
// in the end, and, once a tenth is done, not much less.
func TestFleetForecast(t *testing.T) {
	t.Parallel()
	for _, change := range []string{"Apply", "Change"} {
		synctest.Test(t, func(t *testing.T) {
			cloud := fakecloud.New()
			lb, err := slb.New(cloud.Config())
			if err != nil {
				t.Fatal(err)
			}
			var f pool.Fleet
			for range 320 {
				f.Pools = append(f.Pools, pool.New(lb.Pool(cloud.AddVServerGroup(fakecloud.VServerGroup{Servers: fleetServers(2)}))))
			}
			var events []pool.Event
			f.Events = func(e pool.Event) {
				if e.Method == change {
					events = append(events, e)
				}
			}
			if change == "Apply" {
				plan, err := f.Plan(t.Context(), want(reweighed(2, 2)...))
				if err != nil {
					t.Fatal(err)
				}
				if got, want := plan.Estimate().String(), "320 pools to change, 320 calls, at least 3m0s: 320 calls of SetVServerGroupAttribute (slb, cn-hangzhou), of which 90 may be made in 1m0s"; got != want {
					t.Errorf("estimate:\n%s\n%s", got, want)
				}
				_, err = f.Apply(t.Context(), plan)
				if err != nil {
					t.Fatal(err)
				}
			} else if _, err := f.Change(t.Context(), want(reweighed(2, 2)...)); err != nil {
				t.Fatal(err)
			}
			end := events[len(events)-1].Time
			if len(events) != 321 || events[0].Kind != pool.Started || change == "Apply" && events[0].Left != 3*time.Minute {
				t.Errorf("%d events, the first is %v", len(events), events[0])
			}
			for i, e := range events {
				left := end.Sub(e.Time)
				if e.Done != i || e.Total != 320 {
					t.Fatalf("event %d: %v", i, e)
				}
				if e.Left > left+10*time.Second || e.Done > 32 && e.Left < left*3/4-10*time.Second {
					t.Fatalf("%s: %v, and it went on for %s", change, e, left)
				}
			}
		})
	}
}

// TestFleetForecastSlow: pools that are slower than their budget, and pools
// that have none, are noticed by their pace.
func TestFleetForecastSlow(t *testing.T) {
	t.Parallel()
	for name, budget := range map[string]cloudlb.Budget{"budget": {Calls: 10, Per: time.Minute}, "no budget": {}} {
		synctest.Test(t, func(t *testing.T) {
			f, _ := memFleet(60, mempool.WithDurations(0, 12*time.Second, 0), mempool.WithDescription(func(d *pool.Description) { d.SetWeight.Budget = budget }))
			f.Parallel = 1 // 12 minutes, and the budget would allow 5
			var events []pool.Event
			f.Events = func(e pool.Event) { events = append(events, e) }
			if _, err := f.Change(t.Context(), want(halves()...)); err != nil {
				t.Fatal(err)
			}
			end := events[len(events)-1].Time
			for _, e := range events[20:] {
				if left := end.Sub(e.Time); e.Left > left+10*time.Second || e.Left < left/2 {
					t.Errorf("%s: %v, and it went on for %s", name, e, left)
				}
			}
		})
	}
}

// TestFleetLocks: changes of pools that are locked together are made one after
// the other, and nobody reads a pool long before its turn comes. Drains go on
// at the same time.
func TestFleetLocks(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		desired []pool.Spec
		took    [2]time.Duration
	}{
		{"weights: one by one", halves(), [2]time.Duration{20 * time.Second, 21 * time.Second}},
		// Weight 0 one by one in 20 seconds, removed one by one 30 seconds after.
		{"drains: together", halves()[:2], [2]time.Duration{50 * time.Second, 60 * time.Second}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				locks := new(driver.Locks)
				f, mems := memFleet(10, mempool.WithLocks(locks), mempool.WithDescription(func(d *pool.Description) { d.LockKey = "lb-1" }))
				report, err := f.Change(t.Context(), want(tt.desired...))
				if err != nil {
					t.Fatal(err)
				}
				if report.Took < tt.took[0] || report.Took > tt.took[1] {
					t.Errorf("it took %s, want %s", report.Took, tt.took)
				}
				if len(tt.desired) < 3 {
					return
				}
				for i, mem := range mems {
					calls := mem.Calls()
					at := slices.IndexFunc(calls, func(c mempool.Call) bool { return c.Op == mempool.SetWeight })
					if at < 1 || calls[at].Time.Sub(calls[at-1].Time) > 0 {
						t.Errorf("pool %d was changed by what was read before its turn: %v", i, calls)
					}
				}
			})
		})
	}
}

// TestFleetSpread: a load balancer with half of all groups does not come last.
func TestFleetSpread(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		locks := new(driver.Locks)
		f, _ := memFleet(40, mempool.WithLocks(locks), mempool.WithDescription(func(d *pool.Description) {
			if len(d.ID) == len("mem-10") && d.ID >= "mem-20" {
				d.LockKey = "lb-1"
			}
		}))
		f.Parallel = 4
		report, err := f.Change(t.Context(), want(halves()...))
		if err != nil {
			t.Fatal(err)
		}
		// 20 changes of 2 seconds one after the other, and the rest meanwhile.
		if report.Took > 46*time.Second {
			t.Errorf("it took %s", report.Took)
		}
	})
}
