// Command elb-register adds members to an ELB pool in one call, looks at what
// became of each, and waits until the health check has seen them all.
package main

import (
	"context"
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()

	cloud := fakecloud.New(fakecloud.WithMemberInitial(100 * time.Millisecond))
	// For the real service, instead of the next two lines (and the one above):
	//	cfg := cloudlb.Config{Region: "cn-north-4", Credentials: cloudlb.StaticCredentials(ak, sk, "")}
	//	pool := "36ce7086-a496-4666-..."
	cfg := cloud.Config()
	pool := cloud.AddPool(fakecloud.Pool{HealthMonitorID: "monitor", Members: []fakecloud.PoolMember{{Address: "192.168.0.11", Port: 80}}})

	lb, err := elb.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	created, err := lb.BatchCreateMembers(ctx, elb.BatchCreateMembersRequest{
		PoolID: pool,
		Members: []elb.BatchMemberSpec{
			{Address: "192.168.0.11", ProtocolPort: 80}, // is there already: stays as it is
			{Address: "192.168.0.12", ProtocolPort: 80},
			{Address: "192.168.0.13", ProtocolPort: 80, Weight: new(0)},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range created.Members {
		fmt.Printf("%s:%d %s\n", m.Address, m.ProtocolPort, m.RetStatus)
	}

	initial := func(m elb.Member) bool { return m.OperatingStatus == elb.MemberOperatingStatusInitial }
	for {
		list, err := lb.ListMembers(ctx, elb.ListMembersRequest{PoolID: pool})
		if err != nil {
			log.Fatal(err)
		}
		if !slices.ContainsFunc(list.Members, initial) {
			for _, m := range list.Members {
				fmt.Printf("%s:%d weight %d %s\n", m.Address, m.ProtocolPort, m.Weight, m.OperatingStatus)
			}
			return
		}
		select {
		case <-time.After(50 * time.Millisecond): // 5 seconds for the real service
		case <-ctx.Done():
			log.Fatal(ctx.Err())
		}
	}
}
