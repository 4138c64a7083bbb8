package cloudlb_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/jarcoal/httpmock"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/slb"
)

// once is testConfig without repeats, for tests of one answer.
func once(rt http.RoundTripper) cloudlb.Config {
	cfg := testConfig(rt)
	cfg.Retry = cloudlb.NoRetry()
	return cfg
}

// TestErrorFields: everything an error reply says is found in the error.
func TestErrorFields(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		op     operation
		answer step
		want   cloudlb.Error
	}{
		{
			"Alibaba", slbAdd, answers(409, `{"RequestId":"R-1","HostId":"h","Code":"BackendServer.configuring","Message":"pending","Recommend":"https://x"}`),
			cloudlb.Error{Code: "BackendServer.configuring", Message: "pending", RequestID: "R-1", StatusCode: 409, Class: busy, Outcome: rejected},
		},
		{
			"lower case", slbAdd, answers(400, `{"requestId":"R-1","code":"OverQuota","message":"full"}`),
			cloudlb.Error{Code: "OverQuota", Message: "full", RequestID: "R-1", StatusCode: 400, Class: cloudlb.ClassQuota, Outcome: rejected},
		},
		{
			"number as code", slbAdd, answers(500, `{"Code":500,"Message":"oops","RequestId":"R-1"}`),
			cloudlb.Error{Code: "500", Message: "oops", RequestID: "R-1", StatusCode: 500, Class: unavailable, Outcome: unknown},
		},
		{
			"null message", slbAdd, answers(400, `{"Code":"Throttling","Message":null,"RequestId":"R-1"}`),
			cloudlb.Error{Code: "Throttling", RequestID: "R-1", StatusCode: 400, Class: throttled, Outcome: rejected},
		},
		{
			"object as message", albAdd, answers(400, `{"Code":"Throttling.User","Message":{"en":"slow"},"RequestId":"R-1"}`),
			cloudlb.Error{Code: "Throttling.User", RequestID: "R-1", StatusCode: 400, Class: throttled, Outcome: rejected},
		},
		{
			"XML", slbAdd, answers(400, `<?xml version='1.0' encoding='UTF-8'?><Error><RequestId>R-1</RequestId><HostId>h</HostId><Code>Throttling</Code><Message>Request &lt;1&gt; was denied</Message></Error>`, "Content-Type", "text/xml"),
			cloudlb.Error{Code: "Throttling", Message: "Request <1> was denied", RequestID: "R-1", StatusCode: 400, Class: throttled, Outcome: rejected},
		},
		{
			"Huawei error_code", elbCreate, answers(409, `{"error_code":"ELB.8907","error_msg":"PENDING_UPDATE","request_id":"r-1"}`),
			cloudlb.Error{Code: "ELB.8907", Message: "PENDING_UPDATE", RequestID: "r-1", StatusCode: 409, Class: busy, Outcome: rejected},
		},
		{
			"Huawei code", apigAdd, answers(400, `{"code":"APIG.2012","message":"invalid","request_id":"r-1"}`),
			cloudlb.Error{Code: "APIG.2012", Message: "invalid", RequestID: "r-1", StatusCode: 400, Class: cloudlb.ClassInvalid, Outcome: rejected},
		},
		{
			"Huawei nested", elbCreate, answers(403, `{"error":{"code":"ELB.8903","message":"no"},"request_id":"r-1"}`),
			cloudlb.Error{Code: "ELB.8903", Message: "no", RequestID: "r-1", StatusCode: 403, Class: cloudlb.ClassDenied, Outcome: rejected},
		},
		{
			"Huawei nested error_code", elbCreate, answers(429, `{"error":{"error_code":"APIGW.0308","error_msg":"limit:1,time:1 second"}}`, "X-Request-Id", "r-header"),
			cloudlb.Error{Code: "APIGW.0308", Message: "limit:1,time:1 second", RequestID: "r-header", StatusCode: 429, Class: throttled, Outcome: rejected, RetryAfter: time.Second},
		},
		{
			"Huawei fault", elbCreate, answers(401, `{"fault":{"code":401,"message":"The request you have made requires authentication."}}`),
			cloudlb.Error{Code: "401", Message: "The request you have made requires authentication.", StatusCode: 401, Class: cloudlb.ClassUnauthenticated, Outcome: rejected},
		},
		{
			"Huawei number", elbCreate, answers(403, `{"error":{"code":403,"message":"no","title":"Forbidden"}}`),
			cloudlb.Error{Code: "403", Message: "no", StatusCode: 403, Class: cloudlb.ClassDenied, Outcome: rejected},
		},
		{
			"Huawei header and body", elbCreate, answers(400, `{"error_code":"ELB.8902","error_msg":"no","request_id":"r-body"}`, "X-Request-Id", "r-header"),
			cloudlb.Error{Code: "ELB.8902", Message: "no", RequestID: "r-header", StatusCode: 400, Class: cloudlb.ClassInvalid, Outcome: rejected},
		},
		{
			"no body", slbAdd, answers(503, ""),
			cloudlb.Error{Message: "Service Unavailable", StatusCode: 503, Class: unavailable, Outcome: unknown},
		},
		{
			"truncated", slbAdd, answers(400, `{"Code":"Throttl`),
			cloudlb.Error{Message: `the answer is not the service's JSON (application/json): {"Code":"Throttl`, StatusCode: 400, Class: cloudlb.ClassInvalid, Outcome: rejected},
		},
		{
			"array", elbCreate, answers(500, `[1,2]`),
			cloudlb.Error{Message: `the answer is not the service's JSON (application/json): [1,2]`, StatusCode: 500, Class: unavailable, Outcome: unknown},
		},
		{
			"HTML", slbAdd, answers(502, "<html>\n <b>Bad\tGateway</b>", "Content-Type", "text/html"),
			cloudlb.Error{Message: "the answer is not the service's JSON (text/html): <html> <b>Bad Gateway</b>", StatusCode: 502, Class: unavailable, Outcome: unknown},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := c.op.bind(t, once(newScript(t, c.answer)))(t.Context())
			c.want.Service, c.want.Operation, _ = strings.Cut(c.op.name, ".")
			c.want.Attempts = 1
			if diff := cmp.Diff(&c.want, failure(t, err), cmpopts.IgnoreFields(cloudlb.Error{}, "ClientToken", "Hint")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			checkOneLine(t, err)
		})
	}
}

