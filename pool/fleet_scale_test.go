package pool_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/slb"
)

// fleetServers are so many servers of a group, all with weight 100.
func fleetServers(n int) []fakecloud.BackendServer {
	servers := make([]fakecloud.BackendServer, n)
	for i := range servers {
		servers[i] = fakecloud.BackendServer{ID: fmt.Sprintf("i-%d", i), Port: 80}
	}
	return servers
}

// reweighed are the same servers, the first changed of them with weight 50.
func reweighed(n, changed int) []pool.Spec {
	specs := make([]pool.Spec, n)
	for i := range specs {
		specs[i] = pool.Weighted(fmt.Sprintf("i-%d", i), 80, 100)
		if i < changed {
			specs[i].Weight = new(50)
		}
	}
	return specs
}

// bestTime is how long after the first of n calls the last one may start.
func bestTime(n int, b cloudlb.Budget) time.Duration {
	return time.Duration((n-1)/b.Calls) * b.Per
}

// refusals counts the requests that were not answered with a success.
func refusals(cloud *fakecloud.Cloud) map[string]int {
	refused := make(map[string]int)
	for _, r := range cloud.Requests() {
		if r.Code != "" {
			refused[r.Operation+" "+r.Code]++
		}
	}
	return refused
}

// scaled is a fleet of one account in virtual time.
type scaled struct {
	cloud *fakecloud.Cloud
	fleet pool.Fleet
	// operation changes weights, budget is what is published for it.
	operation string
	budget    cloudlb.Budget
}

func scaledALB(t *testing.T, groups, members int) *scaled {
	t.Helper()
	s := &scaled{cloud: fakecloud.New(), operation: "UpdateServerGroupServersAttribute"}
	lb, err := alb.New(s.cloud.Config())
	if err != nil {
		t.Fatal(err)
	}
	servers := fleetServers(members)
	for range groups {
		s.fleet.Pools = append(s.fleet.Pools, pool.New(lb.Pool(s.cloud.AddServerGroup(fakecloud.ServerGroup{Servers: servers}))))
	}
	s.budget = s.published(t)
	return s
}

func scaledSLB(t *testing.T, groups, balancers, members int) *scaled {
	t.Helper()
	s := &scaled{cloud: fakecloud.New(), operation: "SetVServerGroupAttribute"}
	lb, err := slb.New(s.cloud.Config())
	if err != nil {
		t.Fatal(err)
	}
	servers := fleetServers(members)
	for i := range groups {
		s.fleet.Pools = append(s.fleet.Pools, pool.New(lb.Pool(s.cloud.AddVServerGroup(fakecloud.VServerGroup{
			LoadBalancerID: fmt.Sprintf("lb-%d", i%balancers), Servers: servers,
		}))))
	}
	s.budget = s.published(t)
	return s
}

func (s *scaled) published(t *testing.T) cloudlb.Budget {
	t.Helper()
	d, err := s.fleet.Pools[0].Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d.SetWeight.Operation != s.operation || d.SetWeight.Budget.Calls == 0 {
		t.Fatalf("no budget is published: %+v", d.SetWeight)
	}
	return d.SetWeight.Budget
}

// TestFleetScale changes 1,000 groups of 200 servers, and as many of classic
// SLB, where 200 is what a load balancer can have: no slower than 5 % above what
// the published budgets allow at best, no call is refused, and none is made
// twice.
func TestFleetScale(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		setup func(t *testing.T) *scaled
		// members are in each group; changing so many of them takes so many calls.
		members, change, calls int
	}{
		{"ALB, 200 servers, 1 call for each group", func(t *testing.T) *scaled { return scaledALB(t, 1000, scaleMembers) }, scaleMembers, 40, 1},
		{"SLB, 1 call for each group, 4 groups a load balancer", func(t *testing.T) *scaled { return scaledSLB(t, scaleGroups, scaleGroups/4, 20) }, 20, 20, 1},
		{"SLB, 1 call for each group, 20 groups a load balancer", func(t *testing.T) *scaled { return scaledSLB(t, 400, 20, 10) }, 10, 5, 1},
		{"SLB, 3 calls for each group, 3 groups a load balancer", func(t *testing.T) *scaled { return scaledSLB(t, scaleThrees, scaleThrees/3, 60) }, 60, 60, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := tt.setup(t)
				report, err := s.fleet.Change(t.Context(), want(reweighed(tt.members, tt.change)...))
				if err != nil {
					t.Fatal(err)
				}
				groups := len(s.fleet.Pools)
				if report.Count(pool.Done) != groups || report.Calls != groups*tt.calls {
					t.Errorf("%v, want %d groups done with %d calls each", report, groups, tt.calls)
				}
				if sent := s.cloud.Calls(s.cloud.Requests()[0].Service, s.operation); sent != groups*tt.calls {
					t.Errorf("%d calls of %s were sent, want %d", sent, s.operation, groups*tt.calls)
				}
				if refused := refusals(s.cloud); len(refused) > 0 {
					t.Errorf("refused: %v", refused)
				}
				best := bestTime(groups*tt.calls, s.budget)
				t.Logf("%s; the budget allows %s", report.Took.Round(time.Millisecond), best)
				if report.Took < best || report.Took > best*105/100 {
					t.Errorf("it took %s, and the budget allows %s", report.Took, best)
				}
			})
		})
	}
}
