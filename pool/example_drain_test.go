package pool_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

// A server is taken out of service for maintenance, and brought back by another
// process, which has what the first one has stored.
func ExamplePool_Drain() {
	mem := mempool.New(mempool.WithMembers(
		driver.Member{Key: pool.Key{Server: "i-1", Port: 80}, Weight: 50},
		driver.Member{Key: pool.Key{Server: "i-2", Port: 80}, Weight: 100},
	))
	p := pool.New(mem) // or lb.Pool("...") of an *alb.Client, *slb.Client, ...
	ctx := context.Background()

	drained, err := p.Drain(ctx, pool.Drain{
		Members:      []pool.Key{{Server: "i-1", Port: 80}},
		For:          10 * time.Millisecond, // 30 seconds if it is left out
		MinInService: 1,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	stored, err := json.Marshal(drained)
	if err != nil {
		fmt.Println(err)
		return
	}
	show(ctx, p)

	var later pool.Drained
	if err := json.Unmarshal(stored, &later); err != nil {
		fmt.Println(err)
		return
	}
	report, err := p.Restore(ctx, &later)
	fmt.Println(report.Count(pool.Done), "restored,", err)
	show(ctx, p)
	// Output:
	// i-1:80 0
	// i-2:80 100
	// 1 restored, <nil>
	// i-1:80 50
	// i-2:80 100
}

// show prints the members of a pool and their weights.
func show(ctx context.Context, p *pool.Pool) {
	for m, err := range p.Members(ctx) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(m.Key, m.Weight)
	}
}
