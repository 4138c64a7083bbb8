package pool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// stop ends a rollout, well or badly: members that are whole come back.
func (r *rollout) stop(turn context.Context, cause error) error {
	if cause == nil {
		return nil
	}
	if lostTurn(turn, cause) {
		return r.leave(cause)
	}
	var back []*rolloutEntry
	var members []held
	for i := range r.state.Members {
		e := &r.state.Members[i]
		switch {
		case e.Broken:
			continue
		case e.Stage == RolloutDeployed:
			e.Stage = RolloutReturning
		case e.Stage != RolloutOut && e.Stage != RolloutReturning:
			continue
		}
		back, members = append(back, e), append(members, e.held)
	}
	broken := r.unsaved
	if r.written && len(back) > 0 {
		_ = r.save(turn) // without it the journal says that they may be out, which is enough
	}
	err := r.giveBack(turn, r.o.RestoreTimeout, members, r.late)
	if err == nil {
		for _, e := range back {
			if e.Stage == RolloutOut {
				e.Stage = RolloutWaiting
			}
		}
	}
	if r.written {
		if saveErr := r.save(turn); saveErr != nil && broken == nil {
			err = errors.Join(err, saveErr)
		}
	}
	return r.leave(errors.Join(cause, err))
}

// leave is the error of a rollout that leaves members out of service.
func (r *rollout) leave(err error) error {
	var out []Key
	for i := range r.state.Members {
		if e := &r.state.Members[i]; r.staysOut(e) {
			out = append(out, e.Key)
		}
	}
	if len(out) == 0 {
		return err
	}
	return fmt.Errorf("%w; out of service: %s", err, keyList(out))
}

// staysOut reports whether a member that had requests before gets none now, or
// may get none, by what was seen last.
func (r *rollout) staysOut(e *rolloutEntry) bool {
	m, there := r.seen.present(e.Key)
	return there && e.isOut() && e.Weight > 0 && !e.Disabled && r.isOut(*m)
}

// report says how far each member has come.
func (r *rollout) report() *RolloutReport {
	report := &RolloutReport{
		Pool: name(r.d), Release: r.o.Release, Resumed: r.resumed, Drift: r.ledger.Drift,
		Batches: r.batches, Calls: r.ledger.Calls, Took: time.Since(r.start),
	}
	if r.state == nil {
		return report
	}
	for i := range r.state.Members {
		e := &r.state.Members[i]
		m := RolloutMember{Key: e.Key, Weight: e.Weight, Stage: e.Stage, Out: r.staysOut(e), Err: r.seenBad[e.Key]}
		switch {
		case e.ToUndo && e.Stage == RolloutDone:
			m.Stage = RolloutUndone
		case e.ToUndo && e.Stage == RolloutWaiting:
			m.Stage = RolloutDone // still
		case e.Broken && e.Stage == RolloutOut:
			m.Stage = RolloutFailed // and was about to be tried again, or undone
		}
		report.Members = append(report.Members, m)
	}
	return report
}

// MarshalJSON has the error as a text.
func (m RolloutMember) MarshalJSON() ([]byte, error) {
	type plain RolloutMember
	out := struct {
		plain
		Error string `json:"error,omitempty"`
	}{plain: plain(m)}
	if m.Err != nil {
		out.Error = m.Err.Error()
	}
	return json.Marshal(out)
}

// RestoreFrom gives members that an unfinished Rollout has left out of service
// the weights that they had, without deploying, and ends that rollout in its
// journal: the next one begins anew. What is deployed stays so, and a member
// whose deploy was interrupted or failed gets requests again: look at it first. A
// weight that somebody else has set meanwhile stays. With a journal that has no
// unfinished rollout nothing is done. It can be called again. Right after a kill,
// a member that the journal has taken out and that still serves is looked at
// again when lists no longer lag (WithVisibility): that can take a minute.
func (p *Pool) RestoreFrom(ctx context.Context, journal Journal) (*RolloutReport, error) {
	if journal == nil {
		return &RolloutReport{}, invalid(Description{}, "RestoreFrom", problem("journal", "is nil: it is what knows the weights"))
	}
	run, turn, end, err := p.begin(ctx, "RestoreFrom", false)
	if err != nil {
		return &RolloutReport{}, err
	}
	defer end()
	r := &rollout{run: run, o: Rollout{Journal: journal}, resumed: true, written: true}
	r.state, err = r.load(turn)
	if err != nil || r.state == nil || r.state.Finished {
		return r.report(), err
	}
	r.o.Release = r.state.Release
	var out, unseen []held
	for i := range r.state.Members {
		e := &r.state.Members[i]
		m, there := r.seen.present(e.Key)
		switch {
		case !e.isOut():
		case !there:
			r.gone(e)
		default:
			out = append(out, e.held)
			if e.Stage != RolloutReturning && !r.isOut(*m) {
				unseen = append(unseen, e.held)
			}
		}
	}
	r.event(Started, keysOfHeld(out), nil, "giving %s back what they had", count(len(out), "member"))
	err = r.bringBack(turn, r.stillOut(out))
	if err == nil {
		err = r.bringBackLate(turn, unseen)
	}
	if err == nil {
		for i := range r.state.Members {
			switch e := &r.state.Members[i]; e.Stage {
			case RolloutOut:
				e.Stage = RolloutWaiting
			case RolloutDeployed, RolloutReturning:
				e.Stage = RolloutDone
			default: // a report shows how far the others came
			}
		}
		r.state.Finished = true
		err = r.save(turn)
	}
	if err != nil {
		err = r.fail(r.leave(err))
		r.event(Failed, nil, err, "stopped")
		return r.report(), err
	}
	r.event(Finished, nil, nil, "the journal is finished")
	return r.report(), nil
}

// bringBackLate looks again at members that are not out although the journal says
// so, when lists no longer lag behind what a process did that was killed a moment
// ago.
func (r *rollout) bringBackLate(turn context.Context, members []held) error {
	left := min(time.Until(r.state.Saved.Add(r.p.visible)), r.p.visible)
	if left <= 0 || len(members) == 0 {
		return nil
	}
	if err := sleep(turn, left); err != nil {
		return err
	}
	if err := r.look(turn, false); err != nil {
		return err
	}
	return r.bringBack(turn, r.stillOut(members))
}
