package huaweicloud

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/cloudlb/cloudlb"
)

// The variables of the vendor's SDKs.
const (
	envAccessKey     = "HUAWEICLOUD_SDK_AK"
	envSecretKey     = "HUAWEICLOUD_SDK_SK"
	envSecurityToken = "HUAWEICLOUD_SDK_SECURITY_TOKEN"
	envProjectID     = "HUAWEICLOUD_SDK_PROJECT_ID"
	envIdentity      = "HUAWEICLOUD_SDK_IDP_ID"
	envProfile       = "HUAWEICLOUD_SDK_CREDENTIALS_FILE"
	envPodURI        = "HC_CONTAINER_CREDENTIALS_FULL_URI"
	envPodTokenFile  = "HC_CONTAINER_AUTHORIZATION_TOKEN_FILE"
)

func env(name string) string { return strings.TrimSpace(os.Getenv(name)) }

// Environment returns a provider of the keys in HUAWEICLOUD_SDK_AK and
// HUAWEICLOUD_SDK_SK, and of the token in HUAWEICLOUD_SDK_SECURITY_TOKEN that
// belongs to temporary keys. They are read whenever credentials are asked for,
// so a program that changes them is followed.
func Environment() cloudlb.CredentialsProvider { return environment{} }

type environment struct{}

const environmentSource = "environment"

func (environment) Format(f fmt.State, _ rune) { fmt.Fprint(f, "credentials(environment)") }

func (environment) Credentials(context.Context) (cloudlb.Credentials, error) {
	ak, sk := env(envAccessKey), env(envSecretKey)
	switch {
	case ak == "" && sk == "" && env(envIdentity) != "":
		return cloudlb.Credentials{}, misused(environmentSource, "%s is set, but federated identities are not supported: set %s and %s", envIdentity, envAccessKey, envSecretKey)
	case ak == "" && sk == "":
		return cloudlb.Credentials{}, none(environmentSource, "%s and %s are not set", envAccessKey, envSecretKey)
	case ak == "":
		return cloudlb.Credentials{}, misused(environmentSource, "%s is set, but %s is not", envSecretKey, envAccessKey)
	case sk == "":
		return cloudlb.Credentials{}, misused(environmentSource, "%s is set, but %s is not", envAccessKey, envSecretKey)
	}
	cred := cloudlb.Credentials{AccessKeyID: ak, SecretAccessKey: sk, SecurityToken: env(envSecurityToken)}
	if !printable(cred) {
		return cloudlb.Credentials{}, misused(environmentSource, "%s, %s or %s holds characters that no key has", envAccessKey, envSecretKey, envSecurityToken)
	}
	return cred, nil
}

// ProjectIDFromEnv returns the project ID in HUAWEICLOUD_SDK_PROJECT_ID, empty
// when it is not set. elb.WithProjectID and apig.WithProjectID take it as it is:
// empty means that the client looks the project up.
func ProjectIDFromEnv() string { return env(envProjectID) }
