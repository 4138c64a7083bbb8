package pool_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

// small has the pool take so many members a call.
func small(most int) mempool.Option {
	return mempool.WithDescription(func(d *driver.Description) {
		d.Add.Most, d.SetWeight.Most, d.Remove.Most, d.Swap.Most = most, most, most, most
	})
}

// lostRequest is the error of a call that the service never got, which nobody can
// tell from a lost reply.
func lostRequest() error {
	return &cloudlb.Error{Service: "mem", Class: cloudlb.ClassUnavailable, Outcome: cloudlb.OutcomeUnknown}
}

// endings are how the members of a report ended.
func endings(r *pool.Report) map[string]pool.Outcome {
	out := make(map[string]pool.Outcome)
	for _, e := range r.Entries {
		out[e.Key.String()] = e.Outcome
	}
	return out
}

// TestOwnersOfOneAddress: an address with one port is in two member groups of a
// channel, one of them ours.
func TestOwnersOfOneAddress(t *testing.T) {
	t.Parallel()
	for _, groups := range [][]string{{"theirs", "ours"}, {"ours", "theirs"}} {
		t.Run(groups[0]+" first", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud := fakecloud.New()
				ch := fakecloud.VPCChannel{InstanceID: "apig-1", Port: 80}
				for _, g := range groups {
					ch.Members = append(ch.Members, fakecloud.ChannelMember{Host: "10.0.0.1", Port: 80, Group: g})
				}
				ch.Members = append(ch.Members, fakecloud.ChannelMember{Host: "10.0.0.2", Port: 80, Group: "ours"})
				id := cloud.AddVPCChannel(ch)
				c, err := apig.New(cloud.Config(), apig.WithProduct(apig.APIGateway))
				if err != nil {
					t.Fatal(err)
				}
				p := pool.New(c.Pool("apig-1", id))
				plan, err := p.Plan(t.Context(), []pool.Spec{pool.Server("10.0.0.2", 80)}, pool.PlanOptions{Owner: pool.OwnedBy("ours"), Drain: pool.NoDrain})
				if err != nil {
					if !errors.Is(err, cloudlb.ErrInvalid) {
						t.Fatal(err)
					}
					return // that it cannot tell them apart is an answer
				}
				r, err := p.Apply(t.Context(), plan)
				theirs, ours := 0, 0
				for m, err := range p.Members(t.Context()) {
					switch {
					case err != nil:
						t.Fatal(err)
					case m.Label == "theirs":
						theirs++
					case m.Server == "10.0.0.1":
						ours++
					}
				}
				if theirs != 1 {
					t.Errorf("the member of somebody else was removed: %v\n%s", err, r)
				}
				if ours != 0 || err != nil {
					t.Errorf("ours is there %d times: %v\n%s", ours, err, r)
				}
			})
		})
	}
}

// TestSameAddressTwice: a pool where one key has two members, both to go.
func TestSameAddressTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(mempool.WithMembers(member("i-1", 100, "a"), member("i-1", 100, "b"), member("i-2", 100, "a")))
		p := pool.New(mem)
		if r, err := p.SetWeight(t.Context(), pool.Weighted("i-1", 80, 5)); !errors.Is(err, cloudlb.ErrInvalid) {
			t.Errorf("SetWeight takes one of two members of the same name: %v\n%s", err, r)
		}
		if r, err := p.Remove(t.Context(), key("i-1")); !errors.Is(err, cloudlb.ErrInvalid) {
			t.Errorf("Remove takes one of two members of the same name: %v\n%s", err, r)
		}
	})
}

