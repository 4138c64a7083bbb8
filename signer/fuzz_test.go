package signer_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/fakecloud/sigcheck"
)

func FuzzACS3(f *testing.F)    { fuzz(f, "ACS3") }
func FuzzSDKHMAC(f *testing.F) { fuzz(f, "SDKHMAC") }
func FuzzV11(f *testing.F)     { fuzz(f, "V11") }

// fuzz signs a request, sends it through a buffer, and verifies it as a server
// would. Then it changes the byte at position `at` of what was sent. If a server
// can still read that, and reads something else in a signed place, the
// verification must fail.
func fuzz(f *testing.F, name string) {
	for _, seed := range []struct{ method, path, query, value, body string }{
		{"POST", "", "Servers.1.Port=80&Servers.10.Port=80&Servers.2.Port=80", "v", ""},
		{"GET", "v3/p/elb/pools/1/members", "limit=1&marker", "two  spaces", ""},
		{"PUT", "a%20b/c+d%2Fe/", "a=%E5%90%8D&%E5%90%8D=+&a=%2B&a-b=%7e*", "b, a,  c", `{"members":[{"address":"192.168.0.1"}]}`},
		{"DELETE", "/x//", "&&=v&k;l=m&k==&k=", "\u00e9\u00a0", "\x00\xff\r\n"},
		{"HEAD", "~'()*!;:@&=$,", "%41=%61&A=a", " \tv\t ", ""},
		{"PATCH", ".././.", "x=%", "", "Servers.1.Description=server+1"},
	} {
		for at := range 6 {
			f.Add(seed.method, seed.path, seed.query, seed.value, []byte(seed.body), uint(at*67+5), byte(1<<at))
		}
	}
	f.Fuzz(func(t *testing.T, method, path, query, value string, body []byte, at uint, flip byte) {
		r := build(method, path, query, value, body)
		if r == nil {
			t.Skip("net/http does not send this")
		}
		err := schemes()[name].Sign(r, body, keys, moment, nonce)
		if _, bad := decodePairs(query); bad != nil {
			if err == nil {
				t.Fatalf("query %q was signed in spite of its escapes", query)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		sent := write(t, r)
		original, received, err := read(sent)
		if err != nil {
			t.Skip("a server does not read this")
		}
		if !bytes.Equal(received, body) {
			t.Fatalf("body %q arrived as %q", body, received)
		}
		identity, err := verify(name, original, received, keys, moment)
		if err != nil {
			t.Fatalf("%v\n%s", err, sent)
		}
		if name == "ACS3" && identity.Nonce != nonce {
			t.Errorf("nonce arrived as %q", identity.Nonce)
		}
		tamper(t, name, keys, sent, int(at%uint(len(sent))), flip)
	})
}

// TestTamper changes every byte of some requests.
func TestTamper(t *testing.T) {
	t.Parallel()
	for name, s := range schemes() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := []byte(`{"members":[{"address":"192.168.0.1","protocol_port":80}]}`)
			r := build("POST", "v3/a%20b+c/members/", "b=2&a=%2B+x&a=1&marker", "a, b", body)
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Host", "signed, for Huawei")
			cred := keys
			cred.SecurityToken = "token=="
			if err := s.Sign(r, body, cred, moment, nonce); err != nil {
				t.Fatal(err)
			}
			sent := write(t, r)
			if original, received, err := read(sent); err != nil {
				t.Fatal(err)
			} else if _, err := verify(name, original, received, cred, moment); err != nil {
				t.Fatal(err)
			}
			refused := 0
			for at := range sent {
				for _, flip := range []byte{0x01, 0x02, 0x04, 0x10, 0x20, 0x80} {
					if tamper(t, name, cred, sent, at, flip) {
						refused++
					}
				}
			}
			if refused < len(sent) {
				t.Errorf("only %d changes of %d bytes were refused", refused, len(sent))
			}
		})
	}
}

