package alb_test

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
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/drivertest"
)

func poolClient(t testing.TB, cloud *fakecloud.Cloud) *alb.Client {
	t.Helper()
	lb, err := alb.New(cloud.Config())
	if err != nil {
		t.Fatal(err)
	}
	return lb
}

func TestPoolConformance(t *testing.T) {
	t.Parallel()
	servers := func(i int) driver.Spec {
		spec := driver.Spec{Key: driver.Key{Server: fmt.Sprintf("i-%d", i), Port: 80}}
		switch i % 4 {
		case 1: // the first of two addresses
			spec.Key = driver.Key{Server: fmt.Sprintf("eni-%d", i), Address: fmt.Sprintf("10.1.%d.%d", i/200, i%200), Port: 80}
			spec.Label = "deploy"
		case 2: // the second, and another port
			spec.Key = driver.Key{Server: fmt.Sprintf("eni-%d", i-1), Address: fmt.Sprintf("10.2.%d.%d", i/200, i%200), Port: 8080}
			spec.Type = "Eni"
		case 3:
			spec.Server, spec.Label = fmt.Sprintf("eci-%d", i), "部署 of deploy"
		}
		return spec
	}
	addresses := func(i int) driver.Spec {
		spec := driver.Spec{Key: driver.Key{Server: fmt.Sprintf("10.3.%d.%d", i/200, i%200), Port: 80}}
		if i%2 == 1 {
			spec.Server, spec.Label = fmt.Sprintf("2001:db8::%x", i), "v6"
		}
		return spec
	}
	for name, c := range map[string]struct {
		kind     string
		listener bool
		spec     func(int) driver.Spec
	}{
		"instances":          {"Instance", true, servers},
		"addresses":          {"Ip", true, addresses},
		"nothing is checked": {"Instance", false, servers},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			drivertest.Run(t, drivertest.Harness{
				Bubble: true,
				New: func(t testing.TB) drivertest.Fixture {
					cloud := fakecloud.New(fakecloud.WithJobDuration(10 * time.Second))
					group := cloud.AddServerGroup(fakecloud.ServerGroup{Type: c.kind})
					if c.listener {
						cloud.AddListener(fakecloud.Listener{ServerGroupIDs: []string{group}})
					}
					config := cloud.Config()
					keys, err := config.Credentials.Credentials(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					return drivertest.Fixture{
						Pool: poolClient(t, cloud).Pool(group), Target: new(*alb.Client),
						SetHealth: func(key driver.Key, healthy bool) {
							cloud.SetHealth(cmp.Or(key.Address, key.Server), healthy)
						},
						Requests:    func() int { return len(cloud.Requests()) },
						HealthCalls: func() int { return cloud.Calls("alb", "GetListenerHealthStatus") },
						Secrets:     []string{keys.SecretAccessKey},
					}
				},
				Spec: c.spec,
			})
		})
	}
}

// wire are the parameters of the last request for an operation.
func wire(t *testing.T, cloud *fakecloud.Cloud, operation string) map[string]any {
	t.Helper()
	requests := cloud.Requests()
	for _, r := range slices.Backward(requests) {
		if r.Operation == operation {
			return r.Params
		}
	}
	t.Fatalf("nothing of %s in %d requests", operation, len(requests))
	return nil
}

// object is a JSON object as fakecloud has it.
type object = map[string]any

func change(t *testing.T, p driver.Pool, ch driver.Change) driver.Result {
	t.Helper()
	result, err := p.Change(t.Context(), ch)
	if err != nil {
		t.Fatal(err)
	}
	if result.RequestID == "" || result.Ticket == "" || result.Failed != nil {
		t.Errorf("result %+v", result)
	}
	return result
}

