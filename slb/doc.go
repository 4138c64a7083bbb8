// Package slb calls Alibaba Cloud classic Server Load Balancer (SLB, also CLB),
// API version 2014-05-15: vServer groups, default server groups, master/slave
// groups and the servers in them.
//
//	lb, err := slb.New(cfg)
//	res, err := lb.AddVServerGroupBackendServers(ctx, slb.AddVServerGroupBackendServersRequest{
//		VServerGroupID: "rsp-cige6j8c0001",
//		BackendServers: []slb.BackendServerSpec{{ServerID: "i-bp67acfmxazb4p0001", Port: 80, Weight: new(100)}},
//	})
//
// Writes are synchronous, but a load balancer is locked for a moment after each:
// a write to any of its groups is refused meanwhile, and calls wait for it
// (cloudlb.RetryPolicy.BusyTimeout). One call takes at most 20 servers.
//
// The operations have no client token. After an error with
// cloudlb.OutcomeUnknown from an Add or Create call read the group back before
// calling again; removals and attribute changes repeat themselves.
//
// Requests fill RegionID from the Config. Numbers that the service writes as
// strings are read as numbers.
package slb
