package pool_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/mempool"
	"github.com/cloudlb/cloudlb/slb"
)

func TestJoin(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		there  *driver.Member
		join   pool.Spec
		calls  []string
		weight int
	}{
		{"absent", nil, pool.Server("i-1", 80), []string{"add 1"}, 100},
		{"absent, with a weight", nil, pool.Weighted("i-1", 80, 7), []string{"add 1"}, 7},
		{"there", &driver.Member{Weight: 30}, pool.Server("i-1", 80), nil, 30},
		{"there, with a weight", &driver.Member{Weight: 30}, pool.Weighted("i-1", 80, 7), []string{"set-weight 1"}, 7},
		{"left over at 0", &driver.Member{}, pool.Server("i-1", 80), []string{"set-weight 1"}, 100},
		{"to stay at 0", &driver.Member{}, pool.Weighted("i-1", 80, 0), nil, 0},
		{"left over disabled", &driver.Member{Weight: 30, Phase: driver.Disabled}, pool.Server("i-1", 80), []string{"enable 1"}, 30},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				opts := []mempool.Option{mempool.WithChecking(20 * time.Second), mempool.WithDescription(disabling)}
				if tt.there != nil {
					tt.there.Key = key("i-1")
					opts = append(opts, mempool.WithMembers(*tt.there))
				}
				mem := mempool.New(opts...)
				p := pool.New(mem)
				start := time.Now()
				ready := 0
				report, err := p.Join(t.Context(), pool.Join{Member: tt.join, Ready: func(context.Context) error {
					if ready++; ready < 3 {
						return errors.New("warming up")
					}
					return nil
				}})
				if err != nil {
					t.Fatal(err, report)
				}
				if d := cmp.Diff(tt.calls, kinds(mem)); d != "" {
					t.Error(d)
				}
				for m, err := range p.Members(t.Context()) {
					d, _ := p.Describe(t.Context())
					if err != nil || m.Weight != tt.weight || pool.InService(d, m) != (tt.weight > 0) {
						t.Errorf("%v %+v", err, m)
					}
				}
				if took := time.Since(start); ready != 3 || took > 45*time.Second || tt.there == nil && took < 20*time.Second {
					t.Error(took)
				}
			})
		})
	}
}

func TestJoinRefused(t *testing.T) {
	t.Parallel()
	p := pool.New(mempool.New(mempool.WithServers("i-1:80")))
	for name, err := range map[string]error{
		"Member.Server is empty": second(p.Join(t.Context(), pool.Join{})),
		"Member[0].Port":         second(p.Join(t.Context(), pool.Join{Member: pool.Server("i-2", 0), Jitter: pool.NoJitter})),
		"InService is -1ns":      second(p.Join(t.Context(), pool.Join{Member: pool.Server("i-1", 80), InService: -1})),
		"Within is -1ns":         second(p.Leave(t.Context(), pool.Leave{Member: key("i-1"), Within: -1})),
		"Server is empty":        second(p.Leave(t.Context(), pool.Leave{})),
		"Weight is 101":          p.Serve(t.Context(), pool.Join{Member: pool.Weighted("i-1", 80, 101), Jitter: pool.NoJitter}, pool.Leave{}),
	} {
		if !errors.Is(err, cloudlb.ErrInvalid) || !strings.Contains(err.Error(), name) {
			t.Errorf("error %v, want %q", err, name)
		}
	}
}

func second(_ *pool.Report, err error) error { return err }

// TestJoinWithoutAddress joins while the instance is starting.
func TestJoinWithoutAddress(t *testing.T) {
	t.Parallel()
	for _, times := range []int{4, 1000} {
		synctest.Test(t, func(t *testing.T) {
			cloud := fakecloud.New()
			drv, _ := slbPool(t, cloud, cloud.Config())
			starting := cloud.Inject(fakecloud.Fault{
				Operation: "AddVServerGroupBackendServers", Times: times,
				Effect: fakecloud.Refuse(400, "ObtainIpFail", "some of the servers are not running"),
			})
			ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
			defer cancel()
			p := pool.New(drv)
			report, err := p.Join(ctx, pool.Join{Member: pool.Server("i-1", 80)})
			if times == 4 {
				if err != nil || starting.Count() != 4 || len(weights(t, p)) != 1 {
					t.Error(err, report, starting.Count())
				}
				return
			}
			if !errors.Is(err, cloudlb.ErrUnfinished) || starting.Count() < 12 || starting.Count() > 40 {
				t.Error(err, starting.Count())
			}
		})
	}
}

