package bench

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	albv2 "github.com/alibabacloud-go/alb-20200616/v2/client"
	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	"github.com/alibabacloud-go/tea/dara"
	oldcredentials "github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	oldalb "github.com/aliyun/alibaba-cloud-sdk-go/services/alb"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	hwconfig "github.com/huaweicloud/huaweicloud-sdk-go-v3/core/config"
	hwelb "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/elb/v3"
	hwelbregion "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/elb/v3/region"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/slb"
)

// columns of the table, in this order.
var columns = []string{"ours alb", "ours slb", "ours elb", "alb-v2", "slb-v4", "alibaba-old", "huawei-elb"}

// table is what each client did in each row; it is printed at the end.
type table struct {
	rows []string
	cell map[[2]string]string
}

func (tab *table) set(row, column, text string) {
	if tab.cell == nil {
		tab.cell = map[[2]string]string{}
	}
	if !slices.Contains(tab.rows, row) {
		tab.rows = append(tab.rows, row)
	}
	tab.cell[[2]string{row, column}] = text
}

func (tab *table) print(t *testing.T) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "row\t"+strings.Join(columns, "\t"))
	for _, row := range tab.rows {
		fmt.Fprint(w, row)
		for _, c := range columns {
			text := tab.cell[[2]string{row, c}]
			if text == "" {
				text = "-"
			}
			fmt.Fprint(w, "\t"+text)
		}
		fmt.Fprintln(w)
	}
	w.Flush()
	t.Log("\n" + b.String())
	if path := os.Getenv("FAULTS_TABLE"); path != "" {
		if err := os.WriteFile(path, []byte(tab.markdown()), 0o644); err != nil {
			t.Error(err)
		}
	}
}

func (tab *table) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| | %s |\n|---%s|\n", strings.Join(columns, " | "), strings.Repeat("|---", len(columns)))
	for _, row := range tab.rows {
		fmt.Fprintf(&b, "| %s", row)
		for _, c := range columns {
			fmt.Fprintf(&b, " | %s", strings.ReplaceAll(tab.cell[[2]string{row, c}], "|", "/"))
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

// faulty is a server that does one thing wrong.
type faulty struct {
	*httptest.Server
	requests atomic.Int32
	arrived  chan struct{} // a request is there
}

func newFaulty(t *testing.T, h http.HandlerFunc) *faulty {
	f := &faulty{arrived: make(chan struct{}, 100)}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		f.requests.Add(1)
		select {
		case f.arrived <- struct{}{}:
		default:
		}
		h(w, r)
	}))
	t.Cleanup(func() { f.CloseClientConnections(); f.Close() })
	return f
}

