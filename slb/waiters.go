package slb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/poll"
)

// How waits look: a load balancer is locked for seconds, health checks take
// tens of them.
var (
	lockSchedule   = poll.Schedule{First: time.Second, Cap: 5 * time.Second}
	healthSchedule = poll.Schedule{First: 2 * time.Second, Cap: 10 * time.Second}
)

// WaitForVServerGroup waits until every change of a vServer group that was
// accepted before has been carried out. It looks after about 1 second, then at
// growing intervals of up to 5 seconds. A group that does not exist ends the
// wait with cloudlb.ErrNotFound.
//
// It writes. SLB has no state to read: the only sign of an unfinished change is
// that the next one is refused. So each look reads the group with
// DescribeVServerGroupAttribute and gives it the name that it has with
// SetVServerGroupAttribute, without servers. As long as that is refused as busy
// the wait goes on; once it is accepted, nothing earlier is left. This changes
// nothing, but it needs the permission to write, counts against the budget of
// SetVServerGroupAttribute, and undoes a renaming by somebody else that falls
// between its two calls. It may itself lock the load balancer for a moment: the
// next write then waits for it as every call does (cloudlb.RetryPolicy).
//
// A call that changes servers waits for a busy load balancer by itself. This
// wait is for those who must know that a change is done before they go on with
// something else.
func (c *Client) WaitForVServerGroup(ctx context.Context, vServerGroupID string, opts ...cloudlb.WaitOption) error {
	const operation = "WaitForVServerGroup"
	if vServerGroupID == "" {
		return poll.Invalid("slb", operation, "vServerGroupID", "is required")
	}
	left, done := []string{vServerGroupID}, []string(nil)
	loop := poll.Loop{
		Service: "slb", Operation: operation, Schedule: lockSchedule, Progress: poll.Options(opts).Progress,
		Left: func() []string { return left },
		Done: func() []string { return done },
		Look: func(ctx context.Context) (bool, error) {
			group, err := c.DescribeVServerGroupAttribute(ctx, DescribeVServerGroupAttributeRequest{VServerGroupID: vServerGroupID})
			if err != nil {
				return false, err
			}
			_, err = c.SetVServerGroupAttribute(ctx, SetVServerGroupAttributeRequest{
				VServerGroupID: vServerGroupID, VServerGroupName: group.VServerGroupName,
			}, cloudlb.WithRetry(cloudlb.NoRetry()))
			switch {
			case errors.Is(err, cloudlb.ErrBusy):
				return false, nil
			case err != nil:
				return false, err
			}
			left, done = done, left
			return true, nil
		},
	}
	return loop.Run(ctx)
}

// ServerRef names a server of a group. ServerIP may be left out where a server
// has one address. Port is the server's; in the default group, where each
// listener has its own, 0 means all of them.
type ServerRef struct {
	ServerID string
	ServerIP string
	Port     int
}

func (r ServerRef) String() string {
	if r.ServerIP != "" && r.ServerIP != r.ServerID {
		return fmt.Sprintf("%s(%s):%d", r.ServerID, r.ServerIP, r.Port)
	}
	return fmt.Sprintf("%s:%d", r.ServerID, r.Port)
}

func (r ServerRef) names(id, ip string, port int) bool {
	return r.ServerID == id && (r.ServerIP == "" || ip == "" || r.ServerIP == ip) && (r.Port == 0 || port == 0 || r.Port == port)
}

// HealthTarget is where WaitHealthy looks.
type HealthTarget struct {
	// LoadBalancerID is required.
	LoadBalancerID string
	// VServerGroupID is the group that has the servers; empty means the load
	// balancer's default group.
	VServerGroupID string
	// ListenerPort restricts the wait to one listener; 0 means that the servers
	// must be healthy behind all that use them.
	ListenerPort int
}

// WaitHealthy waits until the health checks call all of the servers normal,
// behind each listener that was asked for and uses them. It reads the group and
// DescribeHealthStatus after about 2 seconds, then at growing intervals of up to
// 10 seconds.
//
// What can never become healthy is an error at once: a server of weight 0, about
// whose health the documentation contradicts itself (give it a weight of 1, or
// probe the application itself); a server that is not in the group; a group that
// no listener uses; a listener without a health check.
func (c *Client) WaitHealthy(ctx context.Context, at HealthTarget, refs []ServerRef, opts ...cloudlb.WaitOption) error {
	const operation = "WaitHealthy"
	if at.LoadBalancerID == "" {
		return poll.Invalid("slb", operation, "LoadBalancerID", "is required")
	}
	var group []BackendServer
	wait := poll.Set[ServerRef, ServerHealth]{
		Service: "slb", Operation: operation, Field: "refs", Schedule: healthSchedule,
		Name: func(r ServerRef) string {
			if r.ServerID == "" || r.Port == 0 && at.VServerGroupID != "" {
				return ""
			}
			return r.String()
		},
		Look: func(ctx context.Context) (health []ServerHealth, err error) {
			if group, err = c.groupServers(ctx, at); err != nil {
				return nil, err
			}
			return c.health(ctx, at, group)
		},
		Reached: func(ref ServerRef, health []ServerHealth) (ServerHealth, bool, error) {
			i := slices.IndexFunc(group, func(s BackendServer) bool { return ref.names(s.ServerID, s.ServerIP, s.Port) })
			switch {
			case i < 0:
				return ServerHealth{}, false, poll.Invalid("slb", operation, ref.String(), "is not in "+at.group()+": add it first")
			case group[i].Weight == 0:
				return ServerHealth{}, false, poll.Invalid("slb", operation, ref.String(),
					"has weight 0, and what SLB reports of such servers says nothing: give it a weight of 1, or probe the application itself")
			}
			var found ServerHealth
			reported, normal := false, true
			for _, h := range health {
				if !ref.names(h.ServerID, h.ServerIP, h.Port) {
					continue
				}
				if h.ServerHealthStatus == ServerHealthStatusUnavailable {
					return h, false, poll.Invalid("slb", operation, ref.String(),
						fmt.Sprintf("has no health check behind listener %d: turn it on, name another listener, or probe the application itself", h.ListenerPort))
				}
				found, reported = h, true
				normal = normal && h.ServerHealthStatus == ServerHealthStatusNormal
			}
			return found, reported && normal, nil
		},
	}
	_, err := wait.Wait(ctx, refs, opts)
	return err
}

