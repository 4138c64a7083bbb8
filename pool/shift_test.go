package pool_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
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

// weighted is a pool of members i-1:80, i-2:80, ... with these weights.
func weighted(opts []mempool.Option, weights ...int) *mempool.Pool {
	var members []driver.Member
	for i, w := range weights {
		members = append(members, driver.Member{Key: key(fmt.Sprintf("i-%d", i+1)), Weight: w, Phase: driver.Ready})
	}
	return mempool.New(append(opts, mempool.WithMembers(members...))...)
}

// finest is a pool with APIG's range of weights.
func finest(d *driver.Description) { d.Weights = driver.Weights{Min: 0, Max: 10000, Default: 1} }

func TestPlanShift(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		opts    []mempool.Option
		weights []int // the first is To
		from    []pool.Key
		steps   []float64
		want    []string
	}{
		{"one of two", nil, []int{0, 100}, nil, []float64{1, 5, 25, 50, 75, 100}, []string{
			"1% wanted, 1% real: i-1:80 1, i-2:80 99",
			"5% wanted, 5% real: i-1:80 5, i-2:80 95",
			"25% wanted, 25% real: i-1:80 31, i-2:80 93",
			"50% wanted, 50% real: i-1:80 93, i-2:80 93",
			"75% wanted, 75% real: i-1:80 99, i-2:80 33",
			"100% wanted, 100% real: i-1:80 100, i-2:80 0",
		}},
		{"ratio kept", nil, []int{0, 100, 40, 10}, nil, []float64{10, 60, 100}, []string{
			"10% wanted, 10% real: i-1:80 16, i-2:80 96, i-3:80 38, i-4:80 10",
			"60% wanted, 60% real: i-1:80 99, i-2:80 44, i-3:80 18, i-4:80 4",
			"100% wanted, 100% real: i-1:80 100, i-2:80 0, i-3:80 0, i-4:80 0",
		}},
		// A weight of 1 is ELB's default: to give 1% From has to be lifted first.
		{"lifted", nil, []int{0, 1, 1}, nil, []float64{1, 50, 100}, []string{
			"1% wanted, 1% real: i-1:80 2, i-2:80 99, i-3:80 99",
			"50% wanted, 50% real: i-1:80 100, i-2:80 50, i-3:80 50",
			"100% wanted, 100% real: i-1:80 1, i-2:80 0, i-3:80 0",
		}},
		{"fine weights", []mempool.Option{mempool.WithDescription(finest)}, []int{0, 1}, nil, []float64{0.1, 50}, []string{
			"0.1% wanted, 0.1% real: i-1:80 10, i-2:80 10000",
			"50% wanted, 50% real: i-1:80 9999, i-2:80 10000",
		}},
		// i-3 takes no part, and must get what it got before.
		{"others", nil, []int{0, 100, 100}, []pool.Key{key("i-2")}, []float64{25, 100}, []string{
			"25% wanted, 25% real: i-1:80 25, i-2:80 75",
			"100% wanted, 100% real: i-1:80 100, i-2:80 0",
		}},
		{"nothing left", nil, []int{100, 0, 0}, nil, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := pool.New(weighted(tt.opts, tt.weights...))
			shares, err := p.PlanShift(t.Context(), pool.Shift{To: []pool.Key{key("i-1")}, From: tt.from, Steps: tt.steps})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range shares {
				got = append(got, s.String())
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// TestShares: for random weights shares are as near as whole numbers allow,
// ratios are kept, and every change goes in one direction.
func TestShares(t *testing.T) {
	t.Parallel()
	farthest := 0.0
	for seed := range uint64(600) {
		r := rand.New(rand.NewPCG(seed, 11))
		n, m, most := 1+r.IntN(6), 1+r.IntN(20), 100
		var opts []mempool.Option
		if seed%10 == 0 {
			opts, most = []mempool.Option{mempool.WithDescription(finest)}, 10000
		}
		weights := make([]int, n+m)
		equal := seed%2 == 0
		for i := range weights {
			weights[i] = 1 + r.IntN(most)
			switch {
			case equal && i < n:
				weights[i] = 0
			case equal:
				weights[i] = most
			}
		}
		var to []pool.Key
		for i := range n {
			to = append(to, key(fmt.Sprintf("i-%d", i+1)))
		}
		var steps []float64
		for s := r.Float64() * 20; s < 99; s += 0.1 + r.Float64()*30 {
			steps = append(steps, s)
		}
		steps = append(steps, 100)
		shares, err := pool.New(weighted(opts, weights...)).PlanShift(t.Context(), pool.Shift{To: to, Steps: steps})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		checkShares(t, seed, shares, weights, n, most)
		if equal && most == 100 { // compared with all weights there are
			for _, s := range shares[:len(shares)-1] {
				farthest = max(farthest, wrong(s.Real, s.Wanted)-nearest(s.Wanted, n, m))
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d: weights %v: %v", seed, weights, shares)
		}
	}
	// The price of going in one direction, in percent of the requests.
	t.Logf("at most %.3f%% farther than the nearest share of all", farthest)
	if farthest > 1 {
		t.Errorf("%.3f%% farther than the nearest share", farthest)
	}
}

func wrong(a, b float64) float64 { return max(a-b, b-a) }

// nearest is how near n members come to a share when m others have equal
// weights too.
func nearest(wanted float64, n, m int) float64 {
	least := 100.0
	for a := 1; a <= 100; a++ {
		for b := 1; b <= 100; b++ {
			least = min(least, wrong(100*float64(n*a)/float64(n*a+m*b), wanted))
		}
	}
	return least
}

func checkShares(t *testing.T, seed uint64, shares []pool.Share, before []int, n, most int) {
	t.Helper()
	reference := slices.Clone(before)
	for i, w := range reference {
		if w == 0 {
			reference[i] = slices.Max(before)
		}
	}
	real := func(weights []int) float64 {
		to, all := 0, 0
		for i, w := range weights {
			all += w
			if i < n {
				to += w
			}
		}
		return 100 * float64(to) / float64(all)
	}
	// scaled is a side with the weight k for the heaviest, in the ratio of reference.
	scaled := func(side []int, k int) []int {
		var out []int
		for _, b := range side {
			out = append(out, max(1, int(float64(b)*float64(k)/float64(slices.Max(side))+0.5)))
		}
		return out
	}
	var last []int
	for i, s := range shares {
		var got []int
		for _, w := range s.Weights {
			got = append(got, w.Weight)
		}
		if wrong(s.Real, real(got)) > 1e-9 {
			t.Errorf("seed %d: share %d is %v, weights %v give %v", seed, i, s.Real, got, real(got))
		}
		if i > 0 && s.Real < shares[i-1].Real {
			t.Errorf("seed %d: share %d falls", seed, i)
		}
		to, from := slices.Max(got[:n]), slices.Max(got[n:])
		if s.Wanted == 100 {
			if from != 0 || !slices.Equal(got[:n], reference[:n]) {
				t.Errorf("seed %d: at 100%% weights are %v", seed, got)
			}
			return
		}
		if want := slices.Concat(scaled(reference[:n], to), scaled(reference[n:], from)); !slices.Equal(got, want) || to > most || from > most {
			t.Errorf("seed %d: weights %v, in the ratio they are %v", seed, got, want)
		}
		for j, w := range got {
			if last != nil && (j < n && w < last[j] || j >= n && w > last[j]) {
				t.Errorf("seed %d: weight %d of step %d goes back from %d to %d", seed, j, i, last[j], w)
			}
		}
		// No neighbour is nearer by what matters.
		for _, k := range []int{to - 1, to + 1} {
			if k < 1 || k > most || last != nil && k < slices.Max(last[:n]) {
				continue
			}
			near := real(slices.Concat(scaled(reference[:n], k), got[n:]))
			if wrong(near, s.Wanted) < wrong(s.Real, s.Wanted)-min(s.Wanted, 100-s.Wanted)/100-1e-9 {
				t.Errorf("seed %d: share %v, with %d it is %v, wanted %v", seed, s.Real, k, near, s.Wanted)
			}
		}
		last = got
	}
}

func TestShift(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := weighted([]mempool.Option{mempool.WithDurations(time.Second, time.Second, time.Second)}, 0, 0, 100, 100, 50)
		var events []string
		p := pool.New(mem, pool.WithEvents(func(e pool.Event) { events = append(events, e.String()) }))
		var checked []string
		start := time.Now()
		report, err := p.Shift(t.Context(), pool.Shift{
			To: []pool.Key{key("i-1"), key("i-2")}, Steps: []float64{10, 50, 100}, Bake: 10 * time.Minute, MinInService: 2,
			Check: func(_ context.Context, s pool.Share) error {
				w := weights(t, p)
				checked = append(checked, fmt.Sprintf("%v %d %d", time.Since(start).Truncate(time.Minute), w["i-1:80"], w["i-3:80"]))
				return nil
			},
		})
		if err != nil {
			t.Fatal(err, report)
		}
		if d := cmp.Diff([]string{"10m0s 11 79", "20m0s 99 79", "30m0s 100 0"}, checked); d != "" {
			t.Error(d)
		}
		if len(report.Shares) != 3 || report.Restored || report.Count(pool.Done) != 5 || report.Calls != 5 {
			t.Error(report)
		}
		if d := cmp.Diff(map[string]int{"i-1:80": 100, "i-2:80": 100, "i-3:80": 0, "i-4:80": 0, "i-5:80": 0}, weights(t, p)); d != "" {
			t.Error(d)
		}
		if all := strings.Join(events, "\n"); !strings.Contains(all, "Shift 2/3: 50% of requests (50% wanted)") {
			t.Error(all)
		}
		// There is nothing left to shift.
		report, err = p.Shift(t.Context(), pool.Shift{To: []pool.Key{key("i-1"), key("i-2")}})
		if err != nil || report.Calls != 0 || len(report.Shares) != 0 {
			t.Error(err, report)
		}
	})
}

// TestShiftEnds ends a Shift in every step, in several ways: what remains is
// exactly what was there before.
func TestShiftEnds(t *testing.T) {
	t.Parallel()
	stop := errors.New("too many errors")
	for step := range 4 {
		for name, end := range map[string]func(*mempool.Pool, context.CancelFunc) error{
			"check":  func(*mempool.Pool, context.CancelFunc) error { return stop },
			"cancel": func(_ *mempool.Pool, cancel context.CancelFunc) error { cancel(); return nil },
			"call": func(mem *mempool.Pool, _ context.CancelFunc) error {
				mem.Inject(mempool.Fault{Op: mempool.SetWeight, Err: &cloudlb.Error{Class: cloudlb.ClassDenied, Outcome: cloudlb.OutcomeRejected}})
				return nil
			},
			"unhealthy": func(mem *mempool.Pool, _ context.CancelFunc) error {
				mem.SetHealth(key("i-2"), driver.Unhealthy)
				return nil
			},
		} {
			t.Run(fmt.Sprintf("%s in step %d", name, step+1), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					mem := weighted([]mempool.Option{mempool.WithDurations(time.Second, 2*time.Second, time.Second), mempool.WithDescription(func(d *driver.Description) { d.SetWeight.Most = 2 })}, 0, 7, 100, 93, 50)
					p := pool.New(mem)
					before := weights(t, p)
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					steps := 0
					report, err := p.Shift(ctx, pool.Shift{
						To: []pool.Key{key("i-1"), key("i-2")}, Steps: []float64{5, 20, 60, 100}, Bake: time.Minute, InService: time.Minute,
						Check: func(context.Context, pool.Share) error {
							if steps++; steps == step+1 {
								return end(mem, cancel)
							}
							return nil
						},
					})
					if err == nil {
						if name == "check" || name == "cancel" || step < 3 {
							t.Fatal("no error", report)
						}
						return // the fault came after the last step
					}
					if !report.Restored || report.RestoreErr != nil {
						t.Errorf("%v: %s", err, report)
					}
					if d := cmp.Diff(before, weights(t, p)); d != "" {
						t.Errorf("%v: %s", err, d)
					}
				})
			})
		}
	}
}

