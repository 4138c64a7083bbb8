package cloudlb_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
)

const (
	jobInterval = 5 * time.Second  // the longest between two polls of a job
	jobLost     = 15 * time.Second // how long a job may be unknown
)

func addOne(group string) alb.AddServersToServerGroupRequest {
	return alb.AddServersToServerGroupRequest{ServerGroupID: group, Servers: addedServers}
}

// TestWaitForJob goes all the way on the emulator.
func TestWaitForJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New(fakecloud.WithJobDuration(20 * time.Second))
		group := newGroup(cloud)
		lb := albOf(t, cloud.Config())
		start := time.Now()
		res := must[*alb.AddServersToServerGroupResponse](t)(lb.AddServersToServerGroup(t.Context(), addOne(group)))
		job := must[alb.Job](t)(lb.WaitForJob(soon(t), res.JobID))
		if job.ID != res.JobID || job.Status != alb.JobStatusSucceeded || job.ResourceID != group {
			t.Errorf("job %+v", job)
		}
		between(t, start, 20*time.Second, 20*time.Second+jobInterval)
		if n := cloud.Calls("alb", "ListAsynJobs"); n > 8 {
			t.Errorf("%d polls in 20 s", n)
		}
	})
}

// TestWaitForJobEndings is every way in which the wait for a job ends.
func TestWaitForJobEndings(t *testing.T) {
	t.Parallel()
	running, absent := jobList(jobJSON("job-1", "Processing", "")), jobList()
	errRead := errors.New("cannot read the servers")
	settled := func(yes bool, err error) []cloudlb.WaitOption {
		return []cloudlb.WaitOption{cloudlb.IfLost(func(context.Context) (bool, error) { return yes, err })}
	}
	for _, c := range []struct {
		name  string
		steps []step
		opts  []cloudlb.WaitOption
		from  time.Duration
		to    time.Duration
		job   alb.JobStatus // "": no job comes back
		is    []error
		says  string
	}{
		{"succeeded", []step{running, jobList(jobJSON("job-1", "Succeeded", ""))}, nil, time.Second, 3 * time.Second, alb.JobStatusSucceeded, nil, ""},
		{"an unknown state goes on", []step{jobList(jobJSON("job-1", "Reviewing", "")), jobList(jobJSON("job-1", "Succeeded", ""))}, nil, time.Second, 3 * time.Second, alb.JobStatusSucceeded, nil, ""},
		{
			"failed",
			[]step{running, jobList(jobJSON("job-1", "Failed", "ResourceQuotaExceeded.ServersNum"))},
			nil, time.Second, 3 * time.Second, alb.JobStatusFailed,
			[]error{cloudlb.ErrJobFailed, cloudlb.ErrQuota},
			"AddServersToServerGroup of sgp-1, job job-1",
		},
		{"never listed", []step{absent}, nil, jobLost, jobLost + jobInterval, "", []error{cloudlb.ErrLost}, "WaitForServers"},
		{"vanished", []step{running, running, absent}, nil, jobLost, jobLost + 2*jobInterval, "", []error{cloudlb.ErrLost}, "job-1"},
		{"listed late", []step{absent, absent, absent, jobList(jobJSON("job-1", "Succeeded", ""))}, nil, 0, jobLost, alb.JobStatusSucceeded, nil, ""},
		{"lost, settled", []step{absent}, settled(true, nil), jobLost, jobLost + jobInterval, alb.JobStatusSucceeded, nil, ""},
		{"lost, not settled", []step{absent}, settled(false, nil), jobLost, jobLost + jobInterval, "", []error{cloudlb.ErrLost}, ""},
		{"lost, unreadable", []step{absent}, settled(false, errRead), jobLost, jobLost + jobInterval, "", []error{cloudlb.ErrLost, errRead}, ""},
		{"denied", []step{running, aliError(403, "Forbidden.RAM", "no")}, nil, 0, 3 * time.Second, "", []error{cloudlb.ErrDenied}, "job-1"},
		{"invalid", []step{aliError(400, "IllegalParam.JobIds", "no")}, nil, 0, time.Second, "", []error{cloudlb.ErrInvalid}, "job-1"},
		{"not found", []step{aliError(404, "ResourceNotFound.JobId", "no")}, nil, 0, time.Second, "", []error{cloudlb.ErrNotFound}, "job-1"},
		{"bad keys", []step{aliError(400, "SignatureDoesNotMatch", "no")}, nil, 0, time.Second, "", []error{cloudlb.ErrUnauthenticated}, "job-1"},
		{
			"five failures", append(slices.Repeat([]step{aliError(503, "ServiceUnavailable", "later")}, 5), jobList(jobJSON("job-1", "Succeeded", ""))),
			nil, 0, 30 * time.Second, alb.JobStatusSucceeded, nil, "",
		},
		{"six failures", []step{fails(errReset)}, nil, 0, 30 * time.Second, "", []error{cloudlb.ErrUnfinished, cloudlb.ErrUnavailable, errReset}, "6 polls in a row failed"},
		{
			"throttled", append(slices.Repeat([]step{aliError(400, "Throttling.User", "slow down")}, 20), jobList(jobJSON("job-1", "Succeeded", ""))),
			nil, 2 * time.Minute, 20 * 20 * time.Second, alb.JobStatusSucceeded, nil, "",
		},
		{
			"throttled with a hint",
			[]step{aliError(400, "Throttling.User", "slow down", "Retry-After", "45"), jobList(jobJSON("job-1", "Succeeded", ""))},
			nil, 36 * time.Second, time.Minute, alb.JobStatusSucceeded, nil, "",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				o := &operations{t: t, steps: map[string][]step{"ListAsynJobs": c.steps}}
				lb := albOf(t, impatient(o))
				start := time.Now()
				job, err := lb.WaitForJob(soon(t), "job-1", c.opts...)
				between(t, start, c.from, c.to)
				if job.Status != c.job || (job.ID == "job-1") != (c.job != "") {
					t.Errorf("job %+v", job)
				}
				if len(c.is) == 0 && err != nil {
					t.Fatal(err)
				}
				for _, is := range c.is {
					if !errors.Is(err, is) {
						t.Errorf("%v is not %v", err, is)
					}
				}
				for _, other := range []error{cloudlb.ErrJobFailed, cloudlb.ErrLost, cloudlb.ErrUnfinished} {
					if errors.Is(err, other) && !slices.Contains(c.is, other) {
						t.Errorf("%v is %v too", err, other)
					}
				}
				if err != nil {
					if !strings.Contains(err.Error(), c.says) {
						t.Errorf("%q does not say %q", err, c.says)
					}
					checkOneLine(t, err)
				}
				if c.name == "failed" {
					if e := failure(t, err); e.Code != "ResourceQuotaExceeded.ServersNum" || e.Message != "why" || e.Operation != "WaitForJob" {
						t.Errorf("error %+v", e)
					}
				}
			})
		})
	}
}

