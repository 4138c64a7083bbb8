package pool

import (
	"context"
	"fmt"

	"github.com/cloudlb/cloudlb/pool/driver"
)

// Add adds members, any number of them, and waits until that is carried out. A
// member that is there already stays as it is, with the weight that it has, and
// is reported as Unchanged. To wait until they are in service use Plan with
// KeepOthers.
func (p *Pool) Add(ctx context.Context, members ...Spec) (*Report, error) {
	return p.change(ctx, "Add", PlanOptions{}, func(b *planner) {
		for i := range members {
			b.checkSpec(fmt.Sprintf("members[%d]", i), members[i])
		}
		bare := make([]Spec, len(members))
		for i, s := range members {
			if bare[i] = s; b.isPresent(s.Key) {
				bare[i].Weight = nil
			}
		}
		if len(b.problems) == 0 {
			b.compare("members", bare)
		}
		b.calls(driver.Add, b.adds)
	})
}

func (b *planner) isPresent(k Key) bool {
	_, ok := b.seen.present(k)
	return ok
}

// Remove removes members, any number of them, at once: what becomes of their
// requests is the service's affair. Drain lets them end first. A member that is
// not there is reported as Unchanged.
func (p *Pool) Remove(ctx context.Context, members ...Key) (*Report, error) {
	return p.change(ctx, "Remove", PlanOptions{}, removing(members))
}

func removing(members []Key) func(*planner) {
	return func(b *planner) {
		b.remove("members", members)
		specs := make([]Spec, len(b.removes))
		for i, m := range b.removes {
			specs[i] = m.Spec()
		}
		b.calls(driver.Remove, specs)
	}
}

// remove sorts out members to remove.
func (b *planner) remove(list string, keys []Key) {
	for i, k := range keys {
		field := fmt.Sprintf("%s[%d]", list, i)
		k = canonical(k)
		if k.Server == "" {
			b.problem(field+".Server", "is empty: give the instance ID or the address")
			continue
		}
		m, ok := b.name(field, k)
		switch {
		case !ok:
		case m == nil:
			b.plan.Lines = append(b.plan.Lines, Line{Action: ActionRemove, Key: k})
		case !b.opts.Owner.owns(*m):
			b.problem(field, "%s belongs to somebody else", k)
		default:
			b.plan.Lines = append(b.plan.Lines, Line{Action: ActionRemove, Key: m.Key, From: new(m.Weight)})
			if m.Phase != driver.Leaving {
				b.removes = append(b.removes, *m)
			}
		}
	}
}

// SetWeight gives members the weights of their Specs. It never adds or removes:
// a member that is not there is an error, and then nothing is sent. 0 is refused
// where it has no effect (ELB pools of algorithm SOURCE_IP and QUIC_CID).
func (p *Pool) SetWeight(ctx context.Context, members ...Spec) (*Report, error) {
	return p.change(ctx, "SetWeight", PlanOptions{}, func(b *planner) {
		for i, s := range members {
			field := fmt.Sprintf("members[%d]", i)
			if s.Weight == nil {
				b.problem(field+".Weight", "is missing")
			}
			if s.Server != "" && !b.isPresent(s.Key) {
				b.problem(field, "%s is not in the pool, or stands for several members", s.Key)
			}
		}
		if len(b.problems) == 0 {
			b.compare("members", members)
			b.calls(driver.SetWeight, b.weights)
		}
	})
}

// Replace puts members in the place of others: it adds those, waits until they
// are in service, then drains and removes these, within the limits of opts. All
// other members stay. Members of in that are there, and members of out that are
// not, stay as they are.
func (p *Pool) Replace(ctx context.Context, out []Key, in []Spec, opts PlanOptions) (*Report, error) {
	return p.change(ctx, "Replace", opts, func(b *planner) {
		b.compare("in", in)
		b.remove("out", out)
		b.finish()
	})
}

// change plans and carries out a change of the members that it names, in one
// turn.
func (p *Pool) change(ctx context.Context, method string, opts PlanOptions, build func(*planner)) (*Report, error) {
	r, held, end, err := p.begin(ctx, method, opts.MinInService > 0)
	if err != nil {
		return &Report{}, err
	}
	defer end()
	plan, err := newPlan(method, r.d, r.seen, opts, p.drv.Check, build)
	if err != nil {
		return &Report{Pool: name(r.d)}, err
	}
	plan.Partial = true
	return r.apply(held, plan)
}
