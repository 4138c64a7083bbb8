package fakecloud

// SetHealth says how a server does in health checks, in all services and all
// groups of the account that it is in, now or later: one that is not healthy fails every check
// until it is set healthy again. server is its ID or its address. Servers are
// healthy unless something else is said. Whether a service looks at a server at
// all is its own affair: ALB does not check one of weight 0.
func (c *account) SetHealth(server string, healthy bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.flowNow()
	if healthy {
		delete(c.sick, server)
		return
	}
	if c.sick == nil {
		c.sick = make(map[string]bool)
	}
	c.sick[server] = true
}

// healthy reports whether none of a server's names was set unhealthy.
func (c *account) healthy(names ...string) bool {
	for _, n := range names {
		if c.sick[n] {
			return false
		}
	}
	return true
}
