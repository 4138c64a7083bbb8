package cloudlb_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/slb"
)

// stateWaits is every wait for a state, on scripted answers: not there yet for
// good, there after one more look, and a poll that fails.
var stateWaits = []struct {
	name    string
	polled  string // the operation that is asked
	pending step
	reached step
	denied  step
	down    step
	left    []string
	wait    func(t testing.TB, o *operations, ctx context.Context, opts ...cloudlb.WaitOption) error
}{
	{
		"alb.WaitForServerGroup", "ListServerGroups",
		ok(`{"RequestId":"REQ-1","ServerGroups":[{"ServerGroupId":"sgp-1","ServerGroupStatus":"Configuring"}]}`),
		ok(`{"RequestId":"REQ-1","ServerGroups":[{"ServerGroupId":"sgp-1","ServerGroupStatus":"Available"}]}`),
		aliError(403, "Forbidden.RAM", "no"), aliError(503, "ServiceUnavailable", "later"),
		[]string{"sgp-1"},
		func(t testing.TB, o *operations, ctx context.Context, opts ...cloudlb.WaitOption) error {
			group, err := albOf(t, impatient(o)).WaitForServerGroup(ctx, "sgp-1", opts...)
			if err == nil && (group.ServerGroupID != "sgp-1" || group.ServerGroupStatus != alb.ServerGroupStatusAvailable) {
				t.Errorf("group %+v", group)
			}
			return err
		},
	},
	{
		"alb.WaitForServers", "ListServerGroupServers",
		ok(`{"RequestId":"REQ-1","Servers":[{"ServerId":"i-1","Port":80,"Status":"Adding"}]}`),
		ok(`{"RequestId":"REQ-1","Servers":[{"ServerId":"i-2","Port":80,"Status":"Available"},{"ServerId":"i-1","Port":80,"Status":"Available"}]}`),
		aliError(403, "Forbidden.RAM", "no"), aliError(503, "ServiceUnavailable", "later"),
		[]string{"i-1:80", "i-2:80"},
		func(t testing.TB, o *operations, ctx context.Context, opts ...cloudlb.WaitOption) error {
			servers, err := albOf(t, impatient(o)).WaitForServers(ctx, "sgp-1", []alb.ServerRef{{ServerID: "i-1", Port: 80}, {ServerID: "i-2", Port: 80}}, opts...)
			if err == nil && (len(servers) != 2 || servers[0].ServerID != "i-1" || servers[1].ServerID != "i-2") {
				t.Errorf("servers %+v", servers)
			}
			return err
		},
	},
	{
		"alb.WaitForServersGone", "ListServerGroupServers",
		ok(`{"RequestId":"REQ-1","Servers":[{"ServerId":"i-1","Port":80,"Status":"Removing"}]}`), ok(`{"RequestId":"REQ-1","Servers":[]}`),
		aliError(403, "Forbidden.RAM", "no"), aliError(503, "ServiceUnavailable", "later"),
		[]string{"i-1:80"},
		func(t testing.TB, o *operations, ctx context.Context, opts ...cloudlb.WaitOption) error {
			return albOf(t, impatient(o)).WaitForServersGone(ctx, "sgp-1", []alb.ServerRef{{ServerID: "i-1", Port: 80}}, opts...)
		},
	},
	{
		"slb.WaitForVServerGroup", "SetVServerGroupAttribute",
		aliError(400, "VServerGroupProcessing", "pending"), ok(`{"RequestId":"REQ-1","VServerGroupId":"rsp-1"}`),
		aliError(403, "Forbidden.RAM", "no"), aliError(500, "InternalError", "sorry"),
		[]string{"rsp-1"},
		func(t testing.TB, o *operations, ctx context.Context, opts ...cloudlb.WaitOption) error {
			o.steps["DescribeVServerGroupAttribute"] = []step{ok(`{"RequestId":"REQ-1","VServerGroupId":"rsp-1","VServerGroupName":"web"}`)}
			return slbOf(t, impatient(o)).WaitForVServerGroup(ctx, "rsp-1", opts...)
		},
	},
	{
		"elb.WaitForMembers", "GET pools/pool-1/members",
		ok(`{"request_id":"req-1","members":[{"id":"m-1","operating_status":"INITIAL"}]}`),
		ok(`{"request_id":"req-1","members":[{"id":"m-1","operating_status":"ONLINE"}]}`),
		huaweiError(403, "APIGW.0302", "no"), huaweiError(503, "ELB.8906", "later"),
		[]string{"m-1"},
		func(t testing.TB, o *operations, ctx context.Context, opts ...cloudlb.WaitOption) error {
			members, err := elbOf(t, impatient(o), testProject).WaitForMembers(ctx, "pool-1", []elb.MemberRef{{ID: "m-1"}}, opts...)
			if err == nil && (len(members) != 1 || members[0].ID != "m-1") {
				t.Errorf("members %+v", members)
			}
			return err
		},
	},
	{
		"elb.WaitForMembersGone", "GET pools/pool-1/members",
		ok(`{"request_id":"req-1","members":[{"id":"m-1","address":"192.0.2.1","protocol_port":80}]}`), ok(`{"request_id":"req-1","members":[]}`),
		huaweiError(403, "APIGW.0302", "no"), huaweiError(503, "ELB.8906", "later"),
		[]string{"192.0.2.1:80"},
		func(t testing.TB, o *operations, ctx context.Context, opts ...cloudlb.WaitOption) error {
			return elbOf(t, impatient(o), testProject).WaitForMembersGone(ctx, "pool-1", []elb.MemberRef{{Address: "192.0.2.1", ProtocolPort: new(80)}}, opts...)
		},
	},
	{
		"elb.WaitForLoadBalancer", "GET loadbalancers/lb-1/statuses",
		ok(`{"request_id":"req-1","statuses":{"loadbalancer":{"id":"lb-1","provisioning_status":"PENDING_UPDATE"}}}`),
		ok(`{"request_id":"req-1","statuses":{"loadbalancer":{"id":"lb-1","provisioning_status":"ACTIVE"}}}`),
		huaweiError(403, "APIGW.0302", "no"), huaweiError(503, "ELB.8906", "later"),
		[]string{"lb-1"},
		func(t testing.TB, o *operations, ctx context.Context, opts ...cloudlb.WaitOption) error {
			lb, err := elbOf(t, impatient(o), testProject).WaitForLoadBalancer(ctx, "lb-1", opts...)
			if err == nil && lb.ID != "lb-1" {
				t.Errorf("load balancer %+v", lb)
			}
			return err
		},
	},
	{
		"apig.WaitForMembers", "GET vpc-channels/channel-1/members",
		ok(`{"total":1,"members":[{"id":"m-1","host":"192.0.2.1","port":80,"status":2}]}`),
		ok(`{"total":1,"members":[{"id":"m-1","host":"192.0.2.1","port":80,"status":1}]}`),
		huaweiError(403, "APIGW.0302", "no"), huaweiError(503, "APIG.9005", "later"),
		[]string{"192.0.2.1:80"},
		func(t testing.TB, o *operations, ctx context.Context, opts ...cloudlb.WaitOption) error {
			members, err := apigOf(t, impatient(o), testProject, apig.ROMAConnect).WaitForMembers(ctx, "instance-1", "channel-1", []apig.MemberRef{{Host: "192.0.2.1", Port: 80}}, opts...)
			if err == nil && (len(members) != 1 || members[0].ID != "m-1") {
				t.Errorf("members %+v", members)
			}
			return err
		},
	},
}

