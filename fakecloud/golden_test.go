package fakecloud_test

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/internal/specfile"
)

// golden is how to get a successful answer of an operation in the cloud of
// goldenCloud.
type golden struct {
	// send are the parameters of an Alibaba operation, or the body of a Huawei
	// one; query is appended to the latter's path.
	send  fields
	query string
	// before is called first, and says what to put into the path or the
	// parameters beside goldenIDs.
	before func(*testing.T, *client) fields
}

// goldenIDs fill the paths of Huawei operations.
var goldenIDs = map[string]string{
	"pool_id": "pool-1", "member_id": "m-1", "loadbalancer_id": "elb-1", "healthmonitor_id": "hm-1", "job_id": "job-1",
	"instance_id": "gw-1", "vpc_channel_id": "vc-1",
}

func goldenCloud() *fakecloud.Cloud {
	cloud := fakecloud.New()
	tags := map[string]string{"env": "prod"}
	servers := []fakecloud.BackendServer{
		{ID: "i-1", Port: 80, Description: "the first one"}, {ID: "i-2", Port: 80, Description: "the second one"},
	}
	cloud.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-1", Name: "web", Tags: tags, Servers: servers, LoadBalancerIDs: []string{"alb-1"}})
	cloud.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-2"})
	cloud.AddListener(fakecloud.Listener{
		ID: "lsn-1", LoadBalancerID: "alb-1", ServerGroupIDs: []string{"sgp-1"}, Description: "the one", Tags: tags,
		Rules: []fakecloud.ListenerRule{{ServerGroupIDs: []string{"sgp-1"}}},
	})
	cloud.AddHealthCheckTemplate(fakecloud.HealthCheckTemplate{ID: "hct-1", Tags: tags})
	cloud.SetHealth("i-2", false)
	cloud.AddVServerGroup(fakecloud.VServerGroup{ID: "rsp-1", Name: "web", LoadBalancerID: "lb-1", Tags: tags, Servers: servers})
	cloud.AddClassicLoadBalancer(fakecloud.ClassicLoadBalancer{
		ID: "lb-1", Name: "web", VPCID: "vpc-1", VSwitchID: "vsw-1", ResourceGroupID: "rg-1", Tags: tags, Servers: servers,
		Listeners: []fakecloud.ClassicListener{
			{Port: 443, Protocol: "http", Description: "default group"},
			{Port: 80, Protocol: "http", GroupID: "rsp-1", Description: "group", Rules: []fakecloud.ClassicRule{
				{Name: "rule", Domain: "example.com", URL: "/", VServerGroupID: "rsp-1"},
			}},
		},
	})
	cloud.AddClassicLoadBalancer(fakecloud.ClassicLoadBalancer{ID: "lb-2"})
	cloud.AddVServerGroup(fakecloud.VServerGroup{ID: "rsp-2", LoadBalancerID: "lb-2"})
	cloud.AddPool(fakecloud.Pool{
		ID: "pool-1", LoadBalancerID: "elb-1", ListenerID: "lis-1", HealthMonitorID: "hm-1",
		Members: []fakecloud.PoolMember{{ID: "m-1", Address: "10.0.0.1", Port: 80, SubnetCIDRID: "subnet-1"}, {ID: "m-2", Address: "10.0.0.2", Port: 80}},
	})
	cloud.AddPool(fakecloud.Pool{ID: "pool-2", LoadBalancerID: "elb-1"})
	cloud.AddLoadBalancerJob(fakecloud.LoadBalancerJob{ID: "job-1", ResourceID: "elb-1"})
	cloud.AddVPCChannel(fakecloud.VPCChannel{
		ID: "vc-1", Name: "web_1", InstanceID: "gw-1", HealthCheck: true, Groups: []string{"blue", "green"},
		Members: []fakecloud.ChannelMember{{ID: "m-1", Host: "10.0.0.1", Group: "blue"}, {ID: "m-2", Host: "10.0.0.2", Group: "blue"}},
	})
	cloud.AddInstance("gw-2")
	return cloud
}

