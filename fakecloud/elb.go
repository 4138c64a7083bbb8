package fakecloud

import (
	"net/netip"
	"slices"
	"time"
)

// Pool is a Huawei ELB pool to start with.
type Pool struct {
	// ID and Name default to generated ones.
	ID   string
	Name string
	// Protocol is "HTTP" by default, Algorithm "ROUND_ROBIN".
	Protocol  string
	Algorithm string
	// LoadBalancerID and ListenerID are where it is used; the load balancer is
	// generated when empty.
	LoadBalancerID string
	ListenerID     string
	// HealthMonitorID makes members go from INITIAL to ONLINE. Without it they
	// are NO_MONITOR.
	HealthMonitorID string
	// AnyPort is for pools whose members have no port of their own.
	AnyPort bool
	// DeletionProtection refuses the removal of members.
	DeletionProtection bool
	// Members are in it, with their health known.
	Members []PoolMember
}

// PoolMember is a member of an ELB pool.
type PoolMember struct {
	// ID and Name default to generated ones.
	ID      string
	Name    string
	Address string
	Port    int
	// Weight is 1 when nil.
	Weight *int
	// SubnetCIDRID makes it an instance; without it, it is an IP member.
	SubnetCIDRID string
}

// AddPool puts an ELB pool into the Cloud and returns its ID. A pool of the
// same ID is replaced.
func (c *Cloud) AddPool(p Pool) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flowNow()
	now := time.Now()
	pool := c.newELBPool(p.ID, now, seeded("elb", "CreatePool", "pool", params{
		"name": either(p.Name, "pool-"+c.ids.hex(6)), "protocol": either(p.Protocol, "HTTP"),
		"lb_algorithm":    either(p.Algorithm, "ROUND_ROBIN"),
		"loadbalancer_id": either(p.LoadBalancerID, c.ids.uuid()), "listener_id": p.ListenerID,
		"any_port_enable": p.AnyPort, "member_deletion_protection_enable": p.DeletionProtection,
	}))
	if p.HealthMonitorID != "" {
		c.newELBMonitor(pool, p.HealthMonitorID, now.Add(-c.set.initial), seeded("elb", "CreateHealthMonitor", "healthmonitor", params{
			"type": elbMonitorTypes(pool.in.str("protocol"))[0], "delay": int64(5), "timeout": int64(3), "max_retries": int64(3),
		}))
	}
	for _, m := range p.Members {
		member := c.newELBMember(pool, now.Add(-c.set.initial), params{
			"name": m.Name, "address": m.Address, "protocol_port": int64(m.Port), "weight": weight(m.Weight, 1),
			"subnet_cidr_id": m.SubnetCIDRID,
		})
		member.id = either(m.ID, member.id)
		pool.members = append(pool.members, member)
	}
	return pool.id
}

type elbState struct {
	pools map[string]*elbPool
	order []*elbPool // by creation
	pairs []*elbPool // master-slave pools, by creation
	// balancers and listeners are those that pools were seeded with. A
	// listener has the load balancer that it was first seen with.
	balancers map[string]*elbBalancer
	listeners map[string]*elbBalancer
	monitors  []*elbMonitor // by creation
	jobs      []*elbJob     // by creation
	checks    map[string]*elbMemberCheck
}

func (s *elbState) init() {
	s.pools = make(map[string]*elbPool)
	s.balancers, s.listeners = make(map[string]*elbBalancer), make(map[string]*elbBalancer)
	s.checks = make(map[string]*elbMemberCheck)
}

type elbPool struct {
	id               string
	in               params // what it was created with
	balancer         *elbBalancer
	monitor          string      // its ID, empty when nothing checks the members
	check            *elbMonitor // the monitor itself
	created, updated time.Time
	members          []*elbMember // in the order they were added
}

type elbMember struct {
	id               string
	pool             *elbPool
	in               params // address, protocol_port, ...
	created, updated time.Time
}

func (c *Cloud) newELBPool(id string, now time.Time, in params) *elbPool {
	p := &elbPool{id: either(id, c.ids.uuid()), in: in, created: now, updated: now}
	if old := c.elb.pools[p.id]; old != nil {
		c.removeELBPool(old)
	}
	c.elb.pools[p.id] = p
	c.elb.order = append(c.elb.order, p)
	c.elb.attach(p)
	return p
}

