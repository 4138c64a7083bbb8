package elb

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/poll"
)

// How waits look: changes and jobs take seconds, health checks tens of them.
var (
	stateSchedule  = poll.Schedule{First: time.Second, Cap: 5 * time.Second}
	healthSchedule = poll.Schedule{First: 2 * time.Second, Cap: 10 * time.Second}
)

// jobMissing is how long a job may be unknown before it counts as lost.
const jobMissing = 15 * time.Second

// newJobWaits is the polling that the waits of one client share: goroutines
// that wait for the same job cost one call a round. The API lists jobs by one
// ID at most, so different jobs are different calls.
func newJobWaits(c *Client) *poll.Shared[Job] {
	return oneByOne(func(ctx context.Context, id string) (Job, bool, error) {
		res, err := c.ShowJob(ctx, ShowJobRequest{JobID: id})
		if err != nil {
			return Job{}, false, err
		}
		switch res.Job.Status {
		case JobStatusSuccess, JobStatusComplete, JobStatusFail, JobStatusRollbackFail, JobStatusCancel:
			return res.Job, true, nil
		default:
			return res.Job, false, nil
		}
	})
}

func newCheckWaits(c *Client) *poll.Shared[MemberCheck] {
	return oneByOne(func(ctx context.Context, id string) (MemberCheck, bool, error) {
		res, err := c.ShowMemberHealthCheckJob(ctx, ShowMemberHealthCheckJobRequest{JobID: id})
		if err != nil {
			return MemberCheck{}, false, err
		}
		status := res.MemberCheck.Status
		return res.MemberCheck, status == MemberCheckStatusProcessed || status == MemberCheckStatusFailed, nil
	})
}

func oneByOne[V any](show func(ctx context.Context, id string) (v V, ended bool, err error)) *poll.Shared[V] {
	return &poll.Shared[V]{
		Size: 1, Schedule: stateSchedule, Missing: jobMissing,
		Look: func(ctx context.Context, ids []string) (map[string]poll.Seen[V], error) {
			v, ended, err := show(ctx, ids[0])
			switch {
			case errors.Is(err, cloudlb.ErrNotFound):
				return nil, nil
			case err != nil:
				return nil, err
			}
			return map[string]poll.Seen[V]{ids[0]: {Value: v, Ended: ended}}, nil
		},
	}
}

// WaitForJob waits until a job of the service, such as the cloning of a load
// balancer, has ended and returns it. Member changes are no jobs: see
// WaitForMembers. It polls ShowJob after about 1 second, then at growing
// intervals of up to 5 seconds.
//
// The error tells the endings apart: cloudlb.ErrJobFailed (the *cloudlb.Error
// in the chain has the job's code; a job that was cancelled or rolled back has
// failed), cloudlb.ErrLost (the service does not know the job; see
// cloudlb.IfLost), cloudlb.ErrUnfinished (ctx ended first, or polling failed
// too often; the job goes on).
func (c *Client) WaitForJob(ctx context.Context, jobID string, opts ...cloudlb.WaitOption) (Job, error) {
	const operation = "WaitForJob"
	wait := poll.Jobs[Job]{
		Service: "elb", Operation: operation, Field: "jobID",
		Failed: func(job Job) error {
			// COMPLETE says that it is over, the code how.
			if job.Status == JobStatusSuccess || job.Status == JobStatusComplete && job.ErrorCode == "" {
				return nil
			}
			return c.jobFailed(operation, job.ErrorCode, job.ErrorMsg,
				fmt.Sprintf("%s, %s of %s, job %s", job.Status, job.JobType, job.ResourceID, job.JobID), "")
		},
		Settled:  func(id string) Job { return Job{JobID: id, Status: JobStatusSuccess} },
		Unlisted: "ShowJob does not find it; read the state of what it was to change",
	}
	if c != nil {
		wait.Polls = c.jobs
	}
	return one(wait.Wait(ctx, []string{jobID}, opts))
}

// WaitForMemberCheck waits until a diagnosis that CreateMemberHealthCheckJob
// started has ended and returns it. It polls ShowMemberHealthCheckJob like
// WaitForJob does its jobs, with the same endings. A diagnosis that finds
// something has succeeded.
func (c *Client) WaitForMemberCheck(ctx context.Context, jobID string, opts ...cloudlb.WaitOption) (MemberCheck, error) {
	const operation = "WaitForMemberCheck"
	wait := poll.Jobs[MemberCheck]{
		Service: "elb", Operation: operation, Field: "jobID",
		Failed: func(check MemberCheck) error {
			if check.Status == MemberCheckStatusProcessed {
				return nil
			}
			return c.jobFailed(operation, "", "", fmt.Sprintf("%s, diagnosis of member %s, job %s", check.Status, check.MemberID, check.JobID),
				"start a new diagnosis: it changes nothing")
		},
		Settled:  func(id string) MemberCheck { return MemberCheck{JobID: id, Status: MemberCheckStatusProcessed} },
		Unlisted: "ShowMemberHealthCheckJob does not find it; start a new diagnosis: it changes nothing",
	}
	if c != nil {
		wait.Polls = c.checks
	}
	return one(wait.Wait(ctx, []string{jobID}, opts))
}

