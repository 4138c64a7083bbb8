package cloudlb

import (
	"context"
	"fmt"
	"log/slog"
	"time"
)

// Credentials are what a request is signed with. They never print: fmt, JSON
// and slog show which parts are set, not their values.
type Credentials struct {
	// AccessKeyID and SecretAccessKey are the key pair (AK/SK).
	AccessKeyID     string
	SecretAccessKey string
	// SecurityToken accompanies temporary keys (STS, agencies).
	SecurityToken string
	// Token is a Huawei IAM token. When set, requests carry it as X-Auth-Token
	// instead of a signature.
	Token string
	// Expires is when the credentials stop working; zero means never.
	Expires time.Time
}

// CredentialsProvider hands out the credentials for one attempt of a call. It
// is asked again for every attempt, so rotated keys are picked up at once. It
// must be safe for concurrent use and must honour ctx.
type CredentialsProvider interface {
	Credentials(ctx context.Context) (Credentials, error)
}

// StaticCredentials returns a provider for a fixed key pair. securityToken is
// empty for long-lived keys.
func StaticCredentials(accessKeyID, secretAccessKey, securityToken string) CredentialsProvider {
	cred := Credentials{
		AccessKeyID:     accessKeyID,
		SecretAccessKey: secretAccessKey,
		SecurityToken:   securityToken,
	}
	return static{func() Credentials { return cred }}
}

// StaticToken returns a provider for a Huawei IAM token, sent as X-Auth-Token.
// Alibaba Cloud services refuse it.
func StaticToken(token string) CredentialsProvider {
	return static{func() Credentials { return Credentials{Token: token} }}
}

// static keeps the keys in a func: fmt prints the fields of a struct that holds
// a provider in an unexported field without asking Format.
type static struct{ get func() Credentials }

func (s static) Credentials(context.Context) (Credentials, error) { return s.get(), nil }
func (s static) Format(f fmt.State, _ rune)                       { fmt.Fprint(f, s.get().summary()) }
func (s static) LogValue() slog.Value                             { return s.get().LogValue() }

// Format implements fmt.Formatter for every verb, so no verb leaks a secret.
func (c Credentials) Format(f fmt.State, _ rune) { fmt.Fprint(f, c.summary()) }

// LogValue implements slog.LogValuer.
func (c Credentials) LogValue() slog.Value { return slog.StringValue(c.summary()) }

// MarshalJSON implements json.Marshaler. The values are not in the output.
func (c Credentials) MarshalJSON() ([]byte, error) {
	return []byte(`"` + c.summary() + `"`), nil
}

func (c Credentials) summary() string {
	switch {
	case c.Token != "":
		return "credentials(IAM token)"
	case c.AccessKeyID == "" || c.SecretAccessKey == "":
		return "credentials(incomplete)"
	case c.SecurityToken != "":
		return "credentials(temporary keys)"
	default:
		return "credentials(keys)"
	}
}

// Secret is a string that never prints: fmt, JSON and slog show "***". Convert
// it to string to read it. Request fields that carry a password have this type.
type Secret string

// Format implements fmt.Formatter for every verb, so no verb leaks the value.
func (s Secret) Format(f fmt.State, _ rune) { fmt.Fprint(f, s.redacted()) }

// LogValue implements slog.LogValuer.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.redacted()) }

// MarshalJSON implements json.Marshaler. The value is not in the output; what
// is sent to the service does not go through it.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.redacted() + `"`), nil }

func (s Secret) redacted() string {
	if s == "" {
		return ""
	}
	return "***"
}
