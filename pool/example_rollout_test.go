package pool_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

// web is a pool of three servers, one of which gets half as many requests. In
// real life it is pool.New(lb.Pool("...")) of an *alb.Client, *slb.Client, ...
func web() *pool.Pool {
	return pool.New(mempool.New(mempool.WithMembers(
		driver.Member{Key: pool.Key{Server: "i-1", Port: 80}, Weight: 50},
		driver.Member{Key: pool.Key{Server: "i-2", Port: 80}, Weight: 100},
		driver.Member{Key: pool.Key{Server: "i-3", Port: 80}, Weight: 100},
	)))
}

// Servers are deployed to one by one, each out of service meanwhile.
func ExamplePool_Rollout() {
	p := web()
	report, err := p.Rollout(context.Background(), pool.Rollout{
		Release:        "v2",
		MaxUnavailable: 1,
		MinInService:   2,
		Drain:          10 * time.Millisecond, // 30 seconds if it is left out
		Deploy: func(ctx context.Context, m pool.Member) error {
			fmt.Println("deploying v2 to", m.Server)
			return nil
		},
		Probe: func(ctx context.Context, m pool.Member) error { return nil }, // GET /healthz on the server itself
	})
	fmt.Println(report.Count(pool.RolloutDone), "done,", err)
	show(context.Background(), p)
	// Output:
	// deploying v2 to i-1
	// deploying v2 to i-2
	// deploying v2 to i-3
	// 3 done, <nil>
	// i-1:80 50
	// i-2:80 100
	// i-3:80 100
}

// A rollout that is stopped, here by a server that fails, goes on where it was
// when it is called again, in the same process or another one. If it is not to go
// on, RestoreFrom gives the old weights back.
func ExampleRollout_journal() {
	dir, err := os.MkdirTemp("", "rollout")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	full := true // the disk of i-2
	o := pool.Rollout{
		Release: "v2",
		Drain:   pool.NoDrain,
		Deploy: func(ctx context.Context, m pool.Member) error {
			if m.Server == "i-2" && full {
				return errors.New("no space left on device")
			}
			fmt.Println("deploying v2 to", m.Server)
			return nil
		},
		// Asked only if the process was killed while Deploy was running.
		Deployed: func(ctx context.Context, m pool.Member) (bool, error) { return false, nil },
		Journal:  pool.FileJournal(filepath.Join(dir, "web.journal")),
	}
	p, ctx := web(), context.Background()
	report, err := p.Rollout(ctx, o)
	fmt.Println(errors.Is(err, pool.ErrNotDeployed))
	for _, m := range report.Members {
		fmt.Println(m.Key, m.Stage, m.Out)
	}

	full = false
	report, err = p.Rollout(ctx, o)
	fmt.Println(report.Resumed, report.Count(pool.RolloutDone), err)
	// Output:
	// deploying v2 to i-1
	// true
	// i-1:80 done false
	// i-2:80 failed true
	// i-3:80 waiting false
	// deploying v2 to i-2
	// deploying v2 to i-3
	// true 3 <nil>
}

// ExamplePool_RestoreFrom gives up a rollout that has left a server out.
func ExamplePool_RestoreFrom() {
	p, ctx, journal := web(), context.Background(), pool.MemoryJournal()
	_, err := p.Rollout(ctx, pool.Rollout{
		Drain: pool.NoDrain, Journal: journal,
		Deploy: func(context.Context, pool.Member) error { return errors.New("no space left on device") },
	})
	fmt.Println(errors.Is(err, pool.ErrNotDeployed))
	show(ctx, p)

	_, err = p.RestoreFrom(ctx, journal)
	fmt.Println(err)
	show(ctx, p)
	// Output:
	// true
	// i-1:80 0
	// i-2:80 100
	// i-3:80 100
	// <nil>
	// i-1:80 50
	// i-2:80 100
	// i-3:80 100
}
