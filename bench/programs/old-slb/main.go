// Command old-slb makes one call, with the vendor's older SDK, to the endpoint given as its
// argument, and none without one. It is built to see what its imports cost.
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/aliyun/alibaba-cloud-sdk-go/services/slb"
)

func main() {
	if len(os.Args) < 2 {
		return
	}
	client, err := slb.NewClientWithAccessKey("cn-hangzhou", "EXAMPLEACCESSKEY0001", "EXAMPLEsecretEXAMPLEsecretEXAMPLE01")
	if err == nil {
		request := slb.CreateAddVServerGroupBackendServersRequest()
		request.Scheme, request.Domain = "HTTP", strings.TrimPrefix(os.Args[1], "http://")
		request.VServerGroupId, request.BackendServers = "rsp-1", `[{"ServerId":"i-1","Port":"80"}]`
		_, err = client.AddVServerGroupBackendServers(request)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
