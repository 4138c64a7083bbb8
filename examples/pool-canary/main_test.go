package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
)

// members are those of the pool, with their weights.
func members(cloud *fakecloud.Cloud) string {
	var all []string
	for _, m := range cloud.State().Pools[0].Members {
		all = append(all, fmt.Sprintf("%s %d", m.Address, *m.Weight))
	}
	return strings.Join(all, ", ")
}

const (
	withCanary = "10.0.0.1 10, 10.0.0.2 10, 10.0.0.9 0" // in the pool, without requests
	shifted    = "10.0.0.1 0, 10.0.0.2 0, 10.0.0.9 10"
)

func client(t *testing.T, cloud *fakecloud.Cloud) *pool.Pool {
	t.Helper()
	lb, err := elb.New(cloud.Config())
	if err != nil {
		t.Fatal(err)
	}
	return pool.New(lb.Pool("pool-web"))
}

func TestCanary(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args, stdout, stderr string
		status               int
		sick                 bool
		members              string
	}{
		"good":           {args: "", stdout: "5% wanted, 4.76% real: 10.0.0.9:80 1, 10.0.0.1:80 10, 10.0.0.2:80 10; 0.1%", members: shifted},
		"bad":            {args: "-error-rate 7", status: 1, stdout: "the old weights are back", stderr: "7% of the requests fail, more than 1%", members: withCanary},
		"stays a canary": {args: "-steps 20", stdout: "20% wanted, 20% real", members: "10.0.0.1 10, 10.0.0.2 10, 10.0.0.9 5"},
		"unhealthy":      {sick: true, status: 1, stdout: "the old weights are back", stderr: "not in service", members: withCanary},
		"wrong steps":    {args: "-steps 50,20", status: 2, stderr: "steps must rise", members: withCanary},
		"no steps":       {args: "-steps five", status: 2, stderr: `"five" is no list of numbers`, members: withCanary[:len(withCanary)-len(", 10.0.0.9 0")]},
		"no canary":      {args: "-canary 10.0.0.9:http", status: 2, stderr: "no port", members: withCanary[:len(withCanary)-len(", 10.0.0.9 0")]},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud := emulate()
				if tt.sick {
					cloud.SetHealth("10.0.0.9", false)
				}
				users := cloud.Traffic("pool-web", 50)
				var stdout, stderr bytes.Buffer
				status := run(t.Context(), client(t, cloud), strings.Fields(tt.args), &stdout, &stderr)
				<-time.After(time.Second)
				if status != tt.status || !strings.Contains(stdout.String(), tt.stdout) || !strings.Contains(stderr.String(), tt.stderr) {
					t.Errorf("status %d\n%s\n%s", status, stdout.String(), stderr.String())
				}
				if got := members(cloud); got != tt.members {
					t.Errorf("members: %s", got)
				}
				if users.Lost() > 0 || users.Report().Offered == 0 {
					t.Error(users.Report())
				}
			})
		})
	}
}

// A process that is stopped in the middle, and cannot bring the weights back, has
// them in its journal.
func TestUndo(t *testing.T) {
	t.Parallel()
	journal := filepath.Join(t.TempDir(), "canary.journal")
	synctest.Test(t, func(t *testing.T) {
		cloud := emulate()
		p := client(t, cloud)
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		// In the second step the service stops answering, and later the time is over.
		cloud.Inject(fakecloud.Fault{Operation: "BatchUpdateMembers", After: 55 * time.Second, Effect: fakecloud.Unavailable(503)})
		var stderr bytes.Buffer
		status := run(ctx, p, []string{"-bake", "45s", "-journal", journal}, io.Discard, &stderr)
		if status != 3 || !strings.Contains(stderr.String(), "NOT back") || members(cloud) == withCanary {
			t.Fatalf("status %d: %s\n%s", status, members(cloud), stderr.String())
		}
		cloud.RemoveFaults()
		if status := run(t.Context(), p, []string{"-undo", "-journal", journal}, io.Discard, &stderr); status != 0 || members(cloud) != withCanary {
			t.Errorf("status %d: %s\n%s", status, members(cloud), stderr.String())
		}
		if status := run(t.Context(), p, []string{"-undo"}, io.Discard, &stderr); status != 1 {
			t.Errorf("status %d without a journal", status)
		}
	})
}
