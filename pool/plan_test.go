package pool_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

// member is a Member that is ready.
func member(server string, weight int, label string) driver.Member {
	return driver.Member{Key: driver.Key{Server: server, Port: 80}, Weight: weight, Label: label, Phase: driver.Ready}
}

// steps are the steps of a plan in short.
func steps(p *pool.Plan) string {
	var b strings.Builder
	for _, s := range p.Steps {
		fmt.Fprintf(&b, "%s", s.Do)
		for _, m := range s.Members {
			b.WriteString(" " + strings.TrimPrefix(m.Server, "i-"))
			if s.Do == driver.SetWeight {
				fmt.Fprintf(&b, "=%d", *m.Weight)
			}
		}
		for _, m := range s.Out {
			b.WriteString(" -" + strings.TrimPrefix(m.Server, "i-"))
		}
		b.WriteString("; ")
	}
	return strings.TrimSuffix(b.String(), "; ")
}

func TestPlanSteps(t *testing.T) {
	t.Parallel()
	three := []driver.Member{member("i-1", 100, ""), member("i-2", 100, ""), member("i-3", 0, "")}
	noZero := func(d *driver.Description) { d.Weights.Ignored = "the algorithm is SOURCE_IP" }
	disable := func(d *driver.Description) {
		d.Disable, d.Enable = driver.Verb{Operation: "Disable"}, driver.Verb{Operation: "Enable"}
	}
	tests := []struct {
		name    string
		there   []driver.Member
		desired []pool.Spec
		opts    pool.PlanOptions
		like    func(*driver.Description)
		want    string
	}{
		{name: "nothing", there: three, desired: servers(1, 3)},
		{
			name: "order", there: three, desired: []pool.Spec{pool.Weighted("i-1", 80, 5), pool.Weighted("i-3", 80, 7), pool.Weighted("i-4", 80, 9)},
			want: "add 4; set-weight 3=7; await 4 3; set-weight 1=5 2=0; pause 2; remove 2",
		},
		{
			name: "nothing is taken out: one call for all weights", there: three, desired: []pool.Spec{pool.Weighted("i-1", 80, 5), pool.Server("i-2", 80), pool.Weighted("i-3", 80, 7)},
			want: "set-weight 1=5 3=7; await 3",
		},
		{name: "a member of weight 0 needs no drain", there: three, desired: servers(1, 2), want: "remove 3"},
		{name: "no drain", there: three, desired: servers(1, 1), opts: pool.PlanOptions{Drain: pool.NoDrain}, want: "remove 2 3"},
		{name: "the service drains", there: three, desired: servers(1, 1), like: func(d *driver.Description) { d.Draining = time.Minute }, want: "remove 2 3"},
		{
			name: "the service drains, and so do we", there: three, desired: servers(1, 1), opts: pool.PlanOptions{Drain: time.Second},
			like: func(d *driver.Description) { d.Draining = time.Minute }, want: "set-weight 2=0; pause 2; remove 2 3",
		},
		{name: "weights have no effect", there: three, desired: servers(1, 1), like: noZero, want: "remove 2 3"},
		{name: "disabling keeps the weight", there: three, desired: servers(1, 1), like: disable, want: "disable 2; pause 2; remove 2 3"},
		{name: "swap", there: three, desired: servers(3, 4), opts: pool.PlanOptions{SwapAtomically: true}, want: "swap 4 -1 -2; await 4"},
		{name: "swap with nothing to add", there: three, desired: servers(3, 3), opts: pool.PlanOptions{SwapAtomically: true, Drain: pool.NoDrain}, want: "remove 1 2"},
		{
			name: "swap more than a call takes", there: three, desired: servers(4, 8), opts: pool.PlanOptions{SwapAtomically: true},
			like: func(d *driver.Description) { d.Swap.Most = 2 }, want: "swap 4 5 -1; swap 6 7 -2; swap 8 -3; await 4 5 6 7 8",
		},
		{name: "empty on purpose", there: three, opts: pool.PlanOptions{AllowEmpty: true, Drain: pool.NoDrain}, want: "remove 1 2 3"},
		{name: "others are kept", there: three, desired: servers(4, 4), opts: pool.PlanOptions{KeepOthers: true}, want: "add 4; await 4"},
		{
			name: "those of others stay", there: []driver.Member{member("i-1", 100, "me"), member("i-2", 100, "you")}, desired: servers(3, 3),
			opts: pool.PlanOptions{Owner: pool.OwnedBy("me"), Drain: pool.NoDrain}, want: "add 3; await 3; remove 1",
		},
		{
			name: "owned by a function", there: three, desired: servers(4, 4),
			opts: pool.PlanOptions{Owner: pool.OwnedIf(func(m pool.Member) bool { return m.Server == "i-2" }), Drain: pool.NoDrain}, want: "add 4; await 4; remove 2",
		},
		{
			name: "those on their way out do not count", there: []driver.Member{member("i-1", 100, ""), {Key: driver.Key{Server: "i-2", Port: 80}, Phase: driver.Leaving}},
			desired: servers(1, 2), want: "add 2; await 2",
		},
		{
			name: "a full pool in turns", there: three, desired: servers(4, 6), opts: pool.PlanOptions{Drain: pool.NoDrain},
			like: func(d *driver.Description) { d.MaxMembers = 4 },
			want: "add 4; await 4; remove 1; add 5; await 5; remove 2; add 6; await 6; remove 3",
		},
		{
			name: "a full pool without any room", there: three, desired: servers(4, 6), opts: pool.PlanOptions{Drain: pool.NoDrain},
			like: func(d *driver.Description) { d.MaxMembers = 3 },
			want: "remove 1; add 4; await 4; remove 2; add 5; await 5; remove 3; add 6; await 6",
		},
		{
			name: "an address written in another way", there: []driver.Member{member("2001:db8::a", 100, "")}, desired: []pool.Spec{pool.Server("2001:DB8:0::0a", 80), pool.Server("2001:DB8::B", 80)},
			want: "add 2001:db8::b; await 2001:db8::b",
		},
		{
			name: "by another name", there: []driver.Member{{Key: driver.Key{Server: "10.0.0.1", Port: 80}, Aliases: []string{"i-1"}, Weight: 100, Phase: driver.Ready}},
			desired: []pool.Spec{pool.Weighted("i-1", 80, 50)}, want: "set-weight 10.0.0.1=50",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			opts := []mempool.Option{mempool.WithMembers(tt.there...)}
			if tt.like != nil {
				opts = append(opts, mempool.WithDescription(tt.like))
			}
			p := pool.New(mempool.New(opts...))
			plan, err := p.Plan(t.Context(), tt.desired, tt.opts)
			if err != nil {
				t.Fatal(err)
			}
			if got := steps(plan); got != tt.want {
				t.Errorf("steps:\n%s\nwant:\n%s\n%s", got, tt.want, plan)
			}
			b, err := json.Marshal(plan)
			if err != nil {
				t.Fatal(err)
			}
			read, err := pool.ReadPlan(b)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(plan, read); d != "" {
				t.Errorf("JSON round trip: %s", d)
			}
			tokens := make(map[string]bool)
			for _, s := range plan.Steps {
				if s.Token != "" && tokens[s.Token] {
					t.Errorf("token %s twice", s.Token)
				}
				tokens[s.Token] = true
			}
		})
	}
}

