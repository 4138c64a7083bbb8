// Package alb calls Alibaba Cloud Application Load Balancer (ALB), API version
// 2020-06-16: server groups and the servers in them.
//
//	lb, err := alb.New(cfg)
//	res, err := lb.AddServersToServerGroup(ctx, alb.AddServersToServerGroupRequest{
//		ServerGroupID: "sgp-atstuj3rtoptyui0",
//		Servers: []alb.AddedServer{
//			{ServerID: "i-bp67acfmxazb4p0001", ServerType: alb.ServerTypeEcs, Port: 80, Weight: new(50)},
//		},
//	})
//	job, err := lb.WaitForJob(ctx, res.JobID)
//
// Writes are asynchronous: the service answers with a job, and the group is
// Configuring until the job has ended. A second write to the same group is
// refused meanwhile; calls wait for it (cloudlb.RetryPolicy.BusyTimeout). Groups
// do not lock each other.
//
// A server of weight 0 gets no new requests and is not health-checked. Weights
// are 0 to 100; the service adds a server without weight with 100.
//
// Every write has a client token, which is filled in: repeating a request with
// the same token returns the same job instead of doing the work again.
package alb
