// Package drivertest is what is expected of a driver.Pool, as a test suite:
// package pool relies on it. mempool and the drivers of all services pass it.
//
//	func TestPool(t *testing.T) {
//		drivertest.Run(t, drivertest.Harness{
//			Bubble: true,
//			New:    func(t testing.TB) drivertest.Fixture { ... },
//			Spec:   func(i int) driver.Spec { ... },
//		})
//	}
package drivertest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// Harness is what the suite has to know of a driver.
type Harness struct {
	// New makes a pool without members for one subtest. Required.
	New func(t testing.TB) Fixture
	// Spec is the i-th, counted from 0, of different members that can be added
	// to every such pool. Two calls with the same i give the same. It has no
	// weight. Where the pool has labels, some of them should have a Label.
	// Required.
	Spec func(i int) driver.Spec
	// Bubble runs each subtest in a bubble of testing/synctest, New included,
	// and several of them at a time. Leave it out for a real account.
	Bubble bool
	// MaxMembers is how many members the suite may put into a pool; 0 is no
	// limit. Fewer than 4 are not enough, and below the Most of the verbs it is
	// not shown that full calls work.
	MaxMembers int
}

// Fixture is a pool for one subtest, and what can be done to it from outside.
type Fixture struct {
	// Pool is the driver. Required.
	Pool driver.Pool
	// SetHealth decides what health checks find. Nil if the harness cannot.
	SetHealth func(key driver.Key, healthy bool)
	// Requests counts the requests that were sent so far, HealthCalls those
	// that are sent to read health and nothing else. Nil if the harness cannot.
	Requests    func() int
	HealthCalls func() int
	// Target is what As sets, such as new(*alb.Client). Required.
	Target any
	// Secrets are texts that no error may contain.
	Secrets []string
}

// patience is how long a change may take to be seen, and health to turn.
const patience = 5 * time.Minute

// Run runs the suite.
func Run(t *testing.T, h Harness) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(s *suite)
	}{
		{"describe", describe},
		{"verbs", verbs},
		{"full calls", fullCalls},
		{"check", check},
		{"weights", weights},
		{"add", add},
		{"set weight", setWeight},
		{"remove", remove},
		{"swap", swap},
		{"disable", disable},
		{"keys", keys},
		{"again", again},
		{"tickets", tickets},
		{"health", health},
		{"cancelled", cancelled},
		{"concurrency", concurrency},
		{"lock", lock},
		{"as", as},
	} {
		t.Run(test.name, func(t *testing.T) {
			if !h.Bubble {
				test.run(newSuite(t, h))
				return
			}
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test.run(newSuite(t, h)) })
		})
	}
}

// suite is one subtest.
type suite struct {
	*testing.T
	Fixture
	h Harness
	d driver.Description
}

func newSuite(t *testing.T, h Harness) *suite {
	t.Helper()
	s := &suite{T: t, h: h, Fixture: h.New(t)}
	d, err := s.Pool.Describe(t.Context())
	s.ok("Describe", err)
	s.d = d
	if members := s.members(false); len(members) > 0 {
		t.Fatalf("the harness made a pool that has members: %#v", members)
	}
	return s
}

// ok ends the test if a call failed.
func (s *suite) ok(what string, err error) {
	s.Helper()
	s.clean(err)
	if err != nil {
		s.Fatalf("%s: %v", what, err)
	}
}

// clean looks for secrets in an error.
func (s *suite) clean(err error) {
	s.Helper()
	if err == nil {
		return
	}
	for _, secret := range s.Secrets {
		if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), secret) {
			s.Errorf("the error %q contains a secret", strings.ReplaceAll(err.Error(), secret, "***"))
		}
	}
}

// specs are n members that can be added, from the i-th on.
func (s *suite) specs(i, n int) []driver.Spec {
	var specs []driver.Spec
	for ; n > 0; n-- {
		specs = append(specs, s.h.Spec(i))
		i++
	}
	return specs
}

