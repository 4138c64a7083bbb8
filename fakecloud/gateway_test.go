package fakecloud_test

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/signer"
)

func TestAlibabaSignatures(t *testing.T) {
	t.Parallel()
	const id, secret = "AKID", "secret"
	tests := []struct {
		name   string
		cred   cloudlb.Credentials
		token  string // of the cloud's key
		skew   time.Duration
		after  func(*http.Request)
		status int
		code   string
	}{
		{name: "good", cred: cloudlb.Credentials{AccessKeyID: id, SecretAccessKey: secret}, status: 200},
		{name: "good, temporary", cred: cloudlb.Credentials{AccessKeyID: id, SecretAccessKey: secret, SecurityToken: "sts"}, token: "sts", status: 200},
		{name: "unknown key", cred: cloudlb.Credentials{AccessKeyID: "other", SecretAccessKey: secret}, status: 404, code: "InvalidAccessKeyId.NotFound"},
		{name: "wrong secret", cred: cloudlb.Credentials{AccessKeyID: id, SecretAccessKey: "other"}, status: 400, code: "SignatureDoesNotMatch"},
		{
			name: "wrong token", cred: cloudlb.Credentials{AccessKeyID: id, SecretAccessKey: secret, SecurityToken: "other"}, token: "sts",
			status: 400, code: "InvalidSecurityToken.MismatchWithAccessKey",
		},
		{name: "old", cred: cloudlb.Credentials{AccessKeyID: id, SecretAccessKey: secret}, skew: -16 * time.Minute, status: 400, code: "InvalidTimeStamp.Expired"},
		{name: "a little old", cred: cloudlb.Credentials{AccessKeyID: id, SecretAccessKey: secret}, skew: -14 * time.Minute, status: 200},
		{
			name: "changed afterwards", cred: cloudlb.Credentials{AccessKeyID: id, SecretAccessKey: secret},
			after: func(r *http.Request) { r.URL.RawQuery = "MaxResults=7" }, status: 400, code: "SignatureDoesNotMatch",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, c := virtual(t, fakecloud.WithCredentials(id, secret, tt.token))
				c.after = tt.after
				r := c.send("POST", "/?MaxResults=5", "", "", func(r *http.Request, body []byte, _ cloudlb.Credentials) error {
					r.Header.Set("X-Acs-Action", "ListServerGroups")
					r.Header.Set("X-Acs-Version", "2020-06-16")
					return signer.ACS3{}.Sign(r, body, tt.cred, time.Now().Add(tt.skew), rand.Text())
				})
				want(t, r, tt.status, tt.code)
			})
		})
	}
}

func TestNonces(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := virtual(t)
		nonce := "one"
		list := func(params string) reply {
			return c.send("POST", "/?"+params, "", "", func(r *http.Request, body []byte, cred cloudlb.Credentials) error {
				r.Header.Set("X-Acs-Action", "ListServerGroups")
				r.Header.Set("X-Acs-Version", "2020-06-16")
				return signer.ACS3{}.Sign(r, body, cred, time.Now(), nonce)
			})
		}
		want(t, list("MaxResults=0"), 400, "InvalidParameter") // uses the nonce up
		want(t, list(""), 400, "SignatureNonceUsed")
		advance(15*time.Minute - 1)
		want(t, list(""), 400, "SignatureNonceUsed")
		advance(1)
		want(t, list(""), 200, "")
		nonce = "two"
		want(t, list(""), 200, "")
	})
}

