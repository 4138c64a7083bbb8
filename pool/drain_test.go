package pool_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

// TestDrain drains i-1 (weight 10) and i-4 (weight 0) of four members.
func TestDrain(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	draining := mempool.WithDescription(func(d *driver.Description) { d.Draining = 90 * time.Second })
	both := []pool.Key{key("i-1"), key("i-4")}
	tests := []struct {
		name  string
		o     pool.Drain
		like  mempool.Option
		took  time.Duration
		calls int
		gone  bool
	}{
		{name: "the usual time", took: pool.DefaultDrain, calls: 1},
		{name: "the service's time", like: draining, took: 90 * time.Second, calls: 1},
		{name: "so long", o: pool.Drain{For: 7 * time.Second}, like: draining, took: 7 * time.Second, calls: 1},
		{name: "no time", o: pool.Drain{For: pool.NoDrain}, calls: 1},
		{name: "nobody had requests", o: pool.Drain{Members: both[1:]}},
		{name: "and remove", o: pool.Drain{Remove: true}, took: pool.DefaultDrain, calls: 2, gone: true},
		{name: "until they are drained", o: pool.Drain{Until: func(_ context.Context, m pool.Member) error {
			if m.Server != "i-1" || m.Weight != 10 {
				t.Errorf("asked about %+v", m)
			}
			if asked.Add(1) < 3 {
				return errors.New("busy")
			}
			return nil
		}}, took: 3 * time.Second, calls: 1},
		{name: "never drained", o: pool.Drain{For: time.Minute, Until: func(context.Context, pool.Member) error { return errors.New("busy") }}, took: time.Minute, calls: 1},
		{name: "by disabling", like: mempool.WithDescription(func(d *driver.Description) {
			d.Disable, d.Enable = driver.Verb{Operation: "Disable"}, driver.Verb{Operation: "Enable"}
		}), took: pool.DefaultDrain, calls: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				mem := fleetOf(4, tt.like)
				p := pool.New(mem)
				o := tt.o
				if o.Members == nil {
					o.Members = both
				}
				o.MinInService = 2
				start := time.Now()
				drained, err := p.Drain(t.Context(), o)
				if err != nil {
					t.Fatal(err, drained.Report)
				}
				if took := time.Since(start); took < tt.took || took > tt.took+7*time.Second {
					t.Errorf("it took %s, want %s", took, tt.took)
				}
				if drained.Report.Calls != tt.calls {
					t.Errorf("%d calls, want %d", drained.Report.Calls, tt.calls)
				}
				d, err := p.Describe(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				serving := 0
				for m, err := range p.Members(t.Context()) {
					if err != nil {
						t.Error(err)
					}
					if pool.InService(d, m) {
						serving++
					}
				}
				if want := 4 - len(o.Members); serving != min(want, 3) {
					t.Errorf("%d members in service", serving)
				}
				// Another process has only the text.
				b, err := json.Marshal(drained)
				if err != nil {
					t.Fatal(err)
				}
				var stored pool.Drained
				if err := json.Unmarshal(b, &stored); err != nil {
					t.Fatal(err)
				}
				r, err := pool.New(mem).Restore(t.Context(), &stored)
				if tt.gone {
					if !errors.Is(err, pool.ErrDrift) {
						t.Error(err)
					}
					if _, err := p.Add(t.Context(), stored.Members[0].Spec, stored.Members[1].Spec); err != nil {
						t.Error(err)
					}
				} else if err != nil {
					t.Error(err, r)
				}
				if diff := cmp.Diff(fleetWeights(4), weights(t, p)); diff != "" {
					t.Error(diff)
				}
				for m, err := range p.Members(t.Context()) {
					if err != nil || m.Phase != driver.Ready {
						t.Errorf("%+v %v", m, err)
					}
				}
				if r, err = p.Restore(t.Context(), &stored); err != nil || r.Calls != 0 || len(r.Entries) != len(o.Members) {
					t.Error("again: ", err, r)
				}
			})
		})
	}
}

// TestDrainRefused: nothing is sent for what cannot be done.
func TestDrainRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		o    pool.Drain
		like mempool.Option
		want string
	}{
		{name: "nobody", want: "Members is empty"},
		{name: "unknown", o: pool.Drain{Members: []pool.Key{key("i-9")}}, want: "not in the pool"},
		{name: "twice", o: pool.Drain{Members: []pool.Key{key("i-1"), {Server: "i-1"}}}, want: "same member"},
		{name: "negative", o: pool.Drain{Members: []pool.Key{key("i-1")}, MinInService: -1, RestoreTimeout: -1}, want: "RestoreTimeout"},
		{name: "too few left", o: pool.Drain{Members: []pool.Key{key("i-1"), key("i-2")}, MinInService: 2}, want: "1 of 3 members in service would be left"},
		{
			name: "weights have no effect", o: pool.Drain{Members: []pool.Key{key("i-1")}}, want: "the pool hashes",
			like: mempool.WithDescription(func(d *driver.Description) { d.Weights.Ignored = "the pool hashes addresses" }),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mem := fleetOf(4, tt.like)
			drained, err := pool.New(mem).Drain(t.Context(), tt.o)
			if !errors.Is(err, cloudlb.ErrInvalid) || !strings.Contains(err.Error(), tt.want) || drained == nil {
				t.Errorf("error %v, want one about %q", err, tt.want)
			}
			if mem.Count(mempool.SetWeight) > 0 {
				t.Error("something was sent")
			}
		})
	}
	p := pool.New(fleetOf(2))
	for _, d := range []*pool.Drained{
		nil,
		{},
		{Version: 9, Pool: "pool-1"},
		{Version: 1, Service: "mem", Region: "local", Pool: "pool-2"},
		{Version: 1, Service: "mem", Region: "local", Pool: "pool-1", Members: []pool.DrainedMember{{}}},
	} {
		if _, err := p.Restore(t.Context(), d); !errors.Is(err, cloudlb.ErrInvalid) {
			t.Errorf("%+v: %v", d, err)
		}
	}
}

