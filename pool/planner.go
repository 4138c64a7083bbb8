package pool

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// planner works out a plan from what is there and what is wanted.
type planner struct {
	d        Description
	seen     *snapshot
	opts     PlanOptions
	plan     *Plan
	problems []cloudlb.Problem

	wanted  map[Key]string // where a member was named
	adds    []Spec
	weights []Spec // that change, of members that stay
	removes []Member
}

func (b *planner) problem(field, format string, args ...any) {
	b.problems = append(b.problems, problem(field, format, args...))
}

// finish checks the limits and orders the steps, if nothing is wrong so far.
func (b *planner) finish() {
	if len(b.problems) > 0 {
		return
	}
	b.guard()
	if b.opts.SwapAtomically && len(b.adds) > 0 && len(b.removes) > 0 {
		b.swap()
	} else {
		b.exchange()
	}
}

func (b *planner) checkOptions() {
	o := b.opts
	if o.MinInService < 0 {
		b.problem("MinInService", "is %d, must not be negative", o.MinInService)
	}
	if !(o.MaxChange >= 0 && o.MaxChange <= 1) {
		b.problem("MaxChange", "is %g, must be a share from 0 to 1", o.MaxChange)
	}
	if o.InService < 0 {
		b.problem("InService", "is %s, must not be negative", o.InService)
	}
	if o.Owner.label != "" && !b.d.Labels {
		b.problem("Owner", "members of %s carry no labels: use OwnedIf", b.d.Service)
	}
	if o.SwapAtomically && !b.d.Swap.Exists() {
		b.problem("SwapAtomically", "%s has no call that swaps members here: leave it out, members are then added before others are removed", b.d.Service)
	}
	if o.Drain > 0 && !b.canDrain() {
		b.problem("Drain", "is not possible: %s; use NoDrain", b.whyNoDrain())
	}
}

// canDrain reports whether members can be kept in the pool without getting
// requests.
func (b *planner) canDrain() bool { return canTakeOut(b.d) }

func (b *planner) whyNoDrain() string { return whyNotTakeOut(b.d) }

func canTakeOut(d Description) bool {
	return d.Disable.Exists() || d.SetWeight.Exists() && d.Weights.Ignored == "" && d.Weights.Min == 0
}

func whyNotTakeOut(d Description) string {
	switch {
	case d.Weights.Ignored != "":
		return "a weight of 0 has no effect here: " + d.Weights.Ignored
	case d.Weights.Min > 0:
		return fmt.Sprintf("weights begin at %d", d.Weights.Min)
	default:
		return "there is no call that changes weights"
	}
}

// compare sorts wanted members into those to add, to reweight, and to leave
// alone.
func (b *planner) compare(list string, wanted []Spec) {
	b.plan.Lines = slices.Grow(b.plan.Lines, max(len(wanted), len(b.seen.members)))
	for i, s := range wanted {
		field := fmt.Sprintf("%s[%d]", list, i)
		s.Key = canonical(s.Key)
		b.checkSpec(field, s)
		m, ok := b.name(field, s.Key)
		switch {
		case !ok:
		case m == nil || m.Phase == driver.Leaving:
			b.add(field, s)
		case !b.opts.Owner.owns(*m):
			b.foreign(field, s, m)
		default:
			b.stay(s, m)
		}
	}
}

// name finds the member of a key, which must be named once in all lists; m is
// nil if there is none.
func (b *planner) name(field string, k Key) (m *Member, ok bool) {
	m, err := b.seen.find(k)
	if err != nil {
		b.problem(field, "%s %v", k, err)
		return nil, false
	}
	if m != nil {
		k = m.Key
	}
	if before, twice := b.wanted[k]; twice {
		b.problem(field, "%s is the same member as %s", k, before)
		return nil, false
	}
	b.wanted[k] = field
	return m, true
}

