package fakecloud

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// elbSuits refuses settings of a pool that belong to other protocols.
func elbSuits(protocol string, in params) *fault {
	algorithm := in.str("lb_algorithm")
	switch {
	case strings.HasSuffix(algorithm, "_TUPLE_HASH") && protocol != "IP":
		return elbInvalid("lb_algorithm %s is for protocol IP only", algorithm)
	case algorithm == "QUIC_CID" && protocol != "QUIC":
		return elbInvalid("lb_algorithm QUIC_CID is for protocol QUIC only")
	case in.flag("any_port_enable") && !slices.Contains([]string{"TCP", "UDP", "QUIC"}, protocol):
		return elbInvalid("any_port_enable is for protocols TCP, UDP and QUIC only")
	case in.str("type") == "ip" && in.str("vpc_id") != "":
		return elbInvalid("vpc_id must not be set for type ip")
	}
	return nil
}

// elbTarget checks what a new pool is to hang on.
func (c *call) elbTarget(in params) *fault {
	if id := in.str("loadbalancer_id"); id != "" && c.elb.balancers[id] == nil {
		return elbNotFound("loadbalancer", id)
	}
	listener := in.str("listener_id")
	if listener == "" {
		return nil
	}
	if _, known := c.elb.listeners[listener]; !known {
		return elbNotFound("listener", listener)
	}
	for _, list := range [][]*elbPool{c.elb.order, c.elb.pairs} {
		if c.set.assumes(ELBOnePoolPerListener) && slices.ContainsFunc(list, func(p *elbPool) bool { return p.in.str("listener_id") == listener }) {
			return refusef(409, "ELB.8907", "Listener %s already has a default pool.", listener)
		}
	}
	return nil
}

func elbCreatePool(c *call) (object, *fault) {
	in := c.in.object("pool")
	if f := c.elbTarget(in); f != nil {
		return nil, f
	}
	if f := elbSuits(in.str("protocol"), in); f != nil {
		return nil, f
	}
	if f := c.elbQuota("pool", len(c.elb.order), 1); f != nil {
		return nil, f
	}
	p := c.newELBPool("", c.now, params(clone(object(in))))
	return object{"pool": p.object(c.set.projectID)}, nil
}

func elbShowPool(c *call) (object, *fault) {
	p, f := c.elbPool()
	if f != nil {
		return nil, f
	}
	return object{"pool": p.object(c.set.projectID)}, nil
}

func elbListPools(c *call) (object, *fault) {
	find := func(id string) (*elbPool, bool) {
		p := c.elb.pools[id]
		if p == nil && !c.set.assumes(ELBPairsListedApart) {
			p = c.elb.pair(id)
		}
		return p, p != nil
	}
	return elbPage(c, "pools", elbFlat(c.elbListed(), find, (*elbPool).key, func(p *elbPool) object {
		return p.filters(p.object(c.set.projectID))
	}))
}

// filters adds to a row what lists of pools are filtered by. Names with a
// question mark count before the row's own.
func (p *elbPool) filters(row object) object {
	var addresses []any
	for _, m := range p.members {
		addresses = append(addresses, m.in.str("address"))
	}
	row["loadbalancer_id"], row["listener_id"] = p.balancer.key(), p.in.str("listener_id")
	row["member_address"], row["healthmonitor_id"] = addresses, p.monitor
	row["?connection_drain"] = p.in.object("connection_drain").flag("enable")
	row["?pool_health"] = fmt.Sprint("minimum_healthy_member_count=", p.in.object("pool_health").num("minimum_healthy_member_count"))
	row["quic_cid_len"], row["quic_cid_offset"] = p.in.object("quic_cid_hash_strategy")["len"], p.in.object("quic_cid_hash_strategy")["offset"]
	return row
}

// elbUpdatePool changes what the request names and leaves the rest, inside of
// objects as well.
func elbUpdatePool(c *call) (object, *fault) {
	p, f := c.elbPool()
	if f != nil {
		return nil, f
	}
	in := params(clone(object(params(c.sent).object("pool"))))
	if f := elbSuits(p.in.str("protocol"), in); f != nil {
		return nil, f
	}
	for _, name := range []string{"type", "vpc_id"} {
		if old := p.in.str(name); in.has(name) && old != "" && in.str(name) != old {
			return nil, elbInvalid("%s of pool %s is set and cannot be changed", name, p.id)
		}
	}
	if c.set.assumes(ELBAnyPortNeedsEmptyPool) && in.has("any_port_enable") && in.flag("any_port_enable") != p.in.flag("any_port_enable") && len(p.members) > 0 {
		return nil, elbInvalid("any_port_enable cannot be changed while pool %s has members", p.id)
	}
	for name, v := range in {
		old, isOld := p.in[name].(object)
		change, isChange := v.(object)
		if isOld && isChange && c.set.assumes(ELBUpdatePoolMerges) {
			maps.Copy(old, change)
			continue
		}
		p.in[name] = v
	}
	p.updated = c.now
	return object{"pool": p.object(c.set.projectID)}, nil
}

// elbInUse refuses the deletion of a pool that has something below it.
func elbInUse(p *elbPool) *fault {
	switch {
	case len(p.members) > 0:
		return refusef(409, "ELB.8907", "Pool %s is in use by %d members.", p.id, len(p.members))
	case p.check != nil:
		return refusef(409, "ELB.8907", "Pool %s is in use by health monitor %s.", p.id, p.monitor)
	}
	return nil
}

func elbDeletePool(c *call) (object, *fault) {
	p, f := c.elbPool()
	if f != nil {
		return nil, f
	}
	if f := elbInUse(p); f != nil {
		return nil, f
	}
	c.removeELBPool(p)
	return nil, nil
}

func elbDeletePoolCascade(c *call) (object, *fault) {
	p, f := c.elbPool()
	if f != nil {
		return nil, f
	}
	if len(p.members) > 0 {
		if f := elbProtected(p); f != nil {
			return nil, f
		}
	}
	c.removeELBPool(p)
	return nil, nil
}

// elbBatchDeletePools deletes all of the pools that exist, or, when one of them
// is in use, none.
func elbBatchDeletePools(c *call) (object, *fault) {
	ids := c.in.strs("pools")
	for _, id := range ids {
		if p := c.elb.pools[id]; p != nil && c.set.assumes(ELBPoolsDeletedTogether) {
			if f := elbInUse(p); f != nil {
				return nil, f
			}
		}
	}
	rows := make([]object, len(ids))
	for i, id := range ids {
		p := c.elb.pools[id]
		switch {
		case p == nil:
			rows[i] = object{"id": id, "ret_status": "not found", "ret_code": "ELB.9903"}
		case elbInUse(p) != nil:
			rows[i] = object{"id": id, "ret_status": "failed", "ret_code": elbInUse(p).code}
		default:
			rows[i] = object{"id": id, "ret_status": "successful"}
			c.removeELBPool(p)
		}
	}
	return object{"pools": rows}, nil
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