func goldenCalls() map[string]golden {
	type f = fields
	lb := func(more f) golden { more["LoadBalancerId"] = "lb-1"; return golden{send: more} }
	group := func(id string, more f) golden { more["ServerGroupId"] = id; return golden{send: more} }
	vgroup := func(id string, more f) golden { more["VServerGroupId"] = id; return golden{send: more} }
	template := golden{send: f{"HealthCheckTemplateId": "hct-1"}}
	server := func(id string) []f { return []f{{"ServerId": id, "Port": 80}} }
	master := []f{{"ServerId": "i-1", "Port": 80, "ServerType": "Master"}, {"ServerId": "i-2", "Port": 80, "ServerType": "Slave"}}
	slbMaster := func(t *testing.T, c *client) f {
		r := c.slb("CreateMasterSlaveServerGroup", f{"LoadBalancerId": "lb-1", "MasterSlaveServerGroupName": "ms", "MasterSlaveBackendServers": master, "Tag.1.Key": "env", "Tag.1.Value": "prod"})
		want(t, r, 200, "")
		advance(time.Minute)
		return f{"MasterSlaveServerGroupId": r.at("MasterSlaveServerGroupId")}
	}
	pool := f{"lb_algorithm": "ROUND_ROBIN", "protocol": "HTTP", "loadbalancer_id": "elb-1", "name": "new"}
	masterSlave := f{"pool": f{
		"lb_algorithm": "ROUND_ROBIN", "protocol": "TCP", "type": "instance", "vpc_id": "vpc-1", "loadbalancer_id": "elb-1",
		"members": []f{
			{"address": "10.0.0.1", "protocol_port": 80, "role": "master"}, {"address": "10.0.0.2", "protocol_port": 80, "role": "slave"},
		},
		"healthmonitor": f{"delay": 5, "max_retries": 3, "timeout": 3, "type": "TCP"},
	}}
	elbMaster := func(t *testing.T, c *client) f {
		r := c.rest("POST", goldenPath(c, "/v3/{project_id}/elb/master-slave-pools", nil), masterSlave)
		want(t, r, 201, "")
		advance(time.Minute)
		return f{"pool_id": r.at("pool", "id")}
	}
	check := func(t *testing.T, c *client) f {
		r := c.rest("POST", goldenPath(c, "/v3/{project_id}/elb/members/m-1/health-check", nil), nil)
		want(t, r, 200, "")
		advance(time.Minute)
		return f{"job_id": r.at("member_check", "job_id")}
	}
	member := func(t *testing.T, c *client) f {
		r := c.rest("GET", goldenPath(c, "/v2/{project_id}/apic/instances/gw-1/vpc-channels/vc-1/member-groups", nil), nil)
		want(t, r, 200, "")
		return f{"member_group_id": r.at("member_groups", 1, "member_group_id")}
	}
	channel := f{"name": "new_1", "port": 80, "balance_strategy": 1, "member_type": "ip", "type": 2, "members": []f{{"host": "10.0.0.9"}}}
	project := with(channel, "instance_ids", []string{"gw-1", "gw-2"})
	projectFirst := func(t *testing.T, c *client) f {
		r := c.rest("POST", goldenPath(c, "/v2/{project_id}/apic/vpc-channels", nil), project)
		if r.status >= 300 {
			t.Fatalf("%d %v", r.status, r.body)
		}
		advance(time.Minute)
		return nil
	}
	fullGroup := f{
		"ServerGroupName": "full", "ServiceName": "test", "VpcId": "vpc-full", "ResourceGroupId": "rg-1", "Tag": []f{{"Key": "env", "Value": "prod"}},
		"HealthCheckConfig":     f{"HealthCheckEnabled": true, "HealthCheckHost": "www.example.com", "HealthCheckPath": "/test", "HealthCheckCodes": []string{"http_2xx"}},
		"ConnectionDrainConfig": f{"ConnectionDrainEnabled": true, "ConnectionDrainTimeout": 300},
		"SlowStartConfig":       f{"SlowStartEnabled": true, "SlowStartDuration": 30},
		"StickySessionConfig":   f{"StickySessionEnabled": true, "StickySessionType": "Server", "Cookie": "cookie"},
		"UchConfig":             f{"Type": "QueryString", "Value": "abc"}, "Scheduler": "Uch",
	}
	fullTemplate := func(t *testing.T, c *client) f {
		r := c.alb("CreateHealthCheckTemplate", f{
			"HealthCheckTemplateName": "full", "ResourceGroupId": "rg-1", "HealthCheckHost": "www.example.com", "HealthCheckPath": "/test",
			"HealthCheckCodes": []string{"http_2xx"}, "Tag": []f{{"Key": "env", "Value": "prod"}},
		})
		want(t, r, 200, "")
		return f{"HealthCheckTemplateId": r.at("HealthCheckTemplateId")}
	}
	return map[string]golden{
		"alb AddServersToServerGroup":           group("sgp-2", f{"Servers": []f{ecs("i-9", 80)}}),
		"alb RemoveServersFromServerGroup":      group("sgp-1", f{"Servers": []f{ecs("i-1", 80)}}),
		"alb UpdateServerGroupServersAttribute": group("sgp-1", f{"Servers": []f{ecs("i-1", 80)}}),
		"alb ReplaceServersInServerGroup":       group("sgp-1", f{"AddedServers": []f{ecs("i-9", 80)}, "RemovedServers": []f{ecs("i-1", 80)}}),
		"alb ListServerGroupServers":            group("sgp-1", f{"MaxResults": 1}),
		"alb ListServerGroups": {send: f{"MaxResults": 1, "VpcId": "vpc-full"}, before: func(t *testing.T, c *client) f {
			for range 2 {
				r := c.alb("CreateServerGroup", fullGroup)
				want(t, r, 200, "")
				advance(time.Minute)
				want(t, c.alb("AddServersToServerGroup", f{"ServerGroupId": r.at("ServerGroupId"), "Servers": []f{ecs("i-9", 80)}}), 200, "")
			}
			return nil
		}},
		"alb CreateServerGroup":          {send: f{"ServerGroupName": "new", "VpcId": "vpc-1", "HealthCheckConfig": f{"HealthCheckEnabled": true}}},
		"alb UpdateServerGroupAttribute": group("sgp-1", f{"ServerGroupName": "renamed"}),
		"alb DeleteServerGroup":          group("sgp-2", f{}),
		"alb ListAsynJobs": {send: f{"MaxResults": 1}, before: func(t *testing.T, c *client) f {
			for _, id := range []string{"sgp-1", "sgp-2"} {
				want(t, c.alb("AddServersToServerGroup", f{"ServerGroupId": id, "Servers": []f{ecs("i-9", 80)}}), 200, "")
			}
			return nil
		}},
		"alb GetListenerHealthStatus":            {send: f{"ListenerId": "lsn-1", "IncludeRule": true}},
		"alb CreateHealthCheckTemplate":          {send: f{"HealthCheckTemplateName": "new"}},
		"alb UpdateHealthCheckTemplateAttribute": template,
		"alb DeleteHealthCheckTemplates":         {send: f{"HealthCheckTemplateIds": []string{"hct-1"}}},
		"alb ListHealthCheckTemplates": {send: f{"MaxResults": 2}, before: func(t *testing.T, c *client) f {
			fullTemplate(t, c)
			fullTemplate(t, c)
			return nil
		}},
		"alb GetHealthCheckTemplateAttribute":       {before: fullTemplate},
		"alb ApplyHealthCheckTemplateToServerGroup": group("sgp-1", f{"HealthCheckTemplateId": "hct-1"}),
		"alb TagResources":                          {send: f{"ResourceType": "servergroup", "ResourceId": []string{"sgp-1"}, "Tag": []f{{"Key": "k", "Value": "v"}}}},
		"alb UnTagResources":                        {send: f{"ResourceType": "servergroup", "ResourceId": []string{"sgp-1"}, "TagKey": []string{"env"}}},
		"alb ListTagResources":                      {send: f{"ResourceType": "servergroup", "ResourceId": []string{"sgp-1"}}},
		"alb ListTagKeys":                           {send: f{"ResourceType": "servergroup"}},
		"alb ListTagValues":                         {send: f{"ResourceType": "servergroup", "TagKey": "env"}},
		"alb DescribeRegions":                       {},
		"alb DescribeZones":                         {},
		"alb ListListeners":                         {send: f{"MaxResults": 1}},

		"slb CreateVServerGroup":               lb(f{"VServerGroupName": "new", "BackendServers": server("i-9")}),
		"slb SetVServerGroupAttribute":         vgroup("rsp-1", f{"BackendServers": server("i-1")}),
		"slb DeleteVServerGroup":               vgroup("rsp-2", f{}),
		"slb DescribeVServerGroups":            lb(f{"IncludeRule": true, "IncludeListener": true}),
		"slb DescribeVServerGroupAttribute":    vgroup("rsp-1", f{}),
		"slb AddVServerGroupBackendServers":    vgroup("rsp-1", f{"BackendServers": server("i-9")}),
		"slb RemoveVServerGroupBackendServers": vgroup("rsp-1", f{"BackendServers": server("i-2")}),
		"slb ModifyVServerGroupBackendServers": vgroup("rsp-1", f{"OldBackendServers": server("i-1"), "NewBackendServers": server("i-9")}),
		"slb AddBackendServers":                lb(f{"BackendServers": []f{{"ServerId": "i-9"}}}),
		"slb SetBackendServers":                lb(f{"BackendServers": []f{{"ServerId": "i-1", "Weight": 7}}}),
		"slb RemoveBackendServers":             lb(f{"BackendServers": []f{{"ServerId": "i-2"}}}),
		"slb CreateMasterSlaveServerGroup":     lb(f{"MasterSlaveServerGroupName": "ms", "MasterSlaveBackendServers": master}),
		"slb DeleteMasterSlaveServerGroup":     {before: slbMaster},
		"slb DescribeMasterSlaveServerGroups": {send: f{"LoadBalancerId": "lb-1", "IncludeListener": true}, before: func(t *testing.T, c *client) f {
			goldenOf(c).AddClassicLoadBalancer(fakecloud.ClassicLoadBalancer{ID: "lb-1", Listeners: []fakecloud.ClassicListener{
				{Port: 90, Protocol: "tcp", GroupID: slbMaster(t, c)["MasterSlaveServerGroupId"].(string)},
			}})
			return nil
		}},
		"slb DescribeMasterSlaveServerGroupAttribute": {before: slbMaster},
		"slb DescribeHealthStatus":                    lb(f{}),
		"slb DescribeLoadBalancers":                   {},
		"slb DescribeLoadBalancerAttribute":           lb(f{}),
		"slb DescribeRegions":                         {},

		"elb CreatePool":                 {send: f{"pool": pool}},
		"elb ListPools":                  {query: "?limit=1"},
		"elb ShowPool":                   {},
		"elb UpdatePool":                 {send: f{"pool": f{"name": "renamed"}}},
		"elb DeletePool":                 {before: func(*testing.T, *client) f { return f{"pool_id": "pool-2"} }},
		"elb DeletePoolCascade":          {before: func(*testing.T, *client) f { return f{"pool_id": "pool-2"} }},
		"elb BatchDeletePools":           {send: f{"pools": []string{"pool-2"}}},
		"elb CreateMember":               {send: f{"member": f{"address": "10.0.0.9", "protocol_port": 80}}},
		"elb ListMembers":                {query: "?limit=1"},
		"elb ShowMember":                 {},
		"elb UpdateMember":               {send: f{"member": f{"weight": 0}}},
		"elb DeleteMember":               {},
		"elb BatchCreateMembers":         {send: f{"members": []f{{"address": "10.0.0.9", "protocol_port": 80}}}},
		"elb BatchDeleteMembers":         {send: f{"members": []f{{"id": "m-1"}}}},
		"elb BatchUpdateMembers":         {send: f{"members": []f{{"id": "m-1", "weight": 0}}}},
		"elb ListAllMembers":             {query: "?limit=1"},
		"elb CreateHealthMonitor":        {send: f{"healthmonitor": f{"delay": 5, "max_retries": 3, "timeout": 3, "type": "HTTP", "pool_id": "pool-2"}}},
		"elb ListHealthMonitors":         {},
		"elb ShowHealthMonitor":          {},
		"elb UpdateHealthMonitor":        {send: f{"healthmonitor": f{"delay": 9}}},
		"elb DeleteHealthMonitor":        {},
		"elb CreateMasterSlavePool":      {send: masterSlave},
		"elb ListMasterSlavePools":       {before: elbMaster},
		"elb ShowMasterSlavePool":        {before: elbMaster},
		"elb DeleteMasterSlavePool":      {before: elbMaster},
		"elb ListJobs":                   {},
		"elb ShowJob":                    {},
		"elb ShowLoadBalancerStatus":     {},
		"elb ShowQuota":                  {},
		"elb ListQuotaDetails":           {},
		"elb CreateMemberHealthCheckJob": {},
		"elb ShowMemberHealthCheckJob":   {before: check},

		"apig AddingBackendInstancesV2":     {send: f{"members": []f{{"host": "10.0.0.9"}}}},
		"apig ListBackendInstancesV2":       {query: "?limit=1"},
		"apig UpdateBackendInstancesV2":     {send: f{"members": []f{{"host": "10.0.0.9"}}}},
		"apig DeleteBackendInstanceV2":      {},
		"apig BatchEnableMembers":           {send: f{"member_ids": []string{"m-1"}}},
		"apig BatchDisableMembers":          {send: f{"member_ids": []string{"m-1"}}},
		"apig CreateVpcChannelV2":           {send: channel},
		"apig ListVpcChannelsV2":            {},
		"apig ShowDetailsOfVpcChannelV2":    {},
		"apig UpdateVpcChannelV2":           {send: channel},
		"apig DeleteVpcChannelV2":           {},
		"apig CreateMemberGroup":            {send: f{"member_groups": []f{{"member_group_name": "red"}}}},
		"apig ListMemberGroups":             {},
		"apig ShowDetailsOfMemberGroup":     {before: member},
		"apig UpdateMemberGroup":            {send: f{"member_group_name": "red"}, before: member},
		"apig DeleteMemberGroup":            {before: member},
		"apig UpdateHealthCheck":            {send: f{"protocol": "TCP", "threshold_normal": 2, "threshold_abnormal": 5, "time_interval": 10, "timeout": 5}},
		"apig CreateProjectVpcChannel":      {send: project},
		"apig CreateProjectVpcChannelSyncs": {send: f{"vpc_channel_id": "vc-1", "instance_ids": []string{"gw-2"}}},
		"apig ListProjectVpcChannelsV2":     {before: projectFirst},
		"apig UpdateProjectVpcChannel":      {send: project, before: projectFirst},
	}
}

