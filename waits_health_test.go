package cloudlb_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/slb"
)

// healthCase is one situation in which somebody waits for health.
type healthCase struct {
	name  string
	steps map[string][]step
	// refused is said by the error at once; left is what never becomes healthy.
	refused []string
	left    []string
	most    time.Duration // of a good end
}

func (c healthCase) run(t *testing.T, wait func(ctx context.Context, t *testing.T, o *operations) error) {
	t.Run(c.name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			o := &operations{t: t, steps: c.steps}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
			defer cancel()
			start := time.Now()
			err := wait(ctx, t, o)
			switch {
			case c.refused != nil:
				checkInvalid(t, err, c.refused...)
				between(t, start, 1600*time.Millisecond, 2*time.Second)
			case c.left != nil:
				checkUnfinished(t, err, context.DeadlineExceeded, c.left...)
				for op := range o.steps {
					if n := o.count(op); n > 5*60/8+6 { // every 8 to 10 seconds
						t.Errorf("%s was asked %d times in 5 minutes", op, n)
					}
				}
			case err != nil:
				t.Error(err)
			default:
				between(t, start, 1600*time.Millisecond, max(c.most, 2*time.Second))
			}
		})
	})
}

func TestALBWaitHealthy(t *testing.T) {
	t.Parallel()
	server := func(id string, weight int, status string) string {
		return fmt.Sprintf(`{"ServerId":%q,"ServerIp":"192.0.2.1","Port":80,"Weight":%d,"Status":%q}`, id, weight, status)
	}
	group := func(list string) step { return ok(`{"RequestId":"REQ-1","Servers":[%s]}`, list) }
	health := func(enabled, bad, next string) step {
		return ok(`{"RequestId":"REQ-1","NextToken":%q,"ListenerHealthStatus":[{"ListenerId":"lsn-1","ServerGroupInfos":[{"ServerGroupId":"sgp-1","HealthCheckEnabled":%q,"NonNormalServers":[%s]}]}]}`, next, enabled, bad)
	}
	rule := func(group, bad string) step {
		return ok(`{"RequestId":"REQ-1","RuleHealthStatus":[{"RuleId":"rule-1","ServerGroupInfos":[{"ServerGroupId":%q,"HealthCheckEnabled":"on","NonNormalServers":[%s]}]}]}`, group, bad)
	}
	both := group(server("i-1", 100, "Available") + "," + server("i-2", 100, "Available"))
	sick := `{"ServerId":"i-2","ServerIp":"192.0.2.1","Port":80,"Status":"Unhealthy"}`
	of := func(servers step, health ...step) map[string][]step {
		return map[string][]step{"ListServerGroupServers": {servers}, "GetListenerHealthStatus": health}
	}
	for _, c := range []healthCase{
		{name: "healthy", steps: of(both, health("on", "", ""))},
		{name: "after a while", steps: of(both, health("on", sick, ""), health("on", "", "")), most: 5 * time.Second},
		{name: "another server is sick", steps: of(both, health("on", `{"ServerId":"i-9","Port":80,"Status":"Unhealthy"}`, ""))},
		{name: "another port is sick", steps: of(both, health("on", `{"ServerId":"i-2","ServerIp":"192.0.2.1","Port":81,"Status":"Unhealthy"}`, ""))},
		{name: "sick", steps: of(both, health("on", sick, "")), left: []string{"i-2:80"}},
		{name: "sick behind a rule", steps: of(both, rule("sgp-1", sick)), left: []string{"i-2:80"}},
		{name: "sick on the second page", steps: of(both, health("on", "", "next"), rule("sgp-1", sick), health("on", "", "next"), rule("sgp-1", "")), most: 5 * time.Second},
		{name: "not in service yet", steps: of(group(server("i-1", 100, "Available")+","+server("i-2", 100, "Adding")), health("on", "", "")), left: []string{"i-2:80"}},
		{name: "weight 0", steps: of(group(server("i-1", 100, "Available")+","+server("i-2", 0, "Available")), health("on", "", "")), refused: []string{"i-2:80 has weight 0", "weight of 1", "probe the application"}},
		{name: "not in the group", steps: of(group(server("i-1", 100, "Available")), health("on", "", "")), refused: []string{"i-2:80 is not in server group sgp-1", "add it"}},
		{name: "checks are off", steps: of(both, health("off", "", "")), refused: []string{"sgp-1 has health checks off", "turn them on"}},
		{name: "another group", steps: of(both, rule("sgp-2", "")), refused: []string{"sgp-1 is not used by listener lsn-1"}},
	} {
		c.run(t, func(ctx context.Context, t *testing.T, o *operations) error {
			return albOf(t, testConfig(o)).WaitHealthy(ctx, "lsn-1", "sgp-1", []alb.ServerRef{{ServerID: "i-1", Port: 80}, {ServerID: "i-2", Port: 80}})
		})
	}
}

