package elb

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/check"
	"github.com/cloudlb/cloudlb/internal/poll"
	"github.com/cloudlb/cloudlb/internal/transport"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// Pool returns a backend server group as package pool wants it: hand it to
// pool.New. It makes no call; that the group exists shows when it is used.
//
// Members are named by Address and ProtocolPort, and added by these, with the
// subnet_cidr_id as Subnet. Addresses are written as netip.Addr writes them. The
// ECS instance of a member is an alias of its address. Labels are the members'
// names. To change and to remove members their IDs are needed, which package
// pool reads. Members of pools with az_affinity need a Zone.
//
// Adding a member that is there, and removing one that is not, changes nothing
// for that member and is reported as cloudlb.ErrAlreadyExists or
// cloudlb.ErrNotFound in Result.Failed. Changing one that is not there is
// cloudlb.ErrNotFound for the whole call.
//
// Disabled are members whose admin_state_up is false: it follows the server,
// and no call changes it. A health monitor that is switched off shows in members
// that are Unchecked.
func (c *Client) Pool(poolID string) driver.Pool { return &poolDriver{c: c, id: poolID} }

type poolDriver struct {
	c  *Client
	id string
}

// ready is the error of every method when there is nothing to work with.
func (p *poolDriver) ready(operation string) error {
	switch {
	case p.c == nil:
		return poll.Invalid("elb", operation, "", "the client was not built with New")
	case p.id == "":
		return poll.Invalid("elb", operation, "poolID", "is required: ListPools lists them")
	default:
		return nil
	}
}

// As implements driver.Pool: target is a **Client.
func (p *poolDriver) As(target any) bool {
	t, ok := target.(**Client)
	if ok = ok && t != nil && p.c != nil; ok {
		*t = p.c
	}
	return ok
}

// Lock implements driver.Pool.
func (p *poolDriver) Lock(ctx context.Context, key string) (unlock func(), err error) {
	if err := p.ready("Lock"); err != nil {
		return nil, err
	}
	return p.c.locks.Lock(ctx, key)
}

// Describe implements driver.Pool. It makes one call.
//
// The lock key of a pool behind several load balancers has all of them, and so
// differs from that of a pool behind one of them: their changes may still meet,
// and the call then waits for the other one.
func (p *poolDriver) Describe(ctx context.Context) (driver.Description, error) {
	if err := p.ready("Describe"); err != nil {
		return driver.Description{}, err
	}
	res, err := p.c.ShowPool(ctx, ShowPoolRequest{PoolID: p.id})
	if err != nil {
		return driver.Description{}, err
	}
	pool := &res.Pool
	region := p.c.t.Region()
	d := driver.Description{
		Service: "elb", Region: region, ID: p.id, Name: pool.Name,
		LockKey: "elb/" + region + "/" + p.id,
		Add: driver.Verb{
			Operation: opBatchCreateMembers.Action, Most: BatchCreateMembersMaxMembers, Budget: opBatchCreateMembers.Budget,
		},
		SetWeight: driver.Verb{
			Operation: opBatchUpdateMembers.Action, Most: BatchUpdateMembersMaxMembers, Budget: opBatchUpdateMembers.Budget,
		},
		Remove: driver.Verb{
			Operation: opBatchDeleteMembers.Action, Most: BatchDeleteMembersMaxMembers, Budget: opBatchDeleteMembers.Budget,
		},
		Weights: driver.Weights{Min: weightMin, Max: weightMax, Default: weightDefault},
		// Dedicated load balancers check members of weight 0, shared ones do
		// not, and only dedicated ones have members by IP address.
		HealthAtZero: pool.Type == PoolTypeIP,
		Labels:       true,
		Portless:     pool.AnyPortEnable || pool.Protocol == ProtocolIP,
		Account:      p.c.t.Limiter(),
	}
	if ids := pool.balancers(); len(ids) > 0 {
		d.LockKey = "elb/" + region + "/" + strings.Join(ids, ",")
	}
	if pool.LBAlgorithm == LBAlgorithmSourceIP || pool.LBAlgorithm == LBAlgorithmQUICCID {
		d.Weights.Ignored = "the pool's algorithm is " + string(pool.LBAlgorithm) + ", which ignores weights: to take a member out, remove it"
		d.HealthAtZero = true
	}
	if pool.HealthMonitorID == "" {
		d.NoHealth = "the pool has no health monitor: create one with CreateHealthMonitor, or probe the application itself"
	}
	if pool.ConnectionDrain.Enable {
		d.Draining = time.Duration(pool.ConnectionDrain.Timeout) * time.Second
	}
	return d, nil
}

