package slb

import (
	"cmp"
	"context"
	"time"

	"github.com/cloudlb/cloudlb/internal/poll"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// Pool returns a vServer group as package pool wants it: hand it to pool.New. It
// makes no call; that the group exists shows when it is used.
//
// Members are named by ServerID and Port, network interfaces and container
// instances by ServerIP too; so are instances that somebody else has put in with
// several addresses. Without a Type, Server says it: i- is ecs, eni-
// eni, eci- eci. Labels are descriptions: 1 to 80 letters, Chinese characters,
// digits and - / . _. How many members a group can have is not known
// beforehand: 200 is the limit of its load balancer, all groups together. A
// swap is one call of ModifyVServerGroupBackendServers, which need not take out
// as many as it puts in. SLB does not tell when a change is carried out: the
// next one waits for it.
func (c *Client) Pool(vServerGroupID string) driver.Pool {
	return &vServerPool{c: c, id: vServerGroupID}
}

// DefaultPool returns the default server group of a load balancer as package
// pool wants it. It is like Pool, but its members have no port: each listener
// has one for all of them. There is no swap.
func (c *Client) DefaultPool(loadBalancerID string) driver.Pool {
	return &defaultPool{c: c, id: loadBalancerID}
}

type vServerPool struct {
	c  *Client
	id string
}

// ready is the error of every method when there is nothing to work with.
func (p *vServerPool) ready(operation string) error {
	return poolReady(p.c, operation, "vServerGroupID", p.id, "DescribeVServerGroups")
}

func poolReady(c *Client, operation, field, id, lister string) error {
	switch {
	case c == nil:
		return poll.Invalid("slb", operation, "", "the client was not built with New")
	case id == "":
		return poll.Invalid("slb", operation, field, "is required: "+lister+" lists them")
	default:
		return nil
	}
}

// Describe implements driver.Pool. It makes two calls, and a third if a listener
// uses the group.
func (p *vServerPool) Describe(ctx context.Context) (driver.Description, error) {
	if err := p.ready("Describe"); err != nil {
		return driver.Description{}, err
	}
	group, err := p.c.DescribeVServerGroupAttribute(ctx, DescribeVServerGroupAttributeRequest{VServerGroupID: p.id})
	if err != nil {
		return driver.Description{}, err
	}
	health, err := p.readHealth(ctx, group.LoadBalancerID, group.BackendServers)
	if err != nil {
		return driver.Description{}, err
	}
	d := describePool(p.c, group.LoadBalancerID, health.missing)
	d.ID, d.Name = p.id, group.VServerGroupName
	d.Add = driver.Verb{
		Operation: opAddVServerGroupBackendServers.Name,
		Most:      AddVServerGroupBackendServersMaxBackendServers,
		Budget:    opAddVServerGroupBackendServers.Budget,
	}
	d.SetWeight = driver.Verb{
		Operation: opSetVServerGroupAttribute.Name,
		Most:      SetVServerGroupAttributeMaxBackendServers,
		Budget:    opSetVServerGroupAttribute.Budget,
	}
	d.Remove = driver.Verb{
		Operation: opRemoveVServerGroupBackendServers.Name,
		Most:      RemoveVServerGroupBackendServersMaxBackendServers,
		Budget:    opRemoveVServerGroupBackendServers.Budget,
	}
	d.Swap = driver.Verb{
		Operation: opModifyVServerGroupBackendServers.Name,
		Most:      min(ModifyVServerGroupBackendServersMaxNewBackendServers, ModifyVServerGroupBackendServersMaxOldBackendServers),
		Budget:    opModifyVServerGroupBackendServers.Budget,
	}
	return d, nil
}

// describePool is what all pools of a load balancer have in common. They are
// locked together.
func describePool(c *Client, loadBalancerID, noHealth string) driver.Description {
	region := c.t.Region()
	return driver.Description{
		Service: "slb", Region: region, LockKey: "slb/" + region + "/" + loadBalancerID,
		Weights:  driver.Weights{Min: weightMin, Max: weightMax, Default: weightDefault},
		NoHealth: noHealth, Labels: true, Account: c.t.Limiter(),
	}
}

// Members implements driver.Pool. Health costs a DescribeVServerGroups and a
// DescribeHealthStatus.
func (p *vServerPool) Members(ctx context.Context, health bool) ([]driver.Member, error) {
	if err := p.ready("Members"); err != nil {
		return nil, err
	}
	group, err := p.c.DescribeVServerGroupAttribute(ctx, DescribeVServerGroupAttributeRequest{VServerGroupID: p.id})
	if err != nil {
		return nil, err
	}
	members := poolMembers(group.BackendServers)
	if !health || len(members) == 0 {
		return members, nil
	}
	found, err := p.readHealth(ctx, group.LoadBalancerID, group.BackendServers)
	if err != nil {
		return nil, err
	}
	found.fill(members)
	return members, nil
}

// poolMembers are servers in the words of package pool. Network interfaces and
// container instances cannot be named without their address.
func poolMembers(servers []BackendServer) []driver.Member {
	members := make([]driver.Member, len(servers))
	first := make(map[driver.Key]int, len(servers))
	for i, s := range servers {
		m := driver.Member{
			Key:    driver.Key{Server: s.ServerID, Port: s.Port},
			Weight: s.Weight, Phase: driver.Ready, Type: string(s.Type), Label: s.Description,
		}
		if s.ServerIP != "" && s.ServerIP != s.ServerID {
			m.Aliases = []string{s.ServerIP}
			if s.Type == ServerTypeEni || s.Type == ServerTypeEci {
				m.Key.Address = s.ServerIP
			} else {
				m.ID = s.ServerIP
			}
		}
		// Nothing keeps others from adding an instance with two of its addresses.
		if j, twice := first[m.Key]; twice {
			m.Address, members[j].Address = s.ServerIP, servers[j].ServerIP
		} else {
			first[m.Key] = i
		}
		members[i] = m
	}
	return members
}

// Check implements driver.Pool.
func (p *vServerPool) Check(ch driver.Change) error {
	if err := p.ready("Check"); err != nil {
		return err
	}
	c := poolCheck{operation: "Check", swap: true}
	switch ch.Kind {
	case driver.Add:
		c.operation = opAddVServerGroupBackendServers.Name
		req := p.adding(ch)
		req.validate(&c.Checker)
	case driver.SetWeight:
		c.operation = opSetVServerGroupAttribute.Name
		req := p.weighing(ch)
		req.validate(&c.Checker)
	case driver.Remove:
		c.operation = opRemoveVServerGroupBackendServers.Name
		req := p.removing(ch)
		req.validate(&c.Checker)
	case driver.Swap:
		c.operation = opModifyVServerGroupBackendServers.Name
		req := p.swapping(ch)
		req.validate(&c.Checker)
	default: // there is no call: check says so
	}
	return c.check(ch)
}

// Change implements driver.Pool. It makes one call. The service has no client
// tokens: an addition or a swap whose outcome is unknown is not repeated.
func (p *vServerPool) Change(ctx context.Context, ch driver.Change) (driver.Result, error) {
	if err := p.Check(ch); err != nil {
		return driver.Result{}, err
	}
	switch ch.Kind {
	case driver.Add:
		res, err := p.c.AddVServerGroupBackendServers(ctx, p.adding(ch))
		if err != nil {
			return driver.Result{}, err
		}
		return driver.Result{RequestID: res.RequestID, Ticket: settling}, nil
	case driver.SetWeight:
		res, err := p.c.SetVServerGroupAttribute(ctx, p.weighing(ch))
		if err != nil {
			return driver.Result{}, err
		}
		return driver.Result{RequestID: res.RequestID, Ticket: settling}, nil
	case driver.Remove:
		res, err := p.c.RemoveVServerGroupBackendServers(ctx, p.removing(ch))
		if err != nil {
			return driver.Result{}, err
		}
		return driver.Result{RequestID: res.RequestID, Ticket: settling}, nil
	default: // Swap: Check has refused the others
		res, err := p.c.ModifyVServerGroupBackendServers(ctx, p.swapping(ch))
		if err != nil {
			return driver.Result{}, err
		}
		return driver.Result{RequestID: res.RequestID, Ticket: settling}, nil
	}
}

func (p *vServerPool) adding(ch driver.Change) AddVServerGroupBackendServersRequest {
	req := AddVServerGroupBackendServersRequest{RegionID: p.c.t.Region(), VServerGroupID: p.id}
	for _, s := range ch.Members {
		kind, _ := serverType(s)
		req.BackendServers = append(req.BackendServers, BackendServerSpec{
			ServerID: s.Server, Type: kind, ServerIP: s.Address, Port: s.Port, Weight: s.Weight, Description: s.Label,
		})
	}
	return req
}

// weighing sends the description along: what becomes of one that is left out is
// not documented.
func (p *vServerPool) weighing(ch driver.Change) SetVServerGroupAttributeRequest {
	req := SetVServerGroupAttributeRequest{RegionID: p.c.t.Region(), VServerGroupID: p.id}
	for _, s := range ch.Members {
		kind, _ := serverType(s)
		req.BackendServers = append(req.BackendServers, BackendServerUpdate{
			ServerID: s.Server, Type: kind, ServerIP: listedIP(s), Port: s.Port, Weight: s.Weight, Description: s.Label,
		})
	}
	return req
}

func (p *vServerPool) removing(ch driver.Change) RemoveVServerGroupBackendServersRequest {
	req := RemoveVServerGroupBackendServersRequest{RegionID: p.c.t.Region(), VServerGroupID: p.id}
	for _, s := range ch.Members {
		kind, _ := serverType(s)
		req.BackendServers = append(req.BackendServers, BackendServerRef{ServerID: s.Server, Type: kind, ServerIP: listedIP(s), Port: s.Port})
	}
	return req
}

func (p *vServerPool) swapping(ch driver.Change) ModifyVServerGroupBackendServersRequest {
	req := ModifyVServerGroupBackendServersRequest{RegionID: p.c.t.Region(), VServerGroupID: p.id}
	for _, s := range ch.Members {
		kind, _ := serverType(s)
		req.NewBackendServers = append(req.NewBackendServers, ReplacementServer{
			ServerID: s.Server, Type: kind, ServerIP: s.Address, Port: s.Port, Weight: s.Weight, Description: s.Label,
		})
	}
	for _, s := range ch.Out {
		kind, _ := serverType(s)
		req.OldBackendServers = append(req.OldBackendServers, ReplacedServer{ServerID: s.Server, Type: kind, ServerIP: listedIP(s), Port: s.Port})
	}
	return req
}

// Wait implements driver.Pool. It leaves the load balancer alone for a moment.
func (p *vServerPool) Wait(ctx context.Context, ticket string) error {
	if err := p.ready("Wait"); err != nil {
		return err
	}
	return settle(ctx, ticket)
}

// listedIP is the address of a member that is there, as SLB lists it: somebody
// may have put an instance in by another address than its first one.
func listedIP(s driver.Spec) string { return cmp.Or(s.Address, s.ID) }

// settling is the ticket of every change, settlingTime how long it takes. SLB
// lists a change at once and has no state to read, but refuses the next one of
// the same load balancer for about a second, and what it refuses counts against
// the budget: 20 calls too early cost as much as 20 changes. How long it really
// takes is not documented.
const (
	settling     = "settling"
	settlingTime = 1500 * time.Millisecond
)

func settle(ctx context.Context, ticket string) error {
	if ticket == "" {
		return ctx.Err()
	}
	timer := time.NewTimer(settlingTime)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Lock implements driver.Pool.
func (p *vServerPool) Lock(ctx context.Context, key string) (unlock func(), err error) {
	if err := p.ready("Lock"); err != nil {
		return nil, err
	}
	return p.c.locks.Lock(ctx, key)
}

// As implements driver.Pool.
func (p *vServerPool) As(target any) bool { return poolAs(p.c, target) }

func poolAs(c *Client, target any) bool {
	t, ok := target.(**Client)
	if !ok || t == nil {
		return false
	}
	*t = c
	return true
}
