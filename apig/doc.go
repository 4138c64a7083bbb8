// Package apig calls the VPC channels (load balance channels) of Huawei Cloud
// ROMA Connect and of the dedicated API Gateway (APIG), API version v2: channels,
// member groups and the members in them.
//
//	ch, err := apig.New(cfg, apig.WithProjectID(projectID)) // or apig.WithProduct(apig.APIGateway)
//	res, err := ch.AddVpcChannelMembers(ctx, apig.AddVpcChannelMembersRequest{
//		InstanceID:   instanceID,
//		VpcChannelID: channelID,
//		Members:      []apig.MemberSpec{{Host: "192.168.0.12", Port: 8080, Weight: new(1)}},
//	})
//
// AddVpcChannelMembers adds members, or updates those with the same address.
// ReplaceVpcChannelMembers replaces ALL members of the group it names, and of
// all groups when it names none.
//
// Weights are 0 to 10000. Two writers on one channel at the same time can both
// fail with APIG.9999; use one writer for each channel.
//
// All changes of members are repeated safely when an answer is lost.
package apig
