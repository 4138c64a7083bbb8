// Command alb-add-and-wait adds two servers to an ALB server group and waits
// until the load balancer has them.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/fakecloud"
)

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()

	cloud := fakecloud.New(fakecloud.WithJobDuration(100 * time.Millisecond))
	// For the real service, instead of the next two lines (and the one above):
	//	cfg := cloudlb.Config{Region: "cn-hangzhou", Credentials: cloudlb.StaticCredentials(id, secret, "")}
	//	group := "sgp-atstuj3rtop..."
	cfg := cloud.Config()
	group := cloud.AddServerGroup(fakecloud.ServerGroup{Name: "web"})

	lb, err := alb.New(cfg)
	if err != nil {
		log.Fatal(err)
	}
	added, err := lb.AddServersToServerGroup(ctx, alb.AddServersToServerGroupRequest{
		ServerGroupID: group,
		Servers: []alb.AddedServer{
			{ServerID: "i-bp1f9kdprbgy9uiu7x2c", ServerType: alb.ServerTypeEcs, Port: 8080},                 // weight 100, the default
			{ServerID: "i-bp1ek6yd7jvkx3m9q0ta", ServerType: alb.ServerTypeEcs, Port: 8080, Weight: new(0)}, // no traffic yet
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	job, err := lb.WaitForJob(ctx, added.JobID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(job.APIName, job.Status)

	list, err := lb.ListServerGroupServers(ctx, alb.ListServerGroupServersRequest{ServerGroupID: group})
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range list.Servers {
		fmt.Printf("%s:%d weight %d %s\n", s.ServerID, s.Port, s.Weight, s.Status)
	}
}
