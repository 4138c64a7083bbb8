package sigcheck

import (
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // The older signature is defined with it.
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// find gives the vector with an ID.
func find(t *testing.T, id string) vector {
	t.Helper()
	for _, v := range readVectors(t) {
		if v.ID == id {
			return v
		}
	}
	t.Fatalf("there is no vector %s", id)
	return vector{}
}

func wantFailure(t *testing.T, err error, status int, code string) {
	t.Helper()
	var failure *Failure
	if !errors.As(err, &failure) {
		t.Fatalf("error is %v, want a *Failure", err)
	}
	if failure.Status != status || failure.Code != code {
		t.Errorf("failure is %v, want %d %s", failure, status, code)
	}
}

func TestACS3Refuses(t *testing.T) {
	t.Parallel()
	temporary := find(t, "acs_sts_body")
	set := func(name string, values ...string) func(r *http.Request) {
		return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
	}
	edit := func(old, text string) func(r *http.Request) {
		return func(r *http.Request) {
			was := r.Header.Get("Authorization")
			if !strings.Contains(was, old) {
				panic("nothing to replace")
			}
			r.Header.Set("Authorization", strings.Replace(was, old, text, 1))
		}
	}
	for _, test := range []struct {
		name   string
		change func(r *http.Request)
		skew   time.Duration
		body   string
		status int
		code   string
	}{
		{name: "no authorization", change: set("Authorization"), status: 400, code: "IncompleteSignature"},
		{name: "two authorizations", change: set("Authorization", "a", "b"), status: 400, code: "IncompleteSignature"},
		{name: "other algorithm", change: edit("ACS3-HMAC-SHA256", "ACS3-HMAC-SM3"), status: 400, code: "IncompleteSignature"},
		{name: "no algorithm", change: edit("ACS3-HMAC-SHA256 ", ""), status: 400, code: "IncompleteSignature"},
		{name: "space after comma", change: edit(",SignedHeaders", ", SignedHeaders"), status: 400, code: "IncompleteSignature"},
		{name: "no signature", change: edit(",Signature=", ",Sig="), status: 400, code: "IncompleteSignature"},
		{name: "empty credential", change: edit("Credential=STS.EXAMPLEACCESSKEY1", "Credential="), status: 400, code: "IncompleteSignature"},
		{name: "one part more", change: edit(",Signature=", ",X=1,Signature="), status: 400, code: "IncompleteSignature"},
		{name: "unknown key", change: edit("STS.EXAMPLEACCESSKEY1", "STS.OTHER"), status: 404, code: "InvalidAccessKeyId.NotFound"},
		{name: "host unsigned", change: edit(";host", ""), status: 400, code: "IncompleteSignature"},
		{name: "action unsigned", change: edit(";x-acs-action", ""), status: 400, code: "IncompleteSignature"},
		{name: "version unsigned", change: edit(";x-acs-version", ""), status: 400, code: "IncompleteSignature"},
		{name: "date unsigned", change: edit(";x-acs-date", ""), status: 400, code: "IncompleteSignature"},
		{name: "nonce unsigned", change: edit(";x-acs-signature-nonce", ""), status: 400, code: "IncompleteSignature"},
		{name: "hash unsigned", change: edit(";x-acs-content-sha256", ""), status: 400, code: "IncompleteSignature"},
		{name: "token unsigned", change: edit(";x-acs-security-token", ""), status: 400, code: "IncompleteSignature"},
		{name: "content type unsigned", change: edit("content-type;", ""), status: 400, code: "IncompleteSignature"},
		{name: "another header unsigned", change: set("x-acs-more", "1"), status: 400, code: "IncompleteSignature"},
		{name: "signed header missing", change: edit(";host", ";host;not-there"), status: 400, code: "IncompleteSignature"},
		{name: "signed headers unsorted", change: edit("content-type;host", "host;content-type"), status: 400, code: "IncompleteSignature"},
		{name: "signed headers repeated", change: edit(";host", ";host;host"), status: 400, code: "IncompleteSignature"},
		{name: "signed headers in capitals", change: edit(";host", ";Host"), status: 400, code: "IncompleteSignature"},
		{name: "no action", change: set("x-acs-action"), status: 400, code: "MissingParameter"},
		{name: "empty nonce", change: set("x-acs-signature-nonce", ""), status: 400, code: "MissingParameter"},
		{name: "two actions", change: set("x-acs-action", "a", "b"), status: 400, code: "InvalidParameter"},
		{name: "date of another form", change: set("x-acs-date", "20260102T030405Z"), status: 400, code: "InvalidTimeStamp.Format"},
		{name: "date in a zone", change: set("x-acs-date", "2026-01-02T03:04:05+00:00"), status: 400, code: "InvalidTimeStamp.Format"},
		{name: "date with a fraction", change: set("x-acs-date", "2026-01-02T03:04:05.5Z"), status: 400, code: "InvalidTimeStamp.Format"},
		{name: "late", skew: 15*time.Minute + time.Second, status: 400, code: "InvalidTimeStamp.Expired"},
		{name: "early", skew: -15*time.Minute - time.Second, status: 400, code: "InvalidTimeStamp.Expired"},
		{name: "token of another key", change: set("x-acs-security-token", "other"), status: 400, code: "InvalidSecurityToken.MismatchWithAccessKey"},
		{name: "empty token", change: set("x-acs-security-token", ""), status: 400, code: "InvalidSecurityToken.Malformed"},
		{name: "two tokens", change: set("x-acs-security-token", "a", "b"), status: 400, code: "InvalidSecurityToken.Malformed"},
		{name: "other body", body: "Servers.1.Port=81", status: 400, code: "SignatureDoesNotMatch"},
		{name: "other hash", change: set("x-acs-content-sha256", strings.Repeat("0", 64)), status: 400, code: "SignatureDoesNotMatch"},
		{name: "other method", change: func(r *http.Request) { r.Method = "PUT" }, status: 400, code: "SignatureDoesNotMatch"},
		{name: "other host", change: func(r *http.Request) { r.Host = "example.com" }, status: 400, code: "SignatureDoesNotMatch"},
		{name: "other path", change: func(r *http.Request) { r.URL.Path = "/x" }, status: 400, code: "SignatureDoesNotMatch"},
		{name: "other query", change: func(r *http.Request) { r.URL.RawQuery += "&a=1" }, status: 400, code: "SignatureDoesNotMatch"},
		{name: "broken query", change: func(r *http.Request) { r.URL.RawQuery += "&a=%" }, status: 400, code: "InvalidParameter"},
		{name: "other signature", change: edit("Signature=", "Signature=0"), status: 400, code: "SignatureDoesNotMatch"},
		{name: "the edges of the time allowed", skew: 15 * time.Minute},
		{name: "the other edge", skew: -15 * time.Minute},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r, body := temporary.received(t), temporary.Body
			r.Header.Set("Authorization", temporary.Expected.Authorization)
			if test.change != nil {
				test.change(r)
			}
			if test.body != "" {
				body = test.body
			}
			_, err := ACS3(r, []byte(body), temporary.time(t).Add(test.skew), temporary.keys)
			if test.code == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			wantFailure(t, err, test.status, test.code)
			if text := err.Error(); strings.Contains(text, temporary.Secret) || strings.Contains(text, temporary.SecurityToken) {
				t.Errorf("the error holds a secret: %s", text)
			}
		})
	}
}