// TestJoinTogether lets many servers join at the same moment under the published
// budgets: by one client, and each by its own, as servers do that boot.
func TestJoinTogether(t *testing.T) {
	t.Parallel()
	many := 60
	if *seeds >= 100 {
		many = 200
	}
	for _, s := range services() {
		for _, own := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, own clients %v", s.name, own), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					cloud := fakecloud.New()
					drv, id := s.make(t, cloud, cloud.Config())
					drivers := []driver.Pool{drv}
					for own && len(drivers) < many {
						drivers = append(drivers, anotherClient(t, s.name, cloud, id))
					}
					jitter := time.Duration(0)
					if own {
						jitter = time.Duration(many) * 2 * time.Second // as Join.Jitter recommends
					}
					start := time.Now()
					var joined sync.WaitGroup
					for i := range many {
						joined.Go(func() {
							p := pool.New(drivers[i%len(drivers)])
							if report, err := p.Join(t.Context(), pool.Join{Member: s.spec(i + 1), InService: time.Hour, Jitter: jitter}); err != nil {
								t.Errorf("%d: %v %s", i, err, report)
							}
						})
					}
					joined.Wait()
					took := time.Since(start)
					if n := len(weights(t, pool.New(drv))); n != many {
						t.Errorf("%d members", n)
					}
					throttled, busy := 0, 0
					for _, r := range cloud.Requests() {
						switch {
						case strings.HasPrefix(r.Code, "Throttling"):
							throttled++
						case r.Code != "":
							busy++
						}
					}
					t.Logf("%d joined in %s with %d requests, %d throttled, %d others refused", many, took.Round(time.Second), len(cloud.Requests()), throttled, busy)
					if own && took > 12*time.Minute {
						t.Errorf("took %s", took)
					}
					if !own && throttled > 0 {
						t.Errorf("%d of %d requests were throttled", throttled, len(cloud.Requests()))
					}
				})
			})
		}
	}
}

// anotherClient is the pool as another process has it.
func anotherClient(t *testing.T, service string, cloud *fakecloud.Cloud, id string) driver.Pool {
	t.Helper()
	ok := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	switch service {
	case "alb":
		c, err := alb.New(cloud.Config())
		ok(err)
		return c.Pool(id)
	case "slb":
		c, err := slb.New(cloud.Config())
		ok(err)
		return c.Pool(id)
	case "elb":
		c, err := elb.New(cloud.Config())
		ok(err)
		return c.Pool(id)
	default:
		c, err := apig.New(cloud.Config(), apig.WithProduct(apig.APIGateway))
		ok(err)
		return c.Pool("apig-1", id)
	}
}

// TestLeave leaves a pool that serves requests, while calls go wrong.
func TestLeave(t *testing.T) {
	t.Parallel()
	for _, s := range services() {
		for seed := range *seeds {
			t.Run(fmt.Sprintf("%s/%d", s.name, seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					r := rand.New(rand.NewPCG(uint64(seed), 13))
					cloud := fakecloud.New(fakecloud.WithoutBudgets(), fakecloud.WithSeed(uint64(seed)))
					drv, target := s.make(t, cloud, cloud.Config(), s.spec(1), s.spec(2))
					p := pool.New(drv)
					<-time.After(time.Minute)
					traffic := cloud.Traffic(target, 20, fakecloud.WithRequestDuration(5*time.Second))
					<-time.After(time.Minute)
					d, err := p.Describe(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					writes := []string{d.Add.Operation, d.SetWeight.Operation, d.Remove.Operation}
					if d.Disable.Exists() {
						writes = append(writes, d.Disable.Operation)
					}
					weather(cloud, r, s.name, writes)
					start := time.Now()
					report, err := p.Leave(t.Context(), pool.Leave{Member: s.spec(1).Key, Drain: 10 * time.Second, Within: 2 * time.Minute})
					if err != nil || time.Since(start) > 2*time.Minute {
						t.Fatal(err, report, time.Since(start))
					}
					traffic.Stopped(s.spec(1).Server)
					<-time.After(time.Minute)
					if len(weights(t, p)) != 1 {
						t.Error(weights(t, p))
					}
					if res := traffic.Report(); res.Lost() > 0 {
						t.Error(res)
					}
					if report, err := p.Leave(t.Context(), pool.Leave{Member: s.spec(1).Key}); err != nil || !report.Unchanged() {
						t.Error("gone already: ", err, report)
					}
				})
			})
		}
	}
}

