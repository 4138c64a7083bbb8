package fakecloud

import (
	"encoding/base64"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
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
}

// AddServerGroup puts an ALB server group into the Cloud and returns its ID. A
// group of the same ID is replaced.
func (c *Cloud) AddServerGroup(g ServerGroup) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flowNow()
	group := c.newALBGroup(g.ID, time.Now(), seeded("alb", "CreateServerGroup", "", params{
		"ServerGroupName": either(g.Name, "group-"+c.ids.hex(6)),
		"ServerGroupType": either(g.Type, "Instance"),
		"Protocol":        either(g.Protocol, "HTTP"),
		"Scheduler":       either(g.Scheduler, "Wrr"),
		"VpcId":           either(g.VPCID, c.ids.alibaba("vpc-")),

		"HealthCheckConfig": object{"HealthCheckEnabled": true},
	}))
	for _, k := range sortedKeys(g.Tags) {
		group.tags = append(group.tags, object{"Key": k, "Value": g.Tags[k]})
	}
	group.loadBalancers = g.LoadBalancerIDs
	for _, s := range g.Servers {
		in := params{
			"ServerId": s.ID, "ServerType": either(s.Type, "Ecs"), "ServerIp": s.IP,
			"Port": int64(s.Port), "Weight": weight(s.Weight, 100), "Description": s.Description,
		}
		group.put(c.newALBServer(in))
	}
	c.alb.put(group)
	return group.id
}

const (
	albGroupLimit = 1000
	available     = "Available"
)

type albState struct {
	groups  map[string]*albGroup
	order   []*albGroup // by creation
	jobs    []*albJob   // by creation
	jobByID map[string]*albJob
	tokens  map[string]albToken
	seq     int64

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
	s.groups[g.id] = g
	s.order = append(s.order, g)
}

func (s *albState) drop(id string) {
	if old := s.groups[id]; old != nil {
		delete(s.groups, id)
		s.order = slices.DeleteFunc(s.order, func(g *albGroup) bool { return g == old })
	}
}

type albGroup struct {
	seq           int64
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
	seq         int64
	weight      int64
	description string
	remoteIP    bool
	status      string
}

type albJob struct {
	seq        int64
	id         string
	api        string
	kind       string // Create, Update, Delete
	group      string
	start, end time.Time
	finish     func()
	failure    *fault // at the end, nil for success
	hidden     bool   // from the list
}

// albToken is what a ClientToken was used for.
type albToken struct {
	fingerprint string
	result      object
	// runs and lives are when its request is done, and when it is forgotten.
	runs, lives time.Time
}

func (c *Cloud) newALBGroup(id string, now time.Time, in params) *albGroup {
	return &albGroup{
		seq: c.alb.next(), id: either(id, c.ids.alibaba("sgp-")), created: now, in: in,
		byKey: make(map[albKey]*albServer), status: available,
	}
}

func (c *Cloud) newALBServer(in params) *albServer {
	return &albServer{
		albKey: albServerKey(in), seq: c.alb.next(), weight: in.num("Weight"),
		description: in.str("Description"), remoteIP: in.flag("RemoteIpEnabled"), status: available,
	}
}

// albServerKey names the server that a request means: the address of an
// instance that is not given is its private one.
func albServerKey(in params) albKey {
	k := albKey{in.str("ServerId"), in.str("ServerType"), in.str("ServerIp"), in.num("Port")}
	switch {
	case k.kind == "Fc":
		k.ip, k.port = "", 0
	case k.kind == "Ip":
		k.ip = k.id
	case k.ip == "":
		k.ip = privateIP(k.id)
	}
	return k
}

func (g *albGroup) put(s *albServer) {
	if old := g.byKey[s.albKey]; old != nil {
		g.remove(old)
	}
	g.byKey[s.albKey] = s
	g.servers = append(g.servers, s)
}

