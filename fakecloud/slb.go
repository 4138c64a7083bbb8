package fakecloud

import (
	"slices"
	"strings"
	"time"
)

// VServerGroup is a classic SLB vServer group to start with.
type VServerGroup struct {
	// ID and Name default to generated ones.
	ID   string
	Name string
	// LoadBalancerID is the load balancer it belongs to. One that does not
	// exist is made; a generated one when empty.
	LoadBalancerID string
	// Tags are the group's tags.
	Tags map[string]string
	// Servers are in it.
	Servers []BackendServer
}

// AddLoadBalancer puts a classic SLB load balancer into the Cloud and returns
// its ID, a generated one when id is empty.
func (c *Cloud) AddLoadBalancer(id string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ensureBalancer(id).id
}

// AddVServerGroup puts a classic SLB vServer group into the Cloud and returns
// its ID. A group of the same ID is replaced.
func (c *Cloud) AddVServerGroup(g VServerGroup) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old := c.slb.groups[g.ID]; old != nil {
		old.balancer.groups = slices.DeleteFunc(old.balancer.groups, func(x *slbGroup) bool { return x == old })
	}
	group := c.newSLBGroup(g.ID, c.ensureBalancer(g.LoadBalancerID), time.Now(), g.Name)
	for _, k := range sortedKeys(g.Tags) {
		group.tags = append(group.tags, object{"TagKey": k, "TagValue": g.Tags[k]})
	}
	for _, s := range g.Servers {
		group.servers = append(group.servers, &slbServer{
			slbKey:      slbKey{s.ID, either(strings.ToLower(s.Type), "ecs"), either(s.IP, privateIP(s.ID)), int64(s.Port)},
			weight:      weight(s.Weight, 100),
			description: s.Description,
		})
	}
	return group.id
}

const slbServersPerBalancer = 200

type slbState struct {
	balancers map[string]*slbBalancer
	groups    map[string]*slbGroup
}

func (s *slbState) init() {
	s.balancers = make(map[string]*slbBalancer)
	s.groups = make(map[string]*slbGroup)
}

// slbBalancer is a load balancer: the unit that is locked after a change.
type slbBalancer struct {
	id        string
	groups    []*slbGroup // by creation
	busyUntil time.Time
	busyGroup *slbGroup // the one that was changed
}

type slbGroup struct {
	id, name string
	created  time.Time
	balancer *slbBalancer
	tags     []object
	servers  []*slbServer // in the order they were added
}

type slbKey struct {
	id, kind, ip string
	port         int64
}

type slbServer struct {
	slbKey
	weight      int64
	description string
}

func (c *Cloud) ensureBalancer(id string) *slbBalancer {
	if id == "" {
		id = c.ids.alibaba("lb-")
	}
	lb := c.slb.balancers[id]
	if lb == nil {
		lb = &slbBalancer{id: id}
		c.slb.balancers[id] = lb
	}
	return lb
}

func (c *Cloud) newSLBGroup(id string, lb *slbBalancer, now time.Time, name string) *slbGroup {
	g := &slbGroup{id: either(id, c.ids.alibaba("rsp-")), created: now, balancer: lb}
	g.name = either(name, g.id)
	c.slb.groups[g.id] = g
	lb.groups = append(lb.groups, g)
	return g
}

func (lb *slbBalancer) size() int {
	n := 0
	for _, g := range lb.groups {
		n += len(g.servers)
	}
	return n
}

func (g *slbGroup) find(k slbKey) *slbServer {
	for _, s := range g.servers {
		if s.slbKey == k {
			return s
		}
	}
	return nil
}

func (g *slbGroup) object() object {
	servers := make([]object, len(g.servers))
	for i, s := range g.servers {
		servers[i] = object{
			"ServerId": s.id, "Type": s.kind, "ServerIp": s.ip, "Port": s.port,
			"Weight": s.weight, "Description": s.description,
		}
	}
	return object{
		"VServerGroupId": g.id, "VServerGroupName": g.name, "LoadBalancerId": g.balancer.id,
		"CreateTime": g.created.UTC().Format(time.RFC3339), "ServerCount": len(g.servers),
		"Tags":           object{"Tag": orEmpty(g.tags)},
		"BackendServers": object{"BackendServer": servers},
	}
}

