package pool_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

func TestReportText(t *testing.T) {
	t.Parallel()
	denied := &cloudlb.Error{Service: "mem", Operation: "Add", Class: cloudlb.ClassDenied, Outcome: cloudlb.OutcomeRejected, RequestID: "req-1"}
	mem := mempool.New(mempool.WithServers("i-1:80"), mempool.WithDescription(func(d *driver.Description) { d.Add.Most = 2 }))
	mem.Inject(mempool.Fault{Op: mempool.Add, Skip: 1, Err: denied})
	report, err := pool.New(mem).Add(t.Context(), servers(1, 7)...)
	if err == nil || !strings.HasPrefix(err.Error(), "Add of pool mem/local/pool-1: mem Add: ") {
		t.Errorf("error %v", err)
	}
	want := `mem/local/pool-1: 2 done, 1 unchanged, 2 failed, 2 not attempted, 2 calls
! add i-4:80, i-5:80: failed: mem Add: denied (denied, rejected, request req-1)
! add i-6:80, i-7:80: not attempted
`
	if d := cmp.Diff(want, report.String()); d != "" {
		t.Error(d)
	}
	b, err := json.Marshal(report.Failed()[0])
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(b), `{"key":{"server":"i-4","port":80},"action":"add","outcome":"failed","request_id":"req-1","error":"mem Add: denied (denied, rejected, request req-1)"}`; got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
}

func TestEvents(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var got []string
		start := time.Now()
		mem := mempool.New(mempool.WithServers("i-1:80", "i-2:80"), mempool.WithChecking(10*time.Second))
		mem.Inject(mempool.Fault{Op: mempool.Remove, After: true})
		p := pool.New(mem, pool.WithEvents(func(e pool.Event) {
			mu.Lock()
			defer mu.Unlock()
			if e.Pool != "mem/local/pool-1" || e.Time.Before(start) {
				t.Errorf("event %+v", e)
			}
			e.Pool = ""
			got = append(got, fmt.Sprintf("%s %s", e.Kind, e))
		}))
		plan, err := p.Plan(t.Context(), servers(3, 4), pool.PlanOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Apply(t.Context(), plan); err != nil {
			t.Fatal(err)
		}
		want := []string{
			"started Apply: 2 to add, 0 to reweight, 2 to remove",
			"changed Apply 0/5: add 2 members: i-3:80, i-4:80",
			"waiting Apply 1/5: until in service, at most 5m0s: i-3:80, i-4:80",
			"changed Apply 2/5: set-weight 2 members: i-1:80, i-2:80",
			"waiting Apply 3/5: for requests to end: i-1:80, i-2:80 (30s left)",
			"noticed Apply 4/5: remove has no certain outcome: reading the pool: i-1:80, i-2:80: mem remove: a fault of the test (unavailable, outcome unknown)",
			"finished Apply 5/5: 4 changed, 0 unchanged",
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	})
}
