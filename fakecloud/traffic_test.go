package fakecloud_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb/fakecloud"
)

// swapper replaces the server i-1 (10.0.0.1) by i-2 (10.0.0.2) on one service.
type swapper struct {
	target      string
	add, remove func()
	old         string
}

// settled is long enough for every change to take effect on every service.
const settled = 10 * time.Second

func swappers(t *testing.T, cloud *fakecloud.Cloud, c *client) map[string]swapper {
	server := []fakecloud.BackendServer{{ID: "i-1", Port: 80}}
	sgp := cloud.AddServerGroup(fakecloud.ServerGroup{Servers: server})
	rsp := cloud.AddVServerGroup(fakecloud.VServerGroup{Servers: server})
	pool := cloud.AddPool(fakecloud.Pool{HealthMonitorID: "hm-1", Members: []fakecloud.PoolMember{{ID: "m-1", Address: "10.0.0.1", Port: 80}}})
	cloud.AddVPCChannel(fakecloud.VPCChannel{
		ID: "vc-1", InstanceID: "gw-1", HealthCheck: true, Members: []fakecloud.ChannelMember{{ID: "m-1", Host: "10.0.0.1"}},
	})
	members := "/v3/" + cloud.ProjectID() + "/elb/pools/" + pool + "/members"
	channel := "/v2/" + cloud.ProjectID() + "/apic/instances/gw-1/vpc-channels/vc-1/members"
	alb := func(op string, s fields) func() {
		return func() { want(t, c.alb(op, fields{"ServerGroupId": sgp, "Servers": []fields{s}}), 200, "") }
	}
	slb := func(op string, s fields) func() {
		return func() { want(t, c.slb(op, fields{"VServerGroupId": rsp, "BackendServers": []fields{s}}), 200, "") }
	}
	rest := func(method, target string, body any, status int) func() {
		return func() { want(t, c.rest(method, target, body), status, "") }
	}
	return map[string]swapper{
		"alb": {
			target: sgp, old: "i-1",
			add:    alb("AddServersToServerGroup", ecs("i-2", 80)),
			remove: alb("RemoveServersFromServerGroup", ecs("i-1", 80)),
		},
		"slb": {
			target: rsp, old: "i-1",
			add:    slb("AddVServerGroupBackendServers", fields{"ServerId": "i-2", "Port": 80}),
			remove: slb("RemoveVServerGroupBackendServers", fields{"ServerId": "i-1", "Port": 80}),
		},
		"elb": {
			target: pool, old: "10.0.0.1",
			add:    rest("POST", members, fields{"member": fields{"address": "10.0.0.2", "protocol_port": 80}}, 201),
			remove: rest("DELETE", members+"/m-1", nil, 204),
		},
		"apig": {
			target: "vc-1", old: "10.0.0.1",
			add:    rest("POST", channel, fields{"members": []fields{{"host": "10.0.0.2"}}}, 201),
			remove: rest("DELETE", channel+"/m-1", nil, 204),
		},
	}
}

