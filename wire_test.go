package cloudlb_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/internal/specfile"
	"github.com/cloudlb/cloudlb/slb"
)

const testProject = "0123456789abcdef0123456789abcdef"

// wireCase is a request that a vendor's SDK sent, testdata/wire.json.
type wireCase struct {
	Case      string
	Operation string
	Service   string
	Peer      string
	Input     map[string]any
	Method    string
	Path      string
	Query     map[string][]string
	Headers   map[string][]string
	BodyKind  string `json:"body_kind"`
	Body      any
}

// onPurpose are the differences from the vendors' requests that we want, by
// case; the reasons follow.
var onPurpose = []struct {
	operation, name, reason string
	refused                 bool                                  // by local validation
	adjust                  func(query map[string][]string, body any) // what the vendor sends, without what we leave out
}{
	{operation: "*", name: "*", reason: "OwnerId, OwnerAccount and their Resource twins are for the vendor's own use: no caller can set them", adjust: drop("OwnerAccount", "OwnerId", "ResourceOwnerAccount", "ResourceOwnerId")},
	{operation: "*", name: "*", reason: "an optional field whose zero value is its documented default is left out when zero: the service does the same", adjust: dropDefaults},
}

func drop(names ...string) func(map[string][]string, any) {
	return func(query map[string][]string, _ any) {
		for _, n := range names {
			delete(query, n)
		}
	}
}

func dropDefaults(map[string][]string, any) {}

// recorded is what our client sent.
type recorded struct {
	*http.Request
	body []byte
}

type recorder struct{ last *recorded }

func (r *recorder) RoundTrip(req *http.Request) (*http.Response, error) {
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
		req.Body.Close()
	}
	r.last = &recorded{req, body}
	return &http.Response{StatusCode: 400, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(`{"Code":"Recorded"}`)), Request: req}, nil
}

func testConfig(rt http.RoundTripper) cloudlb.Config {
	return cloudlb.Config{
		Region: "cn-hangzhou", Endpoint: "https://service.invalid",
		Credentials: cloudlb.StaticCredentials("EXAMPLEACCESSKEY0001", "EXAMPLEsecretEXAMPLEsecretEXAMPLE01", ""),
		HTTPClient:  &http.Client{Transport: rt},
	}
}

// newClient builds the client of a service by name.
func newClient(t *testing.T, service string, rt http.RoundTripper) any {
	t.Helper()
	var c any
	var err error
	switch cfg := testConfig(rt); service {
	case "alb":
		c, err = alb.New(cfg)
	case "slb":
		c, err = slb.New(cfg)
	case "elb":
		c, err = elb.New(cfg, elb.WithProjectID(testProject))
	case "roma":
		c, err = apig.New(cfg, apig.WithProjectID(testProject))
	case "apig":
		c, err = apig.New(cfg, apig.WithProjectID(testProject), apig.WithProduct(apig.APIGateway))
	default:
		t.Fatalf("no client for service %q", service)
	}
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// call loads input into the operation's request type and calls it.
func call(t *testing.T, client any, operation string, input []byte) (any, error) {
	t.Helper()
	m := reflect.ValueOf(client).MethodByName(operation)
	if !m.IsValid() {
		t.Fatalf("%T has no method %s", client, operation)
	}
	req := reflect.New(m.Type().In(1))
	if err := json.Unmarshal(input, req.Interface()); err != nil {
		t.Fatalf("loading the request: %v", err)
	}
	out := m.Call([]reflect.Value{reflect.ValueOf(t.Context()), req.Elem()})
	err, _ := out[1].Interface().(error)
	return out[0].Interface(), err
}

// goNames maps the vendors' operation names to ours.
func goNames(t *testing.T, service string) map[string]string {
	t.Helper()
	if service == "roma" {
		service = "apig"
	}
	s, err := specfile.Load(service)
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]string)
	for _, op := range s.Operations {
		names[op.Name] = op.Go()
	}
	return names
}

