package fakecloud

import (
	"slices"
	"time"
)

// WithHealthCheckTemplateQuota sets how many health check templates ALB lets
// the account have: 50 by default.
func WithHealthCheckTemplateQuota(n int) Option { return func(s *settings) { s.templates = n } }

const albTemplatesPerAccount = 50

// HealthCheckTemplate is an ALB health check template to start with.
type HealthCheckTemplate struct {
	// ID and Name default to generated ones.
	ID   string
	Name string
	// Protocol is "HTTP" (the default), "HTTPS", "TCP" or "gRPC".
	Protocol string
	// Path is "/" by default.
	Path string
	// Interval is in seconds, 2 by default.
	Interval int
	// Tags are the template's tags.
	Tags map[string]string
	// More are further settings, or other values of them, in the wire names of
	// CreateHealthCheckTemplate.
	More map[string]any `json:",omitempty"`
}

// AddHealthCheckTemplate puts an ALB health check template into the Cloud and
// returns its ID. One of the same ID is replaced.
func (c *account) AddHealthCheckTemplate(t HealthCheckTemplate) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	in := params{
		"HealthCheckTemplateName": either(t.Name, "template-"+c.ids.hex(6)),
		"HealthCheckProtocol":     either(t.Protocol, "HTTP"), "HealthCheckPath": either(t.Path, "/"),
	}
	if t.Interval != 0 {
		in["HealthCheckInterval"] = int64(t.Interval)
	}
	c.alb.dropTemplates(t.ID)
	template := c.newALBTemplate(t.ID, seededMore("alb", "CreateHealthCheckTemplate", "", in, t.More))
	for _, k := range sortedKeys(t.Tags) {
		template.tags = append(template.tags, object{"Key": k, "Value": t.Tags[k]})
	}
	return template.id
}

type albTemplate struct {
	numbered
	id        string
	in        params // its settings
	tags      []object
	busyUntil time.Time // a job uses it
}

func (c *account) newALBTemplate(id string, in params) *albTemplate {
	t := &albTemplate{numbered: numbered{c.alb.next()}, id: either(id, c.ids.alibaba("hct-"))}
	t.in = params(without(object(in), "ClientToken", "DryRun", "Tag"))
	if !t.in.has("HealthCheckCodes") {
		t.in["HealthCheckCodes"] = []any{"http_2xx"}
	}
	c.alb.templates = append(c.alb.templates, t)
	c.alb.version++
	return t
}

func (s *albState) dropTemplates(ids ...string) {
	s.version++
	s.templates = slices.DeleteFunc(s.templates, func(t *albTemplate) bool { return slices.Contains(ids, t.id) })
}

func (t *albTemplate) object() object {
	out := clone(object(t.in))
	out["HealthCheckTemplateId"], out["Tags"] = t.id, orEmpty(t.tags)
	return out
}

func (c *call) albTemplate(id string) (*albTemplate, *fault) {
	for _, t := range c.alb.templates {
		if t.id == id {
			return t, nil
		}
	}
	return nil, refusef(404, "ResourceNotFound.HealthCheckTemplate", "The specified resource %s is not found.", id)
}

// albFreeTemplate finds a template that is to be changed. As long as a job
// copies it to a group it is locked.
func (c *call) albFreeTemplate(id string) (*albTemplate, *fault) {
	t, f := c.albTemplate(id)
	if f == nil && c.now.Before(t.busyUntil) && c.set.assumes(ALBTemplatesLock) {
		f = refusef(400, "IncorrectStatus.HealthCheckTemplate", "The status of %s [Configuring] is incorrect.", id)
	}
	return t, f
}

// albAtOnce is the frame of a write that is no job: the client token, the
// checks, the dry run, the change.
func albAtOnce(check func(*call) (change func() object, f *fault)) handler {
	return albRefusable(func(c *call) (object, *fault) {
		if out, f := c.albRepeated(); out != nil || f != nil {
			return out, f
		}
		change, f := check(c)
		if f != nil {
			return nil, f
		}
		if c.in.flag("DryRun") {
			return nil, refusef(400, "DryRunOperation", "Request validation has been passed with DryRun flag set.")
		}
		out := change()
		c.albRemember(out, nil)
		return out, nil
	})
}

