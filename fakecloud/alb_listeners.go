package fakecloud

import (
	"slices"
	"strings"
	"time"
)

// Listener is an ALB listener to start with.
type Listener struct {
	// ID and LoadBalancerID default to generated ones.
	ID             string
	LoadBalancerID string
	// Protocol is "HTTP" (the default), "HTTPS" or "QUIC"; Port defaults to 80
	// or 443.
	Protocol string
	Port     int
	// Status is "Running" (the default), "Provisioning", "Configuring" or
	// "Stopped".
	Status      string
	Description string
	// ServerGroupIDs get the requests that no rule takes. Groups that do not
	// exist are made; groups of listeners are in use and cannot be deleted.
	ServerGroupIDs []string
	// Rules send some of the requests to other groups.
	Rules []ListenerRule
	// Tags are the listener's tags.
	Tags map[string]string
	// More are further fields of the listener, or other values of them, in the
	// wire names of ListListeners: "IdleTimeout", "XForwardedForConfig".
	More map[string]any
}

// ListenerRule is a forwarding rule of an ALB listener.
type ListenerRule struct {
	// ID defaults to a generated one.
	ID string
	// ServerGroupIDs get the requests, MirrorGroupIDs a copy of them. Groups
	// that do not exist are made.
	ServerGroupIDs []string
	MirrorGroupIDs []string
}

// AddListener puts an ALB listener into the Cloud and returns its ID. A
// listener of the same ID is replaced.
func (c *account) AddListener(l Listener) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	l.ID, l.LoadBalancerID = either(l.ID, c.ids.alibaba("lsr-")), either(l.LoadBalancerID, c.ids.alibaba("alb-"))
	l.Protocol, l.Status = either(l.Protocol, "HTTP"), either(l.Status, "Running")
	if l.Port == 0 {
		l.Port = 443
		if l.Protocol == "HTTP" {
			l.Port = 80
		}
	}
	l.ServerGroupIDs, l.Rules, l.More = slices.Clone(l.ServerGroupIDs), slices.Clone(l.Rules), normalMap(l.More)
	groups := l.ServerGroupIDs
	for i, r := range l.Rules {
		l.Rules[i].ID = either(r.ID, c.ids.alibaba("rule-"))
		groups = slices.Concat(groups, r.ServerGroupIDs, r.MirrorGroupIDs)
	}
	for _, id := range groups {
		c.useGroup(id, l.LoadBalancerID)
	}
	listener := &albListener{Listener: l, numbered: numbered{c.alb.next()}}
	for _, k := range sortedKeys(l.Tags) {
		listener.tags = append(listener.tags, object{"Key": k, "Value": l.Tags[k]})
	}
	c.alb.listeners = slices.DeleteFunc(c.alb.listeners, func(x *albListener) bool { return x.ID == l.ID })
	c.alb.version++
	c.alb.listeners = append(c.alb.listeners, listener)
	return l.ID
}

// useGroup notes that a load balancer uses a group.
func (c *account) useGroup(id, balancer string) {
	g := c.alb.groups[id]
	if g == nil {
		g = c.newALBGroup(id, time.Now(), seeded("alb", "CreateServerGroup", "", params{
			"ServerGroupName": "group-" + c.ids.hex(6), "VpcId": c.ids.alibaba("vpc-"),
			"HealthCheckConfig": object{"HealthCheckEnabled": true},
		}))
		c.alb.put(g)
	}
	if !slices.Contains(g.loadBalancers, balancer) {
		g.loadBalancers = append(slices.Clip(g.loadBalancers), balancer)
	}
}

type albListener struct {
	Listener
	numbered
	tags []object
}

func (l *albListener) object() object {
	groups := make([]object, len(l.ServerGroupIDs))
	for i, id := range l.ServerGroupIDs {
		groups[i] = object{"ServerGroupId": id}
	}
	out := object{
		"ListenerId": l.ID, "LoadBalancerId": l.LoadBalancerID, "ListenerProtocol": l.Protocol, "ListenerPort": l.Port,
		"ListenerStatus": l.Status, "ListenerDescription": l.Description, "Tags": orEmpty(l.tags),
		"DefaultActions": []object{{"Type": "ForwardGroup", "ForwardGroupConfig": object{"ServerGroupTuples": groups}}},
		"GzipEnabled":    true, "Http2Enabled": l.Protocol == "HTTPS", "IdleTimeout": 15, "RequestTimeout": 60,
		"LogConfig": object{
			"AccessLogRecordCustomizedHeadersEnabled": false,
			"AccessLogTracingConfig":                  object{"TracingEnabled": false},
		},
		"QuicConfig":          object{"QuicUpgradeEnabled": false},
		"XForwardedForConfig": forwardedFor(),
	}
	if l.Protocol == "HTTPS" {
		out["SecurityPolicyId"] = "tls_cipher_policy_1_0"
	}
	return object(merged(params(out), l.More))
}

// forwardedFor are the headers that a new listener adds: X-Forwarded-For only.
func forwardedFor() object {
	out := object{"XForwardedForEnabled": true, "XForwardedForProcessingMode": "append"}
	for _, name := range []string{
		"ClientCertClientVerify", "ClientCertFingerprint", "ClientCertIssuerDN", "ClientCertSubjectDN",
		"ClientSourceIps", "ClientSrcPort", "Host", "Proto", "SLBId", "SLBPort",
	} {
		out["XForwardedFor"+name+"Enabled"] = false
	}
	return out
}

