package bench

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The budgets that do not depend on the machine. Times are in RESULTS.md.
const (
	maxAllocations = 50        // over a bare POST of the same bytes
	maxGrowth      = 5         // more for the most servers than for 2: the map of the duplicate check
	maxModules     = 4         // linked, beside the standard library
	maxBinary      = 1_750_000 // bytes over a bare net/http program; the design's is 1,200,000, see README.md
)

// allocations is what one call allocates, the server in this process included:
// the least of some rounds, because what else runs only adds.
func allocations(tb testing.TB, c caller) float64 {
	tb.Helper()
	ctx := context.Background()
	run := func() {
		if err := c.call(ctx); err != nil {
			tb.Fatalf("%s: %v", c.name, err)
		}
	}
	for range 20 {
		run()
	}
	least := testing.AllocsPerRun(100, run)
	for range 4 {
		least = min(least, testing.AllocsPerRun(100, run))
	}
	return least
}

// TestAllocationBudget must not run beside other tests, whose allocations would
// be counted.
func TestAllocationBudget(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector makes sync.Pool forget at random")
	}
	over := map[string]float64{} // by operation, for 2 servers
	small := map[string]string{} // its answer
	for _, l := range loads() {
		few := l.servers == 2
		if few {
			small[l.name] = l.answer
		}
		// The same short answer to both sizes: what grows then is the sending.
		server := cannedServer(t, small[l.name])
		who := example(server.URL)
		all := callers(newOurs(t, who.config(), who.project), newPeers(t, who), who.region, l.request)
		bare := allocations(t, floor(t, l, server.URL))
		mine := allocations(t, all[0]) - bare
		line := fmt.Sprintf("%s, %d servers: %.0f over the POST's %.0f", l.name, l.servers, mine, bare)
		for _, c := range all[1:] {
			line += fmt.Sprintf("; %s %.0f over it", c.name, allocations(t, c)-bare)
		}
		t.Log(line)
		if few {
			over[l.name] = mine
			if mine > maxAllocations {
				t.Errorf("%s: %.0f allocations over a bare POST, want at most %d", l.name, mine, maxAllocations)
			}
		} else if grown := mine - over[l.name]; grown > maxGrowth {
			t.Errorf("%s: %.0f allocations more for %d servers than for 2", l.name, grown, l.servers)
		}
		server.Close()
	}
}

// build makes one of the programs as it would be shipped.
func build(t *testing.T, dir, name string) (path string, size int64) {
	t.Helper()
	path = filepath.Join(dir, name)
	out, err := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "./programs/"+name).CombinedOutput()
	if err != nil {
		t.Fatalf("go build %s: %v\n%s", name, err, out)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, info.Size()
}

func TestBinaryAndModuleBudget(t *testing.T) {
	if testing.Short() {
		t.Skip("builds programs")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no go command")
	}
	dir := t.TempDir()
	_, bare := build(t, dir, "floor")
	for _, name := range []string{"ours-alb", "ours-slb", "ours-elb", "ours-apig"} {
		path, size := build(t, dir, name)
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var modules []string
		for _, m := range info.Deps {
			modules = append(modules, m.Path)
		}
		t.Logf("%s: %d bytes over the floor's %d; modules: %s", name, size-bare, bare, strings.Join(modules, " "))
		if over := size - bare; over > maxBinary {
			t.Errorf("%s: the binary has %d bytes over a bare net/http program, want at most %d", name, over, maxBinary)
		}
		if len(modules) > maxModules {
			t.Errorf("%s links %d modules, want at most %d: %s", name, len(modules), maxModules, strings.Join(modules, " "))
		}
	}
}