// TestShiftCancelled cancels at every call that is made: the old weights are
// back each time, and no member of the pool loses its requests in between.
func TestShiftCancelled(t *testing.T) {
	t.Parallel()
	for at := 1; ; at++ {
		reached := false
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			calls := 0
			mem := weighted([]mempool.Option{mempool.WithDurations(time.Second, 2*time.Second, time.Second), mempool.WithHook(func(mempool.Call) {
				if calls++; calls == at {
					reached = true
					cancel()
				}
			})}, 0, 100, 40)
			p := pool.New(mem)
			report, err := p.Shift(ctx, pool.Shift{To: []pool.Key{key("i-1")}, Steps: []float64{20, 100}, Bake: time.Minute})
			if (err == nil) && reached && len(report.Shares) < 2 || err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("call %d: %v", at, err)
			}
			want := map[string]int{"i-1:80": 0, "i-2:80": 100, "i-3:80": 40}
			if err == nil {
				want = map[string]int{"i-1:80": 100, "i-2:80": 0, "i-3:80": 0}
			}
			if d := cmp.Diff(want, weights(t, p)); d != "" {
				t.Errorf("call %d: %v: %s", at, err, d)
			}
		})
		if !reached {
			if at < 15 {
				t.Errorf("only %d calls", at)
			}
			return
		}
	}
}

func TestShiftCheckPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := pool.New(weighted(nil, 0, 100))
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the panic is gone")
				}
			}()
			_, _ = p.Shift(t.Context(), pool.Shift{To: []pool.Key{key("i-1")}, Check: func(context.Context, pool.Share) error { panic("a bug") }})
		}()
		if d := cmp.Diff(map[string]int{"i-1:80": 0, "i-2:80": 100}, weights(t, p)); d != "" {
			t.Error(d)
		}
	})
}

// TestShiftLate: a call that was given up takes effect afterwards.
func TestShiftLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var mem *mempool.Pool
		mem = weighted([]mempool.Option{mempool.WithHook(func(c mempool.Call) {
			if c.Op == mempool.SetWeight && ctx.Err() == nil {
				cancel()
				mem.Inject(mempool.Fault{Op: mempool.SetWeight, Err: &cloudlb.Error{Class: cloudlb.ClassUnavailable}})
				time.AfterFunc(5*time.Second, func() {
					mem.Edit(func(members []driver.Member) []driver.Member { members[0].Weight = 5; return members })
				})
			}
		})}, 0, 95)
		p := pool.New(mem)
		report, err := p.Shift(ctx, pool.Shift{To: []pool.Key{key("i-1")}})
		if !errors.Is(err, context.Canceled) || !report.Restored {
			t.Error(err, report)
		}
		if d := cmp.Diff(map[string]int{"i-1:80": 0, "i-2:80": 95}, weights(t, p)); d != "" {
			t.Error(d)
		}
	})
}

