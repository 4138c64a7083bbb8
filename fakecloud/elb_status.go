package fakecloud

import (
	"time"
)

// WithLoadBalancerPending sets how long an ELB load balancer is PENDING_UPDATE
// after a change of one of its pools, members or monitors. Until it is ACTIVE
// again it refuses the next one. By default it is ACTIVE at once.
func WithLoadBalancerPending(d time.Duration) Option {
	return func(s *settings) { s.elbPending = d }
}

// elbBalancer is a load balancer: what changes below it lock.
type elbBalancer struct {
	id      string
	pending time.Time // until when it is PENDING_UPDATE
}

// key is its ID; no load balancer has none.
func (b *elbBalancer) key() string {
	if b == nil {
		return ""
	}
	return b.id
}

func (b *elbBalancer) provisioning(now time.Time) string {
	if now.Before(b.pending) {
		return "PENDING_UPDATE"
	}
	return "ACTIVE"
}

// attach gives a pool the load balancer that it names, or that of its listener.
func (s *elbState) attach(p *elbPool) {
	listener := p.in.str("listener_id")
	if id := p.in.str("loadbalancer_id"); id == "" {
		p.balancer = s.listeners[listener]
	} else {
		if s.balancers[id] == nil {
			s.balancers[id] = &elbBalancer{id: id}
		}
		p.balancer = s.balancers[id]
	}
	if listener != "" && s.listeners[listener] == nil {
		s.listeners[listener] = p.balancer
	}
}

// elbWrite makes a handler respect and take the locks of the load balancers
// that its call changes.
func elbWrite(h handler) handler {
	return func(c *call) (object, *fault) {
		locked := c.elbLocks()
		for _, b := range locked {
			if b.provisioning(c.now) != "ACTIVE" {
				return nil, c.elbLocked("Load balancer " + b.id)
			}
		}
		out, f := h(c)
		if f == nil || !c.set.assumes(ELBRefusalsLockNothing) {
			for _, b := range locked {
				b.pending = c.now.Add(c.set.elbPending)
			}
		}
		return out, f
	}
}

func (c *call) elbLocked(what string) *fault {
	if !c.set.assumes(ELBLockedSaysPending) {
		return refusef(409, "ELB.8907", "%s: conflict.", what)
	}
	return refusef(409, "ELB.8907", "%s is immutable: its provisioning_status is PENDING_UPDATE.", what)
}

// elbLocks are the load balancers that a call changes something of.
func (c *call) elbLocks() []*elbBalancer {
	var out []*elbBalancer
	add := func(b *elbBalancer) {
		if b != nil {
			out = append(out, b)
		}
	}
	for _, id := range append(c.in.strs("pools"), c.in.str("pool_id"), c.in.object("healthmonitor").str("pool_id")) {
		if p := c.elb.anyPool(id); p != nil {
			add(p.balancer)
		}
	}
	if m, ok := c.elb.monitor(c.in.str("healthmonitor_id")); ok {
		add(m.pool.balancer)
	}
	pool := c.in.object("pool")
	add(c.elb.balancers[pool.str("loadbalancer_id")])
	add(c.elb.listeners[pool.str("listener_id")])
	return out
}

// anyPool finds pools of both kinds.
func (s *elbState) anyPool(id string) *elbPool {
	if p := s.pools[id]; p != nil {
		return p
	}
	return s.pair(id)
}

// status is the member's health at a point in time.
func (m *elbMember) status(c *call) string {
	check := m.pool.check
	address := m.in.str("address")
	switch {
	case check == nil:
		return "NO_MONITOR"
	case !check.in.flag("admin_state_up"):
		if !c.set.assumes(ELBMonitorOffIsNone) {
			return "UNKNOWN"
		}
		return "NO_MONITOR"
	case m.in.num("weight") == 0 && !m.pool.isPair() && !c.set.assumes(ELBWeightZeroChecked):
		return "NO_MONITOR"
	case c.now.Before(m.known(c)):
		return "INITIAL"
	case !c.healthy(m.id, address, hostPort(address, m.in.num("protocol_port"))):
		return "OFFLINE"
	default:
		return "ONLINE"
	}
}

// known is when there is a first result of the member's health.
func (m *elbMember) known(c *call) time.Time {
	at := m.created
	if check := m.pool.check; check != nil && check.since.After(at) && !c.set.assumes(ELBNewMonitorKnows) {
		at = check.since
	}
	return at.Add(c.set.initial)
}

// elbShowStatus gives the tree of a load balancer. Listeners are known by the
// pools that were seeded with them.
func elbShowStatus(c *call) (object, *fault) {
	b := c.elb.balancers[c.in.str("loadbalancer_id")]
	if b == nil {
		return nil, elbNotFound("loadbalancer", c.in.str("loadbalancer_id"))
	}
	const online, degraded = "ONLINE", "DEGRADED"
	total := online
	pools, below := []object{}, make(map[string][]object)
	for _, list := range [][]*elbPool{c.elb.order, c.elb.pairs} {
		for _, p := range list {
			if p.balancer != b {
				continue
			}
			tree := p.tree(c)
			if tree["operating_status"] == degraded {
				total = degraded
			}
			pools = append(pools, tree)
			if id := p.in.str("listener_id"); id != "" {
				below[id] = append(below[id], tree)
			}
		}
	}
	listeners := []object{}
	for _, id := range sortedKeys(c.elb.listeners) {
		if c.elb.listeners[id] != b {
			continue
		}
		status := online
		for _, tree := range below[id] {
			if tree["operating_status"] == degraded {
				status = degraded
			}
		}
		listeners = append(listeners, object{
			"id": id, "name": id, "provisioning_status": "ACTIVE", "operating_status": status,
			"pools": orEmpty(below[id]), "l7policies": []object{},
		})
	}
	return object{"statuses": object{"loadbalancer": object{
		"id": b.id, "name": b.id, "provisioning_status": b.provisioning(c.now), "operating_status": total,
		"listeners": listeners, "pools": pools,
	}}}, nil
}

// tree is the pool in the tree of its load balancer: DEGRADED while a member is
// OFFLINE.
func (p *elbPool) tree(c *call) object {
	out := object{"id": p.id, "name": p.in.str("name"), "provisioning_status": "ACTIVE", "operating_status": "ONLINE"}
	members := make([]object, len(p.members))
	for i, m := range p.members {
		members[i] = object{
			"id": m.id, "address": m.in.str("address"), "protocol_port": m.in.num("protocol_port"),
			"provisioning_status": "ACTIVE", "operating_status": m.status(c),
		}
		if members[i]["operating_status"] == "OFFLINE" && c.set.assumes(ELBOfflineDegrades) {
			out["operating_status"] = "DEGRADED"
		}
	}
	out["members"] = members
	if p.check != nil {
		out["healthmonitor"] = object{
			"id": p.check.id, "name": p.check.in.str("name"), "type": p.check.in.str("type"), "provisioning_status": "ACTIVE",
		}
	}
	return out
}
