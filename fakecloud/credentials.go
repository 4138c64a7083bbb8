package fakecloud

import (
	"context"
	"slices"
	"time"

	"github.com/cloudlb/cloudlb"
)

// WithCredentialsExpiry lets the credentials that the Cloud starts with, its
// IAM token included, expire after d. An expired temporary key is
// InvalidSecurityToken.Expired at Alibaba and APIGW.0301 at Huawei, an expired
// permanent one is unknown.
func WithCredentialsExpiry(d time.Duration) Option {
	return func(s *settings) { s.credentialsLife = d }
}

// RotateCredentials replaces the account's credentials; the old ones are
// accepted for overlap more. Of next only what is set is replaced, the key pair
// or the IAM token or both. Without either a key pair is generated, a temporary
// one if the old one was. It returns the key pair that Config and Credentials
// give from now on.
func (c *account) RotateCredentials(next cloudlb.Credentials, overlap time.Duration) cloudlb.Credentials {
	c.mu.Lock()
	defer c.mu.Unlock()
	until := time.Now().Add(overlap)
	if next.Token != "" {
		c.tokens = replaceKeys(c.tokens, cloudlb.Credentials{Token: next.Token, Expires: next.Expires}, until)
		next.Token = ""
		if next.AccessKeyID == "" {
			return c.keys[0]
		}
	}
	if next.AccessKeyID == "" {
		next.AccessKeyID = "FAKECLOUD" + c.ids.pick(11, base36[:10])
		next.SecretAccessKey = c.ids.pick(40, base36)
		if c.keys[0].SecurityToken != "" && next.SecurityToken == "" {
			next.SecurityToken = c.ids.pick(40, base36)
		}
	}
	c.keys = replaceKeys(c.keys, next, until)
	return next
}

// replaceKeys puts next in front of old, which end at until at the latest.
func replaceKeys(old []cloudlb.Credentials, next cloudlb.Credentials, until time.Time) []cloudlb.Credentials {
	for i := range old {
		if k := &old[i]; k.Expires.IsZero() || until.Before(k.Expires) {
			k.Expires = until
		}
	}
	return slices.Insert(old, 0, next)
}

// Credentials implements cloudlb.CredentialsProvider: it gives the newest key
// pair, as a metadata service does. Config's is the one of its own time.
func (c *account) Credentials(context.Context) (cloudlb.Credentials, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.keys[0], nil
}

// key finds the newest credentials with that access key, and whose they are. A
// permanent key that has expired is gone.
func (c *core) key(accessKeyID string, now time.Time) (*account, cloudlb.Credentials, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.accounts {
		for _, k := range a.keys {
			if k.AccessKeyID == accessKeyID && (k.SecurityToken != "" || !expired(k, now) || !a.set.assumes(ExpiredKeysUnknown)) {
				return a, k, true
			}
		}
	}
	return nil, cloudlb.Credentials{}, false
}

// knowsToken finds whose IAM token a valid one is.
func (c *core) knowsToken(token string, now time.Time) (*account, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.accounts {
		if slices.ContainsFunc(a.tokens, func(k cloudlb.Credentials) bool { return k.Token == token && !expired(k, now) }) {
			return a, true
		}
	}
	return nil, false
}

func expired(k cloudlb.Credentials, now time.Time) bool {
	return !k.Expires.IsZero() && !now.Before(k.Expires)
}

// tooOld is the error for a key that has expired.
func (q *call) tooOld(key cloudlb.Credentials) *fault {
	switch {
	case q.vendor == alibaba && key.SecurityToken == "":
		return refusef(400, "InvalidAccessKeyId.Inactive", "Specified access key is disabled.")
	case q.vendor == alibaba:
		return refusef(400, "InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")
	}
	return refusef(401, "APIGW.0301", "Incorrect IAM authentication information: the key has expired")
}