// TestALBWaitHealthyEndlessPages: a list that never ends is an error, not a
// wait that never ends.
func TestALBWaitHealthyEndlessPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := &operations{t: t, steps: map[string][]step{
			"ListServerGroupServers":  {ok(`{"RequestId":"REQ-1","Servers":[{"ServerId":"i-1","Port":80,"Weight":100,"Status":"Available"}]}`)},
			"GetListenerHealthStatus": {ok(`{"RequestId":"REQ-1","NextToken":"again","ListenerHealthStatus":[]}`)},
		}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := albOf(t, testConfig(o)).WaitHealthy(ctx, "lsn-1", "sgp-1", []alb.ServerRef{{ServerID: "i-1", Port: 80}})
		if err == nil || ctx.Err() != nil || o.count("GetListenerHealthStatus") > 2 {
			t.Errorf("error %v after %d calls", err, o.count("GetListenerHealthStatus"))
		}
	})
}

func TestSLBWaitHealthy(t *testing.T) {
	t.Parallel()
	server := func(id string, weight int) string {
		return fmt.Sprintf(`{"ServerId":%q,"ServerIp":"192.0.2.1","Port":80,"Weight":%d,"Type":"ecs"}`, id, weight)
	}
	group := func(list string) step {
		return ok(`{"RequestId":"REQ-1","VServerGroupId":"rsp-1","LoadBalancerId":"lb-1","BackendServers":{"BackendServer":[%s]}}`, list)
	}
	state := func(id string, port, listener int, status string) string {
		return fmt.Sprintf(`{"ServerId":%q,"ServerIp":"192.0.2.1","Port":%d,"ListenerPort":%d,"Protocol":"http","ServerHealthStatus":%q}`, id, port, listener, status)
	}
	health := func(list string) step {
		return ok(`{"RequestId":"REQ-1","BackendServers":{"BackendServer":[%s]}}`, list)
	}
	used := func(listeners, rules string) step {
		return ok(`{"RequestId":"REQ-1","VServerGroups":{"VServerGroup":[{"VServerGroupId":"rsp-1","AssociatedObjects":{"Listeners":{"Listener":[%s]},"Rules":{"Rule":[%s]}}}]}}`, listeners, rules)
	}
	first := state("i-1", 80, 443, "normal")
	both := group(server("i-1", 100) + "," + server("i-2", 100))
	of := func(group step, health ...step) map[string][]step {
		return map[string][]step{"DescribeVServerGroupAttribute": {group}, "DescribeHealthStatus": health}
	}
	with := func(m map[string][]step, op string, s step) map[string][]step {
		m[op] = []step{s}
		return m
	}
	at := slb.HealthTarget{LoadBalancerID: "lb-1", VServerGroupID: "rsp-1", ListenerPort: 443}
	for _, c := range []healthCase{
		{name: "healthy", steps: of(both, health(first+","+state("i-2", 80, 443, "normal")))},
		{name: "after a while", steps: of(both, health(first+","+state("i-2", 80, 443, "abnormal")), health(first+","+state("i-2", 80, 443, "normal"))), most: 5 * time.Second},
		{name: "reported late", steps: of(both, health(first+","+state("i-9", 80, 443, "normal")), health(first+","+state("i-2", 80, 443, "normal"))), most: 5 * time.Second},
		{name: "another port is sick", steps: of(both, health(first+","+state("i-2", 80, 443, "normal")+","+state("i-2", 81, 443, "abnormal")))},
		{name: "sick", steps: of(both, health(first+","+state("i-2", 80, 443, "abnormal"))), left: []string{"i-2:80"}},
		{name: "sick behind one of two listeners", steps: of(both, health(first+","+state("i-2", 80, 443, "normal")+","+state("i-2", 80, 80, "abnormal"))), left: []string{"i-2:80"}},
		{name: "never reported", steps: of(both, health(first+","+state("i-9", 80, 443, "normal"))), left: []string{"i-2:80"}},
		{name: "none reported, but used", steps: with(of(both, health("")), "DescribeVServerGroups", used(`{"Port":443,"Protocol":"https"}`, "")), left: []string{"i-1:80", "i-2:80"}},
		{name: "none reported, but used by a rule", steps: with(of(both, health("")), "DescribeVServerGroups", used("", `{"RuleId":"rule-1"}`)), left: []string{"i-1:80", "i-2:80"}},
		{name: "used by another listener", steps: with(of(both, health("")), "DescribeVServerGroups", used(`{"Port":80,"Protocol":"http"}`, "")), refused: []string{"rsp-1 is not used by listener 443 of load balancer lb-1"}},
		{name: "weight 0", steps: of(group(server("i-1", 100)+","+server("i-2", 0)), health(first+","+state("i-2", 80, 443, "normal"))), refused: []string{"i-2:80 has weight 0", "weight of 1", "probe the application"}},
		{name: "not in the group", steps: of(group(server("i-1", 100)), health(first)), refused: []string{"i-2:80 is not in vServer group rsp-1", "add it"}},
		{name: "no checked listener", steps: of(both, aliError(404, "CheckedListenerNotFound", "no")), refused: []string{"listener 443 of load balancer lb-1 has no health check", "turn it on", "probe the application"}},
		{name: "unavailable", steps: of(both, health(first+","+state("i-2", 80, 443, "unavailable"))), refused: []string{"i-2:80 has no health check behind listener 443", "turn it on"}},
		{name: "unavailable behind another listener too", steps: of(both, health(first+","+state("i-2", 80, 443, "abnormal")+","+state("i-2", 80, 80, "unavailable"))), refused: []string{"behind listener 80"}},
		{
			name: "another load balancer's group", refused: []string{"rsp-1 belongs to load balancer lb-2, not lb-1"},
			steps: of(ok(`{"RequestId":"REQ-1","VServerGroupId":"rsp-1","LoadBalancerId":"lb-2","BackendServers":{"BackendServer":[]}}`), health("")),
		},
	} {
		c.run(t, func(ctx context.Context, t *testing.T, o *operations) error {
			return slbOf(t, testConfig(o)).WaitHealthy(ctx, at, []slb.ServerRef{{ServerID: "i-1", Port: 80}, {ServerID: "i-2", Port: 80}})
		})
	}

	// The default group has no ports of its own: each listener has one.
	balancer := func(weight int) step {
		return ok(`{"RequestId":"REQ-1","LoadBalancerId":"lb-1","BackendServers":{"BackendServer":[{"ServerId":"i-1","Weight":100},{"ServerId":"i-2","Weight":%d}]}}`, weight)
	}
	for _, c := range []healthCase{
		{name: "default group", steps: map[string][]step{"DescribeLoadBalancerAttribute": {balancer(100)}, "DescribeHealthStatus": {
			health(state("i-1", 8080, 80, "normal") + "," + state("i-2", 8080, 80, "normal") + "," + state("i-2", 9090, 443, "abnormal")),
			health(state("i-1", 8080, 80, "normal") + "," + state("i-2", 8080, 80, "normal") + "," + state("i-2", 9090, 443, "normal")),
		}}, most: 5 * time.Second},
		{name: "default group, weight 0", steps: map[string][]step{"DescribeLoadBalancerAttribute": {balancer(0)}, "DescribeHealthStatus": {health("")}}, refused: []string{"i-2:0 has weight 0"}},
	} {
		c.run(t, func(ctx context.Context, t *testing.T, o *operations) error {
			return slbOf(t, testConfig(o)).WaitHealthy(ctx, slb.HealthTarget{LoadBalancerID: "lb-1"}, []slb.ServerRef{{ServerID: "i-1", Port: 8080}, {ServerID: "i-2"}})
		})
	}
	healthCase{
		name: "default group, absent", refused: []string{"i-2:0 is not in the default group of load balancer lb-1"},
		steps: map[string][]step{
			"DescribeLoadBalancerAttribute": {ok(`{"RequestId":"REQ-1","LoadBalancerId":"lb-1","BackendServers":{"BackendServer":[]}}`)},
			"DescribeHealthStatus":          {health("")},
		},
	}.run(t, func(ctx context.Context, t *testing.T, o *operations) error {
		return slbOf(t, testConfig(o)).WaitHealthy(ctx, slb.HealthTarget{LoadBalancerID: "lb-1"}, []slb.ServerRef{{ServerID: "i-2"}})
	})
}

