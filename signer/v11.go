package signer

import (
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cloudlb/cloudlb"
)

// V11 signs for Huawei Cloud with V11-HMAC-SHA256: like SDKHMAC, but with a key
// derived from the secret for one day, region and service.
type V11 struct {
	// Region and Service are what the key is good for, such as "cn-north-4"
	// and "elb".
	Region, Service string
}

// Sign sets and signs the same headers as [SDKHMAC.Sign], by the
// same rules.
func (v V11) Sign(r *http.Request, body []byte, cred cloudlb.Credentials, at time.Time, _ string) error {
	if err := check(r, cred, at); err != nil {
		return err
	}
	switch {
	case v.Region == "" && v.Service == "":
		return errors.New("signer: V11 has no Region and no Service")
	case v.Region == "":
		return errors.New("signer: V11 has no Region")
	case v.Service == "":
		return errors.New("signer: V11 has no Service")
	}
	c := pool.Get().(*canonical)
	defer c.release()
	if err := c.deriveKey(v, cred, at); err != nil {
		return err
	}
	date, err := c.huaweiRequest(r, body, cred, at)
	if err != nil {
		return err
	}

	const algorithm = "V11-HMAC-SHA256"
	start := c.out.Len()
	c.out.WriteString(algorithm + " Credential=")
	c.out.WriteString(cred.AccessKeyID)
	c.out.WriteByte('/')
	c.out.WriteString(c.derived.info)
	c.out.WriteString(", SignedHeaders=")
	c.out.Write(c.text[c.signed.start:c.signed.end])
	c.out.WriteString(", Signature=")
	c.appendSignature(algorithm, date, c.derived.info)
	c.set("Authorization", c.since(start))
	return nil
}

// derivedKey is the key of the last V11 signature and all that it was derived
// from. It is used again only if all of that is the same, the secret included.
type derivedKey struct {
	secret, accessKey string
	info              string // yyyyMMdd/region/service
	key               string // hexadecimal text, which is itself the HMAC key
}

// deriveKey sets c.key, and c.derived to match.
func (c *canonical) deriveKey(v V11, cred cloudlb.Credentials, at time.Time) error {
	info := at.UTC().AppendFormat(c.key[:0], "20060102")
	info = append(info, '/')
	info = append(info, v.Region...)
	info = append(info, '/')
	info = append(info, v.Service...)

	d := &c.derived
	if d.secret != cred.SecretAccessKey || d.accessKey != cred.AccessKeyID || d.info != string(info) {
		secret, salt := []byte(cred.SecretAccessKey), []byte(cred.AccessKeyID)
		key, err := hkdf.Key(sha256.New, secret, salt, string(info), sha256.Size)
		if err != nil {
			return fmt.Errorf("signer: deriving the V11 key: %w", err)
		}
		*d = derivedKey{cred.SecretAccessKey, cred.AccessKeyID, string(info), hex.EncodeToString(key)}
	}
	c.key = append(c.key[:0], d.key...)
	return nil
}