// answers with a status, a body and header lines "Name: value".
func answers(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		for _, h := range header {
			name, v, _ := strings.Cut(h, ": ")
			w.Header().Set(name, v)
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// requests of the rows, one for each column.
var (
	faultALB = alb.AddServersToServerGroupRequest{ServerGroupID: "sgp-1", Servers: []alb.AddedServer{{ServerID: "i-1", ServerType: alb.ServerTypeEcs, Port: 80}}}
	faultSLB = slb.AddVServerGroupBackendServersRequest{VServerGroupID: "rsp-1", BackendServers: slb.BackendServerSpecList{{ServerID: "i-1", Port: 80}}}
	faultELB = elb.BatchCreateMembersRequest{PoolID: "pool-1", Members: []elb.BatchMemberSpec{{Address: "10.0.0.1", ProtocolPort: 80}}}
)

// clients gives the callers of a target by column.
func clients(t *testing.T, cfg cloudlb.Config, who target) map[string]caller {
	o, p := newOurs(t, cfg, who.project), newPeers(t, who)
	a, s, e := callers(o, p, who.region, faultALB), callers(o, p, who.region, faultSLB), callers(o, p, who.region, faultELB)
	return map[string]caller{
		"ours alb": a[0], "ours slb": s[0], "ours elb": e[0],
		"alb-v2": a[1], "alibaba-old": a[2], "slb-v4": s[1], "huawei-elb": e[1],
	}
}

// result is what became of a call.
type result struct {
	err       error
	panicked  any
	waiting   bool // it had to be ended by closing its connection
	took      time.Duration
	allocated uint64
	requests  int
}

// patience is how long a call may take before its connection is closed.
const patience = time.Second

func run(ctx context.Context, c caller, f *faulty) result {
	var r result
	before := int32(0)
	if f != nil {
		before = f.requests.Load()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	allocated := m.TotalAlloc
	start := time.Now()
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer func() { r.panicked = recover() }()
		r.err = c.call(ctx)
	}()
	select {
	case <-done:
	case <-time.After(patience):
		r.waiting = true
		if f != nil {
			f.CloseClientConnections()
		}
		<-done
	}
	r.took = time.Since(start)
	runtime.ReadMemStats(&m)
	r.allocated = m.TotalAlloc - allocated
	if f != nil {
		r.requests = int(f.requests.Load() - before)
	}
	return r
}

func (r result) String() string {
	switch e := new(cloudlb.Error); {
	case r.panicked != nil:
		return "PANIC"
	case r.waiting:
		return "still waiting after " + patience.String()
	case r.err == nil:
		return "SUCCESS"
	case errors.As(r.err, &e):
		return fmt.Sprintf("Error status=%d class=%s outcome=%s", e.StatusCode, e.Class, e.Outcome)
	default:
		text := strings.Join(strings.Fields(r.err.Error()), " ")
		if len(text) > 70 {
			text = fmt.Sprintf("%s... (%d bytes)", text[:60], len(r.err.Error()))
		}
		return fmt.Sprintf("%T %s", r.err, strings.ToValidUTF8(text, "?"))
	}
}

// want is how ours must fail.
type want struct {
	status    int
	is        error // a sentinel, or nil for any class
	outcome   cloudlb.Outcome
	requestID string
	requests  int
}

func (w want) check(t *testing.T, row, column string, r result) {
	t.Helper()
	e := new(cloudlb.Error)
	switch {
	case r.panicked != nil:
		t.Errorf("%s, %s: panic: %v", row, column, r.panicked)
		return
	case r.waiting:
		t.Errorf("%s, %s: no answer within %v", row, column, patience)
		return
	case !errors.As(r.err, &e):
		t.Errorf("%s, %s: %T %v, want a *cloudlb.Error", row, column, r.err, r.err)
		return
	}
	if e.StatusCode != w.status || e.Outcome != w.outcome || w.is != nil && !errors.Is(e, w.is) || w.requestID != "" && e.RequestID != w.requestID || r.requests != w.requests {
		t.Errorf("%s, %s: status %d, class %v, outcome %v, request ID %q, %d requests; want %+v\n%v", row, column, e.StatusCode, e.Class, e.Outcome, e.RequestID, r.requests, w, e)
	}
	if e.Service == "" || e.Operation == "" {
		t.Errorf("%s, %s: the error does not name the operation: %v", row, column, e)
	}
	text := fmt.Sprintf("%v %+v %#v", e, e, e)
	for _, secret := range []string{"EXAMPLEsecret", "Signature=", "EXAMPLEACCESSKEY"} {
		if strings.Contains(text, secret) {
			t.Errorf("%s, %s: the error shows %q", row, column, secret)
		}
	}
	if len(e.Error()) > 4096 {
		t.Errorf("%s, %s: the error has %d bytes", row, column, len(e.Error()))
	}
	if r.allocated > 1<<20 && !raceDetector {
		t.Errorf("%s, %s: %d bytes allocated, want at most 1 MB", row, column, r.allocated)
	}
}

const (
	alibabaError = `{"Code":%q,"Message":"said the service","RequestId":"req-1","HostId":"h","error_code":%q,"error_msg":"said the service","request_id":"req-1"}`
	endless      = 64 << 20 // of the endless body, as much as peers are fed
)

func envelope(alibaba, huawei string) string { return fmt.Sprintf(alibabaError, alibaba, huawei) }

// TestSameFaults runs ours and the peers against the same faulty server.
func TestSameFaults(t *testing.T) {
	tab := new(table)
	for _, row := range []struct {
		name   string
		server http.HandlerFunc
		want   want
	}{
		{"hung server", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
			want{0, cloudlb.ErrUnavailable, cloudlb.OutcomeUnknown, "", 1}},
		{"429", answers(429, envelope("Throttling", "APIGW.0308"), "X-Request-Id: req-1", "Retry-After: 3"),
			want{429, cloudlb.ErrThrottled, cloudlb.OutcomeRejected, "req-1", 1}},
		{"503", answers(503, envelope("ServiceUnavailable", "ELB.0001"), "X-Request-Id: req-1"),
			want{503, cloudlb.ErrUnavailable, cloudlb.OutcomeUnknown, "req-1", 1}},
		{"502 HTML", answers(502, "<html><body>Bad Gateway</body></html>", "Content-Type: text/html"),
			want{502, cloudlb.ErrUnavailable, cloudlb.OutcomeUnknown, "", 1}},
		{"500 cut JSON", answers(500, `{"Code":"Intern`),
			want{500, nil, cloudlb.OutcomeUnknown, "", 1}},
		{"reset", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
			want{0, cloudlb.ErrUnavailable, cloudlb.OutcomeUnknown, "", 1}},
		{"200 cut JSON", answers(200, `{"JobId":"1","VServerGroupId":"1","members":[{"id":"1`),
			want{200, nil, cloudlb.OutcomeUnknown, "", 1}},
		{"200 cut by the connection", answers(200, `{"JobId":"1"`, "Content-Length: 1000"),
			want{200, nil, cloudlb.OutcomeUnknown, "", 1}},
		{"200 HTML", answers(200, "<html><body>Welcome</body></html>", "Content-Type: text/html"),
			want{200, nil, cloudlb.OutcomeUnknown, "", 1}},
		{"200 empty", answers(200, ""),
			want{200, nil, cloudlb.OutcomeUnknown, "", 1}},
		// What a reply must have is an ID; that of ELB has none, only a list.
		{"200 {}", answers(200, "{}"),
			want{200, nil, cloudlb.OutcomeUnknown, "", 1}},
		{"10 MB error body", func(w http.ResponseWriter, _ *http.Request) { flood(w, 10<<20) },
			want{500, nil, cloudlb.OutcomeUnknown, "", 1}},
		{"endless error body", func(w http.ResponseWriter, _ *http.Request) { flood(w, endless) },
			want{500, nil, cloudlb.OutcomeUnknown, "", 1}},
	} {
		for _, column := range columns {
			f := newFaulty(t, row.server)
			who := example(f.URL)
			cfg := who.config()
			if row.name == "hung server" {
				cfg.Retry.AttemptTimeout = patience / 4
			}
			r := run(t.Context(), clients(t, cfg, who)[column], f)
			text := r.String()
			if strings.Contains(row.name, "body") {
				text += fmt.Sprintf(", %.1f MB allocated", float64(r.allocated)/1e6)
			}
			tab.set(row.name, column, text)
			if strings.HasPrefix(column, "ours") {
				row.want.check(t, row.name, column, r)
			}
			f.CloseClientConnections()
		}
	}
	redirect(t, tab)
	emptyRequests(t, tab)
	unknownRegion(t, tab)
	cancelled(t, tab)
	recovers(t, tab)
	connections(t, tab)
	privateCA(t, tab)
	proxies(t, tab)
	secrets(t, tab)
	tab.print(t)
}

// flood writes an error body of n bytes, or as much as is read of it.
func flood(w http.ResponseWriter, n int) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(500)
	io.WriteString(w, `{"Code":"InternalError","Message":"`)
	for chunk := bytes.Repeat([]byte("x"), 32<<10); n > 0; n -= len(chunk) {
		if _, err := w.Write(chunk); err != nil {
			return
		}
	}
}

func redirect(t *testing.T, tab *table) {
	for _, column := range columns {
		other := newFaulty(t, answers(200, `{"JobId":"1","VServerGroupId":"1","RequestId":"1"}`))
		f := newFaulty(t, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+r.URL.RequestURI(), http.StatusTemporaryRedirect)
		})
		who := example(f.URL)
		r := run(t.Context(), clients(t, who.config(), who)[column], f)
		text := "not followed, " + r.String()
		if other.requests.Load() > 0 {
			text = "FOLLOWED, " + r.String()
		}
		tab.set("307 to another host", column, text)
		if strings.HasPrefix(column, "ours") {
			want{307, nil, cloudlb.OutcomeRejected, "", 1}.check(t, "redirect", column, r)
			if other.requests.Load() > 0 {
				t.Errorf("redirect, %s: followed", column)
			}
		}
	}
}