// checkOneLine checks what every error's text must be.
func checkOneLine(t *testing.T, err error) {
	t.Helper()
	text := err.Error()
	if strings.ContainsAny(text, "\n\r\v\f\u0085\u2028\u2029\x00\x1b") || !utf8.ValidString(text) {
		t.Errorf("not one line of text: %q", text)
	}
	if len(text) > 4096 {
		t.Errorf("the text has %d bytes", len(text))
	}
}

// TestCannedAnswer: one canned answer of each cloud through somebody else's
// RoundTripper, which reports no trace and leaves fields of the response unset.
func TestCannedAnswer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		op     operation
		method string
		url    string
		body   string
		status int
		want   error
	}{
		{albAdd, "POST", `=~^https://service\.invalid/`, `{"Code":"Conflict.BackendServer","Message":"there","RequestId":"R-1"}`, 409, cloudlb.ErrAlreadyExists},
		{elbBatch, "POST", "https://service.invalid/v3/" + testProject + "/elb/pools/pool-1/members/batch-add", `{"error_code":"ELB.8904","error_msg":"gone"}`, 404, cloudlb.ErrNotFound},
		{elbRead, "GET", "https://service.invalid/v3/" + testProject + "/elb/pools/pool-1/members", `{"members":[]}`, 200, nil},
	} {
		t.Run(c.op.name, func(t *testing.T) {
			t.Parallel()
			mock := httpmock.NewMockTransport()
			mock.RegisterResponder(c.method, c.url, httpmock.NewStringResponder(c.status, c.body))
			if _, err := c.op.bind(t, testConfig(mock))(t.Context()); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
			if n := mock.GetTotalCallCount(); n != 1 {
				t.Errorf("%d attempts, want 1", n)
			}
		})
	}
}

// TestSentinels: an error matches the sentinel of its class and no other.
func TestSentinels(t *testing.T) {
	t.Parallel()
	sentinels := map[cloudlb.Class]error{
		cloudlb.ClassNotFound: cloudlb.ErrNotFound, cloudlb.ClassAlreadyExists: cloudlb.ErrAlreadyExists, cloudlb.ClassInvalid: cloudlb.ErrInvalid,
		cloudlb.ClassDenied: cloudlb.ErrDenied, cloudlb.ClassUnauthenticated: cloudlb.ErrUnauthenticated, throttled: cloudlb.ErrThrottled,
		cloudlb.ClassQuota: cloudlb.ErrQuota, busy: cloudlb.ErrBusy, unavailable: cloudlb.ErrUnavailable, cloudlb.ClassTokenMismatch: cloudlb.ErrTokenMismatch,
	}
	for class := range cloudlb.ClassTokenMismatch + 2 {
		err := fmt.Errorf("wrapped: %w", &cloudlb.Error{Operation: "Op", Class: class})
		for other, sentinel := range sentinels {
			if got, want := errors.Is(err, sentinel), class == other; got != want {
				t.Errorf("errors.Is(%v, %v) is %t", err, sentinel, got)
			}
		}
		if class.String() == "" {
			t.Errorf("class %d has no name", class)
		}
	}
}

