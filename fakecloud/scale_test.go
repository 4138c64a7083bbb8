package fakecloud_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cloudlb/cloudlb/fakecloud"
)

const (
	scaleGroups  = 5000
	scaleMembers = 40 // of each group: 200,000
	scalePage    = 5
)

// big is a Cloud with many groups on one service.
type big struct {
	groups int
	// list reads a page of groups, members one group's members, all the next
	// page of the members of all groups where there is such a list, and change
	// sets the weight of a member of the group i.
	list, members func(i int) reply
	all           func(i int) reply
	change        func(i int) reply
}

func newBig(tb testing.TB, service string, groups int) big {
	cloud := fakecloud.New(
		fakecloud.WithoutBudgets(), fakecloud.WithRequestLog(100),
		fakecloud.WithJobDuration(0), fakecloud.WithConfiguringWindow(0), fakecloud.WithMemberInitial(0),
	)
	c := newClient(tb, cloud.Config())
	b := big{groups: groups}
	servers := make([]fakecloud.BackendServer, scaleMembers)
	members := make([]fakecloud.PoolMember, scaleMembers)
	hosts := make([]fakecloud.ChannelMember, scaleMembers)
	for i := range scaleMembers {
		address := fmt.Sprint("10.0.0.", i+1)
		servers[i] = fakecloud.BackendServer{ID: fmt.Sprint("i-", i), IP: address, Port: 80}
		members[i] = fakecloud.PoolMember{Address: address, Port: 80}
		hosts[i] = fakecloud.ChannelMember{Host: address}
	}
	id := func(i int) string { return fmt.Sprint(service, "-", i%groups) }
	weight := func(i int) int { return i / groups % 100 }
	for i := range groups {
		switch service {
		case "alb":
			cloud.AddServerGroup(fakecloud.ServerGroup{ID: id(i), Servers: servers})
		case "slb":
			cloud.AddVServerGroup(fakecloud.VServerGroup{ID: id(i), LoadBalancerID: fmt.Sprint("lb-", i/5), Servers: servers})
		case "elb":
			for k := range members {
				members[k].ID = fmt.Sprint("m-", i, "-", k)
			}
			cloud.AddPool(fakecloud.Pool{ID: id(i), Members: members})
		case "apig":
			cloud.AddVPCChannel(fakecloud.VPCChannel{ID: id(i), Name: fmt.Sprint("channel_", i), InstanceID: fmt.Sprint("gw-", i%10), Members: hosts})
		}
	}
	elb := "/v3/" + cloud.ProjectID() + "/elb/pools"
	channel := func(i int) string {
		return fmt.Sprint("/v2/", cloud.ProjectID(), "/apic/instances/gw-", i%groups%10, "/vpc-channels")
	}
	switch service {
	case "alb":
		b.list = func(int) reply { return c.alb("ListServerGroups", fields{"MaxResults": scalePage}) }
		token := ""
		b.all = func(int) reply {
			r := c.alb("ListServerGroupServers", fields{"MaxResults": scalePage, "NextToken": token})
			token, _ = r.at("NextToken").(string)
			return r
		}
		b.members = func(i int) reply { return c.alb("ListServerGroupServers", fields{"ServerGroupId": id(i)}) }
		b.change = func(i int) reply {
			return c.alb("UpdateServerGroupServersAttribute", fields{
				"ServerGroupId": id(i), "Servers": []fields{{"ServerId": "i-0", "ServerIp": "10.0.0.1", "ServerType": "Ecs", "Port": 80, "Weight": weight(i)}},
			})
		}
	case "slb":
		b.list = func(i int) reply {
			return c.slb("DescribeVServerGroups", fields{"LoadBalancerId": fmt.Sprint("lb-", i%(groups/5))})
		}
		b.members = func(i int) reply { return c.slb("DescribeVServerGroupAttribute", fields{"VServerGroupId": id(i)}) }
		b.change = func(i int) reply {
			return c.slb("SetVServerGroupAttribute", fields{
				"VServerGroupId": id(i), "BackendServers": []fields{{"ServerId": "i-0", "ServerIp": "10.0.0.1", "Port": 80, "Weight": weight(i)}},
			})
		}
	case "elb":
		b.list = func(int) reply { return c.rest("GET", fmt.Sprint(elb, "?limit=", scalePage), nil) }
		marker := ""
		b.all = func(int) reply {
			r := c.rest("GET", fmt.Sprint(strings.TrimSuffix(elb, "pools"), "members?limit=", scalePage, marker), nil)
			marker = ""
			if next, ok := r.at("page_info", "next_marker").(string); ok {
				marker = "&marker=" + next
			}
			return r
		}
		b.members = func(i int) reply { return c.rest("GET", elb+"/"+id(i)+"/members", nil) }
		b.change = func(i int) reply {
			return c.rest("PUT", fmt.Sprint(elb, "/", id(i), "/members/m-", i%groups, "-0"), fields{"member": fields{"weight": weight(i)}})
		}
	case "apig":
		b.list = func(i int) reply { return c.rest("GET", fmt.Sprint(channel(i), "?limit=", scalePage), nil) }
		b.members = func(i int) reply { return c.rest("GET", channel(i)+"/"+id(i)+"/members", nil) }
		b.change = func(i int) reply {
			return c.rest("POST", channel(i)+"/"+id(i)+"/members", fields{"members": []fields{{"host": "10.0.0.1", "port": 80, "weight": weight(i) + 1}}})
		}
	}
	return b
}

// TestScale counts memory allocations, which are the same on every machine: a
// change, a read of one group, and a page of all groups or of all their members
// cost the same in a cloud four times as large.
func TestScale(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts those of the whole process
	for _, service := range []string{"alb", "slb", "elb", "apig"} {
		small, large := newBig(t, service, 50), newBig(t, service, 200)
		for _, tt := range []struct {
			name         string
			small, large func(int) reply
		}{
			{"change", small.change, large.change},
			{"members", small.members, large.members},
			{"list", small.list, large.list},
			{"all members", small.all, large.all},
		} {
			if tt.small == nil {
				continue
			}
			measure := func(call func(int) reply) float64 {
				i := 0
				return testing.AllocsPerRun(10, func() {
					if r := call(i); r.status >= 300 {
						t.Fatalf("%s %s: %d %v", service, tt.name, r.status, r.body)
					}
					i++
				})
			}
			s, l := measure(tt.small), measure(tt.large)
			if l > s*1.2+50 {
				t.Errorf("%s %s: %.0f allocations with %d groups, %.0f with %d", service, tt.name, s, small.groups, l, large.groups)
			}
		}
	}
}

// BenchmarkScale is of one call in a cloud of 5,000 groups with 200,000
// members.
func BenchmarkScale(b *testing.B) {
	for _, service := range []string{"alb", "slb", "elb", "apig"} {
		b.Run(service, func(b *testing.B) {
			big := newBig(b, service, scaleGroups)
			for name, call := range map[string]func(int) reply{"change": big.change, "members": big.members, "list": big.list, "all": big.all} {
				if call == nil {
					continue
				}
				b.Run(name, func(b *testing.B) {
					b.ReportAllocs()
					for i := 0; b.Loop(); i++ {
						if r := call(i); r.status >= 300 {
							b.Fatalf("%d %v", r.status, r.body)
						}
					}
				})
			}
		})
	}
}
