package poll

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
)

var testSchedule = Schedule{First: time.Second, Cap: 5 * time.Second}

func failing(class cloudlb.Class) error {
	return &cloudlb.Error{Service: "svc", Operation: "Poll", Code: "Code", Class: class}
}

// fakeLoop looks at what the steps say, one after the other, then is done. It
// records when it looked.
type fakeLoop struct {
	Loop

	steps []error // nil: not done yet
	at    []time.Time
}

func newFakeLoop(steps ...error) *fakeLoop {
	f := &fakeLoop{steps: steps}
	f.Loop = Loop{
		Service: "svc", Operation: "WaitForIt", Schedule: testSchedule,
		Left: func() []string {
			if len(f.at) > len(f.steps) {
				return nil
			}
			return []string{"it"}
		},
		Done: func() []string {
			if len(f.at) > len(f.steps) {
				return []string{"it"}
			}
			return nil
		},
		Look: func(context.Context) (bool, error) {
			f.at = append(f.at, time.Now())
			if len(f.at) > len(f.steps) {
				return true, nil
			}
			return false, f.steps[len(f.at)-1]
		},
	}
	return f
}

// gaps are the pauses before each look.
func (f *fakeLoop) gaps(start time.Time) []time.Duration {
	var gaps []time.Duration
	for _, at := range f.at {
		gaps = append(gaps, at.Sub(start))
		start = at
	}
	return gaps
}

// within reports whether a pause is p, shortened by up to a fifth.
func within(gap, p time.Duration) bool { return gap <= p && gap >= p*4/5 }

func repeated(n int, err error) []error { return slices.Repeat([]error{err}, n) }

func seconds(s ...float64) []time.Duration {
	d := make([]time.Duration, len(s))
	for i := range s {
		d[i] = time.Duration(s[i] * float64(time.Second))
	}
	return d
}

func checkGaps(t *testing.T, got, want []time.Duration) {
	t.Helper()
	for i := range want {
		if i >= len(got) || !within(got[i], want[i]) {
			t.Fatalf("pauses %v, want %v, each up to a fifth shorter", got, want)
		}
	}
}

func TestCadence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLoop(repeated(8, nil)...)
		start := time.Now()
		if err := f.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		checkGaps(t, f.gaps(start), seconds(1, 1.5, 2.25, 3.375, 5, 5, 5, 5, 5))
	})
}

// TestJitter: a thousand waits that start together do not look together.
func TestJitter(t *testing.T) {
	t.Parallel()
	seen := make(map[time.Duration]bool)
	for range 1000 {
		d := jitter(5 * time.Second)
		if !within(d, 5*time.Second) {
			t.Fatalf("pause %s", d)
		}
		seen[d] = true
	}
	if len(seen) < 900 {
		t.Errorf("%d different pauses of 1000", len(seen))
	}
	if d := jitter(3); d != 3 {
		t.Errorf("jitter(3ns) = %d", d)
	}
}

// TestFinalPolls: what the next poll would have again ends the wait at once.
func TestFinalPolls(t *testing.T) {
	t.Parallel()
	for _, class := range []cloudlb.Class{
		cloudlb.ClassDenied, cloudlb.ClassInvalid, cloudlb.ClassNotFound, cloudlb.ClassUnauthenticated, cloudlb.ClassUnknown, cloudlb.ClassQuota,
	} {
		t.Run(class.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				bad := failing(class)
				f := newFakeLoop(nil, bad)
				if err := f.Run(t.Context()); !errors.Is(err, bad) || errors.Is(err, cloudlb.ErrUnfinished) {
					t.Errorf("error %v", err)
				}
				if len(f.at) != 2 {
					t.Errorf("%d looks, want 2", len(f.at))
				}
			})
		})
	}
}

func TestFailuresInARow(t *testing.T) {
	t.Parallel()
	down, locked := failing(cloudlb.ClassUnavailable), failing(cloudlb.ClassBusy)
	for _, c := range []struct {
		name  string
		steps []error
		looks int
		err   error
	}{
		{"five", repeated(5, down), 6, nil},
		{"six", repeated(6, down), 6, down},
		{"six busy", repeated(6, locked), 6, locked},
		{"twice five", slices.Concat(repeated(5, down), repeated(1, nil), repeated(5, locked)), 12, nil},
		{"mixed six", slices.Concat(repeated(3, down), repeated(3, locked)), 6, locked},
		{"six around a throttled one", slices.Concat(repeated(5, down), repeated(1, failing(cloudlb.ClassThrottled)), repeated(1, down)), 7, down},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFakeLoop(c.steps...)
				err := f.Run(t.Context())
				if (err == nil) != (c.err == nil) {
					t.Fatalf("error %v, want %v", err, c.err)
				}
				if c.err != nil {
					w, ok := errors.AsType[*cloudlb.WaitError](err)
					if !ok || !errors.Is(err, cloudlb.ErrUnfinished) || !errors.Is(err, c.err) || w.Looks != c.looks || !slices.Equal(w.Left, []string{"it"}) {
						t.Errorf("error %v", err)
					}
				}
				if len(f.at) != c.looks {
					t.Errorf("%d looks, want %d", len(f.at), c.looks)
				}
			})
		})
	}
}

