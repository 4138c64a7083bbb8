package main

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/slb"
)

// life is one life of the server i-new, in virtual time: it ends after patience,
// or an hour in service.
func life(t *testing.T, cloud *fakecloud.Cloud, patience time.Duration, ready func(context.Context) error) (status int, stdout, stderr string) {
	t.Helper()
	lb, err := slb.New(cloud.Config())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(t.Context(), patience)
	defer stop()
	var o, e bytes.Buffer
	status = run(ctx, stop, lb, pool.Server("i-new", 8080), ready, time.Hour, &o, &e)
	return status, o.String(), e.String()
}

func present(cloud *fakecloud.Cloud) bool {
	for _, s := range cloud.State().VServerGroups[0].Servers {
		if s.ID == "i-new" {
			return true
		}
	}
	return false
}

func TestBootAndShutdown(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := emulate()
		// Requests take longer than a change takes to settle, so that only the drain saves them.
		users := cloud.Traffic("rsp-web", 20, fakecloud.WithRequestDuration(1650*time.Millisecond))
		users.Stopped("i-new") // not ready for the first minute
		boot := time.Now()
		ready := func(context.Context) error {
			if time.Since(boot) < time.Minute {
				return errors.New("loading")
			}
			users.Started("i-new")
			return nil
		}
		status, stdout, stderr := life(t, cloud, 24*time.Hour, ready)
		users.Stopped("i-new")
		<-time.After(time.Minute)
		if status != 0 || present(cloud) || !strings.Contains(stdout, "i-new:8080 has left") {
			t.Errorf("status %d\n%s\n%s", status, stdout, stderr)
		}
		if report := users.Report(); report.Lost() > 0 || report.Members["i-new:8080"].Requests < 10_000 { // half of 20 a second, for an hour
			t.Error(report)
		}
	})
}

func TestNeverInService(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		ready  error
		fault  fakecloud.Fault
		stderr string
	}{
		"not ready":   {ready: errors.New("loading"), stderr: "not ready: loading"},
		"not allowed": {fault: fakecloud.Fault{Operation: "AddVServerGroupBackendServers", Effect: fakecloud.Refuse(403, "Forbidden.RAM", "not allowed")}, stderr: "not allowed"},
		"busy":        {fault: fakecloud.Fault{Operation: "AddVServerGroupBackendServers", Effect: fakecloud.Busy()}, stderr: "BackendServer.configuring"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud := emulate()
				if tt.fault.Operation != "" {
					cloud.Inject(tt.fault)
				}
				status, stdout, stderr := life(t, cloud, 10*time.Minute, func(context.Context) error { return tt.ready })
				if status != 1 || present(cloud) || !strings.Contains(stderr, tt.stderr) {
					t.Errorf("status %d\n%s\n%s", status, stdout, stderr)
				}
			})
		})
	}
}

// The whole program: it ends its web server when the pool does not take it.
func TestProgram(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{"-server 10.0.0.7": "Type is required", "-no-such-flag": "not defined"} {
		var stdout, stderr bytes.Buffer
		status := serve(strings.Fields(args), &stdout, &stderr)
		if status != 1 || !strings.Contains(stderr.String(), want) {
			t.Errorf("%s: status %d\n%s\n%s", args, status, stdout.String(), stderr.String())
		}
	}
}
