package fakecloud_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/fakecloud"
)

// servers are the weights and states of the ALB group, by ID.
func (b *bench) servers(t *testing.T) string {
	t.Helper()
	r, err := b.alb.ListServerGroupServers(t.Context(), alb.ListServerGroupServersRequest{ServerGroupID: b.group})
	if err != nil {
		t.Fatal(err)
	}
	out := ""
	for _, s := range r.Servers {
		out += fmt.Sprintf("%s %d %s, ", s.ServerID, s.Weight, s.Status)
	}
	return out
}

// change starts a job on the ALB group and returns its ID.
func (b *bench) change(t *testing.T, kind string, opts ...cloudlb.CallOption) string {
	t.Helper()
	added := []alb.AddedServer{{ServerID: "i-1", ServerType: alb.ServerTypeEcs, Port: 80}}
	job, err := "", error(nil)
	switch kind {
	case "add":
		var r *alb.AddServersToServerGroupResponse
		if r, err = b.alb.AddServersToServerGroup(t.Context(), alb.AddServersToServerGroupRequest{ServerGroupID: b.group, Servers: added}, opts...); err == nil {
			job = r.JobID
		}
	case "remove":
		var r *alb.RemoveServersFromServerGroupResponse
		r, err = b.alb.RemoveServersFromServerGroup(t.Context(), alb.RemoveServersFromServerGroupRequest{
			ServerGroupID: b.group, Servers: []alb.RemovedServer{{ServerID: "i-0", ServerType: alb.ServerTypeEcs, Port: 80}},
		}, opts...)
		if err == nil {
			job = r.JobID
		}
	case "replace":
		var r *alb.ReplaceServersInServerGroupResponse
		r, err = b.alb.ReplaceServersInServerGroup(t.Context(), alb.ReplaceServersInServerGroupRequest{
			ServerGroupID:  b.group,
			AddedServers:   []alb.ReplacementServer{{ServerID: "i-1", ServerType: alb.ServerTypeEcs, Port: 80}},
			RemovedServers: []alb.ReplacedServer{{ServerID: "i-0", ServerType: alb.ServerTypeEcs, Port: 80}},
		}, opts...)
		if err == nil {
			job = r.JobID
		}
	case "update":
		var r *alb.UpdateServerGroupServersAttributeResponse
		weight := 7
		r, err = b.alb.UpdateServerGroupServersAttribute(t.Context(), alb.UpdateServerGroupServersAttributeRequest{
			ServerGroupID: b.group, Servers: []alb.UpdatedServer{{ServerID: "i-0", ServerType: alb.ServerTypeEcs, Port: 80, Weight: &weight}},
		}, opts...)
		if err == nil {
			job = r.JobID
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return job
}

func TestJobFails(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"add", "remove", "replace", "update"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				f := b.cloud.Inject(fakecloud.Fault{Times: 1, Effect: fakecloud.JobFails("SystemBusy", "Too much to do.")})
				before := b.servers(t)
				job := b.change(t, kind)
				_, err := b.alb.WaitForJob(t.Context(), job)
				var e *cloudlb.Error
				if !errors.Is(err, cloudlb.ErrJobFailed) || !errors.As(err, &e) || e.Code != "SystemBusy" {
					t.Error(err)
				}
				equal(t, "servers", b.servers(t), before)
				equal(t, "hits", f.Count(), 1)
				job = b.change(t, kind)
				if _, err := b.alb.WaitForJob(t.Context(), job); err != nil {
					t.Error(err)
				}
				if b.servers(t) == before {
					t.Error("nothing has changed")
				}
			})
		})
	}
}

func TestJobOfCreationFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := virtual(t)
		cloud.Inject(fakecloud.Fault{Operation: "CreateServerGroup", Effect: fakecloud.JobFails("X", "")})
		cloud.Inject(fakecloud.Fault{Operation: "DeleteServerGroup", Effect: fakecloud.JobFails("Y", "")})
		r := c.alb("CreateServerGroup", fields{
			"ServerGroupName": "web", "VpcId": "vpc-1", "HealthCheckConfig": fields{"HealthCheckEnabled": "false"},
		})
		want(t, r, 200, "")
		advance(time.Minute)
		equal(t, "groups", c.alb("ListServerGroups", nil).at("TotalCount"), 0)
		group := cloud.AddServerGroup(fakecloud.ServerGroup{})
		rename := cloud.Inject(fakecloud.Fault{Operation: "UpdateServerGroupAttribute", Effect: fakecloud.JobFails("Z", "")})
		want(t, c.alb("UpdateServerGroupAttribute", fields{"ServerGroupId": group, "ServerGroupName": "renamed"}), 200, "")
		want(t, c.alb("TagResources", fields{
			"ResourceType": "servergroup", "ResourceId": []string{group}, "Tag": []fields{{"Key": "k", "Value": "v"}},
		}), 200, "")
		advance(time.Minute)
		renamed := c.alb("ListServerGroups", nil)
		equal(t, "hits", rename.Count(), 1)
		if renamed.at("ServerGroups", 0, "ServerGroupName") == "renamed" || renamed.at("ServerGroups", 0, "Tags", 0, "Key") != "k" {
			t.Errorf("%v", renamed.body)
		}
		want(t, c.alb("DeleteServerGroup", fields{"ServerGroupId": group}), 200, "")
		advance(time.Minute)
		list := c.alb("ListServerGroups", nil)
		equal(t, "groups", list.at("TotalCount"), 1)
		equal(t, "status", list.at("ServerGroups", 0, "ServerGroupStatus"), "Available")
	})
}

func TestJobNeverEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.cloud.Inject(fakecloud.Fault{Effect: fakecloud.JobNeverEnds()})
		job := b.change(t, "add")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		if _, err := b.alb.WaitForJob(ctx, job); !errors.Is(err, cloudlb.ErrUnfinished) {
			t.Error(err)
		}
		if err := b.add(t.Context(), "alb", 2); !errors.Is(err, cloudlb.ErrBusy) {
			t.Error(err)
		}
		equal(t, "servers", b.servers(t), "i-0 100 Available, i-1 100 Adding, ")
	})
}

func TestJobVanishes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.cloud.Inject(fakecloud.Fault{Effect: fakecloud.JobVanishes()})
		job := b.change(t, "add")
		if _, err := b.alb.WaitForJob(t.Context(), job); !errors.Is(err, cloudlb.ErrLost) {
			t.Error(err)
		}
		equal(t, "servers", b.servers(t), "i-0 100 Available, i-1 100 Available, ")
	})
}

// TestJobFaultsNeedJobs: dry runs, refusals and repeated tokens start no job,
// so they do not use a fault up.
func TestJobFaultsNeedJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.change(t, "add", cloudlb.WithClientToken("token"))
		f := b.cloud.Inject(fakecloud.Fault{Times: 1, Effect: fakecloud.JobVanishes()})
		b.change(t, "add", cloudlb.WithClientToken("token"))
		if err := b.add(t.Context(), "alb", 2); !errors.Is(err, cloudlb.ErrBusy) {
			t.Error(err)
		}
		equal(t, "hits", f.Count(), 0)
		advance(time.Minute)
		b.change(t, "remove")
		equal(t, "hits", f.Count(), 1)
	})
}

func TestJobExpiry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil, fakecloud.WithJobDuration(2*time.Second), fakecloud.WithJobExpiry(time.Hour))
		jobs := func(ids ...string) int {
			t.Helper()
			r, err := b.alb.ListAsynJobs(t.Context(), alb.ListAsynJobsRequest{JobIDs: ids})
			if err != nil {
				t.Fatal(err)
			}
			return len(r.Jobs)
		}
		one := b.change(t, "add")
		advance(time.Hour + 2*time.Second - 1)
		equal(t, "all", jobs(), 1)
		equal(t, "one", jobs(one, one, "unknown"), 1)
		two := b.change(t, "remove")
		equal(t, "all", jobs(), 2)
		advance(1)
		equal(t, "all", jobs(), 1)
		equal(t, "one", jobs(one), 0)
		equal(t, "two", jobs(one, two), 1)
	})
}

func TestClientTokenTime(t *testing.T) {
	t.Parallel()
	token := cloudlb.WithClientToken("token")
	tests := []struct {
		name string
		opts []fakecloud.Option
		slow time.Duration
		want string // of the same request again and again, once a second
	}{
		{name: "at once, for good", want: "same same same same same same"},
		{name: "processing", opts: []fakecloud.Option{fakecloud.WithTokenProcessing(2500 * time.Millisecond)}, want: "busy busy same same same same"},
		{name: "slow", slow: 1500 * time.Millisecond, want: "busy same same same same same"},
		{name: "forgotten", opts: []fakecloud.Option{fakecloud.WithTokenLife(3 * time.Second), fakecloud.WithJobDuration(time.Second)}, want: "same same Conflict.BackendServer Conflict.BackendServer Conflict.BackendServer Conflict.BackendServer"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil, tt.opts...)
				if tt.slow > 0 {
					b.cloud.Inject(fakecloud.Fault{Times: 1, Effect: fakecloud.Slow(tt.slow)})
				}
				first := make(chan string, 1)
				start := time.Now()
				go func() {
					r, err := b.alb.AddServersToServerGroup(t.Context(), alb.AddServersToServerGroupRequest{
						ServerGroupID: b.group, Servers: []alb.AddedServer{{ServerID: "i-1", ServerType: alb.ServerTypeEcs, Port: 80}},
					}, token)
					if err != nil {
						t.Error(err)
						first <- ""
						return
					}
					first <- r.JobID
				}()
				advance(time.Second)
				got, jobs := "", map[string]bool{}
				for range 6 {
					r, err := b.alb.AddServersToServerGroup(t.Context(), alb.AddServersToServerGroupRequest{
						ServerGroupID: b.group, Servers: []alb.AddedServer{{ServerID: "i-1", ServerType: alb.ServerTypeEcs, Port: 80}},
					}, token)
					var e *cloudlb.Error
					switch {
					case err == nil:
						got += "same "
						jobs[r.JobID] = true
					case errors.As(err, &e) && e.Code == "IdempotenceProcessing":
						got += "busy "
					case errors.As(err, &e):
						got += e.Code + " "
					}
					advance(time.Second)
				}
				equal(t, "answers", got, tt.want+" ")
				jobs[<-first] = true
				equal(t, "jobs", len(jobs), 1)
				equal(t, "time", time.Since(start), 7*time.Second)
			})
		})
	}
}
