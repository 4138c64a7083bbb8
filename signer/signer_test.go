package signer_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/fakecloud/sigcheck"
	"github.com/cloudlb/cloudlb/signer"
)

const nonce = "0123456789abcdef0123456789abcdef"

var (
	moment = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	keys   = cloudlb.Credentials{AccessKeyID: "EXAMPLEACCESSKEY0001", SecretAccessKey: "EXAMPLEsecretEXAMPLEsecretEXAMPLE01"}
)

// schemes are the three signers, by name.
func schemes() map[string]scheme {
	return map[string]scheme{
		"ACS3":    signer.ACS3{},
		"SDKHMAC": signer.SDKHMAC{},
		"V11":     signer.V11{Region: "cn-north-4", Service: "elb"},
	}
}

// newRequest is a request with what all schemes need.
func newRequest(tb testing.TB, method, rawURL string) *http.Request {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), method, rawURL, http.NoBody)
	if err != nil {
		tb.Fatal(err)
	}
	r.Header.Set("X-Acs-Action", "AddServersToServerGroup")
	r.Header.Set("X-Acs-Version", "2020-06-16")
	return r
}

// verify asks the verifier for the scheme named.
func verify(name string, r *http.Request, body []byte, cred cloudlb.Credentials, now time.Time) (sigcheck.Identity, error) {
	lookup := func(id string) (secret, securityToken string, ok bool) {
		return cred.SecretAccessKey, cred.SecurityToken, id == cred.AccessKeyID
	}
	if name == "ACS3" {
		return sigcheck.ACS3(r, body, now, lookup)
	}
	return sigcheck.Huawei(r, body, now, lookup)
}

func TestSignRefuses(t *testing.T) {
	t.Parallel()
	const secret, token = "SECRETSECRET", "TOKENTOKEN"
	good := cloudlb.Credentials{AccessKeyID: "id", SecretAccessKey: secret, SecurityToken: token}
	noID, noSecret, none, iam := good, good, good, good
	noID.AccessKeyID, noSecret.SecretAccessKey, iam.Token = "", "", token
	none.AccessKeyID, none.SecretAccessKey = "", ""
	const target = "https://alb.cn-hangzhou.aliyuncs.com/?a=1"
	all := []string{"ACS3", "SDKHMAC", "V11"}

	for _, test := range []struct {
		name    string
		schemes []string
		with    scheme // instead of the usual one
		change  func(r *http.Request) *http.Request
		cred    cloudlb.Credentials
		at      time.Time
		nonce   string
		want    string
	}{
		{"nil request", all, nil, func(*http.Request) *http.Request { return nil }, good, moment, nonce, "request is nil"},
		{"no URL", all, nil, func(r *http.Request) *http.Request { r.URL = nil; return r }, good, moment, nonce, "no URL"},
		{"opaque URL", all, nil, func(r *http.Request) *http.Request { r.URL.Opaque = "//x/y"; return r }, good, moment, nonce, "opaque"},
		{"bad escape", all, nil, func(r *http.Request) *http.Request { r.URL.RawQuery = "a=%4"; return r }, good, moment, nonce, "escape"},
		{"bad escape in a name", all, nil, func(r *http.Request) *http.Request { r.URL.RawQuery = "%xy=1"; return r }, good, moment, nonce, "escape"},
		{"no access key", all, nil, nil, noID, moment, nonce, "no AccessKeyID"},
		{"no secret", all, nil, nil, noSecret, moment, nonce, "no SecretAccessKey"},
		{"no keys", all, nil, nil, none, moment, nonce, "no AccessKeyID and no SecretAccessKey"},
		{"IAM token", all, nil, nil, iam, moment, nonce, "IAM token"},
		{"zero time", all, nil, nil, good, time.Time{}, nonce, "time is zero"},
		{"no nonce", all[:1], nil, nil, good, moment, "", "nonce is empty"},
		{"no host", all[:1], nil, func(r *http.Request) *http.Request { r.Host, r.URL.Host = "", ""; return r }, good, moment, nonce, "host"},
		{"no region", all[2:], signer.V11{Service: "elb"}, nil, good, moment, nonce, "V11 has no Region"},
		{"no service", all[2:], signer.V11{Region: "cn-north-4"}, nil, good, moment, nonce, "V11 has no Service"},
		{"no region, no service", all[2:], signer.V11{}, nil, good, moment, nonce, "no Region and no Service"},
	} {
		for _, name := range test.schemes {
			t.Run(test.name+"/"+name, func(t *testing.T) {
				t.Parallel()
				s := schemes()[name]
				if test.with != nil {
					s = test.with
				}
				r := newRequest(t, "POST", target)
				r.Header.Set("Authorization", "stale")
				before := maps.Clone(r.Header)
				given := r
				if test.change != nil {
					given = test.change(r)
				}
				err := s.Sign(given, []byte("body"), test.cred, test.at, test.nonce)
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Fatalf("error is %v, want one about %q", err, test.want)
				}
				if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, secret) || strings.Contains(text, token) {
					t.Errorf("the error holds a secret: %s", text)
				}
				if !reflect.DeepEqual(r.Header, before) {
					t.Errorf("headers were changed in spite of the error: %v", r.Header)
				}
			})
		}
	}
}