func TestWaitForJobContextEnds(t *testing.T) {
	t.Parallel()
	errWhy := errors.New("the deploy was called off")
	for _, c := range []struct {
		name string
		poll step
	}{
		{"between polls", jobList(jobJSON("job-1", "Processing", ""))},
		{"while a poll is in flight", hangs},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				lb := albOf(t, testConfig(&operations{t: t, steps: map[string][]step{"ListAsynJobs": {c.poll}}}))
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				start := time.Now()
				_, err := lb.WaitForJob(ctx, "job-1")
				between(t, start, 10*time.Second, 10*time.Second)
				checkUnfinished(t, err, context.DeadlineExceeded, "job-1")

				cancelled, why := context.WithCancelCause(t.Context())
				time.AfterFunc(7*time.Second, func() { why(errWhy) })
				start = time.Now()
				jobs, err := lb.WaitForJobs(cancelled, "job-1", "job-2")
				between(t, start, 7*time.Second, 7*time.Second)
				checkUnfinished(t, err, context.Canceled, "job-1", "job-2")
				if !errors.Is(err, errWhy) || len(jobs) != 0 {
					t.Errorf("jobs %v, error %v", jobs, err)
				}
			})
		})
	}
}

func TestWaitForJobRefused(t *testing.T) {
	t.Parallel()
	lb := albOf(t, testConfig(newScript(t)))
	_, err := lb.WaitForJobs(soon(t))
	checkInvalid(t, err, "jobIDs is empty")
	_, err = lb.WaitForJob(soon(t), "")
	checkInvalid(t, err, "jobIDs")
	_, err = lb.WaitForJobs(soon(t), "job-1", "")
	checkInvalid(t, err, "jobIDs")
	for _, c := range []*alb.Client{nil, new(alb.Client)} {
		_, err = c.WaitForJob(soon(t), "job-1")
		checkInvalid(t, err, "not built with New")
	}
	for _, c := range []*elb.Client{nil, new(elb.Client)} {
		_, err = c.WaitForJob(soon(t), "job-1")
		checkInvalid(t, err, "not built with New")
		_, err = c.WaitForMemberCheck(soon(t), "job-1")
		checkInvalid(t, err, "not built with New")
	}
}

