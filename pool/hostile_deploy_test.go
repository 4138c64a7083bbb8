package pool_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

var errFull = errors.New("no space left on device")

// TestJournalOfBlueGreen: a Rollout that is given the journal of a BlueGreen does
// not take it for its own, and does not write over the way back.
func TestJournalOfBlueGreen(t *testing.T) {
	t.Parallel()
	for _, release := range []string{"", "v2"} {
		synctest.Test(t, func(t *testing.T) {
			p := pool.New(weighted(nil, 100, 40))
			j := pool.MemoryJournal()
			if _, err := p.BlueGreen(t.Context(), pool.BlueGreen{New: servers(5, 5), Journal: j}); err != nil {
				t.Fatal(err)
			}
			before, _ := j.Load(t.Context())
			deployed := 0
			r, err := p.Rollout(t.Context(), pool.Rollout{
				Release: release, Journal: j, Drain: pool.NoDrain,
				Deploy: func(context.Context, pool.Member) error { deployed++; return nil },
			})
			if !errors.Is(err, cloudlb.ErrInvalid) || deployed > 0 {
				t.Errorf("release %q: %v, %d deployed\n%s", release, err, deployed, r)
			}
			if _, err := p.RestoreFrom(t.Context(), j); !errors.Is(err, cloudlb.ErrInvalid) {
				t.Errorf("release %q: RestoreFrom: %v", release, err)
			}
			after, _ := j.Load(t.Context())
			if d := cmp.Diff(string(before), string(after)); d != "" {
				t.Errorf("release %q: the journal was written over: %s", release, d)
			}
		})
	}
}

// TestStoppedWhileListsLag: the context ends with the call that takes members
// out, and lists show that half a minute later. Nobody is left out of service,
// whatever helper it was.
func TestStoppedWhileListsLag(t *testing.T) {
	t.Parallel()
	before := map[string]int{"i-1:80": 100, "i-2:80": 40, "i-3:80": 100}
	for name, helper := range map[string]func(ctx context.Context, p *pool.Pool) error{
		"Drain": func(ctx context.Context, p *pool.Pool) error {
			_, err := p.Drain(ctx, pool.Drain{Members: []pool.Key{key("i-1"), key("i-2")}})
			return err
		},
		"Rollout": func(ctx context.Context, p *pool.Pool) error {
			_, err := p.Rollout(ctx, pool.Rollout{MaxUnavailable: 2, Deploy: func(context.Context, pool.Member) error { return nil }})
			return err
		},
		"BlueGreen": func(ctx context.Context, p *pool.Pool) error {
			_, err := p.BlueGreen(ctx, pool.BlueGreen{New: servers(5, 5)})
			return err
		},
		"Shift": func(ctx context.Context, p *pool.Pool) error {
			r, err := p.Shift(ctx, pool.Shift{To: []pool.Key{key("i-3")}, Steps: []float64{100}})
			if !r.Restored {
				t.Errorf("not restored: %s", r)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				mem := weighted([]mempool.Option{mempool.WithHook(func(c mempool.Call) {
					if c.Op == mempool.SetWeight && *c.Change.Members[0].Weight == 0 {
						cancel()
					}
				})}, 100, 40, 100)
				mem.SetLag(30 * time.Second)
				err := helper(ctx, pool.New(mem))
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%v", err)
				}
				mem.SetLag(0)
				if d := cmp.Diff(before, weights(t, pool.New(mem))); d != "" {
					t.Errorf("%v: %s", err, d)
				}
			})
		})
	}
}

