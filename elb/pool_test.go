package elb_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/drivertest"
)

const poolSecret = "elb/pool/secret/access/key/0000000000001"

// poolOn puts a pool into a Cloud and returns its driver.
func poolOn(t testing.TB, cloud *fakecloud.Cloud, p fakecloud.Pool) driver.Pool {
	t.Helper()
	client, err := elb.New(cloud.Config(), elb.WithProjectID(cloud.ProjectID()))
	if err != nil {
		t.Fatal(err)
	}
	return client.Pool(cloud.AddPool(p))
}

func TestPoolConformance(t *testing.T) {
	t.Parallel()
	address := func(i int) driver.Spec {
		return driver.Spec{Key: driver.Key{Server: fmt.Sprintf("10.0.%d.%d", i/200, i%200+1), Port: 8080}}
	}
	for name, test := range map[string]struct {
		pool    fakecloud.Pool
		options []fakecloud.Option
		spec    func(i int) driver.Spec
	}{
		"plain": {pool: fakecloud.Pool{}, spec: func(i int) driver.Spec {
			s := address(i)
			if i%2 == 1 {
				s.Label, s.Subnet, s.Zone = "ours", "subnet-1", "cn-north-4a"
			}
			return s
		}},
		"checked, on a load balancer that takes its time": {
			pool:    fakecloud.Pool{HealthMonitorID: "hm-1", ListenerID: "listener-1"},
			options: []fakecloud.Option{fakecloud.WithLoadBalancerPending(7 * time.Second), fakecloud.WithMemberInitial(20 * time.Second)},
			spec:    address,
		},
		"SOURCE_IP": {pool: fakecloud.Pool{Algorithm: "SOURCE_IP", HealthMonitorID: "hm-1"}, spec: address},
		"any port": {pool: fakecloud.Pool{Protocol: "TCP", AnyPort: true}, spec: func(i int) driver.Spec {
			s := address(i)
			s.Port, s.Name = 0, "server"
			return s
		}},
		"IPv6": {pool: fakecloud.Pool{HealthMonitorID: "hm-1"}, spec: func(i int) driver.Spec {
			return driver.Spec{Key: driver.Key{Server: fmt.Sprintf("2001:db8::%x", i+1), Port: 443}, Subnet: "network-1"}
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			drivertest.Run(t, drivertest.Harness{
				Bubble: true,
				New: func(t testing.TB) drivertest.Fixture {
					cloud := fakecloud.New(append(test.options, fakecloud.WithCredentials("POOLACCESSKEY00000001", poolSecret, ""))...)
					return drivertest.Fixture{
						Pool:      poolOn(t, cloud, test.pool),
						SetHealth: func(k driver.Key, healthy bool) { cloud.SetHealth(k.Server, healthy) },
						Requests:  func() int { return len(cloud.Requests()) },
						Target:    new(*elb.Client),
						Secrets:   []string{poolSecret},
					}
				},
				Spec: test.spec,
			})
		})
	}
}

