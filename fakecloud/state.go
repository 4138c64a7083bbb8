package fakecloud

import (
	"net"
	"slices"
	"strconv"
	"time"
)

// State is what is in a Cloud, in the form it can be put into one.
type State struct {
	ServerGroups         []ServerGroup         `json:",omitempty"`
	Listeners            []Listener            `json:",omitempty"`
	HealthCheckTemplates []HealthCheckTemplate `json:",omitempty"`
	VServerGroups        []VServerGroup        `json:",omitempty"`
	ClassicLoadBalancers []ClassicLoadBalancer `json:",omitempty"`
	Pools                []Pool                `json:",omitempty"`
	VPCChannels          []VPCChannel          `json:",omitempty"`
}

// Seed puts everything of a State into the Cloud and returns the IDs, in the
// order of State's fields. What has the ID of something that is there replaces
// it.
func (c *Cloud) Seed(s State) []string {
	var ids []string
	for _, g := range s.ServerGroups {
		ids = append(ids, c.AddServerGroup(g))
	}
	for _, l := range s.Listeners {
		ids = append(ids, c.AddListener(l))
	}
	for _, t := range s.HealthCheckTemplates {
		ids = append(ids, c.AddHealthCheckTemplate(t))
	}
	for _, g := range s.VServerGroups {
		ids = append(ids, c.AddVServerGroup(g))
	}
	for _, b := range s.ClassicLoadBalancers {
		ids = append(ids, c.AddClassicLoadBalancer(b))
	}
	for _, p := range s.Pools {
		ids = append(ids, c.AddPool(p))
	}
	for _, v := range s.VPCChannels {
		ids = append(ids, c.AddVPCChannel(v))
	}
	return ids
}

// State returns what is in the Cloud now. Jobs, locks, health, and groups of a
// primary and a secondary server are not part of it.
func (c *Cloud) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	var s State
	for _, g := range slices.Clone(c.alb.order) {
		(&call{Cloud: c, now: now}).settle(g)
		if c.alb.groups[g.id] == g {
			s.ServerGroups = append(s.ServerGroups, g.seed())
		}
	}
	for _, l := range c.alb.listeners {
		s.Listeners = append(s.Listeners, l.Listener)
	}
	for _, t := range c.alb.templates {
		s.HealthCheckTemplates = append(s.HealthCheckTemplates, t.seed())
	}
	for _, id := range sortedKeys(c.slb.balancers) {
		s.ClassicLoadBalancers = append(s.ClassicLoadBalancers, c.slb.balancers[id].seed())
	}
	for _, id := range sortedKeys(c.slb.groups) {
		s.VServerGroups = append(s.VServerGroups, c.slb.groups[id].seed())
	}
	for _, p := range c.elb.order {
		s.Pools = append(s.Pools, p.seed())
	}
	for _, id := range sortedKeys(c.apig.instances) {
		for _, ch := range c.apig.instances[id].channels {
			s.VPCChannels = append(s.VPCChannels, ch.seed(id))
		}
	}
	return s
}

// RequestByID returns the request that was answered with a request ID, the one
// in every response's Metadata and in every error.
func (c *Cloud) RequestByID(id string) (Request, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	log := c.log.all()
	for i := range slices.Backward(log) { // the one that is looked for is mostly new
		if log[i].RequestID == id {
			r := log[i]
			r.Params = clone(r.Params)
			return r, true
		}
	}
	return Request{}, false
}

func (g *albGroup) seed() ServerGroup {
	out := ServerGroup{
		ID: g.id, Name: g.in.str("ServerGroupName"), Type: g.in.str("ServerGroupType"), Protocol: g.in.str("Protocol"),
		Scheduler: g.in.str("Scheduler"), VPCID: g.in.str("VpcId"), Tags: seedTags(g.tags, "Key", "Value"),
		LoadBalancerIDs: slices.Clone(g.loadBalancers),
	}
	for _, s := range g.servers {
		out.Servers = append(out.Servers, BackendServer{
			ID: s.id, Type: s.kind, IP: s.ip, Port: int(s.port), Weight: new(int(s.weight)), Description: s.description,
		})
	}
	return out
}

