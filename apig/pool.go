package apig

import (
	"context"
	"errors"
	"net/netip"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/poll"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// memberFreshWeight is sent where no weight is given: what the service does then
// is not documented.
const memberFreshWeight = 1

// Pool returns the members of a channel, of all its member groups, as package
// pool wants them: hand it to pool.New. It makes no call; that the channel
// exists shows when it is used.
//
// Members are named by their port and their address or, in channels of ECS
// instances, the ID of the instance; to add one of these its Name is needed too.
// Labels are member groups, which must exist. A server can be in several groups
// with the same port: then its key names several members, and PoolOfGroup is the
// way to change one of them.
//
// The service adds and changes members with the same call, which sets everything
// about them. So that nothing is lost Add and SetWeight read the members first:
// one that is there is not added, but reported as cloudlb.ErrAlreadyExists in
// Result.Failed; a new weight goes with everything else as it is, backup and
// disabled members stay what they are, and one that is not there is reported as
// cloudlb.ErrNotFound. Without a weight a member gets 1. To remove, disable and
// enable members their IDs are needed, which package pool reads; an unknown one
// is cloudlb.ErrNotFound for the whole call. The PUT that replaces all members is
// never used.
//
// Weight 0 is accepted, but what the service does with it is not documented:
// disable members to take them out of service. The members of channels of
// microservices come from elsewhere: they are listed, and not changed.
func (c *Client) Pool(instanceID, vpcChannelID string) driver.Pool {
	return &poolDriver{c: c, instance: instanceID, channel: vpcChannelID}
}

// PoolOfGroup is like Pool for the members of one member group: others are not
// listed and never changed. It has no labels, since the group is what the pool
// is. Every change reads the members first.
func (c *Client) PoolOfGroup(instanceID, vpcChannelID, memberGroup string) driver.Pool {
	return &poolDriver{c: c, instance: instanceID, channel: vpcChannelID, grouped: true, group: memberGroup}
}

type poolDriver struct {
	c                 *Client
	instance, channel string
	grouped           bool
	group             string
}

// ready is the error of every method when there is nothing to work with.
func (p *poolDriver) ready(operation string) error {
	switch {
	case p.c == nil:
		return poll.Invalid("apig", operation, "", "the client was not built with New")
	case p.instance == "":
		return poll.Invalid("apig", operation, "instanceID", "is required: it is the ID of the gateway")
	case p.channel == "":
		return poll.Invalid("apig", operation, "vpcChannelID", "is required: ListVpcChannels lists them")
	case p.grouped && p.group == "":
		return poll.Invalid("apig", operation, "memberGroup", "is required: ListMemberGroups lists them; Pool has the members of all")
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
func (p *poolDriver) Describe(ctx context.Context) (driver.Description, error) {
	if err := p.ready("Describe"); err != nil {
		return driver.Description{}, err
	}
	channel, err := p.c.GetVpcChannel(ctx, GetVpcChannelRequest{InstanceID: p.instance, VpcChannelID: p.channel})
	if err != nil {
		return driver.Description{}, err
	}
	region := p.c.t.Region()
	id := p.instance + "/" + p.channel
	d := driver.Description{
		Service: "apig", Region: region, ID: id, Name: channel.Name,
		LockKey: "apig/" + region + "/" + id,
		Weights: driver.Weights{Min: weightMin, Max: weightMax, Default: memberFreshWeight},
		Labels:  len(channel.MemberGroups) > 0 && !p.grouped,
		Account: p.c.t.Limiter(),
	}
	d.NoHealth = p.noHealth(channel)
	if p.grouped {
		d.ID += "/" + p.group
		d.Name += "/" + p.group
		if !channel.has(p.group) {
			return driver.Description{}, &cloudlb.Error{
				Service: "apig", Operation: opGetVpcChannel.Name, RequestID: channel.RequestID, StatusCode: channel.StatusCode,
				Class: cloudlb.ClassNotFound, Outcome: cloudlb.OutcomeRejected, Attempts: channel.Attempts,
				Message: "channel " + p.channel + " has no member group " + p.group, Hint: "make it with CreateMemberGroup, or use Pool",
			}
		}
	}
	if channel.Type == VpcChannelTypeCodeMicroservice || channel.VpcChannelType == VpcChannelTypeReference {
		d.Weights.Ignored = "the members of this channel come from elsewhere, and it ignores their weights"
		return d, nil
	}
	d.Add = driver.Verb{Operation: opAddVpcChannelMembers.Action, Budget: opAddVpcChannelMembers.Budget}
	d.SetWeight = d.Add
	d.Remove = driver.Verb{Operation: opDeleteVpcChannelMember.Action, Most: 1, Budget: opDeleteVpcChannelMember.Budget}
	d.Disable = driver.Verb{Operation: opBatchDisableVpcChannelMembers.Action, Budget: opBatchDisableVpcChannelMembers.Budget}
	d.Enable = driver.Verb{Operation: opBatchEnableVpcChannelMembers.Action, Budget: opBatchEnableVpcChannelMembers.Budget}
	return d, nil
}

func (r *GetVpcChannelResponse) has(group string) bool {
	for _, g := range r.MemberGroups {
		if g.MemberGroupName == group {
			return true
		}
	}
	return false
}

// noHealth says why nobody can tell how the members of a channel are.
func (p *poolDriver) noHealth(channel *GetVpcChannelResponse) string {
	switch {
	case p.c.product != APIGateway:
		return "ROMA Connect does not report the health of members: probe the application itself"
	case channel.VpcHealthConfig.Protocol == "":
		return "the channel has no health check: add one with UpdateHealthCheck, or probe the application itself"
	case channel.VpcHealthConfig.Status == HealthCheckStatusUnavailable:
		return "the channel's health check is switched off: UpdateHealthCheck turns it on"
	default:
		return ""
	}
}

// Members implements driver.Pool. Health costs one call more, on API Gateway
// only: whether the channel has a health check.
func (p *poolDriver) Members(ctx context.Context, health bool) ([]driver.Member, error) {
	if err := p.ready("Members"); err != nil {
		return nil, err
	}
	if health = health && p.c.product == APIGateway; health {
		channel, err := p.c.GetVpcChannel(ctx, GetVpcChannelRequest{InstanceID: p.instance, VpcChannelID: p.channel})
		if err != nil {
			return nil, err
		}
		health = p.noHealth(channel) == ""
	}
	listed, err := p.list(ctx)
	if err != nil {
		return nil, err
	}
	var members []driver.Member
	for i := range listed {
		m := p.member(&listed[i])
		if health {
			m.Health = listed[i].health()
		}
		members = append(members, m)
	}
	return members, nil
}

// list reads the members of the channel, or of the group.
func (p *poolDriver) list(ctx context.Context) ([]Member, error) {
	var members []Member
	for m, err := range p.c.VpcChannelMembers(ctx, ListVpcChannelMembersRequest{InstanceID: p.instance, VpcChannelID: p.channel}) {
		if err != nil {
			return nil, err
		}
		if !p.grouped || m.MemberGroupName == p.group {
			members = append(members, m)
		}
	}
	return members, nil
}

// member is a member in the words of package pool.
func (p *poolDriver) member(m *Member) driver.Member {
	out := driver.Member{
		Key: driver.Key{Server: canonical(m.Host), Port: m.Port},
		ID:  m.ID, Weight: m.Weight, Phase: driver.Ready, Name: m.ECSName, Label: m.MemberGroupName,
	}
	if m.ECSID != "" {
		out.Server = m.ECSID
		if m.Host != "" {
			out.Aliases = []string{canonical(m.Host)}
		}
	}
	if p.grouped {
		out.Label = ""
	}
	if m.Status == MemberStatusUnavailable {
		out.Phase = driver.Disabled
	}
	return out
}

// canonical is the one way to write an address; what is none stays.
func canonical(address string) string {
	if a, err := netip.ParseAddr(address); err == nil {
		return a.String()
	}
	return address
}

// health is what the health checks of the channel say about a member. They say
// unknown before the first result, and nothing is documented about weight 0.
func (m *Member) health() driver.Health {
	switch {
	case m.HealthStatus == MemberHealthStatusHealthy:
		return driver.Healthy
	case m.HealthStatus == MemberHealthStatusUnhealthy:
		return driver.Unhealthy
	case m.Status == MemberStatusUnavailable, m.Weight == 0:
		return driver.HealthUnknown
	default:
		return driver.Checking
	}
}

// Wait implements driver.Pool. Changes are carried out when they are answered,
// so it returns at once.
func (p *poolDriver) Wait(ctx context.Context, _ string) error {
	return errors.Join(p.ready("Wait"), ctx.Err())
}
