package mempool_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

func server(name string) driver.Spec { return driver.Spec{Key: driver.Key{Server: name, Port: 80}} }

func weighted(name string, weight int) driver.Spec {
	s := server(name)
	s.Weight = new(weight)
	return s
}

// show is the pool in one line.
func show(t *testing.T, p *mempool.Pool) string {
	t.Helper()
	members, err := p.Members(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	var text []string
	for _, m := range members {
		text = append(text, fmt.Sprintf("%s=%d %s %s", m.Server, m.Weight, m.Phase, m.Health))
	}
	return strings.Join(text, "; ")
}

func must(t *testing.T, p *mempool.Pool, c driver.Change) driver.Result {
	t.Helper()
	result, err := p.Change(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// Changes take the time they are told to take, and block others meanwhile.
func TestDurations(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := mempool.New(
			mempool.WithServers("i-1:80"),
			mempool.WithDurations(20*time.Second, 10*time.Second, 5*time.Second), mempool.WithChecking(30*time.Second),
		)
		start := time.Now()
		at := func(d time.Duration, want string) {
			t.Helper()
			<-time.After(time.Until(start.Add(d)))
			if got := show(t, p); got != want {
				t.Errorf("after %s: %s, want %s", d, got, want)
			}
		}
		added := must(t, p, driver.Change{Kind: driver.Add, Members: []driver.Spec{weighted("i-2", 7)}})
		at(0, "i-1=100 ready healthy; i-2=7 joining ")
		if _, err := p.Change(t.Context(), driver.Change{Kind: driver.Remove, Members: []driver.Spec{server("i-1")}}); !errors.Is(err, cloudlb.ErrBusy) {
			t.Errorf("a change inside another: %v", err)
		}
		at(20*time.Second-1, "i-1=100 ready healthy; i-2=7 joining ")
		at(20*time.Second, "i-1=100 ready healthy; i-2=7 ready checking")
		must(t, p, driver.Change{Kind: driver.SetWeight, Members: []driver.Spec{weighted("i-1", 0)}})
		at(29*time.Second, "i-1=100 changing healthy; i-2=7 ready checking")
		at(30*time.Second, "i-1=0 ready ; i-2=7 ready checking")
		removed := must(t, p, driver.Change{Kind: driver.Remove, Members: []driver.Spec{server("i-1")}})
		at(34*time.Second, "i-1=0 leaving ; i-2=7 ready checking")
		if err := p.Wait(t.Context(), removed.Ticket); err != nil || time.Since(start) != 35*time.Second {
			t.Errorf("waited until %s: %v", time.Since(start), err)
		}
		at(50*time.Second-1, "i-2=7 ready checking")
		at(50*time.Second, "i-2=7 ready healthy")
		if err := p.Wait(t.Context(), added.Ticket); err != nil || time.Since(start) != 50*time.Second {
			t.Errorf("an old ticket took until %s: %v", time.Since(start), err)
		}
		if err := p.Wait(t.Context(), "change-9"); !errors.Is(err, cloudlb.ErrNotFound) {
			t.Errorf("a ticket of nobody: %v", err)
		}

		must(t, p, driver.Change{Kind: driver.Swap, Members: []driver.Spec{server("i-3")}, Out: []driver.Spec{server("i-2")}})
		at(50*time.Second, "i-2=7 leaving healthy; i-3=100 joining ")
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Wait(ctx, "change-4"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("an impatient wait: %v", err)
		}
		at(70*time.Second, "i-3=100 ready checking")
	})
}

// Wrong changes are errors of the right class and change nothing.
func TestStrict(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change driver.Change
		want   error
	}{
		"present":          {driver.Change{Kind: driver.Add, Members: []driver.Spec{server("i-9"), server("i-1")}}, cloudlb.ErrAlreadyExists},
		"absent":           {driver.Change{Kind: driver.Remove, Members: []driver.Spec{server("i-1"), server("i-9")}}, cloudlb.ErrNotFound},
		"another ID":       {driver.Change{Kind: driver.Remove, Members: []driver.Spec{{Key: driver.Key{Server: "i-1", Port: 80}, ID: "m-2"}}}, cloudlb.ErrNotFound},
		"absent to weigh":  {driver.Change{Kind: driver.SetWeight, Members: []driver.Spec{weighted("i-1", 1), weighted("i-9", 1)}}, cloudlb.ErrNotFound},
		"absent to swap":   {driver.Change{Kind: driver.Swap, Members: []driver.Spec{server("i-8")}, Out: []driver.Spec{server("i-9")}}, cloudlb.ErrNotFound},
		"present to swap":  {driver.Change{Kind: driver.Swap, Members: []driver.Spec{server("i-1")}, Out: []driver.Spec{server("i-2")}}, cloudlb.ErrAlreadyExists},
		"in and out":       {driver.Change{Kind: driver.Swap, Members: []driver.Spec{server("i-1")}, Out: []driver.Spec{server("i-1")}}, cloudlb.ErrInvalid},
		"too many members": {driver.Change{Kind: driver.Add, Members: []driver.Spec{server("i-3"), server("i-4")}}, cloudlb.ErrQuota},
		"too many at once": {driver.Change{Kind: driver.SetWeight, Members: []driver.Spec{weighted("i-1", 1), weighted("i-2", 1), weighted("i-3", 1)}}, cloudlb.ErrInvalid},
		"nothing":          {driver.Change{Kind: driver.Remove}, cloudlb.ErrInvalid},
		"twice":            {driver.Change{Kind: driver.Remove, Members: []driver.Spec{server("i-1"), server("i-1")}}, cloudlb.ErrInvalid},
		"weight":           {driver.Change{Kind: driver.SetWeight, Members: []driver.Spec{weighted("i-1", 101)}}, cloudlb.ErrInvalid},
		"no verb":          {driver.Change{Kind: driver.Disable, Members: []driver.Spec{server("i-1")}}, cloudlb.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := mempool.New(mempool.WithServers("i-1:80", "i-2:80"), mempool.WithDescription(func(d *driver.Description) {
				d.MaxMembers, d.SetWeight.Most = 3, 2
			}))
			before := show(t, p)
			if _, err := p.Change(t.Context(), test.change); !errors.Is(err, test.want) {
				t.Errorf("error %v, want %v", err, test.want)
			}
			if after := show(t, p); after != before {
				t.Errorf("the pool was %s, and is %s", before, after)
			}
		})
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	p := mempool.New(mempool.WithServers("i-1:80", "i-2:80"))
	boom := errors.New("boom")
	add := func(name string) error {
		_, err := p.Change(t.Context(), driver.Change{Kind: driver.Add, Members: []driver.Spec{server(name)}})
		return err
	}

	// The second one fails, without effect and then with it.
	p.Inject(mempool.Fault{Op: mempool.Add, Skip: 1, Err: boom})
	p.Inject(mempool.Fault{Op: mempool.Add, Skip: 2, After: true})
	if err := add("i-3"); err != nil {
		t.Error(err)
	}
	if err := add("i-4"); !errors.Is(err, boom) {
		t.Errorf("the second Add: %v", err)
	}
	err := add("i-5")
	if e, ok := errors.AsType[*cloudlb.Error](err); !ok || e.Outcome != cloudlb.OutcomeUnknown || !errors.Is(err, cloudlb.ErrUnavailable) {
		t.Errorf("the third Add: %#v", err)
	}
	if got := show(t, p); got != "i-1=100 ready healthy; i-2=100 ready healthy; i-3=100 ready healthy; i-5=100 ready healthy" {
		t.Error(got)
	}
	if err := add("i-4"); err != nil {
		t.Errorf("the fourth Add: %v", err)
	}

	// Without an Op it is about all changes, and nothing else.
	p.Inject(mempool.Fault{Times: -1})
	for range 2 {
		_, err := p.Change(t.Context(), driver.Change{Kind: driver.Remove, Members: []driver.Spec{server("i-5")}})
		if e, ok := errors.AsType[*cloudlb.Error](err); !ok || e.Outcome != cloudlb.OutcomeRejected {
			t.Errorf("Remove: %#v", err)
		}
	}
	if _, err := p.Describe(t.Context()); err != nil {
		t.Error(err)
	}
	for op, call := range map[mempool.Op]func() error{
		mempool.Describe: func() error { _, err := p.Describe(t.Context()); return err },
		mempool.Members:  func() error { _, err := p.Members(t.Context(), false); return err },
		mempool.Health:   func() error { _, err := p.Members(t.Context(), true); return err },
		mempool.Wait:     func() error { return p.Wait(t.Context(), "") },
	} {
		p.Inject(mempool.Fault{Op: op, Err: boom})
		if err := call(); !errors.Is(err, boom) {
			t.Errorf("%s: %v", op, err)
		}
		if err := call(); err != nil {
			t.Errorf("%s again: %v", op, err)
		}
	}
}

