package pool

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// giveBack brings members back in a bounded time of its own, since the context
// of the turn may have ended, and tries again whatever fails meanwhile. late says
// that the call that took them out may still have an effect.
func (r *run) giveBack(turn context.Context, within time.Duration, members []held, late bool) error {
	if len(members) == 0 {
		return nil
	}
	if lostTurn(turn, nil) {
		return fmt.Errorf("%w: %s may be out of service, and the turn to change that belongs to somebody else", ErrLockLost, keyList(keysOfHeld(members)))
	}
	if within == 0 {
		within = DefaultRestore
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(turn), within)
	defer cancel()
	r.event(Started, keysOfHeld(members), nil, "bringing back what was taken out")
	if late {
		r.calm(ctx, members)
	}
	var last error
	try := func(ctx context.Context) (bool, error) {
		if last = r.look(ctx, false); last == nil {
			last = r.bringBack(ctx, r.stillOut(members))
		}
		if errors.Is(last, cloudlb.ErrInvalid) || errors.Is(last, cloudlb.ErrDenied) {
			return false, last // it does not get better
		}
		return last == nil, nil
	}
	done, err := try(ctx)
	if err == nil && !done {
		left := func() []string { return texts(keysOfHeld(members)) }
		err = r.poll(ctx, effectSchedule, left, try)
	}
	if err == nil {
		return nil
	}
	if last == nil {
		last = err
	}
	return fmt.Errorf("%s may still be out of service: bringing them back failed: %w", keyList(keysOfHeld(members)), last)
}

// calm waits until the effect of a take-out shows whose end nobody has seen:
// brought back before that, members would be taken out afterwards.
func (r *run) calm(ctx context.Context, members []held) {
	start := time.Now()
	longest := r.lateness()
	left := func() []string { return texts(keysOfHeld(members)) }
	_ = r.poll(ctx, effectSchedule, left, func(ctx context.Context) (bool, error) { // giveBack sees what is wrong
		if err := r.look(ctx, false); err != nil {
			return false, err
		}
		moving, out := false, true
		for _, h := range members {
			if m, there := r.seen.present(h.Key); there {
				moving = moving || m.Phase == driver.Changing || m.Phase == driver.Joining
				out = out && r.isOut(*m)
			}
		}
		return !moving && (out || time.Since(start) >= longest), nil
	})
}

// lateness is how long the effect of a call may stay unseen that was under way
// when something ended: as long as lists may lag where one was sent whose effect
// nobody has seen.
func (r *run) lateness() time.Duration {
	if len(r.ledger.blind) > 0 {
		return r.p.visible
	}
	return min(10*time.Second, r.p.visible)
}

// unsure reports errors after which a change may still happen. When the context
// has ended, an error says how the wait for a change ended, not the change.
func unsure(ctx context.Context, err error) bool {
	if ctx.Err() != nil {
		return true
	}
	if e, ok := errors.AsType[*cloudlb.Error](err); ok {
		return e.Outcome == cloudlb.OutcomeUnknown
	}
	return errors.Is(err, cloudlb.ErrUnfinished) || errors.Is(err, ErrNotVisible)
}

// lostTurn reports that somebody else may be changing the pool by now.
func lostTurn(turn context.Context, err error) bool {
	return errors.Is(err, ErrLockLost) || errors.Is(context.Cause(turn), ErrLockLost)
}

// stillOut are the members that get no requests and had some. A weight that
// somebody else has set meanwhile stays.
func (r *run) stillOut(members []held) []held {
	var out []held
	for _, h := range members {
		m, there := r.seen.present(h.Key)
		switch {
		case !there:
			r.drifted(h.Key, "gone")
		case r.isOut(*m):
			out = append(out, h)
		case m.Weight != h.Weight:
			r.drifted(h.Key, fmt.Sprintf("at weight %d, not %d", m.Weight, h.Weight))
		}
	}
	return out
}

// drifted notes once what somebody else did to a member.
func (r *run) drifted(k Key, what string) {
	if slices.ContainsFunc(r.ledger.Drift, func(d Drift) bool { return d.Key == k }) {
		return
	}
	r.ledger.Drift = append(r.ledger.Drift, Drift{Key: k, What: what})
	r.event(Noticed, []Key{k}, nil, "somebody else changed it: it is %s", what)
}

// atOnce calls f for 0 to n-1, several at a time, and returns when all have
// returned. A panic goes on in the caller's goroutine then, so that what is
// deferred there happens; so does runtime.Goexit.
func atOnce(n, most int, f func(i int)) {
	var (
		wg     sync.WaitGroup
		mu     sync.Mutex
		value  any
		exited bool
	)
	turns := make(chan struct{}, max(most, 1))
	for i := range n {
		turns <- struct{}{}
		wg.Go(func() {
			returned := false
			defer func() {
				<-turns
				if v := recover(); !returned {
					mu.Lock()
					defer mu.Unlock()
					if value == nil {
						value = v
					}
					exited = exited || v == nil
				}
			}()
			f(i)
			returned = true
		})
	}
	wg.Wait()
	if value != nil {
		panic(value)
	}
	if exited {
		runtime.Goexit()
	}
}

func keysOfHeld(members []held) []Key {
	keys := make([]Key, len(members))
	for i := range members {
		keys[i] = members[i].Key
	}
	return keys
}

func keysOfMembers(members []Member) []Key {
	keys := make([]Key, len(members))
	for i := range members {
		keys[i] = members[i].Key
	}
	return keys
}