func TestTrafficOrderOfChange(t *testing.T) {
	t.Parallel()
	for _, service := range []string{"alb", "slb", "elb", "apig"} {
		for _, order := range []string{"add-wait-remove", "remove-wait-add", "stop-first", "stop-too-early"} {
			t.Run(service+"/"+order, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					cloud, c := virtual(t)
					s := swappers(t, cloud, c)[service]
					traffic := cloud.Traffic(s.target, 100)
					advance(settled)
					switch order {
					case "add-wait-remove":
						s.add()
						advance(settled)
						s.remove()
						advance(settled)
						traffic.Stopped(s.old)
					case "remove-wait-add":
						s.remove()
						advance(settled)
						s.add()
						advance(settled)
						traffic.Stopped(s.old)
					case "stop-first":
						traffic.Stopped(s.old)
						s.add()
						advance(settled)
						s.remove()
						advance(settled)
					case "stop-too-early":
						s.add()
						advance(settled)
						traffic.Stopped(s.old)
						advance(time.Second)
						s.remove()
						advance(settled)
					}
					advance(settled)
					r := traffic.Report()
					if got := r.Members["i-1:80"].Requests + r.Members["i-2:80"].Requests + r.Members["10.0.0.1:80"].Requests +
						r.Members["10.0.0.2:80"].Requests + r.Nowhere; got != r.Offered || len(r.Members) != 2 {
						t.Errorf("%d requests have a place of %d: %v", got, r.Offered, r)
					}
					if r.Offered < 3000 {
						t.Errorf("only %d offered", r.Offered)
					}
					switch lost := traffic.Lost(); order {
					case "add-wait-remove":
						if lost != 0 || r.Down != 0 {
							t.Error(r)
						}
					case "remove-wait-add":
						// ALB servers leave 2s after the request, and come 2s after it.
						if r.Nowhere < 1000 || r.Nowhere != int(r.Down/(10*time.Millisecond)) || lost != r.Nowhere {
							t.Error(r)
						}
					default:
						if r.Stopped == 0 || r.Nowhere != 0 || lost != r.Stopped {
							t.Error(r)
						}
					}
				})
			})
		}
	}
}

func TestTrafficDistribution(t *testing.T) {
	t.Parallel()
	three := func(weights ...int) []fakecloud.BackendServer {
		var out []fakecloud.BackendServer
		for i, w := range weights {
			out = append(out, fakecloud.BackendServer{ID: fmt.Sprint("i-", i+1), Port: 80, Weight: new(w)})
		}
		return out
	}
	pool := func(algorithm string, weights ...int) fakecloud.Pool {
		p := fakecloud.Pool{ID: "target", Algorithm: algorithm}
		for i, w := range weights {
			p.Members = append(p.Members, fakecloud.PoolMember{Address: fmt.Sprint("10.0.0.", i+1), Port: 80, Weight: new(w)})
		}
		return p
	}
	tests := []struct {
		name  string
		state fakecloud.State
		sick  []string
		want  string // requests of 1001 in 10.01s
	}{
		{"even", fakecloud.State{ServerGroups: []fakecloud.ServerGroup{{ID: "target", Servers: three(100, 100)}}}, nil, "map[i-1:80:501 i-2:80:500] 0"},
		{"by weight", fakecloud.State{VServerGroups: []fakecloud.VServerGroup{{ID: "target", Servers: three(5, 1, 1)}}}, nil, "map[i-1:80:715 i-2:80:143 i-3:80:143] 0"},
		{"weight 0", fakecloud.State{ServerGroups: []fakecloud.ServerGroup{{ID: "target", Servers: three(0, 1)}}}, nil, "map[i-1:80:0 i-2:80:1001] 0"},
		{"all of weight 0", fakecloud.State{ServerGroups: []fakecloud.ServerGroup{{ID: "target", Servers: three(0, 0)}}}, nil, "map[i-1:80:0 i-2:80:0] 1001"},
		{"unhealthy", fakecloud.State{ServerGroups: []fakecloud.ServerGroup{{ID: "target", Servers: three(1, 1)}}}, []string{"i-1"}, "map[i-1:80:0 i-2:80:1001] 0"},
		{"ALB, all unhealthy", fakecloud.State{ServerGroups: []fakecloud.ServerGroup{{ID: "target", Servers: three(1, 1)}}}, []string{"i-1", "i-2"}, "map[i-1:80:501 i-2:80:500] 0"},
		{"ALB, all unhealthy but one of weight 0", fakecloud.State{ServerGroups: []fakecloud.ServerGroup{{ID: "target", Servers: three(1, 0)}}}, []string{"i-1"}, "map[i-1:80:1001 i-2:80:0] 0"},
		{"SLB, all unhealthy", fakecloud.State{VServerGroups: []fakecloud.VServerGroup{{ID: "target", Servers: three(1, 1)}}}, []string{"i-1", "i-2"}, "map[i-1:80:0 i-2:80:0] 1001"},
		{"ROUND_ROBIN", fakecloud.State{Pools: []fakecloud.Pool{pool("ROUND_ROBIN", 0, 3, 1)}}, nil, "map[10.0.0.1:80:0 10.0.0.2:80:751 10.0.0.3:80:250] 0"},
		{"SOURCE_IP", fakecloud.State{Pools: []fakecloud.Pool{pool("SOURCE_IP", 0, 3, 1)}}, nil, "map[10.0.0.1:80:334 10.0.0.2:80:334 10.0.0.3:80:333] 0"},
		{
			"APIG", fakecloud.State{VPCChannels: []fakecloud.VPCChannel{{ID: "target", Members: []fakecloud.ChannelMember{
				{Host: "10.0.0.1", Weight: new(100)}, {Host: "10.0.0.2", Weight: new(100), Disabled: true}, {Host: "10.0.0.3", Port: 81, Weight: new(300)},
			}}}}, nil, "map[10.0.0.1:80:250 10.0.0.2:80:0 10.0.0.3:81:751] 0",
		},
		{
			"SLB, default group",
			fakecloud.State{ClassicLoadBalancers: []fakecloud.ClassicLoadBalancer{{ID: "target", Servers: three(3, 1)}}},
			nil,
			"map[i-1:0:751 i-2:0:250] 0",
		},
		{"no such target", fakecloud.State{}, nil, "map[] 1001"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud := fakecloud.New()
				cloud.Seed(tt.state)
				for _, s := range tt.sick {
					cloud.SetHealth(s, false)
				}
				at := cloud.Traffic("target", 100)
				looked := cloud.Traffic("target", 100)
				advance(5 * time.Second)
				looked.Report() // looking changes nothing
				advance(1)
				looked.Lost()
				advance(5*time.Second + 9*time.Millisecond)
				for _, traffic := range []*fakecloud.Traffic{at, looked} {
					r := traffic.Report()
					got := make(map[string]int)
					for name, m := range r.Members {
						got[name] = m.Requests
					}
					equal(t, "offered", r.Offered, 1001)
					equal(t, "requests", fmt.Sprint(got, " ", r.Lost()), tt.want)
				}
			})
		})
	}
}