// TestOneLine: whatever the server writes, an error is one line of bounded
// length.
func TestOneLine(t *testing.T) {
	t.Parallel()
	nasty := "first\nsecond\r\n\x1b[31mred\x00 \u0085next\u2028line\u2029 \u009bcsi"
	quoted, _ := json.Marshal(nasty)
	for name, c := range map[string]struct {
		op     operation
		answer step
	}{
		"Alibaba": {slbAdd, answers(400, fmt.Sprintf(`{"Code":%s,"Message":%s,"RequestId":%s}`, quoted, quoted, quoted))},
		"Huawei":  {elbCreate, answers(400, fmt.Sprintf(`{"error_code":%s,"error_msg":%s,"request_id":%s}`, quoted, quoted, quoted))},
		"XML":     {slbAdd, answers(400, "<Error><Code>"+nasty+"</Code><Message>"+nasty+"</Message></Error>")},
		"HTML":    {slbAdd, answers(400, nasty, "Content-Type", "text/html; "+strings.Repeat("x", 1<<20))},
		"network": {slbAdd, fails(errors.New(nasty))},
		"long":    {slbAdd, answers(400, `{"Code":"X","Message":"`+strings.Repeat("长\\n", 10<<10)+`"}`)},
		"binary":  {elbCreate, answers(500, "\xff\xfe\x00"+strings.Repeat("\xe9", 300))},
		"reply":   {slbAdd, answers(200, `{"RequestId":`+string(quoted)+`,"VServerGroupId":[`+string(quoted)+`]}`)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			cfg := once(newScript(t, c.answer))
			cfg.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			_, err := c.op.bind(t, cfg)(t.Context())
			checkOneLine(t, failure(t, err))
			lines := strings.Split(strings.TrimSuffix(log.String(), "\n"), "\n")
			if len(lines) != 2 {
				t.Errorf("%d lines in the log, want one of the attempt and one of the call:\n%s", len(lines), log.String())
			}
			for _, l := range lines {
				if len(l) > 8<<10 {
					t.Errorf("a log line has %d bytes", len(l))
				}
			}
		})
	}
}

