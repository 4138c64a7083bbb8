// Command ours-elb makes one call, with cloudlb, to the endpoint given as its
// argument, and none without one. It is built to see what its imports cost.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/elb"
)

func main() {
	if len(os.Args) < 2 {
		return
	}
	client, err := elb.New(cloudlb.Config{
		Region: "cn-hangzhou", Endpoint: os.Args[1], AllowHTTP: true,
		Credentials: cloudlb.StaticCredentials("EXAMPLEACCESSKEY0001", "EXAMPLEsecretEXAMPLEsecretEXAMPLE01", ""),
	}, elb.WithProjectID("0123456789abcdef0123456789abcdef"))
	if err == nil {
		_, err = client.BatchCreateMembers(context.Background(), elb.BatchCreateMembersRequest{
			PoolID: "pool-1", Members: []elb.BatchMemberSpec{{Address: "10.0.0.1", ProtocolPort: 80}},
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
