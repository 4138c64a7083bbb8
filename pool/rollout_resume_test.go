package pool_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
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

var errKilled = errors.New("the process is dead")

// process is what one process has: its driver and its journal, which do nothing
// once it is dead. It dies at the n-th write of the journal, before or after it.
type process struct {
	driver.Pool
	journal pool.Journal
	dead    atomic.Bool
	dies    int
	after   bool
	writes  int
}

func (p *process) alive() error {
	if p.dead.Load() {
		return errKilled
	}
	return nil
}

func (p *process) Members(ctx context.Context, health bool) ([]driver.Member, error) {
	if err := p.alive(); err != nil {
		return nil, err
	}
	return p.Pool.Members(ctx, health)
}

func (p *process) Change(ctx context.Context, c driver.Change) (driver.Result, error) {
	if err := p.alive(); err != nil {
		return driver.Result{}, err
	}
	return p.Pool.Change(ctx, c)
}

func (p *process) Load(ctx context.Context) ([]byte, error) { return p.journal.Load(ctx) }

func (p *process) Save(ctx context.Context, content []byte) error {
	p.writes++
	if p.writes == p.dies && !p.after {
		p.dead.Store(true)
	}
	if err := p.alive(); err != nil {
		return err
	}
	if err := p.journal.Save(ctx, content); err != nil {
		return err
	}
	if p.writes == p.dies {
		p.dead.Store(true)
	}
	return p.alive()
}

// deploying is a rollout in a process, whose deploys outlive it.
func (p *process) rollout(d *deploys, o pool.Rollout) pool.Rollout {
	mortal := func(f func(context.Context, pool.Member) error) func(context.Context, pool.Member) error {
		return func(ctx context.Context, m pool.Member) error {
			if err := p.alive(); err != nil {
				return err
			}
			return f(ctx, m)
		}
	}
	o.Release = "v1" // which is not begun again once it is finished
	o.Deploy, o.Undo, o.Deployed, o.Journal = mortal(d.deploy), mortal(d.undo), d.deployed, p
	return o
}

// TestRolloutResumed lets a process die before and after each write of its
// journal. A second one, which may die too, and a third go on: each member is
// deployed to exactly once and has its old weight; or RestoreFrom gives the
// weights back.
func TestRolloutResumed(t *testing.T) {
	t.Parallel()
	const n = 7
	all := []string{"i-1", "i-2", "i-3", "i-4", "i-5", "i-6", "i-7"}
	disable := mempool.WithDescription(func(d *driver.Description) {
		d.Disable, d.Enable = driver.Verb{Operation: "Disable"}, driver.Verb{Operation: "Enable"}
	})
	for name, tt := range map[string]struct {
		o    pool.Rollout
		like mempool.Option
		sick string
	}{
		"one by one":       {},
		"three at a time":  {o: pool.Rollout{MaxUnavailable: 3, MinInService: 2}},
		"by disabling":     {o: pool.Rollout{MaxUnavailable: 3}, like: disable},
		"rolled back":      {o: pool.Rollout{MaxUnavailable: 2, OnFailure: pool.RollBack}, sick: "i-5"},
		"failed, went on":  {o: pool.Rollout{OnFailure: pool.GoOn, MaxFailures: 1}, sick: "i-2"},
		"failed and ended": {o: pool.Rollout{MaxUnavailable: 3}, sick: "i-6"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			kills := 0
			for dies := 1; ; dies++ {
				reached := false
				for _, after := range []bool{false, true} {
					for _, then := range []string{"resume", "die again", "restore"} {
						synctest.Test(t, func(t *testing.T) {
							mem := fleetOf(n, tt.like, mempool.WithDurations(0, time.Second, 0))
							d := &deploys{t: t, p: mem, takes: time.Second}
							d.fail = func(server string, undo bool) error {
								if server == tt.sick && !undo {
									return errors.New("it is sick")
								}
								return nil
							}
							journal := pool.MemoryJournal()
							first := &process{Pool: mem, journal: journal, dies: dies, after: after}
							_, err := pool.New(first).Rollout(t.Context(), first.rollout(d, tt.o))
							if !first.dead.Load() {
								return
							}
							reached = true
							if err == nil && !after {
								t.Error("it was killed, and all is well")
							}
							at := fmt.Sprintf("killed at write %d, after: %t, then %s", dies, after, then)
							p := pool.New(mem)
							if then == "restore" {
								if r, err := p.RestoreFrom(t.Context(), journal); err != nil {
									t.Errorf("%s: %v\n%s", at, err, r)
								}
								if diff := cmp.Diff(fleetWeights(n), weights(t, p)); diff != "" {
									t.Errorf("%s: %s", at, diff)
								}
								r, err := p.Rollout(t.Context(), pool.Rollout{Deploy: d.undo, Journal: journal})
								if err != nil || r.Resumed {
									t.Errorf("%s: anew: %v %s", at, err, r)
								}
								return
							}
							if then == "die again" {
								second := &process{Pool: mem, journal: journal, dies: 1 + dies%3, after: !after}
								_, _ = pool.New(second).Rollout(t.Context(), second.rollout(d, tt.o))
							}
							last := &process{Pool: mem, journal: journal}
							r, err := p.Rollout(t.Context(), last.rollout(d, tt.o))
							if tt.sick == "" {
								if err != nil {
									t.Errorf("%s: %v\n%s", at, err, r)
								}
								slices.Sort(d.done)
								if diff := cmp.Diff(all, d.done); diff != "" {
									t.Errorf("%s: %s", at, diff)
								}
							} else if !errors.Is(err, pool.ErrNotDeployed) && d.undone == nil {
								t.Errorf("%s: error %v", at, err)
							}
							want := fleetWeights(n)
							if tt.o.OnFailure != pool.RollBack && tt.sick != "" && tt.like == nil {
								want[tt.sick+":80"] = 0
							}
							if tt.o.OnFailure == pool.RollBack {
								if r.Count(pool.RolloutUndone) > 0 && r.Count(pool.RolloutDone) > 0 {
									t.Errorf("%s: %s", at, r)
								}
							}
							if diff := cmp.Diff(want, weights(t, p)); diff != "" {
								t.Errorf("%s: %s\n%v\n%s", at, diff, err, r)
							}
							for m, err := range p.Members(t.Context()) {
								if err != nil || m.Phase != driver.Ready {
									t.Errorf("%s: %+v %v", at, m, err)
								}
							}
						})
						if reached {
							kills++
						}
					}
				}
				if t.Failed() {
					return
				}
				if !reached {
					break
				}
			}
			if kills < 60 {
				t.Errorf("%d kills only", kills)
			}
			t.Logf("%d kills", kills)
		})
	}
}

