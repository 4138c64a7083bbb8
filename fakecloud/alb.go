package fakecloud

import (
	"cmp"
	"net/netip"
	"slices"
	"time"
)

// ServerGroup is an ALB server group to start with.
type ServerGroup struct {
	// ID and Name default to generated ones.
	ID   string
	Name string
	// Type is "Instance" (the default), "Ip" or "Fc".
	Type string
	// Protocol is "HTTP" (the default), "HTTPS" or "gRPC".
	Protocol string
	// Scheduler is "Wrr" (the default), "Wlc", "Sch" or "Uch".
	Scheduler string
	// VPCID defaults to a generated one.
	VPCID string
	// Tags are the group's tags.
	Tags map[string]string
	// LoadBalancerIDs are the load balancers whose listeners use the group; as
	// long as there are any it cannot be deleted.
	LoadBalancerIDs []string
	// Servers are in it, Available.
	Servers []BackendServer
	// More are further settings, or other values of them, in the wire names of
	// CreateServerGroup: "HealthCheckConfig", "ConnectionDrainConfig".
	More map[string]any `json:",omitempty"`
}

// BackendServer is a server of an ALB or classic SLB group.
type BackendServer struct {
	// ID is the instance's ID, the address of an Ip server, or the ARN of an Fc
	// one.
	ID string
	// Type is "Ecs" (the default; "ecs" on classic SLB), "Eni", "Eci", "Ip" or
	// "Fc".
	Type string
	// IP defaults to an address derived from ID.
	IP   string
	Port int
	// Weight is 100 when nil.
	Weight      *int
	Description string
	// RemoteIPEnabled is for Ip servers of ALB outside of the VPC.
	RemoteIPEnabled bool `json:",omitempty"`
}

// AddServerGroup puts an ALB server group into the Cloud and returns its ID. A
// group of the same ID is replaced.
func (c *account) AddServerGroup(g ServerGroup) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flowNow()
	group := c.newALBGroup(g.ID, time.Now(), seededMore("alb", "CreateServerGroup", "", params{
		"ServerGroupName": either(g.Name, "group-"+c.ids.hex(6)),
		"ServerGroupType": either(g.Type, "Instance"),
		"Protocol":        either(g.Protocol, "HTTP"),
		"Scheduler":       either(g.Scheduler, "Wrr"),
		"VpcId":           either(g.VPCID, c.ids.alibaba("vpc-")),

		"HealthCheckConfig": object{"HealthCheckEnabled": true},
	}, g.More))
	for _, k := range sortedKeys(g.Tags) {
		group.tags = append(group.tags, object{"Key": k, "Value": g.Tags[k]})
	}
	group.loadBalancers = g.LoadBalancerIDs
	c.alb.put(group)
	for _, s := range g.Servers {
		in := params{
			"ServerId": s.ID, "ServerType": either(s.Type, "Ecs"), "ServerIp": s.IP,
			"Port": int64(s.Port), "Weight": weight(s.Weight, 100), "Description": s.Description, "RemoteIpEnabled": s.RemoteIPEnabled,
		}
		c.alb.enter(group, c.newALBServer(in))
	}
	return group.id
}

// WithServersPerGroup sets how many servers an ALB server group may have: 1,000
// by default.
func WithServersPerGroup(n int) Option { return func(s *settings) { s.albServers = n } }

const (
	albGroupLimit = 1000
	available     = "Available"
)

type albState struct {
	groups  map[string]*albGroup
	order   []*albGroup  // by creation
	servers []*albServer // of all groups, by creation
	jobs    []*albJob    // that are listed, by creation
	jobByID map[string]*albJob
	running []*albJob // by their end; those that never end are not among them
	endless int       // jobs in the list that never end
	tokens  map[string]albToken
	seq     int64
	version int // counts the changes of tags, and of what has tags
	tagList albTagList

	templates []*albTemplate // by creation
	listeners []*albListener // by creation
	balancers []*albBalancer // that were seen so far
}

func (s *albState) init() {
	s.groups = make(map[string]*albGroup)
	s.jobByID = make(map[string]*albJob)
	s.tokens = make(map[string]albToken)
}

