package fakecloud_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/slb"
)

// typedSLB makes a client that gives every answer to the test.
func typedSLB(t *testing.T, cloud *fakecloud.Cloud) *slb.Client {
	t.Helper()
	cfg := cloud.Config()
	cfg.Retry = cloudlb.NoRetry()
	c, err := slb.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// defaultGroup is what a load balancer's default group holds.
func defaultGroup(t *testing.T, c *slb.Client, id string) string {
	t.Helper()
	res, err := c.DescribeLoadBalancerAttribute(t.Context(), slb.DescribeLoadBalancerAttributeRequest{LoadBalancerID: id})
	wantError(t, err, 0, "")
	return servers(res.BackendServers)
}

func servers(list slb.BackendServerList) string {
	var out []string
	for _, s := range list {
		out = append(out, fmt.Sprintf("%s:%d:%d", s.ServerID, s.Port, s.Weight))
	}
	return strings.Join(out, " ")
}

func TestSLBDefaultGroup(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, raw := virtual(t, fakecloud.WithConfiguringWindow(2*time.Second))
		c, ctx := typedSLB(t, cloud), t.Context()
		cloud.AddClassicLoadBalancer(fakecloud.ClassicLoadBalancer{ID: "lb-1", Servers: []fakecloud.BackendServer{{ID: "i-1"}}})
		add := func(id string, weight *int) error {
			res, err := c.AddBackendServers(ctx, slb.AddBackendServersRequest{
				LoadBalancerID: "lb-1", BackendServers: slb.DefaultServerSpecList{{ServerID: id, Weight: weight}},
			})
			if err == nil {
				equal(t, "answer", res.LoadBalancerID, "lb-1")
			}
			return err
		}
		wantError(t, add("i-2", new(0)), 0, "")
		wantError(t, add("i-3", nil), 409, "BackendServer.configuring")
		want(t, raw.slb("CreateVServerGroup", fields{"LoadBalancerId": "lb-1"}), 409, "BackendServer.configuring")
		advance(2 * time.Second)
		wantError(t, add("i-3", nil), 0, "")
		advance(2 * time.Second)
		wantError(t, add("i-2", nil), 400, "InvalidParameter")
		equal(t, "after adding", defaultGroup(t, c, "lb-1"), "i-1:0:100 i-2:0:0 i-3:0:100")

		set, err := c.SetBackendServers(ctx, slb.SetBackendServersRequest{
			LoadBalancerID: "lb-1", BackendServers: slb.DefaultServerUpdateList{{ServerID: "i-1", Weight: new(0)}, {ServerID: "i-2", Weight: new(9)}},
		})
		wantError(t, err, 0, "")
		equal(t, "answer", servers(set.BackendServers), "i-1:0:0 i-2:0:9 i-3:0:100")
		advance(2 * time.Second)
		removed, err := c.RemoveBackendServers(ctx, slb.RemoveBackendServersRequest{
			LoadBalancerID: "lb-1", BackendServers: slb.DefaultServerRefList{{ServerID: "i-3"}, {ServerID: "i-none"}},
		})
		wantError(t, err, 0, "")
		equal(t, "answer", servers(removed.BackendServers), "i-1:0:0 i-2:0:9")
		equal(t, "after removing", defaultGroup(t, c, "lb-1"), "i-1:0:0 i-2:0:9")
		advance(2 * time.Second)
		_, err = c.SetBackendServers(ctx, slb.SetBackendServersRequest{
			LoadBalancerID: "lb-1", BackendServers: slb.DefaultServerUpdateList{{ServerID: "i-3", Weight: new(1)}},
		})
		wantError(t, err, 404, "InvalidServerId.NotFound")
	})
}

