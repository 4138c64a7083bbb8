// Package elb calls Huawei Cloud Elastic Load Balance (ELB), API version v3:
// backend server pools, their members and health monitors.
//
//	lb, err := elb.New(cfg, elb.WithProjectID(projectID))
//	res, err := lb.BatchCreateMembers(ctx, elb.BatchCreateMembersRequest{
//		PoolID:  "36ce7086-a496-4666-9064-5ba0e6840c75",
//		Members: []elb.BatchMemberSpec{{Address: "192.168.0.11", ProtocolPort: 80, Weight: new(10)}},
//	})
//	for _, m := range res.Members {
//		fmt.Println(m.Address, m.RetStatus) // successful, or existed
//	}
//
// Writes are synchronous; a member is INITIAL until it was health-checked. Writes
// are refused while the load balancer of the pool is being changed; calls wait
// for it (cloudlb.RetryPolicy.BusyTimeout).
//
// Weights are 0 to 100, 1 when left out. A member of weight 0 gets no new
// requests; pools with the algorithm SOURCE_IP or QUIC_CID ignore weights.
//
// The batch operations report per member what was there already, so they are
// repeated when an answer is lost. CreateMember is not.
package elb
