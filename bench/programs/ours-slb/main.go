// Command ours-slb makes one call, with cloudlb, to the endpoint given as its
// argument, and none without one. It is built to see what its imports cost.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/slb"
)

func main() {
	if len(os.Args) < 2 {
		return
	}
	client, err := slb.New(cloudlb.Config{
		Region: "cn-hangzhou", Endpoint: os.Args[1], AllowHTTP: true,
		Credentials: cloudlb.StaticCredentials("EXAMPLEACCESSKEY0001", "EXAMPLEsecretEXAMPLEsecretEXAMPLE01", ""),
	})
	if err == nil {
		_, err = client.AddVServerGroupBackendServers(context.Background(), slb.AddVServerGroupBackendServersRequest{
			VServerGroupID: "rsp-1", BackendServers: slb.BackendServerSpecList{{ServerID: "i-1", Port: 80}},
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
