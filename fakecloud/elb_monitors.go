package fakecloud

import (
	"maps"
	"slices"
	"strings"
	"time"
)

type elbMonitor struct {
	numbered
	id               string
	pool             *elbPool
	in               params
	created, updated time.Time
	since            time.Time // when it was last switched on
}

func (m *elbMonitor) key() string { return m.id }

func (s *elbState) monitor(id string) (*elbMonitor, bool) {
	m, ok := s.monitorByID[id]
	return m, ok
}

// newELBMonitor makes the monitor of a pool. A pool that had the ID's monitor
// before keeps one of its own.
func (c *account) newELBMonitor(p *elbPool, id string, now time.Time, in params) {
	m := &elbMonitor{numbered: c.elb.next(), id: either(id, c.ids.uuid()), pool: p, in: in, created: now, updated: now, since: now}
	p.monitor, p.check = m.id, m
	c.elb.monitors = append(c.elb.monitors, m)
	c.elb.monitorByID[m.id] = m
}

func (c *account) removeELBMonitor(m *elbMonitor) {
	m.pool.monitor, m.pool.check = "", nil
	c.elb.monitors = dropRow(c.elb.monitors, m)
	if c.elb.monitorByID[m.id] == m {
		delete(c.elb.monitorByID, m.id)
	}
}

func (m *elbMonitor) object() object {
	out := object{
		"id": m.id, "pools": refs(m.pool.id), "name": "", "domain_name": "", "expected_codes": nil,
		"monitor_port": nil, "url_path": nil, "http_method": nil,
		"created_at": stamp(m.created), "updated_at": stamp(m.updated),
	}
	maps.Copy(out, m.in)
	kind := m.in.str("type")
	if kind != "HTTP" && kind != "HTTPS" {
		out["domain_name"], out["url_path"], out["http_method"] = "", nil, nil
	}
	switch {
	case kind == "TCP" || kind == "UDP_CONNECT" || kind == "TLS":
		out["expected_codes"] = nil
	case kind != "GRPC" && out["expected_codes"] == nil:
		out["expected_codes"] = "200"
	}
	return out
}

// elbMonitorTypes are the ways to check the members of pools of a protocol, the
// usual one first.
func elbMonitorTypes(protocol string) []string {
	switch protocol {
	case "UDP", "QUIC":
		return []string{"UDP_CONNECT"}
	case "IP":
		return []string{"TCP", "HTTP", "HTTPS"}
	default:
		return []string{"TCP", "HTTP", "HTTPS", "TLS", "GRPC"}
	}
}

func elbCheckMonitor(p *elbPool, in params) *fault {
	protocol, kind := p.in.str("protocol"), in.str("type")
	switch {
	case !slices.Contains(elbMonitorTypes(protocol), kind):
		return elbInvalid("type %s cannot check pools of protocol %s", kind, protocol)
	case p.in.flag("any_port_enable") && in.num("monitor_port") == 0:
		return elbInvalid("monitor_port is mandatory for pools with any_port_enable")
	case in.str("url_path") != "" && !strings.HasPrefix(in.str("url_path"), "/"):
		return elbInvalid("url_path must start with a slash")
	}
	return nil
}

func elbCreateMonitor(c *call) (object, *fault) {
	in := params(clone(object(c.in.object("healthmonitor"))))
	p := c.elb.pools[in.str("pool_id")]
	if p == nil {
		return nil, elbNotFound("pool", in.str("pool_id"))
	}
	if p.check != nil {
		return nil, refusef(409, "ELB.8907", "Pool %s already has health monitor %s.", p.id, p.monitor)
	}
	if f := elbCheckMonitor(p, in); f != nil {
		return nil, f
	}
	if f := c.elbQuota("healthmonitor", len(c.elb.monitors), 1); f != nil {
		return nil, f
	}
	c.newELBMonitor(p, "", c.now, in)
	return object{"healthmonitor": p.check.object()}, nil
}

func (c *call) elbMonitor() (*elbMonitor, *fault) {
	if m, ok := c.elb.monitor(c.in.str("healthmonitor_id")); ok {
		return m, nil
	}
	return nil, elbNotFound("healthmonitor", c.in.str("healthmonitor_id"))
}

func elbShowMonitor(c *call) (object, *fault) {
	m, f := c.elbMonitor()
	if f != nil {
		return nil, f
	}
	return object{"healthmonitor": m.object()}, nil
}

func elbListMonitors(c *call) (object, *fault) {
	rows, find := c.elb.monitors, c.elb.monitor
	if !c.set.assumes(ELBPairMonitorsListed) {
		rows = pick(c, rows, func(m *elbMonitor) bool { return !m.pool.isPair() })
		find = func(id string) (*elbMonitor, bool) {
			m, ok := c.elb.monitor(id)
			return m, ok && !m.pool.isPair()
		}
	}
	return elbPage(c, "healthmonitors", elbFlat(rows, find, (*elbMonitor).key, (*elbMonitor).object))
}

// elbUpdateMonitor changes what the request names. null takes a setting back.
func elbUpdateMonitor(c *call) (object, *fault) {
	m, f := c.elbMonitor()
	if f != nil {
		return nil, f
	}
	next := clone(object(m.in))
	for name, v := range params(c.sent).object("healthmonitor") {
		if v == nil {
			delete(next, name)
		} else {
			next[name] = v
		}
	}
	if f := elbCheckMonitor(m.pool, params(next)); f != nil {
		return nil, f
	}
	if !m.in.flag("admin_state_up") && params(next).flag("admin_state_up") {
		m.since = c.now
	}
	m.in, m.updated = params(next), c.now
	return object{"healthmonitor": m.object()}, nil
}

func elbDeleteMonitor(c *call) (object, *fault) {
	m, f := c.elbMonitor()
	if f != nil {
		return nil, f
	}
	if m.pool.isPair() && c.set.assumes(ELBPairMonitorsStay) {
		return nil, refusef(409, "ELB.8907", "Health monitor %s is in use by master-slave pool %s.", m.id, m.pool.id)
	}
	c.removeELBMonitor(m)
	return nil, nil
}