// TestWaitForJobs waits for all jobs, whatever becomes of the others.
func TestWaitForJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		o := &operations{t: t, steps: map[string][]step{"ListAsynJobs": {
			jobList(jobJSON("job-1", "Processing", ""), jobJSON("job-2", "Failed", "SystemBusy"), jobJSON("job-3", "Processing", "")),
			jobList(jobJSON("job-1", "Succeeded", ""), jobJSON("job-3", "Failed", "OperationDenied.Paid")),
		}}}
		jobs, err := albOf(t, testConfig(o)).WaitForJobs(soon(t), "job-3", "job-1", "job-2", "job-4")
		if len(jobs) != 3 || jobs[0].ID != "job-3" || jobs[1].ID != "job-1" || jobs[2].ID != "job-2" {
			t.Errorf("jobs %+v", jobs)
		}
		if !errors.Is(err, cloudlb.ErrJobFailed) || !errors.Is(err, cloudlb.ErrLost) || errors.Is(err, cloudlb.ErrUnfinished) {
			t.Errorf("error %v", err)
		}
		for _, want := range []string{"job job-2", "SystemBusy", "job job-3", "OperationDenied.Paid", "(job-4 after "} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q does not say %q", err, want)
			}
		}
		if w := waitError(t, err); !slices.Equal(w.Left, []string{"job-4"}) || w.Looks < 5 {
			t.Errorf("wait error %+v", w)
		}
		checkOneLine(t, err)
	})
}

// TestWaitsShareCalls: a thousand waits of one client, their calls counted.
func TestWaitsShareCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n, batch, longest = 1000, 20, time.Minute
		jobs := new(listedJobs)
		lb := albOf(t, testConfig(jobs))
		start := time.Now()
		var all sync.WaitGroup
		for i := range n {
			id := fmt.Sprintf("job-%04d", i)
			end := start.Add(2*time.Second + rand.N(longest))
			jobs.add(id, end)
			all.Go(func() {
				job, err := lb.WaitForJob(soon(t), id)
				if err != nil || job.ID != id || job.Status != alb.JobStatusSucceeded {
					t.Errorf("%s: %+v, %v", id, job, err)
				}
				if late := time.Since(end); late < 0 || late > jobInterval {
					t.Errorf("%s: the waiter returned %s after its end", id, late)
				}
			})
		}
		all.Wait()
		rounds := make(map[time.Time]int)
		for _, c := range jobs.calls {
			rounds[c.at]++
			if len(c.ids) > batch {
				t.Errorf("a call for %d jobs", len(c.ids))
			}
		}
		for at, calls := range rounds {
			left := 0
			for _, end := range jobs.ends {
				// A job that has ended may be in its last round.
				if at.Sub(end) < jobInterval {
					left++
				}
			}
			if most := (left + batch - 1) / batch; calls > most {
				t.Errorf("after %s: %d calls for %d jobs, want at most %d", at.Sub(start), calls, left, most)
			}
		}
		if len(rounds) > 20 {
			t.Errorf("%d rounds in %s", len(rounds), time.Since(start))
		}
		t.Logf("%d waits: %d rounds, %d calls", n, len(rounds), len(jobs.calls))
	})
}

// TestWaitersOfOneJob: fifty waits for a job are one job in the calls, and those
// that leave do not disturb the others.
func TestWaitersOfOneJob(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		jobs := new(listedJobs)
		lb := albOf(t, testConfig(jobs))
		start := time.Now()
		jobs.add("job-1", start.Add(20*time.Second))
		var all sync.WaitGroup
		for i := range 50 {
			all.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if i%2 == 0 { // the first among them
					time.AfterFunc(time.Duration(i+1)*300*time.Millisecond, cancel)
				}
				job, err := lb.WaitForJob(ctx, "job-1")
				if i%2 == 0 {
					checkUnfinished(t, err, context.Canceled, "job-1")
					between(t, start, time.Duration(i+1)*300*time.Millisecond, time.Duration(i+1)*300*time.Millisecond)
				} else if err != nil || job.Status != alb.JobStatusSucceeded {
					t.Errorf("waiter %d: %+v, %v", i, job, err)
				}
			})
		}
		all.Wait()
		between(t, start, 20*time.Second, 25*time.Second)
		for _, c := range jobs.calls {
			if !slices.Equal(c.ids, []string{"job-1"}) {
				t.Errorf("a call for %v", c.ids)
			}
		}
		if n := len(jobs.calls); n > 8 {
			t.Errorf("%d calls in 20 s", n)
		}
	})
}

