package pool_test

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

// A server that is in the pool as long as it runs.
func ExamplePool_Serve() {
	mem := mempool.New(mempool.WithServers("i-1:80"))
	p := pool.New(mem, pool.WithEvents(func(e pool.Event) {
		if e.Kind == pool.Changed {
			fmt.Println(e.Message)
		}
	}))

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// In place of the signal:
	time.AfterFunc(50*time.Millisecond, stop)

	err := p.Serve(ctx,
		pool.Join{Member: pool.Server("i-2", 80), Jitter: pool.NoJitter},
		pool.Leave{Drain: time.Millisecond, Within: 25 * time.Second},
	)
	fmt.Println(err)
	// Output:
	// add 1 member
	// set-weight 1 member
	// remove 1 member
	// <nil>
}
