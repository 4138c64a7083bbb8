// Command pool-reconcile makes a pool have the servers of a list, and no others
// of ours: it shows what would change, changes it in a safe order, and checks the
// result. Doing it again changes nothing.
//
//	go run ./examples/pool-reconcile                       # the list servers.txt, on the emulator
//	go run ./examples/pool-reconcile -dry-run              # only the plan
//	printf 'i-1:80\ni-9:80 20\n' | go run ./examples/pool-reconcile -file -
//	go run ./examples/pool-reconcile -file /dev/null       # refused: an empty list is a broken inventory
//
// The exit status is 0 when the pool is as the list says (with -dry-run: when it
// can be), 1 when something failed, and 2 when nothing was sent, because the list
// is wrong or breaks a limit.
package main

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
)

//go:embed servers.txt
var embedded []byte

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	cloud := emulate()
	// For the real service, instead of emulate:
	//	cfg := cloudlb.Config{Region: "cn-hangzhou", Credentials: cloudlb.StaticCredentials(id, secret, "")}
	lb, err := alb.New(cloud.Config())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(run(ctx, pool.New(lb.Pool("sgp-web")), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, p *pool.Pool, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("pool-reconcile", flag.ContinueOnError)
	flags.SetOutput(stderr)
	path := flags.String("file", "", "the `list`; - is the standard input (default: the list servers.txt of this example)")
	dryRun := flags.Bool("dry-run", false, "only show the plan")
	opts := pool.PlanOptions{Owner: pool.OwnedBy("deploy")} // servers with another description stay
	flags.IntVar(&opts.MinInService, "min-in-service", 2, "how many servers must be in service at every moment")
	flags.Float64Var(&opts.MaxChange, "max-change", 0.5, "the largest share of the present servers that may be removed or get another weight")
	flags.BoolVar(&opts.AllowEmpty, "allow-empty", false, "an empty list is meant")
	flags.DurationVar(&opts.Drain, "drain", 200*time.Millisecond, "how long removed servers may finish their requests: 30s, in real life")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	fail := func(status int, err error) int {
		fmt.Fprintln(stderr, "pool-reconcile:", err)
		return status
	}
	if flags.NArg() > 0 {
		return fail(2, fmt.Errorf("unexpected argument %q: give the list with -file", flags.Arg(0)))
	}
	desired, err := list(*path, stdin)
	if err != nil {
		return fail(2, err)
	}

	plan, err := p.Plan(ctx, desired, opts)
	if errors.Is(err, cloudlb.ErrInvalid) {
		return fail(2, err) // says what is wrong with the list, or which limit it breaks
	}
	if err != nil {
		return fail(1, err)
	}
	fmt.Fprint(stdout, plan)
	if *dryRun || plan.Empty() {
		return 0
	}
	report, err := p.Apply(ctx, plan)
	fmt.Fprint(stdout, report)
	if err != nil {
		return fail(1, fmt.Errorf("%w; run this again to go on", err))
	}
	if plan, err = p.Plan(ctx, desired, opts); err != nil { // once more, to see that it is done
		return fail(1, err)
	}
	fmt.Fprint(stdout, plan)
	if !plan.Empty() {
		return fail(1, errors.New("somebody else has changed the pool meanwhile: run this again"))
	}
	return 0
}

// list reads the servers that are wanted.
func list(path string, stdin io.Reader) ([]pool.Spec, error) {
	content, err := embedded, error(nil)
	name := "servers.txt"
	switch path {
	case "":
	case "-":
		name = "standard input"
		content, err = io.ReadAll(stdin)
	default:
		name = path
		content, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, err
	}
	var specs []pool.Spec
	lines := bufio.NewScanner(bytes.NewReader(content))
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		key, err := pool.ParseKey(fields[0])
		if err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", name, n, err)
		}
		spec := pool.Spec{Key: key}
		if len(fields) > 1 {
			weight, err := strconv.Atoi(fields[1])
			if err != nil || len(fields) > 2 {
				return nil, fmt.Errorf("%s, line %d: %q is not a server and a weight: write \"i-1:80 100\"", name, n, strings.TrimSpace(text))
			}
			spec.Weight = &weight
		}
		specs = append(specs, spec)
	}
	return specs, lines.Err() // Plan sees duplicates and weights that the service does not take
}

// emulate is a cloud with a pool that is not as the list says. One of its servers
// belongs to somebody else.
func emulate() *fakecloud.Cloud {
	cloud := fakecloud.New(fakecloud.WithJobDuration(100 * time.Millisecond))
	cloud.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-web", Servers: []fakecloud.BackendServer{
		{ID: "i-1", Port: 80, Weight: new(30), Description: "deploy"},
		{ID: "i-2", Port: 80, Description: "deploy"},
		{ID: "i-3", Port: 80, Description: "deploy"},
		{ID: "i-old", Port: 80, Description: "deploy"},
		{ID: "i-scaled", Port: 80, Description: "auto scaling"},
	}})
	return cloud
}
