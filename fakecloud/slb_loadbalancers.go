package fakecloud

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// ClassicLoadBalancer is a classic SLB load balancer to start with.
type ClassicLoadBalancer struct {
	// ID and Name default to generated ones.
	ID   string
	Name string
	// Address defaults to one derived from ID, AddressType to "intranet".
	Address     string
	AddressType string
	// Status is "active" (the default), "inactive" or "locked".
	Status string
	// VPCID and VSwitchID default to empty: the classic network.
	VPCID, VSwitchID string
	// MasterZoneID and SlaveZoneID default to the region's first two zones.
	MasterZoneID, SlaveZoneID string
	ResourceGroupID           string
	// Tags are the load balancer's tags.
	Tags map[string]string
	// Servers are in its default group; their ports do not count.
	Servers []BackendServer
	// Listeners have one port each.
	Listeners []ClassicListener
	// More are further fields of the load balancer, or other values of them, in
	// the wire names of DescribeLoadBalancers and DescribeLoadBalancerAttribute:
	// "LoadBalancerSpec", "Bandwidth".
	More map[string]any
}

// ClassicListener is a listener of a classic SLB load balancer.
type ClassicListener struct {
	Port int
	// Protocol is "tcp" (the default), "udp", "http" or "https".
	Protocol    string
	Description string
	// BackendPort is the port of the servers in the default group; the
	// listener's own by default.
	BackendPort int
	// GroupID is the vServer group or the primary/secondary group that the
	// listener uses; empty means the default group. A vServer group that does
	// not exist is made.
	GroupID string
	// NoHealthCheck turns the health check off.
	NoHealthCheck bool
	// Rules send some of the requests to other groups.
	Rules []ClassicRule
	// ForwardPort is that of the HTTPS listener to which an HTTP listener
	// redirects all requests; 0 means that it does not.
	ForwardPort int
}

// ClassicRule is a forwarding rule of a ClassicListener.
type ClassicRule struct {
	// ID and Name default to generated ones.
	ID, Name, Domain, URL string
	// VServerGroupID gets the requests. One that does not exist is made.
	VServerGroupID string
}

// WithLoadBalancerPageSize sets how many load balancers a page of classic SLB
// has when a call does not say: 50 by default.
func WithLoadBalancerPageSize(n int) Option { return func(s *settings) { s.slbPage = n } }

// AddLoadBalancer puts a classic SLB load balancer into the Cloud and returns
// its ID, a generated one when id is empty. AddClassicLoadBalancer can say more
// about it.
func (c *account) AddLoadBalancer(id string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ensureBalancer(id).id
}

// AddClassicLoadBalancer puts a classic SLB load balancer into the Cloud and
// returns its ID. One of the same ID is changed into it, but keeps its groups.
func (c *account) AddClassicLoadBalancer(b ClassicLoadBalancer) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flowNow()
	lb := c.ensureBalancer(b.ID)
	lb.about = b
	lb.about.More = normalMap(b.More)
	lb.group.servers = slbSeeded(b.Servers)
	for _, s := range lb.group.servers {
		if c.set.assumes(SLBDefaultGroupPortless) {
			s.port = 0
		}
	}
	group := func(id string) *slbGroup {
		switch {
		case id == "":
			return lb.group
		case c.slb.masters[id] != nil:
			return c.slb.masters[id]
		case c.slb.groups[id] == nil:
			c.slb.groups[id] = c.newSLBGroup(id, lb, time.Now(), "")
		}
		return c.slb.groups[id]
	}
	lb.listeners = nil
	for _, l := range b.Listeners {
		listener := &slbListener{
			port: int64(l.Port), backendPort: int64(cmp.Or(l.BackendPort, l.Port)), protocol: either(l.Protocol, "tcp"),
			description: l.Description, checked: !l.NoHealthCheck, group: group(l.GroupID), forward: int64(l.ForwardPort),
		}
		for _, r := range l.Rules {
			id := either(r.ID, c.ids.alibaba("rule-"))
			listener.rules = append(listener.rules, &slbRule{id, either(r.Name, id), r.Domain, r.URL, group(r.VServerGroupID)})
		}
		lb.listeners = append(lb.listeners, listener)
	}
	return lb.id
}

type slbListener struct {
	port, backendPort     int64
	protocol, description string
	checked               bool
	forward               int64
	group                 *slbGroup
	rules                 []*slbRule
}

type slbRule struct {
	id, name, domain, url string
	group                 *slbGroup
}

// swap lets a listener use another group.
func (l *slbListener) swap(from, to *slbGroup) {
	if l.group == from {
		l.group = to
	}
	for _, r := range l.rules {
		if r.group == from {
			r.group = to
		}
	}
}

// object is what both reads say about a load balancer.
func (lb *slbBalancer) object(region string) object {
	tags := []object{}
	for _, k := range sortedKeys(lb.about.Tags) {
		tags = append(tags, object{"TagKey": k, "TagValue": lb.about.Tags[k]})
	}
	network := "classic"
	if lb.about.VPCID != "" {
		network = "vpc"
	}
	return object(merged(params{
		"LoadBalancerId": lb.id, "LoadBalancerName": either(lb.about.Name, lb.id),
		"LoadBalancerStatus": either(lb.about.Status, "active"), "LoadBalancerSpec": "slb.s1.small",
		"Address": either(lb.about.Address, privateIP(lb.id)), "AddressIPVersion": "ipv4",
		"AddressType": either(lb.about.AddressType, "intranet"), "NetworkType": network,
		"VpcId": lb.about.VPCID, "VSwitchId": lb.about.VSwitchID,
		"MasterZoneId":    either(lb.about.MasterZoneID, zones(region)[0]),
		"SlaveZoneId":     either(lb.about.SlaveZoneID, zones(region)[1]),
		"ResourceGroupId": either(lb.about.ResourceGroupID, "rg-default"),
		"RegionId":        region, "RegionIdAlias": region,
		"Bandwidth": -1, "PayType": "PayOnDemand", "InstanceChargeType": "PayBySpec", "InternetChargeType": "paybytraffic",
		"CreateTime": lb.created.UTC().Format(time.RFC3339), "CreateTimeStamp": lb.created.UnixMilli(),
		"DeleteProtection": "off", "ModificationProtectionStatus": "NonProtection", "ModificationProtectionReason": "",
		"Tags": object{"Tag": tags},
	}, lb.about.More))
}

