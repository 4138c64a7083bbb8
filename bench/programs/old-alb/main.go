// Command old-alb makes one call, with the vendor's older SDK, to the endpoint given as its
// argument, and none without one. It is built to see what its imports cost.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/alb"
)

func main() {
	if len(os.Args) < 2 {
		return
	}
	client, err := alb.NewClientWithAccessKey("cn-hangzhou", "EXAMPLEACCESSKEY0001", "EXAMPLEsecretEXAMPLEsecretEXAMPLE01")
	if err == nil {
		request := alb.CreateAddServersToServerGroupRequest()
		request.Scheme, request.Domain = "HTTP", strings.TrimPrefix(os.Args[1], "http://")
		request.ServerGroupId = "sgp-1"
		request.Servers = &[]alb.AddServersToServerGroupServers{{ServerId: "i-1", ServerType: "Ecs", Port: "80"}}
		_, err = client.AddServersToServerGroup(request)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
