package fakecloud

// The operations on a project's channels, of ROMA Connect only: one call for
// several instances. All of them get the change, or none.

func (ch *apigChannel) projectObject(c *call) object {
	out, i := ch.object(c), ch.instance
	out["instance_id"], out["instance_name"] = i.id, "instance-"+i.id
	out["type"] = "MICROSERVICE"
	if ch.in.num("type") == apigServerChannel {
		out["type"] = "BUILTIN"
	}
	return out
}

// apigPlace is a channel that is to be put into an instance, in place of the
// one it has, if any.
type apigPlace struct {
	instance  *apigInstance
	old, next *apigChannel
}

// apigPlaces prepares the channel of a request for the instances it names, up to
// the first that refuses. old tells which channel of an instance it replaces.
func (c *call) apigPlaces(in params, old func(*apigInstance) (*apigChannel, *fault)) ([]apigPlace, *fault) {
	ids := c.in.strs("instance_ids")
	if len(ids) == 0 {
		return nil, refusef(400, "APIG.2001", "The parameter instance_ids is missing")
	}
	var out []apigPlace
	seen := make(map[string]bool)
	for _, id := range ids {
		if seen[id] {
			continue
		}
		seen[id] = true
		i := c.apig.instances[id]
		if i == nil {
			return out, refusef(404, "APIG.3030", "The instance does not exist;id:%s", id)
		}
		was, f := old(i)
		if f == nil && was != nil {
			f = c.apigTouch(was)
		}
		if f != nil {
			return out, f
		}
		next, f := c.draft(i, was, in)
		if f != nil {
			return out, f
		}
		out = append(out, apigPlace{i, was, next})
	}
	return out, nil
}

// place puts prepared channels where they belong. refusal is of an instance
// that comes after them.
func (c *call) place(places []apigPlace, refusal *fault) (object, *fault) {
	if refusal != nil && c.set.assumes(APIGProjectTogether) {
		return nil, refusal
	}
	rows := make([]object, len(places))
	for n, p := range places {
		ch := p.old
		if ch == nil {
			ch = p.next
			p.instance.put(ch)
		} else {
			*ch = *p.next
			ch.busy = c.now.Add(c.set.apigWindow)
		}
		rows[n] = ch.projectObject(c)
	}
	return object{"project_vpc_channels": rows}, refusal
}

func apigCreateInProject(c *call) (object, *fault) {
	places, f := c.apigPlaces(c.in, func(*apigInstance) (*apigChannel, *fault) { return nil, nil })
	return c.place(places, f)
}

// apigUpdateInProject replaces the channels of the request's name.
func apigUpdateInProject(c *call) (object, *fault) {
	places, f := c.apigPlaces(c.in, func(i *apigInstance) (*apigChannel, *fault) {
		if ch := i.named(c.in.str("name"), nil); ch != nil {
			return ch, nil
		}
		return nil, refusef(404, "APIG.3023", "The VPC channel does not exist;name:%s", c.in.str("name"))
	})
	return c.place(places, f)
}

// apigSyncInProject copies a channel, with groups and members, to other
// instances. One that has a channel of that name refuses, unless the copy is
// forced.
func apigSyncInProject(c *call) (object, *fault) {
	id := c.in.str("vpc_channel_id")
	if id == "" {
		return nil, refusef(400, "APIG.2001", "The parameter vpc_channel_id is missing")
	}
	var source *apigChannel
	for _, i := range c.apig.order {
		if ch := i.channel(id); ch != nil {
			source = ch
			break
		}
	}
	if source == nil {
		return nil, refusef(404, "APIG.3023", "The VPC channel does not exist;id:%s", id)
	}
	places, f := c.apigPlaces(source.copied(), func(i *apigInstance) (*apigChannel, *fault) {
		if i.channel(id) == source {
			return nil, refusef(400, "APIG.2012", "Invalid parameter value,parameterName:instance_ids. %s is where the channel comes from", i.id)
		}
		if c.in.flag("force_sync") {
			return i.named(source.in.str("name"), nil), nil
		}
		return nil, nil // a channel of that name is then in the way
	})
	if !c.set.assumes(APIGCopiesAreNew) {
		for _, p := range places {
			p.next.identify(source, p.old == nil)
		}
	}
	return c.place(places, f)
}

// identify gives a copy the IDs of the channel it comes from. Only a channel
// that is new to its instance can have another ID itself.
func (ch *apigChannel) identify(source *apigChannel, fresh bool) {
	if fresh {
		ch.id = source.id
	}
	for _, g := range ch.groups {
		if was := source.group(g.in.str("member_group_name")); was != nil {
			g.id = was.id
		}
	}
	for _, m := range ch.members {
		if was := source.find(m.apigKey); was != nil {
			m.id, m.groupID = was.id, was.groupID
		}
	}
}

// copied is the request that would make a channel as this one is.
func (ch *apigChannel) copied() params {
	in := params(clone(object(ch.in)))
	if check := in.object("vpc_health_config"); len(check) > 0 {
		for _, name := range []string{"id", "create_time", "vpc_channel_id"} {
			delete(check, name)
		}
	}
	var groups, members []any
	for _, g := range ch.groups {
		groups = append(groups, clone(object(g.in)))
	}
	for _, m := range ch.members {
		o := object{"port": m.port, "is_backup": m.backup, "status": m.status, "member_group_name": m.group}
		if ch.in.num("type") == apigServerChannel {
			o["weight"] = m.weight
		}
		if m.ecs != "" {
			o["ecs_id"], o["ecs_name"] = m.ecs, m.ecsName
		} else {
			o["host"] = m.host
		}
		members = append(members, o)
	}
	in["member_groups"], in["members"] = groups, members
	return in
}

// apigListProject lists the channels of all instances. Members are listed when
// they are asked for.
func apigListProject(c *call) (object, *fault) {
	row := func(ch *apigChannel) object {
		out := ch.projectObject(c)
		if !c.in.flag("members_return") {
			delete(out, "members")
		}
		return out
	}
	if !c.filtered("precise_search", "members_return") {
		return apigWindow(c, "project_vpc_channels", c.apig.size(), c.apig.part, row), nil
	}
	var rows []*apigChannel
	for _, i := range c.apig.order {
		rows = append(rows, pick(c, i.channels, c.apigWanted)...)
	}
	return apigPage(c, "project_vpc_channels", rows, row), nil
}

// size counts the channels of all instances.
func (s *apigState) size() int {
	n := 0
	for _, i := range s.order {
		n += len(i.channels)
	}
	return n
}

// part is a part of the channels of all instances, one instance after another.
func (s *apigState) part(first, last int) []*apigChannel {
	var out []*apigChannel
	for _, i := range s.order {
		n := len(i.channels)
		if first < n && last > 0 {
			out = append(out, i.channels[max(first, 0):min(last, n)]...)
		}
		first, last = first-n, last-n
	}
	return out
}
