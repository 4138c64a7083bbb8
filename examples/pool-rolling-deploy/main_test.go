package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
)

// TestMain is the program itself when demonstrate starts it.
func TestMain(m *testing.M) {
	if slices.Contains(os.Args, "-endpoint") {
		main()
	}
	m.Run()
}

func TestKilledAndResumed(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var stdout, stderr bytes.Buffer
	if status := demonstrate(ctx, &stdout, &stderr); status != 0 {
		t.Fatalf("status %d\n%s\n%s", status, stdout.String(), stderr.String())
	}
	first, second, killed := strings.Cut(stdout.String(), "killed\n")
	if !killed || !strings.Contains(second, "10.0.0.3 v1 (no requests), 10.0.0.4 v") {
		t.Errorf("not killed in the middle: %s", stdout.String())
	}
	for _, want := range []string{
		"deploying v2 to 10.0.0.3:80\n", "it went on where the last process was\n", ": 6 done, ",
		"now: 10.0.0.1 v2, 10.0.0.2 v2, 10.0.0.3 v2, 10.0.0.4 v2, 10.0.0.5 v2, 10.0.0.6 v2\n",
	} {
		if !strings.Contains(second, want) {
			t.Errorf("the second process does not say %q: %s", want, second)
		}
	}
	for _, server := range []string{"10.0.0.1:80", "10.0.0.2:80", "10.0.0.5:80", "10.0.0.6:80"} {
		if n := strings.Count(first+second, "deploying v2 to "+server); n != 1 {
			t.Errorf("%s was deployed to %d times", server, n)
		}
	}
}

// rig is a cloud and the machines of its servers, inside a bubble.
func rig(t *testing.T) (*fakecloud.Cloud, *pool.Pool, deploy, *bytes.Buffer) {
	t.Helper()
	d := deploy{release: "v2", machines: t.TempDir()}
	cloud, err := emulate(d.machines)
	if err != nil {
		t.Fatal(err)
	}
	gateway, err := apig.New(cloud.Config(), apig.WithProjectID(cloud.ProjectID()))
	if err != nil {
		t.Fatal(err)
	}
	var stdout bytes.Buffer
	d.stdout = &synced{w: &stdout}
	return cloud, pool.New(gateway.Pool(instance, channel)), d, &stdout
}

// out are the members without requests.
func out(cloud *fakecloud.Cloud) string {
	var hosts []string
	for _, m := range cloud.State().VPCChannels[0].Members {
		if m.Disabled {
			hosts = append(hosts, m.Host)
		}
	}
	return strings.Join(hosts, " ")
}

func TestNoRequestIsLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, p, d, stdout := rig(t)
		users := cloud.Traffic(channel, 500, fakecloud.WithRequestDuration(40*time.Millisecond))
		d.stdout = restarts{users, d.stdout}
		if err := d.rollout(t.Context(), p, pool.MemoryJournal(), false); err != nil {
			t.Fatal(err)
		}
		<-time.After(time.Second)
		if users.Lost() > 0 || users.Report().Offered == 0 || out(cloud) != "" {
			t.Errorf("%v\nwithout requests: %s\n%s", users.Report(), out(cloud), stdout)
		}
	})
}

// restarts has the server of each deploy restart, which cuts off its requests.
type restarts struct {
	users  *fakecloud.Traffic
	stdout io.Writer
}

func (r restarts) Write(b []byte) (int, error) {
	if server, ok := strings.CutPrefix(strings.TrimSpace(string(b)), "deploying v2 to "); ok {
		r.users.Stopped(server)
		r.users.Started(server)
	}
	return r.stdout.Write(b)
}

// A machine that is broken stays without requests; once it is repaired the same
// command goes on, or -give-up brings back the old state.
func TestBrokenMachine(t *testing.T) {
	t.Parallel()
	for _, giveUp := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			cloud, p, d, stdout := rig(t)
			broken := filepath.Join(d.machines, "10.0.0.3")
			if err := os.RemoveAll(broken); err != nil {
				t.Fatal(err)
			}
			journal := pool.FileJournal(filepath.Join(t.TempDir(), "journal"))
			err := d.rollout(t.Context(), p, journal, false)
			if !errors.Is(err, pool.ErrNotDeployed) || out(cloud) != "10.0.0.3" {
				t.Fatalf("%v; without requests: %s\n%s", err, out(cloud), stdout)
			}
			if err := os.Mkdir(broken, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := d.rollout(t.Context(), p, journal, giveUp); err != nil || out(cloud) != "" {
				t.Fatalf("%v; without requests: %s\n%s", err, out(cloud), stdout)
			}
			want := 6
			if giveUp {
				want = 3 // 1 and 2, and 4, which was in the batch of 3
			}
			if n := deployed(d.machines); n != want {
				t.Errorf("%d machines run v2, want %d\n%s", n, want, stdout)
			}
		})
	}
}

func deployed(machines string) int {
	n := 0
	for _, m := range []string{"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"} {
		if b, err := os.ReadFile(filepath.Join(machines, m, "release")); err == nil && string(b) == "v2" {
			n++
		}
	}
	return n
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-release v2": "are required",
		"-no-such":    "not defined",
		"-instance a -channel b -release v2 -machines c -journal d -endpoint http://example.com": "http",
	} {
		var stdout, stderr bytes.Buffer
		if status := run(t.Context(), strings.Fields(args), &stdout, &stderr); status != 2 || !strings.Contains(stderr.String(), want) {
			t.Errorf("%s: status %d: %s", args, status, stderr.String())
		}
	}
}

// synced is written to by the deploys of a batch at the same time.
type synced struct {
	mu sync.Mutex
	w  *bytes.Buffer
}

func (s *synced) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}
