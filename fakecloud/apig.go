package fakecloud

import (
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"
)

// VPCChannel is a VPC channel of APIG or ROMA Connect to start with. The same
// channel answers under /apic/ and /apigw/.
type VPCChannel struct {
	// ID and Name default to generated ones.
	ID   string
	Name string
	// InstanceID is the gateway it belongs to. One that does not exist is made;
	// a generated one when empty.
	InstanceID string
	// Port is the members' port where they have none of their own: 80 by
	// default.
	Port int
	// MemberType is "ip" (the default) or "ecs".
	MemberType string
	// HealthCheck makes the health of members known.
	HealthCheck bool
	// Groups are the names of the member groups.
	Groups []string
	// GroupSettings are settings of member groups, by name, in the wire names of
	// CreateMemberGroup and ListMemberGroups: "member_group_weight",
	// "member_group_id".
	GroupSettings map[string]map[string]any `json:",omitempty"`
	// Members are in it.
	Members []ChannelMember
	// More are further settings, or other values of them, in the wire names of
	// CreateVpcChannelV2: "balance_strategy",
	// "vpc_health_config".
	More map[string]any `json:",omitempty"`
}

// ChannelMember is a member of a VPC channel.
type ChannelMember struct {
	// ID defaults to a generated one.
	ID string
	// Host is the address in a channel of type ip, ECSID and ECSName are the
	// instance in one of type ecs.
	Host    string
	ECSID   string
	ECSName string
	Port    int
	// Weight is 1 when nil.
	Weight *int
	// Group is the name of its member group, if any. A group that the channel
	// does not have yet is made.
	Group string
	// Disabled members get no traffic (status 2).
	Disabled bool
	// Backup members get traffic when no other is well.
	Backup bool `json:",omitempty"`
}

// AddInstance puts an APIG or ROMA Connect instance into the Cloud and returns
// its ID, a generated one when id is empty.
func (c *account) AddInstance(id string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ensureInstance(id).id
}

// AddVPCChannel puts a VPC channel into the Cloud and returns its ID. A channel
// of the same ID is replaced.
func (c *account) AddVPCChannel(v VPCChannel) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flowNow()
	now := time.Now()
	port := int64(80)
	if v.Port != 0 {
		port = int64(v.Port)
	}
	instance := c.ensureInstance(v.InstanceID)
	ch := c.newAPIGChannel(instance, v.ID, now, seededMore("apig", "CreateVpcChannelV2", "", params{
		"name": either(v.Name, "channel_"+c.ids.hex(6)), "port": port, "member_type": either(v.MemberType, "ip"),
	}, v.More))
	if check := normalMap(v.More).object("vpc_health_config"); v.HealthCheck || len(check) > 0 {
		config := apigCheckDefaults()
		maps.Copy(config, check)
		delete(ch.in, "vpc_health_config")
		c.setAPIGHealth(ch, now, config)
		ch.checked = now.Add(-c.set.initial)
	}
	group := func(name string) {
		in := params{"member_group_name": name}
		maps.Copy(in, normalMap(v.GroupSettings[name]))
		id := in.str("member_group_id")
		delete(in, "member_group_id")
		g := c.addAPIGGroup(ch, now, in)
		g.id = either(id, g.id)
	}
	for _, name := range v.Groups {
		group(name)
	}
	for _, m := range v.Members {
		if m.Group != "" && ch.group(m.Group) == nil {
			group(m.Group)
		}
		status := int64(apigEnabled)
		if m.Disabled {
			status = apigDisabled
		}
		member := c.newAPIGMember(ch, now.Add(-c.set.initial), params{
			"host": m.Host, "ecs_id": m.ECSID, "ecs_name": m.ECSName, "port": int64(m.Port),
			"weight": weight(m.Weight, 1), "member_group_name": m.Group, "status": status, "is_backup": m.Backup,
		})
		member.id = either(m.ID, member.id)
		ch.members = append(ch.members, member)
	}
	return ch.id
}

