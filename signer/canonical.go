package signer

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudlb/cloudlb"
)

// canonical is the working memory of one signature: the canonical request as it
// is written, and the sorted parts it is written from. It is reused, so that
// signing allocates a fixed number of times however large the request is.
type canonical struct {
	text   []byte  // canonical request, then string to sign
	params []param // query
	sorted []*param
	fields []field // headers to sign
	signed span    // SignedHeaders within text
	key    []byte  // signing key
	// out holds the text of the header values that Sign sets, in one
	// allocation: a Builder that has room does not move what it gave out.
	out strings.Builder
	// header and values are where set puts them.
	header http.Header
	values []string

	derived derivedKey // kept from one V11 signature to the next
}

// param is a query parameter as it stands in the URL.
type param struct {
	name, value string
	plain       bool // unreserved characters only, so encoded is as decoded
}

// field is one value of a header.
type field struct{ name, value string }

// span is a piece of canonical.text.
type span struct{ start, end int }

var pool = sync.Pool{New: func() any { return new(canonical) }}

// release wipes c and gives it back, unless it has grown beyond what is worth
// keeping.
func (c *canonical) release() {
	const most = 256 << 10
	if cap(c.text) > most || cap(c.params) > 4096 || cap(c.fields) > 4096 {
		return
	}
	clear(c.text)
	clear(c.params)
	clear(c.sorted)
	clear(c.fields)
	clear(c.key)
	c.text, c.params, c.sorted, c.fields, c.key = c.text[:0], c.params[:0], c.sorted[:0], c.fields[:0], c.key[:0]
	c.out.Reset()
	c.header, c.values = nil, nil
	pool.Put(c)
}

// check refuses what no scheme can sign.
func check(r *http.Request, cred cloudlb.Credentials, at time.Time) error {
	switch {
	case r == nil:
		return errors.New("signer: the request is nil")
	case r.URL == nil:
		return errors.New("signer: the request has no URL")
	case r.URL.Opaque != "":
		return errors.New("signer: the URL has an opaque part, which cannot be signed; use Path and RawPath")
	case cred.Token != "":
		return errors.New("signer: the credentials are an IAM token, which is sent as X-Auth-Token and signs nothing")
	case cred.AccessKeyID == "" && cred.SecretAccessKey == "":
		return errors.New("signer: the credentials have no AccessKeyID and no SecretAccessKey")
	case cred.AccessKeyID == "":
		return errors.New("signer: the credentials have no AccessKeyID")
	case cred.SecretAccessKey == "":
		return errors.New("signer: the credentials have no SecretAccessKey")
	case at.IsZero():
		return errors.New("signer: the time is zero")
	default:
		return nil
	}
}

// sentHost is the host that net/http sends with r.
func sentHost(r *http.Request) string { return cmp.Or(r.Host, r.URL.Host) }

// appendTarget writes the method, the path and the query, a line each. Huawei
// wants endSlash: a slash after the path, signed but not sent.
func (c *canonical) appendTarget(r *http.Request, endSlash bool) error {
	path := cmp.Or(r.URL.EscapedPath(), "/")
	c.text = append(c.text, cmp.Or(r.Method, http.MethodGet)...)
	c.text = append(c.text, '\n')
	c.text = appendEncoded(c.text, path, inPath)
	if endSlash && path[len(path)-1] != '/' {
		c.text = append(c.text, '/')
	}
	c.text = append(c.text, '\n')
	if err := c.appendQuery(r.URL.RawQuery); err != nil {
		return err
	}
	c.text = append(c.text, '\n')
	return nil
}

