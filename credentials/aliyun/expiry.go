package aliyun

import (
	"reflect"
	"strings"
	"time"

	"github.com/aliyun/credentials-go/credentials"
	"github.com/aliyun/credentials-go/credentials/providers"
)

// credentials-go knows when keys expire and does not tell. expiry looks into
// its types by name. A version that names things otherwise leaves the expiry
// unknown, so that keys are leased, and turns a test red.

const module = "github.com/aliyun/credentials-go/"

// fixed are the sources whose keys do not change by themselves.
var fixed = []reflect.Type{
	reflect.TypeFor[*providers.StaticAKCredentialsProvider](),
	reflect.TypeFor[*providers.StaticSTSCredentialsProvider](),
	reflect.TypeFor[*providers.EnvironmentVariableCredentialsProvider](),
}

// inner are the fields in which a provider keeps the one that it asks.
var inner = []string{"provider", "lastUsedProvider", "innerProvider"}

// expiry returns when the keys that cred has handed out last expire, the zero
// time if they do not. known is false if that cannot be told.
func expiry(cred credentials.Credential) (at time.Time, known bool) {
	v := reflect.ValueOf(cred)
	for range 10 { // the longest chain has four links
		if v = target(v); !v.IsValid() {
			return time.Time{}, false
		}
		for _, t := range fixed {
			if v.Type() == t.Elem() {
				return time.Time{}, true
			}
		}
		if seconds := field(v, "expirationTimestamp"); seconds.IsValid() {
			return unix(seconds)
		}
		if updater := field(v, "credentialUpdater"); updater.IsValid() { // rsa_key_pair
			updater = target(updater)
			return unix(field(updater, "lastUpdateTimestamp"), field(updater, "credentialExpiration"))
		}
		v = field(v, inner...)
	}
	return time.Time{}, false
}

// isDefaultChain reports the credential that stays broken after a failure.
func isDefaultChain(cred credentials.Credential) bool {
	v := target(field(target(reflect.ValueOf(cred)), "provider"))
	return v.IsValid() && v.Type() == reflect.TypeFor[providers.DefaultCredentialsProvider]()
}

// target follows pointers and interfaces to a struct of credentials-go. The
// zero Value means there is none.
func target(v reflect.Value) reflect.Value {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct || !strings.HasPrefix(v.Type().PkgPath(), module) {
		return reflect.Value{}
	}
	return v
}

// field is the first of the named fields that v has.
func field(v reflect.Value, names ...string) reflect.Value {
	if !v.IsValid() {
		return reflect.Value{}
	}
	for _, name := range names {
		for f, value := range v.Fields() {
			if f.Name == name {
				return value
			}
		}
	}
	return reflect.Value{}
}

// unix is the time of the sum of seconds, unless one is not there.
func unix(seconds ...reflect.Value) (at time.Time, known bool) {
	sum := int64(0)
	for _, s := range seconds {
		if !s.IsValid() || !s.CanInt() || s.Int() <= 0 {
			return time.Time{}, false
		}
		sum += s.Int()
	}
	return time.Unix(sum, 0), true
}
