package slb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/slb"
)

func ExampleClient_WaitForVServerGroup() {
	cloud := fakecloud.New(fakecloud.WithConfiguringWindow(100 * time.Millisecond))
	group := cloud.AddVServerGroup(fakecloud.VServerGroup{Name: "web"})
	lb, err := slb.New(cloud.Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err = lb.AddVServerGroupBackendServers(ctx, slb.AddVServerGroupBackendServersRequest{
		VServerGroupID: group, BackendServers: slb.BackendServerSpecList{{ServerID: "i-1", Port: 80}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(lb.WaitForVServerGroup(ctx, group))
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
	lb, err := slb.New(cloudlb.Config{
		Region: "cn-hangzhou", Credentials: cloudlb.StaticCredentials("key", "secret", ""),
		HTTPClient: &http.Client{Transport: replies{
			"DescribeVServerGroupAttribute": `{"RequestId":"1","VServerGroupId":"rsp-web","LoadBalancerId":"lb-1","BackendServers":{"BackendServer":[
				{"ServerId":"i-1","Port":80,"Weight":100},
				{"ServerId":"i-2","Port":80,"Weight":0}]}}`,
			"DescribeHealthStatus": `{"RequestId":"2","BackendServers":{"BackendServer":[
				{"ServerId":"i-1","Port":80,"ListenerPort":443,"ServerHealthStatus":"normal"},
				{"ServerId":"i-2","Port":80,"ListenerPort":443,"ServerHealthStatus":"normal"}]}}`,
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	at := slb.HealthTarget{LoadBalancerID: "lb-1", VServerGroupID: "rsp-web", ListenerPort: 443}
	fmt.Println(lb.WaitHealthy(ctx, at, []slb.ServerRef{{ServerID: "i-1", Port: 80}}))

	// What SLB reports of a server of weight 0 says nothing about its health.
	err = lb.WaitHealthy(ctx, at, []slb.ServerRef{{ServerID: "i-2", Port: 80}})
	fmt.Println(errors.Is(err, cloudlb.ErrInvalid))
	// Output:
	// <nil>
	// true
}