// removeOthers removes the members that nobody named, unless they are others'.
func (b *planner) removeOthers() {
	for i := range b.seen.members {
		m := &b.seen.members[i]
		if _, ok := b.wanted[m.Key]; ok || m.Phase == driver.Leaving {
			continue
		}
		line := Line{Action: ActionRemove, Key: m.Key, From: new(m.Weight)}
		if b.opts.Owner.owns(*m) {
			if _, err := b.seen.find(m.Key); err != nil {
				b.problem("pool", "%s %v", m.Key, err)
				continue
			}
			b.removes = append(b.removes, *m)
		} else {
			line.Action, line.To = ActionForeign, line.From
		}
		b.plan.Lines = append(b.plan.Lines, line)
	}
}

func (b *planner) checkSpec(field string, s Spec) {
	switch {
	case s.Server == "":
		b.problem(field+".Server", "is empty: give the instance ID or the address")
	case !printable(s.Server) || !printable(s.Address):
		b.problem(field+".Server", "is %q: no ID or address has such characters", s.Key)
	case s.Port < 0 || s.Port > 65535:
		b.problem(field+".Port", "is %d, must be from 1 to 65535", s.Port)
	case s.Port == 0 && !b.d.Portless:
		b.problem(field+".Port", "is missing")
	case s.Port != 0 && b.d.Portless:
		b.problem(field+".Port", "is %d, must be left out: members of this pool have the ports of its listeners", s.Port)
	}
	w := b.d.Weights
	switch {
	case s.Weight == nil:
	case *s.Weight < w.Min || *s.Weight > w.Max:
		b.problem(field+".Weight", "is %d, must be from %d to %d", *s.Weight, w.Min, w.Max)
	case *s.Weight == 0 && w.Ignored != "":
		b.problem(field+".Weight", "is 0, which has no effect here: %s; leave the member out to remove it", w.Ignored)
	}
}

// printable reports whether a name is one word that a line of text can have.
func printable(name string) bool {
	return !strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) || unicode.IsSpace(r) })
}

func (b *planner) add(field string, s Spec) {
	label := b.opts.Owner.label
	switch {
	case s.Label == "":
		s.Label = label
	case label != "" && s.Label != label:
		b.problem(field+".Label", "is %q, and the owner's label is %q", s.Label, label)
	}
	b.adds = append(b.adds, s)
	b.plan.Lines = append(b.plan.Lines, Line{Action: ActionAdd, Key: s.Key, To: s.Weight})
}

func (b *planner) foreign(field string, s Spec, m *Member) {
	if s.Weight != nil && *s.Weight != m.Weight {
		b.problem(field, "%s belongs to somebody else, and its weight would change from %d to %d: leave it out", s.Key, m.Weight, *s.Weight)
		return
	}
	b.plan.Lines = append(b.plan.Lines, Line{Action: ActionForeign, Key: m.Key, From: new(m.Weight), To: new(m.Weight)})
}

func (b *planner) stay(s Spec, m *Member) {
	line := Line{Action: ActionKeep, Key: m.Key, From: new(m.Weight), To: new(m.Weight)}
	if s.Weight != nil && *s.Weight != m.Weight {
		line.Action, line.To = ActionReweight, s.Weight
		change := m.Spec()
		change.Weight = s.Weight
		b.weights = append(b.weights, change)
		if !b.d.SetWeight.Exists() {
			b.problem("Weight", "%s: there is no call that changes weights here: leave the weight out", m.Key)
		}
	} else if s.Weight == nil && m.Weight == 0 && b.d.Weights.Ignored == "" {
		b.note("%s has weight 0 and keeps it: it gets no requests", m.Key)
	}
	if m.Phase == driver.Disabled {
		b.note("%s is disabled and stays so: it gets no requests", m.Key)
	}
	b.plan.Lines = append(b.plan.Lines, line)
}

func (b *planner) note(format string, args ...any) {
	b.plan.Notes = append(b.plan.Notes, fmt.Sprintf(format, args...))
}

