package alb_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool/driver"
)

func healths(t *testing.T, p driver.Pool) map[string]driver.Health {
	t.Helper()
	found := make(map[string]driver.Health)
	for _, m := range members(t, p, true) {
		found[m.Key.String()] = m.Health
	}
	return found
}

func TestPoolHealth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New(fakecloud.WithJobDuration(time.Minute))
		group := cloud.AddServerGroup(fakecloud.ServerGroup{Servers: []fakecloud.BackendServer{
			{ID: "i-well", Port: 80},
			{ID: "i-sick", Port: 80},
			{ID: "i-sick", Port: 81},
			{ID: "eni-1", Type: "Eni", IP: "10.0.0.1", Port: 80},
			{ID: "eni-1", Type: "Eni", IP: "10.0.0.2", Port: 80},
			{ID: "i-idle", Port: 80, Weight: new(0)},
		}})
		p := poolClient(t, cloud).Pool(group)
		for _, sick := range []string{"i-sick:81", "10.0.0.2", "i-idle"} {
			cloud.SetHealth(sick, false)
		}
		const unknown = driver.HealthUnknown
		want := map[string]driver.Health{
			"i-well:80": unknown, "i-sick:80": unknown, "i-sick:81": unknown,
			"eni-1(10.0.0.1):80": unknown, "eni-1(10.0.0.2):80": unknown, "i-idle:80": unknown,
		}
		expect := func(when string) {
			t.Helper()
			if got := healths(t, p); !reflect.DeepEqual(got, want) {
				t.Errorf("%s: %v, want %v", when, got, want)
			}
		}
		expect("without a listener")
		if n := cloud.Calls("alb", "GetListenerHealthStatus"); n != 0 {
			t.Errorf("%d calls for the health of a group that nobody uses", n)
		}

		// A listener of the same load balancer that does not use the group.
		other := cloud.AddServerGroup(fakecloud.ServerGroup{LoadBalancerIDs: []string{"alb-1"}})
		cloud.AddListener(fakecloud.Listener{ID: "lsr-other", LoadBalancerID: "alb-1", ServerGroupIDs: []string{other}})
		rules := make([]fakecloud.ListenerRule, 2*alb.GetListenerHealthStatusMaxPageSize)
		for i := range rules {
			rules[i].ServerGroupIDs = []string{other}
		}
		rules[len(rules)-1].ServerGroupIDs = []string{group} // on the third page
		stopped := fakecloud.Listener{
			ID: "lsr-1", LoadBalancerID: "alb-1", Port: 81, ServerGroupIDs: []string{other}, Rules: rules, Status: "Stopped",
		}
		cloud.AddListener(stopped)
		expect("behind a stopped listener")

		stopped.Status = "Running"
		cloud.AddListener(stopped)
		for k := range want {
			want[k] = driver.Healthy
		}
		want["i-sick:81"], want["eni-1(10.0.0.2):80"], want["i-idle:80"] = driver.Unhealthy, driver.Unhealthy, unknown
		expect("behind a rule")

		result := change(t, p, driver.Change{Kind: driver.Add, Members: []driver.Spec{{Key: driver.Key{Server: "i-new", Port: 80}}}})
		want["i-new:80"] = driver.Checking
		expect("while a member joins")
		wait(t, p, result)
		want["i-new:80"] = driver.Healthy
		expect("after it joined")

		cloud.SetHealth("i-sick:81", true)
		want["i-sick:81"] = driver.Healthy
		expect("after the sick one recovered")
	})
}