func TestStateWaits(t *testing.T) {
	t.Parallel()
	for _, c := range stateWaits {
		run := func(name string, f func(t *testing.T, o *operations)) {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { f(t, &operations{t: t, steps: make(map[string][]step)}) })
			})
		}
		run("reached", func(t *testing.T, o *operations) {
			o.steps[c.polled] = []step{c.pending, c.pending, c.reached}
			start := time.Now()
			var reports []cloudlb.Progress
			err := c.wait(t, o, soon(t), cloudlb.WithProgress(func(p cloudlb.Progress) { reports = append(reports, p) }))
			if err != nil {
				t.Fatal(err)
			}
			between(t, start, 3500*time.Millisecond, 4750*time.Millisecond)
			if len(reports) != 3 {
				t.Fatalf("%d reports, want 3", len(reports))
			}
			for i, p := range reports {
				names := slices.Sorted(slices.Values(slices.Concat(p.Done, p.Left)))
				if p.Looks != i+1 || !slices.Equal(names, c.left) || (len(p.Left) == 0) != (i == 2) || p.Elapsed <= 0 {
					t.Errorf("report %d: %+v", i, p)
				}
			}
			gap := o.times(c.polled)
			if d := gap[0].Sub(start); d < 800*time.Millisecond || d > time.Second {
				t.Errorf("the first look was after %s", d)
			}
		})
		run("context ends", func(t *testing.T, o *operations) {
			o.steps[c.polled] = []step{c.pending}
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			start := time.Now()
			err := c.wait(t, o, ctx)
			between(t, start, 30*time.Second, 30*time.Second)
			checkUnfinished(t, err, context.DeadlineExceeded, c.left...)
			at := o.times(c.polled)
			if d := at[len(at)-1].Sub(at[len(at)-2]); d < 4*time.Second || d > 5*time.Second {
				t.Errorf("the last pause is %s, want 4s to 5s", d)
			}
		})
		run("context ends in flight", func(t *testing.T, o *operations) {
			o.steps[c.polled] = []step{c.pending, hangs}
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(10*time.Second, cancel)
			start := time.Now()
			err := c.wait(t, o, ctx)
			between(t, start, 10*time.Second, 10*time.Second)
			checkUnfinished(t, err, context.Canceled, c.left...)
		})
		run("denied", func(t *testing.T, o *operations) {
			o.steps[c.polled] = []step{c.pending, c.denied}
			if err := c.wait(t, o, soon(t)); !errors.Is(err, cloudlb.ErrDenied) || errors.Is(err, cloudlb.ErrUnfinished) {
				t.Errorf("error %v", err)
			}
			if n := o.count(c.polled); n != 2 {
				t.Errorf("%d polls, want 2", n)
			}
		})
		run("five failures", func(t *testing.T, o *operations) {
			o.steps[c.polled] = append(slices.Repeat([]step{c.down}, 5), c.reached)
			if err := c.wait(t, o, soon(t)); err != nil {
				t.Error(err)
			}
		})
		run("six failures", func(t *testing.T, o *operations) {
			o.steps[c.polled] = append(slices.Repeat([]step{c.down}, 6), c.reached)
			err := c.wait(t, o, soon(t))
			if !errors.Is(err, cloudlb.ErrUnfinished) || !errors.Is(err, cloudlb.ErrUnavailable) {
				t.Errorf("error %v", err)
			}
			if w := waitError(t, err); !slices.Equal(w.Left, c.left) || w.Looks != 6 {
				t.Errorf("wait error %+v", w)
			}
		})
		run("throttled", func(t *testing.T, o *operations) {
			slow := answers(429, `{"Code":"Throttling.User","Message":"slow down","error_code":"APIGW.0308","error_msg":"slow down"}`)
			o.steps[c.polled] = append(slices.Repeat([]step{slow}, 12), c.reached)
			start := time.Now()
			if err := c.wait(t, o, soon(t)); err != nil {
				t.Error(err)
			}
			between(t, start, 2*time.Minute, 6*time.Minute)
		})
	}
}

