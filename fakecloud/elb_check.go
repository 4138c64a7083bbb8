package fakecloud

import "time"

// WithMemberCheckDuration sets how long the diagnosis of an ELB member is
// processing: 2s by default.
func WithMemberCheckDuration(d time.Duration) Option {
	return func(s *settings) { s.elbCheck = d }
}

// elbMemberCheck is a diagnosis of why a member is unhealthy.
type elbMemberCheck struct {
	id, listener string
	member       *elbMember
	parts        []string // of the result
	offline      bool
	begin, end   time.Time
}

// elbCheckParts are what a subject looks into, by the names in the result.
var elbCheckParts = map[string][]string{
	"config": {"config"}, "networkAcl": {"acl"}, "securityGroup": {"security_group"},
	"all": {"config", "acl", "security_group"},
}

// elbCreateMemberCheck starts a diagnosis. It changes nothing, so it does not
// care for locks.
func elbCreateMemberCheck(c *call) (object, *fault) {
	m := c.elb.members[c.in.str("member_id")]
	if m == nil {
		return nil, elbNotFound("member", c.in.str("member_id"))
	}
	in := c.in.object("member_check")
	listener := m.pool.in.str("listener_id")
	if in.has("listener_id") && in.str("listener_id") != listener {
		return nil, elbNotFound("listener", in.str("listener_id"))
	}
	all := "all"
	if !c.set.assumes(ELBDiagnosisOfAll) {
		all = "config"
	}
	check := &elbMemberCheck{
		id: c.ids.uuid(), member: m, listener: listener, parts: elbCheckParts[either(in.str("subject"), all)],
		offline: m.status(c) == "OFFLINE", begin: c.now, end: c.now.Add(c.set.elbCheck),
	}
	c.elb.checks[check.id] = check
	return object{"member_check": check.object(c)}, nil
}

func elbShowMemberCheck(c *call) (object, *fault) {
	if check := c.elb.checks[c.in.str("job_id")]; check != nil {
		return object{"member_check": check.object(c)}, nil
	}
	return nil, elbNotFound("job", c.in.str("job_id"))
}

// object is the diagnosis so far. What is wrong with an OFFLINE member is found
// in one place, or, when only something else was asked for, not at all.
func (m *elbMemberCheck) object(c *call) object {
	offline, where := m.offline, "config"
	if !c.set.assumes(ELBDiagnosisOfStart) {
		offline = m.member.status(c) == "OFFLINE"
	}
	if !c.set.assumes(ELBDiagnosisInConfig) {
		where = "security_group"
	}
	status, finished, updated := "processing", 0, m.begin
	if !c.now.Before(m.end) {
		status, finished, updated = "processed", len(m.parts), m.end
	}
	result := make(object)
	for _, name := range m.parts {
		part := object{"check_result": true, "check_items": []object{}, "check_status": status}
		if name == where && offline && status == "processed" {
			part["check_result"] = false
			part["check_items"] = []object{{
				"name": "health check", "severity": "Major", "subject": where, "job_id": m.id,
				"reason": "The member does not answer health checks.", "reason_template": "", "reason_params": []any{},
			}}
		}
		result[name] = part
	}
	return object{
		"job_id": m.id, "member_id": m.member.id, "listener_id": m.listener, "status": status, "result": result,
		"check_item_total_num": len(m.parts), "check_item_finished_num": finished,
		"created_at": stamp(m.begin), "updated_at": stamp(updated),
	}
}