// TestTrafficDrain has requests that run for a minute: a server may stop a
// minute after the last one, unless the service cuts them before.
func TestTrafficDrain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		drain func(t *testing.T, cloud *fakecloud.Cloud, c *client) (target string)
		wait  time.Duration
		cut   int // of its 5 requests a second
	}{
		{"weight 0 and a minute", drainALB(fields{"Weight": 0}, nil), time.Minute, 0},
		{"weight 0 and half a minute", drainALB(fields{"Weight": 0}, nil), 30 * time.Second, 149},
		{"removed", drainALB(nil, fields{"ConnectionDrainEnabled": false}), time.Minute, 0},
		{"removed, cut after 20s", drainALB(nil, fields{"ConnectionDrainEnabled": true, "ConnectionDrainTimeout": 20}), time.Hour, 199},
		{"removed, cut after 5 minutes", drainALB(nil, fields{"ConnectionDrainEnabled": true}), time.Hour, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud, c := virtual(t, fakecloud.WithJobDuration(time.Second))
				target := tt.drain(t, cloud, c)
				traffic := cloud.Traffic(target, 10, fakecloud.WithRequestDuration(time.Minute))
				advance(5 * time.Minute)
				c.alb("ListServerGroups", nil)
				leave(t, c, target)
				advance(time.Second)
				advance(tt.wait)
				traffic.Stopped("i-1")
				r := traffic.Report()
				if r.Members["i-1:80"].Cut != tt.cut || r.Lost() != tt.cut {
					t.Errorf("cut %d, want %d: %v", r.Members["i-1:80"].Cut, tt.cut, r)
				}
				advance(time.Hour)
				if traffic.Lost() != tt.cut {
					t.Errorf("later: %v", traffic.Report())
				}
			})
		})
	}
}