func albListListeners(c *call) (object, *fault) {
	ids, balancers := c.in.strs("ListenerIds"), c.in.strs("LoadBalancerIds")
	for _, id := range balancers {
		if c.albBalancer(id) == nil {
			return nil, refusef(404, "ResourceNotFound.LoadBalancer", "The specified resource %s is not found.", id)
		}
	}
	rows := c.alb.listeners
	if c.filtered() {
		rows = pick(c, rows, func(l *albListener) bool {
			return (len(ids) == 0 || slices.Contains(ids, l.ID)) &&
				(len(balancers) == 0 || slices.Contains(balancers, l.LoadBalancerID)) &&
				(!c.in.has("ListenerProtocol") || c.in.str("ListenerProtocol") == l.Protocol) && tagged(l.tags, c.in.list("Tag"))
		})
	}
	return albPage(c, "Listeners", rows, (*albListener).object)
}

// albEntry is an entry of a page of GetListenerHealthStatus: a rule, or the
// listener itself.
type albEntry struct {
	numbered
	rule *ListenerRule
}

// albGetHealth reports who is not well behind a listener and, if asked, its
// rules. Each of these is one entry of the page.
func albGetHealth(c *call) (object, *fault) {
	id := c.in.str("ListenerId")
	i := slices.IndexFunc(c.alb.listeners, func(l *albListener) bool { return l.ID == id })
	if i < 0 {
		return nil, refusef(404, "ResourceNotFound.Listener", "The specified resource %s is not found.", id)
	}
	l := c.alb.listeners[i]
	entries := []albEntry{{}}
	if c.in.flag("IncludeRule") {
		for i := range l.Rules {
			entries = append(entries, albEntry{numbered{int64(i + 1)}, &l.Rules[i]})
		}
	}
	row := func(e albEntry) object {
		if e.rule == nil {
			return object{
				"ListenerId": l.ID, "ListenerPort": l.Port, "ListenerProtocol": strings.ToLower(l.Protocol),
				"ServerGroupInfos": c.albGroupsHealth("ForwardGroup", l.ServerGroupIDs),
			}
		}
		return object{"RuleId": e.rule.ID, "ServerGroupInfos": append(
			c.albGroupsHealth("ForwardGroup", e.rule.ServerGroupIDs), c.albGroupsHealth("TrafficMirror", e.rule.MirrorGroupIDs)...)}
	}
	out := object{"NextToken": ""}
	if c.set.assumes(ALBHealthPaged) {
		var f *fault
		if out, f = albPage(c, "entries", entries, row); f != nil {
			return nil, f
		}
	} else {
		var page []object
		for _, e := range entries {
			page = append(page, row(e))
		}
		out["entries"] = page
	}
	listeners, rules := []object{}, []object{}
	page, _ := out["entries"].([]object)
	for _, e := range page {
		if params(e).has("RuleId") {
			rules = append(rules, e)
		} else {
			listeners = append(listeners, e)
		}
	}
	return object{"ListenerHealthStatus": listeners, "RuleHealthStatus": rules, "NextToken": out["NextToken"]}, nil
}

func (c *call) albGroupsHealth(action string, ids []string) []object {
	out := []object{}
	for _, id := range ids {
		g, f := c.albGroup(id)
		if f != nil {
			continue
		}
		enabled := "off"
		if g.in.object("HealthCheckConfig").flag("HealthCheckEnabled") {
			enabled = "on"
		}
		servers := []object{}
		for _, s := range g.servers {
			if status := c.albHealth(g, s); status != "" {
				o := object{"ServerId": s.id, "ServerIp": s.ip, "Port": s.port, "Status": status}
				if status == "Unhealthy" {
					o["Reason"] = g.reason()
				}
				servers = append(servers, o)
			}
		}
		out = append(out, object{
			"ServerGroupId": g.id, "ActionType": action, "HealthCheckEnabled": enabled, "NonNormalServers": servers,
		})
	}
	return out
}

// albHealth is what the health check says of a server; nothing when it is
// well.
func (c *call) albHealth(g *albGroup, s *albServer) string {
	says := func(a Assumption, status string) string {
		if c.set.assumes(a) {
			return status
		}
		return ""
	}
	switch {
	case !g.in.object("HealthCheckConfig").flag("HealthCheckEnabled"):
		return says(ALBUncheckedListed, "Unavailable")
	case s.weight == 0: // ALB does not look at it
		return says(ALBUnusedListed, "Unused")
	case s.joining:
		return says(ALBInitialListed, "Initial")
	case !c.healthy(s.id, s.ip, hostPort(s.id, s.port), hostPort(s.ip, s.port)):
		return "Unhealthy"
	default:
		return ""
	}
}

// reason is why a server is Unhealthy: an answer that was not wanted or, where
// none is looked at, no connection.
func (g *albGroup) reason() object {
	if p := g.in.object("HealthCheckConfig").str("HealthCheckProtocol"); p == "TCP" || p == "gRPC" {
		return object{"ReasonCode": "CONNECT_FAILED"}
	}
	return object{"ReasonCode": "RESPONSE_MISMATCH", "ExpectedResponse": "HTTP_2xx", "ActualResponse": "503"}
}