// TestEmptyWaits: nothing is not the same as all of it, unless it is asked for.
func TestEmptyWaits(t *testing.T) {
	t.Parallel()
	cfg := testConfig(newScript(t))
	alb, slbc, elbc := albOf(t, cfg), slbOf(t, cfg), elbOf(t, cfg, testProject)
	roma, gateway := apigOf(t, cfg, testProject, apig.ROMAConnect), apigOf(t, cfg, testProject, apig.APIGateway)
	ctx := t.Context()
	for name, wait := range map[string]func(opts ...cloudlb.WaitOption) error{
		"alb.WaitForServers": func(opts ...cloudlb.WaitOption) error {
			return second(alb.WaitForServers(ctx, "sgp-1", nil, opts...))
		},
		"alb.WaitForServersGone": func(opts ...cloudlb.WaitOption) error {
			return alb.WaitForServersGone(ctx, "sgp-1", nil, opts...)
		},
		"alb.WaitHealthy": func(opts ...cloudlb.WaitOption) error {
			return alb.WaitHealthy(ctx, "lsn-1", "sgp-1", nil, opts...)
		},
		"slb.WaitHealthy": func(opts ...cloudlb.WaitOption) error {
			return slbc.WaitHealthy(ctx, slb.HealthTarget{LoadBalancerID: "lb-1"}, nil, opts...)
		},
		"elb.WaitForMembers": func(opts ...cloudlb.WaitOption) error {
			return second(elbc.WaitForMembers(ctx, "pool-1", nil, opts...))
		},
		"elb.WaitForMembersGone": func(opts ...cloudlb.WaitOption) error {
			return elbc.WaitForMembersGone(ctx, "pool-1", nil, opts...)
		},
		"elb.WaitHealthy": func(opts ...cloudlb.WaitOption) error {
			return elbc.WaitHealthy(ctx, "pool-1", nil, opts...)
		},
		"apig.WaitForMembers": func(opts ...cloudlb.WaitOption) error {
			return second(roma.WaitForMembers(ctx, "instance-1", "channel-1", nil, opts...))
		},
		"apig.WaitHealthy": func(opts ...cloudlb.WaitOption) error {
			return gateway.WaitHealthy(ctx, "instance-1", "channel-1", nil, opts...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkInvalid(t, wait(), "refs is empty")
			if err := wait(cloudlb.AllowEmpty()); err != nil {
				t.Errorf("asked for: %v", err)
			}
		})
	}
}

