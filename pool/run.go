package pool

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/poll"
	"github.com/cloudlb/cloudlb/pool/driver"
)

const (
	// mostTries is how often one call is made again after it was read back and
	// found not to have done its work.
	mostTries = 4
	// mostProbes is how many members are probed at the same time.
	mostProbes = 16
)

// How waits look: the effect of a change shows in seconds, health checks take
// tens of them.
var (
	effectSchedule = poll.Schedule{First: time.Second, Cap: 5 * time.Second}
	healthSchedule = poll.Schedule{First: 2 * time.Second, Cap: 10 * time.Second}
)

// run is one method at work on one pool. It has the pool's lock.
type run struct {
	p      *Pool
	method string
	start  time.Time
	d      Description
	seen   *snapshot
	ledger *ledger
	min    int // MinInService
	ignore bool
	steps  int // done, for events
	total  int
}

// begin takes the pool's lock and looks at it. The context that it returns ends
// when the lock is lost; end gives the lock back.
func (p *Pool) begin(ctx context.Context, method string, withHealth bool) (r *run, held context.Context, end func(), err error) {
	d, err := p.drv.Describe(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	held, unlock, err := p.lock(ctx, "pool "+name(d))
	if err != nil {
		return nil, nil, nil, err
	}
	r = &run{p: p, method: method, start: time.Now(), d: d, ledger: newLedger(name(d), nil)}
	if err := r.look(held, withHealth); err != nil {
		unlock()
		return nil, nil, nil, err
	}
	return r, held, unlock, nil
}

func name(d Description) string { return d.Service + "/" + d.Region + "/" + d.ID }

// event tells the caller's function.
func (r *run) event(kind EventKind, keys []Key, err error, format string, args ...any) {
	r.tell(Event{Kind: kind, Members: keys, Err: err, Message: fmt.Sprintf(format, args...)})
}

func (r *run) tell(e Event) {
	if r.p.events == nil {
		return
	}
	e.Time, e.Pool, e.Method = time.Now(), name(r.d), r.method
	if e.Total == 0 {
		e.Done, e.Total = r.steps, r.total
	}
	r.p.events(e)
}

// look reads the members.
func (r *run) look(ctx context.Context, withHealth bool) error {
	members, err := r.p.drv.Members(ctx, withHealth && r.d.NoHealth == "")
	if err != nil {
		return err
	}
	r.seen = newSnapshot(members)
	return nil
}

// carryOut does the steps in order and stops at the first that fails.
func (r *run) carryOut(ctx context.Context, steps []Step, within time.Duration) error {
	r.total += len(steps)
	for len(steps) > 0 {
		n := 1
		for n < len(steps) && steps[n].Do == steps[0].Do && steps[n].isCall() {
			n++
		}
		var err error
		switch steps[0].Do {
		case Await:
			err = r.await(ctx, steps[0].Members, within)
			r.steps++
		case Pause:
			err = r.pause(ctx, steps[0])
			r.steps++
		default:
			err = r.stage(ctx, steps[:n])
		}
		if err != nil {
			return lockLost(ctx, err)
		}
		steps = steps[n:]
	}
	return nil
}

// lockLost tells a lost lock from a context that the caller ended.
func lockLost(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && errors.Is(cause, ErrLockLost) && !errors.Is(err, ErrLockLost) {
		return fmt.Errorf("%w: %w", ErrLockLost, err)
	}
	return err
}

// stage makes calls of one kind, each of which is carried out before the next is
// sent, and waits until the pool shows all of it.
func (r *run) stage(ctx context.Context, steps []Step) error {
	sent := false
	gone := make(map[Key]bool)
	for i := range steps {
		made, err := r.call(ctx, &steps[i], gone)
		if err != nil {
			return err
		}
		sent = sent || made
		r.steps++
	}
	if !sent && !slices.ContainsFunc(steps, func(s Step) bool { return len(unsettled(&s, r.seen)) > 0 }) {
		return nil
	}
	return r.settle(ctx, steps)
}

func takesOut(s Step) bool {
	switch s.Do {
	case driver.Remove, driver.Swap, driver.Disable:
		return true
	case driver.SetWeight:
		return slices.ContainsFunc(s.Members, func(m Spec) bool { return *m.Weight == 0 })
	default:
		return false
	}
}

// guard refuses a call that would leave too few members in service, and returns
// those that it takes out. gone are those that earlier calls of the stage took
// out.
func (r *run) guard(s Step, gone map[Key]bool) (taken []Key, err error) {
	if r.min == 0 || !takesOut(s) {
		return nil, nil
	}
	out, in := s.Members, 0
	if s.Do == driver.Swap {
		out = s.Out
		for _, m := range s.Members { // the service puts them in the place of the others
			if m.Weight == nil || *m.Weight > 0 || r.d.Weights.Ignored != "" {
				in++
			}
		}
	}
	skip := maps.Clone(gone)
	for _, m := range out {
		if s.Do != driver.SetWeight || *m.Weight == 0 {
			skip[m.Key] = true
			taken = append(taken, m.Key)
		}
	}
	now, left := r.seen.inService(r.d, gone), r.seen.inService(r.d, skip)+in
	if left < r.min && left < now {
		return nil, fmt.Errorf("%w: %s of %s would leave %d, MinInService is %d", ErrMinInService, s.Do, keyList(taken), left, r.min)
	}
	return taken, nil
}

// rest is the part of a step that the pool does not show yet. IDs and what else
// a change must not lose come from what is there.
func rest(s *Step, seen *snapshot) Step {
	left := Step{Do: s.Do, Token: s.Token}
	for _, spec := range s.Members {
		if change, open := pending(s.Do, spec, seen); open {
			left.Members = append(left.Members, change)
		}
	}
	for _, spec := range s.Out {
		if m, _ := seen.locate(spec); m != nil {
			left.Out = append(left.Out, m.Spec())
		}
	}
	if s.Do == driver.Swap && len(left.Members) == 0 {
		left = Step{Do: driver.Remove, Members: left.Out, Token: s.Token}
	} else if s.Do == driver.Swap && len(left.Out) == 0 {
		left.Do = driver.Add
	}
	if len(left.Members) != len(s.Members) || len(left.Out) != len(s.Out) {
		left.Token = hash(s.Token + " " + fmt.Sprint(keysOf(left.Members), keysOf(left.Out))) // another call
	}
	return left
}

// pending reports whether the pool does not show yet what a step does to one
// member, and what is to be sent for it.
func pending(do driver.Kind, spec Spec, seen *snapshot) (change Spec, open bool) {
	if do == driver.Add || do == driver.Swap {
		m, err := seen.find(spec.Key)
		return spec, err == nil && (m == nil || m.Phase == driver.Leaving)
	}
	m, _ := seen.locate(spec) // call has said what cannot be told apart
	if m == nil {
		return spec, false
	}
	change = m.Spec()
	switch do {
	case driver.SetWeight:
		change.Weight = spec.Weight
		return change, m.Weight != *spec.Weight
	case driver.Disable:
		return change, m.Phase != driver.Disabled
	case driver.Enable:
		return change, m.Phase == driver.Disabled
	default: // Remove
		return change, true
	}
}

// call makes the part of one step that is left to do. A call whose outcome is
// not known is read back before anything is sent again. It reports whether
// anything was sent.
func (r *run) call(ctx context.Context, s *Step, gone map[Key]bool) (sent bool, err error) {
	var last error
	fresh := ""
	for try := 1; ; try++ {
		if r.min > 0 && takesOut(*s) { // health may have changed since the last look
			if err := r.look(ctx, !r.ignore); err != nil {
				return sent, err
			}
		}
		if err := r.missing(s, try); err != nil {
			return sent, err
		}
		left := rest(s, r.seen)
		if fresh != "" {
			left.Token = fresh
		}
		if len(left.Members) == 0 && len(left.Out) == 0 {
			if try > 1 { // nobody has waited for it
				err = r.settle(ctx, []Step{*s})
			}
			return sent, err
		}
		if try > mostTries {
			r.ledger.settled(keysOf(slices.Concat(left.Members, left.Out)))
			return sent, r.giveUp(left, last)
		}
		taken, err := r.guard(left, gone)
		if err != nil {
			return sent, r.giveUp(left, err)
		}
		res, accepted, err := r.send(ctx, left)
		if e, ok := errors.AsType[*cloudlb.Error](err); ok && e.Outcome == cloudlb.OutcomeNotSent && !accepted {
			return sent, r.giveUp(left, err)
		}
		sent = true
		r.ledger.sent(left.Members, requestID(res, err))
		r.ledger.sent(left.Out, requestID(res, err))
		if err == nil && len(res.Failed) == 0 {
			for _, k := range taken {
				gone[k] = true
			}
			r.event(Changed, keysOf(slices.Concat(left.Members, left.Out)), nil, "%s %s", left.Do, count(len(left.Members)+len(left.Out), "member"))
			return sent, nil
		}
		waiting := accepted && err != nil
		if err == nil {
			err = r.refused(res.Failed)
		} else if e, ok := errors.AsType[*cloudlb.Error](err); ok && !accepted && e.Outcome == cloudlb.OutcomeRejected || errors.Is(err, cloudlb.ErrJobFailed) {
			r.ledger.settled(keysOf(slices.Concat(left.Members, left.Out)))
		}
		if ctx.Err() != nil || errors.Is(err, ErrLockLost) {
			return sent, r.giveUp(left, err)
		}
		again := repeatable(err) || waiting && !errors.Is(err, cloudlb.ErrJobFailed)
		if errors.Is(err, cloudlb.ErrJobFailed) && fresh == "" {
			fresh, again = rand.Text(), true // with the old token the service would only speak of the failed job
		}
		if again {
			r.event(Noticed, keysOf(left.Members), err, "%s has no certain outcome: reading the pool", s.Do)
		}
		if lookErr := r.lookAgain(ctx, s, left, r.patience(err, again)); lookErr != nil {
			return sent, r.giveUp(left, errors.Join(err, lookErr))
		}
		last = err
		if !again {
			if left = rest(s, r.seen); len(left.Members)+len(left.Out) > 0 {
				return sent, r.giveUp(left, err)
			}
		}
	}
}

// refused notes members that the service did not change although it accepted the
// call. It returns an error that cannot be helped, if there is one.
func (r *run) refused(failed []driver.Failure) error {
	err := failed[0].Err
	for _, f := range failed {
		r.ledger.settled([]Key{f.Key})
		if !repeatable(f.Err) {
			r.ledger.failed(f.Key, f.Err)
			if repeatable(err) {
				err = f.Err
			}
		}
	}
	return err
}

// missing notes members whose weight was to change and that are gone. Members
// that cannot be told apart are an error.
func (r *run) missing(s *Step, try int) error {
	for _, spec := range slices.Concat(s.Members, s.Out) {
		if s.Do == driver.Add {
			break
		}
		m, err := r.seen.locate(spec)
		if err != nil && s.Do != driver.Swap {
			err = fmt.Errorf("%w: %s %w", ErrDrift, spec.Key, err)
			r.ledger.failed(spec.Key, err)
			return err
		}
		if m == nil && try == 1 && s.Do == driver.SetWeight && *spec.Weight != 0 {
			r.event(Noticed, []Key{spec.Key}, nil, "it is gone: its weight cannot be set")
			r.ledger.failed(spec.Key, fmt.Errorf("%w: it is gone", ErrDrift))
		}
	}
	return nil
}

// send makes one call while it has the turn of what the service locks, and waits
// until it is carried out. With accepted an error is one of waiting: the call
// itself was good.
func (r *run) send(ctx context.Context, s Step) (res driver.Result, accepted bool, err error) {
	ctx, unlock, err := r.p.lock(ctx, "write "+r.d.LockKey)
	if err != nil {
		return res, false, &cloudlb.Error{Service: r.d.Service, Operation: string(s.Do), Outcome: cloudlb.OutcomeNotSent, Err: err}
	}
	defer unlock()
	r.ledger.Calls++
	if res, err = r.p.drv.Change(ctx, s.change()); err != nil {
		return res, false, err
	}
	if err = r.p.drv.Wait(ctx, res.Ticket); err != nil {
		err = lockLost(ctx, err)
	}
	return res, true, err
}

// repeatable reports errors after which the pool may or may not have changed,
// or says that part of the change was there before: what is left can be sent.
func repeatable(err error) bool {
	if errors.Is(err, cloudlb.ErrJobFailed) {
		return false
	}
	if errors.Is(err, cloudlb.ErrAlreadyExists) || errors.Is(err, cloudlb.ErrNotFound) || errors.Is(err, cloudlb.ErrUnfinished) {
		return true
	}
	e, ok := errors.AsType[*cloudlb.Error](err)
	return ok && e.Outcome == cloudlb.OutcomeUnknown
}

// patience is how long the pool is read after a call with no good answer, until
// it shows that the call was carried out: no longer than it takes to ask again
// where that is harmless, and as long as lists may lag where the service says
// that the work was done before.
func (r *run) patience(err error, again bool) time.Duration {
	switch {
	case !again:
		return 0
	case errors.Is(err, cloudlb.ErrAlreadyExists) || errors.Is(err, cloudlb.ErrNotFound):
		return r.p.visible
	default:
		return min(10*time.Second, r.p.visible)
	}
}

// lookAgain reads the pool after a call with no good answer.
func (r *run) lookAgain(ctx context.Context, s *Step, left Step, patience time.Duration) error {
	look := func(ctx context.Context) (bool, error) {
		if err := r.look(ctx, r.min > 0 && !r.ignore); err != nil {
			return false, err
		}
		r.confirm([]Step{*s})
		return r.progressed(s, left), nil
	}
	if patience == 0 {
		_, err := look(ctx)
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := r.until(ctx, effectSchedule, func() []string { return nil }, look)
	if errors.Is(err, context.DeadlineExceeded) {
		return nil // it had no effect
	}
	return err
}

// confirm notes the members of steps that the pool shows as changed.
func (r *run) confirm(steps []Step) {
	for i := range steps {
		s := &steps[i]
		left := rest(s, r.seen)
		open := make(map[Key]bool, len(left.Members)+len(left.Out))
		for _, k := range keysOf(slices.Concat(left.Members, left.Out)) {
			open[k] = true
		}
		for _, k := range keysOf(slices.Concat(s.Members, s.Out)) {
			if !open[k] {
				r.ledger.settled([]Key{k})
			}
		}
	}
}

// progressed reports whether less is left of a step than before.
func (r *run) progressed(s *Step, before Step) bool {
	now := rest(s, r.seen)
	return len(now.Members)+len(now.Out) < len(before.Members)+len(before.Out)
}

// giveUp notes why members are not changed.
func (r *run) giveUp(left Step, err error) error {
	for _, s := range slices.Concat(left.Members, left.Out) {
		r.ledger.failed(s.Key, err)
	}
	return err
}

// settle waits until the pool shows everything that the steps changed.
func (r *run) settle(ctx context.Context, steps []Step) error {
	var left []Key
	check := func(ctx context.Context) (bool, error) {
		if err := r.look(ctx, r.min > 0 && !r.ignore); err != nil {
			return false, err
		}
		r.confirm(steps)
		left = left[:0]
		for i := range steps {
			left = append(left, unsettled(&steps[i], r.seen)...)
		}
		return len(left) == 0, nil
	}
	wait, cancel := context.WithTimeout(ctx, r.p.visible)
	defer cancel()
	err := r.until(wait, effectSchedule, func() []string { return texts(left) }, check)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w after %s: %s; read the pool and apply again", ErrNotVisible, r.p.visible, keyList(left))
		for _, k := range left {
			r.ledger.failed(k, err)
		}
	}
	return err
}

// unsettled names the members of a step that the pool does not show as changed.
func unsettled(s *Step, seen *snapshot) []Key {
	left := rest(s, seen)
	keys := keysOf(slices.Concat(left.Members, left.Out))
	for _, spec := range s.Members {
		m, err := seen.find(spec.Key)
		if err == nil && m != nil && (m.Phase == driver.Joining || m.Phase == driver.Changing || m.Phase == driver.Leaving) {
			keys = append(keys, spec.Key)
		}
	}
	return keys
}

// await waits until members are in service.
func (r *run) await(ctx context.Context, specs []Spec, within time.Duration) error {
	if within <= 0 {
		within = DefaultInService
	}
	r.event(Waiting, keysOf(specs), nil, "until in service, at most %s", within)
	wait, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var left []Key
	var why error
	probed := make(map[Key]bool)
	start := time.Now()
	check := func(ctx context.Context) (bool, error) {
		if err := r.look(ctx, !r.ignore); err != nil {
			return false, err
		}
		left, why = left[:0], nil
		var ask []Member
		for _, s := range specs {
			m, ok := r.seen.present(s.Key)
			switch {
			case !ok && time.Since(start) > r.p.visible:
				return false, fmt.Errorf("%w: %s is gone", ErrDrift, s.Key)
			case !ok: // or the list lags
				left, why = append(left, s.Key), fmt.Errorf("%w: %s is gone", ErrDrift, s.Key)
			case m.Phase == driver.Disabled:
				return false, fmt.Errorf("%w: %s is disabled: it does not come into service by itself", ErrNotInService, s.Key)
			case !r.serves(*m):
				left = append(left, s.Key)
				if m.Health != driver.HealthUnknown {
					why = fmt.Errorf("%s is %s", s.Key, m.Health)
				}
			case r.p.probe != nil && !probed[m.Key] && (m.Weight > 0 || r.d.Weights.Ignored != ""):
				ask = append(ask, *m)
			}
		}
		for m, err := range r.probeAll(ctx, ask) {
			if err != nil {
				left, why = append(left, m.Key), fmt.Errorf("%s: the probe says: %w", m.Key, err)
				continue
			}
			probed[m.Key] = true
		}
		return len(left) == 0, nil
	}
	err := r.until(wait, healthSchedule, func() []string { return texts(left) }, check)
	if err != nil && ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("%w after %s: %s", ErrNotInService, within, keyList(left))
		if why != nil {
			err = fmt.Errorf("%w: %w", err, why)
		}
	}
	return err
}

