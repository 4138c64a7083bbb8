package drivertest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cloudlb/cloudlb/pool/driver"
)

// health: it is reported where it can be read, and costs nothing unasked.
func health(s *suite) {
	members := s.filled(s.specs(0, 2)...)
	if s.HealthCalls != nil {
		before := s.HealthCalls()
		s.members(false)
		if calls := s.HealthCalls() - before; calls != 0 {
			s.Errorf("a list without health made %d calls for health", calls)
		}
	}
	if s.d.NoHealth != "" {
		for _, m := range s.members(true) {
			if m.Health != driver.HealthUnknown && m.Health != driver.Unchecked {
				s.Errorf("member %s is %s, though %s", m.Key, m.Health, s.d.NoHealth)
			}
		}
		return
	}
	if s.SetHealth == nil {
		s.Skip("the harness cannot change health")
	}
	s.healths(members, driver.Healthy, driver.Healthy)
	s.SetHealth(members[0].Key, false)
	s.healths(members, driver.Unhealthy, driver.Healthy)
	if s.d.HealthAtZero && s.d.Weights.Min == 0 && s.d.SetWeight.Exists() {
		var specs []driver.Spec
		for i := range members {
			members[i].Weight = 0
			specs = append(specs, members[i].Spec())
		}
		s.do(driver.Change{Kind: driver.SetWeight, Members: specs})
		s.expect(members)
		s.healths(members, driver.Unhealthy, driver.Healthy)
	}
	s.SetHealth(members[0].Key, true)
	s.healths(members, driver.Healthy, driver.Healthy)
}

// healths waits until members have these states of health, and nothing else.
func (s *suite) healths(members []driver.Member, want ...driver.Health) {
	s.Helper()
	s.reach(true, func(now []driver.Member) string {
		for i, m := range members {
			m.Health = want[i]
			got, ok := named(now, m.Key)
			if !ok || text(got) != text(m) {
				return fmt.Sprintf("member %s is\n%s, want\n%s", m.Key, text(got), text(m))
			}
		}
		return ""
	})
}

// cancelled: a context that has ended ends every method, and nothing is sent.
func cancelled(s *suite) {
	specs := s.specs(0, 1)
	result := s.do(driver.Change{Kind: driver.Add, Members: specs})
	members := s.expect(nil, specs...)
	stopped, cancel := context.WithCancel(s.Context())
	cancel()
	late, cancelLate := context.WithDeadline(s.Context(), time.Now().Add(-time.Second))
	defer cancelLate()
	for _, ctx := range []context.Context{stopped, late} {
		before := s.sent()
		for name, call := range map[string]func() error{
			"Describe":               func() error { _, err := s.Pool.Describe(ctx); return err },
			"Members":                func() error { _, err := s.Pool.Members(ctx, false); return err },
			"Members with health":    func() error { _, err := s.Pool.Members(ctx, true); return err },
			"Wait":                   func() error { return s.Pool.Wait(ctx, result.Ticket) },
			"Wait without ticket":    func() error { return s.Pool.Wait(ctx, "") },
			"Lock":                   func() error { _, err := s.Pool.Lock(ctx, s.d.LockKey); return err },
			string(driver.Add):       s.changing(ctx, driver.Change{Kind: driver.Add, Members: s.specs(1, 1)}),
			string(driver.Remove):    s.changing(ctx, driver.Change{Kind: driver.Remove, Members: []driver.Spec{members[0].Spec()}}),
			string(driver.SetWeight): s.changing(ctx, driver.Change{Kind: driver.SetWeight, Members: []driver.Spec{members[0].Spec()}}),
			string(driver.Disable):   s.changing(ctx, driver.Change{Kind: driver.Disable, Members: []driver.Spec{members[0].Spec()}}),
			string(driver.Enable):    s.changing(ctx, driver.Change{Kind: driver.Enable, Members: []driver.Spec{members[0].Spec()}}),
			string(driver.Swap):      s.changing(ctx, driver.Change{Kind: driver.Swap, Members: s.specs(1, 1), Out: []driver.Spec{members[0].Spec()}}),
		} {
			err := call()
			s.clean(err)
			if !errors.Is(err, ctx.Err()) {
				s.Errorf("%s: error %v, want %v", name, err, ctx.Err())
			}
		}
		if sent := s.sent() - before; sent != 0 {
			s.Errorf("%d requests were sent for a context that had ended", sent)
		}
	}
	s.expect(members)
	unlock, err := s.Pool.Lock(s.Context(), s.d.LockKey) // nobody has kept it
	s.ok("Lock", err)
	unlock()
}

// changing makes a change if the pool can, and otherwise only fails like it.
func (s *suite) changing(ctx context.Context, c driver.Change) func() error {
	if !s.d.Verb(c.Kind).Exists() {
		return ctx.Err
	}
	return func() error { _, err := s.Pool.Change(ctx, c); return err }
}

// concurrency: readers and writers at once, for the race detector.
func concurrency(s *suite) {
	members := s.filled(s.specs(0, 2)...)
	start, err := s.Pool.Describe(s.Context())
	s.ok("Describe", err)
	var wg sync.WaitGroup
	fail := func(what string, err error) {
		if err != nil {
			s.Errorf("%s: %v", what, err)
		}
	}
	for i := range 2 {
		wg.Go(func() {
			for range 3 {
				_, err := s.Pool.Members(s.Context(), true)
				fail("Members", err)
				d, err := s.Pool.Describe(s.Context())
				fail("Describe", err)
				if d != start {
					s.Errorf("Description %+v, want %+v", d, start)
				}
				fail("Check", s.Pool.Check(driver.Change{Kind: driver.Add, Members: s.specs(0, 2)}))
			}
		})
		wg.Go(func() {
			c := driver.Change{Kind: driver.Add, Members: s.specs(2+i, 1)}
			if _, err := s.try(c); err != nil {
				s.Errorf("Add: %v", err)
			}
		})
	}
	wg.Wait()
	s.expect(members, s.specs(2, 2)...)
}

// lock: equal keys take turns, others do not wait, unlocking twice is harmless.
func lock(s *suite) {
	key := s.d.LockKey
	first, err := s.Pool.Lock(s.Context(), key)
	s.ok("Lock", err)
	ctx, cancel := context.WithTimeout(s.Context(), 100*time.Millisecond)
	defer cancel()
	other, err := s.Pool.Lock(ctx, key+"/other")
	s.ok("Lock of another key", err)
	other()
	if _, err := s.Pool.Lock(ctx, key); !errors.Is(err, context.DeadlineExceeded) {
		s.Fatalf("Lock of a key that is taken: error %v, want %v", err, context.DeadlineExceeded)
	}

	type turn struct {
		unlock func()
		err    error
	}
	turns := make(chan turn, 1)
	go func() {
		unlock, err := s.Pool.Lock(s.Context(), key)
		turns <- turn{unlock, err}
	}()
	select {
	case <-turns:
		s.Fatal("two have the same turn")
	case <-time.After(100 * time.Millisecond):
	}
	first()
	second := <-turns
	s.ok("Lock", second.err)
	first() // not the turn of the second one
	ctx, cancel = context.WithTimeout(s.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := s.Pool.Lock(ctx, key); err == nil {
		s.Fatal("unlocking twice ended the turn of somebody else")
	}
	second.unlock()
	third, err := s.Pool.Lock(s.Context(), key)
	s.ok("Lock", err)
	third()
}