func TestACS3Tokens(t *testing.T) {
	t.Parallel()
	lasting, temporary := find(t, "acs_put"), find(t, "acs_sts_body")
	r := temporary.received(t)
	r.Header.Set("Authorization", temporary.Expected.Authorization)
	_, err := ACS3(r, []byte(temporary.Body), temporary.time(t), func(string) (string, string, bool) { return temporary.Secret, "", true })
	wantFailure(t, err, 400, "InvalidSecurityToken.MismatchWithAccessKey")

	r = lasting.received(t)
	r.Header.Set("Authorization", lasting.Expected.Authorization)
	_, err = ACS3(r, []byte(lasting.Body), lasting.time(t), func(string) (string, string, bool) { return lasting.Secret, "token", true })
	wantFailure(t, err, 400, "MissingSecurityToken")
}

func TestHuaweiRefuses(t *testing.T) {
	t.Parallel()
	set := func(name string, values ...string) func(r *http.Request) {
		return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
	}
	edit := func(old, text string) func(r *http.Request) {
		return func(r *http.Request) {
			r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), old, text, 1))
		}
	}
	all := []string{"sdk_post_json", "v11_post_json"}
	for _, test := range []struct {
		name    string
		vectors []string
		change  func(r *http.Request)
		skew    time.Duration
		body    string
		code    string // with status 401, unless it is APIGW.0201
	}{
		{name: "no authorization", vectors: all, change: set("Authorization"), code: "APIGW.0301"},
		{name: "other algorithm", vectors: all, change: edit("-HMAC-", "-"), code: "APIGW.0301"},
		{name: "no space after comma", vectors: all, change: edit(", SignedHeaders", ",SignedHeaders"), code: "APIGW.0301"},
		{name: "unknown key", vectors: all, change: edit("EXAMPLEACCESSKEY0001", "OTHER"), code: "APIGW.0301"},
		{name: "date unsigned", vectors: all, change: edit(";x-sdk-date", ""), code: "APIGW.0301"},
		{name: "project unsigned", vectors: all, change: edit("x-project-id;", ""), code: "APIGW.0301"},
		{name: "two projects", vectors: all, change: set("X-Project-Id", "a", "b"), code: "APIGW.0301"},
		{name: "no project", vectors: all, change: set("X-Project-Id"), code: "APIGW.0301"},
		{name: "token unsigned", vectors: all, change: set("X-Security-Token", "a"), code: "APIGW.0301"},
		{name: "content hash unsigned", vectors: all, change: set("X-Sdk-Content-Sha256", "UNSIGNED-PAYLOAD"), code: "APIGW.0301"},
		{name: "signed headers unsorted", vectors: all, change: edit("x-project-id;x-sdk-date", "x-sdk-date;x-project-id"), code: "APIGW.0301"},
		{name: "no date", vectors: all, change: set("X-Sdk-Date"), code: "APIGW.0301"},
		{name: "date of another form", vectors: all, change: set("X-Sdk-Date", "2026-01-02T03:04:05Z"), code: "APIGW.0301"},
		{name: "other date", vectors: all, change: set("X-Sdk-Date", "20260102T030406Z"), code: "APIGW.0301"},
		{name: "late", vectors: all, skew: 15*time.Minute + time.Second, code: "APIGW.0301"},
		{name: "early", vectors: all, skew: -15*time.Minute - time.Second, code: "APIGW.0301"},
		{name: "other body", vectors: all, body: "{}", code: "APIGW.0301"},
		{name: "other method", vectors: all, change: func(r *http.Request) { r.Method = "PUT" }, code: "APIGW.0301"},
		{name: "other path", vectors: all, change: func(r *http.Request) { r.URL.Path += "x" }, code: "APIGW.0301"},
		{name: "other query", vectors: all, change: func(r *http.Request) { r.URL.RawQuery = "a" }, code: "APIGW.0301"},
		{name: "broken query", vectors: all, change: func(r *http.Request) { r.URL.RawQuery = "%" }, code: "APIGW.0201"},
		{name: "other signature", vectors: all, change: edit("Signature=", "Signature=0"), code: "APIGW.0301"},
		{name: "other region", vectors: all[1:], change: edit("/cn-north-4/", "/cn-north-1/"), code: "APIGW.0301"},
		{name: "other service", vectors: all[1:], change: edit("/elb,", "/apig,"), code: "APIGW.0301"},
		{name: "other day", vectors: all[1:], change: edit("/20260102/", "/20260103/"), code: "APIGW.0301"},
		{name: "no service", vectors: all[1:], change: edit("/elb,", ","), code: "APIGW.0301"},
		{name: "final slash", vectors: all, change: func(r *http.Request) { r.URL.Path += "/" }},
		{name: "the edge of the time allowed", vectors: all, skew: 15 * time.Minute},
	} {
		for _, id := range test.vectors {
			t.Run(test.name+"/"+id, func(t *testing.T) {
				t.Parallel()
				v := find(t, id)
				r, body := v.received(t), v.Body
				r.Header.Set("Authorization", v.Expected.Authorization)
				if test.change != nil {
					test.change(r)
				}
				if test.body != "" {
					body = test.body
				}
				_, err := Huawei(r, []byte(body), v.time(t).Add(test.skew), v.keys)
				switch test.code {
				case "":
					if err != nil {
						t.Error(err)
					}
				case "APIGW.0201":
					wantFailure(t, err, 400, test.code)
				default:
					wantFailure(t, err, 401, test.code)
				}
			})
		}
	}
}