// leave takes i-1 out of a group made by drainALB, in the way that its name says.
func leave(t *testing.T, c *client, group string) {
	t.Helper()
	r := c.alb("ListServerGroups", fields{"ServerGroupIds": []string{group}})
	if r.at("ServerGroups", 0, "ServerGroupName") == "by-weight" {
		want(t, c.alb("UpdateServerGroupServersAttribute", fields{"ServerGroupId": group, "Servers": []fields{with(ecs("i-1", 80), "Weight", 0)}}), 200, "")
		return
	}
	want(t, c.alb("RemoveServersFromServerGroup", fields{"ServerGroupId": group, "Servers": []fields{ecs("i-1", 80)}}), 200, "")
}

// drainALB makes a group of i-1 and i-2 that share the requests.
func drainALB(weight, drain fields) func(*testing.T, *fakecloud.Cloud, *client) string {
	return func(t *testing.T, _ *fakecloud.Cloud, c *client) string {
		name := "by-weight"
		if weight == nil {
			name = "by-removal"
		}
		params := fields{"ServerGroupName": name, "VpcId": "vpc-1", "HealthCheckConfig": fields{"HealthCheckEnabled": true}}
		if drain != nil {
			params["ConnectionDrainConfig"] = drain
		}
		r := c.alb("CreateServerGroup", params)
		want(t, r, 200, "")
		group := r.at("ServerGroupId").(string)
		advance(time.Second)
		want(t, c.alb("AddServersToServerGroup", fields{"ServerGroupId": group, "Servers": []fields{ecs("i-1", 80), ecs("i-2", 80)}}), 200, "")
		advance(time.Second)
		return group
	}
}

// TestTrafficDrainELB has a TCP pool cut connections ten seconds after the
// weight became 0.
func TestTrafficDrainELB(t *testing.T) {
	t.Parallel()
	for protocol, cut := range map[string]int{"TCP": 249, "HTTP": 0} {
		t.Run(protocol, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud, c := virtual(t)
				cloud.AddPool(fakecloud.Pool{ID: "pool-0", LoadBalancerID: "elb-1"})
				pools := "/v3/" + cloud.ProjectID() + "/elb/pools"
				r := c.rest("POST", pools, fields{"pool": fields{
					"lb_algorithm": "ROUND_ROBIN", "protocol": protocol, "loadbalancer_id": "elb-1",
					"connection_drain": fields{"enable": true, "timeout": 10},
				}})
				want(t, r, 201, "")
				pool := r.at("pool", "id").(string)
				r = c.rest("POST", pools+"/"+pool+"/members/batch-add", fields{"members": []fields{
					{"address": "10.0.0.1", "protocol_port": 80}, {"address": "10.0.0.2", "protocol_port": 80},
				}})
				want(t, r, 201, "")
				member := r.at("members", 0, "id").(string)
				traffic := cloud.Traffic(pool, 10, fakecloud.WithRequestDuration(time.Minute))
				advance(5 * time.Minute)
				want(t, c.rest("PUT", pools+"/"+pool+"/members/"+member, fields{"member": fields{"weight": 0}}), 200, "")
				advance(time.Hour)
				traffic.Stopped(member)
				if r := traffic.Report(); r.Lost() != cut || r.Cut != cut {
					t.Errorf("cut %d, want %d: %v", r.Cut, cut, r)
				}
			})
		})
	}
}

