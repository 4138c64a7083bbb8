package apig_test

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/drivertest"
)

const (
	poolSecret  = "apig/pool/secret/access/key/000000000001"
	poolGateway = "gateway-1"
	poolChannel = "channel-1"
)

// clientOf puts a channel into a Cloud and returns a client of it.
func clientOf(t testing.TB, cloud *fakecloud.Cloud, channel fakecloud.VPCChannel, product apig.Product) *apig.Client {
	t.Helper()
	client, err := apig.New(cloud.Config(), apig.WithProjectID(cloud.ProjectID()), apig.WithProduct(product))
	if err != nil {
		t.Fatal(err)
	}
	channel.ID, channel.InstanceID, channel.Name = poolChannel, poolGateway, "web"
	cloud.AddVPCChannel(channel)
	return client
}

func address(i int) driver.Spec {
	return driver.Spec{Key: driver.Key{Server: fmt.Sprintf("10.0.%d.%d", i/200, i%200+1), Port: 8080}}
}

func instance(i int) driver.Spec {
	return driver.Spec{Key: driver.Key{Server: fmt.Sprintf("ecs-%d", i), Port: 8080}, Name: fmt.Sprintf("web-%d", i)}
}

func TestPoolConformance(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		channel fakecloud.VPCChannel
		product apig.Product
		group   string
		spec    func(i int) driver.Spec
	}{
		"by address": {product: apig.APIGateway, spec: address},
		"by address, checked, with groups": {
			channel: fakecloud.VPCChannel{HealthCheck: true, Groups: []string{"blue", "green"}}, product: apig.APIGateway,
			spec: func(i int) driver.Spec {
				s := address(i)
				s.Label = []string{"blue", "green"}[i%2]
				return s
			},
		},
		"by instance": {channel: fakecloud.VPCChannel{MemberType: "ecs", HealthCheck: true}, product: apig.APIGateway, spec: instance},
		"member group": {
			channel: fakecloud.VPCChannel{HealthCheck: true, Groups: []string{"blue"}}, product: apig.APIGateway,
			group: "blue", spec: address,
		},
		"ROMA Connect":              {channel: fakecloud.VPCChannel{HealthCheck: true}, product: apig.ROMAConnect, spec: address},
		"ROMA Connect, by instance": {channel: fakecloud.VPCChannel{MemberType: "ecs"}, product: apig.ROMAConnect, spec: instance},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			drivertest.Run(t, drivertest.Harness{
				Bubble: true,
				New: func(t testing.TB) drivertest.Fixture {
					cloud := fakecloud.New(
						fakecloud.WithCredentials("POOLACCESSKEY00000001", poolSecret, ""),
						fakecloud.WithChannelWindow(500*time.Millisecond), fakecloud.WithMemberInitial(20*time.Second),
					)
					client := clientOf(t, cloud, test.channel, test.product)
					p := client.Pool(poolGateway, poolChannel)
					if test.group != "" {
						p = client.PoolOfGroup(poolGateway, poolChannel, test.group)
					}
					return drivertest.Fixture{
						Pool:        p,
						SetHealth:   func(k driver.Key, healthy bool) { cloud.SetHealth(k.Server, healthy) },
						Requests:    func() int { return len(cloud.Requests()) },
						HealthCalls: func() int { return cloud.Calls("apig", "GetVpcChannel") },
						Target:      new(*apig.Client),
						Secrets:     []string{poolSecret},
					}
				},
				Spec: test.spec,
			})
		})
	}
}

