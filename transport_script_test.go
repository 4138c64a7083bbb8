package cloudlb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/slb"
)

// step answers one attempt.
type step func(*http.Request) (*http.Response, error)

// sentRequest is what a script saw of one attempt.
type sentRequest struct {
	at     time.Time
	url    *url.URL
	header http.Header
	body   string
}

// param finds a parameter in the query or the form.
func (s sentRequest) param(name string) string {
	if v := s.url.Query().Get(name); v != "" {
		return v
	}
	form, _ := url.ParseQuery(s.body)
	return form.Get(name)
}

// script is a RoundTripper that answers attempt n with step n. It fails the
// test when a step is left over or an attempt has none.
type script struct {
	t testing.TB

	mu    sync.Mutex
	steps []step
	rest  step
	sent  []sentRequest
}

func newScript(t testing.TB, steps ...step) *script {
	s := &script{t: t, steps: steps}
	t.Cleanup(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if len(s.steps) > 0 {
			t.Errorf("%d steps of the script were not asked for, after %d attempts", len(s.steps), len(s.sent))
		}
	})
	return s
}

// then sets the answer to all further attempts.
func (s *script) then(rest step) *script {
	s.rest = rest
	return s
}

func (s *script) RoundTrip(r *http.Request) (*http.Response, error) {
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			s.t.Errorf("reading the request: %v", err)
		}
		r.Body.Close()
	}
	s.mu.Lock()
	s.sent = append(s.sent, sentRequest{time.Now(), r.URL, r.Header.Clone(), string(body)})
	next := s.rest
	if len(s.steps) > 0 {
		next, s.steps = s.steps[0], s.steps[1:]
	}
	n := len(s.sent)
	s.mu.Unlock()
	if next == nil {
		s.t.Errorf("attempt %d is one too many: %s %s", n, r.Method, r.URL)
		next = answers(http.StatusTeapot, `{"Code":"NoStepLeft"}`)
	}
	return next(r)
}

// requests returns what was sent up to now.
func (s *script) requests() []sentRequest {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]sentRequest(nil), s.sent...)
}

func (s *script) count() int { return len(s.requests()) }

// answers is a step that answers with a status, a body and header name, value
// pairs. The content type is JSON unless the pairs say otherwise.
func answers(status int, body string, headers ...string) step {
	h := http.Header{"Content-Type": {"application/json"}}
	for i := 0; i+1 < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h.Clone(),
			Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
		}, nil
	}
}

// streams is a step that answers with a body of unknown length.
func streams(status int, body io.ReadCloser) step {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: http.Header{"Content-Type": {"application/json"}}, Body: body, ContentLength: -1, Request: r,
		}, nil
	}
}

// aliError is an error reply of Alibaba Cloud.
func aliError(status int, code, message string, headers ...string) step {
	return answers(status, fmt.Sprintf(`{"Code":%q,"Message":%q,"RequestId":"REQ-%s","HostId":"service.invalid"}`, code, message, code), headers...)
}

// huaweiError is an error reply of Huawei Cloud.
func huaweiError(status int, code, message string, headers ...string) step {
	return answers(status, fmt.Sprintf(`{"error_code":%q,"error_msg":%q,"request_id":"req-%s"}`, code, message, code), headers...)
}

