package pool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/cloudlb/cloudlb/pool/driver"
)

// rollout is a Rollout at work.
type rollout struct {
	*run
	o       Rollout
	resumed bool
	batches int
	// late: the last call that took members out may still have its effect.
	late bool
	// failures counts the members that failed since the start, or since the
	// rollout turned back.
	failures int
	cause    error // of turning back
	written  bool  // there is a journal to bring up to date
	unsaved  error // why the journal could not be written

	mu      sync.Mutex // guards what follows while functions of the caller run
	state   *rolloutState
	seenBad map[Key]error // who failed, and is not tried again
}

// forward works through the members, batch by batch.
func (r *rollout) forward(ctx context.Context) error {
	for {
		batch, err := r.next(ctx)
		if err != nil {
			return err
		}
		if len(batch) == 0 {
			return r.conclusion(ctx)
		}
		if err := r.batch(ctx, batch); err != nil {
			return lockLost(ctx, err)
		}
		switch {
		case r.failures == 0, r.o.OnFailure == GoOn && r.failures <= r.o.MaxFailures && !r.state.Undoing:
		case r.o.OnFailure == RollBack && !r.state.Undoing:
			if err := r.turnBack(ctx); err != nil {
				return err
			}
		default:
			return r.failed()
		}
	}
}

// conclusion is how a rollout ends that has nothing left to do.
func (r *rollout) conclusion(ctx context.Context) error {
	if r.failures > 0 {
		return r.failed()
	}
	r.state.Finished = true
	if r.written {
		if err := r.save(ctx); err != nil {
			return err
		}
	}
	switch {
	case r.cause != nil:
		return fmt.Errorf("%w: rolled back, because %w", ErrNotDeployed, r.cause)
	case r.state.Undoing:
		return fmt.Errorf("%w: rolled back", ErrNotDeployed)
	default:
		return nil
	}
}

// failed is the error that names the members that failed.
func (r *rollout) failed() error {
	var errs []error
	for i := range r.state.Members {
		e := &r.state.Members[i]
		if err := r.seenBad[e.Key]; err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", e.Key, err))
		}
	}
	const most = 5
	if n := len(errs); n > most {
		errs = append(errs[:most], fmt.Errorf("and %d more", n-most))
	}
	return fmt.Errorf("%w: %s failed: %w", ErrNotDeployed, count(len(r.seenBad), "member"), errors.Join(errs...))
}

// turnBack begins to undo.
func (r *rollout) turnBack(ctx context.Context) error {
	r.cause = r.failed()
	r.event(Failed, nil, r.cause, "rolling back")
	r.state.Undoing = true
	for i := range r.state.Members {
		e := &r.state.Members[i]
		switch e.Stage {
		case RolloutDone:
			e.Stage, e.ToUndo = RolloutWaiting, true
		case RolloutFailed:
			e.Stage, e.ToUndo = RolloutOut, true
		default: // was not deployed to, or is gone
		}
	}
	r.failures = 0
	clear(r.seenBad)
	return r.save(ctx)
}

// next chooses the next batch: those that are out already, then others, as many
// as MinInService allows.
func (r *rollout) next(ctx context.Context) ([]*rolloutEntry, error) {
	if err := r.look(ctx, r.min > 0 && !r.ignore); err != nil {
		return nil, err
	}
	free := r.seen.inService(r.d, nil) - r.min
	var batch []*rolloutEntry
	var kept []Key
	for _, e := range r.order() {
		if len(batch) == r.o.MaxUnavailable {
			break
		}
		m, there := r.seen.present(e.Key)
		if !there {
			r.gone(e)
			continue
		}
		takesOut := e.Stage != RolloutDeployed && e.Stage != RolloutReturning
		if r.min > 0 && takesOut && InService(r.d, *m) {
			if free <= 0 {
				kept = append(kept, e.Key)
				continue
			}
			free--
		}
		batch = append(batch, e)
	}
	if len(batch) > 0 || len(kept) == 0 {
		return batch, nil
	}
	return nil, r.tooFew(r.seen.inService(r.d, nil), kept)
}

