package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud/sigcheck"
	"github.com/cloudlb/cloudlb/slb"
)

// inputs is how many generated requests each operation is compared with.
const inputs = 2000

func TestMain(m *testing.M) {
	flag.Parse()
	set := map[string]bool{}
	flag.Visit(func(f *flag.Flag) { set[f.Name] = true })
	for name, value := range map[string]string{"rapid.checks": fmt.Sprint(inputs), "rapid.nofailfile": "true", "rapid.seed": "20261120"} {
		if !set[name] {
			if err := flag.Set(name, value); err != nil {
				panic(err)
			}
		}
	}
	os.Exit(m.Run())
}

// sent is a request as the server got it.
type sent struct {
	*http.Request
	body []byte
}

// recorder is a server that keeps the last request and refuses it.
type recorder struct {
	*httptest.Server
	mu   sync.Mutex
	last []sent
}

func newRecorder(tb testing.TB) *recorder {
	r := new(recorder)
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		r.mu.Lock()
		r.last = append(r.last, sent{req, body})
		r.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		io.WriteString(w, `{"Code":"Recorded","Message":"recorded","RequestId":"1","error_code":"Recorded","error_msg":"recorded"}`)
	}))
	tb.Cleanup(r.Close)
	return r
}

// take returns the one request since the last take.
func (r *recorder) take() (sent, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	got := r.last
	r.last = nil
	if len(got) != 1 {
		return sent{}, fmt.Errorf("%d requests arrived, want 1", len(got))
	}
	return got[0], nil
}

// request is what has to agree: everything that means something to the
// service, in a form that can be compared.
type request struct {
	Method  string
	Path    []string // decoded segments
	Query   map[string]any
	Form    map[string]any
	JSON    any
	Headers map[string]string
}

// productHeaders are the headers that name the product, operation, project and
// the body's form.
var productHeaders = []string{"X-Acs-Action", "X-Acs-Version", "X-Project-Id", "Content-Type"}

func understand(s sent) (request, error) {
	r := request{Method: s.Method, Headers: map[string]string{}}
	for segment := range strings.SplitSeq(s.URL.EscapedPath(), "/") {
		decoded, err := url.PathUnescape(segment)
		if err != nil {
			return r, err
		}
		r.Path = append(r.Path, decoded)
	}
	for _, h := range productHeaders {
		if v, ok := s.Header[h]; ok {
			r.Headers[h] = strings.Join(v, ",")
		}
	}
	kind, _, _ := mime.ParseMediaType(s.Header.Get("Content-Type"))
	if len(s.body) == 0 {
		delete(r.Headers, "Content-Type") // of nothing
	} else {
		r.Headers["Content-Type"] = kind
	}
	query, err := url.ParseQuery(s.URL.RawQuery)
	if err != nil {
		return r, err
	}
	r.Query = values(query)
	switch {
	case len(s.body) == 0:
	case kind == "application/json":
		d := json.NewDecoder(bytes.NewReader(s.body))
		d.UseNumber()
		if err := d.Decode(&r.JSON); err != nil {
			return r, err
		}
	default:
		form, err := url.ParseQuery(string(s.body))
		if err != nil {
			return r, err
		}
		r.Form = values(form)
	}
	return r, nil
}

// values opens up parameters that are JSON in a string: their meaning counts,
// not the order or spacing that somebody wrote.
func values(v url.Values) map[string]any {
	out := make(map[string]any, len(v))
	for name, list := range v {
		out[name] = slices.Clone(list)
		if name == "BackendServers" && len(list) == 1 {
			var parsed any
			d := json.NewDecoder(strings.NewReader(list[0]))
			d.UseNumber()
			if d.Decode(&parsed) == nil {
				out[name] = plain(parsed)
			}
		}
	}
	return out
}

// plain makes numbers text: the service takes either in BackendServers.
func plain(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
		return v
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
		return v
	case json.Number:
		return v.String()
	default:
		return v
	}
}

// oldNames are the parameters of the old SDK's signature and framing.
var oldNames = []string{
	"AccessKeyId", "Action", "Format", "Signature", "SignatureMethod", "SignatureNonce",
	"SignatureType", "SignatureVersion", "Timestamp", "Version",
}

