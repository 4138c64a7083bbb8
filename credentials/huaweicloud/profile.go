package huaweicloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/cloudlb/cloudlb"
)

// ProfileOptions say which profile [ProfileFile] reads. The zero value is the
// vendor's default.
type ProfileOptions struct {
	// Path is the file. Default: HUAWEICLOUD_SDK_CREDENTIALS_FILE, else
	// ~/.huaweicloud/credentials.
	Path string
	// Section is the section of the file. Default "basic", the vendor's section
	// for services that belong to a region.
	Section string
}

// ProfileFile returns a provider of the keys in the vendor's credentials file:
//
//	[basic]
//	ak = ...
//	sk = ...
//	security_token = ...
//
// The token belongs to temporary keys. Lines that begin with # or ; are
// comments. The file is read whenever credentials are asked for, so keys that
// are replaced in it are picked up at once.
func ProfileFile(opts ProfileOptions) cloudlb.CredentialsProvider { return &profile{opts} }

// ProjectIDFromProfile returns the project_id of the profile, empty when the
// profile has none.
func ProjectIDFromProfile(opts ProfileOptions) (string, error) {
	values, err := (&profile{opts}).read()
	return values["project_id"], err
}

type profile struct{ opts ProfileOptions }

const (
	profileSource    = "profile file"
	mostProfileBytes = 1 << 20
)

func (p *profile) Format(f fmt.State, _ rune) { fmt.Fprint(f, "credentials(profile file)") }

func (p *profile) Credentials(context.Context) (cloudlb.Credentials, error) {
	values, err := p.read()
	if err != nil {
		return cloudlb.Credentials{}, err
	}
	cred := cloudlb.Credentials{AccessKeyID: values["ak"], SecretAccessKey: values["sk"], SecurityToken: values["security_token"]}
	switch {
	case cred.AccessKeyID == "" && cred.SecretAccessKey == "" && values["idp_id"] != "":
		return cloudlb.Credentials{}, misused(profileSource, "section [%s] has idp_id, but federated identities are not supported: give it ak and sk", p.section())
	case cred.AccessKeyID == "" || cred.SecretAccessKey == "":
		return cloudlb.Credentials{}, misused(profileSource, "section [%s] needs ak and sk", p.section())
	case !printable(cred):
		return cloudlb.Credentials{}, misused(profileSource, "section [%s] has keys with characters that no key has", p.section())
	}
	return cred, nil
}

func (p *profile) section() string {
	if p.opts.Section != "" {
		return p.opts.Section
	}
	return "basic"
}

// read returns the values of the section.
func (p *profile) read() (map[string]string, error) {
	path, chosen := p.opts.Path, true
	if path == "" {
		path = env(envProfile)
	}
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return nil, none(profileSource, "there is no home directory, and %s is not set", envProfile)
		}
		path, chosen = filepath.Join(home, ".huaweicloud", "credentials"), false
	}
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !chosen:
		return nil, none(profileSource, "there is no file %s", path)
	case err != nil: // it names the path
		return nil, misused(profileSource, "%v", err)
	case !info.Mode().IsRegular():
		return nil, misused(profileSource, "%s is not a regular file", path)
	case info.Size() > mostProfileBytes:
		return nil, misused(profileSource, "%s has more than %d bytes", path, mostProfileBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, misused(profileSource, "%v", err)
	}
	sections, err := parseProfile(text)
	if err != nil {
		return nil, misused(profileSource, "%s: %v", path, err)
	}
	values, ok := sections[p.section()]
	if !ok && chosen {
		return nil, misused(profileSource, "%s has no section [%s]", path, p.section())
	}
	if !ok {
		return nil, none(profileSource, "%s has no section [%s]", path, p.section())
	}
	return values, nil
}

// parseProfile reads an ini file: sections, and in them lines "key = value" or
// "key: value". Keys are compared in lower case, the last of a name wins, values
// may stand in quotes. Its errors name the line and show nothing of it.
func parseProfile(text []byte) (map[string]map[string]string, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return nil, errors.New("the file is not UTF-8 text")
	}
	sections := make(map[string]map[string]string)
	var current map[string]string
	number := 0
	for line := range strings.SplitSeq(strings.ReplaceAll(string(text), "\r", "\n"), "\n") {
		number++
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line[0] == ';':
			continue
		case line[0] == '[':
			name, rest, ok := strings.Cut(line[1:], "]")
			name, rest = strings.TrimSpace(name), strings.TrimSpace(rest)
			if !ok || name == "" || rest != "" && rest[0] != '#' && rest[0] != ';' {
				return nil, fmt.Errorf("line %d is not a section, [name]", number)
			}
			if sections[name] == nil {
				sections[name] = make(map[string]string)
			}
			current = sections[name]
			continue
		}
		at := strings.IndexAny(line, "=:")
		key := strings.ToLower(strings.TrimSpace(line[:max(at, 0)]))
		if key == "" {
			return nil, fmt.Errorf("line %d is neither [section] nor key = value", number)
		}
		if current != nil { // else before the first section
			current[key] = unquote(strings.TrimSpace(line[at+1:]))
		}
	}
	return sections, nil
}

// unquote takes away quotes around a value, or a comment behind it: " #" or
// " ;", as in the vendor's parser.
func unquote(s string) string {
	for _, quote := range []string{`"`, "'", "`"} {
		if rest, ok := strings.CutPrefix(s, quote); ok {
			if inner, after, ok := strings.Cut(rest, quote); ok && (after == "" || strings.ContainsAny(strings.TrimSpace(after)[:1], "#;")) {
				return inner
			}
		}
	}
	for i := 1; i < len(s); i++ {
		if (s[i] == '#' || s[i] == ';') && (s[i-1] == ' ' || s[i-1] == '\t') {
			return strings.TrimSpace(s[:i])
		}
	}
	if s != "" && (s[0] == '#' || s[0] == ';') {
		return ""
	}
	return s
}