// goldenOf is the cloud behind a client.
func goldenOf(c *client) *fakecloud.Cloud { return c.http.Transport.(*fakecloud.Cloud) }

// goldenPath fills a path of the spec.
func goldenPath(c *client, path string, ids fields) string {
	path = strings.ReplaceAll(path, "{project_id}", goldenOf(c).ProjectID())
	for name, v := range ids {
		path = strings.ReplaceAll(path, "{"+name+"}", fmt.Sprint(v))
	}
	for name, v := range goldenIDs {
		path = strings.ReplaceAll(path, "{"+name+"}", v)
	}
	return path
}

// goldenAbsent are fields of the vendors' examples that are not in the answer
// of goldenCloud, or what their paths begin with, and why.
var goldenAbsent = map[string]string{
	"alb ListServerGroups ServerGroups.ConfigManagedEnabled": noManaged,

	"alb ListListeners Listeners.LogConfig.AccessLogTracingConfig.TracingSample": noTracing,
	"alb ListListeners Listeners.LogConfig.AccessLogTracingConfig.TracingType":   noTracing,
	"alb ListListeners Listeners.QuicConfig.QuicListenerId":                      "only when QUIC upgrading is on",
	"alb ListListeners Listeners.SecurityPolicyId":                               "only of HTTPS listeners",

	"alb ListListeners Listeners.XForwardedForConfig.XForwardedFor": "settings that seeded listeners do not have",

	"slb DescribeLoadBalancerAttribute AutoReleaseTime":                                                  "only when a release is planned",
	"slb DescribeLoadBalancerAttribute ListenerPortsAndProtocol.ListenerPortAndProtocol.ForwardPort":     "only of listeners that redirect",
	"slb DescribeLoadBalancerAttribute ListenerPortsAndProtocol.ListenerPortAndProtocol.ListenerForward": "only of HTTP listeners that may redirect",
	"slb DescribeLoadBalancerAttribute RenewalCycUnit":                                                   noSubscription,
	"slb DescribeLoadBalancerAttribute RenewalDuration":                                                  noSubscription,
	"slb DescribeLoadBalancerAttribute RenewalStatus":                                                    noSubscription,
}

