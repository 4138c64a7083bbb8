package sigcheck

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // The older signature is defined with it.
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"
)

const alibabaTime = "2006-01-02T15:04:05Z"

// ACS3 verifies an ACS3-HMAC-SHA256 signature.
func ACS3(r *http.Request, body []byte, now time.Time, keys Keys) (Identity, error) {
	const algorithm = "ACS3-HMAC-SHA256"
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 {
		return Identity{}, incomplete("one Authorization header is needed, got %d", len(headers))
	}
	auth, err := parseAuthorization(headers[0], ",", "Credential")
	if err != nil {
		return Identity{}, incomplete("%v", err)
	}
	if auth.algorithm != algorithm {
		return Identity{}, incomplete("the signature algorithm is not %s", algorithm)
	}

	for _, name := range []string{
		"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256",
	} {
		switch values := headerValues(r, name); {
		case len(values) == 0 || values[0] == "":
			return Identity{}, alibaba(http.StatusBadRequest, "MissingParameter", "header "+name+" is mandatory for this action")
		case len(values) > 1:
			return Identity{}, alibaba(http.StatusBadRequest, "InvalidParameter", "header "+name+" is repeated")
		case !auth.signs(name):
			return Identity{}, incomplete("header %s is not signed", name)
		}
	}
	for name := range r.Header {
		mustSign := name == "Content-Type" || strings.HasPrefix(name, "X-Acs-")
		if mustSign && !auth.signs(name) {
			return Identity{}, incomplete("header %s is not signed", strings.ToLower(name))
		}
	}

	at, failure := alibabaSignedAt(r.Header.Get("X-Acs-Date"), now)
	if failure != nil {
		return Identity{}, failure
	}
	secret, failure := alibabaSecret(keys, auth.credential, headerValues(r, "x-acs-security-token"))
	if failure != nil {
		return Identity{}, failure
	}
	hash := hexSHA256(body)
	if !same(hash, r.Header.Get("X-Acs-Content-Sha256")) {
		return Identity{}, mismatch("x-acs-content-sha256 is not the hash of the body, which is " + hash)
	}

	path, err := canonicalPath(r)
	if err != nil {
		return Identity{}, alibaba(http.StatusBadRequest, "InvalidParameter", "the path cannot be decoded")
	}
	pairs, err := parsePairs(r.URL.RawQuery)
	if err != nil {
		return Identity{}, alibaba(http.StatusBadRequest, "InvalidParameter", "the query cannot be decoded")
	}
	var lines strings.Builder
	for _, name := range auth.signedHeaders {
		values := headerValues(r, name)
		if len(values) == 0 {
			return Identity{}, incomplete("signed header %s is missing", name)
		}
		slices.Sort(values)
		fmt.Fprintf(&lines, "%s:%s\n", name, strings.Join(values, ","))
	}
	request := strings.Join([]string{
		r.Method, path, canonicalPairs(pairs), lines.String(), strings.Join(auth.signedHeaders, ";"), hash,
	}, "\n")
	toSign := algorithm + "\n" + hexSHA256([]byte(request))
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(toSign))
	if !same(hex.EncodeToString(mac.Sum(nil)), auth.signature) {
		return Identity{}, mismatch("specified signature is not matched with our calculation; server string to sign is: " + toSign)
	}
	return Identity{
		AccessKeyID: auth.credential,
		Algorithm:   algorithm,
		Nonce:       strings.Trim(r.Header.Get("X-Acs-Signature-Nonce"), " \t"),
		Time:        at,
	}, nil
}