func (s *albState) next() int64 { s.seq++; return s.seq }

func (s *albState) put(g *albGroup) {
	s.drop(g.id)
	s.version++
	s.groups[g.id] = g
	s.order = append(s.order, g)
}

func (s *albState) drop(id string) {
	if old := s.groups[id]; old != nil {
		s.version++
		delete(s.groups, id)
		s.order = dropRow(s.order, old)
		s.servers = slices.DeleteFunc(s.servers, func(x *albServer) bool { return x.group == old })
	}
}

// enter puts a server into a group, in place of the one it has.
func (s *albState) enter(g *albGroup, server *albServer) {
	if old := g.byKey[server.albKey]; old != nil {
		s.leave(g, old)
	}
	server.group = g
	g.byKey[server.albKey] = server
	g.servers = append(g.servers, server)
	s.servers = append(s.servers, server)
}

func (s *albState) leave(g *albGroup, gone ...*albServer) {
	for _, server := range gone {
		delete(g.byKey, server.albKey)
		g.servers = dropRow(g.servers, server)
		s.servers = dropRow(s.servers, server)
	}
}

type albGroup struct {
	numbered
	id            string
	created       time.Time
	in            params // what it was created with
	tags          []object
	loadBalancers []string
	servers       []*albServer // by creation
	byKey         map[albKey]*albServer
	status        string
	job           *albJob // running, or finished and not applied yet
}

// albKey is what makes a server of a group a different one.
type albKey struct {
	id, kind, ip string
	port         int64
}

type albServer struct {
	albKey
	numbered
	group       *albGroup
	weight      int64
	description string
	remoteIP    bool
	joining     bool // until the job that adds it is done
	status      string
}

// albToken is what a ClientToken was used for.
type albToken struct {
	fingerprint string
	result      object
	refusal     *fault
	// runs and lives are when its request is done, and when it is forgotten.
	runs, lives time.Time
}

func (c *account) newALBGroup(id string, now time.Time, in params) *albGroup {
	return &albGroup{
		numbered: numbered{c.alb.next()}, id: either(id, c.ids.alibaba("sgp-")), created: now, in: in,
		byKey: make(map[albKey]*albServer), status: available,
	}
}

func (c *account) newALBServer(in params) *albServer {
	return &albServer{
		albKey: c.set.albServerKey(in), numbered: numbered{c.alb.next()}, weight: in.num("Weight"),
		description: in.str("Description"), remoteIP: in.flag("RemoteIpEnabled"), status: available,
	}
}

// albServerKey names the server that a request means: the address of an
// instance that is not given is its private one.
func (s *settings) albServerKey(in params) albKey {
	k := albKey{in.str("ServerId"), in.str("ServerType"), in.str("ServerIp"), in.num("Port")}
	switch {
	case k.kind == "Fc":
		k.ip, k.port = "", 0
	case k.kind == "Ip":
		k.ip = k.id
	case k.ip == "" && s.assumes(ALBPrivateAddresses):
		k.ip = privateIP(k.id)
	}
	return k
}

// albGroup brings a group up to date and returns it.
func (c *call) albGroup(id string) (*albGroup, *fault) {
	if g := c.alb.groups[id]; g != nil {
		c.settle(g)
	}
	if g := c.alb.groups[id]; g != nil {
		return g, nil
	}
	return nil, refusef(404, "ResourceNotFound.ServerGroup", "The specified resource %s is not found.", id)
}