func TestPoolDescription(t *testing.T) {
	t.Parallel()
	const unchecked = "the channel has no health check: add one with UpdateHealthCheck, or probe the application itself"
	for name, test := range map[string]struct {
		channel fakecloud.VPCChannel
		product apig.Product
		group   string
		want    driver.Description // of what differs
	}{
		"plain":           {product: apig.APIGateway, want: driver.Description{NoHealth: unchecked}},
		"checked":         {channel: fakecloud.VPCChannel{HealthCheck: true}, product: apig.APIGateway},
		"with groups":     {channel: fakecloud.VPCChannel{Groups: []string{"blue"}}, product: apig.APIGateway, want: driver.Description{NoHealth: unchecked, Labels: true}},
		"a group":         {channel: fakecloud.VPCChannel{Groups: []string{"blue"}}, product: apig.APIGateway, group: "blue", want: driver.Description{NoHealth: unchecked}},
		"on ROMA Connect": {channel: fakecloud.VPCChannel{HealthCheck: true}, product: apig.ROMAConnect, want: driver.Description{NoHealth: "ROMA Connect does not report the health of members: probe the application itself"}},
		"by instance":     {channel: fakecloud.VPCChannel{Port: 443, HealthCheck: true, MemberType: "ecs"}, product: apig.APIGateway},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := fakecloud.New(fakecloud.WithRegion("cn-north-4"))
			client := clientOf(t, cloud, test.channel, test.product)
			want := test.want
			want.Service, want.Region, want.ID, want.Name = "apig", "cn-north-4", poolGateway+"/"+poolChannel, "web"
			want.LockKey = "apig/cn-north-4/" + poolGateway + "/" + poolChannel
			want.Weights = driver.Weights{Max: 10000, Default: 1}
			want.Add = driver.Verb{Operation: "AddingBackendInstancesV2"}
			want.SetWeight = want.Add
			want.Remove = driver.Verb{Operation: "DeleteBackendInstanceV2", Most: 1}
			want.Disable = driver.Verb{Operation: "BatchDisableMembers"}
			want.Enable = driver.Verb{Operation: "BatchEnableMembers"}
			p := client.Pool(poolGateway, poolChannel)
			if test.group != "" {
				p = client.PoolOfGroup(poolGateway, poolChannel, test.group)
				want.ID += "/" + test.group
				want.Name += "/" + test.group
			}
			got, err := p.Describe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got.Account = nil
			if got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// Channels whose members come from elsewhere can be read and not be changed.
func TestPoolOfMicroservices(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	client := clientOf(t, cloud, fakecloud.VPCChannel{}, apig.APIGateway)
	channel, err := client.CreateVpcChannel(t.Context(), apig.CreateVpcChannelRequest{
		InstanceID: poolGateway, Name: "orders", Port: 80, BalanceStrategy: apig.BalanceStrategyWeightedRoundRobin,
		MemberType: apig.MemberTypeIP, Type: apig.VpcChannelTypeCodeMicroservice,
		MicroserviceInfo: &apig.MicroserviceInfoSpec{
			ServiceType: apig.MicroserviceTypeCSE,
			CSEInfo:     &apig.CSEInfoSpec{EngineID: "engine-1", ServiceID: "service-1"},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	d, err := client.Pool(poolGateway, channel.ID).Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []driver.Kind{driver.Add, driver.SetWeight, driver.Remove, driver.Swap, driver.Disable, driver.Enable} {
		if d.Verb(kind).Exists() {
			t.Errorf("%s exists", kind)
		}
	}
	if d.Weights.Ignored == "" {
		t.Error("weights are not ignored")
	}
}

// sent makes a change and returns what arrived, without the IDs in the path.
func sent(t *testing.T, cloud *fakecloud.Cloud, p driver.Pool, c driver.Change) (requests []string, result driver.Result) {
	t.Helper()
	before := len(cloud.Requests())
	result, err := p.Change(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range cloud.Requests()[before:] {
		text := r.Operation
		for _, name := range []string{"members", "member_id", "member_ids"} {
			if v, ok := r.Params[name]; ok {
				text += " " + fmt.Sprint(v)
			}
		}
		requests = append(requests, text)
	}
	return requests, result
}

// A new weight must not reset what else the call can set.
func TestPoolKeepsOtherSettings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		channel fakecloud.VPCChannel
		backup  apig.MemberSpec
		server  string
		want    string
	}{
		"by address": {
			channel: fakecloud.VPCChannel{Groups: []string{"blue"}},
			backup:  apig.MemberSpec{Host: "10.0.0.1", Port: 8080, MemberGroupName: "blue"},
			server:  "10.0.0.1",
			want:    "AddingBackendInstancesV2 [map[host:10.0.0.1 is_backup:true member_group_name:blue port:8080 status:2 weight:7]]",
		},
		"by instance": {
			channel: fakecloud.VPCChannel{Groups: []string{"blue"}, MemberType: "ecs"},
			backup:  apig.MemberSpec{ECSID: "ecs-1", ECSName: "web-1", Port: 8080, MemberGroupName: "blue"},
			server:  "ecs-1",
			want:    "AddingBackendInstancesV2 [map[ecs_id:ecs-1 ecs_name:web-1 is_backup:true member_group_name:blue port:8080 status:2 weight:7]]",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := fakecloud.New()
			client := clientOf(t, cloud, test.channel, apig.APIGateway)
			spec := test.backup
			spec.Weight, spec.IsBackup, spec.Status = new(50), new(true), apig.MemberStatusUnavailable
			if _, err := client.AddVpcChannelMembers(t.Context(), apig.AddVpcChannelMembersRequest{
				InstanceID: poolGateway, VpcChannelID: poolChannel, Members: []apig.MemberSpec{spec},
			}); err != nil {
				t.Fatal(err)
			}
			p := client.Pool(poolGateway, poolChannel)
			before, err := p.Members(t.Context(), false)
			if err != nil || len(before) != 1 {
				t.Fatal(before, err)
			}

			c := driver.Change{Kind: driver.SetWeight, Members: []driver.Spec{{Key: driver.Key{Server: test.server, Port: 8080}, Weight: new(7)}}}
			got, _ := sent(t, cloud, p, c)
			if want := []string{"ListBackendInstancesV2", test.want}; !reflect.DeepEqual(got, want) {
				t.Errorf("sent %q, want %q", got, want)
			}

			// Adding it again would make it an ordinary member in service.
			c.Kind = driver.Add
			c.Members[0].Name, c.Members[0].Label = "web-1", "blue"
			got, result := sent(t, cloud, p, c)
			if want := []string{"ListBackendInstancesV2"}; !reflect.DeepEqual(got, want) {
				t.Errorf("sent %q, want %q", got, want)
			}
			if len(result.Failed) != 1 || !errors.Is(result.Failed[0].Err, cloudlb.ErrAlreadyExists) {
				t.Errorf("failed: %+v", result.Failed)
			}

			after, err := p.Members(t.Context(), false)
			if err != nil {
				t.Fatal(err)
			}
			before[0].Weight = 7
			if !reflect.DeepEqual(after, before) || after[0].Phase != driver.Disabled || after[0].Label != "blue" {
				t.Errorf("got  %#v\nwant %#v", after, before)
			}
		})
	}
}

// What arrives of the other changes: one call each.
func TestPoolRequests(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	client := clientOf(t, cloud, fakecloud.VPCChannel{Groups: []string{"blue"}, Members: []fakecloud.ChannelMember{
		{ID: "m-1", Host: "10.0.0.1", Port: 80}, {ID: "m-2", Host: "10.0.0.2", Port: 80},
	}}, apig.ROMAConnect)
	p := client.Pool(poolGateway, poolChannel)
	spec := func(server, id string) driver.Spec {
		return driver.Spec{Key: driver.Key{Server: server, Port: 80}, ID: id}
	}
	fresh, weighted := spec("10.0.0.3", "from-elsewhere"), spec("10.0.0.4", "")
	fresh.Label, weighted.Weight = "blue", new(0)
	for _, test := range []struct {
		change driver.Change
		want   []string
	}{
		{
			driver.Change{Kind: driver.Add, Token: "not-used", Members: []driver.Spec{fresh, weighted}},
			[]string{
				"ListBackendInstancesV2",
				"AddingBackendInstancesV2 [map[host:10.0.0.3 member_group_name:blue port:80 weight:1] map[host:10.0.0.4 port:80 weight:0]]",
			},
		},
		{driver.Change{Kind: driver.Disable, Members: []driver.Spec{spec("10.0.0.1", "m-1"), spec("10.0.0.2", "m-2")}}, []string{"BatchDisableMembers [m-1 m-2]"}},
		{driver.Change{Kind: driver.Enable, Members: []driver.Spec{spec("10.0.0.2", "m-2")}}, []string{"BatchEnableMembers [m-2]"}},
		{driver.Change{Kind: driver.Remove, Members: []driver.Spec{spec("10.0.0.1", "m-1")}}, []string{"DeleteBackendInstanceV2 m-1"}},
	} {
		got, result := sent(t, cloud, p, test.change)
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s sent %q, want %q", test.change.Kind, got, test.want)
		}
		if last := cloud.Requests(); result.RequestID == "" || result.RequestID != last[len(last)-1].RequestID || result.Ticket != "" || result.Failed != nil {
			t.Errorf("%s: result %+v", test.change.Kind, result)
		}
	}
}

// The pool of a group leaves other groups alone, whatever it is asked for.
func TestPoolOfGroup(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	client := clientOf(t, cloud, fakecloud.VPCChannel{Members: []fakecloud.ChannelMember{
		{ID: "blue-1", Host: "10.0.0.1", Port: 80, Group: "blue", Weight: new(10)},
		{ID: "green-1", Host: "10.0.0.1", Port: 80, Group: "green", Weight: new(20)},
		{ID: "green-2", Host: "10.0.0.2", Port: 80, Group: "green", Weight: new(30)},
		{ID: "loose-1", Host: "10.0.0.1", Port: 80, Weight: new(40)},
	}}, apig.APIGateway)
	all := client.Pool(poolGateway, poolChannel)
	blue := client.PoolOfGroup(poolGateway, poolChannel, "blue")
	list := func(p driver.Pool) []driver.Member {
		members, err := p.Members(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		return members
	}
	before := list(all)
	want := []driver.Member{{Key: driver.Key{Server: "10.0.0.1", Port: 80}, ID: "blue-1", Weight: 10, Phase: driver.Ready}}
	if got := list(blue); !reflect.DeepEqual(got, want) {
		t.Fatalf("members %#v, want %#v", got, want)
	}

	// In the pool of all groups the key is not enough, and the ID is.
	both := driver.Spec{Key: driver.Key{Server: "10.0.0.1", Port: 80}, Weight: new(1)}
	_, result := sent(t, cloud, all, driver.Change{Kind: driver.SetWeight, Members: []driver.Spec{both}})
	if len(result.Failed) != 1 || !errors.Is(result.Failed[0].Err, cloudlb.ErrInvalid) || !strings.Contains(result.Failed[0].Err.Error(), "PoolOfGroup") {
		t.Errorf("failed: %+v", result.Failed)
	}
	both.ID, both.Weight = "loose-1", new(41)
	if _, result = sent(t, cloud, all, driver.Change{Kind: driver.SetWeight, Members: []driver.Spec{both}}); result.Failed != nil {
		t.Errorf("failed: %+v", result.Failed)
	}
	before[3].Weight = 41

	// IDs of another group are as good as unknown.
	theirs := driver.Spec{Key: driver.Key{Server: "10.0.0.2", Port: 80}, ID: "green-2", Weight: new(1)}
	for _, kind := range []driver.Kind{driver.SetWeight, driver.Remove, driver.Disable, driver.Enable} {
		requests, result := sent(t, cloud, blue, driver.Change{Kind: kind, Members: []driver.Spec{theirs}})
		if len(result.Failed) != 1 || result.Failed[0].Key != theirs.Key || !errors.Is(result.Failed[0].Err, cloudlb.ErrNotFound) || len(requests) != 1 {
			t.Errorf("%s of a member of another group: %+v, requests %q", kind, result, requests)
		}
	}

	// The same address again, in this group alone.
	weigh := driver.Change{Kind: driver.SetWeight, Members: []driver.Spec{{Key: driver.Key{Server: "10.0.0.1", Port: 80}, Weight: new(11)}}}
	add := driver.Change{Kind: driver.Add, Members: []driver.Spec{{Key: driver.Key{Server: "10.0.0.2", Port: 80}}}}
	for _, c := range []driver.Change{weigh, add} {
		if _, result := sent(t, cloud, blue, c); result.Failed != nil {
			t.Errorf("%s: %+v", c.Kind, result)
		}
	}
	before[0].Weight = 11
	after := list(all)
	if len(after) != 5 || !reflect.DeepEqual(after[:4], before) || after[4].Label != "blue" || after[4].Server != "10.0.0.2" {
		t.Errorf("members\n%#v, want one more than\n%#v", after, before)
	}

	if _, err := client.PoolOfGroup(poolGateway, poolChannel, "red").Describe(t.Context()); !errors.Is(err, cloudlb.ErrNotFound) || !strings.Contains(err.Error(), "no member group red") {
		t.Errorf("a group that does not exist: %v", err)
	}
}

// The first checks of a member take time, disabled members have none, and ROMA
// Connect says nothing.
func TestPoolHealth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New(fakecloud.WithMemberInitial(time.Minute))
		channel := fakecloud.VPCChannel{HealthCheck: true, Members: []fakecloud.ChannelMember{
			{Host: "10.0.0.1", Port: 80}, {Host: "10.0.0.2", Port: 80}, {Host: "10.0.0.3", Port: 80, Disabled: true},
		}}
		client := clientOf(t, cloud, channel, apig.APIGateway)
		cloud.SetHealth("10.0.0.2", false)
		p := client.Pool(poolGateway, poolChannel)
		sent(t, cloud, p, driver.Change{Kind: driver.Add, Members: []driver.Spec{address(100), {Key: driver.Key{Server: "10.0.0.5", Port: 80}, Weight: new(0)}}})
		states := func(p driver.Pool, health bool) string {
			members, err := p.Members(t.Context(), health)
			if err != nil {
				t.Fatal(err)
			}
			var text []string
			for _, m := range members {
				text = append(text, string(m.Health))
			}
			return strings.Join(text, ",")
		}
		if got := states(p, true); got != "healthy,unhealthy,,checking," {
			t.Errorf("health %q", got)
		}
		if got := states(p, false); got != ",,,," {
			t.Errorf("health %q though it was not asked for", got)
		}
		roma, err := apig.New(cloud.Config(), apig.WithProjectID(cloud.ProjectID()))
		if err != nil {
			t.Fatal(err)
		}
		if got := states(roma.Pool(poolGateway, poolChannel), true); got != ",,,," {
			t.Errorf("health %q on ROMA Connect", got)
		}
	})
}

