package fakecloud

import (
	"encoding/json"
	"slices"
)

// more are the members of in that are not what they are by default. Those named
// by except have fields of their own.
func more(in, def params, except ...string) map[string]any {
	var out map[string]any
	put := func(name string) {
		if slices.Contains(except, name) || string(encode(in[name])) == string(encode(def[name])) {
			return
		}
		if out == nil {
			out = make(map[string]any)
		}
		out[name] = clone(in[name])
	}
	for name := range in {
		put(name)
	}
	for name := range def {
		if !in.has(name) {
			put(name) // as nil: it was taken away
		}
	}
	return out
}

// seededMore is seeded with further members; nil takes one away.
func seededMore(name, operation, body string, in params, more map[string]any) params {
	for k, v := range more {
		in[k] = normal(v)
	}
	out := seeded(name, operation, body, in)
	for k, v := range more {
		if v == nil {
			delete(out, k)
		}
	}
	return out
}

// normal gives a value of Go, or of JSON, the form that decoded requests have.
func normal(v any) any {
	switch v := v.(type) {
	case object:
		out := make(object, len(v))
		for k := range v {
			out[k] = normal(v[k])
		}
		return out
	case []object:
		out := make([]any, len(v))
		for i := range v {
			out[i] = normal(v[i])
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = normal(v[i])
		}
		return out
	case []string:
		out := make([]any, len(v))
		for i := range v {
			out[i] = v[i]
		}
		return out
	case int:
		return int64(v)
	case float64:
		if n := int64(v); float64(n) == v {
			return n
		}
		return v
	case json.Number:
		n, _ := v.Int64()
		return n
	default:
		return v
	}
}

// normalMap is normal for the object that a seed has.
func normalMap(m map[string]any) params {
	if m == nil {
		return nil
	}
	o, _ := normal(m).(object)
	return params(o)
}

func (g *albGroup) seed() ServerGroup {
	out := ServerGroup{
		ID: g.id, Name: g.in.str("ServerGroupName"), Type: g.in.str("ServerGroupType"), Protocol: g.in.str("Protocol"),
		Scheduler: g.in.str("Scheduler"), VPCID: g.in.str("VpcId"), Tags: seedTags(g.tags, "Key", "Value"),
		LoadBalancerIDs: slices.Clone(g.loadBalancers),
		More: more(g.in, seeded("alb", "CreateServerGroup", "", params{"HealthCheckConfig": object{"HealthCheckEnabled": true}}),
			"ServerGroupName", "ServerGroupType", "Protocol", "Scheduler", "VpcId", "ClientToken", "DryRun", "Tag"),
	}
	for _, s := range g.servers {
		out.Servers = append(out.Servers, BackendServer{
			ID: s.id, Type: s.kind, IP: s.ip, Port: int(s.port), Weight: new(int(s.weight)), Description: s.description,
			RemoteIPEnabled: s.remoteIP,
		})
	}
	return out
}

func (l *albListener) seed() Listener {
	out := l.Listener
	out.Tags = seedTags(l.tags, "Key", "Value")
	return out
}

func (s *slbServer) seed() BackendServer {
	return BackendServer{ID: s.id, Type: s.kind, IP: s.ip, Port: int(s.port), Weight: new(int(s.weight)), Description: s.description}
}

func (g *slbGroup) seed() VServerGroup {
	out := VServerGroup{ID: g.id, Name: g.name, LoadBalancerID: g.balancer.id, Tags: seedTags(g.tags, "TagKey", "TagValue")}
	for _, s := range g.servers {
		out.Servers = append(out.Servers, s.seed())
	}
	return out
}

func (g *slbGroup) masterSeed() MasterSlaveServerGroup {
	out := MasterSlaveServerGroup{ID: g.id, Name: g.name, LoadBalancerID: g.balancer.id, Tags: seedTags(g.tags, "TagKey", "TagValue")}
	for _, s := range g.servers {
		if s.role == "Master" {
			out.Master = s.seed()
		} else {
			out.Slave = s.seed()
		}
	}
	return out
}

func (lb *slbBalancer) seed() ClassicLoadBalancer {
	out := lb.about
	out.ID, out.Servers, out.Listeners = lb.id, nil, nil
	for _, s := range lb.group.servers {
		out.Servers = append(out.Servers, s.seed())
	}
	for _, l := range lb.listeners {
		listener := ClassicListener{
			Port: int(l.port), Protocol: l.protocol, Description: l.description, BackendPort: int(l.backendPort),
			GroupID: l.group.id, NoHealthCheck: !l.checked, ForwardPort: int(l.forward), // the default group has no ID
		}
		for _, r := range l.rules {
			listener.Rules = append(listener.Rules, ClassicRule{ID: r.id, Name: r.name, Domain: r.domain, URL: r.url, VServerGroupID: r.group.id})
		}
		out.Listeners = append(out.Listeners, listener)
	}
	return out
}