func TestPlanRefused(t *testing.T) {
	t.Parallel()
	there := []driver.Member{member("i-1", 100, "me"), member("i-2", 100, "you"), {Key: driver.Key{Server: "i-2", Port: 81}, Weight: 100, Phase: driver.Ready}}
	tests := []struct {
		name    string
		desired []pool.Spec
		opts    pool.PlanOptions
		like    func(*driver.Description)
		want    []string // parts of the error
	}{
		{name: "empty", want: []string{"desired is empty", "AllowEmpty"}},
		{name: "twice", desired: append(servers(1, 2), servers(1, 1)...), want: []string{"desired[2] i-1:80 is the same member as desired[0]"}},
		{
			name: "everything wrong at once", desired: []pool.Spec{{}, pool.Server("i-9", 0), pool.Server("i-9", 70000), pool.Weighted("i-8", 80, 101), pool.Weighted("i-7", 80, -1)},
			want: []string{"desired[0].Server is empty", "desired[1].Port is missing", "desired[2].Port is 70000", "desired[3].Weight is 101, must be from 0 to 100", "desired[4].Weight is -1"},
		},
		{name: "ambiguous", desired: []pool.Spec{{Key: pool.Key{Server: "i-2"}}}, like: func(d *driver.Description) { d.Portless = true }, want: []string{"desired[0] i-2 names several members"}},
		{name: "port of a listener", desired: servers(1, 1), like: func(d *driver.Description) { d.Portless = true }, want: []string{"desired[0].Port is 80, must be left out"}},
		{
			name: "weight 0 has no effect", desired: []pool.Spec{pool.Weighted("i-1", 80, 0)}, like: func(d *driver.Description) { d.Weights.Ignored = "because" },
			want: []string{"desired[0].Weight is 0, which has no effect here: because"},
		},
		{
			name: "drain has no effect", desired: servers(1, 1), opts: pool.PlanOptions{Drain: time.Second}, like: func(d *driver.Description) { d.Weights.Ignored = "because" },
			want: []string{"Drain is not possible", "because", "NoDrain"},
		},
		{name: "too much", desired: servers(1, 1), opts: pool.PlanOptions{MaxChange: 0.5}, want: []string{"MaxChange is 0.5, and 2 of 3 members"}},
		{name: "too few", desired: servers(1, 1), opts: pool.PlanOptions{MinInService: 2}, want: []string{"MinInService is 2, and 1 members would be in service"}},
		{name: "too few with weight", desired: append(servers(1, 1), pool.Weighted("i-2", 80, 0), pool.Weighted("i-3", 80, 0)), opts: pool.PlanOptions{MinInService: 2}, want: []string{"MinInService is 2, and 1 members"}},
		{name: "options", desired: servers(1, 1), opts: pool.PlanOptions{MinInService: -1, MaxChange: 1.5, InService: -1}, want: []string{"MinInService is -1", "MaxChange is 1.5", "InService is"}},
		{name: "no labels", desired: servers(1, 1), opts: pool.PlanOptions{Owner: pool.OwnedBy("me")}, like: func(d *driver.Description) { d.Labels = false }, want: []string{"Owner", "OwnedIf"}},
		{name: "another label", desired: []pool.Spec{{Key: pool.Key{Server: "i-9", Port: 80}, Label: "x"}}, opts: pool.PlanOptions{Owner: pool.OwnedBy("me")}, want: []string{`desired[0].Label is "x"`}},
		{name: "somebody else's", desired: []pool.Spec{pool.Weighted("i-2", 80, 1)}, opts: pool.PlanOptions{Owner: pool.OwnedBy("me")}, want: []string{"desired[0] i-2:80 belongs to somebody else"}},
		{name: "too many", desired: servers(1, 5), like: func(d *driver.Description) { d.MaxMembers = 4 }, want: []string{"desired makes the pool 5 members large, and it can have 4"}},
		{name: "no swap", desired: servers(1, 1), opts: pool.PlanOptions{SwapAtomically: true}, like: func(d *driver.Description) { d.Swap = driver.Verb{} }, want: []string{"SwapAtomically"}},
		{
			name: "full, and none may leave", desired: append(servers(5, 7), pool.Weighted("i-2", 80, 100)), opts: pool.PlanOptions{MinInService: 3},
			like: func(d *driver.Description) { d.MaxMembers = 3 }, want: []string{"is full"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			opts := []mempool.Option{mempool.WithMembers(there...)}
			if tt.like != nil {
				opts = append(opts, mempool.WithDescription(tt.like))
			}
			mem := mempool.New(opts...)
			plan, err := pool.New(mem).Plan(t.Context(), tt.desired, tt.opts)
			if err == nil {
				t.Fatalf("no error, but\n%s", plan)
			}
			if !errors.Is(err, cloudlb.ErrInvalid) {
				t.Errorf("%v is not ErrInvalid", err)
			}
			for _, w := range tt.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("%q does not say %q", err, w)
				}
			}
			if k := kinds(mem); len(k) > 0 {
				t.Errorf("sent %v", k)
			}
		})
	}
}

