package pool_test

import (
	"context"
	"fmt"
	"time"

	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

// A canary: the new server gets 5, then 50, then all of the requests.
func ExamplePool_Shift() {
	canary := pool.Server("i-new", 80)
	p := pool.New(mempool.New(mempool.WithServers("i-1:80", "i-2:80"), mempool.WithMembers(driver.Member{Key: canary.Key})))
	ctx := context.Background()

	shift := pool.Shift{
		To:    []pool.Key{canary.Key},
		Steps: []float64{5, 50, 100},
		Bake:  time.Millisecond, // minutes, in real life
		Check: func(context.Context, pool.Share) error {
			return nil // an error here brings the old weights back
		},
	}
	shares, err := p.PlanShift(ctx, shift)
	if err != nil {
		panic(err)
	}
	for _, s := range shares {
		fmt.Println(s)
	}

	report, err := p.Shift(ctx, shift)
	if err != nil {
		panic(err)
	}
	fmt.Println(len(report.Shares), "steps done")
	// Output:
	// 5% wanted, 5% real: i-new:80 10, i-1:80 95, i-2:80 95
	// 50% wanted, 50% real: i-new:80 100, i-1:80 50, i-2:80 50
	// 100% wanted, 100% real: i-new:80 100, i-1:80 0, i-2:80 0
	// 3 steps done
}
