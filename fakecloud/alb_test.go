package fakecloud_test

import (
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb/fakecloud"
)

func ecs(id string, port int) fields {
	return fields{"ServerId": id, "ServerType": "Ecs", "Port": port}
}

func with(f fields, name string, v any) fields {
	out := maps.Clone(f)
	out[name] = v
	return out
}

// advance lets virtual time pass.
func advance(d time.Duration) { <-time.After(d) }

func statuses(r reply) []any {
	var out []any
	for i := range r.len("Servers") {
		out = append(out, r.at("Servers", i, "Status"))
	}
	return out
}

func TestALBJobs(t *testing.T) {
	t.Parallel()
	start := []fakecloud.BackendServer{{ID: "i-1", Port: 80}, {ID: "i-2", Port: 80, Weight: new(0)}}
	tests := []struct {
		operation string
		params    fields
		during    string // of the servers
		after     string // id:weight:status
	}{
		{
			"AddServersToServerGroup",
			fields{"Servers": []fields{with(ecs("i-3", 80), "Weight", 0), ecs("i-1", 81)}},
			"[Available Available Adding Adding]", "[i-1:100 i-2:0 i-3:0 i-1:100]",
		},
		{
			"RemoveServersFromServerGroup",
			fields{"Servers": []fields{ecs("i-1", 80)}},
			"[Removing Available]", "[i-2:0]",
		},
		{
			"UpdateServerGroupServersAttribute",
			fields{"Servers": []fields{with(ecs("i-1", 80), "Weight", 0), with(ecs("i-2", 80), "Weight", 7)}},
			"[Configuring Configuring]", "[i-1:0 i-2:7]",
		},
		{
			"UpdateServerGroupServersAttribute",
			fields{"Servers": []fields{ecs("i-2", 80)}},
			"[Available Configuring]", "[i-1:100 i-2:100]",
		},
		{
			"ReplaceServersInServerGroup",
			fields{"AddedServers": []fields{with(ecs("i-9", 90), "Weight", 5)}, "RemovedServers": []fields{ecs("i-2", 80)}},
			"[Available Replacing Replacing]", "[i-1:100 i-9:5]",
		},
	}
	for _, tt := range tests {
		t.Run(tt.operation, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud, c := virtual(t, fakecloud.WithJobDuration(5*time.Second))
				id := cloud.AddServerGroup(fakecloud.ServerGroup{Servers: start})
				r := c.alb(tt.operation, with(tt.params, "ServerGroupId", id))
				want(t, r, 200, "")
				job := r.at("JobId").(string)
				group := fields{"ServerGroupId": id}

				advance(5*time.Second - 1)
				equal(t, "servers during the job", statuses(c.alb("ListServerGroupServers", group)), tt.during)
				equal(t, "group during the job", c.alb("ListServerGroups", nil).at("ServerGroups", 0, "ServerGroupStatus"), "Configuring")
				equal(t, "job", c.alb("ListAsynJobs", fields{"JobIds": []string{job}}).at("Jobs", 0, "Status"), "Processing")
				want(t, c.alb(tt.operation, with(tt.params, "ServerGroupId", id)), 400, "IncorrectStatus.ServerGroup")

				advance(1)
				var after []string
				list := c.alb("ListServerGroupServers", group)
				for i := range list.len("Servers") {
					after = append(after, fmt.Sprint(list.at("Servers", i, "ServerId"), ":", list.at("Servers", i, "Weight")))
					equal(t, "status", list.at("Servers", i, "Status"), "Available")
				}
				equal(t, "servers after the job", after, tt.after)
				equal(t, "group after the job", c.alb("ListServerGroups", nil).at("ServerGroups", 0, "ServerGroupStatus"), "Available")
				jobs := c.alb("ListAsynJobs", fields{"ResourceIds": []string{id}, "ApiName": tt.operation, "ResourceType": "servergroup"})
				equal(t, "job", jobs.at("Jobs", 0, "Status"), "Succeeded")
				equal(t, "job's ID", jobs.at("Jobs", 0, "Id"), job)
				equal(t, "job's time", jobs.at("Jobs", 0, "ModifyTime").(float64)-jobs.at("Jobs", 0, "CreateTime").(float64), 5000)
			})
		})
	}
}