// TestErrorAsAttributes: slog shows an error as attributes.
func TestErrorAsAttributes(t *testing.T) {
	t.Parallel()
	s := newScript(t, aliError(400, "IdempotentParameterMismatch", "other\nparameters", "Retry-After", "3"))
	_, err := albAdd.bind(t, testConfig(s))(t.Context(), cloudlb.WithClientToken("deploy-1"))
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Error("failed", "err", failure(t, err))
	var got struct{ Err map[string]any }
	if err := json.Unmarshal(log.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"service": "alb", "operation": "AddServersToServerGroup", "class": "client token mismatch", "outcome": "rejected",
		"attempts": 1.0, "code": "IdempotentParameterMismatch", "request_id": "REQ-IdempotentParameterMismatch",
		"client_token": "deploy-1", "status": 400.0, "hint": "a changed request needs a new client token",
	}
	delete(got.Err, "message") // with or without the line break
	if diff := cmp.Diff(want, got.Err); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestValidation: nothing is sent and no key is asked for when the request is
// wrong, and all that is wrong with it is listed.
func TestValidation(t *testing.T) {
	t.Parallel()
	cfg := testConfig(newScript(t))
	cfg.Credentials = providerFunc(func(context.Context) (cloudlb.Credentials, error) {
		t.Error("the provider was asked")
		return cloudlb.Credentials{}, nil
	})
	cfg.Hooks.Attempt = func(context.Context, cloudlb.Attempt) { t.Error("an attempt was made") }
	a := must[*alb.Client](t)(alb.New(cfg))
	_, err := a.AddServersToServerGroup(t.Context(), alb.AddServersToServerGroupRequest{
		Servers: []alb.AddedServer{{ServerID: "i-1", ServerType: "Nothing", Port: 70000, Weight: new(101)}},
	})
	e := failure(t, err)
	if !errors.Is(err, cloudlb.ErrInvalid) || e.Outcome != notSent || e.Attempts != 0 || e.ClientToken != "" {
		t.Errorf("got %v", err)
	}
	v, ok := errors.AsType[*cloudlb.ValidationError](err)
	if !ok {
		t.Fatalf("no ValidationError in %v", err)
	}
	var fields []string
	for _, p := range v.Problems {
		fields = append(fields, p.Field)
		if !strings.Contains(err.Error(), p.Field) {
			t.Errorf("%q does not name %s", err, p.Field)
		}
	}
	want := []string{"ServerGroupId", "Servers[0].Port", "Servers[0].ServerType", "Servers[0].Weight"}
	if diff := cmp.Diff(want, fields, cmpopts.SortSlices(strings.Compare)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s := must[*slb.Client](t)(slb.New(cfg))
	if _, err := s.AddVServerGroupBackendServers(t.Context(), slb.AddVServerGroupBackendServersRequest{}); !errors.Is(err, cloudlb.ErrInvalid) {
		t.Errorf("slb: %v", err)
	}
	for name, bind := range map[string]func() error{
		"elb": func() error {
			_, err := must[*elb.Client](t)(elb.New(cfg)).BatchCreateMembers(t.Context(), elb.BatchCreateMembersRequest{})
			return err
		},
		"apig": func() error {
			_, err := must[*apig.Client](t)(apig.New(cfg)).AddVpcChannelMembers(t.Context(), apig.AddVpcChannelMembersRequest{})
			return err
		},
	} {
		if err := bind(); !errors.Is(err, cloudlb.ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRequestUntouched: a request is not modified and can be used again.
func TestRequestUntouched(t *testing.T) {
	t.Parallel()
	s := newScript(t, albAdd.ok, albAdd.ok)
	c := must[*alb.Client](t)(alb.New(testConfig(s)))
	build := func() alb.AddServersToServerGroupRequest {
		return alb.AddServersToServerGroupRequest{ServerGroupID: "sgp-1", Servers: []alb.AddedServer{
			{ServerID: "i-2", ServerType: "Ecs", Port: 81, Description: "zwei & drei", Weight: new(0)},
			{ServerID: "i-1", ServerType: "Ecs", Port: 80},
		}}
	}
	req := build()
	for range 2 {
		if _, err := c.AddServersToServerGroup(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(build(), req); diff != "" {
		t.Errorf("the request was changed (-before +after):\n%s", diff)
	}
	sent := s.requests()
	a, b := sent[0].url.Query(), sent[1].url.Query()
	a.Del("ClientToken")
	b.Del("ClientToken")
	if diff := cmp.Diff(a, b); diff != "" || sent[0].body != sent[1].body {
		t.Errorf("the second call sent something else (-first +second):\n%s", diff)
	}
}

// TestUnusableClients: a clear error, never a panic.
func TestUnusableClients(t *testing.T) {
	t.Parallel()
	good := testConfig(newScript(t))
	for name, call := range map[string]func() error{
		"nil alb": func() error {
			return second((*alb.Client)(nil).ListServerGroups(t.Context(), alb.ListServerGroupsRequest{}))
		},
		"zero alb": func() error {
			return second(new(alb.Client).ListServerGroups(t.Context(), alb.ListServerGroupsRequest{}))
		},
		"zero alb with a token": func() error {
			return callError(callOf(new(alb.Client).AddServersToServerGroup, alb.AddServersToServerGroupRequest{ServerGroupID: "sgp-1", Servers: addedServers}), t.Context())
		},
		"nil slb": func() error {
			return second((*slb.Client)(nil).DescribeRegions(t.Context(), slb.DescribeRegionsRequest{}))
		},
		"zero slb": func() error {
			return second(new(slb.Client).DescribeRegions(t.Context(), slb.DescribeRegionsRequest{}))
		},
		"nil elb":  func() error { return second((*elb.Client)(nil).ListPools(t.Context(), elb.ListPoolsRequest{})) },
		"zero elb": func() error { return second(new(elb.Client).ListPools(t.Context(), elb.ListPoolsRequest{})) },
		"nil apig": func() error {
			return second((*apig.Client)(nil).ListVpcChannels(t.Context(), apig.ListVpcChannelsRequest{InstanceID: "i"}))
		},
		"zero apig": func() error {
			return second(new(apig.Client).ListVpcChannels(t.Context(), apig.ListVpcChannelsRequest{InstanceID: "i"}))
		},
		"nil context, alb": func() error {
			return second(must[*alb.Client](t)(alb.New(good)).ListServerGroups(nil, alb.ListServerGroupsRequest{})) //nolint:staticcheck // on purpose
		},
		"nil context, elb": func() error {
			return second(must[*elb.Client](t)(elb.New(good)).ListPools(nil, elb.ListPoolsRequest{})) //nolint:staticcheck // on purpose
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("panic: %v", p)
				}
			}()
			err := call()
			if e := failure(t, err); !errors.Is(err, cloudlb.ErrInvalid) || e.Outcome != notSent {
				t.Errorf("got %v", err)
			}
			checkOneLine(t, err)
		})
	}
}

func second[T any](_ T, err error) error { return err }

func callError(call caller, ctx context.Context) error {
	_, err := call(ctx)
	return err
}

type (
	nilProvider  struct{}
	mapProvider  map[string]string
	keysProvider struct{ keys cloudlb.Credentials }
)

func (*nilProvider) Credentials(context.Context) (cloudlb.Credentials, error) {
	panic("called on nil")
}

func (m mapProvider) Credentials(context.Context) (cloudlb.Credentials, error) {
	return cloudlb.Credentials{AccessKeyID: m["id"]}, nil
}

func (k *keysProvider) Credentials(context.Context) (cloudlb.Credentials, error) { return k.keys, nil }

// TestBadConfig: New reports everything that is wrong, with the field's name.
func TestBadConfig(t *testing.T) {
	t.Parallel()
	keys := cloudlb.StaticCredentials("id", "secret", "")
	for name, c := range map[string]struct {
		cfg    cloudlb.Config
		fields []string
	}{
		"empty":                     {cloudlb.Config{}, []string{"Credentials", "Region"}},
		"everything":                {cloudlb.Config{Endpoint: "ftp://x"}, []string{"Credentials", "Endpoint", "Region"}},
		"no region, but endpoint":   {cloudlb.Config{Endpoint: "https://service.invalid", Credentials: keys}, []string{"Region"}},
		"typed nil pointer":         {cloudlb.Config{Region: "us-west-2", Credentials: (*nilProvider)(nil)}, []string{"Credentials"}},
		"nil func":                  {cloudlb.Config{Region: "us-west-2", Credentials: providerFunc(nil)}, []string{"Credentials"}},
		"nil map":                   {cloudlb.Config{Region: "us-west-2", Credentials: mapProvider(nil)}, []string{"Credentials"}},
		"region with a host":        {cloudlb.Config{Region: "evil.example/x", Credentials: keys}, []string{"Region"}},
		"region with a line break":  {cloudlb.Config{Region: "cn-hangzhou\n", Credentials: keys}, []string{"Region"}},
		"region in capitals":        {cloudlb.Config{Region: "CN-Hangzhou", Credentials: keys}, []string{"Region"}},
		"http":                      {cloudlb.Config{Region: "r", Endpoint: "http://127.0.0.1:80", Credentials: keys}, []string{"Endpoint"}},
		"no scheme":                 {cloudlb.Config{Region: "r", Endpoint: "alb.example.com", Credentials: keys}, []string{"Endpoint"}},
		"host and port only":        {cloudlb.Config{Region: "r", Endpoint: "localhost:8080", AllowHTTP: true, Credentials: keys}, []string{"Endpoint"}},
		"password":                  {cloudlb.Config{Region: "r", Endpoint: "https://user:hunter2@example.com", Credentials: keys}, []string{"Endpoint"}},
		"password in a broken URL":  {cloudlb.Config{Region: "r", Endpoint: "https://user:hunter2@exa mple.com:x", Credentials: keys}, []string{"Endpoint"}},
		"path":                      {cloudlb.Config{Region: "r", Endpoint: "https://example.com/api", Credentials: keys}, []string{"Endpoint"}},
		"query":                     {cloudlb.Config{Region: "r", Endpoint: "https://example.com/?a=b", Credentials: keys}, []string{"Endpoint"}},
		"fragment":                  {cloudlb.Config{Region: "r", Endpoint: "https://example.com/#a", Credentials: keys}, []string{"Endpoint"}},
		"no host":                   {cloudlb.Config{Region: "r", Endpoint: "https://:443", Credentials: keys}, []string{"Endpoint"}},
		"not a URL":                 {cloudlb.Config{Region: "r", Endpoint: "https://%zz", Credentials: keys}, []string{"Endpoint"}},
		"region and http, no keys":  {cloudlb.Config{Region: "", Endpoint: "http://example.com"}, []string{"Credentials", "Endpoint", "Region"}},
		"line break in an endpoint": {cloudlb.Config{Region: "r", Endpoint: "https://example.com\n", Credentials: keys}, []string{"Endpoint"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for service, build := range map[string]func(cloudlb.Config) error{
				"alb":  func(cfg cloudlb.Config) error { return second(alb.New(cfg)) },
				"slb":  func(cfg cloudlb.Config) error { return second(slb.New(cfg, nil)) },
				"elb":  func(cfg cloudlb.Config) error { return second(elb.New(cfg)) },
				"apig": func(cfg cloudlb.Config) error { return second(apig.New(cfg, nil)) },
			} {
				err := build(c.cfg)
				v, ok := errors.AsType[*cloudlb.ValidationError](err)
				if !ok || !errors.Is(err, cloudlb.ErrInvalid) {
					t.Fatalf("%s: got %v, want a ValidationError", service, err)
				}
				var fields []string
				for _, p := range v.Problems {
					fields = append(fields, p.Field)
				}
				if diff := cmp.Diff(c.fields, fields, cmpopts.SortSlices(strings.Compare)); diff != "" {
					t.Errorf("%s (-want +got):\n%s%v", service, diff, err)
				}
				if strings.Contains(err.Error(), "hunter2") {
					t.Errorf("the password is in %v", err)
				}
				checkOneLine(t, err)
			}
		})
	}
	t.Run("project", func(t *testing.T) {
		t.Parallel()
		_, err := elb.New(cloudlb.Config{}, elb.WithProjectID("my project"))
		for _, want := range []string{"Region", "Credentials", "WithProjectID"} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v does not name %s", err, want)
			}
		}
	})
}

// TestOddTransports: a RoundTripper that breaks the contract gets an error, no
// panic.
func TestOddTransports(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		op   operation
		step step
		want verdict
	}{
		"nothing at all":     {slbAdd, func(*http.Request) (*http.Response, error) { return nil, nil }, verdict{unavailable, unknown, 1}}, //nolint:nilnil // on purpose
		"no body":            {slbAdd, func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 200}, nil }, verdict{unavailable, unknown, 1}},
		"no body on error":   {slbAdd, func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 403}, nil }, verdict{cloudlb.ClassDenied, rejected, 1}},
		"no body on a write": {elbDelete, func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 204}, nil }, verdict{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := c.op.bind(t, once(newScript(t, c.step)))(t.Context())
			if c.want == (verdict{}) {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			if diff := cmp.Diff(c.want, verdictOf(failure(t, err))); diff != "" {
				t.Errorf("(-want +got):\n%s%v", diff, err)
			}
		})
	}
}

