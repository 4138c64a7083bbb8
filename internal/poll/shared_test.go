package poll

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
)

const (
	testSize    = 20
	testMissing = 15 * time.Second
)

// fakeService knows keys and when they end.
type fakeService struct {
	latency time.Duration
	fail    func(keys []string) error // may be nil

	mu      sync.Mutex
	ends    map[string]time.Time // absent: unknown
	calls   []fakeCall
	running int
	most    int // calls at the same time
}

type fakeCall struct {
	at   time.Time
	keys []string
}

func (f *fakeService) set(key string, end time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ends == nil {
		f.ends = make(map[string]time.Time)
	}
	f.ends[key] = end
}

func (f *fakeService) forget(key string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.ends, key)
}

func (f *fakeService) look(ctx context.Context, keys []string) (map[string]Seen[string], error) {
	f.mu.Lock()
	f.calls = append(f.calls, fakeCall{time.Now(), slices.Clone(keys)})
	f.running++
	f.most = max(f.most, f.running)
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		f.running--
		f.mu.Unlock()
	}()
	if f.latency > 0 {
		select {
		case <-time.After(f.latency):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if f.fail != nil {
		if err := f.fail(keys); err != nil {
			return nil, err
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	seen := make(map[string]Seen[string])
	for _, k := range keys {
		if end, ok := f.ends[k]; ok {
			seen[k] = Seen[string]{Value: "result of " + k, Ended: !time.Now().Before(end)}
		}
	}
	return seen, nil
}

// seen returns the calls so far.
func (f *fakeService) seen() []fakeCall {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

func (f *fakeService) shared() *Shared[string] {
	return &Shared[string]{Size: testSize, Schedule: testSchedule, Missing: testMissing, Look: f.look}
}

// rounds groups calls that were made at the same time.
func rounds(calls []fakeCall) [][]fakeCall {
	var out [][]fakeCall
	for _, c := range calls {
		if n := len(out); n > 0 && out[n-1][0].at.Equal(c.at) {
			out[n-1] = append(out[n-1], c)
		} else {
			out = append(out, []fakeCall{c})
		}
	}
	return out
}

func expect(t *testing.T, s *Shared[string], key string) {
	t.Helper()
	r := s.WaitAll(t.Context(), []string{key}, nil)[key]
	if r.Err != nil || r.Value != "result of "+key || r.Looks < 1 {
		t.Errorf("%s: %+v", key, r)
	}
}

// TestSharedRounds: n waits cost ceil(n/size) calls a round, whoever waits.
func TestSharedRounds(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 19, 20, 21, 1000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				const longest = time.Minute
				f := new(fakeService)
				s := f.shared()
				start := time.Now()
				var all sync.WaitGroup
				for i := range n {
					key := fmt.Sprintf("job-%04d", i)
					end := start.Add(rand.N(longest))
					f.set(key, end)
					all.Go(func() {
						expect(t, s, key)
						late := time.Since(end)
						if time.Since(start) < testSchedule.First { // it had ended before the first look
							late = 0
						}
						if late > testSchedule.Cap {
							t.Errorf("%s: the waiter returned %s after its end", key, late)
						}
					})
				}
				all.Wait()
				left := make(map[string]bool)
				for _, c := range f.seen() {
					for _, k := range c.keys {
						left[k] = true
					}
				}
				if len(left) != n {
					t.Fatalf("%d of %d keys were asked for", len(left), n)
				}
				list := rounds(f.seen())
				for i, r := range list {
					asked := make(map[string]bool)
					for _, c := range r {
						for _, k := range c.keys {
							if asked[k] {
								t.Errorf("round %d asks for %s twice", i, k)
							}
							asked[k] = true
						}
					}
					if want := (len(asked) + testSize - 1) / testSize; len(r) != want {
						t.Errorf("round %d: %d calls for %d keys, want %d", i, len(r), len(asked), want)
					}
				}
				// Pauses of at least four fifths of 1, 1.5, 2.25, 3.375 and then 5 s.
				if most := 4 + int((longest+testSchedule.Cap-6*time.Second)/(4*time.Second)) + 1; len(list) > most {
					t.Errorf("%d rounds, want at most %d", len(list), most)
				}
				t.Logf("%d keys: %d rounds, %d calls", n, len(list), len(f.seen()))
			})
		})
	}
}