// TestThrottled: throttling slows polling down and never ends a wait.
func TestThrottled(t *testing.T) {
	t.Parallel()
	hinted := func(d time.Duration) error {
		return &cloudlb.Error{Class: cloudlb.ClassThrottled, RetryAfter: d}
	}
	for _, c := range []struct {
		name  string
		steps []error
		want  []time.Duration
	}{
		{"slower and slower", repeated(30, failing(cloudlb.ClassThrottled)), seconds(1, 2, 4, 8, 16, 20, 20, 20, 20)},
		{"back to the cap", slices.Concat(repeated(6, failing(cloudlb.ClassThrottled)), repeated(2, nil)), seconds(1, 2, 4, 8, 16, 20, 20, 5, 5)},
		{"after a hint", []error{hinted(40 * time.Second), nil}, seconds(1, 40, 5)},
		{"after an absurd hint", []error{hinted(time.Hour), nil}, seconds(1, 60, 5)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := newFakeLoop(c.steps...)
				start := time.Now()
				if err := f.Run(t.Context()); err != nil {
					t.Fatal(err)
				}
				checkGaps(t, f.gaps(start), c.want)
			})
		})
	}
}

func TestContextEnds(t *testing.T) {
	t.Parallel()
	errWhy := errors.New("the deploy was called off")
	for _, c := range []struct {
		name  string
		end   func(ctx context.Context) (context.Context, func())
		after time.Duration
		want  []error
	}{
		{"deadline", func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
			return ctx, cancel
		}, 10 * time.Second, []error{context.DeadlineExceeded}},
		{"cancelled", func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithCancel(ctx)
			time.AfterFunc(7*time.Second, cancel)
			return ctx, cancel
		}, 7 * time.Second, []error{context.Canceled}},
		{"cancelled for a reason", func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithCancelCause(ctx)
			time.AfterFunc(7*time.Second, func() { cancel(errWhy) })
			return ctx, func() { cancel(nil) }
		}, 7 * time.Second, []error{context.Canceled, errWhy}},
		{"ended before", func(ctx context.Context) (context.Context, func()) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		}, 0, []error{context.Canceled}},
	} {
		for _, inFlight := range []bool{false, true} {
			name := c.name
			if inFlight {
				name += ", in flight"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					ctx, cancel := c.end(t.Context())
					defer cancel()
					f := newFakeLoop(repeated(100, nil)...)
					if inFlight {
						f.Look = func(ctx context.Context) (bool, error) {
							<-ctx.Done()
							return false, &cloudlb.Error{Class: cloudlb.ClassUnknown, Err: ctx.Err()}
						}
					}
					start := time.Now()
					err := f.Run(ctx)
					if d := time.Since(start) - c.after; d != 0 {
						t.Errorf("answered %s after the end of the context", d)
					}
					for _, want := range append(c.want, cloudlb.ErrUnfinished) {
						if !errors.Is(err, want) {
							t.Errorf("%v is not %v", err, want)
						}
					}
					w, ok := errors.AsType[*cloudlb.WaitError](err)
					if !ok || !slices.Equal(w.Left, []string{"it"}) || w.Elapsed != c.after || !strings.Contains(err.Error(), "(it after ") {
						t.Errorf("error %v", err)
					}
				})
			})
		}
	}
}

// TestContextEndsAfterFailure: the error says why nothing was known.
func TestContextEndsAfterFailure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
		defer cancel()
		f := newFakeLoop(repeated(100, failing(cloudlb.ClassThrottled))...)
		err := f.Run(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, cloudlb.ErrThrottled) || !errors.Is(err, cloudlb.ErrUnfinished) {
			t.Errorf("error %v", err)
		}
	})
}

// TestDoneAtTheEnd: what has ended has ended, even if the context has too.
func TestDoneAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		f := newFakeLoop()
		f.Look = func(context.Context) (bool, error) { cancel(); return true, nil }
		if err := f.Run(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestLoopProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFakeLoop(nil, failing(cloudlb.ClassUnavailable))
		var got []cloudlb.Progress
		f.Progress = func(p cloudlb.Progress) {
			if p.Elapsed <= 0 {
				t.Errorf("elapsed %s", p.Elapsed)
			}
			p.Elapsed = 0
			got = append(got, p)
		}
		if err := f.Run(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := []cloudlb.Progress{{Left: []string{"it"}, Looks: 1}, {Left: []string{"it"}, Looks: 2}, {Done: []string{"it"}, Looks: 3}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestNilContext(t *testing.T) {
	t.Parallel()
	var none context.Context
	if err := newFakeLoop().Run(none); !errors.Is(err, cloudlb.ErrInvalid) {
		t.Errorf("a loop without a context: %v", err)
	}
	jobs := Jobs[string]{Polls: new(Shared[string]), Failed: func(string) error { return nil }}
	if _, err := jobs.Wait(none, []string{"a"}, nil); !errors.Is(err, cloudlb.ErrInvalid) {
		t.Errorf("jobs without a context: %v", err)
	}
}

func TestNilOptions(t *testing.T) {
	t.Parallel()
	o := Options([]cloudlb.WaitOption{nil, cloudlb.AllowEmpty(), nil})
	if !o.AllowEmpty || o.Progress != nil || o.IfLost != nil {
		t.Errorf("options %+v", o)
	}
}