// legacy signs parameters with the old RPC signature, HMAC-SHA1.
func legacy(method string, params url.Values, secret string) string {
	text := method + "&%2F&" + rfc3986(strings.ReplaceAll(params.Encode(), "+", "%20"))
	mac := hmac.New(sha1.New, []byte(secret+"&"))
	io.WriteString(mac, text) //nolint:errcheck // never fails
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func rfc3986(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

func TestLegacySignature(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"GET", "POST"} {
		cloud := fakecloud.New()
		group := cloud.AddServerGroup(fakecloud.ServerGroup{})
		c := newClient(t, cloud.Config())
		call := func(secret string, more ...string) reply {
			cred, _ := c.cfg.Credentials.Credentials(t.Context())
			params := url.Values{
				"Action": {"AddServersToServerGroup"}, "Version": {"2020-06-16"}, "Format": {"JSON"}, "RegionId": {"cn-hangzhou"},
				"AccessKeyId": {cred.AccessKeyID}, "SignatureMethod": {"HMAC-SHA1"}, "SignatureType": {""}, "SignatureVersion": {"1.0"},
				"SignatureNonce": {rand.Text()}, "Timestamp": {time.Now().UTC().Format(time.RFC3339)},
				"ServerGroupId": {group}, "Servers.1.ServerId": {"i-1"}, "Servers.1.ServerType": {"Ecs"}, "Servers.1.Port": {"80"},
				"DryRun": {"true"},
			}
			for i := 0; i < len(more); i += 2 {
				params.Set(more[i], more[i+1])
			}
			params.Set("Signature", legacy(method, params, either(secret, cred.SecretAccessKey)))
			return c.send(method, "/?"+params.Encode(), "", "", func(*http.Request, []byte, cloudlb.Credentials) error { return nil })
		}
		want(t, call(""), 400, "DryRunOperation")
		want(t, call("wrong"), 400, "SignatureDoesNotMatch")
		want(t, call("", "Servers.1.Colour", "red"), 400, "InvalidParameter")
		want(t, call("", "Action", "Nothing"), 404, "InvalidApi.NotFound")
		equal(t, "calls", cloud.Calls("alb", "AddServersToServerGroup"), 3)
	}
}

func either(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

func TestHuaweiAuthentication(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := virtual(t, fakecloud.WithToken("iam-token"), fakecloud.WithRegion("cn-north-4"))
		elb, apig := "/v3/"+cloud.ProjectID()+"/elb/pools", "/v2/"+cloud.ProjectID()+"/apic/instances/"+cloud.AddInstance("")+"/vpc-channels"
		type sign = func(*http.Request, []byte, cloudlb.Credentials) error
		hmac := func(skew time.Duration) sign {
			return func(r *http.Request, body []byte, cred cloudlb.Credentials) error {
				return signer.SDKHMAC{}.Sign(r, body, cred, time.Now().Add(skew), "")
			}
		}
		v11 := func(region string) sign {
			return func(r *http.Request, body []byte, cred cloudlb.Credentials) error {
				return signer.V11{Region: region, Service: "elb"}.Sign(r, body, cred, time.Now(), "")
			}
		}
		token := func(token string) sign {
			return func(r *http.Request, _ []byte, _ cloudlb.Credentials) error {
				r.Header.Set("X-Auth-Token", token)
				return nil
			}
		}
		nothing := func(*http.Request, []byte, cloudlb.Credentials) error { return nil }
		project := func(id string, s sign) sign {
			return func(r *http.Request, body []byte, cred cloudlb.Credentials) error {
				r.Header.Set("X-Project-Id", id)
				return s(r, body, cred)
			}
		}
		other := strings.Repeat("0", 32)
		for _, tt := range []struct {
			name   string
			target string
			sign   sign
			status int
			code   string
		}{
			{"signed", elb, hmac(0), 200, ""},
			{"signed for the project", elb, project(cloud.ProjectID(), hmac(0)), 200, ""},
			{"derived key", elb, v11("cn-north-4"), 200, ""},
			{"derived key of another region", elb, v11("cn-north-1"), 401, "APIGW.0301"},
			{"token", elb, token("iam-token"), 200, ""},
			{"token", apig, token("iam-token"), 200, ""},
			{"wrong token", elb, token("other"), 401, "ELB.1103"},
			{"wrong token", apig, token("other"), 401, "APIG.1002"},
			{"old", elb, hmac(-16 * time.Minute), 401, "APIGW.0301"},
			{"unsigned", elb, nothing, 401, "APIGW.0301"},
			{"other project in the path", strings.Replace(elb, cloud.ProjectID(), other, 1), hmac(0), 403, "ELB.8903"},
			{"other project in the path", strings.Replace(apig, cloud.ProjectID(), other, 1), hmac(0), 403, "APIG.1005"},
			{"other project in the header", elb, project(other, hmac(0)), 403, "ELB.8903"},
			{"IAM", "/v3/projects?name=cn-north-4", hmac(0), 200, ""},
			{"IAM without signature", "/v3/projects", nothing, 401, "APIGW.0301"},
			{"nothing there", "/v1/vpcs", hmac(0), 404, "APIGW.0101"},
		} {
			r := c.send("GET", tt.target, "", "", tt.sign)
			if r.status != tt.status || r.code() != tt.code {
				t.Errorf("%s: got %d %v, want %d %q", tt.name, r.status, r.body, tt.status, tt.code)
			}
		}
		equal(t, "project", c.rest("GET", "/v3/projects?name=cn-north-4", nil).at("projects", 0, "id"), cloud.ProjectID())
		equal(t, "other projects", c.rest("GET", "/v3/projects?name=cn-north-1", nil).len("projects"), 0)
		equal(t, "length", len(cloud.ProjectID()), 32)
	})
}

