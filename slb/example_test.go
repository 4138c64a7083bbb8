package slb_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/slb"
)

// Requests load from JSON with the vendor's names: also from the JSON string
// that the vendor's documentation shows, numbers as strings included.
func ExampleClient_AddVServerGroupBackendServers() {
	cloud := fakecloud.New()
	group := cloud.AddVServerGroup(fakecloud.VServerGroup{ID: "rsp-cige6j8c0001"})
	cloud.AddInstance("i-bp67acfmxazb4p0001")
	lb, err := slb.New(cloud.Config())
	if err != nil {
		panic(err)
	}
	var req slb.AddVServerGroupBackendServersRequest
	if err := json.Unmarshal([]byte(`{
		"VServerGroupId": "rsp-cige6j8c0001",
		"BackendServers": "[{\"ServerId\":\"i-bp67acfmxazb4p0001\",\"Weight\":\"0\",\"Type\":\"ecs\",\"Port\":\"80\"}]"
	}`), &req); err != nil {
		fmt.Println(err)
		return
	}
	res, err := lb.AddVServerGroupBackendServers(context.Background(), req)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, s := range res.BackendServers {
		fmt.Println(res.VServerGroupID == group, s.ServerID, s.Port, s.Weight)
	}
	// Output: true i-bp67acfmxazb4p0001 80 0
}

func ExampleClient_LoadBalancers() {
	cfg := fakecloud.New().Config()
	cfg.HTTPClient = &http.Client{Transport: answer(`{
		"RequestId": "365F4154-92F6-4AE4-92F8-7FF34B540710", "PageNumber": 1, "PageSize": 100, "TotalCount": 2,
		"LoadBalancers": {"LoadBalancer": [{"LoadBalancerId": "lb-1"}, {"LoadBalancerId": "lb-2"}]}
	}`)}
	lb, err := slb.New(cfg)
	if err != nil {
		panic(err)
	}
	for balancer, err := range lb.LoadBalancers(context.Background(), slb.DescribeLoadBalancersRequest{}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(balancer.LoadBalancerID)
	}
	// Output:
	// lb-1
	// lb-2
}

// answer is a service that has one answer.
type answer string

func (a answer) RoundTrip(r *http.Request) (*http.Response, error) {
	h := http.Header{"Content-Type": {"application/json"}}
	return &http.Response{StatusCode: http.StatusOK, Header: h, Body: io.NopCloser(strings.NewReader(string(a))), Request: r}, nil
}