func slbService() *service {
	return &service{
		name:   "slb",
		vendor: alibaba,
		handlers: map[string]handler{
			"CreateVServerGroup":               slbCreate,
			"AddVServerGroupBackendServers":    slbWrite(slbAdd),
			"RemoveVServerGroupBackendServers": slbWrite(slbRemove),
			"SetVServerGroupAttribute":         slbWrite(slbSet),
			"DescribeVServerGroupAttribute":    slbDescribeGroup,
			"DescribeVServerGroups":            slbDescribeGroups,
		},
		refuse: func(p problem) *fault {
			servers := strings.HasPrefix(p.field, "BackendServers")
			switch {
			case p.kind == missing && p.name == p.field:
				return refusef(400, "MissingParameter", "The input parameter %q that is mandatory for processing this request is not supplied.", p.field)
			case p.kind == unknownName && !servers:
				return refusef(400, "UnsupportedParameter", "The parameter %q is not supported.", p.field)
			case p.kind == tooMany && servers:
				return refusef(400, "TooManyBackendServers", "The number of backend servers exceeds the max supported number: 20.")
			case p.name == "Weight":
				return refusef(400, "InvalidWeight.Malformed", "The specified weight of %s %s.", p.field, p.detail)
			case p.kind == malformed && p.name == p.field && servers:
				return refusef(400, "BackendServersMalformed", "The specified backend servers are malformed: %s.", p.detail)
			case p.kind == tooShort || p.kind == tooLong:
				return refusef(400, "InvalidParameterLength", "The specified parameter %s %s.", p.field, p.detail)
			default:
				return refusef(400, "InvalidParameter", "The specified parameter %s %s.", p.field, p.detail)
			}
		},
	}
}

// slbRegion checks that a call is for this region.
func (c *call) slbRegion() *fault {
	if c.in.str("RegionId") != c.set.region {
		return refusef(404, "InvalidRegionId.NotFound", "The specified region does not exist.")
	}
	return nil
}

func (c *call) slbGroup() (*slbGroup, *fault) {
	if f := c.slbRegion(); f != nil {
		return nil, f
	}
	if g := c.slb.groups[c.in.str("VServerGroupId")]; g != nil {
		return g, nil
	}
	return nil, refusef(404, "InvalidParameter", "The specified VServerGroupId does not exist.")
}

func (c *call) slbLoadBalancer() (*slbBalancer, *fault) {
	if f := c.slbRegion(); f != nil {
		return nil, f
	}
	if lb := c.slb.balancers[c.in.str("LoadBalancerId")]; lb != nil {
		return lb, nil
	}
	return nil, refusef(404, "InvalidLoadBalancerId.NotFound", "The specified LoadBalancerId does not exist.")
}

// slbLock refuses a change of g, which is nil for a new group, as long as the
// load balancer is still busy with an earlier one.
func (c *call) slbLock(lb *slbBalancer, g *slbGroup) *fault {
	switch {
	case !c.now.Before(lb.busyUntil):
		return nil
	case lb.busyGroup == g:
		return refusef(400, "VServerGroupProcessing", "The operation of the vServer group is pending, please try again later.")
	default:
		return refusef(409, "BackendServer.configuring", "A previous configuration of the load balancer is pending; please try again later.")
	}
}

func (c *call) slbBusy(g *slbGroup) {
	g.balancer.busyUntil, g.balancer.busyGroup = c.now.Add(c.set.window), g
}

// slbWrite is the frame of a change of a group: region, group, lock, and the
// group's new list as the answer.
func slbWrite(change func(*call, *slbGroup, []*slbServer) *fault) handler {
	return func(c *call) (object, *fault) {
		g, f := c.slbGroup()
		if f != nil {
			return nil, f
		}
		if f := c.slbLock(g.balancer, g); f != nil {
			return nil, f
		}
		if f := change(c, g, c.slbServers()); f != nil {
			return nil, f
		}
		c.slbBusy(g)
		return g.object(), nil
	}
}