// tooFew is the error for members none of which can be taken out. Before
// anything was sent the caller can do something about it.
func (r *rollout) tooFew(in int, kept []Key) error {
	if r.written {
		return fmt.Errorf("%w: %d are in service, MinInService is %d, so that none of %s can be taken out", ErrMinInService, in, r.min, keyList(kept))
	}
	return fmt.Errorf("%w: %w", ErrMinInService, invalid(r.d, r.method,
		problem("MinInService", "is %d, and %d are in service at best, so that none of %s can be taken out: add members first, or allow fewer", r.min, in, keyList(kept))))
}

// spareSome refuses a rollout that would get stuck even if every member of the
// pool were healthy.
func (r *rollout) spareSome() error {
	best := 0
	for _, m := range r.seen.members {
		m.Health = driver.HealthUnknown
		if InService(r.d, m) {
			best++
		}
	}
	var serving []Key
	for _, e := range r.state.Members {
		if m, there := r.seen.present(e.Key); there && e.isOut() && e.Weight > 0 && r.isOut(*m) {
			best++ // left out by another release
		}
		if m, there := r.seen.present(e.Key); there && InService(r.d, *m) {
			serving = append(serving, e.Key)
		}
	}
	if r.min == 0 || best > r.min || len(serving) == 0 {
		return nil
	}
	return r.tooFew(best, serving)
}

// order lists the members that are not finished, those first that are out.
func (r *rollout) order() []*rolloutEntry {
	var out, in []*rolloutEntry
	for i := range r.state.Members {
		e := &r.state.Members[i]
		switch {
		case e.Stage == RolloutDone || e.Stage == RolloutGone || r.seenBad[e.Key] != nil || r.state.Undoing && !e.ToUndo:
		case e.isOut():
			out = append(out, e)
		default:
			in = append(in, e)
		}
	}
	if r.state.Undoing {
		slices.Reverse(out)
		slices.Reverse(in)
	}
	return append(out, in...)
}

func (r *rollout) gone(e *rolloutEntry) {
	e.Stage, e.Broken = RolloutGone, false
	r.drifted(e.Key, "gone")
}

// bad notes why a member failed.
func (r *rollout) bad(e *rolloutEntry, err error) {
	r.mu.Lock()
	r.seenBad[e.Key] = err
	r.failures++
	r.mu.Unlock()
	r.tell(Event{Kind: Failed, Members: []Key{e.Key}, Err: err, Message: "failed", Done: r.finished(), Total: len(r.state.Members)})
}

// batch does everything for some members.
func (r *rollout) batch(ctx context.Context, batch []*rolloutEntry) error {
	r.batches++
	out := slices.Clone(batch)
	out = slices.DeleteFunc(out, func(e *rolloutEntry) bool { return e.Stage == RolloutDeployed || e.Stage == RolloutReturning })
	if err := r.takeOutBatch(ctx, out); err != nil {
		return err
	}
	if err := r.work(ctx, batch); err != nil {
		return err
	}
	return r.returnBatch(ctx, batch)
}