func (c *Cloud) removeELBPool(p *elbPool) {
	if p.check != nil {
		c.removeELBMonitor(p.check)
	}
	delete(c.elb.pools, p.id)
	c.elb.order = slices.DeleteFunc(c.elb.order, func(x *elbPool) bool { return x == p })
}

// refs are the references to one resource, or to none.
func refs(id string) []object {
	if id == "" {
		return []object{}
	}
	return []object{{"id": id}}
}

func (c *Cloud) newELBMember(p *elbPool, now time.Time, in params) *elbMember {
	m := &elbMember{id: c.ids.uuid(), pool: p, in: in, created: now, updated: now}
	if p.in.flag("any_port_enable") {
		in["protocol_port"] = int64(0)
	}
	return m
}

func (p *elbPool) object(project string) object {
	out := clone(object(p.in))
	members := make([]object, len(p.members))
	for i, m := range p.members {
		members[i] = object{"id": m.id}
	}
	out["id"], out["project_id"], out["healthmonitor_id"] = p.id, project, p.monitor
	out["loadbalancers"], out["listeners"] = refs(p.balancer.key()), refs(p.in.str("listener_id"))
	out["members"] = members
	out["created_at"], out["updated_at"] = p.created.UTC().Format(time.RFC3339), p.updated.UTC().Format(time.RFC3339)
	for name, def := range map[string]any{
		"description": "", "type": "", "vpc_id": "", "ip_version": "dualstack", "enterprise_project_id": "0",
		"any_port_enable": false, "member_deletion_protection_enable": false, "protection_status": "nonProtection",
	} {
		if !p.in.has(name) {
			out[name] = def
		}
	}
	return out
}

func (m *elbMember) object(c *call) object {
	kind := "ip"
	if m.in.str("subnet_cidr_id") != "" {
		kind = "instance"
	}
	out := object{
		"id": m.id, "project_id": c.set.projectID, "name": m.in.str("name"), "admin_state_up": true,
		"address": m.in.str("address"), "protocol_port": m.in.num("protocol_port"), "weight": m.in.num("weight"),
		"ip_version": "v4", "operating_status": m.status(c), "status": []object{}, "member_type": kind,
		"pool_id": m.pool.id, "loadbalancer_id": m.pool.balancer.key(), "loadbalancers": refs(m.pool.balancer.key()),
		"created_at": m.created.UTC().Format(time.RFC3339), "updated_at": m.updated.UTC().Format(time.RFC3339),
	}
	if ip, err := netip.ParseAddr(m.in.str("address")); err == nil && ip.Is6() {
		out["ip_version"] = "v6"
	}
	if kind == "instance" {
		out["subnet_cidr_id"] = m.in.str("subnet_cidr_id")
	}
	if listener := m.pool.in.str("listener_id"); listener != "" {
		out["status"] = []object{{"listener_id": listener, "operating_status": out["operating_status"]}}
	}
	if out["operating_status"] == "OFFLINE" {
		out["reason"] = object{"reason_code": "CONNECT_TIMEOUT", "expected_response": "", "healthcheck_response": ""}
	}
	if m.in.has("availability_zone") {
		out["availability_zone"] = m.in.str("availability_zone")
	}
	return out
}

func (p *elbPool) member(id string) *elbMember {
	for _, m := range p.members {
		if m.id == id {
			return m
		}
	}
	return nil
}

// at finds the member of an address and port; any-port pools know addresses
// only.
func (p *elbPool) at(in params) *elbMember {
	for _, m := range p.members {
		if m.in.str("address") == in.str("address") &&
			(p.in.flag("any_port_enable") || m.in.num("protocol_port") == in.num("protocol_port")) &&
			(m.in.str("subnet_cidr_id") == in.str("subnet_cidr_id") || !in.has("subnet_cidr_id")) {
			return m
		}
	}
	return nil
}