// likeOld puts one of the new RPC requests into the old SDK's form, which sends
// every parameter in the query, the region among them.
func likeOld(r request, region string) request {
	r.Query = maps.Clone(r.Query)
	maps.Copy(r.Query, r.Form)
	r.Form = nil
	if _, ok := r.Query["RegionId"]; !ok {
		r.Query["RegionId"] = []string{region}
	}
	r.Headers = maps.Clone(r.Headers)
	delete(r.Headers, "Content-Type")
	return r
}

// signed checks the signature of what arrived, from the wire alone.
func signed(s sent, who target) error {
	keys := func(id string) (string, string, bool) { return who.secret, "", id == who.accessKey }
	var err error
	switch {
	case s.URL.Query().Get("Signature") != "":
		_, err = sigcheck.RPCV1(s.Request, s.body, time.Now(), keys)
	case s.Header.Get("X-Acs-Action") != "":
		_, err = sigcheck.ACS3(s.Request, s.body, time.Now(), keys)
	default:
		_, err = sigcheck.Huawei(s.Request, s.body, time.Now(), keys)
	}
	return err
}

// sameWire sends generated requests with our client and with each peer.
func sameWire[R any](t *testing.T, draw func(*rapid.T) R, wrap func(R) any) {
	t.Helper()
	server := newRecorder(t)
	who := example(server.URL)
	o, p := newOurs(t, who.config(), who.project), newPeers(t, who)
	n := 0
	full = 0
	compared := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		input := wrap(draw(t))
		n++
		var want request
		for _, c := range callers(o, p, who.region, input) {
			err := c.call(context.Background())
			got, wire := server.take()
			if wire != nil {
				t.Fatalf("%s: %v; the call says %v", c.name, wire, err)
			}
			if err == nil {
				t.Fatalf("%s: a refusal is a success", c.name)
			}
			r, err2 := understand(got)
			if err2 != nil {
				t.Fatalf("%s: %v", c.name, err2)
			}
			if err := signed(got, who); err != nil {
				t.Fatalf("%s: the signature does not verify: %v", c.name, err)
			}
			compared[c.name]++
			if c.name == "ours" {
				if e := new(cloudlb.Error); !errors.As(err, &e) || e.StatusCode != 400 {
					t.Fatalf("ours: %v", err)
				}
				want = r
				continue
			}
			expect := want
			if c.name == "alibaba-old" {
				for _, name := range oldNames {
					delete(r.Query, name)
				}
				r = likeOld(r, who.region)
				expect = likeOld(want, who.region)
			}
			if strings.HasPrefix(c.name, "huawei") {
				// A known fault of theirs: a slash in an ID is sent as it is.
				expect.Path = strings.Split(strings.Join(want.Path, "/"), "/")
			}
			if !hasToken(input) { // ours is filled in
				expect.Query, expect.Form = maps.Clone(expect.Query), maps.Clone(expect.Form)
				delete(expect.Query, "ClientToken")
				delete(expect.Form, "ClientToken")
			}
			if len(expect.Form) == 0 && len(r.Form) == 0 {
				expect.Form, r.Form = nil, nil
			}
			if !reflect.DeepEqual(expect, r) {
				t.Fatalf("%s differs:\nours: %+v\ntheirs: %+v", c.name, expect, r)
			}
		}
	})
	if n < inputs && !t.Failed() && flag.Lookup("rapid.checks").Value.String() == fmt.Sprint(inputs) {
		t.Errorf("only %d inputs", n)
	}
	if full == 0 && !t.Failed() {
		t.Error("no list was drawn at its limit")
	}
	t.Logf("inputs per client: %v; %d lists at their limit", compared, full)
}

func hasToken(input any) bool {
	switch r := input.(type) {
	case alb.AddServersToServerGroupRequest:
		return r.ClientToken != ""
	case alb.ReplaceServersInServerGroupRequest:
		return r.ClientToken != ""
	}
	return true
}

func TestSameWireAddServersToServerGroup(t *testing.T) {
	sameWire(t, drawAdd, func(r alb.AddServersToServerGroupRequest) any { return r })
}

func TestSameWireReplaceServersInServerGroup(t *testing.T) {
	sameWire(t, drawReplace, func(r alb.ReplaceServersInServerGroupRequest) any { return r })
}

func TestSameWireAddVServerGroupBackendServers(t *testing.T) {
	sameWire(t, drawSLB, func(r slb.AddVServerGroupBackendServersRequest) any { return r })
}

