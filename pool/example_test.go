package pool_test

import (
	"context"
	"fmt"

	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
)

// channel is a pool with three members, on the emulator.
func channel() *pool.Pool {
	cloud := fakecloud.New()
	id := cloud.AddVPCChannel(fakecloud.VPCChannel{ID: "web", InstanceID: "gateway", Members: []fakecloud.ChannelMember{
		{Host: "10.0.0.1", Port: 80, Weight: new(100)}, {Host: "10.0.0.2", Port: 80, Weight: new(100)}, {Host: "10.0.0.3", Port: 80, Weight: new(100)},
	}})
	gateway, err := apig.New(cloud.Config(), apig.WithProduct(apig.APIGateway))
	if err != nil {
		panic(err)
	}
	return pool.New(gateway.Pool("gateway", id))
}

func ExamplePool_Plan() {
	ctx := context.Background()
	p := channel()
	desired := []pool.Spec{
		pool.Server("10.0.0.1", 80), // as it is
		pool.Weighted("10.0.0.2", 80, 50),
		pool.Weighted("10.0.0.4", 80, 100),
	}
	plan, err := p.Plan(ctx, desired, pool.PlanOptions{MinInService: 2, Drain: pool.NoDrain})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(plan)
	report, err := p.Apply(ctx, plan)
	fmt.Print(report)
	fmt.Println(err)
	report, err = p.Apply(ctx, plan) // again, in this process or another
	fmt.Println(report.Unchanged(), err)
	// Output:
	// apig/cn-hangzhou/gateway/web: 1 to add, 1 to reweight, 1 to remove, 3 calls
	// ~ 10.0.0.2:80 weight 100 -> 50
	// + 10.0.0.4:80 weight 100
	// - 10.0.0.3:80 weight 100
	//   1 stay as they are
	// apig/cn-hangzhou/gateway/web: 3 done, 1 unchanged, 3 calls
	// <nil>
	// true <nil>
}

func ExamplePool_Add() {
	ctx := context.Background()
	p := channel()
	report, err := p.Add(ctx, pool.Server("10.0.0.3", 80), pool.Weighted("10.0.0.4", 80, 50))
	fmt.Print(report)
	fmt.Println(err)
	report, err = p.Remove(ctx, pool.Server("10.0.0.1", 80).Key, pool.Server("10.0.0.9", 80).Key)
	fmt.Print(report)
	fmt.Println(err)
	for m, err := range p.Members(ctx) {
		fmt.Println(m.Key, m.Weight, err)
	}
	// Output:
	// apig/cn-hangzhou/gateway/web: 1 done, 1 unchanged, 1 call
	// <nil>
	// apig/cn-hangzhou/gateway/web: 1 done, 1 unchanged, 1 call
	// <nil>
	// 10.0.0.2:80 100 <nil>
	// 10.0.0.3:80 100 <nil>
	// 10.0.0.4:80 50 <nil>
}

func ExamplePool_SetWeight() {
	p := channel()
	_, err := p.SetWeight(context.Background(), pool.Weighted("10.0.0.1", 80, 0), pool.Weighted("10.0.0.7", 80, 0))
	fmt.Println(err)
	// Output:
	// apig SetWeight: members[1] 10.0.0.7:80 is not in the pool, or stands for several members (invalid, not sent)
}

func ExamplePool_Replace() {
	p := channel()
	report, err := p.Replace(context.Background(), []pool.Key{{Server: "10.0.0.1", Port: 80}}, []pool.Spec{pool.Weighted("10.0.0.4", 80, 100)},
		pool.PlanOptions{MinInService: 3, Drain: pool.NoDrain})
	fmt.Print(report)
	fmt.Println(err)
	// Output:
	// apig/cn-hangzhou/gateway/web: 2 done, 2 calls
	// <nil>
}
