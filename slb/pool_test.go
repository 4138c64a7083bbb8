package slb_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/drivertest"
	"github.com/cloudlb/cloudlb/slb"
)

func poolClient(t testing.TB, cloud *fakecloud.Cloud) *slb.Client {
	t.Helper()
	lb, err := slb.New(cloud.Config())
	if err != nil {
		t.Fatal(err)
	}
	return lb
}

func TestPoolConformance(t *testing.T) {
	t.Parallel()
	for _, listener := range []string{"", "tcp", "http"} {
		for name, port := range map[string]int{"vServer group": 80, "default group": 0} {
			t.Run(name+" "+cmp.Or(listener, "unused"), func(t *testing.T) {
				t.Parallel()
				drivertest.Run(t, drivertest.Harness{
					Bubble: true,
					New: func(t testing.TB) drivertest.Fixture {
						cloud := fakecloud.New()
						var listeners []fakecloud.ClassicListener
						group := cloud.AddVServerGroup(fakecloud.VServerGroup{LoadBalancerID: "lb-1"})
						if port == 0 {
							group = ""
						}
						if listener != "" {
							listeners = []fakecloud.ClassicListener{{Port: 443, BackendPort: 80, Protocol: listener, GroupID: group}}
						}
						cloud.AddClassicLoadBalancer(fakecloud.ClassicLoadBalancer{ID: "lb-1", Listeners: listeners})
						p := poolClient(t, cloud).Pool(group)
						if port == 0 {
							p = poolClient(t, cloud).DefaultPool("lb-1")
						}
						config := cloud.Config()
						keys, err := config.Credentials.Credentials(t.Context())
						if err != nil {
							t.Fatal(err)
						}
						return drivertest.Fixture{
							Pool: p, Target: new(*slb.Client),
							SetHealth: func(key driver.Key, healthy bool) {
								cloud.SetHealth(cmp.Or(key.Address, key.Server), healthy)
							},
							Requests:    func() int { return len(cloud.Requests()) },
							HealthCalls: func() int { return cloud.Calls("slb", "DescribeHealthStatus") },
							Secrets:     []string{keys.SecretAccessKey},
						}
					},
					Spec: func(i int) driver.Spec {
						spec := driver.Spec{Key: driver.Key{Server: fmt.Sprintf("i-%d", i), Port: port}}
						switch i % 4 {
						case 1: // the first of two addresses
							spec.Key = driver.Key{Server: fmt.Sprintf("eni-%d", i), Address: fmt.Sprintf("10.1.0.%d", i), Port: port}
							spec.Label = "deploy"
						case 2: // the second
							spec.Key = driver.Key{Server: fmt.Sprintf("eni-%d", i-1), Address: fmt.Sprintf("10.2.0.%d", i), Port: port}
							spec.Type = "eni"
						case 3:
							spec.Server, spec.Address, spec.Label = fmt.Sprintf("eci-%d", i), fmt.Sprintf("10.3.0.%d", i), "部署/deploy-1"
						}
						return spec
					},
				})
			})
		}
	}
}

// object is a JSON object as fakecloud has it.
type object = map[string]any

// wire are the parameters of the last request, which is for the operation.
func wire(t *testing.T, cloud *fakecloud.Cloud, operation string) object {
	t.Helper()
	requests := cloud.Requests()
	if len(requests) == 0 || requests[len(requests)-1].Operation != operation {
		t.Fatalf("the last of %d requests is not %s", len(requests), operation)
	}
	return requests[len(requests)-1].Params
}

