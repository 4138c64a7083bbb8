package pool_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

// phased is a member in a phase.
func phased(server string, phase driver.Phase) driver.Member {
	m := member(server, 100, "")
	m.Phase = phase
	return m
}

// TestLeavingMembersAreNotTouched: a member on its way out is not removed again,
// and not taken for one that is there.
func TestLeavingMembersAreNotTouched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(mempool.WithMembers(phased("i-1", driver.Leaving), member("i-2", 100, "")))
		p := pool.New(mem)
		plan, err := p.Plan(t.Context(), servers(2, 2), pool.PlanOptions{})
		if err != nil || !plan.Empty() || plan.Count(pool.ActionRemove) != 0 {
			t.Errorf("%v\n%s", err, plan)
		}
		if r, err := p.Remove(t.Context(), key("i-1")); err != nil || !r.Unchanged() {
			t.Errorf("%v\n%s", err, r)
		}
		if r, err := p.SetWeight(t.Context(), pool.Weighted("i-1", 80, 5)); !errors.Is(err, cloudlb.ErrInvalid) {
			t.Errorf("%v\n%s", err, r)
		}
		if n := len(kinds(mem)); n != 0 {
			t.Errorf("%d calls", n)
		}
	})
}

// TestAddLeavesWeightsAlone: Add of a member that is there with another weight.
func TestAddLeavesWeightsAlone(t *testing.T) {
	t.Parallel()
	mem := mempool.New(mempool.WithMembers(member("i-1", 0, ""), member("i-2", 100, "")))
	p := pool.New(mem)
	r, err := p.Add(t.Context(), pool.Weighted("i-1", 80, 100))
	if err != nil || !r.Unchanged() || r.Entries[0].Action != pool.ActionKeep {
		t.Errorf("%v\n%s", err, r)
	}
	if len(r.Drift) != 0 {
		t.Errorf("members that were not named are drift: %v", r.Drift)
	}
	if d := cmp.Diff(map[string]int{"i-1:80": 0, "i-2:80": 100}, weights(t, p)); d != "" {
		t.Error(d)
	}
}

// TestOwnersOfReplaced: Replace removes nobody else's members, and gives those
// that it adds the owner's label.
func TestOwnersOfReplaced(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(mempool.WithMembers(member("i-1", 100, "ours"), member("i-9", 100, "theirs")))
		p := pool.New(mem)
		opts := pool.PlanOptions{Owner: pool.OwnedBy("ours")}
		if r, err := p.Replace(t.Context(), []pool.Key{key("i-9")}, servers(2, 2), opts); !errors.Is(err, cloudlb.ErrInvalid) || len(kinds(mem)) != 0 {
			t.Errorf("%v\n%s", err, r)
		}
		if r, err := p.Replace(t.Context(), []pool.Key{key("i-1")}, servers(2, 2), opts); err != nil {
			t.Errorf("%v\n%s", err, r)
		}
		for m, err := range p.Members(t.Context()) {
			if err != nil || m.Server == "i-2" && m.Label != "ours" {
				t.Errorf("%s has label %q, %v", m.Key, m.Label, err)
			}
		}
		plan, err := p.Plan(t.Context(), servers(2, 2), opts)
		if err != nil || !plan.Empty() {
			t.Fatalf("%v\n%s", err, plan)
		}
		r, err := p.Apply(t.Context(), plan)
		if _, told := endings(r)["i-9:80"]; told || err != nil {
			t.Errorf("the report has members of others: %v\n%s", err, r)
		}
	})
}