func TestALBRefusals(t *testing.T) {
	t.Parallel()
	full := make([]fakecloud.BackendServer, 999)
	for i := range full {
		full[i] = fakecloud.BackendServer{ID: fmt.Sprint("i-", i), Port: 80}
	}
	servers := func(s ...fields) fields { return fields{"ServerGroupId": "sgp-1", "Servers": s} }
	many := func(n int) []fields {
		var out []fields
		for i := range n {
			out = append(out, ecs(fmt.Sprint("i-new", i), 80))
		}
		return out
	}
	tests := []struct {
		name, operation string
		params          fields
		status          int
		code            string
	}{
		{"unknown group", "AddServersToServerGroup", with(servers(ecs("i-x", 1)), "ServerGroupId", "sgp-none"), 404, "ResourceNotFound.ServerGroup"},
		{"unknown group read", "ListServerGroupServers", fields{"ServerGroupId": "sgp-none"}, 404, "ResourceNotFound.ServerGroup"},
		{"present", "AddServersToServerGroup", servers(ecs("i-1", 80)), 400, "Conflict.BackendServer"},
		{"present under its address", "AddServersToServerGroup", servers(with(ecs("i-2", 80), "ServerIp", "10.0.0.9")), 400, "Conflict.BackendServer"},
		{"twice", "AddServersToServerGroup", servers(ecs("i-x", 1), ecs("i-x", 1)), 400, "DuplicatedParam.BackendServer"},
		{"twice removed", "RemoveServersFromServerGroup", servers(ecs("i-1", 80), ecs("i-1", 80)), 400, "DuplicatedParam.BackendServer"},
		{"absent removed", "RemoveServersFromServerGroup", servers(ecs("i-1", 81)), 404, "ResourceNotFound.BackendServer"},
		{"absent updated", "UpdateServerGroupServersAttribute", servers(ecs("i-x", 80)), 404, "ResourceNotFound.BackendServer"},
		{
			"replaced by itself", "ReplaceServersInServerGroup",
			fields{"ServerGroupId": "sgp-1", "AddedServers": []fields{ecs("i-1", 80)}, "RemovedServers": []fields{ecs("i-1", 80)}},
			400, "Conflict.BackendServer",
		},
		{"quota", "AddServersToServerGroup", fields{"ServerGroupId": "sgp-full", "Servers": many(2)}, 400, "ResourceQuotaExceeded.ServersNum"},
		{"200 at once", "AddServersToServerGroup", fields{"ServerGroupId": "sgp-1", "Servers": many(201)}, 400, "InvalidParameter"},
		{"40 at once", "UpdateServerGroupServersAttribute", fields{"ServerGroupId": "sgp-1", "Servers": many(41)}, 400, "InvalidParameter"},
		{"no server", "AddServersToServerGroup", fields{"ServerGroupId": "sgp-1"}, 400, "MissingServers"},
		{"no group", "AddServersToServerGroup", fields{"Servers": many(1)}, 400, "MissingServerGroupId"},
		{"no port", "AddServersToServerGroup", servers(fields{"ServerId": "i-x", "ServerType": "Ecs"}), 400, "MissingPort"},
		{"no id", "AddServersToServerGroup", servers(fields{"ServerType": "Ecs", "Port": 1}), 400, "MissingServerId"},
		{"port 0", "AddServersToServerGroup", servers(ecs("i-x", 0)), 400, "InvalidParameter"},
		{"weight 101", "AddServersToServerGroup", servers(with(ecs("i-x", 1), "Weight", 101)), 400, "InvalidParameter"},
		{"weight text", "AddServersToServerGroup", servers(with(ecs("i-x", 1), "Weight", "ten")), 400, "InvalidParameter"},
		{"boolean", "AddServersToServerGroup", with(servers(ecs("i-x", 1)), "DryRun", "yes"), 400, "InvalidParameter"},
		{"enum", "AddServersToServerGroup", servers(with(ecs("i-x", 1), "ServerType", "ecs")), 400, "InvalidParameter"},
		{"short description", "AddServersToServerGroup", servers(with(ecs("i-x", 1), "Description", "x")), 400, "InvalidParameter"},
		{"token too long", "AddServersToServerGroup", with(servers(ecs("i-x", 1)), "ClientToken", fmt.Sprintf("%065d", 1)), 400, "InvalidParameter"},
		{"misspelt", "AddServersToServerGroup", servers(with(ecs("i-x", 1), "Wieght", 1)), 400, "InvalidParameter"},
		{"wrong case", "AddServersToServerGroup", with(servers(ecs("i-x", 1)), "dryRun", true), 400, "InvalidParameter"},
		{"list from 0", "ListServerGroups", fields{"ServerGroupIds.0": "sgp-1"}, 400, "InvalidParameter"},
		{"list with a gap", "ListServerGroups", fields{"ServerGroupIds.1": "sgp-1", "ServerGroupIds.3": "sgp-1"}, 400, "InvalidParameter"},
		{"list index 01", "ListServerGroups", fields{"ServerGroupIds.01": "sgp-1"}, 400, "InvalidParameter"},
		{"list not flattened", "ListServerGroups", fields{"ServerGroupIds": "sgp-1"}, 400, "InvalidParameter"},
		{"page size", "ListServerGroups", fields{"MaxResults": 101}, 400, "InvalidParameter"},
		{"page token", "ListServerGroups", fields{"NextToken": "bm9uc2Vuc2U"}, 400, "InvalidParameter"},
		{"type", "AddServersToServerGroup", servers(with(ecs("10.0.0.1", 1), "ServerType", "Ip")), 400, "Mismatch.ServerType"},
		{"address", "AddServersToServerGroup", servers(with(ecs("i-x", 1), "ServerIp", "10.0.0.300")), 400, "IllegalParam.ServerIp"},
		{"ip group", "AddServersToServerGroup", fields{"ServerGroupId": "sgp-ip", "Servers": []fields{with(ecs("host", 1), "ServerType", "Ip")}}, 400, "IllegalParam.ServerIp"},
		{"in use", "DeleteServerGroup", fields{"ServerGroupId": "sgp-used"}, 400, "ResourceInUse.ServerGroup"},
		{"dry run passed", "AddServersToServerGroup", with(servers(ecs("i-x", 1)), "DryRun", true), 400, "DryRunOperation"},
		{"dry run failed", "AddServersToServerGroup", with(servers(ecs("i-1", 80)), "DryRun", true), 400, "Conflict.BackendServer"},
		{"no VPC", "CreateServerGroup", fields{"ServerGroupName": "web", "HealthCheckConfig": fields{"HealthCheckEnabled": true}}, 400, "MissingVpcId"},
		{"name", "CreateServerGroup", fields{"ServerGroupName": "1web", "ServerGroupType": "Fc", "HealthCheckConfig": fields{"HealthCheckEnabled": true}}, 400, "InvalidParameter"},
		{"no such operation", "AddServers", nil, 404, "InvalidApi.NotFound"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cloud := fakecloud.New()
			cloud.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-1", Servers: []fakecloud.BackendServer{
				{ID: "i-1", Port: 80}, {ID: "i-2", IP: "10.0.0.9", Port: 80},
			}})
			cloud.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-ip", Type: "Ip"})
			cloud.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-full", Servers: full})
			cloud.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-used", LoadBalancerIDs: []string{"alb-1"}})
			c := newClient(t, cloud.Config())
			before := c.alb("ListServerGroupServers", fields{"ServerGroupId": "sgp-1"})
			r := c.alb(tt.operation, tt.params)
			want(t, r, tt.status, tt.code)
			for _, name := range []string{"Message", "RequestId", "HostId"} {
				if r.at(name) == nil || r.at(name) == "" {
					t.Errorf("the envelope has no %s: %v", name, r.body)
				}
			}
			after := c.alb("ListServerGroupServers", fields{"ServerGroupId": "sgp-1"})
			equal(t, "servers", after.at("Servers"), before.at("Servers"))
			equal(t, "jobs", c.alb("ListAsynJobs", nil).len("Jobs"), 0)
		})
	}
}