func emptyRequests(t *testing.T, tab *table) {
	f := newFaulty(t, answers(400, envelope("Invalid", "Invalid")))
	who := example(f.URL)
	o, p := newOurs(t, who.config(), who.project), newPeers(t, who)
	ctx := t.Context()
	const empty, none = "empty request", "nil request"
	for column, call := range map[string]func(context.Context) error{
		"ours alb": func(ctx context.Context) error {
			_, err := o.alb.AddServersToServerGroup(ctx, alb.AddServersToServerGroupRequest{})
			return err
		},
		"ours slb": func(ctx context.Context) error {
			_, err := o.slb.AddVServerGroupBackendServers(ctx, slb.AddVServerGroupBackendServersRequest{})
			return err
		},
		"ours elb": func(ctx context.Context) error {
			_, err := o.elb.BatchCreateMembers(ctx, elb.BatchCreateMembersRequest{})
			return err
		},
		"alb-v2":      callers(o, p, who.region, alb.AddServersToServerGroupRequest{})[1].call,
		"slb-v4":      callers(o, p, who.region, slb.AddVServerGroupBackendServersRequest{})[1].call,
		"alibaba-old": callers(o, p, who.region, alb.AddServersToServerGroupRequest{})[2].call,
		"huawei-elb":  callers(o, p, who.region, elb.BatchCreateMembersRequest{})[1].call,
	} {
		r := run(ctx, caller{column, call}, f)
		text := fmt.Sprintf("%v", r)
		if r.requests > 0 {
			text = "SENT"
		}
		tab.set(empty, column, text)
		if strings.HasPrefix(column, "ours") {
			want{0, cloudlb.ErrInvalid, cloudlb.OutcomeNotSent, "", 0}.check(t, empty, column, r)
			var v *cloudlb.ValidationError
			if !errors.As(r.err, &v) {
				t.Errorf("%s, %s: no ValidationError: %v", empty, column, r.err)
			}
			tab.set(none, column, "cannot be written: values")
		}
	}
	for column, call := range map[string]func(context.Context) error{
		"alb-v2":      func(context.Context) error { _, err := p.albv2.AddServersToServerGroup(nil); return err },
		"slb-v4":      func(context.Context) error { _, err := p.slbv4.AddVServerGroupBackendServers(nil); return err },
		"alibaba-old": func(context.Context) error { _, err := p.oldalb.AddServersToServerGroup(nil); return err },
		"huawei-elb":  func(context.Context) error { _, err := p.elb.BatchCreateMembers(nil); return err },
	} {
		tab.set(none, column, run(ctx, caller{column, call}, f).String())
	}
}