// TestSharedSlowAnswers: with answers that take time the calls of a round run
// beside each other, a few at once, and a key is still looked for in time.
func TestSharedSlowAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n, longest, latency = 1000, time.Minute, 100 * time.Millisecond
		f := &fakeService{latency: latency}
		s := f.shared()
		start := time.Now()
		var all sync.WaitGroup
		var mu sync.Mutex
		var latest time.Duration
		for i := range n {
			key := fmt.Sprintf("job-%04d", i)
			end := start.Add(rand.N(longest))
			f.set(key, end)
			all.Go(func() {
				expect(t, s, key)
				mu.Lock()
				latest = max(latest, time.Since(end))
				mu.Unlock()
			})
		}
		all.Wait()
		// A round is 50 calls, 4 at once.
		if most := testSchedule.Cap + (n/testSize/mostAtOnce+1)*latency; latest > most {
			t.Errorf("a waiter returned %s after its end, want at most %s", latest, most)
		}
		if f.most > mostAtOnce {
			t.Errorf("%d calls at once, want at most %d", f.most, mostAtOnce)
		}
		t.Logf("%d calls, at most %d at once, latest %s", len(f.seen()), f.most, latest)
	})
}

// TestSharedJoinedOneByOne: waits that begin one after the other come together.
func TestSharedJoinedOneByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 200
		f := new(fakeService)
		s := f.shared()
		end := time.Now().Add(time.Minute)
		var all sync.WaitGroup
		for i := range n {
			key := fmt.Sprintf("job-%04d", i)
			f.set(key, end)
			all.Go(func() { expect(t, s, key) })
			<-time.After(10 * time.Millisecond)
		}
		all.Wait()
		// Alone, each would cost one call every 4 to 5 s: 200 * 16.
		calls := len(f.seen())
		if most := 400; calls > most {
			t.Errorf("%d calls, want at most %d", calls, most)
		}
		t.Logf("%d calls", calls)
	})
}

// TestSharedHungCall: a call that hangs holds up its own batch only.
func TestSharedHungCall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := new(fakeService)
		hung := make(chan struct{})
		f.fail = func(keys []string) error {
			if slices.Contains(keys, "hung") {
				<-hung
			}
			return nil
		}
		s := f.shared()
		start := time.Now()
		f.set("hung", start)
		var all sync.WaitGroup
		all.Go(func() { expect(t, s, "hung") })
		<-time.After(5 * time.Second)
		for i := range 100 {
			key := fmt.Sprint("job-", i)
			f.set(key, time.Now())
			all.Go(func() {
				expect(t, s, key)
				if d := time.Since(start); d > 6*time.Second {
					t.Errorf("%s took %s", key, d)
				}
			})
		}
		<-time.After(55 * time.Second)
		close(hung)
		all.Wait()
	})
}

// TestSharedKey: many waiters of one key are one key.
func TestSharedKey(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := new(fakeService)
		s := f.shared()
		f.set("job", time.Now().Add(20*time.Second))
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { expect(t, s, "job") })
		}
		all.Wait()
		for _, c := range f.seen() {
			if !slices.Equal(c.keys, []string{"job"}) {
				t.Errorf("asked for %v", c.keys)
			}
		}
		if n := len(f.seen()); n > 8 {
			t.Errorf("%d calls in 20 s", n)
		}
	})
}

// TestSharedLeaving: a waiter that leaves disturbs nobody, not even the first
// one, and the last one takes the goroutines along, also from within a call.
// That none is left the bubble proves.
func TestSharedLeaving(t *testing.T) {
	t.Parallel()
	for _, latency := range []time.Duration{0, 3 * time.Second} {
		t.Run(latency.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fakeService{latency: latency}
				s := f.shared()
				start := time.Now()
				f.set("short", start.Add(10*time.Second))
				f.set("endless", start.Add(1000*time.Hour))
				first, leave := context.WithCancel(t.Context())
				var all sync.WaitGroup
				gone := func(ctx context.Context, key string) {
					r := s.WaitAll(ctx, []string{key}, nil)[key]
					if !errors.Is(r.Err, cloudlb.ErrUnfinished) || !errors.Is(r.Err, context.Canceled) {
						t.Errorf("%s: %v", key, r.Err)
					}
				}
				all.Go(func() { gone(first, "short") })
				synctest.Wait()
				all.Go(func() { gone(first, "endless") })
				all.Go(func() { expect(t, s, "short") })
				<-time.After(2500 * time.Millisecond)
				leave()
				synctest.Wait()
				if d := time.Since(start); d != 2500*time.Millisecond {
					t.Errorf("leaving took until %s", d)
				}
				all.Wait()
				if d := time.Since(start); d < 10*time.Second || d > 15*time.Second+latency {
					t.Errorf("the other returned after %s", d)
				}
				after := len(f.seen())
				for _, c := range f.seen() {
					if c.at.After(start.Add(2500*time.Millisecond)) && slices.Contains(c.keys, "endless") {
						t.Errorf("a key that nobody waits for was asked for after %s", c.at.Sub(start))
					}
				}
				<-time.After(time.Hour)
				if n := len(f.seen()); n != after {
					t.Errorf("%d calls after the last waiter left", n-after)
				}
				// And again.
				f.set("again", time.Now())
				expect(t, s, "again")
			})
		})
	}
}