// TestMaxChangeCountsWeights: new weights count like removals.
func TestMaxChangeCountsWeights(t *testing.T) {
	t.Parallel()
	p := pool.New(mempool.New(mempool.WithServers("i-1:80", "i-2:80", "i-3:80", "i-4:80")))
	desired := []pool.Spec{pool.Weighted("i-1", 80, 5), pool.Server("i-2", 80), pool.Server("i-3", 80)}
	if plan, err := p.Plan(t.Context(), desired, pool.PlanOptions{MaxChange: 0.25}); !errors.Is(err, cloudlb.ErrInvalid) {
		t.Errorf("2 of 4: %v\n%s", err, plan)
	}
	if _, err := p.Plan(t.Context(), desired, pool.PlanOptions{MaxChange: 0.5}); err != nil {
		t.Error(err)
	}
}

// TestUnevenSwaps: sides of different size, in calls that take few.
func TestUnevenSwaps(t *testing.T) {
	t.Parallel()
	for in := 1; in <= 5; in++ {
		for out := 1; out <= 5; out++ {
			synctest.Test(t, func(t *testing.T) {
				var old []string
				for _, s := range servers(1, out) {
					old = append(old, s.Key.String())
				}
				mem := mempool.New(mempool.WithServers(old...), small(2))
				p := pool.New(mem)
				plan, err := p.Plan(t.Context(), servers(11, 10+in), pool.PlanOptions{SwapAtomically: true, MinInService: min(in, out)})
				if err != nil {
					t.Fatal(err)
				}
				r, err := p.Apply(t.Context(), plan)
				if err != nil || r.Count(pool.Done) != in+out {
					t.Errorf("%d for %d: %v\n%s", in, out, err, r)
				}
				for _, e := range r.Entries {
					if e.RequestID == "" {
						t.Errorf("%d for %d: no request ID for %s", in, out, e.Key)
					}
				}
				if r, err = p.Apply(t.Context(), plan); err != nil || !r.Unchanged() {
					t.Errorf("again: %v\n%s", err, r)
				}
			})
		}
	}
}

// TestTokensOfDifferentCalls: a token is never used for another set of members,
// nor again after its job has failed; and always again for the same call.
func TestTokensOfDifferentCalls(t *testing.T) {
	t.Parallel()
	jobFailed := &cloudlb.Error{Service: "mem", Operation: "WaitForJob", Outcome: cloudlb.OutcomeUnknown, Err: cloudlb.ErrJobFailed}
	for name, tt := range map[string]struct {
		fault mempool.Fault
		same  bool
	}{
		"part":       {fault: mempool.Fault{Op: mempool.Add, Only: []driver.Key{key("i-4")}, Err: &cloudlb.Error{Class: cloudlb.ClassUnavailable, Outcome: cloudlb.OutcomeUnknown}}},
		"job failed": {fault: mempool.Fault{Op: mempool.Add, Err: jobFailed}},
		"lost":       {fault: mempool.Fault{Op: mempool.Add, Err: lostRequest()}, same: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := mempool.New(mempool.WithServers("i-1:80"))
				mem.Inject(tt.fault)
				if r, err := pool.New(mem).Add(t.Context(), servers(3, 4)...); err != nil {
					t.Fatalf("%v\n%s", err, r)
				}
				var tokens []string
				for _, c := range mem.Calls() {
					if c.Op == mempool.Add {
						tokens = append(tokens, c.Change.Token)
					}
				}
				if len(tokens) != 2 || (tokens[0] == tokens[1]) != tt.same {
					t.Errorf("tokens %q, the same: want %v", tokens, tt.same)
				}
			})
		})
	}
}

