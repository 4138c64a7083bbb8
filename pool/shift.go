package pool

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool/driver"
)

const (
	// DefaultBake is how long each step of a Shift is watched.
	DefaultBake = 5 * time.Minute
	// NoBake as Shift.Bake goes on at once.
	NoBake time.Duration = -1
)

// Shift moves requests from some members to others by weights, step by step: a
// canary. The members of To are in the pool already; add them with weight 0.
type Shift struct {
	// To are the members that get more requests from step to step. Required.
	// Those at weight 0 count as if they had the largest weight of To and From,
	// or the service's default where all have 0.
	To []Key
	// From are those that get fewer, and are never removed: nil means all other
	// members. Members at weight 0, or disabled, stay so.
	From []Key
	// Steps are the shares of To in percent, of the requests to To and From:
	// above 0, at most 100, rising. 5, 25, 50, 100 if nil. At 100 From gets
	// weight 0 and To the weights that it counted with.
	Steps []float64
	// Bake is how long each step is watched before the next one: DefaultBake if
	// 0. NoBake: not at all.
	Bake time.Duration
	// Check is asked after each Bake whether to go on: an error ends the Shift,
	// and brings back the old weights.
	Check func(ctx context.Context, s Share) error
	// InService is how long members of To may take to come into service after a
	// step has raised their weights: DefaultInService if 0.
	InService time.Duration
	// MinInService is how many members of the pool must be in service when a
	// member gets weight 0; at least 1 in any case.
	MinInService int
	// IgnoreHealth goes on whatever health checks say of To.
	IgnoreHealth bool
	// RestoreTimeout bounds the time in which old weights are brought back:
	// DefaultRestore if 0. It is not part of the context's time.
	RestoreTimeout time.Duration
	// Journal remembers the old weights from before the first change on. With
	// the Journal of a Shift that was killed, the same Shift goes on after the
	// last step that was complete, and UndoShift brings the old weights back.
	Journal Journal
}

// ShiftReport is what became of a Shift. Its entries compare members with the
// weights of the last step, or after a failure with those that they had before.
type ShiftReport struct {
	Report
	// Shares are the steps that were complete, Check included.
	Shares []Share `json:"shares,omitempty"`
	// Restored says that the old weights are back, and RestoreErr why they are
	// not. Both are zero after a Shift that went well.
	Restored   bool  `json:"restored,omitempty"`
	RestoreErr error `json:"-"`
}

// String is the report in words.
func (r *ShiftReport) String() string {
	text := r.Report.String()
	switch {
	case r.Restored:
		text += "the old weights are back\n"
	case r.RestoreErr != nil:
		text += fmt.Sprintf("! the old weights are not back: %v\n", r.RestoreErr)
	case len(r.Shares) > 0:
		text += r.Shares[len(r.Shares)-1].String() + "\n"
	}
	return text
}

// PlanShift works out the shares and weights of all steps of a Shift. It reads
// the pool and changes nothing; what Shift refuses beforehand it refuses too.
// Nothing to do is an empty list: From gets no requests.
func (p *Pool) PlanShift(ctx context.Context, s Shift) ([]Share, error) {
	d, err := p.drv.Describe(ctx)
	if err != nil {
		return nil, err
	}
	members, err := p.drv.Members(ctx, false)
	if err != nil {
		return nil, err
	}
	plan, err := planShift("PlanShift", d, newSnapshot(members), s)
	if err != nil {
		return nil, err
	}
	return plan.Shares, nil
}

