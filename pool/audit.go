package pool

import (
	"context"
	"fmt"
	"strings"

	"github.com/cloudlb/cloudlb/pool/driver"
)

// AuditOptions say what to look for beyond what is always looked for.
type AuditOptions struct {
	// Desired says what a pool should be, or false where that is not known.
	// Members that are missing, not desired, or of another weight are findings
	// then. It is called for several pools at the same time.
	Desired func(p *Pool, d Description) ([]Spec, bool)
	// Zone says which zone a member is in, or "" if that is not known. By
	// default it is Member.Zone, which only ELB tells.
	Zone func(Member) string
	// NoHealth leaves health alone, which can cost several calls for each pool
	// (on ALB of an operation with a budget of 10 a second). Members count as in
	// service then for what else is known of them.
	NoHealth bool
}

// Finding is something that Fleet.Audit has found.
type Finding struct {
	// Pool is "service/region/ID", or "pools[3]" if the pool cannot be read.
	Pool string `json:"pool"`
	// Key is the member that it is about; zero where it is about the pool.
	Key  Key         `json:"key,omitzero"`
	Kind FindingKind `json:"kind"`
	// Harmless: nothing need be done about it.
	Harmless bool `json:"harmless,omitempty"`
	// Message says it in words.
	Message string `json:"message"`
	// Err is set for FindingUnreadable.
	Err error `json:"-"`
}

// FindingKind is what kind of thing was found.
type FindingKind string

// What an audit finds.
const (
	// FindingUnreadable: the pool could not be read; nothing is known of it.
	FindingUnreadable FindingKind = "unreadable"
	// FindingEmpty: it has no members.
	FindingEmpty FindingKind = "no members"
	// FindingOutOfService: it has members, and none of them gets requests.
	FindingOutOfService FindingKind = "nothing in service"
	// FindingUnchecked: no health checks. It says nothing about how it is.
	FindingUnchecked FindingKind = "not health-checked"
	// FindingOneZone: all of its members, at least 2, are in one zone.
	FindingOneZone FindingKind = "one zone"
	// FindingZeroWeight: a member of weight 0, perhaps left over from a deploy.
	// Harmless where weights have no effect.
	FindingZeroWeight FindingKind = "zero weight"
	// FindingDisabled: a member is switched off.
	FindingDisabled FindingKind = "disabled"
	// FindingUnhealthy: health checks of a member fail.
	FindingUnhealthy FindingKind = "unhealthy"
	// FindingTwice: two members are the same server and port by different names,
	// and it gets the requests of both.
	FindingTwice FindingKind = "twice in the pool"
	// FindingMissing, FindingExtra and FindingWeight are differences from
	// AuditOptions.Desired: a desired member that is not there, one that is not
	// desired, one of another weight.
	FindingMissing FindingKind = "missing"
	FindingExtra   FindingKind = "not desired"
	FindingWeight  FindingKind = "other weight"
)

// String is the finding in one line.
func (f Finding) String() string {
	var b strings.Builder
	b.WriteString(f.Pool)
	if f.Key != (Key{}) {
		b.WriteString(" " + f.Key.String())
	}
	fmt.Fprintf(&b, ": %s", f.Kind)
	if f.Message != "" {
		fmt.Fprintf(&b, ": %s", f.Message)
	}
	if f.Harmless {
		b.WriteString(" (harmless)")
	}
	return b.String()
}

// Audit reads all pools and says what is not well with them: pools without
// members or with nothing in service, members that are out of service, zones,
// servers that are in a pool twice, and differences from what is desired. It
// changes nothing. Findings are in the order of the Fleet's pools.
//
// The error is not nil if pools could not be read, which are findings too. The
// findings about the others are complete then.
func (f *Fleet) Audit(ctx context.Context, opts AuditOptions) ([]Finding, error) {
	fr, err := f.begin(ctx, "Audit")
	if err != nil {
		return nil, err
	}
	if opts.Zone == nil {
		opts.Zone = func(m Member) string { return m.Zone }
	}
	found := make([][]Finding, len(fr.pools))
	fr.started("", 0)
	fr.work(ctx, func(ctx context.Context, fp *fleetPool) (*Report, error) {
		members, err := fp.p.drv.Members(ctx, !opts.NoHealth && fp.d.NoHealth == "")
		if err != nil {
			return nil, err
		}
		a := auditor{pool: fp.name, d: fp.d, members: staying(members)}
		a.auditPool(opts)
		a.auditMembers()
		a.auditTwice()
		if opts.Desired != nil {
			if desired, known := opts.Desired(fp.p, fp.d); known {
				a.auditDrift(desired)
			}
		}
		found[fp.index] = a.found
		return nil, nil
	})
	report, err := fr.end(ctx)
	var all []Finding
	for i, p := range report.Pools {
		if p.Err != nil {
			all = append(all, Finding{Pool: p.Pool, Kind: FindingUnreadable, Message: p.Err.Error(), Err: p.Err})
			continue
		}
		all = append(all, found[i]...)
	}
	return all, err
}

