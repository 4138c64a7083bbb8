package fakecloud

import (
	"slices"
)

// Master-slave pools are pools of another list: their two members and their
// monitor come with them and stay.

func (s *elbState) pair(id string) *elbPool {
	for _, p := range s.pairs {
		if p.id == id {
			return p
		}
	}
	return nil
}

func (p *elbPool) isPair() bool { return p.in.has("members") }

func elbCreatePair(c *call) (object, *fault) {
	in := params(clone(object(c.in.object("pool"))))
	if f := c.elbTarget(in); f != nil {
		return nil, f
	}
	if f := elbSuits(in.str("protocol"), in); f != nil {
		return nil, f
	}
	p := &elbPool{id: c.ids.uuid(), in: in, created: c.now, updated: c.now}
	for _, m := range in.list("members") {
		if f := elbCheck(p, m); f != nil {
			return nil, f
		}
		if p.at(m) != nil {
			return nil, elbInvalid("the members must differ in address or protocol_port")
		}
		if slices.ContainsFunc(p.members, func(x *elbMember) bool { return x.in.str("role") == m.str("role") }) {
			return nil, elbInvalid("one member must be the master and one the slave")
		}
		p.members = append(p.members, c.newELBMember(p, c.now, m))
	}
	monitor := in.object("healthmonitor")
	monitor["admin_state_up"] = true
	if f := elbCheckMonitor(p, monitor); f != nil {
		return nil, f
	}
	if f := c.elbQuota("pool", len(c.elb.order), 1); f != nil {
		return nil, f
	}
	c.newELBMonitor(p, "", c.now, monitor)
	c.elb.pairs = append(c.elb.pairs, p)
	c.elb.attach(p)
	return object{"pool": p.pairObject(c)}, nil
}

func (p *elbPool) pairObject(c *call) object {
	out := p.object(c.set.projectID)
	members := make([]object, len(p.members))
	for i, m := range p.members {
		members[i] = m.object(c)
		members[i]["role"] = m.in.str("role")
	}
	out["members"], out["healthmonitor"] = members, p.check.object()
	return out
}

func (c *call) elbPair() (*elbPool, *fault) {
	if p := c.elb.pair(c.in.str("pool_id")); p != nil {
		return p, nil
	}
	return nil, elbNotFound("pool", c.in.str("pool_id"))
}

func elbShowPair(c *call) (object, *fault) {
	p, f := c.elbPair()
	if f != nil {
		return nil, f
	}
	return object{"pool": p.pairObject(c)}, nil
}

func elbListPairs(c *call) (object, *fault) {
	all := c.elb.pairs
	return c.elbPage("pools", len(all),
		func(i int) string { return all[i].id },
		func(i int) object { return all[i].filters(all[i].pairObject(c)) })
}

func elbDeletePair(c *call) (object, *fault) {
	p, f := c.elbPair()
	if f != nil {
		return nil, f
	}
	c.removeELBMonitor(p.check)
	c.elb.pairs = slices.DeleteFunc(c.elb.pairs, func(x *elbPool) bool { return x == p })
	return nil, nil
}