func one[V any](list []V, err error) (V, error) {
	if len(list) == 0 {
		var none V
		return none, err
	}
	return list[0], err
}

func (c *Client) jobFailed(operation, code, message, what, hint string) error {
	return &cloudlb.Error{
		Service: "elb", Operation: operation, Code: code, Message: message,
		Class: c.t.Classify(code, message), Outcome: cloudlb.OutcomeUnknown,
		Err: fmt.Errorf("%w: %s", cloudlb.ErrJobFailed, what), Hint: cmp.Or(hint, "read the state of what it was to change before repeating"),
	}
}

// WaitForLoadBalancer waits until a load balancer is ACTIVE again after a write,
// and returns it with the state of everything below it. Until then further
// writes are refused as busy. It asks ShowLoadBalancerStatus after about 1
// second, then at growing intervals of up to 5 seconds. A load balancer that
// does not exist ends the wait with cloudlb.ErrNotFound, one in ERROR with
// cloudlb.ErrInvalid: it does not get out of that by itself.
func (c *Client) WaitForLoadBalancer(ctx context.Context, loadBalancerID string, opts ...cloudlb.WaitOption) (LoadBalancerStatus, error) {
	const operation = "WaitForLoadBalancer"
	if loadBalancerID == "" {
		return LoadBalancerStatus{}, poll.Invalid("elb", operation, "loadBalancerID", "is required")
	}
	var lb LoadBalancerStatus
	left, done := []string{loadBalancerID}, []string(nil)
	loop := poll.Loop{
		Service: "elb", Operation: operation, Schedule: stateSchedule, Progress: poll.Options(opts).Progress,
		Left: func() []string { return left },
		Done: func() []string { return done },
		Look: func(ctx context.Context) (bool, error) {
			res, err := c.ShowLoadBalancerStatus(ctx, ShowLoadBalancerStatusRequest{LoadBalancerID: loadBalancerID})
			if err != nil {
				return false, err
			}
			lb = res.Statuses.LoadBalancer
			switch lb.ProvisioningStatus {
			case ProvisioningStatusActive:
				left, done = done, left
				return true, nil
			case ProvisioningStatusError:
				return false, poll.Invalid("elb", operation, loadBalancerID, "has provisioning_status ERROR: its last change went wrong")
			default:
				return false, nil
			}
		},
	}
	err := loop.Run(ctx)
	return lb, err
}

// memberName names a member for people: its ID, or its address and port. It is
// empty for a reference that names nothing.
func memberName(r MemberRef) string {
	switch {
	case r.ID != "":
		return r.ID
	case r.Address == "":
		return ""
	case r.ProtocolPort == nil:
		return r.Address
	default:
		return net.JoinHostPort(r.Address, strconv.Itoa(*r.ProtocolPort))
	}
}

// named finds the member that a reference names. Without a port, as in pools
// with AnyPortEnable, the address decides.
func named(r MemberRef, members []Member) (Member, bool) {
	i := slices.IndexFunc(members, func(m Member) bool {
		if r.ID != "" {
			return m.ID == r.ID
		}
		return sameAddress(m.Address, r.Address) && (r.ProtocolPort == nil || *r.ProtocolPort == m.ProtocolPort)
	})
	if i < 0 {
		return Member{}, false
	}
	return members[i], true
}

// sameAddress compares addresses: IPv6 has several ways to write one.
func sameAddress(a, b string) bool {
	if a == b {
		return true
	}
	x, err := netip.ParseAddr(a)
	y, err2 := netip.ParseAddr(b)
	return err == nil && err2 == nil && x == y
}

// states are what the health checks say about a member: behind each listener
// where the service reports them one by one, else in total.
func states(m Member) []MemberOperatingStatus {
	var states []MemberOperatingStatus
	for _, s := range m.Status {
		if s.ListenerID != "" {
			states = append(states, s.OperatingStatus)
		}
	}
	if len(states) == 0 {
		states = append(states, m.OperatingStatus)
	}
	return states
}

// WaitForMembers waits until all of the members are in the pool and in service:
// ONLINE, or NO_MONITOR where nothing checks them, behind every listener of the
// pool. It returns them in the order of refs. It asks ListMembers after about 1
// second, then at growing intervals of up to 5 seconds.
//
// INITIAL, OFFLINE and UNKNOWN keep it waiting. A DISABLED member ends the wait
// with cloudlb.ErrInvalid: it does not come into service by itself. Weights do
// not matter here; a member of weight 0 gets no requests, and on a shared load
// balancer its state may never become ONLINE.
func (c *Client) WaitForMembers(ctx context.Context, poolID string, refs []MemberRef, opts ...cloudlb.WaitOption) ([]Member, error) {
	const operation = "WaitForMembers"
	return c.waitForMembers(ctx, operation, poolID, refs, opts, stateSchedule, func(ref MemberRef, members []Member) (Member, bool, error) {
		m, ok := named(ref, members)
		if !ok {
			return m, false, nil
		}
		in := true
		for _, state := range states(m) {
			switch state {
			case MemberOperatingStatusOnline, MemberOperatingStatusNoMonitor:
			case MemberOperatingStatusDisabled:
				return m, false, disabled(operation, ref)
			default:
				in = false
			}
		}
		return m, in, nil
	})
}