// albRefusable makes a write remember its refusal for calls with the same
// client token, where that is so.
func albRefusable(h handler) handler {
	return func(c *call) (object, *fault) {
		out, f := h(c)
		if _, known := c.alb.tokens[c.in.str("ClientToken")]; f != nil && !known && !c.set.assumes(ALBRefusalsForgetTokens) {
			c.albRemember(nil, f)
		}
		return out, f
	}
}

// albRepeated answers a call whose client token was used before.
func (c *call) albRepeated() (object, *fault) {
	used, ok := c.alb.tokens[c.in.str("ClientToken")]
	switch {
	case !ok || !used.lives.IsZero() && !c.now.Before(used.lives):
		return nil, nil
	case used.fingerprint != c.albFingerprint():
		return nil, refusef(400, "IdempotentParameterMismatch",
			"The request uses the same client token as a previous, but non-identical request.")
	case c.now.Before(used.runs):
		return nil, refusef(400, "IdempotenceProcessing", "A previous request with the same client token is being processed.")
	default:
		return clone(used.result), used.refusal
	}
}

func (c *call) albFingerprint() string { return c.op.Name + string(encode(c.sent)) }

// albRemember keeps the answer for calls with the same client token.
func (c *call) albRemember(out object, f *fault) {
	token := c.in.str("ClientToken")
	if token == "" {
		return
	}
	used := albToken{fingerprint: c.albFingerprint(), result: clone(out), refusal: f, runs: c.now.Add(max(c.delay, c.set.tokenRuns))}
	if c.set.tokenLife > 0 {
		used.lives = c.now.Add(c.set.tokenLife)
	}
	c.alb.tokens[token] = used
}

func albCreateTemplate(c *call) (func() object, *fault) {
	if limit := c.set.templateQuota(); len(c.alb.templates) >= limit {
		return nil, refusef(400, "QuotaExceeded.HealthCheckTemplatesNum",
			"The quota of health check templates is exceeded, usage %d/%d.", len(c.alb.templates), limit)
	}
	return func() object {
		t := c.newALBTemplate("", c.in)
		for _, tag := range c.in.list("Tag") {
			t.tags = append(t.tags, object(tag))
		}
		return object{"HealthCheckTemplateId": t.id}
	}, nil
}

func (s *settings) templateQuota() int {
	if s.templates == 0 {
		return albTemplatesPerAccount
	}
	return s.templates
}

func albUpdateTemplate(c *call) (func() object, *fault) {
	t, f := c.albFreeTemplate(c.in.str("HealthCheckTemplateId"))
	return func() object {
		t.in = merged(t.in, without(c.sent, "ClientToken", "DryRun", "HealthCheckTemplateId"))
		return object{}
	}, f
}

// albDeleteTemplates deletes all of the named templates or, when one of them
// cannot be, none.
func albDeleteTemplates(c *call) (func() object, *fault) {
	ids := c.in.strs("HealthCheckTemplateIds")
	var gone []string
	for _, id := range ids {
		_, f := c.albFreeTemplate(id)
		switch {
		case f == nil:
			gone = append(gone, id)
		case c.set.assumes(ALBTemplatesTogether):
			return nil, f
		}
	}
	return func() object {
		c.alb.dropTemplates(gone...)
		return object{}
	}, nil
}

func albGetTemplate(c *call) (object, *fault) {
	t, f := c.albTemplate(c.in.str("HealthCheckTemplateId"))
	if f != nil {
		return nil, f
	}
	return t.object(), nil
}

func albListTemplates(c *call) (object, *fault) {
	rows := c.alb.templates
	if c.filtered() {
		ids, names := c.in.strs("HealthCheckTemplateIds"), c.in.strs("HealthCheckTemplateNames")
		rows = pick(c, rows, func(t *albTemplate) bool {
			return (len(ids) == 0 || slices.Contains(ids, t.id)) &&
				(len(names) == 0 || slices.Contains(names, t.in.str("HealthCheckTemplateName"))) &&
				same(c.in, t.in, "ResourceGroupId") && tagged(t.tags, c.in.list("Tag"))
		})
	}
	return albPage(c, "HealthCheckTemplates", rows, (*albTemplate).object)
}