// TestBlueGreenGoesBackWithoutJournal: that a journal cannot be written any more
// does not keep the old members from coming back.
func TestBlueGreenGoesBackWithoutJournal(t *testing.T) {
	t.Parallel()
	for full := 1; full <= 4; full++ {
		synctest.Test(t, func(t *testing.T) {
			// One call takes one member, and the second one is refused.
			mem := weighted([]mempool.Option{small(1)}, 100, 40)
			mem.Inject(mempool.Fault{Op: mempool.SetWeight, Skip: 1, Err: &cloudlb.Error{Class: cloudlb.ClassDenied, Outcome: cloudlb.OutcomeRejected}})
			p := pool.New(mem)
			j := journalFunc(func(n int) error {
				if n >= full {
					return errFull
				}
				return nil
			})
			sw, err := p.BlueGreen(t.Context(), pool.BlueGreen{New: servers(5, 5), Journal: j})
			if !errors.Is(err, errFull) || sw.Stage != pool.StageBack {
				t.Errorf("full at %d: %v, %s", full, err, sw.Stage)
			}
			if err != nil && strings.Contains(err.Error(), "not all as before") {
				t.Errorf("full at %d: %v, and it is as before", full, err)
			}
			if d := cmp.Diff(map[string]int{"i-1:80": 100, "i-2:80": 40}, weights(t, p)); d != "" {
				t.Errorf("full at %d: %s", full, d)
			}
			if err := p.Back(t.Context(), sw); !errors.Is(err, errFull) {
				t.Errorf("full at %d: Back: %v", full, err)
			}
		})
	}
}

// TestBlueGreenKeepNewAfterKill: the process was killed while it took the old
// members out, and the new ones are broken when it is called again: KeepNew is
// for a look at them, not for having nobody in service.
func TestBlueGreenKeepNewAfterKill(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := weighted(nil, 100, 40)
		p := pool.New(mem)
		var kept []byte
		j := pool.MemoryJournal()
		killed := journalFunc(func(int) error {
			if b, _ := j.Load(t.Context()); len(b) > 0 {
				kept = b
			}
			return nil
		})
		killed.(*scriptedJournal).Journal = j //nolint:forcetypeassert // journalFunc made it
		o := pool.BlueGreen{New: servers(5, 5), Journal: killed, KeepNew: true, InService: time.Minute}
		if _, err := p.BlueGreen(t.Context(), o); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(kept), `"switching"`) {
			t.Fatalf("kept %s", kept)
		}
		mem.SetHealth(key("i-5"), driver.Unhealthy)
		o.Journal = fakeJournal(string(kept))
		sw, err := p.BlueGreen(t.Context(), o)
		if !errors.Is(err, pool.ErrNotInService) {
			t.Errorf("%v", err)
		}
		if d := cmp.Diff(map[string]int{"i-1:80": 100, "i-2:80": 40, "i-5:80": 100}, weights(t, p)); d != "" {
			t.Errorf("%s %v: %s", sw.Stage, err, d)
		}
	})
}

// TestFinishWhileOldReturns: somebody puts an old member to work by hand while
// Finish waits for the end of requests.
func TestFinishWhileOldReturns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := weighted(nil, 100, 40)
		p := pool.New(mem)
		sw, err := p.BlueGreen(t.Context(), pool.BlueGreen{New: servers(5, 5), Drain: 10 * time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(5*time.Minute, func() {
			mem.Edit(func(members []driver.Member) []driver.Member {
				members[0].Weight = 100
				return members
			})
		})
		if err := p.Finish(t.Context(), sw); !errors.Is(err, pool.ErrDrift) || mem.Count(mempool.Remove) > 0 {
			t.Errorf("%v, %d removals", err, mem.Count(mempool.Remove))
		}
	})
}

// TestFinishWithAClockAhead: the time of the switch is from another machine,
// whose clock is a day ahead.
func TestFinishWithAClockAhead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := pool.New(weighted(nil, 100, 40))
		sw, err := p.BlueGreen(t.Context(), pool.BlueGreen{New: servers(5, 5), Drain: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		sw.At = sw.At.Add(24 * time.Hour)
		start := time.Now()
		if err := p.Finish(t.Context(), sw); err != nil || time.Since(start) > 2*time.Minute {
			t.Errorf("%v after %s", err, time.Since(start))
		}
	})
}

