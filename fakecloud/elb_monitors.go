package fakecloud

import (
	"maps"
	"slices"
	"strings"
	"time"
)

type elbMonitor struct {
	id               string
	pool             *elbPool
	in               params
	created, updated time.Time
}

func (s *elbState) monitor(id string) *elbMonitor {
	for _, m := range s.monitors {
		if m.id == id {
			return m
		}
	}
	return nil
}

// newELBMonitor makes the monitor of a pool. A pool that had the ID's monitor
// before keeps one of its own.
func (c *Cloud) newELBMonitor(p *elbPool, id string, now time.Time, in params) {
	m := &elbMonitor{id: either(id, c.ids.uuid()), pool: p, in: in, created: now, updated: now}
	p.monitor, p.check = m.id, m
	c.elb.monitors = append(c.elb.monitors, m)
}

func (c *Cloud) removeELBMonitor(m *elbMonitor) {
	m.pool.monitor, m.pool.check = "", nil
	c.elb.monitors = slices.DeleteFunc(c.elb.monitors, func(x *elbMonitor) bool { return x == m })
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
	if m := c.elb.monitor(c.in.str("healthmonitor_id")); m != nil {
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
	all := c.elb.monitors
	return c.elbPage("healthmonitors", len(all),
		func(i int) string { return all[i].id }, func(i int) object { return all[i].object() })
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
	m.in, m.updated = params(next), c.now
	return object{"healthmonitor": m.object()}, nil
}

func elbDeleteMonitor(c *call) (object, *fault) {
	m, f := c.elbMonitor()
	if f != nil {
		return nil, f
	}
	if m.pool.isPair() {
		return nil, refusef(409, "ELB.8907", "Health monitor %s is in use by master-slave pool %s.", m.id, m.pool.id)
	}
	c.removeELBMonitor(m)
	return nil, nil
}
