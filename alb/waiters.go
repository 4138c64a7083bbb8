package alb

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/poll"
)

const (
	// jobsPerLook is how many job IDs one ListAsynJobs call asks for. The
	// maximum is not documented; the vendor's controller for the sibling NLB
	// service sends 20.
	jobsPerLook = 20
	// listedAfter is how long a job may be missing from the list before it
	// counts as lost: lists lag behind writes.
	listedAfter = 15 * time.Second
)

// jobSchedule: jobs take seconds.
var jobSchedule = poll.Schedule{First: time.Second, Cap: 5 * time.Second}

// WaitForJob waits until an asynchronous job has ended and returns it. The ID
// is the JobID of a response, of this process or another. It polls ListAsynJobs
// after about 1 second, then at growing intervals of up to 5 seconds.
//
// The error tells three endings apart: cloudlb.ErrJobFailed (the *cloudlb.Error
// in the chain has the job's code), cloudlb.ErrLost (the service does not list
// the job: read the servers' state), cloudlb.ErrUnfinished (ctx ended first, or
// polling failed too often; the job goes on).
func (c *Client) WaitForJob(ctx context.Context, jobID string, opts ...cloudlb.WaitOption) (Job, error) {
	jobs, err := c.waitForJobs(ctx, "WaitForJob", []string{jobID}, opts)
	if len(jobs) != 1 {
		return Job{}, err
	}
	return jobs[0], err
}

// WaitForJobs is WaitForJob for several jobs, with one ListAsynJobs call for 20
// of them. It returns those that have ended, in the order of jobIDs, and an
// error if any failed or did not end. It waits for all of them even if one
// fails.
func (c *Client) WaitForJobs(ctx context.Context, jobIDs ...string) ([]Job, error) {
	return c.waitForJobs(ctx, "WaitForJobs", jobIDs, nil)
}

func (c *Client) waitForJobs(ctx context.Context, operation string, jobIDs []string, opts []cloudlb.WaitOption) ([]Job, error) {
	var o cloudlb.WaitOptions
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	if err := checkJobIDs(operation, jobIDs); err != nil {
		return nil, err
	}
	w := jobWait{client: c, ids: jobIDs, ended: make(map[string]Job, len(jobIDs)), started: time.Now()}
	loop := poll.Loop{
		Service: "alb", Operation: operation, Schedule: jobSchedule,
		Look: w.look, Left: w.left, Done: w.done, Progress: o.Progress,
	}
	err := loop.Run(ctx)
	if err == nil && len(w.lost) > 0 {
		err = &cloudlb.WaitError{
			Service: "alb", Operation: operation, Left: w.lost, Elapsed: time.Since(w.started), Looks: w.looks,
			Err: fmt.Errorf("%w: ListAsynJobs does not list it: read the servers' state with ListServerGroupServers", cloudlb.ErrLost),
		}
	}
	if err == nil {
		err = w.failure(operation)
	}
	return w.jobs(), err
}

func checkJobIDs(operation string, ids []string) error {
	problem := ""
	switch {
	case len(ids) == 0:
		problem = "is empty: there is nothing to wait for"
	case slices.Contains(ids, ""):
		problem = "has an empty job ID: did the call that should have returned it fail?"
	default:
		return nil
	}
	return &cloudlb.Error{
		Service: "alb", Operation: operation, Class: cloudlb.ClassInvalid, Outcome: cloudlb.OutcomeNotSent,
		Err: &cloudlb.ValidationError{Problems: []cloudlb.Problem{{Field: "jobID", Message: problem}}},
	}
}

// jobWait is the state of one wait.
type jobWait struct {
	client  *Client
	ids     []string
	ended   map[string]Job
	lost    []string
	started time.Time
	looks   int
}

// look asks for all jobs that have not ended.
func (w *jobWait) look(ctx context.Context) (bool, error) {
	w.looks++
	open := w.left()
	seen := make(map[string]bool, len(open))
	for batch := range slices.Chunk(open, jobsPerLook) {
		res, err := w.client.ListAsynJobs(ctx, ListAsynJobsRequest{JobIDs: batch, MaxResults: ListAsynJobsMaxPageSize})
		if err != nil {
			return false, err
		}
		for _, job := range res.Jobs {
			seen[job.ID] = true
			if (job.Status == JobStatusSucceeded || job.Status == JobStatusFailed) && slices.Contains(batch, job.ID) {
				w.ended[job.ID] = job
			}
		}
	}
	if time.Since(w.started) >= listedAfter {
		for _, id := range open {
			if !seen[id] {
				w.lost = append(w.lost, id)
			}
		}
	}
	return len(w.left()) == 0, nil
}

func (w *jobWait) left() []string {
	return slices.DeleteFunc(slices.Clone(w.ids), func(id string) bool {
		_, ended := w.ended[id]
		return ended || slices.Contains(w.lost, id)
	})
}

func (w *jobWait) done() []string {
	return slices.DeleteFunc(slices.Clone(w.ids), func(id string) bool {
		_, ended := w.ended[id]
		return !ended
	})
}

func (w *jobWait) jobs() []Job {
	var jobs []Job
	for _, id := range w.done() {
		jobs = append(jobs, w.ended[id])
	}
	return jobs
}

// failure is the error of the first job that failed.
func (w *jobWait) failure(operation string) error {
	for _, job := range w.jobs() {
		if job.Status != JobStatusFailed {
			continue
		}
		return &cloudlb.Error{
			Service: "alb", Operation: operation, Code: job.ErrorCode, Message: job.ErrorMessage,
			Class: w.client.t.Classify(job.ErrorCode, job.ErrorMessage), Outcome: cloudlb.OutcomeUnknown, Err: fmt.Errorf("%w: %s of %s, job %s", cloudlb.ErrJobFailed, job.APIName, job.ResourceID, job.ID),
			Hint: "read the servers back with ListServerGroupServers before repeating",
		}
	}
	return nil
}