func TestShiftForeign(t *testing.T) {
	t.Parallel()
	for name, edit := range map[string]func([]driver.Member) []driver.Member{
		"weight": func(members []driver.Member) []driver.Member { members[1].Weight = 3; return members },
		"gone":   func(members []driver.Member) []driver.Member { return slices.Delete(members, 1, 2) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := weighted(nil, 0, 100, 100)
				p := pool.New(mem)
				report, err := p.Shift(t.Context(), pool.Shift{To: []pool.Key{key("i-1")}, Check: func(context.Context, pool.Share) error { mem.Edit(edit); return nil }})
				if !errors.Is(err, pool.ErrDrift) || !report.Restored || len(report.Drift) != 1 {
					t.Error(err, report)
				}
				want := map[string]int{"i-1:80": 0, "i-2:80": 3, "i-3:80": 100}
				if name == "gone" {
					delete(want, "i-2:80")
				}
				if d := cmp.Diff(want, weights(t, p)); d != "" {
					t.Error(d)
				}
			})
		})
	}
}

func TestShiftRefused(t *testing.T) {
	t.Parallel()
	change := func(f func(*driver.Description)) []mempool.Option {
		return []mempool.Option{mempool.WithDescription(f)}
	}
	to := []pool.Key{key("i-1")}
	tests := []struct {
		name string
		opts []mempool.Option
		s    pool.Shift
		want string
	}{
		{"no effect", change(func(d *driver.Description) { d.Weights.Ignored = "it hashes addresses" }), pool.Shift{To: to}, "ignores weights"},
		{"no call", change(func(d *driver.Description) { d.SetWeight = driver.Verb{} }), pool.Shift{To: to}, "no call that changes weights"},
		{"no zero", change(func(d *driver.Description) { d.Weights.Min = 1 }), pool.Shift{To: []pool.Key{key("i-2")}}, "Steps[3] is 100, and weights begin at 1"},
		{"nobody", nil, pool.Shift{}, "To is empty"},
		{"no sources", nil, pool.Shift{To: to, From: []pool.Key{}}, "From is empty"},
		{"falling", nil, pool.Shift{To: to, Steps: []float64{5, 5}}, "steps must rise"},
		{"too much", nil, pool.Shift{To: to, Steps: []float64{101}}, "Steps[0] is 101"},
		{"nothing", nil, pool.Shift{To: to, Steps: []float64{0}}, "Steps[0] is 0"},
		{"absent", nil, pool.Shift{To: []pool.Key{key("i-9")}}, "To[0] i-9:80 is not in the pool"},
		{"both", nil, pool.Shift{To: to, From: to}, "From[0] i-1:80 is the same member as To[0]"},
		{"guard", nil, pool.Shift{To: to, MinInService: 2}, "MinInService is 2, and at 100% 1 members"},
		{"negative", nil, pool.Shift{To: to, InService: -1, RestoreTimeout: -1}, "RestoreTimeout is"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := weighted(tt.opts, 0, 100)
				_, err := pool.New(mem).Shift(t.Context(), tt.s)
				if e, ok := errors.AsType[*cloudlb.Error](err); !ok || e.Class != cloudlb.ClassInvalid || e.Outcome != cloudlb.OutcomeNotSent || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("error %v, want %q", err, tt.want)
				}
				if len(kinds(mem)) > 0 {
					t.Error(kinds(mem))
				}
			})
		})
	}
}

