package alb

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/poll"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// Pool returns a server group as package pool wants it: hand it to pool.New. It
// makes no call; that the group exists shows when it is used.
//
// Members are named by ServerID and Port, those of type Eni by ServerIP too; so
// are instances that somebody else has put in with several addresses.
// Without a Type, Server says it: i- is Ecs, eni- Eni, eci- Eci, acs:fc: Fc, an
// address Ip. Labels are descriptions: 2 to 256 characters, not starting with
// http:// or https://. While ReplaceServersInServerGroup runs, ALB lists the
// servers that come and those that go in the same state, Replacing: both count
// as joining, so as not in service. Weights are taken to have effect with every
// scheduler, since nothing else is documented. An Ip server outside the VPC
// (RemoteIPEnabled) cannot be added this way.
func (c *Client) Pool(serverGroupID string) driver.Pool {
	return &groupPool{c: c, id: serverGroupID}
}

type groupPool struct {
	c  *Client
	id string
}

// ready is the error of every method when there is nothing to work with.
func (p *groupPool) ready(operation string) error {
	switch {
	case p.c == nil:
		return poll.Invalid("alb", operation, "", "the client was not built with New")
	case p.id == "":
		return poll.Invalid("alb", operation, "serverGroupID", "is required: ListServerGroups lists them")
	default:
		return nil
	}
}

// Describe implements driver.Pool. It makes one call.
func (p *groupPool) Describe(ctx context.Context) (driver.Description, error) {
	const operation = "Describe"
	if err := p.ready(operation); err != nil {
		return driver.Description{}, err
	}
	group, err := p.c.serverGroup(ctx, operation, p.id)
	if err != nil {
		return driver.Description{}, err
	}
	region := p.c.t.Region()
	d := driver.Description{
		Service: "alb", Region: region, ID: p.id, Name: group.ServerGroupName,
		LockKey: "alb/" + region + "/" + p.id,
		Add: driver.Verb{
			Operation: opAddServersToServerGroup.Name,
			Most:      AddServersToServerGroupMaxServers,
			Budget:    opAddServersToServerGroup.Budget,
		},
		SetWeight: driver.Verb{
			Operation: opUpdateServerGroupServersAttribute.Name,
			Most:      UpdateServerGroupServersAttributeMaxServers,
			Budget:    opUpdateServerGroupServersAttribute.Budget,
		},
		Remove: driver.Verb{
			Operation: opRemoveServersFromServerGroup.Name,
			Most:      RemoveServersFromServerGroupMaxServers,
			Budget:    opRemoveServersFromServerGroup.Budget,
		},
		Swap: driver.Verb{
			Operation: opReplaceServersInServerGroup.Name,
			Most:      min(ReplaceServersInServerGroupMaxAddedServers, ReplaceServersInServerGroupMaxRemovedServers),
			Budget:    opReplaceServersInServerGroup.Budget,
		},
		Weights:    driver.Weights{Min: weightMin, Max: weightMax, Default: weightDefault},
		NoHealth:   group.noHealth(),
		MaxMembers: serversPerGroup,
		Labels:     true,
		Account:    p.c.t.Limiter(),
	}
	if drain := group.ConnectionDrainConfig; drain.ConnectionDrainEnabled {
		d.Draining = time.Duration(drain.ConnectionDrainTimeout) * time.Second
	}
	if group.ServerGroupType == ServerGroupTypeFc {
		d.SetWeight, d.Swap = driver.Verb{}, driver.Verb{}
		d.Weights.Ignored = "the server group has a function: ALB ignores its weight"
		d.Portless = true // functions have no ports at all
	}
	return d, nil
}

// noHealth says why nobody can tell how the servers of a group are.
func (g *ServerGroup) noHealth() string {
	switch {
	case g.ServerGroupType == ServerGroupTypeFc:
		return "the server group has a function, which ALB does not health-check"
	case !g.HealthCheckConfig.HealthCheckEnabled:
		return "the server group's health check is off: UpdateServerGroupAttribute turns it on"
	case len(g.RelatedLoadBalancerIDs) == 0:
		return "no load balancer uses the server group, so nothing checks its servers"
	default:
		return ""
	}
}

// Members implements driver.Pool. Health costs the calls of a ListServerGroups,
// a ListListeners, and a GetListenerHealthStatus for each listener of the load
// balancers that use the group: rules, which ListListeners does not show, can
// use it behind any of them.
func (p *groupPool) Members(ctx context.Context, health bool) ([]driver.Member, error) {
	if err := p.ready("Members"); err != nil {
		return nil, err
	}
	servers, err := p.c.groupServers(ctx, p.id)
	if err != nil {
		return nil, err
	}
	members := make([]driver.Member, len(servers))
	for i := range servers {
		members[i] = servers[i].member()
	}
	tellApart(servers, members)
	if health && len(servers) > 0 {
		// After the list of servers: who is not in there is not called healthy.
		err = p.readHealth(ctx, servers, members)
	}
	if err != nil {
		return nil, err
	}
	return members, nil
}

// member is a server in the words of package pool. A network interface can be
// in a group with several addresses, so they are part of its key.
func (s *Server) member() driver.Member {
	m := driver.Member{
		Key:    driver.Key{Server: s.ServerID, Port: s.Port},
		Weight: s.Weight, Phase: s.Status.phase(), Type: string(s.ServerType), Label: s.Description,
	}
	switch {
	case s.ServerType == ServerTypeFc:
		m.Key.Port = 0 // it is ignored, so it must not tell members apart
	case s.ServerIP == "" || s.ServerIP == s.ServerID:
	case s.ServerType == ServerTypeEni:
		m.Key.Address = s.ServerIP
		m.Aliases = []string{s.ServerIP}
	default:
		m.ID = s.ServerIP
		m.Aliases = []string{s.ServerIP}
	}
	return m
}