// apigCheckDefaults is the health check of a channel that says no more than that
// it has one.
func apigCheckDefaults() params {
	return params{
		"protocol": "TCP", "threshold_normal": int64(2), "threshold_abnormal": int64(5), "time_interval": int64(10),
		"timeout": int64(5), "status": int64(apigCheckOn),
	}
}

const (
	apigEnabled  = 1
	apigDisabled = 2

	apigServerChannel = 2 // type: servers, not microservices
)

type apigState struct {
	instances map[string]*apigInstance
	order     []*apigInstance // by creation
}

func (s *apigState) init() { s.instances = make(map[string]*apigInstance) }

type apigInstance struct {
	id       string
	channels []*apigChannel // by creation
	byID     map[string]*apigChannel
}

func (i *apigInstance) put(ch *apigChannel) {
	i.drop(ch.id)
	i.channels, i.byID[ch.id] = append(i.channels, ch), ch
}

func (i *apigInstance) drop(id string) {
	if old := i.byID[id]; old != nil {
		i.channels = slices.DeleteFunc(i.channels, func(ch *apigChannel) bool { return ch == old })
		delete(i.byID, id)
	}
}

type apigChannel struct {
	instance *apigInstance
	id       string
	in       params // what it was created with
	created  time.Time
	groups   []*apigGroup
	members  []*apigMember // in the order they were added
	busy     time.Time     // until when another write is a conflict
	checked  time.Time     // since when its health check is on
}

type apigGroup struct {
	id               string
	in               params
	created, updated time.Time
}

// apigKey is what an upsert finds a member by.
type apigKey struct {
	group, host, ecs string
	port             int64
}

type apigMember struct {
	apigKey
	id      string
	ecsName string
	weight  int64
	backup  bool
	status  int64
	created time.Time
	groupID string
}

func (c *account) ensureInstance(id string) *apigInstance {
	id = either(id, c.ids.hex(32))
	i := c.apig.instances[id]
	if i == nil {
		i = &apigInstance{id: id, byID: make(map[string]*apigChannel)}
		c.apig.instances[id] = i
		c.apig.order = append(c.apig.order, i)
	}
	return i
}

func (i *apigInstance) channel(id string) *apigChannel { return i.byID[id] }

func (c *account) newAPIGChannel(i *apigInstance, id string, now time.Time, in params) *apigChannel {
	ch := &apigChannel{instance: i, id: either(id, c.ids.hex(32)), in: in, created: now}
	i.put(ch)
	return ch
}

func (c *account) addAPIGGroup(ch *apigChannel, now time.Time, in params) *apigGroup {
	g := &apigGroup{c.ids.hex(32), in, now, now}
	ch.groups = append(ch.groups, g)
	return g
}

func (ch *apigChannel) group(name string) *apigGroup {
	for _, g := range ch.groups {
		if g.in.str("member_group_name") == name {
			return g
		}
	}
	return nil
}

func (ch *apigChannel) find(k apigKey) *apigMember {
	for _, m := range ch.members {
		if m.apigKey == k {
			return m
		}
	}
	return nil
}

// key names the member that an entry of a request means.
func (ch *apigChannel) key(in params) apigKey {
	k := apigKey{in.str("member_group_name"), in.str("host"), in.str("ecs_id"), in.num("port")}
	if k.ecs != "" {
		k.host = ""
	}
	if k.port == 0 {
		k.port = ch.in.num("port")
	}
	return k
}

func (c *account) newAPIGMember(ch *apigChannel, now time.Time, in params) *apigMember {
	m := &apigMember{apigKey: ch.key(in), id: c.ids.hex(32), created: now, weight: 1}
	m.update(&c.set, ch, in)
	return m
}

// update gives a member what a request says about it; what it leaves out goes
// back to its default.
func (m *apigMember) update(s *settings, ch *apigChannel, in params) {
	m.ecsName, m.backup = in.str("ecs_name"), in.flag("is_backup")
	m.status = apigEnabled
	if s.assumes(APIGWeightDefault) {
		m.weight = 1
	}
	if in.has("weight") {
		m.weight = in.num("weight")
	}
	if in.has("status") {
		m.status = in.num("status")
	}
	if g := ch.group(m.group); g != nil {
		m.groupID = g.id
	}
}

