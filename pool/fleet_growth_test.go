package pool_test

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// hollow is a driver that keeps next to nothing, so that what is measured is
// what package pool needs. All members have weight 100 until the first has been
// given another one.
type hollow struct {
	id      string
	members []pool.Member // shared
	changed atomic.Bool
}

func (h *hollow) Describe(context.Context) (pool.Description, error) {
	verb := func(name string) driver.Verb { return driver.Verb{Operation: name, Most: 200} }
	return pool.Description{
		Service: "mem", Region: "local", ID: h.id, LockKey: h.id, Account: "account",
		Add: verb("Add"), SetWeight: verb("SetWeight"), Remove: verb("Remove"), Weights: driver.Weights{Max: 100, Default: 100},
		NoHealth: "nothing checks it",
	}, nil
}

func (h *hollow) Members(context.Context, bool) ([]pool.Member, error) {
	if !h.changed.Load() {
		return h.members, nil
	}
	members := append([]pool.Member(nil), h.members...)
	members[0].Weight = 50
	return members, nil
}

func (h *hollow) Check(driver.Change) error { return nil }

func (h *hollow) Change(context.Context, driver.Change) (driver.Result, error) {
	h.changed.Store(true)
	return driver.Result{}, nil
}

func (h *hollow) Wait(context.Context, string) error           { return nil }
func (h *hollow) Lock(context.Context, string) (func(), error) { return func() {}, nil }
func (h *hollow) As(any) bool                                  { return false }
func (h *hollow) fleet(n int) []*pool.Pool {
	pools := make([]*pool.Pool, n)
	for i := range pools {
		pools[i] = pool.New(&hollow{id: strconv.Itoa(i), members: h.members})
	}
	return pools
}

func newHollow(members int) *hollow {
	h := &hollow{id: "p", members: make([]pool.Member, members)}
	for i := range h.members {
		h.members[i] = pool.Member{Key: pool.Key{Server: fmt.Sprintf("i-%d", i), Port: 80}, Weight: 100, Phase: driver.Ready}
	}
	return h
}

// heapAtTheEnd is how much memory is in use when the last pool of a fleet of
// pools with 200 members has ended, and what it was told about is all there.
func heapAtTheEnd(tb testing.TB, pools int) int64 {
	tb.Helper()
	desired := reweighed(200, 1)
	f := pool.Fleet{Pools: newHollow(200).fleet(pools), Parallel: 8}
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC() // what finalizers have freed
	runtime.ReadMemStats(&before)
	f.Events = func(e pool.Event) {
		if e.Done == e.Total {
			runtime.GC()
			runtime.GC()
			runtime.ReadMemStats(&after)
		}
	}
	report, err := f.Change(tb.Context(), want(desired...))
	if err != nil || report.Count(pool.Done) != pools {
		tb.Fatal(report, err)
	}
	runtime.KeepAlive(f.Pools)
	return int64(after.HeapAlloc) - int64(before.HeapAlloc)
}

// TestFleetMemory: a pool that is over costs what its line in the report costs,
// not its plan or its members: those would be more than 20,000 bytes.
func TestFleetMemory(t *testing.T) { //nolint:paralleltest // it measures the heap of the process
	few, many := heapAtTheEnd(t, 100), heapAtTheEnd(t, 1100)
	if each := (many - few) / 1000; each > 2500 {
		t.Errorf("%d bytes stay for each pool", each)
	} else {
		t.Logf("%d bytes stay for each pool", each)
	}
}

// BenchmarkFleetMemory shows that a fleet of any size has the same memory for
// each of its pools, and how long a pool takes.
func BenchmarkFleetMemory(b *testing.B) {
	for _, pools := range []int{10, 100, 1000} {
		b.Run(fmt.Sprintf("pools=%d", pools), func(b *testing.B) {
			var heap int64
			for b.Loop() {
				heap = heapAtTheEnd(b, pools)
			}
			b.ReportMetric(float64(heap)/float64(pools), "live-B/pool")
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*pools), "ns/pool")
		})
	}
}

// exchanged is a list in which every tenth member is another one and every
// tenth has another weight.
func exchanged(n int) []pool.Spec {
	specs := reweighed(n, 0)
	for i := range specs {
		switch i % 10 {
		case 3:
			specs[i].Server = "new-" + specs[i].Server
		case 7:
			specs[i].Weight = new(50)
		}
	}
	return specs
}

// TestPlanGrowth counts the allocations of a plan, which are the same on every
// machine: for each member they are as many with 100,000 members as with 1,000.
func TestPlanGrowth(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts those of the whole process
	each := make(map[int]float64)
	for _, n := range []int{1000, 10_000, 100_000} {
		p, desired := pool.New(newHollow(n)), exchanged(n)
		each[n] = testing.AllocsPerRun(2, func() {
			plan, err := p.Plan(t.Context(), desired, pool.PlanOptions{MinInService: 1, MaxChange: 0.5})
			if err != nil || plan.Count(pool.ActionAdd) != n/10 || plan.Count(pool.ActionReweight) != n/10 || plan.Count(pool.ActionRemove) != n/10 {
				t.Fatal(plan, err)
			}
		}) / float64(n)
		if each[n] > each[1000]*1.1 {
			t.Errorf("%d members: %.2f allocations each; 1000: %.2f", n, each[n], each[1000])
		}
	}
	t.Logf("allocations for each member: %v", each)
}

// BenchmarkPlan plans pools of several sizes.
func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10_000, 100_000} {
		b.Run(fmt.Sprintf("members=%d", n), func(b *testing.B) {
			p, desired := pool.New(newHollow(n)), exchanged(n)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := p.Plan(b.Context(), desired, pool.PlanOptions{MinInService: 1}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/member")
		})
	}
}