func members(t *testing.T, p driver.Pool, health bool) []driver.Member {
	t.Helper()
	list, err := p.Members(t.Context(), health)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func describe(t *testing.T, p driver.Pool) driver.Description {
	t.Helper()
	d, err := p.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestPoolVerbs sends each change once and looks at what arrives.
func TestPoolVerbs(t *testing.T) {
	t.Parallel()
	type step struct {
		operation string
		change    driver.Change
		want      object
		left      []string // "key weight label"
	}
	run := func(t *testing.T, cloud *fakecloud.Cloud, p driver.Pool, steps []step) {
		t.Helper()
		for _, c := range steps {
			c.change.Token = "not known here"
			before := len(cloud.Requests())
			result, err := p.Change(t.Context(), c.change)
			if err != nil {
				t.Fatal(err)
			}
			if result.RequestID == "" || result.Failed != nil || len(cloud.Requests()) != before+1 {
				t.Errorf("%s: result %+v after %d requests", c.operation, result, len(cloud.Requests())-before)
			}
			c.want["RegionId"] = cloud.Config().Region
			if got := wire(t, cloud, c.operation); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s sends\n%v, want\n%v", c.operation, got, c.want)
			}
			if err := p.Wait(t.Context(), result.Ticket); err != nil {
				t.Error(err)
			}
			var left []string
			for _, m := range members(t, p, false) {
				left = append(left, fmt.Sprintf("%s %d %s", m.Key, m.Weight, m.Label))
			}
			if !slices.Equal(left, c.left) {
				t.Errorf("after %s there are %q, want %q", c.operation, left, c.left)
			}
			<-time.After(time.Minute) // the load balancer is free again
		}
	}
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New()
		group := cloud.AddVServerGroup(fakecloud.VServerGroup{Name: "web"})
		first, second := driver.Key{Server: "eni-1", Address: "10.0.0.1", Port: 80}, driver.Key{Server: "eni-1", Address: "10.0.0.2", Port: 80}
		p := poolClient(t, cloud).Pool(group)
		run(t, cloud, p, []step{
			{
				"AddVServerGroupBackendServers",
				driver.Change{Kind: driver.Add, Members: []driver.Spec{
					{Key: first, Weight: new(0), Label: "ours"},
					{Key: second},
					{Key: driver.Key{Server: "web", Port: 81}, Type: "ECS", Weight: new(7), Name: "ignored", ID: "ignored"},
				}},
				object{"VServerGroupId": group, "BackendServers": []any{
					object{"ServerId": "eni-1", "ServerIp": "10.0.0.1", "Type": "eni", "Port": int64(80), "Weight": int64(0), "Description": "ours"},
					object{"ServerId": "eni-1", "ServerIp": "10.0.0.2", "Type": "eni", "Port": int64(80)},
					object{"ServerId": "web", "Type": "ecs", "Port": int64(81), "Weight": int64(7)},
				}},
				[]string{"eni-1(10.0.0.1):80 0 ours", "eni-1(10.0.0.2):80 100 ", "web:81 7 "},
			},
			{
				"SetVServerGroupAttribute",
				driver.Change{Kind: driver.SetWeight, Members: []driver.Spec{
					{Key: first, Weight: new(50), Label: "ours"},
					{Key: second, Weight: new(0)},
				}},
				object{"VServerGroupId": group, "BackendServers": []any{
					object{"ServerId": "eni-1", "ServerIp": "10.0.0.1", "Type": "eni", "Port": int64(80), "Weight": int64(50), "Description": "ours"},
					object{"ServerId": "eni-1", "ServerIp": "10.0.0.2", "Type": "eni", "Port": int64(80), "Weight": int64(0)},
				}},
				[]string{"eni-1(10.0.0.1):80 50 ours", "eni-1(10.0.0.2):80 0 ", "web:81 7 "},
			},
			{ // more go than come
				"ModifyVServerGroupBackendServers",
				driver.Change{
					Kind:    driver.Swap,
					Members: []driver.Spec{{Key: driver.Key{Server: "i-1", Port: 80}, Label: "fresh", Weight: new(1)}},
					Out:     []driver.Spec{{Key: second, Label: "unsent", Weight: new(0)}, {Key: driver.Key{Server: "web", Port: 81}, Type: "ecs"}},
				},
				object{
					"VServerGroupId": group,
					"NewBackendServers": []any{
						object{"ServerId": "i-1", "Type": "ecs", "Port": int64(80), "Weight": int64(1), "Description": "fresh"},
					},
					"OldBackendServers": []any{
						object{"ServerId": "eni-1", "ServerIp": "10.0.0.2", "Type": "eni", "Port": int64(80)},
						object{"ServerId": "web", "Type": "ecs", "Port": int64(81)},
					},
				},
				[]string{"eni-1(10.0.0.1):80 50 ours", "i-1:80 1 fresh"},
			},
			{
				"RemoveVServerGroupBackendServers",
				driver.Change{Kind: driver.Remove, Members: []driver.Spec{{Key: first, Weight: new(50), Label: "ours"}}},
				object{"VServerGroupId": group, "BackendServers": []any{
					object{"ServerId": "eni-1", "ServerIp": "10.0.0.1", "Type": "eni", "Port": int64(80)},
				}},
				[]string{"i-1:80 1 fresh"},
			},
		})
		if d := describe(t, p); d.Name != "web" {
			t.Errorf("the group's name is now %q", d.Name)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New()
		id := cloud.AddLoadBalancer("")
		run(t, cloud, poolClient(t, cloud).DefaultPool(id), []step{
			{
				"AddBackendServers",
				driver.Change{Kind: driver.Add, Members: []driver.Spec{
					{Key: driver.Key{Server: "i-1"}, Weight: new(0), Label: "ours"},
					{Key: driver.Key{Server: "eci-1", Address: "10.0.0.1"}},
				}},
				object{"LoadBalancerId": id, "BackendServers": []any{
					object{"ServerId": "i-1", "Type": "ecs", "Weight": int64(0), "Description": "ours"},
					object{"ServerId": "eci-1", "ServerIp": "10.0.0.1", "Type": "eci"},
				}},
				[]string{"i-1 0 ours", "eci-1(10.0.0.1) 100 "},
			},
			{
				"SetBackendServers",
				driver.Change{Kind: driver.SetWeight, Members: []driver.Spec{{Key: driver.Key{Server: "i-1"}, Weight: new(9), Label: "ours"}}},
				object{"LoadBalancerId": id, "BackendServers": []any{
					object{"ServerId": "i-1", "Type": "ecs", "Weight": int64(9), "Description": "ours"},
				}},
				[]string{"i-1 9 ours", "eci-1(10.0.0.1) 100 "},
			},
			{
				"RemoveBackendServers",
				driver.Change{Kind: driver.Remove, Members: []driver.Spec{{Key: driver.Key{Server: "eci-1", Address: "10.0.0.1"}, Weight: new(1), Label: "ours"}}},
				object{"LoadBalancerId": id, "BackendServers": []any{
					object{"ServerId": "eci-1", "ServerIp": "10.0.0.1", "Type": "eci"},
				}},
				[]string{"i-1 9 ours"},
			},
		})
	})
}