func TestSameWireBatchCreateMembers(t *testing.T) {
	sameWire(t, drawELB, func(r elb.BatchCreateMembersRequest) any { return r })
}

func TestSameWireAddVpcChannelMembers(t *testing.T) {
	sameWire(t, drawChannel, func(r apig.AddVpcChannelMembersRequest) any { return r })
}

func TestSameWireAddVpcChannelMembersOfAPIGateway(t *testing.T) {
	sameWire(t, drawChannel, func(r apig.AddVpcChannelMembersRequest) any { return apiGateway(r) })
}

// The generators. Text is any Unicode, with the characters that URLs, forms and
// JSON reserve drawn often; lists are mostly short and sometimes full.

var reserved = []rune(" +*~%&=;/?#:@!$'()[],\"\\<>{}|^`_-.\t\n\r\x00\u2028\u2029é北𝄞")

func anyText(most int) *rapid.Generator[string] {
	return rapid.StringOfN(rapid.OneOf(rapid.SampledFrom(reserved), rapid.Rune()), 1, most, -1)
}

func optional(t *rapid.T, name string, g *rapid.Generator[string]) string {
	if rapid.Bool().Draw(t, "with "+name) {
		return g.Draw(t, name)
	}
	return ""
}

func optionalInt(t *rapid.T, name string, most int) *int {
	if rapid.Bool().Draw(t, "with "+name) {
		return new(rapid.IntRange(0, most).Draw(t, name))
	}
	return nil
}

func optionalBool(t *rapid.T, name string) *bool {
	if rapid.Bool().Draw(t, "with "+name) {
		return new(rapid.Bool().Draw(t, name))
	}
	return nil
}

// full counts the lists that were drawn at their limit.
var full int

// size is how many elements a list has: 1 to 4, and once in a while most.
func size(t *rapid.T, most int) int {
	if rapid.IntRange(0, 199).Draw(t, "full") == 199 {
		full++
		return most
	}
	return rapid.IntRange(1, 4).Draw(t, "size")
}

func port(t *rapid.T) int { return rapid.IntRange(1, 65535).Draw(t, "port") }

// id makes the i-th ID of a list: unlike the others, with any text in it.
func id(t *rapid.T, i int) string {
	return fmt.Sprintf("%d%s", i, anyText(6).Draw(t, "id"))
}

func token(t *rapid.T) string {
	return optional(t, "token", rapid.StringOfN(rapid.RuneFrom(nil, printable), 1, 64, -1))
}

func drawAdd(t *rapid.T) alb.AddServersToServerGroupRequest {
	r := alb.AddServersToServerGroupRequest{
		ServerGroupID: anyText(12).Draw(t, "group"), ClientToken: token(t), DryRun: rapid.Bool().Draw(t, "dry run"),
	}
	r.Servers = make([]alb.AddedServer, size(t, alb.AddServersToServerGroupMaxServers))
	for i := range r.Servers {
		r.Servers[i] = alb.AddedServer{
			Description: optional(t, "description", description(256)), Port: port(t),
			RemoteIPEnabled: optionalBool(t, "remote"), ServerID: id(t, i), ServerIP: optional(t, "ip", anyText(8)),
			ServerType: rapid.SampledFrom([]alb.ServerType{alb.ServerTypeEcs, alb.ServerTypeEni, alb.ServerTypeEci, alb.ServerTypeIp, alb.ServerTypeFc}).Draw(t, "type"),
			Weight:     optionalInt(t, "weight", 100),
		}
		if r.Servers[i].ServerType == alb.ServerTypeFc && rapid.Bool().Draw(t, "without port") {
			r.Servers[i].Port = 0
		}
	}
	return r
}

func description(most int) *rapid.Generator[string] {
	return rapid.Custom(func(t *rapid.T) string {
		n := 10
		if rapid.IntRange(0, 99).Draw(t, "long") == 99 {
			n = most - 2
		}
		return "d " + anyText(n).Draw(t, "description")
	})
}