// TestRolloutJournalOfOthers: what a journal says decides what is done.
func TestRolloutJournalOfOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := fleetOf(4)
		p := pool.New(mem)
		journal := pool.MemoryJournal()
		deploy := func(context.Context, pool.Member) error { return nil }
		sick := func(_ context.Context, m pool.Member) error {
			if m.Server == "i-2" {
				return errors.New("it is sick")
			}
			return nil
		}
		if _, err := p.Rollout(t.Context(), pool.Rollout{Release: "v1", Deploy: sick, Journal: journal}); !errors.Is(err, pool.ErrNotDeployed) {
			t.Fatal(err)
		}
		// Another release must not forget who is out, and knows the old weights.
		_, err := p.Rollout(t.Context(), pool.Rollout{Release: "v2", Deploy: deploy, Journal: journal, Members: []pool.Key{key("i-1")}})
		if !errors.Is(err, cloudlb.ErrInvalid) || !strings.Contains(err.Error(), "i-2:80") {
			t.Error(err)
		}
		// The same release does not take up members that it did not begin with.
		mem.Edit(func(ms []driver.Member) []driver.Member { return append(ms, member("i-9", 9, "")) })
		_, err = p.Rollout(t.Context(), pool.Rollout{Release: "v1", Deploy: deploy, Journal: journal, Members: []pool.Key{key("i-9")}})
		if !errors.Is(err, cloudlb.ErrInvalid) || !strings.Contains(err.Error(), "i-9:80") {
			t.Error(err)
		}
		r, err := p.Rollout(t.Context(), pool.Rollout{Release: "v2", Deploy: deploy, Journal: journal})
		if err != nil || r.Resumed || r.Count(pool.RolloutDone) != 5 {
			t.Error(err, r)
		}
		want := fleetWeights(4)
		want["i-9:80"] = 9
		if diff := cmp.Diff(want, weights(t, p)); diff != "" {
			t.Error(diff)
		}
		// A journal that does not say whether a deploy ended needs Deployed.
		unclear := fakeJournal(`{"version":1,"service":"mem","region":"local","pool":"pool-1","members":[{"key":{"server":"i-1","port":80},"weight":10,"stage":"deploying","broken":true}]}`)
		before := mem.Count(mempool.SetWeight)
		if _, err := p.Rollout(t.Context(), pool.Rollout{Deploy: deploy, Journal: unclear}); !errors.Is(err, cloudlb.ErrInvalid) || !strings.Contains(err.Error(), "Deployed") {
			t.Error(err)
		}
		_, err = p.Rollout(t.Context(), pool.Rollout{Deploy: deploy, Journal: unclear, Deployed: func(context.Context, pool.Member) (bool, error) { return false, errKilled }})
		if !errors.Is(err, errKilled) || mem.Count(mempool.SetWeight) != before {
			t.Error(err)
		}
		// A failed load is no reason to begin anew.
		broken := brokenJournal{pool.MemoryJournal()}
		if _, err := p.Rollout(t.Context(), pool.Rollout{Deploy: deploy, Journal: broken}); !errors.Is(err, errKilled) {
			t.Error(err)
		}
		if _, err := p.RestoreFrom(t.Context(), broken); !errors.Is(err, errKilled) {
			t.Error(err)
		}
		if _, err := p.RestoreFrom(t.Context(), nil); !errors.Is(err, cloudlb.ErrInvalid) {
			t.Error(err)
		}
		if r, err := p.RestoreFrom(t.Context(), pool.MemoryJournal()); err != nil || len(r.Members) > 0 {
			t.Error(err, r)
		}
		if mem.Count(mempool.SetWeight) != before {
			t.Error("something was sent")
		}
	})
}

