// Command huawei-roma makes one call, with the vendor's client, to the endpoint given as its
// argument, and none without one. It is built to see what its imports cost.
package main

import (
	"fmt"
	"os"

	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	roma "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/roma/v2"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/services/roma/v2/model"
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
	http, err := roma.RomaClientBuilder().WithEndpoints([]string{os.Args[1]}).WithCredential(cred).SafeBuild()
	if err == nil {
		_, err = roma.NewRomaClient(http).AddingBackendInstancesV2(&model.AddingBackendInstancesV2Request{
			InstanceId: "i", VpcChannelId: "c",
			Body: &model.VpcMemberCreate{Members: []model.MemberInfo{{Host: new("10.0.0.1"), Port: new(int32(80))}}},
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
