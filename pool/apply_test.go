package pool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

// servers are the Specs of "i-FIRST:80" to "i-LAST:80".
func servers(first, last int) []pool.Spec {
	var specs []pool.Spec
	for i := first; i <= last; i++ {
		specs = append(specs, pool.Server(fmt.Sprintf("i-%d", i), 80))
	}
	return specs
}

func kinds(mem *mempool.Pool) []string {
	var out []string
	for _, c := range mem.Calls() {
		if c.Change.Kind == "" {
			continue
		}
		out = append(out, fmt.Sprintf("%s %d", c.Change.Kind, len(c.Change.Members)))
	}
	return out
}

// weights are the members with their weights.
func weights(t *testing.T, p *pool.Pool) map[string]int {
	t.Helper()
	out := make(map[string]int)
	for m, err := range p.Members(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		out[m.Key.String()] = m.Weight
	}
	return out
}

func TestPlanAndApply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(mempool.WithServers("i-1:80", "i-2:80", "i-3:80"), mempool.WithDurations(2*time.Second, time.Second, time.Second))
		p := pool.New(mem)
		desired := []pool.Spec{pool.Server("i-1", 80), pool.Weighted("i-2", 80, 50), pool.Server("i-4", 80), pool.Weighted("i-5", 80, 10)}
		plan, err := p.Plan(t.Context(), desired, pool.PlanOptions{MinInService: 3})
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(plan)
		if err != nil {
			t.Fatal(err)
		}
		again, err := pool.ReadPlan(b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(plan, again); d != "" {
			t.Fatal(d)
		}
		report, err := p.Apply(t.Context(), again)
		if err != nil {
			t.Fatalf("%v\n%s", err, report)
		}
		if d := cmp.Diff([]string{"add 2", "set-weight 2", "remove 1"}, kinds(mem)); d != "" {
			t.Error(d)
		}
		if d := cmp.Diff(map[string]int{"i-1:80": 100, "i-2:80": 50, "i-4:80": 100, "i-5:80": 10}, weights(t, p)); d != "" {
			t.Error(d)
		}
		report, err = p.Apply(t.Context(), again)
		if err != nil || !report.Unchanged() {
			t.Errorf("second Apply: %v, %s", err, report)
		}
	})
}

func TestVerbs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(mempool.WithDescription(func(d *driver.Description) { d.Add.Most = 20; d.Remove.Most = 20; d.SetWeight.Most = 20 }))
		p := pool.New(mem)
		ctx := t.Context()
		if r, err := p.Add(ctx, servers(1, 41)...); err != nil || r.Count(pool.Done) != 41 || r.Calls != 3 {
			t.Fatal(err, r)
		}
		if r, err := p.Add(ctx, servers(1, 41)...); err != nil || !r.Unchanged() {
			t.Fatal(err, r)
		}
		if r, err := p.SetWeight(ctx, pool.Weighted("i-1", 80, 0), pool.Weighted("i-2", 80, 100)); err != nil || r.Count(pool.Done) != 1 || r.Count(pool.Unchanged) != 1 {
			t.Fatal(err, r)
		}
		if r, err := p.SetWeight(ctx, pool.Weighted("i-99", 80, 0)); !errors.Is(err, cloudlb.ErrInvalid) {
			t.Fatal(err, r)
		}
		if r, err := p.Replace(ctx, []pool.Key{{Server: "i-1", Port: 80}}, servers(50, 51), pool.PlanOptions{}); err != nil {
			t.Fatal(err, r)
		}
		var keys []pool.Key
		for _, s := range servers(1, 41) {
			keys = append(keys, s.Key)
		}
		if r, err := p.Remove(ctx, keys...); err != nil || r.Calls != 2 || r.Count(pool.Unchanged) != 1 {
			t.Fatal(err, r)
		}
		if d := cmp.Diff(map[string]int{"i-50:80": 100, "i-51:80": 100}, weights(t, p)); d != "" {
			t.Error(d)
		}
	})
}

func TestApplyCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := mempool.New(mempool.WithServers("i-1:80", "i-2:80"))
		p := pool.New(mem)
		plan, err := p.Plan(t.Context(), servers(1, 1), pool.PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		r, err := p.Apply(ctx, plan)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		if r.Count(pool.Incomplete) != 1 || r.Count(pool.Unchanged) != 1 {
			t.Error(r)
		}
		if r, err = p.Apply(t.Context(), plan); err != nil {
			t.Fatal(err, r)
		}
	})
}
