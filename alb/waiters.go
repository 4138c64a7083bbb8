package alb

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/page"
	"github.com/cloudlb/cloudlb/internal/poll"
)

// How waits look: jobs and states take seconds, health checks tens of them.
var (
	jobSchedule    = poll.Schedule{First: time.Second, Cap: 5 * time.Second}
	healthSchedule = poll.Schedule{First: 2 * time.Second, Cap: 10 * time.Second}
)

const (
	// jobsPerLook is how many job IDs one ListAsynJobs call asks for. The
	// maximum is not documented; the vendor's controller for the sibling NLB
	// service sends 20.
	jobsPerLook = 20
	// jobMissing is how long a job may be absent from the list before it counts
	// as lost: lists lag behind writes.
	jobMissing = 15 * time.Second
)

// newJobWaits is the polling that all waits of one client share.
func newJobWaits(c *Client) *poll.Shared[Job] {
	return &poll.Shared[Job]{
		Size: jobsPerLook, Schedule: jobSchedule, Missing: jobMissing,
		Look: func(ctx context.Context, ids []string) (map[string]poll.Seen[Job], error) {
			res, err := c.ListAsynJobs(ctx, ListAsynJobsRequest{JobIDs: ids, MaxResults: ListAsynJobsMaxPageSize})
			if err != nil {
				return nil, err
			}
			seen := make(map[string]poll.Seen[Job], len(res.Jobs))
			for _, job := range res.Jobs {
				seen[job.ID] = poll.Seen[Job]{Value: job, Ended: job.Status == JobStatusSucceeded || job.Status == JobStatusFailed}
			}
			return seen, nil
		},
	}
}

// WaitForJob waits until an asynchronous job has ended and returns it. The ID
// is the JobID of a response, of this process or another. It polls ListAsynJobs
// after about 1 second, then at growing intervals of up to 5 seconds; all waits
// of one client share the calls.
//
// The error tells the endings apart: cloudlb.ErrJobFailed (the *cloudlb.Error
// in the chain has the job's code), cloudlb.ErrLost (the service does not list
// the job; see cloudlb.IfLost and WaitForServers), cloudlb.ErrUnfinished (ctx
// ended first, or polling failed too often; the job goes on).
func (c *Client) WaitForJob(ctx context.Context, jobID string, opts ...cloudlb.WaitOption) (Job, error) {
	jobs, err := c.waitForJobs(ctx, "WaitForJob", []string{jobID}, opts)
	if len(jobs) == 0 {
		return Job{}, err
	}
	return jobs[0], err
}

// WaitForJobs is WaitForJob for several jobs. It waits for all of them even if
// one fails, and returns those that have ended, in the order of jobIDs, with an
// error that joins what went wrong.
func (c *Client) WaitForJobs(ctx context.Context, jobIDs ...string) ([]Job, error) {
	return c.waitForJobs(ctx, "WaitForJobs", jobIDs, nil)
}

func (c *Client) waitForJobs(ctx context.Context, operation string, jobIDs []string, opts []cloudlb.WaitOption) ([]Job, error) {
	wait := poll.Jobs[Job]{
		Service: "alb", Operation: operation, Field: "jobIDs",
		Failed: func(job Job) error {
			if job.Status != JobStatusFailed {
				return nil
			}
			return c.jobFailed(operation, job)
		},
		Settled:  func(id string) Job { return Job{ID: id, Status: JobStatusSucceeded} },
		Unlisted: "ListAsynJobs does not list it; read the servers' state, for example with WaitForServers",
	}
	if c != nil {
		wait.Polls = c.jobs
	}
	return wait.Wait(ctx, jobIDs, opts)
}

func (c *Client) jobFailed(operation string, job Job) error {
	return &cloudlb.Error{
		Service: "alb", Operation: operation, Code: job.ErrorCode, Message: job.ErrorMessage,
		Class: c.t.Classify(job.ErrorCode, job.ErrorMessage), Outcome: cloudlb.OutcomeUnknown,
		Err:  fmt.Errorf("%w: %s of %s, job %s", cloudlb.ErrJobFailed, job.APIName, job.ResourceID, job.ID),
		Hint: "read the servers back with ListServerGroupServers before repeating",
	}
}

