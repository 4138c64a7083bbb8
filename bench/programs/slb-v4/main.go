// Command slb-v4 makes one call, with the vendor's SLB client, to the endpoint given as its
// argument, and none without one. It is built to see what its imports cost.
package main

import (
	"fmt"
	"os"
	"strings"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	slb "github.com/alibabacloud-go/slb-20140515/v4/client"
)

func main() {
	if len(os.Args) < 2 {
		return
	}
	client, err := slb.NewClient(&openapi.Config{
		AccessKeyId: new("EXAMPLEACCESSKEY0001"), AccessKeySecret: new("EXAMPLEsecretEXAMPLEsecretEXAMPLE01"),
		RegionId: new("cn-hangzhou"), Protocol: new("http"), Endpoint: new(strings.TrimPrefix(os.Args[1], "http://")),
	})
	if err == nil {
		_, err = client.AddVServerGroupBackendServers(&slb.AddVServerGroupBackendServersRequest{
			RegionId: new("cn-hangzhou"), VServerGroupId: new("rsp-1"), BackendServers: new(`[{"ServerId":"i-1","Port":"80"}]`),
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
