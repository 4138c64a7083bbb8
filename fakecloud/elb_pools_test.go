package fakecloud_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
)

// elbTyped has pool-1 of elb-1 with a monitor and two members, pool-2 of elb-1
// without either, and pool-3 of elb-2 with one member.
func elbTyped(t *testing.T, opts ...fakecloud.Option) (*fakecloud.Cloud, *elb.Client) {
	t.Helper()
	cloud := fakecloud.New(opts...)
	cloud.AddPool(fakecloud.Pool{
		ID: "pool-1", LoadBalancerID: "elb-1", ListenerID: "lis-1", HealthMonitorID: "hm-1",
		Members: []fakecloud.PoolMember{{ID: "m-1", Address: "10.0.0.1", Port: 80}, {ID: "m-2", Address: "10.0.0.2", Port: 80, Weight: new(0)}},
	})
	cloud.AddPool(fakecloud.Pool{ID: "pool-2", LoadBalancerID: "elb-1", Protocol: "TCP"})
	cloud.AddPool(fakecloud.Pool{ID: "pool-3", LoadBalancerID: "elb-2", Protocol: "UDP", Members: []fakecloud.PoolMember{{ID: "m-3", Address: "10.0.0.3", Port: 53}}})
	cfg := cloud.Config()
	cfg.Retry = cloudlb.NoRetry()
	c, err := elb.New(cfg, elb.WithProjectID(cloud.ProjectID()))
	if err != nil {
		t.Fatal(err)
	}
	return cloud, c
}

// fine fails the test on an error.
func fine(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// refused checks an error's class and code; class nil means that there is none.
func refused(t *testing.T, err, class error, code string) {
	t.Helper()
	var e *cloudlb.Error
	switch {
	case class == nil && err != nil:
		t.Errorf("got %v", err)
	case class != nil && (!errors.As(err, &e) || !errors.Is(err, class) || e.Code != code):
		t.Errorf("got %v, want %v with code %q", err, class, code)
	}
}

func TestELBUpdatePool(t *testing.T) {
	t.Parallel()
	_, c := elbTyped(t)
	update := func(t *testing.T, id string, u elb.PoolUpdate) (elb.Pool, error) {
		res, err := c.UpdatePool(t.Context(), elb.UpdatePoolRequest{PoolID: id, Pool: u})
		if err != nil {
			return elb.Pool{}, err
		}
		return res.Pool, nil
	}
	p, err := update(t, "pool-2", elb.PoolUpdate{
		Name: new("web"), LBAlgorithm: elb.LBAlgorithmSourceIP,
		ConnectionDrain: &elb.ConnectionDrainUpdate{Enable: new(true), Timeout: 30},
	})
	fine(t, err)
	equal(t, "name", p.Name, "web")
	equal(t, "algorithm", p.LBAlgorithm, "SOURCE_IP")
	p, err = update(t, "pool-2", elb.PoolUpdate{ConnectionDrain: &elb.ConnectionDrainUpdate{Timeout: 60}, Type: elb.PoolTypeInstance, VpcID: new("vpc-1")})
	fine(t, err)
	equal(t, "kept in the object", p.ConnectionDrain, elb.ConnectionDrain{Enable: true, Timeout: 60})
	equal(t, "kept", p.Name, "web")
	shown, err := c.ShowPool(t.Context(), elb.ShowPoolRequest{PoolID: "pool-2"})
	fine(t, err)
	equal(t, "stored", shown.Pool.LBAlgorithm, "SOURCE_IP")
	drained, err := c.ListPools(t.Context(), elb.ListPoolsRequest{ConnectionDrain: new(true)})
	fine(t, err)
	if len(drained.Pools) != 1 || drained.Pools[0].ID != "pool-2" {
		t.Errorf("pools with drain: %v", drained.Pools)
	}
	for _, tt := range []struct {
		name, pool string
		update     elb.PoolUpdate
		class      error
		code       string
	}{
		{"absent", "none", elb.PoolUpdate{Name: new("x")}, cloudlb.ErrNotFound, "ELB.8904"},
		{"QUIC_CID without QUIC", "pool-2", elb.PoolUpdate{LBAlgorithm: elb.LBAlgorithmQUICCID}, cloudlb.ErrInvalid, "ELB.8902"},
		{"other VPC", "pool-2", elb.PoolUpdate{VpcID: new("vpc-2")}, cloudlb.ErrInvalid, "ELB.8902"},
		{"other type", "pool-2", elb.PoolUpdate{Type: elb.PoolTypeIP}, cloudlb.ErrInvalid, "ELB.8902"},
		{"any port with members", "pool-3", elb.PoolUpdate{AnyPortEnable: new(true)}, cloudlb.ErrInvalid, "ELB.8902"},
		{"any port of HTTP", "pool-1", elb.PoolUpdate{AnyPortEnable: new(true)}, cloudlb.ErrInvalid, "ELB.8902"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := update(t, tt.pool, tt.update)
			refused(t, err, tt.class, tt.code)
		})
	}
}

