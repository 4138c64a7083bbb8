package pool

import (
	"errors"
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
	var exact, loose, leaving []*Member
	for _, i := range s.byName[k.Server] {
		m := &s.members[i]
		switch {
		case !m.Is(k):
		case m.Phase == driver.Leaving:
			leaving = append(leaving, m)
		case m.Key == k:
			exact = append(exact, m)
		default:
			loose = append(loose, m)
		}
	}
	for _, found := range [][]*Member{exact, loose, leaving} {
		switch {
		case len(found) == 0:
			continue
		case len(found) > 1 && found[0].Phase != driver.Leaving:
			return nil, &ambiguousError{found}
		default:
			return found[0], nil
		}
	}
	return nil, nil
}

// ambiguousError says that a key names several members.
type ambiguousError struct{ found []*Member }

func (e *ambiguousError) Error() string {
	a, b := e.found[0], e.found[1]
	if a.Key == b.Key {
		return fmt.Sprintf("names several members, %q and %q: remove one of them, or change them by the service's own calls", a.ID, b.ID)
	}
	return fmt.Sprintf("names several members, such as %s and %s: give port and address", a.Key, b.Key)
}

// locate returns the member that a step is about, nil if it is not there any
// more. Who has its name and not its ID or label came after it, and is somebody
// else's.
func (s *snapshot) locate(spec Spec) (*Member, error) {
	m, err := s.find(spec.Key)
	if several, ok := errors.AsType[*ambiguousError](err); ok && spec.ID != "" {
		for _, m := range several.found {
			if m.ID == spec.ID {
				return m, nil
			}
		}
	}
	switch {
	case err != nil:
		return nil, err
	case m == nil || m.Phase == driver.Leaving:
		return nil, nil
	case spec.ID != "" && m.ID != "" && spec.ID != m.ID, spec.Label != "" && spec.Label != m.Label:
		return nil, nil
	default:
		return m, nil
	}
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
