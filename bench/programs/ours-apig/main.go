// Command ours-apig makes one call, with cloudlb, to the endpoint given as its
// argument, and none without one. It is built to see what its imports cost.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/apig"
)

func main() {
	if len(os.Args) < 2 {
		return
	}
	client, err := apig.New(cloudlb.Config{
		Region: "cn-hangzhou", Endpoint: os.Args[1], AllowHTTP: true,
		Credentials: cloudlb.StaticCredentials("EXAMPLEACCESSKEY0001", "EXAMPLEsecretEXAMPLEsecretEXAMPLE01", ""),
	}, apig.WithProjectID("0123456789abcdef0123456789abcdef"))
	if err == nil {
		_, err = client.AddVpcChannelMembers(context.Background(), apig.AddVpcChannelMembersRequest{
			InstanceID: "i", VpcChannelID: "c", Members: []apig.MemberSpec{{Host: "10.0.0.1", Port: 80}},
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