func TestPlanText(t *testing.T) {
	t.Parallel()
	p := pool.New(mempool.New(mempool.WithMembers(member("i-1", 100, "me"), member("i-2", 100, "me"), member("i-3", 0, "me"), member("i-4", 7, "me"), member("i-5", 1, "you"))))
	plan, err := p.Plan(t.Context(), []pool.Spec{pool.Server("i-1", 80), pool.Weighted("i-2", 80, 50), pool.Server("i-3", 80), pool.Weighted("i-6", 80, 3), pool.Server("i-7", 80)},
		pool.PlanOptions{Owner: pool.OwnedBy("me")})
	if err != nil {
		t.Fatal(err)
	}
	want := `mem/local/pool-1: 2 to add, 1 to reweight, 1 to remove, 3 calls
~ i-2:80 weight 100 -> 50
+ i-6:80 weight 3
+ i-7:80
- i-4:80 weight 7
  2 stay as they are
  1 belong to others
  drains for 30s before removing
! i-3:80 has weight 0 and keeps it: it gets no requests
`
	if d := cmp.Diff(want, plan.String()); d != "" {
		t.Error(d)
	}
	plan, err = p.Plan(t.Context(), []pool.Spec{pool.Server("i-1", 80)}, pool.PlanOptions{KeepOthers: true})
	if err != nil || !plan.Empty() || plan.String() != "mem/local/pool-1: nothing to do\n  1 stay as they are\n" {
		t.Errorf("%v %s", err, plan)
	}
}