func TestPoolDescription(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		pool fakecloud.Pool
		edit func(*elb.UpdatePoolRequest)
		want driver.Description // of what differs from pool to pool
	}{
		"plain": {
			pool: fakecloud.Pool{LoadBalancerID: "lb-1"},
			want: driver.Description{LockKey: "elb/cn-north-4/lb-1", NoHealth: "the pool has no health monitor: create one with CreateHealthMonitor, or probe the application itself"},
		},
		"checked": {
			pool: fakecloud.Pool{LoadBalancerID: "lb-1", HealthMonitorID: "hm-1"},
			want: driver.Description{LockKey: "elb/cn-north-4/lb-1"},
		},
		"SOURCE_IP": {
			pool: fakecloud.Pool{LoadBalancerID: "lb-1", HealthMonitorID: "hm-1", Algorithm: "SOURCE_IP"},
			want: driver.Description{LockKey: "elb/cn-north-4/lb-1", HealthAtZero: true, Weights: driver.Weights{Ignored: "the pool's algorithm is SOURCE_IP, which ignores weights: to take a member out, remove it"}},
		},
		"QUIC_CID": {
			pool: fakecloud.Pool{LoadBalancerID: "lb-1", HealthMonitorID: "hm-1", Protocol: "QUIC", Algorithm: "QUIC_CID"},
			want: driver.Description{LockKey: "elb/cn-north-4/lb-1", HealthAtZero: true, Weights: driver.Weights{Ignored: "the pool's algorithm is QUIC_CID, which ignores weights: to take a member out, remove it"}},
		},
		"any port": {
			pool: fakecloud.Pool{LoadBalancerID: "lb-1", HealthMonitorID: "hm-1", Protocol: "TCP", AnyPort: true},
			want: driver.Description{LockKey: "elb/cn-north-4/lb-1", Portless: true},
		},
		"protocol IP": {
			pool: fakecloud.Pool{LoadBalancerID: "lb-1", HealthMonitorID: "hm-1", Protocol: "IP"},
			want: driver.Description{LockKey: "elb/cn-north-4/lb-1", Portless: true},
		},
		"draining": {
			pool: fakecloud.Pool{LoadBalancerID: "lb-1", HealthMonitorID: "hm-1", Protocol: "TCP"},
			edit: func(r *elb.UpdatePoolRequest) {
				r.Pool.ConnectionDrain = &elb.ConnectionDrainUpdate{Enable: new(true), Timeout: 90}
			},
			want: driver.Description{LockKey: "elb/cn-north-4/lb-1", Draining: 90 * time.Second},
		},
		"not draining": {
			pool: fakecloud.Pool{LoadBalancerID: "lb-1", HealthMonitorID: "hm-1", Protocol: "TCP"},
			edit: func(r *elb.UpdatePoolRequest) {
				r.Pool.ConnectionDrain = &elb.ConnectionDrainUpdate{Enable: new(false), Timeout: 90}
			},
			want: driver.Description{LockKey: "elb/cn-north-4/lb-1"},
		},
		"addresses only": {
			pool: fakecloud.Pool{LoadBalancerID: "lb-1", HealthMonitorID: "hm-1"},
			edit: func(r *elb.UpdatePoolRequest) { r.Pool.Type = elb.PoolTypeIP },
			want: driver.Description{LockKey: "elb/cn-north-4/lb-1", HealthAtZero: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := fakecloud.New(fakecloud.WithRegion("cn-north-4"))
			test.pool.ID, test.pool.Name = "pool-1", "web"
			p := poolOn(t, cloud, test.pool)
			if test.edit != nil {
				var client *elb.Client
				req := elb.UpdatePoolRequest{PoolID: "pool-1"}
				test.edit(&req)
				if !p.As(&client) {
					t.Fatal("no client")
				}
				if _, err := client.UpdatePool(t.Context(), req); err != nil {
					t.Fatal(err)
				}
			}
			got, err := p.Describe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := test.want
			want.Service, want.Region, want.ID, want.Name, want.Labels = "elb", "cn-north-4", "pool-1", "web", true
			want.Weights.Max, want.Weights.Default = 100, 1
			want.Add = driver.Verb{Operation: "BatchCreateMembers", Most: elb.BatchCreateMembersMaxMembers}
			want.SetWeight = driver.Verb{Operation: "BatchUpdateMembers", Most: elb.BatchUpdateMembersMaxMembers}
			want.Remove = driver.Verb{Operation: "BatchDeleteMembers", Most: elb.BatchDeleteMembersMaxMembers}
			got.Account = nil
			if got != want {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

// What arrives: one call each, and nothing in it that was not asked for.
func TestPoolRequests(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	p := poolOn(t, cloud, fakecloud.Pool{ID: "pool-1", Members: []fakecloud.PoolMember{
		{ID: "m-1", Address: "10.0.0.1", Port: 80, Name: "theirs"},
		{ID: "m-2", Address: "10.0.0.2", Port: 80, Name: "theirs"},
	}})
	spec := func(server, id string, weight *int) driver.Spec {
		return driver.Spec{Key: driver.Key{Server: server, Port: 80}, ID: id, Weight: weight}
	}
	labelled := spec("2001:DB8:0::0A", "", new(0))
	labelled.Label, labelled.Name, labelled.Subnet = "ours", "web-3", "subnet-1"
	named := spec("10.0.0.4", "from-elsewhere", nil)
	named.Name = "web-4"
	for _, test := range []struct {
		change driver.Change
		want   string // operation and parameters
	}{
		{
			driver.Change{Kind: driver.Add, Token: "not-used", Members: []driver.Spec{labelled, named}},
			`BatchCreateMembers map[members:[` +
				`map[address:2001:db8::a name:ours protocol_port:80 subnet_cidr_id:subnet-1 weight:0] ` +
				`map[address:10.0.0.4 name:web-4 protocol_port:80]]`,
		},
		{
			driver.Change{Kind: driver.SetWeight, Members: []driver.Spec{spec("10.0.0.1", "m-1", new(7)), spec("10.0.0.2", "m-2", new(0))}},
			`BatchUpdateMembers map[members:[map[id:m-1 weight:7] map[id:m-2 weight:0]]`,
		},
		{
			driver.Change{Kind: driver.Remove, Members: []driver.Spec{spec("10.0.0.1", "m-1", new(7)), spec("an-instance", "m-2", nil)}},
			`BatchDeleteMembers map[members:[map[id:m-1] map[id:m-2]]`,
		},
	} {
		before := len(cloud.Requests())
		result, err := p.Change(t.Context(), test.change)
		if err != nil {
			t.Fatal(err)
		}
		requests := cloud.Requests()[before:]
		if len(requests) != 1 {
			t.Fatalf("%s took %d requests", test.change.Kind, len(requests))
		}
		got := requests[0].Operation + " " + fmt.Sprint(requests[0].Params)
		if !strings.HasPrefix(got, test.want) || !strings.Contains(got, "pool_id:pool-1") {
			t.Errorf("sent %s\nwant %s", got, test.want)
		}
		if result.RequestID == "" || result.RequestID != requests[0].RequestID || len(result.Failed) != 0 {
			t.Errorf("%s: result %+v, request %s", test.change.Kind, result, requests[0].RequestID)
		}
	}
}

// Members that a batch leaves out come back with the reason.
func TestPoolBatchResults(t *testing.T) {
	t.Parallel()
	members := []fakecloud.PoolMember{{ID: "m-1", Address: "10.0.0.1", Port: 80}, {ID: "m-2", Address: "10.0.0.2", Port: 80}}
	spec := func(server, id string) driver.Spec {
		return driver.Spec{Key: driver.Key{Server: server, Port: 80}, ID: id, Weight: new(1)}
	}
	for name, test := range map[string]struct {
		effect  *fakecloud.Effect
		change  driver.Change
		failed  driver.Key
		class   cloudlb.Class
		message string
	}{
		"present": {
			change: driver.Change{Kind: driver.Add, Members: []driver.Spec{spec("10.0.0.3", ""), spec("10.0.0.1", "")}},
			failed: driver.Key{Server: "10.0.0.1", Port: 80}, class: cloudlb.ClassAlreadyExists, message: "member 10.0.0.1:80 is in the pool already",
		},
		"absent": {
			change: driver.Change{Kind: driver.Remove, Members: []driver.Spec{spec("10.0.0.9", "m-9"), spec("10.0.0.1", "m-1")}},
			failed: driver.Key{Server: "10.0.0.9", Port: 80}, class: cloudlb.ClassNotFound, message: "ID m-9, is not in the pool",
		},
		"not added": {
			effect: new(fakecloud.PartialSuccess(1)),
			change: driver.Change{Kind: driver.Add, Members: []driver.Spec{spec("10.0.0.3", ""), spec("10.0.0.4", "")}},
			failed: driver.Key{Server: "10.0.0.4", Port: 80}, class: cloudlb.ClassUnknown, message: `ret_status "failed"`,
		},
		"not removed": {
			effect: new(fakecloud.PartialSuccess(1)),
			change: driver.Change{Kind: driver.Remove, Members: []driver.Spec{spec("10.0.0.1", "m-1"), spec("10.0.0.2", "m-2")}},
			failed: driver.Key{Server: "10.0.0.2", Port: 80}, class: cloudlb.ClassUnknown, message: `ret_status "failed"`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := fakecloud.New()
			p := poolOn(t, cloud, fakecloud.Pool{Members: members})
			if test.effect != nil {
				cloud.Inject(fakecloud.Fault{Service: "elb", Times: 1, Effect: *test.effect})
			}
			result, err := p.Change(t.Context(), test.change)
			if err != nil {
				t.Fatal(err)
			}
			if len(result.Failed) != 1 || result.Failed[0].Key != test.failed {
				t.Fatalf("failed: %+v, want %s alone", result.Failed, test.failed)
			}
			e, ok := errors.AsType[*cloudlb.Error](result.Failed[0].Err)
			if !ok || e.Class != test.class || e.Outcome != cloudlb.OutcomeRejected || e.RequestID != result.RequestID ||
				e.Operation == "" || !strings.Contains(e.Error(), test.message) {
				t.Errorf("error %#v, want class %s and %q", e, test.class, test.message)
			}
		})
	}
}

// forgetful is a network on which replies to changes lose their list of members.
type forgetful struct{ cloud *fakecloud.Cloud }

func (f forgetful) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := f.cloud.RoundTrip(r)
	if err == nil && r.Method == http.MethodPost {
		res.Body, res.ContentLength = io.NopCloser(strings.NewReader(`{"request_id":"r-1","members":[]}`)), -1
		res.Header.Del("Content-Length")
	}
	return res, err
}

// A reply that does not say how it ended for a member is no success.
func TestPoolBatchWithoutResults(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	cfg := cloud.Config()
	cfg.HTTPClient = &http.Client{Transport: forgetful{cloud}}
	client, err := elb.New(cfg, elb.WithProjectID(cloud.ProjectID()))
	if err != nil {
		t.Fatal(err)
	}
	p := client.Pool(cloud.AddPool(fakecloud.Pool{Members: []fakecloud.PoolMember{{ID: "m-1", Address: "10.0.0.1", Port: 80}}}))
	for _, kind := range []driver.Kind{driver.Add, driver.SetWeight, driver.Remove} {
		key := driver.Key{Server: "10.0.0.1", Port: 80}
		result, err := p.Change(t.Context(), driver.Change{Kind: kind, Members: []driver.Spec{{Key: key, ID: "m-1", Weight: new(1)}}})
		if err != nil {
			t.Fatal(err)
		}
		if len(result.Failed) != 1 || result.Failed[0].Key != key || result.RequestID != "r-1" {
			t.Fatalf("%s: %+v", kind, result)
		}
		if e, ok := errors.AsType[*cloudlb.Error](result.Failed[0].Err); !ok || e.Outcome != cloudlb.OutcomeUnknown || e.Hint == "" {
			t.Errorf("%s: error %#v, want one of OutcomeUnknown", kind, e)
		}
	}
}

// What is wrong is found before anything is sent, by the names of a Change.
func TestPoolCheck(t *testing.T) {
	t.Parallel()
	p := poolOn(t, fakecloud.New(), fakecloud.Pool{})
	good := driver.Spec{Key: driver.Key{Server: "10.0.0.1", Port: 80}, ID: "m-1", Weight: new(1)}
	for _, test := range []struct {
		kind   driver.Kind
		spoil  func(c *driver.Change, s *driver.Spec)
		fields []string
		text   string
	}{
		{driver.Add, func(_ *driver.Change, s *driver.Spec) { s.Server = "i-1" }, []string{"Members[0].Server"}, "must be an IP address"},
		{driver.Add, func(_ *driver.Change, s *driver.Spec) { s.Server = "" }, []string{"Members[0].Server"}, "is required"},
		{driver.Add, func(_ *driver.Change, s *driver.Spec) { s.Address = "10.0.0.2" }, []string{"Members[0].Address"}, "leave it empty"},
		{driver.Add, func(_ *driver.Change, s *driver.Spec) { s.Type = "Ecs" }, []string{"Members[0].Type"}, "leave it empty"},
		{driver.Add, func(_ *driver.Change, s *driver.Spec) { s.Subnet = strings.Repeat("s", 37) }, []string{"Members[0].Subnet"}, "36"},
		{driver.Add, func(_ *driver.Change, s *driver.Spec) { s.Label = strings.Repeat("l", 256) }, []string{"Members[0].Label"}, "255"},
		{driver.Add, func(c *driver.Change, s *driver.Spec) { c.Members = []driver.Spec{*s, *s} }, []string{"Members[1]"}, "repeats Members[0] (same Server, Port and Subnet)"},
		{driver.SetWeight, func(_ *driver.Change, s *driver.Spec) { s.ID = "" }, []string{"Members[0].ID"}, "read the pool first"},
		{driver.SetWeight, func(_ *driver.Change, s *driver.Spec) { s.Weight = nil }, []string{"Members[0].Weight"}, "is required"},
		{driver.SetWeight, func(_ *driver.Change, s *driver.Spec) { s.Weight = new(101) }, []string{"Members[0].Weight"}, "0 to 100"},
		{driver.SetWeight, func(c *driver.Change, s *driver.Spec) { c.Members = []driver.Spec{*s, *s} }, []string{"Members[1]"}, "repeats Members[0] (same ID)"},
		{driver.Remove, func(_ *driver.Change, s *driver.Spec) { s.ID = "" }, []string{"Members[0].ID"}, "read the pool first"},
		{driver.Remove, func(_ *driver.Change, s *driver.Spec) { s.ID = "\xff" }, []string{"Members[0].ID"}, "UTF-8"},
		{driver.Remove, func(_ *driver.Change, s *driver.Spec) { s.Server, s.ID = "", "" }, []string{"Members[0].Server", "Members[0].ID"}, "is required"},
		{driver.Remove, func(c *driver.Change, s *driver.Spec) { c.Out = []driver.Spec{*s} }, []string{"Out"}, "is for swap"},
		{driver.Remove, func(c *driver.Change, _ *driver.Spec) { c.Members = nil }, []string{"Members"}, "is empty"},
		{driver.Swap, func(*driver.Change, *driver.Spec) {}, []string{"Kind"}, "use add, set-weight or remove"},
		{driver.Disable, func(*driver.Change, *driver.Spec) {}, []string{"Kind"}, "use add, set-weight or remove"},
	} {
		c := driver.Change{Kind: test.kind, Members: []driver.Spec{good}}
		if err := p.Check(c); (err == nil) == (test.kind == driver.Swap || test.kind == driver.Disable) {
			t.Fatalf("%s: %v", test.kind, err)
		}
		test.spoil(&c, &c.Members[0])
		v, ok := errors.AsType[*cloudlb.ValidationError](p.Check(c))
		if !ok {
			t.Errorf("%s with wrong %v: %v", test.kind, test.fields, p.Check(c))
			continue
		}
		var fields []string
		for _, problem := range v.Problems {
			fields = append(fields, problem.Field)
		}
		if !reflect.DeepEqual(fields, test.fields) || !strings.Contains(v.Error(), test.text) {
			t.Errorf("%s: %v, want the fields %v and %q", test.kind, v, test.fields, test.text)
		}
	}
}

// A load balancer is busy for a while after each change; Wait knows how long,
// even when asked by another process.
func TestPoolWaitsForTheLoadBalancer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New(fakecloud.WithLoadBalancerPending(30 * time.Second))
		p := poolOn(t, cloud, fakecloud.Pool{ID: "pool-1"})
		start := time.Now()
		result, err := p.Change(t.Context(), driver.Change{Kind: driver.Add, Members: []driver.Spec{{Key: driver.Key{Server: "10.0.0.1", Port: 80}}}})
		if err != nil {
			t.Fatal(err)
		}
		other := poolOn(t, cloud, fakecloud.Pool{ID: "pool-2", LoadBalancerID: "lb-2"})
		if err := other.Wait(t.Context(), result.Ticket); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 30*time.Second || took > 36*time.Second {
			t.Errorf("waited for %s, the load balancer was busy for 30s", took)
		}
		if err := p.Wait(t.Context(), "no-such-pool"); !errors.Is(err, cloudlb.ErrNotFound) {
			t.Errorf("Wait for a pool that is gone: %v", err)
		}
	})
}