// guard refuses plans that cannot be carried out within the limits.
func (b *planner) guard() {
	present := 0
	for _, m := range b.seen.members {
		if m.Phase != driver.Leaving {
			present++
		}
	}
	const rounding = 1e-9 // 0.29 of 100 is a little less than 29
	if changed := len(b.removes) + len(b.weights); b.opts.MaxChange > 0 && float64(changed) > b.opts.MaxChange*float64(present)+rounding {
		b.problem("MaxChange", "is %g, and %d of %d members would be removed or get another weight", b.opts.MaxChange, changed, present)
	}
	if !b.opts.AllowEmpty && len(b.removes) > 0 && len(b.adds) == 0 && b.ours() == len(b.removes) {
		b.problem("AllowEmpty", "is not set, and all %d members that are ours would be removed", len(b.removes))
	}
	if b.opts.MinInService > 0 {
		if n := b.inServiceAtTheEnd(); n < b.opts.MinInService {
			b.problem("MinInService", "is %d, and %d members would be in service at the end", b.opts.MinInService, n)
		}
	}
	if after := present + len(b.adds) - len(b.removes); b.d.MaxMembers > 0 && after > b.d.MaxMembers {
		b.problem("desired", "makes the pool %d members large, and it can have %d", after, b.d.MaxMembers)
	}
}

// ours counts the members that the owner has.
func (b *planner) ours() int {
	n := 0
	for _, m := range b.seen.members {
		if m.Phase != driver.Leaving && b.opts.Owner.owns(m) {
			n++
		}
	}
	return n
}

func (b *planner) inServiceAtTheEnd() int {
	leaves := make(map[Key]bool, len(b.removes)+len(b.weights))
	for _, m := range b.removes {
		leaves[m.Key] = true
	}
	weighted := b.d.Weights.Ignored != ""
	n := 0
	for _, s := range b.weights {
		leaves[s.Key] = true // counted here
		if m, ok := b.seen.present(s.Key); ok && (*s.Weight > 0 || weighted) {
			raised := *m
			raised.Weight = *s.Weight
			if InService(b.d, raised) {
				n++
			}
		}
	}
	for _, s := range b.adds {
		if s.Weight == nil || *s.Weight > 0 || weighted {
			n++
		}
	}
	return n + b.seen.inService(b.d, leaves)
}

// exchange orders the steps: add, in service, reweight, drain, remove. A pool
// that is too full for that is exchanged in turns, in which it is at most a
// fifth smaller.
func (b *planner) exchange() {
	raised, others := b.split()
	adds, removes := b.adds, b.removes
	room := len(adds)
	if b.d.MaxMembers > 0 && len(adds) > b.d.MaxMembers-len(b.seen.members) {
		room = max(b.d.MaxMembers-len(b.seen.members), 0)
		b.note("the pool can have %d members: they are exchanged in turns", b.d.MaxMembers)
	}
	for {
		n := min(len(adds), room)
		b.in(adds[:n], raised)
		adds = adds[n:]
		k := len(removes)
		if len(adds) > 0 {
			k = min(k, max(n, b.turn()))
		}
		last := others
		if len(adds) > 0 {
			last = nil // weights go down when all have come
		}
		b.out(last, removes[:k])
		removes = removes[k:]
		raised = nil
		room += k - n
		if len(adds) == 0 {
			others = nil
		}
		if len(adds) == 0 && len(removes) == 0 {
			return
		}
		if n == 0 && k == 0 {
			b.problem("MinInService", "is %d, and the pool is full: nothing can leave before something is added", b.opts.MinInService)
			return
		}
	}
}

// turn is how many members leave a full pool before others have come.
func (b *planner) turn() int {
	n := max(len(b.seen.members)/5, 1)
	if b.d.Add.Most > 0 {
		n = min(n, b.d.Add.Most)
	}
	if b.opts.MinInService > 0 {
		n = min(n, max(b.seen.inService(b.d, nil)-b.opts.MinInService, 0))
	}
	return n
}

// split takes apart the weights that bring a member into service, which comes
// before anything is taken out of it. Where nothing is taken out, one kind of
// calls does.
func (b *planner) split() (raised, others []Spec) {
	takesOut := len(b.removes) > 0 || slices.ContainsFunc(b.weights, func(s Spec) bool { return *s.Weight == 0 })
	for _, s := range b.weights {
		if m, ok := b.seen.present(s.Key); ok && m.Weight == 0 || !takesOut {
			raised = append(raised, s)
		} else {
			others = append(others, s)
		}
	}
	return raised, others
}

