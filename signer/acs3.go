package signer

import (
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb"
)

// ACS3 signs for Alibaba Cloud with ACS3-HMAC-SHA256, the signature of every
// current product.
type ACS3 struct{}

// Sign sets X-Acs-Date, X-Acs-Signature-Nonce, X-Acs-Content-Sha256, with
// temporary keys X-Acs-Security-Token, and Authorization. It signs the host,
// Content-Type if r has it, and every X-Acs- header, so X-Acs-Action and
// X-Acs-Version, which the service requires, must be there before. If r has an
// X-Acs-Accesskey-Id, as the vendor's SDK sends with temporary keys, it becomes
// the access key of cred.
//
// The nonce must be new for every request that is sent, retries included;
// 32 random hexadecimal digits are usual.
func (ACS3) Sign(r *http.Request, body []byte, cred cloudlb.Credentials, at time.Time, nonce string) error {
	if err := check(r, cred, at); err != nil {
		return err
	}
	host := sentHost(r)
	switch {
	case host == "":
		return errors.New("signer: neither the request nor its URL has a host")
	case nonce == "":
		return errors.New("signer: the nonce is empty; ACS3 needs a new one for every request")
	}
	c := pool.Get().(*canonical)
	defer c.release()
	if err := c.appendTarget(r, false); err != nil {
		return err
	}

	const algorithm = "ACS3-HMAC-SHA256"
	c.out.Grow(512 + len(cred.AccessKeyID))
	date := c.appendTime(at, "2006-01-02T15:04:05Z")
	sum := sha256.Sum256(body)
	c.appendHex(sum[:])
	hash := c.since(len(date))

	_, withKeyID := find(r.Header, "X-Acs-Accesskey-Id")
	c.replaceHeaders(r, "X-Acs-Date", "X-Acs-Signature-Nonce", "X-Acs-Content-Sha256",
		"X-Acs-Security-Token", "X-Acs-Accesskey-Id", "Authorization")
	c.set("X-Acs-Date", date)
	c.set("X-Acs-Signature-Nonce", nonce)
	c.set("X-Acs-Content-Sha256", hash)
	if cred.SecurityToken != "" {
		c.set("X-Acs-Security-Token", cred.SecurityToken)
	}
	if withKeyID {
		c.set("X-Acs-Accesskey-Id", cred.AccessKeyID)
	}

	c.addFields("host", host)
	for name, values := range r.Header {
		if strings.EqualFold(name, "Content-Type") || hasPrefixFold(name, "X-Acs-") {
			c.addFields(name, values...)
		}
	}
	c.appendHeaders(true)
	c.text = append(c.text, hash...)

	start := c.out.Len()
	c.out.WriteString(algorithm + " Credential=")
	c.out.WriteString(cred.AccessKeyID)
	c.out.WriteString(",SignedHeaders=")
	c.out.Write(c.text[c.signed.start:c.signed.end])
	c.out.WriteString(",Signature=")
	c.key = append(c.key, cred.SecretAccessKey...)
	c.appendSignature(algorithm)
	c.set("Authorization", c.since(start))
	return nil
}
