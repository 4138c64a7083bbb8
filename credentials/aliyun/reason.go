package aliyun

import (
	"cmp"
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"unicode"
)

// The errors of credentials-go hold whole answers and files, with keys in
// them, and URLs with tokens. reason keeps what helps.

var (
	// foreign is where it puts an answer, a file or a program's output.
	foreign = regexp.MustCompile(`(refresh session token failed: |get session token(?: from \w+)? failed: |` +
		`credentials from \w+ \S+ failed: |cli config from '[^']*' failed: |from OAuth: |message = |stderr: |Can not open file ?)`)

	userinfo = regexp.MustCompile(`://[^/\s"'@]*@`)
	query    = regexp.MustCompile(`\?[^\s"']*`)

	// named is a value with a name that says it is secret, in JSON, in a URL's
	// query, quoted or not.
	named = regexp.MustCompile(`(?i)([\w.-]*(?:secret|token|signature|password|access_?key_?id|private_?key)[\w.-]*` +
		`[\\"']*\s*(?::|=|%3D|%253D)\s*[\\"']*)[^\s"'&,;)}\\]+`)
)

const withheld = "(text withheld: it may hold keys)"

// secretVariables are those of the default chain that are secrets themselves.
var secretVariables = []string{"ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN", "ALIBABA_CLOUD_OIDC_TOKEN"}

// reason is err's text on one line, without secrets.
func reason(err error, secrets []string) string {
	s := withoutForeign(err.Error())
	s = userinfo.ReplaceAllString(s, "://")
	s = query.ReplaceAllString(s, "")
	s = named.ReplaceAllString(s, "${1}***")
	for _, name := range secretVariables {
		secrets = append(secrets, os.Getenv(name))
	}
	for _, secret := range secrets {
		if secret != "" {
			s = strings.ReplaceAll(s, secret, "***")
		}
	}
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }), " ")
	const most = 1000
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "..."
	}
	return s
}

// withoutForeign replaces foreign text by the code and message in it, if it is
// an answer that has them.
func withoutForeign(s string) string {
	at := foreign.FindStringIndex(s)
	if at == nil {
		return s
	}
	head, tail := s[:at[1]], s[at[1]:]
	if strings.HasPrefix(tail, "open ") { // the file is not there
		return head + withoutForeign(tail)
	}
	var answer struct {
		Code      string `json:"Code"`
		Message   string `json:"Message"`
		RequestID string `json:"RequestId"`
	}
	d := json.NewDecoder(strings.NewReader(tail))
	if err := d.Decode(&answer); err != nil || answer.Code == "" && answer.Message == "" {
		return head + withheld
	}
	what := cmp.Or(answer.Code, "no code") + ": " + cmp.Or(answer.Message, "no message")
	if answer.RequestID != "" {
		what += " (request " + answer.RequestID + ")"
	}
	return head + what + withoutForeign(tail[d.InputOffset():])
}