// appendQuery writes the parameters sorted by name, then value, each decoded
// and encoded again.
func (c *canonical) appendQuery(raw string) error {
	if !validEscapes(raw) {
		return errors.New("signer: the query has an invalid percent escape")
	}
	for raw != "" {
		var pair string
		pair, raw, _ = strings.Cut(raw, "&")
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		c.params = append(c.params, param{name, value, plain(name) && plain(value)})
	}
	// Linear where the caller has sorted them, as our encoders do.
	for i := range c.params {
		c.sorted = append(c.sorted, &c.params[i])
	}
	slices.SortFunc(c.sorted, compareParams)
	for i, p := range c.sorted {
		if i > 0 {
			c.text = append(c.text, '&')
		}
		if p.plain {
			c.text = append(c.text, p.name...)
			c.text = append(c.text, '=')
			c.text = append(c.text, p.value...)
			continue
		}
		c.text = appendEncoded(c.text, p.name, inQuery)
		c.text = append(c.text, '=')
		c.text = appendEncoded(c.text, p.value, inQuery)
	}
	return nil
}

func compareParams(a, b *param) int {
	compare := compareDecoded
	if a.plain && b.plain {
		compare = strings.Compare
	}
	if order := compare(a.name, b.name); order != 0 {
		return order
	}
	return compare(a.value, b.value)
}

// addFields takes the values of a header for signing. A header without values
// is not sent, so it is not signed either.
func (c *canonical) addFields(name string, values ...string) {
	for _, v := range values {
		c.fields = append(c.fields, field{name, trim(v)})
	}
}

// appendHeaders writes the headers taken by addFields, an empty line and the
// list of their names. A header with several values is one line joined with
// commas if joined, otherwise a line for each value; the values are sorted.
func (c *canonical) appendHeaders(joined bool) {
	slices.SortFunc(c.fields, func(a, b field) int {
		return cmp.Or(compareLower(a.name, b.name), strings.Compare(a.value, b.value))
	})
	for i, f := range c.fields {
		if joined && i > 0 && compareLower(c.fields[i-1].name, f.name) == 0 {
			c.text[len(c.text)-1] = ',' // in place of the line feed
		} else {
			c.text = appendLower(c.text, f.name)
			c.text = append(c.text, ':')
		}
		c.text = append(c.text, f.value...)
		c.text = append(c.text, '\n')
	}
	c.text = append(c.text, '\n')
	c.signed.start = len(c.text)
	for i, f := range c.fields {
		if i > 0 && compareLower(c.fields[i-1].name, f.name) == 0 {
			continue
		}
		if i > 0 {
			c.text = append(c.text, ';')
		}
		c.text = appendLower(c.text, f.name)
	}
	c.signed.end = len(c.text)
	c.text = append(c.text, '\n')
}

// appendSignature appends to c.out the hexadecimal HMAC, under c.key, of the
// string to sign: the given lines and the hash of the canonical request.
func (c *canonical) appendSignature(lines ...string) {
	sum := sha256.Sum256(c.text)
	start := len(c.text)
	for _, line := range lines {
		c.text = append(c.text, line...)
		c.text = append(c.text, '\n')
	}
	c.text = hex.AppendEncode(c.text, sum[:])
	mac := hmac.New(sha256.New, c.key)
	mac.Write(c.text[start:])
	c.text = mac.Sum(c.text)
	c.appendHex(c.text[len(c.text)-sha256.Size:])
}

// since is what was appended to c.out after it was start bytes long.
func (c *canonical) since(start int) string { return c.out.String()[start:] }

func (c *canonical) appendHex(b []byte) {
	var digits [2 * sha256.Size]byte
	c.out.Write(hex.AppendEncode(digits[:0], b))
}

func (c *canonical) appendTime(at time.Time, layout string) string {
	var digits [32]byte
	start := c.out.Len()
	c.out.Write(at.UTC().AppendFormat(digits[:0], layout))
	return c.since(start)
}

// replaceHeaders removes headers of r, in whatever letter case they are stored,
// to be set anew with set.
func (c *canonical) replaceHeaders(r *http.Request, names ...string) {
	if r.Header == nil {
		r.Header = make(http.Header)
	}
	for stored := range r.Header {
		for _, name := range names {
			if strings.EqualFold(stored, name) {
				delete(r.Header, stored)
			}
		}
	}
	c.header, c.values = r.Header, make([]string, 0, len(names))
}