// RPCV1 verifies the older Alibaba signature, HMAC-SHA1 over the parameters of
// the query and of a form body.
func RPCV1(r *http.Request, body []byte, now time.Time, keys Keys) (Identity, error) {
	const algorithm = "HMAC-SHA1"
	pairs, err := parsePairs(r.URL.RawQuery)
	if err != nil {
		return Identity{}, alibaba(http.StatusBadRequest, "InvalidParameter", "the query cannot be decoded")
	}
	if len(body) > 0 {
		media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if err != nil || media != "application/x-www-form-urlencoded" {
			return Identity{}, alibaba(http.StatusBadRequest, "InvalidParameter", "a body must be a form, since no other is signed")
		}
		form, err := parsePairs(string(body))
		if err != nil {
			return Identity{}, alibaba(http.StatusBadRequest, "InvalidParameter", "the form cannot be decoded")
		}
		pairs = append(pairs, form...)
	}

	given := make(map[string]string)
	for _, p := range pairs {
		if _, repeated := given[p.name]; repeated {
			return Identity{}, alibaba(http.StatusBadRequest, "InvalidParameter", "parameter "+p.name+" is repeated")
		}
		given[p.name] = p.value
	}
	for _, name := range []string{
		"Action", "Version", "AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp",
	} {
		if given[name] == "" {
			return Identity{}, alibaba(http.StatusBadRequest, "Missing"+name, name+" is mandatory for this action")
		}
	}
	if given["SignatureMethod"] != algorithm || given["SignatureVersion"] != "1.0" {
		return Identity{}, incomplete("SignatureMethod must be %s and SignatureVersion 1.0", algorithm)
	}
	at, failure := alibabaSignedAt(given["Timestamp"], now)
	if failure != nil {
		return Identity{}, failure
	}
	var tokens []string
	if token, ok := given["SecurityToken"]; ok {
		tokens = []string{token}
	}
	secret, failure := alibabaSecret(keys, given["AccessKeyId"], tokens)
	if failure != nil {
		return Identity{}, failure
	}

	signed := slices.DeleteFunc(pairs, func(p pair) bool { return p.name == "Signature" })
	toSign := r.Method + "&%2F&" + encode(canonicalPairs(signed))
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	mac.Write([]byte(toSign))
	if !same(base64.StdEncoding.EncodeToString(mac.Sum(nil)), given["Signature"]) {
		return Identity{}, mismatch("specified signature is not matched with our calculation")
	}
	return Identity{
		AccessKeyID: given["AccessKeyId"],
		Algorithm:   algorithm,
		Nonce:       given["SignatureNonce"],
		Time:        at,
	}, nil
}

func alibabaSignedAt(text string, now time.Time) (time.Time, *Failure) {
	at, err := time.Parse(alibabaTime, text)
	if err != nil || at.Format(alibabaTime) != text {
		return at, alibaba(http.StatusBadRequest, "InvalidTimeStamp.Format", "the timestamp is not of the form yyyy-MM-ddTHH:mm:ssZ")
	}
	if skewed(at, now) {
		return at, alibaba(http.StatusBadRequest, "InvalidTimeStamp.Expired", "the timestamp is more than 15 minutes from the server's time "+
			now.UTC().Format(alibabaTime))
	}
	return at, nil
}

// alibabaSecret looks up the key and checks the tokens that came with it.
func alibabaSecret(keys Keys, accessKeyID string, tokens []string) (string, *Failure) {
	secret, token, ok := keys(accessKeyID)
	switch {
	case !ok:
		return "", alibaba(http.StatusNotFound, "InvalidAccessKeyId.NotFound", "the specified access key is not found")
	case len(tokens) == 0 && token == "":
		return secret, nil
	case len(tokens) == 0:
		return "", alibaba(http.StatusBadRequest, "MissingSecurityToken", "SecurityToken is mandatory for this access key")
	case len(tokens) > 1 || tokens[0] == "":
		return "", alibaba(http.StatusBadRequest, "InvalidSecurityToken.Malformed", "the specified security token is malformed")
	case !same(tokens[0], token):
		return "", alibaba(http.StatusBadRequest, "InvalidSecurityToken.MismatchWithAccessKey",
			"the specified security token does not belong to this access key")
	default:
		return secret, nil
	}
}

func alibaba(status int, code, message string) *Failure {
	return &Failure{Status: status, Code: code, Message: message}
}

func incomplete(format string, args ...any) *Failure {
	return alibaba(http.StatusBadRequest, "IncompleteSignature", fmt.Sprintf(format, args...))
}

func mismatch(message string) *Failure {
	return alibaba(http.StatusBadRequest, "SignatureDoesNotMatch", message)
}