func drawReplace(t *rapid.T) alb.ReplaceServersInServerGroupRequest {
	r := alb.ReplaceServersInServerGroupRequest{
		ServerGroupID: anyText(12).Draw(t, "group"), ClientToken: token(t), DryRun: rapid.Bool().Draw(t, "dry run"),
	}
	types := []alb.ServerType{alb.ServerTypeEcs, alb.ServerTypeEni, alb.ServerTypeEci, alb.ServerTypeIp}
	r.AddedServers = make([]alb.ReplacementServer, size(t, 200))
	for i := range r.AddedServers {
		r.AddedServers[i] = alb.ReplacementServer{
			Description: optional(t, "description", description(256)), Port: port(t), ServerID: id(t, i),
			ServerIP: optional(t, "ip", anyText(8)), ServerType: rapid.SampledFrom(types).Draw(t, "type"),
			Weight: optionalInt(t, "weight", 100),
		}
	}
	r.RemovedServers = make([]alb.ReplacedServer, size(t, 200))
	for i := range r.RemovedServers {
		r.RemovedServers[i] = alb.ReplacedServer{
			Port: port(t), ServerID: id(t, i), ServerIP: optional(t, "ip", anyText(8)),
			ServerType: rapid.SampledFrom(types).Draw(t, "type"),
		}
	}
	return r
}

func drawSLB(t *rapid.T) slb.AddVServerGroupBackendServersRequest {
	r := slb.AddVServerGroupBackendServersRequest{
		VServerGroupID: anyText(12).Draw(t, "group"),
		RegionID:       optional(t, "region", rapid.SampledFrom([]string{"cn-hangzhou", "cn-beijing", "eu-central-1"})),
	}
	r.BackendServers = make(slb.BackendServerSpecList, size(t, 20))
	for i := range r.BackendServers {
		s := slb.BackendServerSpec{
			ServerID: id(t, i), Port: port(t), Weight: optionalInt(t, "weight", 100),
			Type:        rapid.SampledFrom([]slb.ServerType{"", slb.ServerTypeEcs, slb.ServerTypeEni, slb.ServerTypeEci}).Draw(t, "type"),
			ServerIP:    optional(t, "ip", anyText(8)),
			Description: optional(t, "description", rapid.StringOfN(rapid.SampledFrom([]rune("azAZ09一龥-/._")), 1, 80, -1)),
		}
		if s.ServerIP == "" && (s.Type == slb.ServerTypeEni || s.Type == slb.ServerTypeEci) {
			s.ServerIP = "10.0.0.1"
		}
		r.BackendServers[i] = s
	}
	return r
}

// pathID is text for a path.
func pathID(t *rapid.T, name string) string {
	return rapid.StringOfN(rapid.OneOf(rapid.SampledFrom(inPath), rapid.RuneFrom(nil, letters...)), 1, 12, -1).
		Filter(func(s string) bool { return s != "." && s != ".." }).Draw(t, name)
}

func drawELB(t *rapid.T) elb.BatchCreateMembersRequest {
	r := elb.BatchCreateMembersRequest{PoolID: pathID(t, "pool")}
	r.Members = make([]elb.BatchMemberSpec, size(t, 200))
	for i := range r.Members {
		r.Members[i] = elb.BatchMemberSpec{
			Name: optional(t, "name", description(255)), AvailabilityZone: optional(t, "zone", anyText(8)),
			Address: id(t, i), ProtocolPort: rapid.IntRange(0, 65535).Draw(t, "port"),
			SubnetCIDRID: optional(t, "subnet", anyText(36)), Weight: optionalInt(t, "weight", 100),
		}
	}
	return r
}

func drawChannel(t *rapid.T) apig.AddVpcChannelMembersRequest {
	r := apig.AddVpcChannelMembersRequest{InstanceID: pathID(t, "instance"), VpcChannelID: pathID(t, "channel")}
	r.Members = make([]apig.MemberSpec, size(t, 200))
	for i := range r.Members {
		r.Members[i] = apig.MemberSpec{
			Host: id(t, i), Weight: optionalInt(t, "weight", 10000), IsBackup: optionalBool(t, "backup"),
			MemberGroupName: optional(t, "member group", anyText(64)),
			Status:          rapid.SampledFrom([]apig.MemberStatus{0, 1, 2}).Draw(t, "status"),
			ECSID:           optional(t, "ecs", rapid.StringMatching(`[A-Za-z0-9_-]{1,64}`)),
			ECSName:         optional(t, "ecs name", anyText(64)),
		}
		if rapid.Bool().Draw(t, "with port") {
			r.Members[i].Port = port(t)
		}
	}
	return r
}
