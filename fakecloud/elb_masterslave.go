package fakecloud

import (
	"cmp"
	"slices"
	"time"
)

// Master-slave pools are pools of another list: their two members and their
// monitor come with them and stay.

// AddMasterSlavePool puts an ELB master-slave pool into the Cloud and returns its
// ID. One of the same ID is replaced. Of its members one has the Role "master"
// and one "slave"; it has a health monitor in any case, and More are settings of
// CreateMasterSlavePool.
func (c *account) AddMasterSlavePool(p Pool) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flowNow()
	now := time.Now()
	if old := c.elb.pair(p.ID); old != nil {
		c.removePair(old)
	}
	pool := &elbPool{
		numbered: c.elb.next(), id: either(p.ID, c.ids.uuid()), in: c.elbSeeded("CreateMasterSlavePool", p),
		created: now, updated: now, byID: make(map[string]*elbMember),
	}
	pool.in["members"] = []any{} // what makes it one
	c.seedMonitor(pool, p, now)
	c.seedMembers(pool, p.Members, now)
	c.elb.pairs, c.elb.pairByID[pool.id] = append(c.elb.pairs, pool), pool
	c.elb.attach(pool)
	return pool.id
}

func (s *elbState) pair(id string) *elbPool {
	return s.pairByID[id]
}

// elbListed are the pools of lists, by creation.
func (c *call) elbListed() []*elbPool {
	if c.set.assumes(ELBPairsListedApart) {
		return c.elb.order
	}
	both := slices.Concat(c.elb.order, c.elb.pairs)
	slices.SortFunc(both, func(a, b *elbPool) int { return cmp.Compare(a.seq, b.seq) })
	return both
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
	p := &elbPool{
		numbered: c.elb.next(), id: c.ids.uuid(), in: in, created: c.now, updated: c.now, byID: make(map[string]*elbMember),
	}
	var members []*elbMember
	for _, m := range in.list("members") {
		if f := c.elbCheck(p, m); f != nil {
			return nil, f
		}
		for _, other := range members {
			switch {
			case p.same(other, m):
				return nil, elbInvalid("the members must differ in address or protocol_port")
			case other.in.str("role") == m.str("role"):
				return nil, elbInvalid("one member must be the master and one the slave")
			}
		}
		members = append(members, c.newELBMember(p, c.now, m))
	}
	monitor := in.object("healthmonitor")
	monitor["admin_state_up"] = true
	if f := elbCheckMonitor(p, monitor); f != nil {
		return nil, f
	}
	if f := c.elbQuota("pool", len(c.elb.order), 1); f != nil {
		return nil, f
	}
	for _, m := range members {
		c.elb.enter(m)
	}
	c.newELBMonitor(p, "", c.now, monitor)
	c.elb.pairs, c.elb.pairByID[p.id] = append(c.elb.pairs, p), p
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
	out["members"] = members
	if p.check != nil {
		out["healthmonitor"] = p.check.object()
	}
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
	find := func(id string) (*elbPool, bool) { p := c.elb.pair(id); return p, p != nil }
	return elbPage(c, "pools", elbFlat(c.elb.pairs, find, (*elbPool).key, func(p *elbPool) object { return p.filters(p.pairObject(c)) }))
}

func elbDeletePair(c *call) (object, *fault) {
	p, f := c.elbPair()
	if f != nil {
		return nil, f
	}
	c.removePair(p)
	return nil, nil
}

func (c *account) removePair(p *elbPool) {
	if p.check != nil {
		c.removeELBMonitor(p.check)
	}
	for _, m := range slices.Clone(p.members) {
		c.elb.leave(m)
	}
	c.elb.pairs = dropRow(c.elb.pairs, p)
	delete(c.elb.pairByID, p.id)
}
