package transport

import "github.com/cloudlb/cloudlb"

// Limiter returns what keeps the client's calls within the budgets of its
// account: the one of the Config, or the client's own.
func (c *Client) Limiter() *cloudlb.Limiter { return c.limiter }
