// Command huawei-elb makes one call, with the vendor's client, to the endpoint given as its
// argument, and none without one. It is built to see what its imports cost.
package main

import (
	"fmt"
	"os"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	elb "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/elb/v3"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/elb/v3/model"
)

func main() {
	if len(os.Args) < 2 {
		return
	}
	cred, err := basic.NewCredentialsBuilder().WithAk("EXAMPLEACCESSKEY0001").WithSk("EXAMPLEsecretEXAMPLEsecretEXAMPLE01").WithProjectId("0123456789abcdef0123456789abcdef").SafeBuild()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	http, err := elb.ElbClientBuilder().WithEndpoints([]string{os.Args[1]}).WithCredential(cred).SafeBuild()
	if err == nil {
		_, err = elb.NewElbClient(http).BatchCreateMembers(&model.BatchCreateMembersRequest{
			PoolId: "pool-1",
			Body:   &model.BatchCreateMembersRequestBody{Members: []model.BatchCreateMembersOption{{Address: "10.0.0.1", ProtocolPort: 80}}},
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