// serves reports whether a member is where await wants it: in service, or, at
// weight 0 or where health is not to be looked at, carried out.
func (r *run) serves(m Member) bool {
	switch {
	case m.Phase == driver.Joining || m.Phase == driver.Leaving:
		return false
	case r.ignore || r.d.NoHealth != "":
		return true
	case m.Weight == 0 && !r.d.HealthAtZero && r.d.Weights.Ignored == "":
		return true
	default:
		return m.Health == driver.Healthy || m.Health == driver.Unchecked
	}
}

// probeAll asks the caller's probe about members, several at a time.
func (r *run) probeAll(ctx context.Context, members []Member) map[*Member]error {
	errs := make([]error, len(members))
	atOnce(len(members), mostProbes, func(i int) { errs[i] = r.p.probe(ctx, members[i]) })
	results := make(map[*Member]error, len(members))
	for i := range members {
		results[&members[i]] = errs[i]
	}
	return results
}

// pause waits for the requests of drained members to end.
func (r *run) pause(ctx context.Context, s Step) error {
	d := time.Duration(s.For)
	if d <= 0 {
		return nil
	}
	r.tell(Event{Kind: Waiting, Members: keysOf(s.Members), Left: d, Message: "for requests to end"})
	if err := sleep(ctx, d); err != nil {
		return fmt.Errorf("draining: %w", err)
	}
	return nil
}

