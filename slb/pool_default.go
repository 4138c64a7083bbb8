package slb

import (
	"context"

	"github.com/cloudlb/cloudlb/pool/driver"
)

// defaultPool is the default group of a load balancer.
type defaultPool struct {
	c  *Client
	id string // the load balancer's
}

func (p *defaultPool) ready(operation string) error {
	return poolReady(p.c, operation, "loadBalancerID", p.id, "DescribeLoadBalancers")
}

// Describe implements driver.Pool. It makes one call, and three more if the load
// balancer has listeners.
func (p *defaultPool) Describe(ctx context.Context) (driver.Description, error) {
	if err := p.ready("Describe"); err != nil {
		return driver.Description{}, err
	}
	lb, err := p.c.DescribeLoadBalancerAttribute(ctx, DescribeLoadBalancerAttributeRequest{LoadBalancerID: p.id})
	if err != nil {
		return driver.Description{}, err
	}
	health, err := p.readHealth(ctx, lb)
	if err != nil {
		return driver.Description{}, err
	}
	d := describePool(p.c, p.id, health.missing)
	d.ID, d.Name, d.Portless = p.id, lb.LoadBalancerName, true
	d.Add = driver.Verb{
		Operation: opAddBackendServers.Name, Most: AddBackendServersMaxBackendServers, Budget: opAddBackendServers.Budget,
	}
	d.SetWeight = driver.Verb{
		Operation: opSetBackendServers.Name, Most: SetBackendServersMaxBackendServers, Budget: opSetBackendServers.Budget,
	}
	d.Remove = driver.Verb{
		Operation: opRemoveBackendServers.Name, Most: RemoveBackendServersMaxBackendServers, Budget: opRemoveBackendServers.Budget,
	}
	return d, nil
}

// Members implements driver.Pool. Health costs a DescribeVServerGroups, a
// DescribeMasterSlaveServerGroups and a DescribeHealthStatus.
func (p *defaultPool) Members(ctx context.Context, health bool) ([]driver.Member, error) {
	if err := p.ready("Members"); err != nil {
		return nil, err
	}
	lb, err := p.c.DescribeLoadBalancerAttribute(ctx, DescribeLoadBalancerAttributeRequest{LoadBalancerID: p.id})
	if err != nil {
		return nil, err
	}
	members := poolMembers(withoutPort(lb.BackendServers))
	if !health || len(members) == 0 {
		return members, nil
	}
	found, err := p.readHealth(ctx, lb)
	if err != nil {
		return nil, err
	}
	found.fill(members)
	return members, nil
}

// Check implements driver.Pool.
func (p *defaultPool) Check(ch driver.Change) error {
	if err := p.ready("Check"); err != nil {
		return err
	}
	c := poolCheck{operation: "Check", portless: true}
	switch ch.Kind {
	case driver.Add:
		c.operation = opAddBackendServers.Name
		req := p.adding(ch)
		req.validate(&c.Checker)
	case driver.SetWeight:
		c.operation = opSetBackendServers.Name
		req := p.weighing(ch)
		req.validate(&c.Checker)
	case driver.Remove:
		c.operation = opRemoveBackendServers.Name
		req := p.removing(ch)
		req.validate(&c.Checker)
	default: // there is no call: check says so
	}
	return c.check(ch)
}

// Change implements driver.Pool. It makes one call. The service has no client
// tokens: an addition whose outcome is unknown is not repeated.
func (p *defaultPool) Change(ctx context.Context, ch driver.Change) (driver.Result, error) {
	if err := p.Check(ch); err != nil {
		return driver.Result{}, err
	}
	switch ch.Kind {
	case driver.Add:
		res, err := p.c.AddBackendServers(ctx, p.adding(ch))
		if err != nil {
			return driver.Result{}, err
		}
		return driver.Result{RequestID: res.RequestID, Ticket: settling}, nil
	case driver.SetWeight:
		res, err := p.c.SetBackendServers(ctx, p.weighing(ch))
		if err != nil {
			return driver.Result{}, err
		}
		return driver.Result{RequestID: res.RequestID, Ticket: settling}, nil
	default: // Remove: Check has refused the others
		res, err := p.c.RemoveBackendServers(ctx, p.removing(ch))
		if err != nil {
			return driver.Result{}, err
		}
		return driver.Result{RequestID: res.RequestID, Ticket: settling}, nil
	}
}

func (p *defaultPool) adding(ch driver.Change) AddBackendServersRequest {
	req := AddBackendServersRequest{RegionID: p.c.t.Region(), LoadBalancerID: p.id}
	for _, s := range ch.Members {
		kind, _ := serverType(s)
		req.BackendServers = append(req.BackendServers, DefaultServerSpec{
			ServerID: s.Server, Type: kind, ServerIP: s.Address, Weight: s.Weight, Description: s.Label,
		})
	}
	return req
}

// weighing sends the description along: what becomes of one that is left out is
// not documented.
func (p *defaultPool) weighing(ch driver.Change) SetBackendServersRequest {
	req := SetBackendServersRequest{RegionID: p.c.t.Region(), LoadBalancerID: p.id}
	for _, s := range ch.Members {
		kind, _ := serverType(s)
		req.BackendServers = append(req.BackendServers, DefaultServerUpdate{
			ServerID: s.Server, Type: kind, ServerIP: listedIP(s), Weight: s.Weight, Description: s.Label,
		})
	}
	return req
}

func (p *defaultPool) removing(ch driver.Change) RemoveBackendServersRequest {
	req := RemoveBackendServersRequest{RegionID: p.c.t.Region(), LoadBalancerID: p.id}
	for _, s := range ch.Members {
		kind, _ := serverType(s)
		req.BackendServers = append(req.BackendServers, DefaultServerRef{ServerID: s.Server, Type: kind, ServerIP: listedIP(s)})
	}
	return req
}

// Wait implements driver.Pool. It leaves the load balancer alone for a moment.
func (p *defaultPool) Wait(ctx context.Context, ticket string) error {
	if err := p.ready("Wait"); err != nil {
		return err
	}
	return settle(ctx, ticket)
}

// Lock implements driver.Pool.
func (p *defaultPool) Lock(ctx context.Context, key string) (unlock func(), err error) {
	if err := p.ready("Lock"); err != nil {
		return nil, err
	}
	return p.c.locks.Lock(ctx, key)
}

// As implements driver.Pool.
func (p *defaultPool) As(target any) bool { return poolAs(p.c, target) }
