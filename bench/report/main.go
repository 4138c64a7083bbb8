// Command report makes RESULTS.md of a benchmark run: bench/run calls it.
//
//	go run ./report -bench bench.txt -faults faults.md -out RESULTS.md [-cold]
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"debug/buildinfo"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

func main() {
	bench := flag.String("bench", "", "output of go test -bench")
	faults := flag.String("faults", "", "table of TestSameFaults")
	out := flag.String("out", "RESULTS.md", "file to write")
	cold := flag.Bool("cold", false, "build the programs with empty caches too: minutes")
	note := flag.String("note", "", "what is to be said about this run")
	flag.Parse()
	if err := run(*bench, *faults, *out, *note, *cold); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(benchFile, faultsFile, out, note string, cold bool) error {
	results, machine, err := read(benchFile)
	if err != nil {
		return err
	}
	table := benchTable(results)
	fmt.Print(table)
	programs, err := programTable(cold)
	if err != nil {
		return err
	}
	fmt.Print(programs)

	var b strings.Builder
	fmt.Fprintf(&b, "# Results\n\nMade by `bench/run` on %s with %s, %s/%s, %d CPUs (%s).\n", time.Now().UTC().Format("2006-01-02"),
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), machine)
	if note != "" {
		fmt.Fprintf(&b, "%s\n", note)
	}
	versions, err := exec.CommandContext(context.Background(), "go", "list", "-m", "-f", "{{.Path}} {{.Version}}",
		"github.com/alibabacloud-go/alb-20200616/v2", "github.com/alibabacloud-go/slb-20140515/v4", "github.com/alibabacloud-go/darabonba-openapi/v2",
		"github.com/alibabacloud-go/tea", "github.com/aliyun/alibaba-cloud-sdk-go", "github.com/huaweicloud/huaweicloud-sdk-go-v3").Output()
	if err != nil {
		return err
	}
	fmt.Fprintf(&b, "\n```\n%s```\n\n", versions)
	b.WriteString("All clients called the same loopback server in the same process, whose cost is in every number; the floor is a bare\n" +
		"net/http POST of the same bytes that reads the answer and does nothing with it. Medians; requests are built once,\n" +
		"outside of the loop. **ours : this** is how long ours takes of what this client takes: under 1 is faster.\n\n## Calls, signatures, decoding\n\n")
	b.WriteString(table)
	b.WriteString("\n## Programs that make one call\n\nBuilt with `-trimpath -ldflags='-s -w'`. Start-up is the life of a process that returns at once.\n\n")
	b.WriteString(programs)
	if faultsFile != "" {
		faults, err := os.ReadFile(faultsFile)
		if err != nil {
			return err
		}
		b.WriteString("\n## The same faults\n\n")
		b.Write(faults)
	}
	return os.WriteFile(out, []byte(b.String()), 0o644)
}

// key is one benchmark; samples are its runs.
type key struct{ kind, what, servers, client, mode string }

type samples struct{ ns, bytes, allocs []float64 }

type results struct {
	order []key
	by    map[key]*samples
}

var line = regexp.MustCompile(`^Benchmark(Call|Sign|Decode)/([^/]+)/(\d+)/(?:([^/]+)/)?([^/]+)/(seq|par)(?:-\d+)?\s+\d+\s+([\d.]+) ns/op\s+(\d+) B/op\s+(\d+) allocs/op`)

func read(file string) (results, string, error) {
	r := results{by: map[key]*samples{}}
	f, err := os.Open(file)
	if err != nil {
		return r, "", err
	}
	defer f.Close()
	machine := ""
	scanner := bufio.NewScanner(f)
	for scanner.Scan() {
		if cpu, ok := strings.CutPrefix(scanner.Text(), "cpu: "); ok {
			machine = cpu
		}
		m := line.FindStringSubmatch(scanner.Text())
		if m == nil {
			continue
		}
		k := key{m[1], m[2], m[3], m[5], m[6]}
		if m[4] != "" {
			k.what += " " + m[4]
		}
		s := r.by[k]
		if s == nil {
			s = new(samples)
			r.by[k] = s
			r.order = append(r.order, k)
		}
		for i, to := range []*[]float64{&s.ns, &s.bytes, &s.allocs} {
			v, err := strconv.ParseFloat(m[7+i], 64)
			if err != nil {
				return r, "", err
			}
			*to = append(*to, v)
		}
	}
	if len(r.order) == 0 {
		return r, "", fmt.Errorf("no benchmarks in %s", file)
	}
	return r, machine, scanner.Err()
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return v[len(v)/2]
}