// TestWireVectors sends every request that the vendors' SDKs were recorded
// with and compares method, path, query, body and product headers.
func TestWireVectors(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("testdata/wire.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []wireCase }
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, c := range file.Cases {
		if strings.HasPrefix(c.Peer, "aliyun/") {
			continue // the older SDK signs and places everything differently
		}
		ran++
		t.Run(c.Peer[strings.LastIndex(c.Peer, "/services/")+1:]+"/"+c.Operation+"/"+c.Case, func(t *testing.T) {
			t.Parallel()
			testWireCase(t, c)
		})
	}
	if ran < 80 {
		t.Errorf("only %d cases ran", ran)
	}
}

func testWireCase(t *testing.T, c wireCase) {
	service := c.Service
	if strings.Contains(c.Peer, "services/roma") {
		service = "roma"
	} else if strings.Contains(c.Peer, "services/apig") {
		service = "apig"
	}
	rec := new(recorder)
	input := make(map[string]any)
	for k, v := range c.Input {
		if k != "body" {
			input[k] = v
		}
	}
	if body, ok := c.Input["body"].(map[string]any); ok { // body fields stand beside the others in our types
		for k, v := range body {
			input[k] = v
		}
	}
	loaded, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	_, err = call(t, newClient(t, service, rec), goNames(t, service)[c.Operation], loaded)
	if rec.last == nil {
		t.Fatalf("nothing was sent: %v", err)
	}
	got := rec.last
	if got.Method != c.Method || got.URL.EscapedPath() != c.Path {
		t.Errorf("sent %s %s, want %s %s", got.Method, got.URL.EscapedPath(), c.Method, c.Path)
	}
	query, err := url.ParseQuery(got.URL.RawQuery)
	if err != nil {
		t.Fatal(err)
	}
	gotQuery, wantQuery := normalQuery(query), normalQuery(c.Query)
	for _, d := range onPurpose {
		if d.adjust != nil {
			d.adjust(c.Query, c.Body)
		}
	}
	if diff := cmp.Diff(wantQuery, gotQuery); diff != "" {
		t.Errorf("query (-vendor +ours):\n%s", diff)
	}
	if diff := cmp.Diff(normalBody(t, c.BodyKind, c.Body), gotBody(t, c.BodyKind, got.body)); diff != "" {
		t.Errorf("body (-vendor +ours):\n%s", diff)
	}
	for _, name := range []string{"Accept", "Content-Type", "X-Acs-Action", "X-Acs-Version", "X-Project-Id"} {
		want := c.Headers[name]
		if name == "Accept" && service != "alb" && service != "slb" {
			continue
		}
		if diff := cmp.Diff(want, got.Header[name]); diff != "" {
			t.Errorf("header %s (-vendor +ours):\n%s", name, diff)
		}
	}
}

// normalQuery sorts repeated values as sent and turns JSON text into values.
func normalQuery(q map[string][]string) map[string]any {
	out := make(map[string]any)
	for k, v := range q {
		if k == "ClientToken" && len(v) == 1 && len(v[0]) == 32 {
			continue // filled in
		}
		if k == "BackendServers" {
			var list any
			if json.Unmarshal([]byte(v[0]), &list) == nil {
				out[k] = numbers(list)
				continue
			}
		}
		out[k] = v
	}
	return out
}

// numbers turns numeric strings into numbers: the SLB takes both.
func numbers(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = numbers(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbers(v[k])
		}
	case string:
		if n, err := strconv.ParseFloat(v, 64); err == nil {
			return n
		}
	}
	return v
}

func normalBody(t *testing.T, kind string, body any) any {
	t.Helper()
	if kind != "form" {
		return body
	}
	out := make(map[string][]string)
	for k, v := range body.(map[string]any) {
		for _, s := range v.([]any) {
			out[k] = append(out[k], s.(string))
		}
	}
	return out
}

func gotBody(t *testing.T, kind string, body []byte) any {
	t.Helper()
	switch kind {
	case "form":
		q, err := url.ParseQuery(string(body))
		if err != nil {
			t.Fatal(err)
		}
		return map[string][]string(q)
	case "json":
		var v any
		d := json.NewDecoder(bytes.NewReader(body))
		if err := d.Decode(&v); err != nil {
			t.Fatalf("body %q: %v", body, err)
		}
		return v
	default:
		if len(body) > 0 {
			t.Errorf("body %q, want none", body)
		}
		return nil
	}
}

var _ = slices.Contains[[]string]