// A call can be done in part.
func TestFaultOnly(t *testing.T) {
	t.Parallel()
	p := mempool.New(mempool.WithServers("i-1:80"))
	boom := errors.New("boom")
	p.Inject(mempool.Fault{Err: boom, Only: []driver.Key{server("i-2").Key}})
	members := []driver.Spec{server("i-2"), server("i-3")}
	result := must(t, p, driver.Change{Kind: driver.Add, Members: members})
	if len(result.Failed) != 1 || result.Failed[0].Key.Server != "i-2" || !errors.Is(result.Failed[0].Err, boom) {
		t.Errorf("%+v", result)
	}
	if got := show(t, p); got != "i-1=100 ready healthy; i-3=100 ready healthy" {
		t.Error(got)
	}
	if members[0].Server != "i-2" || len(p.Calls()[0].Change.Members) != 2 {
		t.Error("the caller's list, or the record of the call, has changed")
	}
}

// Reads lag behind by as much as they are told.
func TestLag(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := mempool.New(mempool.WithServers("i-1:80"))
		p.SetLag(10 * time.Second)
		must(t, p, driver.Change{Kind: driver.Add, Members: []driver.Spec{server("i-2")}})
		<-time.After(5 * time.Second)
		must(t, p, driver.Change{Kind: driver.Remove, Members: []driver.Spec{server("i-1")}})
		for _, want := range []string{
			"i-1=100 ready healthy",
			"i-1=100 ready healthy; i-2=100 ready healthy",
			"i-2=100 ready healthy",
		} {
			if got := show(t, p); got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			<-time.After(5 * time.Second)
		}
		must(t, p, driver.Change{Kind: driver.Remove, Members: []driver.Spec{server("i-2")}})
		if got := show(t, p); got != "i-2=100 ready healthy" {
			t.Errorf("got %s", got)
		}
		p.SetLag(0)
		if got := show(t, p); got != "" {
			t.Errorf("got %s without lag", got)
		}
	})
}