func (g *slbGroup) seed() VServerGroup {
	out := VServerGroup{ID: g.id, Name: g.name, LoadBalancerID: g.balancer.id, Tags: seedTags(g.tags, "TagKey", "TagValue")}
	for _, s := range g.servers {
		out.Servers = append(out.Servers, BackendServer{
			ID: s.id, Type: s.kind, IP: s.ip, Port: int(s.port), Weight: new(int(s.weight)), Description: s.description,
		})
	}
	return out
}

func (lb *slbBalancer) seed() ClassicLoadBalancer {
	out := lb.about
	out.ID, out.Servers = lb.id, nil
	for _, s := range lb.group.servers {
		out.Servers = append(out.Servers, BackendServer{
			ID: s.id, Type: s.kind, IP: s.ip, Weight: new(int(s.weight)), Description: s.description,
		})
	}
	return out
}

func (t *albTemplate) seed() HealthCheckTemplate {
	return HealthCheckTemplate{
		ID: t.id, Name: t.in.str("HealthCheckTemplateName"), Protocol: t.in.str("HealthCheckProtocol"),
		Path: t.in.str("HealthCheckPath"), Interval: int(t.in.num("HealthCheckInterval")), Tags: seedTags(t.tags, "Key", "Value"),
	}
}

func (p *elbPool) seed() Pool {
	out := Pool{
		ID: p.id, Name: p.in.str("name"), Protocol: p.in.str("protocol"), Algorithm: p.in.str("lb_algorithm"),
		LoadBalancerID: p.in.str("loadbalancer_id"), ListenerID: p.in.str("listener_id"), HealthMonitorID: p.monitor,
		AnyPort: p.in.flag("any_port_enable"), DeletionProtection: p.in.flag("member_deletion_protection_enable"),
	}
	for _, m := range p.members {
		out.Members = append(out.Members, PoolMember{
			ID: m.id, Name: m.in.str("name"), Address: m.in.str("address"), Port: int(m.in.num("protocol_port")),
			Weight: new(int(m.in.num("weight"))), SubnetCIDRID: m.in.str("subnet_cidr_id"),
		})
	}
	return out
}

func (ch *apigChannel) seed(instance string) VPCChannel {
	out := VPCChannel{
		ID: ch.id, Name: ch.in.str("name"), InstanceID: instance, Port: int(ch.in.num("port")),
		MemberType: ch.in.str("member_type"), HealthCheck: ch.in.has("vpc_health_config"),
	}
	for _, g := range ch.groups {
		out.Groups = append(out.Groups, g.in.str("member_group_name"))
	}
	for _, m := range ch.members {
		out.Members = append(out.Members, ChannelMember{
			ID: m.id, Host: m.host, ECSID: m.ecs, ECSName: m.ecsName, Port: int(m.port), Weight: new(int(m.weight)),
			Group: m.group, Disabled: m.status == apigDisabled,
		})
	}
	return out
}

func seedTags(tags []object, key, value string) map[string]string {
	if len(tags) == 0 {
		return nil
	}
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		out[params(t).str(key)] = params(t).str(value)
	}
	return out
}

// destination is a group, pool or channel as its load balancer sees it from one
// moment until the next change.
type destination struct {
	backends []backend
	// even says that weights are ignored, open that all members get requests
	// when none is healthy.
	even, open bool
	// drain is how long requests that run on a member may go on after it left;
	// negative: as long as they want. A weight of 0 counts as leaving when
	// drainZero is set.
	drain     time.Duration
	drainZero bool
	// next is when it changes without a request; zero: never.
	next time.Time
}

// backend is a member of a destination.
type backend struct {
	name    string   // host or instance, and port
	aliases []string // what else it may be called
	weight  int64
	state   backendState
	backup  bool
}

type backendState int

const (
	serving   backendState = iota
	waiting                // not yet in service
	failing                // in service, but found unhealthy
	replacing              // serving if it was before, else waiting
)