// TestPoolHealthOfSeveralListeners is without fakecloud, where all listeners
// report the same.
func TestPoolHealthOfSeveralListeners(t *testing.T) {
	t.Parallel()
	server := func(id string) alb.Server {
		return alb.Server{ServerID: id, ServerIP: "10.0.0.1", ServerType: alb.ServerTypeEcs, Port: 80, Weight: 1, Status: alb.ServerStatusAvailable}
	}
	for _, c := range []struct {
		states []string // of the server behind each listener; "" is normal, "off" an unchecked group
		want   driver.Health
	}{
		{[]string{""}, driver.Healthy},
		{[]string{"", "Unhealthy", ""}, driver.Unhealthy},
		{[]string{"Unhealthy", "Initial"}, driver.Unhealthy},
		{[]string{"Initial", "Unhealthy"}, driver.Unhealthy},
		{[]string{"Initial", ""}, driver.Checking},
		{[]string{"off"}, driver.Unchecked},
		{[]string{"off", ""}, driver.Healthy},
		{[]string{"off", "Unhealthy"}, driver.Unhealthy},
		{[]string{"Unavailable"}, driver.Unchecked},
		{[]string{"Unused"}, driver.HealthUnknown},
		{[]string{"Brand-new"}, driver.HealthUnknown},
		{[]string{"gone", "Initial"}, driver.Checking},
		{[]string{"gone"}, driver.HealthUnknown},
	} {
		replies := map[string]string{
			"ListServerGroupServers": reply(t, alb.ListServerGroupServersResponse{RequestID: "r", Servers: []alb.Server{server("i-1")}}),
			"ListServerGroups": reply(t, alb.ListServerGroupsResponse{RequestID: "r", ServerGroups: []alb.ServerGroup{{
				ServerGroupID: "sgp-1", RelatedLoadBalancerIDs: []string{"alb-1"}, HealthCheckConfig: alb.HealthCheckConfig{HealthCheckEnabled: true},
			}}}),
		}
		list := alb.ListListenersResponse{RequestID: "r"}
		for i, state := range c.states {
			id := fmt.Sprintf("lsr-%d", i)
			list.Listeners = append(list.Listeners, alb.Listener{ListenerID: id, ListenerStatus: alb.ListenerStatusRunning})
			health := alb.ServerGroupHealth{ServerGroupID: "sgp-1", HealthCheckEnabled: alb.HealthCheckEnabledOn}
			switch state {
			case "":
			case "off":
				health.HealthCheckEnabled = "OFF"
			case "gone":
				continue
			default:
				health.NonNormalServers = []alb.NonNormalServer{{ServerID: "i-1", ServerIP: []string{"", "10.0.0.1"}[i%2], Port: 80, Status: alb.ServerHealthStatus(state)}}
			}
			replies["GetListenerHealthStatus "+id] = reply(t, alb.GetListenerHealthStatusResponse{
				RequestID: "r", ListenerHealthStatus: []alb.ListenerHealth{{ListenerID: id, ServerGroupInfos: []alb.ServerGroupHealth{health}}},
			})
		}
		replies["ListListeners"] = reply(t, list)
		p := scripted(t, replies).Pool("sgp-1")
		if got := members(t, p, true); len(got) != 1 || got[0].Health != c.want {
			t.Errorf("%q: %+v, want %q", c.states, got, c.want)
		}
	}
}

func TestPoolPhases(t *testing.T) {
	t.Parallel()
	one, two := driver.Spec{Key: driver.Key{Server: "i-1", Port: 80}}, driver.Spec{Key: driver.Key{Server: "i-2", Port: 80}}
	heavy := one
	heavy.Weight = new(7)
	for _, c := range []struct {
		change driver.Change
		during []driver.Phase // of i-1, i-2
		after  int
	}{
		{driver.Change{Kind: driver.Add, Members: []driver.Spec{two}}, []driver.Phase{driver.Ready, driver.Joining}, 2},
		{driver.Change{Kind: driver.SetWeight, Members: []driver.Spec{heavy}}, []driver.Phase{driver.Changing}, 1},
		{driver.Change{Kind: driver.Remove, Members: []driver.Spec{one}}, []driver.Phase{driver.Leaving}, 0},
		{driver.Change{Kind: driver.Swap, Members: []driver.Spec{two}, Out: []driver.Spec{one}}, []driver.Phase{driver.Joining, driver.Joining}, 1},
	} {
		t.Run(string(c.change.Kind), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud := fakecloud.New(fakecloud.WithJobDuration(time.Hour))
				p := poolClient(t, cloud).Pool(cloud.AddServerGroup(fakecloud.ServerGroup{Servers: []fakecloud.BackendServer{{ID: "i-1", Port: 80}}}))
				phases := func() (found []driver.Phase) {
					for _, m := range members(t, p, false) {
						found = append(found, m.Phase)
					}
					return found
				}
				start := time.Now()
				result := change(t, p, c.change)
				if got := phases(); !slices.Equal(got, c.during) {
					t.Errorf("during: %v, want %v", got, c.during)
				}
				wait(t, p, result)
				if got := phases(); len(got) != c.after || slices.ContainsFunc(got, func(p driver.Phase) bool { return p != driver.Ready }) {
					t.Errorf("after: %v, want %d", got, c.after)
				}
				if took := time.Since(start); took < time.Hour || took > time.Hour+10*time.Second {
					t.Errorf("the wait took %s", took)
				}
			})
		})
	}
}

func TestPoolWait(t *testing.T) {
	t.Parallel()
	add := driver.Change{Kind: driver.Add, Members: []driver.Spec{{Key: driver.Key{Server: "i-1", Port: 80}}}}
	for _, c := range []struct {
		name   string
		effect fakecloud.Effect
		within time.Duration // of the context
		ends   time.Duration // at the earliest
		is     error
	}{
		{"done", fakecloud.Slow(0), time.Hour, 20 * time.Second, nil},
		{"lost, and the group is free after a while", fakecloud.JobVanishes(), time.Hour, 20 * time.Second, nil},
		{"lost, and the group is never free", fakecloud.JobVanishes(), 16 * time.Second, 16 * time.Second, cloudlb.ErrUnfinished},
		{"failed", fakecloud.JobFails("ResourceQuotaExceeded.ServersNum", "why"), time.Hour, 20 * time.Second, cloudlb.ErrJobFailed},
		{"endless", fakecloud.JobNeverEnds(), time.Hour, time.Hour, cloudlb.ErrUnfinished},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud := fakecloud.New(fakecloud.WithJobDuration(20 * time.Second))
				group := cloud.AddServerGroup(fakecloud.ServerGroup{})
				if c.effect != fakecloud.Slow(0) {
					cloud.Inject(fakecloud.Fault{Operation: "AddServersToServerGroup", Effect: c.effect})
				}
				result := change(t, poolClient(t, cloud).Pool(group), add)
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), c.within)
				defer cancel()
				err := poolClient(t, cloud).Pool(group).Wait(ctx, result.Ticket) // as another process would
				if !errors.Is(err, c.is) || c.is == nil && err != nil {
					t.Errorf("error %v, want %v", err, c.is)
				}
				if errors.Is(err, cloudlb.ErrLost) {
					t.Errorf("the end of the wait is said to be lost: %v", err)
				}
				if took := time.Since(start); took < c.ends || took > c.ends+30*time.Second {
					t.Errorf("the wait took %s, want %s", took, c.ends)
				}
			})
		})
	}
	t.Run("a lost job of a group that is gone", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			err := poolClient(t, fakecloud.New()).Pool("sgp-none").Wait(t.Context(), "job-none")
			if !errors.Is(err, cloudlb.ErrNotFound) {
				t.Errorf("error %v", err)
			}
		})
	})
}

