package pool

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cloudlb/cloudlb/pool/driver"
)

// shiftBeat is how often a bake looks at the pool.
const shiftBeat = 30 * time.Second

// shiftRecordVersion is the version of what a Journal has of a Shift.
const shiftRecordVersion = 1

// shiftRecord is what a Journal has of a Shift.
type shiftRecord struct {
	Version int    `json:"version"`
	Method  string `json:"method"` // "Shift"
	Pool    string `json:"pool"`
	shiftPlan
	// Done counts the steps that are complete. Ended says how it ended,
	// "shifted" or "restored"; it is empty before that.
	Done  int    `json:"done"`
	Ended string `json:"ended,omitempty"`
}

const (
	shiftShifted  = "shifted"
	shiftRestored = "restored"
)

// shifting is one Shift at work.
type shifting struct {
	*run
	opts    Shift
	journal Journal
	record  shiftRecord
	out     ShiftReport
	// ours are the weights that each member has had by our doing, so that those
	// that somebody else sets can be told; strangers have had others.
	ours      map[Key][]int
	strangers map[Key]bool
	drift     []Drift
}

// prepare works out what to do, or reads it from the Journal, and writes it
// there.
func (w *shifting) prepare(ctx context.Context) error {
	w.min, w.ignore = max(w.opts.MinInService, 1), w.opts.IgnoreHealth
	found := false
	if w.journal != nil {
		var err error
		if found, err = w.load(ctx); err != nil {
			return err
		}
	}
	if found && w.record.Ended == "" {
		if err := w.same(); err != nil {
			return err
		}
		w.expectAnyStep()
		w.begin()
		w.event(Noticed, nil, nil, "it goes on after %d of %s that were complete", w.record.Done, count(len(w.record.Shares), "step"))
		w.out.Shares = slices.Clone(w.record.Shares[:w.record.Done])
		return nil
	}
	plan, err := planShift(w.method, w.d, w.seen, w.opts)
	if err != nil {
		return err
	}
	if err := w.guardShift(plan); err != nil {
		return err
	}
	w.record = shiftRecord{Version: shiftRecordVersion, Method: "Shift", Pool: name(w.d), shiftPlan: *plan}
	w.begin()
	if len(plan.Shares) == 0 {
		return nil
	}
	return w.save(ctx)
}

// begin sets up what is known of the members.
func (w *shifting) begin() {
	w.strangers = make(map[Key]bool)
	if w.ours == nil {
		w.ours = make(map[Key][]int)
	}
	lines := make([]Line, len(w.record.Old))
	for i, m := range w.record.Old {
		lines[i] = Line{Action: ActionReweight, Key: m.Key}
		w.ours[m.Key] = append(w.ours[m.Key], m.Weight)
	}
	w.ledger = newLedger(name(w.d), lines)
}

// expectAnyStep takes every weight of the plan as ours: a process that was
// killed may have come that far.
func (w *shifting) expectAnyStep() {
	w.ours = make(map[Key][]int)
	for _, s := range w.record.Shares {
		w.expect(s)
	}
}

func (w *shifting) expect(s Share) {
	for _, m := range s.Weights {
		w.ours[m.Key] = append(w.ours[m.Key], m.Weight)
	}
}

// load reads the Journal. It reports whether that has a Shift of this pool.
func (w *shifting) load(ctx context.Context) (found bool, err error) {
	b, err := w.journal.Load(ctx)
	if err != nil || len(b) == 0 {
		return false, err
	}
	if err := json.Unmarshal(b, &w.record); err != nil {
		return false, invalid(w.d, w.method, problem("Journal", "has no record of a Shift: %v; give it one of its own", err))
	}
	switch {
	case w.record.Method != "Shift":
		return false, invalid(w.d, w.method, problem("Journal", "has the record of a %s: give the Shift one of its own", w.record.Method))
	case w.record.Version != shiftRecordVersion:
		return false, invalid(w.d, w.method, problem("Journal", "has version %d, this program knows version %d: finish with the other program", w.record.Version, shiftRecordVersion))
	case w.record.Pool != name(w.d):
		return false, invalid(w.d, w.method, problem("Journal", "is of pool %s: give the Shift of %s one of its own", w.record.Pool, name(w.d)))
	case w.record.Done < 0 || w.record.Done > len(w.record.Shares):
		return false, invalid(w.d, w.method, problem("Journal", "has %d steps done of %d: it is damaged", w.record.Done, len(w.record.Shares)))
	default:
		return true, nil
	}
}

