// Command pool-evacuate-zone takes all servers of a zone out of service in every
// pool of an account, and brings them back with the weights that they had.
//
//	go run ./examples/pool-evacuate-zone                      # on the emulator: out, and back again
//	go run ./examples/pool-evacuate-zone -dry-run             # what it would cost
//	go run ./examples/pool-evacuate-zone -zone cn-hangzhou-b  # a pool that would be left empty keeps its servers
//	go run ./examples/pool-evacuate-zone -file out.jsonl      # on real accounts: takes them out ...
//	go run ./examples/pool-evacuate-zone -file out.jsonl -restore  # ... and brings them back
//
// The file is written before each change, so that -restore works after a crash
// as well. The exit status is 0 when all pools are as wanted, 1 when some are not,
// and 2 for a wrong command line or file.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/slb"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	// For a real account, instead of emulate: a Config with a cloudlb.NewLimiter(),
	// which the clients share, and pools as the clients' iterators list them.
	_, fleet, err := emulate()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(run(ctx, fleet, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, fleet *pool.Fleet, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("pool-evacuate-zone", flag.ContinueOnError)
	flags.SetOutput(stderr)
	zone := flags.String("zone", "cn-hangzhou-a", "the `zone` to leave")
	path := flags.String("file", "", "where the weights are kept (default: a temporary file, and the servers are brought back at the end)")
	restore := flags.Bool("restore", false, "bring the servers of -file back")
	dryRun := flags.Bool("dry-run", false, "only say what it would cost")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	fail := func(status int, err error) int {
		fmt.Fprintln(stderr, "pool-evacuate-zone:", err)
		return status
	}
	switch {
	case flags.NArg() > 0:
		return fail(2, fmt.Errorf("unexpected argument %q", flags.Arg(0)))
	case *restore && *path == "":
		return fail(2, errors.New("-restore needs the -file that was written"))
	case *restore:
		return back(ctx, fleet, *path, stdout, fail)
	}
	leaves := func(m pool.Member) bool { return inside(*zone, m) }
	if err := estimate(ctx, fleet, leaves, stdout); err != nil {
		return fail(1, err)
	}
	if *dryRun {
		return 0
	}
	demo := *path == ""
	if demo {
		dir, err := os.MkdirTemp("", "evacuated")
		if err != nil {
			return fail(1, err)
		}
		defer os.RemoveAll(dir)
		*path = filepath.Join(dir, "evacuated.jsonl")
	}
	status := out(ctx, fleet, leaves, *path, stdout, fail)
	if demo { // what is out comes back, also when some pools have kept their servers
		status = max(status, back(ctx, fleet, *path, stdout, fail))
	}
	return status
}

// inside reports whether a member is in the zone, by any of its names. ELB tells
// the zone of a member that is an instance; for the others an inventory has to.
func inside(zone string, m pool.Member) bool {
	inventory := map[string]string{
		"i-a": "cn-hangzhou-a", "i-b": "cn-hangzhou-b",
		"10.0.1.1": "cn-hangzhou-a", "10.0.2.1": "cn-hangzhou-b", "10.0.2.9": "cn-hangzhou-b",
	}
	for _, name := range append([]string{m.Server}, m.Aliases...) {
		if inventory[name] == zone {
			return true
		}
	}
	return m.Zone == zone
}

// estimate plans what Evacuate does, and says how many calls that takes and how
// long the published budgets make it last. It changes nothing.
func estimate(ctx context.Context, fleet *pool.Fleet, leaves func(pool.Member) bool, stdout io.Writer) error {
	plan, err := fleet.Plan(ctx, func(ctx context.Context, p *pool.Pool, _ pool.Description) (out []pool.Spec, _ pool.PlanOptions, _ error) {
		for m, err := range p.Members(ctx) {
			if err != nil {
				return nil, pool.PlanOptions{}, err
			}
			if leaves(m) {
				out = append(out, pool.Spec{Key: m.Key, Weight: new(0)})
			}
		}
		return out, pool.PlanOptions{KeepOthers: true, MinInService: 1}, nil
	})
	if plan == nil {
		return err
	}
	fmt.Fprintln(stdout, plan.Estimate())
	for _, entry := range plan.Pools {
		if entry.Plan == nil { // it keeps its servers; the others can be evacuated
			fmt.Fprintf(stdout, "! %s: %s\n", entry.Pool, entry.Problem)
		}
	}
	return nil
}

// out takes the members out of service, and keeps their weights in the file.
func out(ctx context.Context, fleet *pool.Fleet, leaves func(pool.Member) bool, path string, stdout io.Writer, fail func(int, error) int) int {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fail(2, err)
	}
	defer file.Close()
	report, err := fleet.Evacuate(ctx, leaves, pool.EvacuateOptions{Save: func(e pool.Evacuated) error {
		if err := json.NewEncoder(file).Encode(e); err != nil {
			return err
		}
		return file.Sync()
	}})
	fmt.Fprint(stdout, "out:  ", report)
	if err != nil {
		return 1 // the report says what and why
	}
	return 0
}

// back restores what the file says. A line that a crash has cut is of a pool
// that was not changed yet.
func back(ctx context.Context, fleet *pool.Fleet, path string, stdout io.Writer, fail func(int, error) int) int {
	file, err := os.Open(path)
	if err != nil {
		return fail(2, err)
	}
	defer file.Close()
	var saved []pool.Evacuated
	for lines := json.NewDecoder(file); ; {
		var e pool.Evacuated
		err := lines.Decode(&e)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return fail(2, fmt.Errorf("%s: %w", path, err))
		}
		saved = append(saved, e)
	}
	report, err := fleet.Restore(ctx, saved)
	fmt.Fprint(stdout, "back: ", report)
	if err != nil {
		return 1
	}
	return 0
}

// emulate is an account with pools of three services, whose servers are in two
// zones; those of pool-batch are in cn-hangzhou-b only.
func emulate() (*fakecloud.Cloud, *pool.Fleet, error) {
	cloud := fakecloud.New(fakecloud.WithJobDuration(50*time.Millisecond), fakecloud.WithConfiguringWindow(50*time.Millisecond))
	cfg := cloud.Config()
	cfg.Limiter = cloudlb.NewLimiter()
	modern, err := alb.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	classic, err := slb.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	elastic, err := elb.New(cfg)
	if err != nil {
		return nil, nil, err
	}
	fleet := &pool.Fleet{}
	both := []fakecloud.BackendServer{{ID: "i-a", Port: 80, Weight: new(30)}, {ID: "i-b", Port: 80, Weight: new(70)}}
	for i := range 20 {
		group := cloud.AddServerGroup(fakecloud.ServerGroup{ID: fmt.Sprintf("sgp-%d", i), Servers: both})
		fleet.Pools = append(fleet.Pools, pool.New(modern.Pool(group)))
	}
	group := cloud.AddVServerGroup(fakecloud.VServerGroup{ID: "rsp-1", LoadBalancerID: "lb-1", Servers: both})
	fleet.Pools = append(fleet.Pools, pool.New(classic.Pool(group)))
	for _, p := range []fakecloud.Pool{
		{ID: "pool-web", Members: []fakecloud.PoolMember{{Address: "10.0.1.1", Port: 80, Weight: new(5)}, {Address: "10.0.2.1", Port: 80, Weight: new(7)}}},
		{ID: "pool-batch", Members: []fakecloud.PoolMember{{Address: "10.0.2.9", Port: 8080}}},
	} {
		fleet.Pools = append(fleet.Pools, pool.New(elastic.Pool(cloud.AddPool(p))))
	}
	return cloud, fleet, nil
}