// balancers are the IDs of the load balancers that use a pool, in order.
func (p *Pool) balancers() []string {
	var ids []string
	for _, lb := range p.LoadBalancers {
		ids = append(ids, lb.ID)
	}
	slices.Sort(ids)
	return ids
}

// Members implements driver.Pool. Health costs no calls of its own.
func (p *poolDriver) Members(ctx context.Context, health bool) ([]driver.Member, error) {
	if err := p.ready("Members"); err != nil {
		return nil, err
	}
	var members []driver.Member
	for m, err := range p.c.Members(ctx, ListMembersRequest{PoolID: p.id}) {
		if err != nil {
			return nil, err
		}
		member := driver.Member{
			Key: driver.Key{Server: canonical(m.Address), Port: m.ProtocolPort},
			ID:  m.ID, Weight: m.Weight, Phase: driver.Ready, Subnet: m.SubnetCIDRID, Label: m.Name, Zone: m.AvailabilityZone,
		}
		if m.InstanceID != "" {
			member.Aliases = []string{m.InstanceID}
		}
		if !m.AdminStateUp {
			member.Phase = driver.Disabled
		}
		if health {
			member.Health = healthOf(m)
		}
		members = append(members, member)
	}
	return members, nil
}

// canonical is the one way to write an address; what is none stays.
func canonical(address string) string {
	if a, err := netip.ParseAddr(address); err == nil {
		return a.String()
	}
	return address
}

// healthOf is the worst that the health checks say about a member.
func healthOf(m Member) driver.Health {
	seen := states(m)
	for _, s := range []struct {
		state  MemberOperatingStatus
		health driver.Health
	}{
		{MemberOperatingStatusOffline, driver.Unhealthy},
		{MemberOperatingStatusInitial, driver.Checking},
		{MemberOperatingStatusUnknown, driver.HealthUnknown},
		{MemberOperatingStatusOnline, driver.Healthy},
		{MemberOperatingStatusNoMonitor, driver.Unchecked},
	} {
		if slices.Contains(seen, s.state) {
			return s.health
		}
	}
	return driver.HealthUnknown // DISABLED, and what is not documented
}

// Change implements driver.Pool. The ticket is the pool's ID: the load balancers
// to wait for are those that it has then.
func (p *poolDriver) Change(ctx context.Context, ch driver.Change) (driver.Result, error) {
	if err := p.Check(ch); err != nil {
		return driver.Result{}, err
	}
	switch ch.Kind {
	case driver.Add:
		res, err := p.c.BatchCreateMembers(ctx, p.creating(ch))
		if err != nil {
			return driver.Result{}, err
		}
		failed := failures(&opBatchCreateMembers, &res.Metadata, ch.Members, func(s driver.Spec) (RetStatus, bool) {
			m, ok := named(MemberRef{Address: s.Server, ProtocolPort: &s.Port}, res.Members)
			return m.RetStatus, ok
		})
		return driver.Result{RequestID: res.Metadata.RequestID, Ticket: p.id, Failed: failed}, nil
	case driver.SetWeight:
		res, err := p.c.BatchUpdateMembers(ctx, p.updating(ch))
		if err != nil {
			return driver.Result{}, err
		}
		failed := failures(&opBatchUpdateMembers, &res.Metadata, ch.Members, func(s driver.Spec) (RetStatus, bool) {
			m, ok := named(MemberRef{ID: s.ID}, res.Members)
			return m.RetStatus, ok
		})
		return driver.Result{RequestID: res.Metadata.RequestID, Ticket: p.id, Failed: failed}, nil
	default: // Remove: Check has refused the others
		res, err := p.c.BatchDeleteMembers(ctx, p.deleting(ch))
		if err != nil {
			return driver.Result{}, err
		}
		failed := failures(&opBatchDeleteMembers, &res.Metadata, ch.Members, func(s driver.Spec) (RetStatus, bool) {
			i := slices.IndexFunc(res.Members, func(m DeletedMember) bool { return m.ID == s.ID })
			if i < 0 {
				return "", false
			}
			return res.Members[i].RetStatus, true
		})
		return driver.Result{RequestID: res.Metadata.RequestID, Ticket: p.id, Failed: failed}, nil
	}
}