// TestPollsUnderTheLimiter: polls wait for the account's budget as all calls do.
func TestPollsUnderTheLimiter(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const n, budget = 400, 5
		jobs := new(listedJobs)
		cfg := testConfig(jobs)
		cfg.Limiter = cloudlb.NewLimiter()
		cfg.Limiter.SetBudget("alb", "ListAsynJobs", cloudlb.Budget{Calls: budget, Per: time.Second})
		lb := albOf(t, cfg)
		end := time.Now().Add(20 * time.Second)
		var all sync.WaitGroup
		for i := range n {
			id := fmt.Sprint("job-", i)
			jobs.add(id, end)
			all.Go(func() {
				if _, err := lb.WaitForJob(soon(t), id); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for i := budget; i < len(jobs.calls); i++ {
			if d := jobs.calls[i].at.Sub(jobs.calls[i-budget].at); d < time.Second {
				t.Fatalf("%d calls in %s", budget+1, d)
			}
		}
		if d := time.Since(end); d > 10*time.Second {
			t.Errorf("the last returned %s after the end", d)
		}
	})
}

func TestWaitForJobProgress(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		jobs := new(listedJobs)
		jobs.add("job-1", time.Now().Add(8*time.Second))
		var got []string
		_, err := albOf(t, testConfig(jobs)).WaitForJob(soon(t), "job-1", cloudlb.WithProgress(func(p cloudlb.Progress) {
			got = append(got, fmt.Sprint(p.Looks, p.Done, p.Left))
		}))
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range got {
			want := fmt.Sprint(i+1, "[]", "[job-1]")
			if i == len(got)-1 {
				want = fmt.Sprint(i+1, "[job-1]", "[]")
			}
			if strings.ReplaceAll(p, " ", "") != strings.ReplaceAll(want, " ", "") {
				t.Errorf("report %q, want %q", p, want)
			}
		}
		if len(got) != len(jobs.calls) {
			t.Errorf("%d reports of %d polls", len(got), len(jobs.calls))
		}
	})
}

// TestResumeInAnotherClient: a job ID is all that a wait needs.
func TestResumeInAnotherClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New(fakecloud.WithJobDuration(10 * time.Second))
		group := newGroup(cloud)
		stored := func() string { // a process that ends after its call
			res := must[*alb.AddServersToServerGroupResponse](t)(albOf(t, cloud.Config()).AddServersToServerGroup(t.Context(), addOne(group)))
			return res.JobID
		}()
		<-time.After(time.Hour)
		lb := albOf(t, cloud.Config())
		job := must[alb.Job](t)(lb.WaitForJob(soon(t), stored))
		if job.ID != stored || job.Status != alb.JobStatusSucceeded {
			t.Errorf("job %+v", job)
		}
		must[[]alb.Server](t)(lb.WaitForServers(soon(t), group, []alb.ServerRef{{ServerID: "i-1", Port: 80}}))
	})
}

// TestLostReply: a crash between request and reply, a token that the caller
// chose, and the same request again are one and the same job.
func TestLostReply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New(fakecloud.WithJobDuration(10 * time.Second))
		group := newGroup(cloud)
		cfg := cloud.Config()
		cfg.HTTPClient = &http.Client{Transport: &dropsReplies{to: cloud, action: "AddServersToServerGroup", left: 1}}
		cfg.Retry = cloudlb.NoRetry()
		req := addOne(group)
		_, err := albOf(t, cfg).AddServersToServerGroup(t.Context(), req, cloudlb.WithClientToken("deploy-42-add"))
		if e := failure(t, err); e.Outcome != cloudlb.OutcomeUnknown || e.ClientToken != "deploy-42-add" {
			t.Fatalf("error %v", err)
		}

		<-time.After(3 * time.Second) // another process
		lb := albOf(t, cfg)
		first := must[*alb.AddServersToServerGroupResponse](t)(lb.AddServersToServerGroup(t.Context(), req, cloudlb.WithClientToken("deploy-42-add")))
		second := must[*alb.AddServersToServerGroupResponse](t)(lb.AddServersToServerGroup(t.Context(), req, cloudlb.WithClientToken("deploy-42-add")))
		if first.JobID == "" || first.JobID != second.JobID {
			t.Errorf("jobs %q and %q", first.JobID, second.JobID)
		}
		must[alb.Job](t)(lb.WaitForJob(soon(t), first.JobID))
		res := must[*alb.ListServerGroupServersResponse](t)(lb.ListServerGroupServers(t.Context(), alb.ListServerGroupServersRequest{ServerGroupID: group}))
		if len(res.Servers) != 1 {
			t.Errorf("servers %+v", res.Servers)
		}
		jobs := must[*alb.ListAsynJobsResponse](t)(lb.ListAsynJobs(t.Context(), alb.ListAsynJobsRequest{ResourceIDs: []string{group}}))
		if len(jobs.Jobs) != 1 {
			t.Errorf("%d jobs, want the one", len(jobs.Jobs))
		}
	})
}