func (m *apigMember) object(c *call, ch *apigChannel) object {
	out := object{
		"id": m.id, "vpc_channel_id": ch.id, "host": m.host, "port": m.port, "weight": m.weight,
		"is_backup": m.backup, "status": m.status, "create_time": m.created.UTC().Format(time.RFC3339),
		"health_status": m.health(c, ch),
	}
	if m.ecs != "" {
		out["ecs_id"], out["ecs_name"] = m.ecs, m.ecsName
	}
	if m.groupID != "" {
		out["member_group_name"], out["member_group_id"] = m.group, m.groupID
	}
	return out
}

func (g *apigGroup) object() object {
	out := clone(object(g.in))
	out["member_group_id"] = g.id
	out["create_time"], out["update_time"] = stamp(g.created), stamp(g.updated)
	return out
}

func (ch *apigChannel) object(c *call) object {
	out := clone(object(ch.in))
	groups := make([]object, len(ch.groups))
	for i, g := range ch.groups {
		groups[i] = g.object()
	}
	members := make([]object, len(ch.members))
	for i, m := range ch.members {
		members[i] = m.object(c, ch)
	}
	out["id"], out["status"], out["create_time"] = ch.id, 1, ch.created.UTC().Format(time.RFC3339)
	out["member_groups"], out["members"] = groups, members
	return out
}

func apigService() *service {
	return &service{
		name:   "apig",
		vendor: huawei,
		handlers: map[string]handler{
			"AddingBackendInstancesV2": apigWrite(apigAddMembers),
			"ListBackendInstancesV2":   apigListMembers,
			"UpdateBackendInstancesV2": apigWrite(apigReplaceMembers),
			"DeleteBackendInstanceV2":  apigWrite(apigDeleteMember),
			"BatchEnableMembers":       apigWrite(apigSwitch(apigEnabled)),
			"BatchDisableMembers":      apigWrite(apigSwitch(apigDisabled)),

			"CreateVpcChannelV2":        apigCreateChannel,
			"ListVpcChannelsV2":         apigListChannels,
			"ShowDetailsOfVpcChannelV2": apigShowChannel,
			"UpdateVpcChannelV2":        apigWrite(apigUpdateChannel),
			"DeleteVpcChannelV2":        apigWrite(apigDeleteChannel),
			"UpdateHealthCheck":         apigWrite(apigUpdateHealth),

			"CreateMemberGroup":        apigWrite(apigCreateGroups),
			"ListMemberGroups":         apigListGroups,
			"ShowDetailsOfMemberGroup": apigShowGroup,
			"UpdateMemberGroup":        apigWrite(apigUpdateGroup),
			"DeleteMemberGroup":        apigWrite(apigDeleteGroup),

			"CreateProjectVpcChannel":      apigCreateInProject,
			"CreateProjectVpcChannelSyncs": apigSyncInProject,
			"ListProjectVpcChannelsV2":     apigListProject,
			"UpdateProjectVpcChannel":      apigUpdateInProject,
		},
		clamped: map[string]bool{"limit": true, "offset": true},
		refuse: func(_ *settings, p problem) *fault {
			code := map[problemKind]string{
				missing: "APIG.2001", outOfRange: "APIG.2004", tooShort: "APIG.2005", tooLong: "APIG.2006",
			}[p.kind]
			return refusef(400, either(code, "APIG.2012"), "Invalid parameter value,parameterName:%s. Please refer to the support documentation. It %s.", p.field, p.detail)
		},
		noProject: fault{403, "APIG.1005", "No permissions to request this method: the project in the URL is not the project of the request."},
		noToken:   fault{401, "APIG.1002", "Incorrect token or token resolution failed"},
	}
}

func (c *call) apigInstance() (*apigInstance, *fault) {
	if i := c.apig.instances[c.in.str("instance_id")]; i != nil {
		return i, nil
	}
	return nil, refusef(404, "APIG.3030", "The instance does not exist;id:%s", c.in.str("instance_id"))
}

