package signer_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/signer"
)

// scheme is what the three signers have in common.
type scheme interface {
	Sign(r *http.Request, body []byte, cred cloudlb.Credentials, at time.Time, nonce string) error
}

// vector is a signature made by the vendor's own signer.
type vector struct {
	ID            string
	Algorithm     string
	Method        string
	URL           string
	Headers       map[string][]string
	Body          string
	Date          string
	Nonce         string
	AccessKey     string `json:"access_key"`
	Secret        string
	SecurityToken string `json:"security_token"`
	Region        string
	Service       string
	Quirk         string
	Expected      expectation
	ByTheRules    expectation `json:"by_the_published_rules"`
}

type expectation struct {
	Authorization string
	AddedHeaders  http.Header `json:"added_headers"`
}

// quirks are the vectors where the vendor's signer departs from its published
// rules. We follow the rules.
var quirks = map[string]string{
	"acs_query_key_chinese": "the vendor's signer leaves query names unencoded in the signed text, not in the URL",
	"sdk_header_repeated":   "the vendor's signer lists a name given in two letter cases twice, with all values each time",
	"v11_header_repeated":   "the vendor's signer lists a name given in two letter cases twice, with all values each time",
}

func readVectors(tb testing.TB) []vector {
	tb.Helper()
	data, err := os.ReadFile("testdata/signing.json")
	if err != nil {
		tb.Fatal(err)
	}
	var file struct{ Vectors []vector }
	if err := json.Unmarshal(data, &file); err != nil {
		tb.Fatal(err)
	}
	return file.Vectors
}

// scheme gives the signer for v and its time, or false if v is not for this
// package.
func (v vector) scheme(tb testing.TB) (s scheme, at time.Time, ok bool) {
	tb.Helper()
	layout := "20060102T150405Z"
	switch v.Algorithm {
	case "ACS3-HMAC-SHA256":
		s, layout = signer.ACS3{}, "2006-01-02T15:04:05Z"
	case "SDK-HMAC-SHA256":
		s = signer.SDKHMAC{}
	case "V11-HMAC-SHA256":
		s = signer.V11{Region: v.Region, Service: v.Service}
	default:
		return nil, at, false
	}
	at, err := time.Parse(layout, v.Date)
	if err != nil {
		tb.Fatal(err)
	}
	return s, at, true
}

// request is the request before signing, its headers stored in the letter case
// of the vector.
func (v vector) request(tb testing.TB) *http.Request {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), v.Method, v.URL, strings.NewReader(v.Body))
	if err != nil {
		tb.Fatal(err)
	}
	maps.Copy(r.Header, v.Headers)
	return r
}

func (v vector) credentials() cloudlb.Credentials {
	return cloudlb.Credentials{AccessKeyID: v.AccessKey, SecretAccessKey: v.Secret, SecurityToken: v.SecurityToken}
}

