package fakecloud_test

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/signer"
)

// fields are parameters to send, or a decoded answer.
type fields = map[string]any

// client sends raw signed requests.
type client struct {
	t    testing.TB
	cfg  cloudlb.Config
	http *http.Client
	// before changes a request before it is signed, after afterwards.
	before, after func(*http.Request)
}

func newClient(t testing.TB, cfg cloudlb.Config) *client {
	c := &client{t: t, cfg: cfg, http: cfg.HTTPClient}
	if c.http == nil {
		c.http = &http.Client{Transport: &http.Transport{}}
		t.Cleanup(c.http.CloseIdleConnections)
	}
	return c
}

// reply is an answer with its body decoded.
type reply struct {
	status int
	header http.Header
	body   fields
}

// code is the answer's error code, of either vendor.
func (r reply) code() string {
	for _, name := range []string{"Code", "error_code"} {
		if s, ok := r.body[name].(string); ok {
			return s
		}
	}
	return ""
}

// at follows names and indexes into the body: at("Servers", 0, "Weight").
func (r reply) at(path ...any) any {
	var v any = r.body
	for _, p := range path {
		switch p := p.(type) {
		case string:
			o, _ := v.(fields)
			v = o[p]
		case int:
			list, _ := v.([]any)
			if p >= len(list) {
				return nil
			}
			v = list[p]
		}
	}
	return v
}

func (r reply) len(path ...any) int { list, _ := r.at(path...).([]any); return len(list) }

func (c *client) send(method, target, contentType, body string, sign func(*http.Request, []byte, cloudlb.Credentials) error) reply {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, c.cfg.Endpoint+target, strings.NewReader(body))
	if err != nil {
		c.t.Fatal(err)
	}
	if contentType != "" {
		r.Header.Set("Content-Type", contentType)
	}
	if c.before != nil {
		c.before(r)
	}
	cred, err := c.cfg.Credentials.Credentials(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	if err := sign(r, []byte(body), cred); err != nil {
		c.t.Fatal(err)
	}
	if c.after != nil {
		c.after(r)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	out := reply{status: resp.StatusCode, header: resp.Header}
	if len(b) > 0 {
		if err := json.Unmarshal(b, &out.body); err != nil {
			c.t.Fatalf("body %q: %v", b, err)
		}
	}
	return out
}

// rpc calls an Alibaba operation with query and form parameters.
func (c *client) rpc(version, action string, query, form url.Values) reply {
	c.t.Helper()
	contentType := ""
	if len(form) > 0 {
		contentType = "application/x-www-form-urlencoded"
	}
	return c.send("POST", "/?"+query.Encode(), contentType, form.Encode(),
		func(r *http.Request, body []byte, cred cloudlb.Credentials) error {
			r.Header.Set("X-Acs-Action", action)
			r.Header.Set("X-Acs-Version", version)
			return signer.ACS3{}.Sign(r, body, cred, time.Now(), rand.Text())
		})
}

func (c *client) alb(action string, params fields) reply {
	c.t.Helper()
	return c.rpc("2020-06-16", action, nil, flatten(params))
}

func (c *client) slb(action string, params fields) reply {
	c.t.Helper()
	query := url.Values{"RegionId": {c.cfg.Region}}
	for name, v := range params {
		if list, ok := v.([]fields); ok {
			b, err := json.Marshal(list)
			if err != nil {
				c.t.Fatal(err)
			}
			v = string(b)
		}
		query.Set(name, fmt.Sprint(v))
	}
	return c.rpc("2014-05-15", action, query, nil)
}

// rest calls a Huawei operation; body is marshalled unless it is a string.
func (c *client) rest(method, target string, body any) reply {
	c.t.Helper()
	text, ok := body.(string)
	if !ok && body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			c.t.Fatal(err)
		}
		text = string(b)
	}
	contentType := ""
	if text != "" {
		contentType = "application/json;charset=UTF-8"
	}
	return c.send(method, target, contentType, text, func(r *http.Request, body []byte, cred cloudlb.Credentials) error {
		return signer.SDKHMAC{}.Sign(r, body, cred, time.Now(), "")
	})
}

// flatten writes nested parameters the RPC way: Servers.1.Port.
func flatten(params fields) url.Values {
	out := make(url.Values)
	var put func(name string, v any)
	put = func(name string, v any) {
		switch v := v.(type) {
		case fields:
			for k := range v {
				put(name+"."+k, v[k])
			}
		case []fields:
			for i := range v {
				put(fmt.Sprintf("%s.%d", name, i+1), v[i])
			}
		case []string:
			for i := range v {
				put(fmt.Sprintf("%s.%d", name, i+1), v[i])
			}
		default:
			out.Set(name, fmt.Sprint(v))
		}
	}
	for name, v := range params {
		put(name, v)
	}
	return out
}

// want checks status and error code; code "" means success.
func want(t *testing.T, r reply, status int, code string) {
	t.Helper()
	if r.status != status || r.code() != code {
		t.Fatalf("got %d %q %v, want %d %q", r.status, r.code(), r.body, status, code)
	}
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// virtual makes a cloud and a client for use inside a synctest bubble.
func virtual(t *testing.T, opts ...fakecloud.Option) (*fakecloud.Cloud, *client) {
	cloud := fakecloud.New(opts...)
	return cloud, newClient(t, cloud.Config())
}
