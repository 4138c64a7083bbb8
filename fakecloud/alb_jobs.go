package fakecloud

import (
	"slices"
	"time"
)

type albJob struct {
	numbered
	id         string
	api        string
	kind       string // Create, Update, Delete
	group      string
	start, end time.Time
	finish     func()
	failure    *fault // at the end, nil for success
	hidden     bool   // from the list
	endless    bool
}

// settle applies what a job does at its end, once that is past.
func (c *call) settle(g *albGroup) {
	if g.job != nil && !c.now.Before(g.job.end) {
		finish := g.job.finish
		g.job, g.status = nil, available
		finish()
	}
}

// settleAll does what settle does for all groups, in the order in which their
// jobs end.
func (c *call) settleAll() {
	for len(c.alb.running) > 0 && !c.now.Before(c.alb.running[0].end) {
		job := c.alb.running[0]
		c.alb.running = c.alb.running[1:]
		if g := c.alb.groups[job.group]; g != nil && g.job == job {
			c.settle(g)
		}
	}
}

// albUndo returns what makes a group again what it is now, but for what does
// not wait for its job.
func (c *account) albUndo(g *albGroup) func() {
	was, known := *g, c.alb.groups[g.id] == g
	servers := make([]albServer, len(g.servers))
	for i, s := range g.servers {
		servers[i] = *s
	}
	was.in, was.servers = params(clone(object(was.in))), slices.Clone(g.servers)
	return func() {
		if !known {
			c.alb.drop(g.id)
			return
		}
		was.tags, was.loadBalancers, was.job, was.status = g.tags, g.loadBalancers, nil, available
		for _, s := range slices.Clone(g.servers) {
			if !slices.Contains(was.servers, s) {
				c.alb.leave(g, s)
			}
		}
		*g = was
		g.byKey = make(map[albKey]*albServer, len(servers))
		for i, s := range g.servers {
			*s = servers[i]
			g.byKey[s.albKey] = s
		}
	}
}

// addJob adds a new job to the list.
func (s *albState) addJob(job *albJob, now time.Time, life time.Duration) {
	s.expireJobs(now, life)
	if !job.endless {
		s.running = append(s.running, job)
	}
	if job.hidden {
		return
	}
	if job.endless {
		s.endless++
	}
	s.jobs = append(s.jobs, job)
	s.jobByID[job.id] = job
}

// expireJobs takes out of the list the jobs that ended too long ago, if there
// is such a time; those behind one that never ends stay.
func (s *albState) expireJobs(now time.Time, life time.Duration) {
	gone := 0
	for gone < len(s.jobs) && !s.jobs[gone].listed(now, life) {
		delete(s.jobByID, s.jobs[gone].id)
		gone++
	}
	s.jobs = s.jobs[gone:]
}

// listed reports whether ListAsynJobs still knows a job.
func (j *albJob) listed(now time.Time, life time.Duration) bool {
	return life == 0 || now.Before(j.end.Add(life))
}

func albListJobs(c *call) (object, *fault) {
	c.alb.expireJobs(c.now, c.set.jobLife)
	rows := c.alb.jobs
	ids, resources := c.in.strs("JobIds"), c.in.strs("ResourceIds")
	if len(ids) > 0 {
		rows = nil
		for _, id := range ids {
			j := c.alb.jobByID[id]
			switch {
			case j != nil && !slices.Contains(rows, j):
				rows = append(rows, j)
			case j == nil && !c.set.assumes(ALBUnknownJobsLeftOut):
				return nil, refusef(404, "ResourceNotFound.JobId", "The specified resource %s is not found.", id)
			}
		}
		slices.SortFunc(rows, func(a, b *albJob) int { return int(a.seq - b.seq) })
	}
	if c.filtered("JobIds") || c.alb.endless > 0 && c.set.jobLife > 0 {
		rows = pick(c, rows, func(j *albJob) bool {
			created := j.start.UnixMilli()
			return j.listed(c.now, c.set.jobLife) &&
				(len(resources) == 0 || slices.Contains(resources, j.group)) &&
				(!c.in.has("ApiName") || c.in.str("ApiName") == j.api) &&
				(!c.in.has("ResourceType") || c.in.str("ResourceType") == "servergroup") &&
				(!c.in.has("BeginTime") || created >= c.in.num("BeginTime")) &&
				(!c.in.has("EndTime") || created <= c.in.num("EndTime"))
		})
	}
	return albPage(c, "Jobs", rows, func(j *albJob) object { return j.object(c.now) })
}

func (j *albJob) object(now time.Time) object {
	status, modified := "Succeeded", j.end
	if now.Before(j.end) {
		status, modified = "Processing", j.start
	}
	code, message := "", ""
	if j.failure != nil && status == "Succeeded" {
		status, code, message = "Failed", j.failure.code, j.failure.message
	}
	return object{
		"Id": j.id, "ApiName": j.api, "OperateType": j.kind, "ResourceType": "servergroup", "ResourceId": j.group,
		"Status": status, "ErrorCode": code, "ErrorMessage": message, "CreateTime": j.start.UnixMilli(), "ModifyTime": modified.UnixMilli(),
	}
}