func (s *suite) members(withHealth bool) []driver.Member {
	s.Helper()
	members, err := s.Pool.Members(s.Context(), withHealth)
	s.ok("Members", err)
	return members
}

// identified fills in the IDs of members that are there, like package pool.
func (s *suite) identified(specs []driver.Spec, members []driver.Member) []driver.Spec {
	specs = slices.Clone(specs)
	for i := range specs {
		for _, m := range members {
			if specs[i].ID == "" && m.Is(specs[i].Key) {
				specs[i].ID = m.ID
			}
		}
	}
	return specs
}

// try makes a change like package pool: with IDs, in its turn, patient with a
// pool that is busy, waiting for the end.
func (s *suite) try(c driver.Change) (driver.Result, error) {
	s.Helper()
	unlock, err := s.Pool.Lock(s.Context(), s.d.LockKey)
	s.ok("Lock", err)
	defer unlock()
	before := s.members(false)
	if c.Kind != driver.Add && c.Kind != driver.Swap {
		c.Members = s.identified(c.Members, before)
	}
	c.Out = s.identified(c.Out, before)
	var result driver.Result
	for start := time.Now(); ; <-time.After(time.Second) {
		result, err = s.Pool.Change(s.Context(), c)
		if !errors.Is(err, cloudlb.ErrBusy) || time.Since(start) > patience {
			break
		}
	}
	s.clean(err)
	for _, f := range result.Failed {
		s.clean(f.Err)
	}
	if err != nil {
		return result, err
	}
	s.ok("Wait", s.Pool.Wait(s.Context(), result.Ticket))
	return result, nil
}

// do makes a change that must succeed.
func (s *suite) do(c driver.Change) driver.Result {
	s.Helper()
	s.ok("Check", s.Pool.Check(driver.Change{Kind: c.Kind, Members: s.identified(c.Members, s.members(false)), Out: s.identified(c.Out, s.members(false))}))
	result, err := s.try(c)
	s.ok(string(c.Kind), err)
	for _, f := range result.Failed {
		s.Fatalf("%s of %s: %v", c.Kind, f.Key, f.Err)
	}
	return result
}

// filled adds members, in as many calls as it takes, and returns them all.
func (s *suite) filled(specs ...driver.Spec) []driver.Member {
	s.Helper()
	most := len(specs)
	if s.d.Add.Most > 0 {
		most = s.d.Add.Most
	}
	for chunk := range slices.Chunk(specs, most) {
		s.do(driver.Change{Kind: driver.Add, Members: chunk})
	}
	return s.expect(nil, specs...)
}

// reach reads the members until wrong has nothing to say about them.
func (s *suite) reach(withHealth bool, wrong func(members []driver.Member) string) {
	s.Helper()
	for start := time.Now(); ; <-time.After(time.Second) {
		members := s.members(withHealth)
		why := wrong(members)
		if why == "" {
			return
		}
		if time.Since(start) > patience {
			s.Fatalf("%s; the pool has %#v", why, members)
		}
	}
}

// expect waits until the pool has exactly these members: old ones that are as
// they were, and new ones as specified. It returns them in this order.
func (s *suite) expect(old []driver.Member, fresh ...driver.Spec) []driver.Member {
	s.Helper()
	var ordered []driver.Member
	s.reach(false, func(members []driver.Member) string {
		ordered = nil
		if len(members) != len(old)+len(fresh) {
			return fmt.Sprintf("there are %d members, want %d", len(members), len(old)+len(fresh))
		}
		for _, want := range old {
			m, ok := named(members, want.Key)
			if !ok || text(m) != text(want) {
				return fmt.Sprintf("member %s is\n%s, want\n%s", want.Key, text(m), text(want))
			}
			ordered = append(ordered, m)
		}
		for _, want := range fresh {
			m, ok := named(members, want.Key)
			if !ok {
				return fmt.Sprintf("member %s is not there", want.Key)
			}
			if why := s.unlike(m, want); why != "" {
				return fmt.Sprintf("member %s %s", want.Key, why)
			}
			ordered = append(ordered, m)
		}
		return ""
	})
	return ordered
}