// destination brings what has the ID up to a point in time and describes it.
// An unknown one has no members.
func (c *Cloud) destination(id string, at time.Time) destination {
	q := &call{Cloud: c, now: at}
	if g := c.alb.groups[id]; g != nil {
		q.settle(g)
		if c.alb.groups[id] == g {
			return q.albDestination(g)
		}
	}
	if g := c.slb.groups[id]; g != nil {
		return q.slbDestination(g)
	}
	if g := c.slb.masters[id]; g != nil {
		return q.slbDestination(g)
	}
	if lb := c.slb.balancers[id]; lb != nil {
		return q.slbDestination(lb.group)
	}
	if p := c.elb.pools[id]; p != nil {
		return q.elbDestination(p)
	}
	if p := c.elb.pair(id); p != nil {
		return q.elbDestination(p)
	}
	for _, name := range sortedKeys(c.apig.instances) {
		if ch := c.apig.instances[name].channel(id); ch != nil {
			return q.apigDestination(ch)
		}
	}
	return destination{drain: -1}
}

func hostPort(host string, port int64) string {
	return net.JoinHostPort(host, strconv.FormatInt(port, 10))
}

// albDestination: servers come into service, and go out of it, when the job of
// the change is done.
func (c *call) albDestination(g *albGroup) destination {
	d := destination{open: true, drain: -1}
	if drain := g.in.object("ConnectionDrainConfig"); drain.flag("ConnectionDrainEnabled") {
		d.drain = time.Duration(drain.num("ConnectionDrainTimeout")) * time.Second
	}
	if g.job != nil {
		d.next = g.job.end
	}
	checked := g.in.object("HealthCheckConfig").flag("HealthCheckEnabled")
	for _, s := range g.servers {
		b := backend{name: hostPort(s.id, s.port), aliases: []string{s.id, s.ip, hostPort(s.ip, s.port)}, weight: s.weight}
		switch s.status {
		case "Adding":
			b.state = waiting
		case "Replacing":
			b.state = replacing
		default:
			if checked && !c.healthy(b.name, s.id, s.ip) {
				b.state = failing
			}
		}
		d.backends = append(d.backends, b)
	}
	return d
}

func (c *call) slbDestination(g *slbGroup) destination {
	d := destination{drain: -1}
	for _, s := range g.servers {
		b := backend{name: hostPort(s.id, s.port), aliases: []string{s.id, s.ip, hostPort(s.ip, s.port)}, weight: s.weight, backup: s.role == "Slave"}
		if !c.healthy(b.name, s.id, s.ip) {
			b.state = failing
		}
		d.backends = append(d.backends, b)
	}
	return d
}

func (c *call) elbDestination(p *elbPool) destination {
	d := destination{drain: -1}
	switch p.in.str("lb_algorithm") {
	case "SOURCE_IP", "QUIC_CID":
		d.even = true
	}
	switch drain := p.in.object("connection_drain"); p.in.str("protocol") {
	case "TCP", "UDP", "QUIC":
		if drain.flag("enable") {
			d.drain, d.drainZero = time.Duration(drain.num("timeout"))*time.Second, true
		}
	}
	for _, m := range p.members {
		port := m.in.num("protocol_port")
		b := backend{name: hostPort(m.in.str("address"), port), aliases: []string{m.id, m.in.str("address")}, weight: m.in.num("weight"), backup: m.in.str("role") == "slave"}
		if p.isPair() {
			b.weight = 1
		}
		switch m.status(c) {
		case "INITIAL":
			b.state = waiting
			d.until(m.created.Add(c.set.initial))
		case "OFFLINE":
			b.state = failing
		}
		d.backends = append(d.backends, b)
	}
	return d
}

func (c *call) apigDestination(ch *apigChannel) destination {
	d := destination{drain: -1}
	for _, m := range ch.members {
		host := m.host
		if m.ecs != "" {
			host = m.ecs
		}
		b := backend{name: hostPort(host, m.port), aliases: []string{m.id, host}, weight: m.weight, backup: m.backup}
		switch {
		case m.status == apigDisabled:
			b.state = waiting
		case m.health(c, ch) == "unhealthy":
			b.state = failing
		}
		d.backends = append(d.backends, b)
	}
	return d
}

// until notes a change that comes by itself.
func (d *destination) until(t time.Time) {
	if d.next.IsZero() || t.Before(d.next) {
		d.next = t
	}
}