func albService() *service {
	return &service{
		name:   "alb",
		vendor: alibaba,
		handlers: map[string]handler{
			"AddServersToServerGroup":           albWrite(albAdd),
			"ReplaceServersInServerGroup":       albWrite(albReplace),
			"RemoveServersFromServerGroup":      albWrite(albRemove),
			"UpdateServerGroupServersAttribute": albWrite(albUpdate),
			"CreateServerGroup":                 albWrite(albCreate),
			"DeleteServerGroup":                 albWrite(albDelete),
			"ListServerGroupServers":            albListServers,
			"ListServerGroups":                  albListGroups,
			"ListAsynJobs":                      albListJobs,
			"UpdateServerGroupAttribute":        albWrite(albUpdateGroup),

			"ApplyHealthCheckTemplateToServerGroup": albWrite(albApply),
			"CreateHealthCheckTemplate":             albAtOnce(albCreateTemplate),
			"UpdateHealthCheckTemplateAttribute":    albAtOnce(albUpdateTemplate),
			"DeleteHealthCheckTemplates":            albAtOnce(albDeleteTemplates),
			"GetHealthCheckTemplateAttribute":       albGetTemplate,
			"ListHealthCheckTemplates":              albListTemplates,

			"TagResources":     albTag,
			"UnTagResources":   albUntag,
			"ListTagResources": albListTags,
			"ListTagKeys":      albListTagKeys,
			"ListTagValues":    albListTagValues,

			"ListListeners":           albListListeners,
			"GetListenerHealthStatus": albGetHealth,
			"DescribeRegions":         albDescribeRegions,
			"DescribeZones":           albDescribeZones,
		},
		refuse: func(s *settings, p problem) *fault {
			if p.kind == missing {
				return s.albMissing(p.name, p.field)
			}
			return s.albInvalid(p.name, p.field+" "+p.detail)
		},
	}
}

func (s *settings) albMissing(name, field string) *fault {
	code := "MissingParameter"
	if s.assumes(ALBMissingNamed) {
		code = "Missing" + name
	}
	return refusef(400, code, "%s is mandatory for this action.", field)
}

func (s *settings) albInvalid(name, detail string) *fault {
	code := "InvalidParameter"
	if !s.assumes(ALBInvalidParameter) {
		code = "IllegalParam." + name
	}
	return refusef(400, code, "The specified parameter %s.", detail)
}

// albChange is what a write does once every check has passed.
type albChange struct {
	kind   string // Create, Update, Delete
	status string // of the group while the job runs
	begin  func() // at once
	end    func() // when the job is done
}

// albWrite is the frame of every write: the client token, the lock of the
// group, the checks, the dry run, the job.
func albWrite(check func(*call, *albGroup) (*albGroup, albChange, *fault)) handler {
	return albRefusable(func(c *call) (object, *fault) {
		if out, f := c.albRepeated(); out != nil || f != nil {
			return out, f
		}
		var group *albGroup
		if id := c.in.str("ServerGroupId"); id != "" {
			var f *fault
			if group, f = c.albGroup(id); f != nil {
				return nil, f
			}
			if group.job != nil {
				return nil, refusef(400, "IncorrectStatus.ServerGroup", "The status of %s [%s] is incorrect.", id, group.status)
			}
		}
		group, change, f := check(c, group)
		if f != nil {
			return nil, f
		}
		if c.in.flag("DryRun") {
			return nil, refusef(400, "DryRunOperation", "Request validation has been passed with DryRun flag set.")
		}
		job := &albJob{
			numbered: numbered{c.alb.next()}, id: c.ids.uuid(), api: c.op.Name, kind: change.kind, group: group.id,
			start: c.now, end: c.now.Add(c.set.job), finish: change.end,
		}
		switch e := c.struckJob(); e.kind {
		case jobFails:
			job.failure = refusef(0, e.code, "%s", e.message)
			if c.set.assumes(ALBFailedJobsUndo) {
				job.finish = c.albUndo(group)
			}
		case jobEndless:
			job.end, job.endless = c.now.AddDate(1000, 0, 0), true
		case jobVanishes:
			job.hidden = true
		default:
		}
		c.alb.addJob(job, c.now, c.set.jobLife)
		change.begin()
		group.job, group.status = job, change.status
		out := object{"JobId": job.id}
		if change.kind == "Create" {
			out["ServerGroupId"] = group.id
		}
		c.albRemember(out, nil)
		return out, nil
	})
}

// albNamed returns the keys of the listed servers, each of them once.
func (s *settings) albNamed(list []params) ([]albKey, *fault) {
	keys := make([]albKey, len(list))
	seen := make(map[albKey]bool, len(list))
	for i, server := range list {
		keys[i] = s.albServerKey(server)
		if seen[keys[i]] {
			return nil, refusef(400, "DuplicatedParam.BackendServer", "The param of BackendServer %s is duplicated.", keys[i].id)
		}
		seen[keys[i]] = true
	}
	return keys, nil
}