// TestUnusableKeys: what cannot be sent is said to be not sent, and why.
func TestUnusableKeys(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("a request arrived") }))
	defer server.Close()
	cause := errors.New("the vault is sealed")
	for name, c := range map[string]struct {
		op   operation
		keys cloudlb.Credentials
		err  error
	}{
		"provider fails":       {slbAdd, cloudlb.Credentials{}, cause},
		"empty":                {slbAdd, cloudlb.Credentials{}, nil},
		"no secret":            {elbCreate, cloudlb.Credentials{AccessKeyID: "id"}, nil},
		"IAM token on Alibaba": {albAdd, cloudlb.Credentials{Token: "t"}, nil},
		"line break in the ID": {slbAdd, cloudlb.Credentials{AccessKeyID: "EXAMPLEid\n", SecretAccessKey: "s"}, nil},
		"line break, Huawei":   {elbCreate, cloudlb.Credentials{AccessKeyID: "EXAMPLEid\n", SecretAccessKey: "s"}, nil},
		"line break in token":  {slbAdd, cloudlb.Credentials{AccessKeyID: "EXAMPLEid", SecretAccessKey: "s", SecurityToken: "EXAMPLEtoken\r\n"}, nil},
		"line break, IAM":      {elbCreate, cloudlb.Credentials{Token: "EXAMPLEtoken\n"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := testConfig(nil)
			cfg.HTTPClient = nil
			cfg.Endpoint, cfg.AllowHTTP = server.URL, true
			cfg.Credentials = providerFunc(func(context.Context) (cloudlb.Credentials, error) { return c.keys, c.err })
			_, err := c.op.bind(t, cfg)(t.Context())
			e := failure(t, err)
			if !errors.Is(err, cloudlb.ErrUnauthenticated) || e.Outcome != notSent || e.Attempts != 0 {
				t.Errorf("got %v", err)
			}
			if c.err != nil && !errors.Is(err, c.err) {
				t.Errorf("%v does not wrap %v", err, c.err)
			}
			if strings.Contains(err.Error(), "EXAMPLE") {
				t.Errorf("the key is in %v", err)
			}
		})
	}
}