// TestPoolToken: the same change with the same token is carried out once.
func TestPoolToken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New()
		p := poolClient(t, cloud).Pool(cloud.AddServerGroup(fakecloud.ServerGroup{}))
		add := driver.Change{Kind: driver.Add, Token: "deploy-1", Members: []driver.Spec{{Key: driver.Key{Server: "i-1", Port: 80}}}}
		first := change(t, p, add)
		wait(t, p, first)
		if again := change(t, p, add); again.Ticket != first.Ticket {
			t.Errorf("the repeat has the job %s, want %s", again.Ticket, first.Ticket)
		}
		add.Token = "deploy-2"
		if _, err := p.Change(t.Context(), add); !errors.Is(err, cloudlb.ErrAlreadyExists) {
			t.Errorf("the same member with another token: %v", err)
		}
	})
}

// TestPoolHealthOfSilence: for a server that no report names.
func TestPoolHealthOfSilence(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		weight int
		status alb.ServerStatus
		want   driver.Health
	}{
		{1, alb.ServerStatusAvailable, driver.Healthy},
		{1, alb.ServerStatusConfiguring, driver.Healthy},
		{1, alb.ServerStatusAdding, driver.Checking},
		{0, alb.ServerStatusAvailable, driver.HealthUnknown},
		{0, alb.ServerStatusAdding, driver.HealthUnknown},
	} {
		p := scripted(t, map[string]string{
			"ListServerGroupServers": reply(t, alb.ListServerGroupServersResponse{RequestID: "r", Servers: []alb.Server{
				{ServerID: "i-1", ServerType: alb.ServerTypeEcs, Port: 80, Weight: c.weight, Status: c.status},
			}}),
			"ListServerGroups": reply(t, alb.ListServerGroupsResponse{RequestID: "r", ServerGroups: []alb.ServerGroup{{
				ServerGroupID: "sgp-1", RelatedLoadBalancerIDs: []string{"alb-1"}, HealthCheckConfig: alb.HealthCheckConfig{HealthCheckEnabled: true},
			}}}),
			"ListListeners": reply(t, alb.ListListenersResponse{RequestID: "r", Listeners: []alb.Listener{{ListenerID: "lsr-1"}}}),
			"GetListenerHealthStatus lsr-1": reply(t, alb.GetListenerHealthStatusResponse{RequestID: "r", ListenerHealthStatus: []alb.ListenerHealth{
				{ServerGroupInfos: []alb.ServerGroupHealth{{ServerGroupID: "sgp-1", HealthCheckEnabled: alb.HealthCheckEnabledOn}}},
			}}),
		}).Pool("sgp-1")
		if got := members(t, p, true); len(got) != 1 || got[0].Health != c.want {
			t.Errorf("%+v, want %q", got, c.want)
		}
	}
}

// TestPoolReads: a read that fails, fails the whole; nobody is called healthy
// for want of a report.
func TestPoolReads(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{"ListServerGroupServers", "ListServerGroups", "ListListeners", "GetListenerHealthStatus"} {
		cloud := fakecloud.New()
		group := cloud.AddServerGroup(fakecloud.ServerGroup{Servers: []fakecloud.BackendServer{{ID: "i-1", Port: 80}}})
		cloud.AddListener(fakecloud.Listener{ServerGroupIDs: []string{group}})
		cloud.Inject(fakecloud.Fault{Operation: operation, Effect: fakecloud.Refuse(403, "Forbidden.RAM", "no")})
		p := poolClient(t, cloud).Pool(group)
		if list, err := p.Members(t.Context(), true); !errors.Is(err, cloudlb.ErrDenied) || list != nil {
			t.Errorf("%s: members %+v, error %v", operation, list, err)
		}
		if _, err := p.Describe(t.Context()); (operation == "ListServerGroups") != errors.Is(err, cloudlb.ErrDenied) {
			t.Errorf("%s: Describe: %v", operation, err)
		}
	}
}
