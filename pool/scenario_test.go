package pool_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/slb"
)

// carriedOut counts the changes that the service carried out for an operation,
// their answers lost or not. Requests with the same client token are one.
func carriedOut(cloud *fakecloud.Cloud, service, operation string) int {
	tokens := make(map[string]bool)
	n := 0
	for _, r := range cloud.Requests() {
		if r.Service != service || r.Operation != operation || r.Code != "" || r.Status >= 400 || strings.HasPrefix(r.Fault, "hang") || strings.HasPrefix(r.Fault, "reset-before") {
			continue
		}
		if token, _ := r.Params["ClientToken"].(string); token != "" {
			tokens[token] = true
		} else {
			n++
		}
	}
	return n + len(tokens)
}

// TestScenarios makes a full exchange of two members on every service, with one
// thing going wrong: it ends as planned, and nothing is done twice that must not
// be.
func TestScenarios(t *testing.T) {
	t.Parallel()
	verbs := []struct {
		name string
		of   func(driver.Description) string
	}{
		{"add", func(d driver.Description) string { return d.Add.Operation }},
		{"out", func(d driver.Description) string {
			if d.Disable.Exists() {
				return d.Disable.Operation
			}
			return d.SetWeight.Operation
		}},
		{"remove", func(d driver.Description) string { return d.Remove.Operation }},
	}
	wrong := []struct {
		name   string
		effect fakecloud.Effect
		times  int
		fails  bool // the first Apply fails; the second does not
		blind  bool // the service does what is asked, and the client does not learn of it
	}{
		{name: "nothing", effect: fakecloud.Effect{}},
		{name: "lost reply", blind: true, effect: fakecloud.ResetAfter(), times: 1},
		{name: "lost request", effect: fakecloud.ResetBefore(), times: 1},
		{name: "cut reply", blind: true, effect: fakecloud.Truncate(), times: 1},
		{name: "empty reply", blind: true, effect: fakecloud.EmptyAnswer(), times: 1},
		{name: "busy for a while", effect: fakecloud.Busy(), times: 3},
		{name: "throttled", effect: fakecloud.Throttle(20 * time.Second), times: 3},
		{name: "unavailable", effect: fakecloud.Unavailable(503), times: 2},
		{name: "hangs", effect: fakecloud.Hang(), times: 1},
		{name: "refused once", effect: fakecloud.Refuse(403, "Forbidden.RAM", "not allowed"), times: 1, fails: true},
	}
	for _, s := range services() {
		for _, v := range verbs {
			for _, w := range wrong {
				if w.times == 0 && v.name != "add" {
					continue
				}
				t.Run(s.name+"/"+v.name+"/"+w.name, func(t *testing.T) {
					t.Parallel()
					synctest.Test(t, func(t *testing.T) {
						cloud := fakecloud.New()
						drv, _ := s.make(t, cloud, cloud.Config(), s.spec(1), s.spec(2))
						p := pool.New(drv)
						d, err := p.Describe(t.Context())
						if err != nil {
							t.Fatal(err)
						}
						plan, err := p.Plan(t.Context(), []pool.Spec{s.spec(3), s.spec(4)}, pool.PlanOptions{MinInService: 2, Drain: time.Second})
						if err != nil {
							t.Fatal(err)
						}
						if w.times > 0 {
							cloud.Inject(fakecloud.Fault{Service: s.name, Operation: v.of(d), Effect: w.effect, Times: w.times})
						}
						r, err := p.Apply(t.Context(), plan)
						if w.fails {
							if !errors.Is(err, cloudlb.ErrDenied) {
								t.Fatalf("error %v, want ErrDenied\n%s", err, r)
							}
							r, err = p.Apply(t.Context(), plan)
						}
						if err != nil {
							t.Fatalf("%v\n%s", err, r)
						}
						want := map[string]bool{s.spec(3).Key.String(): true, s.spec(4).Key.String(): true}
						got := make(map[string]bool)
						for key := range weights(t, p) {
							got[key] = true
						}
						if diff := cmp.Diff(want, got); diff != "" {
							t.Error(diff)
						}
						for _, v := range verbs {
							want := 1
							if v.of(d) == d.Remove.Operation && d.Remove.Most == 1 {
								want = 2
							}
							most := want
							if w.blind && s.name != "alb" && v.of(d) != "AddVServerGroupBackendServers" {
								most += w.times // doing these twice is doing them once, so the client just repeats them
							}
							if n := carriedOut(cloud, s.name, v.of(d)); n < want || n > most {
								t.Errorf("%s was carried out %d times, want %d to %d", v.of(d), n, want, most)
							}
						}
						if r, err = p.Apply(t.Context(), plan); err != nil || !r.Unchanged() {
							t.Errorf("again: %v\n%s", err, r)
						}
					})
				})
			}
		}
	}
}

