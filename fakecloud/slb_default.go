package fakecloud

import "strconv"

// slbDefault is the frame of a change of a load balancer's default group. Its
// servers have no ports of their own: each listener has one for all of them.
func slbDefault(change func(*call, *slbGroup, []*slbServer) *fault) handler {
	return func(c *call) (object, *fault) {
		lb, f := c.slbLoadBalancer()
		if f != nil {
			return nil, f
		}
		if f := c.slbLock(lb, nil); f != nil {
			return nil, f
		}
		for _, s := range c.in.list("BackendServers") {
			if c.set.assumes(SLBDefaultGroupPortless) {
				delete(s, "Port")
			}
		}
		servers := c.slbServers("BackendServers")
		if len(servers) == 0 && c.set.assumes(SLBNothingNamedRefused) {
			return nil, refusef(400, "MissingParameter", "The input parameter %q that is mandatory for processing this request is not supplied.", "BackendServers")
		}
		if f := change(c, lb.group, servers); f != nil {
			return nil, f
		}
		c.slbBusy(lb, nil)
		out := lb.group.object()
		if c.op.Name != "RemoveBackendServers" { // there, and in all reads, they are numbers
			for _, s := range slbList(out) {
				s["Weight"] = strconv.FormatInt(params(s).num("Weight"), 10)
			}
		}
		return out, nil
	}
}

// slbList is the list of servers in a group's answer.
func slbList(group object) []object {
	list, _ := params(group).object("BackendServers")["BackendServer"].([]object)
	return list
}