func TestSLBMoreRefusals(t *testing.T) {
	t.Parallel()
	many := make([]fields, 21)
	for i := range many {
		many[i] = fields{"ServerId": fmt.Sprint("i-new", i), "Port": 80}
	}
	lb := func(servers ...fields) fields { return fields{"LoadBalancerId": "lb-1", "BackendServers": servers} }
	pair := func(servers ...fields) fields {
		return fields{"LoadBalancerId": "lb-1", "MasterSlaveBackendServers": servers}
	}
	master := fields{"ServerId": "i-1", "Port": 80, "ServerType": "Master"}
	slave := fields{"ServerId": "i-2", "Port": 80, "ServerType": "Slave"}
	less := func(f fields, name string) fields { f = maps.Clone(f); delete(f, name); return f }
	modify := func(old, added []fields) fields {
		return fields{"VServerGroupId": "rsp-1", "OldBackendServers": old, "NewBackendServers": added}
	}
	server := func(id string) []fields { return []fields{{"ServerId": id, "Port": 80}} }
	tests := []struct {
		name, operation string
		params          fields
		status          int
		code            string
	}{
		{"21 at once", "AddBackendServers", lb(many...), 400, "TooManyBackendServers"},
		{"21 at once", "SetBackendServers", lb(many...), 400, "TooManyBackendServers"},
		{"21 at once", "ModifyVServerGroupBackendServers", modify(server("i-1"), many), 400, "TooManyBackendServers"},
		{"200 of the load balancer", "AddBackendServers", with(lb(many[0]), "LoadBalancerId", "lb-full"), 400, "TooManyBackendServers"},
		{"weight", "AddBackendServers", lb(with(many[0], "Weight", 101)), 400, "InvalidWeight.Malformed"},
		{"none", "AddBackendServers", fields{"LoadBalancerId": "lb-1"}, 400, "MissingParameter"},
		{"none", "RemoveBackendServers", fields{"LoadBalancerId": "lb-1"}, 400, "MissingParameter"},
		{"port", "RemoveBackendServers", lb(many[0]), 400, "InvalidParameter"},
		{"load balancer", "AddBackendServers", with(lb(many[0]), "LoadBalancerId", "lb-0"), 404, "InvalidLoadBalancerId.NotFound"},
		{"region", "SetBackendServers", with(lb(many[0]), "RegionId", "cn-beijing"), 404, "InvalidRegionId.NotFound"},

		{"absent", "ModifyVServerGroupBackendServers", modify(server("i-9"), server("i-8")), 404, "InvalidServerId.NotFound"},
		{"present", "ModifyVServerGroupBackendServers", modify(server("i-1"), server("i-2")), 400, "InvalidParameter"},
		{"same", "ModifyVServerGroupBackendServers", modify(server("i-1"), server("i-1")), 400, "InvalidParameter"},
		{"none", "ModifyVServerGroupBackendServers", fields{"VServerGroupId": "rsp-1"}, 400, "MissingParameter"},
		{"group", "ModifyVServerGroupBackendServers", with(modify(server("i-1"), many[:1]), "VServerGroupId", "rsp-0"), 404, "InvalidParameter"},

		{"group", "DeleteVServerGroup", fields{"VServerGroupId": "rsp-0"}, 404, "InvalidParameter"},
		{"used by a listener", "DeleteVServerGroup", fields{"VServerGroupId": "rsp-listener"}, 400, "RspoolVipExist"},
		{"used by a rule", "DeleteVServerGroup", fields{"VServerGroupId": "rsp-rule"}, 400, "RspoolRuleExist"},

		{"one", "CreateMasterSlaveServerGroup", pair(master), 400, "BACKEND_SERVERS_NUM_MUST_BE_TWO"},
		{"three", "CreateMasterSlaveServerGroup", pair(master, slave, with(slave, "Port", 81)), 400, "BACKEND_SERVERS_NUM_MUST_BE_TWO"},
		{"none", "CreateMasterSlaveServerGroup", fields{"LoadBalancerId": "lb-1"}, 400, "BACKEND_SERVERS_NUM_MUST_BE_TWO"},
		{"same server", "CreateMasterSlaveServerGroup", pair(master, with(slave, "ServerId", "i-1")), 400, "BACKEND_SERVERS_HAVE_SAME_PORT_AND_SERVERID"},
		{"two masters", "CreateMasterSlaveServerGroup", pair(master, with(slave, "ServerType", "Master")), 400, "BACKEND_SERVERS_CAN_ONLY_CONTAIN_ONE_MASTER_AND_ONE_SLAVE"},
		{"no ID", "CreateMasterSlaveServerGroup", pair(master, less(slave, "ServerId")), 400, "BACKEND_SERVER_ID_CAN_NOT_EMPTY"},
		{"no port", "CreateMasterSlaveServerGroup", pair(master, less(slave, "Port")), 400, "BACKEND_SERVER_PORT_CAN_NOT_EMPTY"},
		{"role", "CreateMasterSlaveServerGroup", pair(master, with(slave, "ServerType", "slave")), 400, "INVALID_SERVER_TYPE"},
		{"no role", "CreateMasterSlaveServerGroup", pair(master, less(slave, "ServerType")), 400, "INVALID_SERVER_TYPE"},
		{"weight", "CreateMasterSlaveServerGroup", pair(master, with(slave, "Weight", -1)), 400, "InvalidWeight.Malformed"},
		{"group", "DeleteMasterSlaveServerGroup", fields{"MasterSlaveServerGroupId": "rsp-1"}, 400, "InvalidParameter"},
		{"group", "DescribeMasterSlaveServerGroupAttribute", fields{"MasterSlaveServerGroupId": "rsp-1"}, 404, "InvalidParameter"},
		{"load balancer", "DescribeMasterSlaveServerGroups", fields{"LoadBalancerId": "lb-0"}, 404, "InvalidLoadBalancerId.NotFound"},

		{"load balancer", "DescribeLoadBalancerAttribute", fields{"LoadBalancerId": "lb-0"}, 404, "InvalidLoadBalancerId.NotFound"},
		{"page", "DescribeLoadBalancers", fields{"PageNumber": 0}, 400, "InvalidParameter"},
		{"page size", "DescribeLoadBalancers", fields{"PageSize": 101}, 400, "InvalidParameter"},
		{"region", "DescribeLoadBalancers", fields{"RegionId": "cn-beijing"}, 404, "InvalidRegionId.NotFound"},
		{"load balancer", "DescribeHealthStatus", fields{"LoadBalancerId": "lb-0"}, 404, "InvalidLoadBalancerId.NotFound"},
		{"no listener", "DescribeHealthStatus", fields{"LoadBalancerId": "lb-1", "ListenerPort": 81}, 404, "CheckedListenerNotFound"},
		{"no check", "DescribeHealthStatus", fields{"LoadBalancerId": "lb-1", "ListenerPort": 53}, 404, "CheckedListenerNotFound"},
		{"language", "DescribeRegions", fields{"AcceptLanguage": "fr"}, 400, "InvalidParameter"},
	}
	for _, tt := range tests {
		t.Run(tt.operation+"/"+tt.name, func(t *testing.T) {
			t.Parallel()
			cloud := fakecloud.New()
			cloud.AddClassicLoadBalancer(fakecloud.ClassicLoadBalancer{ID: "lb-1", Listeners: []fakecloud.ClassicListener{
				{Port: 80, GroupID: "rsp-listener", Rules: []fakecloud.ClassicRule{{VServerGroupID: "rsp-rule"}}},
				{Port: 53, Protocol: "udp", NoHealthCheck: true},
			}})
			cloud.AddVServerGroup(fakecloud.VServerGroup{ID: "rsp-1", LoadBalancerID: "lb-1", Servers: []fakecloud.BackendServer{
				{ID: "i-1", Port: 80}, {ID: "i-2", Port: 80},
			}})
			full := make([]fakecloud.BackendServer, 200)
			for i := range full {
				full[i] = fakecloud.BackendServer{ID: fmt.Sprint("i-", i)}
			}
			cloud.AddClassicLoadBalancer(fakecloud.ClassicLoadBalancer{ID: "lb-full", Servers: full})
			c := newClient(t, cloud.Config())
			want(t, c.slb(tt.operation, tt.params), tt.status, tt.code)
			equal(t, "group", backends(c.slb("DescribeVServerGroupAttribute", fields{"VServerGroupId": "rsp-1"})), "[i-1:80:100 i-2:80:100]")
		})
	}
}

