package pool_test

import (
	"fmt"
	"testing"
	"testing/synctest"

	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

// TestLeastCalls: a change takes as few calls as the service's limits allow, for
// any number of members, and none of them is empty.
func TestLeastCalls(t *testing.T) {
	t.Parallel()
	for _, s := range services() {
		for _, n := range []int{0, 1, 19, 20, 21, 40, 41, 200, 201, 1000} {
			if s.name == "slb" && n > 200 {
				continue // a load balancer has no more: see TestLeastCallsBeyondQuotas
			}
			t.Run(fmt.Sprintf("%s/%d", s.name, n), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					// Without the time in which SLB refuses the next change, so that none is repeated.
					cloud := fakecloud.New(fakecloud.WithConfiguringWindow(0))
					drv, _ := s.make(t, cloud, cloud.Config())
					leastCalls(t, pool.New(drv), n, s.spec, func(op string) int { return cloud.Calls(s.name, op) })
					if empty := cloud.EmptyCalls(); len(empty) > 0 {
						t.Errorf("empty calls: %v", empty)
					}
				})
			})
		}
	}
}

// leastCalls fills a pool, changes all weights, empties it, and counts.
func leastCalls(t *testing.T, p *pool.Pool, n int, spec func(int) pool.Spec, calls func(op string) int) {
	t.Helper()
	d, err := p.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	apply := func(what string, weight *int, desired int, verbs ...pool.Verb) {
		t.Helper()
		var members []pool.Spec
		for i := range desired {
			m := spec(i + 1)
			m.Weight = weight
			members = append(members, m)
		}
		before := make(map[string]int)
		for _, v := range verbs {
			before[v.Operation] = calls(v.Operation)
		}
		plan, err := p.Plan(t.Context(), members, pool.PlanOptions{AllowEmpty: true, Drain: pool.NoDrain})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		report, err := p.Apply(t.Context(), plan)
		if err != nil {
			t.Fatalf("%s: %v\n%s", what, err, report)
		}
		want := 0
		for _, v := range verbs {
			least := min(n, 1)
			if v.Most > 0 {
				least = (n + v.Most - 1) / v.Most
			}
			if got := calls(v.Operation) - before[v.Operation]; got != least {
				t.Errorf("%s of %d: %d calls of %s, want %d", what, n, got, v.Operation, least)
			}
			want += least
		}
		if report.Calls != want || plan.Calls() != want {
			t.Errorf("%s of %d: the report counts %d calls, the plan %d, want %d", what, n, report.Calls, plan.Calls(), want)
		}
		got := 0
		for m, err := range p.Members(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if got++; weight != nil && m.Weight != *weight {
				t.Errorf("%s: %s has weight %d", what, m.Key, m.Weight)
			}
		}
		if got != desired {
			t.Errorf("%s: %d members, want %d", what, got, desired)
		}
	}
	apply("add", new(7), n, d.Add)
	apply("reweight", new(9), n, d.SetWeight)
	apply("remove", nil, 0, d.Remove)
}

// TestLeastCallsBeyondQuotas: an SLB load balancer has 200 servers, but a quota
// can be raised.
func TestLeastCallsBeyondQuotas(t *testing.T) {
	t.Parallel()
	for _, n := range []int{201, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud := fakecloud.New()
				lb, _ := slbPool(t, cloud, cloud.Config())
				like, err := lb.Describe(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				mem := mempool.New(mempool.WithDescription(func(d *driver.Description) { *d, d.MaxMembers = like, 0 }))
				services := services()
				leastCalls(t, pool.New(mem), n, services[1].spec, func(op string) int {
					calls := 0
					for _, c := range mem.Calls() {
						if c.Change.Kind != "" && like.Verb(c.Change.Kind).Operation == op {
							calls++
						}
					}
					return calls
				})
			})
		})
	}
}