// WaitForServerGroup waits until a server group is Available, that is, until no
// change of it is running, and returns it. A group that does not exist ends the
// wait with cloudlb.ErrNotFound.
func (c *Client) WaitForServerGroup(ctx context.Context, serverGroupID string, opts ...cloudlb.WaitOption) (ServerGroup, error) {
	const operation = "WaitForServerGroup"
	if serverGroupID == "" {
		return ServerGroup{}, poll.Invalid("alb", operation, "serverGroupID", "is required")
	}
	var group ServerGroup
	available := func() bool { return group.ServerGroupStatus == ServerGroupStatusAvailable }
	loop := poll.Loop{
		Service: "alb", Operation: operation, Schedule: jobSchedule, Progress: poll.Options(opts).Progress,
		Left: func() []string { return onlyIf(!available(), serverGroupID) },
		Done: func() []string { return onlyIf(available(), serverGroupID) },
		Look: func(ctx context.Context) (bool, error) {
			found, err := c.serverGroup(ctx, operation, serverGroupID)
			if err != nil {
				return false, err
			}
			group = found
			return available(), nil
		},
	}
	err := loop.Run(ctx)
	return group, err
}

// serverGroup reads one server group.
func (c *Client) serverGroup(ctx context.Context, operation, serverGroupID string) (ServerGroup, error) {
	res, err := c.ListServerGroups(ctx, ListServerGroupsRequest{ServerGroupIDs: []string{serverGroupID}})
	if err != nil {
		return ServerGroup{}, err
	}
	i := slices.IndexFunc(res.ServerGroups, func(g ServerGroup) bool { return g.ServerGroupID == serverGroupID })
	if i < 0 {
		return ServerGroup{}, &cloudlb.Error{
			Service: "alb", Operation: operation, Class: cloudlb.ClassNotFound, Outcome: cloudlb.OutcomeRejected,
			Message: "there is no server group " + serverGroupID, RequestID: res.RequestID,
		}
	}
	return res.ServerGroups[i], nil
}

func onlyIf(cond bool, id string) []string {
	if cond {
		return []string{id}
	}
	return nil
}

// ServerRef names a server of a group. ServerIP may be left out where a server
// has one address.
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

func (r ServerRef) names(s Server) bool {
	return r.ServerID == s.ServerID && r.Port == s.Port && (r.ServerIP == "" || r.ServerIP == s.ServerIP)
}

// WaitForServers waits until all of the servers are in the group and Available,
// and returns them in the order of refs. It asks ListServerGroupServers after
// about 1 second, then at growing intervals of up to 5 seconds.
func (c *Client) WaitForServers(ctx context.Context, serverGroupID string, refs []ServerRef, opts ...cloudlb.WaitOption) ([]Server, error) {
	wait, err := c.serverWait("WaitForServers", serverGroupID)
	if err != nil {
		return nil, err
	}
	wait.Reached = func(ref ServerRef, group []Server) (Server, bool, error) {
		i := slices.IndexFunc(group, ref.names)
		if i < 0 {
			return Server{}, false, nil
		}
		return group[i], group[i].Status == ServerStatusAvailable, nil
	}
	return wait.Wait(ctx, refs, opts)
}

// WaitForServersGone waits until none of the servers is in the group any more.
func (c *Client) WaitForServersGone(ctx context.Context, serverGroupID string, refs []ServerRef, opts ...cloudlb.WaitOption) error {
	wait, err := c.serverWait("WaitForServersGone", serverGroupID)
	if err != nil {
		return err
	}
	wait.Reached = func(ref ServerRef, group []Server) (Server, bool, error) {
		return Server{}, !slices.ContainsFunc(group, ref.names), nil
	}
	_, err = wait.Wait(ctx, refs, opts)
	return err
}

// serverWait is a wait for servers of a group; it lacks what to wait for.
func (c *Client) serverWait(operation, serverGroupID string) (poll.Set[ServerRef, Server], error) {
	if serverGroupID == "" {
		return poll.Set[ServerRef, Server]{}, poll.Invalid("alb", operation, "serverGroupID", "is required")
	}
	return poll.Set[ServerRef, Server]{
		Service: "alb", Operation: operation, Field: "refs", Schedule: jobSchedule,
		Name: func(r ServerRef) string {
			if r.ServerID == "" {
				return ""
			}
			return r.String()
		},
		Look: func(ctx context.Context) ([]Server, error) { return c.groupServers(ctx, serverGroupID) },
	}, nil
}