// TestPoolMembers: keys, aliases and types of all kinds of servers.
func TestPoolMembers(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	servers := []fakecloud.BackendServer{
		{ID: "i-1", IP: "10.0.0.1", Port: 80, Weight: new(0), Description: "mine"},
		{ID: "eni-1", Type: "eni", IP: "10.0.0.2", Port: 80, Weight: new(3)},
		{ID: "eci-1", Type: "eci", IP: "10.0.0.3", Port: 80},
	}
	group := cloud.AddVServerGroup(fakecloud.VServerGroup{LoadBalancerID: "lb-1", Servers: servers})
	cloud.AddClassicLoadBalancer(fakecloud.ClassicLoadBalancer{ID: "lb-1", Servers: servers})
	want := []driver.Member{
		{Key: driver.Key{Server: "i-1"}, ID: "10.0.0.1", Aliases: []string{"10.0.0.1"}, Type: "ecs", Label: "mine"},
		{Key: driver.Key{Server: "eni-1", Address: "10.0.0.2"}, Aliases: []string{"10.0.0.2"}, Type: "eni", Weight: 3},
		{Key: driver.Key{Server: "eci-1", Address: "10.0.0.3"}, Aliases: []string{"10.0.0.3"}, Type: "eci", Weight: 100},
	}
	lb := poolClient(t, cloud)
	for port, p := range map[int]driver.Pool{0: lb.DefaultPool("lb-1"), 80: lb.Pool(group)} {
		for i := range want {
			want[i].Port, want[i].Phase = port, driver.Ready
		}
		for range 2 {
			if got := members(t, p, false); !reflect.DeepEqual(got, want) {
				t.Errorf("members\n%+v, want\n%+v", got, want)
			}
		}
	}
}

// TestDefaultPoolOnTheSide: ports that the service reports are no part of keys,
// and listeners of primary/secondary groups do not use the default group.
func TestDefaultPoolOnTheSide(t *testing.T) {
	t.Parallel()
	replies := script{
		"DescribeLoadBalancerAttribute": `{"RequestId":"r","LoadBalancerId":"lb-1",
			"ListenerPortsAndProtocol":{"ListenerPortAndProtocol":[{"ListenerPort":80,"ListenerProtocol":"tcp"}]},
			"BackendServers":{"BackendServer":[{"ServerId":"i-1","Port":8080,"Weight":100,"Type":"ecs"}]}}`,
		"DescribeVServerGroups": `{"RequestId":"r"}`,
		"DescribeMasterSlaveServerGroups": `{"RequestId":"r","MasterSlaveServerGroups":{"MasterSlaveServerGroup":[
			{"AssociatedObjects":{"Listeners":{"Listener":[{"Port":80,"Protocol":"TCP"}]}}}]}}`,
	}
	p := replies.client(t).DefaultPool("lb-1")
	if got := members(t, p, true); len(got) != 1 || got[0].Key != (driver.Key{Server: "i-1"}) || got[0].Health != driver.HealthUnknown {
		t.Errorf("members %+v", got)
	}
	if d := describe(t, p); !strings.Contains(d.NoHealth, "no listener") {
		t.Errorf("NoHealth %q", d.NoHealth)
	}
}