func (t *albTemplate) seed() HealthCheckTemplate {
	fields := []string{"HealthCheckTemplateName", "HealthCheckProtocol", "HealthCheckInterval", "DryRun"}
	if t.in.has("HealthCheckPath") { // one that is not there is no default
		fields = append(fields, "HealthCheckPath")
	}
	return HealthCheckTemplate{
		ID: t.id, Name: t.in.str("HealthCheckTemplateName"), Protocol: t.in.str("HealthCheckProtocol"),
		Path: t.in.str("HealthCheckPath"), Interval: int(t.in.num("HealthCheckInterval")), Tags: seedTags(t.tags, "Key", "Value"),
		More: more(t.in, seeded("alb", "CreateHealthCheckTemplate", "", params{
			"HealthCheckCodes": []any{"http_2xx"}, "HealthCheckPath": "/",
		}), fields...),
	}
}

func (p *elbPool) seed() Pool {
	operation, never := "CreatePool", []string{
		"name", "protocol", "lb_algorithm", "loadbalancer_id", "listener_id", "any_port_enable",
		"member_deletion_protection_enable", "members", "healthmonitor",
	}
	if p.isPair() {
		operation = "CreateMasterSlavePool"
	}
	out := Pool{
		ID: p.id, Name: p.in.str("name"), Protocol: p.in.str("protocol"), Algorithm: p.in.str("lb_algorithm"),
		LoadBalancerID: p.balancer.key(), ListenerID: p.in.str("listener_id"), HealthMonitorID: p.monitor,
		AnyPort: p.in.flag("any_port_enable"), DeletionProtection: p.in.flag("member_deletion_protection_enable"),
		More: more(p.in, seeded("elb", operation, "pool", params{}), never...),
	}
	if p.check != nil {
		out.HealthMonitor = more(p.check.in, elbMonitorDefaults(p), "pool_id")
	}
	for _, m := range p.members {
		out.Members = append(out.Members, PoolMember{
			ID: m.id, Name: m.in.str("name"), Address: m.in.str("address"), Port: int(m.in.num("protocol_port")),
			Weight: new(int(m.in.num("weight"))), SubnetCIDRID: m.in.str("subnet_cidr_id"), Role: m.in.str("role"),
			More: more(m.in, nil, "name", "address", "protocol_port", "weight", "subnet_cidr_id", "role"),
		})
	}
	return out
}

func (ch *apigChannel) seed() VPCChannel {
	out := VPCChannel{
		ID: ch.id, Name: ch.in.str("name"), InstanceID: ch.instance.id, Port: int(ch.in.num("port")),
		MemberType: ch.in.str("member_type"), HealthCheck: ch.in.has("vpc_health_config"),
		More: more(ch.in, seeded("apig", "CreateVpcChannelV2", "", params{}), "name", "port", "member_type", "vpc_health_config",
			"members", "member_groups", "project_id", "instance_id", "instance_ids", "vpc_channel_id"),
	}
	if out.HealthCheck {
		check := more(ch.in.object("vpc_health_config"), apigCheckDefaults(), "vpc_channel_id", "create_time")
		if out.More == nil {
			out.More = make(map[string]any)
		}
		out.More["vpc_health_config"] = check
	}
	for _, g := range ch.groups {
		name := g.in.str("member_group_name")
		out.Groups = append(out.Groups, name)
		if out.GroupSettings == nil {
			out.GroupSettings = make(map[string]map[string]any)
		}
		settings := more(g.in, nil, "member_group_name")
		if settings == nil {
			settings = make(map[string]any)
		}
		settings["member_group_id"] = g.id
		out.GroupSettings[name] = settings
	}
	for _, m := range ch.members {
		out.Members = append(out.Members, ChannelMember{
			ID: m.id, Host: m.host, ECSID: m.ecs, ECSName: m.ecsName, Port: int(m.port), Weight: new(int(m.weight)),
			Group: m.group, Disabled: m.status == apigDisabled, Backup: m.backup,
		})
	}
	return out
}

func seedTags(tags []object, key, value string) map[string]string {
	if len(tags) == 0 {
		return nil
	}
	out := make(map[string]string, len(tags))
	for _, t := range tags {
		out[params(t).str(key)] = params(t).str(value)
	}
	return out
}
