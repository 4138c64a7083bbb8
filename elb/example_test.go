package elb_test

import (
	"context"
	"fmt"

	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
)

func ExampleClient_BatchCreateMembers() {
	cloud := fakecloud.New()
	pool := cloud.AddPool(fakecloud.Pool{Members: []fakecloud.PoolMember{{Address: "192.168.0.11", Port: 80}}})
	lb, err := elb.New(cloud.Config(), elb.WithProjectID(cloud.ProjectID()))
	if err != nil {
		panic(err)
	}
	res, err := lb.BatchCreateMembers(context.Background(), elb.BatchCreateMembersRequest{
		PoolID: pool,
		Members: []elb.BatchMemberSpec{
			{Address: "192.168.0.11", ProtocolPort: 80},
			{Address: "192.168.0.12", ProtocolPort: 80, Weight: new(10)},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, m := range res.Members {
		fmt.Println(m.Address, m.RetStatus)
	}
	// Output:
	// 192.168.0.11 existed
	// 192.168.0.12 successful
}

func ExampleClient_Members() {
	cloud := fakecloud.New()
	pool := cloud.AddPool(fakecloud.Pool{Members: []fakecloud.PoolMember{
		{Address: "192.168.0.11", Port: 80}, {Address: "192.168.0.12", Port: 80, Weight: new(0)},
	}})
	lb, err := elb.New(cloud.Config(), elb.WithProjectID(cloud.ProjectID()))
	if err != nil {
		panic(err)
	}
	for m, err := range lb.Members(context.Background(), elb.ListMembersRequest{PoolID: pool}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(m.Address, m.ProtocolPort, m.Weight)
	}
	// Output:
	// 192.168.0.11 80 1
	// 192.168.0.12 80 0
}
