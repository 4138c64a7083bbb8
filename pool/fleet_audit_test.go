package pool_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

var denied = &cloudlb.Error{Service: "mem", Class: cloudlb.ClassDenied, Outcome: cloudlb.OutcomeRejected}

func TestFleetFind(t *testing.T) {
	t.Parallel()
	f, mems := memFleet(40)
	put := func(i int, members ...pool.Member) {
		mems[i].Edit(func(present []pool.Member) []pool.Member { return append(present, members...) })
	}
	k := func(server string, port int) pool.Key { return pool.Key{Server: server, Port: port} }
	put(3, pool.Member{Key: k("i-x", 80)}, pool.Member{Key: k("i-x", 81)})
	put(5, pool.Member{Key: k("i-x", 443), Aliases: []string{"10.9.9.9"}})
	put(7, pool.Member{Key: k("10.9.9.9", 80)})
	put(9, pool.Member{Key: k("i-xy", 80)}, pool.Member{Key: k("i-x", 80), Phase: driver.Leaving})
	mems[11].Inject(mempool.Fault{Op: mempool.Members, Times: -1, Err: denied})
	mems[12].Inject(mempool.Fault{Op: mempool.Members, Times: -1, Err: denied})
	mems[12].Inject(mempool.Fault{Op: mempool.Describe, Times: -1, Err: denied})
	broken := []string{"mem/local/mem-11: denied", "pools[12]: denied"}
	for _, tt := range []struct {
		name string
		keys []pool.Key
		want []string
	}{
		{"an instance on all ports", []pool.Key{{Server: "i-x"}}, []string{"mem-3 i-x:80", "mem-3 i-x:81", "mem-5 i-x:443"}},
		{"on one port", []pool.Key{k("i-x", 81)}, []string{"mem-3 i-x:81"}},
		{"an address", []pool.Key{{Server: "10.9.9.9"}}, []string{"mem-5 i-x:443", "mem-7 10.9.9.9:80"}},
		{"two servers", []pool.Key{{Server: "i-xy"}, {Server: "10.9.9.9"}}, []string{"mem-5 i-x:443", "mem-7 10.9.9.9:80", "mem-9 i-xy:80"}},
		{"nobody", []pool.Key{{Server: "i-0"}}, nil},
	} {
		var got, failed []string
		for found, err := range f.Find(t.Context(), tt.keys...) {
			switch {
			case errors.Is(err, cloudlb.ErrDenied):
				failed = append(failed, found.Name+": denied")
			case err != nil:
				t.Errorf("%s: %v", tt.name, err)
			case !slices.Contains(f.Pools, found.Pool):
				t.Errorf("%s: the pool is not one of the Fleet's", tt.name)
			default:
				got = append(got, strings.TrimPrefix(found.Name, "mem/local/")+" "+found.Member.Key.String())
			}
		}
		slices.Sort(got)
		slices.Sort(failed)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		if diff := cmp.Diff(broken, failed); diff != "" {
			t.Errorf("%s: pools that cannot be read (-want +got):\n%s", tt.name, diff)
		}
	}
	if n := mems[0].Count(mempool.Members); n != 5 || mems[0].Count(mempool.Describe) != 0 {
		t.Errorf("a pool without the server was read %d times in 5 searches", n)
	}
}

// TestFleetFindStops: who has seen enough may break, and nothing runs on; a
// context that ends is an error for each pool that was not read.
func TestFleetFindStops(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { // fails if a goroutine is left
		f, mems := memFleet(200)
		f.Parallel = 4
		n := 0
		for _, err := range f.Find(t.Context(), pool.Key{Server: "i-1"}) {
			if err != nil {
				t.Fatal(err)
			}
			if n++; n == 3 {
				break
			}
		}
		synctest.Wait()
		read := 0
		for _, mem := range mems {
			read += mem.Count(mempool.Members)
		}
		if read > 20 {
			t.Errorf("%d pools were read for 3 members", read)
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		failed := 0
		for _, err := range f.Find(ctx, pool.Key{Server: "i-1"}) {
			cancel()
			if errors.Is(err, context.Canceled) {
				failed++
			}
		}
		if failed < 180 {
			t.Errorf("%d pools of 200 are reported as not read", failed)
		}
	})
}