func disabled(operation string, ref MemberRef) error {
	return poll.Invalid("elb", operation, memberName(ref), "is DISABLED: its admin_state_up is false, which follows the server: start it, or leave it out")
}

// WaitForMembersGone waits until none of the members is in the pool any more.
// It looks like WaitForMembers does.
func (c *Client) WaitForMembersGone(ctx context.Context, poolID string, refs []MemberRef, opts ...cloudlb.WaitOption) error {
	_, err := c.waitForMembers(ctx, "WaitForMembersGone", poolID, refs, opts, stateSchedule, func(ref MemberRef, members []Member) (Member, bool, error) {
		m, ok := named(ref, members)
		return m, !ok, nil
	})
	return err
}

// WaitHealthy waits until the health monitor of the pool calls all of the
// members ONLINE, behind every listener of the pool. It asks ListMembers and
// ShowPool after about 2 seconds, then at growing intervals of up to 10 seconds.
//
// What can never become healthy, or whose health says nothing, is an error at
// once: a pool without a health monitor (create one, or probe the application
// itself); a member that is not in the pool, or DISABLED; a member of weight 0.
// Dedicated load balancers check those all the same, shared ones do not, and
// the API of pools does not tell them apart. So weight 0 is accepted only where
// it is certain not to matter: in pools whose algorithm ignores weights
// (SOURCE_IP, QUIC_CID), and for IP members, which only dedicated load balancers
// have. If you know that yours is dedicated use WaitForMembers, which waits for
// ONLINE at any weight; otherwise give the member a weight of 1.
func (c *Client) WaitHealthy(ctx context.Context, poolID string, refs []MemberRef, opts ...cloudlb.WaitOption) error {
	const operation = "WaitHealthy"
	var pool Pool
	reached := func(ref MemberRef, members []Member) (Member, bool, error) {
		m, ok := named(ref, members)
		refuse := func(why string) (Member, bool, error) {
			return m, false, poll.Invalid("elb", operation, memberName(ref), why)
		}
		weightless := pool.LBAlgorithm == LBAlgorithmSourceIP || pool.LBAlgorithm == LBAlgorithmQUICCID
		switch {
		case !ok:
			return refuse("is not in pool " + poolID + ": add it first")
		case m.Weight == 0 && !weightless && m.MemberType != MemberTypeIP:
			return refuse("has weight 0, and shared load balancers do not health-check such members: " +
				"give it a weight of 1, or, on a dedicated load balancer, use WaitForMembers")
		}
		online := true
		for _, state := range states(m) {
			switch state {
			case MemberOperatingStatusOnline:
			case MemberOperatingStatusNoMonitor:
				return refuse("is not health-checked, the monitor of pool " + poolID + " is not in use: enable it, or probe the application itself")
			case MemberOperatingStatusDisabled:
				return m, false, disabled(operation, ref)
			default:
				online = false
			}
		}
		return m, online, nil
	}
	_, err := c.waitForMembers(ctx, operation, poolID, refs, opts, healthSchedule, reached, func(ctx context.Context) error {
		res, err := c.ShowPool(ctx, ShowPoolRequest{PoolID: poolID})
		if err != nil {
			return err
		}
		if pool = res.Pool; pool.HealthMonitorID == "" {
			return poll.Invalid("elb", operation, poolID, "has no health monitor: create one with CreateHealthMonitor, or probe the application itself")
		}
		return nil
	})
	return err
}

// waitForMembers polls a pool until reached holds for every ref in one look.
// first are read before the members.
func (c *Client) waitForMembers(ctx context.Context, operation, poolID string, refs []MemberRef, opts []cloudlb.WaitOption, schedule poll.Schedule,
	reached func(MemberRef, []Member) (Member, bool, error), first ...func(context.Context) error,
) ([]Member, error) {
	if poolID == "" {
		return nil, poll.Invalid("elb", operation, "poolID", "is required")
	}
	wait := poll.Set[MemberRef, Member]{
		Service: "elb", Operation: operation, Field: "refs", Schedule: schedule,
		Name: memberName,
		Look: func(ctx context.Context) ([]Member, error) {
			for _, read := range first {
				if err := read(ctx); err != nil {
					return nil, err
				}
			}
			var members []Member
			for m, err := range c.Members(ctx, ListMembersRequest{PoolID: poolID}) {
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