// TestTakenOverAfterPlan: after the plan was made somebody else removes a member
// and adds it again as theirs. The plan must not remove it.
func TestTakenOverAfterPlan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(mempool.WithMembers(member("i-1", 100, "ours"), member("i-2", 100, "ours")))
		p := pool.New(mem)
		plan, err := p.Plan(t.Context(), servers(2, 2), pool.PlanOptions{Owner: pool.OwnedBy("ours"), Drain: pool.NoDrain})
		if err != nil {
			t.Fatal(err)
		}
		mem.Edit(func(ms []driver.Member) []driver.Member {
			return append(slices.DeleteFunc(ms, func(m driver.Member) bool { return m.Server == "i-1" }), member("i-1", 7, "theirs"))
		})
		r, err := p.Apply(t.Context(), plan)
		if _, there := weights(t, p)["i-1:80"]; !there {
			t.Errorf("the member of somebody else was removed: %v\n%s", err, r)
		}
		if !errors.Is(err, pool.ErrDrift) {
			t.Errorf("error %v, want ErrDrift\n%s", err, r)
		}
	})
}

// TestAmbiguousAfterPlan: the key of the plan names two members by the time it
// is applied. Nothing may be said to be removed that is there.
func TestAmbiguousAfterPlan(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(mempool.WithServers("i-1:80", "i-2:80"))
		p := pool.New(mem)
		plan, err := p.Plan(t.Context(), servers(2, 2), pool.PlanOptions{Drain: pool.NoDrain})
		if err != nil {
			t.Fatal(err)
		}
		mem.Edit(func(ms []driver.Member) []driver.Member {
			ms[0].Address = "10.0.0.1" // as drivers do when there are two
			second := member("i-1", 100, "")
			second.Address = "10.0.0.2"
			return append(ms, second)
		})
		r, err := p.Apply(t.Context(), plan)
		if err == nil || r.Count(pool.Incomplete) != 1 {
			t.Errorf("i-1 is there, and the report says: %v\n%s", err, r)
		}
	})
}

// TestTwinRemoved: an instance is in an ALB group with two addresses; one goes.
func TestTwinRemoved(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New()
		drv, id := albPool(t, cloud, cloud.Config())
		cloud.AddServerGroup(fakecloud.ServerGroup{ID: id, LoadBalancerIDs: []string{"alb-1"}, Servers: []fakecloud.BackendServer{
			{ID: "i-1", IP: "10.0.0.1", Port: 80}, {ID: "i-1", IP: "10.0.0.2", Port: 80}, {ID: "i-2", Port: 80},
		}})
		p := pool.New(drv)
		stays := pool.Spec{Key: pool.Key{Server: "i-1", Address: "10.0.0.2", Port: 80}}
		desired := []pool.Spec{stays, pool.Server("i-2", 80)}
		plan, err := p.Plan(t.Context(), desired, pool.PlanOptions{Drain: pool.NoDrain})
		if err != nil {
			t.Fatal(err)
		}
		if n := plan.Count(pool.ActionKeep); n != 2 {
			t.Fatal(plan)
		}
		if r, err := p.Apply(t.Context(), plan); err != nil {
			t.Errorf("the one that stays is there: %v\n%s", err, r)
		}
		plan, err = p.Plan(t.Context(), desired, pool.PlanOptions{Drain: pool.NoDrain})
		if err != nil {
			t.Fatal(err)
		}
		if !plan.Empty() {
			t.Errorf("there is nothing to do: %s", plan)
		}
	})
}

// TestGuardSeesHealthAfterLostReply: a lost reply must not make the guard forget
// who is unhealthy.
func TestGuardSeesHealthAfterLostReply(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]mempool.Fault{"reply": {Op: mempool.Remove, After: true}, "request": {Op: mempool.Remove, Err: lostRequest()}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := mempool.New(mempool.WithServers("i-1:80", "i-2:80", "i-3:80", "i-4:80"), small(1))
				p := pool.New(mem)
				plan, err := p.Plan(t.Context(), servers(3, 4), pool.PlanOptions{MinInService: 2, Drain: pool.NoDrain})
				if err != nil {
					t.Fatal(err)
				}
				mem.SetHealth(key("i-4"), driver.Unhealthy)
				mem.Inject(lost)
				r, err := p.Apply(t.Context(), plan)
				if !errors.Is(err, pool.ErrMinInService) {
					t.Errorf("error %v, want ErrMinInService\n%s", err, r)
				}
				if w := weights(t, p); len(w) < 3 {
					t.Errorf("left in the pool: %v, of which i-4 is unhealthy", w)
				}
			})
		})
	}
}