func (t HealthTarget) group() string {
	if t.VServerGroupID == "" {
		return "the default group of load balancer " + t.LoadBalancerID
	}
	return "vServer group " + t.VServerGroupID
}

// groupServers reads the servers of a group with their weights.
func (c *Client) groupServers(ctx context.Context, at HealthTarget) ([]BackendServer, error) {
	if at.VServerGroupID == "" {
		lb, err := c.DescribeLoadBalancerAttribute(ctx, DescribeLoadBalancerAttributeRequest{LoadBalancerID: at.LoadBalancerID})
		if err != nil {
			return nil, err
		}
		return withoutPort(lb.BackendServers), nil
	}
	group, err := c.DescribeVServerGroupAttribute(ctx, DescribeVServerGroupAttributeRequest{VServerGroupID: at.VServerGroupID})
	if err != nil {
		return nil, err
	}
	if group.LoadBalancerID != "" && group.LoadBalancerID != at.LoadBalancerID {
		return nil, poll.Invalid("slb", "WaitHealthy", at.VServerGroupID, "belongs to load balancer "+group.LoadBalancerID+", not "+at.LoadBalancerID)
	}
	return group.BackendServers, nil
}

// withoutPort takes away the ports of a default group's servers: each listener
// has its own for all of them.
func withoutPort(servers []BackendServer) []BackendServer {
	for i := range servers {
		servers[i].Port = 0
	}
	return servers
}

// health reads what the health checks say. If none of the group's servers is
// reported it makes sure that one can be.
func (c *Client) health(ctx context.Context, at HealthTarget, group []BackendServer) ([]ServerHealth, error) {
	const operation = "WaitHealthy"
	res, err := c.DescribeHealthStatus(ctx, DescribeHealthStatusRequest{LoadBalancerID: at.LoadBalancerID, ListenerPort: at.ListenerPort})
	if e, ok := errors.AsType[*cloudlb.Error](err); ok && e.Code == "CheckedListenerNotFound" {
		return nil, poll.Invalid("slb", operation, at.listener(),
			"has no health check, or does not exist: turn it on, name another listener, or probe the application itself")
	}
	if err != nil {
		return nil, err
	}
	reported := slices.ContainsFunc(res.BackendServers, func(h ServerHealth) bool {
		return slices.ContainsFunc(group, func(s BackendServer) bool {
			return s.ServerID == h.ServerID && (s.Port == 0 || s.Port == h.Port)
		})
	})
	if !reported && at.VServerGroupID != "" {
		return nil, c.used(ctx, at)
	}
	return res.BackendServers, nil
}

// used returns an error when no listener uses the vServer group.
func (c *Client) used(ctx context.Context, at HealthTarget) error {
	res, err := c.DescribeVServerGroups(ctx, DescribeVServerGroupsRequest{LoadBalancerID: at.LoadBalancerID, IncludeListener: true, IncludeRule: true})
	if err != nil {
		return err
	}
	i := slices.IndexFunc(res.VServerGroups, func(g VServerGroup) bool { return g.VServerGroupID == at.VServerGroupID })
	if i < 0 {
		return nil // the next look says what has become of it
	}
	by := res.VServerGroups[i].AssociatedObjects
	if len(by.Rules) > 0 { // rules do not say which listener they are of
		return nil
	}
	if slices.ContainsFunc(by.Listeners, func(l AssociatedListener) bool { return at.ListenerPort == 0 || l.Port == at.ListenerPort }) {
		return nil
	}
	return poll.Invalid("slb", "WaitHealthy", at.VServerGroupID, "is not used by "+at.listener()+": nothing checks its servers")
}

func (t HealthTarget) listener() string {
	if t.ListenerPort == 0 {
		return "any listener of load balancer " + t.LoadBalancerID
	}
	return fmt.Sprintf("listener %d of load balancer %s", t.ListenerPort, t.LoadBalancerID)
}