// has reports whether a load balancer has a server, by its ID or its address;
// an empty one is no question.
func (lb *slbBalancer) has(id, ip string) bool {
	if id == "" && ip == "" {
		return true
	}
	return slices.ContainsFunc(lb.all(), func(g *slbGroup) bool {
		return slices.ContainsFunc(g.servers, func(s *slbServer) bool {
			return (id == "" || s.id == id) && (ip == "" || s.ip == ip)
		})
	})
}

var chargeCodes = map[string]string{"paybybandwidth": "3", "paybytraffic": "4"}

// slbDescribeBalancers lists load balancers by page number. One page has 50 of
// them unless the call says otherwise.
func slbDescribeBalancers(c *call) (object, *fault) {
	if f := c.slbRegion(); f != nil {
		return nil, f
	}
	number, size := int64(1), int64(cmp.Or(c.set.slbPage, c.op.Pagination.DefaultSize))
	if c.in.has("PageNumber") {
		number = c.in.num("PageNumber")
	}
	if c.in.has("PageSize") {
		size = c.in.num("PageSize")
	}
	if number < 1 {
		return nil, refusef(400, "InvalidParameter", "The specified parameter PageNumber is %d, out of its range.", number)
	}
	wanted := c.in.list("Tag")
	for _, t := range c.in.list("Tags") { // the older form
		wanted = append(wanted, params{"Key": t["tagKey"], "Value": t["tagValue"]})
	}
	rows := c.slb.order
	if c.filtered("RegionId") {
		rows = pick(c, rows, func(lb *slbBalancer) bool {
			o := lb.row(c.set.region)
			tags, _ := params(o).object("Tags")["Tag"].([]object)
			charge := c.in.str("InternetChargeType") // the number in the list, or the name
			return (charge == "" || charge == o["InternetChargeType"] || charge == o["InternetChargeTypeAlias"]) &&
				same(c.in, params(o), "Address", "AddressIPVersion", "AddressType", "LoadBalancerStatus",
					"MasterZoneId", "NetworkType", "PayType", "ResourceGroupId", "SlaveZoneId", "VSwitchId", "VpcId") &&
				listed(c.in.str("LoadBalancerId"), lb.id) && listed(c.in.str("LoadBalancerName"), params(o).str("LoadBalancerName")) &&
				lb.has(c.in.str("ServerId"), c.in.str("ServerIntranetAddress")) && slbTagged(tags, wanted)
		})
	}
	total := int64(len(rows))
	first := min((number-1)*size, total)
	page := []object{}
	for _, lb := range rows[first:min(first+size, total)] {
		page = append(page, lb.row(c.set.region))
	}
	c.visited += len(page)
	return object{
		"LoadBalancers": object{"LoadBalancer": page},
		"PageNumber":    number, "PageSize": size, "TotalCount": total,
	}, nil
}

// row is the load balancer in a list, which has a number where the attributes
// have the name.
func (lb *slbBalancer) row(region string) object {
	o := lb.object(region)
	charge := params(o).str("InternetChargeType")
	o["InternetChargeType"], o["InternetChargeTypeAlias"] = chargeCodes[charge], charge
	return o
}

// listed reports whether a text with commas names a value; an empty one names
// all.
func listed(names, value string) bool {
	return names == "" || slices.Contains(strings.Split(names, ","), value)
}

func slbDescribeBalancer(c *call) (object, *fault) {
	lb, f := c.slbLoadBalancer()
	if f != nil {
		return nil, f
	}
	o := lb.object(c.set.region)
	o["BackendServers"] = lb.group.object()["BackendServers"]
	if !params(o).has("EndTime") {
		o["EndTime"], o["EndTimeStamp"] = "2999-09-08T16:00:00Z", int64(32493801600000) // never
	}
	ports, misspelt, protocols := []any{}, []object{}, []object{}
	for _, l := range lb.listeners {
		ports = append(ports, l.port)
		misspelt = append(misspelt, object{"ListenerPort": l.port, "ListenerProtocal": l.protocol})
		o := object{"ListenerPort": l.port, "ListenerProtocol": l.protocol, "Description": l.description}
		if l.forward != 0 {
			o["ListenerForward"], o["ForwardPort"] = "on", l.forward
		}
		protocols = append(protocols, o)
	}
	o["ListenerPorts"] = object{"ListenerPort": ports}
	o["ListenerPortsAndProtocal"] = object{"ListenerPortAndProtocal": misspelt}
	o["ListenerPortsAndProtocol"] = object{"ListenerPortAndProtocol": protocols}
	return o, nil
}

func slbDescribeRegions(c *call) (object, *fault) {
	return object{"Regions": object{"Region": c.regions("slb", c.in.str("AcceptLanguage"))}}, nil
}