// TestGuardLooksBeforeEachCall: a member falls ill between two calls of one kind,
// the first of which takes a minute.
func TestGuardLooksBeforeEachCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(mempool.WithServers("i-1:80", "i-2:80", "i-3:80", "i-4:80"), small(1), mempool.WithDurations(0, 0, time.Minute))
		p := pool.New(mem)
		plan, err := p.Plan(t.Context(), servers(3, 4), pool.PlanOptions{MinInService: 2, Drain: pool.NoDrain})
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(30*time.Second, func() { mem.SetHealth(key("i-4"), driver.Unhealthy) })
		r, err := p.Apply(t.Context(), plan)
		if !errors.Is(err, pool.ErrMinInService) {
			t.Errorf("error %v, want ErrMinInService\n%s", err, r)
		}
		if w := weights(t, p); len(w) != 3 {
			t.Errorf("left in the pool: %v, of which i-4 is unhealthy", w)
		}
	})
}

// TestSwapGuardsWeightZero: members of weight 0 do not take the place of others.
func TestSwapGuardsWeightZero(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		least := 4
		var mem *mempool.Pool
		mem = mempool.New(mempool.WithServers("i-1:80", "i-2:80", "i-3:80", "i-4:80"), small(2), mempool.WithHook(func(c mempool.Call) {
			if c.Op != mempool.Health {
				return
			}
			n := 0
			mem.Edit(func(ms []driver.Member) []driver.Member {
				for _, m := range ms {
					if m.Weight > 0 {
						n++
					}
				}
				return ms
			})
			least = min(least, n)
		}))
		p := pool.New(mem)
		desired := []pool.Spec{pool.Weighted("i-5", 80, 0), pool.Weighted("i-6", 80, 0), pool.Server("i-7", 80), pool.Server("i-8", 80)}
		plan, err := p.Plan(t.Context(), desired, pool.PlanOptions{MinInService: 2, SwapAtomically: true})
		if err != nil {
			t.Fatal(err)
		}
		mem.Inject(mempool.Fault{Op: mempool.Swap, Skip: 1, Times: -1, Err: &cloudlb.Error{Class: cloudlb.ClassDenied, Outcome: cloudlb.OutcomeRejected}})
		mem.SetHealth(key("i-3"), driver.Unhealthy) // 3 in service; the first swap leaves 1
		r, err := p.Apply(t.Context(), plan)
		if !errors.Is(err, pool.ErrMinInService) || least < 2 {
			t.Errorf("error %v, want ErrMinInService; at least %d\n%s", err, least, r)
		}
		if n := mem.Count(mempool.Swap); n != 0 {
			t.Errorf("%d swaps, which leave one member in service", n)
		}
	})
}

// TestFullPoolPlanCanBeApplied: a plan of a full pool that is not refused can be
// carried out.
func TestFullPoolPlanCanBeApplied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(mempool.WithServers("i-1:80", "i-2:80", "i-3:80", "i-4:80"), mempool.WithDescription(func(d *driver.Description) { d.MaxMembers = 4 }))
		p := pool.New(mem)
		desired := []pool.Spec{pool.Weighted("i-1", 80, 0), pool.Server("i-3", 80), pool.Server("i-4", 80), pool.Server("i-5", 80)}
		plan, err := p.Plan(t.Context(), desired, pool.PlanOptions{MinInService: 3})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := p.Apply(t.Context(), plan); err != nil {
			t.Errorf("%v\n%s%s", err, plan, r)
		}
	})
}

