package sigcheck

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Keys looks up an access key. securityToken is the token that must accompany
// it, empty for long-lived keys.
type Keys func(accessKeyID string) (secret, securityToken string, ok bool)

// Identity says who signed a request, and how.
type Identity struct {
	AccessKeyID string
	// Algorithm is as in the Authorization header; "HMAC-SHA1" for RPCV1.
	Algorithm string
	// Nonce is empty for Huawei, whose signatures have none.
	Nonce string
	// Time is when the signer says it signed.
	Time time.Time
	// Region and Service are what a V11 key was derived for, else empty.
	Region, Service string
	// UnsignedPayload is set if the signature does not cover the body: Huawei's
	// UNSIGNED-PAYLOAD.
	UnsignedPayload bool
}

// Failure is a refused signature, in the words of the real service.
type Failure struct {
	// Status is the HTTP status.
	Status int
	// Code and Message are for the body of the answer.
	Code, Message string
}

// Error implements error.
func (f *Failure) Error() string { return fmt.Sprintf("%d %s: %s", f.Status, f.Code, f.Message) }

// maxSkew is how far the time of a signature may be from now.
const maxSkew = 15 * time.Minute

func skewed(at, now time.Time) bool { return at.Sub(now).Abs() > maxSkew }

// authorization is a parsed Authorization header.
type authorization struct {
	algorithm     string
	credential    string
	signedHeaders []string
	signature     string
}

// parseAuthorization reads "<algorithm> <credentialName>=..., SignedHeaders=...,
// Signature=...". Each part must be there once and nothing else.
func parseAuthorization(header, separator, credentialName string) (authorization, error) {
	var a authorization
	algorithm, rest, _ := strings.Cut(header, " ")
	a.algorithm = algorithm
	parts := strings.Split(rest, separator)
	if len(parts) != 3 {
		return a, fmt.Errorf("authorization must be %s, SignedHeaders and Signature", credentialName)
	}
	var names string
	for i, part := range []struct {
		name string
		into *string
	}{{credentialName, &a.credential}, {"SignedHeaders", &names}, {"Signature", &a.signature}} {
		value, ok := strings.CutPrefix(parts[i], part.name+"=")
		if !ok || value == "" {
			return a, fmt.Errorf("authorization has no %s", part.name)
		}
		*part.into = value
	}
	a.signedHeaders = strings.Split(names, ";")
	for i, name := range a.signedHeaders {
		if name == "" || name != strings.ToLower(name) {
			return a, fmt.Errorf("signed header %q is not a lower-case name", name)
		}
		if i > 0 && a.signedHeaders[i-1] >= name {
			return a, fmt.Errorf("signed headers are not sorted at %q", name)
		}
	}
	return a, nil
}

func (a authorization) signs(name string) bool {
	return slices.Contains(a.signedHeaders, strings.ToLower(name))
}

// headerValues gives the values of a header as received, trimmed. Go keeps the
// host apart from the other headers.
func headerValues(r *http.Request, name string) []string {
	if strings.EqualFold(name, "host") {
		return []string{cmp.Or(r.Host, r.URL.Host)}
	}
	var values []string
	for _, v := range r.Header.Values(name) {
		values = append(values, strings.Trim(v, " \t"))
	}
	return values
}

// canonicalPath encodes each segment of the path as received.
func canonicalPath(r *http.Request) (string, error) {
	segments := strings.Split(r.URL.EscapedPath(), "/")
	for i, s := range segments {
		plain, err := url.PathUnescape(s)
		if err != nil {
			return "", err
		}
		segments[i] = encode(plain)
	}
	if path := strings.Join(segments, "/"); path != "" {
		return path, nil
	}
	return "/", nil
}

// pair is a decoded parameter.
type pair struct{ name, value string }

// parsePairs decodes a query or a form. Only '&' separates.
func parsePairs(raw string) ([]pair, error) {
	var pairs []pair
	for part := range strings.SplitSeq(raw, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		plainName, err := url.QueryUnescape(name)
		if err != nil {
			return nil, err
		}
		plainValue, err := url.QueryUnescape(value)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, pair{plainName, plainValue})
	}
	return pairs, nil
}

// canonicalPairs sorts and encodes parameters.
func canonicalPairs(pairs []pair) string {
	slices.SortFunc(pairs, func(a, b pair) int {
		if a.name != b.name {
			return strings.Compare(a.name, b.name)
		}
		return strings.Compare(a.value, b.value)
	})
	encoded := make([]string, len(pairs))
	for i, p := range pairs {
		encoded[i] = encode(p.name) + "=" + encode(p.value)
	}
	return strings.Join(encoded, "&")
}

// encode percent-encodes all but A-Z a-z 0-9 - _ . ~. Go's form encoding does
// so except for the space.
func encode(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// same compares without telling how much is equal.
func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
