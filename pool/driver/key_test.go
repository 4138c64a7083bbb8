package driver_test

import (
	"errors"
	"testing"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool/driver"
)

func TestKeyText(t *testing.T) {
	t.Parallel()
	for text, key := range map[string]driver.Key{
		"i-1:80":                    {Server: "i-1", Port: 80},
		"i-1":                       {Server: "i-1"},
		"10.0.0.1:65535":            {Server: "10.0.0.1", Port: 65535},
		"10.0.0.1":                  {Server: "10.0.0.1"},
		"[2001:db8::1]:80":          {Server: "2001:db8::1", Port: 80},
		"[2001:db8::1]":             {Server: "2001:db8::1"},
		"eni-1(10.0.0.2):80":        {Server: "eni-1", Address: "10.0.0.2", Port: 80},
		"eni-1(2001:db8::1):80":     {Server: "eni-1", Address: "2001:db8::1", Port: 80},
		"eni-1(10.0.0.2)":           {Server: "eni-1", Address: "10.0.0.2"},
		"acs:fc:cn:1:functions/f-1": {Server: "acs:fc:cn:1:functions/f-1"},
	} {
		if got := key.String(); got != text {
			t.Errorf("%#v is %q, want %q", key, got, text)
		}
		if got, err := driver.ParseKey(text); err != nil || got != key {
			t.Errorf("%q is %#v, %v, want %#v", text, got, err, key)
		}
	}
	if got, err := driver.ParseKey("2001:db8::1"); err != nil || got != (driver.Key{Server: "2001:db8::1"}) {
		t.Errorf("an address without brackets is %#v, %v", got, err)
	}
	for _, text := range []string{"", ":80", "i-1:", "i-1:0", "i-1:65536", "i-1:http", "[i-1]:80", "[::1", "eni-1(", "eni-1()", "(10.0.0.1)", "i 1:80", "[]:80"} {
		if got, err := driver.ParseKey(text); !errors.Is(err, cloudlb.ErrInvalid) {
			t.Errorf("%q is %#v, %v, want an error", text, got, err)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	for _, text := range []string{"i-1:80", "[2001:db8::1]:80", "eni-1(10.0.0.2):80", "acs:fc:cn:1:functions/f-1", "[::1"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		key, err := driver.ParseKey(text)
		if err != nil {
			return
		}
		again, err := driver.ParseKey(key.String())
		if err != nil || again != key {
			t.Errorf("%q is %#v, which is %q, which is %#v, %v", text, key, key, again, err)
		}
	})
}

func TestMemberIs(t *testing.T) {
	t.Parallel()
	m := driver.Member{Key: driver.Key{Server: "eni-1", Address: "10.0.0.2", Port: 80}, Aliases: []string{"10.0.0.2", "i-1"}}
	for text, want := range map[string]bool{
		"eni-1:80": true, "eni-1(10.0.0.2):80": true, "eni-1": true, "10.0.0.2:80": true, "i-1:80": true, "i-1(10.0.0.2):80": true,
		"eni-1:81": false, "eni-1(10.0.0.3):80": false, "i-1(10.0.0.3):80": false, "i-2:80": false,
	} {
		key, err := driver.ParseKey(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Is(key); got != want {
			t.Errorf("%s names %s: %v, want %v", text, m.Key, got, want)
		}
	}
}