// unlike says in what a new member is not as it was wanted.
func (s *suite) unlike(m driver.Member, want driver.Spec) string {
	weight := s.d.Weights.Default
	if want.Weight != nil {
		weight = *want.Weight
	}
	switch {
	case m.Phase != driver.Ready:
		return "is " + string(m.Phase) + ", want ready"
	case m.Weight != weight:
		return fmt.Sprintf("has the weight %d, want %d", m.Weight, weight)
	case want.Label != "" && s.d.Labels && m.Label != want.Label:
		return fmt.Sprintf("has the label %q, want %q", m.Label, want.Label)
	case !s.d.Labels && m.Label != "":
		return fmt.Sprintf("has the label %q in a pool without labels", m.Label)
	case want.Type != "" && m.Type != want.Type:
		return fmt.Sprintf("has the type %q, want %q", m.Type, want.Type)
	case want.Zone != "" && m.Zone != want.Zone:
		return fmt.Sprintf("has the zone %q, want %q", m.Zone, want.Zone)
	case want.Subnet != "" && m.Subnet != want.Subnet:
		return fmt.Sprintf("has the subnet %q, want %q", m.Subnet, want.Subnet)
	case s.d.Portless != (m.Port == 0):
		return fmt.Sprintf("has the port %d, and Portless is %t", m.Port, s.d.Portless)
	default:
		return ""
	}
}

// text is all of a member; its String method is that of the key.
func text(m driver.Member) string { return fmt.Sprintf("%#v", m) }

func named(members []driver.Member, k driver.Key) (driver.Member, bool) {
	for _, m := range members {
		if m.Is(k) {
			return m, true
		}
	}
	return driver.Member{}, false
}

// refused says that an error is one of a change that was not sent.
func (s *suite) refused(what string, err error) []cloudlb.Problem {
	s.Helper()
	s.clean(err)
	if err == nil {
		s.Errorf("%s is not refused", what)
		return nil
	}
	if !errors.Is(err, cloudlb.ErrInvalid) {
		s.Errorf("%s: error %v, want one that matches cloudlb.ErrInvalid", what, err)
	}
	if e, ok := errors.AsType[*cloudlb.Error](err); !ok || e.Outcome != cloudlb.OutcomeNotSent || e.Service != s.d.Service {
		s.Errorf("%s: error %#v, want a *cloudlb.Error of %s with OutcomeNotSent", what, err, s.d.Service)
	}
	v, ok := errors.AsType[*cloudlb.ValidationError](err)
	if !ok || len(v.Problems) == 0 {
		s.Errorf("%s: error %v, want a *cloudlb.ValidationError in the chain", what, err)
		return nil
	}
	return v.Problems
}

// refusedTwice is refused by Check and Change alike, which send nothing.
func (s *suite) refusedTwice(what string, c driver.Change) []cloudlb.Problem {
	s.Helper()
	before := s.sent()
	problems := s.refused("Check of "+what, s.Pool.Check(c))
	_, err := s.Pool.Change(s.Context(), c)
	s.refused("Change of "+what, err)
	if sent := s.sent() - before; sent != 0 {
		s.Errorf("%s is refused after %d requests", what, sent)
	}
	return problems
}

// sent counts requests; it is always 0 where the harness cannot.
func (s *suite) sent() int {
	if s.Requests == nil {
		return 0
	}
	return s.Requests()
}

// concerns fails unless a problem is about the field.
func (s *suite) concerns(problems []cloudlb.Problem, field string) {
	s.Helper()
	for _, p := range problems {
		if p.Field == field {
			if p.Message == "" {
				s.Errorf("the problem of %s has no message", field)
			}
			return
		}
	}
	s.Errorf("no problem is about %s: %+v", field, problems)
}