// sleep waits, unless ctx ends first.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// until looks at once, and then as poll does. A look that fails in a way that can
// pass does not end it.
func (r *run) until(ctx context.Context, schedule poll.Schedule, left func() []string, look func(context.Context) (bool, error)) error {
	done, err := look(ctx)
	passing := errors.Is(err, cloudlb.ErrThrottled) || errors.Is(err, cloudlb.ErrUnavailable) || errors.Is(err, cloudlb.ErrBusy)
	if err == nil && done || err != nil && !passing {
		return err
	}
	return r.poll(ctx, schedule, left, look)
}

// poll is the one waiting loop.
func (r *run) poll(ctx context.Context, schedule poll.Schedule, left func() []string, look func(context.Context) (bool, error)) error {
	loop := poll.Loop{
		Service: r.d.Service, Operation: r.method, Schedule: schedule, Look: look, Left: left,
		Done: func() []string { return nil },
	}
	return loop.Run(ctx)
}

func requestID(res driver.Result, err error) string {
	if e, ok := errors.AsType[*cloudlb.Error](err); ok && e.RequestID != "" {
		return e.RequestID
	}
	return res.RequestID
}

func keysOf(specs []Spec) []Key {
	keys := make([]Key, len(specs))
	for i := range specs {
		keys[i] = specs[i].Key
	}
	return keys
}

func texts(keys []Key) []string {
	out := make([]string, len(keys))
	for i, k := range keys {
		out[i] = k.String()
	}
	return out
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
