package poll

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/cloudlb/cloudlb"
)

// mostAtOnce is how many looks of one Shared run at the same time: a slow
// answer holds up its own batch and not the others.
const mostAtOnce = 4

// Shared lets any number of goroutines wait for things that one call can ask
// for in batches: n of them cost ceil(n/Size) calls a round, not n. Its
// goroutines run while somebody waits and end with the last waiter. The zero
// value with its exported fields set is ready.
type Shared[V any] struct {
	Size     int // keys in one call
	Schedule Schedule
	// Missing is how long a key may be unknown to the service, since the wait
	// began or since it was last seen, before it counts as lost: lists lag
	// behind writes.
	Missing time.Duration
	// Look asks for up to Size keys. It returns what is known of them; a key
	// that has not ended is in the map with Ended false.
	Look func(ctx context.Context, keys []string) (map[string]Seen[V], error)

	mu   sync.Mutex
	open map[string]*wait[V] // what is waited for and has not ended
	loop *loop[V]            // nil when nothing is open
}

// Seen is what a look says about a key.
type Seen[V any] struct {
	Value V
	Ended bool
}

// Result is how the wait for a key ended.
type Result[V any] struct {
	Value V
	// Err is nil when the key has ended. Otherwise it wraps cloudlb.ErrLost
	// when the service does not know the key, cloudlb.ErrUnfinished when the
	// context ended or too many polls failed, and else it is the error of the
	// poll.
	Err error
	// Looks counts the polls.
	Looks int
}

// wait is a key that somebody waits for.
type wait[V any] struct {
	key     string
	waiters []chan<- struct{} // told after each look
	pace    pace
	due     time.Time
	asking  bool      // a look is under way
	known   time.Time // when the service last knew the key, at first when it was asked for
	looks   int
	last    error // of the last look
	ended   bool
	value   V
	err     error
}

// loop is what runs while something is open.
type loop[V any] struct {
	stop    context.CancelFunc
	changed chan struct{} // wakes it
	batches [][]*wait[V]  // to be asked for
	looking int           // goroutines that ask
}

func (l *loop[V]) wake() { tell(l.changed) }

func tell(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// join adds a waiter for key.
func (s *Shared[V]) join(ctx context.Context, key string, told chan<- struct{}) *wait[V] {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.open[key]
	if w == nil {
		now := time.Now()
		w = &wait[V]{key: key, pace: pace{pause: s.Schedule.First}, due: now.Add(jitter(s.Schedule.First)), known: now}
		if s.open == nil {
			s.open = make(map[string]*wait[V])
		}
		s.open[key] = w
	}
	w.waiters = append(w.waiters, told)
	if s.loop == nil {
		l := &loop[V]{changed: make(chan struct{}, 1)}
		ctx, l.stop = context.WithCancel(context.WithoutCancel(ctx))
		s.loop = l
		go s.run(ctx, l)
	} else {
		s.loop.wake()
	}
	return w
}

// leave takes a waiter away. The last one takes the key and the loop with it.
func (s *Shared[V]) leave(w *wait[V], told chan<- struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w.waiters = slices.DeleteFunc(w.waiters, func(c chan<- struct{}) bool { return c == told })
	if len(w.waiters) == 0 {
		s.close(w)
	}
}

// close stops asking for a key. The lock is held.
func (s *Shared[V]) close(w *wait[V]) {
	if s.open[w.key] != w {
		return
	}
	delete(s.open, w.key)
	if len(s.open) == 0 {
		s.loop.stop()
		s.loop = nil
	}
}

// run has the keys looked for that are due, until nothing is open.
func (s *Shared[V]) run(ctx context.Context, l *loop[V]) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-l.changed:
		case <-timer.C:
		}
		workers, next := s.round(l, time.Now())
		for range workers {
			go s.work(ctx, l)
		}
		timer.Reset(next)
	}
}

// round queues the keys to look for now. It says how many workers to start, and
// how long until the next key is due. Keys that are nearly due come along: a
// common round costs fewer calls.
func (s *Shared[V]) round(l *loop[V], now time.Time) (workers int, next time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next = 1<<63 - 1
	if s.loop != l {
		return 0, next // over
	}
	due := false
	for _, w := range s.open {
		due = due || !w.asking && !w.due.After(now)
	}
	var keys []*wait[V]
	for _, w := range s.open {
		switch {
		case w.asking:
		case due && !w.due.After(now.Add(w.pace.pause/5)):
			w.asking = true
			keys = append(keys, w)
		default:
			next = min(next, w.due.Sub(now))
		}
	}
	slices.SortFunc(keys, func(a, b *wait[V]) int { return cmp.Or(a.due.Compare(b.due), cmp.Compare(a.key, b.key)) })
	l.batches = slices.AppendSeq(l.batches, slices.Chunk(keys, s.Size))
	workers = min(len(l.batches), mostAtOnce-l.looking)
	l.looking += workers
	return workers, max(next, time.Millisecond)
}