// TestRefusedWaits: a wait that misses what it needs makes no call.
func TestRefusedWaits(t *testing.T) {
	t.Parallel()
	cfg := testConfig(newScript(t))
	lb, slbc, elbc := albOf(t, cfg), slbOf(t, cfg), elbOf(t, cfg, testProject)
	roma, gateway := apigOf(t, cfg, testProject, apig.ROMAConnect), apigOf(t, cfg, testProject, apig.APIGateway)
	ctx := t.Context()
	servers := []alb.ServerRef{{ServerID: "i-1", Port: 80}}
	members := []apig.MemberRef{{ID: "m-1"}}
	for want, err := range map[string]error{
		"alb WaitForServerGroup: serverGroupID":      second(lb.WaitForServerGroup(ctx, "")),
		"alb WaitForServers: serverGroupID":          second(lb.WaitForServers(ctx, "", servers)),
		"alb WaitForServersGone: serverGroupID":      lb.WaitForServersGone(ctx, "", servers),
		"alb WaitHealthy: listenerID":                lb.WaitHealthy(ctx, "", "sgp-1", servers),
		"alb WaitHealthy: serverGroupID":             lb.WaitHealthy(ctx, "lsn-1", "", servers),
		"slb WaitForVServerGroup: vServerGroupID":    slbc.WaitForVServerGroup(ctx, ""),
		"slb WaitHealthy: LoadBalancerID":            slbc.WaitHealthy(ctx, slb.HealthTarget{}, []slb.ServerRef{{ServerID: "i-1"}}),
		"slb WaitHealthy: refs[0] names nothing":     slbc.WaitHealthy(ctx, slb.HealthTarget{LoadBalancerID: "lb-1"}, []slb.ServerRef{{Port: 80}}),
		"elb WaitForMembers: poolID":                 second(elbc.WaitForMembers(ctx, "", []elb.MemberRef{{ID: "m-1"}})),
		"elb WaitForMembers: refs[1] names nothing":  second(elbc.WaitForMembers(ctx, "pool-1", []elb.MemberRef{{ID: "m-1"}, {ProtocolPort: new(80)}})),
		"elb WaitForMembersGone: poolID":             elbc.WaitForMembersGone(ctx, "", []elb.MemberRef{{ID: "m-1"}}),
		"elb WaitHealthy: poolID":                    elbc.WaitHealthy(ctx, "", []elb.MemberRef{{ID: "m-1"}}),
		"elb WaitForLoadBalancer: loadBalancerID":    second(elbc.WaitForLoadBalancer(ctx, "")),
		"elb WaitForJob: jobID":                      second(elbc.WaitForJob(ctx, "")),
		"elb WaitForMemberCheck: jobID":              second(elbc.WaitForMemberCheck(ctx, "")),
		"apig WaitForMembers: instanceID":            second(roma.WaitForMembers(ctx, "", "channel-1", members)),
		"apig WaitForMembers: vpcChannelID":          second(roma.WaitForMembers(ctx, "instance-1", "", members)),
		"apig WaitForMembers: refs[0] names nothing": second(roma.WaitForMembers(ctx, "instance-1", "channel-1", []apig.MemberRef{{Port: 80, MemberGroupName: "blue"}})),
		"apig WaitHealthy: vpcChannelID":             gateway.WaitHealthy(ctx, "instance-1", "", members),
		"apig WaitHealthy: is not possible on ROMA":  roma.WaitHealthy(ctx, "instance-1", "channel-1", members),
	} {
		checkInvalid(t, err, want)
	}
}

