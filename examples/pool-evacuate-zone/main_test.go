package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
)

// weights are those of all members, in the order of the state.
func weights(c *fakecloud.Cloud) map[string]int {
	got := make(map[string]int)
	s := c.State()
	for _, g := range s.ServerGroups {
		for _, m := range g.Servers {
			got[g.ID+" "+m.ID] = *m.Weight
		}
	}
	for _, g := range s.VServerGroups {
		for _, m := range g.Servers {
			got[g.ID+" "+m.ID] = *m.Weight
		}
	}
	for _, p := range s.Pools {
		for _, m := range p.Members {
			got[p.ID+" "+m.Address] = *m.Weight
		}
	}
	return got
}

// try runs the program on the emulator.
func try(t *testing.T, fleet *pool.Fleet, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var o, e bytes.Buffer
	status = run(t.Context(), fleet, args, &o, &e)
	return status, o.String(), e.String()
}

func TestDemonstration(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, fleet, err := emulate()
		if err != nil {
			t.Fatal(err)
		}
		status, stdout, stderr := try(t, fleet)
		want := "22 pools to change, 22 calls\n" +
			"out:  23 pools: 22 done, 1 unchanged, 22 calls\n" +
			"back: 22 pools: 22 done, 22 calls\n"
		if status != 0 || stdout != want || stderr != "" {
			t.Errorf("status %d: %s\n%s", status, stdout, stderr)
		}
	})
}

func TestOutAndBack(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "out.jsonl")
	synctest.Test(t, func(t *testing.T) {
		cloud, fleet, err := emulate()
		if err != nil {
			t.Fatal(err)
		}
		before := weights(cloud)

		if status, _, stderr := try(t, fleet, "-file", file); status != 0 {
			t.Fatalf("status %d: %s", status, stderr)
		}
		out := 0
		for member, weight := range weights(cloud) {
			switch name := member[strings.Index(member, " ")+1:]; {
			case name == "i-a" || name == "10.0.1.1":
				out++
				if weight != 0 {
					t.Errorf("%s has weight %d", member, weight)
				}
			case weight != before[member]:
				t.Errorf("%s has weight %d, not %d", member, weight, before[member])
			}
		}
		if out != 22 {
			t.Errorf("%d members of the zone", out)
		}

		// Again, as after a crash: who is out stays out, and the file is good.
		if status, _, stderr := try(t, fleet, "-file", file); status != 0 {
			t.Fatalf("status %d: %s", status, stderr)
		}
		cut := appendTo(t, file, `{"version":1,"pool":"alb/cn-hang`)
		if status, _, stderr := try(t, fleet, "-file", cut, "-restore"); status != 0 {
			t.Fatalf("status %d: %s", status, stderr)
		}
		if diff := cmp.Diff(before, weights(cloud)); diff != "" {
			t.Error(diff)
		}
	})
}

func appendTo(t *testing.T, path, text string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(b, text...), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A pool that would be left empty keeps its servers, and says so; so does one
// whose weights cannot be saved.
func TestPoolsThatKeepTheirServers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, fleet, err := emulate()
		if err != nil {
			t.Fatal(err)
		}
		before := weights(cloud)
		status, stdout, _ := try(t, fleet, "-zone", "cn-hangzhou-b")
		if want := "! elb/cn-hangzhou/pool-batch: not attempted: too few members in service"; status != 1 || !strings.Contains(stdout, want) {
			t.Errorf("status %d, %s", status, stdout)
		}
		if status, _, stderr := try(t, fleet, "-file", t.TempDir()+"/no/such.jsonl"); status != 2 || !strings.Contains(stderr, "no such file") {
			t.Errorf("status %d, %s", status, stderr)
		}
		if diff := cmp.Diff(before, weights(cloud)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestDryRunAndMistakes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, fleet, err := emulate()
		if err != nil {
			t.Fatal(err)
		}
		before := weights(cloud)
		bad := filepath.Join(t.TempDir(), "bad.jsonl")
		if b, err := json.Marshal(pool.Evacuated{Version: 99, Pool: "alb/cn-hangzhou/sgp-1"}); err != nil {
			t.Fatal(err)
		} else if err := os.WriteFile(bad, b, 0o600); err != nil {
			t.Fatal(err)
		}
		for args, want := range map[string]int{"-dry-run": 0, "-restore": 2, "-no-such-flag": 2, "sgp-1": 2, "-restore -file " + bad: 1} {
			if status, _, stderr := try(t, fleet, strings.Fields(args)...); status != want {
				t.Errorf("%s: status %d, want %d: %s", args, status, want, stderr)
			}
		}
		if diff := cmp.Diff(before, weights(cloud)); diff != "" {
			t.Error(diff)
		}
	})
}