// TestTrafficIsExact compares what is counted in one go with what is counted
// request by request.
func TestTrafficIsExact(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		random := rand.New(rand.NewPCG(1, 2))
		cloud := fakecloud.New()
		var whole, single []*fakecloud.Traffic
		for g := range 20 {
			group := fakecloud.VServerGroup{}
			for i := range 1 + random.IntN(6) {
				group.Servers = append(group.Servers, fakecloud.BackendServer{ID: fmt.Sprint("i-", i), Port: 80, Weight: new(random.IntN(101))})
			}
			id, rate := cloud.AddVServerGroup(group), 1+random.IntN(50)*g
			whole = append(whole, cloud.Traffic(id, rate))
			single = append(single, cloud.Traffic(id, rate, fakecloud.WithRequestDuration(time.Hour)))
		}
		for range 5 {
			advance(time.Duration(random.Int64N(int64(time.Minute))))
			for i := range whole {
				equal(t, "report", whole[i].Report(), single[i].Report())
			}
		}
	})
}

func TestTrafficInParallel(t *testing.T) {
	t.Parallel()
	cloud, c := virtual(t, fakecloud.WithConfiguringWindow(0))
	group := cloud.AddVServerGroup(fakecloud.VServerGroup{Servers: []fakecloud.BackendServer{{ID: "i-1", Port: 80}, {ID: "i-2", Port: 80}}})
	traffic := cloud.Traffic(group, 1_000_000)
	var done sync.WaitGroup
	for i := range 8 {
		done.Go(func() {
			for k := range 10 {
				traffic.Stopped("i-1")
				c.slb("SetVServerGroupAttribute", fields{"VServerGroupId": group, "BackendServers": []fields{{"ServerId": "i-2", "Port": 80, "Weight": 1 + i*k}}})
				traffic.Started("i-1")
				cloud.State()
			}
		})
	}
	done.Wait()
	traffic.End()
	r := traffic.Report()
	if got := r.Members["i-1:80"].Requests + r.Members["i-2:80"].Requests; got != r.Offered || r.Nowhere != 0 {
		t.Error(r)
	}
}

func TestTrafficReplaceIsAtomic(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := virtual(t, fakecloud.WithJobDuration(5*time.Second))
		group := cloud.AddServerGroup(fakecloud.ServerGroup{Servers: []fakecloud.BackendServer{{ID: "i-1", Port: 80}}})
		traffic := cloud.Traffic(group, 10)
		advance(5 * time.Second)
		want(t, c.alb("ReplaceServersInServerGroup", fields{
			"ServerGroupId": group, "AddedServers": []fields{ecs("i-2", 80)}, "RemovedServers": []fields{ecs("i-1", 80)},
		}), 200, "")
		advance(10 * time.Second)
		equal(t, "report", traffic.Report(), "150 requests, 0 lost: 0 with no member in service (0s), 0 sent to stopped members, 0 cut; i-1:80 got 100 i-2:80 got 50")
		traffic.Stopped("i-2")
		advance(time.Second)
		traffic.Started("i-2")
		advance(time.Second)
		traffic.End()
		advance(time.Hour)
		equal(t, "report", traffic.Report(), "170 requests, 10 lost: 0 with no member in service (0s), 10 sent to stopped members, 0 cut; i-1:80 got 100 i-2:80 got 70 and lost 10")
	})
}

// TestTrafficNoticesTheTest has the test itself change what is there.
func TestTrafficNoticesTheTest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New()
		cloud.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-1", Servers: []fakecloud.BackendServer{{ID: "i-1", Port: 80}, {ID: "i-2", Port: 80}}})
		traffic := cloud.Traffic("sgp-1", 10)
		advance(10 * time.Second)
		cloud.SetHealth("i-1", false)
		advance(10 * time.Second)
		cloud.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-1", Servers: []fakecloud.BackendServer{{ID: "i-3", Port: 80}}})
		advance(10 * time.Second)
		cloud.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-1"})
		advance(10 * time.Second)
		equal(t, "report", traffic.Report(), "400 requests, 100 lost: 100 with no member in service (10s), 0 sent to stopped members, 0 cut; i-1:80 got 50 i-2:80 got 150 i-3:80 got 100")
	})
}