func (g *albGroup) remove(gone ...*albServer) {
	for _, s := range gone {
		delete(g.byKey, s.albKey)
	}
	g.servers = slices.DeleteFunc(g.servers, func(s *albServer) bool { return g.byKey[s.albKey] != s })
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

// settle applies what a job does at its end, once that is past.
func (c *call) settle(g *albGroup) {
	if g.job != nil && !c.now.Before(g.job.end) {
		finish := g.job.finish
		g.job, g.status = nil, available
		finish()
	}
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
		refuse: func(p problem) *fault {
			if p.kind == missing {
				return refusef(400, "Missing"+p.name, "%s is mandatory for this action.", p.field)
			}
			return refusef(400, "InvalidParameter", "The specified parameter %s %s.", p.field, p.detail)
		},
	}
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
	return func(c *call) (object, *fault) {
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
			seq: c.alb.next(), id: c.ids.uuid(), api: c.op.Name, kind: change.kind, group: group.id,
			start: c.now, end: c.now.Add(c.set.job), finish: change.end,
		}
		switch e := c.struckJob(); e.kind {
		case jobFails:
			job.failure, job.finish = refusef(0, e.code, "%s", e.message), c.albUndo(group)
		case jobEndless:
			job.end = c.now.AddDate(1000, 0, 0)
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
		c.albRemember(out)
		return out, nil
	}
}

// albUndo returns what makes a group again what it is now, but for what does
// not wait for its job.
func (c *Cloud) albUndo(g *albGroup) func() {
	was, known := *g, c.alb.groups[g.id] == g
	servers := make([]albServer, len(g.servers))
	for i, s := range g.servers {
		servers[i] = *s
	}
	was.in, was.servers = params(clone(object(was.in))), slices.Clone(g.servers)
	return func() {
		if !known {
			c.alb.drop(g.id)
			return
		}
		was.tags, was.loadBalancers, was.job, was.status = g.tags, g.loadBalancers, nil, available
		*g = was
		g.byKey = make(map[albKey]*albServer, len(servers))
		for i, s := range g.servers {
			*s = servers[i]
			g.byKey[s.albKey] = s
		}
	}
}

// addJob adds a new job to the list and takes out those that ended too long
// ago, if there is such a time.
func (s *albState) addJob(job *albJob, now time.Time, life time.Duration) {
	if life > 0 {
		gone := 0
		for gone < len(s.jobs) && !s.jobs[gone].listed(now, life) {
			delete(s.jobByID, s.jobs[gone].id)
			gone++
		}
		s.jobs = s.jobs[gone:]
	}
	s.jobs = append(s.jobs, job)
	s.jobByID[job.id] = job
}

// listed reports whether ListAsynJobs knows a job.
func (j *albJob) listed(now time.Time, life time.Duration) bool {
	return !j.hidden && (life == 0 || now.Before(j.end.Add(life)))
}

// albNamed returns the keys of the listed servers, each of them once.
func albNamed(list []params) ([]albKey, *fault) {
	keys := make([]albKey, len(list))
	seen := make(map[albKey]bool, len(list))
	for i, s := range list {
		keys[i] = albServerKey(s)
		if seen[keys[i]] {
			return nil, refusef(400, "DuplicatedParam.BackendServer", "The param of BackendServer %s is duplicated.", keys[i].id)
		}
		seen[keys[i]] = true
	}
	return keys, nil
}

// albNew checks the servers of a call that are to be added.
func (c *call) albNew(g *albGroup, list []params, leaving int) ([]*albServer, *fault) {
	keys, f := albNamed(list)
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
			return nil, refusef(400, "MissingServerId", "ServerId is mandatory for this action.")
		case !fits:
			return nil, refusef(400, "Mismatch.ServerType", "The server type %s does not fit the group type %s.", k.kind, groupType)
		case k.kind != "Fc" && err != nil:
			return nil, refusef(400, "IllegalParam.ServerIp", "The param of ServerIp %s is illegal.", k.ip)
		case g.byKey[k] != nil:
			return nil, refusef(400, "Conflict.BackendServer", "There is already %s having the same configuration with current.", k.id)
		}
	}
	if len(g.servers)-leaving+len(keys) > albGroupLimit {
		return nil, refusef(400, "ResourceQuotaExceeded.ServersNum",
			"The quota of servers in the group is exceeded, usage %d/%d.", len(g.servers), albGroupLimit)
	}
	servers := make([]*albServer, len(list))
	for i := range list {
		servers[i] = c.newALBServer(list[i])
	}
	return servers, nil
}

