package pool_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

// TestEditedPlans: somebody has edited the JSON of a plan. What its lines do not
// say is not done, and nothing is called well that is not.
func TestEditedPlans(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		edit func(*pool.Plan)
	}{
		{"a step removes a member without a line", func(p *pool.Plan) {
			p.Lines = slices.DeleteFunc(p.Lines, func(l pool.Line) bool { return l.Key.Server == "i-1" })
		}},
		{"a step removes a member that the line keeps", func(p *pool.Plan) {
			for i := range p.Lines {
				if p.Lines[i].Key.Server == "i-1" {
					p.Lines[i].Action = pool.ActionKeep
				}
			}
		}},
		{"a step removes a foreign member", func(p *pool.Plan) {
			for i := range p.Lines {
				if p.Lines[i].Key.Server == "i-1" {
					p.Lines[i].Action = pool.ActionForeign
				}
			}
		}},
		{"a line twice", func(p *pool.Plan) { p.Lines = append(p.Lines, p.Lines[0]) }},
		{"an unknown action", func(p *pool.Plan) { p.Lines[0].Action = "destroy" }},
		{"a swap that gives and takes nobody", func(p *pool.Plan) { p.Steps[0].Do, p.Steps[0].Members = driver.Swap, nil }},
		{"an add with members to take out", func(p *pool.Plan) { p.Steps[0].Out = []pool.Spec{pool.Server("i-2", 80)} }},
		{"a member without a server", func(p *pool.Plan) { p.Steps[0].Members[0].Server = "" }},
		{"a negative minimum", func(p *pool.Plan) { p.MinInService = -1 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := mempool.New(mempool.WithServers("i-1:80", "i-2:80"))
				p := pool.New(mem)
				plan, err := p.Plan(t.Context(), servers(2, 3), pool.PlanOptions{Drain: pool.NoDrain})
				if err != nil {
					t.Fatal(err)
				}
				tt.edit(plan)
				b, err := json.Marshal(plan)
				if err != nil {
					t.Fatal(err)
				}
				if plan, err = pool.ReadPlan(b); err == nil {
					var r *pool.Report
					r, err = p.Apply(t.Context(), plan)
					t.Logf("%v\n%s", err, r)
				}
				if !errors.Is(err, cloudlb.ErrInvalid) {
					t.Errorf("error %v, want ErrInvalid", err)
				}
				if n := len(kinds(mem)); n > 0 {
					t.Errorf("%d calls", n)
				}
			})
		})
	}
}

// TestPlanTextIsOneLineAMember: what others have named cannot look like a line of
// the plan.
func TestPlanTextIsOneLineAMember(t *testing.T) {
	t.Parallel()
	p := pool.New(mempool.New())
	plan, err := p.Plan(t.Context(), []pool.Spec{pool.Server("i-1\n- i-2:80\x1b[2J", 80)}, pool.PlanOptions{})
	if err != nil {
		return
	}
	if s := plan.String(); strings.Contains(s, "\n- ") || strings.Contains(s, "\x1b") {
		t.Errorf("the plan says %q", s)
	}
}

// TestPlanAppliedTwiceAtOnce: two processes without a Locker apply the same plan.
func TestPlanAppliedTwiceAtOnce(t *testing.T) {
	t.Parallel()
	for _, s := range services() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { applyTwiceAtOnce(t, s) })
		})
	}
}

func applyTwiceAtOnce(t *testing.T, s service) {
	t.Helper()
	cloud := fakecloud.New()
	drv, _ := s.make(t, cloud, cloud.Config(), s.spec(1), s.spec(2))
	one, two := pool.New(drv), pool.New(foreign{drv})
	plan, err := one.Plan(t.Context(), []pool.Spec{s.spec(3), s.spec(4)}, pool.PlanOptions{Drain: pool.NoDrain})
	if err != nil {
		t.Fatal(err)
	}
	type end struct {
		r   *pool.Report
		err error
	}
	ends := make(chan end)
	for _, p := range []*pool.Pool{one, two} {
		go func() {
			r, err := p.Apply(t.Context(), plan)
			ends <- end{r, err}
		}()
	}
	for range 2 {
		if e := <-ends; e.err != nil {
			t.Errorf("%v\n%s", e.err, e.r)
		}
	}
	if r, err := one.Apply(t.Context(), plan); err != nil || !r.Unchanged() {
		t.Errorf("again: %v\n%s", err, r)
	}
	n := 0
	for m, err := range one.Members(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		if m.Server != s.spec(3).Server && m.Server != s.spec(4).Server {
			t.Errorf("%s is there", m.Key)
		}
		n++
	}
	if n != 2 {
		t.Errorf("%d members, want 2", n)
	}
}
