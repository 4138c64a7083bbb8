package alb_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/fakecloud"
)

func ExampleClient_AddServersToServerGroup() {
	cloud := fakecloud.New()
	group := cloud.AddServerGroup(fakecloud.ServerGroup{})
	lb, err := alb.New(cloud.Config())
	if err != nil {
		panic(err)
	}
	res, err := lb.AddServersToServerGroup(context.Background(), alb.AddServersToServerGroupRequest{
		ServerGroupID: group,
		Servers: []alb.AddedServer{
			{ServerID: "i-bp67acfmxazb4p0001", ServerType: alb.ServerTypeEcs, Port: 8080},
			{ServerID: "i-bp67acfmxazb4p0002", ServerType: alb.ServerTypeEcs, Port: 8080, Weight: new(0)}, // in, but idle
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(res.JobID != "", res.Attempts, len(res.ClientToken))
	// Output: true 1 32
}

// A request that cannot be right is not sent; the error names every field.
func ExampleClient_AddServersToServerGroup_invalid() {
	cloud := fakecloud.New()
	lb, err := alb.New(cloud.Config())
	if err != nil {
		panic(err)
	}
	_, err = lb.AddServersToServerGroup(context.Background(), alb.AddServersToServerGroupRequest{
		Servers: []alb.AddedServer{{ServerID: "i-1", ServerType: alb.ServerTypeEcs, Port: 80, Weight: new(101)}},
	})
	if invalid, ok := errors.AsType[*cloudlb.ValidationError](err); ok {
		for _, p := range invalid.Problems {
			fmt.Println(p.Field, p.Message)
		}
	}
	fmt.Println(len(cloud.Requests()), "requests sent")
	// Output:
	// ServerGroupId is required
	// Servers[0].Weight is 101, must be from 0 to 100
	// 0 requests sent
}

func ExampleClient_ServerGroupServers() {
	cloud := fakecloud.New()
	group := cloud.AddServerGroup(fakecloud.ServerGroup{Servers: []fakecloud.BackendServer{
		{ID: "i-1", Port: 80}, {ID: "i-2", Port: 80, Weight: new(0)},
	}})
	lb, err := alb.New(cloud.Config())
	if err != nil {
		panic(err)
	}
	for server, err := range lb.ServerGroupServers(context.Background(), alb.ListServerGroupServersRequest{ServerGroupID: group}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(server.ServerID, server.Port, server.Weight)
	}
	// Output:
	// i-1 80 100
	// i-2 80 0
}