// TestSharedLeavingAndJoining: stopping and starting over leave no wait behind.
func TestSharedLeavingAndJoining(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fakeService{latency: 50 * time.Millisecond}
		s := f.shared()
		end := time.Now().Add(30 * time.Second)
		var all sync.WaitGroup
		for i := range 40 {
			key := fmt.Sprint("job-", i%4)
			f.set(key, end)
			all.Go(func() {
				<-time.After(time.Duration(i) * 700 * time.Millisecond)
				for range 10 {
					ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond+rand.N(2*time.Second))
					s.WaitAll(ctx, []string{key}, nil)
					cancel()
				}
				expect(t, s, key)
			})
		}
		all.Wait()
		if s.loop != nil || len(s.open) != 0 {
			t.Errorf("left: %+v", s)
		}
	})
}

// TestSharedValues: the context of the polls has the values of a waiter's, not
// its end.
func TestSharedValues(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		type key struct{}
		f := new(fakeService)
		s := f.shared()
		s.Look = func(ctx context.Context, keys []string) (map[string]Seen[string], error) {
			if ctx.Value(key{}) != "trace" {
				t.Error("the polls have no values of the waiter's context")
			}
			if _, ok := ctx.Deadline(); ok {
				t.Error("the polls have the waiter's deadline")
			}
			return f.look(ctx, keys)
		}
		f.set("job", time.Now())
		ctx, cancel := context.WithTimeout(context.WithValue(t.Context(), key{}, "trace"), time.Minute)
		defer cancel()
		if r := s.WaitAll(ctx, []string{"job"}, nil)["job"]; r.Err != nil {
			t.Error(r.Err)
		}
	})
}

func TestSharedFailures(t *testing.T) {
	t.Parallel()
	down, throttled, denied := failing(cloudlb.ClassUnavailable), failing(cloudlb.ClassThrottled), failing(cloudlb.ClassDenied)
	for _, c := range []struct {
		name  string
		steps []error // then it has ended
		looks int
		err   error
		open  bool // the error says that the job goes on
	}{
		{"five", repeated(5, down), 6, nil, false},
		{"six", repeated(7, down), 6, down, true},
		{"twice five", slices.Concat(repeated(5, down), repeated(1, nil), repeated(5, down)), 12, nil, false},
		{"thirty throttled", repeated(30, throttled), 31, nil, false},
		{"denied", []error{nil, denied}, 2, denied, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := new(fakeService)
				step := 0
				end := time.Now().Add(1000 * time.Hour)
				f.set("job", end)
				f.fail = func([]string) error {
					if step++; step <= len(c.steps) {
						return c.steps[step-1]
					}
					f.set("job", time.Now())
					return nil
				}
				r := f.shared().WaitAll(t.Context(), []string{"job"}, nil)["job"]
				if c.err == nil && r.Err != nil || c.err != nil && !errors.Is(r.Err, c.err) || errors.Is(r.Err, cloudlb.ErrUnfinished) != c.open {
					t.Errorf("error %v, want %v", r.Err, c.err)
				}
				if r.Looks != c.looks {
					t.Errorf("%d looks, want %d", r.Looks, c.looks)
				}
				if c.name == "thirty throttled" {
					gaps := gapsOf(f.seen())
					checkGaps(t, gaps, seconds(2, 4, 8, 16, 20, 20, 20))
				}
			})
		})
	}
}

func gapsOf(calls []fakeCall) []time.Duration {
	var gaps []time.Duration
	for i := 1; i < len(calls); i++ {
		gaps = append(gaps, calls[i].at.Sub(calls[i-1].at))
	}
	return gaps
}

// TestSharedFailureOfOneBatch: other batches do not have its failure.
func TestSharedFailureOfOneBatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := new(fakeService)
		denied := failing(cloudlb.ClassDenied)
		f.fail = func(keys []string) error {
			if slices.Contains(keys, "job-00") {
				return denied
			}
			return nil
		}
		var keys []string
		for i := range 60 {
			keys = append(keys, fmt.Sprintf("job-%02d", i))
			f.set(keys[i], time.Now())
		}
		bad := 0
		for _, r := range f.shared().WaitAll(t.Context(), keys, nil) {
			if errors.Is(r.Err, denied) {
				bad++
			} else if r.Err != nil {
				t.Error(r.Err)
			}
		}
		if bad != testSize {
			t.Errorf("%d of 60 failed, want %d", bad, testSize)
		}
	})
}