// TestPoolTwoAddresses: somebody else has put an instance in twice.
func TestPoolTwoAddresses(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	p := poolClient(t, cloud).Pool(cloud.AddVServerGroup(fakecloud.VServerGroup{Servers: []fakecloud.BackendServer{
		{ID: "i-1", IP: "10.0.0.1", Port: 80},
		{ID: "i-2", IP: "10.0.0.9", Port: 80},
		{ID: "i-1", IP: "10.0.0.2", Port: 80},
	}}))
	list := members(t, p, false)
	if list[0].Key.String() != "i-1(10.0.0.1):80" || list[1].Key.String() != "i-2:80" || list[2].Key.String() != "i-1(10.0.0.2):80" {
		t.Fatalf("members %+v", list)
	}
	if _, err := p.Change(t.Context(), driver.Change{Kind: driver.Remove, Members: []driver.Spec{list[2].Spec()}}); err != nil {
		t.Fatal(err)
	}
	if left := members(t, p, false); len(left) != 2 || left[0].Key.String() != "i-1:80" || left[0].Aliases[0] != "10.0.0.1" {
		t.Errorf("members %+v", left)
	}
}

// TestPoolReads: a read that fails, fails the whole; nobody is called healthy
// for want of a report.
func TestPoolReads(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		operation        string
		group, byDefault bool // does the pool need it
	}{
		{"DescribeVServerGroupAttribute", true, false},
		{"DescribeLoadBalancerAttribute", false, true},
		{"DescribeVServerGroups", true, true},
		{"DescribeMasterSlaveServerGroups", false, true},
		{"DescribeHealthStatus", true, true},
	} {
		cloud := fakecloud.New()
		servers := []fakecloud.BackendServer{{ID: "i-1", Port: 80}}
		group := cloud.AddVServerGroup(fakecloud.VServerGroup{LoadBalancerID: "lb-1", Servers: servers})
		cloud.AddClassicLoadBalancer(fakecloud.ClassicLoadBalancer{
			ID: "lb-1", Servers: servers, Listeners: []fakecloud.ClassicListener{{Port: 80}, {Port: 81, GroupID: group}},
		})
		cloud.Inject(fakecloud.Fault{Operation: c.operation, Effect: fakecloud.Refuse(403, "Forbidden.RAM", "no")})
		lb := poolClient(t, cloud)
		for p, fails := range map[driver.Pool]bool{lb.Pool(group): c.group, lb.DefaultPool("lb-1"): c.byDefault} {
			list, err := p.Members(t.Context(), true)
			if errors.Is(err, cloudlb.ErrDenied) != fails || (err == nil) == fails || (list == nil) != fails {
				t.Errorf("%s: members %+v, error %v", c.operation, list, err)
			}
			if _, err := p.Describe(t.Context()); errors.Is(err, cloudlb.ErrDenied) != fails || (err == nil) == fails {
				t.Errorf("%s: Describe: %v", c.operation, err)
			}
		}
	}
}