// TestSignAgain signs one request with temporary keys, then with others, and
// expects what a fresh request gets.
func TestSignAgain(t *testing.T) {
	t.Parallel()
	temporary, later := keys, moment.Add(time.Hour)
	temporary.AccessKeyID, temporary.SecurityToken = "STS.EXAMPLE", "CAIS+token/with=reserved&chars=="
	for name, s := range schemes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			build := func() *http.Request {
				r := newRequest(t, "POST", "https://lb.example.com/v3/pools?b=2&a=1")
				r.Header.Set("Content-Type", "text/plain")
				r.Header.Set("X-Acs-Accesskey-Id", "STS.EXAMPLE")
				return r
			}
			again, fresh := build(), build()
			for _, step := range []struct {
				r     *http.Request
				cred  cloudlb.Credentials
				at    time.Time
				nonce string
			}{
				{again, temporary, moment, "first"},
				{again, keys, later, "second"},
				{fresh, keys, later, "second"},
			} {
				if err := s.Sign(step.r, []byte("hello"), step.cred, step.at, step.nonce); err != nil {
					t.Fatal(err)
				}
				if _, err := verify(name, step.r, []byte("hello"), step.cred, step.at); err != nil {
					t.Error(err)
				}
			}
			if !reflect.DeepEqual(again.Header, fresh.Header) {
				t.Errorf("signed again:\n%v\nsigned once:\n%v", again.Header, fresh.Header)
			}
			if again.Header.Get("X-Acs-Security-Token") != "" || again.Header.Get("X-Security-Token") != "" {
				t.Error("the first signature's security token is still there")
			}
		})
	}
}

// TestSignKeepsApart checks that requests that share nothing do not meet in the
// reused memory, and that V11 never reuses a key for other inputs.
func TestSignKeepsApart(t *testing.T) {
	t.Parallel()
	other := keys
	other.SecretAccessKey = "ANOTHERsecretANOTHERsecretANOTHER02" // same key ID
	v11 := signer.V11{Region: "cn-north-4", Service: "elb"}
	seen := make(map[string]string)
	for what, sign := range map[string]func(r *http.Request) error{
		"base":   func(r *http.Request) error { return v11.Sign(r, nil, keys, moment, "") },
		"secret": func(r *http.Request) error { return v11.Sign(r, nil, other, moment, "") },
		"day":    func(r *http.Request) error { return v11.Sign(r, nil, keys, moment.AddDate(0, 0, 1), "") },
		"region": func(r *http.Request) error {
			return signer.V11{Region: "x", Service: "elb"}.Sign(r, nil, keys, moment, "")
		},
		"service": func(r *http.Request) error {
			return signer.V11{Region: "cn-north-4", Service: "x"}.Sign(r, nil, keys, moment, "")
		},
	} {
		for range 3 {
			r := newRequest(t, "GET", "https://lb.example.com/")
			if err := sign(r); err != nil {
				t.Fatal(err)
			}
			_, signature, _ := strings.Cut(r.Header.Get("Authorization"), "Signature=")
			if was, found := seen[signature]; found && was != what {
				t.Errorf("%s and %s have one signature", was, what)
			}
			seen[signature] = what
		}
	}
	if len(seen) != 5 {
		t.Errorf("5 different inputs gave %d signatures", len(seen))
	}
}

