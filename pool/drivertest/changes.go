package drivertest

import (
	"encoding/json"
	"errors"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// weights: both limits work, the default is the default, and 0 is not nil.
func weights(s *suite) {
	w := s.d.Weights
	specs := s.specs(0, 3)
	specs[0].Weight, specs[1].Weight = new(w.Min), new(w.Max)
	members := s.filled(specs...)
	if !s.d.SetWeight.Exists() {
		return
	}
	for i, weight := range []int{w.Max, w.Min} { // the other way round
		spec := members[i].Spec()
		spec.Weight = new(weight)
		s.do(driver.Change{Kind: driver.SetWeight, Members: []driver.Spec{spec}})
		members[i].Weight = weight
		s.expect(members)
	}
}

// add: new members are as specified, others as they were.
func add(s *suite) {
	others := s.specs(0, 2)
	others[0].Weight = new(s.d.Weights.Min)
	before := s.filled(others...)
	fresh := s.specs(2, 2)
	fresh[1].Weight = new(s.d.Weights.Min + 1)
	s.do(driver.Change{Kind: driver.Add, Members: fresh})
	s.expect(before, fresh...)
}

// setWeight: only the weight of those named changes, even of disabled ones.
func setWeight(s *suite) {
	if !s.d.SetWeight.Exists() {
		s.Skip("there is no call for it")
	}
	members := s.filled(s.specs(0, 4)...)
	if s.d.Disable.Exists() {
		s.do(driver.Change{Kind: driver.Disable, Members: []driver.Spec{members[1].Spec()}})
		members[1].Phase = driver.Disabled
		s.expect(members)
	}
	var specs []driver.Spec
	for i := range members[:3] {
		specs = append(specs, members[i].Spec())
		members[i].Weight = s.d.Weights.Min + 1 + i
		specs[i].Weight = new(members[i].Weight)
	}
	if s.d.SetWeight.Most >= 3 || s.d.SetWeight.Most == 0 {
		s.do(driver.Change{Kind: driver.SetWeight, Members: specs})
	} else {
		for i := range specs {
			s.do(driver.Change{Kind: driver.SetWeight, Members: specs[i : i+1]})
		}
	}
	s.expect(members)

	// By the names that a user knows, without label and type.
	plain := driver.Spec{Key: s.h.Spec(0).Key, Weight: new(s.d.Weights.Max)}
	s.do(driver.Change{Kind: driver.SetWeight, Members: []driver.Spec{plain}})
	members[0].Weight = s.d.Weights.Max
	s.expect(members)
}

// remove: those named go, and can come back as they were.
func remove(s *suite) {
	specs := s.specs(0, 3)
	specs[1].Weight = new(s.d.Weights.Min + 1)
	members := s.filled(specs...)
	gone, rest := members[1], []driver.Member{members[0], members[2]}
	s.do(driver.Change{Kind: driver.Remove, Members: []driver.Spec{gone.Spec()}})
	s.expect(rest)

	// Add does not look at the ID, which is that of the removed member.
	s.do(driver.Change{Kind: driver.Add, Members: []driver.Spec{gone.Spec()}})
	want := gone.Spec()
	want.ID = ""
	members = s.expect(rest, want)
	if back := members[2]; back.Key != gone.Key || back.Label != gone.Label || back.Weight != gone.Weight {
		s.Errorf("the member came back as\n%s, it was\n%s", text(back), text(gone))
	}

	// By the names that a user knows.
	s.do(driver.Change{Kind: driver.Remove, Members: []driver.Spec{{Key: s.h.Spec(1).Key}}})
	s.expect(rest)
}

// swap: some leave, others join, the rest stays.
func swap(s *suite) {
	if !s.d.Swap.Exists() {
		s.Skip("there is no call for it")
	}
	members := s.filled(s.specs(0, 3)...)
	fresh := s.specs(3, 2)
	in, out := fresh, []driver.Spec{members[0].Spec(), members[1].Spec()}
	s.do(driver.Change{Kind: driver.Swap, Members: in, Out: out})
	s.expect(members[2:], fresh...)
}

// disable: those named are switched off and keep everything else.
func disable(s *suite) {
	if !s.d.Disable.Exists() {
		s.Skip("there is no call for it")
	}
	members := s.filled(s.specs(0, 3)...)
	c := driver.Change{Kind: driver.Disable, Members: []driver.Spec{members[1].Spec()}}
	s.do(c)
	members[1].Phase = driver.Disabled
	s.expect(members)
	s.do(c)
	s.expect(members)
	c.Kind = driver.Enable
	s.do(c)
	members[1].Phase = driver.Ready
	s.expect(members)
}

// keys: members have names that last.
func keys(s *suite) {
	specs := s.specs(0, 4)
	members := s.filled(specs...)
	seen := make(map[string]bool)
	for i, m := range members {
		if !m.Is(m.Key) || m.Key != m.Spec().Key {
			s.Errorf("member %s is not what its key names", m.Key)
		}
		for j := range specs {
			if m.Is(specs[j].Key) != (i == j) {
				s.Errorf("member %s for the key %s: Is is %t", m.Key, specs[j].Key, i != j)
			}
		}
		for _, alias := range m.Aliases {
			if !m.Is(driver.Key{Server: alias, Port: m.Port}) || alias == "" {
				s.Errorf("member %s has the alias %q", m.Key, alias)
			}
		}
		back, err := driver.ParseKey(m.Key.String())
		if s.ok("ParseKey", err); back != m.Key {
			s.Errorf("key %#v is written %s and read %#v", m.Key, m.Key, back)
		}
		if seen[m.Key.String()] || m.ID != "" && seen[m.ID] {
			s.Errorf("two members are %s, ID %s", m.Key, m.ID)
		}
		seen[m.Key.String()], seen[m.ID] = true, true

		data, err := json.Marshal(m)
		s.ok("json", err)
		var decoded driver.Member
		s.ok("json", json.Unmarshal(data, &decoded))
		if text(decoded) != text(m) {
			s.Errorf("after a round trip through JSON the member is\n%s, want\n%s", text(decoded), text(m))
		}
	}
	s.expect(members) // the second time too
}

// again: what is done already fails or succeeds, and changes nothing.
func again(s *suite) {
	members := s.filled(s.specs(0, 3)...)
	removed, rest := members[2], members[:2]
	s.do(driver.Change{Kind: driver.Remove, Members: []driver.Spec{removed.Spec()}})
	s.expect(rest)
	absent := removed.Spec()
	absent.Weight = new(s.d.Weights.Min)
	other := rest[0].Spec()
	other.Weight = new(rest[0].Weight + 1)
	if *other.Weight > s.d.Weights.Max {
		other.Weight = new(s.d.Weights.Min)
	}
	for _, c := range []driver.Change{
		{Kind: driver.Add, Members: []driver.Spec{rest[0].Spec()}},
		{Kind: driver.Add, Members: []driver.Spec{other}},
		{Kind: driver.Remove, Members: []driver.Spec{absent}},
		{Kind: driver.SetWeight, Members: []driver.Spec{absent}},
		{Kind: driver.Disable, Members: []driver.Spec{absent}},
		{Kind: driver.Enable, Members: []driver.Spec{absent}},
		{Kind: driver.Swap, Members: []driver.Spec{rest[1].Spec()}, Out: []driver.Spec{rest[0].Spec()}},
	} {
		if !s.d.Verb(c.Kind).Exists() {
			continue
		}
		result, err := s.try(c)
		failures := result.Failed
		if err != nil {
			failures = append(failures, driver.Failure{Key: c.Members[0].Key, Err: err})
		}
		for _, f := range failures {
			s.Logf("%s again: %v", c.Kind, f.Err)
			if !errors.Is(f.Err, cloudlb.ErrAlreadyExists) && !errors.Is(f.Err, cloudlb.ErrNotFound) && !errors.Is(f.Err, cloudlb.ErrInvalid) {
				s.Errorf("%s of %s again: error %v, want one that matches ErrAlreadyExists, ErrNotFound or ErrInvalid", c.Kind, f.Key, f.Err)
			}
			if f.Key != c.Members[0].Key {
				s.Errorf("%s of %s: the failure is about %s", c.Kind, c.Members[0].Key, f.Key)
			}
		}
		s.expect(rest)
	}
}

// tickets: waiting again, or for nothing, is over at once.
func tickets(s *suite) {
	s.ok("Wait without a ticket", s.Pool.Wait(s.Context(), ""))
	specs := s.specs(0, 2)
	first := s.do(driver.Change{Kind: driver.Add, Members: specs[:1]})
	s.do(driver.Change{Kind: driver.Add, Members: specs[1:]})
	s.ok("Wait with an old ticket", s.Pool.Wait(s.Context(), first.Ticket))
	s.ok("Wait with an old ticket", s.Pool.Wait(s.Context(), first.Ticket))
	s.expect(nil, specs...)
}