func wait(t *testing.T, p driver.Pool, result driver.Result) {
	t.Helper()
	if err := p.Wait(t.Context(), result.Ticket); err != nil {
		t.Fatal(err)
	}
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
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New()
		group := cloud.AddServerGroup(fakecloud.ServerGroup{})
		p := poolClient(t, cloud).Pool(group)
		first, second := driver.Key{Server: "eni-1", Address: "10.0.0.1", Port: 80}, driver.Key{Server: "eni-1", Address: "10.0.0.2", Port: 80}
		for _, c := range []struct {
			operation string
			change    driver.Change
			want      object
			left      []string // "key weight label"
		}{
			{
				"AddServersToServerGroup",
				driver.Change{Kind: driver.Add, Token: "token-1", Members: []driver.Spec{
					{Key: first, Weight: new(0), Label: "ours"},
					{Key: second},
					{Key: driver.Key{Server: "web", Port: 81}, Type: "ECS", Weight: new(7), Subnet: "", Name: "ignored", ID: "ignored"},
				}},
				object{"ClientToken": "token-1", "ServerGroupId": group, "Servers": []any{
					object{"ServerId": "eni-1", "ServerIp": "10.0.0.1", "ServerType": "Eni", "Port": int64(80), "Weight": int64(0), "Description": "ours"},
					object{"ServerId": "eni-1", "ServerIp": "10.0.0.2", "ServerType": "Eni", "Port": int64(80)},
					object{"ServerId": "web", "ServerType": "Ecs", "Port": int64(81), "Weight": int64(7)},
				}},
				[]string{"eni-1(10.0.0.1):80 0 ours", "eni-1(10.0.0.2):80 100 ", "web:81 7 "},
			},
			{
				"UpdateServerGroupServersAttribute",
				driver.Change{Kind: driver.SetWeight, Token: "token-2", Members: []driver.Spec{
					{Key: first, Weight: new(50), Label: "ours"},
					{Key: second, Weight: new(0)},
				}},
				object{"ClientToken": "token-2", "ServerGroupId": group, "Servers": []any{
					object{"ServerId": "eni-1", "ServerIp": "10.0.0.1", "ServerType": "Eni", "Port": int64(80), "Weight": int64(50), "Description": "ours"},
					object{"ServerId": "eni-1", "ServerIp": "10.0.0.2", "ServerType": "Eni", "Port": int64(80), "Weight": int64(0)},
				}},
				[]string{"eni-1(10.0.0.1):80 50 ours", "eni-1(10.0.0.2):80 0 ", "web:81 7 "},
			},
			{
				"ReplaceServersInServerGroup",
				driver.Change{
					Kind: driver.Swap, Token: "token-3",
					Members: []driver.Spec{{Key: driver.Key{Server: "i-1", Port: 80}, Label: "fresh", Weight: new(1)}},
					Out:     []driver.Spec{{Key: second, Label: "not sent", Weight: new(0)}, {Key: driver.Key{Server: "web", Port: 81}, Type: "Ecs"}},
				},
				object{
					"ClientToken": "token-3", "ServerGroupId": group,
					"AddedServers": []any{
						object{"ServerId": "i-1", "ServerType": "Ecs", "Port": int64(80), "Weight": int64(1), "Description": "fresh"},
					},
					"RemovedServers": []any{
						object{"ServerId": "eni-1", "ServerIp": "10.0.0.2", "ServerType": "Eni", "Port": int64(80)},
						object{"ServerId": "web", "ServerType": "Ecs", "Port": int64(81)},
					},
				},
				[]string{"eni-1(10.0.0.1):80 50 ours", "i-1:80 1 fresh"},
			},
			{
				"RemoveServersFromServerGroup",
				driver.Change{Kind: driver.Remove, Token: "token-4", Members: []driver.Spec{{Key: first, Weight: new(50), Label: "ours"}}},
				object{"ClientToken": "token-4", "ServerGroupId": group, "Servers": []any{
					object{"ServerId": "eni-1", "ServerIp": "10.0.0.1", "ServerType": "Eni", "Port": int64(80)},
				}},
				[]string{"i-1:80 1 fresh"},
			},
		} {
			before := len(cloud.Requests())
			result := change(t, p, c.change)
			if sent := len(cloud.Requests()) - before; sent != 1 {
				t.Errorf("%s: %d requests", c.operation, sent)
			}
			if got := wire(t, cloud, c.operation); !reflect.DeepEqual(got, c.want) {
				t.Errorf("%s sends\n%v, want\n%v", c.operation, got, c.want)
			}
			wait(t, p, result)
			var left []string
			for _, m := range members(t, p, false) {
				left = append(left, fmt.Sprintf("%s %d %s", m.Key, m.Weight, m.Label))
			}
			if !slices.Equal(left, c.left) {
				t.Errorf("after %s there are %q, want %q", c.operation, left, c.left)
			}
		}
	})
}

