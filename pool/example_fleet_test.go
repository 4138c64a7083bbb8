package pool_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/slb"
)

// The pools of an account are those that its clients list. Clients of one
// account share a Limiter, clients of different accounts do not.
func ExampleFleet() {
	cloud := fakecloud.New()
	cloud.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-web", Name: "web"})
	cloud.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-api", Name: "api"})
	cloud.AddVServerGroup(fakecloud.VServerGroup{ID: "rsp-web", LoadBalancerID: "lb-1"})
	cloud.AddPool(fakecloud.Pool{ID: "pool-web", Name: "web"})

	ctx := context.Background()
	cfg := cloud.Config()
	cfg.Limiter = cloudlb.NewLimiter()
	balancers, err := alb.New(cfg)
	if err != nil {
		panic(err)
	}
	classic, err := slb.New(cfg)
	if err != nil {
		panic(err)
	}
	elastic, err := elb.New(cfg)
	if err != nil {
		panic(err)
	}

	var fleet pool.Fleet
	for group, err := range balancers.ServerGroups(ctx, alb.ListServerGroupsRequest{}) {
		if err != nil {
			panic(err)
		}
		fleet.Pools = append(fleet.Pools, pool.New(balancers.Pool(group.ServerGroupID)))
	}
	for balancer, err := range classic.LoadBalancers(ctx, slb.DescribeLoadBalancersRequest{RegionID: cfg.Region}) {
		if err != nil {
			panic(err)
		}
		groups, err := classic.DescribeVServerGroups(ctx, slb.DescribeVServerGroupsRequest{LoadBalancerID: balancer.LoadBalancerID})
		if err != nil {
			panic(err)
		}
		for _, group := range groups.VServerGroups {
			fleet.Pools = append(fleet.Pools, pool.New(classic.Pool(group.VServerGroupID)))
		}
	}
	for p, err := range elastic.Pools(ctx, elb.ListPoolsRequest{}) {
		if err != nil {
			panic(err)
		}
		fleet.Pools = append(fleet.Pools, pool.New(elastic.Pool(p.ID)))
	}
	fmt.Println(len(fleet.Pools), "pools")
	// Output:
	// 4 pools
}

// A plan of many pools says what it costs before anything happens. It can be
// looked through, and applied by another process.
func ExampleFleet_Plan() {
	cloud := fakecloud.New()
	lb, err := alb.New(cloud.Config())
	if err != nil {
		panic(err)
	}
	var fleet pool.Fleet
	for i := range 450 {
		cloud.AddServerGroup(fakecloud.ServerGroup{
			ID:      fmt.Sprintf("sgp-%d", i),
			Servers: []fakecloud.BackendServer{{ID: "i-1", Port: 80}, {ID: "i-2", Port: 80}},
		})
		fleet.Pools = append(fleet.Pools, pool.New(lb.Pool(fmt.Sprintf("sgp-%d", i))))
	}

	desired := func(_ context.Context, _ *pool.Pool, _ pool.Description) ([]pool.Spec, pool.PlanOptions, error) {
		return []pool.Spec{pool.Weighted("i-1", 80, 50), pool.Weighted("i-2", 80, 100)}, pool.PlanOptions{MinInService: 1}, nil
	}
	plan, err := fleet.Plan(context.Background(), desired)
	if err != nil {
		panic(err)
	}
	fmt.Println(plan.Estimate())
	fmt.Print(plan.Pools[0].Plan)

	stored, err := json.Marshal(plan)
	if err != nil {
		panic(err)
	}
	reviewed, err := pool.ReadFleetPlan(stored)
	if err != nil {
		panic(err)
	}
	reviewed.Pools = reviewed.Pools[:3]
	report, err := fleet.Apply(context.Background(), reviewed)
	fmt.Print(report)
	if err != nil {
		panic(err)
	}
	// Output:
	// 450 pools to change, 450 calls, at least 2m0s: 450 calls of UpdateServerGroupServersAttribute (alb, cn-hangzhou), of which 200 may be made in 1m0s
	// alb/cn-hangzhou/sgp-0: 0 to add, 1 to reweight, 0 to remove, 1 call
	// ~ i-1:80 weight 100 -> 50
	//   1 stay as they are
	// 3 pools: 3 done, 3 calls
}

// All servers of a zone leave all pools and come back with the weights that
// they had. A pool that has no others keeps them.
func ExampleFleet_Evacuate() {
	cloud := fakecloud.New()
	lb, err := elb.New(cloud.Config())
	if err != nil {
		panic(err)
	}
	cloud.AddPool(fakecloud.Pool{ID: "web", Members: []fakecloud.PoolMember{
		{Address: "10.0.1.1", Port: 80, Weight: new(30)}, {Address: "10.0.2.1", Port: 80, Weight: new(70)},
	}})
	cloud.AddPool(fakecloud.Pool{ID: "db", Members: []fakecloud.PoolMember{{Address: "10.0.1.2", Port: 5432}}})
	fleet := pool.Fleet{Pools: []*pool.Pool{pool.New(lb.Pool("web")), pool.New(lb.Pool("db"))}}

	file, err := os.CreateTemp("", "evacuated-*.json")
	if err != nil {
		panic(err)
	}
	defer func() { _, _ = file.Close(), os.Remove(file.Name()) }()
	save := func(e pool.Evacuated) error { // a line of JSON, on the disk before the pool changes
		if err := json.NewEncoder(file).Encode(e); err != nil {
			return err
		}
		return file.Sync()
	}
	zoneA := func(m pool.Member) bool { return strings.HasPrefix(m.Server, "10.0.1.") } // yours to know
	report, err := fleet.Evacuate(context.Background(), zoneA, pool.EvacuateOptions{Save: save})
	fmt.Print(report)
	fmt.Println(err != nil)

	if _, err := file.Seek(0, io.SeekStart); err != nil {
		panic(err)
	}
	var saved []pool.Evacuated
	for lines := json.NewDecoder(file); lines.More(); {
		var e pool.Evacuated
		if err := lines.Decode(&e); err != nil {
			panic(err)
		}
		saved = append(saved, e)
	}
	report, err = fleet.Restore(context.Background(), saved)
	if err != nil {
		panic(err)
	}
	fmt.Print(report)
	// Output:
	// 2 pools: 1 done, 1 not attempted, 1 call
	// ! elb/cn-hangzhou/db: not attempted: too few members in service: elb/cn-hangzhou/db would be left with 0, MinInService is 1
	// true
	// 1 pool: 1 done, 1 call
}