// TestWaitsOnNilClients: no panic.
func TestWaitsOnNilClients(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx := soon(t)
		var a *alb.Client
		var s *slb.Client
		var e *elb.Client
		var g *apig.Client
		for i, err := range []error{
			second(a.WaitForServerGroup(ctx, "sgp-1")), second(a.WaitForServers(ctx, "sgp-1", []alb.ServerRef{{ServerID: "i-1"}})),
			a.WaitHealthy(ctx, "lsn-1", "sgp-1", []alb.ServerRef{{ServerID: "i-1"}}),
			s.WaitForVServerGroup(ctx, "rsp-1"), s.WaitHealthy(ctx, slb.HealthTarget{LoadBalancerID: "lb-1"}, []slb.ServerRef{{ServerID: "i-1"}}),
			second(e.WaitForMembers(ctx, "pool-1", []elb.MemberRef{{ID: "m-1"}})), e.WaitHealthy(ctx, "pool-1", []elb.MemberRef{{ID: "m-1"}}),
			second(e.WaitForLoadBalancer(ctx, "lb-1")),
			second(g.WaitForMembers(ctx, "instance-1", "channel-1", []apig.MemberRef{{ID: "m-1"}})),
			g.WaitHealthy(ctx, "instance-1", "channel-1", []apig.MemberRef{{ID: "m-1"}}),
		} {
			if !errors.Is(err, cloudlb.ErrInvalid) {
				t.Errorf("%d: %v", i, err)
			}
		}
	})
}

// TestWaitForServersOnTheEmulator adds, waits, removes and waits.
func TestWaitForServersOnTheEmulator(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const job = 12 * time.Second
		cloud := fakecloud.New(fakecloud.WithJobDuration(job))
		group := newGroup(cloud, "i-0")
		lb := albOf(t, cloud.Config())
		req := alb.AddServersToServerGroupRequest{ServerGroupID: group}
		var refs []alb.ServerRef
		for i := range 150 { // more than a page
			id := fmt.Sprintf("i-%03d", i)
			req.Servers = append(req.Servers, alb.AddedServer{ServerID: id, ServerType: alb.ServerTypeEcs, Port: 80})
			refs = append(refs, alb.ServerRef{ServerID: id, Port: 80})
		}
		slices.Reverse(refs)
		start := time.Now()
		must[*alb.AddServersToServerGroupResponse](t)(lb.AddServersToServerGroup(t.Context(), req))
		servers := must[[]alb.Server](t)(lb.WaitForServers(soon(t), group, refs))
		between(t, start, job, job+jobInterval)
		if len(servers) != 150 || servers[0].ServerID != "i-149" || servers[149].ServerID != "i-000" || servers[7].Status != alb.ServerStatusAvailable {
			t.Errorf("%d servers, the first %+v", len(servers), servers[0])
		}

		start = time.Now()
		remove := alb.RemoveServersFromServerGroupRequest{ServerGroupID: group}
		for _, s := range servers {
			remove.Servers = append(remove.Servers, alb.RemovedServer{ServerID: s.ServerID, ServerType: s.ServerType, ServerIP: s.ServerIP, Port: s.Port})
		}
		must[*alb.RemoveServersFromServerGroupResponse](t)(lb.RemoveServersFromServerGroup(t.Context(), remove))
		if err := lb.WaitForServersGone(soon(t), group, refs); err != nil {
			t.Fatal(err)
		}
		between(t, start, job, job+jobInterval)
		must[alb.ServerGroup](t)(lb.WaitForServerGroup(soon(t), group))

		// What never comes is named.
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := lb.WaitForServers(ctx, group, []alb.ServerRef{{ServerID: "i-0", Port: 80}, {ServerID: "i-0", ServerIP: "192.0.2.1", Port: 80}, {ServerID: "i-9", Port: 80}})
		checkUnfinished(t, err, context.DeadlineExceeded, "i-0(192.0.2.1):80", "i-9:80")

		_, err = lb.WaitForServers(soon(t), "sgp-none", refs)
		if !errors.Is(err, cloudlb.ErrNotFound) {
			t.Errorf("error %v", err)
		}
		_, err = lb.WaitForServerGroup(soon(t), "sgp-none")
		if !errors.Is(err, cloudlb.ErrNotFound) {
			t.Errorf("error %v", err)
		}
	})
}