// fails is a step that ends without an answer.
func fails(err error) step {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// hangs is a step that never answers.
func hangs(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

var errReset = errors.New("read tcp 192.0.2.1:4711->192.0.2.2:443: connection reset by peer")

// caller makes one and the same call on one client.
type caller func(ctx context.Context, opts ...cloudlb.CallOption) (cloudlb.Metadata, error)

// operation is a call that tests send. ok is a good reply to it.
type operation struct {
	name string
	ok   step
	bind func(testing.TB, cloudlb.Config) caller
}

// callOf turns a method and its request into a caller.
func callOf[Req, Res any](method func(context.Context, Req, ...cloudlb.CallOption) (*Res, error), req Req) caller {
	return func(ctx context.Context, opts ...cloudlb.CallOption) (cloudlb.Metadata, error) {
		res, err := method(ctx, req, opts...)
		if res == nil {
			return cloudlb.Metadata{}, err
		}
		return reflect.ValueOf(res).Elem().FieldByName("Metadata").Interface().(cloudlb.Metadata), err
	}
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

var (
	addedServers = []alb.AddedServer{{ServerID: "i-1", ServerType: alb.ServerTypeEcs, Port: 80, Weight: new(0)}}

	// albAdd carries a client token.
	albAdd = operation{"alb.AddServersToServerGroup", answers(200, `{"JobId":"job-1","RequestId":"REQ-OK"}`), func(t testing.TB, cfg cloudlb.Config) caller {
		c := must[*alb.Client](t)(alb.New(cfg))
		return callOf(c.AddServersToServerGroup, alb.AddServersToServerGroupRequest{ServerGroupID: "sgp-1", Servers: addedServers})
	}}
	albDryRun = operation{"alb.AddServersToServerGroup, dry", nil, func(t testing.TB, cfg cloudlb.Config) caller {
		c := must[*alb.Client](t)(alb.New(cfg))
		return callOf(c.AddServersToServerGroup, alb.AddServersToServerGroupRequest{ServerGroupID: "sgp-1", Servers: addedServers, DryRun: true})
	}}
	albRead = operation{"alb.ListServerGroupServers", answers(200, `{"RequestId":"REQ-OK","Servers":[],"TotalCount":0}`), func(t testing.TB, cfg cloudlb.Config) caller {
		c := must[*alb.Client](t)(alb.New(cfg))
		return callOf(c.ListServerGroupServers, alb.ListServerGroupServersRequest{ServerGroupID: "sgp-1"})
	}}
	// slbAdd is neither repeatable nor has it a token.
	slbAdd = operation{"slb.AddVServerGroupBackendServers", answers(200, `{"RequestId":"REQ-OK","VServerGroupId":"rsp-1"}`), func(t testing.TB, cfg cloudlb.Config) caller {
		c := must[*slb.Client](t)(slb.New(cfg))
		return callOf(c.AddVServerGroupBackendServers, slb.AddVServerGroupBackendServersRequest{
			VServerGroupID: "rsp-1", BackendServers: slb.BackendServerSpecList{{ServerID: "i-1", Port: 80, Weight: new(0)}},
		})
	}}
	// slbSet is naturally idempotent.
	slbSet = operation{"slb.SetVServerGroupAttribute", answers(200, `{"RequestId":"REQ-OK","VServerGroupId":"rsp-1"}`), func(t testing.TB, cfg cloudlb.Config) caller {
		c := must[*slb.Client](t)(slb.New(cfg))
		return callOf(c.SetVServerGroupAttribute, slb.SetVServerGroupAttributeRequest{
			VServerGroupID: "rsp-1", BackendServers: slb.BackendServerUpdateList{{ServerID: "i-1", Port: 80, Weight: new(50)}},
		})
	}}
	slbRead = operation{"slb.DescribeVServerGroupAttribute", answers(200, `{"RequestId":"REQ-OK","VServerGroupId":"rsp-1"}`), func(t testing.TB, cfg cloudlb.Config) caller {
		c := must[*slb.Client](t)(slb.New(cfg))
		return callOf(c.DescribeVServerGroupAttribute, slb.DescribeVServerGroupAttributeRequest{VServerGroupID: "rsp-1"})
	}}
	// elbBatch is naturally idempotent.
	elbBatch = operation{"elb.BatchCreateMembers", answers(201, `{"request_id":"req-ok","members":[{"id":"m-1"}]}`), func(t testing.TB, cfg cloudlb.Config) caller {
		c := must[*elb.Client](t)(elb.New(cfg, elb.WithProjectID(testProject)))
		return callOf(c.BatchCreateMembers, elb.BatchCreateMembersRequest{
			PoolID: "pool-1", Members: []elb.BatchMemberSpec{{Address: "192.0.2.10", ProtocolPort: 80, Weight: new(0)}},
		})
	}}
	elbCreate = operation{"elb.CreateMember", answers(201, `{"request_id":"req-ok","member":{"id":"m-1"}}`), func(t testing.TB, cfg cloudlb.Config) caller {
		c := must[*elb.Client](t)(elb.New(cfg, elb.WithProjectID(testProject)))
		return callOf(c.CreateMember, elb.CreateMemberRequest{PoolID: "pool-1", Member: elb.MemberSpec{Address: "192.0.2.10", ProtocolPort: new(80)}})
	}}
	elbDelete = operation{"elb.DeleteMember", answers(204, ""), func(t testing.TB, cfg cloudlb.Config) caller {
		c := must[*elb.Client](t)(elb.New(cfg, elb.WithProjectID(testProject)))
		return callOf(c.DeleteMember, elb.DeleteMemberRequest{PoolID: "pool-1", MemberID: "m-1"})
	}}
	elbRead = operation{"elb.ListMembers", answers(200, `{"request_id":"req-ok","members":[]}`), func(t testing.TB, cfg cloudlb.Config) caller {
		c := must[*elb.Client](t)(elb.New(cfg, elb.WithProjectID(testProject)))
		return callOf(c.ListMembers, elb.ListMembersRequest{PoolID: "pool-1"})
	}}
	// apigAdd is naturally idempotent.
	apigAdd = operation{"apig.AddVpcChannelMembers", answers(201, `{"members":[{"id":"m-1"}]}`), func(t testing.TB, cfg cloudlb.Config) caller {
		c := must[*apig.Client](t)(apig.New(cfg, apig.WithProjectID(testProject)))
		return callOf(c.AddVpcChannelMembers, apig.AddVpcChannelMembersRequest{
			InstanceID: "instance-1", VpcChannelID: "channel-1", Members: []apig.MemberSpec{{Host: "192.0.2.10", Weight: new(0)}},
		})
	}}
	apigCreate = operation{"apig.CreateVpcChannel", answers(201, `{"id":"channel-1","name":"channel"}`), func(t testing.TB, cfg cloudlb.Config) caller {
		c := must[*apig.Client](t)(apig.New(cfg, apig.WithProjectID(testProject)))
		return callOf(c.CreateVpcChannel, apig.CreateVpcChannelRequest{
			InstanceID: "instance-1", Name: "channel", Port: 80, BalanceStrategy: 1, MemberType: "ip",
		})
	}}
	apigDelete = operation{"apig.DeleteVpcChannelMember", answers(204, ""), func(t testing.TB, cfg cloudlb.Config) caller {
		c := must[*apig.Client](t)(apig.New(cfg, apig.WithProjectID(testProject)))
		return callOf(c.DeleteVpcChannelMember, apig.DeleteVpcChannelMemberRequest{InstanceID: "instance-1", VpcChannelID: "channel-1", MemberID: "m-1"})
	}}
)

// verdict is what of an error a table compares.
type verdict struct {
	Class    cloudlb.Class
	Outcome  cloudlb.Outcome
	Attempts int
}

// failure returns the *cloudlb.Error that every failed call returns.
func failure(t testing.TB, err error) *cloudlb.Error {
	t.Helper()
	if err == nil {
		t.Fatal("the call succeeded, want an error")
	}
	e, ok := errors.AsType[*cloudlb.Error](err)
	if !ok {
		t.Fatalf("the error is a %T, want a *cloudlb.Error: %v", err, err)
	}
	return e
}

func verdictOf(e *cloudlb.Error) verdict { return verdict{e.Class, e.Outcome, e.Attempts} }

// providerFunc is a CredentialsProvider.
type providerFunc func(context.Context) (cloudlb.Credentials, error)

func (f providerFunc) Credentials(ctx context.Context) (cloudlb.Credentials, error) { return f(ctx) }