// TestRolloutRemovedWhileAwaited: somebody removes a member that has its weight
// back and is not in service yet. It is skipped, the others go on.
func TestRolloutRemovedWhileAwaited(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mem *mempool.Pool
		mem = weighted([]mempool.Option{mempool.WithHook(func(c mempool.Call) {
			if c.Op != mempool.SetWeight || *c.Change.Members[0].Weight == 0 {
				return
			}
			time.AfterFunc(5*time.Second, func() {
				mem.Edit(func(members []driver.Member) []driver.Member {
					for i, m := range members {
						if m.Server == "i-1" {
							return append(members[:i:i], members[i+1:]...)
						}
					}
					return members
				})
			})
		})}, 100, 40, 100)
		mem.SetHealth(key("i-1"), driver.Unhealthy)
		mem.SetHealth(key("i-2"), driver.Checking)
		time.AfterFunc(3*time.Minute, func() { mem.SetHealth(key("i-2"), driver.HealthUnknown) })
		p := pool.New(mem)
		r, err := p.Rollout(t.Context(), pool.Rollout{
			MaxUnavailable: 2, Drain: pool.NoDrain, InService: 5 * time.Minute,
			Deploy: func(context.Context, pool.Member) error { return nil },
		})
		want := map[string]string{"i-1": "gone", "i-2": "done", "i-3": "done"}
		if d := cmp.Diff(want, stagesOf(r)); d != "" || err != nil {
			t.Errorf("%v: %s\n%s", err, d, r)
		}
	})
}

// TestRestoreFromWhileListsLag: the process was killed right after it took a
// member out, and lists do not show that yet.
func TestRestoreFromWhileListsLag(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		j := pool.MemoryJournal()
		mem := weighted(nil, 100, 40)
		p := pool.New(mem)
		var kept []byte
		_, err := p.Rollout(t.Context(), pool.Rollout{Journal: journalFunc(func(n int) error {
			return nil
		}), Members: []pool.Key{key("i-1")}, Drain: pool.NoDrain, Deploy: func(context.Context, pool.Member) error { return nil }})
		if err != nil {
			t.Fatal(err)
		}
		saved := journalFunc(func(int) error {
			if b, _ := j.Load(t.Context()); kept == nil && len(b) > 0 {
				kept = b
			}
			return nil
		})
		saved.(*scriptedJournal).Journal = j //nolint:forcetypeassert // journalFunc made it
		if _, err := p.Rollout(t.Context(), pool.Rollout{Journal: saved, Members: []pool.Key{key("i-1")}, Drain: pool.NoDrain, Deploy: func(context.Context, pool.Member) error { return nil }}); err != nil {
			t.Fatal(err)
		}
		mem.SetLag(20 * time.Second)
		mem.Edit(func(members []driver.Member) []driver.Member { members[0].Weight = 0; return members })
		if _, err := p.RestoreFrom(t.Context(), fakeJournal(string(kept))); err != nil {
			t.Error(err)
		}
		mem.SetLag(0)
		if d := cmp.Diff(map[string]int{"i-1:80": 100, "i-2:80": 40}, weights(t, p)); d != "" {
			t.Error(d)
		}
	})
}

// TestJoinUnhealthy: a member that is in the pool already does not come into
// service; and a server that joins and meets one error of a read is not lost.
func TestJoinUnhealthy(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := weighted(nil, 100)
		mem.SetHealth(key("i-1"), driver.Unhealthy)
		r, err := pool.New(mem).Join(t.Context(), pool.Join{Member: pool.Server("i-1", 80), Jitter: pool.NoJitter, InService: time.Minute})
		if !errors.Is(err, pool.ErrNotInService) || len(r.Entries) != 1 || r.Entries[0].Err == nil {
			t.Errorf("%v\n%s", err, r)
		}
		mem.Inject(mempool.Fault{Op: mempool.Health, Times: 2})
		if _, err := pool.New(mem).Join(t.Context(), pool.Join{Member: pool.Server("i-2", 80), Jitter: pool.NoJitter}); err != nil {
			t.Errorf("reads failed twice: %v", err)
		}
	})
}