const (
	noManaged      = "only of groups that another product manages"
	noTracing      = "only when tracing is on"
	noSubscription = "only of load balancers that are paid by subscription"
)

// TestGolden compares what every emulated operation answers with the spec: each
// field has the documented type, and every field that the vendor's example
// response has is there. An operation that is new in the spec has no call here
// and is skipped until it is emulated.
func TestGolden(t *testing.T) {
	t.Parallel()
	calls := goldenCalls()
	seen := 0
	for _, service := range specfile.Services {
		file, err := specfile.Load(service)
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range file.Operations {
			name := service + " " + op.Name
			g, ok := calls[name]
			if ok {
				seen++
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				if !ok {
					t.Skip("not emulated yet")
				}
				synctest.Test(t, func(t *testing.T) { g.test(t, service, op) })
			})
		}
	}
	if seen != len(calls) {
		t.Errorf("%d calls, but only %d are of the spec", len(calls), seen)
	}
}

func (g golden) test(t *testing.T, service string, op *specfile.Operation) {
	t.Helper()
	cloud := goldenCloud()
	c := newClient(t, cloud.Config())
	var more fields
	if g.before != nil {
		more = g.before(t, c)
	}
	var r reply
	switch service {
	case "alb", "slb":
		send := fields{}
		maps.Copy(send, g.send)
		maps.Copy(send, more)
		if service == "alb" {
			r = c.alb(op.Name, send)
		} else {
			r = c.slb(op.Name, send)
		}
	default:
		var body any
		if g.send != nil {
			body = g.send
		}
		r = c.rest(op.Method, goldenPath(c, op.Path, more)+g.query, body)
	}
	success := op.Success
	if success == 0 {
		success = 200
	}
	want(t, r, success, "")
	if success == 204 {
		return
	}
	var problems []string
	goldenObject(&problems, op.Response, []any{r.body}, "")
	absent := make(map[string]bool)
	for key := range goldenAbsent {
		if strings.HasPrefix(key, service+" "+op.Name+" ") {
			absent[key] = false
		}
	}
	for _, p := range problems {
		expected := false
		for key := range absent {
			if strings.HasSuffix(p, goldenMissing) && strings.HasPrefix(service+" "+op.Name+" "+p, key) {
				absent[key], expected = true, true
			}
		}
		if !expected {
			t.Error(p)
		}
	}
	for key, found := range absent {
		if !found {
			t.Errorf("%s is in the answer, but listed as absent: %s", key, goldenAbsent[key])
		}
	}
}

