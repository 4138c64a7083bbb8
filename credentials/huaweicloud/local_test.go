package huaweicloud_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/credentials/huaweicloud"
)

func TestEnvironment(t *testing.T) {
	clearEnv(t)
	p := huaweicloud.Environment()
	fails(t, p, cloudlb.ErrUnauthenticated, "HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK are not set")
	t.Setenv("HUAWEICLOUD_SDK_IDP_ID", "idp")
	fails(t, p, cloudlb.ErrUnauthenticated, "federated identities are not supported")
	t.Setenv("HUAWEICLOUD_SDK_SK", secret)
	fails(t, p, cloudlb.ErrUnauthenticated, "HUAWEICLOUD_SDK_AK is not")
	t.Setenv("HUAWEICLOUD_SDK_AK", "ak\n")
	if got := get(t, p); got != (cloudlb.Credentials{AccessKeyID: "ak", SecretAccessKey: secret}) {
		t.Error("long-lived keys are wrong")
	}
	t.Setenv("HUAWEICLOUD_SDK_SECURITY_TOKEN", "token")
	if got := get(t, p); got != (cloudlb.Credentials{AccessKeyID: "ak", SecretAccessKey: secret, SecurityToken: "token"}) {
		t.Error("temporary keys are wrong")
	}
	t.Setenv("HUAWEICLOUD_SDK_SECURITY_TOKEN", "two\nlines")
	fails(t, p, cloudlb.ErrUnauthenticated, "characters")
	t.Setenv("HUAWEICLOUD_SDK_SK", "")
	fails(t, p, cloudlb.ErrUnauthenticated, "HUAWEICLOUD_SDK_SK is not")

	if id := huaweicloud.ProjectIDFromEnv(); id != "" {
		t.Errorf("project %q", id)
	}
	t.Setenv("HUAWEICLOUD_SDK_PROJECT_ID", " 0123456789abcdef0123456789abcdef ")
	if id := huaweicloud.ProjectIDFromEnv(); id != "0123456789abcdef0123456789abcdef" {
		t.Errorf("project %q", id)
	}
}

func TestProfileFile(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		want       cloudlb.Credentials
		says       string
	}{
		{
			name: "plain", text: "[basic]\nak = a\nsk = " + secret + "\n",
			want: cloudlb.Credentials{AccessKeyID: "a", SecretAccessKey: secret},
		},
		{
			name: "temporary", text: "[basic]\nak=a\nsk=s\nsecurity_token=AbC==/+\n",
			want: cloudlb.Credentials{AccessKeyID: "a", SecretAccessKey: "s", SecurityToken: "AbC==/+"},
		},
		{
			name: "everything at once",
			text: "\ufeff# keys\r\n; more\r\nak = not this\r\n[global]\r\nak=g\r\n\r\n [ basic ] # the one\r\n" +
				"  AK : old\r\nak\t=\t\"a\"  ; by hand\r\nsk='s#;=' \r\nsecurity_token = `t` \r\nother =\r\nproject_id = p # mine",
			want: cloudlb.Credentials{AccessKeyID: "a", SecretAccessKey: "s#;=", SecurityToken: "t"},
		},
		{
			name: "a section in two parts", text: "[basic]\nak=a\n[global]\nak=g\n[basic]\nsk=s",
			want: cloudlb.Credentials{AccessKeyID: "a", SecretAccessKey: "s"},
		},
		{
			name: "a hash in a value", text: "[basic]\nak=a#1\nsk=\"s",
			want: cloudlb.Credentials{AccessKeyID: "a#1", SecretAccessKey: "\"s"},
		},
		{name: "empty", text: "", says: "no section [basic]"},
		{name: "other section", text: "[global]\nak=a\nsk=s", says: "no section [basic]"},
		{name: "half", text: "[basic]\nak=a", says: "needs ak and sk"},
		{name: "comment for a value", text: "[basic]\nak=a\nsk = # later", says: "needs ak and sk"},
		{name: "federated", text: "[basic]\nidp_id=x\nid_token_file=/x", says: "federated"},
		{name: "no delimiter", text: "[basic]\nak=a\n" + secret + "\n", says: "line 3 is neither"},
		{name: "no key", text: "[basic]\n= " + secret, says: "line 2 is neither"},
		{name: "open section", text: "[basic\nak=" + secret, says: "line 1 is not a section"},
		{name: "text behind a section", text: "[basic] " + secret, says: "line 1 is not a section"},
		{name: "binary", text: "[basic]\nak=\x00\x01", says: "not UTF-8"},
		{name: "UTF-16", text: "\xff\xfe[\x00b\x00", says: "not UTF-8"},
		{name: "a space in a key", text: "[basic]\nak=a\nsk=s s", says: "characters"},
		{name: "too large", text: strings.Repeat("#", 1<<20+1), says: "more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := huaweicloud.ProfileFile(huaweicloud.ProfileOptions{Path: write(t, c.text)})
			if c.says != "" {
				fails(t, p, cloudlb.ErrUnauthenticated, c.says)
			} else if got := get(t, p); got != c.want {
				t.Errorf("wrong: %q %q", got.AccessKeyID, got.SecurityToken)
			}
		})
	}
}

