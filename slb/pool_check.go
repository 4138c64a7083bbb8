package slb

import (
	"strings"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/check"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// serverType is what Server names: the Type, in any case of letters, or what
// the form of Server tells. When it is not known it is ecs, in a request that
// is checked and not sent.
func serverType(s driver.Spec) (kind ServerType, known bool) {
	if s.Type != "" {
		for _, kind := range []ServerType{ServerTypeEcs, ServerTypeEni, ServerTypeEci} {
			if strings.EqualFold(s.Type, string(kind)) {
				return kind, true
			}
		}
		return ServerTypeEcs, false
	}
	switch {
	case strings.HasPrefix(s.Server, "i-"):
		return ServerTypeEcs, true
	case strings.HasPrefix(s.Server, "eni-"):
		return ServerTypeEni, true
	case strings.HasPrefix(s.Server, "eci-"):
		return ServerTypeEci, true
	default:
		return ServerTypeEcs, false
	}
}

// poolCheck finds what is wrong with a Change. Its Checker has been through the
// request's own validation before check adds what only shows in terms of
// members.
type poolCheck struct {
	check.Checker

	operation      string
	portless, swap bool
}

func (c *poolCheck) check(ch driver.Change) error {
	switch ch.Kind {
	case driver.Add:
		c.members(ch)
	case driver.SetWeight, driver.Remove:
		c.members(ch)
		c.twice("Members", ch.Members)
	case driver.Swap:
		if !c.swap {
			c.Addf("Kind", "is %q, which the default group has no call for: use add, set-weight and remove", ch.Kind)
			break
		}
		c.members(ch)
		c.leaving(ch)
	default: // Disable and Enable too
		c.Addf("Kind", "is %q, which SLB has no call for: use add, set-weight or remove", ch.Kind)
	}
	if c.Problems() == nil {
		return nil
	}
	return &cloudlb.Error{
		Service: "slb", Operation: c.operation, Class: cloudlb.ClassInvalid, Outcome: cloudlb.OutcomeNotSent,
		Message: "nothing was sent", Err: &cloudlb.ValidationError{Problems: inTermsOfMembers(c.Problems())},
	}
}

func (c *poolCheck) members(ch driver.Change) {
	if len(ch.Members) == 0 {
		c.Addf("Members", "is empty: there is nothing to change")
	}
	if ch.Kind != driver.Swap && len(ch.Out) > 0 {
		c.Addf("Out", "is for swap only: name members to remove in Members of a remove")
	}
	for i, s := range ch.Members {
		c.Enter("Members", i)
		c.server(s)
		kind, _ := serverType(s)
		switch {
		case ch.Kind == driver.SetWeight && s.Weight == nil:
			c.Missing("Weight")
		case ch.Kind != driver.Add && ch.Kind != driver.Swap: // the rest is about new members
		case s.Address != "" && kind == ServerTypeEcs:
			c.Addf("Address", "is for network interfaces and container instances: leave it empty")
		}
		c.Leave()
	}
}

// server finds what is wrong with the name of a member.
func (c *poolCheck) server(s driver.Spec) {
	_, known := serverType(s)
	switch {
	case s.Type != "" && !known:
		c.OneOf("Type", s.Type, string(ServerTypeEcs), string(ServerTypeEni), string(ServerTypeEci))
	case s.Server != "" && !known:
		c.Addf("Type", "is required, %q does not tell it: ecs, eni or eci", s.Server)
	}
	if c.portless && s.Port != 0 {
		c.Addf("Port", "is %d, but members of the default group have the port of each listener: leave it 0", s.Port)
	}
	if s.Subnet != "" {
		c.Addf("Subnet", "exists on ELB only: leave it empty")
	}
	if s.Zone != "" {
		c.Addf("Zone", "is for ELB only: leave it empty")
	}
}

// leaving finds what is wrong with those that a swap takes out.
func (c *poolCheck) leaving(ch driver.Change) {
	if len(ch.Out) == 0 {
		c.Addf("Out", "is empty: use add")
	}
	out := make(map[driver.Key]int, len(ch.Out))
	for i, s := range ch.Out {
		c.Enter("Out", i)
		c.server(s)
		c.Leave()
		out[s.Key] = i
	}
	c.twice("Out", ch.Out)
	for i, s := range ch.Members {
		if j, ok := out[s.Key]; ok {
			c.Enter("Members", i)
			c.Addf("", "is Out[%d] too: leave it out of both, or set its weight", j)
			c.Leave()
		}
	}
}

// twice finds members that are named twice, where the calls themselves do not
// look for them.
func (c *poolCheck) twice(list string, specs []driver.Spec) {
	seen := make(map[driver.Key]int, len(specs))
	for i, s := range specs {
		if first, ok := seen[s.Key]; ok {
			c.Duplicate(list, i, first, "Server, Address and Port")
		} else {
			seen[s.Key] = i
		}
	}
}

// inTermsOfMembers puts the names of a Change for those of the requests.
func inTermsOfMembers(problems []cloudlb.Problem) []cloudlb.Problem {
	names := strings.NewReplacer(
		"NewBackendServers", "Members", "OldBackendServers", "Out", "BackendServers", "Members",
		"ServerId", "Server", "ServerIp", "Address", "Description", "Label",
	)
	out := make([]cloudlb.Problem, 0, len(problems))
	for _, p := range problems {
		if p.Field == "BackendServers" && strings.HasPrefix(p.Message, "is required") {
			continue // said in better words
		}
		out = append(out, cloudlb.Problem{Field: names.Replace(p.Field), Message: names.Replace(p.Message)})
	}
	return out
}