func benchTable(r results) string {
	var b strings.Builder
	b.WriteString("| what | servers | mode | client | µs | min..max | B/op | allocs/op | x floor | ours : this |\n|---|---|---|---|---|---|---|---|---|---|\n")
	slices.SortStableFunc(r.order, func(x, y key) int {
		servers := func(k key) int { n, _ := strconv.Atoi(k.servers); return n }
		return cmp.Or(strings.Compare(x.kind, y.kind), strings.Compare(x.what, y.what), cmp.Compare(servers(x), servers(y)), -strings.Compare(x.mode, y.mode))
	})
	for _, k := range r.order {
		s := r.by[k]
		ns := median(s.ns)
		ratio := func(client string, upside bool) string {
			k.client = client
			other := r.by[k]
			if other == nil {
				return ""
			}
			if upside {
				return fmt.Sprintf("%.2f", median(other.ns)/ns)
			}
			return fmt.Sprintf("%.2f", ns/median(other.ns))
		}
		client := k.client
		us := func(ns float64) string { return fmt.Sprintf("%.1f", ns/1e3) }
		fmt.Fprintf(&b, "| %s %s | %s | %s | %s | %s | %s..%s | %.0f | %.0f | %s | %s |\n", strings.ToLower(k.kind), k.what, k.servers, k.mode, client,
			us(ns), us(slices.Min(s.ns)), us(slices.Max(s.ns)), median(s.bytes), median(s.allocs), ratio("floor", false), ratio("ours", true))
	}
	return b.String()
}

// programTable builds and runs the programs.
func programTable(cold bool) (string, error) {
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"JobId":"1","RequestId":"1","VServerGroupId":"1","BackendServers":{"BackendServer":[]},"members":[],"size":0,"total":0}`)
	}))
	defer server.Close()
	names := []string{"floor", "ours-alb", "ours-slb", "ours-elb", "ours-apig", "alb-v2", "slb-v4", "old-alb", "old-slb", "huawei-elb", "huawei-roma"}
	var b strings.Builder
	b.WriteString("| program | bytes | over floor | modules linked | start-up, ms | peak RSS at start, MB | peak RSS after one call, MB | clean build, CPU s | wall s |\n|---|---|---|---|---|---|---|---|---|\n")
	var floor int64
	for _, name := range names {
		path := filepath.Join(dir, name)
		if _, err := build(path, name, ""); err != nil {
			return "", err
		}
		info, err := os.Stat(path)
		if err != nil {
			return "", err
		}
		if name == "floor" {
			floor = info.Size()
		}
		linked, err := buildinfo.ReadFile(path)
		if err != nil {
			return "", err
		}
		var starts, rss, called []float64
		for range 21 {
			took, err := once(path)
			if err != nil {
				return "", err
			}
			starts = append(starts, took)
		}
		for range 5 {
			before, err := memory(path)
			if err != nil {
				return "", err
			}
			after, err := memory(path, server.URL)
			if err != nil {
				return "", err
			}
			rss, called = append(rss, before), append(called, after)
		}
		cpu, wall := "", ""
		if cold {
			start := time.Now()
			used, err := build(path, name, filepath.Join(dir, "cache-"+name))
			if err != nil {
				return "", err
			}
			cpu, wall = fmt.Sprintf("%.1f", used.Seconds()), fmt.Sprintf("%.1f", time.Since(start).Seconds())
			os.RemoveAll(filepath.Join(dir, "cache-"+name))
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %.2f | %.1f | %.1f | %s | %s |\n", name, info.Size(), info.Size()-floor, len(linked.Deps),
			median(starts), median(rss), median(called), cpu, wall)
	}
	return b.String(), nil
}

// build returns the CPU time; with a cache directory it builds everything anew.
func build(path, name, cache string) (time.Duration, error) {
	cmd := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", path, "./programs/"+name)
	if cache != "" {
		cmd.Env = append(os.Environ(), "GOCACHE="+cache)
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("go build %s: %w\n%s", name, err, out.Bytes())
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// once runs a program and gives its milliseconds.
func once(path string) (float64, error) {
	start := time.Now()
	if out, err := exec.CommandContext(context.Background(), path).CombinedOutput(); err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", filepath.Base(path), err, out)
	}
	return float64(time.Since(start).Nanoseconds()) / 1e6, nil
}

// memory runs a program under time(1), since the kernel counts the memory of
// the process that starts another in that other's, and gives its peak in MB; 0
// without time(1).
func memory(path string, args ...string) (float64, error) {
	timer, err := exec.LookPath("time")
	if err != nil {
		return 0, nil //nolint:nilerr // not everywhere
	}
	out, err := exec.CommandContext(context.Background(), timer, append([]string{"-f", "%M", path}, args...)...).CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", filepath.Base(path), err, out)
	}
	kb, err := strconv.ParseFloat(strings.TrimSpace(string(out)), 64)
	return kb / 1024, err
}
