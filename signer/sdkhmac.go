package signer

import (
	"crypto/sha256"
	"net/http"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb"
)

// SDKHMAC signs for Huawei Cloud with SDK-HMAC-SHA256, the usual signature of
// its services.
type SDKHMAC struct{}

// Sign sets X-Sdk-Date, with temporary keys X-Security-Token, and
// Authorization. The last argument, the nonce of other schemes, is not used.
// Every header that r has is signed, with these exceptions and additions:
//
//   - Names that hold an underscore, and names that begin with Content-Type,
//     are left out.
//   - The host is signed only if r.Header has a Host entry. That is the form
//     shown in the vendor's signing guide, which signs Content-Type as well, so
//     then Content-Type is not left out. The service accepts either form.
//   - A body that is neither JSON nor BSON is not signed, as in the vendor's
//     SDK: X-Sdk-Content-Sha256 becomes UNSIGNED-PAYLOAD. To sign such a body,
//     set that header beforehand to anything else; it becomes the body's hash.
//     To leave out a JSON body, set it to UNSIGNED-PAYLOAD. That value is kept
//     when the request is signed again.
//
// X-Project-Id, where the service wants one, must be set before.
func (SDKHMAC) Sign(r *http.Request, body []byte, cred cloudlb.Credentials, at time.Time, _ string) error {
	if err := check(r, cred, at); err != nil {
		return err
	}
	c := pool.Get().(*canonical)
	defer c.release()
	date, err := c.huaweiRequest(r, body, cred, at)
	if err != nil {
		return err
	}

	const algorithm = "SDK-HMAC-SHA256"
	start := c.out.Len()
	c.out.WriteString(algorithm + " Access=")
	c.out.WriteString(cred.AccessKeyID)
	c.out.WriteString(", SignedHeaders=")
	c.out.Write(c.text[c.signed.start:c.signed.end])
	c.out.WriteString(", Signature=")
	c.key = append(c.key, cred.SecretAccessKey...)
	c.appendSignature(algorithm, date)
	c.set("Authorization", c.since(start))
	return nil
}

const (
	contentHashHeader = "X-Sdk-Content-Sha256"
	unsignedPayload   = "UNSIGNED-PAYLOAD"
)

// huaweiRequest sets the headers and writes the canonical request that SDKHMAC
// and V11 share. It gives the value of X-Sdk-Date.
func (c *canonical) huaweiRequest(r *http.Request, body []byte, cred cloudlb.Credentials, at time.Time) (date string, err error) {
	if err := c.appendTarget(r, true); err != nil {
		return "", err
	}
	c.out.Grow(512 + len(cred.AccessKeyID))
	date = c.appendTime(at, "20060102T150405Z")

	stated, inHeader := find(r.Header, contentHashHeader)
	hash := unsignedPayload
	if !inHeader && len(body) > 0 && !signsBody(r.Header) {
		inHeader = true
	} else if stated != unsignedPayload {
		sum := sha256.Sum256(body)
		start := c.out.Len()
		c.appendHex(sum[:])
		hash = c.since(start)
	}

	c.replaceHeaders(r, "X-Sdk-Date", contentHashHeader, "X-Security-Token", "Authorization")
	c.set("X-Sdk-Date", date)
	if inHeader {
		c.set(contentHashHeader, hash)
	}
	if cred.SecurityToken != "" {
		c.set("X-Security-Token", cred.SecurityToken)
	}

	c.addHuaweiFields(r)
	c.appendHeaders(false)
	c.text = append(c.text, hash...)
	return date, nil
}

func (c *canonical) addHuaweiFields(r *http.Request) {
	_, withHost := find(r.Header, "Host")
	if withHost {
		c.addFields("host", sentHost(r))
	}
	for name, values := range r.Header {
		switch {
		case strings.EqualFold(name, "Host"), strings.Contains(name, "_"):
		case hasPrefixFold(name, "Content-Type") && !(withHost && len(name) == len("Content-Type")):
		case name == "User-Agent":
			// net/http sends the first value only, and none if it is empty.
			if agent := r.Header.Get(name); agent != "" {
				c.addFields(name, agent)
			}
		default:
			c.addFields(name, values...)
		}
	}
}

// signsBody reports whether a body of the request's content type is signed by
// the vendor's SDK: JSON, BSON, or of no stated type.
func signsBody(h http.Header) bool {
	stated, found := find(h, "Content-Type")
	if !found {
		return true
	}
	media, _, _ := strings.Cut(stated, ";")
	media = trim(media)
	return strings.EqualFold(media, "application/json") || strings.EqualFold(media, "application/bson")
}
