// Command slb-drain-and-remove takes a server out of a vServer group of a classic
// SLB load balancer without cutting off its users: weight 0 first, so that it
// gets no new requests, and out of the group when the old ones have ended.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/slb"
)

const (
	server = "i-bp1ek6yd7jvkx3m9q0ta"
	drain  = 200 * time.Millisecond // as long as requests take: seconds to minutes
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()

	cloud := fakecloud.New(fakecloud.WithConfiguringWindow(50 * time.Millisecond))
	// For the real service, instead of the next two lines (and the one above):
	//	cfg := cloudlb.Config{Region: "cn-hangzhou", Credentials: cloudlb.StaticCredentials(id, secret, "")}
	//	group := "rsp-cige6..."
	cfg := cloud.Config()
	group := cloud.AddVServerGroup(fakecloud.VServerGroup{Servers: []fakecloud.BackendServer{
		{ID: server, Port: 80}, {ID: "i-bp1fq61enf4loa5i2w8z", Port: 80},
	}})

	lb, err := slb.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := lb.SetVServerGroupAttribute(ctx, slb.SetVServerGroupAttributeRequest{
		VServerGroupID: group,
		BackendServers: slb.BackendServerUpdateList{{ServerID: server, Port: 80, Weight: new(0)}},
	}); err != nil {
		log.Fatal(err)
	}
	fmt.Println(server, "gets no new requests")

	select {
	case <-time.After(drain):
	case <-ctx.Done():
		log.Fatal(ctx.Err())
	}
	// Should the load balancer still be busy with the first change, this waits.
	removed, err := lb.RemoveVServerGroupBackendServers(ctx, slb.RemoveVServerGroupBackendServersRequest{
		VServerGroupID: group,
		BackendServers: slb.BackendServerRefList{{ServerID: server, Port: 80}},
	})
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range removed.BackendServers {
		fmt.Printf("left: %s:%d weight %d\n", s.ServerID, s.Port, s.Weight)
	}
}