func TestELBWaitHealthy(t *testing.T) {
	t.Parallel()
	pool := func(monitor, algorithm string) step {
		return ok(`{"request_id":"req-1","pool":{"id":"pool-1","healthmonitor_id":%q,"lb_algorithm":%q}}`, monitor, algorithm)
	}
	member := func(id, state string, weight int, kind string) string {
		return fmt.Sprintf(`{"id":%q,"address":"192.0.2.1","protocol_port":80,"operating_status":%q,"weight":%d,"member_type":%q}`, id, state, weight, kind)
	}
	members := func(list string) step { return ok(`{"request_id":"req-1","members":[%s]}`, list) }
	of := func(pool step, list ...step) map[string][]step {
		return map[string][]step{"GET pools/pool-1": {pool}, "GET pools/pool-1/members": list}
	}
	plain := pool("monitor-1", "ROUND_ROBIN")
	online := members(member("m-1", "ONLINE", 1, "instance"))
	for _, c := range []healthCase{
		{name: "healthy", steps: of(plain, online)},
		{name: "after a while", steps: of(plain, members(member("m-1", "INITIAL", 1, "instance")), online), most: 5 * time.Second},
		{name: "offline", steps: of(plain, members(member("m-1", "OFFLINE", 1, "instance"))), left: []string{"m-1"}},
		{name: "unknown", steps: of(plain, members(member("m-1", "UNKNOWN", 1, "instance"))), left: []string{"m-1"}},
		{
			name: "offline behind one of two listeners", left: []string{"m-1"},
			steps: of(plain, members(`{"id":"m-1","weight":1,"operating_status":"ONLINE","status":[{"listener_id":"a","operating_status":"ONLINE"},{"listener_id":"b","operating_status":"OFFLINE"}]}`)),
		},
		{name: "no monitor", steps: of(pool("", "ROUND_ROBIN"), online), refused: []string{"pool-1 has no health monitor", "CreateHealthMonitor", "probe the application"}},
		{name: "monitor not in use", steps: of(plain, members(member("m-1", "NO_MONITOR", 1, "instance"))), refused: []string{"m-1 is not health-checked", "enable it"}},
		{name: "disabled", steps: of(plain, members(member("m-1", "DISABLED", 1, "instance"))), refused: []string{"m-1 is DISABLED"}},
		{name: "not in the pool", steps: of(plain, members(member("m-2", "ONLINE", 1, "instance"))), refused: []string{"m-1 is not in pool pool-1", "add it"}},
		{name: "weight 0", steps: of(plain, members(member("m-1", "ONLINE", 0, "instance"))), refused: []string{"m-1 has weight 0", "weight of 1", "WaitForMembers"}},
		{name: "weight 0, least connections", steps: of(pool("monitor-1", "LEAST_CONNECTIONS"), members(member("m-1", "ONLINE", 0, "instance"))), refused: []string{"m-1 has weight 0"}},
		{name: "weight 0, source IP", steps: of(pool("monitor-1", "SOURCE_IP"), members(member("m-1", "ONLINE", 0, "instance")))},
		{name: "weight 0, QUIC", steps: of(pool("monitor-1", "QUIC_CID"), members(member("m-1", "ONLINE", 0, "instance")))},
		{name: "weight 0, an IP member", steps: of(plain, members(member("m-1", "ONLINE", 0, "ip")))},
	} {
		c.run(t, func(ctx context.Context, t *testing.T, o *operations) error {
			return elbOf(t, testConfig(o), testProject).WaitHealthy(ctx, "pool-1", []elb.MemberRef{{ID: "m-1"}})
		})
	}
}

