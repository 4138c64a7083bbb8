package huaweicloud

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb"
)

// refreshBefore is how long before they expire the vendor's SDKs replace keys.
const refreshBefore = 40 * time.Minute

func cached(p cloudlb.CredentialsProvider) *cloudlb.CredentialsCache {
	return &cloudlb.CredentialsCache{Provider: p, RefreshBefore: refreshBefore}
}

// printable reports credentials that can stand in a header: visible ASCII.
func printable(c cloudlb.Credentials) bool {
	for _, s := range []string{c.AccessKeyID, c.SecretAccessKey, c.SecurityToken, c.Token} {
		for i := range len(s) {
			if s[i] <= ' ' || s[i] > '~' {
				return false
			}
		}
	}
	return true
}

// temporary are keys as the metadata and the pod identity service write them.
// Names are compared without regard to case.
type temporary struct {
	Access          string `json:"access"`
	AccessKeyID     string `json:"accessKeyId"`
	Secret          string `json:"secret"`
	SecretAccessKey string `json:"secretAccessKey"`
	SecurityToken   string `json:"securityToken"`
	ExpiresAt       string `json:"expires_at"`
	Expiration      string `json:"expiration"`
}

// parseKeys reads temporary keys. Its errors show nothing of what was read.
func parseKeys(body []byte) (cloudlb.Credentials, error) {
	if len(strings.TrimSpace(string(body))) == 0 {
		return cloudlb.Credentials{}, errors.New("the answer is empty")
	}
	var reply struct {
		Credential  *temporary `json:"credential"`
		Credentials *temporary `json:"credentials"`
	}
	if json.Unmarshal(body, &reply) != nil {
		return cloudlb.Credentials{}, errors.New("the answer is not the JSON that is documented")
	}
	keys := cmp.Or(reply.Credential, reply.Credentials)
	if keys == nil {
		return cloudlb.Credentials{}, errors.New("the answer has no credential")
	}
	cred := cloudlb.Credentials{
		AccessKeyID:     cmp.Or(keys.Access, keys.AccessKeyID),
		SecretAccessKey: cmp.Or(keys.Secret, keys.SecretAccessKey),
		SecurityToken:   keys.SecurityToken,
	}
	switch {
	case cred.AccessKeyID == "" || cred.SecretAccessKey == "":
		return cloudlb.Credentials{}, errors.New("the answer has no access key or no secret key")
	case cred.SecurityToken == "":
		return cloudlb.Credentials{}, errors.New("the answer has no security token")
	case !printable(cred):
		return cloudlb.Credentials{}, errors.New("the answer has keys with characters that no key has")
	}
	var err error
	cred.Expires, err = parseExpiry(cmp.Or(keys.ExpiresAt, keys.Expiration))
	if err != nil {
		return cloudlb.Credentials{}, err
	}
	return cred, nil
}

// parseExpiry reads a time such as 2006-01-02T15:04:05.000000Z, UTC, and fails
// on one that has passed.
func parseExpiry(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, errors.New("the answer does not say when the credentials expire")
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t, err = time.Parse("2006-01-02T15:04:05", s)
	}
	if err != nil {
		return time.Time{}, errors.New("the answer says in no known form when the credentials expire")
	}
	if now := time.Now(); !now.Before(t) {
		return time.Time{}, fmt.Errorf("the credentials in the answer expired at %s: this machine's clock says %s",
			t.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	return t.UTC(), nil
}