// work asks for one batch after the other until none is left.
func (s *Shared[V]) work(ctx context.Context, l *loop[V]) {
	for {
		batch, keys := s.batch(l)
		if len(batch) == 0 {
			return
		}
		seen, err := s.Look(ctx, keys)
		s.found(l, batch, seen, err)
	}
}

// batch takes the next batch, without the keys that nobody waits for any more.
// It is empty when there is nothing left to ask.
func (s *Shared[V]) batch(l *loop[V]) (batch []*wait[V], keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.loop == l && len(l.batches) > 0 && len(batch) == 0 {
		for _, w := range l.batches[0] {
			if s.open[w.key] == w {
				batch = append(batch, w)
				keys = append(keys, w.key)
			}
		}
		l.batches = l.batches[1:]
	}
	if len(batch) == 0 {
		l.looking--
	}
	return batch, keys
}

// found takes in what a look found.
func (s *Shared[V]) found(l *loop[V], batch []*wait[V], seen map[string]Seen[V], err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.loop != l {
		return // everybody has left meanwhile
	}
	now := time.Now()
	share := 1 - rand.Float64()/5 // of each pause, so that the batch stays together
	for _, w := range batch {
		w.asking = false
		if s.open[w.key] != w {
			continue
		}
		v, known := seen[w.key]
		s.settle(w, v, known, err, now)
		w.due = now.Add(time.Duration(share * float64(w.pace.pause)))
		for _, c := range w.waiters {
			tell(c)
		}
	}
	l.wake()
}

// settle takes in what a look found about a key. The lock is held.
func (s *Shared[V]) settle(w *wait[V], v Seen[V], known bool, err error, now time.Time) {
	w.looks++
	w.last = err
	end := func(err error) {
		w.ended, w.err = true, err
		s.close(w)
	}
	switch {
	case err != nil && !passing(err):
		end(err)
	case !w.pace.next(s.Schedule, err):
		end(tooOften(err))
	case err != nil:
	case known && v.Ended:
		w.value = v.Value
		end(nil)
	case known:
		w.known = now
	case now.Sub(w.known) >= s.Missing:
		end(cloudlb.ErrLost)
	}
}

// WaitAll waits for all keys and returns how each ended. It returns as soon as
// ctx ends; the results then say cloudlb.ErrUnfinished for what is left.
// progress may be nil. It is called when every key that is left has been looked
// for once more, and at the end.
func (s *Shared[V]) WaitAll(ctx context.Context, keys []string, progress func(cloudlb.Progress)) map[string]Result[V] {
	start := time.Now()
	results := make(map[string]Result[V], len(keys))
	type entry struct {
		*wait[V]
		before   int // looks that others had
		reported int // looks at the last report
	}
	told := make(chan struct{}, 1)
	var all, left []*entry
	joined := make(map[string]bool, len(keys))
	for _, key := range keys {
		if joined[key] {
			continue
		}
		joined[key] = true
		w := s.join(ctx, key, told)
		defer s.leave(w, told)
		s.mu.Lock()
		e := &entry{wait: w, before: w.looks, reported: w.looks}
		s.mu.Unlock()
		all = append(all, e)
	}
	left = slices.Clone(all)
	for len(left) > 0 {
		select {
		case <-told:
		case <-ctx.Done():
		}
		over := ctx.Err() != nil
		round, looks := true, 0
		s.mu.Lock()
		left = slices.DeleteFunc(left, func(e *entry) bool {
			looks = max(looks, e.looks-e.before)
			if e.ended {
				results[e.key] = Result[V]{e.value, e.err, e.looks - e.before}
			} else if e.looks == e.reported {
				round = false
			}
			return e.ended
		})
		if round {
			for _, e := range left {
				e.reported = e.looks
			}
		}
		if over {
			for _, e := range left {
				results[e.key] = Result[V]{Err: unfinished(ctx, e.last), Looks: e.looks - e.before}
			}
		}
		s.mu.Unlock()
		if over {
			break
		}
		if progress != nil && round {
			p := cloudlb.Progress{Looks: looks, Elapsed: time.Since(start)}
			for _, e := range all {
				if _, ok := results[e.key]; ok {
					p.Done = append(p.Done, e.key)
				} else {
					p.Left = append(p.Left, e.key)
				}
			}
			progress(p)
		}
	}
	return results
}