func TestSignConcurrently(t *testing.T) {
	t.Parallel()
	for name, s := range schemes() {
		for i := range 8 {
			t.Run(fmt.Sprint(name, i), func(t *testing.T) {
				t.Parallel()
				cred := keys
				cred.SecretAccessKey = fmt.Sprint("secret", i)
				for j := range 50 {
					r := newRequest(t, "POST", fmt.Sprintf("https://lb.example.com/p%d?i=%d&j=%d", i, j, i))
					body := []byte(strings.Repeat("x", i*j))
					if err := s.Sign(r, body, cred, moment, nonce); err != nil {
						t.Fatal(err)
					}
					if _, err := verify(name, r, body, cred, moment); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

// TestPaths signs paths built in different ways; the verifier sees what goes
// over the wire.
func TestPaths(t *testing.T) {
	t.Parallel()
	for _, u := range []url.URL{
		{},
		{Path: "/"},
		{Path: "//a//b//"},
		{Path: "/a b/c+d*e~f"},
		{Path: "/a/b", RawPath: "/a%2Fb"},
		{Path: "/a%2Fb"},
		{Path: "/a/b", RawPath: "/not/an/encoding"},
		{Path: "/名/é"},
		{Path: "/;,:@&=$!'()"},
		{Path: "/a", RawQuery: "a;b=c&&=v&k&k=&k=2&k=1&k%3D=+%20%2B"},
		{Path: "/a", RawQuery: "b&a-b=1&a=2&%E5%90%8D=z&Z=%7e&~=%2a"},
	} {
		u.Scheme, u.Host = "https", "lb.example.com:8443"
		for name, s := range schemes() {
			t.Run(name+u.RequestURI(), func(t *testing.T) {
				t.Parallel()
				r := newRequest(t, "GET", "https://unused.example.com")
				r.URL, r.Host = &u, ""
				if err := s.Sign(r, nil, keys, moment, nonce); err != nil {
					t.Fatal(err)
				}
				seen, body := overTheWire(t, r)
				if _, err := verify(name, seen, body, keys, moment); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestHuaweiHeaders checks which headers are signed, and which hash is used.
func TestHuaweiHeaders(t *testing.T) {
	t.Parallel()
	const hash = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824" // of "hello"
	for _, test := range []struct {
		name       string
		header     http.Header
		wantSigned string
		wantHash   string // X-Sdk-Content-Sha256
	}{
		{"nothing", http.Header{}, "x-sdk-date", ""},
		{"json", http.Header{"Content-Type": {"application/json;charset=UTF-8"}}, "x-sdk-date", ""},
		{"bson", http.Header{"Content-Type": {"Application/BSON"}}, "x-sdk-date", ""},
		{"text", http.Header{"Content-Type": {"text/plain"}}, "x-sdk-content-sha256;x-sdk-date", "UNSIGNED-PAYLOAD"},
		{
			"text, to be signed",
			http.Header{"Content-Type": {"text/plain"}, "X-Sdk-Content-Sha256": {"yes"}},
			"x-sdk-content-sha256;x-sdk-date", hash,
		},
		{
			"json, not to be signed",
			http.Header{"Content-Type": {"application/json"}, "X-Sdk-Content-Sha256": {"UNSIGNED-PAYLOAD"}},
			"x-sdk-content-sha256;x-sdk-date", "UNSIGNED-PAYLOAD",
		},
		{"underscore", http.Header{"A_b": {"1"}}, "x-sdk-date", ""},
		{"without values", http.Header{"X-None": nil, "X-Empty": {""}}, "x-empty;x-sdk-date", ""},
		{"user agent", http.Header{"User-Agent": {"a", "b"}}, "user-agent;x-sdk-date", ""},
		{"no user agent", http.Header{"User-Agent": {""}}, "x-sdk-date", ""},
		{"host", http.Header{"Host": {"is sent from elsewhere"}}, "host;x-sdk-date", ""},
		{
			"host and content type",
			http.Header{"Host": {""}, "Content-Type": {"application/json"}, "Content-Type-X": {"1"}},
			"content-type;host;x-sdk-date", "",
		},
	} {
		for name, s := range schemes() {
			if name == "ACS3" {
				continue
			}
			t.Run(name+"/"+test.name, func(t *testing.T) {
				t.Parallel()
				r, err := http.NewRequestWithContext(t.Context(), "POST", "https://lb.example.com/", strings.NewReader("hello"))
				if err != nil {
					t.Fatal(err)
				}
				r.Header = test.header.Clone()
				if err := s.Sign(r, []byte("hello"), keys, moment, ""); err != nil {
					t.Fatal(err)
				}
				_, signed, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
				signed, _, _ = strings.Cut(signed, ",")
				if signed != test.wantSigned {
					t.Errorf("signed headers are %q, want %q", signed, test.wantSigned)
				}
				if got := r.Header.Get("X-Sdk-Content-Sha256"); got != test.wantHash {
					t.Errorf("X-Sdk-Content-Sha256 is %q, want %q", got, test.wantHash)
				}
				seen, body := overTheWire(t, r)
				if _, err := verify(name, seen, body, keys, moment); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestSignWithoutHeaderMap(t *testing.T) {
	t.Parallel()
	r := &http.Request{URL: &url.URL{Scheme: "https", Host: "lb.example.com"}}
	if err := (signer.SDKHMAC{}).Sign(r, nil, keys, moment, ""); err != nil {
		t.Fatal(err)
	}
	seen, body := overTheWire(t, r)
	if _, err := verify("SDKHMAC", seen, body, keys, moment); err != nil {
		t.Error(err)
	}
}
