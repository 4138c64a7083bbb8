// Command apig-members adds members to a VPC channel of ROMA Connect, takes one
// of them out of service without removing it, and lists them.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/fakecloud"
)

const instance = "eddc4d25480b4cd6b512f270a1b8b341"

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	cloud := fakecloud.New()
	// For the real service, instead of the next two lines (and the one above):
	//	cfg := cloudlb.Config{Region: "cn-north-4", Credentials: cloudlb.StaticCredentials(ak, sk, "")}
	//	channel := "56a7d7358e1b42459c9d..."
	cfg := cloud.Config()
	channel := cloud.AddVPCChannel(fakecloud.VPCChannel{InstanceID: instance})

	gw, err := apig.New(cfg) // API Gateway instead of ROMA Connect: apig.WithProduct(apig.APIGateway)
	if err != nil {
		log.Fatal(err)
	}
	added, err := gw.AddVpcChannelMembers(ctx, apig.AddVpcChannelMembersRequest{
		InstanceID: instance, VpcChannelID: channel,
		Members: []apig.MemberSpec{
			{Host: "10.0.8.41", Port: 8000, Weight: new(10)},
			{Host: "10.0.8.42", Port: 8000, Weight: new(10)},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := gw.BatchDisableVpcChannelMembers(ctx, apig.BatchDisableVpcChannelMembersRequest{
		InstanceID: instance, VpcChannelID: channel, MemberIDs: []string{added.Members[1].ID},
	}); err != nil {
		log.Fatal(err)
	}

	list, err := gw.ListVpcChannelMembers(ctx, apig.ListVpcChannelMembersRequest{InstanceID: instance, VpcChannelID: channel})
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range list.Members {
		fmt.Printf("%s:%d weight %d available %t\n", m.Host, m.Port, m.Weight, m.Status == apig.MemberStatusAvailable)
	}
}
