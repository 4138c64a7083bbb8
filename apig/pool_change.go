package apig

import (
	"context"
	"fmt"
	"net/netip"
	"strings"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/check"
	"github.com/cloudlb/cloudlb/internal/transport"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// Change implements driver.Pool. There is no ticket: what the service has
// answered is carried out.
func (p *poolDriver) Change(ctx context.Context, ch driver.Change) (driver.Result, error) {
	if err := p.Check(ch); err != nil {
		return driver.Result{}, err
	}
	var result driver.Result
	if ch.Kind == driver.Add || ch.Kind == driver.SetWeight || p.grouped {
		members, err := p.list(ctx)
		if err != nil {
			return result, err
		}
		op := operation(ch.Kind)
		var possible []driver.Spec
		var upserts []MemberSpec
		for _, s := range ch.Members {
			upsert, e := p.upsert(ch.Kind, s, members)
			if e != nil {
				e.Service, e.Operation, e.Outcome = "apig", op.Name, cloudlb.OutcomeNotSent
				result.Failed = append(result.Failed, driver.Failure{Key: s.Key, Err: e})
				continue
			}
			possible, upserts = append(possible, s), append(upserts, upsert)
		}
		if len(possible) == 0 {
			return result, nil // an empty call would be an error, or worse
		}
		ch.Members = possible
		if ch.Kind == driver.Add || ch.Kind == driver.SetWeight {
			res, err := p.c.AddVpcChannelMembers(ctx, p.putting(upserts))
			if err != nil {
				return driver.Result{}, err
			}
			result.RequestID = res.RequestID
			return result, nil
		}
	}
	switch ch.Kind {
	case driver.Remove:
		res, err := p.c.DeleteVpcChannelMember(ctx, p.deleting(ch.Members[0]))
		if err != nil {
			return driver.Result{}, err
		}
		result.RequestID = res.RequestID
	case driver.Disable:
		res, err := p.c.BatchDisableVpcChannelMembers(ctx, BatchDisableVpcChannelMembersRequest(p.switching(ch)))
		if err != nil {
			return driver.Result{}, err
		}
		result.RequestID = res.RequestID
	default: // Enable: Check has refused the others
		res, err := p.c.BatchEnableVpcChannelMembers(ctx, p.switching(ch))
		if err != nil {
			return driver.Result{}, err
		}
		result.RequestID = res.RequestID
	}
	return result, nil
}

// operation is the call that makes a kind of change, nil if there is none.
func operation(k driver.Kind) *transport.Operation {
	switch k {
	case driver.Add, driver.SetWeight:
		return &opAddVpcChannelMembers
	case driver.Remove:
		return &opDeleteVpcChannelMember
	case driver.Disable:
		return &opBatchDisableVpcChannelMembers
	case driver.Enable:
		return &opBatchEnableVpcChannelMembers
	default:
		return nil
	}
}

// upsert is what to send so that a member is as wanted and otherwise as it is
// now, or why that is not possible. Only Add and SetWeight send it.
func (p *poolDriver) upsert(kind driver.Kind, s driver.Spec, members []Member) (MemberSpec, *cloudlb.Error) {
	fresh := p.fresh(s)
	var found []*Member
	for i := range members {
		m := &members[i]
		same := p.member(m).Is(s.Key)
		switch {
		case kind == driver.Add:
			same = same && m.MemberGroupName == fresh.MemberGroupName
		case s.ID != "":
			same = m.ID == s.ID
		}
		if same {
			found = append(found, m)
		}
	}
	switch {
	case kind == driver.Add && len(found) == 0:
		return fresh, nil
	case kind == driver.Add:
		return MemberSpec{}, &cloudlb.Error{Class: cloudlb.ClassAlreadyExists, Message: fmt.Sprintf("member %s is in the channel already, and was left as it is", s.Key)}
	case len(found) == 0:
		return MemberSpec{}, &cloudlb.Error{Class: cloudlb.ClassNotFound, Message: fmt.Sprintf("member %s is not in the channel", s.Key)}
	case len(found) > 1:
		return MemberSpec{}, &cloudlb.Error{
			Class: cloudlb.ClassInvalid, Message: fmt.Sprintf("the key %s names %d members", s.Key, len(found)),
			Hint: "give the port, or use PoolOfGroup for the member group of one of them",
		}
	}
	m := found[0]
	now := MemberSpec{
		Host: m.Host, ECSID: m.ECSID, ECSName: m.ECSName, Port: m.Port, Weight: s.Weight,
		MemberGroupName: m.MemberGroupName, Status: m.Status,
	}
	if m.IsBackup { // older gateways do not know it
		now.IsBackup = new(true)
	}
	if m.ECSID != "" {
		now.Host = "" // the address belongs to the instance
	}
	return now, nil
}

// fresh is a member that is not there yet.
func (p *poolDriver) fresh(s driver.Spec) MemberSpec {
	m := MemberSpec{Port: s.Port, Weight: s.Weight, MemberGroupName: s.Label}
	if m.Weight == nil {
		m.Weight = new(memberFreshWeight)
	}
	if p.grouped {
		m.MemberGroupName = p.group
	}
	if byAddress(s.Server) {
		m.Host = canonical(s.Server)
	} else {
		m.ECSID, m.ECSName = s.Server, s.Name
	}
	return m
}

func byAddress(server string) bool {
	_, err := netip.ParseAddr(server)
	return err == nil
}

func (p *poolDriver) putting(members []MemberSpec) AddVpcChannelMembersRequest {
	return AddVpcChannelMembersRequest{InstanceID: p.instance, VpcChannelID: p.channel, Members: members}
}

func (p *poolDriver) deleting(s driver.Spec) DeleteVpcChannelMemberRequest {
	return DeleteVpcChannelMemberRequest{InstanceID: p.instance, VpcChannelID: p.channel, MemberID: s.ID}
}

func (p *poolDriver) switching(ch driver.Change) BatchEnableVpcChannelMembersRequest {
	req := BatchEnableVpcChannelMembersRequest{InstanceID: p.instance, VpcChannelID: p.channel}
	for _, s := range ch.Members {
		req.MemberIDs = append(req.MemberIDs, s.ID)
	}
	return req
}

// Check implements driver.Pool. It runs what the calls themselves check, and
// adds what only shows in terms of members.
func (p *poolDriver) Check(ch driver.Change) error {
	if err := p.ready("Check"); err != nil {
		return err
	}
	v := check.Checker{Family: p.c.family()}
	switch ch.Kind {
	case driver.Add, driver.SetWeight:
		var members []MemberSpec
		for _, s := range ch.Members {
			members = append(members, p.fresh(s))
		}
		req := p.putting(members)
		req.validate(&v)
	case driver.Remove:
		v.Items("Members", len(ch.Members), 1, 1)
	case driver.Disable, driver.Enable:
		req := p.switching(ch)
		req.validate(&v)
		v.Items("Members", len(ch.Members), 1, 0)
	default:
		v.Addf("Kind", "is %q, which APIG has no call for: use add, set-weight, remove, disable or enable", ch.Kind)
	}
	problems := inTermsOfMembers(v.Problems())
	problems = append(problems, p.checkMembers(ch)...)
	if len(problems) == 0 {
		return nil
	}
	e := &cloudlb.Error{
		Service: "apig", Operation: "Check", Class: cloudlb.ClassInvalid, Outcome: cloudlb.OutcomeNotSent,
		Message: "nothing was sent", Err: &cloudlb.ValidationError{Problems: problems},
	}
	if op := operation(ch.Kind); op != nil {
		e.Operation = op.Name
	}
	return e
}

// checkMembers finds what the requests do not show.
func (p *poolDriver) checkMembers(ch driver.Change) []cloudlb.Problem {
	v := check.Checker{}
	if len(ch.Out) > 0 {
		v.Addf("Out", "is for swap, which APIG does not have: name members to remove in Members of a remove")
	}
	ids := make(map[string]int, len(ch.Members))
	for i, s := range ch.Members {
		v.Enter("Members", i)
		if s.Server == "" {
			v.Missing("Server")
		}
		if s.Address != "" && s.Address != s.Server {
			v.Addf("Address", "is %q, but members are named by Server alone: leave it empty", s.Address)
		}
		if s.Type != "" {
			v.Addf("Type", "is %q, but the channel tells what Server is: leave it empty", s.Type)
		}
		if s.Subnet != "" {
			v.Addf("Subnet", "exists on ELB only: leave it empty")
		}
		if s.Zone != "" {
			v.Addf("Zone", "is for ELB only: leave it empty")
		}
		if p.grouped && s.Label != "" && s.Label != p.group {
			v.Addf("Label", "is %q, but this pool is the member group %q: leave it empty", s.Label, p.group)
		}
		switch ch.Kind {
		case driver.Add:
			if s.Port == 0 {
				v.Addf("Port", "is required: 1 to 65535")
			}
			if s.Name == "" && s.Server != "" && !byAddress(s.Server) {
				v.Addf("Name", "is required: %q is no address, so it is an ECS instance, whose name the service wants", s.Server)
			}
		case driver.SetWeight:
			if s.Weight == nil {
				v.Missing("Weight")
			}
		default:
			if s.ID == "" {
				v.Addf("ID", "is required: read the pool first, its members have it")
			}
		}
		v.Leave()
		if ch.Kind == driver.Add {
			continue
		}
		if first, again := ids[s.ID]; again && s.ID != "" {
			v.Duplicate("Members", i, first, "ID")
		}
		ids[s.ID] = i
	}
	return v.Problems()
}

// inTermsOfMembers puts the names of a Change for those of the requests.
func inTermsOfMembers(problems []cloudlb.Problem) []cloudlb.Problem {
	names := strings.NewReplacer(
		"member_group_name, host, ecs_id and port", "Label, Server and Port",
		"members", "Members", "member_group_name", "Label", "member_ids", "Members", "ecs_id", "Server", "ecs_name", "Name",
		"host", "Server", "].weight", "].Weight", "].port", "].Port",
	)
	for i, problem := range problems {
		problems[i] = cloudlb.Problem{Field: names.Replace(problem.Field), Message: names.Replace(problem.Message)}
	}
	return problems
}