// serve starts a loopback server that is closed at the end of the test.
func serve(t *testing.T, h http.HandlerFunc) (cloudlb.Config, *httptest.Server) {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	cfg := testConfig(nil)
	cfg.HTTPClient = nil
	cfg.Endpoint, cfg.AllowHTTP = server.URL, true
	cfg.Retry.BaseDelay, cfg.Retry.MaxDelay = time.Millisecond, time.Millisecond
	return cfg, server
}

// hijack takes the connection of a request.
func hijack(t *testing.T, w http.ResponseWriter) *net.TCPConn {
	t.Helper()
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		t.Error(err)
	}
	return conn.(*net.TCPConn)
}

// TestConnectionRefused on a real socket: proven not sent, for any operation.
func TestConnectionRefused(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	for _, scheme := range []string{"http", "https"} {
		cfg := testConfig(nil)
		cfg.HTTPClient = nil
		cfg.Endpoint, cfg.AllowHTTP = scheme+"://"+address, true
		cfg.Retry.BaseDelay, cfg.Retry.MaxDelay = time.Millisecond, time.Millisecond
		_, err := slbAdd.bind(t, cfg)(t.Context())
		if diff := cmp.Diff(verdict{unavailable, notSent, 4}, verdictOf(failure(t, err))); diff != "" {
			t.Errorf("(-want +got):\n%s%v", diff, err)
		}
	}
}

// TestResetAfterBody on a real socket: nobody knows what was done.
func TestResetAfterBody(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		op       operation
		attempts int
	}{{slbAdd, 1}, {elbCreate, 1}, {apigCreate, 1}, {albAdd, 4}, {elbBatch, 4}} {
		t.Run(c.op.name, func(t *testing.T) {
			t.Parallel()
			var n atomic.Int32
			cfg, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
				n.Add(1)
				_, _ = io.Copy(io.Discard, r.Body)
				conn := hijack(t, w)
				_ = conn.SetLinger(0)
				conn.Close()
			})
			_, err := c.op.bind(t, cfg)(t.Context())
			if diff := cmp.Diff(verdict{unavailable, unknown, c.attempts}, verdictOf(failure(t, err))); diff != "" {
				t.Errorf("(-want +got):\n%s%v", diff, err)
			}
			if int(n.Load()) != c.attempts {
				t.Errorf("%d requests arrived, want %d", n.Load(), c.attempts)
			}
		})
	}
}

// TestTruncatedBody on a real socket: the connection ends within the reply.
func TestTruncatedBody(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"length":   "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"RequestId\":\"R-1\"}",
		"chunked":  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n13\r\n{\"RequestId\":\"R-1\"}\r\n",
		"headers":  "HTTP/1.1 200 OK\r\nContent-Ty",
		"nothing":  "",
		"not HTTP": "SSH-2.0-OpenSSH\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				conn := hijack(t, w)
				_, _ = io.WriteString(conn, raw)
				conn.Close()
			})
			_, err := slbAdd.bind(t, cfg)(t.Context())
			if diff := cmp.Diff(verdict{unavailable, unknown, 1}, verdictOf(failure(t, err))); diff != "" {
				t.Errorf("(-want +got):\n%s%v", diff, err)
			}
			checkOneLine(t, err)
		})
	}
	t.Run("error reply", func(t *testing.T) {
		t.Parallel()
		cfg, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			conn := hijack(t, w)
			_, _ = io.WriteString(conn, "HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\n{\"Code\":\"Inter")
			conn.Close()
		})
		_, err := slbAdd.bind(t, cfg)(t.Context())
		if diff := cmp.Diff(verdict{unavailable, unknown, 1}, verdictOf(failure(t, err))); diff != "" {
			t.Errorf("(-want +got):\n%s%v", diff, err)
		}
	})
}