func TestPoolDescribe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New()
		lb := poolClient(t, cloud)
		one := cloud.AddVServerGroup(fakecloud.VServerGroup{Name: "web", LoadBalancerID: "lb-1"})
		two := cloud.AddVServerGroup(fakecloud.VServerGroup{LoadBalancerID: "lb-1"})
		cloud.AddClassicLoadBalancer(fakecloud.ClassicLoadBalancer{ID: "lb-1", Name: "front", Listeners: []fakecloud.ClassicListener{
			{Port: 80, GroupID: one}, {Port: 81},
		}})
		elsewhere := cloud.AddVServerGroup(fakecloud.VServerGroup{LoadBalancerID: "lb-2"})

		region := cloud.Config().Region
		budget := cloudlb.Budget{Calls: 90, Per: time.Minute}
		verb := func(name string) driver.Verb { return driver.Verb{Operation: name, Most: 20, Budget: budget} }
		d := describe(t, lb.Pool(one))
		want := driver.Description{
			Service: "slb", Region: region, ID: one, Name: "web", LockKey: "slb/" + region + "/lb-1",
			Add: verb("AddVServerGroupBackendServers"), SetWeight: verb("SetVServerGroupAttribute"),
			Remove: verb("RemoveVServerGroupBackendServers"), Swap: verb("ModifyVServerGroupBackendServers"),
			Weights: driver.Weights{Max: 100, Default: 100}, Labels: true, Account: d.Account,
		}
		if d != want {
			t.Errorf("description\n%+v, want\n%+v", d, want)
		}
		byDefault := describe(t, lb.DefaultPool("lb-1"))
		want.ID, want.Name, want.Portless = "lb-1", "front", true
		want.Add, want.SetWeight, want.Remove, want.Swap = verb("AddBackendServers"), verb("SetBackendServers"), verb("RemoveBackendServers"), driver.Verb{}
		if byDefault != want {
			t.Errorf("description\n%+v, want\n%+v", byDefault, want)
		}
		if other := describe(t, lb.Pool(elsewhere)); other.LockKey == d.LockKey {
			t.Errorf("groups of two load balancers have one key, %s", d.LockKey)
		}

		// Pools of one load balancer take turns.
		second := describe(t, lb.Pool(two))
		unlock, err := lb.Pool(one).Lock(t.Context(), d.LockKey)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for _, p := range []driver.Pool{lb.Pool(two), lb.DefaultPool("lb-1")} {
			if _, err := p.Lock(ctx, second.LockKey); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("a second turn: %v", err)
			}
		}
		unlock()
		unlock, err = lb.DefaultPool("lb-1").Lock(t.Context(), second.LockKey)
		if err != nil {
			t.Fatal(err)
		}
		unlock()

		for _, p := range []driver.Pool{lb.Pool("rsp-none"), lb.DefaultPool("lb-none")} {
			if _, err := p.Describe(t.Context()); !errors.Is(err, cloudlb.ErrNotFound) {
				t.Errorf("a pool that does not exist: %v", err)
			}
		}
	})
}