// TestSwapPlanCanBeApplied: a weight that brings a member into service comes
// before a swap that needs it.
func TestSwapPlanCanBeApplied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(mempool.WithMembers(member("i-1", 100, ""), member("i-2", 100, ""), member("i-3", 0, "")))
		p := pool.New(mem)
		plan, err := p.Plan(t.Context(), []pool.Spec{pool.Weighted("i-3", 80, 100), pool.Server("i-4", 80)}, pool.PlanOptions{MinInService: 2, SwapAtomically: true})
		if err != nil {
			t.Fatal(err)
		}
		if r, err := p.Apply(t.Context(), plan); err != nil {
			t.Errorf("%v\n%s%s", err, plan, r)
		}
	})
}

// TestStuckIsNotDone: a member that the service never gets into the pool is not
// reported as Done.
func TestStuckIsNotDone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(mempool.WithServers("i-1:80"), mempool.WithDurations(time.Hour, 0, 0))
		mem.Inject(mempool.Fault{Op: mempool.Wait, Err: &cloudlb.WaitError{Service: "mem", Operation: "WaitForJob", Err: cloudlb.ErrUnfinished}})
		r, err := pool.New(mem).Add(t.Context(), servers(2, 2)...)
		if !errors.Is(err, pool.ErrNotVisible) {
			t.Errorf("error %v, want ErrNotVisible", err)
		}
		if o := endings(r)["i-2:80"]; o == pool.Done {
			t.Errorf("i-2 is joining for a minute, and %s", o)
		}
	})
}

// TestCancelledBeforeVisible: the context ends after the service has accepted a
// change, while lists do not show it yet. Nobody knows how that ends.
func TestCancelledBeforeVisible(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(mempool.WithServers("i-1:80"))
		mem.SetLag(30 * time.Second)
		<-time.After(time.Minute)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r, err := pool.New(mem).Add(ctx, servers(2, 2)...)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if o := endings(r)["i-2:80"]; o != pool.Unclear {
			t.Errorf("i-2 was added, lists do not show it yet, and it is %q", o)
		}
	})
}

// TestRestFailsBeforeVisible: the second call fails for good while lists do not
// show the effect of the first.
func TestRestFailsBeforeVisible(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(mempool.WithServers("i-1:80"), small(1))
		mem.SetLag(20 * time.Second)
		<-time.After(time.Minute)
		mem.Inject(mempool.Fault{Op: mempool.Add, Skip: 1, Times: -1, Err: &cloudlb.Error{Service: "mem", Class: cloudlb.ClassQuota, Outcome: cloudlb.OutcomeRejected}})
		r, err := pool.New(mem).Add(t.Context(), servers(2, 4)...)
		if !errors.Is(err, cloudlb.ErrQuota) {
			t.Errorf("error %v", err)
		}
		got := endings(r)
		if got["i-2:80"] != pool.Done && got["i-2:80"] != pool.Unclear || got["i-3:80"] != pool.Incomplete || got["i-4:80"] != pool.NotAttempted {
			t.Errorf("i-2 was added: %v", got)
		}
	})
}

// TestPartBeforeVisible: a batch succeeds in part while lists lag.
func TestPartBeforeVisible(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(mempool.WithServers("i-1:80"))
		mem.SetLag(20 * time.Second)
		<-time.After(time.Minute)
		bad := &cloudlb.Error{Service: "mem", Class: cloudlb.ClassQuota, Outcome: cloudlb.OutcomeRejected, Message: "no room for i-3"}
		mem.Inject(mempool.Fault{Op: mempool.Add, Only: []driver.Key{key("i-3")}, Err: bad})
		r, err := pool.New(mem).Add(t.Context(), servers(2, 3)...)
		if !errors.Is(err, cloudlb.ErrQuota) {
			t.Errorf("error %v", err)
		}
		if got := endings(r); got["i-2:80"] != pool.Done && got["i-2:80"] != pool.Unclear || got["i-3:80"] != pool.Incomplete {
			t.Errorf("i-2 was added, i-3 was not: %v\n%s", got, r)
		}
	})
}