// Shift moves requests to s.To step by step. In each step weights are raised,
// and To is in service, before others are lowered; then comes the Bake, during
// which a member of To that turns unhealthy ends the Shift, and Check.
//
// When a step fails, Check returns an error or panics, or ctx ends, the old
// weights come back; the error says why it ended and the report whether they are back.
// Somebody else who changes one of the weights, or removes a member, meanwhile
// ends it with ErrDrift, and the weights that they set stay. When the turn is lost (ErrLockLost)
// nothing is brought back, for another process may be at work.
//
// It is refused, and nothing is sent, where weights have no effect.
func (p *Pool) Shift(ctx context.Context, s Shift) (*ShiftReport, error) {
	r, held, end, err := p.begin(ctx, "Shift", true)
	if err != nil {
		return &ShiftReport{}, err
	}
	defer end()
	w := &shifting{run: r, opts: s, journal: s.Journal}
	if err := w.prepare(held); err != nil {
		return &ShiftReport{Report: Report{Pool: name(r.d)}}, err
	}
	returned := false
	defer func() {
		if !returned { // Check panics
			w.restore(held, true)
		}
	}()
	err = w.steps(held)
	returned = true
	if err != nil {
		w.restore(held, unsure(held, err))
	}
	return w.report(held, err)
}

// UndoShift brings back the weights that members had before a Shift, complete or
// not, of which j knows. Weights that somebody else has set since stay. After
// that the Journal knows of no unfinished Shift.
func (p *Pool) UndoShift(ctx context.Context, j Journal) (*ShiftReport, error) {
	r, held, end, err := p.begin(ctx, "UndoShift", true)
	if err != nil {
		return &ShiftReport{}, err
	}
	defer end()
	w := &shifting{run: r, journal: j}
	w.min = 1
	found := false
	if j != nil {
		found, err = w.load(held)
	}
	if err == nil && !found {
		err = invalid(r.d, r.method, problem("Journal", "knows of no Shift: it has to be the one that the Shift had"))
	}
	if err != nil {
		return &ShiftReport{Report: Report{Pool: name(r.d)}}, err
	}
	w.expectAnyStep()
	w.begin()
	w.restore(held, true)
	return w.report(held, w.out.RestoreErr)
}

// shiftPlan is what a Shift does: a record of its Journal.
type shiftPlan struct {
	To     []Key     `json:"to"`
	Old    []held    `json:"old"` // of To, then From, as in Share.Weights
	Steps  []float64 `json:"steps"`
	Shares []Share   `json:"shares"`
}

// planShift works out the weights of a Shift, or refuses it.
func planShift(method string, d Description, seen *snapshot, s Shift) (*shiftPlan, error) {
	b := planner{d: d, seen: seen, wanted: make(map[Key]string)}
	steps := s.Steps
	if steps == nil {
		steps = []float64{5, 25, 50, 100}
	}
	b.checkShift(s, steps)
	to := b.shiftMembers("To", s.To)
	from := b.shiftMembers("From", s.From)
	for _, m := range to {
		if m.Phase == driver.Disabled {
			b.problem("To", "%s is disabled: weights have no effect on it, enable it first", m.Key)
		}
	}
	others := 0
	for _, m := range seen.members {
		if _, named := b.wanted[m.Key]; named || m.Phase == driver.Leaving || m.Phase == driver.Disabled {
			continue
		}
		if s.From == nil {
			from = append(from, m)
		} else {
			others += m.Weight
		}
	}
	from = slices.DeleteFunc(from, func(m Member) bool { return m.Weight == 0 || m.Phase == driver.Disabled })
	if len(b.problems) > 0 {
		return nil, invalid(d, method, b.problems...)
	}
	plan := &shiftPlan{To: make([]Key, len(to)), Steps: steps}
	for i, m := range to {
		plan.To[i] = m.Key
	}
	for _, m := range slices.Concat(to, from) {
		plan.Old = append(plan.Old, hold(m))
	}
	if len(from) > 0 {
		plan.Shares = shiftShares(d, to, from, others, steps)
	}
	return plan, nil
}

// shiftMembers are the members that keys name.
func (b *planner) shiftMembers(list string, keys []Key) []Member {
	members := make([]Member, 0, len(keys))
	for i, k := range keys {
		field := fmt.Sprintf("%s[%d]", list, i)
		m, ok := b.name(field, k)
		switch {
		case !ok:
		case m == nil || m.Phase == driver.Leaving:
			b.problem(field, "%s is not in the pool: add it with weight 0", k)
		default:
			members = append(members, *m)
		}
	}
	return members
}

