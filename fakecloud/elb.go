package fakecloud

import (
	"maps"
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
	// HealthMonitor are settings of the health monitor, in the wire names of
	// CreateHealthMonitor: "type", "delay".
	HealthMonitor map[string]any `json:",omitempty"`
	// More are further settings, or other values of them, in the wire names of
	// CreatePool: "description", "session_persistence".
	More map[string]any `json:",omitempty"`
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
	// Role is "master" or "slave" in a master-slave pool.
	Role string `json:",omitempty"`
	// More are further settings, or other values of them, in the wire names of
	// CreateMember.
	More map[string]any `json:",omitempty"`
}

// AddPool puts an ELB pool into the Cloud and returns its ID. A pool of the
// same ID is replaced.
func (c *account) AddPool(p Pool) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flowNow()
	now := time.Now()
	pool := c.newELBPool(p.ID, now, c.elbSeeded("CreatePool", p))
	if p.HealthMonitorID != "" {
		c.seedMonitor(pool, p, now)
	}
	c.seedMembers(pool, p.Members, now)
	return pool.id
}

// elbSeeded are the settings of a pool that is there from the start.
func (c *account) elbSeeded(operation string, p Pool) params {
	return seededMore("elb", operation, "pool", params{
		"name": either(p.Name, "pool-"+c.ids.hex(6)), "protocol": either(p.Protocol, "HTTP"),
		"lb_algorithm":    either(p.Algorithm, "ROUND_ROBIN"),
		"loadbalancer_id": either(p.LoadBalancerID, c.ids.uuid()), "listener_id": p.ListenerID,
		"any_port_enable": p.AnyPort, "member_deletion_protection_enable": p.DeletionProtection,
	}, p.More)
}

func (c *account) seedMonitor(pool *elbPool, p Pool, now time.Time) {
	in := elbMonitorDefaults(pool)
	maps.Copy(in, normalMap(p.HealthMonitor))
	c.newELBMonitor(pool, p.HealthMonitorID, now.Add(-c.set.initial), in)
}

func elbMonitorDefaults(p *elbPool) params {
	return seeded("elb", "CreateHealthMonitor", "healthmonitor", params{
		"type": elbMonitorTypes(p.in.str("protocol"))[0], "delay": int64(5), "timeout": int64(3), "max_retries": int64(3),
	})
}

func (c *account) seedMembers(pool *elbPool, members []PoolMember, now time.Time) {
	for _, m := range members {
		in := params{
			"name": m.Name, "address": m.Address, "protocol_port": int64(m.Port), "weight": weight(m.Weight, 1),
			"subnet_cidr_id": m.SubnetCIDRID,
		}
		if m.Role != "" {
			in["role"] = m.Role
		}
		maps.Copy(in, normalMap(m.More))
		member := c.newELBMember(pool, now.Add(-c.set.initial), in)
		member.id = either(m.ID, member.id)
		c.elb.enter(member)
	}
}

type elbState struct {
	seq      int64
	pools    map[string]*elbPool
	order    []*elbPool // by creation
	pairs    []*elbPool // master-slave pools, by creation
	pairByID map[string]*elbPool
	members  map[string]*elbMember // of pools of both kinds
	// balancers and listeners are those that pools were seeded with. A
	// listener has the load balancer that it was first seen with.
	balancers   map[string]*elbBalancer
	listeners   map[string]*elbBalancer
	monitors    []*elbMonitor // by creation
	monitorByID map[string]*elbMonitor
	jobs        []*elbJob // by creation
	jobByID     map[string]*elbJob
	checks      map[string]*elbMemberCheck
}

func (s *elbState) init() {
	s.pools = make(map[string]*elbPool)
	s.balancers, s.listeners = make(map[string]*elbBalancer), make(map[string]*elbBalancer)
	s.checks = make(map[string]*elbMemberCheck)
	s.pairByID = make(map[string]*elbPool)
	s.members = make(map[string]*elbMember)
	s.monitorByID, s.jobByID = make(map[string]*elbMonitor), make(map[string]*elbJob)
}

func (s *elbState) next() numbered { s.seq++; return numbered{s.seq} }

// enter puts a member into its pool. Of members with one ID the first is the
// one that lists of all members know.
func (s *elbState) enter(m *elbMember) {
	m.pool.members = append(m.pool.members, m)
	m.pool.byID[m.id] = m
	if s.members[m.id] == nil {
		s.members[m.id] = m
	}
}

func (s *elbState) leave(m *elbMember) {
	m.pool.members = dropRow(m.pool.members, m)
	delete(m.pool.byID, m.id)
	if s.members[m.id] == m {
		delete(s.members, m.id)
	}
}

type elbPool struct {
	numbered
	id               string
	in               params // what it was created with
	balancer         *elbBalancer
	monitor          string      // its ID, empty when nothing checks the members
	check            *elbMonitor // the monitor itself
	created, updated time.Time
	members          []*elbMember // in the order they were added
	byID             map[string]*elbMember
}

type elbMember struct {
	numbered
	id               string
	pool             *elbPool
	in               params // address, protocol_port, ...
	created, updated time.Time
}

