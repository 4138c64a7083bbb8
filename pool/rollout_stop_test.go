package pool_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

// TestRolloutCancelled ends the context at every second, and at every call, of a
// rollout. Members that are whole are back with their weights within the time
// for that, others are named; going on deploys to each exactly once.
func TestRolloutCancelled(t *testing.T) {
	t.Parallel()
	const n = 5
	run := func(t *testing.T, atCall int, after time.Duration, onFailure pool.OnFailure) (calls int, took time.Duration) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		mem := fleetOf(n, mempool.WithDurations(0, 3*time.Second, 0), mempool.WithChecking(5*time.Second), mempool.WithHook(func(mempool.Call) {
			if calls++; calls == atCall {
				cancel()
			}
		}))
		p := pool.New(mem)
		quiet := mempool.New(mempool.WithMembers()) // so that looking does not count as calls of the rollout
		d := &deploys{t: t, p: quiet, takes: 4 * time.Second}
		var broken sync.Map // whose Deploy or Undo has begun, and whose Probe has not said that it is well
		begins := func(f func(context.Context, pool.Member) error) func(context.Context, pool.Member) error {
			return func(ctx context.Context, m pool.Member) error {
				broken.Store(m.Key.String(), true)
				return f(ctx, m)
			}
		}
		o := pool.Rollout{
			MaxUnavailable: 2, MinInService: 2, Drain: 5 * time.Second, Deploy: begins(d.deploy), Deployed: d.deployed, Journal: pool.MemoryJournal(),
			OnFailure: onFailure, Undo: begins(d.undo),
			Probe: func(ctx context.Context, m pool.Member) error {
				select {
				case <-time.After(2 * time.Second):
					broken.Delete(m.Key.String())
				case <-ctx.Done():
				}
				return ctx.Err()
			},
		}
		if onFailure == pool.RollBack {
			d.fail = func(server string, undo bool) error {
				if server == "i-4" && !undo {
					return errors.New("it is sick")
				}
				return nil
			}
		}
		if after > 0 {
			timer := time.AfterFunc(after, cancel)
			defer timer.Stop()
		}
		start := time.Now()
		r, err := p.Rollout(ctx, o)
		took = time.Since(start)
		if ctx.Err() == nil {
			if (err != nil) != (onFailure == pool.RollBack) {
				t.Fatal(err)
			}
			return calls, took
		}
		if err == nil { // it had just ended
			return calls, took
		}
		if !errors.Is(err, context.Canceled) && !errors.Is(err, pool.ErrNotDeployed) {
			t.Fatal(err)
		}
		if took > after+2*time.Minute && after > 0 {
			t.Errorf("it took %s after the context ended", took-after)
		}
		want := fleetWeights(n)
		now := weights(t, p)
		for k, w := range now {
			if _, bad := broken.Load(k); bad && w > 0 {
				t.Errorf("%s gets requests, and nobody knows whether it is well: %v\n%s", k, err, r)
			}
			if w == want[k] {
				continue
			}
			i := slices.IndexFunc(r.Members, func(m pool.RolloutMember) bool { return m.Key.String() == k })
			m := r.Members[i]
			if w != 0 || !m.Out || !strings.Contains(err.Error(), k) {
				t.Errorf("%s has weight %d, want %d: %v\n%s", k, w, want[k], err, r)
			}
			if m.Stage == pool.RolloutOut || m.Stage == pool.RolloutReturning || m.Stage == pool.RolloutDone || m.Stage == pool.RolloutWaiting {
				t.Errorf("%s is whole and stays out: %v\n%s", k, err, r)
			}
		}
		r, err = p.Rollout(t.Context(), o)
		if (err != nil) != (onFailure == pool.RollBack) {
			t.Fatalf("going on: %v\n%s", err, r)
		}
		if diff := cmp.Diff(want, weights(t, p)); diff != "" {
			t.Error(diff)
		}
		if onFailure == pool.RollBack {
			for _, m := range r.Members {
				if deployed, _ := d.deployed(ctx, pool.Member{Key: m.Key}); deployed {
					t.Errorf("%s is deployed still", m.Key)
				}
			}
			return calls, took
		}
		slices.Sort(d.done)
		if diff := cmp.Diff([]string{"i-1", "i-2", "i-3", "i-4", "i-5"}, d.done); diff != "" {
			t.Error(diff)
		}
		return calls, took
	}
	for _, onFailure := range []pool.OnFailure{pool.Stop, pool.RollBack} {
		var calls int
		var took time.Duration
		synctest.Test(t, func(t *testing.T) { calls, took = run(t, 0, 0, onFailure) })
		if calls < 30 || took < 30*time.Second {
			t.Fatal(calls, took)
		}
		for i := range calls + 1 {
			synctest.Test(t, func(t *testing.T) { run(t, i+1, 0, onFailure) })
			if t.Failed() {
				t.Fatalf("%q, at call %d", onFailure, i+1)
			}
		}
		for at := 500 * time.Millisecond; at < took; at += time.Second {
			synctest.Test(t, func(t *testing.T) { run(t, 0, at, onFailure) })
			if t.Failed() {
				t.Fatalf("%q, after %s", onFailure, at)
			}
		}
	}
}