// TestLeaveInTime: the deadline is kept whatever the service does, and the
// removal is made if it can be.
func TestLeaveInTime(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault fakecloud.Fault
		gone  bool
	}{
		{"well", fakecloud.Fault{}, true},
		{"all hangs", fakecloud.Fault{Effect: fakecloud.Hang()}, false},
		{"all hangs at first", fakecloud.Fault{Effect: fakecloud.Hang(), Within: time.Second}, true},
		{"all is slow", fakecloud.Fault{Effect: fakecloud.Slow(300 * time.Millisecond)}, true},
		{"all fails", fakecloud.Fault{Effect: fakecloud.Unavailable(503)}, false},
	}
	for _, s := range services() {
		for _, tt := range tests {
			t.Run(s.name+"/"+tt.name, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					cloud := fakecloud.New(fakecloud.WithoutBudgets(), fakecloud.WithJobDuration(time.Second))
					drv, _ := s.make(t, cloud, cloud.Config(), s.spec(1), s.spec(2))
					if tt.fault.Effect != (fakecloud.Effect{}) {
						tt.fault.Service = s.name
						cloud.Inject(tt.fault)
					}
					start := time.Now()
					const within = 10 * time.Second
					report, err := pool.New(drv).Leave(t.Context(), pool.Leave{Member: s.spec(1).Key, Drain: time.Hour, Within: within})
					if took := time.Since(start); took > within {
						t.Errorf("took %s", took)
					}
					if (err == nil) != tt.gone {
						t.Errorf("%v %s", err, report)
					}
					if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, cloudlb.ErrUnavailable) {
						t.Error(err)
					}
					cloud.RemoveFaults()
					<-time.After(time.Minute)
					if n := len(weights(t, pool.New(drv))); (n == 1) != tt.gone {
						t.Errorf("%d members", n)
					}
				})
			})
		}
	}
}

// TestLeaveAtOnce: where a drain has no effect, or is not wanted, there is none.
func TestLeaveAtOnce(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*driver.Description){
		"no effect":          func(d *driver.Description) { d.Weights.Ignored = "it hashes addresses" },
		"the service drains": func(d *driver.Description) { d.Draining = time.Minute },
		"not wanted":         func(*driver.Description) {},
	} {
		synctest.Test(t, func(t *testing.T) {
			mem := weighted([]mempool.Option{mempool.WithDescription(change)}, 100, 100)
			l := pool.Leave{Member: key("i-1")}
			if name == "not wanted" {
				l.Drain = pool.NoDrain
			}
			start := time.Now()
			if report, err := pool.New(mem).Leave(t.Context(), l); err != nil || time.Since(start) > time.Second {
				t.Error(name, err, report)
			}
			if d := cmp.Diff([]string{"remove 1"}, kinds(mem)); d != "" {
				t.Error(name, d)
			}
		})
	}
}

// TestServe ends the context at many moments: the member is gone each time.
func TestServe(t *testing.T) {
	t.Parallel()
	for after := 500 * time.Millisecond; after < time.Minute; after += 1500 * time.Millisecond {
		synctest.Test(t, func(t *testing.T) {
			mem := mempool.New(mempool.WithServers("i-9:80"), mempool.WithDurations(3*time.Second, time.Second, time.Second), mempool.WithChecking(10*time.Second))
			p := pool.New(mem)
			ctx, cancel := context.WithTimeout(t.Context(), after)
			defer cancel()
			err := p.Serve(ctx, pool.Join{Member: pool.Server("i-1", 80)}, pool.Leave{Drain: 5 * time.Second, Within: 25 * time.Second})
			if after > 40*time.Second && err != nil || err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("after %s: %v", after, err)
			}
			if d := cmp.Diff(map[string]int{"i-9:80": 100}, weights(t, p)); d != "" {
				t.Errorf("after %s: %s", after, d)
			}
		})
	}
}
