package fakecloud

import (
	"slices"
)

// apigReference checks that a channel which a group refers to is there.
func (c *call) apigReference(i *apigInstance, in params) *fault {
	if id := in.str("reference_vpc_channel_id"); id != "" && i.channel(id) == nil {
		return refusef(404, "APIG.3023", "The VPC channel does not exist;id:%s", id)
	}
	return nil
}

func (c *call) apigGroup() (*apigInstance, *apigChannel, *apigGroup, *fault) {
	ch, f := c.apigChannel()
	if f != nil {
		return nil, nil, nil, f
	}
	id := c.in.str("member_group_id")
	for _, g := range ch.groups {
		if g.id == id {
			return c.apig.instances[c.in.str("instance_id")], ch, g, nil
		}
	}
	return nil, nil, nil, refusef(404, "APIG.3023", "The member group of the VPC channel does not exist;id:%s", id)
}

// apigCreateGroups creates groups, and updates those whose names are taken. Of
// several entries of one name the first counts.
func apigCreateGroups(c *call) (object, *fault) {
	ch, f := c.apigChannel()
	if f != nil {
		return nil, f
	}
	i := c.apig.instances[c.in.str("instance_id")]
	list := c.in.list("member_groups")
	if len(list) == 0 {
		return nil, refusef(400, "APIG.2001", "The parameter member_groups is missing")
	}
	for _, in := range list {
		if f := c.apigReference(i, in); f != nil {
			return nil, f
		}
	}
	rows := []object{}
	seen := make(map[string]bool)
	for _, in := range list {
		name := in.str("member_group_name")
		if seen[name] {
			continue
		}
		seen[name] = true
		g := ch.group(name)
		if g == nil {
			g = c.addAPIGGroup(ch, c.now, in)
		} else {
			g.in, g.updated = in, c.now
		}
		rows = append(rows, g.object())
	}
	return object{"size": len(rows), "total": len(rows), "member_groups": rows}, nil
}

func apigListGroups(c *call) (object, *fault) {
	ch, f := c.apigChannel()
	if f != nil {
		return nil, f
	}
	rows := ch.groups
	if c.filtered("precise_search") {
		rows = pick(c, rows, func(g *apigGroup) bool {
			return c.apigLike("member_group_name", g.in.str("member_group_name")) &&
				(!c.in.has("dict_code") || c.in.str("dict_code") == g.in.str("dict_code"))
		})
	}
	return apigPage(c, "member_groups", rows, (*apigGroup).object), nil
}

func apigShowGroup(c *call) (object, *fault) {
	_, _, g, f := c.apigGroup()
	if f != nil {
		return nil, f
	}
	return g.object(), nil
}

// apigUpdateGroup replaces a group's settings. Its members stay in it, also
// under a new name.
func apigUpdateGroup(c *call) (object, *fault) {
	i, ch, g, f := c.apigGroup()
	if f != nil {
		return nil, f
	}
	name := c.in.str("member_group_name")
	if other := ch.group(name); other != nil && other != g {
		return nil, refusef(400, "APIG.3208", "A member group with the same name already exists;name:%s", name)
	}
	if f := c.apigReference(i, c.in); f != nil {
		return nil, f
	}
	in := params(clone(object(c.in)))
	for name := range c.path {
		delete(in, name)
	}
	g.in, g.updated = in, c.now
	for _, m := range ch.members {
		switch {
		case m.groupID != g.id:
		case c.set.assumes(APIGGroupsRenameMembers) || m.group == name:
			m.group = name
		default:
			m.group, m.groupID = "", ""
		}
	}
	return g.object(), nil
}

// apigDeleteGroup deletes a group, mostly with its members.
func apigDeleteGroup(c *call) (object, *fault) {
	_, ch, g, f := c.apigGroup()
	if f != nil {
		return nil, f
	}
	ch.groups = slices.DeleteFunc(ch.groups, func(x *apigGroup) bool { return x == g })
	ch.members = slices.DeleteFunc(ch.members, func(m *apigMember) bool {
		if m.groupID != g.id || c.set.assumes(APIGGroupsDeleteMembers) {
			return m.groupID == g.id
		}
		m.group, m.groupID = "", ""
		return false
	})
	return nil, nil
}
