package fakecloud

import (
	"net"
	"slices"
	"strconv"
	"time"
)

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
func (c *account) destination(id string, at time.Time) destination {
	q := &call{account: c, now: at}
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
	watched := c.set.assumes(TrafficSeesHealth) || slices.ContainsFunc(g.balancer.listeners, func(l *slbListener) bool {
		return l.checked && (l.group == g || slices.ContainsFunc(l.rules, func(r *slbRule) bool { return r.group == g }))
	})
	for _, s := range g.servers {
		b := backend{name: hostPort(s.id, s.port), aliases: []string{s.id, s.ip, hostPort(s.ip, s.port)}, weight: s.weight, backup: s.role == "Slave"}
		if watched && !c.healthy(b.name, s.id, s.ip) {
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
			d.until(m.known(c))
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
	if c.set.assumes(APIGGroupWeights) {
		ch.weigh(d.backends)
	}
	return d
}

// weigh gives the members of a channel, in the order of its list, the weights
// that their groups leave them. Groups share the requests by their weights, a
// group without one has 1, and so have members without a group together.
func (ch *apigChannel) weigh(backends []backend) {
	if !slices.ContainsFunc(ch.groups, func(g *apigGroup) bool { return g.in.has("member_group_weight") }) {
		return
	}
	ready := func(i int) bool {
		return backends[i].state == serving && !backends[i].backup && backends[i].weight > 0
	}
	sums := make(map[string]int64)
	for i, m := range ch.members {
		if ready(i) {
			sums[m.group] += backends[i].weight
		}
	}
	// A number that all sums divide makes the shares exact, unless it is huge.
	const huge = 1 << 30
	whole := int64(1)
	for _, name := range sortedKeys(sums) {
		if whole = whole / gcd(whole, sums[name]) * sums[name]; whole > huge {
			whole = huge
			break
		}
	}
	common := int64(0)
	for i, m := range ch.members {
		if !ready(i) {
			continue
		}
		share := int64(1)
		if g := ch.group(m.group); g != nil && g.in.has("member_group_weight") {
			share = g.in.num("member_group_weight")
		}
		backends[i].weight = share * backends[i].weight * whole / sums[m.group]
		common = gcd(common, backends[i].weight)
	}
	for i := range backends {
		if ready(i) {
			backends[i].weight /= common
		}
	}
}

func gcd(a, b int64) int64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// until notes a change that comes by itself.
func (d *destination) until(t time.Time) {
	if d.next.IsZero() || t.Before(d.next) {
		d.next = t
	}
}
