package fakecloud

import (
	"time"
)

// WithMemberCheckDuration sets how long the diagnosis of an ELB member is
// processing: 2s by default.
func WithMemberCheckDuration(d time.Duration) Option {
	return func(s *settings) { s.elbCheck = d }
}

// elbMemberCheck is a diagnosis of why a member is unhealthy.
type elbMemberCheck struct {
	id, member, listener string
	parts                []string // of the result
	healthy              bool
	begin, end           time.Time
}

// elbCheckParts are what a subject looks into, by the names in the result.
var elbCheckParts = map[string][]string{
	"config": {"config"}, "networkAcl": {"acl"}, "securityGroup": {"security_group"},
	"all": {"config", "acl", "security_group"},
}

func (s *elbState) member(id string) *elbMember {
	for _, list := range [][]*elbPool{s.order, s.pairs} {
		for _, p := range list {
			if m := p.member(id); m != nil {
				return m
			}
		}
	}
	return nil
}

// elbCreateMemberCheck starts a diagnosis. It changes nothing, so it does not
// care for locks.
func elbCreateMemberCheck(c *call) (object, *fault) {
	m := c.elb.member(c.in.str("member_id"))
	if m == nil {
		return nil, elbNotFound("member", c.in.str("member_id"))
	}
	in := c.in.object("member_check")
	listener := m.pool.in.str("listener_id")
	if in.has("listener_id") && in.str("listener_id") != listener {
		return nil, elbNotFound("listener", in.str("listener_id"))
	}
	check := &elbMemberCheck{
		id: c.ids.uuid(), member: m.id, listener: listener, parts: elbCheckParts[either(in.str("subject"), "all")],
		healthy: m.status(c) != "OFFLINE", begin: c.now, end: c.now.Add(c.set.elbCheck),
	}
	c.elb.checks[check.id] = check
	return object{"member_check": check.object(c.now)}, nil
}

func elbShowMemberCheck(c *call) (object, *fault) {
	if check := c.elb.checks[c.in.str("job_id")]; check != nil {
		return object{"member_check": check.object(c.now)}, nil
	}
	return nil, elbNotFound("job", c.in.str("job_id"))
}

// object is the diagnosis so far. What is wrong with an OFFLINE member is found
// in its configuration, or, when only something else was asked for, not at all.
func (m *elbMemberCheck) object(now time.Time) object {
	status, finished, updated := "processing", 0, m.begin
	if !now.Before(m.end) {
		status, finished, updated = "processed", len(m.parts), m.end
	}
	result := make(object)
	for _, name := range m.parts {
		part := object{"check_result": true, "check_items": []object{}, "check_status": status}
		if name == "config" && !m.healthy && status == "processed" {
			part["check_result"] = false
			part["check_items"] = []object{{
				"name": "health check", "severity": "Major", "subject": "config", "job_id": m.id,
				"reason": "The member does not answer health checks.", "reason_template": "", "reason_params": []any{},
			}}
		}
		result[name] = part
	}
	return object{
		"job_id": m.id, "member_id": m.member, "listener_id": m.listener, "status": status, "result": result,
		"check_item_total_num": len(m.parts), "check_item_finished_num": finished,
		"created_at": stamp(m.begin), "updated_at": stamp(updated),
	}
}