func TestAPIGWaitHealthy(t *testing.T) {
	t.Parallel()
	channel := func(kind int, check string) step {
		return ok(`{"id":"channel-1","name":"channel","type":%d%s}`, kind, check)
	}
	const check = `,"vpc_health_config":{"protocol":"TCP"}`
	member := func(id, health string, weight, status int) string {
		return fmt.Sprintf(`{"id":%q,"host":"192.0.2.1","port":80,"health_status":%q,"weight":%d,"status":%d}`, id, health, weight, status)
	}
	members := func(list string) step { return ok(`{"total":1,"members":[%s]}`, list) }
	of := func(channel step, list ...step) map[string][]step {
		return map[string][]step{"GET vpc-channels/channel-1": {channel}, "GET vpc-channels/channel-1/members": list}
	}
	healthy := members(member("m-1", "healthy", 1, 1))
	for _, c := range []healthCase{
		{name: "healthy", steps: of(channel(2, check), healthy)},
		{name: "after a while", steps: of(channel(2, check), members(member("m-1", "unknown", 1, 1)), members(member("m-1", "unhealthy", 1, 1)), healthy), most: 10 * time.Second},
		{name: "unhealthy", steps: of(channel(2, check), members(member("m-1", "unhealthy", 1, 1))), left: []string{"m-1"}},
		{name: "no health check", steps: of(channel(2, ""), members(member("m-1", "unknown", 1, 1))), refused: []string{"channel-1 has no health check", "UpdateHealthCheck", "probe the application"}},
		{name: "disabled", steps: of(channel(2, check), members(member("m-1", "unknown", 1, 2))), refused: []string{"m-1 is disabled (status 2)", "BatchEnableVpcChannelMembers"}},
		{name: "weight 0", steps: of(channel(2, check), members(member("m-1", "healthy", 0, 1))), refused: []string{"m-1 has weight 0", "weight of 1"}},
		{name: "microservices have no weight", steps: of(channel(3, check), members(member("m-1", "healthy", 0, 1)))},
		{name: "not in the channel", steps: of(channel(2, check), members(member("m-2", "healthy", 1, 1))), refused: []string{"m-1 is not in channel channel-1", "add it"}},
	} {
		c.run(t, func(ctx context.Context, t *testing.T, o *operations) error {
			return apigOf(t, testConfig(o), testProject, apig.APIGateway).WaitHealthy(ctx, "instance-1", "channel-1", []apig.MemberRef{{ID: "m-1"}})
		})
	}
	healthCase{name: "ROMA Connect"}.run(t, func(ctx context.Context, t *testing.T, o *operations) error {
		err := apigOf(t, testConfig(o), testProject, apig.ROMAConnect).WaitHealthy(ctx, "instance-1", "channel-1", []apig.MemberRef{{ID: "m-1"}})
		checkInvalid(t, err, "not possible on ROMA Connect", "probe the application", "apig.WithProduct(apig.APIGateway)")
		<-time.After(2 * time.Second)
		return nil
	})
}