func TestELBDeletePools(t *testing.T) {
	t.Parallel()
	del := func(c *elb.Client, t *testing.T, id string) error {
		_, err := c.DeletePool(t.Context(), elb.DeletePoolRequest{PoolID: id})
		return err
	}
	cascade := func(c *elb.Client, t *testing.T, id string) error {
		_, err := c.DeletePoolCascade(t.Context(), elb.DeletePoolCascadeRequest{PoolID: id})
		return err
	}
	batch := func(ids ...string) func(*elb.Client, *testing.T, string) error {
		return func(c *elb.Client, t *testing.T, want string) error {
			res, err := c.BatchDeletePools(t.Context(), elb.BatchDeletePoolsRequest{Pools: ids})
			if err == nil {
				equal(t, "results", res.Pools, want)
			}
			return err
		}
	}
	for _, tt := range []struct {
		name  string
		call  func(*elb.Client, *testing.T, string) error
		arg   string
		class error
		code  string
		left  string
	}{
		{"empty", del, "pool-2", nil, "", "[pool-1 pool-3 kept]"},
		{"absent", del, "none", cloudlb.ErrNotFound, "ELB.8904", "[pool-1 pool-2 pool-3 kept]"},
		{"members", del, "pool-3", cloudlb.ErrBusy, "ELB.8907", "[pool-1 pool-2 pool-3 kept]"},
		{"cascade", cascade, "pool-1", nil, "", "[pool-2 pool-3 kept]"},
		{"cascade of an absent one", cascade, "none", cloudlb.ErrNotFound, "ELB.8904", "[pool-1 pool-2 pool-3 kept]"},
		{"cascade against protection", cascade, "kept", cloudlb.ErrBusy, "ELB.8907", "[pool-1 pool-2 pool-3 kept]"},
		{"batch", batch("pool-2", "none"), "[{pool-2 successful } {none not found ELB.9903}]", nil, "", "[pool-1 pool-3 kept]"},
		{"batch with one in use", batch("pool-2", "pool-1"), "", cloudlb.ErrBusy, "ELB.8907", "[pool-1 pool-2 pool-3 kept]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cloud, c := elbTyped(t)
			cloud.AddPool(fakecloud.Pool{ID: "kept", DeletionProtection: true, Members: []fakecloud.PoolMember{{Address: "10.0.0.1", Port: 80}}})
			refused(t, tt.call(c, t, tt.arg), tt.class, tt.code)
			left := []string{}
			for p, err := range c.Pools(t.Context(), elb.ListPoolsRequest{Limit: 1}) {
				fine(t, err)
				left = append(left, p.ID)
			}
			equal(t, "pools", left, tt.left)
			monitors, err := c.ListHealthMonitors(t.Context(), elb.ListHealthMonitorsRequest{})
			fine(t, err)
			want := 1
			if tt.left[1:7] != "pool-1" {
				want = 0
			}
			equal(t, "monitors", len(monitors.HealthMonitors), want)
		})
	}
}

func TestELBDeletePoolWithMonitor(t *testing.T) {
	t.Parallel()
	cloud, c := elbTyped(t)
	cloud.AddPool(fakecloud.Pool{ID: "checked", HealthMonitorID: "hm-9"})
	_, err := c.DeletePool(t.Context(), elb.DeletePoolRequest{PoolID: "checked"})
	refused(t, err, cloudlb.ErrBusy, "ELB.8907")
	_, err = c.DeleteHealthMonitor(t.Context(), elb.DeleteHealthMonitorRequest{HealthMonitorID: "hm-9"})
	fine(t, err)
	_, err = c.DeletePool(t.Context(), elb.DeletePoolRequest{PoolID: "checked"})
	fine(t, err)
}