// same refuses to go on with another Shift than the one of the Journal.
func (w *shifting) same() error {
	steps := w.opts.Steps
	if steps == nil {
		steps = []float64{5, 25, 50, 100}
	}
	match := slices.Equal(steps, w.record.Steps) && len(w.opts.To) == len(w.record.To)
	for i, k := range w.opts.To {
		if m, ok := w.seen.present(k); match && (!ok || m.Key != w.record.To[i]) {
			match = false
		}
	}
	if match {
		return nil
	}
	return invalid(w.d, w.method, problem("Journal", "has an unfinished Shift to other members or in other steps: call that one again to go on, or UndoShift"))
}

func (w *shifting) save(ctx context.Context) error {
	if w.journal == nil {
		return nil
	}
	b, err := json.Marshal(&w.record)
	if err == nil {
		err = w.journal.Save(ctx, b)
	}
	if err != nil {
		return fmt.Errorf("writing the journal: %w", err)
	}
	return nil
}

// steps does the steps that are left.
func (w *shifting) steps(ctx context.Context) error {
	shares := w.record.Shares
	w.event(Started, w.record.To, nil, "%s", count(len(shares), "step"))
	for i := w.record.Done; i < len(shares); i++ {
		err := w.step(ctx, i)
		if ended := context.Cause(ctx); err != nil && ended != nil && !errors.Is(err, ended) {
			err = fmt.Errorf("%w: %w", ended, err)
		}
		if err != nil {
			return lockLost(ctx, fmt.Errorf("step %d of %d (%s%%): %w", i+1, len(shares), percent(shares[i].Wanted), err))
		}
		w.out.Shares = append(w.out.Shares, shares[i])
		w.record.Done = i + 1
		if w.record.Done == len(shares) {
			w.record.Ended = shiftShifted
		}
		if err := w.save(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *shifting) step(ctx context.Context, i int) error {
	share := w.record.Shares[i]
	if err := w.look(ctx, !w.ignore); err != nil {
		return err
	}
	if err := w.foreign(); err != nil {
		return err
	}
	w.expect(share)
	if err := w.weigh(ctx, share.Weights, w.opts.InService); err != nil {
		return err
	}
	w.tell(Event{
		Kind: Changed, Members: w.record.To, Done: i + 1, Total: len(w.record.Shares),
		Message: fmt.Sprintf("%s%% of requests (%s%% wanted)", percent(share.Real), percent(share.Wanted)),
	})
	if err := w.bake(ctx, i); err != nil {
		return err
	}
	if w.opts.Check != nil {
		if err := w.opts.Check(ctx, share); err != nil {
			return fmt.Errorf("the check says: %w", err)
		}
	}
	return ctx.Err()
}

// weigh sets weights: raised ones first, and To is in service before others are
// lowered. Of From the raised ones, of To the lowered ones go first, where a
// change takes several calls: the share of To is then never above that of both
// steps.
func (w *shifting) weigh(ctx context.Context, weights []MemberWeight, within time.Duration) error {
	n := len(w.record.To)
	raise := slices.Concat(w.changed(weights[n:], true), w.changed(weights[:n], true))
	if err := w.carryOut(ctx, w.split(driver.SetWeight, raise), 0); err != nil {
		return err
	}
	var to []Spec
	for _, m := range weights[:n] {
		if m.Weight > 0 && !w.strangers[m.Key] {
			to = append(to, Spec{Key: m.Key})
		}
	}
	if err := w.await(ctx, to, within); err != nil {
		return err
	}
	lower := slices.Concat(w.changed(weights[:n], false), w.changed(weights[n:], false))
	return w.carryOut(ctx, w.split(driver.SetWeight, lower), 0)
}

// changed are the members that have to get a higher, or a lower, weight.
func (w *shifting) changed(weights []MemberWeight, raised bool) []Spec {
	var specs []Spec
	for _, m := range weights {
		there, ok := w.seen.present(m.Key)
		if ok && !w.strangers[m.Key] && there.Weight != m.Weight && (m.Weight > there.Weight) == raised {
			specs = append(specs, Spec{Key: m.Key, Weight: new(m.Weight)})
		}
	}
	return specs
}

// foreign notes members whose weight somebody else has set, and those that are
// gone. It returns ErrDrift if there are any.
func (w *shifting) foreign() error {
	var first error
	for _, old := range w.record.Old {
		m, ok := w.seen.present(old.Key)
		if w.strangers[old.Key] || ok && slices.Contains(w.ours[old.Key], m.Weight) {
			continue
		}
		w.strangers[old.Key] = true
		what := "gone"
		if ok {
			what = fmt.Sprintf("at weight %d, which is not by this Shift", m.Weight)
		}
		d := Drift{Key: old.Key, What: what}
		w.drift = append(w.drift, d)
		if first == nil {
			first = fmt.Errorf("%w: %s", ErrDrift, d)
		}
		w.event(Noticed, []Key{old.Key}, nil, "it is %s", what)
	}
	return first
}

// bake watches a step.
func (w *shifting) bake(ctx context.Context, step int) error {
	left := w.opts.Bake
	if left == 0 {
		left = DefaultBake
	}
	if left > 0 {
		w.tell(Event{Kind: Waiting, Members: w.record.To, Left: left, Done: step + 1, Total: len(w.record.Shares), Message: "watching it"})
	}
	for left > 0 {
		beat := min(left, shiftBeat)
		if err := sleep(ctx, beat); err != nil {
			return err
		}
		left -= beat
		if err := w.look(ctx, !w.ignore); err != nil {
			if left > 0 && ctx.Err() == nil {
				w.event(Noticed, nil, err, "the pool cannot be read")
				continue
			}
			return err
		}
		if err := w.foreign(); err != nil {
			return err
		}
		for _, k := range w.record.To {
			if m, ok := w.seen.present(k); ok && m.Health == driver.Unhealthy && !w.ignore {
				return fmt.Errorf("%w: %s is unhealthy", ErrNotInService, k)
			}
		}
	}
	return nil
}

// restore brings the old weights back, in time of its own. late says that a call
// may still have an effect, so that it has to look again.
func (w *shifting) restore(ctx context.Context, late bool) {
	if errors.Is(context.Cause(ctx), ErrLockLost) {
		w.out.RestoreErr = fmt.Errorf("%w: call UndoShift, or set the weights, when nobody else is at work", ErrLockLost)
		return
	}
	within := w.opts.RestoreTimeout
	if within <= 0 {
		within = DefaultRestore
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), within)
	defer cancel()
	w.event(Started, nil, nil, "bringing back the old weights")
	wait := w.lateness()
	back := func(ctx context.Context) error { return w.bringBackWeights(ctx, within/2) }
	err := persist(ctx, 30*time.Second, back)
	if err == nil && late {
		if err = sleep(ctx, min(wait, within/2)); err == nil {
			err = persist(ctx, 30*time.Second, back)
		}
	}
	if err != nil {
		w.out.RestoreErr = err
		w.event(Failed, nil, err, "the old weights are not back")
		return
	}
	w.out.Restored = true
	w.record.Ended = shiftRestored
	if err := w.save(ctx); err != nil {
		w.event(Noticed, nil, err, "the old weights are back")
	}
}

func (w *shifting) bringBackWeights(ctx context.Context, within time.Duration) error {
	if err := w.look(ctx, !w.ignore); err != nil {
		return err
	}
	_ = w.foreign() // theirs stay
	n := len(w.record.To)
	old := make([]MemberWeight, len(w.record.Old))
	for i, m := range w.record.Old {
		old[i] = MemberWeight{m.Key, m.Weight}
	}
	// Members of From that had no requests have to be in service before To
	// loses them, if they come: when To is broken waiting for ever helps nobody.
	back := w.changed(old[n:], true)
	raise := slices.Concat(back, w.changed(old[:n], true))
	zero := slices.ContainsFunc(back, func(s Spec) bool { m, ok := w.seen.present(s.Key); return ok && m.Weight == 0 })
	if err := w.carryOut(ctx, w.split(driver.SetWeight, raise), 0); err != nil {
		return err
	}
	if zero {
		if err := w.await(ctx, back, within); err != nil && ctx.Err() != nil {
			return err
		}
	}
	lower := slices.Concat(w.changed(old[:n], false), w.changed(old[n:], false))
	return w.carryOut(ctx, w.split(driver.SetWeight, lower), 0)
}

// report is what became of it. err is what ended it.
func (w *shifting) report(ctx context.Context, err error) (*ShiftReport, error) {
	plan := &Plan{Partial: true}
	for i, old := range w.record.Old {
		line := Line{Action: ActionReweight, Key: old.Key, From: new(old.Weight), To: new(old.Weight)}
		if err == nil && len(w.out.Shares) > 0 {
			line.To = new(w.out.Shares[len(w.out.Shares)-1].Weights[i].Weight)
		}
		if m, ok := w.seen.present(old.Key); w.strangers[old.Key] && ok {
			line.To = new(m.Weight) // in w.drift
		}
		plan.Lines = append(plan.Lines, line)
	}
	if len(w.ledger.blind) > 0 {
		_ = w.look(context.WithoutCancel(ctx), false) // if it fails the ledger says "unclear"
	}
	drift := w.ledger.close(plan, w.seen, err)
	w.ledger.Drift = append(w.ledger.Drift, w.drift...)
	if err == nil {
		err = drift
	}
	if w.out.RestoreErr != nil && !errors.Is(err, w.out.RestoreErr) {
		err = errors.Join(err, fmt.Errorf("the old weights are not back: %w", w.out.RestoreErr))
	}
	report, err := w.end(err)
	w.out.Report = *report
	return &w.out, err
}