func TestStateIsASeed(t *testing.T) {
	t.Parallel()
	state := fakecloud.State{
		ServerGroups: []fakecloud.ServerGroup{{
			ID: "sgp-1", Name: "web", Type: "Instance", Protocol: "HTTP", Scheduler: "Wlc", VPCID: "vpc-1",
			Tags: map[string]string{"env": "prod"}, LoadBalancerIDs: []string{"alb-1"},
			Servers: []fakecloud.BackendServer{{ID: "i-1", Type: "Ecs", IP: "10.0.0.1", Port: 80, Weight: new(0), Description: "first"}},
		}},
		Listeners: []fakecloud.Listener{{
			ID: "lsn-1", LoadBalancerID: "alb-1", Protocol: "HTTP", Port: 80, Status: "Running", ServerGroupIDs: []string{"sgp-1"},
		}},
		HealthCheckTemplates: []fakecloud.HealthCheckTemplate{{ID: "hct-1", Name: "check", Protocol: "HTTP", Path: "/up", Interval: 5}},
		ClassicLoadBalancers: []fakecloud.ClassicLoadBalancer{{
			ID: "lb-1", Name: "web", Servers: []fakecloud.BackendServer{{ID: "i-1", Type: "ecs", IP: "10.0.0.1", Weight: new(7)}},
			Listeners: []fakecloud.ClassicListener{{Port: 80, Protocol: "tcp", BackendPort: 80, GroupID: "rsp-1"}},
		}},
		VServerGroups: []fakecloud.VServerGroup{{
			ID: "rsp-1", Name: "web", LoadBalancerID: "lb-1", Tags: map[string]string{"env": "prod"},
			Servers: []fakecloud.BackendServer{{ID: "i-1", Type: "ecs", IP: "10.0.0.1", Port: 80, Weight: new(7)}},
		}},
		Pools: []fakecloud.Pool{{
			ID: "pool-1", Name: "web", Protocol: "TCP", Algorithm: "SOURCE_IP", LoadBalancerID: "elb-1", ListenerID: "lis-1",
			HealthMonitorID: "hm-1", DeletionProtection: true,
			Members: []fakecloud.PoolMember{{ID: "m-1", Name: "one", Address: "10.0.0.1", Port: 80, Weight: new(3), SubnetCIDRID: "subnet-1"}},
		}},
		VPCChannels: []fakecloud.VPCChannel{{
			ID: "vc-1", Name: "web_1", InstanceID: "gw-1", Port: 80, MemberType: "ip", HealthCheck: true, Groups: []string{"blue"},
			GroupSettings: map[string]map[string]any{"blue": {"member_group_id": "group-1"}},
			More:          map[string]any{"vpc_health_config": map[string]any{"id": "check-1"}},
			Members:       []fakecloud.ChannelMember{{ID: "m-1", Host: "10.0.0.1", Port: 81, Weight: new(9), Group: "blue", Disabled: true}},
		}},
	}
	cloud := fakecloud.New()
	equal(t, "IDs", cloud.Seed(state), "[sgp-1 lsn-1 hct-1 rsp-1 lb-1 pool-1 vc-1]")
	copied := fakecloud.New()
	copied.Seed(cloud.State())
	equal(t, "state", asJSON(t, cloud.State()), asJSON(t, state))
	equal(t, "state of a copy", asJSON(t, copied.State()), asJSON(t, state))
}

func TestRequestByID(t *testing.T) {
	t.Parallel()
	cloud, c := virtual(t)
	r := c.alb("ListServerGroups", fields{"MaxResults": 7})
	c.alb("ListServerGroups", nil)
	got, ok := cloud.RequestByID(r.at("RequestId").(string))
	if !ok || got.Params["MaxResults"] != int64(7) || got.Operation != "ListServerGroups" {
		t.Errorf("got %v, %v", got, ok)
	}
	if _, ok := cloud.RequestByID("none"); ok {
		t.Error("found a request that was never made")
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
