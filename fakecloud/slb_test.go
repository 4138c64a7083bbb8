package fakecloud_test

import (
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb/fakecloud"
)

// slbCloud has one load balancer with two groups; rsp-1 holds i-1:80 at weight
// 100 and i-2:80 at 0.
func slbCloud(t *testing.T, opts ...fakecloud.Option) (*fakecloud.Cloud, *client) {
	cloud, c := virtual(t, opts...)
	cloud.AddVServerGroup(fakecloud.VServerGroup{
		ID: "rsp-1", LoadBalancerID: "lb-1",
		Servers: []fakecloud.BackendServer{{ID: "i-1", Port: 80}, {ID: "i-2", Port: 80, Weight: new(0)}},
	})
	cloud.AddVServerGroup(fakecloud.VServerGroup{ID: "rsp-2", Name: "two", LoadBalancerID: "lb-1", Tags: map[string]string{"env": "prod"}})
	cloud.AddLoadBalancer("lb-2")
	return cloud, c
}

// backends are an answer's servers as id:port:weight.
func backends(r reply) string {
	out := []string{}
	for i := range r.len("BackendServers", "BackendServer") {
		s := r.at("BackendServers", "BackendServer", i).(fields)
		out = append(out, fmt.Sprint(s["ServerId"], ":", s["Port"], ":", s["Weight"]))
	}
	return fmt.Sprint(out)
}