func (c *account) newELBPool(id string, now time.Time, in params) *elbPool {
	p := &elbPool{
		numbered: c.elb.next(), id: either(id, c.ids.uuid()), in: in, created: now, updated: now, byID: make(map[string]*elbMember),
	}
	if old := c.elb.pools[p.id]; old != nil {
		c.removeELBPool(old)
	}
	c.elb.pools[p.id] = p
	c.elb.order = append(c.elb.order, p)
	c.elb.attach(p)
	return p
}

func (c *account) removeELBPool(p *elbPool) {
	if p.check != nil {
		c.removeELBMonitor(p.check)
	}
	for _, m := range slices.Clone(p.members) {
		c.elb.leave(m)
	}
	delete(c.elb.pools, p.id)
	c.elb.order = dropRow(c.elb.order, p)
}

// refs are the references to one resource, or to none.
func refs(id string) []object {
	if id == "" {
		return []object{}
	}
	return []object{{"id": id}}
}

func (c *account) newELBMember(p *elbPool, now time.Time, in params) *elbMember {
	m := &elbMember{numbered: c.elb.next(), id: c.ids.uuid(), pool: p, in: in, created: now, updated: now}
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
	if out["operating_status"] == "OFFLINE" && c.set.assumes(ELBOfflineHasReason) {
		out["reason"] = object{"reason_code": "CONNECT_TIMEOUT", "expected_response": "", "healthcheck_response": ""}
	}
	if m.in.has("availability_zone") {
		out["availability_zone"] = m.in.str("availability_zone")
	}
	return out
}

func (p *elbPool) key() string { return p.id }

func (m *elbMember) key() string { return m.id }

func (p *elbPool) member(id string) (*elbMember, bool) {
	m, ok := p.byID[id]
	return m, ok
}

// at finds the member of an address and port; any-port pools know addresses
// only.
func (p *elbPool) at(in params) *elbMember {
	for _, m := range p.members {
		if p.same(m, in) {
			return m
		}
	}
	return nil
}

func (p *elbPool) same(m *elbMember, in params) bool {
	return m.in.str("address") == in.str("address") &&
		(p.in.flag("any_port_enable") || m.in.num("protocol_port") == in.num("protocol_port")) &&
		(m.in.str("subnet_cidr_id") == in.str("subnet_cidr_id") || !in.has("subnet_cidr_id"))
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
		refuse:    func(_ *settings, p problem) *fault { return elbInvalid("%s %s", p.field, p.detail) },
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
	if m, ok := p.member(c.in.str("member_id")); ok {
		return p, m, nil
	}
	return nil, nil, elbNotFound("member", c.in.str("member_id"))
}

// elbCheck checks a member that is to be created.
func (c *call) elbCheck(p *elbPool, m params) *fault {
	if _, err := netip.ParseAddr(m.str("address")); err != nil {
		return elbInvalid("address %q is not an IP address", m.str("address"))
	}
	if !p.in.flag("any_port_enable") && m.num("protocol_port") == 0 && p.in.str("protocol") != "IP" {
		return elbInvalid("protocol_port is missing")
	}
	if m.str("subnet_cidr_id") == "" && !c.set.assumes(ELBSubnetOptional) {
		return elbInvalid("subnet_cidr_id is missing")
	}
	return nil
}

func elbCreateMember(c *call) (object, *fault) {
	p, f := c.elbPool()
	if f != nil {
		return nil, f
	}
	in := c.in.object("member")
	if f := c.elbCheck(p, in); f != nil {
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
	c.elb.enter(m)
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
		if f := c.elbCheck(p, in); f != nil {
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
			c.elb.enter(m)
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
		m := p.byID[in.str("id")]
		if m == nil {
			return nil, elbNotFound("member", in.str("id"))
		}
		if f := elbMoved(p, m, in); f != nil {
			return nil, f
		}
	}
	members := make([]object, len(list))
	for i, in := range list {
		m := p.byID[in.str("id")]
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

func elbDeleteMember(c *call) (object, *fault) {
	p, m, f := c.elbMember()
	if f != nil {
		return nil, f
	}
	if f := elbProtected(p); f != nil {
		return nil, f
	}
	c.elb.leave(m)
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
		m := p.byID[in.str("id")]
		if m == nil && in.has("address") {
			m = p.at(in)
		}
		members[i] = object{"id": in.str("id"), "ret_status": "not found"}
		if m != nil {
			c.elb.leave(m)
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
	return elbPage(c, "members", elbFlat(p.members, p.member, (*elbMember).key, func(m *elbMember) object { return m.object(c) }))
}

func elbListAllMembers(c *call) (object, *fault) {
	pools := c.elbListed()
	if len(pools) == 0 { // one empty list
		pools = []*elbPool{{}}
	}
	return elbPage(c, "members", elbRows[*elbMember]{
		lists: len(pools), list: func(i int) []*elbMember { return pools[i].members },
		find: func(id string) (int, int, bool) {
			m := c.elb.members[id]
			if m == nil || m.pool.isPair() && c.set.assumes(ELBPairsListedApart) {
				return 0, 0, false
			}
			return from(pools, m.pool.seq), from(m.pool.members, m.seq), true
		},
		id: (*elbMember).key, row: func(m *elbMember) object { return m.object(c) },
	})
}