func TestFleetAudit(t *testing.T) {
	t.Parallel()
	member := func(server string, change ...func(*pool.Member)) pool.Member {
		m := pool.Member{Key: pool.Key{Server: server, Port: 80}, Weight: 100, Phase: driver.Ready}
		for _, f := range change {
			f(&m)
		}
		return m
	}
	zero := func(m *pool.Member) { m.Weight = 0 }
	off := func(m *pool.Member) { m.Phase = driver.Disabled }
	zone := func(z string) func(*pool.Member) { return func(m *pool.Member) { m.Zone = z } }
	for _, tt := range []struct {
		name     string
		members  []pool.Member
		describe func(*pool.Description)
		ill      []string
		opts     pool.AuditOptions
		want     []string
	}{
		{name: "well", members: []pool.Member{member("i-1", zone("a")), member("i-2", zone("b"))}},
		{name: "empty", want: []string{"no members"}},
		{
			name: "zeros", members: []pool.Member{member("i-1"), member("i-2", zero)},
			want: []string{"i-2:80: zero weight: it gets no requests"},
		},
		{
			name: "harmless zeros", members: []pool.Member{member("i-1"), member("i-2", zero)},
			describe: func(d *pool.Description) { d.Weights.Ignored = "SOURCE_IP" },
			want:     []string{"i-2:80: zero weight: it gets requests all the same: SOURCE_IP (harmless)"},
		},
		{
			name: "all out", members: []pool.Member{member("i-1", off), member("i-2", zero)},
			want: []string{"nothing in service: 2 members, none of which gets requests", "i-1:80: disabled", "i-2:80: zero weight: it gets no requests"},
		},
		{name: "leaving", members: []pool.Member{member("i-1", zero, func(m *pool.Member) { m.Phase = driver.Leaving })}, want: []string{"no members"}},
		{
			name: "ill", members: []pool.Member{member("i-1"), member("i-2")}, ill: []string{"i-2"},
			want: []string{"i-2:80: unhealthy"},
		},
		{
			name: "all ill", members: []pool.Member{member("i-1")}, ill: []string{"i-1"},
			want: []string{"nothing in service: 1 member, none of which gets requests", "i-1:80: unhealthy"},
		},
		{name: "ill, and nobody asks", members: []pool.Member{member("i-1")}, ill: []string{"i-1"}, opts: pool.AuditOptions{NoHealth: true}},
		{
			name: "unchecked", members: []pool.Member{member("i-1")},
			describe: func(d *pool.Description) { d.NoHealth = "no listener uses it" },
			want:     []string{"not health-checked: no listener uses it"},
		},
		{
			name: "one zone", members: []pool.Member{member("i-1", zone("a")), member("i-2", zone("a"))},
			want: []string{"one zone: all 2 members are in a"},
		},
		{
			name: "one zone, says the caller", members: []pool.Member{member("i-1"), member("i-2")},
			opts: pool.AuditOptions{Zone: func(pool.Member) string { return "b" }},
			want: []string{"one zone: all 2 members are in b"},
		},
		{name: "unknown zones", members: []pool.Member{member("i-1", zone("a")), member("i-2")}},
		{name: "one member has one zone", members: []pool.Member{member("i-1", zone("a"))}},
		{
			name: "twice", members: []pool.Member{
				member("i-1", func(m *pool.Member) { m.Aliases = []string{"i-1", "10.0.0.1"} }), member("10.0.0.1"),
				member("10.0.0.1", func(m *pool.Member) { m.Port = 81 }),
				member("eni-1", func(m *pool.Member) { m.Address, m.Aliases = "10.0.0.2", []string{"10.0.0.2"} }),
				member("eni-1", func(m *pool.Member) { m.Address, m.Aliases = "10.0.0.3", []string{"10.0.0.3"} }),
			},
			want: []string{"10.0.0.1:80: twice in the pool: it is i-1:80"},
		},
		{
			name: "drift", members: []pool.Member{member("i-1"), member("i-2"), member("i-3")},
			opts: pool.AuditOptions{Desired: func(*pool.Pool, pool.Description) ([]pool.Spec, bool) {
				return []pool.Spec{pool.Server("i-1", 80), pool.Weighted("i-2", 80, 50), pool.Server("i-4", 80)}, true
			}},
			want: []string{"i-2:80: other weight: 100, not 50", "i-4:80: missing", "i-3:80: not desired"},
		},
		{
			name: "nothing is known to be desired", members: []pool.Member{member("i-1")},
			opts: pool.AuditOptions{Desired: func(*pool.Pool, pool.Description) ([]pool.Spec, bool) { return nil, false }},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mem := mempool.New(mempool.WithMembers(tt.members...), mempool.WithDescription(func(d *pool.Description) {
				d.Disable.Operation, d.Enable.Operation = "Disable", "Enable"
				if tt.describe != nil {
					tt.describe(d)
				}
			}))
			for _, server := range tt.ill {
				mem.SetHealth(pool.Key{Server: server, Port: 80}, driver.Unhealthy)
			}
			f := pool.Fleet{Pools: []*pool.Pool{pool.New(mem)}}
			findings, err := f.Audit(t.Context(), tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, finding := range findings {
				text, ok := strings.CutPrefix(finding.String(), "mem/local/pool-1")
				if !ok {
					t.Errorf("it does not name the pool: %s", finding)
				}
				got = append(got, strings.TrimLeft(text, ": "))
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s", diff)
			}
			for _, c := range mem.Calls() {
				if c.Change.Kind != "" {
					t.Errorf("it changed the pool: %v", c)
				}
			}
		})
	}
}

// TestFleetAuditPartly: pools that cannot be read are findings, the others are
// looked at all the same, in the order of the Fleet.
func TestFleetAuditPartly(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testFleetAuditPartly)
}

func testFleetAuditPartly(t *testing.T) {
	f, mems := memFleet(4)
	mems[0].Inject(mempool.Fault{Op: mempool.Describe, Times: -1, Err: denied})
	mems[2].Inject(mempool.Fault{Op: mempool.Health, Times: -1, Err: denied})
	for _, i := range []int{1, 3} {
		if _, err := f.Pools[i].SetWeight(t.Context(), pool.Weighted("i-2", 80, 0)); err != nil {
			t.Fatal(err)
		}
	}
	findings, err := f.Audit(t.Context(), pool.AuditOptions{})
	if !errors.Is(err, cloudlb.ErrDenied) {
		t.Errorf("error: %v", err)
	}
	var got []string
	for _, finding := range findings {
		if (finding.Kind == pool.FindingUnreadable) != errors.Is(finding.Err, cloudlb.ErrDenied) {
			t.Errorf("%v: %v", finding, finding.Err)
		}
		got = append(got, finding.Pool+" "+string(finding.Kind))
	}
	wanted := []string{"pools[0] unreadable", "mem/local/mem-1 zero weight", "mem/local/mem-2 unreadable", "mem/local/mem-3 zero weight"}
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}