func TestPoolHealth(t *testing.T) {
	t.Parallel()
	const (
		unknown  = driver.HealthUnknown
		checking = driver.Checking
		well     = driver.Healthy
		sick     = driver.Unhealthy
	)
	listener := func(port int, protocol, group string, change ...func(*fakecloud.ClassicListener)) fakecloud.ClassicListener {
		l := fakecloud.ClassicListener{Port: port, BackendPort: 80, Protocol: protocol, GroupID: group}
		for _, f := range change {
			f(&l)
		}
		return l
	}
	unchecked := func(l *fakecloud.ClassicListener) { l.NoHealthCheck = true }
	redirects := func(l *fakecloud.ClassicListener) { l.ForwardPort = 443 }
	rule := func(l *fakecloud.ClassicListener) { l.Rules = []fakecloud.ClassicRule{{VServerGroupID: "rsp-1"}} }
	servers := []fakecloud.BackendServer{{ID: "i-well", Port: 80}, {ID: "i-sick", Port: 80}, {ID: "i-idle", Port: 80, Weight: new(0)}}
	for _, c := range []struct {
		name      string
		listeners []fakecloud.ClassicListener
		group     []driver.Health // of the vServer group rsp-1: i-well, i-sick, i-idle
		groupWhy  string          // NoHealth
		byDefault []driver.Health
		why       string
	}{
		{"no listener", nil, []driver.Health{unknown, unknown, unknown}, "no listener", []driver.Health{unknown, unknown, unknown}, "no listener"},
		{"one each", []fakecloud.ClassicListener{listener(80, "tcp", "rsp-1"), listener(81, "http", "")}, []driver.Health{well, sick, unknown}, "", []driver.Health{well, sick, unknown}, ""},
		{"the group only", []fakecloud.ClassicListener{listener(80, "https", "rsp-1")}, []driver.Health{well, sick, unknown}, "", []driver.Health{unknown, unknown, unknown}, "no listener"},
		{"the default group only", []fakecloud.ClassicListener{listener(80, "udp", "")}, []driver.Health{unknown, unknown, unknown}, "no listener", []driver.Health{well, sick, unknown}, ""},
		{"one port, two protocols", []fakecloud.ClassicListener{listener(53, "tcp", "rsp-1", unchecked), listener(53, "udp", "")}, []driver.Health{unknown, unknown, unknown}, "no health check", []driver.Health{well, sick, unknown}, ""},
		{"others", []fakecloud.ClassicListener{listener(80, "tcp", "rsp-2"), listener(81, "http", "", redirects)}, []driver.Health{unknown, unknown, unknown}, "no listener", []driver.Health{unknown, unknown, unknown}, "no listener"},
		{"checked and not", []fakecloud.ClassicListener{listener(80, "tcp", "rsp-1", unchecked), listener(81, "tcp", "rsp-1")}, []driver.Health{well, sick, unknown}, "", []driver.Health{unknown, unknown, unknown}, "no listener"},
		{"not checked", []fakecloud.ClassicListener{listener(80, "tcp", "", unchecked)}, []driver.Health{unknown, unknown, unknown}, "no listener", []driver.Health{unknown, unknown, unknown}, "no health check"},
		{"behind a rule", []fakecloud.ClassicListener{listener(80, "http", "rsp-2", rule)}, []driver.Health{well, sick, unknown}, "", []driver.Health{unknown, unknown, unknown}, "no listener"},
		{"other ports", []fakecloud.ClassicListener{listener(80, "tcp", "rsp-1"), listener(81, "tcp", "rsp-2")}, []driver.Health{well, sick, unknown}, "", []driver.Health{unknown, unknown, unknown}, "no listener"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cloud := fakecloud.New(fakecloud.WithWeightZeroAbnormal())
			cloud.AddVServerGroup(fakecloud.VServerGroup{ID: "rsp-1", LoadBalancerID: "lb-1", Servers: servers})
			cloud.AddVServerGroup(fakecloud.VServerGroup{ID: "rsp-2", LoadBalancerID: "lb-1", Servers: []fakecloud.BackendServer{{ID: "i-well", Port: 8080}}})
			cloud.AddClassicLoadBalancer(fakecloud.ClassicLoadBalancer{ID: "lb-1", Servers: servers, Listeners: c.listeners})
			cloud.SetHealth("i-sick", false)
			cloud.SetHealth("i-well:8080", false) // the same server in another group
			lb := poolClient(t, cloud)
			for _, want := range []struct {
				pool   driver.Pool
				health []driver.Health
				why    string
			}{{lb.Pool("rsp-1"), c.group, c.groupWhy}, {lb.DefaultPool("lb-1"), c.byDefault, c.why}} {
				var got []driver.Health
				for _, m := range members(t, want.pool, true) {
					got = append(got, m.Health)
				}
				d := describe(t, want.pool)
				if !slices.Equal(got, want.health) || (d.NoHealth == "") != (want.why == "") || !strings.Contains(d.NoHealth, want.why) {
					t.Errorf("%s: health %q, want %q; NoHealth %q", d.ID, got, want.health, d.NoHealth)
				}
			}
		})
	}

	// What fakecloud does not report: nothing about a server, and states that
	// are new or differ by listener.
	for _, c := range []struct {
		users, reports string
		want           driver.Health
		why            bool
	}{
		{`"Listeners":{"Listener":[{"Port":80,"Protocol":"tcp"}]}`, ``, checking, false},
		{`"Rules":{"Rule":[{"RuleId":"rule-1"}]}`, ``, unknown, false},
		{`"Rules":{"Rule":[{"RuleId":"rule-1"}]}`, `80 normal`, well, false},
		{`"Listeners":{"Listener":[{"Port":80},{"Port":81}]}`, `80 normal,81 abnormal`, sick, false},
		{`"Listeners":{"Listener":[{"Port":80},{"Port":81}]}`, `80 abnormal,81 normal`, sick, false},
		{`"Listeners":{"Listener":[{"Port":80},{"Port":81}]}`, `80 brand-new,81 normal`, unknown, false},
		{`"Listeners":{"Listener":[{"Port":80},{"Port":81}]}`, `80 unavailable,81 unavailable`, unknown, true},
		{`"Listeners":{"Listener":[{"Port":80}]}`, `81 abnormal,80 normal`, well, false},
		{`"Listeners":{"Listener":[{"Port":80}]}`, `CheckedListenerNotFound`, unknown, true},
	} {
		p := scripted(t, c.users, c.reports).Pool("rsp-1")
		got, d := members(t, p, true), describe(t, p)
		if len(got) != 1 || got[0].Health != c.want || (d.NoHealth != "") != c.why {
			t.Errorf("%s, %s: %+v, want %q; NoHealth %q", c.users, c.reports, got, c.want, d.NoHealth)
		}
	}
}