func elbService() *service {
	return &service{
		name:   "elb",
		vendor: huawei,
		handlers: map[string]handler{
			"CreateMember":       elbWrite(elbCreateMember),
			"BatchCreateMembers": elbWrite(elbBatchCreateMembers),
			"ListMembers":        elbListMembers,
			"ListAllMembers":     elbListAllMembers,
			"ShowMember":         elbShowMember,
			"UpdateMember":       elbWrite(elbUpdateMember),
			"BatchUpdateMembers": elbWrite(elbBatchUpdateMembers),
			"DeleteMember":       elbWrite(elbDeleteMember),
			"BatchDeleteMembers": elbWrite(elbBatchDeleteMembers),

			"CreatePool":        elbWrite(elbCreatePool),
			"ListPools":         elbListPools,
			"ShowPool":          elbShowPool,
			"UpdatePool":        elbWrite(elbUpdatePool),
			"DeletePool":        elbWrite(elbDeletePool),
			"DeletePoolCascade": elbWrite(elbDeletePoolCascade),
			"BatchDeletePools":  elbWrite(elbBatchDeletePools),

			"CreateMasterSlavePool": elbWrite(elbCreatePair),
			"ListMasterSlavePools":  elbListPairs,
			"ShowMasterSlavePool":   elbShowPair,
			"DeleteMasterSlavePool": elbWrite(elbDeletePair),

			"CreateHealthMonitor": elbWrite(elbCreateMonitor),
			"ListHealthMonitors":  elbListMonitors,
			"ShowHealthMonitor":   elbShowMonitor,
			"UpdateHealthMonitor": elbWrite(elbUpdateMonitor),
			"DeleteHealthMonitor": elbWrite(elbDeleteMonitor),

			"ListJobs":                   elbListJobs,
			"ShowJob":                    elbShowJob,
			"CreateMemberHealthCheckJob": elbCreateMemberCheck,
			"ShowMemberHealthCheckJob":   elbShowMemberCheck,

			"ShowLoadBalancerStatus": elbShowStatus,
			"ShowQuota":              elbShowQuota,
			"ListQuotaDetails":       elbListQuotas,
		},
		refuse:    func(p problem) *fault { return elbInvalid("%s %s", p.field, p.detail) },
		noProject: fault{403, "ELB.8903", "Forbidden: the project in the URL is not the project of the request."},
		noToken:   fault{401, "ELB.1103", "Invalid token."},
	}
}

func elbInvalid(format string, args ...any) *fault {
	return refusef(400, "ELB.8902", "Invalid input: "+format, args...)
}

func elbNotFound(kind, id string) *fault {
	return refusef(404, "ELB.8904", "%s %s could not be found.", kind, id)
}

func (c *call) elbPool() (*elbPool, *fault) {
	if p := c.elb.pools[c.in.str("pool_id")]; p != nil {
		return p, nil
	}
	return nil, elbNotFound("pool", c.in.str("pool_id"))
}

func (c *call) elbMember() (*elbPool, *elbMember, *fault) {
	p, f := c.elbPool()
	if f != nil {
		return nil, nil, f
	}
	if m := p.member(c.in.str("member_id")); m != nil {
		return p, m, nil
	}
	return nil, nil, elbNotFound("member", c.in.str("member_id"))
}

// elbCheck checks a member that is to be created.
func elbCheck(p *elbPool, m params) *fault {
	if _, err := netip.ParseAddr(m.str("address")); err != nil {
		return elbInvalid("address %q is not an IP address", m.str("address"))
	}
	if !p.in.flag("any_port_enable") && m.num("protocol_port") == 0 && p.in.str("protocol") != "IP" {
		return elbInvalid("protocol_port is missing")
	}
	return nil
}

func elbCreateMember(c *call) (object, *fault) {
	p, f := c.elbPool()
	if f != nil {
		return nil, f
	}
	in := c.in.object("member")
	if f := elbCheck(p, in); f != nil {
		return nil, f
	}
	if p.at(in) != nil {
		return nil, refusef(409, "ELB.8907", "Member with address %s and protocol_port %d already present in pool %s",
			in.str("address"), in.num("protocol_port"), p.id)
	}
	if f := c.elbFull(p, 1); f != nil {
		return nil, f
	}
	m := c.newELBMember(p, c.now, in)
	p.members = append(p.members, m)
	return object{"member": m.object(c)}, nil
}

func elbBatchCreateMembers(c *call) (object, *fault) {
	p, f := c.elbPool()
	if f != nil {
		return nil, f
	}
	list := c.in.list("members")
	fresh := 0
	for _, in := range list {
		if f := elbCheck(p, in); f != nil {
			return nil, f
		}
		if p.at(in) == nil {
			fresh++
		}
	}
	if f := c.elbFull(p, fresh); f != nil {
		return nil, f
	}
	members := make([]object, len(list))
	for i, in := range list {
		status := "existed"
		m := p.at(in)
		if m == nil {
			status = "successful"
			m = c.newELBMember(p, c.now, in)
			p.members = append(p.members, m)
		}
		members[i] = m.object(c)
		members[i]["ret_status"] = status
	}
	return object{"members": members}, nil
}

