package huaweicloud_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/credentials/huaweicloud"
	"github.com/cloudlb/cloudlb/elb"
)

func ExampleDefault() {
	os.Setenv("HUAWEICLOUD_SDK_AK", "AK")
	os.Setenv("HUAWEICLOUD_SDK_SK", "SK")
	defer os.Unsetenv("HUAWEICLOUD_SDK_AK")
	defer os.Unsetenv("HUAWEICLOUD_SDK_SK")

	lb, err := elb.New(cloudlb.Config{
		Region:      "cn-north-4",
		Credentials: huaweicloud.Default(),
	}, elb.WithProjectID(huaweicloud.ProjectIDFromEnv()))
	fmt.Println(lb != nil, err)
	// Output: true <nil>
}

func ExampleEnvironment() {
	os.Setenv("HUAWEICLOUD_SDK_AK", "AK")
	defer os.Unsetenv("HUAWEICLOUD_SDK_AK")

	_, err := huaweicloud.Environment().Credentials(context.Background())
	fmt.Println(err)
	// Output: huaweicloud environment: HUAWEICLOUD_SDK_AK is set, but HUAWEICLOUD_SDK_SK is not (unauthenticated, not sent)
}

func ExampleProfileFile() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "credentials")
	if err := os.WriteFile(path, []byte("[basic]\nak = AK\nsk = SK\n"), 0o600); err != nil {
		fmt.Println(err)
		return
	}

	cred, err := huaweicloud.ProfileFile(huaweicloud.ProfileOptions{Path: path}).Credentials(context.Background())
	fmt.Println(cred.AccessKeyID, err)
	fmt.Println(cred) // credentials never print their secrets
	// Output:
	// AK <nil>
	// credentials(keys)
}

func ExampleMetadata() {
	ecs := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/openstack/latest/securitykey" {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		fmt.Fprint(w, `{"credential":{"access":"AK","secret":"SK","securitytoken":"token","expires_at":"2999-01-01T00:00:00.000000Z"}}`)
	}))
	defer ecs.Close()

	// On an ECS: huaweicloud.Metadata(huaweicloud.MetadataOptions{})
	creds := huaweicloud.Metadata(huaweicloud.MetadataOptions{Endpoint: ecs.URL})
	cred, err := creds.Credentials(context.Background())
	fmt.Println(cred, err)
	fmt.Println(creds)
	// Output:
	// credentials(temporary keys) <nil>
	// cached credentials(temporary keys) until 2999-01-01T00:00:00Z
}

func ExamplePodIdentity() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "token")
	if err := os.WriteFile(file, []byte("token"), 0o600); err != nil {
		fmt.Println(err)
		return
	}

	// In a pod on CCE: huaweicloud.PodIdentity(huaweicloud.PodIdentityOptions{})
	_, err = huaweicloud.PodIdentity(huaweicloud.PodIdentityOptions{
		URI: "http://203.0.113.7/credentials", TokenFile: file,
	}).Credentials(context.Background())
	fmt.Println(err)
	// Output: the credentials provider failed: huaweicloud pod identity: the address of the credentials must be https, or http with an address of this machine or its private network (unauthenticated, not sent)
}

func ExampleIAMToken() {
	iam := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Subject-Token", "MIIE...")
		w.WriteHeader(http.StatusCreated)
		fmt.Fprint(w, `{"token":{"expires_at":"2999-01-01T00:00:00.000000Z"}}`)
	}))
	defer iam.Close()

	creds, err := huaweicloud.IAMToken(huaweicloud.IAMTokenOptions{
		User: "deploy", Password: "...", Domain: "acme",
		Region:   "cn-north-4",
		Endpoint: iam.URL, AllowHTTP: true, // left out, it is the region's own
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	cred, err := creds.Credentials(context.Background())
	fmt.Println(cred, err)
	// Output: credentials(IAM token) <nil>
}

func ExampleChain() {
	creds := huaweicloud.Chain(
		huaweicloud.ProfileFile(huaweicloud.ProfileOptions{Section: "basic-staging"}),
		huaweicloud.Metadata(huaweicloud.MetadataOptions{}),
	)
	fmt.Println(creds)
	// Output: credentials(chain of 2 sources)
}
