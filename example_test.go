package cloudlb_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/fakecloud"
)

// Errors say what they mean and whether anything was changed.
func ExampleError() {
	cloud := fakecloud.New()
	lb, err := alb.New(cloud.Config())
	if err != nil {
		panic(err)
	}
	_, err = lb.RemoveServersFromServerGroup(context.Background(), alb.RemoveServersFromServerGroupRequest{
		ServerGroupID: "sgp-none",
		Servers:       []alb.RemovedServer{{ServerID: "i-1", ServerType: alb.ServerTypeEcs, Port: 80}},
	})
	if e, ok := errors.AsType[*cloudlb.Error](err); ok {
		fmt.Println(e.Code, "|", e.Class, "|", e.Outcome, "|", e.StatusCode)
	}
	fmt.Println(errors.Is(err, cloudlb.ErrNotFound))
	// Output:
	// ResourceNotFound.ServerGroup | not found | rejected | 404
	// true
}

// Nothing prints a key.
func ExampleStaticCredentials() {
	cfg := cloudlb.Config{
		Region:      "cn-hangzhou",
		Credentials: cloudlb.StaticCredentials("LTAI-example", "a-secret", "a-token"),
	}
	fmt.Printf("%+v\n", cfg)
	fmt.Printf("%v\n", cfg.Credentials)
	slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	})).Info("starting", slog.Any("config", cfg), slog.Any("credentials", cfg.Credentials))
	// Output:
	// cloudlb.Config{Region: "cn-hangzhou", Endpoint: ""}
	// credentials(temporary keys)
	// level=INFO msg=starting config.region=cn-hangzhou config.endpoint="" credentials="credentials(temporary keys)"
}

// One limiter for all clients of an account keeps them within its budgets
// together. A call whose turn would come after its deadline fails at once.
func ExampleLimiter() {
	cloud := fakecloud.New()
	cfg := cloud.Config()
	cfg.Limiter = cloudlb.NewLimiter()
	cfg.Limiter.SetBudget("alb", "ListServerGroups", cloudlb.Budget{Calls: 1, Per: time.Hour})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for range 2 {
		lb, err := alb.New(cfg)
		if err != nil {
			panic(err)
		}
		_, err = lb.ListServerGroups(ctx, alb.ListServerGroupsRequest{})
		fmt.Println(errors.Is(err, cloudlb.ErrThrottled), cloud.Calls("alb", "ListServerGroups"))
	}
	// Output:
	// false 1
	// true 1
}