func elbShowMember(c *call) (object, *fault) {
	_, m, f := c.elbMember()
	if f != nil {
		return nil, f
	}
	return object{"member": m.object(c)}, nil
}

// update changes what a request names and leaves the rest.
func (m *elbMember) update(c *call, in params) {
	for name, v := range in {
		if name != "id" && (name != "protocol_port" || !m.pool.in.flag("any_port_enable")) {
			m.in[name] = v
		}
	}
	m.updated = c.now
}

func elbUpdateMember(c *call) (object, *fault) {
	p, m, f := c.elbMember()
	if f != nil {
		return nil, f
	}
	in := params(c.sent).object("member")
	if f := elbMoved(p, m, in); f != nil {
		return nil, f
	}
	m.update(c, in)
	return object{"member": m.object(c)}, nil
}

// elbMoved refuses a new port that another member already has.
func elbMoved(p *elbPool, m *elbMember, in params) *fault {
	if !in.has("protocol_port") {
		return nil
	}
	to := params{"address": m.in.str("address"), "protocol_port": in.num("protocol_port"), "subnet_cidr_id": m.in.str("subnet_cidr_id")}
	if other := p.at(to); other != nil && other != m {
		return refusef(409, "ELB.8907", "Member with address %s and protocol_port %d already present in pool %s",
			to.str("address"), to.num("protocol_port"), p.id)
	}
	return nil
}

func elbBatchUpdateMembers(c *call) (object, *fault) {
	p, f := c.elbPool()
	if f != nil {
		return nil, f
	}
	list := params(c.sent).list("members")
	for _, in := range list {
		m := p.member(in.str("id"))
		if m == nil {
			return nil, elbNotFound("member", in.str("id"))
		}
		if f := elbMoved(p, m, in); f != nil {
			return nil, f
		}
	}
	members := make([]object, len(list))
	for i, in := range list {
		m := p.member(in.str("id"))
		m.update(c, in)
		members[i] = m.object(c)
	}
	return object{"members": members}, nil
}

func elbProtected(p *elbPool) *fault {
	if p.in.flag("member_deletion_protection_enable") {
		return refusef(409, "ELB.8907", "Members of pool %s are protected from deletion.", p.id)
	}
	return nil
}

func (p *elbPool) remove(m *elbMember) {
	p.members = slices.DeleteFunc(p.members, func(x *elbMember) bool { return x == m })
}

func elbDeleteMember(c *call) (object, *fault) {
	p, m, f := c.elbMember()
	if f != nil {
		return nil, f
	}
	if f := elbProtected(p); f != nil {
		return nil, f
	}
	p.remove(m)
	return nil, nil
}

func elbBatchDeleteMembers(c *call) (object, *fault) {
	p, f := c.elbPool()
	if f != nil {
		return nil, f
	}
	list := c.in.list("members")
	for _, in := range list {
		if in.has("id") == in.has("address") || in.has("address") != in.has("protocol_port") {
			return nil, elbInvalid("a member is named by id, or by address and protocol_port")
		}
	}
	if f := elbProtected(p); f != nil {
		return nil, f
	}
	members := make([]object, len(list))
	for i, in := range list {
		m := p.member(in.str("id"))
		if m == nil && in.has("address") {
			m = p.at(in)
		}
		members[i] = object{"id": in.str("id"), "ret_status": "not found"}
		if m != nil {
			p.remove(m)
			members[i] = object{"id": m.id, "ret_status": "successful"}
		}
	}
	return object{"members": members}, nil
}

func elbListMembers(c *call) (object, *fault) {
	p, f := c.elbPool()
	if f != nil {
		return nil, f
	}
	return c.elbPage("members", len(p.members),
		func(i int) string { return p.members[i].id }, func(i int) object { return p.members[i].object(c) })
}

func elbListAllMembers(c *call) (object, *fault) {
	var all []*elbMember
	for _, p := range c.elb.order {
		all = append(all, p.members...)
	}
	return c.elbPage("members", len(all),
		func(i int) string { return all[i].id }, func(i int) object { return all[i].object(c) })
}

// anyOf reports whether a value, or one of a list of values, is among those
// wanted by a filter.
func anyOf(have, wanted any) bool {
	if list, ok := wanted.([]any); ok {
		return slices.ContainsFunc(list, func(w any) bool { return anyOf(have, w) })
	}
	if list, ok := have.([]any); ok {
		return slices.Contains(list, wanted)
	}
	return have == wanted
}
