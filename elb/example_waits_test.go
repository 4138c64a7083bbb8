package elb_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
)

// start makes an emulated account with a health-checked pool of one member, and
// a client for it.
func start() (lb *elb.Client, pool string) {
	cloud := fakecloud.New(fakecloud.WithMemberInitial(10 * time.Millisecond))
	pool = cloud.AddPool(fakecloud.Pool{
		HealthMonitorID: "monitor-1", Members: []fakecloud.PoolMember{{ID: "member-1", Address: "192.0.2.1", Port: 80}},
	})
	lb, err := elb.New(cloud.Config(), elb.WithProjectID(cloud.ProjectID()))
	if err != nil {
		panic(err)
	}
	return lb, pool
}

func ExampleClient_WaitForMembers() {
	lb, pool := start()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	res, err := lb.BatchCreateMembers(ctx, elb.BatchCreateMembersRequest{
		PoolID: pool, Members: []elb.BatchMemberSpec{{Address: "192.0.2.2", ProtocolPort: 80}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	members, err := lb.WaitForMembers(ctx, pool, []elb.MemberRef{
		{ID: res.Members[0].ID},
		{Address: "192.0.2.1", ProtocolPort: new(80)},
	})
	for _, m := range members {
		fmt.Println(m.Address, m.OperatingStatus)
	}
	fmt.Println(err)
	// Output:
	// 192.0.2.2 ONLINE
	// 192.0.2.1 ONLINE
	// <nil>
}

func ExampleClient_WaitForMembersGone() {
	lb, pool := start()
	ctx := context.Background()
	if _, err := lb.DeleteMember(ctx, elb.DeleteMemberRequest{PoolID: pool, MemberID: "member-1"}); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(lb.WaitForMembersGone(ctx, pool, []elb.MemberRef{{ID: "member-1"}}))
	// Output: <nil>
}

func ExampleClient_WaitHealthy() {
	lb, pool := start()
	err := lb.WaitHealthy(context.Background(), pool, []elb.MemberRef{{ID: "member-1"}},
		cloudlb.WithProgress(func(p cloudlb.Progress) { fmt.Println("healthy:", p.Done, "not yet:", p.Left) }))
	fmt.Println(err)
	// Output:
	// healthy: [member-1] not yet: []
	// <nil>
}

// reply is a client for a service that has only one thing to say.
func reply(body string) *elb.Client {
	lb, err := elb.New(cloudlb.Config{
		Region: "cn-north-4", Credentials: cloudlb.StaticCredentials("key", "secret", ""),
		HTTPClient: &http.Client{Transport: always(body)},
	}, elb.WithProjectID("0123456789abcdef0123456789abcdef"))
	if err != nil {
		panic(err)
	}
	return lb
}

type always string

func (a always) RoundTrip(req *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(string(a))), ContentLength: int64(len(a)), Request: req,
	}, nil
}

func ExampleClient_WaitForLoadBalancer() {
	lb := reply(`{"statuses":{"loadbalancer":{"id":"lb-1","provisioning_status":"ACTIVE","operating_status":"ONLINE"}}}`)
	found, err := lb.WaitForLoadBalancer(context.Background(), "lb-1")
	fmt.Println(found.ProvisioningStatus, found.OperatingStatus, err)
	// Output: ACTIVE ONLINE <nil>
}

func ExampleClient_WaitForJob() {
	lb := reply(`{"job":{"job_id":"job-1","job_type":"cloneLoadbalancer","resource_id":"lb-1","status":"SUCCESS"}}`)
	job, err := lb.WaitForJob(context.Background(), "job-1")
	fmt.Println(job.JobType, job.Status, err)
	// Output: cloneLoadbalancer SUCCESS <nil>
}

func ExampleClient_WaitForMemberCheck() {
	lb := reply(`{"member_check":{"job_id":"job-1","status":"processed","result":{"security_group":{"check_result":false,
		"check_items":[{"reason":"the security group lets no health checks in"}]}}}}`)
	check, err := lb.WaitForMemberCheck(context.Background(), "job-1") // of CreateMemberHealthCheckJob
	if err != nil {
		fmt.Println(err)
		return
	}
	if group := check.Result.SecurityGroup; !group.CheckResult {
		fmt.Println(group.CheckItems[0].Reason)
	}
	// Output: the security group lets no health checks in
}
