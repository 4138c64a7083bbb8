package apig_test

import (
	"context"
	"fmt"

	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/fakecloud"
)

func ExampleClient_VpcChannelMembers() {
	cloud := fakecloud.New()
	channel := cloud.AddVPCChannel(fakecloud.VPCChannel{InstanceID: "instance-1", MemberType: "ip"})
	ch, err := apig.New(cloud.Config(), apig.WithProjectID(cloud.ProjectID()))
	if err != nil {
		panic(err)
	}
	ctx := context.Background()
	if _, err := ch.AddVpcChannelMembers(ctx, apig.AddVpcChannelMembersRequest{
		InstanceID:   "instance-1",
		VpcChannelID: channel,
		Members: []apig.MemberSpec{
			{Host: "192.168.0.12", Port: 8080, Weight: new(1)},
			{Host: "192.168.0.13", Port: 8080, Weight: new(0)},
		},
	}); err != nil {
		fmt.Println(err)
		return
	}
	for m, err := range ch.VpcChannelMembers(ctx, apig.ListVpcChannelMembersRequest{InstanceID: "instance-1", VpcChannelID: channel}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(m.Host, m.Port, m.Weight)
	}
	// Output:
	// 192.168.0.12 8080 1
	// 192.168.0.13 8080 0
}
