package cloudlb_test

import (
	"bytes"
	"encoding/json"
	"io"
	"maps"
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

// refusedOnPurpose are the cases that local validation refuses, because the
// vendor documents that the service does; with what is wrong.
var refusedOnPurpose = map[string]string{
	"CreatePool/zero_values":                   "pool.listener_id is required", // neither listener_id, loadbalancer_id nor type
	"CreateVpcChannelV2/zero_values":           "port is 0",                    // 1 to 65535
	"CreateVpcChannelV2/all_fields":            `protocol is "http"`,           // TCP, HTTP or HTTPS
	"UpdateMemberGroup/minimal":                "member_group_name has 1 character",
	"ListMemberGroups/all_fields":              "member_group_name has 1 character",
	"ListBackendInstancesV2/all_fields":        "member_group_name has 1 character",
	"ReplaceServersInServerGroup/zero_values":  "RemovedServers[0].Port is 0", // 1 to 65535
	"RemoveServersFromServerGroup/zero_values": "Servers[0].Port is required",
}

// leftOutOnPurpose are parameters of the vendors' requests that ours do not
// have, with the reason. Only values in those cases are excused, and only when
// ours has nothing at all there.
var leftOutOnPurpose = []struct{ cases, names, reason string }{
	{"AddVServerGroupBackendServers/*", "OwnerAccount OwnerId ResourceOwnerAccount ResourceOwnerId", "for the vendor's own use: callers cannot set them"},
	{"*/zero_values", "DryRun page_reverse", "false is the documented default, and the field is a plain bool"},
	{"*/zero_values", "MaxResults limit offset", "zero is not a page size, and no offset is offset 0"},
	{"*/zero_values", "NextToken marker name member_group_name VServerGroupName", "empty text in a create or list request is absent text"},
	{"*/zero_values", "Description subnet_cidr_id", "empty text in a create request is absent text"},
	{"*/zero_values", "port", "0 is documented to mean the same as absent: the channel's port"},
	{"*/zero_port_empty_description", "Description ServerIp Port", "empty in a create request is absent; ports of functions are ignored"},
	{"CreateServerGroup/zero_values", "ConnectionDrainTimeout ConnectionDrainEnabled CookieTimeout HealthCheckConnectPort HealthCheckHost Ipv6Enabled SlowStartEnabled StickySessionEnabled UpstreamKeepaliveEnabled", "the documented default, or a number below the documented range"},
}

func leftOut(c, name string) bool {
	for _, l := range leftOutOnPurpose {
		op, of, _ := strings.Cut(l.cases, "/")
		if (op == "*" || strings.HasPrefix(c, op+"/")) && (of == "*" || strings.HasSuffix(c, "/"+of)) && slices.Contains(strings.Fields(l.names), name) {
			return true
		}
	}
	return false
}

// without removes from the vendor's parameters those that are left out on
// purpose and that ours does not send.
func without(c string, vendor, ours any) any {
	switch vendor := vendor.(type) {
	case map[string]any:
		o, _ := ours.(map[string]any)
		for k, v := range vendor {
			if _, sent := o[k]; !sent && leftOut(c, k[strings.LastIndexByte(k, '.')+1:]) {
				delete(vendor, k)
				continue
			}
			vendor[k] = without(c, v, o[k])
		}
	case []any:
		o, _ := ours.([]any)
		for i := range vendor {
			if i < len(o) {
				vendor[i] = without(c, vendor[i], o[i])
			}
		}
	}
	return vendor
}

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
func call(t *testing.T, client any, operation string, input []byte, opts ...cloudlb.CallOption) (any, error) {
	t.Helper()
	m := reflect.ValueOf(client).MethodByName(operation)
	if !m.IsValid() {
		t.Fatalf("%T has no method %s", client, operation)
	}
	req := reflect.New(m.Type().In(1))
	if err := json.Unmarshal(input, req.Interface()); err != nil {
		t.Fatalf("loading the request: %v", err)
	}
	args := []reflect.Value{reflect.ValueOf(t.Context()), req.Elem()}
	for _, o := range opts {
		args = append(args, reflect.ValueOf(o))
	}
	out := m.Call(args)
	err, _ := reflect.TypeAssert[error](out[1])
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
	t.Helper()
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
		maps.Copy(input, body)
	}
	loaded, err := json.Marshal(input)
	if err != nil {
		t.Fatal(err)
	}
	_, err = call(t, newClient(t, service, rec), goNames(t, service)[c.Operation], loaded)
	name := c.Operation + "/" + c.Case
	if want, refused := refusedOnPurpose[name]; refused {
		if rec.last != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("error %v, want nothing sent and %q", err, want)
		}
		return
	}
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
	if token := query.Get("ClientToken"); c.Query["ClientToken"] == nil || c.Query["ClientToken"][0] == "" {
		delete(query, "ClientToken") // filled in where the vendor's SDK sends none
		delete(c.Query, "ClientToken")
		if token != "" && len(token) != 32 {
			t.Errorf("client token %q", token)
		}
	}
	gotQuery := normalQuery(query)
	if diff := cmp.Diff(without(name, normalQuery(c.Query), gotQuery), any(gotQuery)); diff != "" {
		t.Errorf("query (-vendor +ours):\n%s", diff)
	}
	body := gotBody(t, c.BodyKind, got.body)
	if diff := cmp.Diff(without(name, c.Body, body), body); diff != "" {
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

// normalQuery turns JSON text into values; the rest stays as sent.
func normalQuery(q map[string][]string) map[string]any {
	out := make(map[string]any)
	for k, v := range q {
		var list any
		if strings.HasSuffix(k, "BackendServers") && json.Unmarshal([]byte(v[0]), &list) == nil {
			out[k] = numbers(list)
			continue
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

func gotBody(t *testing.T, kind string, body []byte) any {
	t.Helper()
	switch kind {
	case "form":
		q, err := url.ParseQuery(string(body))
		if err != nil {
			t.Fatal(err)
		}
		values := make(map[string]any)
		for k, v := range q {
			list := make([]any, len(v))
			for i := range v {
				list[i] = v[i]
			}
			values[k] = list
		}
		return values
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
