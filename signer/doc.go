// Package signer signs HTTP requests for Alibaba Cloud and Huawei Cloud. It
// needs no client of this module: any *http.Request will do.
//
//	ACS3     Alibaba Cloud, ACS3-HMAC-SHA256
//	SDKHMAC  Huawei Cloud, SDK-HMAC-SHA256
//	V11      Huawei Cloud, V11-HMAC-SHA256, with a key derived per day, region and service
//
// A signature is a function of the request, the credentials, the time and the
// nonce. Nothing is read from the environment and nothing is sent:
//
//	package main
//
//	import (
//		"crypto/rand"
//		"fmt"
//		"net/http"
//		"os"
//		"time"
//
//		"github.com/cloudlb/cloudlb"
//		"github.com/cloudlb/cloudlb/signer"
//	)
//
//	func main() {
//		r, err := http.NewRequest("POST", "https://alb.cn-hangzhou.aliyuncs.com/", nil)
//		if err != nil {
//			panic(err)
//		}
//		r.Header.Set("X-Acs-Action", "DescribeRegions")
//		r.Header.Set("X-Acs-Version", "2020-06-16")
//		cred := cloudlb.Credentials{
//			AccessKeyID:     os.Getenv("ACCESS_KEY_ID"),
//			SecretAccessKey: os.Getenv("ACCESS_KEY_SECRET"),
//		}
//		if err := (signer.ACS3{}).Sign(r, nil, cred, time.Now(), rand.Text()); err != nil {
//			panic(err)
//		}
//		res, err := http.DefaultClient.Do(r)
//		if err != nil {
//			panic(err)
//		}
//		defer res.Body.Close()
//		fmt.Println(res.Status)
//	}
//
// # Signing
//
// Set every header first, sign last, change nothing afterwards. The body
// argument must be the bytes that r.Body will deliver; Sign neither reads nor
// sets r.Body. Sign may be called again on the same request, as a retry must
// with a new time and nonce: it replaces what it set before, and the result is
// that of signing a fresh request. When Sign returns an error the request is as
// it was. A request must not be signed by two goroutines at once.
//
// Each signature is valid for 15 minutes around the time given. If the clock of
// the machine is not to be trusted, pass the time of the service.
//
// # Paths
//
// What is signed is r.URL.EscapedPath(), which is what net/http sends. Go
// stores a path twice: Path, decoded, and RawPath, an encoding of it that is
// used only while it decodes to Path. A path that holds an encoded slash or
// percent sign needs both, and http.NewRequest and url.Parse set both. Code
// that sets r.URL.Path alone to "/pools/a%2Fb" sends and signs
// "/pools/a%252Fb", and code that changes Path without RawPath loses the
// encoding RawPath held. A proxy that cleans or re-encodes the path after
// signing breaks the signature where the decoded segments change. URLs with an
// Opaque part are refused.
//
// In a path '+' is a plus sign; in a query it is a space. A query with an
// invalid percent escape is refused, since it has no agreed meaning.
//
// # Headers
//
// net/http sends r.Host (or the URL's host) and ignores a Host entry in
// r.Header; the host that is sent is the one that is signed. It also writes
// Content-Length, Transfer-Encoding and Trailer itself: do not set these as
// headers, because Huawei's schemes sign every header they find.
package signer
