package pool

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/cloudlb/cloudlb/pool/driver"
)

// snapshot is what was in the pool at one moment.
type snapshot struct {
	members []Member
	byName  map[string][]int // Server and Aliases
}

func newSnapshot(members []Member) *snapshot {
	s := &snapshot{members: members, byName: make(map[string][]int, len(members))}
	for i := range members {
		s.byName[members[i].Server] = append(s.byName[members[i].Server], i)
		for _, a := range members[i].Aliases {
			if a != members[i].Server {
				s.byName[a] = append(s.byName[a], i)
			}
		}
	}
	return s
}

// find returns the member that a key names, nil if there is none. Members that
// are leaving count only when nobody else has the name. More than one member of
// the name is an error: which one is meant must be said.
func (s *snapshot) find(k Key) (*Member, error) {
	k = canonical(k)
	var found, leaving *Member
	for _, i := range s.byName[k.Server] {
		m := &s.members[i]
		switch {
		case !m.Is(k):
		case m.Key == k:
			return m, nil
		case m.Phase == driver.Leaving:
			leaving = m
		case found != nil:
			return nil, fmt.Errorf("names several members, such as %s and %s: give port and address", found.Key, m.Key)
		default:
			found = m
		}
	}
	if found == nil {
		found = leaving
	}
	return found, nil
}

// canonical writes IPv6 addresses as services list them: there are several ways.
func canonical(k Key) Key {
	for _, s := range []*string{&k.Server, &k.Address} {
		if !strings.Contains(*s, ":") {
			continue
		}
		if addr, err := netip.ParseAddr(*s); err == nil {
			*s = addr.String()
		}
	}
	return k
}

// present returns the member that a key names, unless it is not there or on its
// way out.
func (s *snapshot) present(k Key) (*Member, bool) {
	m, err := s.find(k)
	if err != nil || m == nil || m.Phase == driver.Leaving {
		return nil, false
	}
	return m, true
}

// inService counts the members that get requests, without those that skip has.
func (s *snapshot) inService(d Description, skip map[Key]bool) int {
	n := 0
	for _, m := range s.members {
		if InService(d, m) && !skip[m.Key] {
			n++
		}
	}
	return n
}
