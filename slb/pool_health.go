package slb

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// poolHealth is what health checks say of the servers of a pool.
type poolHealth struct {
	// missing says why it cannot be read, if so.
	missing string
	// of are the servers' states, in their order.
	of []driver.Health
	// reported: there is a report about one of the servers.
	reported bool
}

func (h poolHealth) fill(members []driver.Member) {
	if h.missing != "" {
		return
	}
	for i := range members {
		members[i].Health = h.of[i]
	}
}

// readHealth reads the health of the group's servers behind the listeners that
// use it.
func (p *vServerPool) readHealth(ctx context.Context, loadBalancerID string, servers []BackendServer) (poolHealth, error) {
	res, err := p.c.DescribeVServerGroups(ctx, DescribeVServerGroupsRequest{LoadBalancerID: loadBalancerID, IncludeListener: true, IncludeRule: true})
	if err != nil {
		return poolHealth{}, err
	}
	var by AssociatedObjects
	for _, g := range res.VServerGroups {
		if g.VServerGroupID == p.id {
			by = g.AssociatedObjects
		}
	}
	if len(by.Listeners)+len(by.Rules) == 0 {
		return poolHealth{missing: "no listener uses the vServer group, so nothing checks its servers"}, nil
	}
	uses := func(h ServerHealth) bool {
		return len(by.Rules) > 0 || usedBy(by.Listeners, h.ListenerPort, h.Protocol) // rules do not say which listener they are of
	}
	found, err := p.c.poolHealth(ctx, loadBalancerID, servers, uses)
	if len(by.Listeners) == 0 && !found.reported {
		clear(found.of) // that servers of rules are reported at all is not documented: do not wait for it
	}
	return found, err
}

// readHealth reads the health of the default group's servers behind the
// listeners that use it: all but those that use other groups, or only redirect.
func (p *defaultPool) readHealth(ctx context.Context, lb *DescribeLoadBalancerAttributeResponse) (poolHealth, error) {
	const missing = "no listener uses the default server group, so nothing checks its servers"
	if len(lb.ListenerPortsAndProtocol) == 0 {
		return poolHealth{missing: missing}, nil
	}
	vServer, err := p.c.DescribeVServerGroups(ctx, DescribeVServerGroupsRequest{LoadBalancerID: p.id, IncludeListener: true})
	if err != nil {
		return poolHealth{}, err
	}
	masterSlave, err := p.c.DescribeMasterSlaveServerGroups(ctx, DescribeMasterSlaveServerGroupsRequest{LoadBalancerID: p.id, IncludeListener: true})
	if err != nil {
		return poolHealth{}, err
	}
	var others []AssociatedListener
	for _, g := range vServer.VServerGroups {
		others = append(others, g.AssociatedObjects.Listeners...)
	}
	for _, g := range masterSlave.MasterSlaveServerGroups {
		others = append(others, g.AssociatedObjects.Listeners...)
	}
	var own []AssociatedListener
	for _, l := range lb.ListenerPortsAndProtocol {
		if !strings.EqualFold(l.ListenerForward, "on") && !usedBy(others, l.ListenerPort, l.ListenerProtocol) {
			own = append(own, AssociatedListener{Port: l.ListenerPort, Protocol: ListenerProtocol(l.ListenerProtocol)})
		}
	}
	if len(own) == 0 {
		return poolHealth{missing: missing}, nil
	}
	uses := func(h ServerHealth) bool { return usedBy(own, h.ListenerPort, h.Protocol) }
	return p.c.poolHealth(ctx, p.id, withoutPort(lb.BackendServers), uses)
}

// usedBy reports whether a listener is one of those. TCP and UDP listeners can
// have the same port.
func usedBy(listeners []AssociatedListener, port int, protocol string) bool {
	return slices.ContainsFunc(listeners, func(l AssociatedListener) bool {
		return l.Port == port && (l.Protocol == "" || protocol == "" || strings.EqualFold(string(l.Protocol), protocol))
	})
}

// poolHealth reads the health of servers behind the listeners of a load balancer
// that use them; the worst counts. What SLB reports of weight 0 says nothing:
// two pages of its documentation contradict each other.
func (c *Client) poolHealth(ctx context.Context, loadBalancerID string, servers []BackendServer, uses func(ServerHealth) bool) (poolHealth, error) {
	const unchecked = "the listeners that use the servers have no health check"
	res, err := c.DescribeHealthStatus(ctx, DescribeHealthStatusRequest{LoadBalancerID: loadBalancerID})
	if e, ok := errors.AsType[*cloudlb.Error](err); ok && e.Code == "CheckedListenerNotFound" {
		return poolHealth{missing: unchecked}, nil
	}
	if err != nil {
		return poolHealth{}, err
	}
	reports := slices.DeleteFunc(res.BackendServers, func(h ServerHealth) bool { return !uses(h) })
	found := poolHealth{of: make([]driver.Health, len(servers))}
	checked := false
	for i, s := range servers {
		ref := ServerRef{ServerID: s.ServerID, ServerIP: s.ServerIP, Port: s.Port}
		worst, known := driver.Checking, false // nothing is said of it yet
		for _, h := range reports {
			if !ref.names(h.ServerID, h.ServerIP, h.Port) {
				continue
			}
			found.reported, checked = true, checked || h.ServerHealthStatus != ServerHealthStatusUnavailable
			if state := h.ServerHealthStatus.health(); !known || worse(state, worst) {
				worst, known = state, true
			}
		}
		if s.Weight > 0 {
			found.of[i] = worst
		}
	}
	if found.reported && !checked {
		found.missing = unchecked
	}
	return found, nil
}

func (s ServerHealthStatus) health() driver.Health {
	switch s {
	case ServerHealthStatusNormal:
		return driver.Healthy
	case ServerHealthStatusAbnormal:
		return driver.Unhealthy
	case ServerHealthStatusUnavailable:
		return driver.Unchecked
	default: // not documented
		return driver.HealthUnknown
	}
}

// worse reports whether a is less reason to rely on a server than b.
func worse(a, b driver.Health) bool {
	order := []driver.Health{driver.Unchecked, driver.Healthy, driver.HealthUnknown, driver.Unhealthy}
	return slices.Index(order, a) > slices.Index(order, b)
}