func TestSLBModifyAndDelete(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, _ := slbCloud(t)
		c, ctx := typedSLB(t, cloud), t.Context()
		res, err := c.ModifyVServerGroupBackendServers(ctx, slb.ModifyVServerGroupBackendServersRequest{
			VServerGroupID:    "rsp-1",
			OldBackendServers: slb.ReplacedServerList{{ServerID: "i-1", Port: 80}},
			NewBackendServers: slb.ReplacementServerList{{ServerID: "i-5", Port: 81}, {ServerID: "i-6", Port: 81, Weight: new(0)}},
		})
		wantError(t, err, 0, "")
		equal(t, "answer", servers(res.BackendServers), "i-2:80:0 i-5:81:100 i-6:81:0")
		remove := func(id string) error {
			_, err := c.DeleteVServerGroup(ctx, slb.DeleteVServerGroupRequest{VServerGroupID: id})
			return err
		}
		wantError(t, remove("rsp-1"), 400, "VServerGroupProcessing")
		wantError(t, remove("rsp-2"), 409, "BackendServer.configuring")
		advance(time.Second)
		wantError(t, remove("rsp-1"), 0, "")
		wantError(t, remove("rsp-1"), 404, "InvalidParameter")
		wantError(t, remove("rsp-2"), 409, "BackendServer.configuring")
		advance(time.Second)
		list, err := c.DescribeVServerGroups(ctx, slb.DescribeVServerGroupsRequest{LoadBalancerID: "lb-1"})
		wantError(t, err, 0, "")
		equal(t, "groups left", len(list.VServerGroups), 1)
	})
}

