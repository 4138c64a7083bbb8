package fakecloud

import "time"

// MasterSlaveServerGroup is a primary/secondary group of classic SLB to start
// with.
type MasterSlaveServerGroup struct {
	// ID and Name default to generated ones.
	ID   string
	Name string
	// LoadBalancerID is the load balancer it belongs to. One that does not
	// exist is made; a generated one when empty.
	LoadBalancerID string
	// Tags are the group's tags.
	Tags map[string]string
	// Master and Slave are its servers.
	Master, Slave BackendServer
}

// AddMasterSlaveServerGroup puts a primary/secondary group into the Cloud and
// returns its ID. A group of the same ID is replaced.
func (c *account) AddMasterSlaveServerGroup(g MasterSlaveServerGroup) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flowNow()
	group := c.newSLBMaster(g.ID, c.ensureBalancer(g.LoadBalancerID), time.Now(), g.Name)
	for _, k := range sortedKeys(g.Tags) {
		group.tags = append(group.tags, object{"TagKey": k, "TagValue": g.Tags[k]})
	}
	group.servers = slbSeeded([]BackendServer{g.Master, g.Slave})
	group.servers[0].role, group.servers[1].role = "Master", "Slave"
	return group.id
}

func (c *account) newSLBMaster(id string, lb *slbBalancer, now time.Time, name string) *slbGroup {
	g := &slbGroup{id: either(id, c.ids.alibaba("rsp-")), created: now, balancer: lb}
	g.name = either(name, g.id)
	if old := c.slb.masters[g.id]; old != nil {
		old.handOver(g)
	}
	c.slb.masters[g.id] = g
	lb.masters = append(lb.masters, g)
	return g
}

// slbMasterProblem words what is wrong with the servers of a new
// primary/secondary group; nil leaves it to the words for all operations.
func slbMasterProblem(p problem) *fault {
	switch {
	case p.kind == tooMany || p.kind == tooFew:
		return slbNotTwo()
	case p.kind == missing && p.name == "ServerId":
		return refusef(400, "BACKEND_SERVER_ID_CAN_NOT_EMPTY", "The ServerId of %s can not be empty.", p.field)
	case p.kind == missing && p.name == "Port":
		return refusef(400, "BACKEND_SERVER_PORT_CAN_NOT_EMPTY", "The Port of %s can not be empty.", p.field)
	case p.name == "ServerType" && p.kind != unknownName:
		return refusef(400, "INVALID_SERVER_TYPE", "The specified %s %s.", p.field, p.detail)
	}
	return nil
}

func slbNotTwo() *fault {
	return refusef(400, "BACKEND_SERVERS_NUM_MUST_BE_TWO", "The number of backend servers must be two.")
}

func slbCreateMaster(c *call) (object, *fault) {
	lb, f := c.slbLoadBalancer()
	if f != nil {
		return nil, f
	}
	list := c.in.list("MasterSlaveBackendServers")
	switch {
	case len(list) != 2:
		return nil, slbNotTwo()
	case list[0].str("ServerId") == list[1].str("ServerId") && list[0].num("Port") == list[1].num("Port"):
		return nil, refusef(400, "BACKEND_SERVERS_HAVE_SAME_PORT_AND_SERVERID", "The backend servers have the same port and ServerId.")
	case list[0].str("ServerType") == list[1].str("ServerType"):
		return nil, refusef(400, "BACKEND_SERVERS_CAN_ONLY_CONTAIN_ONE_MASTER_AND_ONE_SLAVE",
			"The backend servers can only contain one master and one slave.")
	}
	if f := c.slbLock(lb, nil); f != nil {
		return nil, f
	}
	servers := c.slbServers("MasterSlaveBackendServers")
	if f := c.slbRoom(lb, servers); f != nil {
		return nil, f
	}
	g := c.newSLBMaster("", lb, c.now, c.in.str("MasterSlaveServerGroupName"))
	g.servers, g.tags = servers, c.slbTags()
	c.slbBusy(lb, nil)
	return g.masterObject(), nil
}

// slbMaster finds a primary/secondary group. The code for one that does not
// exist has status 400 when it is to be deleted.
func (c *call) slbMaster(status int) (*slbGroup, *fault) {
	if f := c.slbRegion(); f != nil {
		return nil, f
	}
	if g := c.slb.masters[c.in.str("MasterSlaveServerGroupId")]; g != nil {
		return g, nil
	}
	return nil, refusef(status, "InvalidParameter", "The specified MasterSlaveServerGroupId does not exist.")
}

func slbDeleteMaster(c *call) (object, *fault) {
	g, f := c.slbMaster(400)
	if f != nil {
		return nil, f
	}
	if f := c.slbLock(g.balancer, nil); f != nil {
		return nil, f
	}
	if f := g.unused(); f != nil {
		return nil, f
	}
	g.drop()
	delete(c.slb.masters, g.id)
	c.slbBusy(g.balancer, nil)
	return nil, nil
}

func slbDescribeMasters(c *call) (object, *fault) {
	lb, f := c.slbLoadBalancer()
	if f != nil {
		return nil, f
	}
	groups := []object{}
	for _, g := range lb.masters {
		if slbTagged(g.tags, c.in.list("Tag")) && c.slbDescribed(g) {
			o := g.masterObject()
			o["AssociatedObjects"] = g.users(c.in.flag("IncludeListener"), false)
			groups = append(groups, o)
		}
	}
	return object{"MasterSlaveServerGroups": object{"MasterSlaveServerGroup": groups}}, nil
}

func slbDescribeMaster(c *call) (object, *fault) {
	g, f := c.slbMaster(404)
	if f != nil {
		return nil, f
	}
	return g.masterObject(), nil
}

func (g *slbGroup) masterObject() object {
	o := g.object()
	servers := slbList(o)
	for i, s := range servers {
		s["ServerType"] = g.servers[i].role
	}
	return object{
		"MasterSlaveServerGroupId": g.id, "MasterSlaveServerGroupName": g.name, "LoadBalancerId": g.balancer.id,
		"CreateTime": g.created.UTC().Format(time.RFC3339), "Tags": o["Tags"],
		"MasterSlaveBackendServers": object{"MasterSlaveBackendServer": servers},
	}
}