func unknownRegion(t *testing.T, tab *table) {
	const row, region = "misspelt region, no endpoint", "cn-hangzou-4"
	who := example("")
	cfg := who.config()
	cfg.Region, cfg.Endpoint = region, ""
	for column, make := range map[string]func() error{
		"ours alb": func() error { _, err := alb.New(cfg); return err },
		"ours slb": func() error { _, err := slb.New(cfg); return err },
		"ours elb": func() error { _, err := elb.New(cfg); return err },
		"alb-v2": func() error {
			_, err := albv2.NewClient(&openapi.Config{RegionId: new(region), AccessKeyId: &who.accessKey, AccessKeySecret: &who.secret})
			return err
		},
		"alibaba-old": func() error { _, err := oldalb.NewClientWithAccessKey(region, who.accessKey, who.secret); return err },
		"huawei-elb":  func() error { hwelbregion.ValueOf(region); return nil },
	} {
		r := run(t.Context(), caller{column, func(context.Context) error { return make() }}, nil)
		text := r.String()
		if r.err == nil && r.panicked == nil {
			text = "ACCEPTED, guessed"
		}
		tab.set(row, column, text)
		if strings.HasPrefix(column, "ours") && (r.err == nil || !strings.Contains(r.err.Error(), region)) {
			t.Errorf("%s, %s: %v", row, column, r)
		}
	}
}