// The worst state behind any listener counts, and admin_state_up is a phase.
func TestPoolMembers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New(fakecloud.WithMemberInitial(time.Minute))
		p := poolOn(t, cloud, fakecloud.Pool{HealthMonitorID: "hm-1", ListenerID: "listener-1", Members: []fakecloud.PoolMember{
			{ID: "m-1", Name: "web-1", Address: "10.0.0.1", Port: 80, SubnetCIDRID: "subnet-1", Weight: new(0)},
			{ID: "m-2", Name: "web-2", Address: "2001:0db8::0a", Port: 80},
		}})
		fresh := driver.Change{Kind: driver.Add, Members: []driver.Spec{{Key: driver.Key{Server: "10.0.0.3", Port: 80}, Label: "ours"}}}
		if _, err := p.Change(t.Context(), fresh); err != nil {
			t.Fatal(err)
		}
		cloud.SetHealth("10.0.0.1", false)
		members, err := p.Members(t.Context(), true)
		if err != nil || len(members) != 3 {
			t.Fatal(members, err)
		}
		want := []driver.Member{
			{Key: driver.Key{Server: "10.0.0.1", Port: 80}, ID: "m-1", Phase: driver.Ready, Health: driver.Unhealthy, Subnet: "subnet-1", Label: "web-1"},
			{Key: driver.Key{Server: "2001:db8::a", Port: 80}, ID: "m-2", Weight: 1, Phase: driver.Ready, Health: driver.Healthy, Label: "web-2"},
			{Key: driver.Key{Server: "10.0.0.3", Port: 80}, ID: members[2].ID, Weight: 1, Phase: driver.Ready, Health: driver.Checking, Label: "ours"},
		}
		if !reflect.DeepEqual(members, want) {
			t.Errorf("members\n%#v, want\n%#v", members, want)
		}
	})
}

// Nothing to work with is said by every method.
func TestPoolWithoutID(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	client, err := elb.New(cloud.Config())
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		pool driver.Pool
		text string
	}{{client.Pool(""), "poolID is required"}, {(*elb.Client)(nil).Pool("pool-1"), "not built with New"}} {
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
