package fakecloud_test

import (
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb/fakecloud"
)

// TestPagesCostWhatIsOnThem goes through every list that has pages, forwards
// and, where there is such a way, backwards: each entry comes once, and all
// pages together look at the entries once, or at one more per page.
func TestPagesCostWhatIsOnThem(t *testing.T) {
	t.Parallel()
	const n, size = 60, 7
	synctest.Test(t, func(t *testing.T) {
		cloud, c := virtual(t, fakecloud.WithoutBudgets(), fakecloud.WithJobExpiry(time.Hour))
		group := cloud.AddServerGroup(fakecloud.ServerGroup{})
		var servers []fakecloud.BackendServer
		var members []fakecloud.PoolMember
		var hosts []fakecloud.ChannelMember
		var rules []fakecloud.ListenerRule
		var names []string
		for i := range n {
			address := fmt.Sprint("10.0.0.", i)
			servers = append(servers, fakecloud.BackendServer{ID: fmt.Sprint("i-", i), Port: 80})
			members = append(members, fakecloud.PoolMember{Address: address, Port: 80})
			hosts = append(hosts, fakecloud.ChannelMember{Host: address})
			names = append(names, fmt.Sprint("group_", i))
			rules = append(rules, fakecloud.ListenerRule{})
			job := c.alb("UpdateServerGroupAttribute", fields{"ServerGroupId": group, "ServerGroupName": fmt.Sprint("name-", i)})
			want(t, job, 200, "")
			advance(2 * time.Second)
		}
		cloud.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-all", Servers: servers})
		listener := ""
		for i := range n - 2 {
			cloud.AddServerGroup(fakecloud.ServerGroup{Servers: []fakecloud.BackendServer{{ID: "i-1", Port: 81 + i}}})
			cloud.AddHealthCheckTemplate(fakecloud.HealthCheckTemplate{})
			listener = cloud.AddListener(fakecloud.Listener{ServerGroupIDs: []string{group}, Rules: rules[:n-1]})
			cloud.AddLoadBalancer("")
			cloud.AddPool(fakecloud.Pool{HealthMonitorID: fmt.Sprint("hm-", i), Members: members[:i%3]})
			cloud.AddLoadBalancerJob(fakecloud.LoadBalancerJob{})
			cloud.AddVPCChannel(fakecloud.VPCChannel{InstanceID: fmt.Sprint("gw-", i%3)})
		}
		pool := cloud.AddPool(fakecloud.Pool{Members: members})
		channel := cloud.AddVPCChannel(fakecloud.VPCChannel{InstanceID: "gw-all", Members: hosts, Groups: names})
		for i := range n - 1 {
			cloud.AddVPCChannel(fakecloud.VPCChannel{InstanceID: "gw-all", Name: fmt.Sprint("channel_", i)})
		}
		project := "/v2/" + cloud.ProjectID() + "/apic"
		elb := "/v3/" + cloud.ProjectID() + "/elb/"
		tests := []struct {
			list, rows, id string
			params         fields // of ALB
			url            string // of the others
			count          int
		}{
			{"ListServerGroupServers", "Servers", "", nil, "", 2*n - 2},
			{"ListServerGroupServers", "Servers", "ServerId", fields{"ServerGroupId": "sgp-all"}, "", n},
			{"ListServerGroups", "ServerGroups", "ServerGroupId", nil, "", n},
			{"ListAsynJobs", "Jobs", "Id", nil, "", n},
			{"ListListeners", "Listeners", "ListenerId", nil, "", n - 2},
			{"ListHealthCheckTemplates", "HealthCheckTemplates", "HealthCheckTemplateId", nil, "", n - 2},
			{"GetListenerHealthStatus", "RuleHealthStatus", "RuleId", fields{"ListenerId": listener, "IncludeRule": "true"}, "", n - 1},
			{"DescribeLoadBalancers", "LoadBalancer", "LoadBalancerId", nil, "", n - 2},
			{"ListPools", "pools", "id", nil, elb + "pools?", n - 1},
			{"ListAllMembers", "members", "id", nil, elb + "members?", n + n - 3},
			{"ListMembers", "members", "id", nil, elb + "pools/" + pool + "/members?", n},
			{"ListHealthMonitors", "healthmonitors", "id", nil, elb + "healthmonitors?", n - 2},
			{"ListJobs", "jobs", "job_id", nil, elb + "jobs?", n - 2},
			{"ListVpcChannelsV2", "vpc_channels", "id", nil, project + "/instances/gw-all/vpc-channels?", n},
			{"ListBackendInstancesV2", "members", "id", nil, project + "/instances/gw-all/vpc-channels/" + channel + "/members?", n},
			{"ListMemberGroups", "member_groups", "member_group_id", nil, project + "/instances/gw-all/vpc-channels/" + channel + "/member-groups?", n},
			{"ListProjectVpcChannelsV2", "project_vpc_channels", "id", nil, project + "/vpc-channels?", n + n - 2},
		}
		for _, tt := range tests {
			for _, back := range []string{"", "&page_reverse=true"} {
				if back != "" && (tt.url == "" || tt.url[:3] == "/v2") {
					continue
				}
				before, pages, seen, next := cloud.Visited(), 0, map[any]int{}, ""
				for {
					var r reply
					switch {
					case tt.list == "DescribeLoadBalancers":
						r = c.slb(tt.list, fields{"PageSize": size, "PageNumber": pages + 1})
						r.body, _ = r.at("LoadBalancers").(fields)
					case tt.url == "":
						params := fields{"MaxResults": size, "NextToken": next}
						maps.Copy(params, tt.params)
						r = c.alb(tt.list, params)
						next, _ = r.at("NextToken").(string)
					case tt.url[:3] == "/v2":
						r = c.rest("GET", fmt.Sprintf("%slimit=%d&offset=%d", tt.url, size, pages*size), nil)
					default:
						marker := ""
						if next != "" {
							marker = "&marker=" + next
						}
						r = c.rest("GET", fmt.Sprintf("%slimit=%d%s%s", tt.url, size, marker, back), nil)
						name := "next_marker"
						if back != "" {
							name = "previous_marker"
						}
						next, _ = r.at("page_info", name).(string)
					}
					if r.status != 200 {
						t.Fatalf("%s: %v", tt.list, r.body)
					}
					pages++
					for i := range r.len(tt.rows) {
						id := r.at(tt.rows, i, tt.id)
						if tt.id == "" {
							id = fmt.Sprint(r.at(tt.rows, i, "ServerId"), r.at(tt.rows, i, "Port"))
						}
						seen[id]++
					}
					last := next == ""
					if tt.list == "DescribeLoadBalancers" || tt.url != "" && tt.url[:3] == "/v2" {
						last = r.len(tt.rows) < size
					}
					if last {
						break
					}
				}
				if len(seen) != tt.count {
					t.Errorf("%s%s: %d of %d entries", tt.list, back, len(seen), tt.count)
				}
				for id, times := range seen {
					if times > 1 {
						t.Errorf("%s%s: %v came %d times", tt.list, back, id, times)
					}
				}
				if visited := cloud.Visited() - before; visited > tt.count+pages+1 {
					t.Errorf("%s%s: %d pages of %d entries looked at %d", tt.list, back, pages, tt.count, visited)
				}
			}
		}
	})
}

