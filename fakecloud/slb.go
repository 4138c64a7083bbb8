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

// AddVServerGroup puts a classic SLB vServer group into the Cloud and returns
// its ID. A group of the same ID is replaced.
func (c *account) AddVServerGroup(g VServerGroup) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flowNow()
	group := c.newSLBGroup(g.ID, c.ensureBalancer(g.LoadBalancerID), time.Now(), g.Name)
	for _, k := range sortedKeys(g.Tags) {
		group.tags = append(group.tags, object{"TagKey": k, "TagValue": g.Tags[k]})
	}
	group.servers = slbSeeded(g.Servers)
	if old := c.slb.groups[g.ID]; old != nil {
		old.handOver(group)
	}
	c.slb.groups[group.id] = group
	return group.id
}

func slbSeeded(servers []BackendServer) []*slbServer {
	out := make([]*slbServer, len(servers))
	for i, s := range servers {
		out[i] = &slbServer{
			slbKey:      slbKey{s.ID, either(strings.ToLower(s.Type), "ecs"), either(s.IP, privateIP(s.ID)), int64(s.Port)},
			weight:      weight(s.Weight, 100),
			description: s.Description,
		}
	}
	return out
}

const slbServersPerBalancer = 200

type slbState struct {
	balancers map[string]*slbBalancer
	order     []*slbBalancer // by creation
	groups    map[string]*slbGroup
	masters   map[string]*slbGroup // primary/secondary groups
}

func (s *slbState) init() {
	s.balancers = make(map[string]*slbBalancer)
	s.groups = make(map[string]*slbGroup)
	s.masters = make(map[string]*slbGroup)
}

// slbBalancer is a load balancer: the unit that is locked after a change.
type slbBalancer struct {
	id        string
	created   time.Time
	about     ClassicLoadBalancer // what it was seeded with
	group     *slbGroup           // the default group; its servers have port 0
	groups    []*slbGroup         // by creation
	masters   []*slbGroup         // by creation
	listeners []*slbListener      // by creation
	busyUntil time.Time
	busyGroup *slbGroup // the vServer group that was changed, if it was one
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
	role        string // Master or Slave, in a primary/secondary group
}

func (c *account) ensureBalancer(id string) *slbBalancer {
	if id == "" {
		id = c.ids.alibaba("lb-")
	}
	lb := c.slb.balancers[id]
	if lb == nil {
		lb = &slbBalancer{id: id, created: time.Now()}
		lb.group = &slbGroup{balancer: lb}
		c.slb.balancers[id] = lb
		c.slb.order = append(c.slb.order, lb)
	}
	return lb
}

func (c *account) newSLBGroup(id string, lb *slbBalancer, now time.Time, name string) *slbGroup {
	g := &slbGroup{id: either(id, c.ids.alibaba("rsp-")), created: now, balancer: lb}
	g.name = either(name, g.id)
	lb.groups = append(lb.groups, g)
	return g
}

// all are the load balancer's groups of all kinds.
func (lb *slbBalancer) all() []*slbGroup {
	return slices.Concat([]*slbGroup{lb.group}, lb.groups, lb.masters)
}

// drop takes a group from its load balancer.
func (g *slbGroup) drop() {
	gone := func(x *slbGroup) bool { return x == g }
	g.balancer.groups = slices.DeleteFunc(g.balancer.groups, gone)
	g.balancer.masters = slices.DeleteFunc(g.balancer.masters, gone)
}