func TestSLBMasterSlave(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, _ := slbCloud(t)
		c, ctx := typedSLB(t, cloud), t.Context()
		create := slb.CreateMasterSlaveServerGroupRequest{
			LoadBalancerID: "lb-1", MasterSlaveServerGroupName: "pair", Tag: []slb.TagSpec{{Key: "env", Value: new("prod")}},
			MasterSlaveBackendServers: slb.MasterSlaveServerSpecList{
				{ServerID: "i-1", Port: 80, ServerType: slb.ServerRoleMaster}, {ServerID: "i-2", Port: 80, Weight: new(0), ServerType: slb.ServerRoleSlave},
			},
		}
		made, err := c.CreateMasterSlaveServerGroup(ctx, create)
		wantError(t, err, 0, "")
		_, err = c.CreateMasterSlaveServerGroup(ctx, create)
		wantError(t, err, 409, "BackendServer.configuring")
		id := made.MasterSlaveServerGroupID
		got, err := c.DescribeMasterSlaveServerGroupAttribute(ctx, slb.DescribeMasterSlaveServerGroupAttributeRequest{MasterSlaveServerGroupID: id})
		wantError(t, err, 0, "")
		equal(t, "group", fmt.Sprint(got.MasterSlaveServerGroupName, got.LoadBalancerID), "pairlb-1")
		equal(t, "servers", got.MasterSlaveBackendServers, "[{ 80 i-1 Master ecs 100} { 80 i-2 Slave ecs 0}]")

		cloud.AddClassicLoadBalancer(fakecloud.ClassicLoadBalancer{ID: "lb-1", Listeners: []fakecloud.ClassicListener{{Port: 443, GroupID: id}}})
		list, err := c.DescribeMasterSlaveServerGroups(ctx, slb.DescribeMasterSlaveServerGroupsRequest{
			LoadBalancerID: "lb-1", IncludeListener: true, Tag: []slb.TagFilter{{Key: "env"}},
		})
		wantError(t, err, 0, "")
		equal(t, "groups", len(list.MasterSlaveServerGroups), 1)
		equal(t, "listeners", list.MasterSlaveServerGroups[0].AssociatedObjects.Listeners, "[{443 tcp}]")
		remove := slb.DeleteMasterSlaveServerGroupRequest{MasterSlaveServerGroupID: id}
		_, err = c.DeleteMasterSlaveServerGroup(ctx, remove)
		wantError(t, err, 409, "BackendServer.configuring")
		advance(time.Second)
		_, err = c.DeleteMasterSlaveServerGroup(ctx, remove)
		wantError(t, err, 400, "RspoolVipExist")
		cloud.AddClassicLoadBalancer(fakecloud.ClassicLoadBalancer{ID: "lb-1"})
		_, err = c.DeleteMasterSlaveServerGroup(ctx, remove)
		wantError(t, err, 0, "")
		_, err = c.DescribeMasterSlaveServerGroupAttribute(ctx, slb.DescribeMasterSlaveServerGroupAttributeRequest{MasterSlaveServerGroupID: id})
		wantError(t, err, 404, "InvalidParameter")
	})
}

