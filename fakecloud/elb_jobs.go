package fakecloud

import "time"

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
func (c *account) AddLoadBalancerJob(j LoadBalancerJob) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	j.ID, j.Type = either(j.ID, c.ids.uuid()), either(j.Type, "cloneLoadbalancer")
	if old := c.elb.jobByID[j.ID]; old != nil {
		c.elb.jobs = dropRow(c.elb.jobs, old)
	}
	job := &elbJob{c.elb.next(), j, time.Now()}
	c.elb.jobs, c.elb.jobByID[j.ID] = append(c.elb.jobs, job), job
	return j.ID
}

type elbJob struct {
	numbered
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

func (j *elbJob) key() string { return j.ID }

func elbListJobs(c *call) (object, *fault) {
	find := func(id string) (*elbJob, bool) { j, ok := c.elb.jobByID[id]; return j, ok }
	return elbPage(c, "jobs", elbFlat(c.elb.jobs, find, (*elbJob).key, func(j *elbJob) object { return j.object(c.now) }))
}

func elbShowJob(c *call) (object, *fault) {
	if j := c.elb.jobByID[c.in.str("job_id")]; j != nil {
		return object{"job": j.object(c.now)}, nil
	}
	return nil, elbNotFound("job", c.in.str("job_id"))
}
