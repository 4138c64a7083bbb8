package drivertest

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cloudlb/cloudlb/pool/driver"
)

func kinds() []driver.Kind {
	return []driver.Kind{driver.Add, driver.SetWeight, driver.Remove, driver.Swap, driver.Disable, driver.Enable}
}

// describe: the Description is complete, and the same each time.
func describe(s *suite) {
	d := s.d
	for _, f := range []struct{ name, value string }{{"Service", d.Service}, {"Region", d.Region}, {"ID", d.ID}, {"LockKey", d.LockKey}} {
		if f.value == "" {
			s.Errorf("Description.%s is empty", f.name)
		}
	}
	if !strings.HasPrefix(d.LockKey, d.Service+"/"+d.Region+"/") {
		s.Errorf("LockKey %q does not begin with %q: keys of several services and regions could be equal", d.LockKey, d.Service+"/"+d.Region+"/")
	}
	if !d.Add.Exists() || !d.Remove.Exists() {
		s.Error("Add or Remove does not exist")
	}
	if d.Disable.Exists() != d.Enable.Exists() {
		s.Error("one of Disable and Enable exists without the other")
	}
	for _, k := range kinds() {
		if v := d.Verb(k); v.Most < 0 || !v.Exists() && v.Most != 0 {
			s.Errorf("%s takes at most %d members", k, v.Most)
		}
	}
	if w := d.Weights; w.Min < 0 || w.Max <= w.Min || w.Default < w.Min || w.Default > w.Max {
		s.Errorf("weights: %+v", w)
	}
	for _, reason := range []string{d.NoHealth, d.Weights.Ignored} {
		if reason != "" && !strings.Contains(reason, " ") {
			s.Errorf("%q is no reason in words", reason)
		}
	}
	if d.Draining < 0 || d.MaxMembers < 0 {
		s.Errorf("Draining %s, MaxMembers %d", d.Draining, d.MaxMembers)
	}
	if d.Account == nil {
		s.Error("Account is nil: the budgets of the pool cannot be shared")
	}

	again, err := s.Pool.Describe(s.Context())
	s.ok("Describe", err)
	if again.Account != d.Account {
		s.Error("Account is another one the second time")
	}
	d.Account, again.Account = nil, nil
	if again != d {
		s.Errorf("the second Description is\n%+v, the first\n%+v", again, d)
	}
	data, err := json.Marshal(d) //nolint:musttag // the names of its fields are its JSON
	s.ok("json", err)
	var back driver.Description
	s.ok("json", json.Unmarshal(data, &back)) //nolint:musttag // as above
	if back != d {
		s.Errorf("after a round trip through JSON the Description is\n%+v, want\n%+v", back, d)
	}
}

// verbs: what does not exist is refused, and so is a change of nothing.
func verbs(s *suite) {
	members := s.filled(s.specs(0, 2)...)
	present := []driver.Spec{members[0].Spec()}
	absent := s.specs(2, 1)
	for _, k := range kinds() {
		c := driver.Change{Kind: k, Members: present}
		switch k {
		case driver.Add:
			c.Members = absent
		case driver.Swap:
			c.Members, c.Out = absent, present
		default:
		}
		if !s.d.Verb(k).Exists() {
			s.refusedTwice(fmt.Sprintf("%s, which does not exist,", k), c)
		} else if err := s.Pool.Check(c); err != nil {
			s.Errorf("Check of %s: %v", k, err)
		}
		s.refusedTwice("an empty "+string(k), driver.Change{Kind: k})
		if k != driver.Swap {
			c.Out = []driver.Spec{members[1].Spec()}
			s.refusedTwice("Out in "+string(k), c)
		}
	}
	s.refusedTwice("an unknown kind", driver.Change{Kind: "explode", Members: present})
	s.refusedTwice("no kind", driver.Change{Members: present})
	s.expect(members)
}

// fullCalls: Most members are accepted, one more is not.
func fullCalls(s *suite) {
	limit := 0
	for _, k := range kinds() {
		limit = max(limit, s.d.Verb(k).Most)
	}
	if most := s.d.Add.Most; most > 0 {
		s.refusedTwice("an Add of one too many", driver.Change{Kind: driver.Add, Members: s.specs(0, most+1)})
		s.ok("Check of a full Add", s.Pool.Check(driver.Change{Kind: driver.Add, Members: s.specs(0, most)}))
	}
	n := limit + 1
	for _, allowed := range []int{s.h.MaxMembers, s.d.MaxMembers} {
		if allowed > 0 && n > allowed {
			s.Logf("at most %d members: full calls of more are not shown", allowed)
			n = allowed
		}
	}
	members := s.filled(s.specs(0, n)...)
	for _, k := range []driver.Kind{driver.SetWeight, driver.Disable, driver.Enable, driver.Remove} {
		v := s.d.Verb(k)
		if !v.Exists() || v.Most == 0 || v.Most > len(members) {
			continue
		}
		var specs []driver.Spec
		for i := range members {
			spec := members[i].Spec()
			if k == driver.SetWeight {
				spec.Weight = new(s.d.Weights.Max)
			}
			specs = append(specs, spec)
		}
		if v.Most < len(members) {
			s.refusedTwice(fmt.Sprintf("a %s of one too many", k), driver.Change{Kind: k, Members: specs[:v.Most+1]})
		}
		s.do(driver.Change{Kind: k, Members: specs[:v.Most]})
		for i := range members[:v.Most] {
			switch k {
			case driver.SetWeight:
				members[i].Weight = s.d.Weights.Max
			case driver.Disable:
				members[i].Phase = driver.Disabled
			case driver.Enable:
				members[i].Phase = driver.Ready
			default:
			}
		}
		if k == driver.Remove {
			members = members[v.Most:]
		}
		s.expect(members)
	}
}

// check: what is wrong with a change is said with the field.
func check(s *suite) {
	good := s.specs(0, 2)
	bad := func(i int, field string, spoil func(*driver.Spec)) {
		specs := s.specs(0, 2)
		spoil(&specs[i])
		problems := s.refusedTwice("a wrong "+field, driver.Change{Kind: driver.Add, Members: specs})
		s.concerns(problems, fmt.Sprintf("Members[%d].%s", i, field))
	}
	bad(1, "Server", func(m *driver.Spec) { m.Server = "" })
	bad(1, "Port", func(m *driver.Spec) { m.Port = -1 })
	bad(0, "Port", func(m *driver.Spec) { m.Port = 65536 })
	bad(0, "Weight", func(m *driver.Spec) { m.Weight = new(s.d.Weights.Min - 1) })
	bad(1, "Weight", func(m *driver.Spec) { m.Weight = new(s.d.Weights.Max + 1) })
	s.refusedTwice("a member twice", driver.Change{Kind: driver.Add, Members: append(good, good[0])})

	members := s.filled(good...)
	if s.d.SetWeight.Exists() {
		second := members[1].Spec()
		for _, weight := range []*int{nil, new(s.d.Weights.Min - 1), new(s.d.Weights.Max + 1)} {
			second.Weight = weight
			problems := s.refusedTwice("a wrong weight", driver.Change{Kind: driver.SetWeight, Members: []driver.Spec{second}})
			s.concerns(problems, "Members[0].Weight")
		}
	}
	s.expect(members)
}

// as: the typed client comes back.
func as(s *suite) {
	if !s.Pool.As(s.Target) {
		s.Errorf("As does not set a %T", s.Target)
	}
	for _, other := range []any{new(int), new(*int), nil} {
		if s.Pool.As(other) {
			s.Errorf("As sets a %T", other)
		}
	}
}