func (b *planner) checkShift(s Shift, steps []float64) {
	switch {
	case !b.d.SetWeight.Exists():
		b.problem("pool", "%s has no call that changes weights", name(b.d))
	case b.d.Weights.Ignored != "":
		b.problem("pool", "%s ignores weights: %s; add and remove members instead", name(b.d), b.d.Weights.Ignored)
	}
	if len(s.To) == 0 {
		b.problem("To", "is empty: name the members that are to get more requests")
	}
	if s.From != nil && len(s.From) == 0 {
		b.problem("From", "is empty: leave it nil for all other members")
	}
	if len(steps) == 0 {
		b.problem("Steps", "is empty: leave it nil for 5, 25, 50, 100")
	}
	last := 0.0
	for i, step := range steps {
		field := fmt.Sprintf("Steps[%d]", i)
		switch {
		case !(step > 0 && step <= 100):
			b.problem(field, "is %g, must be a percentage above 0, at most 100", step)
		case step <= last:
			b.problem(field, "is %g after %g: steps must rise", step, last)
		case step == 100 && b.d.Weights.Min > 0:
			b.problem(field, "is 100, and weights begin at %d here, so that From cannot get nothing: end below 100 and remove From", b.d.Weights.Min)
		}
		last = step
	}
	if s.InService < 0 {
		b.problem("InService", "is %s, must not be negative", s.InService)
	}
	if s.RestoreTimeout < 0 {
		b.problem("RestoreTimeout", "is %s, must not be negative", s.RestoreTimeout)
	}
	if s.MinInService < 0 {
		b.problem("MinInService", "is %d, must not be negative", s.MinInService)
	}
}

// shiftShares is pure: the weights of all steps.
func shiftShares(d Description, to, from []Member, others int, steps []float64) []Share {
	low := max(d.Weights.Min, 1)
	reference := 0
	for _, m := range slices.Concat(to, from) {
		reference = max(reference, m.Weight)
	}
	if reference == 0 {
		reference = max(d.Weights.Default, low)
	}
	base := func(members []Member) (base []int, sum int) {
		for _, m := range members {
			sum += m.Weight
			base = append(base, m.Weight)
			if m.Weight == 0 {
				base[len(base)-1] = reference
			}
		}
		return base, sum
	}
	toBase, toSum := base(to)
	fromBase, fromSum := base(from)
	scale := shiftScale{low: low, most: d.Weights.Max}
	scale.to, scale.from = newShiftSide(toBase, low, scale.most), newShiftSide(fromBase, low, scale.most)
	if others > 0 {
		scale.keep = toSum + fromSum
	}
	shares := make([]Share, len(steps))
	for i, h := range scale.path(steps) {
		shares[i] = Share{Wanted: steps[i], Real: scale.share(h)}
		for j, m := range to {
			shares[i].Weights = append(shares[i].Weights, MemberWeight{m.Key, scale.to.weight(toBase[j], h.to, low)})
		}
		for j, m := range from {
			shares[i].Weights = append(shares[i].Weights, MemberWeight{m.Key, scale.from.weight(fromBase[j], h.from, low)})
		}
	}
	return shares
}

// guardShift refuses a Shift that would leave too few members in service.
func (r *run) guardShift(plan *shiftPlan) error {
	if len(plan.Shares) == 0 {
		return nil
	}
	out := make(map[Key]bool)
	for _, w := range plan.Shares[len(plan.Shares)-1].Weights {
		out[w.Key] = w.Weight == 0
	}
	for _, k := range plan.To {
		out[k] = true // counted here, as they have to come into service anyway
	}
	left := r.seen.inService(r.d, maps.Clone(out)) + len(plan.To)
	if left >= r.min {
		return nil
	}
	return invalid(r.d, r.method, cloudlb.Problem{
		Field:   "MinInService",
		Message: fmt.Sprintf("is %d, and at 100%% %d members would be in service: end the Steps below 100", r.min, left),
	})
}