// TestPoolMembers: keys, aliases and types of all kinds of servers.
func TestPoolMembers(t *testing.T) {
	t.Parallel()
	arn := "acs:fc:cn-hangzhou:1:services/web.LATEST/functions/f"
	for _, c := range []struct {
		kind string
		seed fakecloud.BackendServer
		want driver.Member
	}{
		{
			"Instance",
			fakecloud.BackendServer{ID: "i-1", IP: "10.0.0.1", Port: 80, Weight: new(0), Description: "mine"},
			driver.Member{Key: driver.Key{Server: "i-1", Port: 80}, ID: "10.0.0.1", Aliases: []string{"10.0.0.1"}, Type: "Ecs", Label: "mine"},
		},
		{
			"Instance",
			fakecloud.BackendServer{ID: "eni-1", Type: "Eni", IP: "10.0.0.2", Port: 80, Weight: new(3)},
			driver.Member{Key: driver.Key{Server: "eni-1", Address: "10.0.0.2", Port: 80}, Aliases: []string{"10.0.0.2"}, Type: "Eni", Weight: 3},
		},
		{
			"Instance",
			fakecloud.BackendServer{ID: "eci-1", Type: "Eci", IP: "10.0.0.3", Port: 80},
			driver.Member{Key: driver.Key{Server: "eci-1", Port: 80}, ID: "10.0.0.3", Aliases: []string{"10.0.0.3"}, Type: "Eci", Weight: 100},
		},
		{
			"Ip",
			fakecloud.BackendServer{ID: "10.0.0.4", Type: "Ip", Port: 80},
			driver.Member{Key: driver.Key{Server: "10.0.0.4", Port: 80}, Type: "Ip", Weight: 100},
		},
		{
			"Fc",
			fakecloud.BackendServer{ID: arn, Type: "Fc"},
			driver.Member{Key: driver.Key{Server: arn}, Type: "Fc", Weight: 100},
		},
	} {
		c.want.Phase = driver.Ready
		cloud := fakecloud.New()
		p := poolClient(t, cloud).Pool(cloud.AddServerGroup(fakecloud.ServerGroup{Type: c.kind, Servers: []fakecloud.BackendServer{c.seed}}))
		for range 2 {
			if got := members(t, p, false); len(got) != 1 || !reflect.DeepEqual(got[0], c.want) {
				t.Errorf("members %+v, want %+v", got, c.want)
			}
		}
		d := describe(t, p)
		if fc := c.kind == "Fc"; d.Portless != fc || (d.Weights.Ignored != "") != fc || d.SetWeight.Exists() == fc || d.Swap.Exists() == fc {
			t.Errorf("%s: %+v", c.kind, d)
		}
		if c.kind == "Fc" { // it can be added again by the name it has
			if err := p.Check(driver.Change{Kind: driver.Add, Members: []driver.Spec{c.want.Spec()}}); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestPoolNames: what is not part of a name on the wire or in a reply.
func TestPoolNames(t *testing.T) {
	t.Parallel()
	p := scripted(t, map[string]string{"ListServerGroupServers": reply(t, alb.ListServerGroupServersResponse{RequestID: "r", Servers: []alb.Server{
		{ServerID: "acs:fc:1", ServerIP: "10.0.0.1", ServerType: alb.ServerTypeFc, Port: 9000},
		{ServerID: "10.0.0.1", ServerIP: "10.0.0.1", ServerType: alb.ServerTypeIp, Port: 80},
		{ServerID: "i-1", ServerType: alb.ServerTypeEcs, Port: 80, Status: "Brand-new"},
	}})}).Pool("sgp-1")
	got := members(t, p, false)
	want := []driver.Key{{Server: "acs:fc:1"}, {Server: "10.0.0.1", Port: 80}, {Server: "i-1", Port: 80}}
	for i, m := range got {
		if m.Key != want[i] || m.Aliases != nil || m.Phase != driver.Changing {
			t.Errorf("member %+v, want %+v", m, want[i])
		}
	}

	cloud := fakecloud.New()
	group := cloud.AddServerGroup(fakecloud.ServerGroup{Type: "Ip"})
	key := driver.Key{Server: "10.0.0.1", Address: "10.0.0.1", Port: 80}
	change(t, poolClient(t, cloud).Pool(group), driver.Change{Kind: driver.Add, Token: "t", Members: []driver.Spec{{Key: key}}})
	sent := object{"ClientToken": "t", "ServerGroupId": group, "Servers": []any{object{"ServerId": "10.0.0.1", "ServerType": "Ip", "Port": int64(80)}}}
	if got := wire(t, cloud, "AddServersToServerGroup"); !reflect.DeepEqual(got, sent) {
		t.Errorf("sent %v, want %v", got, sent)
	}
}

// TestPoolTwoAddresses: somebody else has put an instance in twice.
func TestPoolTwoAddresses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New()
		p := poolClient(t, cloud).Pool(cloud.AddServerGroup(fakecloud.ServerGroup{Servers: []fakecloud.BackendServer{
			{ID: "i-1", IP: "10.0.0.1", Port: 80},
			{ID: "i-2", IP: "10.0.0.9", Port: 80},
			{ID: "i-1", IP: "10.0.0.2", Port: 80},
		}}))
		keys := func() (found []string) {
			for _, m := range members(t, p, false) {
				found = append(found, m.Key.String())
			}
			return found
		}
		if got, want := keys(), []string{"i-1(10.0.0.1):80", "i-2:80", "i-1(10.0.0.2):80"}; !slices.Equal(got, want) {
			t.Errorf("keys %q, want %q", got, want)
		}
		wait(t, p, change(t, p, driver.Change{Kind: driver.Remove, Members: []driver.Spec{members(t, p, false)[2].Spec()}}))
		if got, want := keys(), []string{"i-1:80", "i-2:80"}; !slices.Equal(got, want) {
			t.Errorf("keys %q, want %q", got, want)
		}
		if alias := members(t, p, false)[0].Aliases; !slices.Equal(alias, []string{"10.0.0.1"}) {
			t.Errorf("%q is left", alias)
		}
	})
}

