package aliyun_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/aliyun/credentials-go/credentials"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/credentials/aliyun"
)

// show prints what kind of keys a provider has. Keys themselves never print.
func show(p cloudlb.CredentialsProvider, err error) {
	if err != nil {
		fmt.Println(err)
		return
	}
	cred, err := p.Credentials(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(cred)
}

// exampleSTS is a local stand-in for sts.aliyuncs.com.
func exampleSTS() (host string, stop func()) {
	s := httptest.NewTLSServer(&keyServer{life: time.Hour, wrap: "Credentials"})
	return strings.TrimPrefix(s.URL, "https://"), s.Close
}

// The keys of wherever the program runs: its environment, a developer's CLI, an
// instance's or a pod's role.
func ExampleDefault() {
	os.Setenv("ALIBABA_CLOUD_ACCESS_KEY_ID", "LTAI5tExampleId")
	os.Setenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ExampleSecret")
	defer os.Unsetenv("ALIBABA_CLOUD_ACCESS_KEY_ID")
	defer os.Unsetenv("ALIBABA_CLOUD_ACCESS_KEY_SECRET")

	creds := aliyun.Default()
	_, err := alb.New(cloudlb.Config{Region: "cn-hangzhou", Credentials: creds})
	if err != nil {
		fmt.Println(err)
		return
	}
	show(creds, nil)
	// Output: credentials(keys)
}

// A profile of Alibaba Cloud CLI.
func ExampleProfile() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	name := filepath.Join(dir, "config.json") // unset: ~/.aliyun/config.json
	os.Setenv("ALIBABA_CLOUD_CONFIG_FILE", name)
	defer os.Unsetenv("ALIBABA_CLOUD_CONFIG_FILE")
	err = os.WriteFile(name, []byte(`{
		"current": "dev",
		"profiles": [{"name": "prod", "mode": "AK", "access_key_id": "LTAI5tExampleId", "access_key_secret": "ExampleSecret"}]
	}`), 0o600)
	if err != nil {
		fmt.Println(err)
		return
	}

	show(aliyun.Profile("prod"), nil)
	// Output: credentials(keys)
}

// A key pair. Without credentials-go: cloudlb.StaticCredentials.
func ExampleFromConfig_accessKey() {
	show(aliyun.FromConfig(&credentials.Config{
		Type:            new("access_key"),
		AccessKeyId:     new("LTAI5tExampleId"),
		AccessKeySecret: new("ExampleSecret"),
	}))
	// Output: credentials(keys)
}

// Temporary keys that somebody else renews.
func ExampleFromConfig_sts() {
	show(aliyun.FromConfig(&credentials.Config{
		Type:            new("sts"),
		AccessKeyId:     new("STS.ExampleId"),
		AccessKeySecret: new("ExampleSecret"),
		SecurityToken:   new("ExampleToken"),
	}))
	// Output: credentials(temporary keys)
}

// Keys of a role, for which the given keys may ask STS.
func ExampleFromConfig_ramRole() {
	host, stop := exampleSTS()
	defer stop()

	show(aliyun.FromConfig(&credentials.Config{
		Type:                  new("ram_role_arn"),
		AccessKeyId:           new("LTAI5tExampleId"),
		AccessKeySecret:       new("ExampleSecret"),
		RoleArn:               new("acs:ram::123456789012****:role/deploy"),
		RoleSessionName:       new("deploy-web"),
		RoleSessionExpiration: new(3600),
		STSEndpoint:           new(host), // nil: sts.aliyuncs.com
	}))
	// Output: credentials(temporary keys)
}

// Keys for an OIDC token, as Kubernetes puts it into a pod.
func ExampleFromConfig_oidc() {
	host, stop := exampleSTS()
	defer stop()
	token, err := os.CreateTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.Remove(token.Name())
	defer token.Close()

	show(aliyun.FromConfig(&credentials.Config{
		Type:              new("oidc_role_arn"),
		RoleArn:           new("acs:ram::123456789012****:role/deploy"),
		OIDCProviderArn:   new("acs:ram::123456789012****:oidc-provider/ack"),
		OIDCTokenFilePath: new(token.Name()), // nil: ALIBABA_CLOUD_OIDC_TOKEN_FILE
		STSEndpoint:       new(host),         // nil: sts.aliyuncs.com
	}))
	// Output: credentials(temporary keys)
}

// Keys of the role of the ECS instance. Without RoleName the instance is asked.
func ExampleFromConfig_ecsRAMRole() {
	roles.Store("web", &keyServer{life: time.Hour}) // what this instance has
	defer roles.Delete("web")

	show(aliyun.FromConfig(&credentials.Config{
		Type:          new("ecs_ram_role"),
		RoleName:      new("web"),
		DisableIMDSv1: new(true),
	}))
	// Output: credentials(temporary keys)
}

// Keys of a local credentials server.
func ExampleFromConfig_credentialsURI() {
	s := httptest.NewServer(&keyServer{life: time.Hour})
	defer s.Close()

	show(aliyun.FromConfig(&credentials.Config{
		Type: new("credentials_uri"),
		Url:  new(s.URL), // nil: ALIBABA_CLOUD_CREDENTIALS_URI
	}))
	// Output: credentials(temporary keys)
}

// A credential that the program has for other SDKs. Bearer tokens are no use.
func ExampleFromCredential() {
	cred, err := credentials.NewCredential(&credentials.Config{Type: new("bearer"), BearerToken: new("ExampleToken")})
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := aliyun.FromCredential(cred); err != nil {
		fmt.Println(err)
	}

	cred, err = credentials.NewCredential(&credentials.Config{
		Type: new("access_key"), AccessKeyId: new("LTAI5tExampleId"), AccessKeySecret: new("ExampleSecret"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	show(aliyun.FromCredential(cred))
	// Output:
	// aliyun bearer: a bearer token does not sign requests: ALB and SLB need an access key, or a source of temporary keys such as ram_role_arn, ecs_ram_role or oidc_role_arn
	// credentials(keys)
}