// TestPagesWhileTheListChanges: what came before stays away, what is new comes
// last, and the place of an entry that is gone is still a place.
func TestPagesWhileTheListChanges(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := virtual(t, fakecloud.WithJobDuration(0))
		var servers []fakecloud.BackendServer
		for i := range 6 {
			servers = append(servers, fakecloud.BackendServer{ID: fmt.Sprint("i-", i), Port: 80})
		}
		one := cloud.AddServerGroup(fakecloud.ServerGroup{Servers: servers[:3]})
		cloud.AddServerGroup(fakecloud.ServerGroup{Servers: servers[3:]})
		list := func(token any) (string, any) {
			r := c.alb("ListServerGroupServers", fields{"MaxResults": 2, "NextToken": token})
			want(t, r, 200, "")
			out := ""
			for i := range r.len("Servers") {
				out += fmt.Sprint(r.at("Servers", i, "ServerId"), " ")
			}
			return out, r.at("NextToken")
		}
		page, token := list("")
		equal(t, "first", page, "i-0 i-1 ")
		want(t, c.alb("RemoveServersFromServerGroup", fields{
			"ServerGroupId": one, "Servers": []fields{{"ServerId": "i-1", "ServerType": "Ecs", "Port": 80}},
		}), 200, "")
		want(t, c.alb("AddServersToServerGroup", fields{
			"ServerGroupId": one, "Servers": []fields{{"ServerId": "i-9", "ServerType": "Ecs", "Port": 80}},
		}), 200, "")
		page, token = list(token)
		equal(t, "second", page, "i-2 i-3 ")
		page, token = list(token)
		equal(t, "third", page, "i-4 i-5 ")
		page, token = list(token)
		equal(t, "last", page, "i-9 ")
		equal(t, "token", token, "")
		page, _ = list("")
		equal(t, "again", page, "i-0 i-2 ")
	})
}

// TestPagesOfTags: all pages together look through the tags once, and again when
// something has changed.
func TestPagesOfTags(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n = 100
		cloud, c := virtual(t, fakecloud.WithoutBudgets())
		tags := make(map[string]string)
		for i := range n {
			tags[fmt.Sprintf("key-%02d", i)] = "value"
		}
		group := cloud.AddServerGroup(fakecloud.ServerGroup{Tags: tags})
		list := func() (keys, visited int) {
			before, token := cloud.Visited(), ""
			for {
				r := c.alb("ListTagKeys", fields{"ResourceType": "servergroup", "MaxResults": 7, "NextToken": token})
				want(t, r, 200, "")
				keys += r.len("TagKeys")
				if token, _ = r.at("NextToken").(string); token == "" {
					return keys, cloud.Visited() - before
				}
			}
		}
		keys, visited := list()
		equal(t, "first", fmt.Sprint(keys, visited), "100 200")
		untag := fields{"ResourceType": "servergroup", "ResourceId": []string{group}, "TagKey": []string{"key-07"}}
		want(t, c.alb("UnTagResources", untag), 200, "")
		keys, visited = list()
		equal(t, "without one", fmt.Sprint(keys, visited), "99 198")
		cloud.AddListener(fakecloud.Listener{Tags: map[string]string{"more": ""}})
		cloud.AddServerGroup(fakecloud.ServerGroup{Tags: map[string]string{"more": ""}})
		keys, _ = list()
		equal(t, "with more", keys, 100)
		want(t, c.alb("DeleteServerGroup", fields{"ServerGroupId": group}), 200, "")
		advance(time.Minute)
		keys, _ = list()
		equal(t, "without the group", keys, 1)
	})
}