func TestWaitForServerGroupOnTheEmulator(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const job = 12 * time.Second
		cloud := fakecloud.New(fakecloud.WithJobDuration(job))
		lb := albOf(t, cloud.Config())
		start := time.Now()
		res := must[*alb.CreateServerGroupResponse](t)(lb.CreateServerGroup(t.Context(), alb.CreateServerGroupRequest{
			ServerGroupName: "web", VpcID: "vpc-1", HealthCheckConfig: alb.HealthCheckConfigSpec{HealthCheckEnabled: false},
		}))
		group := must[alb.ServerGroup](t)(lb.WaitForServerGroup(soon(t), res.ServerGroupID))
		between(t, start, job, job+jobInterval)
		if group.ServerGroupName != "web" {
			t.Errorf("group %+v", group)
		}
	})
}

// TestWaitForVServerGroupOnTheEmulator: the wait ends when the next change would
// be accepted, and changes nothing itself.
func TestWaitForVServerGroupOnTheEmulator(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const window = 20 * time.Second
		cloud := fakecloud.New(fakecloud.WithConfiguringWindow(window))
		group := cloud.AddVServerGroup(fakecloud.VServerGroup{Name: "web", LoadBalancerID: "lb-1", Servers: []fakecloud.BackendServer{{ID: "i-0", Port: 80, Weight: new(30)}}})
		other := cloud.AddVServerGroup(fakecloud.VServerGroup{LoadBalancerID: "lb-1"})
		lb := slbOf(t, cloud.Config())
		read := func() *slb.DescribeVServerGroupAttributeResponse {
			res := must[*slb.DescribeVServerGroupAttributeResponse](t)(lb.DescribeVServerGroupAttribute(t.Context(), slb.DescribeVServerGroupAttributeRequest{VServerGroupID: group}))
			res.Metadata, res.RequestID = cloudlb.Metadata{}, ""
			return res
		}
		before := read()
		start := time.Now()
		must[*slb.AddVServerGroupBackendServersResponse](t)(lb.AddVServerGroupBackendServers(t.Context(), slb.AddVServerGroupBackendServersRequest{
			VServerGroupID: other, BackendServers: slb.BackendServerSpecList{{ServerID: "i-1", Port: 80}}, // the load balancer is what is locked
		}))
		if err := lb.WaitForVServerGroup(soon(t), group); err != nil {
			t.Fatal(err)
		}
		between(t, start, window, window+jobInterval)
		if diff := cmp.Diff(before, read()); diff != "" {
			t.Errorf("the wait has changed the group (-before +after):\n%s", diff)
		}
		if n := cloud.Calls("slb", "SetVServerGroupAttribute"); n > 8 {
			t.Errorf("%d writes in %s", n, window)
		}
		for _, r := range cloud.Requests() {
			if r.Operation == "SetVServerGroupAttribute" && (r.Params["VServerGroupName"] != "web" || r.Params["BackendServers"] != nil) {
				t.Errorf("sent %v", r.Params)
			}
		}
		err := lb.WaitForVServerGroup(soon(t), "rsp-none")
		if !errors.Is(err, cloudlb.ErrNotFound) {
			t.Errorf("error %v", err)
		}
	})
}