// cancelled ends the context in each phase of a call. Only alb-v2 of the peers
// takes a context.
func cancelled(t *testing.T, tab *table) {
	phases := []struct {
		name   string
		server http.HandlerFunc
		before bool
		retry  bool
		want   cloudlb.Outcome
	}{
		{name: "cancelled before", server: answers(200, "{}"), before: true, want: cloudlb.OutcomeNotSent},
		{name: "cancelled while waiting for an answer", server: func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }, want: cloudlb.OutcomeUnknown},
		{name: "cancelled in the answer's body", server: func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"JobId":`)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}, want: cloudlb.OutcomeUnknown},
		{name: "cancelled during back-off", server: answers(429, envelope("Throttling", "APIGW.0308")), retry: true, want: cloudlb.OutcomeRejected},
	}
	for _, phase := range phases {
		for _, column := range columns {
			f := newFaulty(t, phase.server)
			who := example(f.URL)
			cfg := who.config()
			if phase.retry {
				cfg.Retry = cloudlb.RetryPolicy{MaxAttempts: 3, BaseDelay: time.Hour, MaxDelay: time.Hour}
			}
			c := clients(t, cfg, who)[column]
			if column == "alb-v2" {
				client, err := albv2.NewClient(who.openapi())
				if err != nil {
					t.Fatal(err)
				}
				request := convert[albv2.AddServersToServerGroupRequest](faultALB)
				if phase.retry {
					tab.set(phase.name, column, "not cancelled: sleeps on")
					continue
				}
				c.call = func(ctx context.Context) error {
					_, err := client.AddServersToServerGroupWithContext(ctx, request, &dara.RuntimeOptions{})
					return err
				}
			} else if !strings.HasPrefix(column, "ours") {
				tab.set(phase.name, column, "no contexts")
				continue
			}
			ctx, cancel := context.WithCancel(t.Context())
			stop := make(chan struct{})
			var cancelledAt atomic.Int64
			if phase.before {
				cancel()
				close(stop)
			} else {
				go func() {
					defer close(stop)
					select {
					case <-f.arrived:
						time.AfterFunc(20*time.Millisecond, func() { cancelledAt.Store(time.Now().UnixNano()); cancel() })
					case <-ctx.Done():
					}
				}()
			}
			r := run(ctx, c, f)
			ended := time.Now()
			cancel()
			<-stop
			tab.set(phase.name, column, fmt.Sprintf("%v, context.Canceled: %v", r, errors.Is(r.err, context.Canceled)))
			if strings.HasPrefix(column, "ours") {
				e := new(cloudlb.Error)
				if !errors.As(r.err, &e) || !errors.Is(r.err, context.Canceled) || e.Outcome != phase.want || r.waiting {
					t.Errorf("%s, %s: %v: %v", phase.name, column, r, r.err)
				}
				if at := cancelledAt.Load(); at > 0 && ended.Sub(time.Unix(0, at)) > patience/2 {
					t.Errorf("%s, %s: returned %v after the context ended", phase.name, column, ended.Sub(time.Unix(0, at)))
				}
			}
		}
	}
}

// recovers is one bad answer before a good one, with default retries.
func recovers(t *testing.T, tab *table) {
	good := `{"JobId":"1","RequestId":"1","VServerGroupId":"1","BackendServers":{"BackendServer":[]},"members":[]}`
	for _, row := range []struct {
		name string
		bad  http.HandlerFunc
		slb  bool // whether the call without token or natural idempotency may be repeated
	}{
		{"429, then good", answers(429, envelope("Throttling", "APIGW.0308")), true},
		{"503, then good", answers(503, envelope("ServiceUnavailable", "ServiceUnavailable")), false},
		{"reset, then good", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, false},
	} {
		for _, column := range columns {
			var n atomic.Int32
			f := newFaulty(t, func(w http.ResponseWriter, r *http.Request) {
				if n.Add(1) == 1 {
					row.bad(w, r)
					return
				}
				answers(201, good)(w, r)
			})
			who := example(f.URL)
			cfg := who.config()
			cfg.Retry = cloudlb.RetryPolicy{BaseDelay: time.Millisecond}
			r := run(t.Context(), clients(t, cfg, who)[column], f)
			tab.set(row.name, column, fmt.Sprintf("%v, %d requests", r, r.requests))
			switch {
			case column == "ours alb" || column == "ours elb" || column == "ours slb" && row.slb:
				if r.err != nil || r.requests != 2 {
					t.Errorf("%s, %s: %d requests: %v", row.name, column, r.requests, r.err)
				}
			case column == "ours slb": // must not be repeated blindly
				e := new(cloudlb.Error)
				if r.requests != 1 || !errors.As(r.err, &e) || e.Outcome != cloudlb.OutcomeUnknown {
					t.Errorf("%s, %s: %d requests: %v", row.name, column, r.requests, r.err)
				}
			}
		}
	}
}

// connections counts those that 16 goroutines with 20 calls each open.
func connections(t *testing.T, tab *table) {
	const row, goroutines, calls = "connections, 16 goroutines x 20 calls", 16, 20
	for _, column := range columns {
		mine := strings.HasPrefix(column, "ours")
		if raceDetector && !mine {
			continue // theirs race
		}
		var opened atomic.Int32
		s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			answers(200, `{"JobId":"1","RequestId":"1","VServerGroupId":"1","members":[]}`)(w, r)
		}))
		s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				opened.Add(1)
			}
		}
		s.Start()
		who := example(s.URL)
		o, p := newOurs(t, who.config(), who.project), newPeers(t, who)
		var wg sync.WaitGroup
		for range goroutines {
			var c caller
			switch column {
			case "ours alb":
				c = callers(o, p, who.region, faultALB)[0]
			case "alb-v2":
				c = callers(o, p, who.region, faultALB)[1]
			case "alibaba-old":
				c = callers(o, p, who.region, faultALB)[2]
			case "ours slb":
				c = callers(o, p, who.region, faultSLB)[0]
			case "slb-v4":
				c = callers(o, p, who.region, faultSLB)[1]
			case "ours elb":
				c = callers(o, p, who.region, faultELB)[0]
			case "huawei-elb":
				c = callers(o, p, who.region, faultELB)[1]
			}
			wg.Go(func() {
				for range calls {
					if err := c.call(t.Context()); err != nil && mine {
						t.Errorf("%s, %s: %v", row, column, err)
						return
					}
				}
			})
		}
		wg.Wait()
		tab.set(row, column, fmt.Sprint(opened.Load()))
		if mine && opened.Load() > goroutines {
			t.Errorf("%s, %s: %d connections", row, column, opened.Load())
		}
		s.CloseClientConnections()
		s.Close()
	}
}

// privateCA calls a server with a certificate of its own authority: with that
// authority it must work, and a later client without it must not trust it.
func privateCA(t *testing.T, tab *table) {
	const row = "private CA, then a client without it"
	s := httptest.NewUnstartedServer(answers(200, `{"JobId":"1","RequestId":"1","VServerGroupId":"1","members":[]}`))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(func() { s.CloseClientConnections(); s.Close() })
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	who := example(s.URL)
	cell := func(with, without result) string {
		word := func(r result) string {
			if r.err == nil && r.panicked == nil {
				return "trusted"
			}
			return "refused"
		}
		text := word(with) + ", then " + word(without)
		if text != "trusted, then refused" {
			text = strings.ToUpper(text)
		}
		return text
	}

	cfg := who.config()
	cfg.AllowHTTP = false
	safe := cfg
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	t.Cleanup(transport.CloseIdleConnections)
	safe.HTTPClient = &http.Client{Transport: transport}
	with, without := newOurs(t, safe, who.project), newOurs(t, cfg, who.project)
	p := newPeers(t, who)
	for column, request := range map[string]any{"ours alb": faultALB, "ours slb": faultSLB, "ours elb": faultELB} {
		a := run(t.Context(), callers(with, p, who.region, request)[0], nil)
		b := run(t.Context(), callers(without, p, who.region, request)[0], nil)
		tab.set(row, column, cell(a, b))
		e := new(cloudlb.Error)
		if a.err != nil || !errors.As(b.err, &e) || e.Outcome != cloudlb.OutcomeNotSent {
			t.Errorf("%s, %s: %v, then %v", row, column, a.err, b.err)
		}
	}

	authority := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}))
	v2 := func(ca *string) result {
		c := who.openapi()
		c.Protocol, c.Ca = new("https"), ca
		client, err := albv2.NewClient(c)
		if err != nil {
			t.Fatal(err)
		}
		return run(t.Context(), caller{"alb-v2", func(context.Context) error {
			_, err := client.AddServersToServerGroup(convert[albv2.AddServersToServerGroupRequest](faultALB))
			return err
		}}, nil)
	}
	tab.set(row, "alb-v2", cell(v2(&authority), v2(nil)))
	hw := func(cfg *hwconfig.HttpConfig) result {
		client := hwelb.NewElbClient(who.huawei(t, hwelb.ElbClientBuilder(), cfg))
		return run(t.Context(), caller{"huawei-elb", func(context.Context) error { _, err := client.BatchCreateMembers(toELB(faultELB)); return err }}, nil)
	}
	tab.set(row, "huawei-elb", cell(hw(hwconfig.DefaultHttpConfig().WithHttpTransport(transport)), hw(nil)))
}

// TestProxyHelper is the other process of the proxy row: net/http reads the
// proxy from the environment once per process.
func TestProxyHelper(t *testing.T) {
	column, endpoint := os.Getenv("BENCH_COLUMN"), os.Getenv("BENCH_ENDPOINT")
	if column == "" {
		t.Skip("part of TestSameFaults")
	}
	who := example(endpoint)
	if err := clients(t, who.config(), who)[column].call(t.Context()); err != nil {
		t.Log(err)
	}
}

func proxies(t *testing.T, tab *table) {
	const row = "HTTP_PROXY"
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, column := range columns {
		var asked atomic.Int32
		proxy := newFaulty(t, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Host == "lb.example.test" {
				asked.Add(1)
			}
			answers(200, `{"JobId":"1","RequestId":"1","VServerGroupId":"1","members":[]}`)(w, r)
		})
		cmd := exec.CommandContext(t.Context(), program, "-test.run=^TestProxyHelper$", "-test.v")
		cmd.Env = append(os.Environ(), "HTTP_PROXY="+proxy.URL, "http_proxy="+proxy.URL, "NO_PROXY=", "no_proxy=",
			"BENCH_COLUMN="+column, "BENCH_ENDPOINT=http://lb.example.test")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s, %s: %v\n%s", row, column, err, out)
		}
		text := "IGNORED"
		if asked.Load() > 0 {
			text = "honoured"
		}
		tab.set(row, column, text)
		if strings.HasPrefix(column, "ours") && asked.Load() != 1 {
			t.Errorf("%s, %s: the proxy got %d requests\n%s", row, column, asked.Load(), out)
		}
	}
}

func secrets(t *testing.T, tab *table) {
	const row = "secret in %+v of client, config, credentials"
	who := example("http://127.0.0.1:1")
	cfg := who.config()
	o, p := newOurs(t, cfg, who.project), newPeers(t, who)
	hw, err := basic.NewCredentialsBuilder().WithAk(who.accessKey).WithSk(who.secret).WithProjectId(who.project).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	mine := []any{cfg, &cfg, cloudlb.Credentials{AccessKeyID: who.accessKey, SecretAccessKey: who.secret}, cfg.Credentials}
	for _, column := range columns {
		values := map[string][]any{
			"ours alb": append(mine, o.alb), "ours slb": append(mine, o.slb), "ours elb": append(mine, o.elb),
			"alb-v2": {who.openapi(), p.albv2}, "slb-v4": {who.openapi(), p.slbv4},
			"alibaba-old": {oldcredentials.NewAccessKeyCredential(who.accessKey, who.secret)}, "huawei-elb": {hw, p.elb},
		}[column]
		text := "no"
		for _, v := range values {
			for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
				if strings.Contains(fmt.Sprintf(format, v), who.secret) {
					text = fmt.Sprintf("YES: %s of %T", format, v)
				}
			}
		}
		tab.set(row, column, text)
		if strings.HasPrefix(column, "ours") && text != "no" {
			t.Errorf("%s, %s: %s", row, column, text)
		}
	}
}