func (c *Client) groupServers(ctx context.Context, serverGroupID string) ([]Server, error) {
	var servers []Server
	for s, err := range c.ServerGroupServers(ctx, ListServerGroupServersRequest{ServerGroupID: serverGroupID}) {
		if err != nil {
			return nil, err
		}
		servers = append(servers, s)
	}
	return servers, nil
}

// WaitHealthy waits until the listener's health checks call all of the servers
// normal. It asks GetListenerHealthStatus and ListServerGroupServers after about
// 2 seconds, then at growing intervals of up to 10 seconds.
//
// What can never become healthy is an error at once: a server of weight 0, which
// ALB does not health-check (give it a weight of 1, or probe the application
// itself); a group that the listener does not use, or whose health checks are
// off; a server that is not in the group.
func (c *Client) WaitHealthy(ctx context.Context, listenerID, serverGroupID string, refs []ServerRef, opts ...cloudlb.WaitOption) error {
	const operation = "WaitHealthy"
	if listenerID == "" {
		return poll.Invalid("alb", operation, "listenerID", "is required: ListListeners lists them")
	}
	wait, err := c.serverWait(operation, serverGroupID)
	if err != nil {
		return err
	}
	wait.Schedule = healthSchedule
	var bad []NonNormalServer
	wait.Look = func(ctx context.Context) (group []Server, err error) {
		if group, err = c.groupServers(ctx, serverGroupID); err != nil {
			return nil, err
		}
		bad, err = c.unhealthy(ctx, listenerID, serverGroupID)
		return group, err
	}
	wait.Reached = func(ref ServerRef, group []Server) (Server, bool, error) {
		i := slices.IndexFunc(group, ref.names)
		switch {
		case i < 0:
			return Server{}, false, poll.Invalid("alb", operation, ref.String(), "is not in server group "+serverGroupID+": add it first")
		case group[i].Weight == 0:
			return Server{}, false, poll.Invalid("alb", operation, ref.String(),
				"has weight 0, and ALB does not health-check such servers: give it a weight of 1, or probe the application itself")
		}
		isBad := slices.ContainsFunc(bad, func(n NonNormalServer) bool {
			return ref.names(Server{ServerID: n.ServerID, ServerIP: n.ServerIP, Port: n.Port})
		})
		return group[i], group[i].Status == ServerStatusAvailable && !isBad, nil
	}
	_, err = wait.Wait(ctx, refs, opts)
	return err
}

// unhealthy lists the servers of a group that a listener calls anything but
// normal.
func (c *Client) unhealthy(ctx context.Context, listenerID, serverGroupID string) ([]NonNormalServer, error) {
	const operation = "WaitHealthy"
	groups, err := c.groupHealth(ctx, listenerID, serverGroupID)
	if err != nil {
		return nil, err
	}
	if len(groups) == 0 {
		return nil, poll.Invalid("alb", operation, serverGroupID, "is not used by listener "+listenerID)
	}
	var bad []NonNormalServer
	for _, g := range groups {
		if g.unchecked() {
			return nil, poll.Invalid("alb", operation, serverGroupID, "has health checks off: turn them on, or probe the application itself")
		}
		bad = append(bad, g.NonNormalServers...)
	}
	return bad, nil
}

// groupHealth reads what a listener and its rules say of a group: nothing when
// they do not use it.
func (c *Client) groupHealth(ctx context.Context, listenerID, serverGroupID string) ([]ServerGroupHealth, error) {
	req := GetListenerHealthStatusRequest{ListenerID: listenerID, IncludeRule: true, MaxResults: GetListenerHealthStatusMaxPageSize}
	all := page.ByCursor("", func(cursor string) ([]ServerGroupHealth, string, error) {
		req.NextToken = cursor
		res, err := c.GetListenerHealthStatus(ctx, req)
		if err != nil {
			return nil, "", err
		}
		var groups []ServerGroupHealth
		for _, l := range res.ListenerHealthStatus {
			groups = append(groups, l.ServerGroupInfos...)
		}
		for _, r := range res.RuleHealthStatus {
			groups = append(groups, r.ServerGroupInfos...)
		}
		return groups, res.NextToken, nil
	})
	var groups []ServerGroupHealth
	for g, err := range all {
		if err != nil {
			return nil, err
		}
		if g.ServerGroupID == serverGroupID {
			groups = append(groups, g)
		}
	}
	return groups, nil
}

func (g *ServerGroupHealth) unchecked() bool {
	return strings.EqualFold(string(g.HealthCheckEnabled), string(HealthCheckEnabledOff))
}