// TestDrainStopped ends a drain at every second and call: members come back,
// unless they are to be kept out.
func TestDrainStopped(t *testing.T) {
	t.Parallel()
	for _, keepOut := range []bool{false, true} {
		for at := range 60 {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				calls := 0
				mem := fleetOf(4, mempool.WithDurations(0, 3*time.Second, 3*time.Second), mempool.WithHook(func(mempool.Call) {
					if calls++; calls == at {
						cancel()
					}
				}))
				if at >= 30 {
					time.AfterFunc(time.Duration(at-30)*time.Second/2, cancel)
				}
				p := pool.New(mem)
				drained, err := p.Drain(ctx, pool.Drain{Members: []pool.Key{key("i-1"), key("i-2")}, For: 5 * time.Second, Remove: true, KeepOut: keepOut})
				if ctx.Err() == nil || err == nil {
					return
				}
				if !errors.Is(err, context.Canceled) {
					t.Errorf("at %d: %v", at, err)
				}
				<-time.After(time.Minute)
				got := weights(t, p)
				for k, w := range fleetWeights(4) {
					now, there := got[k]
					switch {
					case !there && drained.Report.Count(pool.NotAttempted) == 0: // removed at the last moment
					case keepOut && (now == 0 || now == w):
					case now != w || !there:
						t.Errorf("at %d: %s has weight %d, want %d: %v\n%s", at, k, now, w, err, drained.Report.String())
					}
				}
			})
		}
	}
}

// TestDrainPanics: members come back, then the panic goes on.
func TestDrainPanics(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := fleetOf(3)
		p := pool.New(mem)
		func() {
			defer func() {
				if v := recover(); v != "boom" {
					t.Errorf("recovered %v", v)
				}
			}()
			_, _ = p.Drain(t.Context(), pool.Drain{Members: []pool.Key{key("i-1")}, Until: func(context.Context, pool.Member) error { panic("boom") }})
		}()
		if diff := cmp.Diff(fleetWeights(3), weights(t, p)); diff != "" {
			t.Error(diff)
		}
	})
}

// TestRestoreAmongOthers: a weight that somebody has set meanwhile stays.
func TestRestoreAmongOthers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		mem := fleetOf(4)
		p := pool.New(mem)
		drained, err := p.Drain(t.Context(), pool.Drain{Members: []pool.Key{key("i-1"), key("i-2")}})
		if err != nil {
			t.Fatal(err)
		}
		mem.Edit(func(ms []driver.Member) []driver.Member {
			ms[0].Weight = 77
			return ms
		})
		r, err := p.Restore(t.Context(), drained)
		if err != nil || len(r.Drift) != 1 || r.Drift[0].String() != "i-1:80 at weight 77, not 10" {
			t.Error(err, r)
		}
		want := fleetWeights(4)
		want["i-1:80"] = 77
		if diff := cmp.Diff(want, weights(t, p)); diff != "" {
			t.Error(diff)
		}
	})
}

// TestDrainZeroLoss drains, stops and removes members that serve traffic, on each
// service.
func TestDrainZeroLoss(t *testing.T) {
	t.Parallel()
	for _, s := range services() {
		for _, drain := range []time.Duration{10 * time.Second, pool.NoDrain} {
			t.Run(fmt.Sprintf("%s/%s", s.name, drain), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					cloud := fakecloud.New()
					drv, target := s.make(t, cloud, cloud.Config(), s.spec(1), s.spec(2), s.spec(3))
					p := pool.New(drv)
					traffic := cloud.Traffic(target, 20, fakecloud.WithRequestDuration(8*time.Second))
					<-time.After(time.Minute)
					drained, err := p.Drain(t.Context(), pool.Drain{Members: []pool.Key{s.spec(1).Key}, For: drain, MinInService: 2, Remove: true})
					if err != nil {
						t.Fatal(err, drained.Report)
					}
					traffic.Stopped(s.spec(1).Server)
					<-time.After(time.Minute)
					if res := traffic.Report(); (res.Lost() > 0) != (drain == pool.NoDrain) {
						t.Error(res)
					}
				})
			})
		}
	}
}