func TestRPCGateway(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	group := cloud.AddServerGroup(fakecloud.ServerGroup{})
	c := newClient(t, cloud.Config())
	const alb, list = "2020-06-16", "ListServerGroupServers"
	in := url.Values{"ServerGroupId": {group}}
	want(t, c.rpc(alb, list, in, nil), 200, "")
	want(t, c.rpc(alb, list, nil, in), 200, "")
	want(t, c.rpc(alb, list, in, in), 400, "InvalidParameter") // twice
	want(t, c.rpc(alb, list, url.Values{"ServerGroupId": {group, group}}, nil), 400, "InvalidParameter")
	want(t, c.rpc(alb, list, url.Values{"ServerGroupId": {""}}, nil), 200, "") // as if left out
	want(t, c.rpc(alb, list, url.Values{"RegionId": {"cn-hangzhou"}}, nil), 400, "InvalidParameter")
	want(t, c.rpc("2099-01-01", list, in, nil), 404, "InvalidProduct.NotFound")
	want(t, c.rpc("2014-05-15", list, in, nil), 404, "InvalidApi.NotFound")
	acs3 := func(r *http.Request, body []byte, cred cloudlb.Credentials) error {
		r.Header.Set("X-Acs-Action", list)
		r.Header.Set("X-Acs-Version", alb)
		return signer.ACS3{}.Sign(r, body, cred, time.Now(), rand.Text())
	}
	want(t, c.send("GET", "/", "", "", acs3), 200, "")
	want(t, c.send("PUT", "/", "", "", acs3), 400, "UnsupportedHTTPMethod")
	want(t, c.send("POST", "/path", "", "", acs3), 404, "InvalidApi.NotFound")
	want(t, c.send("POST", "/", "application/json", "{}", acs3), 400, "InvalidParameter")
}

func TestOverTCP(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New(fakecloud.WithJobDuration(0))
	server, err := cloud.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	cfg := server.Config()
	if cfg.Endpoint != server.URL || !cfg.AllowHTTP || cfg.HTTPClient != nil {
		t.Errorf("config: %v", cfg)
	}
	group := cloud.AddServerGroup(fakecloud.ServerGroup{})
	outside, inside := newClient(t, cfg), newClient(t, cloud.Config())
	want(t, outside.alb("AddServersToServerGroup", fields{"ServerGroupId": group, "Servers": []fields{ecs("i-1", 80)}}), 200, "")
	for _, c := range []*client{outside, inside} {
		r := c.alb("ListServerGroupServers", fields{"ServerGroupId": group})
		equal(t, "servers", r.at("Servers", 0, "ServerId"), "i-1")
		equal(t, "content type", r.header.Get("Content-Type"), "application/json;charset=utf-8")
		if r.header.Get("Date") == "" {
			t.Error("no Date header")
		}
		pools := c.rest("GET", "/v3/"+cloud.ProjectID()+"/elb/pools?name=a%20b&name=c%2Fd", nil)
		want(t, pools, 200, "")
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	if _, err := http.Get(server.URL); err == nil {
		t.Error("still listening after Close")
	}
}

func TestListenRefuses(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "example.com:0", "127.0.0.1", "[::]:0"} {
		server, err := fakecloud.New().Listen(addr)
		if err == nil {
			server.Close()
			t.Errorf("Listen(%q) succeeded", addr)
		} else if !strings.Contains(err.Error(), addr) {
			t.Errorf("Listen(%q): %v does not say the address", addr, err)
		}
	}
}

// tracked tells whether it was closed.
type tracked struct {
	io.Reader
	closed bool
}

