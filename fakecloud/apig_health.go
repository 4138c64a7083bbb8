package fakecloud

import (
	"maps"
	"time"
)

// apigCheckOn is the status of a health check that is carried out; 2 is one
// that is not.
const apigCheckOn = 1

// setAPIGHealth gives a channel a health check in place of the one it has.
func (c *account) setAPIGHealth(ch *apigChannel, now time.Time, in params) {
	config := object{"id": c.ids.hex(32), "create_time": stamp(now), "status": int64(apigCheckOn)}
	if old := ch.in.object("vpc_health_config"); old.has("id") {
		config["id"], config["create_time"] = old["id"], old["create_time"]
	}
	maps.Copy(config, in)
	if on := int64(apigCheckOn); config["status"] == on && ch.in.object("vpc_health_config")["status"] != on {
		ch.checked = now
	}
	config["vpc_channel_id"] = ch.id
	ch.in["vpc_health_config"] = config
}

func apigCheckHealth(in params) *fault {
	switch {
	case in.str("protocol") == "HTTP" && in.str("http_code") == "":
		return refusef(400, "APIG.2001", "The parameter http_code is missing")
	case in.num("time_interval") <= in.num("timeout"):
		return refusef(400, "APIG.2012", "Invalid parameter value,parameterName:time_interval. It must be greater than timeout")
	}
	return nil
}

// health is what the channel's checks say about a member. Only /apigw/ shows
// it.
func (m *apigMember) health(c *call, ch *apigChannel) string {
	check := ch.in.object("vpc_health_config")
	since := m.created
	if ch.checked.After(since) && !c.set.assumes(APIGNewCheckKnows) {
		since = ch.checked
	}
	switch {
	case len(check) == 0 || check.num("status") != apigCheckOn,
		m.status == apigDisabled && c.set.assumes(APIGDisabledUnknown),
		c.now.Before(since.Add(c.set.initial)):
		return "unknown"
	case !c.healthy(m.id, m.host, m.ecs, m.ecsName, hostPort(either(m.host, m.ecs), m.port)):
		return "unhealthy"
	default:
		return "healthy"
	}
}

// apigUpdateHealth replaces the channel's health check, or gives it one.
func apigUpdateHealth(c *call) (object, *fault) {
	ch, f := c.apigChannel()
	if f != nil {
		return nil, f
	}
	in := params(clone(object(c.in)))
	for name := range c.path {
		delete(in, name)
	}
	if f := apigCheckHealth(in); f != nil {
		return nil, f
	}
	c.setAPIGHealth(ch, c.now, in)
	return clone(object(ch.in.object("vpc_health_config"))), nil
}