// TestLostReplyBeforeVisible: lists lag less than WithVisibility says they may,
// and a reply is lost.
func TestLostReplyBeforeVisible(t *testing.T) {
	t.Parallel()
	for _, op := range []mempool.Op{mempool.Add, mempool.SetWeight, mempool.Remove} {
		for _, lag := range []time.Duration{5 * time.Second, 25 * time.Second, 50 * time.Second} {
			t.Run(fmt.Sprintf("%s/%s", op, lag), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					mem := mempool.New(mempool.WithServers("i-1:80", "i-2:80"))
					mem.SetLag(lag)
					<-time.After(2 * time.Minute)
					mem.Inject(mempool.Fault{Op: op, After: true})
					p := pool.New(mem)
					r, err := p.Replace(t.Context(), []pool.Key{key("i-1")}, servers(3, 3), pool.PlanOptions{MinInService: 1})
					if err != nil {
						t.Errorf("%v\n%s", err, r)
					}
					<-time.After(2 * time.Minute)
					if d := cmp.Diff(map[string]int{"i-2:80": 100, "i-3:80": 100}, weights(t, p)); d != "" {
						t.Error(d)
					}
				})
			})
		}
	}
}

// TestLastOnesStay: without AllowEmpty nothing removes the last members that are
// ours.
func TestLastOnesStay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(mempool.WithMembers(member("i-1", 100, "ours"), member("i-2", 100, "ours"), member("i-9", 100, "theirs")))
		p := pool.New(mem)
		own := pool.PlanOptions{Owner: pool.OwnedBy("ours")}
		if plan, err := p.Plan(t.Context(), servers(9, 9), own); !errors.Is(err, cloudlb.ErrInvalid) {
			t.Errorf("the plan leaves nothing of ours: %v\n%s", err, plan)
		}
		if r, err := p.Replace(t.Context(), []pool.Key{key("i-1"), key("i-2")}, nil, own); !errors.Is(err, cloudlb.ErrInvalid) {
			t.Errorf("Replace leaves nothing of ours: %v\n%s", err, r)
		}
		own.AllowEmpty = true
		if r, err := p.Replace(t.Context(), []pool.Key{key("i-1"), key("i-2")}, nil, own); err != nil {
			t.Errorf("it was allowed: %v\n%s", err, r)
		}
	})
}

// TestMaxChangeAtTheBorder: n of 100 members are a share of n/100, for every n.
func TestMaxChangeAtTheBorder(t *testing.T) {
	t.Parallel()
	var keys []string
	for _, s := range servers(1, 100) {
		keys = append(keys, s.Key.String())
	}
	p := pool.New(mempool.New(mempool.WithServers(keys...)))
	for n := 1; n < 100; n++ {
		desired := servers(n+1, 100)
		if _, err := p.Plan(t.Context(), desired, pool.PlanOptions{MaxChange: float64(n) / 100}); err != nil {
			t.Errorf("%d of 100 with MaxChange %g: %v", n, float64(n)/100, err)
		}
		if _, err := p.Plan(t.Context(), desired, pool.PlanOptions{MaxChange: float64(n)/100 - 0.001}); !errors.Is(err, cloudlb.ErrInvalid) {
			t.Errorf("%d of 100 with less than that allowed: %v", n, err)
		}
	}
}

// TestComesWhileItGoes: a desired member is on its way out, and its key free only
// when it is gone.
func TestComesWhileItGoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		old, young := member("i-1", 100, ""), member("i-1", 100, "")
		old.Phase = driver.Leaving
		p := pool.New(mempool.New(mempool.WithMembers(old, young)))
		plan, err := p.Plan(t.Context(), servers(1, 1), pool.PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if plan.Count(pool.ActionKeep) != 1 || !plan.Empty() {
			t.Errorf("i-1 has come back already: %s", plan)
		}
	})
}