func TestELBCreatePool(t *testing.T) {
	t.Parallel()
	_, c := elbTyped(t, fakecloud.WithELBQuota("pool", 4))
	for _, tt := range []struct {
		name  string
		pool  elb.PoolSpec
		class error
		code  string
	}{
		{"listener in use", elb.PoolSpec{ListenerID: "lis-1", Protocol: elb.ProtocolHTTP, LBAlgorithm: elb.LBAlgorithmRoundRobin}, cloudlb.ErrAlreadyExists, "ELB.8907"},
		{"no such listener", elb.PoolSpec{ListenerID: "none", Protocol: elb.ProtocolHTTP, LBAlgorithm: elb.LBAlgorithmRoundRobin}, cloudlb.ErrNotFound, "ELB.8904"},
		{"hash of packets", elb.PoolSpec{LoadBalancerID: "elb-1", Protocol: elb.ProtocolHTTP, LBAlgorithm: "3_TUPLE_HASH"}, cloudlb.ErrInvalid, "ELB.8902"},
		{"the fourth", elb.PoolSpec{LoadBalancerID: "elb-1", Protocol: elb.ProtocolHTTP, LBAlgorithm: elb.LBAlgorithmRoundRobin}, nil, ""},
		{"one too many", elb.PoolSpec{LoadBalancerID: "elb-1", Protocol: elb.ProtocolHTTP, LBAlgorithm: elb.LBAlgorithmRoundRobin}, cloudlb.ErrQuota, "ELB.8905"},
	} {
		_, err := c.CreatePool(t.Context(), elb.CreatePoolRequest{Pool: tt.pool})
		t.Logf("%s: %v", tt.name, err)
		refused(t, err, tt.class, tt.code)
	}
}

func TestELBAllMembers(t *testing.T) {
	t.Parallel()
	cloud, c := elbTyped(t)
	cloud.SetHealth("10.0.0.1", false)
	for _, tt := range []struct {
		req  elb.ListAllMembersRequest
		want string
	}{
		{elb.ListAllMembersRequest{}, "[pool-1/m-1 pool-1/m-2 pool-3/m-3]"},
		{elb.ListAllMembersRequest{Limit: 1}, "[pool-1/m-1 pool-1/m-2 pool-3/m-3]"},
		{elb.ListAllMembersRequest{PoolID: []string{"pool-3"}}, "[pool-3/m-3]"},
		{elb.ListAllMembersRequest{LoadBalancerID: []string{"elb-1", "none"}}, "[pool-1/m-1 pool-1/m-2]"},
		{elb.ListAllMembersRequest{Weight: []int{0}}, "[pool-1/m-2]"},
		{elb.ListAllMembersRequest{Weight: []int{1}, Limit: 1}, "[pool-1/m-1 pool-3/m-3]"},
		{elb.ListAllMembersRequest{OperatingStatus: []elb.MemberOperatingStatus{"OFFLINE", "NO_MONITOR"}}, "[pool-1/m-1 pool-3/m-3]"},
		{elb.ListAllMembersRequest{Address: []string{"10.0.0.9"}}, "[]"},
	} {
		got := []string{}
		for m, err := range c.AllMembers(t.Context(), tt.req) {
			fine(t, err)
			got = append(got, m.PoolID+"/"+m.ID)
		}
		equal(t, fmt.Sprint(tt.req), got, tt.want)
	}
	_, err := c.ListAllMembers(t.Context(), elb.ListAllMembersRequest{Marker: "none"})
	refused(t, err, cloudlb.ErrInvalid, "ELB.8902")
}

func TestELBQuotas(t *testing.T) {
	t.Parallel()
	_, c := elbTyped(t, fakecloud.WithELBQuota("members_per_pool", 2), fakecloud.WithELBQuota("member", 4), fakecloud.WithELBQuota("healthmonitor", 1))
	add := func(pool, address string) error {
		_, err := c.CreateMember(t.Context(), elb.CreateMemberRequest{PoolID: pool, Member: elb.MemberSpec{Address: address, ProtocolPort: new(80)}})
		return err
	}
	refused(t, add("pool-1", "10.0.0.9"), cloudlb.ErrQuota, "ELB.8905")
	fine(t, add("pool-2", "10.0.0.8"))
	refused(t, add("pool-2", "10.0.0.9"), cloudlb.ErrQuota, "ELB.8905")
	_, err := c.CreateHealthMonitor(t.Context(), elb.CreateHealthMonitorRequest{HealthMonitor: elb.HealthMonitorSpec{PoolID: "pool-2", Type: "TCP", Delay: 5, Timeout: 3, MaxRetries: 3}})
	refused(t, err, cloudlb.ErrQuota, "ELB.8905")

	quota, err := c.ShowQuota(t.Context(), elb.ShowQuotaRequest{})
	fine(t, err)
	equal(t, "quotas", fmt.Sprint(quota.Quota.MembersPerPool, quota.Quota.Member, quota.Quota.Pool), "2 4 -1")
	details, err := c.ListQuotaDetails(t.Context(), elb.ListQuotaDetailsRequest{QuotaKey: []elb.QuotaKey{"member", "pool", "loadbalancer"}})
	fine(t, err)
	equal(t, "details", details.Quotas, "[{member 4 4 count} {pool -1 3 count} {loadbalancer -1 2 count}]")
	details, err = c.ListQuotaDetails(t.Context(), elb.ListQuotaDetailsRequest{})
	fine(t, err)
	equal(t, "all", len(details.Quotas), 18)
}