// TestWaitForELBJob is every state of a job of ELB.
func TestWaitForELBJob(t *testing.T) {
	t.Parallel()
	state := func(status elb.JobStatus, code string) step {
		return ok(`{"request_id":"req-1","job":{"job_id":"job-1","status":%q,"job_type":"cloneLoadbalancer","resource_id":"lb-1","error_code":%q,"error_msg":"why"}}`, status, code)
	}
	gone := huaweiError(404, "ELB.8904", "not found")
	for _, c := range []struct {
		name  string
		steps []step
		is    []error
		says  string
		most  time.Duration
	}{
		{"success", []step{state(elb.JobStatusInit, ""), state(elb.JobStatusRunning, ""), state(elb.JobStatusSuccess, "")}, nil, "", 5 * time.Second},
		{"complete", []step{state(elb.JobStatusComplete, "")}, nil, "", time.Second},
		{"complete with an error", []step{state(elb.JobStatusComplete, "ELB.8905")}, []error{cloudlb.ErrJobFailed, cloudlb.ErrQuota}, "ELB.8905", time.Second},
		{"fail", []step{state(elb.JobStatusFail, "ELB.8905")}, []error{cloudlb.ErrJobFailed, cloudlb.ErrQuota}, "FAIL, cloneLoadbalancer of lb-1, job job-1", time.Second},
		{"rolled back badly", []step{state(elb.JobStatusRollbacking, ""), state(elb.JobStatusRollbackFail, "")}, []error{cloudlb.ErrJobFailed}, "ROLLBACK_FAIL", 5 * time.Second},
		{"cancelled", []step{state(elb.JobStatusCancel, "")}, []error{cloudlb.ErrJobFailed}, "CANCEL", time.Second},
		{"lost", []step{gone}, []error{cloudlb.ErrLost}, "job-1", jobLost + jobInterval},
		{"found late", []step{gone, gone, state(elb.JobStatusSuccess, "")}, nil, "", jobLost},
		{"denied", []step{huaweiError(403, "APIGW.0302", "no")}, []error{cloudlb.ErrDenied}, "job-1", time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				lb := elbOf(t, impatient(&operations{t: t, steps: map[string][]step{"GET jobs/job-1": c.steps}}), testProject)
				start := time.Now()
				job, err := lb.WaitForJob(soon(t), "job-1")
				between(t, start, 0, c.most)
				if len(c.is) == 0 && (err != nil || job.JobID != "job-1") {
					t.Errorf("job %+v, error %v", job, err)
				}
				for _, is := range c.is {
					if !errors.Is(err, is) || !strings.Contains(err.Error(), c.says) {
						t.Errorf("%v is not %v, or does not say %q", err, is, c.says)
					}
				}
			})
		})
	}
}

func TestWaitForMemberCheck(t *testing.T) {
	t.Parallel()
	state := func(status elb.MemberCheckStatus) step {
		return ok(`{"request_id":"req-1","member_check":{"job_id":"job-1","status":%q,"member_id":"m-1","result":{"acl":{"check_result":false}}}}`, status)
	}
	synctest.Test(t, func(t *testing.T) {
		o := &operations{t: t, steps: map[string][]step{}}
		lb := elbOf(t, testConfig(o), testProject)
		path := ""
		// The path is what ShowMemberHealthCheckJob sends.
		rec := new(recorder)
		if _, err := elbOf(t, testConfig(rec), testProject).ShowMemberHealthCheckJob(t.Context(), elb.ShowMemberHealthCheckJobRequest{JobID: "job-1"}); err == nil {
			t.Fatal("the recorder answers with an error")
		}
		path = operationOf(rec.last.Request)

		o.steps[path] = []step{state(elb.MemberCheckStatusProcessing), state(elb.MemberCheckStatusProcessed)}
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() {
				if check, err := lb.WaitForMemberCheck(soon(t), "job-1"); err != nil || check.MemberID != "m-1" {
					t.Errorf("check %+v, error %v", check, err)
				}
			})
		}
		all.Wait()
		if n := o.count(path); n != 2 {
			t.Errorf("%d calls for 50 waits of one job, want 2", n)
		}

		o.steps[path] = []step{state(elb.MemberCheckStatusFailed)}
		if _, err := lb.WaitForMemberCheck(soon(t), "job-1"); !errors.Is(err, cloudlb.ErrJobFailed) {
			t.Errorf("error %v", err)
		}
	})
}