func TestSLBLoadBalancers(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	c, ctx := typedSLB(t, cloud), t.Context()
	for i := range 103 {
		cloud.AddLoadBalancer(fmt.Sprintf("lb-%03d", i))
	}
	cloud.AddClassicLoadBalancer(fakecloud.ClassicLoadBalancer{
		ID: "lb-shop", Name: "shop", Address: "47.0.0.1", AddressType: "internet", VPCID: "vpc-1", Tags: map[string]string{"env": "prod"},
		Servers:   []fakecloud.BackendServer{{ID: "i-1", IP: "10.0.0.1", Weight: new(7)}},
		Listeners: []fakecloud.ClassicListener{{Port: 80, Protocol: "http", Description: "web", ForwardPort: 443}, {Port: 443}},
		More:      map[string]any{"LoadBalancerSpec": "slb.s3.large", "InternetChargeType": "paybybandwidth"},
	})
	cloud.AddVServerGroup(fakecloud.VServerGroup{LoadBalancerID: "lb-007", Servers: []fakecloud.BackendServer{{ID: "i-1", IP: "10.0.0.1", Port: 1}}})
	list := func(req slb.DescribeLoadBalancersRequest) []string {
		t.Helper()
		var out []string
		for lb, err := range c.LoadBalancers(ctx, req) {
			wantError(t, err, 0, "")
			out = append(out, lb.LoadBalancerID)
		}
		return out
	}
	for _, size := range []int{0, 1, 50, 52, 100} {
		all := list(slb.DescribeLoadBalancersRequest{PageSize: size})
		equal(t, "all", len(all), 104)
		if !slices.IsSorted(all) {
			t.Errorf("page size %d: %v", size, all)
		}
	}
	page, err := c.DescribeLoadBalancers(ctx, slb.DescribeLoadBalancersRequest{})
	wantError(t, err, 0, "")
	equal(t, "first page", fmt.Sprint(len(page.LoadBalancers), page.PageNumber, page.PageSize, page.TotalCount), "50 1 50 104")
	page, err = c.DescribeLoadBalancers(ctx, slb.DescribeLoadBalancersRequest{PageNumber: 9, PageSize: 100})
	wantError(t, err, 0, "")
	equal(t, "page after the last", fmt.Sprint(len(page.LoadBalancers), page.TotalCount), "0 104")

	filters := []struct {
		req  slb.DescribeLoadBalancersRequest
		want string
	}{
		{slb.DescribeLoadBalancersRequest{LoadBalancerID: "lb-003,lb-none,lb-001"}, "[lb-001 lb-003]"},
		{slb.DescribeLoadBalancersRequest{LoadBalancerName: "shop"}, "[lb-shop]"},
		{slb.DescribeLoadBalancersRequest{Address: "47.0.0.1"}, "[lb-shop]"},
		{slb.DescribeLoadBalancersRequest{NetworkType: slb.NetworkTypeVpc}, "[lb-shop]"},
		{slb.DescribeLoadBalancersRequest{VpcID: "vpc-2"}, "[]"},
		{slb.DescribeLoadBalancersRequest{InternetChargeType: slb.InternetChargeTypePayByBandwidth}, "[lb-shop]"},
		{slb.DescribeLoadBalancersRequest{InternetChargeType: slb.InternetChargeTypeCode3}, "[lb-shop]"},
		{slb.DescribeLoadBalancersRequest{ServerID: "i-1"}, "[lb-007 lb-shop]"},
		{slb.DescribeLoadBalancersRequest{ServerIntranetAddress: "10.0.0.1"}, "[lb-007 lb-shop]"},
		{slb.DescribeLoadBalancersRequest{Tag: []slb.TagFilter{{Key: "env"}}}, "[lb-shop]"},
		{slb.DescribeLoadBalancersRequest{Tags: `[{"tagKey":"env","tagValue":"prod"}]`}, "[lb-shop]"},
		{slb.DescribeLoadBalancersRequest{Tags: `[{"tagKey":"env","tagValue":"test"}]`}, "[]"},
	}
	for _, f := range filters {
		equal(t, fmt.Sprintf("%+v", f.req), list(f.req), f.want)
	}

	lb, err := c.DescribeLoadBalancerAttribute(ctx, slb.DescribeLoadBalancerAttributeRequest{LoadBalancerID: "lb-shop"})
	wantError(t, err, 0, "")
	equal(t, "attributes", fmt.Sprint(lb.LoadBalancerName, lb.Address, lb.AddressType, lb.NetworkType, lb.InternetChargeType, lb.Tags),
		"shop47.0.0.1internetvpcpaybybandwidth[{env prod}]")
	equal(t, "ports", lb.ListenerPorts, "[80 443]")
	equal(t, "listeners", fmt.Sprint(lb.ListenerPortsAndProtocol[0].ListenerProtocol, lb.ListenerPortsAndProtocol[1].ListenerProtocol), "httptcp")
	equal(t, "redirection", fmt.Sprint(lb.ListenerPortsAndProtocol[0].ListenerForward, lb.ListenerPortsAndProtocol[0].ForwardPort), "on443")
	equal(t, "spec", lb.LoadBalancerSpec, "slb.s3.large")
	equal(t, "servers", servers(lb.BackendServers), "i-1:0:7")
	regions, err := c.DescribeRegions(ctx, slb.DescribeRegionsRequest{})
	wantError(t, err, 0, "")
	if !slices.ContainsFunc(regions.Regions, func(r slb.Region) bool { return r.RegionID == "cn-hangzhou" }) {
		t.Errorf("regions: %v", regions.Regions)
	}
}

