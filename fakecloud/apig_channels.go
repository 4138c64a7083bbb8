package fakecloud

import (
	"slices"
	"time"
)

// WithChannelWindow sets for how long after a write another one to the same
// channel of APIG fails with APIG.9999, as it does when two clients write at
// the same moment. By default the emulator serialises them.
func WithChannelWindow(d time.Duration) Option {
	return func(s *settings) { s.apigWindow = d }
}

// WithChannelQuota sets how many channels an instance of APIG may have and how
// many members a channel. 0 means unlimited, which is the default.
func WithChannelQuota(channels, members int) Option {
	return func(s *settings) { s.apigQuotas = [2]int{channels, members} }
}

func (c *account) apigFull(have, more int) *fault {
	if limit := c.set.apigQuotas[1]; limit > 0 && more > 0 && have+more > limit {
		return refusef(403, "APIG.3110", "The number of cloud servers in the VPC channel exceeds the quota:%d", limit)
	}
	return nil
}

// apigTouch reserves a channel for one write.
func (c *call) apigTouch(ch *apigChannel) *fault {
	if c.now.Before(ch.busy) {
		return refusef(500, "APIG.9999", "System error: database data synchronize failed")
	}
	return nil
}

// apigWrite makes a handler conflict with another write to its channel in the
// same window.
func apigWrite(h handler) handler {
	return func(c *call) (object, *fault) {
		ch, f := c.apigChannel()
		if f != nil {
			return nil, f
		}
		if f := c.apigTouch(ch); f != nil {
			return nil, f
		}
		out, f := h(c)
		if f == nil {
			ch.busy = c.now.Add(c.set.apigWindow)
		}
		return out, f
	}
}

// kind is the channel's type in words.
func (ch *apigChannel) kind() string {
	switch {
	case ch.in.has("vpc_channel_type"):
		return ch.in.str("vpc_channel_type")
	case ch.in.num("type") == apigServerChannel:
		return "builtin"
	default:
		return "microservice"
	}
}

// named finds another channel of the instance that has a name.
func (i *apigInstance) named(name string, but *apigChannel) *apigChannel {
	for _, ch := range i.channels {
		if ch != but && ch.in.str("name") == name {
			return ch
		}
	}
	return nil
}

// draft makes a channel out of a request, with what stays of an older one: the
// IDs of groups of the same name and of members of the same address. Nothing of
// the instance changes.
func (c *call) draft(i *apigInstance, old *apigChannel, in params) (*apigChannel, *fault) {
	in = params(clone(object(in)))
	if i.named(in.str("name"), old) != nil {
		return nil, refusef(400, "APIG.3208", "A VPC channel with the same name already exists;name:%s", in.str("name"))
	}
	if !in.has("type") {
		in["type"] = int64(apigServerChannel)
	}
	if limit := c.set.apigQuotas[0]; old == nil && limit > 0 && len(i.channels) >= limit {
		return nil, refusef(403, "APIG.3109", "The number of VPC channels exceeds the quota:%d", limit)
	}
	ch := &apigChannel{instance: i, in: in, created: c.now}
	if old != nil {
		ch.id, ch.created, ch.busy = old.id, old.created, old.busy
	} else {
		ch.id = c.ids.hex(32)
	}
	if health := in.object("vpc_health_config"); in.has("vpc_health_config") {
		if f := apigCheckHealth(health); f != nil {
			return nil, f
		}
		if old != nil {
			in["vpc_health_config"], ch.checked = old.in["vpc_health_config"], old.checked
		} else {
			delete(in, "vpc_health_config")
		}
		c.setAPIGHealth(ch, c.now, health)
	}
	for _, g := range in.list("member_groups") {
		if f := c.apigReference(i, g); f != nil {
			return nil, f
		}
		name := g.str("member_group_name")
		if ch.group(name) != nil {
			continue
		}
		fresh := c.addAPIGGroup(ch, c.now, g)
		if old == nil {
			continue
		}
		if was := old.group(name); was != nil && c.set.assumes(APIGReplacedKeepIDs) {
			fresh.id, fresh.created = was.id, was.created
		}
	}
	list, f := apigMembers(ch, in.list("members"))
	if f == nil {
		f = c.apigFull(0, len(list))
	}
	if f != nil {
		return nil, f
	}
	for _, m := range list {
		fresh := ch.put(c, m)
		if old == nil {
			continue
		}
		if was := old.find(fresh.apigKey); was != nil && c.set.assumes(APIGReplacedKeepIDs) {
			fresh.id, fresh.created = was.id, was.created
		}
	}
	return ch, nil
}

func apigCreateChannel(c *call) (object, *fault) {
	i, f := c.apigInstance()
	if f != nil {
		return nil, f
	}
	ch, f := c.draft(i, nil, c.in)
	if f != nil {
		return nil, f
	}
	i.put(ch)
	return ch.object(c), nil
}

// apigUpdateChannel replaces everything that a channel has by what the request
// says, groups, members and health check included.
func apigUpdateChannel(c *call) (object, *fault) {
	i, f := c.apigInstance()
	if f != nil {
		return nil, f
	}
	ch, f := c.apigChannel()
	if f != nil {
		return nil, f
	}
	next, f := c.draft(i, ch, c.in)
	if f != nil {
		return nil, f
	}
	*ch = *next
	return ch.object(c), nil
}

func apigDeleteChannel(c *call) (object, *fault) {
	i, f := c.apigInstance()
	if f != nil {
		return nil, f
	}
	ch, f := c.apigChannel()
	if f != nil {
		return nil, f
	}
	for _, other := range i.channels {
		if other != ch && slices.ContainsFunc(other.groups, func(g *apigGroup) bool {
			return g.in.str("reference_vpc_channel_id") == ch.id
		}) {
			return nil, refusef(409, "APIG.3719", "The VPC channel is referenced by VPC channel %s", other.id)
		}
	}
	i.drop(ch.id)
	return nil, nil
}