// slbServers reads BackendServers. Of entries for the same server the first
// counts.
func (c *call) slbServers() []*slbServer {
	var out []*slbServer
	seen := make(map[slbKey]bool)
	for _, s := range c.in.list("BackendServers") {
		k := slbKey{s.str("ServerId"), s.str("Type"), s.str("ServerIp"), s.num("Port")}
		if k.ip == "" {
			k.ip = privateIP(k.id)
		}
		if seen[k] {
			continue
		}
		seen[k] = true
		out = append(out, &slbServer{k, s.num("Weight"), s.str("Description")})
	}
	return out
}

func slbAdd(_ *call, g *slbGroup, servers []*slbServer) *fault {
	for _, s := range servers {
		if g.find(s.slbKey) != nil {
			return refusef(400, "InvalidParameter", "The resource already exists: backend server %s, port %d.", s.id, s.port)
		}
	}
	if g.balancer.size()+len(servers) > slbServersPerBalancer {
		return refusef(400, "TooManyBackendServers", "The load balancer has too many backend servers, max supported number: %d.", slbServersPerBalancer)
	}
	g.servers = append(g.servers, servers...)
	return nil
}

// slbRemove takes out what is there; the service says nothing about the rest.
func slbRemove(_ *call, g *slbGroup, servers []*slbServer) *fault {
	g.servers = slices.DeleteFunc(g.servers, func(have *slbServer) bool {
		return slices.ContainsFunc(servers, func(s *slbServer) bool { return s.slbKey == have.slbKey })
	})
	return nil
}

func slbSet(c *call, g *slbGroup, servers []*slbServer) *fault {
	for _, s := range servers {
		if g.find(s.slbKey) == nil {
			return refusef(404, "InvalidServerId.NotFound", "The backend server %s, port %d is not in the group.", s.id, s.port)
		}
	}
	for _, s := range servers {
		have := g.find(s.slbKey)
		have.weight = s.weight
		have.description = either(s.description, have.description)
	}
	g.name = either(c.in.str("VServerGroupName"), g.name)
	return nil
}

func slbCreate(c *call) (object, *fault) {
	lb, f := c.slbLoadBalancer()
	if f != nil {
		return nil, f
	}
	if f := c.slbLock(lb, nil); f != nil {
		return nil, f
	}
	servers := c.slbServers()
	if lb.size()+len(servers) > slbServersPerBalancer {
		return nil, refusef(400, "TooManyBackendServers", "The load balancer has too many backend servers, max supported number: %d.", slbServersPerBalancer)
	}
	g := c.newSLBGroup("", lb, c.now, c.in.str("VServerGroupName"))
	g.servers = servers
	for _, t := range c.in.list("Tag") {
		g.tags = append(g.tags, object{"TagKey": t["Key"], "TagValue": t.str("Value")})
	}
	c.slbBusy(g)
	return g.object(), nil
}

func slbDescribeGroup(c *call) (object, *fault) {
	g, f := c.slbGroup()
	if f != nil {
		return nil, f
	}
	return g.object(), nil
}

func slbDescribeGroups(c *call) (object, *fault) {
	lb, f := c.slbLoadBalancer()
	if f != nil {
		return nil, f
	}
	groups := []object{}
	for _, g := range lb.groups {
		if !slices.ContainsFunc(c.in.list("Tag"), func(want params) bool {
			return !slices.ContainsFunc(g.tags, func(t object) bool {
				return t["TagKey"] == want["Key"] && (!want.has("Value") || t["TagValue"] == want["Value"])
			})
		}) {
			o := g.object()
			o["AssociatedObjects"] = object{"Listeners": object{"Listener": []object{}}, "Rules": object{"Rule": []object{}}}
			groups = append(groups, o)
		}
	}
	return object{"VServerGroups": object{"VServerGroup": groups}}, nil
}