func TestSLBWrites(t *testing.T) {
	t.Parallel()
	many := func(n int) []fields {
		var out []fields
		for i := range n {
			out = append(out, fields{"ServerId": fmt.Sprint("i-new", i), "Port": 80})
		}
		return out
	}
	tests := []struct {
		name, operation string
		params          fields
		status          int
		code            string
		after           string // of rsp-1; empty when unchanged
	}{
		{"numbers", "AddVServerGroupBackendServers", fields{"BackendServers": []fields{{"ServerId": "i-3", "Port": 80, "Weight": 0}}}, 200, "", "[i-1:80:100 i-2:80:0 i-3:80:0]"},
		{"numeric strings", "AddVServerGroupBackendServers", fields{"BackendServers": []fields{{"ServerId": "i-3", "Port": "80", "Weight": "7", "Type": "ecs"}}}, 200, "", "[i-1:80:100 i-2:80:0 i-3:80:7]"},
		{"default weight", "AddVServerGroupBackendServers", fields{"BackendServers": []fields{{"ServerId": "i-3", "Port": 80}}}, 200, "", "[i-1:80:100 i-2:80:0 i-3:80:100]"},
		{"names of any case", "AddVServerGroupBackendServers", fields{"BackendServers": []fields{{"serverId": "i-3", "port": 80, "weight": 1}}}, 200, "", "[i-1:80:100 i-2:80:0 i-3:80:1]"},
		{"first of two counts", "AddVServerGroupBackendServers", fields{"BackendServers": []fields{{"ServerId": "i-3", "Port": 80, "Weight": 1}, {"ServerId": "i-3", "Port": 80, "Weight": 2}}}, 200, "", "[i-1:80:100 i-2:80:0 i-3:80:1]"},
		{"empty values", "AddVServerGroupBackendServers", fields{"BackendServers": []fields{{"ServerId": "i-3", "Port": 80, "Weight": "", "Description": ""}}}, 200, "", "[i-1:80:100 i-2:80:0 i-3:80:100]"},
		{"name twice", "AddVServerGroupBackendServers", fields{"BackendServers": `[{"ServerId":"i-3","ServerId":"i-4","Port":80}]`}, 400, "BackendServersMalformed", ""},
		{"other port", "AddVServerGroupBackendServers", fields{"BackendServers": []fields{{"ServerId": "i-1", "Port": 81}}}, 200, "", "[i-1:80:100 i-2:80:0 i-1:81:100]"},
		{"remove", "RemoveVServerGroupBackendServers", fields{"BackendServers": []fields{{"ServerId": "i-1", "Port": 80}}}, 200, "", "[i-2:80:0]"},
		{"remove absent", "RemoveVServerGroupBackendServers", fields{"BackendServers": []fields{{"ServerId": "i-1", "Port": 81}}}, 200, "", ""},
		{"set", "SetVServerGroupAttribute", fields{"BackendServers": []fields{{"ServerId": "i-1", "Port": 80, "Weight": 0}}}, 200, "", "[i-1:80:0 i-2:80:0]"},
		{"rename", "SetVServerGroupAttribute", fields{"VServerGroupName": "new"}, 200, "", ""},

		{"set absent", "SetVServerGroupAttribute", fields{"BackendServers": []fields{{"ServerId": "i-9", "Port": 80}}}, 404, "InvalidServerId.NotFound", ""},
		{"present", "AddVServerGroupBackendServers", fields{"BackendServers": []fields{{"ServerId": "i-3", "Port": 80}, {"ServerId": "i-1", "Port": 80}}}, 400, "InvalidParameter", ""},
		{"20 at once", "AddVServerGroupBackendServers", fields{"BackendServers": many(21)}, 400, "TooManyBackendServers", ""},
		{"200 of the load balancer", "AddVServerGroupBackendServers", fields{"VServerGroupId": "rsp-full", "BackendServers": many(1)}, 400, "TooManyBackendServers", ""},
		{"empty", "AddVServerGroupBackendServers", fields{"BackendServers": []fields{}}, 400, "InvalidParameter", ""},
		{"none", "AddVServerGroupBackendServers", nil, 400, "MissingParameter", ""},
		{"not JSON", "AddVServerGroupBackendServers", fields{"BackendServers": "i-1"}, 400, "BackendServersMalformed", ""},
		{"not a list", "AddVServerGroupBackendServers", fields{"BackendServers": `{"ServerId":"i-3"}`}, 400, "BackendServersMalformed", ""},
		{"no port", "AddVServerGroupBackendServers", fields{"BackendServers": []fields{{"ServerId": "i-3"}}}, 400, "InvalidParameter", ""},
		{"weight", "AddVServerGroupBackendServers", fields{"BackendServers": []fields{{"ServerId": "i-3", "Port": 80, "Weight": 101}}}, 400, "InvalidWeight.Malformed", ""},
		{"unknown name", "AddVServerGroupBackendServers", fields{"BackendServers": []fields{{"ServerId": "i-3", "Port": 80, "Wieght": 1}}}, 400, "InvalidParameter", ""},
		{"unknown parameter", "RemoveVServerGroupBackendServers", fields{"Force": true}, 400, "UnsupportedParameter", ""},
		{"eni without address", "AddVServerGroupBackendServers", fields{"BackendServers": []fields{{"ServerId": "eni-3", "Port": 80, "Type": "eni"}}}, 400, "InvalidParameter", ""},
		{"long name", "SetVServerGroupAttribute", fields{"VServerGroupName": fmt.Sprintf("%081d", 1)}, 400, "InvalidParameterLength", ""},
		{"unknown group", "RemoveVServerGroupBackendServers", fields{"VServerGroupId": "rsp-none", "BackendServers": many(1)}, 404, "InvalidParameter", ""},
		{"other region", "RemoveVServerGroupBackendServers", fields{"RegionId": "cn-beijing", "BackendServers": many(1)}, 404, "InvalidRegionId.NotFound", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud, c := slbCloud(t)
				full := make([]fakecloud.BackendServer, 200)
				for i := range full {
					full[i] = fakecloud.BackendServer{ID: fmt.Sprint("i-", i), Port: 80}
				}
				cloud.AddVServerGroup(fakecloud.VServerGroup{ID: "rsp-full", Servers: full})
				in := fields{"VServerGroupId": "rsp-1"}
				maps.Copy(in, tt.params)
				r := c.slb(tt.operation, in)
				want(t, r, tt.status, tt.code)
				after := tt.after
				if after == "" {
					after = "[i-1:80:100 i-2:80:0]"
				}
				if r.status == 200 {
					equal(t, "answer", backends(r), after)
					equal(t, "group", r.at("VServerGroupId"), "rsp-1")
				}
				equal(t, "servers", backends(c.slb("DescribeVServerGroupAttribute", fields{"VServerGroupId": "rsp-1"})), after)
			})
		})
	}
}