func TestHuaweiTokens(t *testing.T) {
	t.Parallel()
	lasting, temporary := find(t, "sdk_post_json"), find(t, "v11_sts")
	for _, test := range []struct {
		name string
		v    vector
		keys Keys
	}{
		{"not expected", temporary, func(string) (string, string, bool) { return temporary.Secret, "", true }},
		{"another", temporary, func(string) (string, string, bool) { return temporary.Secret, "other", true }},
		{"missing", lasting, func(string) (string, string, bool) { return lasting.Secret, "token", true }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := test.v.received(t)
			r.Header.Set("Authorization", test.v.Expected.Authorization)
			_, err := Huawei(r, []byte(test.v.Body), test.v.time(t), test.keys)
			wantFailure(t, err, 401, "APIGW.0301")
		})
	}
}

func TestRPCV1(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	keys := func(id string) (secret, securityToken string, ok bool) {
		if id == "temporary" {
			return "secret", "to+ken=", true
		}
		return "secret", "", id == "lasting"
	}
	base := map[string]string{
		"Action": "DescribeRegions", "Version": "2014-05-15", "AccessKeyId": "lasting", "SignatureMethod": "HMAC-SHA1",
		"SignatureVersion": "1.0", "SignatureNonce": "n", "Timestamp": "2026-01-02T03:04:05Z", "Text": "a b*c~d+e/名",
	}
	for _, test := range []struct {
		name   string
		set    map[string]string // before signing; "" removes
		query  string            // added after signing
		form   bool              // the parameters travel in the body
		body   string
		skew   time.Duration
		status int
		code   string
	}{
		{name: "query"},
		{name: "form", form: true},
		{name: "temporary", set: map[string]string{"AccessKeyId": "temporary", "SecurityToken": "to+ken="}},
		{name: "no action", set: map[string]string{"Action": ""}, status: 400, code: "MissingAction"},
		{name: "no key", set: map[string]string{"AccessKeyId": ""}, status: 400, code: "MissingAccessKeyId"},
		{name: "no nonce", set: map[string]string{"SignatureNonce": ""}, status: 400, code: "MissingSignatureNonce"},
		{name: "unknown key", set: map[string]string{"AccessKeyId": "x"}, status: 404, code: "InvalidAccessKeyId.NotFound"},
		{name: "method", set: map[string]string{"SignatureMethod": "HMAC-SHA256"}, status: 400, code: "IncompleteSignature"},
		{name: "version", set: map[string]string{"SignatureVersion": "2.0"}, status: 400, code: "IncompleteSignature"},
		{name: "date", set: map[string]string{"Timestamp": "now"}, status: 400, code: "InvalidTimeStamp.Format"},
		{name: "late", skew: time.Hour, status: 400, code: "InvalidTimeStamp.Expired"},
		{name: "no token", set: map[string]string{"AccessKeyId": "temporary"}, status: 400, code: "MissingSecurityToken"},
		{
			name: "other token", set: map[string]string{"AccessKeyId": "temporary", "SecurityToken": "x"},
			status: 400, code: "InvalidSecurityToken.MismatchWithAccessKey",
		},
		{name: "one more", query: "&a=1", status: 400, code: "SignatureDoesNotMatch"},
		{name: "repeated", query: "&Action=x", status: 400, code: "InvalidParameter"},
		{name: "broken", query: "&a=%", status: 400, code: "InvalidParameter"},
		{name: "unsigned body", body: "{}", status: 400, code: "InvalidParameter"},
		{name: "broken form", form: true, body: "&a=%", status: 400, code: "InvalidParameter"},
		{name: "longer form", form: true, body: "&a=1", status: 400, code: "SignatureDoesNotMatch"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			params := maps.Clone(base)
			maps.Copy(params, test.set)
			values := make(url.Values)
			for name, value := range params {
				if value != "" {
					values.Set(name, value)
				}
			}
			canonical := strings.ReplaceAll(values.Encode(), "+", "%20")
			mac := hmac.New(sha1.New, []byte("secret&"))
			mac.Write([]byte("POST&%2F&" + url.QueryEscape(canonical)))
			values.Set("Signature", base64.StdEncoding.EncodeToString(mac.Sum(nil)))

			target, body := "https://slb.aliyuncs.com/", test.body
			if test.form {
				body = values.Encode() + body
			} else {
				target += "?" + values.Encode() + test.query
			}
			r, err := http.NewRequestWithContext(t.Context(), "POST", target, http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			if test.form {
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
			}
			got, err := RPCV1(r, []byte(body), now.Add(test.skew), keys)
			if test.code != "" {
				wantFailure(t, err, test.status, test.code)
				return
			}
			want := Identity{AccessKeyID: params["AccessKeyId"], Algorithm: "HMAC-SHA1", Nonce: "n", Time: now}
			if err != nil || got != want {
				t.Errorf("got %+v and %v, want %+v", got, err, want)
			}
		})
	}
}
