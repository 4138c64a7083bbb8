// Package cloudlb is the shared part of an SDK that changes which servers stand
// behind a load balancer, and tells for certain how that ended. The services
// are in packages alb, slb, elb and apig:
//
//	lb, err := alb.New(cloudlb.Config{
//		Region:      "cn-hangzhou",
//		Credentials: cloudlb.StaticCredentials(keyID, secret, ""),
//	})
//	res, err := lb.AddServersToServerGroup(ctx, alb.AddServersToServerGroupRequest{
//		ServerGroupID: "sgp-atstuj3rtoptyui0",
//		Servers:       []alb.AddedServer{{ServerID: "i-bp67acfmxazb4p0001", ServerType: alb.ServerTypeEcs, Port: 80}},
//	})
//	job, err := lb.WaitForJob(ctx, res.JobID)
//
// # Calls
//
// Each operation of a service is a method with a request by value and a
// response. A request is checked completely before anything is sent; what is
// wrong comes back as a *ValidationError with every field. Optional fields are
// plain where zero means absent, and pointers where zero means something.
// Requests load from JSON with the vendors' names, responses print as such.
//
// # Errors
//
// Every failed call returns an *[Error]. Its Class says what it means
// ([ErrBusy], [ErrThrottled], [ErrNotFound] and the others, for errors.Is); its
// [Outcome] says whether the service can have changed anything:
//
//	not sent          nothing reached the service
//	rejected          the service said no
//	outcome unknown   sent, and no trustworthy answer: repeat with the client
//	                  token of the error, or read the resource back
//
// # Retries
//
// A call repeats itself when that is safe, with a new signature and the same
// client token:
//
//	throttled                  any operation, up to RetryPolicy.MaxAttempts
//	busy                       any operation that was refused, up to BusyTimeout
//	unavailable, network       reads, operations with a client token, operations
//	                           whose repeat has no effect; others only when the
//	                           request was not sent
//	everything else            never
//
// It waits as long as the service asks, but not past the context's deadline:
// then it returns at once and says so. Retry and polling intervals are policy
// and may improve in minor versions.
//
// # Budgets
//
// The services publish rates per account, region and operation. A [Limiter]
// keeps calls within them; share one between all clients of an account.
//
// # Secrets
//
// Credentials, requests with passwords, clients and errors never print a key, a
// token or a signature, whatever the verb or logger.
package cloudlb