func (c *call) apigChannel() (*apigChannel, *fault) {
	i, f := c.apigInstance()
	if f != nil {
		return nil, f
	}
	if ch := i.channel(c.in.str("vpc_channel_id")); ch != nil {
		return ch, nil
	}
	return nil, refusef(404, "APIG.3023", "The VPC channel does not exist;id:%s", c.in.str("vpc_channel_id"))
}

// apigMembers checks the members of a request against their channel and drops
// entries for one that came before.
func apigMembers(ch *apigChannel, list []params) ([]params, *fault) {
	byECS := ch.in.str("member_type") == "ecs"
	var out []params
	seen := make(map[apigKey]bool)
	for _, in := range list {
		_, err := netip.ParseAddr(in.str("host"))
		group := in.str("member_group_name")
		switch {
		case in.has("weight") && ch.in.num("type") != apigServerChannel:
			return nil, refusef(403, "APIG.3471", "The operation is not allowed on a channel of this type")
		case byECS && (in.str("ecs_id") == "" || in.str("ecs_name") == ""):
			return nil, refusef(400, "APIG.2001", "The parameters ecs_id and ecs_name are missing")
		case !byECS && in.str("host") == "":
			return nil, refusef(400, "APIG.2001", "The parameter host is missing")
		case !byECS && err != nil:
			return nil, refusef(400, "APIG.2015", "Invalid IP address:%s", in.str("host"))
		case group != "" && ch.group(group) == nil:
			return nil, refusef(400, "APIG.2012", "Invalid parameter value,parameterName:member_group_name. The group %s does not exist", group)
		}
		if k := ch.key(in); !seen[k] {
			seen[k] = true
			out = append(out, in)
		}
	}
	return out, nil
}

// put adds a member, or changes the one that is there.
func (ch *apigChannel) put(c *call, in params) *apigMember {
	m := ch.find(ch.key(in))
	if m == nil {
		m = c.newAPIGMember(ch, c.now, in)
		ch.members = append(ch.members, m)
		return m
	}
	m.update(&c.set, ch, in)
	return m
}

// apigPut puts members and makes the answer of the call.
func (c *call) apigPut(ch *apigChannel, list []params) object {
	named := make([]*apigMember, len(list))
	for i, in := range list {
		named[i] = ch.put(c, in)
	}
	if !c.set.assumes(APIGAnswersNamed) {
		named = ch.members
	}
	members := make([]object, len(named))
	for i, m := range named {
		members[i] = m.object(c, ch)
	}
	return object{"size": len(members), "total": len(members), "members": members}
}

func apigAddMembers(c *call) (object, *fault) {
	ch, f := c.apigChannel()
	if f != nil {
		return nil, f
	}
	list, f := apigMembers(ch, c.in.list("members"))
	if f != nil {
		return nil, f
	}
	fresh := 0
	for _, in := range list {
		if ch.find(ch.key(in)) == nil {
			fresh++
		}
	}
	if f := c.apigFull(len(ch.members), fresh); f != nil {
		return nil, f
	}
	return c.apigPut(ch, list), nil
}

// apigReplaceMembers makes the list the content of the named group, or, when
// the request names none, of the whole channel.
func apigReplaceMembers(c *call) (object, *fault) {
	ch, f := c.apigChannel()
	if f != nil {
		return nil, f
	}
	scope := c.in.str("member_group_name")
	if scope != "" && ch.group(scope) == nil {
		return nil, refusef(400, "APIG.2012", "Invalid parameter value,parameterName:member_group_name. The group %s does not exist", scope)
	}
	list := c.in.list("members")
	if scope != "" {
		list = slices.DeleteFunc(list, func(in params) bool { return in.str("member_group_name") != scope })
	}
	list, f = apigMembers(ch, list)
	if f != nil {
		return nil, f
	}
	wanted := make(map[apigKey]bool)
	for _, in := range list {
		wanted[ch.key(in)] = true
	}
	stay := slices.DeleteFunc(slices.Clone(ch.members), func(m *apigMember) bool {
		return scope == "" || m.group == scope
	})
	if f := c.apigFull(len(stay), len(list)); f != nil {
		return nil, f
	}
	ch.members = slices.DeleteFunc(ch.members, func(m *apigMember) bool {
		return (scope == "" || m.group == scope) && !(wanted[m.apigKey] && c.set.assumes(APIGReplacedKeepIDs))
	})
	return c.apigPut(ch, list), nil
}

