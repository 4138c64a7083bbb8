package fakecloud

// elbUnlimited are the ELB quotas that nothing was said about.
const elbUnlimited = -1

// WithELBQuota sets a quota of ELB, such as "members_per_pool", "pool",
// "member" or "healthmonitor"; these four are enforced. -1 means unlimited. By
// default only members_per_pool has a limit: 1,000.
func WithELBQuota(key string, limit int) Option {
	return func(s *settings) {
		if s.elbQuotas == nil {
			s.elbQuotas = make(map[string]int)
		}
		s.elbQuotas[key] = limit
	}
}

func (c *account) elbLimit(key string) int {
	if n, ok := c.set.elbQuotas[key]; ok {
		return n
	}
	if key == "members_per_pool" {
		return 1000
	}
	return elbUnlimited
}

// elbQuota refuses more of something than the quota allows.
func (c *account) elbQuota(key string, have, more int) *fault {
	if limit := c.elbLimit(key); limit != elbUnlimited && have+more > limit && more > 0 {
		return refusef(409, "ELB.8905", "Quota exceeded for resources: %s", key)
	}
	return nil
}

// elbFull refuses more members than the pool, or the project, may have.
func (c *call) elbFull(p *elbPool, more int) *fault {
	if f := c.elbQuota("members_per_pool", len(p.members), more); f != nil {
		return f
	}
	if c.elbLimit("member") == elbUnlimited {
		return nil
	}
	return c.elbQuota("member", c.elbUsed("member"), more)
}

// elbUsed counts what a quota counts; what is counted per parent is 0.
func (c *call) elbUsed(key string) int {
	switch key {
	case "loadbalancer":
		return len(c.elb.balancers)
	case "listener":
		return len(c.elb.listeners)
	case "pool":
		return len(c.elb.order) + len(c.elb.pairs)
	case "healthmonitor":
		return len(c.elb.monitors)
	case "member":
		n := 0
		for _, p := range c.elb.order {
			n += len(p.members)
		}
		for _, p := range c.elb.pairs {
			n += len(p.members)
		}
		return n
	default:
		return 0
	}
}

func elbShowQuota(c *call) (object, *fault) {
	quota := object{"project_id": c.set.projectID}
	for _, f := range find(c.op.Response, "quota").Fields {
		if f.Type == "integer" {
			quota[f.Name] = c.elbLimit(f.Name)
		}
	}
	return object{"quota": quota}, nil
}

func elbListQuotas(c *call) (object, *fault) {
	keys := c.in.strs("quota_key")
	if len(keys) == 0 {
		for _, key := range find(c.op.Request, "quota_key").Enum {
			if key, ok := key.(string); ok {
				keys = append(keys, key)
			}
		}
	}
	rows := make([]object, len(keys))
	for i, key := range keys {
		rows[i] = object{"quota_key": key, "quota_limit": c.elbLimit(key), "used": c.elbUsed(key), "unit": "count"}
	}
	return object{"quotas": rows}, nil
}