func TestALBPrivateAddress(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	id := cloud.AddServerGroup(fakecloud.ServerGroup{Servers: []fakecloud.BackendServer{{ID: "i-1", Port: 80}}})
	c := newClient(t, cloud.Config())
	ip := c.alb("ListServerGroupServers", fields{"ServerGroupId": id}).at("Servers", 0, "ServerIp")
	want(t, c.alb("RemoveServersFromServerGroup", fields{
		"ServerGroupId": id, "Servers": []fields{with(ecs("i-1", 80), "ServerIp", ip)},
	}), 200, "")
}

func TestALBClientToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := virtual(t)
		id := cloud.AddServerGroup(fakecloud.ServerGroup{})
		add := fields{"ServerGroupId": id, "ClientToken": "token-1", "Servers": []fields{ecs("i-1", 80)}}
		want(t, c.alb("AddServersToServerGroup", with(add, "DryRun", true)), 400, "DryRunOperation")
		first := c.alb("AddServersToServerGroup", add)
		want(t, first, 200, "")
		again := c.alb("AddServersToServerGroup", add) // while the group is busy
		want(t, again, 200, "")
		advance(time.Minute)
		later := c.alb("AddServersToServerGroup", add)
		want(t, later, 200, "")
		equal(t, "job again", again.at("JobId"), first.at("JobId"))
		equal(t, "job later", later.at("JobId"), first.at("JobId"))
		if again.at("RequestId") == first.at("RequestId") {
			t.Error("two requests have one RequestId")
		}
		equal(t, "servers", c.alb("ListServerGroupServers", fields{"ServerGroupId": id}).at("TotalCount"), 1)
		want(t, c.alb("AddServersToServerGroup", with(add, "Servers", []fields{ecs("i-1", 81)})), 400, "IdempotentParameterMismatch")
		want(t, c.alb("RemoveServersFromServerGroup", add), 400, "IdempotentParameterMismatch")
		// A refused call leaves its token free.
		absent := fields{"ServerGroupId": id, "ClientToken": "token-2", "Servers": []fields{ecs("i-2", 80)}}
		want(t, c.alb("RemoveServersFromServerGroup", absent), 404, "ResourceNotFound.BackendServer")
		want(t, c.alb("AddServersToServerGroup", absent), 200, "")
	})
}

