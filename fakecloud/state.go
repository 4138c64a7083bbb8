package fakecloud

import (
	"fmt"
	"slices"
	"time"
)

// State is what is in a Cloud, or in an account of it, in the form it can be put
// into one. Jobs and locks of ALB and SLB and the times of creation are not part
// of it; load balancers and listeners of ELB are those that pools name.
type State struct {
	ServerGroups            []ServerGroup            `json:",omitempty"`
	Listeners               []Listener               `json:",omitempty"`
	HealthCheckTemplates    []HealthCheckTemplate    `json:",omitempty"`
	VServerGroups           []VServerGroup           `json:",omitempty"`
	ClassicLoadBalancers    []ClassicLoadBalancer    `json:",omitempty"`
	MasterSlaveServerGroups []MasterSlaveServerGroup `json:",omitempty"`
	Pools                   []Pool                   `json:",omitempty"`
	MasterSlavePools        []Pool                   `json:",omitempty"`
	LoadBalancerJobs        []LoadBalancerJob        `json:",omitempty"`
	Instances               []string                 `json:",omitempty"` // of APIG, without channels
	VPCChannels             []VPCChannel             `json:",omitempty"`
	// LoadBalancerTags are the tags of ALB load balancers, by ID.
	LoadBalancerTags map[string]map[string]string `json:",omitempty"`
	// Unhealthy are the servers that SetHealth said fail health checks.
	Unhealthy []string `json:",omitempty"`
	// Accounts are the accounts beside the default one, by name; they have no
	// Accounts themselves. Credentials and options are not part of a State.
	Accounts map[string]State `json:",omitempty"`
}

// Validate reports what makes no sense: accounts in accounts, and bad names of
// them.
func (s State) Validate() error {
	for _, name := range sortedKeys(s.Accounts) {
		switch {
		case !accountName.MatchString(name):
			return fmt.Errorf("fakecloud: an account cannot have the name %q", name)
		case len(s.Accounts[name].Accounts) > 0:
			return fmt.Errorf("fakecloud: the account %s has accounts", name)
		}
	}
	return nil
}

// Seed puts everything of a State into the Cloud and returns the IDs, in the
// order of State's fields. What has the ID of something that is there replaces
// it; accounts that are not there are made. It panics if
// the State makes no sense; see Validate.
func (c *Cloud) Seed(s State) []string {
	if err := s.Validate(); err != nil {
		panic(err.Error())
	}
	ids := c.fill(s)
	for _, name := range sortedKeys(s.Accounts) {
		ids = append(ids, c.Account(name).fill(s.Accounts[name])...)
	}
	return ids
}

func (c *account) fill(s State) []string {
	for _, b := range s.ClassicLoadBalancers { // in this order; groups need them
		if b.ID != "" {
			c.AddLoadBalancer(b.ID)
		}
	}
	masters := addAll(s.MasterSlaveServerGroups, c.AddMasterSlaveServerGroup) // listeners need them
	for _, id := range s.Instances {
		c.AddInstance(id)
	}
	for _, id := range s.Unhealthy {
		c.SetHealth(id, false)
	}
	ids := slices.Concat(
		addAll(s.ServerGroups, c.AddServerGroup), addAll(s.Listeners, c.AddListener),
		addAll(s.HealthCheckTemplates, c.AddHealthCheckTemplate),
		addAll(s.VServerGroups, c.AddVServerGroup), addAll(s.ClassicLoadBalancers, c.AddClassicLoadBalancer), masters,
		addAll(s.Pools, c.AddPool), addAll(s.MasterSlavePools, c.AddMasterSlavePool), addAll(s.LoadBalancerJobs, c.AddLoadBalancerJob),
		s.Instances, addAll(s.VPCChannels, c.AddVPCChannel),
	)
	c.tagBalancers(s.LoadBalancerTags)
	return ids
}

func addAll[T any](list []T, add func(T) string) []string {
	ids := make([]string, len(list))
	for i := range list {
		ids[i] = add(list[i])
	}
	return ids
}

func (c *account) tagBalancers(tags map[string]map[string]string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alb.version++
	for _, lb := range (&call{account: c}).albBalancers() {
		if t, ok := tags[lb.id]; ok {
			lb.tags = nil
			for _, k := range sortedKeys(t) {
				lb.tags = append(lb.tags, object{"Key": k, "Value": t[k]})
			}
		}
	}
}

// State returns what is in the Cloud now.
func (c *Cloud) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.account.state()
	for _, a := range c.accounts[1:] {
		if s.Accounts == nil {
			s.Accounts = make(map[string]State)
		}
		s.Accounts[a.name] = a.state()
	}
	return s
}

func (c *account) state() State {
	var s State
	now := time.Now()
	(&call{account: c, now: now}).settleAll()
	for _, g := range c.alb.order {
		s.ServerGroups = append(s.ServerGroups, g.seed())
	}
	for _, l := range c.alb.listeners {
		s.Listeners = append(s.Listeners, l.seed())
	}
	for _, t := range c.alb.templates {
		s.HealthCheckTemplates = append(s.HealthCheckTemplates, t.seed())
	}
	for _, lb := range c.alb.balancers {
		if len(lb.tags) > 0 {
			if s.LoadBalancerTags == nil {
				s.LoadBalancerTags = make(map[string]map[string]string)
			}
			s.LoadBalancerTags[lb.id] = seedTags(lb.tags, "Key", "Value")
		}
	}
	for _, lb := range c.slb.order {
		s.ClassicLoadBalancers = append(s.ClassicLoadBalancers, lb.seed())
		for _, g := range lb.groups {
			s.VServerGroups = append(s.VServerGroups, g.seed())
		}
		for _, g := range lb.masters {
			s.MasterSlaveServerGroups = append(s.MasterSlaveServerGroups, g.masterSeed())
		}
	}
	for _, p := range c.elb.order {
		s.Pools = append(s.Pools, p.seed())
	}
	for _, p := range c.elb.pairs {
		s.MasterSlavePools = append(s.MasterSlavePools, p.seed())
	}
	for _, j := range c.elb.jobs {
		job := j.LoadBalancerJob
		job.Duration = max(j.begin.Add(j.Duration).Sub(now), 0)
		s.LoadBalancerJobs = append(s.LoadBalancerJobs, job)
	}
	for _, i := range c.apig.order {
		if len(i.channels) == 0 {
			s.Instances = append(s.Instances, i.id)
		}
		for _, ch := range i.channels {
			s.VPCChannels = append(s.VPCChannels, ch.seed())
		}
	}
	s.Unhealthy = sortedKeys(c.sick)
	return s
}

// RequestByID returns the request that was answered with a request ID, the one
// in every response's Metadata and in every error.
func (c *Cloud) RequestByID(id string) (Request, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	log := c.log.all()
	for i := range slices.Backward(log) { // the one that is looked for is mostly new
		if log[i].RequestID == id {
			r := log[i]
			r.Params = clone(r.Params)
			return r, true
		}
	}
	return Request{}, false
}
