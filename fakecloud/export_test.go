package fakecloud

// Visited is how many rows all lists have looked at so far.
func (c *Cloud) Visited() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.visited
}
