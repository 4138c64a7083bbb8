// Command ours-alb makes one call, with cloudlb, to the endpoint given as its
// argument, and none without one. It is built to see what its imports cost.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
)

func main() {
	if len(os.Args) < 2 {
		return
	}
	client, err := alb.New(cloudlb.Config{
		Region: "cn-hangzhou", Endpoint: os.Args[1], AllowHTTP: true,
		Credentials: cloudlb.StaticCredentials("EXAMPLEACCESSKEY0001", "EXAMPLEsecretEXAMPLEsecretEXAMPLE01", ""),
	})
	if err == nil {
		_, err = client.AddServersToServerGroup(context.Background(), alb.AddServersToServerGroupRequest{
			ServerGroupID: "sgp-1", Servers: []alb.AddedServer{{ServerID: "i-1", ServerType: alb.ServerTypeEcs, Port: 80}},
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