// albNew checks the servers of a call that are to be added.
func (c *call) albNew(g *albGroup, list []params, leaving int) ([]*albServer, *fault) {
	keys, f := c.set.albNamed(list)
	if f != nil {
		return nil, f
	}
	groupType := g.in.str("ServerGroupType")
	for _, k := range keys {
		fits := groupType == k.kind
		if groupType == "Instance" {
			fits = k.kind == "Ecs" || k.kind == "Eni" || k.kind == "Eci"
		}
		_, err := netip.ParseAddr(k.ip)
		switch {
		case k.id == "":
			return nil, c.set.albMissing("ServerId", "ServerId")
		case !fits:
			return nil, refusef(400, "Mismatch.ServerType", "The server type %s does not fit the group type %s.", k.kind, groupType)
		case k.kind != "Fc" && k.ip != "" && err != nil:
			return nil, refusef(400, "IllegalParam.ServerIp", "The param of ServerIp %s is illegal.", k.ip)
		case g.byKey[k] != nil:
			return nil, refusef(400, "Conflict.BackendServer", "There is already %s having the same configuration with current.", k.id)
		}
	}
	if limit := cmp.Or(c.set.albServers, albGroupLimit); len(g.servers)-leaving+len(keys) > limit {
		return nil, refusef(400, "ResourceQuotaExceeded.ServersNum",
			"The quota of servers in the group is exceeded, usage %d/%d.", len(g.servers), limit)
	}
	servers := make([]*albServer, len(list))
	for i := range list {
		servers[i] = c.newALBServer(list[i])
	}
	return servers, nil
}

// albPresent finds the servers of a call that must be in the group.
func (c *call) albPresent(g *albGroup, list []params) ([]*albServer, *fault) {
	keys, f := c.set.albNamed(list)
	if f != nil {
		return nil, f
	}
	servers := make([]*albServer, len(keys))
	for i, k := range keys {
		if servers[i] = g.byKey[k]; servers[i] == nil {
			return nil, refusef(404, "ResourceNotFound.BackendServer", "The specified resource %s is not found.", k.id)
		}
	}
	return servers, nil
}

func setStatus(servers []*albServer, status string) {
	for _, s := range servers {
		s.status = status
	}
}

func setJoining(servers []*albServer, joining bool) {
	for _, s := range servers {
		s.joining = joining
	}
}

func albAdd(c *call, g *albGroup) (*albGroup, albChange, *fault) {
	added, f := c.albNew(g, c.in.list("Servers"), 0)
	return g, albChange{
		kind: "Update", status: "Configuring",
		begin: func() {
			setStatus(added, "Adding")
			setJoining(added, true)
			for _, s := range added {
				c.alb.enter(g, s)
			}
		},
		end: func() {
			setStatus(added, available)
			setJoining(added, false)
		},
	}, f
}

func albRemove(c *call, g *albGroup) (*albGroup, albChange, *fault) {
	removed, f := c.albPresent(g, c.in.list("Servers"))
	return g, albChange{
		kind: "Update", status: "Configuring",
		begin: func() { setStatus(removed, "Removing") },
		end:   func() { c.alb.leave(g, removed...) },
	}, f
}

func albReplace(c *call, g *albGroup) (*albGroup, albChange, *fault) {
	removed, f := c.albPresent(g, c.in.list("RemovedServers"))
	if f != nil {
		return nil, albChange{}, f
	}
	added, f := c.albNew(g, c.in.list("AddedServers"), len(removed))
	return g, albChange{
		kind: "Update", status: "Configuring",
		begin: func() {
			setStatus(removed, "Replacing")
			setStatus(added, "Replacing")
			setJoining(added, true)
			for _, s := range added {
				c.alb.enter(g, s)
			}
		},
		end: func() {
			c.alb.leave(g, removed...)
			setStatus(added, available)
			setJoining(added, false)
		},
	}, f
}