const goldenMissing = "not in the answer, but in the vendor's example"

// goldenObject compares the objects at one place of an answer with the fields
// that they should have.
func goldenObject(problems *[]string, spec []*specfile.Field, objects []any, path string) {
	known := make([]string, len(spec))
	for i, f := range spec {
		known[i] = f.Name
		at := path + f.Name
		var values []any
		for _, o := range objects {
			// What is not required may be null instead of being left out.
			if v, ok := o.(fields)[f.Name]; ok && (v != nil || f.Required && !f.Nullable) {
				values = append(values, v)
			}
		}
		if len(values) == 0 {
			if goldenExample(f) {
				*problems = append(*problems, at+": "+goldenMissing)
			}
			continue
		}
		var inner []any
		for _, v := range values {
			if _, text := v.(string); text && goldenText(f) {
				continue
			}
			if !goldenType(f.Type, v) {
				*problems = append(*problems, fmt.Sprintf("%s: is %T (%v), must be %s", at, v, v, f.Type))
				continue
			}
			switch v := v.(type) {
			case fields:
				inner = append(inner, v)
			case []any:
				for _, e := range v {
					if !goldenType(f.ItemType, e) {
						*problems = append(*problems, fmt.Sprintf("%s[]: is %T (%v), must be %s", at, e, e, f.ItemType))
					} else if o, ok := e.(fields); ok {
						inner = append(inner, o)
					}
				}
				if len(v) == 0 && goldenExample(f) && len(values) == 1 {
					*problems = append(*problems, at+": is empty, but not in the vendor's example")
				}
			}
		}
		if len(inner) > 0 && len(f.Fields) > 0 {
			goldenObject(problems, f.Fields, inner, at+".")
		}
	}
	for _, o := range objects {
		for name := range o.(fields) {
			if !slices.Contains(known, name) {
				*problems = append(*problems, path+name+": is not in the spec")
			}
		}
	}
}

// goldenExample reports whether the vendor's example has the field.
func goldenExample(f *specfile.Field) bool {
	return f.Example != nil || slices.ContainsFunc(f.Fields, goldenExample)
}

// goldenText reports whether the vendor sends a number as text.
func goldenText(f *specfile.Field) bool {
	_, text := f.Example.(string)
	return text && strings.HasPrefix(f.Type, "int")
}

func goldenType(want string, v any) bool {
	switch v := v.(type) {
	case string:
		return want == "string" || want == "json-string" || want == ""
	case bool:
		return want == "boolean" || want == ""
	case float64:
		return (want == "integer" || want == "int64") && v == math.Trunc(v) || want == "number" || want == "float" || want == ""
	case []any:
		return want == "array" || want == ""
	case fields:
		return want == "object" || want == ""
	default:
		return false
	}
}