// failures are the members that an accepted batch has not changed.
func failures(op *transport.Operation, meta *cloudlb.Metadata, specs []driver.Spec, status func(driver.Spec) (RetStatus, bool)) []driver.Failure {
	var failed []driver.Failure
	for _, s := range specs {
		e := &cloudlb.Error{
			Service: "elb", Operation: op.Name, RequestID: meta.RequestID, StatusCode: meta.StatusCode, Attempts: meta.Attempts,
			Outcome: cloudlb.OutcomeRejected,
		}
		ret, listed := status(s)
		switch {
		case !listed:
			e.Outcome = cloudlb.OutcomeUnknown
			e.Message = fmt.Sprintf("the reply has no result for member %s", s.Key)
			e.Hint = "the change may have been made: read the pool back before repeating"
		case ret == RetStatusSuccessful || ret == "": // not all replies have one
			continue
		case ret == RetStatusExisted:
			e.Class = cloudlb.ClassAlreadyExists
			e.Message = fmt.Sprintf("member %s is in the pool already, and was left as it is", s.Key)
		case ret == RetStatusNotFound:
			e.Class = cloudlb.ClassNotFound
			e.Message = fmt.Sprintf("member %s, ID %s, is not in the pool", s.Key, s.ID)
		default:
			e.Message = fmt.Sprintf("member %s has ret_status %q", s.Key, ret)
		}
		failed = append(failed, driver.Failure{Key: s.Key, Err: e})
	}
	return failed
}

func (p *poolDriver) creating(ch driver.Change) BatchCreateMembersRequest {
	req := BatchCreateMembersRequest{PoolID: p.id}
	for _, s := range ch.Members {
		name := s.Label
		if name == "" {
			name = s.Name
		}
		req.Members = append(req.Members, BatchMemberSpec{
			Name: name, Address: canonical(s.Server), ProtocolPort: s.Port, SubnetCIDRID: s.Subnet, AvailabilityZone: s.Zone, Weight: s.Weight,
		})
	}
	return req
}

func (p *poolDriver) updating(ch driver.Change) BatchUpdateMembersRequest {
	req := BatchUpdateMembersRequest{PoolID: p.id}
	for _, s := range ch.Members {
		req.Members = append(req.Members, BatchMemberUpdate{ID: s.ID, Weight: s.Weight})
	}
	return req
}

func (p *poolDriver) deleting(ch driver.Change) BatchDeleteMembersRequest {
	req := BatchDeleteMembersRequest{PoolID: p.id}
	for _, s := range ch.Members {
		req.Members = append(req.Members, MemberRef{ID: s.ID})
	}
	return req
}