// Others can change the pool too, also in the middle of a call.
func TestEdit(t *testing.T) {
	t.Parallel()
	var p *mempool.Pool
	p = mempool.New(mempool.WithServers("i-1:80", "i-2:80"), mempool.WithHook(func(c mempool.Call) {
		if c.Op != mempool.Add {
			return
		}
		p.Edit(func(members []driver.Member) []driver.Member {
			members[0].Weight = 3
			return append(members[:1], driver.Member{Key: driver.Key{Server: "i-9", Port: 80}, Weight: 4})
		})
	}))
	must(t, p, driver.Change{Kind: driver.Add, Members: []driver.Spec{server("i-2")}}) // the old one is gone by then
	if got := show(t, p); got != "i-1=3 ready healthy; i-9=4 ready healthy; i-2=100 ready healthy" {
		t.Error(got)
	}
	must(t, p, driver.Change{Kind: driver.SetWeight, Members: []driver.Spec{weighted("i-1", 5), weighted("i-9", 6)}})
	if got := show(t, p); got != "i-1=5 ready healthy; i-9=6 ready healthy; i-2=100 ready healthy" {
		t.Error(got)
	}
}

// The record has what was called, in order, with its outcome.
func TestCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := mempool.New()
		start := time.Now()
		must(t, p, driver.Change{Kind: driver.Add, Members: []driver.Spec{server("i-1")}})
		<-time.After(time.Second)
		show(t, p)
		_, err := p.Change(t.Context(), driver.Change{Kind: driver.Remove, Members: []driver.Spec{server("i-2")}})
		if err == nil || p.Check(driver.Change{}) == nil {
			t.Fatal("not refused")
		}
		if _, err := p.Change(t.Context(), driver.Change{Kind: driver.Remove}); err == nil {
			t.Fatal("not refused")
		}
		calls := p.Calls()
		ops := make([]mempool.Op, len(calls))
		for i, c := range calls {
			ops[i] = c.Op
		}
		if want := []mempool.Op{mempool.Add, mempool.Health, mempool.Remove}; !slices.Equal(ops, want) {
			t.Fatalf("calls %v, want %v", ops, want)
		}
		if !calls[0].Time.Equal(start) || !calls[1].Time.Equal(start.Add(time.Second)) || calls[0].Change.Members[0].Server != "i-1" ||
			calls[0].Err != nil || !errors.Is(calls[2].Err, cloudlb.ErrNotFound) {
			t.Errorf("%+v", calls)
		}
		if p.Count(mempool.Remove) != 1 || p.Count(mempool.Swap) != 0 {
			t.Errorf("counts %d and %d", p.Count(mempool.Remove), p.Count(mempool.Swap))
		}
	})
}

// Members can be put in with everything about them, and pools can share turns.
func TestOptions(t *testing.T) {
	t.Parallel()
	locks := new(driver.Locks)
	p := mempool.New(nil, mempool.WithLocks(locks), mempool.WithMembers(
		driver.Member{Key: driver.Key{Server: "i-1", Port: 80}, ID: "own", Weight: 0, Phase: driver.Disabled, Aliases: []string{"10.0.0.1"}},
		driver.Member{Key: driver.Key{Server: "i-1", Port: 81}, Weight: 9},
	))
	members, err := p.Members(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	want := []driver.Member{
		{Key: driver.Key{Server: "i-1", Port: 80}, ID: "own", Phase: driver.Disabled, Aliases: []string{"10.0.0.1"}},
		{Key: driver.Key{Server: "i-1", Port: 81}, ID: "m-1", Weight: 9, Phase: driver.Ready},
	}
	// %+v would write the keys only.
	if got, want := fmt.Sprintf("%#v", members), fmt.Sprintf("%#v", want); got != want {
		t.Errorf("members\n%s, want\n%s", got, want)
	}
	_, err = p.Change(t.Context(), driver.Change{Kind: driver.Remove, Members: []driver.Spec{{Key: driver.Key{Server: "i-1", Port: 80}, ID: "m-1"}}})
	if !errors.Is(err, cloudlb.ErrNotFound) {
		t.Errorf("the ID of another member: %v", err)
	}
	unlock, err := mempool.New(mempool.WithLocks(locks)).Lock(t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := p.Lock(ctx, "key"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("two pools have the same turn: %v", err)
	}
	defer func() {
		if recover() == nil {
			t.Error("WithServers takes what is no key")
		}
	}()
	mempool.WithServers(":80")(p)
}
