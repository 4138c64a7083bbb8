package pool_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

// TestBackWhenOldIsGone: somebody removed the old members. Going back would take
// the new ones away too, and there is nobody for their requests.
func TestBackWhenOldIsGone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := weighted(nil, 100, 40, 100)
		p := pool.New(mem)
		sw, err := p.BlueGreen(t.Context(), pool.BlueGreen{New: servers(5, 6), Old: []pool.Key{key("i-1"), key("i-2")}})
		if err != nil {
			t.Fatal(err)
		}
		mem.Edit(func(members []driver.Member) []driver.Member { return members[2:] })
		err = p.Back(t.Context(), sw)
		if !errors.Is(err, pool.ErrDrift) {
			t.Errorf("%v\n%s", err, sw.Report.String())
		}
		if d := cmp.Diff(map[string]int{"i-3:80": 100, "i-5:80": 100, "i-6:80": 100}, weights(t, p)); d != "" {
			t.Error(d)
		}
	})
}

// TestServeLeavesWhatCheckCallsInvalid: the probe of the application answers with
// an error of class invalid, after the member was added.
func TestServeLeavesWhatCheckCallsInvalid(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := weighted(nil, 100)
		bad := &cloudlb.Error{Class: cloudlb.ClassInvalid, Outcome: cloudlb.OutcomeRejected}
		p := pool.New(mem, pool.WithProbe(func(context.Context, pool.Member) error { return bad }))
		err := p.Serve(t.Context(), pool.Join{Member: pool.Server("i-2", 80), Jitter: pool.NoJitter, InService: time.Minute}, pool.Leave{})
		if !errors.Is(err, pool.ErrNotInService) {
			t.Error(err)
		}
		if d := cmp.Diff(map[string]int{"i-1:80": 100}, weights(t, p)); d != "" {
			t.Error(d)
		}
	})
}

// TestServeWhilePoolIsBusy: a server whose pool is busy with others for minutes
// joins after them.
func TestServeWhilePoolIsBusy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := weighted(nil, 100)
		p := pool.New(mem)
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := p.Replace(t.Context(), []pool.Key{key("i-1")}, servers(3, 3), pool.PlanOptions{Drain: 10 * time.Minute}); err != nil {
				t.Error(err)
			}
		})
		<-time.After(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		start := time.Now()
		if _, err := p.Join(ctx, pool.Join{Member: pool.Server("i-2", 80), Jitter: pool.NoJitter}); err != nil || time.Since(start) < 9*time.Minute {
			t.Errorf("%v after %s", err, time.Since(start))
		}
		wg.Wait()
		// A Leave whose context has ended does nothing, and says so.
		ended, end := context.WithCancel(t.Context())
		end()
		if _, err := p.Leave(ended, pool.Leave{Member: key("i-2")}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if d := cmp.Diff(map[string]int{"i-2:80": 100, "i-3:80": 100}, weights(t, p)); d != "" {
			t.Error(d)
		}
	})
}

// TestRolloutJournalFailsAnywhere: whichever write of the journal fails, nobody is
// left out of service but who is named as such, nobody is deployed to twice, and
// calling it again with the journal ends it.
func TestRolloutJournalFailsAnywhere(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 14; n++ {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := weighted(nil, 100, 40, 100)
				p := pool.New(mem)
				var times [3]atomic.Int32
				broken := true
				j := journalFunc(func(i int) error {
					if broken && i >= n {
						return errFull
					}
					return nil
				})
				o := pool.Rollout{
					Release: "v2", Journal: j, Drain: pool.NoDrain, MinInService: 2,
					Deploy: func(_ context.Context, m pool.Member) error {
						times[m.Server[2]-'1'].Add(1)
						return nil
					},
					Deployed: func(_ context.Context, m pool.Member) (bool, error) { return times[m.Server[2]-'1'].Load() > 0, nil },
				}
				r, err := p.Rollout(t.Context(), o)
				if (err == nil) != (r.Count(pool.RolloutDone) == 3) && !errors.Is(err, errFull) {
					t.Errorf("%v\n%s", err, r)
				}
				now := weights(t, p)
				for _, m := range r.Members {
					if out := now[m.Key.String()] == 0; out != m.Out {
						t.Errorf("%s: out %v, reported %v: %v", m.Key, out, m.Out, err)
					}
				}
				broken = false
				if r, err := p.Rollout(t.Context(), o); err != nil || r.Count(pool.RolloutDone) != 3 {
					t.Errorf("again: %v\n%s", err, r)
				}
				if d := cmp.Diff(map[string]int{"i-1:80": 100, "i-2:80": 40, "i-3:80": 100}, weights(t, p)); d != "" {
					t.Error(d)
				}
				for i := range times {
					if k := times[i].Load(); k != 1 {
						t.Errorf("i-%d was deployed to %d times", i+1, k)
					}
				}
			})
		})
	}
}

// TestEvacuateSavedTwice: the first Save was for nothing, because the change
// failed, and the weights were changed by others since. Restore takes the last.
func TestEvacuateSavedTwice(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := weighted(nil, 100, 40)
		fleet := &pool.Fleet{Pools: []*pool.Pool{pool.New(mem)}}
		var saved []pool.Evacuated
		opts := pool.EvacuateOptions{Save: func(e pool.Evacuated) error { saved = append(saved, e); return nil }}
		mem.Inject(mempool.Fault{Op: mempool.SetWeight, Err: &cloudlb.Error{Class: cloudlb.ClassDenied, Outcome: cloudlb.OutcomeRejected}})
		if _, err := fleet.Evacuate(t.Context(), among("i-2"), opts); !errors.Is(err, cloudlb.ErrDenied) {
			t.Fatal(err)
		}
		mem.Edit(func(members []driver.Member) []driver.Member { members[1].Weight = 70; return members })
		if _, err := fleet.Evacuate(t.Context(), among("i-2"), opts); err != nil {
			t.Fatal(err)
		}
		if _, err := fleet.Restore(t.Context(), saved); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(map[string]int{"i-1:80": 100, "i-2:80": 70}, weights(t, fleet.Pools[0])); d != "" {
			t.Error(d)
		}
	})
}

// TestFleetHangingPool: a pool that hangs keeps no other from being changed.
func TestFleetHangingPool(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		fleet, mems := memFleet(3)
		hangs := mempool.New(mempool.WithDescription(func(d *driver.Description) { d.ID = "hangs" }), mempool.WithServers("i-1:80"),
			mempool.WithDurations(24*time.Hour, 24*time.Hour, 24*time.Hour))
		fleet.Pools = append(fleet.Pools, pool.New(hangs))
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		r, err := fleet.Change(ctx, want(halves()...))
		if !errors.Is(err, context.DeadlineExceeded) || r.Count(pool.Done) != len(mems) || len(r.Failed()) != 1 || r.Failed()[0].Outcome != pool.Incomplete {
			t.Errorf("%v\n%s", err, r)
		}
	})
}
