package apig

import (
	"context"
	"net"
	"slices"
	"strconv"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/poll"
)

// How waits look: changes are there at once, health checks take tens of
// seconds.
var (
	stateSchedule  = poll.Schedule{First: time.Second, Cap: 5 * time.Second}
	healthSchedule = poll.Schedule{First: 2 * time.Second, Cap: 10 * time.Second}
)

// MemberRef names a member of a channel: by its ID, or by the host or the ECS
// instance with the port. Port 0 means whatever port it has, MemberGroupName ""
// whatever group it is in.
type MemberRef struct {
	ID              string
	Host            string
	ECSID           string
	Port            int
	MemberGroupName string
}

func (r MemberRef) String() string {
	name := r.ID
	switch {
	case name != "":
		return name
	case r.ECSID != "":
		name = r.ECSID
	case r.Host != "":
		name = r.Host
	default:
		return ""
	}
	if r.Port != 0 {
		name = net.JoinHostPort(name, strconv.Itoa(r.Port))
	}
	if r.MemberGroupName != "" {
		name = r.MemberGroupName + "/" + name
	}
	return name
}

// named finds the member that a reference names.
func named(r MemberRef, members []Member) (Member, bool) {
	i := slices.IndexFunc(members, func(m Member) bool {
		switch {
		case r.ID != "":
			return m.ID == r.ID
		case r.Port != 0 && r.Port != m.Port, r.MemberGroupName != "" && r.MemberGroupName != m.MemberGroupName:
			return false
		case r.ECSID != "":
			return m.ECSID == r.ECSID
		default:
			return m.Host == r.Host
		}
	})
	if i < 0 {
		return Member{}, false
	}
	return members[i], true
}

// WaitForMembers waits until all of the members are in the channel and
// available (status 1), and returns them in the order of refs. It asks
// ListVpcChannelMembers after about 1 second, then at growing intervals of up to
// 5 seconds. Weight and health do not matter here: see WaitHealthy.
func (c *Client) WaitForMembers(ctx context.Context, instanceID, vpcChannelID string, refs []MemberRef, opts ...cloudlb.WaitOption) ([]Member, error) {
	return c.waitForMembers(ctx, "WaitForMembers", instanceID, vpcChannelID, refs, opts, stateSchedule,
		func(ref MemberRef, members []Member) (Member, bool, error) {
			m, ok := named(ref, members)
			return m, ok && m.Status == MemberStatusAvailable, nil
		})
}

// WaitHealthy waits until the health checks of the channel call all of the
// members healthy. It asks ListVpcChannelMembers and GetVpcChannel after about 2
// seconds, then at growing intervals of up to 10 seconds.
//
// It needs a client for the dedicated gateway, WithProduct(APIGateway): ROMA
// Connect does not report the health of members. There, probe the application
// itself.
//
// What can never become healthy is an error at once: a channel without a health
// check (add one with UpdateHealthCheck, or probe the application itself), a
// member that is not in the channel, one that is disabled (enable it first), one
// of weight 0 (give it a weight of 1; channels of microservices have no weights).
func (c *Client) WaitHealthy(ctx context.Context, instanceID, vpcChannelID string, refs []MemberRef, opts ...cloudlb.WaitOption) error {
	const operation = "WaitHealthy"
	if c != nil && c.product != APIGateway {
		return poll.Invalid("apig", operation, "", "is not possible on ROMA Connect, which does not report the health of members: "+
			"probe the application itself; for the dedicated gateway build the client with apig.WithProduct(apig.APIGateway)")
	}
	var weightless bool
	reached := func(ref MemberRef, members []Member) (Member, bool, error) {
		m, ok := named(ref, members)
		refuse := func(why string) (Member, bool, error) {
			return m, false, poll.Invalid("apig", operation, ref.String(), why)
		}
		switch {
		case !ok:
			return refuse("is not in channel " + vpcChannelID + ": add it first")
		case m.Status == MemberStatusUnavailable:
			return refuse("is disabled (status 2): enable it with BatchEnableVpcChannelMembers first")
		case m.Weight == 0 && !weightless:
			return refuse("has weight 0, and whether such members are health-checked is not documented: give it a weight of 1, or probe the application itself")
		}
		return m, m.HealthStatus == MemberHealthStatusHealthy, nil
	}
	_, err := c.waitForMembers(ctx, operation, instanceID, vpcChannelID, refs, opts, healthSchedule, reached, func(ctx context.Context) error {
		channel, err := c.GetVpcChannel(ctx, GetVpcChannelRequest{InstanceID: instanceID, VpcChannelID: vpcChannelID})
		if err != nil {
			return err
		}
		if channel.VpcHealthConfig.Protocol == "" {
			return poll.Invalid("apig", operation, vpcChannelID, "has no health check: add one with UpdateHealthCheck, or probe the application itself")
		}
		weightless = channel.Type == VpcChannelTypeCodeMicroservice
		return nil
	})
	return err
}

// waitForMembers polls a channel until reached holds for every ref in one look.
// first are read before the members.
func (c *Client) waitForMembers(ctx context.Context, operation, instanceID, vpcChannelID string, refs []MemberRef, opts []cloudlb.WaitOption, schedule poll.Schedule,
	reached func(MemberRef, []Member) (Member, bool, error), first ...func(context.Context) error,
) ([]Member, error) {
	switch {
	case instanceID == "":
		return nil, poll.Invalid("apig", operation, "instanceID", "is required")
	case vpcChannelID == "":
		return nil, poll.Invalid("apig", operation, "vpcChannelID", "is required")
	}
	wait := poll.Set[MemberRef, Member]{
		Service: "apig", Operation: operation, Field: "refs", Schedule: schedule,
		Name: MemberRef.String,
		Look: func(ctx context.Context) ([]Member, error) {
			for _, read := range first {
				if err := read(ctx); err != nil {
					return nil, err
				}
			}
			var members []Member
			for m, err := range c.VpcChannelMembers(ctx, ListVpcChannelMembersRequest{InstanceID: instanceID, VpcChannelID: vpcChannelID}) {
				if err != nil {
					return nil, err
				}
				members = append(members, m)
			}
			return members, nil
		},
		Reached: reached,
	}
	return wait.Wait(ctx, refs, opts)
}
