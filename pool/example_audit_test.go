package pool_test

import (
	"context"
	"fmt"

	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
)

// auditedFleet has two groups, one of which a deploy has left behind half done.
func auditedFleet() *pool.Fleet {
	cloud := fakecloud.New()
	lb, err := alb.New(cloud.Config())
	if err != nil {
		panic(err)
	}
	cloud.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-web", Servers: []fakecloud.BackendServer{
		{ID: "i-1", Port: 80}, {ID: "i-2", Port: 80, Weight: new(0)},
	}})
	cloud.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-old"})
	return &pool.Fleet{Pools: []*pool.Pool{pool.New(lb.Pool("sgp-web")), pool.New(lb.Pool("sgp-old")), pool.New(lb.Pool("sgp-gone"))}}
}

// Audit says what is not well with many pools, even if some cannot be read.
func ExampleFleet_Audit() {
	fleet := auditedFleet()
	findings, err := fleet.Audit(context.Background(), pool.AuditOptions{})
	for _, f := range findings {
		switch f.Kind {
		case pool.FindingUnchecked, pool.FindingUnreadable:
			fmt.Println(f.Pool, f.Kind)
		default:
			fmt.Println(f)
		}
	}
	fmt.Println("all read:", err == nil)
	// Output:
	// alb/cn-hangzhou/sgp-web not health-checked
	// alb/cn-hangzhou/sgp-web i-2:80: zero weight: it gets no requests
	// alb/cn-hangzhou/sgp-old: no members
	// alb/cn-hangzhou/sgp-old not health-checked
	// pools[2] unreadable
	// all read: false
}

// Find says in which pools a server is.
func ExampleFleet_Find() {
	fleet := auditedFleet()
	for found, err := range fleet.Find(context.Background(), pool.Key{Server: "i-1"}) {
		if err != nil {
			fmt.Println("not known:", found.Name)
			continue
		}
		fmt.Println(found.Name, found.Member.Key, "weight", found.Member.Weight)
	}
	// Unordered output:
	// not known: pools[2]
	// alb/cn-hangzhou/sgp-web i-1:80 weight 100
}
