package pool_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

// A deploy that can be taken back. The second half may run in another process.
func ExamplePool_BlueGreen() {
	p := pool.New(mempool.New(mempool.WithServers("i-1:80", "i-2:80")))
	ctx := context.Background()

	switched, err := p.BlueGreen(ctx, pool.BlueGreen{
		New:          []pool.Spec{pool.Server("i-3", 80), pool.Server("i-4", 80)},
		MinInService: 2,
		Drain:        time.Millisecond, // half a minute, in real life
	})
	if err != nil {
		panic(err) // the old servers serve as before
	}
	fmt.Println(switched.Stage)
	stored, err := json.Marshal(switched)
	if err != nil {
		panic(err)
	}

	var later pool.Switched
	if err := json.Unmarshal(stored, &later); err != nil {
		panic(err)
	}
	if err := p.Finish(ctx, &later); err != nil { // or p.Back
		panic(err)
	}
	fmt.Println(later.Stage)
	for m, err := range p.Members(ctx) {
		fmt.Println(m.Key, m.Weight, err)
	}
	// Output:
	// switched
	// finished
	// i-3:80 100 <nil>
	// i-4:80 100 <nil>
}