func apigNoMember(id string) *fault {
	return refusef(404, "APIG.3024", "The cloud server does not exist;id:%s", id)
}

func apigDeleteMember(c *call) (object, *fault) {
	ch, f := c.apigChannel()
	if f != nil {
		return nil, f
	}
	at := slices.IndexFunc(ch.members, func(m *apigMember) bool { return m.id == c.in.str("member_id") })
	if at < 0 {
		return nil, apigNoMember(c.in.str("member_id"))
	}
	ch.members = slices.Delete(ch.members, at, at+1)
	return nil, nil
}

func apigSwitch(status int64) handler {
	return func(c *call) (object, *fault) {
		ch, f := c.apigChannel()
		if f != nil {
			return nil, f
		}
		var members []*apigMember
		for _, id := range c.in.strs("member_ids") {
			at := slices.IndexFunc(ch.members, func(m *apigMember) bool { return m.id == id })
			if at < 0 {
				return nil, apigNoMember(id)
			}
			members = append(members, ch.members[at])
		}
		for _, m := range members {
			m.status = status
		}
		return nil, nil
	}
}

func apigListMembers(c *call) (object, *fault) {
	ch, f := c.apigChannel()
	if f != nil {
		return nil, f
	}
	rows := ch.members
	if c.filtered("precise_search") {
		rows = pick(c, rows, func(m *apigMember) bool {
			return (c.apigLike("name", m.host) || c.apigLike("name", m.ecsName)) && c.apigLike("member_group_name", m.group) &&
				(!c.in.has("member_group_id") || c.in.str("member_group_id") == m.groupID)
		})
	}
	return apigPage(c, "members", rows, func(m *apigMember) object { return m.object(c, ch) }), nil
}

// apigLike applies a name filter: part of the name is enough unless
// precise_search lists the parameter.
func (c *call) apigLike(param, have string) bool {
	if !c.in.has(param) {
		return true
	}
	if slices.Contains(strings.Split(c.in.str("precise_search"), ","), param) {
		return have == c.in.str(param)
	}
	return strings.Contains(have, c.in.str(param))
}

func apigShowChannel(c *call) (object, *fault) {
	ch, f := c.apigChannel()
	if f != nil {
		return nil, f
	}
	return ch.object(c), nil
}

func apigListChannels(c *call) (object, *fault) {
	i, f := c.apigInstance()
	if f != nil {
		return nil, f
	}
	rows := i.channels
	if c.filtered("precise_search") {
		rows = pick(c, rows, c.apigWanted)
	}
	return apigPage(c, "vpc_channels", rows, func(ch *apigChannel) object { return ch.object(c) }), nil
}

// apigWanted applies the filters of a list of channels.
func (c *call) apigWanted(ch *apigChannel) bool {
	member := func(ok func(*apigMember) bool) bool { return slices.ContainsFunc(ch.members, ok) }
	group := func(ok func(*apigGroup) bool) bool { return slices.ContainsFunc(ch.groups, ok) }
	switch {
	case c.in.has("id") && c.in.str("id") != ch.id,
		!c.apigLike("name", ch.in.str("name")),
		c.in.has("vpc_channel_type") && c.in.str("vpc_channel_type") != ch.kind(),
		c.in.has("dict_code") && c.in.str("dict_code") != ch.in.str("dict_code"),
		c.in.has("member_host") && !member(func(m *apigMember) bool { return c.apigLike("member_host", m.host) }),
		c.in.has("member_port") && !member(func(m *apigMember) bool { return m.port == c.in.num("member_port") }),
		c.in.has("member_group_name") && !group(func(g *apigGroup) bool {
			return c.apigLike("member_group_name", g.in.str("member_group_name"))
		}),
		c.in.has("member_group_id") && !group(func(g *apigGroup) bool { return g.id == c.in.str("member_group_id") }):
		return false
	}
	return true
}
