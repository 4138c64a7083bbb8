package aliyun

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/aliyun/credentials-go/credentials"
	"github.com/aliyun/credentials-go/credentials/providers"

	"github.com/cloudlb/cloudlb"
)

const (
	// credentials-go replaces keys when it is asked in their last three minutes;
	// asking earlier brings the same ones.
	refreshBefore = 150 * time.Second
	// lease is how long keys of unknown expiry are used before credentials-go is
	// asked again. What it keeps in memory is good for three minutes or more.
	lease = 150 * time.Second
)

var errBearer = errors.New("a bearer token does not sign requests: ALB and SLB need an access key, " +
	"or a source of temporary keys such as ram_role_arn, ecs_ram_role or oidc_role_arn")

// Default returns the keys of the first source of credentials-go's default
// chain that has some; see the package comment for the order. The environment
// and files are read when keys are first needed. A chain that found nothing is
// built anew for the next call.
func Default() *cloudlb.CredentialsCache {
	return cached(&source{name: "default chain", build: defaultChain})
}

// Profile returns the keys of a profile of Alibaba Cloud CLI: of the one named,
// or of the current one if name is empty. The file is
// ALIBABA_CLOUD_CONFIG_FILE, else ~/.aliyun/config.json. It is read when keys
// are first needed, and again after a failure and when a service has refused
// the keys.
func Profile(name string) *cloudlb.CredentialsCache {
	return cached(&source{
		name: "CLI profile",
		build: func() (credentials.Credential, error) {
			p, err := providers.NewCLIProfileCredentialsProviderBuilder().WithProfileName(name).Build()
			if err != nil {
				return nil, err
			}
			return credentials.FromCredentialsProvider("cli_profile", p), nil
		},
	})
}

// FromConfig returns the keys that cfg describes: access_key, sts,
// ram_role_arn, ecs_ram_role, oidc_role_arn, credentials_uri or rsa_key_pair.
// cfg is copied. The type bearer is refused.
//
// As in credentials-go, what cfg leaves empty comes from the environment.
func FromConfig(cfg *credentials.Config) (*cloudlb.CredentialsCache, error) {
	if cfg == nil {
		return nil, errors.New("aliyun: no configuration; for the default chain use Default")
	}
	config := *cfg
	s := &source{
		name: text(config.Type),
		secrets: []string{
			text(config.AccessKeySecret), text(config.SecurityToken), text(config.BearerToken), text(config.OIDCToken),
		},
		build: func() (credentials.Credential, error) {
			config := config // credentials-go keeps what it gets
			return credentials.NewCredential(&config)
		},
	}
	if s.name == "bearer" {
		return nil, s.failed(errBearer)
	}
	if (text(config.AccessKeyId) == "") != (text(config.AccessKeySecret) == "") {
		// The other half would be taken from the environment.
		return nil, s.failed(errors.New("only one of AccessKeyId and AccessKeySecret is set"))
	}
	cred, err := s.build()
	if err != nil {
		return nil, s.failed(err)
	}
	s.cred = cred
	return cached(s), nil
}

// FromCredential returns the keys of cred. Call it once for each cred and share
// the result between clients, and do not use cred elsewhere at the same time:
// the credentials of credentials-go are not safe for that. FromConfig,
// where it will do, can do more: keys that a service has refused are fetched
// anew, where cred may go on handing out those it remembers.
//
// Of a cred of your own, keys are used for 150 seconds before it is asked again.
func FromCredential(cred credentials.Credential) (*cloudlb.CredentialsCache, error) {
	if cred == nil {
		return nil, errors.New("aliyun: no credential")
	}
	s := &source{name: typeOf(cred), cred: cred}
	if s.name == "bearer" {
		return nil, s.failed(errBearer)
	}
	if isDefaultChain(cred) {
		s.build = defaultChain
	}
	return cached(s), nil
}

func defaultChain() (credentials.Credential, error) { return credentials.NewCredential(nil) }

func cached(s *source) *cloudlb.CredentialsCache {
	return &cloudlb.CredentialsCache{Provider: s, RefreshBefore: refreshBefore}
}

// source asks credentials-go. It is for the cache alone, which calls it once at
// a time and leaves a call that takes too long, as credentials-go knows no
// context.
type source struct {
	name    string
	build   func() (credentials.Credential, error) // nil: there is only cred
	cred    credentials.Credential
	secrets []string // that must not be in an error
}

// Credentials implements cloudlb.CredentialsProvider.
func (s *source) Credentials(context.Context) (cloudlb.Credentials, error) {
	cred := s.cred
	if s.build != nil {
		s.cred = nil // until it has answered: one that failed may stay broken
	}
	if cred == nil {
		var err error
		if cred, err = s.build(); err != nil {
			return cloudlb.Credentials{}, s.failed(err)
		}
	}
	m, err := cred.GetCredential() // the three getters may answer before and after a refresh
	if err != nil {
		return cloudlb.Credentials{}, s.failed(err)
	}
	if m == nil {
		return cloudlb.Credentials{}, s.failed(errors.New("it has no keys and no error"))
	}
	keys := cloudlb.Credentials{
		AccessKeyID:     text(m.AccessKeyId),
		SecretAccessKey: text(m.AccessKeySecret),
		SecurityToken:   text(m.SecurityToken),
	}
	switch {
	case keys.AccessKeyID == "" && text(m.BearerToken) != "":
		return cloudlb.Credentials{}, s.failed(errBearer)
	case keys.AccessKeyID == "":
		return cloudlb.Credentials{}, s.failed(errors.New("the keys have no AccessKeyId"))
	case keys.SecretAccessKey == "":
		return cloudlb.Credentials{}, s.failed(errors.New("the keys have no AccessKeySecret"))
	}
	var known bool
	if keys.Expires, known = expiry(cred); !known {
		keys.Expires = time.Now().Add(lease)
	}
	s.cred = cred
	return keys, nil
}

// Refresh implements cloudlb.CredentialsRefresher. What credentials-go
// remembers has been refused, so it starts afresh.
func (s *source) Refresh(ctx context.Context, _ cloudlb.Credentials) (cloudlb.Credentials, error) {
	if s.build != nil {
		s.cred = nil
	}
	return s.Credentials(ctx)
}

// Format implements fmt.Formatter for every verb: cred and secrets print.
func (s *source) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "aliyun(%s)", s.name) }

// failed is err without its type, whose text may hold answers and URLs with
// keys in them.
func (s *source) failed(err error) error {
	name := s.name
	if name != "" {
		name = " " + name
	}
	return fmt.Errorf("aliyun%s: %s", name, reason(err, s.secrets))
}

// typeOf is what a credential says of itself, which it may do by panicking.
func typeOf(cred credentials.Credential) (name string) {
	defer func() { _ = recover() }()
	return text(cred.GetType())
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