// TestPoolPages reads more members than one page has.
func TestPoolPages(t *testing.T) {
	t.Parallel()
	var servers []fakecloud.BackendServer
	for i := range 3*alb.ListServerGroupServersMaxPageSize + 1 {
		servers = append(servers, fakecloud.BackendServer{ID: fmt.Sprintf("i-%d", i), Port: 80})
	}
	cloud := fakecloud.New()
	p := poolClient(t, cloud).Pool(cloud.AddServerGroup(fakecloud.ServerGroup{Servers: servers}))
	if list := members(t, p, false); len(list) != len(servers) || list[300].Server != "i-300" {
		t.Errorf("%d members", len(list))
	}
	if n := cloud.Calls("alb", "ListServerGroupServers"); n != 4 {
		t.Errorf("%d calls for 4 full pages", n)
	}
}

func TestPoolDescribe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testPoolDescribe)
}

func testPoolDescribe(t *testing.T) {
	cloud := fakecloud.New()
	lb := poolClient(t, cloud)
	one := cloud.AddServerGroup(fakecloud.ServerGroup{Name: "web", LoadBalancerIDs: []string{"alb-1"}})
	other := cloud.AddServerGroup(fakecloud.ServerGroup{LoadBalancerIDs: []string{"alb-1"}})
	p := lb.Pool(one)
	region := cloud.Config().Region
	d := describe(t, p)
	budget := cloudlb.Budget{Calls: 200, Per: time.Minute}
	want := driver.Description{
		Service: "alb", Region: region, ID: one, Name: "web", LockKey: "alb/" + region + "/" + one,
		Add:       driver.Verb{Operation: "AddServersToServerGroup", Most: 200, Budget: budget},
		SetWeight: driver.Verb{Operation: "UpdateServerGroupServersAttribute", Most: 40, Budget: budget},
		Remove:    driver.Verb{Operation: "RemoveServersFromServerGroup", Most: 200, Budget: budget},
		Swap:      driver.Verb{Operation: "ReplaceServersInServerGroup", Most: 200, Budget: budget},
		Weights:   driver.Weights{Max: 100, Default: 100}, MaxMembers: 1000, Labels: true, Account: d.Account,
	}
	if d != want {
		t.Errorf("description\n%+v, want\n%+v", d, want)
	}
	more := describe(t, lb.Pool(other))
	if more.LockKey == d.LockKey || more.Account != d.Account {
		t.Errorf("two groups: %+v, %+v", d, more)
	}
	if elsewhere := describe(t, poolClient(t, cloud).Pool(one)); elsewhere.Account == d.Account {
		t.Error("two clients without a common limiter count as one account")
	}

	// Two groups of one load balancer are changed at the same time, two pools
	// of one group are not.
	unlock, err := p.Lock(t.Context(), d.LockKey)
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	second, err := lb.Pool(other).Lock(t.Context(), more.LockKey)
	if err != nil {
		t.Fatal(err)
	}
	second()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if _, err := lb.Pool(one).Lock(ctx, d.LockKey); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second turn: %v", err)
	}

	_, err = lb.Pool("sgp-none").Describe(t.Context())
	if !errors.Is(err, cloudlb.ErrNotFound) || !strings.Contains(err.Error(), "sgp-none") {
		t.Errorf("a group that does not exist: %v", err)
	}
}