func albUpdate(c *call, g *albGroup) (*albGroup, albChange, *fault) {
	list := c.in.list("Servers")
	servers, f := c.albPresent(g, list)
	sent := params(c.sent).list("Servers")
	set := func() {
		for i, s := range servers {
			if sent[i].has("Weight") || c.set.assumes(ALBWeightDefaultOnUpdate) {
				s.weight = list[i].num("Weight")
			}
			if list[i].has("Description") {
				s.description = list[i].str("Description")
			}
		}
	}
	return g, albChange{
		kind: "Update", status: "Configuring",
		begin: func() {
			setStatus(servers, "Configuring")
			if !c.set.assumes(ALBWeightsAtJobEnd) {
				set()
			}
		},
		end: func() {
			setStatus(servers, available)
			set()
		},
	}, f
}

func albCreate(c *call, _ *albGroup) (*albGroup, albChange, *fault) {
	g := c.newALBGroup("", c.now, c.in)
	for _, t := range c.in.list("Tag") {
		g.tags = append(g.tags, object(t))
	}
	return g, albChange{kind: "Create", status: "Creating", begin: func() { c.alb.put(g) }, end: func() {}}, nil
}

func albDelete(c *call, g *albGroup) (*albGroup, albChange, *fault) {
	if len(g.loadBalancers) > 0 {
		return nil, albChange{}, refusef(400, "ResourceInUse.ServerGroup", "The specified resource %s is in use.", g.id)
	}
	s := &c.alb
	return g, albChange{kind: "Delete", status: "Deleting", begin: func() {}, end: func() { s.drop(g.id) }}, nil
}

func albListServers(c *call) (object, *fault) {
	c.settleAll()
	rows := c.alb.servers
	if id := c.in.str("ServerGroupId"); id != "" {
		g, f := c.albGroup(id)
		if f != nil {
			return nil, f
		}
		rows = g.servers
	}
	if c.filtered("ServerGroupId") {
		ids := c.in.strs("ServerIds")
		rows = pick(c, rows, func(s *albServer) bool {
			return tagged(s.group.tags, c.in.list("Tag")) && (len(ids) == 0 || slices.Contains(ids, s.id))
		})
	}
	return albPage(c, "Servers", rows, (*albServer).object)
}

func (s *albServer) object() object {
	return object{
		"ServerGroupId": s.group.id, "ServerId": s.id, "ServerIp": s.ip, "ServerType": s.kind, "Port": s.port,
		"Weight": s.weight, "Description": s.description, "RemoteIpEnabled": s.remoteIP, "Status": s.status,
	}
}

func albListGroups(c *call) (object, *fault) {
	c.settleAll()
	rows := c.alb.order
	if c.filtered() {
		ids, names := c.in.strs("ServerGroupIds"), c.in.strs("ServerGroupNames")
		rows = pick(c, rows, func(g *albGroup) bool {
			return tagged(g.tags, c.in.list("Tag")) &&
				(len(ids) == 0 || slices.Contains(ids, g.id)) &&
				(len(names) == 0 || slices.Contains(names, g.in.str("ServerGroupName"))) &&
				same(c.in, g.in, "ResourceGroupId", "ServerGroupType", "VpcId")
		})
	}
	return albPage(c, "ServerGroups", rows, (*albGroup).object)
}

func (g *albGroup) object() object {
	out := clone(object(g.in))
	out["ServerGroupId"] = g.id
	out["ServerGroupStatus"] = g.status
	out["ServerCount"] = len(g.servers)
	out["CreateTime"] = g.created.UTC().Format(time.RFC3339)
	out["RelatedLoadBalancerIds"] = orEmpty(g.loadBalancers)
	out["Tags"] = orEmpty(g.tags)
	return out
}

// tagged reports whether tags has every wanted one; a wanted tag without a
// value matches any.
func tagged(tags []object, wanted []params) bool {
	for _, w := range wanted {
		if !slices.ContainsFunc(tags, func(t object) bool {
			return t["Key"] == w["Key"] && (!w.has("Value") || t["Value"] == w["Value"])
		}) {
			return false
		}
	}
	return true
}

// same reports whether have agrees with the filters that are given in want.
func same(want, have params, names ...string) bool {
	for _, n := range names {
		if v, ok := want[n]; ok && have[n] != v {
			return false
		}
	}
	return true
}