func TestALBGroupsAreIndependent(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	a, b := cloud.AddServerGroup(fakecloud.ServerGroup{}), cloud.AddServerGroup(fakecloud.ServerGroup{})
	c := newClient(t, cloud.Config())
	for _, id := range []string{a, b} {
		want(t, c.alb("AddServersToServerGroup", fields{"ServerGroupId": id, "Servers": []fields{ecs("i-1", 80)}}), 200, "")
	}
}

func TestALBGroupLife(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := virtual(t)
		r := c.alb("CreateServerGroup", fields{
			"ServerGroupName": "web", "VpcId": "vpc-1", "HealthCheckConfig": fields{"HealthCheckEnabled": true},
			"Tag": []fields{{"Key": "env", "Value": "prod"}},
		})
		want(t, r, 200, "")
		id := r.at("ServerGroupId")
		status := func() any {
			return c.alb("ListServerGroups", fields{"ServerGroupNames": []string{"web"}}).at("ServerGroups", 0, "ServerGroupStatus")
		}
		equal(t, "status", status(), "Creating")
		want(t, c.alb("DeleteServerGroup", fields{"ServerGroupId": id}), 400, "IncorrectStatus.ServerGroup")
		advance(2 * time.Second)
		equal(t, "status", status(), "Available")
		g := c.alb("ListServerGroups", fields{"Tag": []fields{{"Key": "env"}}}).at("ServerGroups", 0).(fields)
		equal(t, "default", g["Scheduler"], "Wrr")
		equal(t, "nested default", g["HealthCheckConfig"].(fields)["HealthCheckInterval"], 2)
		equal(t, "tags", g["Tags"], []any{fields{"Key": "env", "Value": "prod"}})
		want(t, c.alb("DeleteServerGroup", fields{"ServerGroupId": id}), 200, "")
		equal(t, "status", status(), "Deleting")
		advance(2 * time.Second)
		equal(t, "groups", c.alb("ListServerGroups", nil).len("ServerGroups"), 0)
		want(t, c.alb("DeleteServerGroup", fields{"ServerGroupId": id}), 404, "ResourceNotFound.ServerGroup")
		equal(t, "jobs", c.alb("ListAsynJobs", nil).at("TotalCount"), 2)
	})
}

func TestALBPages(t *testing.T) {
	t.Parallel()
	servers := make([]fakecloud.BackendServer, 101)
	for i := range servers {
		servers[i] = fakecloud.BackendServer{ID: fmt.Sprintf("i-%03d", i), Port: 80}
	}
	cloud := fakecloud.New()
	id := cloud.AddServerGroup(fakecloud.ServerGroup{Servers: servers})
	c := newClient(t, cloud.Config())
	for _, size := range []int{0, 1, 20, 100} {
		in := fields{"ServerGroupId": id}
		if size > 0 {
			in["MaxResults"] = size
		} else {
			size = 20
		}
		pages, seen := 0, 0
		for {
			r := c.alb("ListServerGroupServers", in)
			want(t, r, 200, "")
			equal(t, "TotalCount", r.at("TotalCount"), 101)
			equal(t, "first on the page", r.at("Servers", 0, "ServerId"), servers[seen].ID)
			pages, seen = pages+1, seen+r.len("Servers")
			if r.at("NextToken") == "" {
				break
			}
			in["NextToken"] = r.at("NextToken")
		}
		equal(t, "servers seen", seen, 101)
		equal(t, "pages", pages, (101+size-1)/size)
	}
	r := c.alb("ListServerGroupServers", fields{"ServerGroupId": id, "ServerIds": []string{"i-007", "i-none"}})
	equal(t, "filtered", r.at("TotalCount"), 1)
	token := c.alb("ListServerGroupServers", fields{"ServerGroupId": id, "MaxResults": 1}).at("NextToken")
	want(t, c.alb("ListServerGroups", fields{"NextToken": token}), 400, "InvalidParameter")
}
