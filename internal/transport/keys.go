package transport

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/cloudlb/cloudlb"
)

// sendable reports keys that no header can carry: read from a file with its
// line break, as a rule.
func sendable(cred cloudlb.Credentials) error {
	for _, key := range [...]struct{ name, value string }{
		{"AccessKeyID", cred.AccessKeyID},
		{"SecretAccessKey", cred.SecretAccessKey},
		{"SecurityToken", cred.SecurityToken},
		{"Token", cred.Token},
	} {
		if strings.ContainsFunc(key.value, unicode.IsControl) {
			return fmt.Errorf("the %s contains a line break or another control character", key.name)
		}
	}
	return nil
}

// credentialsClass is the class of a provider's failure: a source that is down
// for the moment is tried again, the rest is for the caller to mend.
func credentialsClass(err error) cloudlb.Class {
	if e, ok := errors.AsType[*cloudlb.Error](err); ok {
		switch e.Class {
		case cloudlb.ClassUnavailable, cloudlb.ClassThrottled, cloudlb.ClassDenied:
			return e.Class
		default:
		}
	}
	return cloudlb.ClassUnauthenticated
}
