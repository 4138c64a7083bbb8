package pool_test

import (
	"fmt"
	"testing"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/slb"
)

// service is one kind of pool on fakecloud.
type service struct {
	name string
	// make puts a pool with members into a cloud, behind a listener with health
	// checks, and returns it with its name for Cloud.Traffic.
	make func(t testing.TB, cloud *fakecloud.Cloud, cfg cloudlb.Config, members ...pool.Spec) (driver.Pool, string)
	// spec is the i-th member of a pool, from 1 on.
	spec func(i int) pool.Spec
}

// services are the kinds of pools that all helpers work on.
func services() []service {
	byID := func(i int) pool.Spec { return pool.Server(fmt.Sprintf("i-%d", i), 80) }
	byAddress := func(i int) pool.Spec { return pool.Server(fmt.Sprintf("10.0.%d.%d", i/250, i%250+1), 80) }
	return []service{
		{"alb", albPool, byID}, {"slb", slbPool, byID}, {"elb", elbPool, byAddress}, {"apig", apigPool, byAddress},
	}
}

func seededServers(members []pool.Spec) []fakecloud.BackendServer {
	var out []fakecloud.BackendServer
	for _, m := range members {
		out = append(out, fakecloud.BackendServer{ID: m.Server, Port: m.Port, Weight: m.Weight, Description: m.Label})
	}
	return out
}

func albPool(t testing.TB, cloud *fakecloud.Cloud, cfg cloudlb.Config, members ...pool.Spec) (driver.Pool, string) {
	t.Helper()
	id := cloud.AddServerGroup(fakecloud.ServerGroup{Servers: seededServers(members), LoadBalancerIDs: []string{"alb-1"}})
	cloud.AddListener(fakecloud.Listener{LoadBalancerID: "alb-1", ServerGroupIDs: []string{id}})
	c, err := alb.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c.Pool(id), id
}

func slbPool(t testing.TB, cloud *fakecloud.Cloud, cfg cloudlb.Config, members ...pool.Spec) (driver.Pool, string) {
	t.Helper()
	id := cloud.AddVServerGroup(fakecloud.VServerGroup{LoadBalancerID: "lb-1", Servers: seededServers(members)})
	cloud.AddClassicLoadBalancer(fakecloud.ClassicLoadBalancer{ID: "lb-1", Listeners: []fakecloud.ClassicListener{{Port: 80, GroupID: id}}})
	c, err := slb.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c.Pool(id), id
}

func elbPool(t testing.TB, cloud *fakecloud.Cloud, cfg cloudlb.Config, members ...pool.Spec) (driver.Pool, string) {
	t.Helper()
	p := fakecloud.Pool{LoadBalancerID: "elb-1", HealthMonitorID: "hm-1"}
	for _, m := range members {
		p.Members = append(p.Members, fakecloud.PoolMember{Address: m.Server, Port: m.Port, Weight: m.Weight, Name: m.Label})
	}
	id := cloud.AddPool(p)
	c, err := elb.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c.Pool(id), id
}

func apigPool(t testing.TB, cloud *fakecloud.Cloud, cfg cloudlb.Config, members ...pool.Spec) (driver.Pool, string) {
	t.Helper()
	ch := fakecloud.VPCChannel{InstanceID: "apig-1", Port: 80, HealthCheck: true}
	for _, m := range members {
		ch.Members = append(ch.Members, fakecloud.ChannelMember{Host: m.Server, Port: m.Port, Weight: m.Weight})
	}
	id := cloud.AddVPCChannel(ch)
	c, err := apig.New(cfg, apig.WithProduct(apig.APIGateway))
	if err != nil {
		t.Fatal(err)
	}
	return c.Pool("apig-1", id), id
}