// TestCutRefusal: which refusal it was is lost with the rest of the reply, so
// it does not count as one that would come again.
func TestCutRefusal(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	cfg, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if n.Add(1) > 1 {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"RequestId":"R-1","VServerGroupId":"rsp-1"}`)
			return
		}
		conn := hijack(t, w)
		_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"Code\":\"VServerGroupProce")
		conn.Close()
	})
	if _, err := slbAdd.bind(t, cfg)(t.Context()); err != nil {
		t.Error(err)
	}
	if n.Load() != 2 {
		t.Errorf("%d requests, want 2", n.Load())
	}
}

// staleConn is a connection that is dead once it has brought an answer: the
// next write fails before a byte is out.
type staleConn struct {
	net.Conn
	dead atomic.Bool
}

func (c *staleConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.dead.Store(n > 0)
	return n, err
}

func (c *staleConn) Write(b []byte) (int, error) {
	if c.dead.Load() {
		return 0, errors.New("write: broken pipe")
	}
	return c.Conn.Write(b)
}

// TestStaleConnection: a pooled connection that turns out to be dead before a
// byte was written costs nothing, not even an operation that is never repeated.
func TestStaleConnection(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	cfg, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"request_id":"r-1","member":{"id":"m-1"}}`)
	})
	var dialer net.Dialer
	transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		return &staleConn{Conn: conn}, err
	}}
	defer transport.CloseIdleConnections()
	cfg.HTTPClient = &http.Client{Transport: transport}
	call := elbCreate.bind(t, cfg)
	for i := range 3 {
		if _, err := call(t.Context()); err != nil {
			t.Fatalf("call %d: %v", i+1, err)
		}
	}
	if n.Load() != 3 {
		t.Errorf("%d requests arrived, want 3", n.Load())
	}
}

