package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
)

// try runs the program on a cloud.
func try(t *testing.T, cloud *fakecloud.Cloud, stdin string, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	lb, err := alb.New(cloud.Config())
	if err != nil {
		t.Fatal(err)
	}
	var o, e bytes.Buffer
	status = run(t.Context(), pool.New(lb.Pool("sgp-web")), args, strings.NewReader(stdin), &o, &e)
	return status, o.String(), e.String()
}

// servers are those of the pool, with their weights.
func servers(cloud *fakecloud.Cloud) string {
	var all []string
	for _, s := range cloud.State().ServerGroups[0].Servers {
		all = append(all, fmt.Sprintf("%s %d", s.ID, *s.Weight))
	}
	return strings.Join(all, ", ")
}

const (
	before = "i-1 30, i-2 100, i-3 100, i-old 100, i-scaled 100"
	after  = "i-1 30, i-2 50, i-3 100, i-scaled 100, i-4 100"
)

func TestReconcile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := emulate()
		users := cloud.Traffic("sgp-web", 100)
		status, stdout, stderr := try(t, cloud, "")
		<-time.After(time.Minute)
		for _, want := range []string{
			"alb/cn-hangzhou/sgp-web: 1 to add, 1 to reweight, 1 to remove, ",
			"~ i-2:80 weight 100 -> 50\n", "+ i-4:80 weight 100\n", "- i-old:80 weight 100\n", "1 belong to others\n",
			"alb/cn-hangzhou/sgp-web: nothing to do\n",
		} {
			if !strings.Contains(stdout, want) {
				t.Errorf("does not say %q: %s", want, stdout)
			}
		}
		if got := servers(cloud); status != 0 || got != after {
			t.Errorf("status %d, %s: %s", status, got, stderr)
		}
		if users.Lost() > 0 || users.Report().Offered == 0 {
			t.Error(users.Report())
		}

		calls := len(cloud.Requests())
		status, stdout, _ = try(t, cloud, "")
		if status != 0 || !strings.Contains(stdout, "nothing to do") {
			t.Errorf("status %d: %s", status, stdout)
		}
		for _, r := range cloud.Requests()[calls:] {
			if !strings.HasPrefix(r.Operation, "List") {
				t.Errorf("%s was called again", r.Operation)
			}
		}
	})
}

// Nothing is sent when a list is wrong, or wants too much.
func TestRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ stdin, args, says string }{
		"empty list":       {"# nothing\n", "-file -", "AllowEmpty"},
		"too few left":     {"i-1:80\n", "-file - -max-change 1 -min-in-service 3", "MinInService"},
		"too much at once": {"i-7:80\ni-8:80\ni-9:80\n", "-file -", "MaxChange"},
		"twice":            {"i-1:80\ni-2:80\ni-3:80\ni-1:80 5\n", "-file -", "i-1:80"},
		"weight too large": {"i-1:80 101\ni-2:80\ni-3:80\n", "-file -", "101"},
		"no weight":        {"i-1:80 heavy\n", "-file -", "standard input, line 1"},
		"two weights":      {"i-1:80 50 60\n", "-file -", "is not a server and a weight"},
		"no port":          {"i-1:web\n", "-file -", "no port from 1 to 65535"},
		"no file":          {"", "-file /no/such/list", "no such file"},
		"an argument":      {"", "servers.txt", "unexpected argument"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cloud := emulate()
			status, stdout, stderr := try(t, cloud, tt.stdin, strings.Fields(tt.args)...)
			if status != 2 || stdout != "" || !strings.Contains(stderr, tt.says) || servers(cloud) != before {
				t.Errorf("status %d\n%s\n%s\n%s", status, stdout, stderr, servers(cloud))
			}
		})
	}
}

// A job that fails leaves the pool short of a server. The next run makes good.
func TestFailureAndAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := emulate()
		cloud.Inject(fakecloud.Fault{
			Operation: "RemoveServersFromServerGroup", Effect: fakecloud.JobFails("OperationFailed.Remove", "try later"), Times: 3,
		})
		status, stdout, stderr := try(t, cloud, "")
		if status != 1 || !strings.Contains(stderr, "run this again") || !strings.Contains(servers(cloud), "i-old") {
			t.Errorf("status %d\n%s\n%s\n%s", status, stdout, stderr, servers(cloud))
		}
		cloud.RemoveFaults()
		status, stdout, stderr = try(t, cloud, "")
		if status != 0 || servers(cloud) != after {
			t.Errorf("status %d\n%s\n%s\n%s", status, stdout, stderr, servers(cloud))
		}
	})
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	cloud := emulate()
	status, stdout, _ := try(t, cloud, "i-1:80\ni-2:80\ni-3:80\n", "-file", "-", "-dry-run")
	if status != 0 || !strings.Contains(stdout, "- i-old:80") || servers(cloud) != before {
		t.Errorf("status %d\n%s\n%s", status, stdout, servers(cloud))
	}
}
