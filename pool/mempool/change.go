package mempool

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// state is what is in the pool after a change, until the next one.
type state struct {
	at      time.Time
	members []member
}

// member is a member and what becomes of it at a known time.
type member struct {
	driver.Member
	disabled bool
	since    time.Time // when it joined
	until    time.Time // when next is true; zero if nothing is under way
	next     struct {
		Weight   int
		Gone     bool
		Disabled bool
	}
}

// settled returns the members as they are at a time.
func settled(members []member, at time.Time) []member {
	var now []member
	for _, m := range members {
		if !m.until.IsZero() && !at.Before(m.until) {
			if m.next.Gone {
				continue
			}
			m.Weight, m.disabled, m.until = m.next.Weight, m.next.Disabled, time.Time{}
			m.Phase = driver.Ready
			if m.disabled {
				m.Phase = driver.Disabled
			}
		}
		now = append(now, m)
	}
	return now
}

func (p *Pool) now() *state { return &p.states[len(p.states)-1] }

// begun starts a new state, equal to what is there, and forgets those that no
// reader can see any more.
func (p *Pool) begun(at time.Time) *state {
	p.states = append(p.states, state{at: at, members: settled(p.now().members, at)})
	for len(p.states) > 1 && !p.states[1].at.After(at.Add(-p.lag)) {
		p.states = p.states[1:]
	}
	return p.now()
}

// Change implements driver.Pool. All members are changed or, with an error,
// none. It refuses what Check refuses, and answers an Add of a present member
// with cloudlb.ErrAlreadyExists, a change of an absent one with
// cloudlb.ErrNotFound, more than MaxMembers with cloudlb.ErrQuota, and
// everything with cloudlb.ErrBusy until the change before is done.
func (p *Pool) Change(ctx context.Context, c driver.Change) (driver.Result, error) {
	op := Op(c.Kind)
	if err := p.alive(ctx, op); err != nil {
		return driver.Result{}, err
	}
	if err := p.Check(c); err != nil {
		return driver.Result{}, err
	}
	// The caller's slices are its own again after the call.
	c.Members, c.Out = slices.Clone(c.Members), slices.Clone(c.Out)
	if _, err := p.begin(ctx, Call{Op: op, Change: c}); err != nil {
		return driver.Result{}, err
	}
	defer p.mu.Unlock()
	i := len(p.calls) - 1
	result, err := p.change(op, c, p.calls[i].Time)
	p.calls[i].Err = err
	return result, err
}

func (p *Pool) change(op Op, c driver.Change, at time.Time) (driver.Result, error) {
	fault := p.fault(op)
	if fault != nil && !fault.After && len(fault.Only) == 0 {
		return driver.Result{}, fault.Err
	}
	if at.Before(p.busy) {
		return driver.Result{}, p.failed(op, cloudlb.ClassBusy, fmt.Errorf("the change before is done in %s", p.busy.Sub(at)))
	}
	result := driver.Result{RequestID: fmt.Sprintf("mem-%d", len(p.calls))}
	if fault != nil && len(fault.Only) > 0 {
		spared := func(s driver.Spec) bool { return slices.Contains(fault.Only, s.Key) }
		for _, s := range slices.Concat(c.Members, c.Out) {
			if spared(s) {
				result.Failed = append(result.Failed, driver.Failure{Key: s.Key, Err: fault.Err})
			}
		}
		// The list of calls has the same slices.
		c.Members = slices.DeleteFunc(slices.Clone(c.Members), spared)
		c.Out = slices.DeleteFunc(slices.Clone(c.Out), spared)
	}
	if err := p.possible(op, c, settled(p.now().members, at)); err != nil {
		return driver.Result{}, err
	}
	done := at.Add(p.duration(c.Kind))
	now := p.begun(at)
	for _, s := range c.Out {
		p.leave(now, s, done)
	}
	for _, s := range c.Members {
		switch c.Kind {
		case driver.Add, driver.Swap:
			p.join(s, done)
		case driver.Remove:
			p.leave(now, s, done)
		default:
			p.alter(now, c.Kind, s, done)
		}
	}
	if !done.After(at) {
		now.members = settled(now.members, at)
	} else {
		p.busy = done
		p.tickets = append(p.tickets, done)
		result.Ticket = ticketName(len(p.tickets))
	}
	if fault != nil && len(fault.Only) == 0 {
		return driver.Result{}, fault.Err // the reply is lost
	}
	return result, nil
}

func (p *Pool) duration(k driver.Kind) time.Duration {
	switch k {
	case driver.Add:
		return p.joining
	case driver.Remove:
		return p.leaving
	case driver.Swap:
		return max(p.joining, p.leaving)
	default:
		return p.changing
	}
}

// possible reports why a change cannot be made of what is there.
func (p *Pool) possible(op Op, c driver.Change, members []member) error {
	absent, total := c.Members, len(members)
	switch c.Kind {
	case driver.Add, driver.Swap:
		for _, s := range c.Members {
			if i, _ := find(members, s); i >= 0 {
				return p.failed(op, cloudlb.ClassAlreadyExists, fmt.Errorf("member %s is in the pool", s.Key))
			}
		}
		absent, total = c.Out, total+len(c.Members)-len(c.Out)
	default:
	}
	for _, s := range absent {
		switch i, several := find(members, s); {
		case several:
			return p.failed(op, cloudlb.ClassInvalid, fmt.Errorf("key %s names several members: give the port and the address", s.Key))
		case i < 0:
			return p.failed(op, cloudlb.ClassNotFound, fmt.Errorf("member %s is not in the pool", s.Key))
		}
	}
	if p.desc.MaxMembers > 0 && total > p.desc.MaxMembers {
		return p.failed(op, cloudlb.ClassQuota, fmt.Errorf("the pool would have %d members, and can have %d", total, p.desc.MaxMembers))
	}
	return nil
}

// find returns where the member is that s names, -1 if it is not there, and
// whether there are several.
func find(members []member, s driver.Spec) (at int, several bool) {
	at = -1
	for i, m := range members {
		switch {
		case s.ID != "" && s.ID != m.ID, !m.Is(s.Key):
		case m.Key == s.Key:
			return i, false
		case at >= 0:
			several = true
		default:
			at = i
		}
	}
	return at, several
}

func (p *Pool) join(s driver.Spec, done time.Time) {
	m := driver.Member{
		Key: s.Key, Weight: p.desc.Weights.Default, Phase: driver.Joining,
		Type: s.Type, Subnet: s.Subnet, Zone: s.Zone, Name: s.Name,
	}
	if s.Weight != nil {
		m.Weight = *s.Weight
	}
	if p.desc.Labels {
		m.Label = s.Label
	}
	p.put(m, done)
	added := &p.now().members[len(p.now().members)-1]
	added.until, added.next.Weight = done, m.Weight
}

func (p *Pool) leave(now *state, s driver.Spec, done time.Time) {
	i, _ := find(now.members, s)
	m := &now.members[i]
	m.Phase, m.until, m.next.Gone = driver.Leaving, done, true
}

func (p *Pool) alter(now *state, kind driver.Kind, s driver.Spec, done time.Time) {
	i, _ := find(now.members, s)
	m := &now.members[i]
	m.next.Weight, m.next.Disabled, m.until = m.Weight, m.disabled, done
	switch kind {
	case driver.SetWeight:
		m.next.Weight = *s.Weight
	case driver.Disable:
		m.next.Disabled = true
	default:
		m.next.Disabled = false
	}
	if !m.disabled { // a disabled one gets no requests while it changes
		m.Phase = driver.Changing
	}
}