// handOver puts a group of the same ID in the place of g.
func (g *slbGroup) handOver(to *slbGroup) {
	g.drop()
	for _, l := range g.balancer.listeners {
		l.swap(g, to)
	}
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
			"DeleteVServerGroup":               slbDelete,
			"ModifyVServerGroupBackendServers": slbWrite(slbModify),

			"AddBackendServers":    slbDefault(slbAdd),
			"SetBackendServers":    slbDefault(slbSet),
			"RemoveBackendServers": slbDefault(slbRemove),

			"CreateMasterSlaveServerGroup":            slbCreateMaster,
			"DeleteMasterSlaveServerGroup":            slbDeleteMaster,
			"DescribeMasterSlaveServerGroups":         slbDescribeMasters,
			"DescribeMasterSlaveServerGroupAttribute": slbDescribeMaster,

			"DescribeLoadBalancers":         slbDescribeBalancers,
			"DescribeLoadBalancerAttribute": slbDescribeBalancer,
			"DescribeHealthStatus":          slbDescribeHealth,
			"DescribeRegions":               slbDescribeRegions,
		},
		refuse: func(_ *settings, p problem) *fault {
			servers := strings.Contains(p.field, "BackendServers")
			if strings.HasPrefix(p.field, "MasterSlaveBackendServers") {
				if f := slbMasterProblem(p); f != nil {
					return f
				}
			}
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

// slbRegion checks that a call is for this region. Some calls need not name
// one.
func (c *call) slbRegion() *fault {
	if id := c.in.str("RegionId"); id != "" && id != c.set.region {
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

// slbLock refuses a change of the vServer group g, or of something else of the
// load balancer when g is nil, as long as that is busy with an earlier one.
func (c *call) slbLock(lb *slbBalancer, g *slbGroup) *fault {
	switch {
	case !c.now.Before(lb.busyUntil):
		return nil
	case g != nil && lb.busyGroup == g:
		return refusef(400, "VServerGroupProcessing", "The operation of the vServer group is pending, please try again later.")
	default:
		return refusef(409, "BackendServer.configuring", "A previous configuration of the load balancer is pending; please try again later.")
	}
}

func (c *call) slbBusy(lb *slbBalancer, g *slbGroup) {
	lb.busyUntil, lb.busyGroup = c.now.Add(c.set.window), g
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
		if f := change(c, g, c.slbServers("BackendServers")); f != nil {
			return nil, f
		}
		c.slbBusy(g.balancer, g)
		return g.object(), nil
	}
}

// slbServers reads a list of servers. Of entries for the same server the first
// counts.
func (c *call) slbServers(list string) []*slbServer {
	var out []*slbServer
	seen := make(map[slbKey]bool)
	for _, s := range c.in.list(list) {
		k := slbKey{s.str("ServerId"), s.str("Type"), s.str("ServerIp"), s.num("Port")}
		if k.ip == "" {
			k.ip = privateIP(k.id)
		}
		if seen[k] {
			continue
		}
		seen[k] = true
		out = append(out, &slbServer{k, s.num("Weight"), s.str("Description"), s.str("ServerType")})
	}
	return out
}

// slbRoom refuses more servers than a load balancer may have.
func (c *call) slbRoom(lb *slbBalancer, added []*slbServer) *fault {
	size := len(added)
	distinct := make(map[string]bool)
	for _, g := range lb.all() {
		size += len(g.servers)
		for _, s := range g.servers {
			distinct[s.id] = true
		}
	}
	if !c.set.assumes(SLBServersCountPerGroup) {
		for _, s := range added {
			distinct[s.id] = true
		}
		size = len(distinct)
	}
	if size > slbServersPerBalancer {
		return refusef(400, "TooManyBackendServers", "The load balancer has too many backend servers, max supported number: %d.", slbServersPerBalancer)
	}
	return nil
}

func slbAdd(c *call, g *slbGroup, servers []*slbServer) *fault {
	var fresh []*slbServer
	var refusal *fault
	for _, s := range servers {
		switch {
		case g.find(s.slbKey) == nil:
			fresh = append(fresh, s)
		case refusal == nil:
			refusal = c.slbPresent(s)
		}
	}
	if refusal != nil && c.set.assumes(SLBAddTogether) {
		return refusal
	}
	if f := c.slbRoom(g.balancer, fresh); f != nil {
		return f
	}
	g.servers = append(g.servers, fresh...)
	return refusal
}

// slbRemove takes out what is there; the service says nothing about the rest.
func slbRemove(_ *call, g *slbGroup, servers []*slbServer) *fault {
	g.servers = slices.DeleteFunc(g.servers, func(have *slbServer) bool {
		return slices.ContainsFunc(servers, func(s *slbServer) bool {
			k := have.slbKey
			if g == g.balancer.group && s.port == 0 { // the call has no ports
				k.port = 0
			}
			return s.slbKey == k
		})
	})
	return nil
}

func slbSet(c *call, g *slbGroup, servers []*slbServer) *fault {
	for _, s := range servers {
		if g.find(s.slbKey) == nil && c.set.assumes(SLBSetNeedsPresent) {
			return g.absent(s)
		}
	}
	for _, s := range servers {
		have := g.find(s.slbKey)
		if have == nil {
			continue
		}
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
	servers := c.slbServers("BackendServers")
	if f := c.slbRoom(lb, servers); f != nil {
		return nil, f
	}
	g := c.newSLBGroup("", lb, c.now, c.in.str("VServerGroupName"))
	g.servers, g.tags = servers, c.slbTags()
	c.slb.groups[g.id] = g
	c.slbBusy(lb, g)
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
		if !slbTagged(g.tags, c.in.list("Tag")) || !c.slbDescribed(g) {
			continue
		}
		o := g.object()
		o["AssociatedObjects"] = g.users(c.in.flag("IncludeListener"), c.in.flag("IncludeRule"))
		groups = append(groups, o)
	}
	return object{"VServerGroups": object{"VServerGroup": groups}}, nil
}

// slbDelete deletes a group that nothing uses.
func slbDelete(c *call) (object, *fault) {
	g, f := c.slbGroup()
	if f != nil {
		return nil, f
	}
	if f := c.slbLock(g.balancer, g); f != nil {
		return nil, f
	}
	if f := g.unused(); f != nil {
		return nil, f
	}
	g.drop()
	delete(c.slb.groups, g.id)
	c.slbBusy(g.balancer, g)
	return nil, nil
}

// slbModify replaces servers of a group. Nothing of it is done when one of the
// old ones is absent or one of the new ones present.
func slbModify(c *call, g *slbGroup, _ []*slbServer) *fault {
	gone, added := c.slbServers("OldBackendServers"), c.slbServers("NewBackendServers")
	if len(gone)+len(added) == 0 && c.set.assumes(SLBNothingNamedRefused) {
		return refusef(400, "MissingParameter", "The input parameter %q that is mandatory for processing this request is not supplied.", "NewBackendServers")
	}
	for _, s := range gone {
		if g.find(s.slbKey) == nil && c.set.assumes(SLBModifyOldPresent) {
			return g.absent(s)
		}
	}
	for _, s := range added {
		if g.find(s.slbKey) != nil && c.set.assumes(SLBModifyNewAbsent) {
			return c.slbPresent(s)
		}
	}
	was := g.servers
	g.servers = slices.Clone(was)
	f := slbRemove(c, g, gone)
	if f == nil {
		added = slices.DeleteFunc(added, func(s *slbServer) bool {
			have := g.find(s.slbKey)
			if have != nil {
				have.weight = s.weight
			}
			return have != nil
		})
		f = slbAdd(c, g, added)
	}
	if f != nil {
		g.servers = was
	}
	return f
}

// unused refuses to delete a group that a listener or a rule uses.
func (g *slbGroup) unused() *fault {
	for _, l := range g.balancer.listeners {
		if l.group == g {
			return refusef(400, "RspoolVipExist", "The specified group %s is used by the listener on port %d.", g.id, l.port)
		}
		for _, r := range l.rules {
			if r.group == g {
				return refusef(400, "RspoolRuleExist", "The specified group %s is used by the rule %s.", g.id, r.id)
			}
		}
	}
	return nil
}

// users are the listeners and rules that use a group.
func (g *slbGroup) users(withListeners, withRules bool) object {
	listeners, rules := []object{}, []object{}
	for _, l := range g.balancer.listeners {
		if l.group == g && withListeners {
			listeners = append(listeners, object{"Port": l.port, "Protocol": l.protocol})
		}
		for _, r := range l.rules {
			if r.group == g && withRules {
				rules = append(rules, object{"RuleId": r.id, "RuleName": r.name, "Domain": r.domain, "Url": r.url})
			}
		}
	}
	return object{"Listeners": object{"Listener": listeners}, "Rules": object{"Rule": rules}}
}

func (g *slbGroup) absent(s *slbServer) *fault {
	return refusef(404, "InvalidServerId.NotFound", "The backend server %s, port %d is not in the group.", s.id, s.port)
}

func (c *call) slbPresent(s *slbServer) *fault {
	code := "InvalidParameter"
	if !c.set.assumes(SLBPresentIsInvalid) {
		code = "InvalidBackendServers.ServerIpConflict"
	}
	return refusef(400, code, "The resource already exists: backend server %s, port %d.", s.id, s.port)
}

// slbDescribed applies the filter Description to a group.
func (c *call) slbDescribed(g *slbGroup) bool {
	return !c.in.has("Description") || c.set.assumes(SLBDescriptionIsName) && c.in.str("Description") == g.name
}

// slbTags are the tags of something new.
func (c *call) slbTags() []object {
	var tags []object
	for _, t := range c.in.list("Tag") {
		tags = append(tags, object{"TagKey": t["Key"], "TagValue": t.str("Value")})
	}
	return tags
}

// slbTagged reports whether tags has every wanted one; a wanted tag without a
// value matches any.
func slbTagged(tags []object, wanted []params) bool {
	return !slices.ContainsFunc(wanted, func(w params) bool {
		return !slices.ContainsFunc(tags, func(t object) bool {
			return t["TagKey"] == w["Key"] && (!w.has("Value") || t["TagValue"] == w["Value"])
		})
	})
}
