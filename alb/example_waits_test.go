package alb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/fakecloud"
)

// start makes an emulated account with a server group of one server, and a
// client for it.
func start() (lb *alb.Client, group string) {
	cloud := fakecloud.New(fakecloud.WithJobDuration(10 * time.Millisecond))
	group = cloud.AddServerGroup(fakecloud.ServerGroup{
		ID: "sgp-web", Name: "web", Servers: []fakecloud.BackendServer{{ID: "i-1", Port: 80}},
	})
	lb, err := alb.New(cloud.Config())
	if err != nil {
		panic(err)
	}
	return lb, group
}

func ExampleClient_WaitForJob() {
	lb, group := start()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	res, err := lb.AddServersToServerGroup(ctx, alb.AddServersToServerGroupRequest{
		ServerGroupID: group,
		Servers:       []alb.AddedServer{{ServerID: "i-2", ServerType: alb.ServerTypeEcs, Port: 80}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	// res.JobID is all that a wait needs: another process can do it, too.
	job, err := lb.WaitForJob(ctx, res.JobID)
	switch {
	case errors.Is(err, cloudlb.ErrJobFailed):
		fmt.Println("it was carried out and failed:", job.ErrorCode)
	case errors.Is(err, cloudlb.ErrLost):
		fmt.Println("ALB does not know it: read the servers with WaitForServers")
	case errors.Is(err, cloudlb.ErrUnfinished):
		fmt.Println("it goes on: wait again")
	case err != nil:
		fmt.Println("it could not be asked for:", err)
	default:
		fmt.Println(job.APIName, job.Status)
	}
	// Output: AddServersToServerGroup Succeeded
}

func ExampleClient_WaitForJobs() {
	lb, group := start()
	ctx := context.Background()
	second, err := lb.CreateServerGroup(ctx, alb.CreateServerGroupRequest{
		ServerGroupName: "api", VpcID: "vpc-1", HealthCheckConfig: alb.HealthCheckConfigSpec{HealthCheckEnabled: false},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	first, err := lb.RemoveServersFromServerGroup(ctx, alb.RemoveServersFromServerGroupRequest{
		ServerGroupID: group,
		Servers:       []alb.RemovedServer{{ServerID: "i-1", ServerType: alb.ServerTypeEcs, Port: 80}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	jobs, err := lb.WaitForJobs(ctx, first.JobID, second.JobID) // one call asks for both
	for _, job := range jobs {
		fmt.Println(job.APIName, job.Status)
	}
	fmt.Println(err)
	// Output:
	// RemoveServersFromServerGroup Succeeded
	// CreateServerGroup Succeeded
	// <nil>
}

func ExampleClient_WaitForServerGroup() {
	lb, group := start()
	found, err := lb.WaitForServerGroup(context.Background(), group)
	fmt.Println(found.ServerGroupName, found.ServerGroupStatus, err)
	// Output: web Available <nil>
}

func ExampleClient_WaitForServers() {
	lb, group := start()
	ctx := context.Background()
	_, err := lb.AddServersToServerGroup(ctx, alb.AddServersToServerGroupRequest{
		ServerGroupID: group,
		Servers:       []alb.AddedServer{{ServerID: "i-2", ServerType: alb.ServerTypeEcs, Port: 80, Weight: new(10)}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	servers, err := lb.WaitForServers(ctx, group, []alb.ServerRef{{ServerID: "i-2", Port: 80}},
		cloudlb.WithProgress(func(p cloudlb.Progress) { fmt.Println("done:", p.Done, "left:", p.Left) }))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(servers[0].Status, servers[0].Weight)
	// Output:
	// done: [i-2:80] left: []
	// Available 10
}

func ExampleClient_WaitForServersGone() {
	lb, group := start()
	ctx := context.Background()
	_, err := lb.RemoveServersFromServerGroup(ctx, alb.RemoveServersFromServerGroupRequest{
		ServerGroupID: group,
		Servers:       []alb.RemovedServer{{ServerID: "i-1", ServerType: alb.ServerTypeEcs, Port: 80}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(lb.WaitForServersGone(ctx, group, []alb.ServerRef{{ServerID: "i-1", Port: 80}}))
	// Output: <nil>
}

// replies answers each operation with a fixed reply.
type replies map[string]string

func (r replies) RoundTrip(req *http.Request) (*http.Response, error) {
	body := r[req.Header.Get("X-Acs-Action")]
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: req,
	}, nil
}

func ExampleClient_WaitHealthy() {
	lb, err := alb.New(cloudlb.Config{
		Region: "cn-hangzhou", Credentials: cloudlb.StaticCredentials("key", "secret", ""),
		HTTPClient: &http.Client{Transport: replies{
			"ListServerGroupServers": `{"RequestId":"1","Servers":[
				{"ServerId":"i-1","Port":80,"Weight":100,"Status":"Available"},
				{"ServerId":"i-2","Port":80,"Weight":0,"Status":"Available"}]}`,
			"GetListenerHealthStatus": `{"RequestId":"2","ListenerHealthStatus":[{"ListenerId":"lsn-1","ServerGroupInfos":[
				{"ServerGroupId":"sgp-web","HealthCheckEnabled":"on","NonNormalServers":[]}]}]}`,
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	fmt.Println(lb.WaitHealthy(ctx, "lsn-1", "sgp-web", []alb.ServerRef{{ServerID: "i-1", Port: 80}}))

	// A server of weight 0 is not health-checked: no wait could end well.
	err = lb.WaitHealthy(ctx, "lsn-1", "sgp-web", []alb.ServerRef{{ServerID: "i-2", Port: 80}})
	fmt.Println(errors.Is(err, cloudlb.ErrInvalid))
	// Output:
	// <nil>
	// true
}
