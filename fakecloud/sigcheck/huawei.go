package sigcheck

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	sdkHMAC         = "SDK-HMAC-SHA256"
	v11HMAC         = "V11-HMAC-SHA256"
	unsignedPayload = "UNSIGNED-PAYLOAD"
	huaweiTime      = "20060102T150405Z"
)

// Huawei verifies an SDK-HMAC-SHA256 or V11-HMAC-SHA256 signature. The service
// insists on X-Sdk-Date being signed; this is stricter and wants X-Project-Id,
// X-Domain-Id, X-Security-Token and X-Sdk-Content-Sha256 signed where present.
func Huawei(r *http.Request, body []byte, now time.Time, keys Keys) (Identity, error) {
	headers := r.Header.Values("Authorization")
	if len(headers) != 1 {
		return Identity{}, huawei("one Authorization header is needed")
	}
	algorithm, _, _ := strings.Cut(headers[0], " ")
	credentialName := map[string]string{sdkHMAC: "Access", v11HMAC: "Credential"}[algorithm]
	if credentialName == "" {
		return Identity{}, huawei("the signature algorithm is not supported")
	}
	auth, err := parseAuthorization(headers[0], ", ", credentialName)
	if err != nil {
		return Identity{}, huawei(err.Error())
	}
	identity := Identity{AccessKeyID: auth.credential, Algorithm: algorithm}

	if !auth.signs("X-Sdk-Date") {
		return Identity{}, huawei("header x-sdk-date is not signed")
	}
	for _, name := range []string{"X-Sdk-Date", "X-Project-Id", "X-Domain-Id", "X-Security-Token", "X-Sdk-Content-Sha256"} {
		switch values := r.Header.Values(name); {
		case len(values) > 1:
			return Identity{}, huawei("header " + name + " is repeated")
		case len(values) == 1 && !auth.signs(name):
			return Identity{}, huawei("header " + name + " is not signed")
		}
	}
	date := r.Header.Get("X-Sdk-Date")
	identity.Time, err = time.Parse(huaweiTime, date)
	if err != nil || identity.Time.Format(huaweiTime) != date {
		return Identity{}, huawei("x-sdk-date is not of the form yyyyMMddTHHmmssZ")
	}
	if skewed(identity.Time, now) {
		return Identity{}, huawei("x-sdk-date is more than 15 minutes from the server's time")
	}

	info := ""
	if algorithm == v11HMAC {
		parts := strings.Split(auth.credential, "/")
		if len(parts) != 4 || slices.Contains(parts, "") {
			return Identity{}, huawei("credential is not access key, date, region and service")
		}
		if parts[1] != date[:8] {
			return Identity{}, huawei("the date of the credential is not that of x-sdk-date")
		}
		identity.AccessKeyID, identity.Region, identity.Service = parts[0], parts[2], parts[3]
		info = strings.Join(parts[1:], "/")
	}
	secret, token, ok := keys(identity.AccessKeyID)
	if !ok {
		return Identity{}, huawei("the access key does not exist")
	}
	switch given := strings.Join(headerValues(r, "X-Security-Token"), ""); {
	case given == "" && token != "":
		return Identity{}, huawei("the access key is temporary and needs x-security-token")
	case !same(given, token):
		return Identity{}, huawei("x-security-token does not belong to the access key")
	}

	hash := hexSHA256(body)
	if values := headerValues(r, "X-Sdk-Content-Sha256"); len(values) > 0 {
		switch {
		case values[0] == unsignedPayload:
			hash, identity.UnsignedPayload = unsignedPayload, true
		case !same(values[0], hash):
			return Identity{}, huawei("x-sdk-content-sha256 is not the hash of the body")
		}
	}
	request, failure := huaweiRequest(r, auth, hash)
	if failure != nil {
		return Identity{}, failure
	}
	toSign, key := []string{algorithm, date}, []byte(secret)
	if algorithm == v11HMAC {
		derived, err := hkdf.Key(sha256.New, key, []byte(identity.AccessKeyID), info, 32)
		if err != nil {
			return Identity{}, huawei("the key cannot be derived")
		}
		toSign, key = append(toSign, info), []byte(hex.EncodeToString(derived))
	}
	toSign = append(toSign, hexSHA256([]byte(request)))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(strings.Join(toSign, "\n")))
	if !same(hex.EncodeToString(mac.Sum(nil)), auth.signature) {
		return Identity{}, huawei("verify aksk signature fail")
	}
	return identity, nil
}

// huaweiRequest is the canonical request.
func huaweiRequest(r *http.Request, auth authorization, hash string) (string, *Failure) {
	path, err := canonicalPath(r)
	if err != nil {
		return "", huaweiMalformed("the path cannot be decoded")
	}
	if !strings.HasSuffix(path, "/") {
		path += "/"
	}
	pairs, err := parsePairs(r.URL.RawQuery)
	if err != nil {
		return "", huaweiMalformed("the query cannot be decoded")
	}
	lines := []string{r.Method, path, canonicalPairs(pairs)}
	for _, name := range auth.signedHeaders {
		values := headerValues(r, name)
		if len(values) == 0 {
			return "", huawei("signed header " + name + " is missing")
		}
		slices.Sort(values)
		for _, v := range values {
			lines = append(lines, name+":"+v)
		}
	}
	lines = append(lines, "", strings.Join(auth.signedHeaders, ";"), hash)
	return strings.Join(lines, "\n"), nil
}

// huawei is what the gateway says of every failed authentication.
func huawei(reason string) *Failure {
	return &Failure{
		Status:  http.StatusUnauthorized,
		Code:    "APIGW.0301",
		Message: "Incorrect IAM authentication information: " + reason,
	}
}

func huaweiMalformed(reason string) *Failure {
	return &Failure{Status: http.StatusBadRequest, Code: "APIGW.0201", Message: "Bad request: " + reason}
}