func TestSharedLost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		known    time.Duration // until then the service knows the key
		back     time.Duration // and from then on, 0: never
		from, to time.Duration // of the end
		lost     bool
	}{
		{"never known", 0, 0, testMissing, testMissing + 5*time.Second, true},
		{"known late", 0, 10 * time.Second, 30 * time.Second, 35 * time.Second, false},
		{"vanished", 60 * time.Second, 0, 70 * time.Second, 85 * time.Second, true},
		{"away for a moment", 20 * time.Second, 27 * time.Second, 30 * time.Second, 35 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := new(fakeService)
				start := time.Now()
				end := start.Add(30 * time.Second)
				if c.lost {
					end = start.Add(time.Hour)
				}
				if c.known > 0 {
					f.set("job", end)
					time.AfterFunc(c.known, func() { f.forget("job") })
				}
				if c.back > 0 {
					time.AfterFunc(c.back, func() { f.set("job", end) })
				}
				r := f.shared().WaitAll(t.Context(), []string{"job"}, nil)["job"]
				if errors.Is(r.Err, cloudlb.ErrLost) != c.lost || !c.lost && r.Err != nil {
					t.Errorf("error %v", r.Err)
				}
				if d := time.Since(start); d < c.from || d > c.to {
					t.Errorf("it took %s, want %s to %s", d, c.from, c.to)
				}
				<-time.After(time.Hour) // for the timers
			})
		})
	}
}

// TestSharedStaleResult: how a wait ended for others that are still there is
// not an answer for those that come later.
func TestSharedStaleResult(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := new(fakeService)
		s := f.shared()
		f.set("endless", time.Now().Add(1000*time.Hour))
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		all.Go(func() {
			r := s.WaitAll(ctx, []string{"late", "endless"}, nil)
			if !errors.Is(r["late"].Err, cloudlb.ErrLost) || !errors.Is(r["endless"].Err, cloudlb.ErrUnfinished) {
				t.Errorf("results %v", r)
			}
		})
		<-time.After(time.Minute)
		f.set("late", time.Now())
		expect(t, s, "late")
		cancel()
		all.Wait()
	})
}

// TestSharedRepeatedKeys: a key that is named twice is waited for once.
func TestSharedRepeatedKeys(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := new(fakeService)
		s := f.shared()
		f.set("a", time.Now())
		f.set("b", time.Now())
		var last cloudlb.Progress
		r := s.WaitAll(t.Context(), []string{"a", "b", "a"}, func(p cloudlb.Progress) { last = p })
		if len(r) != 2 || r["a"].Err != nil || r["b"].Err != nil || !slices.Equal(last.Done, []string{"a", "b"}) {
			t.Errorf("results %v, progress %v", r, last)
		}
	})
}

// TestSharedProgress: one report a round and one at the end, whatever others
// wait for.
func TestSharedProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := new(fakeService)
		s := f.shared()
		start := time.Now()
		var keys []string
		for i := range 100 {
			keys = append(keys, fmt.Sprintf("job-%02d", i))
			f.set(keys[i], start.Add(time.Duration(i%2)*20*time.Second))
		}
		var all sync.WaitGroup
		for i := range 200 { // others
			key := fmt.Sprint("other-", i)
			f.set(key, start.Add(time.Minute))
			all.Go(func() {
				<-time.After(time.Duration(i) * 5 * time.Millisecond)
				expect(t, s, key)
			})
		}
		var got []cloudlb.Progress
		s.WaitAll(t.Context(), keys, func(p cloudlb.Progress) {
			if len(p.Done)+len(p.Left) != len(keys) || p.Elapsed != time.Since(start) {
				t.Errorf("progress %+v", p)
			}
			got = append(got, p)
		})
		for i, p := range got {
			if p.Looks < i+1 || i > 0 && p.Looks < got[i-1].Looks { // keys drift apart, the most counts
				t.Errorf("report %d after %d looks", i, p.Looks)
			}
			if last := i == len(got)-1; len(p.Done) < 50 || last != (len(p.Done) == 100) {
				t.Errorf("report %d of %d: %d done", i, len(got), len(p.Done))
			}
		}
		if len(got) < 6 || len(got) > 9 { // 1, 1.5, 2.25, 3.4, 5, 5, 5 s
			t.Errorf("%d reports in 20 s", len(got))
		}
		all.Wait()
	})
}

