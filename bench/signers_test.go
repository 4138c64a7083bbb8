package bench

import (
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	openapiutils "github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	openapiutil "github.com/alibabacloud-go/openapi-util/service"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/alibabacloud-go/tea/tea"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/signer"
	hwrequest "github.com/huaweicloud/huaweicloud-sdk-go-v3/core/request"
	"pgregory.net/rapid"

	"github.com/cloudlb/cloudlb"
	oursigner "github.com/cloudlb/cloudlb/signer"
)

// toSign is a request of which every signer makes the same thing.
type toSign struct {
	method  string
	path    string // decoded
	query   map[string]string
	headers map[string]string
	body    []byte
	cred    cloudlb.Credentials
	at      time.Time
	nonce   string
}

// plainText is a header's text.
var plainText = rapid.StringOfN(rapid.RuneFrom(nil, printable), 1, 20, -1)

func drawToSign(t *rapid.T, name *rapid.Generator[string]) toSign {
	s := toSign{
		method: rapid.SampledFrom([]string{"GET", "POST", "PUT", "DELETE"}).Draw(t, "method"),
		query:  map[string]string{}, headers: map[string]string{},
		body: []byte(optional(t, "body", anyText(100))),
		cred: cloudlb.Credentials{
			AccessKeyID:     rapid.StringMatching(`[A-Za-z0-9]{16,24}`).Draw(t, "access key"),
			SecretAccessKey: plainText.Draw(t, "secret"),
		},
		at:    time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "at"), 0),
		nonce: rapid.StringMatching(`[0-9a-f]{32}`).Draw(t, "nonce"),
	}
	for range rapid.IntRange(0, 5).Draw(t, "parameters") {
		s.query[name.Draw(t, "name")] = optional(t, "value", anyText(12))
	}
	return s
}

// escaped encodes as RFC 3986 has it.
func escaped(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func (s toSign) request(endpoint string) *http.Request {
	u, err := url.Parse(endpoint)
	if err != nil {
		panic(err)
	}
	var segments []string
	for segment := range strings.SplitSeq(s.path, "/") {
		segments = append(segments, escaped(segment))
	}
	u.Path, u.RawPath = s.path, strings.Join(segments, "/")
	var query []string
	for name, v := range s.query {
		query = append(query, escaped(name)+"="+escaped(v))
	}
	u.RawQuery = strings.Join(query, "&")
	r := &http.Request{Method: s.method, URL: u, Host: u.Host, Header: http.Header{}}
	for name, v := range s.headers {
		r.Header.Set(name, v)
	}
	return r
}

// signedHeaders are the values of the headers that an Authorization covers.
func signedHeaders(r *http.Request) map[string]string {
	_, names, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	names, _, _ = strings.Cut(names, ",")
	out := map[string]string{}
	for name := range strings.SplitSeq(names, ";") {
		if name == "host" {
			out["host"] = r.Host
			continue
		}
		out[name] = r.Header.Get(name)
	}
	return out
}

func TestSameSignatureACS3(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Only names that need no encoding: theirs signs names as they are, which
		// is a known fault.
		s := drawToSign(t, rapid.StringMatching(`[A-Za-z0-9_.~-]{1,12}`))
		s.path = "/"
		s.headers["x-acs-action"], s.headers["x-acs-version"] = plainText.Draw(t, "action"), "2020-06-16"
		s.headers["x-acs-credentials-provider"] = "static_ak"
		if rapid.Bool().Draw(t, "with content type") {
			s.headers["content-type"] = "application/x-www-form-urlencoded"
		}
		s.cred.SecurityToken = optional(t, "security token", plainText)
		r := s.request("https://alb.cn-hangzhou.aliyuncs.com")
		if err := (oursigner.ACS3{}).Sign(r, s.body, s.cred, s.at, s.nonce); err != nil {
			t.Fatal(err)
		}
		headers, query := pointers(signedHeaders(r)), pointers(s.query)
		if got, want := *headers["x-acs-date"], s.at.UTC().Format("2006-01-02T15:04:05Z"); got != want {
			t.Fatalf("date %q, want %q", got, want)
		}
		algorithm := "ACS3-HMAC-SHA256"
		want := openapiutils.GetAuthorization(&dara.Request{Method: &s.method, Pathname: &s.path, Query: query, Headers: headers},
			&algorithm, headers["x-acs-content-sha256"], &s.cred.AccessKeyID, &s.cred.SecretAccessKey)
		older := openapiutil.GetAuthorization(&tea.Request{Method: &s.method, Pathname: &s.path, Query: query, Headers: headers},
			&algorithm, headers["x-acs-content-sha256"], &s.cred.AccessKeyID, &s.cred.SecretAccessKey)
		got := r.Header.Get("Authorization")
		if got != *want || got != *older {
			t.Fatalf("Authorization\nours:      %s\ncore v2:   %s\ncore util: %s", got, *want, *older)
		}
	})
}

