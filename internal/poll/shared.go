package poll

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cloudlb/cloudlb"
)

// Shared lets any number of goroutines wait for things that one call can ask
// for in batches: n of them cost ceil(n/Size) calls a round, not n. It runs one
// goroutine while somebody waits and none otherwise. The zero value with its
// exported fields set is ready.
type Shared[V any] struct {
	Size     int // keys in one call
	Schedule Schedule
	// Missing is how long a key may be unknown to the service before it counts
	// as lost: lists lag behind writes.
	Missing time.Duration
	// Look asks for up to Size keys. It returns what is known of them; a key
	// that has not ended is in the map with ended false.
	Look func(ctx context.Context, keys []string) (map[string]Seen[V], error)

	mu      sync.Mutex
	waiting map[string]*wait[V]
	changed chan struct{}      // wakes the loop when somebody joins
	round   chan struct{}      // closed after each look
	stop    context.CancelFunc // of the loop that runs, nil when none does
}

// Seen is what a look says about a key.
type Seen[V any] struct {
	Value V
	Ended bool
}

// wait is a key that somebody waits for.
type wait[V any] struct {
	waiters  int
	joined   time.Time
	due      time.Time
	pause    time.Duration
	failures int
	looks    int
	last     error
	done     chan struct{} // closed when value or err is final
	value    V
	err      error
}

// Result is how the wait for a key ended.
type Result[V any] struct {
	Value V
	// Err is nil when the key has ended, wraps cloudlb.ErrLost when the service
	// does not know it, and is the error of the poll when that is final.
	Err error
}

// Join starts to wait for key. The result arrives on the channel's close and is
// read with result; leave must be called once, whatever happened.
func (s *Shared[V]) Join(ctx context.Context, key string) (done <-chan struct{}, result func() Result[V], leave func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.waiting[key]
	if w == nil {
		now := time.Now()
		first := jitter(s.Schedule.First)
		w = &wait[V]{joined: now, due: now.Add(first), pause: s.Schedule.First, done: make(chan struct{})}
		if s.waiting == nil {
			s.waiting = make(map[string]*wait[V])
		}
		s.waiting[key] = w
	}
	w.waiters++
	if s.stop == nil {
		loop, stop := context.WithCancel(context.WithoutCancel(ctx))
		s.stop = stop
		s.changed = make(chan struct{}, 1)
		go s.run(loop, s.changed)
	} else {
		wake(s.changed)
	}
	result = func() Result[V] {
		s.mu.Lock()
		defer s.mu.Unlock()
		return Result[V]{w.value, w.err}
	}
	leave = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if w.waiters--; w.waiters == 0 && s.waiting[key] == w {
			delete(s.waiting, key)
		}
		if len(s.waiting) == 0 && s.stop != nil {
			s.stop()
			s.stop = nil
		}
	}
	return w.done, result, leave
}

// nextRound is closed after the next look.
func (s *Shared[V]) nextRound() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.round == nil {
		s.round = make(chan struct{})
	}
	return s.round
}

// Looks is how often key was asked for, and the error of the last look.
func (s *Shared[V]) Looks(key string) (looks int, last error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.waiting[key]; w != nil {
		return w.looks, w.last
	}
	return 0, nil
}

func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// run looks for the keys that are due until nobody waits.
func (s *Shared[V]) run(ctx context.Context, changed <-chan struct{}) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		case <-timer.C:
		}
		keys, next := s.due(time.Now())
		for batch := range slices.Chunk(keys, s.Size) {
			seen, err := s.Look(ctx, batch)
			if ctx.Err() != nil {
				return
			}
			s.settle(batch, seen, err)
		}
		if len(keys) > 0 {
			_, next = s.due(time.Now())
		}
		if next > 0 {
			timer.Reset(next)
		}
	}
}