func TestWaitForELBMembersOnTheEmulator(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const initial = 12 * time.Second
		cloud := fakecloud.New(fakecloud.WithMemberInitial(initial))
		checked := cloud.AddPool(fakecloud.Pool{HealthMonitorID: "monitor-1"})
		unchecked := cloud.AddPool(fakecloud.Pool{})
		lb := elbOf(t, cloud.Config(), cloud.ProjectID())
		create := func(pool string) *elb.BatchCreateMembersResponse {
			return must[*elb.BatchCreateMembersResponse](t)(lb.BatchCreateMembers(t.Context(), elb.BatchCreateMembersRequest{PoolID: pool, Members: []elb.BatchMemberSpec{
				{Address: "192.0.2.1", ProtocolPort: 80}, {Address: "2001:db8::1", ProtocolPort: 80, Weight: new(0)},
			}}))
		}
		res := create(checked)
		start := time.Now()
		refs := []elb.MemberRef{{ID: res.Members[0].ID}, {Address: "2001:0db8:0::1", ProtocolPort: new(80)}}
		members := must[[]elb.Member](t)(lb.WaitForMembers(soon(t), checked, refs))
		between(t, start, initial, initial+jobInterval)
		if len(members) != 2 || members[0].ID != res.Members[0].ID || members[1].ID != res.Members[1].ID {
			t.Errorf("members %+v", members)
		}

		start = time.Now()
		create(unchecked)
		must[[]elb.Member](t)(lb.WaitForMembers(soon(t), unchecked, refs[1:])) // NO_MONITOR
		between(t, start, 0, time.Second)

		must[*elb.BatchDeleteMembersResponse](t)(lb.BatchDeleteMembers(t.Context(), elb.BatchDeleteMembersRequest{PoolID: checked, Members: []elb.MemberRef{{ID: res.Members[1].ID}}}))
		if err := lb.WaitForMembersGone(soon(t), checked, refs[1:]); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		checkUnfinished(t, lb.WaitForMembersGone(ctx, checked, refs), context.DeadlineExceeded, res.Members[0].ID)
		if err := lb.WaitForMembersGone(soon(t), "no-such-pool", refs); !errors.Is(err, cloudlb.ErrNotFound) {
			t.Errorf("error %v", err)
		}
	})
}

// TestELBMemberStates is every operating_status, in total and by listener.
func TestELBMemberStates(t *testing.T) {
	t.Parallel()
	byListener := func(states ...string) string {
		list := make([]string, len(states))
		for i, s := range states {
			list[i] = fmt.Sprintf(`{"listener_id":"listener-%d","operating_status":%q}`, i, s)
		}
		return `"INITIAL","status":[` + strings.Join(list, ",") + `]`
	}
	for _, c := range []struct {
		state string
		in    bool
		bad   string
	}{
		{`"ONLINE"`, true, ""},
		{`"NO_MONITOR"`, true, ""},
		{`"ONLINE","status":[]`, true, ""},
		{`"INITIAL"`, false, ""},
		{`"OFFLINE"`, false, ""},
		{`"UNKNOWN"`, false, ""},
		{`"BRAND_NEW"`, false, ""},
		{`"DISABLED"`, false, "is DISABLED"},
		{byListener("ONLINE", "ONLINE"), true, ""},
		{byListener("ONLINE", "NO_MONITOR"), true, ""},
		{byListener("ONLINE", "OFFLINE"), false, ""},
		{byListener("OFFLINE", "DISABLED"), false, "is DISABLED"},
	} {
		t.Run(c.state, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := &operations{t: t, steps: map[string][]step{"GET pools/pool-1/members": {ok(`{"request_id":"req-1","members":[{"id":"m-1","operating_status":%s}]}`, c.state)}}}
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				start := time.Now()
				_, err := elbOf(t, testConfig(o), testProject).WaitForMembers(ctx, "pool-1", []elb.MemberRef{{ID: "m-1"}})
				switch {
				case c.in && err != nil:
					t.Error(err)
				case c.bad != "":
					checkInvalid(t, err, c.bad)
					between(t, start, 0, time.Second)
				case !c.in:
					checkUnfinished(t, err, context.DeadlineExceeded, "m-1")
				}
			})
		})
	}
}