func TestProfileFilePlaces(t *testing.T) {
	clearEnv(t)
	home := os.Getenv("HOME")
	t.Setenv("USERPROFILE", home)
	p := huaweicloud.ProfileFile(huaweicloud.ProfileOptions{})
	fails(t, p, cloudlb.ErrUnauthenticated, "there is no file "+filepath.Join(home, ".huaweicloud", "credentials"))

	if err := os.Mkdir(filepath.Join(home, ".huaweicloud"), 0o700); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(home, ".huaweicloud", "credentials")
	for _, ak := range []string{"first", "second"} { // replaced keys are seen
		if err := os.WriteFile(file, []byte("[basic]\nak="+ak+"\nsk=s\n[basic-prod]\nak=prod\nsk=s\nproject_id=p1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := get(t, p).AccessKeyID; got != ak {
			t.Errorf("%s, want %s", got, ak)
		}
	}
	prod := huaweicloud.ProfileOptions{Section: "basic-prod"}
	if got := get(t, huaweicloud.ProfileFile(prod)).AccessKeyID; got != "prod" {
		t.Error(got)
	}
	if id, err := huaweicloud.ProjectIDFromProfile(prod); err != nil || id != "p1" {
		t.Error(id, err)
	}
	if id, err := huaweicloud.ProjectIDFromProfile(huaweicloud.ProfileOptions{}); err != nil || id != "" {
		t.Error(id, err)
	}

	t.Setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", write(t, "[basic]\nak=chosen\nsk=s"))
	if got := get(t, p).AccessKeyID; got != "chosen" {
		t.Error(got)
	}
	t.Setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", filepath.Join(home, "gone"))
	fails(t, p, cloudlb.ErrUnauthenticated, "gone")
	t.Setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", home)
	fails(t, p, cloudlb.ErrUnauthenticated, "not a regular file")
}

func FuzzProfile(f *testing.F) {
	for _, seed := range []string{
		"", "[basic]\nak=a\nsk=s", "[basic", "[]", "=", "a", "[basic]\nak=\"", "[basic]\nak=\"a\" #", "[x]\r\ny:z", "\ufeff[a]\n;", "[basic]\nak= # x",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		sections, err := huaweicloud.ParseProfile(text)
		if err != nil {
			if len(err.Error()) > 80 || sections != nil {
				t.Errorf("%v", err)
			}
			return
		}
		// What was read is read again when it is written plainly.
		for name, values := range sections {
			var b strings.Builder
			b.WriteString("[" + name + "]\n")
			plain := true
			for key, value := range values {
				b.WriteString(key + " = " + value + "\n")
				plain = plain && !strings.ContainsAny(value, "#;\"'`") && strings.TrimSpace(value) == value && !strings.ContainsAny(key[:1], "#;[")
			}
			if !plain || strings.TrimSpace(name) != name {
				continue
			}
			again, err := huaweicloud.ParseProfile([]byte(b.String()))
			if err != nil || len(again[name]) != len(values) {
				t.Errorf("%q: %v", b.String(), err)
			}
			for key, value := range values {
				if again[name][key] != value {
					t.Errorf("%q: %q became %q", key, value, again[name][key])
				}
			}
		}
	})
}