func pointers(m map[string]string) map[string]*string {
	out := make(map[string]*string, len(m))
	for k, v := range m {
		out[k] = &v
	}
	return out
}

func TestSameSignatureSDKHMAC(t *testing.T) {
	sameHuawei(t, oursigner.SDKHMAC{}, func(r *hwrequest.DefaultHttpRequest, ak, sk string) (map[string]string, error) {
		return signer.Signer{}.Sign(r, ak, sk)
	})
}

func TestSameSignatureV11(t *testing.T) {
	sameHuawei(t, oursigner.V11{Region: "cn-north-4", Service: "elb"}, func(r *hwrequest.DefaultHttpRequest, ak, sk string) (map[string]string, error) {
		return signer.GetDerivedSigner().Sign(r, ak, sk, "elb", "cn-north-4")
	})
}

type signs interface {
	Sign(r *http.Request, body []byte, cred cloudlb.Credentials, at time.Time, nonce string) error
}

func sameHuawei(t *testing.T, s signs, sign func(r *hwrequest.DefaultHttpRequest, ak, sk string) (map[string]string, error)) {
	const endpoint = "https://elb.cn-north-4.myhuaweicloud.com"
	rapid.Check(t, func(t *rapid.T) {
		in := drawToSign(t, anyText(8))
		in.path = "/v3/p/elb/pools/" + rapid.StringMatching(`[A-Za-z0-9_.~-]{1,36}`).Draw(t, "pool") + "/members"
		in.headers["X-Project-Id"] = plainText.Draw(t, "project")
		if rapid.Bool().Draw(t, "with extra") {
			in.headers["X-Extra"] = plainText.Draw(t, "extra")
		}
		if len(in.body) > 0 {
			in.headers["Content-Type"] = "application/json;charset=UTF-8"
		}
		in.cred.SecurityToken = optional(t, "security token", plainText)
		r := in.request(endpoint)
		if err := s.Sign(r, in.body, in.cred, in.at, in.nonce); err != nil {
			t.Fatal(err)
		}
		got := r.Header.Get("Authorization")
		b := hwrequest.NewHttpRequestBuilder().WithEndpoint(endpoint).WithPath(in.path).WithMethod(in.method)
		for name, v := range in.query {
			b = b.AddQueryParam(name, reflect.ValueOf(v))
		}
		for name, v := range signedHeaders(r) {
			b = b.AddHeaderParam(http.CanonicalHeaderKey(name), v)
		}
		if len(in.body) > 0 {
			b = b.AddHeaderParam("Content-Type", in.headers["Content-Type"]).WithBody("", string(in.body))
		}
		theirs, err := sign(b.Build(), in.cred.AccessKeyID, in.cred.SecretAccessKey)
		if err != nil {
			t.Fatal(err)
		}
		if got != theirs["Authorization"] {
			t.Fatalf("Authorization\nours:   %s\ntheirs: %s\nsigned by ours: %v", got, theirs["Authorization"], slices.Sorted(maps.Keys(signedHeaders(r))))
		}
	})
}