func TestELBLoadBalancerStates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		state := func(s string) step {
			return ok(`{"request_id":"req-1","statuses":{"loadbalancer":{"id":"lb-1","provisioning_status":%q,"operating_status":"ONLINE"}}}`, s)
		}
		o := &operations{t: t, steps: map[string][]step{"GET loadbalancers/lb-1/statuses": {state("PENDING_DELETE"), huaweiError(404, "ELB.8904", "gone")}}}
		lb := elbOf(t, testConfig(o), testProject)
		if _, err := lb.WaitForLoadBalancer(soon(t), "lb-1"); !errors.Is(err, cloudlb.ErrNotFound) {
			t.Errorf("deleted: %v", err)
		}
		o.steps["GET loadbalancers/lb-1/statuses"] = []step{state("ERROR")}
		found, err := lb.WaitForLoadBalancer(soon(t), "lb-1")
		checkInvalid(t, err, "lb-1 has provisioning_status ERROR")
		if found.OperatingStatus != elb.OperatingStatusOnline {
			t.Errorf("load balancer %+v", found)
		}
	})
}

func TestWaitForAPIGMembersOnTheEmulator(t *testing.T) {
	t.Parallel()
	for _, product := range []apig.Product{apig.ROMAConnect, apig.APIGateway} {
		t.Run(string(product), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud := fakecloud.New()
				channel := cloud.AddVPCChannel(fakecloud.VPCChannel{InstanceID: "instance-1", Port: 8080, Members: []fakecloud.ChannelMember{
					{ID: "m-1", Host: "192.0.2.1", Group: "blue"}, {ID: "m-2", Host: "192.0.2.1", Group: "green", Disabled: true}, {ID: "m-3", Host: "192.0.2.3", Port: 81, Weight: new(0)},
				}})
				c := apigOf(t, cloud.Config(), cloud.ProjectID(), product)
				members := must[[]apig.Member](t)(c.WaitForMembers(soon(t), "instance-1", channel, []apig.MemberRef{
					{Host: "192.0.2.3"}, {Host: "192.0.2.1", Port: 8080, MemberGroupName: "blue"}, {ID: "m-1"},
				}))
				if len(members) != 3 || members[0].ID != "m-3" || members[1].ID != "m-1" || members[2].ID != "m-1" {
					t.Errorf("members %+v", members)
				}
				time.AfterFunc(20*time.Second, func() {
					_, err := c.BatchEnableVpcChannelMembers(context.WithoutCancel(t.Context()), apig.BatchEnableVpcChannelMembersRequest{
						InstanceID: "instance-1", VpcChannelID: channel, MemberIDs: []string{"m-2"},
					})
					if err != nil {
						t.Error(err)
					}
				})
				start := time.Now()
				must[[]apig.Member](t)(c.WaitForMembers(soon(t), "instance-1", channel, []apig.MemberRef{{Host: "192.0.2.1", Port: 8080, MemberGroupName: "green"}}))
				between(t, start, 20*time.Second, 25*time.Second)

				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				_, err := c.WaitForMembers(ctx, "instance-1", channel, []apig.MemberRef{{Host: "192.0.2.1", Port: 81}, {ECSID: "ecs-1", MemberGroupName: "blue"}, {ID: "m-9"}})
				checkUnfinished(t, err, context.DeadlineExceeded, "192.0.2.1:81", "blue/ecs-1", "m-9")
				if _, err = c.WaitForMembers(soon(t), "instance-1", "no-such-channel", []apig.MemberRef{{ID: "m-1"}}); !errors.Is(err, cloudlb.ErrNotFound) {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}