// TestRolloutPanics: members come back as on errors, then the panic goes on.
func TestRolloutPanics(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	panics := func(_ context.Context, m pool.Member) error {
		if m.Server == "i-2" {
			panic(boom)
		}
		return nil
	}
	quiet := func(context.Context, pool.Member) error { return nil }
	tests := []struct {
		name string
		o    pool.Rollout
		left int
		out  []string
	}{
		{name: "Deploy", o: pool.Rollout{Deploy: panics}, left: 1, out: []string{"i-2:80"}},
		{name: "Probe", o: pool.Rollout{Deploy: quiet, Probe: panics}, left: 1, out: []string{"i-2:80"}},
		{name: "Drained", o: pool.Rollout{Deploy: quiet, Drained: panics}},
		{name: "Journal", o: pool.Rollout{Deploy: quiet, Journal: journalFunc(func(n int) error {
			if n == 3 {
				panic(boom)
			}
			return nil
		})}, left: 1},
		{name: "Undo", o: pool.Rollout{
			Deploy: func(_ context.Context, m pool.Member) error {
				if m.Server == "i-3" {
					return errors.New("it is sick")
				}
				return nil
			},
			OnFailure: pool.RollBack, Undo: panics,
		}, left: 1, out: []string{"i-2:80"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := fleetOf(4)
				p := pool.New(mem)
				o := tt.o
				o.MaxUnavailable = 3
				func() {
					defer func() {
						if v := recover(); v != any(boom) {
							t.Errorf("recovered %v, want the panic of the function", v)
						}
					}()
					r, err := p.Rollout(t.Context(), o)
					t.Error("no panic: ", err, r)
				}()
				got := weights(t, p)
				if tt.name == "Journal" { // whoever was the first
					for k := range got {
						if got[k] == 0 && k != "i-4:80" {
							tt.out = append(tt.out, k)
						}
					}
				}
				if len(tt.out) != tt.left {
					t.Errorf("%v stay out, want %d", tt.out, tt.left)
				}
				want := fleetWeights(4)
				for _, k := range tt.out {
					want[k] = 0
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
				// The pool's turn is free again.
				if _, err := p.SetWeight(t.Context(), pool.Weighted("i-4", 80, 1)); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// journalFunc is a journal that asks f before the n-th write.
func journalFunc(f func(n int) error) pool.Journal {
	return &scriptedJournal{Journal: pool.MemoryJournal(), f: f}
}

type scriptedJournal struct {
	pool.Journal
	f func(n int) error
	n int
}

func (j *scriptedJournal) Save(ctx context.Context, content []byte) error {
	j.n++
	if err := j.f(j.n); err != nil {
		return err
	}
	return j.Journal.Save(ctx, content)
}

// TestRolloutAmongOthers: somebody else changes the pool in the middle.
func TestRolloutAmongOthers(t *testing.T) {
	t.Parallel()
	set := func(server string, w int) func([]driver.Member) []driver.Member {
		return func(ms []driver.Member) []driver.Member {
			for i := range ms {
				if ms[i].Server == server {
					ms[i].Weight = w
				}
			}
			return ms
		}
	}
	gone := func(server string) func([]driver.Member) []driver.Member {
		return func(ms []driver.Member) []driver.Member {
			return slices.DeleteFunc(ms, func(m driver.Member) bool { return m.Server == server })
		}
	}
	tests := []struct {
		name  string
		when  string // "draining" or "deploying" i-2
		they  func([]driver.Member) []driver.Member
		err   error
		drift string
		want  map[string]int // that differ from before
		done  int
	}{
		{name: "remove one that is not out yet", when: "deploying", they: gone("i-3"), drift: "i-3:80 gone", want: map[string]int{"i-3:80": -1}, done: 3},
		{name: "remove one that is done", when: "deploying", they: gone("i-1"), want: map[string]int{"i-1:80": -1}, done: 4},
		{name: "remove one that is being drained", when: "draining", they: gone("i-2"), drift: "i-2:80 gone", want: map[string]int{"i-2:80": -1}, done: 3},
		{name: "remove one that is being deployed to", when: "deploying", they: gone("i-2"), drift: "i-2:80 gone", want: map[string]int{"i-2:80": -1}, done: 4},
		{
			name: "add one", when: "deploying", they: func(ms []driver.Member) []driver.Member { return append(ms, member("i-9", 9, "")) },
			want: map[string]int{"i-9:80": 9}, done: 4,
		},
		{name: "set the weight of one that is done", when: "deploying", they: set("i-1", 1), want: map[string]int{"i-1:80": 1}, done: 4},
		{name: "set the weight of one that is not out yet", when: "deploying", they: set("i-3", 3), want: map[string]int{"i-3:80": 3}, done: 4},
		{name: "bring back one that is being deployed to", when: "deploying", they: set("i-2", 7), drift: "i-2:80 at weight 7, not 20", want: map[string]int{"i-2:80": 7}, done: 4},
		{
			name: "bring back one that is being drained", when: "draining", they: set("i-2", 7), err: pool.ErrDrift, drift: "i-2:80 at weight 7, not 0",
			want: map[string]int{"i-2:80": 7}, done: 1,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := fleetOf(4)
				p := pool.New(mem)
				done := 0
				r, err := p.Rollout(t.Context(), pool.Rollout{
					Drained: func(_ context.Context, m pool.Member) error {
						if tt.when == "draining" && m.Server == "i-2" {
							mem.Edit(tt.they)
						}
						return nil
					},
					Deploy: func(_ context.Context, m pool.Member) error {
						if tt.when == "deploying" && m.Server == "i-2" {
							mem.Edit(tt.they)
						}
						done++
						return nil
					},
				})
				if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) {
					t.Errorf("error %v, want %v", err, tt.err)
				}
				if done != tt.done {
					t.Errorf("%d deployed, want %d", done, tt.done)
				}
				if drift := fmt.Sprint(r.Drift); drift != "["+tt.drift+"]" {
					t.Errorf("drift %s, want [%s]", drift, tt.drift)
				}
				want := fleetWeights(4)
				for k, w := range tt.want {
					if want[k] = w; w < 0 {
						delete(want, k)
					}
				}
				if diff := cmp.Diff(want, weights(t, p)); diff != "" {
					t.Error(diff)
				}
			})
		})
	}
}

// TestRolloutLockLost: when another process may have the turn, nothing more is
// changed, and the error says what is left out of service.
func TestRolloutLockLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := fleetOf(3)
		lose := make(chan struct{})
		journal := pool.MemoryJournal()
		p := pool.New(mem, pool.WithLocker(losing{lose}))
		o := pool.Rollout{Journal: journal, Deploy: func(ctx context.Context, _ pool.Member) error {
			close(lose)
			<-ctx.Done()
			return ctx.Err()
		}}
		r, err := p.Rollout(t.Context(), o)
		if !errors.Is(err, pool.ErrLockLost) || !strings.Contains(err.Error(), "i-1:80") || mem.Count(mempool.SetWeight) != 1 {
			t.Error(err, r)
		}
		back, err := pool.New(mem).RestoreFrom(t.Context(), journal)
		if err != nil {
			t.Error(err, back)
		}
		if diff := cmp.Diff(fleetWeights(3), weights(t, p)); diff != "" {
			t.Error(diff)
		}
	})
}

// losing gives turns whose lease ends when lose is closed.
type losing struct{ lose chan struct{} }

func (l losing) Lock(ctx context.Context, key string) (context.Context, func(), error) {
	if !strings.HasPrefix(key, "pool ") {
		return ctx, func() {}, nil
	}
	held, cancel := context.WithCancelCause(ctx)
	stop := make(chan struct{})
	go func() {
		select {
		case <-l.lose:
			cancel(pool.ErrLockLost)
		case <-stop:
		}
	}()
	return held, func() { close(stop); cancel(nil) }, nil
}