// in adds members and brings others into service, and waits for them.
func (b *planner) in(adds, raised []Spec) {
	b.calls(driver.Add, adds)
	b.calls(driver.SetWeight, raised)
	await := slices.Clone(adds)
	for _, s := range raised {
		if m, ok := b.seen.present(s.Key); ok && m.Weight == 0 {
			await = append(await, s)
		}
	}
	if len(await) > 0 {
		b.plan.Steps = append(b.plan.Steps, Step{Do: Await, Members: await})
	}
}

// out changes weights, drains and removes.
func (b *planner) out(weights []Spec, removes []Member) {
	drain := removalDrain(b.d, b.opts.Drain)
	specs := make([]Spec, len(removes))
	var drained []Spec
	for i, m := range removes {
		specs[i] = m.Spec()
		if drain > 0 && m.Weight > 0 && m.Phase != driver.Disabled {
			drained = append(drained, specs[i])
		}
	}
	switch {
	case len(drained) > 0 && b.d.Disable.Exists():
		b.calls(driver.SetWeight, weights)
		b.calls(driver.Disable, drained)
	case len(drained) > 0 && b.canDrain():
		for _, s := range drained {
			s.Weight = new(0)
			weights = append(weights, s)
		}
		b.calls(driver.SetWeight, weights)
	default:
		if len(drained) > 0 {
			b.note("members are removed without draining: %s", b.whyNoDrain())
			drained = nil
		}
		b.calls(driver.SetWeight, weights)
	}
	if len(drained) > 0 {
		b.plan.Steps = append(b.plan.Steps, Step{Do: Pause, Members: drained, For: Duration(drain)})
	}
	b.calls(driver.Remove, specs)
}

// swap exchanges members with the service's own call, then changes weights.
func (b *planner) swap() {
	raised, others := b.split()
	b.in(nil, raised)
	most := b.d.Swap.Most
	in, out := b.adds, b.removes
	both := min(len(in), len(out)) // a swap has something on both sides
	calls := 1
	if most > 0 {
		calls = (max(len(in), len(out)) + most - 1) / most
	}
	if both < calls { // the rest is added or removed without a partner
		calls = both
	}
	for i := range calls {
		step := Step{Do: driver.Swap}
		left := calls - i
		n, k := part(len(in), left, most), part(len(out), left, most)
		step.Members = slices.Clone(in[:n])
		for _, m := range out[:k] {
			step.Out = append(step.Out, m.Spec())
		}
		b.plan.Steps = append(b.plan.Steps, step)
		in, out = in[n:], out[k:]
	}
	b.calls(driver.Add, in)
	b.plan.Steps = append(b.plan.Steps, Step{Do: Await, Members: slices.Clone(b.adds)})
	b.out(others, out)
}

// part is how many of n go into the first of so many calls: as many as fit,
// such that each of the others gets one.
func part(n, calls, most int) int {
	k := n - (calls - 1)
	if most > 0 {
		k = min(k, most)
	}
	return k
}

// calls splits members into as few calls as their limit allows.
func (b *planner) calls(kind driver.Kind, specs []Spec) {
	most := b.d.Verb(kind).Most
	if most <= 0 {
		most = max(len(specs), 1)
	}
	for chunk := range slices.Chunk(specs, most) {
		b.plan.Steps = append(b.plan.Steps, Step{Do: kind, Members: chunk})
	}
}

// removalDrain is how long members are drained that are removed then: not
// by us where the service drains what is removed.
func removalDrain(d Description, drain time.Duration) time.Duration {
	switch {
	case drain < 0 || drain == 0 && d.Draining > 0:
		return 0
	case drain == 0:
		return DefaultDrain
	default:
		return drain
	}
}

// drainTime is how long members are drained that stay in the pool.
func drainTime(d Description, drain time.Duration) time.Duration {
	switch {
	case drain > 0:
		return drain
	case drain < 0:
		return 0
	case d.Draining > 0:
		return d.Draining
	default:
		return DefaultDrain
	}
}
