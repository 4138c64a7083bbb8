package cloudlb_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/slb"
)

// operations is a RoundTripper that answers each operation with its own steps;
// the last one stays. Operations are named by the action of Alibaba Cloud, or
// by method and path from the resource on of Huawei Cloud.
type operations struct {
	t     testing.TB
	steps map[string][]step

	mu    sync.Mutex
	asked map[string][]time.Time
}

func operationOf(r *http.Request) string {
	if action := r.Header.Get("X-Acs-Action"); action != "" {
		return action
	}
	path := r.URL.Path
	for _, before := range []string{"/elb/", "/instances/instance-1/"} {
		if _, after, ok := strings.Cut(path, before); ok {
			path = after
		}
	}
	return r.Method + " " + path
}

func (o *operations) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r.Body.Close()
	}
	op := operationOf(r)
	o.mu.Lock()
	if o.asked == nil {
		o.asked = make(map[string][]time.Time)
	}
	n := len(o.asked[op])
	o.asked[op] = append(o.asked[op], time.Now())
	steps := o.steps[op]
	o.mu.Unlock()
	if len(steps) == 0 {
		o.t.Errorf("nobody expects %s", op)
		return answers(http.StatusTeapot, `{"Code":"NotInTheScript"}`)(r)
	}
	return steps[min(n, len(steps)-1)](r)
}

// times are when an operation was asked for.
func (o *operations) times(op string) []time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.asked[op])
}

func (o *operations) count(op string) int { return len(o.times(op)) }

// ok is a good answer.
func ok(format string, args ...any) step { return answers(http.StatusOK, fmt.Sprintf(format, args...)) }

// impatient sends every request once: polls fail at the first failure of a call.
func impatient(rt http.RoundTripper) cloudlb.Config {
	cfg := testConfig(rt)
	cfg.Retry = cloudlb.NoRetry()
	return cfg
}

func albOf(t testing.TB, cfg cloudlb.Config) *alb.Client { return must[*alb.Client](t)(alb.New(cfg)) }

func slbOf(t testing.TB, cfg cloudlb.Config) *slb.Client { return must[*slb.Client](t)(slb.New(cfg)) }

func elbOf(t testing.TB, cfg cloudlb.Config, project string) *elb.Client {
	return must[*elb.Client](t)(elb.New(cfg, elb.WithProjectID(project)))
}

func apigOf(t testing.TB, cfg cloudlb.Config, project string, p apig.Product) *apig.Client {
	return must[*apig.Client](t)(apig.New(cfg, apig.WithProjectID(project), apig.WithProduct(p)))
}

// listedJobs is ListAsynJobs of a service that has jobs.
type listedJobs struct {
	mu    sync.Mutex
	ends  map[string]time.Time
	calls []listedCall
}

type listedCall struct {
	at  time.Time
	ids []string
}

func (l *listedJobs) add(id string, end time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ends == nil {
		l.ends = make(map[string]time.Time)
	}
	l.ends[id] = end
}

func (l *listedJobs) RoundTrip(r *http.Request) (*http.Response, error) {
	form := r.URL.Query()
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body.Close()
		more, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, err
		}
		maps.Copy(form, more)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	call := listedCall{at: time.Now()}
	var jobs []string
	for i := 1; form.Has(fmt.Sprint("JobIds.", i)); i++ {
		id := form.Get(fmt.Sprint("JobIds.", i))
		call.ids = append(call.ids, id)
		end, known := l.ends[id]
		switch {
		case !known:
		case call.at.Before(end):
			jobs = append(jobs, jobJSON(id, "Processing", ""))
		default:
			jobs = append(jobs, jobJSON(id, "Succeeded", ""))
		}
	}
	l.calls = append(l.calls, call)
	return ok(`{"RequestId":"REQ-1","Jobs":[%s]}`, strings.Join(jobs, ","))(r)
}

func jobJSON(id, status, code string) string {
	return fmt.Sprintf(`{"Id":%q,"Status":%q,"ApiName":"AddServersToServerGroup","ResourceId":"sgp-1","ErrorCode":%q,"ErrorMessage":"why"}`, id, status, code)
}

// jobList is a good answer of ListAsynJobs.
func jobList(jobs ...string) step {
	return ok(`{"RequestId":"REQ-1","Jobs":[%s]}`, strings.Join(jobs, ","))
}

// dropsReplies loses the first answers to an operation after it was carried
// out.
type dropsReplies struct {
	to     http.RoundTripper
	action string

	mu   sync.Mutex
	left int
}

func (d *dropsReplies) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := d.to.RoundTrip(r)
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil && r.Header.Get("X-Acs-Action") == d.action && d.left > 0 {
		d.left--
		resp.Body.Close()
		return nil, errReset
	}
	return resp, err
}

// waitError returns the *cloudlb.WaitError of a wait without a good end.
func waitError(t testing.TB, err error) *cloudlb.WaitError {
	t.Helper()
	w, ok := errors.AsType[*cloudlb.WaitError](err)
	if !ok {
		t.Fatalf("the error is a %T, want a *cloudlb.WaitError: %v", err, err)
	}
	return w
}

// checkUnfinished checks how a wait answered the end of its context.
func checkUnfinished(t testing.TB, err error, ctxErr error, left ...string) {
	t.Helper()
	w := waitError(t, err)
	if !errors.Is(err, cloudlb.ErrUnfinished) || !errors.Is(err, ctxErr) || !slices.Equal(w.Left, left) {
		t.Errorf("error %v, left %v, want %v and left %v", err, w.Left, ctxErr, left)
	}
	for _, name := range left {
		if !strings.Contains(err.Error(), name) {
			t.Errorf("%q does not name %s", err, name)
		}
	}
	checkOneLine(t.(*testing.T), err)
}

// checkInvalid checks that a wait was refused, and that the error says what.
func checkInvalid(t testing.TB, err error, what ...string) {
	t.Helper()
	e := failure(t, err)
	if e.Class != cloudlb.ClassInvalid || e.Outcome != cloudlb.OutcomeNotSent {
		t.Errorf("class %s, outcome %s: %v", e.Class, e.Outcome, err)
	}
	for _, w := range what {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}

// soon is a context for waits that are expected to end: in virtual time a wait
// that does not would never let the test end.
func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
	t.Cleanup(cancel)
	return ctx
}

// between checks how long something took, in virtual time.
func between(t testing.TB, start time.Time, least, most time.Duration) {
	t.Helper()
	if d := time.Since(start); d < least || d > most {
		t.Errorf("it took %s, want %s to %s", d, least, most)
	}
}

func newGroup(cloud *fakecloud.Cloud, servers ...string) string {
	var list []fakecloud.BackendServer
	for _, id := range servers {
		list = append(list, fakecloud.BackendServer{ID: id, Port: 80})
	}
	return cloud.AddServerGroup(fakecloud.ServerGroup{Servers: list})
}