// Wait implements driver.Pool. It returns when all load balancers that use the
// pool are ACTIVE.
func (p *poolDriver) Wait(ctx context.Context, ticket string) error {
	if err := p.ready("Wait"); err != nil {
		return err
	}
	if ticket == "" {
		return ctx.Err()
	}
	res, err := p.c.ShowPool(ctx, ShowPoolRequest{PoolID: ticket})
	if err != nil {
		return err
	}
	for _, id := range res.Pool.balancers() {
		if _, err := p.c.WaitForLoadBalancer(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// Check implements driver.Pool. It runs what the calls themselves check, and
// adds what only shows in terms of members.
func (p *poolDriver) Check(ch driver.Change) error {
	operation, v := "Check", check.Checker{}
	if err := p.ready(operation); err != nil {
		return err
	}
	switch ch.Kind {
	case driver.Add:
		operation = opBatchCreateMembers.Name
		req := p.creating(ch)
		req.validate(&v)
	case driver.SetWeight:
		operation = opBatchUpdateMembers.Name
		req := p.updating(ch)
		req.validate(&v)
	case driver.Remove:
		operation = opBatchDeleteMembers.Name
		req := p.deleting(ch)
		req.validate(&v)
	default:
		v.Addf("Kind", "is %q, which ELB has no call for: use add, set-weight or remove", ch.Kind)
	}
	problems := inTermsOfMembers(v.Problems())
	problems = append(problems, checkMembers(ch)...)
	if len(problems) == 0 {
		return nil
	}
	return &cloudlb.Error{
		Service: "elb", Operation: operation, Class: cloudlb.ClassInvalid, Outcome: cloudlb.OutcomeNotSent,
		Message: "nothing was sent", Err: &cloudlb.ValidationError{Problems: problems},
	}
}

// checkMembers finds what the requests do not show.
func checkMembers(ch driver.Change) []cloudlb.Problem {
	v := check.Checker{}
	if len(ch.Out) > 0 {
		v.Addf("Out", "is for swap, which ELB does not have: name members to remove in Members of a remove")
	}
	ids := make(map[string]int, len(ch.Members))
	for i, s := range ch.Members {
		v.Enter("Members", i)
		_, notIP := netip.ParseAddr(s.Server)
		switch {
		case s.Server == "" && ch.Kind != driver.Add: // the request itself shows it
			v.Missing("Server")
		case s.Server != "" && notIP != nil && ch.Kind == driver.Add:
			v.Addf("Server", "is %q, must be an IP address: ELB does not add members by instance ID", s.Server)
		}
		if s.Address != "" && s.Address != s.Server {
			v.Addf("Address", "is %q, but the address of a member is its Server: leave it empty", s.Address)
		}
		if s.Type != "" {
			v.Addf("Type", "is %q, but ELB tells by the address: leave it empty", s.Type)
		}
		if ch.Kind == driver.SetWeight && s.Weight == nil {
			v.Missing("Weight")
		}
		v.Leave()
		if ch.Kind == driver.Add {
			continue
		}
		if first, again := ids[s.ID]; again && s.ID != "" {
			v.Duplicate("Members", i, first, "ID")
		}
		ids[s.ID] = i
		if s.ID == "" {
			v.Enter("Members", i)
			v.Addf("ID", "is required: read the pool first, its members have it")
			v.Leave()
		}
	}
	return v.Problems()
}

// inTermsOfMembers puts the names of a Change for those of the requests. What
// checkMembers says better is left out.
func inTermsOfMembers(problems []cloudlb.Problem) []cloudlb.Problem {
	names := strings.NewReplacer(
		"members", "Members", "subnet_cidr_id", "Subnet", "availability_zone", "Zone", "protocol_port", "Port", "address", "Server",
		"].weight", "].Weight", "].name", "].Label", "].id", "].ID",
	)
	var out []cloudlb.Problem
	for _, p := range problems {
		if strings.HasSuffix(p.Field, "].id") && p.Message == "is required" || strings.HasSuffix(p.Message, "when id absent") {
			continue
		}
		out = append(out, cloudlb.Problem{Field: names.Replace(p.Field), Message: names.Replace(p.Message)})
	}
	return out
}
