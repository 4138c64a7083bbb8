// Package pool changes which servers stand behind a load balancer: the same
// safe change on every service.
//
//	p := pool.New(lb.Pool("sgp-..."))  // lb is an *alb.Client, *slb.Client, *elb.Client or *apig.Client
//	plan, err := p.Plan(ctx, desired, pool.PlanOptions{MinInService: 2})
//	fmt.Print(plan)                    // + add, ~ reweight, - remove
//	report, err := p.Apply(ctx, plan)  // calls, waits, verifies
//
// A pool is an ALB server group, an SLB vServer group or default group, an ELB
// pool, or an APIG channel. A member is named by instance ID or address, and
// port.
//
// # Verbs
//
// Add, Remove, SetWeight and Replace are for scripts: any number of members,
// split at the service's limits, each call waited for, the result read back,
// with a Report of what became of every member. Doing it again changes nothing
// and says so.
//
// # Plan and Apply
//
// A Plan is worked out from what is there and what is wanted, is refused if it
// breaks a limit of its PlanOptions, can be printed and stored, and can be
// applied by another process. The order is: add, wait until in service, reweight,
// drain, remove. Apply can be called again at any point; what has happened is
// not repeated.
//
// # Deploys
//
// Drain, Rollout, Shift, BlueGreen, Join and Leave take members out of service
// and bring them back with the weights that they had. Fleet does the same to
// many pools.
//
// # Turns
//
// Methods that change one pool wait for each other, for as long as they run,
// Join and Leave only for their calls; so a function that is called by Rollout
// must not change the same pool by the methods of a Pool. Calls that lock the same resource (two vServer groups of
// one SLB load balancer) wait for each other one by one. This holds among the
// pools of one client; WithLocker makes it hold among processes.
package pool