// takeOutBatch takes members out of service and waits for their requests to end.
func (r *rollout) takeOutBatch(ctx context.Context, batch []*rolloutEntry) error {
	if len(batch) == 0 {
		return nil
	}
	var serving []Member // those that had requests a moment ago, perhaps in another process
	members := make([]held, len(batch))
	for i, e := range batch {
		m, _ := r.seen.present(e.Key) // next has seen it
		had := e.Stage == RolloutOut && !e.Broken
		e.remember(*m)
		e.Stage = RolloutOut
		members[i] = e.held
		if !r.isOut(*m) || had && e.Weight > 0 && !e.Disabled {
			serving = append(serving, e.before(*m))
		}
	}
	if err := r.save(ctx); err != nil {
		return err
	}
	if err := r.takeOut(ctx, members); err != nil {
		r.late = unsure(ctx, err)
		return err
	}
	if err := r.drain(ctx, serving, r.o.Drain, r.o.Drained); err != nil {
		return err
	}
	if err := r.look(ctx, false); err != nil {
		return err
	}
	for _, e := range batch {
		m, there := r.seen.present(e.Key)
		switch {
		case !there:
			r.gone(e)
		case !r.isOut(*m):
			r.drifted(e.Key, fmt.Sprintf("at weight %d, not 0", m.Weight))
			e.Stage = RolloutWaiting
			r.bad(e, fmt.Errorf("%w: it has got weight %d, and requests, while it was to be out of service", ErrDrift, m.Weight))
		}
	}
	return nil
}

// work deploys to the members of a batch at the same time, and probes them.
func (r *rollout) work(ctx context.Context, batch []*rolloutEntry) error {
	var todo []*rolloutEntry
	var members []Member
	var begin, whole []*rolloutEntry
	for _, e := range batch {
		m, there := r.seen.present(e.Key)
		if !there || e.Stage != RolloutOut && e.Stage != RolloutDeployed {
			continue
		}
		todo, members = append(todo, e), append(members, e.before(*m))
		if e.Stage == RolloutOut {
			begin = append(begin, e)
			if !e.Broken {
				whole = append(whole, e)
			}
			e.Stage, e.Broken = RolloutDeploying, true
		}
	}
	err := ctx.Err()
	if err == nil && len(begin) > 0 {
		err = r.save(ctx)
	}
	if err != nil { // nothing has begun
		for _, e := range begin {
			e.Stage = RolloutOut
		}
		for _, e := range whole {
			e.Broken = false
		}
		return err
	}
	atOnce(len(todo), len(todo), func(i int) { r.deploy(ctx, todo[i], members[i]) })
	if ctx.Err() != nil {
		return fmt.Errorf("deploying: %w", context.Cause(ctx))
	}
	return r.unsaved
}

// deploy deploys to one member and probes it. It is called for several at once.
func (r *rollout) deploy(ctx context.Context, e *rolloutEntry, m Member) {
	returned := false
	defer func() {
		if !returned { // a panic, which goes on
			r.bad(e, errPanic)
		}
	}()
	var err error
	if e.Stage == RolloutDeploying {
		if err = r.do(ctx, m); err == nil {
			r.deployed(ctx, e)
		}
	}
	if err == nil {
		err = r.ready(ctx, m)
	}
	returned = true
	r.mu.Lock()
	switch {
	case err == nil:
		e.Broken = false
	case ctx.Err() == nil:
		e.Stage = RolloutFailed
	default: // interrupted: how far it came is not known
	}
	r.mu.Unlock()
	if err != nil {
		r.bad(e, err)
		return
	}
	r.tell(Event{Kind: Changed, Members: []Key{e.Key}, Message: "deployed", Done: r.finished(), Total: len(r.state.Members)})
}

// deployed notes that Deploy or Undo has ended well.
func (r *rollout) deployed(ctx context.Context, e *rolloutEntry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Stage = RolloutDeployed
	_ = r.save(ctx) // work returns r.unsaved
}

func (r *rollout) do(ctx context.Context, m Member) error {
	if r.o.DeployTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.o.DeployTimeout)
		defer cancel()
	}
	if r.state.Undoing {
		return r.o.Undo(ctx, m)
	}
	return r.o.Deploy(ctx, m)
}

// ready asks the caller's probe until it says that a member serves.
func (r *rollout) ready(ctx context.Context, m Member) error {
	if r.o.Probe == nil {
		return nil
	}
	within := r.within()
	wait, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var last error
	ask := func(ctx context.Context) (bool, error) {
		last = r.o.Probe(ctx, m)
		return last == nil, nil
	}
	if done, err := ask(wait); done {
		return err
	}
	err := r.poll(wait, healthSchedule, func() []string { return []string{m.Key.String()} }, ask)
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("%w after %s: the probe says: %w", ErrNotInService, within, last)
	}
	return err
}

