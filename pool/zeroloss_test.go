package pool_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// weather makes writes of a service go wrong at random, as a cloud does.
func weather(cloud *fakecloud.Cloud, r *rand.Rand, service string, writes []string) {
	for range r.IntN(6) {
		effects := []fakecloud.Effect{
			fakecloud.Throttle(time.Duration(1+r.IntN(5)) * time.Second), fakecloud.Busy(), fakecloud.Unavailable(503), fakecloud.ResetBefore(),
			fakecloud.ResetAfter(), fakecloud.Slow(time.Duration(1+r.IntN(8)) * time.Second), fakecloud.Truncate(), fakecloud.EmptyAnswer(),
		}
		if service == "alb" {
			effects = append(effects, fakecloud.JobFails("InternalError", "try again"), fakecloud.JobVanishes())
		}
		cloud.Inject(fakecloud.Fault{
			Service: service, Operation: writes[r.IntN(len(writes))], Effect: effects[r.IntN(len(effects))],
			Skip: r.IntN(3), Times: 1 + r.IntN(3),
		})
	}
}

// watchService samples who is in service, until stop is called, and reports the
// least there was.
func watchService(ctx context.Context, t *testing.T, drv driver.Pool) (stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	least := 1 << 30
	done := make(chan struct{})
	d, err := drv.Describe(ctx)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			members, err := drv.Members(ctx, true)
			if err != nil {
				break
			}
			n := 0
			for _, m := range members {
				if pool.InService(d, m) {
					n++
				}
			}
			least = min(least, n)
			select {
			case <-time.After(3 * time.Second):
			case <-ctx.Done():
			}
		}
	}()
	return func() int {
		cancel()
		<-done
		return least
	}
}

// TestZeroLoss exchanges all members of a pool that serves traffic, while calls
// go wrong: no request is lost, and there are never too few members in service.
func TestZeroLoss(t *testing.T) {
	t.Parallel()
	for _, s := range services() {
		for seed := range uint64(*seeds) {
			t.Run(fmt.Sprintf("%s/%d", s.name, seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { exchange(t, s, seed) })
			})
		}
	}
}

func exchange(t *testing.T, s service, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 5))
	cloud := fakecloud.New(fakecloud.WithoutBudgets(), fakecloud.WithSeed(seed))
	var old, desired []pool.Spec
	n := 4 + r.IntN(5)
	for i := range n {
		m := s.spec(i + 1)
		m.Weight = new(1 + r.IntN(100))
		old = append(old, m)
		desired = append(desired, s.spec(100+i))
	}
	drv, target := s.make(t, cloud, cloud.Config(), old...)
	p := pool.New(drv)
	traffic := cloud.Traffic(target, 20, fakecloud.WithRequestDuration(3*time.Second))
	<-time.After(time.Minute) // members that were seeded are healthy
	opts := pool.PlanOptions{MinInService: n - 1, Drain: 5 * time.Second}
	plan, err := p.Plan(t.Context(), desired, opts)
	if err != nil {
		t.Fatal(err)
	}
	d, err := p.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	weather(cloud, r, s.name, []string{d.Add.Operation, d.SetWeight.Operation, d.Remove.Operation})
	stop := watchService(t.Context(), t, drv)
	var report *pool.Report
	for range 10 { // what stops it is told; applying again goes on
		if report, err = p.Apply(t.Context(), plan); err == nil {
			break
		}
		<-time.After(10 * time.Second)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, report)
	}
	for _, m := range old {
		traffic.Stopped(m.Server)
	}
	<-time.After(time.Minute)
	if least := stop(); least < opts.MinInService {
		t.Errorf("%d members in service, want %d", least, opts.MinInService)
	}
	if res := traffic.Report(); res.Lost() > 0 || res.Offered < 1000 {
		t.Error(res)
	}
}

// TestNaiveExchangeLoses shows that the traffic sees what it is to see.
func TestNaiveExchangeLoses(t *testing.T) {
	t.Parallel()
	for _, s := range services() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud := fakecloud.New()
				drv, target := s.make(t, cloud, cloud.Config(), s.spec(1), s.spec(2))
				p := pool.New(drv)
				traffic := cloud.Traffic(target, 20, fakecloud.WithRequestDuration(3*time.Second))
				<-time.After(time.Minute)
				if r, err := p.Remove(t.Context(), s.spec(1).Key, s.spec(2).Key); err != nil {
					t.Fatal(err, r)
				}
				traffic.Stopped(s.spec(1).Server)
				traffic.Stopped(s.spec(2).Server)
				if r, err := p.Add(t.Context(), s.spec(3), s.spec(4)); err != nil {
					t.Fatal(err, r)
				}
				<-time.After(time.Minute)
				if res := traffic.Report(); res.Lost() == 0 {
					t.Error("nothing lost: ", res)
				}
			})
		})
	}
}