// TestAwaitStates: what an added member can be while it is waited for.
func TestAwaitStates(t *testing.T) {
	t.Parallel()
	t.Run("unchecked is in service", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			mem := mempool.New(mempool.WithServers("i-1:80"))
			mem.SetHealth(key("i-2"), driver.Unchecked)
			if r, err := pool.New(mem).Replace(t.Context(), []pool.Key{key("i-1")}, servers(2, 2), pool.PlanOptions{MinInService: 1}); err != nil {
				t.Errorf("%v\n%s", err, r)
			}
		})
	})
	t.Run("disabled does not get there", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			mem := mempool.New(mempool.WithServers("i-1:80"), mempool.WithChecking(time.Minute))
			time.AfterFunc(5*time.Second, func() {
				mem.Edit(func(ms []driver.Member) []driver.Member { ms[1].Phase = driver.Disabled; return ms })
			})
			start := time.Now()
			r, err := pool.New(mem).Replace(t.Context(), []pool.Key{key("i-1")}, servers(2, 2), pool.PlanOptions{})
			if !errors.Is(err, pool.ErrNotInService) || time.Since(start) > time.Minute {
				t.Errorf("after %s: %v\n%s", time.Since(start), err, r)
			}
		})
	})
}

// TestKeptMemberGoneInAFailure: a kept member that others have removed is told,
// also when the run fails for another reason; and the first error of a member
// stays its error.
func TestKeptMemberGoneInAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(mempool.WithServers("i-1:80", "i-2:80"))
		p := pool.New(mem)
		plan, err := p.Plan(t.Context(), servers(2, 3), pool.PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		mem.Edit(func(ms []driver.Member) []driver.Member { return ms[:1] })
		mem.Inject(mempool.Fault{Op: mempool.Add, Err: &cloudlb.Error{Class: cloudlb.ClassQuota, Outcome: cloudlb.OutcomeRejected}})
		r, err := p.Apply(t.Context(), plan)
		if !errors.Is(err, cloudlb.ErrQuota) || len(r.Drift) != 1 || r.Drift[0].Key != key("i-2") {
			t.Errorf("%v\n%s", err, r)
		}
		if d := cmp.Diff(map[string]pool.Outcome{"i-1:80": pool.NotAttempted, "i-2:80": pool.Incomplete, "i-3:80": pool.Incomplete}, endings(r)); d != "" {
			t.Error(d)
		}
	})
}

// TestSentBeforeAFailure: what the first of two calls has done is Done, though
// the second was not sent.
func TestSentBeforeAFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(small(1))
		mem.Inject(mempool.Fault{Op: mempool.Add, Skip: 1, Err: &cloudlb.Error{Class: cloudlb.ClassDenied, Outcome: cloudlb.OutcomeNotSent}})
		r, err := pool.New(mem).Add(t.Context(), servers(1, 3)...)
		if !errors.Is(err, cloudlb.ErrDenied) {
			t.Error(err)
		}
		if d := cmp.Diff(map[string]pool.Outcome{"i-1:80": pool.Done, "i-2:80": pool.NotAttempted, "i-3:80": pool.NotAttempted}, endings(r)); d != "" {
			t.Error(d)
		}
	})
}

// TestPartRefusedForGood: of a batch two members fail, one in a way that can pass
// and one for good: the error is the one that cannot be helped.
func TestPartRefusedForGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New()
		drv := twoWays{mem}
		r, err := pool.New(drv).Add(t.Context(), servers(1, 3)...)
		if !errors.Is(err, cloudlb.ErrQuota) {
			t.Errorf("error %v, want ErrQuota\n%s", err, r)
		}
		if n := len(kinds(mem)); n != 1 {
			t.Errorf("%d calls, want 1", n)
		}
	})
}

// twoWays is a driver whose additions fail for the first member in a way that
// can pass, and for the second for good.
type twoWays struct{ *mempool.Pool }

func (d twoWays) Change(ctx context.Context, c driver.Change) (driver.Result, error) {
	if c.Kind != driver.Add || len(c.Members) < 3 {
		return d.Pool.Change(ctx, c)
	}
	failed := []driver.Failure{
		{Key: c.Members[0].Key, Err: lostRequest()},
		{Key: c.Members[1].Key, Err: &cloudlb.Error{Class: cloudlb.ClassQuota, Outcome: cloudlb.OutcomeRejected}},
	}
	c.Members = c.Members[2:]
	res, err := d.Pool.Change(ctx, c)
	res.Failed = failed
	return res, err
}