// TestWaitHealthyOnTheEmulator: where the emulator has health.
func TestWaitHealthyOnTheEmulator(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const initial = time.Minute
		cloud := fakecloud.New(fakecloud.WithMemberInitial(initial))
		pool := cloud.AddPool(fakecloud.Pool{HealthMonitorID: "monitor-1"})
		lb := elbOf(t, cloud.Config(), cloud.ProjectID())
		must[*elb.BatchCreateMembersResponse](t)(lb.BatchCreateMembers(t.Context(), elb.BatchCreateMembersRequest{PoolID: pool, Members: []elb.BatchMemberSpec{{Address: "192.0.2.1", ProtocolPort: 80}}}))
		start := time.Now()
		looks := 0
		err := lb.WaitHealthy(soon(t), pool, []elb.MemberRef{{Address: "192.0.2.1", ProtocolPort: new(80)}}, cloudlb.WithProgress(func(cloudlb.Progress) { looks++ }))
		if err != nil {
			t.Fatal(err)
		}
		between(t, start, initial, initial+10*time.Second)
		if n := cloud.Calls("elb", "ListMembers"); n != looks || n > 12 {
			t.Errorf("%d calls, %d reports", n, looks)
		}

		channel := cloud.AddVPCChannel(fakecloud.VPCChannel{InstanceID: "instance-1", HealthCheck: true})
		gateway := apigOf(t, cloud.Config(), cloud.ProjectID(), apig.APIGateway)
		must[*apig.AddVpcChannelMembersResponse](t)(gateway.AddVpcChannelMembers(t.Context(), apig.AddVpcChannelMembersRequest{
			InstanceID: "instance-1", VpcChannelID: channel, Members: []apig.MemberSpec{{Host: "192.0.2.1", Weight: new(1)}},
		}))
		start = time.Now()
		if err := gateway.WaitHealthy(soon(t), "instance-1", channel, []apig.MemberRef{{Host: "192.0.2.1"}}); err != nil {
			t.Fatal(err)
		}
		between(t, start, initial, initial+10*time.Second)
	})
}