// TestHungServer: an attempt has a time limit of its own.
func TestHungServer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		policy  cloudlb.RetryPolicy
		timeout time.Duration
		op      operation
		most    time.Duration
		want    verdict
		says    string
	}{
		{"default", cloudlb.RetryPolicy{}, 0, slbAdd, 30 * time.Second, verdict{unavailable, unknown, 1}, "30s"},
		{"policy", cloudlb.RetryPolicy{AttemptTimeout: 3 * time.Second}, time.Hour, slbAdd, 3 * time.Second, verdict{unavailable, unknown, 1}, "3s"},
		{"HTTPClient.Timeout", cloudlb.RetryPolicy{}, 7 * time.Second, slbAdd, 7 * time.Second, verdict{unavailable, unknown, 1}, "7s"},
		{"repeated", cloudlb.RetryPolicy{AttemptTimeout: time.Second, MaxAttempts: 3}, 0, albAdd, 4 * time.Second, verdict{unavailable, unknown, 3}, "1s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cfg := testConfig(newScript(t).then(hangs))
				cfg.Retry, cfg.HTTPClient.Timeout = c.policy, c.timeout
				start := time.Now()
				_, err := c.op.bind(t, cfg)(t.Context())
				if diff := cmp.Diff(c.want, verdictOf(failure(t, err))); diff != "" {
					t.Errorf("(-want +got):\n%s%v", diff, err)
				}
				if !strings.Contains(err.Error(), c.says) {
					t.Errorf("%v does not say %s", err, c.says)
				}
				if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
					t.Errorf("%v looks as if the caller's context had ended", err)
				}
				if got := time.Since(start); got > c.most || got < c.most/2 {
					t.Errorf("took %s, want %s", got, c.most)
				}
			})
		})
	}
	t.Run("unbounded", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
			defer cancel()
			cfg := testConfig(newScript(t, hangs))
			cfg.Retry.AttemptTimeout = -1
			start := time.Now()
			_, err := slbAdd.bind(t, cfg)(ctx)
			if got := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || got != 24*time.Hour {
				t.Errorf("after %s: %v", got, err)
			}
		})
	})
	t.Run("body never ends", func(t *testing.T) {
		t.Parallel()
		release := make(chan struct{})
		cfg, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"RequestId":`)
			_ = http.NewResponseController(w).Flush()
			<-release
		})
		defer close(release)
		cfg.Retry.AttemptTimeout = 50 * time.Millisecond
		_, err := slbAdd.bind(t, cfg)(t.Context())
		e := failure(t, err)
		if diff := cmp.Diff(verdict{unavailable, unknown, 1}, verdictOf(e)); diff != "" || e.StatusCode != 200 {
			t.Errorf("(-want +got):\n%s%v", diff, err)
		}
	})
}

// TestRedirect: no redirect is followed, whatever the caller's client says, and
// the other host gets no request.
func TestRedirect(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the other host got a request") }))
	defer other.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			var n atomic.Int32
			cfg, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
				n.Add(1)
				w.Header().Set("Location", strings.Replace(other.URL, "http://", "http://user:hunter2@", 1)+"/?Signature=EXAMPLE")
				w.WriteHeader(status)
			})
			cfg.HTTPClient = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
				t.Error("CheckRedirect was asked")
				return nil
			}}
			_, err := albAdd.bind(t, cfg)(t.Context())
			e := failure(t, err)
			if diff := cmp.Diff(verdict{cloudlb.ClassInvalid, rejected, 1}, verdictOf(e)); diff != "" || e.StatusCode != status {
				t.Errorf("(-want +got):\n%s%v", diff, err)
			}
			if text := err.Error(); strings.Contains(text, "hunter2") || strings.Contains(text, "EXAMPLE") || !strings.Contains(text, "redirect") {
				t.Errorf("the text is %q", text)
			}
			if n.Load() != 1 {
				t.Errorf("%d requests arrived", n.Load())
			}
		})
	}
}

// jar is a cookie jar that must not be used.
type jar struct{ t *testing.T }

func (j jar) SetCookies(*url.URL, []*http.Cookie) { j.t.Error("a cookie was stored") }
func (j jar) Cookies(*url.URL) []*http.Cookie     { j.t.Error("cookies were asked for"); return nil }

// TestCallersClient: the caller's http.Client lends its Transport and Timeout,
// and is left as it was.
func TestCallersClient(t *testing.T) {
	t.Parallel()
	s := newScript(t, answers(200, `{"RequestId":"R-1","VServerGroupId":"rsp-1"}`, "Set-Cookie", "session=1"))
	client := &http.Client{Transport: s, Timeout: time.Minute, Jar: jar{t}}
	before := *client
	cfg := testConfig(nil)
	cfg.HTTPClient = client
	cfg.UserAgent = "deploy/1.0\r\nX-Evil: 1"
	cfgBefore := cfg
	if _, err := slbRead.bind(t, cfg)(t.Context()); err != nil {
		t.Fatal(err)
	}
	if client.Transport != before.Transport || client.Timeout != before.Timeout || client.Jar != before.Jar || client.CheckRedirect != nil {
		t.Errorf("the client was changed: %+v", client)
	}
	if cfg.HTTPClient != cfgBefore.HTTPClient || cfg.Limiter != nil || cfg.Logger != nil || cfg.Retry != (cloudlb.RetryPolicy{}) {
		t.Error("the Config was changed")
	}
	agent := s.requests()[0].header.Get("User-Agent")
	if !strings.HasPrefix(agent, "deploy/1.0") || !strings.Contains(agent, " cloudlb-go/") || strings.ContainsAny(agent, "\r\n") {
		t.Errorf("User-Agent %q", agent)
	}
	if got := s.requests()[0].header.Get("Cookie"); got != "" {
		t.Errorf("Cookie %q", got)
	}
}

// TestPrivateCA: a private CA comes in by the caller's Transport; without it
// the server is refused before anything is sent.
func TestPrivateCA(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"request_id":"r-1","member":{"id":"m-1"}}`)
	}))
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // the handshake that is refused
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	cfg := testConfig(nil)
	cfg.Endpoint = server.URL
	cfg.HTTPClient = server.Client()
	if _, err := elbCreate.bind(t, cfg)(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, client := range map[string]*http.Client{"none": nil, "empty": {}} {
		cfg.HTTPClient = client
		_, err := elbCreate.bind(t, cfg)(t.Context())
		e := failure(t, err)
		if diff := cmp.Diff(verdict{cloudlb.ClassInvalid, notSent, 1}, verdictOf(e)); diff != "" || !strings.Contains(e.Hint, "CA") {
			t.Errorf("%s (-want +got):\n%s%v", name, diff, err)
		}
	}
	if n.Load() != 1 {
		t.Errorf("%d requests arrived, want 1", n.Load())
	}
}

// TestPlainServer: a server that speaks no TLS gets nothing.
func TestPlainServer(t *testing.T) {
	t.Parallel()
	cfg, server := serve(t, func(http.ResponseWriter, *http.Request) {})
	cfg.Endpoint = strings.Replace(server.URL, "http://", "https://", 1)
	_, err := elbCreate.bind(t, cfg)(t.Context())
	if e := failure(t, err); e.Outcome != notSent {
		t.Errorf("got %v", err)
	}
}

// TestProxy: the proxy of the caller's Transport carries the call, and what it
// refuses was not sent.
func TestProxy(t *testing.T) {
	t.Parallel()
	var got atomic.Value
	cfg, proxy := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect {
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		got.Store(r.URL.Host)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"request_id":"r-1","member":{"id":"m-1"}}`)
	})
	proxyURL, err := url.Parse(strings.Replace(proxy.URL, "http://", "http://user:hunter2@", 1))
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{Proxy: http.ProxyURL(proxyURL)}
	defer transport.CloseIdleConnections()
	cfg.HTTPClient = &http.Client{Transport: transport}
	cfg.Endpoint = "http://service.invalid"
	if _, err := elbCreate.bind(t, cfg)(t.Context()); err != nil || got.Load() != "service.invalid" {
		t.Errorf("the proxy saw %v, error %v", got.Load(), err)
	}
	cfg.Endpoint = "https://service.invalid"
	_, err = elbCreate.bind(t, cfg)(t.Context())
	if e := failure(t, err); e.Outcome != notSent || !errors.Is(err, cloudlb.ErrUnavailable) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("got %v", err)
	}
}