// note is a Journal in memory that can fail.
type note struct {
	b     []byte
	saves int
	fail  int // the save that fails
}

func (n *note) Load(context.Context) ([]byte, error) { return n.b, nil }

func (n *note) Save(_ context.Context, b []byte) error {
	if n.saves++; n.saves == n.fail {
		return errors.New("disk full")
	}
	n.b = slices.Clone(b)
	return nil
}

// world is what is left when a process is killed.
type world struct {
	members []driver.Member
	journal []byte
}

// TestShiftJournal looks at what is left if a Shift is killed before any of its
// calls, goes on from there, and undoes it, with another Pool.
func TestShiftJournal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		before := map[string]int{"i-1:80": 0, "i-2:80": 90, "i-3:80": 30}
		after := map[string]int{"i-1:80": 90, "i-2:80": 0, "i-3:80": 0}
		var worlds []world
		first := &note{}
		var mem *mempool.Pool
		mem = weighted([]mempool.Option{mempool.WithHook(func(mempool.Call) {
			w := world{journal: slices.Clone(first.b)}
			mem.Edit(func(members []driver.Member) []driver.Member { w.members = slices.Clone(members); return members })
			worlds = append(worlds, w)
		})}, 0, 90, 30)
		s := pool.Shift{To: []pool.Key{key("i-1")}, Steps: []float64{10, 40, 100}, Bake: time.Minute, Journal: first}
		if report, err := pool.New(mem).Shift(t.Context(), s); err != nil {
			t.Fatal(err, report)
		}
		worlds = append(worlds, world{members: []driver.Member{{Key: key("i-1"), Weight: 90}, {Key: key("i-2")}, {Key: key("i-3")}}, journal: first.b})
		begun := 0
		for i, w := range worlds {
			p := pool.New(mempool.New(mempool.WithMembers(w.members...)))
			s.Journal = &note{b: slices.Clone(w.journal)}
			if report, err := p.Shift(t.Context(), s); err != nil {
				t.Errorf("call %d: %v %s", i, err, report)
			}
			if d := cmp.Diff(after, weights(t, p)); d != "" {
				t.Errorf("call %d: %s", i, d)
			}
			if len(w.journal) == 0 {
				continue
			}
			begun++
			p = pool.New(mempool.New(mempool.WithMembers(w.members...)))
			if report, err := p.UndoShift(t.Context(), &note{b: slices.Clone(w.journal)}); err != nil || !report.Restored {
				t.Errorf("call %d: %v %s", i, err, report)
			}
			if d := cmp.Diff(before, weights(t, p)); d != "" {
				t.Errorf("call %d: %s", i, d)
			}
		}
		if begun < 15 {
			t.Errorf("only %d worlds", begun)
		}
	})
}

