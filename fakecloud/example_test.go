package fakecloud_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/fakecloud"
)

func Example() {
	cloud := fakecloud.New()
	group := cloud.AddServerGroup(fakecloud.ServerGroup{
		Servers: []fakecloud.BackendServer{{ID: "i-1", Port: 80}},
	})
	lb, err := alb.New(cloud.Config())
	if err != nil {
		fmt.Println(err)
		return
	}
	// The server is there already: the emulator says what ALB says.
	_, err = lb.AddServersToServerGroup(context.Background(), alb.AddServersToServerGroupRequest{
		ServerGroupID: group,
		Servers:       []alb.AddedServer{{ServerID: "i-1", ServerType: alb.ServerTypeEcs, Port: 80}},
	})
	fmt.Println(errors.Is(err, cloudlb.ErrAlreadyExists))
	fmt.Println(cloud.Calls("alb", "AddServersToServerGroup"), cloud.Requests()[0].Code)
	// Output:
	// true
	// 1 Conflict.BackendServer
}