func TestSLBLock(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := slbCloud(t, fakecloud.WithConfiguringWindow(3*time.Second))
		cloud.AddVServerGroup(fakecloud.VServerGroup{ID: "rsp-3", LoadBalancerID: "lb-2"})
		add := func(group string, port int) reply {
			return c.slb("AddVServerGroupBackendServers", fields{"VServerGroupId": group, "BackendServers": []fields{{"ServerId": "i-9", "Port": port}}})
		}
		want(t, add("rsp-1", 1), 200, "")
		want(t, add("rsp-1", 2), 400, "VServerGroupProcessing")
		want(t, add("rsp-2", 2), 409, "BackendServer.configuring")
		want(t, c.slb("CreateVServerGroup", fields{"LoadBalancerId": "lb-1"}), 409, "BackendServer.configuring")
		want(t, add("rsp-3", 2), 200, "") // another load balancer
		want(t, c.slb("DescribeVServerGroupAttribute", fields{"VServerGroupId": "rsp-1"}), 200, "")
		advance(3*time.Second - 1)
		want(t, add("rsp-2", 2), 409, "BackendServer.configuring")
		advance(1)
		want(t, add("rsp-2", 2), 200, "")
		want(t, add("rsp-1", 2), 409, "BackendServer.configuring")
	})
}

func TestSLBGroups(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := slbCloud(t)
		r := c.slb("CreateVServerGroup", fields{
			"LoadBalancerId": "lb-1", "VServerGroupName": "three", "Tag.1.Key": "env", "Tag.1.Value": "test",
			"BackendServers": []fields{{"ServerId": "i-5", "Port": "8080", "Weight": "5", "Description": "five"}},
		})
		want(t, r, 200, "")
		equal(t, "answer", r.at("BackendServers", "BackendServer"), []any{fields{
			"ServerId": "i-5", "Port": 8080, "Weight": 5, "Type": "ecs", "Description": "five",
		}})
		g := c.slb("DescribeVServerGroupAttribute", fields{"VServerGroupId": r.at("VServerGroupId")})
		equal(t, "load balancer", g.at("LoadBalancerId"), "lb-1")
		equal(t, "tags", g.at("Tags", "Tag"), []any{fields{"TagKey": "env", "TagValue": "test"}})
		equal(t, "groups", c.slb("DescribeVServerGroups", fields{"LoadBalancerId": "lb-1"}).len("VServerGroups", "VServerGroup"), 3)
		prod := c.slb("DescribeVServerGroups", fields{"LoadBalancerId": "lb-1", "Tag.1.Key": "env", "Tag.1.Value": "prod"})
		equal(t, "groups by tag", prod.at("VServerGroups", "VServerGroup", 0, "VServerGroupName"), "two")
		equal(t, "groups by tag", prod.len("VServerGroups", "VServerGroup"), 1)
		empty := c.slb("DescribeVServerGroups", fields{"LoadBalancerId": "lb-2"})
		want(t, empty, 200, "")
		equal(t, "no groups", empty.at("VServerGroups", "VServerGroup"), []any{})
		want(t, c.slb("DescribeVServerGroups", fields{"LoadBalancerId": "lb-none"}), 404, "InvalidLoadBalancerId.NotFound")
		want(t, c.slb("DescribeVServerGroupAttribute", fields{"VServerGroupId": "rsp-none"}), 404, "InvalidParameter")
	})
}