type brokenJournal struct{ pool.Journal }

func (brokenJournal) Load(context.Context) ([]byte, error) { return nil, errKilled }

func fakeJournal(content string) pool.Journal {
	j := pool.MemoryJournal()
	if err := j.Save(context.Background(), []byte(content)); err != nil {
		panic(err)
	}
	return j
}

// TestRolloutIsSafe rolls out over random pools with random faults, deaths and
// ends of the context: never fewer members in service than MinInService, nobody
// who gets requests is deployed to, and trying again ends well.
func TestRolloutIsSafe(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 9))
			n := 2 + r.IntN(8)
			least := r.IntN(n - 1)
			var watching atomic.Int32 // calls of the test itself
			var mem *mempool.Pool
			mem = fleetOf(n, mempool.WithDurations(0, time.Duration(r.IntN(3))*time.Second, 0), mempool.WithChecking(time.Duration(r.IntN(20))*time.Second),
				mempool.WithDescription(func(d *driver.Description) {
					d.SetWeight.Most = 1 + r.IntN(4)
					if seed%4 == 0 {
						d.Disable, d.Enable = driver.Verb{Operation: "Disable", Most: 2}, driver.Verb{Operation: "Enable", Most: 3}
					}
				}),
				mempool.WithHook(func(mempool.Call) {
					if watching.Load() > 0 {
						return
					}
					members, err := quietly{mem, &watching}.Members(context.Background(), false)
					in := 0
					for _, m := range members {
						if m.Weight > 0 && m.Phase != driver.Disabled {
							in++
						}
					}
					if err != nil || in < least {
						t.Errorf("seed %d: %d in service, want %d (%v)", seed, in, least, err)
					}
				}))
			<-time.After(time.Minute)
			d := &deploys{t: t, p: quietly{mem, &watching}, takes: time.Duration(1+r.IntN(30)) * time.Second}
			for range r.IntN(5) {
				f := mempool.Fault{Skip: r.IntN(4), Times: 1 + r.IntN(2)}
				switch r.IntN(4) {
				case 0:
					f.After = true
				case 1:
					f.Err = &cloudlb.Error{Class: cloudlb.ClassUnavailable, Outcome: cloudlb.OutcomeUnknown}
				case 2:
					f.Err = &cloudlb.Error{Class: cloudlb.ClassThrottled, Outcome: cloudlb.OutcomeRejected}
				case 3:
					f.Op = mempool.Health
				}
				mem.Inject(f)
			}
			o := pool.Rollout{MaxUnavailable: 1 + r.IntN(n), MinInService: least, Drain: time.Duration(1+r.IntN(9)) * time.Second}
			journal := pool.MemoryJournal()
			var err error
			var report *pool.RolloutReport
			for try := range 20 {
				proc := &process{Pool: mem, journal: journal}
				ctx, cancel := context.WithCancel(t.Context())
				switch {
				case try < 3 && r.IntN(2) == 0:
					proc.dies, proc.after = 1+r.IntN(12), r.IntN(2) == 0
				case try < 3:
					time.AfterFunc(time.Duration(r.IntN(60))*time.Second, cancel)
				}
				report, err = pool.New(proc).Rollout(ctx, proc.rollout(d, o))
				cancel()
				if err == nil && !proc.dead.Load() {
					break
				}
				<-time.After(2 * time.Second) // mempool does not wait for its last change
			}
			if err != nil {
				t.Fatalf("seed %d: %v\n%s", seed, err, report)
			}
			members, err := mem.Members(t.Context(), false) // a fault may be left for reading health
			if err != nil {
				t.Fatal(err)
			}
			now := make(map[string]int)
			for _, m := range members {
				now[m.Key.String()] = m.Weight
			}
			if diff := cmp.Diff(fleetWeights(n), now); diff != "" {
				t.Errorf("seed %d: %s", seed, diff)
			}
			slices.Sort(d.done)
			if len(d.done) != n || len(slices.Compact(d.done)) != n {
				t.Errorf("seed %d: deployed to %v", seed, d.done)
			}
		})
	}
}

// quietly reads a pool without its hook.
type quietly struct {
	*mempool.Pool
	watching *atomic.Int32
}

func (q quietly) Members(ctx context.Context, health bool) ([]driver.Member, error) {
	q.watching.Add(1)
	defer q.watching.Add(-1)
	return q.Pool.Members(ctx, health)
}