// tamper flips bits of one byte and reports whether the verifier had to
// refuse the result, and did.
func tamper(t *testing.T, name string, cred cloudlb.Credentials, sent []byte, at int, flip byte) bool {
	t.Helper()
	changed := slices.Clone(sent)
	changed[at] ^= flip
	r, body, err := read(changed)
	if err != nil {
		return true
	}
	original, originalBody, err := read(sent)
	if err != nil {
		t.Fatal(err)
	}
	names := signedHeaders(original)
	if slices.Equal(meaning(name, names, r, body), meaning(name, names, original, originalBody)) {
		return false
	}
	_, err = verify(name, r, body, cred, moment)
	if err == nil {
		t.Fatalf("byte %d of\n%s\nwas changed by %#x to\n%s\nand the signature still holds", at, sent, flip, changed)
	}
	if _, ok := err.(*sigcheck.Failure); !ok { //nolint:errorlint // The type is the contract.
		t.Fatalf("the verifier answers with %T", err)
	}
	return true
}

// build gives nil for what net/http would not send.
func build(method, path, query, value string, body []byte) *http.Request {
	if method == http.MethodConnect || !printable(query) {
		return nil
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return nil
		}
	}
	u, err := url.ParseRequestURI("/" + path)
	if err != nil || u.Host != "" || u.RawQuery != "" {
		return nil
	}
	r, err := http.NewRequest(method, "https://lb.example.com", bytes.NewReader(body)) //nolint:noctx // Never sent.
	if err != nil {
		return nil
	}
	u.Scheme, u.Host, u.RawQuery = r.URL.Scheme, r.URL.Host, query
	r.URL = u
	r.Header.Set("X-Acs-Action", "AddServersToServerGroup")
	r.Header.Set("X-Acs-Version", "2020-06-16")
	r.Header.Set("X-Acs-Fuzz", value)
	r.Header.Add("X-Acs-Fuzz", "another")
	r.Header.Set("X-Project-Id", "0123456789abcdef")
	return r
}

// printable reports whether s can stand in a request line as it is.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c == 0x7f })
}

// overTheWire is r as a server receives it.
func overTheWire(t *testing.T, r *http.Request) (*http.Request, []byte) {
	t.Helper()
	seen, body, err := read(write(t, r))
	if err != nil {
		t.Fatal(err)
	}
	return seen, body
}

func write(t *testing.T, r *http.Request) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := r.Write(&buf); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func read(sent []byte) (*http.Request, []byte, error) {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(sent)))
	if err != nil {
		return nil, nil, err
	}
	body, err := io.ReadAll(r.Body)
	return r, body, err
}

func signedHeaders(r *http.Request) []string {
	_, names, _ := strings.Cut(r.Header.Get("Authorization"), "SignedHeaders=")
	names, _, _ = strings.Cut(names, ",")
	return strings.Split(names, ";")
}

// meaning lists what a signature over the named headers must protect, decoded.
func meaning(name string, headers []string, r *http.Request, body []byte) []string {
	parts := []string{r.Method, string(body)}
	path := r.URL.EscapedPath()
	if name != "ACS3" {
		// By the rules a final slash is signed whether it is there or not.
		path = strings.TrimSuffix(path, "/")
	}
	if path == "" {
		path = "/"
	}
	for segment := range strings.SplitSeq(path, "/") {
		plain, err := url.PathUnescape(segment)
		if err != nil {
			plain = "invalid " + segment
		}
		parts = append(parts, plain)
	}
	pairs, err := decodePairs(r.URL.RawQuery)
	if err != nil {
		pairs = []string{"invalid", r.URL.RawQuery}
	}
	parts = append(parts, pairs...)
	for _, header := range headers {
		values := slices.Clone(r.Header.Values(header))
		if header == "host" {
			values = []string{r.Host}
		}
		slices.Sort(values)
		parts = append(parts, header, strings.Join(values, ","))
	}
	return parts
}

// decodePairs gives name and value of each parameter, sorted.
func decodePairs(query string) ([]string, error) {
	var pairs [][2]string
	for part := range strings.SplitSeq(query, "&") {
		if part == "" {
			continue
		}
		name, value, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, err
		}
		value, err = url.QueryUnescape(value)
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, [2]string{name, value})
	}
	slices.SortFunc(pairs, func(a, b [2]string) int { return slices.Compare(a[:], b[:]) })
	var flat []string
	for _, p := range pairs {
		flat = append(flat, p[0], p[1])
	}
	return flat, nil
}