// due returns the keys to look for now, and how long until the next is due.
// Keys that are nearly due come along: a common round costs fewer calls.
func (s *Shared[V]) due(now time.Time) (keys []string, next time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	any := false
	for _, w := range s.waiting {
		if open(w) && !w.due.After(now) {
			any = true
		}
	}
	next = time.Duration(1<<63 - 1)
	for key, w := range s.waiting {
		switch {
		case !open(w):
		case any && !w.due.After(now.Add(w.pause/5)):
			keys = append(keys, key)
		default:
			next = min(next, w.due.Sub(now))
		}
	}
	slices.Sort(keys)
	return keys, max(next, time.Millisecond)
}

func open[V any](w *wait[V]) bool {
	select {
	case <-w.done:
		return false
	default:
		return true
	}
}

// settle takes in what a look found.
func (s *Shared[V]) settle(keys []string, seen map[string]Seen[V], err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	for _, key := range keys {
		w := s.waiting[key]
		if w == nil || !open(w) {
			continue // everybody has left meanwhile
		}
		w.looks++
		w.last = err
		switch v, known := seen[key]; {
		case err != nil && !passing(err):
			w.end(fmt.Errorf("polling: %w", err))
		case err != nil:
			if w.failures++; w.failures > mostFailures {
				w.end(fmt.Errorf("%w: %d polls in a row failed: %w", cloudlb.ErrUnfinished, w.failures, err))
			}
			w.pause *= 2 // a service in trouble is asked less often
		case known && v.Ended:
			w.value = v.Value
			w.end(nil)
		case !known && now.Sub(w.joined) >= s.Missing:
			w.end(cloudlb.ErrLost)
		default:
			w.failures = 0
		}
		w.pause = min(w.pause*3/2, s.Schedule.Cap)
		w.due = now.Add(jitter(w.pause))
	}
	if s.round != nil {
		close(s.round)
		s.round = nil
	}
}

func (w *wait[V]) end(err error) {
	w.err = err
	close(w.done)
}

// WaitAll waits for all keys and returns how each ended. It returns ctx's error
// as soon as ctx ends; the results then say ErrUnfinished for what is left.
// progress may be nil.
func (s *Shared[V]) WaitAll(ctx context.Context, keys []string, progress func(cloudlb.Progress)) map[string]Result[V] {
	start := time.Now()
	results := make(map[string]Result[V], len(keys))
	type joined struct {
		key    string
		done   <-chan struct{}
		result func() Result[V]
	}
	var left []joined
	for _, key := range keys {
		done, result, leave := s.Join(ctx, key)
		defer leave()
		left = append(left, joined{key, done, result})
	}
	report := func() {
		if progress == nil {
			return
		}
		p := cloudlb.Progress{Elapsed: time.Since(start)}
		for _, key := range keys {
			looks, _ := s.Looks(key)
			p.Looks = max(p.Looks, looks)
			if _, ok := results[key]; ok {
				p.Done = append(p.Done, key)
			} else {
				p.Left = append(p.Left, key)
			}
		}
		progress(p)
	}
	for len(left) > 0 {
		var round <-chan struct{} // only for progress
		if progress != nil {
			round = s.nextRound()
		}
		select {
		case <-left[0].done:
		case <-round:
		case <-ctx.Done():
		}
		left = slices.DeleteFunc(left, func(j joined) bool {
			select {
			case <-j.done:
				results[j.key] = j.result()
				return true
			default:
				return false
			}
		})
		if ctx.Err() != nil {
			break
		}
		report()
	}
	for _, j := range left {
		err := fmt.Errorf("%w: %w", cloudlb.ErrUnfinished, context.Cause(ctx))
		if !errors.Is(err, ctx.Err()) {
			err = fmt.Errorf("%w: %w", err, ctx.Err())
		}
		if _, last := s.Looks(j.key); last != nil {
			err = fmt.Errorf("%w; the last poll failed: %w", err, last)
		}
		results[j.key] = Result[V]{Err: err}
	}
	return results
}