func TestReadPlanRefuses(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, `[]`, `{}`, `{"version":2,"id":"x","pool":"p"}`, `{"version":1}`,
		`{"version":1,"id":"x","pool":"p","steps":[{"do":"destroy","members":[{"server":"i-1"}]}]}`,
		`{"version":1,"id":"x","pool":"p","steps":[{"do":"remove"}]}`,
		`{"version":1,"id":"x","pool":"p","steps":[{"do":"set-weight","members":[{"server":"i-1"}]}]}`,
	} {
		if p, err := pool.ReadPlan([]byte(text)); !errors.Is(err, cloudlb.ErrInvalid) {
			t.Errorf("%s: %v, %v", text, p, err)
		}
	}
}

func FuzzReadPlan(f *testing.F) {
	p := pool.New(mempool.New(mempool.WithServers("i-1:80", "i-2:80")))
	plan, err := p.Plan(f.Context(), servers(2, 3), pool.PlanOptions{})
	if err != nil {
		f.Fatal(err)
	}
	b, err := json.Marshal(plan)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte(`{"version":1,"id":"x","service":"mem","region":"local","pool":"pool-1","steps":[{"do":"swap","members":[{"server":"i-1"}],"token":"t"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		plan, err := pool.ReadPlan(b)
		if err != nil {
			return
		}
		_ = plan.String()
		for i := range plan.Steps {
			plan.Steps[i].For = 0
		}
		plan.InService = pool.Duration(time.Nanosecond)
		synctest.Test(t, func(t *testing.T) { // whatever it says, applying it ends
			_, _ = pool.New(mempool.New(mempool.WithServers("i-1:80", "i-2:80"))).Apply(t.Context(), plan)
		})
	})
}
