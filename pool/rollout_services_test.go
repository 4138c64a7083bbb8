package pool_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// TestRolloutZeroLoss rolls out over a pool that serves traffic, on each service,
// in fair and in foul weather: no request is lost, and there are never fewer
// members in service than MinInService.
func TestRolloutZeroLoss(t *testing.T) {
	t.Parallel()
	for _, s := range services() {
		for _, at := range []int{1, 3, 100} {
			t.Run(fmt.Sprintf("%s/fair/%d at a time", s.name, at), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					rolloutUnderTraffic(t, s, 1000, pool.Rollout{MaxUnavailable: at, MinInService: 2}, false)
				})
			})
		}
		for seed := range *seeds {
			t.Run(fmt.Sprintf("%s/foul/%d", s.name, seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					o := pool.Rollout{MaxUnavailable: 1 + seed%4, MinInService: 1 + seed%3}
					rolloutUnderTraffic(t, s, uint64(seed), o, true)
				})
			})
		}
	}
}

func rolloutUnderTraffic(t *testing.T, s service, seed uint64, o pool.Rollout, foul bool) {
	r := rand.New(rand.NewPCG(seed, 6))
	cloud := fakecloud.New(fakecloud.WithoutBudgets(), fakecloud.WithSeed(seed))
	n := 4 + r.IntN(5)
	old := make(map[pool.Key]int)
	var members []pool.Spec
	for i := range n {
		m := s.spec(i + 1)
		m.Weight = new(1 + r.IntN(100))
		if i == 0 && s.name != "apig" { // on APIG nothing is known about weight 0
			*m.Weight = 0
		}
		old[m.Key] = *m.Weight
		members = append(members, m)
	}
	drv, target := s.make(t, cloud, cloud.Config(), members...)
	p := pool.New(drv)
	traffic := cloud.Traffic(target, 20, fakecloud.WithRequestDuration(3*time.Second))
	<-time.After(time.Minute) // members that were seeded are healthy
	d, err := p.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if foul {
		write := d.SetWeight.Operation
		if d.Disable.Exists() {
			write = []string{d.Disable.Operation, d.Enable.Operation}[r.IntN(2)]
		}
		weather(cloud, r, s.name, []string{write})
	}
	stop := watchService(t.Context(), t, drv)
	deployed := make(chan string, 10*n)
	o.MinInService = min(o.MinInService, n-2) // one can have weight 0
	o.Drain = 5 * time.Second
	o.Journal = pool.MemoryJournal()
	o.Deploy = func(_ context.Context, m pool.Member) error { // which takes a while, in which its process does not run
		traffic.Stopped(m.Server)
		<-time.After(time.Duration(1+len(m.Server)) * time.Second)
		traffic.Started(m.Server)
		deployed <- m.Server
		return nil
	}
	var report *pool.RolloutReport
	for range 10 { // what stops it is told; calling it again goes on
		if report, err = p.Rollout(t.Context(), o); err == nil {
			break
		}
		<-time.After(10 * time.Second)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, report)
	}
	<-time.After(time.Minute)
	if least := stop(); least < o.MinInService {
		t.Errorf("%d members in service, want %d", least, o.MinInService)
	}
	if len(deployed) != n {
		t.Errorf("%d deploys, want %d", len(deployed), n)
	}
	for m, err := range p.Members(t.Context()) {
		if err != nil || m.Weight != old[m.Key] || m.Phase != driver.Ready {
			t.Errorf("%+v, want weight %d (%v)", m, old[m.Key], err)
		}
	}
	if res := traffic.Report(); res.Lost() > 0 || res.Offered < 1000 {
		t.Error(res)
	}
}

// TestNaiveRolloutLoses shows that the traffic sees what it is to see: the same
// deploys lose requests where nobody takes the members out first.
func TestNaiveRolloutLoses(t *testing.T) {
	t.Parallel()
	for _, s := range services() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud := fakecloud.New()
				_, target := s.make(t, cloud, cloud.Config(), s.spec(1), s.spec(2))
				traffic := cloud.Traffic(target, 20, fakecloud.WithRequestDuration(3*time.Second))
				<-time.After(time.Minute)
				for i := range 2 {
					traffic.Stopped(s.spec(i + 1).Server)
					<-time.After(5 * time.Second)
					traffic.Started(s.spec(i + 1).Server)
				}
				if res := traffic.Report(); res.Lost() == 0 {
					t.Error("nothing lost: ", res)
				}
			})
		})
	}
}

// TestRolloutWhereWeightsHaveNoEffect is refused before anything is sent.
func TestRolloutWhereWeightsHaveNoEffect(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{"SOURCE_IP", "QUIC_CID"} {
		t.Run(algorithm, func(t *testing.T) {
			t.Parallel()
			cloud := fakecloud.New()
			group := fakecloud.Pool{Algorithm: algorithm, Members: []fakecloud.PoolMember{{Address: "10.0.0.1", Port: 80}, {Address: "10.0.0.2", Port: 80}}}
			if algorithm == "QUIC_CID" {
				group.Protocol = "QUIC"
			}
			id := cloud.AddPool(group)
			lb, err := elb.New(cloud.Config())
			if err != nil {
				t.Fatal(err)
			}
			p := pool.New(lb.Pool(id))
			_, err = p.Rollout(t.Context(), pool.Rollout{Deploy: func(context.Context, pool.Member) error { return nil }})
			if !errors.Is(err, cloudlb.ErrInvalid) || !strings.Contains(err.Error(), algorithm) {
				t.Error(err)
			}
			_, err = p.Drain(t.Context(), pool.Drain{Members: []pool.Key{{Server: "10.0.0.1", Port: 80}}, Remove: true})
			if !errors.Is(err, cloudlb.ErrInvalid) || !strings.Contains(err.Error(), algorithm) {
				t.Error(err)
			}
			for _, r := range cloud.Requests() {
				if strings.Contains(r.Operation, "Update") {
					t.Errorf("%s was sent", r.Operation)
				}
			}
		})
	}
}

// TestRolloutCancelledOnServices ends the context while a change is being carried
// out, whose effect comes later: no weight of 0 is left over.
func TestRolloutCancelledOnServices(t *testing.T) {
	t.Parallel()
	for _, s := range services() {
		for after := time.Second; after < 60*time.Second; after += 3 * time.Second {
			t.Run(fmt.Sprintf("%s/%s", s.name, after), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					cloud := fakecloud.New(fakecloud.WithJobDuration(20 * time.Second))
					drv, _ := s.make(t, cloud, cloud.Config(), s.spec(1), s.spec(2), s.spec(3), s.spec(4))
					p := pool.New(drv)
					<-time.After(time.Minute)
					before := weights(t, p)
					ctx, cancel := context.WithTimeout(t.Context(), after)
					defer cancel()
					r, err := p.Rollout(ctx, pool.Rollout{MaxUnavailable: 2, Drain: 3 * time.Second, Deploy: func(ctx context.Context, _ pool.Member) error {
						<-time.After(5 * time.Second) // it is not interrupted
						return nil
					}})
					if err != nil && !errors.Is(err, context.DeadlineExceeded) {
						t.Fatal(err, r)
					}
					<-time.After(5 * time.Minute)
					for k, w := range weights(t, p) {
						if w != before[k] {
							t.Errorf("%s has weight %d, want %d: %v\n%s", k, w, before[k], err, r)
						}
					}
					for m, err := range p.Members(t.Context()) {
						if err != nil || m.Phase != driver.Ready {
							t.Errorf("%+v (%v)\n%s", m, err, r)
						}
					}
				})
			})
		}
	}
}
