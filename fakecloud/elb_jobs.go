package fakecloud

import (
	"slices"
	"time"
)

// LoadBalancerJob is a job of ELB to start with, such as the cloning of a load
// balancer. No emulated operation starts one: member changes are no jobs.
type LoadBalancerJob struct {
	// ID defaults to a generated one.
	ID string
	// Type is "cloneLoadbalancer" by default.
	Type string
	// ResourceID is what it works on.
	ResourceID string
	// Duration is how long it is RUNNING from now. Then it is SUCCESS, or FAIL
	// when there is an ErrorCode.
	Duration  time.Duration
	ErrorCode string
	ErrorMsg  string
}

// AddLoadBalancerJob puts an ELB job into the Cloud and returns its ID.
func (c *Cloud) AddLoadBalancerJob(j LoadBalancerJob) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	j.ID, j.Type = either(j.ID, c.ids.uuid()), either(j.Type, "cloneLoadbalancer")
	c.elb.jobs = slices.DeleteFunc(c.elb.jobs, func(old *elbJob) bool { return old.ID == j.ID })
	c.elb.jobs = append(c.elb.jobs, &elbJob{j, time.Now()})
	return j.ID
}

type elbJob struct {
	LoadBalancerJob
	begin time.Time
}

func (j *elbJob) object(now time.Time) object {
	out := object{
		"job_id": j.ID, "job_type": j.Type, "resource_id": j.ResourceID, "begin_time": stamp(j.begin), "status": "RUNNING",
		"error_code": "", "error_msg": "", "sub_jobs": []object{},
	}
	end := j.begin.Add(j.Duration)
	if now.Before(end) {
		return out
	}
	out["status"], out["end_time"] = "SUCCESS", stamp(end)
	if j.ErrorCode != "" {
		out["status"], out["error_code"], out["error_msg"] = "FAIL", j.ErrorCode, j.ErrorMsg
	}
	return out
}

func elbListJobs(c *call) (object, *fault) {
	all := c.elb.jobs
	return c.elbPage("jobs", len(all),
		func(i int) string { return all[i].ID }, func(i int) object { return all[i].object(c.now) })
}

func elbShowJob(c *call) (object, *fault) {
	for _, j := range c.elb.jobs {
		if j.ID == c.in.str("job_id") {
			return object{"job": j.object(c.now)}, nil
		}
	}
	return nil, elbNotFound("job", c.in.str("job_id"))
}
