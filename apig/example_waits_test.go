package apig_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/fakecloud"
)

// start makes an emulated account with a health-checked channel of two members.
func start(product apig.Product) (gateway *apig.Client, channel string) {
	cloud := fakecloud.New(fakecloud.WithMemberInitial(10 * time.Millisecond))
	channel = cloud.AddVPCChannel(fakecloud.VPCChannel{
		InstanceID: "instance-1", HealthCheck: true, Members: []fakecloud.ChannelMember{
			{ID: "member-1", Host: "192.0.2.1", Port: 80}, {ID: "member-2", Host: "192.0.2.2", Port: 80, Disabled: true},
		},
	})
	gateway, err := apig.New(cloud.Config(), apig.WithProjectID(cloud.ProjectID()), apig.WithProduct(product))
	if err != nil {
		panic(err)
	}
	return gateway, channel
}

func ExampleClient_WaitForMembers() {
	gateway, channel := start(apig.ROMAConnect)
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	_, err := gateway.BatchEnableVpcChannelMembers(ctx, apig.BatchEnableVpcChannelMembersRequest{
		InstanceID: "instance-1", VpcChannelID: channel, MemberIDs: []string{"member-2"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	members, err := gateway.WaitForMembers(ctx, "instance-1", channel, []apig.MemberRef{{Host: "192.0.2.2", Port: 80}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(members[0].ID, members[0].Status == apig.MemberStatusAvailable)
	// Output: member-2 true
}

func ExampleClient_WaitHealthy() {
	gateway, channel := start(apig.APIGateway)
	ctx := context.Background()
	fmt.Println(gateway.WaitHealthy(ctx, "instance-1", channel, []apig.MemberRef{{ID: "member-1"}}))

	// A disabled member does not become healthy: enable it first.
	err := gateway.WaitHealthy(ctx, "instance-1", channel, []apig.MemberRef{{ID: "member-2"}})
	fmt.Println(errors.Is(err, cloudlb.ErrInvalid))

	// ROMA Connect does not report health at all.
	roma, channel := start(apig.ROMAConnect)
	err = roma.WaitHealthy(ctx, "instance-1", channel, []apig.MemberRef{{ID: "member-1"}})
	fmt.Println(errors.Is(err, cloudlb.ErrInvalid))
	// Output:
	// <nil>
	// true
	// true
}