func testJobs(f *fakeService) Jobs[string] {
	return Jobs[string]{
		Service: "svc", Operation: "WaitForJobs", Field: "ids", Polls: f.shared(),
		Failed: func(v string) error {
			if strings.Contains(v, "bad") {
				return &cloudlb.Error{Service: "svc", Operation: "WaitForJobs", Code: "Bad", Err: cloudlb.ErrJobFailed, Message: v}
			}
			return nil
		},
		Settled:  func(id string) string { return "settled " + id },
		Unlisted: "look elsewhere",
	}
}

// TestJobsTogether: one wait can end in all ways at once, and its error says so
// on one line.
func TestJobsTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := new(fakeService)
		start := time.Now()
		f.set("good", start.Add(3*time.Second))
		f.set("bad", start.Add(3*time.Second))
		f.set("endless", start.Add(1000*time.Hour))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		ended, err := testJobs(f).Wait(ctx, []string{"lost", "bad", "endless", "good", "bad"}, nil)
		if diff := cmp.Diff([]string{"result of bad", "result of good", "result of bad"}, ended); diff != "" {
			t.Errorf("ended (-want +got):\n%s", diff)
		}
		for _, want := range []error{cloudlb.ErrJobFailed, cloudlb.ErrLost, cloudlb.ErrUnfinished, context.DeadlineExceeded} {
			if !errors.Is(err, want) {
				t.Errorf("%v is not %v", err, want)
			}
		}
		text := err.Error()
		for _, want := range []string{"result of bad", "look elsewhere (lost after 1m0s, ", "(endless after 1m0s, "} {
			if !strings.Contains(text, want) {
				t.Errorf("%q does not say %q", text, want)
			}
		}
		if strings.ContainsAny(text, "\r\n") || strings.Contains(text, ", 0 polls") {
			t.Errorf("text %q", text)
		}
		if d := time.Since(start); d != time.Minute {
			t.Errorf("answered after %s", d)
		}
	})
}

func TestJobsUnpolled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := new(fakeService)
		f.fail = func([]string) error { return failing(cloudlb.ClassDenied) }
		var ids []string
		for i := range 50 {
			ids = append(ids, fmt.Sprint("job-", i))
		}
		_, err := testJobs(f).Wait(t.Context(), ids, nil)
		w, ok := errors.AsType[*cloudlb.WaitError](err)
		if !ok || !errors.Is(err, cloudlb.ErrDenied) || errors.Is(err, cloudlb.ErrUnfinished) || !slices.Equal(w.Left, ids) || w.Looks != 1 {
			t.Errorf("error %v", err)
		}
	})
}

func TestJobsLost(t *testing.T) {
	t.Parallel()
	errRead := errors.New("reading failed")
	for _, c := range []struct {
		name string
		ask  func(context.Context) (bool, error)
		err  []error
	}{
		{"nobody asked", nil, []error{cloudlb.ErrLost}},
		{"settled", func(context.Context) (bool, error) { return true, nil }, nil},
		{"not settled", func(context.Context) (bool, error) { return false, nil }, []error{cloudlb.ErrLost}},
		{"unreadable", func(context.Context) (bool, error) { return false, errRead }, []error{cloudlb.ErrLost, errRead}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var opts []cloudlb.WaitOption
				if c.ask != nil {
					opts = append(opts, cloudlb.IfLost(c.ask))
				}
				ended, err := testJobs(new(fakeService)).Wait(t.Context(), []string{"job"}, opts)
				for _, want := range c.err {
					if !errors.Is(err, want) {
						t.Errorf("%v is not %v", err, want)
					}
				}
				if c.err == nil && (err != nil || !slices.Equal(ended, []string{"settled job"})) {
					t.Errorf("ended %v, error %v", ended, err)
				}
				if c.err != nil && len(ended) != 0 {
					t.Errorf("ended %v", ended)
				}
			})
		})
	}
}

func TestJobsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		ids  []string
		opts []cloudlb.WaitOption
		want string // "": no error
	}{
		{"empty set", nil, nil, "ids is empty"},
		{"empty set, asked for", nil, []cloudlb.WaitOption{cloudlb.AllowEmpty()}, ""},
		{"empty ID", []string{"job", ""}, nil, "ids is or has an empty ID"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := new(fakeService)
			ended, err := testJobs(f).Wait(t.Context(), c.ids, c.opts)
			if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, cloudlb.ErrInvalid) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if len(ended) != 0 || len(f.seen()) != 0 {
				t.Errorf("ended %v, %d calls", ended, len(f.seen()))
			}
		})
	}
}
