package main

import (
	"bytes"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
)

// servers are those of the pool, with their weights.
func servers(cloud *fakecloud.Cloud) string {
	var all []string
	for _, s := range cloud.State().ServerGroups[0].Servers {
		all = append(all, fmt.Sprintf("%s %d", s.ID, *s.Weight))
	}
	return strings.Join(all, ", ")
}

const (
	blue  = "i-1 60, i-2 40"
	both  = "i-1 0, i-2 0, i-3 100, i-4 100"
	green = "i-3 100, i-4 100"
)

// try runs the program on a cloud.
func try(t *testing.T, ctx context.Context, cloud *fakecloud.Cloud, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	lb, err := alb.New(cloud.Config())
	if err != nil {
		t.Fatal(err)
	}
	var o, e bytes.Buffer
	status = run(ctx, pool.New(lb.Pool("sgp-web")), args, &o, &e)
	return status, o.String(), e.String()
}

func TestBlueGreen(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		args, stdout, stderr string
		fault                fakecloud.Fault
		status               int
		servers              string
	}{
		"good":            {stdout: "finished: i-3:80 weight 100; i-4:80 weight 100;", servers: green},
		"bad":             {args: "-error-rate 7", status: 1, stdout: "back: i-1:80 weight 60; i-2:80 weight 40;", servers: blue},
		"cannot be added": {status: 1, stderr: "the old servers serve", servers: blue, fault: fakecloud.Fault{Operation: "AddServersToServerGroup", Effect: fakecloud.Refuse(403, "Forbidden.RAM", "not allowed")}},
		"old ones stay":   {status: 3, stderr: "run the same again", servers: both, fault: fakecloud.Fault{Operation: "RemoveServersFromServerGroup", Effect: fakecloud.Refuse(403, "Forbidden.RAM", "not allowed")}},
		"one is an old":   {args: "-new i-1:80", status: 2, stderr: "MinInService is 2, and 1", servers: blue},
		"two ends":        {args: "-finish -back -journal x", status: 2, stderr: "one end only", servers: blue},
		"no journal":      {args: "-finish", status: 2, stderr: "need -journal", servers: blue},
		"no server":       {args: "-new i-3:http", status: 2, stderr: "no port", servers: blue},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud := emulate()
				if tt.fault.Operation != "" {
					cloud.Inject(tt.fault)
				}
				users := cloud.Traffic("sgp-web", 100, fakecloud.WithRequestDuration(100*time.Millisecond))
				status, stdout, stderr := try(t, t.Context(), cloud, strings.Fields(tt.args)...)
				for _, gone := range []string{"i-1", "i-2", "i-3", "i-4"} {
					if !strings.Contains(servers(cloud), gone) {
						users.Stopped(gone) // it may be switched off now
					}
				}
				<-time.After(time.Minute)
				if status != tt.status || !strings.Contains(stdout, tt.stdout) || !strings.Contains(stderr, tt.stderr) {
					t.Errorf("status %d\n%s\n%s", status, stdout, stderr)
				}
				if got := servers(cloud); got != tt.servers {
					t.Errorf("servers: %s", got)
				}
				if users.Lost() > 0 || users.Report().Offered == 0 {
					t.Error(users.Report())
				}
			})
		})
	}
}

// The parts are different processes, and the decision is made in between.
func TestSeveralProcesses(t *testing.T) {
	t.Parallel()
	for end, want := range map[string]string{"-finish": green, "-back": blue} {
		file := filepath.Join(t.TempDir(), "switch.journal")
		synctest.Test(t, func(t *testing.T) {
			cloud := emulate()
			for range 2 { // the second time it is switched already
				if status, _, stderr := try(t, t.Context(), cloud, "-watch", "0", "-journal", file); status != 0 || servers(cloud) != both {
					t.Fatalf("status %d: %s\n%s", status, servers(cloud), stderr)
				}
			}
			<-time.After(time.Hour)
			wantStatus := 0
			if end == "-back" {
				wantStatus = 1
			}
			if status, _, stderr := try(t, t.Context(), cloud, end, "-journal", file); status != wantStatus || servers(cloud) != want {
				t.Errorf("%s: status %d: %s\n%s", end, status, servers(cloud), stderr)
			}
		})
	}
}

// Ctrl-C while the new servers are looked at: nobody has said that they are good.
func TestInterrupted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := emulate()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		status, stdout, stderr := try(t, ctx, cloud, "-watch", "1h")
		if status != 1 || servers(cloud) != blue || !strings.Contains(stdout, "back:") {
			t.Errorf("status %d: %s\n%s\n%s", status, servers(cloud), stdout, stderr)
		}
	})
}