// tellApart adds the addresses to keys that several members have: nothing keeps
// others from adding an instance with two of its addresses.
func tellApart(servers []Server, members []driver.Member) {
	first := make(map[driver.Key]int, len(members))
	for i := range members {
		j, twice := first[members[i].Key]
		if !twice {
			first[members[i].Key] = i
			continue
		}
		members[i].Address, members[j].Address = servers[i].ServerIP, servers[j].ServerIP
	}
}

func (s ServerStatus) phase() driver.Phase {
	switch s {
	case ServerStatusAvailable:
		return driver.Ready
	case ServerStatusAdding, ServerStatusReplacing:
		return driver.Joining
	case ServerStatusRemoving:
		return driver.Leaving
	default: // Configuring, and what is not documented
		return driver.Changing
	}
}

// readHealth fills in what the listeners say of the members.
func (p *groupPool) readHealth(ctx context.Context, servers []Server, members []driver.Member) error {
	group, err := p.c.serverGroup(ctx, "Members", p.id)
	if err != nil || group.noHealth() != "" {
		return err
	}
	listeners, err := p.listeners(ctx, group.RelatedLoadBalancerIDs)
	if err != nil {
		return err
	}
	bad := make(map[ServerRef]driver.Health)
	used, checked := false, false
	for _, listener := range listeners {
		reports, err := p.c.groupHealth(ctx, listener, p.id)
		if err != nil && !errors.Is(err, cloudlb.ErrNotFound) { // one that was just deleted checks nothing
			return err
		}
		for _, report := range reports {
			used = true
			if report.unchecked() {
				continue
			}
			checked = true
			for _, n := range report.NonNormalServers {
				ref := ServerRef{ServerID: n.ServerID, ServerIP: n.ServerIP, Port: n.Port}
				if was, ok := bad[ref]; !ok || worse(n.Status.health(), was) {
					bad[ref] = n.Status.health()
				}
			}
		}
	}
	if !used {
		return nil
	}
	for i, s := range servers {
		h, reported := bad[ServerRef{ServerID: s.ServerID, ServerIP: s.ServerIP, Port: s.Port}]
		if also, ok := bad[ServerRef{ServerID: s.ServerID, Port: s.Port}]; ok && (!reported || worse(also, h)) {
			h, reported = also, true // reports need not have the address
		}
		switch {
		case s.Weight == 0: // ALB does not look at it
		case reported:
			members[i].Health = h
		case !checked:
			members[i].Health = driver.Unchecked
		case s.Status == ServerStatusAdding:
			members[i].Health = driver.Checking // no news is not good news yet
		default:
			members[i].Health = driver.Healthy
		}
	}
	return nil
}

// listeners lists the IDs of the load balancers' listeners that can check
// servers: all but stopped ones.
func (p *groupPool) listeners(ctx context.Context, loadBalancerIDs []string) ([]string, error) {
	var ids []string
	for some := range slices.Chunk(loadBalancerIDs, ListListenersMaxLoadBalancerIDs) {
		for l, err := range p.c.Listeners(ctx, ListListenersRequest{LoadBalancerIDs: some}) {
			if err != nil {
				return nil, err
			}
			if l.ListenerStatus != ListenerStatusStopped {
				ids = append(ids, l.ListenerID)
			}
		}
	}
	return ids, nil
}

func (s ServerHealthStatus) health() driver.Health {
	switch s {
	case ServerHealthStatusInitial:
		return driver.Checking
	case ServerHealthStatusUnhealthy:
		return driver.Unhealthy
	case ServerHealthStatusUnavailable: // its check is off
		return driver.Unchecked
	default: // Unused, and what is not documented
		return driver.HealthUnknown
	}
}

// worse reports whether a is less reason to rely on a server than b.
func worse(a, b driver.Health) bool {
	order := []driver.Health{driver.Unchecked, driver.Healthy, driver.HealthUnknown, driver.Checking, driver.Unhealthy}
	return slices.Index(order, a) > slices.Index(order, b)
}

// Wait implements driver.Pool. The ticket is a job ID. When ALB does not know
// the job, it returns once no change of the group is running: what the job did
// shows in the members, which package pool reads after every wait.
func (p *groupPool) Wait(ctx context.Context, ticket string) error {
	if err := p.ready("Wait"); err != nil {
		return err
	}
	if ticket == "" {
		return ctx.Err()
	}
	_, err := p.c.WaitForJob(ctx, ticket)
	if !errors.Is(err, cloudlb.ErrLost) {
		return err
	}
	_, err = p.c.WaitForServerGroup(ctx, p.id)
	return err
}

// Lock implements driver.Pool: ALB refuses a second change of the same group.
func (p *groupPool) Lock(ctx context.Context, key string) (unlock func(), err error) {
	if err := p.ready("Lock"); err != nil {
		return nil, err
	}
	return p.c.locks.Lock(ctx, key)
}

// As implements driver.Pool.
func (p *groupPool) As(target any) bool {
	t, ok := target.(**Client)
	if !ok || t == nil {
		return false
	}
	*t = p.c
	return true
}
