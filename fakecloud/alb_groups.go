package fakecloud

import "slices"

// albUpdateGroup changes a group's settings; what is left out stays, inside
// the configurations too.
func albUpdateGroup(c *call, g *albGroup) (*albGroup, albChange, *fault) {
	changes := without(c.sent, "ClientToken", "DryRun", "ServerGroupId")
	change := func() { g.in = merged(g.in, changes) }
	if !c.set.assumes(ALBConfigsMerge) {
		change = func() {
			in := clone(object(g.in))
			for name := range changes {
				in[name] = clone(c.in[name]) // with the defaults
			}
			g.in = params(in)
		}
	}
	return g, albChange{
		kind: "Update", status: "Configuring",
		begin: func() {},
		end:   change,
	}, nil
}

// albApply gives a group the health check of a template. Whether servers are
// checked at all, which no template says, stays.
func albApply(c *call, g *albGroup) (*albGroup, albChange, *fault) {
	t, f := c.albTemplate(c.in.str("HealthCheckTemplateId"))
	if f != nil {
		return nil, albChange{}, f
	}
	if c.now.Before(t.busyUntil) && !c.set.assumes(ALBTemplatesShared) {
		return nil, albChange{}, refusef(400, "IncorrectStatus.HealthCheckTemplate", "The status of %s [Configuring] is incorrect.", t.id)
	}
	check := without(object(t.in), "HealthCheckTemplateName", "ResourceGroupId")
	if !c.set.assumes(ALBTemplatesLeaveSwitch) {
		check["HealthCheckEnabled"] = true
	}
	return g, albChange{
		kind: "Update", status: "Configuring",
		begin: func() { t.busyUntil = c.now.Add(c.set.job) },
		end:   func() { g.in = merged(g.in, object{"HealthCheckConfig": check}) },
	}, nil
}

// merged is a copy of have with the changes in it, members of objects one by
// one.
func merged(have params, changes object) params {
	out := clone(object(have))
	if out == nil {
		out = make(object)
	}
	for name, v := range changes {
		if o, ok := v.(object); ok {
			v = object(merged(params(out).object(name), o))
		}
		out[name] = clone(v)
	}
	return params(out)
}

// without is a copy of in that lacks some members.
func without(in object, names ...string) object {
	out := make(object, len(in))
	for name, v := range in {
		if !slices.Contains(names, name) {
			out[name] = clone(v)
		}
	}
	return out
}