func TestVectors(t *testing.T) {
	t.Parallel()
	signed := 0
	for _, v := range readVectors(t) {
		s, at, ok := v.scheme(t)
		if !ok {
			continue
		}
		signed++
		t.Run(v.ID, func(t *testing.T) {
			t.Parallel()
			want := v.Expected
			if (v.Quirk != "") != (quirks[v.ID] != "") {
				t.Fatalf("quirk %q is not listed, or listed and gone", v.Quirk)
			}
			if v.Quirk != "" {
				want = v.ByTheRules
			}
			// The headers as given, in canonical letter case, and with stale
			// values where Sign must set its own.
			asGiven, canonical, stale := v.request(t), v.request(t), v.request(t)
			canonical.Header = make(http.Header)
			for name, values := range v.Headers {
				for _, value := range values {
					canonical.Header.Add(name, value)
				}
			}
			for name := range stale.Header {
				switch strings.ToLower(name) {
				case "x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256", "x-acs-accesskey-id",
					"x-acs-security-token", "x-sdk-date", "x-security-token":
					stale.Header[name] = []string{"stale", "twice"}
				}
			}
			stale.Header["authorization"] = []string{"stale"}
			stale.Header.Set("Authorization", "stale")
			stale.Header.Set("X-Acs-Security-Token", "stale")
			stale.Header.Set("X-Security-Token", "stale")
			if v.Algorithm != "ACS3-HMAC-SHA256" {
				stale.Header.Del("X-Acs-Security-Token")
			}
			for variant, r := range map[string]*http.Request{"as given": asGiven, "canonical": canonical, "stale": stale} {
				body := []byte(v.Body)
				for range 2 {
					if err := s.Sign(r, body, v.credentials(), at, v.Nonce); err != nil {
						t.Fatal(err)
					}
					if got := r.Header.Values("Authorization"); len(got) != 1 || got[0] != want.Authorization {
						t.Errorf("%s: Authorization is\n%q, want\n%q", variant, got, want.Authorization)
					}
				}
				if string(body) != v.Body {
					t.Errorf("%s: the body was changed", variant)
				}
				for name := range want.AddedHeaders {
					if got := r.Header.Get(name); got != want.AddedHeaders.Get(name) {
						t.Errorf("%s: %s is %q, want %q", variant, name, got, want.AddedHeaders.Get(name))
					}
				}
				if _, found := r.Header["authorization"]; found {
					t.Errorf("%s: the stale authorization header is still there", variant)
				}
			}
		})
	}
	if signed != 83 {
		t.Errorf("%d vectors were signed, want 83", signed)
	}
}

// TestPublishedExamples holds the unit-test vectors that the vendor ships with
// its SDK; they have a header whose name is never signed.
func TestPublishedExamples(t *testing.T) {
	t.Parallel()
	cred := cloudlb.Credentials{AccessKeyID: "AccessKey", SecretAccessKey: "SecretKey"}
	at := time.Date(2006, 1, 2, 15, 4, 5, 0, time.UTC)
	v11 := signer.V11{Region: "test-region-1", Service: "demo"}
	const body = "{\"Name\":\"test\",\"Id\":1}\n"
	for _, test := range []struct {
		name, method, url, body string
		scheme                  scheme
		want                    string
	}{
		{
			"SDK GET", "GET", "https://example.huaweicloud.com/path?limit=1", "",
			signer.SDKHMAC{},
			"5a2ce64c865e0e6046321c6f3d5a77ba8413eeaf355c3166c03d58d02ac79624",
		},
		{
			"SDK POST", "POST", "https://example.huaweicloud.com/path?key=value", body,
			signer.SDKHMAC{},
			"cecc2af119b18ab70b4d094c0750f3b42c02f254903179a0fc2cc72fc9db4f59",
		},
		{
			"V11 GET", "GET", "https://example.huaweicloud.com/path?limit=1", "", v11,
			"8fd3610508884bb19718317797c7378716a94bc740d97502e569322e366341cc",
		},
		{
			"V11 POST", "POST", "https://example.huaweicloud.com/path?key=value", body, v11,
			"4112f88b92d82dd1e1b7dd142f1e99e4f1762c42ca8fe0968b3045120870a903",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r, err := http.NewRequestWithContext(t.Context(), test.method, test.url, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header["TEST_UNDERSCORE"] = []string{"TEST_VALUE"}
			if test.body != "" {
				r.Header.Set("Content-Type", "application/json")
			}
			// A time in another zone is the same time.
			if err := test.scheme.Sign(r, []byte(test.body), cred, at.In(time.FixedZone("", 8*3600)), ""); err != nil {
				t.Fatal(err)
			}
			if got := r.Header.Get("Authorization"); !strings.HasSuffix(got, "SignedHeaders=x-sdk-date, Signature="+test.want) {
				t.Errorf("Authorization is %s, want signature %s", got, test.want)
			}
		})
	}
}
