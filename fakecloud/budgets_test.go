package fakecloud_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/slb"
)

// addRaw adds a server to the service's group without a client, which would
// wait after the first refusal.
func (b *bench) addRaw(c *client, service string, n int) reply {
	c.t.Helper()
	id := fmt.Sprintf("i-%d", n)
	switch service {
	case "alb":
		return c.alb("AddServersToServerGroup", fields{
			"ServerGroupId": b.group, "Servers": []fields{{"ServerId": id, "ServerType": "Ecs", "Port": 80}},
		})
	case "slb":
		return c.slb("AddVServerGroupBackendServers", fields{
			"VServerGroupId": b.vgroup, "BackendServers": []fields{{"ServerId": id, "Port": "80"}},
		})
	case "elb":
		return c.rest("POST", "/v3/"+b.cloud.ProjectID()+"/elb/pools/"+b.pool+"/members/batch-add", fields{
			"members": []fields{{"address": fmt.Sprintf("10.0.1.%d", n), "protocol_port": 80}},
		})
	default:
		return c.rest("POST", "/v2/"+b.cloud.ProjectID()+"/apigw/instances/gateway/vpc-channels/"+b.channel+"/members", fields{
			"members": []fields{{"host": fmt.Sprintf("10.0.1.%d", n)}},
		})
	}
}

func TestPublishedBudgets(t *testing.T) {
	t.Parallel()
	for service, limit := range map[string]int{"alb": 200, "slb": 90} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil, fakecloud.WithConfiguringWindow(0))
				c := newClient(t, b.cloud.Config())
				for i := range limit + 5 { // refused ones count as well
					if r := b.addRaw(c, service, 1); i >= limit {
						want(t, r, 400, "Throttling.User")
						equal(t, "header", r.header.Get("X-Ratelimit-User-Api"), fmt.Sprintf("Limit:%d,Remain:0,TimeLeft:60000", limit))
					} else if i == 0 {
						want(t, r, 200, "")
					}
				}
				b.size(t, service) // another operation
				advance(time.Minute - 1)
				want(t, b.addRaw(c, service, 2), 400, "Throttling.User")
				advance(1)
				want(t, b.addRaw(c, service, 2), 200, "")
				equal(t, "size", b.size(t, service), 3)
			})
		})
	}
}

func TestBudgetHeader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := virtual(t, fakecloud.WithBudget("slb", "DescribeVServerGroups", cloudlb.Budget{Calls: 1, Per: 10 * time.Second}))
		ask := func() reply { return c.slb("DescribeVServerGroups", fields{"LoadBalancerId": "lb-1"}) }
		want(t, ask(), 404, "InvalidLoadBalancerId.NotFound")
		advance(time.Millisecond + 1)
		r := ask()
		want(t, r, 400, "Throttling.User")
		equal(t, "header", r.header.Get("X-Ratelimit-User-Api"), "Limit:1,Remain:0,TimeLeft:9999")
	})
}

// TestBudgetIsShared: two clients of an account have one budget, and clients
// with a common Limiter stay within it.
func TestBudgetIsShared(t *testing.T) {
	t.Parallel()
	for _, common := range []bool{false, true} {
		t.Run(fmt.Sprint(common), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud := fakecloud.New(fakecloud.WithConfiguringWindow(0))
				limiter := cloudlb.NewLimiter()
				var wg sync.WaitGroup
				for range 2 {
					group := cloud.AddVServerGroup(fakecloud.VServerGroup{})
					cfg := cloud.Config()
					cfg.Retry = cloudlb.NoRetry()
					if common {
						cfg.Limiter = limiter
					}
					c, err := slb.New(cfg)
					if err != nil {
						t.Fatal(err)
					}
					wg.Go(func() {
						for range 60 {
							//nolint:errcheck // the cloud knows
							c.SetVServerGroupAttribute(t.Context(), slb.SetVServerGroupAttributeRequest{VServerGroupID: group, VServerGroupName: "name"})
						}
					})
				}
				wg.Wait()
				throttled := 0
				for _, r := range cloud.Requests() {
					if strings.HasPrefix(r.Code, "Throttling") {
						throttled++
					}
				}
				rate := cloud.Rate("slb", "SetVServerGroupAttribute", time.Minute)
				if common {
					equal(t, "throttled", throttled, 0)
					equal(t, "rate", rate, 90)
				} else if throttled == 0 || rate <= 90 {
					t.Errorf("%d throttled, rate %d", throttled, rate)
				}
			})
		})
	}
}

func TestBudgetOptions(t *testing.T) {
	t.Parallel()
	two := cloudlb.Budget{Calls: 2, Per: time.Minute}
	tests := []struct {
		name string
		opts []fakecloud.Option
		want map[string]int // that come through of 100
	}{
		{"published", nil, map[string]int{"slb": 90, "elb": 100, "apig": 100}},
		{"none", []fakecloud.Option{fakecloud.WithoutBudgets()}, map[string]int{"slb": 100, "elb": 100}},
		{"one removed", []fakecloud.Option{fakecloud.WithBudget("slb", "AddVServerGroupBackendServers", cloudlb.Budget{})}, map[string]int{"slb": 100}},
		{"service", []fakecloud.Option{fakecloud.WithBudget("elb", "", two), fakecloud.WithoutBudgets()}, map[string]int{"slb": 100, "elb": 2}},
		{"Go name", []fakecloud.Option{fakecloud.WithBudget("apig", "AddVpcChannelMembers", two)}, map[string]int{"slb": 90, "elb": 100, "apig": 2}},
		{"the last counts", []fakecloud.Option{
			fakecloud.WithBudget("apig", "AddingBackendInstancesV2", two), fakecloud.WithBudget("apig", "", cloudlb.Budget{Calls: 3, Per: time.Minute}),
		}, map[string]int{"apig": 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil, tt.opts...)
				c := newClient(t, b.cloud.Config())
				for service, n := range tt.want {
					through := 0
					for range 100 {
						if r := b.addRaw(c, service, 1); r.status != 429 && r.code() != "Throttling.User" {
							through++
						}
					}
					equal(t, service, through, n)
				}
			})
		})
	}
}

// TestHuaweiBudget: the client reads the wait from the gateway's message.
func TestHuaweiBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(cfg *cloudlb.Config) { cfg.Retry = cloudlb.RetryPolicy{} },
			fakecloud.WithBudget("elb", "ListMembers", cloudlb.Budget{Calls: 1, Per: 30 * time.Second}))
		start := time.Now()
		for range 2 {
			if _, err := b.elb.ListMembers(t.Context(), elb.ListMembersRequest{PoolID: b.pool}); err != nil {
				t.Error(err)
			}
		}
		if gone := time.Since(start); gone < 30*time.Second || gone > 45*time.Second {
			t.Errorf("it took %v", gone)
		}
		equal(t, "requests", b.cloud.Calls("elb", "ListMembers"), 3)
	})
}

func TestBudgetOfNothing(t *testing.T) {
	t.Parallel()
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, `WithBudget: no operation "ListMember" in elb`) {
			t.Error(text)
		}
	}()
	fakecloud.New(fakecloud.WithBudget("elb", "ListMember", cloudlb.Budget{}))
}