func (r *rollout) within() time.Duration {
	if r.o.InService == 0 {
		return DefaultInService
	}
	return r.o.InService
}

// returnBatch gives the members of a batch that are well the weights that they
// had, and waits until they are in service.
func (r *rollout) returnBatch(ctx context.Context, batch []*rolloutEntry) error {
	if err := r.look(ctx, false); err != nil {
		return err
	}
	var well []*rolloutEntry
	var members []held
	for _, e := range batch {
		if !r.isThere(e.Key) {
			r.gone(e)
			continue
		}
		if e.Stage == RolloutDeployed && !e.Broken || e.Stage == RolloutReturning {
			e.Stage = RolloutReturning
			well, members = append(well, e), append(members, e.held)
		}
	}
	if err := r.save(ctx); err != nil {
		return err
	}
	if err := r.bringBack(ctx, r.stillOut(members)); err != nil {
		return err
	}
	if err := r.backInService(ctx, well); err != nil {
		return err
	}
	for _, e := range well {
		if e.Stage == RolloutReturning {
			e.Stage = RolloutDone
			r.tell(Event{Kind: Finished, Members: []Key{e.Key}, Message: "back in service", Done: r.finished(), Total: len(r.state.Members)})
		}
	}
	return r.save(ctx)
}

// backInService waits for members that have their weights back. Those that do
// not come into service are taken out again.
func (r *rollout) backInService(ctx context.Context, well []*rolloutEntry) error {
	var awaited []*rolloutEntry
	var specs []Spec
	var err error
	for end := time.Now().Add(r.within()); ; {
		awaited, specs = awaited[:0], specs[:0]
		gone := r.state.count(RolloutGone)
		for _, e := range well {
			m, there := r.seen.present(e.Key)
			switch {
			case e.Stage == RolloutGone:
			case !there:
				r.gone(e)
			case !r.isOut(*m) && m.Weight > 0 && m.Phase != driver.Disabled: // at weight 0 health says nothing
				awaited, specs = append(awaited, e), append(specs, m.Spec())
			}
		}
		if len(specs) == 0 {
			return nil
		}
		if errors.Is(err, ErrDrift) && gone == r.state.count(RolloutGone) {
			return err
		}
		err = r.await(ctx, specs, max(time.Until(end), time.Second))
		if err == nil || ctx.Err() != nil {
			return err
		}
		if errors.Is(err, ErrNotInService) {
			break
		}
		if !errors.Is(err, ErrDrift) { // one is gone, and the others are awaited still
			return err
		}
	}
	var out []held
	var serving []Member
	for i, e := range awaited {
		if !r.isThere(e.Key) {
			r.gone(e)
			continue
		}
		why := r.await(ctx, specs[i:i+1], time.Second) // who it is
		if why == nil {
			continue
		}
		if ctx.Err() != nil || !errors.Is(why, ErrNotInService) {
			return why
		}
		e.Stage, e.Broken = RolloutFailed, true
		r.bad(e, fmt.Errorf("%w within %s: %w", ErrNotInService, r.within(), why))
		if m, there := r.seen.present(e.Key); there {
			out, serving = append(out, e.held), append(serving, *m)
		}
	}
	if len(out) == 0 {
		return nil
	}
	if err := r.save(ctx); err != nil {
		return err
	}
	if err := r.takeOut(ctx, out); err != nil {
		return err
	}
	return r.drain(ctx, serving, r.o.Drain, r.o.Drained)
}

// finished counts the members that need nothing more.
func (r *rollout) finished() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for i := range r.state.Members {
		if s := r.state.Members[i].Stage; s == RolloutDone || s == RolloutGone {
			n++
		}
	}
	return n
}