func (b *tracked) Close() error { b.closed = true; return nil }

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	request := func(ctx context.Context, body io.Reader) (*http.Request, *tracked) {
		b := &tracked{Reader: body}
		r, err := http.NewRequestWithContext(ctx, "POST", cloud.Config().Endpoint, b)
		if err != nil {
			t.Fatal(err)
		}
		return r, b
	}
	r, body := request(t.Context(), strings.NewReader("x=y"))
	resp, err := cloud.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if !body.closed || resp.Request != r || len(r.Header) != 0 {
		t.Errorf("closed %t, request kept %t, headers %v", body.closed, resp.Request == r, r.Header)
	}

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, body = request(ctx, strings.NewReader(""))
	if _, err := cloud.RoundTrip(r); !errors.Is(err, context.Canceled) || !body.closed {
		t.Errorf("cancelled: %v, closed %t", err, body.closed)
	}

	broken := errors.New("broken")
	r, body = request(t.Context(), failing{broken})
	if _, err := cloud.RoundTrip(r); !errors.Is(err, broken) || !body.closed {
		t.Errorf("broken body: %v, closed %t", err, body.closed)
	}
}

type failing struct{ err error }

func (e failing) Read([]byte) (int, error) { return 0, e.err }

func TestTooLarge(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	server, err := cloud.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	huge := strings.Repeat("x", 12<<20+1)
	for _, cfg := range []cloudlb.Config{cloud.Config(), server.Config()} {
		want(t, newClient(t, cfg).rest("POST", "/v3/"+cloud.ProjectID()+"/elb/pools", huge), 413, "APIGW.0201")
	}
}

func TestRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := virtual(t)
		group := cloud.AddServerGroup(fakecloud.ServerGroup{})
		add := fields{"ServerGroupId": group, "Servers": []fields{with(ecs("i-1", 80), "Weight", 0)}}
		first := c.alb("AddServersToServerGroup", add)
		c.alb("AddServersToServerGroup", add)
		c.alb("AddServersToServerGroup", fields{"Server": "x"})
		c.rest("GET", "/v1/other", nil)
		var got []string
		for _, r := range cloud.Requests() {
			got = append(got, fmt.Sprint(r.Service, " ", r.Operation, " ", r.Status, " ", r.Code))
		}
		equal(t, "requests", got, []string{
			"alb AddServersToServerGroup 200 ",
			"alb AddServersToServerGroup 400 IncorrectStatus.ServerGroup",
			"alb AddServersToServerGroup 400 InvalidParameter",
			"  404 APIGW.0101",
		})
		r := cloud.Requests()[0]
		equal(t, "params", r.Params, fields{"ServerGroupId": group, "Servers": []any{
			fields{"ServerId": "i-1", "ServerType": "Ecs", "Port": int64(80), "Weight": int64(0)},
		}})
		equal(t, "time", r.Time, time.Now())
		equal(t, "request", r.RequestID, first.at("RequestId"))
		r.Params["ServerGroupId"] = "changed"
		equal(t, "params are a copy", cloud.Requests()[0].Params["ServerGroupId"], group)
		equal(t, "calls", cloud.Calls("alb", "AddServersToServerGroup"), 3)
		equal(t, "calls of the service", cloud.Calls("alb", ""), 3)
		equal(t, "calls of another", cloud.Calls("slb", ""), 0)
	})
}

func TestDeterminism(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) string {
		cloud := fakecloud.New(fakecloud.WithSeed(seed))
		id := cloud.AddServerGroup(fakecloud.ServerGroup{})
		r := newClient(t, cloud.Config()).alb("AddServersToServerGroup", fields{"ServerGroupId": id, "Servers": []fields{ecs("i-1", 80)}})
		return fmt.Sprint(cloud.ProjectID(), id, r.body)
	}
	if first, again := run(1), run(1); first != again {
		t.Error("one seed gives different IDs")
	}
	if run(1) == run(2) {
		t.Error("two seeds give the same IDs")
	}
}

func TestConcurrency(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New(fakecloud.WithLoadBalancerPending(0))
	cloud.AddPool(fakecloud.Pool{ID: "pool-1"})
	c := newClient(t, cloud.Config())
	path := "/v3/" + cloud.ProjectID() + "/elb/pools/pool-1/members"
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			r := c.rest("POST", path, fields{"member": fields{"address": fmt.Sprint("10.0.0.", i), "protocol_port": 80}})
			if r.status != 201 {
				t.Errorf("member %d: %v", i, r.body)
			}
			cloud.Requests()
		})
	}
	wg.Wait()
	equal(t, "members", c.rest("GET", path, nil).len("members"), 50)
}