// staying leaves out members that are on their way out.
func staying(members []Member) []Member {
	var stay []Member
	for _, m := range members {
		if m.Phase != driver.Leaving {
			stay = append(stay, m)
		}
	}
	return stay
}

// auditor looks at one pool.
type auditor struct {
	pool    string
	d       Description
	members []Member
	found   []Finding
}

func (a *auditor) finding(kind FindingKind, k Key, format string, args ...any) *Finding {
	a.found = append(a.found, Finding{Pool: a.pool, Key: k, Kind: kind, Message: fmt.Sprintf(format, args...)})
	return &a.found[len(a.found)-1]
}

func (a *auditor) auditPool(opts AuditOptions) {
	serving := 0
	for _, m := range a.members {
		if InService(a.d, m) {
			serving++
		}
	}
	switch {
	case len(a.members) == 0:
		a.finding(FindingEmpty, Key{}, "")
	case serving == 0:
		a.finding(FindingOutOfService, Key{}, "%s, none of which gets requests", count(len(a.members), "member"))
	}
	if a.d.NoHealth != "" {
		a.finding(FindingUnchecked, Key{}, "%s", a.d.NoHealth)
	}
	zones := make(map[string]int)
	for _, m := range a.members {
		zones[opts.Zone(m)]++
	}
	if len(zones) == 1 && zones[""] == 0 && len(a.members) > 1 {
		a.finding(FindingOneZone, Key{}, "all %d members are in %s", len(a.members), opts.Zone(a.members[0]))
	}
}

func (a *auditor) auditMembers() {
	for _, m := range a.members {
		if m.Phase == driver.Disabled {
			a.finding(FindingDisabled, m.Key, "")
		}
		switch {
		case m.Weight != 0:
		case a.d.Weights.Ignored != "":
			a.finding(FindingZeroWeight, m.Key, "it gets requests all the same: %s", a.d.Weights.Ignored).Harmless = true
		default:
			a.finding(FindingZeroWeight, m.Key, "it gets no requests")
		}
		if m.Health == driver.Unhealthy {
			a.finding(FindingUnhealthy, m.Key, "")
		}
	}
}

// auditTwice finds servers that are in the pool by their instance ID and by
// their address. The addresses of one network interface are different members.
func (a *auditor) auditTwice() {
	type place struct {
		name string
		port int
	}
	first := make(map[place]Key, len(a.members))
	for _, m := range a.members {
		names := append([]string{m.Server}, m.Aliases...)
		if m.Address != "" {
			names = []string{m.Address}
		}
		for _, name := range names {
			before, twice := first[place{name, m.Port}]
			if twice && before != m.Key {
				a.finding(FindingTwice, m.Key, "it is %s", before)
				break
			}
			first[place{name, m.Port}] = m.Key
		}
	}
}

// auditDrift compares with what is desired.
func (a *auditor) auditDrift(desired []Spec) {
	seen := newSnapshot(a.members)
	wanted := make(map[Key]bool, len(desired))
	for _, s := range desired {
		m, err := seen.find(s.Key)
		switch {
		case err != nil:
			a.finding(FindingMissing, s.Key, "%v", err)
		case m == nil:
			a.finding(FindingMissing, s.Key, "")
		default:
			wanted[m.Key] = true
			if s.Weight != nil && *s.Weight != m.Weight {
				a.finding(FindingWeight, m.Key, "%d, not %d", m.Weight, *s.Weight)
			}
		}
	}
	for _, m := range a.members {
		if !wanted[m.Key] {
			a.finding(FindingExtra, m.Key, "")
		}
	}
}