// TestForeignWriters: another program changes the pool between our calls.
func TestForeignWriters(t *testing.T) {
	t.Parallel()
	for _, s := range services() {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud := fakecloud.New()
				drv, _ := s.make(t, cloud, cloud.Config(), s.spec(1), s.spec(2), s.spec(3))
				var they *pool.Pool
				did := make(map[int]bool)
				p := pool.New(drv, pool.WithEvents(func(e pool.Event) {
					if e.Kind != pool.Waiting || did[e.Done] {
						return
					}
					did[e.Done] = true
					var r *pool.Report
					var err error
					if len(did) == 1 { // we wait for 4 and 5 to come into service
						r, err = they.Remove(context.Background(), s.spec(1).Key) // which we are to remove
					} else { // we drain 2
						r, err = they.Add(context.Background(), s.spec(9))
					}
					if err != nil {
						t.Error(err, r)
					}
				}))
				they = pool.New(foreign{drv})
				plan, err := p.Plan(t.Context(), []pool.Spec{s.spec(3), s.spec(4), s.spec(5)}, pool.PlanOptions{Drain: 10 * time.Second})
				if err != nil {
					t.Fatal(err)
				}
				r, err := p.Apply(t.Context(), plan)
				if err != nil {
					t.Fatalf("%v\n%s", err, r)
				}
				if len(r.Drift) != 1 || r.Drift[0].What != "appeared" || r.Drift[0].Key != s.spec(9).Key {
					t.Errorf("drift %v", r.Drift)
				}
				got := weights(t, p)
				if _, ok := got[s.spec(9).Key.String()]; !ok || len(got) != 4 {
					t.Errorf("members %v", got)
				}
			})
		})
	}
}

// foreign is a driver whose turns are another process's.
type foreign struct{ driver.Pool }

func (foreign) Lock(context.Context, string) (func(), error) { return func() {}, nil }

// TestOtherAddress: somebody has put an instance in by an address that is not
// its first one. It is still the member that its ID names.
func TestOtherAddress(t *testing.T) {
	t.Parallel()
	for _, s := range services()[:2] {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud := fakecloud.New()
				seed := []fakecloud.BackendServer{{ID: "i-1", IP: "10.0.1.1", Port: 80}, {ID: "i-2", IP: "10.0.1.2", Port: 80}}
				var drv driver.Pool
				if s.name == "alb" {
					lb, err := alb.New(cloud.Config())
					if err != nil {
						t.Fatal(err)
					}
					drv = lb.Pool(cloud.AddServerGroup(fakecloud.ServerGroup{Servers: seed}))
				} else {
					lb, err := slb.New(cloud.Config())
					if err != nil {
						t.Fatal(err)
					}
					drv = lb.Pool(cloud.AddVServerGroup(fakecloud.VServerGroup{LoadBalancerID: "lb-1", Servers: seed}))
				}
				p := pool.New(drv)
				if r, err := p.SetWeight(t.Context(), pool.Weighted("i-1", 80, 0)); err != nil {
					t.Fatal(err, r)
				}
				if r, err := p.Replace(t.Context(), []pool.Key{s.spec(1).Key}, []pool.Spec{s.spec(3)}, pool.PlanOptions{SwapAtomically: true}); err != nil {
					t.Fatal(err, r)
				}
				if r, err := p.Remove(t.Context(), s.spec(2).Key); err != nil {
					t.Fatal(err, r)
				}
				if got := weights(t, p); len(got) != 1 || got["i-3:80"] != 100 {
					t.Errorf("members %v", got)
				}
			})
		})
	}
}