// TestPoolSettings: what a group's settings make of its description.
func TestPoolSettings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New()
		lb := poolClient(t, cloud)
		group := cloud.AddServerGroup(fakecloud.ServerGroup{})
		p := lb.Pool(group)
		if d := describe(t, p); d.Draining != 0 || !strings.Contains(d.NoHealth, "no load balancer") {
			t.Errorf("a group that nobody uses: %+v", d)
		}
		cloud.AddListener(fakecloud.Listener{ServerGroupIDs: []string{group}})
		if d := describe(t, p); d.NoHealth != "" {
			t.Errorf("a group that a listener uses: %+v", d)
		}
		res, err := lb.UpdateServerGroupAttribute(t.Context(), alb.UpdateServerGroupAttributeRequest{
			ServerGroupID:         group,
			ConnectionDrainConfig: &alb.ConnectionDrainConfigUpdate{ConnectionDrainEnabled: new(true), ConnectionDrainTimeout: new(90)},
			HealthCheckConfig:     &alb.HealthCheckConfigUpdate{HealthCheckEnabled: new(false)},
		})
		if err != nil {
			t.Fatal(err)
		}
		wait(t, p, driver.Result{Ticket: res.JobID})
		if d := describe(t, p); d.Draining != 90*time.Second || !strings.Contains(d.NoHealth, "off") {
			t.Errorf("a group that drains and checks nothing: %+v", d)
		}
	})
}