// What is wrong is found before anything is sent, by the names of a Change.
func TestPoolCheck(t *testing.T) {
	t.Parallel()
	client := clientOf(t, fakecloud.New(), fakecloud.VPCChannel{}, apig.APIGateway)
	all, blue := client.Pool(poolGateway, poolChannel), client.PoolOfGroup(poolGateway, poolChannel, "blue")
	good := driver.Spec{Key: driver.Key{Server: "10.0.0.1", Port: 80}, ID: "m-1", Weight: new(1)}
	for _, test := range []struct {
		pool  driver.Pool
		kind  driver.Kind
		spoil func(c *driver.Change, s *driver.Spec)
		field string
		text  string
	}{
		{all, driver.Add, func(_ *driver.Change, s *driver.Spec) { s.Server = "" }, "Members[0].Server", "is required"},
		{all, driver.Add, func(_ *driver.Change, s *driver.Spec) { s.Server = "ecs 1"; s.Name = "web" }, "Members[0].Server", "not allowed"},
		{all, driver.Add, func(_ *driver.Change, s *driver.Spec) { s.Server = "ecs-1" }, "Members[0].Name", "whose name the service wants"},
		{all, driver.Add, func(_ *driver.Change, s *driver.Spec) { s.Server = "ecs-1"; s.Name = strings.Repeat("n", 65) }, "Members[0].Name", "64"},
		{all, driver.Add, func(_ *driver.Change, s *driver.Spec) { s.Port = 0 }, "Members[0].Port", "1 to 65535"},
		{all, driver.Add, func(_ *driver.Change, s *driver.Spec) { s.Address = "10.0.0.2" }, "Members[0].Address", "leave it empty"},
		{all, driver.Add, func(_ *driver.Change, s *driver.Spec) { s.Type = "Ecs" }, "Members[0].Type", "leave it empty"},
		{all, driver.Add, func(_ *driver.Change, s *driver.Spec) { s.Subnet = "subnet-1" }, "Members[0].Subnet", "ELB only"},
		{all, driver.Add, func(_ *driver.Change, s *driver.Spec) { s.Label = strings.Repeat("l", 65) }, "Members[0].Label", "64"},
		{blue, driver.Add, func(_ *driver.Change, s *driver.Spec) { s.Label = "green" }, "Members[0].Label", `is the member group "blue"`},
		{all, driver.Add, func(c *driver.Change, s *driver.Spec) { c.Members = []driver.Spec{*s, *s} }, "Members[1]", "repeats Members[0] (same Label, Server and Port)"},
		{all, driver.SetWeight, func(_ *driver.Change, s *driver.Spec) { s.Weight = nil }, "Members[0].Weight", "is required"},
		{all, driver.SetWeight, func(_ *driver.Change, s *driver.Spec) { s.Weight = new(10001) }, "Members[0].Weight", "0 to 10000"},
		{all, driver.Disable, func(_ *driver.Change, s *driver.Spec) { s.ID = "" }, "Members[0].ID", "read the pool first"},
		{all, driver.Enable, func(_ *driver.Change, s *driver.Spec) { s.ID = "" }, "Members[0].ID", "read the pool first"},
		{all, driver.Enable, func(c *driver.Change, s *driver.Spec) { c.Members = []driver.Spec{*s, *s} }, "Members[1]", "repeats Members[0] (same ID)"},
		{all, driver.Disable, func(c *driver.Change, _ *driver.Spec) { c.Members = nil }, "Members", "is empty"},
		{all, driver.Remove, func(_ *driver.Change, s *driver.Spec) { s.ID = "" }, "Members[0].ID", "read the pool first"},
		{all, driver.Remove, func(c *driver.Change, s *driver.Spec) {
			other := *s
			other.Server, other.ID = "10.0.0.2", "m-2"
			c.Members = []driver.Spec{*s, other}
		}, "Members", "at most 1"},
		{all, driver.Remove, func(c *driver.Change, s *driver.Spec) { c.Out = []driver.Spec{*s} }, "Out", "is for swap"},
		{all, driver.Swap, func(*driver.Change, *driver.Spec) {}, "Kind", "use add, set-weight, remove, disable or enable"},
	} {
		c := driver.Change{Kind: test.kind, Members: []driver.Spec{good}}
		if err := test.pool.Check(c); (err == nil) == (test.kind == driver.Swap) {
			t.Fatalf("%s: %v", test.kind, err)
		}
		test.spoil(&c, &c.Members[0])
		v, ok := errors.AsType[*cloudlb.ValidationError](test.pool.Check(c))
		if !ok {
			t.Errorf("%s with a wrong %s: %v", test.kind, test.field, test.pool.Check(c))
			continue
		}
		if len(v.Problems) != 1 || v.Problems[0].Field != test.field || !strings.Contains(v.Error(), test.text) {
			t.Errorf("%s: %+v, want one problem of %s with %q", test.kind, v.Problems, test.field, test.text)
		}
	}
}

// Nothing to work with is said by every method.
func TestPoolWithoutID(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	client, err := apig.New(cloud.Config())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		pool driver.Pool
		text string
	}{
		{client.Pool("", poolChannel), "instanceID is required"},
		{client.Pool(poolGateway, ""), "vpcChannelID is required"},
		{client.PoolOfGroup(poolGateway, poolChannel, ""), "memberGroup is required"},
		{(*apig.Client)(nil).Pool(poolGateway, poolChannel), "not built with New"},
	} {
		_, describe := test.pool.Describe(t.Context())
		_, members := test.pool.Members(t.Context(), true)
		_, change := test.pool.Change(t.Context(), driver.Change{})
		_, lock := test.pool.Lock(t.Context(), "key")
		for _, err := range []error{describe, members, change, lock, test.pool.Check(driver.Change{}), test.pool.Wait(t.Context(), "")} {
			if !errors.Is(err, cloudlb.ErrInvalid) || !strings.Contains(err.Error(), test.text) {
				t.Errorf("error %v, want %q", err, test.text)
			}
		}
	}
	if n := len(cloud.Requests()); n != 0 {
		t.Errorf("%d requests", n)
	}
}