func TestShiftJournalRefused(t *testing.T) {
	t.Parallel()
	record := `{"version":1,"method":"Shift","pool":"mem/local/pool-1","to":[{"server":"i-2","port":80}],"steps":[5,25,50,100]}`
	for name, b := range map[string]string{
		"give it one of its own":   `no JSON`,
		"the record of a Rollout":  `{"method":"Rollout"}`,
		"has version 2":            strings.Replace(record, `"version":1`, `"version":2`, 1),
		"is of pool alb/x/y":       strings.Replace(record, "mem/local/pool-1", "alb/x/y", 1),
		"has 1 steps done of 0":    strings.Replace(record, `"steps"`, `"done":1,"steps"`, 1),
		"an unfinished Shift to o": record,
	} {
		mem := weighted(nil, 0, 100)
		_, err := pool.New(mem).Shift(t.Context(), pool.Shift{To: []pool.Key{key("i-1")}, Journal: &note{b: []byte(b)}})
		if !errors.Is(err, cloudlb.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %q", err, name)
		}
	}
	if _, err := pool.New(weighted(nil, 0, 100)).UndoShift(t.Context(), nil); !errors.Is(err, cloudlb.ErrInvalid) {
		t.Error(err)
	}
}

// TestShiftJournalFails: without its journal a Shift changes nothing, and a
// later failure to write brings the old weights back.
func TestShiftJournalFails(t *testing.T) {
	t.Parallel()
	for _, fail := range []int{1, 2, 3} {
		synctest.Test(t, func(t *testing.T) {
			mem := weighted(nil, 0, 100)
			p := pool.New(mem)
			report, err := p.Shift(t.Context(), pool.Shift{To: []pool.Key{key("i-1")}, Steps: []float64{50, 100}, Bake: pool.NoBake, Journal: &note{fail: fail}})
			if err == nil || !strings.Contains(err.Error(), "disk full") {
				t.Error(err)
			}
			if report.Restored != (fail > 1) || len(kinds(mem)) == 0 != (fail == 1) {
				t.Errorf("save %d: %v, %s", fail, kinds(mem), report)
			}
			if d := cmp.Diff(map[string]int{"i-1:80": 0, "i-2:80": 100}, weights(t, p)); d != "" {
				t.Error(d)
			}
		})
	}
}
