package signer_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/signer"
)

// Adds two servers to a server group of Alibaba Cloud ALB. A real program
// passes time.Now() and a random nonce.
func ExampleACS3() {
	r, err := http.NewRequest("POST", "https://alb.cn-hangzhou.aliyuncs.com/"+
		"?ServerGroupId=sgp-atstuj3rtop00001&Servers.1.Port=80&Servers.1.ServerId=i-1&Servers.2.Port=80&Servers.2.ServerId=i-2", nil)
	if err != nil {
		panic(err)
	}
	r.Header.Set("X-Acs-Action", "AddServersToServerGroup")
	r.Header.Set("X-Acs-Version", "2020-06-16")
	cred := cloudlb.Credentials{AccessKeyID: "EXAMPLEACCESSKEY0001", SecretAccessKey: "EXAMPLEsecretEXAMPLEsecretEXAMPLE01"}

	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := (signer.ACS3{}).Sign(r, nil, cred, at, "0123456789abcdef0123456789abcdef"); err != nil {
		panic(err)
	}
	for part := range strings.SplitSeq(r.Header.Get("Authorization"), ",") {
		fmt.Println(part)
	}
	// Output:
	// ACS3-HMAC-SHA256 Credential=EXAMPLEACCESSKEY0001
	// SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version
	// Signature=1057e63319c318c2ac1b898f7530e880896689b1d8a6c7085ad2e2cfc6dc339b
}

// Adds a member to a pool of Huawei Cloud ELB.
func ExampleSDKHMAC() {
	const body = `{"members":[{"address":"192.168.0.10","protocol_port":80}]}`
	r, err := http.NewRequest("POST", "https://elb.cn-north-4.myhuaweicloud.com/"+
		"v3/0123456789abcdef0123456789abcdef/elb/pools/36ce7086-a496-4666-9064-5ba0e6840c75/members/batch-add", strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("X-Project-Id", "0123456789abcdef0123456789abcdef")
	cred := cloudlb.Credentials{AccessKeyID: "EXAMPLEACCESSKEY0001", SecretAccessKey: "EXAMPLEsecretEXAMPLEsecretEXAMPLE01"}

	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if err := (signer.SDKHMAC{}).Sign(r, []byte(body), cred, at, ""); err != nil {
		panic(err)
	}
	for part := range strings.SplitSeq(r.Header.Get("Authorization"), ", ") {
		fmt.Println(part)
	}
	// Output:
	// SDK-HMAC-SHA256 Access=EXAMPLEACCESSKEY0001
	// SignedHeaders=x-project-id;x-sdk-date
	// Signature=c4ca4582452a96360df5b9eb77db259a235588326e186ce97d5409051f74bb5a
}

// Lists the members of a pool of Huawei Cloud ELB with a key derived for the
// day, the region and the service.
func ExampleV11() {
	r, err := http.NewRequest("GET", "https://elb.cn-north-4.myhuaweicloud.com/"+
		"v3/0123456789abcdef0123456789abcdef/elb/pools/36ce7086-a496-4666-9064-5ba0e6840c75/members?limit=2", nil)
	if err != nil {
		panic(err)
	}
	cred := cloudlb.Credentials{AccessKeyID: "EXAMPLEACCESSKEY0001", SecretAccessKey: "EXAMPLEsecretEXAMPLEsecretEXAMPLE01"}

	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	v11 := signer.V11{Region: "cn-north-4", Service: "elb"}
	if err := v11.Sign(r, nil, cred, at, ""); err != nil {
		panic(err)
	}
	for part := range strings.SplitSeq(r.Header.Get("Authorization"), ", ") {
		fmt.Println(part)
	}
	// Output:
	// V11-HMAC-SHA256 Credential=EXAMPLEACCESSKEY0001/20260102/cn-north-4/elb
	// SignedHeaders=x-sdk-date
	// Signature=9c86b813b787415457261b9f0b947d16ffde67006888a2d6131e76215eb135fd
}
