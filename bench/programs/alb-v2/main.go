// Command alb-v2 makes one call, with the vendor's ALB client, to the endpoint given as its
// argument, and none without one. It is built to see what its imports cost.
package main

import (
	"fmt"
	"os"
	"strings"

	alb "github.com/alibabacloud-go/alb-20200616/v2/client"
	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
)

func main() {
	if len(os.Args) < 2 {
		return
	}
	client, err := alb.NewClient(&openapi.Config{
		AccessKeyId: new("EXAMPLEACCESSKEY0001"), AccessKeySecret: new("EXAMPLEsecretEXAMPLEsecretEXAMPLE01"),
		RegionId: new("cn-hangzhou"), Protocol: new("http"), Endpoint: new(strings.TrimPrefix(os.Args[1], "http://")),
	})
	if err == nil {
		_, err = client.AddServersToServerGroup(&alb.AddServersToServerGroupRequest{
			ServerGroupId: new("sgp-1"),
			Servers:       []*alb.AddServersToServerGroupRequestServers{{ServerId: new("i-1"), ServerType: new("Ecs"), Port: new(int32(80))}},
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
