package fakecloud

// WithWeightZeroAbnormal makes classic SLB call servers of weight 0 abnormal
// behind TCP and UDP listeners, as one age of its documentation says. Without
// it they are normal everywhere, as the other says. It is the same as
// WithoutAssumption(SLBWeightZeroNormal).
func WithWeightZeroAbnormal() Option { return WithoutAssumption(SLBWeightZeroNormal) }

func slbDescribeHealth(c *call) (object, *fault) {
	lb, f := c.slbLoadBalancer()
	if f != nil {
		return nil, f
	}
	health, checked := []object{}, false
	for _, l := range lb.listeners {
		if c.in.has("ListenerPort") && c.in.num("ListenerPort") != l.port ||
			c.in.has("ListenerProtocol") && c.in.str("ListenerProtocol") != l.protocol {
			continue
		}
		checked = checked || l.checked
		groups := []*slbGroup{l.group}
		for _, r := range l.rules {
			groups = append(groups, r.group)
		}
		seen := make(map[slbKey]bool)
		for _, g := range groups {
			for _, s := range g.servers {
				k := s.slbKey
				if g == lb.group {
					k.port = l.backendPort
				}
				if !seen[k] {
					seen[k] = true
					health = append(health, object{
						"ListenerPort": l.port, "Protocol": l.protocol, "ServerId": k.id, "ServerIp": k.ip, "Port": k.port,
						"ServerHealthStatus": c.slbHealth(l, k, s.weight),
					})
				}
			}
		}
	}
	if c.in.has("ListenerPort") && !checked {
		return nil, refusef(404, "CheckedListenerNotFound", "The specified listener %d with a health check is not found.", c.in.num("ListenerPort"))
	}
	return object{"BackendServers": object{"BackendServer": health}}, nil
}

// slbHealth is a server's health behind a listener.
func (c *call) slbHealth(l *slbListener, s slbKey, weight int64) string {
	switch {
	case !l.checked:
		return "unavailable"
	case weight == 0 && !c.set.assumes(SLBWeightZeroNormal) && (l.protocol == "tcp" || l.protocol == "udp"):
		return "abnormal"
	case weight == 0 || c.healthy(s.id, s.ip, hostPort(s.id, s.port), hostPort(s.ip, s.port)):
		return "normal"
	default:
		return "abnormal"
	}
}
