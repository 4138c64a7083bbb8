// Command pool-canary gives a new server a growing share of the requests. After
// each step it asks the metrics; when they are bad, the old weights come back.
//
//	go run ./examples/pool-canary                # goes well
//	go run ./examples/pool-canary -error-rate 7  # the metrics say that 7 % of the requests fail: it goes back
//	go run ./examples/pool-canary -steps 1,10    # ends with a share of 10 %
//
// On a real account, -journal makes it go on where a killed process was, and
// -undo brings the old weights back instead.
//
// The exit status is 0 when the last step was reached, 1 when the old weights are
// back, 3 when they are not, and 2 when nothing was sent.
package main

import (
	"context"
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
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	cloud := emulate()
	// For the real service, instead of emulate:
	//	cfg := cloudlb.Config{Region: "cn-north-4", Credentials: cloudlb.StaticCredentials(ak, sk, "")}
	lb, err := elb.New(cloud.Config())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(run(ctx, pool.New(lb.Pool("pool-web")), os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, p *pool.Pool, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("pool-canary", flag.ContinueOnError)
	flags.SetOutput(stderr)
	server := flags.String("canary", "10.0.0.9:80", "the new `server`")
	list := flags.String("steps", "5,50,100", "its shares in `percent`")
	bake := flags.Duration("bake", 100*time.Millisecond, "how long each step is watched: minutes, in real life")
	rate := flags.Float64("error-rate", 0.1, "what the metrics say, in `percent`: it stands for a query")
	most := flags.Float64("max-error-rate", 1, "the most `percent` of failing requests")
	journal := flags.String("journal", "", "a `file` that remembers the old weights")
	undo := flags.Bool("undo", false, "bring the old weights of -journal back")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	fail := func(status int, err error) int {
		fmt.Fprintln(stderr, "pool-canary:", err)
		return status
	}
	steps, err := percent(*list)
	if err != nil {
		return fail(2, fmt.Errorf("-steps: %w", err))
	}
	canary, err := pool.ParseKey(*server)
	if err != nil {
		return fail(2, err)
	}
	if flags.NArg() > 0 {
		return fail(2, fmt.Errorf("unexpected argument %q", flags.Arg(0)))
	}
	shift := pool.Shift{
		To: []pool.Key{canary}, Steps: steps, Bake: *bake, MinInService: 1, Journal: pool.MemoryJournal(),
		Check: func(_ context.Context, s pool.Share) error {
			fmt.Fprintf(stdout, "%s; %g%% of the requests fail\n", s, *rate)
			if *rate > *most {
				return fmt.Errorf("at a share of %.3g%%, %g%% of the requests fail, more than %g%%", s.Real, *rate, *most)
			}
			return nil
		},
	}
	if *journal != "" {
		shift.Journal = pool.FileJournal(*journal)
	}
	if *undo {
		report, err := p.UndoShift(ctx, shift.Journal)
		if err != nil {
			return fail(1, err)
		}
		fmt.Fprint(stdout, report)
		return 0
	}

	// Weight 0: it is in the pool, and gets nothing. If it is there, it stays as it is.
	if _, err := p.Add(ctx, pool.Spec{Key: canary, Weight: new(0)}); err != nil {
		return fail(1, err)
	}
	report, err := p.Shift(ctx, shift)
	switch {
	case err == nil:
		fmt.Fprintf(stdout, "done: %s\n", weights(ctx, p))
		return 0
	case errors.Is(err, cloudlb.ErrInvalid): // the shift itself is wrong
		return fail(2, err)
	case report.Restored:
		fmt.Fprintf(stdout, "the old weights are back: %s\n", weights(ctx, p))
		return fail(1, err)
	case report.RestoreErr != nil:
		return fail(3, fmt.Errorf("%w\nthe old weights are NOT back: %w; run this with -undo", err, report.RestoreErr))
	default: // it did not begin
		return fail(1, err)
	}
}

func percent(list string) ([]float64, error) {
	var steps []float64
	for text := range strings.SplitSeq(list, ",") {
		step, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			return nil, fmt.Errorf("%q is no list of numbers such as 5,25,100", list)
		}
		steps = append(steps, step)
	}
	return steps, nil // Shift checks their values
}

func weights(ctx context.Context, p *pool.Pool) string {
	var all []string
	for m, err := range p.Members(ctx) {
		if err != nil {
			return err.Error()
		}
		all = append(all, fmt.Sprintf("%s %d", m.Key, m.Weight))
	}
	return strings.Join(all, ", ")
}

// emulate is a cloud with a pool of two servers.
func emulate() *fakecloud.Cloud {
	cloud := fakecloud.New(fakecloud.WithMemberInitial(50 * time.Millisecond))
	cloud.AddPool(fakecloud.Pool{ID: "pool-web", HealthMonitorID: "monitor", Members: []fakecloud.PoolMember{
		{Address: "10.0.0.1", Port: 80, Weight: new(10)}, {Address: "10.0.0.2", Port: 80, Weight: new(10)},
	}})
	return cloud
}
