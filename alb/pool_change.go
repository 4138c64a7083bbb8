package alb

import (
	"context"
	"net/netip"
	"strings"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/check"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// Change implements driver.Pool. It makes one call, which carries the Token as
// client token.
func (p *groupPool) Change(ctx context.Context, ch driver.Change) (driver.Result, error) {
	if err := p.Check(ch); err != nil {
		return driver.Result{}, err
	}
	switch ch.Kind {
	case driver.Add:
		res, err := p.c.AddServersToServerGroup(ctx, p.adding(ch))
		if err != nil {
			return driver.Result{}, err
		}
		return driver.Result{RequestID: res.RequestID, Ticket: res.JobID}, nil
	case driver.SetWeight:
		res, err := p.c.UpdateServerGroupServersAttribute(ctx, p.weighing(ch))
		if err != nil {
			return driver.Result{}, err
		}
		return driver.Result{RequestID: res.RequestID, Ticket: res.JobID}, nil
	case driver.Remove:
		res, err := p.c.RemoveServersFromServerGroup(ctx, p.removing(ch))
		if err != nil {
			return driver.Result{}, err
		}
		return driver.Result{RequestID: res.RequestID, Ticket: res.JobID}, nil
	default: // Swap: Check has refused the others
		res, err := p.c.ReplaceServersInServerGroup(ctx, p.swapping(ch))
		if err != nil {
			return driver.Result{}, err
		}
		return driver.Result{RequestID: res.RequestID, Ticket: res.JobID}, nil
	}
}

func (p *groupPool) adding(ch driver.Change) AddServersToServerGroupRequest {
	req := AddServersToServerGroupRequest{ClientToken: ch.Token, ServerGroupID: p.id}
	for _, s := range ch.Members {
		kind, _ := serverType(s)
		req.Servers = append(req.Servers, AddedServer{
			ServerID: s.Server, ServerType: kind, ServerIP: serverIP(s), Port: s.Port, Weight: s.Weight, Description: s.Label,
		})
	}
	return req
}

// weighing sends the description along, rather than rely on ALB to keep it as
// it does not keep the weight.
func (p *groupPool) weighing(ch driver.Change) UpdateServerGroupServersAttributeRequest {
	req := UpdateServerGroupServersAttributeRequest{ClientToken: ch.Token, ServerGroupID: p.id}
	for _, s := range ch.Members {
		kind, _ := serverType(s)
		req.Servers = append(req.Servers, UpdatedServer{
			ServerID: s.Server, ServerType: kind, ServerIP: listedIP(s), Port: s.Port, Weight: s.Weight, Description: s.Label,
		})
	}
	return req
}

func (p *groupPool) removing(ch driver.Change) RemoveServersFromServerGroupRequest {
	req := RemoveServersFromServerGroupRequest{ClientToken: ch.Token, ServerGroupID: p.id}
	for _, s := range ch.Members {
		kind, _ := serverType(s)
		req.Servers = append(req.Servers, RemovedServer{ServerID: s.Server, ServerType: kind, ServerIP: listedIP(s), Port: s.Port})
	}
	return req
}

func (p *groupPool) swapping(ch driver.Change) ReplaceServersInServerGroupRequest {
	req := ReplaceServersInServerGroupRequest{ClientToken: ch.Token, ServerGroupID: p.id}
	for _, s := range ch.Members {
		kind, _ := serverType(s)
		req.AddedServers = append(req.AddedServers, ReplacementServer{
			ServerID: s.Server, ServerType: kind, ServerIP: serverIP(s), Port: s.Port, Weight: s.Weight, Description: s.Label,
		})
	}
	for _, s := range ch.Out {
		kind, _ := serverType(s)
		req.RemovedServers = append(req.RemovedServers, ReplacedServer{ServerID: s.Server, ServerType: kind, ServerIP: listedIP(s), Port: s.Port})
	}
	return req
}

// serverIP is the address to send: that of an Ip server is its ID.
func serverIP(s driver.Spec) string {
	if s.Address == s.Server {
		return ""
	}
	return s.Address
}

// listedIP is the address of a member that is there, as ALB lists it: somebody
// may have put an instance in by another address than its first one.
func listedIP(s driver.Spec) string {
	if ip := serverIP(s); ip != "" {
		return ip
	}
	return s.ID
}

// serverType is what Server names: the Type, in any case of letters, or what
// the form of Server tells. When it is not known it is Ecs, in a request that
// is checked and not sent.
func serverType(s driver.Spec) (kind ServerType, known bool) {
	if s.Type != "" {
		for _, kind := range []ServerType{ServerTypeEcs, ServerTypeEni, ServerTypeEci, ServerTypeIp, ServerTypeFc} {
			if strings.EqualFold(s.Type, string(kind)) {
				return kind, true
			}
		}
		return ServerTypeEcs, false
	}
	_, notIP := netip.ParseAddr(s.Server)
	switch {
	case strings.HasPrefix(s.Server, "i-"):
		return ServerTypeEcs, true
	case strings.HasPrefix(s.Server, "eni-"):
		return ServerTypeEni, true
	case strings.HasPrefix(s.Server, "eci-"):
		return ServerTypeEci, true
	case strings.HasPrefix(s.Server, "acs:fc:"):
		return ServerTypeFc, true
	case notIP == nil:
		return ServerTypeIp, true
	default:
		return ServerTypeEcs, false
	}
}

// Check implements driver.Pool. It runs what the calls themselves check, and
// adds what only shows in terms of members.
func (p *groupPool) Check(ch driver.Change) error {
	operation, v := "Check", check.Checker{}
	if err := p.ready(operation); err != nil {
		return err
	}
	switch ch.Kind {
	case driver.Add:
		operation = opAddServersToServerGroup.Name
		req := p.adding(ch)
		req.validate(&v)
		checkMembers(&v, ch)
	case driver.SetWeight:
		operation = opUpdateServerGroupServersAttribute.Name
		req := p.weighing(ch)
		req.validate(&v)
		checkMembers(&v, ch)
		checkTwice(&v, "Members", ch.Members)
	case driver.Remove:
		operation = opRemoveServersFromServerGroup.Name
		req := p.removing(ch)
		req.validate(&v)
		checkMembers(&v, ch)
		checkTwice(&v, "Members", ch.Members)
	case driver.Swap:
		operation = opReplaceServersInServerGroup.Name
		req := p.swapping(ch)
		req.validate(&v)
		checkMembers(&v, ch)
		checkTwice(&v, "Out", ch.Out)
		checkSwap(&v, ch)
	default: // Disable and Enable too
		v.Addf("Kind", "is %q, which ALB has no call for: use add, set-weight, remove or swap", ch.Kind)
	}
	if v.Problems() == nil {
		return nil
	}
	return &cloudlb.Error{
		Service: "alb", Operation: operation, Class: cloudlb.ClassInvalid, Outcome: cloudlb.OutcomeNotSent,
		Message: "nothing was sent", Err: &cloudlb.ValidationError{Problems: inTermsOfMembers(v.Problems())},
	}
}

func checkMembers(v *check.Checker, ch driver.Change) {
	for i, s := range ch.Members {
		v.Enter("Members", i)
		checkServer(v, s)
		kind, _ := serverType(s)
		switch {
		case ch.Kind == driver.SetWeight && kind == ServerTypeFc:
			v.Addf("Weight", "has no effect: ALB ignores the weight of functions")
		case ch.Kind == driver.SetWeight && s.Weight == nil:
			v.Missing("Weight")
		case ch.Kind != driver.Add && ch.Kind != driver.Swap: // the rest is about new members
		case s.Address != "" && kind != ServerTypeEni && s.Address != s.Server:
			v.Addf("Address", "is for network interfaces: a server of type %s has one address, leave it empty", kind)
		}
		v.Leave()
	}
	if ch.Kind != driver.Swap && len(ch.Out) > 0 {
		v.Addf("Out", "is for swap only: name members to remove in Members of a remove")
	}
	for i, s := range ch.Out {
		v.Enter("Out", i)
		checkServer(v, s)
		v.Leave()
	}
}

// checkServer finds what is wrong with the name of a member.
func checkServer(v *check.Checker, s driver.Spec) {
	kind, known := serverType(s)
	switch {
	case s.Type != "" && !known:
		v.OneOf("Type", s.Type, string(ServerTypeEcs), string(ServerTypeEni), string(ServerTypeEci), string(ServerTypeIp), string(ServerTypeFc))
	case s.Server != "" && !known:
		v.Addf("Type", "is required, %q does not tell it: Ecs, Eni, Eci, Ip or Fc", s.Server)
	case s.Port != 0 && kind == ServerTypeFc:
		v.Addf("Port", "is %d, but functions have no port: leave it 0", s.Port)
	}
	if s.Subnet != "" {
		v.Addf("Subnet", "exists on ELB only: leave it empty")
	}
	if s.Zone != "" {
		v.Addf("Zone", "is for ELB only: leave it empty")
	}
}

// checkTwice finds members that are named twice, where the calls themselves do
// not look for them.
func checkTwice(v *check.Checker, list string, specs []driver.Spec) {
	seen := make(map[driver.Key]int, len(specs))
	for i, s := range specs {
		if first, ok := seen[s.Key]; ok {
			v.Duplicate(list, i, first, "Server, Address and Port")
		} else {
			seen[s.Key] = i
		}
	}
}

func checkSwap(v *check.Checker, ch driver.Change) {
	out := make(map[driver.Key]int, len(ch.Out))
	for i, s := range ch.Out {
		out[s.Key] = i
	}
	for i, s := range ch.Members {
		if j, ok := out[s.Key]; ok {
			v.Enter("Members", i)
			v.Addf("", "is Out[%d] too: leave it out of both, or set its weight", j)
			v.Leave()
		}
	}
}

// inTermsOfMembers puts the names of a Change for those of the requests.
func inTermsOfMembers(problems []cloudlb.Problem) []cloudlb.Problem {
	names := strings.NewReplacer(
		"AddedServers", "Members", "RemovedServers", "Out", "Servers", "Members",
		"ServerId", "Server", "ServerIp", "Address", "ServerType", "Type",
		"Description", "Label", "ClientToken", "Token",
	)
	for i, p := range problems {
		problems[i] = cloudlb.Problem{Field: names.Replace(p.Field), Message: names.Replace(p.Message)}
	}
	return problems
}