func (c *canonical) set(name, value string) {
	n := len(c.values)
	c.values = append(c.values, value)
	c.header[name] = c.values[n : n+1 : n+1]
}

// find gives the first value of a header in whatever letter case it is stored.
func find(h http.Header, name string) (value string, found bool) {
	for stored, values := range h {
		if strings.EqualFold(stored, name) && len(values) > 0 {
			return values[0], true
		}
	}
	return "", false
}

// hasPrefixFold reports whether name begins with prefix in any letter case.
func hasPrefixFold(name, prefix string) bool {
	return len(name) >= len(prefix) && strings.EqualFold(name[:len(prefix)], prefix)
}

// trim cuts what net/http does not send at the ends of a header value.
func trim(s string) string { return strings.Trim(s, " \t\r\n") }

// place is where an escaped string stands in a URL.
type place int

const (
	inPath  place = iota // '/' separates, '+' is a plus sign
	inQuery              // '+' is a space
)

// appendEncoded decodes s and appends it encoded by the published rule:
// A-Z a-z 0-9 - _ . ~ as they are, all else as %XX in upper case.
func appendEncoded(dst []byte, s string, where place) []byte {
	start := 0
	for i := 0; i < len(s); {
		if unreserved[s[i]] || where == inPath && s[i] == '/' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		b, width := decodeByte(s, i, where)
		if unreserved[b] {
			dst = append(dst, b)
		} else {
			const digits = "0123456789ABCDEF"
			dst = append(dst, '%', digits[b>>4], digits[b&15])
		}
		i += width
		start = i
	}
	return append(dst, s[start:]...)
}

// compareDecoded orders two pieces of a query by what they decode to.
func compareDecoded(a, b string) int {
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		x, m := decodeByte(a, i, inQuery)
		y, n := decodeByte(b, j, inQuery)
		if x != y {
			return cmp.Compare(x, y)
		}
		i, j = i+m, j+n
	}
	return cmp.Compare(len(a)-i, len(b)-j)
}

// decodeByte gives the byte that s holds at i, and the length of its escaped
// form. The escapes of s are valid.
func decodeByte(s string, i int, where place) (b byte, width int) {
	switch {
	case s[i] == '%':
		return unhex(s[i+1])<<4 | unhex(s[i+2]), 3
	case s[i] == '+' && where == inQuery:
		return ' ', 1
	default:
		return s[i], 1
	}
}

func validEscapes(s string) bool {
	for {
		i := strings.IndexByte(s, '%')
		if i < 0 {
			return true
		}
		if len(s) < i+3 || !isHex(s[i+1]) || !isHex(s[i+2]) {
			return false
		}
		s = s[i+3:]
	}
}

func isHex(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b && b <= 'f' || 'A' <= b && b <= 'F'
}

func unhex(b byte) byte {
	if b <= '9' {
		return b - '0'
	}
	return lower(b) - 'a' + 10
}

// unreserved are the characters that are never percent-encoded.
var unreserved = func() (set [256]bool) {
	for _, b := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~") {
		set[b] = true
	}
	return set
}()

func plain(s string) bool {
	for i := range len(s) {
		if !unreserved[s[i]] {
			return false
		}
	}
	return true
}

func lower(b byte) byte {
	if 'A' <= b && b <= 'Z' {
		return b + 'a' - 'A'
	}
	return b
}

func appendLower(dst []byte, s string) []byte {
	for i := range len(s) {
		dst = append(dst, lower(s[i]))
	}
	return dst
}

// compareLower orders two header names by their lower-case form.
func compareLower(a, b string) int {
	for i := range min(len(a), len(b)) {
		if x, y := lower(a[i]), lower(b[i]); x != y {
			return cmp.Compare(x, y)
		}
	}
	return cmp.Compare(len(a), len(b))
}