// albPresent finds the servers of a call that must be in the group.
func albPresent(g *albGroup, list []params) ([]*albServer, *fault) {
	keys, f := albNamed(list)
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

func albAdd(c *call, g *albGroup) (*albGroup, albChange, *fault) {
	added, f := c.albNew(g, c.in.list("Servers"), 0)
	return g, albChange{
		kind: "Update", status: "Configuring",
		begin: func() {
			setStatus(added, "Adding")
			for _, s := range added {
				g.put(s)
			}
		},
		end: func() { setStatus(added, available) },
	}, f
}

func albRemove(c *call, g *albGroup) (*albGroup, albChange, *fault) {
	removed, f := albPresent(g, c.in.list("Servers"))
	return g, albChange{
		kind: "Update", status: "Configuring",
		begin: func() { setStatus(removed, "Removing") },
		end:   func() { g.remove(removed...) },
	}, f
}

func albReplace(c *call, g *albGroup) (*albGroup, albChange, *fault) {
	removed, f := albPresent(g, c.in.list("RemovedServers"))
	if f != nil {
		return nil, albChange{}, f
	}
	added, f := c.albNew(g, c.in.list("AddedServers"), len(removed))
	return g, albChange{
		kind: "Update", status: "Configuring",
		begin: func() {
			setStatus(removed, "Replacing")
			setStatus(added, "Replacing")
			for _, s := range added {
				g.put(s)
			}
		},
		end: func() {
			g.remove(removed...)
			setStatus(added, available)
		},
	}, f
}

func albUpdate(c *call, g *albGroup) (*albGroup, albChange, *fault) {
	list := c.in.list("Servers")
	servers, f := albPresent(g, list)
	return g, albChange{
		kind: "Update", status: "Configuring",
		begin: func() { setStatus(servers, "Configuring") },
		end: func() {
			setStatus(servers, available)
			for i, s := range servers {
				s.weight = list[i].num("Weight")
				if list[i].has("Description") {
					s.description = list[i].str("Description")
				}
			}
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
	cloud := c.Cloud
	return g, albChange{kind: "Delete", status: "Deleting", begin: func() {}, end: func() { cloud.alb.drop(g.id) }}, nil
}

func albListServers(c *call) (object, *fault) {
	groups := slices.Clone(c.alb.order)
	if id := c.in.str("ServerGroupId"); id != "" {
		g, f := c.albGroup(id)
		if f != nil {
			return nil, f
		}
		groups = []*albGroup{g}
	}
	var rows []albRow
	ids := c.in.strs("ServerIds")
	for _, g := range groups {
		c.settle(g)
		if c.alb.groups[g.id] != g || !tagged(g.tags, c.in.list("Tag")) {
			continue
		}
		for _, s := range g.servers {
			if len(ids) == 0 || slices.Contains(ids, s.id) {
				rows = append(rows, albRow{s.seq, func() object { return s.object(g.id) }})
			}
		}
	}
	return c.albPage("Servers", rows)
}

func (s *albServer) object(group string) object {
	return object{
		"ServerGroupId": group, "ServerId": s.id, "ServerIp": s.ip, "ServerType": s.kind, "Port": s.port,
		"Weight": s.weight, "Description": s.description, "RemoteIpEnabled": s.remoteIP, "Status": s.status,
	}
}

func albListGroups(c *call) (object, *fault) {
	var rows []albRow
	ids, names := c.in.strs("ServerGroupIds"), c.in.strs("ServerGroupNames")
	for _, g := range slices.Clone(c.alb.order) {
		c.settle(g)
		if c.alb.groups[g.id] != g || !tagged(g.tags, c.in.list("Tag")) ||
			len(ids) > 0 && !slices.Contains(ids, g.id) ||
			len(names) > 0 && !slices.Contains(names, g.in.str("ServerGroupName")) ||
			!same(c.in, g.in, "ResourceGroupId", "ServerGroupType", "VpcId") {
			continue
		}
		rows = append(rows, albRow{g.seq, g.object})
	}
	return c.albPage("ServerGroups", rows)
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

func albListJobs(c *call) (object, *fault) {
	var rows []albRow
	ids, resources := c.in.strs("JobIds"), c.in.strs("ResourceIds")
	jobs := c.alb.jobs
	if len(ids) > 0 {
		jobs = nil
		for _, id := range ids {
			if j := c.alb.jobByID[id]; j != nil && !slices.Contains(jobs, j) {
				jobs = append(jobs, j)
			}
		}
	}
	for _, j := range jobs {
		created := j.start.UnixMilli()
		if !j.listed(c.now, c.set.jobLife) ||
			len(resources) > 0 && !slices.Contains(resources, j.group) ||
			c.in.has("ApiName") && c.in.str("ApiName") != j.api ||
			c.in.has("ResourceType") && c.in.str("ResourceType") != "servergroup" ||
			c.in.has("BeginTime") && created < c.in.num("BeginTime") ||
			c.in.has("EndTime") && created > c.in.num("EndTime") {
			continue
		}
		rows = append(rows, albRow{j.seq, func() object { return j.object(c.now) }})
	}
	return c.albPage("Jobs", rows)
}

func (j *albJob) object(now time.Time) object {
	status, modified := "Succeeded", j.end
	if now.Before(j.end) {
		status, modified = "Processing", j.start
	}
	code, message := "", ""
	if j.failure != nil && status == "Succeeded" {
		status, code, message = "Failed", j.failure.code, j.failure.message
	}
	return object{
		"Id": j.id, "ApiName": j.api, "OperateType": j.kind, "ResourceType": "servergroup", "ResourceId": j.group,
		"Status": status, "ErrorCode": code, "ErrorMessage": message, "CreateTime": j.start.UnixMilli(), "ModifyTime": modified.UnixMilli(),
	}
}

// albRow is an entry of a list; seq is its place in the whole list, also when
// others come and go.
type albRow struct {
	seq    int64
	object func() object
}

// albPage cuts the page out of rows that NextToken and MaxResults ask for. A
// token holds for the call it came from.
func (c *call) albPage(name string, rows []albRow) (object, *fault) {
	total := len(rows)
	size := int(c.in.num("MaxResults"))
	if size == 0 {
		size = c.op.Pagination.DefaultSize
	}
	slices.SortFunc(rows, func(a, b albRow) int { return int(a.seq - b.seq) })
	if token := c.in.str("NextToken"); token != "" {
		after, ok := readPageToken(c.op.Name, token)
		if !ok {
			return nil, refusef(400, "InvalidParameter", "The specified parameter NextToken is not valid.")
		}
		rows = slices.DeleteFunc(rows, func(r albRow) bool { return r.seq <= after })
	}
	next := ""
	if len(rows) > size {
		rows = rows[:size]
		next = pageToken(c.op.Name, rows[size-1].seq)
	}
	list := make([]object, len(rows))
	for i, r := range rows {
		list[i] = r.object()
	}
	return object{name: list, "NextToken": next, "MaxResults": size, "TotalCount": total}, nil
}

func pageToken(op string, seq int64) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d", op, seq))
}

func readPageToken(op, token string) (int64, bool) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return 0, false
	}
	of, seq, _ := strings.Cut(string(b), " ")
	n, err := strconv.ParseInt(seq, 10, 64)
	return n, err == nil && of == op
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