func TestSLBHealth(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		opts []fakecloud.Option
		want string
	}{
		{"newer documents", nil, "80 i-1:8080 normal, 80 i-2:8080 normal, 80 i-3:90 abnormal, 443 i-3:90 abnormal, 443 i-4:90 normal, 53 i-1:53 unavailable, 53 i-2:53 unavailable"},
		{
			"older documents",
			[]fakecloud.Option{fakecloud.WithWeightZeroAbnormal()},
			"80 i-1:8080 normal, 80 i-2:8080 normal, 80 i-3:90 abnormal, 443 i-3:90 abnormal, 443 i-4:90 abnormal, 53 i-1:53 unavailable, 53 i-2:53 unavailable",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud := fakecloud.New(tt.opts...)
				c, ctx := typedSLB(t, cloud), t.Context()
				cloud.AddVServerGroup(fakecloud.VServerGroup{ID: "rsp-1", LoadBalancerID: "lb-1", Servers: []fakecloud.BackendServer{{ID: "i-3", Port: 90}}})
				cloud.AddVServerGroup(fakecloud.VServerGroup{ID: "rsp-2", LoadBalancerID: "lb-1", Servers: []fakecloud.BackendServer{
					{ID: "i-3", Port: 90}, {ID: "i-4", Port: 90, Weight: new(0)},
				}})
				cloud.AddClassicLoadBalancer(fakecloud.ClassicLoadBalancer{
					ID: "lb-1", Servers: []fakecloud.BackendServer{{ID: "i-1"}, {ID: "i-2", Weight: new(0)}},
					Listeners: []fakecloud.ClassicListener{
						{Port: 80, BackendPort: 8080, Protocol: "http", Rules: []fakecloud.ClassicRule{{ID: "rule-1", Domain: "example.com", VServerGroupID: "rsp-1"}}},
						{Port: 443, GroupID: "rsp-2"},
						{Port: 53, Protocol: "udp", NoHealthCheck: true},
					},
				})
				cloud.SetHealth("i-3:90", false)
				health := func(req slb.DescribeHealthStatusRequest) string {
					t.Helper()
					req.LoadBalancerID = "lb-1"
					res, err := c.DescribeHealthStatus(ctx, req)
					wantError(t, err, 0, "")
					var out []string
					for _, s := range res.BackendServers {
						out = append(out, fmt.Sprintf("%d %s:%d %s", s.ListenerPort, s.ServerID, s.Port, s.ServerHealthStatus))
					}
					return strings.Join(out, ", ")
				}
				equal(t, "health", health(slb.DescribeHealthStatusRequest{}), tt.want)
				equal(t, "by protocol", health(slb.DescribeHealthStatusRequest{ListenerProtocol: slb.ListenerProtocolUDP}), "53 i-1:53 unavailable, 53 i-2:53 unavailable")
				cloud.SetHealth("i-3:90", true)
				at := slb.HealthTarget{LoadBalancerID: "lb-1", VServerGroupID: "rsp-2", ListenerPort: 443}
				if err := c.WaitHealthy(ctx, at, []slb.ServerRef{{ServerID: "i-3", Port: 90}}); err != nil {
					t.Error(err)
				}
				groups, err := c.DescribeVServerGroups(ctx, slb.DescribeVServerGroupsRequest{LoadBalancerID: "lb-1", IncludeListener: true, IncludeRule: true})
				wantError(t, err, 0, "")
				equal(t, "users", fmt.Sprint(groups.VServerGroups[0].AssociatedObjects, groups.VServerGroups[1].AssociatedObjects),
					"{[] [{example.com rule-1 rule-1 }]} {[{443 tcp}] []}")
			})
		})
	}
}
