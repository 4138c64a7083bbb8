package pool

import (
	"context"
	"crypto/rand"
	"fmt"

	"github.com/cloudlb/cloudlb/pool/driver"
)

// held is a member that was taken out of service, and how it was before. It is
// what a journal remembers.
type held struct {
	Key    Key `json:"key"`
	Weight int `json:"weight"`
	// Disabled: it was disabled before, and stays so.
	Disabled bool `json:"disabled,omitempty"`
}

func hold(m Member) held {
	return held{Key: m.Key, Weight: m.Weight, Disabled: m.Phase == driver.Disabled}
}

// takeOut keeps members in the pool without new requests: disabled where the
// service can, else at weight 0. Where neither has an effect it is refused
// before anything is sent.
func (r *run) takeOut(ctx context.Context, members []held) error {
	if !canTakeOut(r.d) {
		return invalid(r.d, r.method, problem("pool", "%s cannot keep members without requests: %s; replace them instead", name(r.d), whyNotTakeOut(r.d)))
	}
	specs := make([]Spec, len(members))
	for i, m := range members {
		specs[i] = Spec{Key: m.Key, Weight: new(0)}
	}
	kind := driver.SetWeight
	if r.d.Disable.Exists() {
		kind = driver.Disable
	}
	return r.carryOut(ctx, r.split(kind, specs), 0)
}

// bringBack gives members the weights that they had before takeOut. Members
// that were removed meanwhile stay so.
func (r *run) bringBack(ctx context.Context, members []held) error {
	var specs []Spec
	for _, m := range members {
		if m.Disabled && r.d.Disable.Exists() || !r.isThere(m.Key) {
			continue
		}
		specs = append(specs, Spec{Key: m.Key, Weight: new(m.Weight)})
	}
	kind := driver.SetWeight
	if r.d.Disable.Exists() {
		kind = driver.Enable
	}
	return r.carryOut(ctx, r.split(kind, specs), 0)
}

func (r *run) isThere(k Key) bool {
	_, ok := r.seen.present(k)
	return ok
}

// split makes steps of changes that no plan has.
func (r *run) split(kind driver.Kind, specs []Spec) []Step {
	b := planner{d: r.d, plan: new(Plan)}
	b.calls(kind, specs)
	for i := range b.plan.Steps {
		b.plan.Steps[i].Token = rand.Text()
	}
	return b.plan.Steps
}

// named are the members that keys name, each of which must be in the pool; nil
// keys name all.
func (r *run) named(keys []Key) ([]Member, error) {
	if keys == nil {
		members := make([]Member, 0, len(r.seen.members))
		for _, m := range r.seen.members {
			if m.Phase != driver.Leaving {
				members = append(members, m)
			}
		}
		return members, nil
	}
	b := planner{d: r.d, seen: r.seen, wanted: make(map[Key]string, len(keys))}
	members := make([]Member, 0, len(keys))
	for i, k := range keys {
		field := fmt.Sprintf("members[%d]", i)
		m, ok := b.name(field, k)
		switch {
		case !ok:
		case m == nil || m.Phase == driver.Leaving:
			b.problem(field, "%s is not in the pool", k)
		default:
			members = append(members, *m)
		}
	}
	if len(b.problems) > 0 {
		return nil, invalid(r.d, r.method, b.problems...)
	}
	return members, nil
}
