// Command pool-blue-green puts new servers in the place of the old ones, looks
// at them while they serve, and then removes the old ones, or goes back to them.
//
//	go run ./examples/pool-blue-green                # goes well
//	go run ./examples/pool-blue-green -error-rate 7  # the new servers fail 7 % of the requests: it goes back
//	go run ./examples/pool-blue-green -new i-1:80    # refused: that is an old one
//
// On a real account the three parts need not be one process: -journal remembers
// the switch, and -finish or -back end it, hours later if need be.
//
// The exit status is 0 when the new servers serve, 1 when the old ones do, and
// 2 for a wrong command line. Where that is not sure, it is 3.
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
	"strings"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
)

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
	os.Exit(run(ctx, pool.New(lb.Pool("sgp-web")), os.Args[1:], os.Stdout, os.Stderr))
}

type program struct {
	p              *pool.Pool
	journal        pool.Journal
	stdout, stderr io.Writer
}

func run(ctx context.Context, p *pool.Pool, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("pool-blue-green", flag.ContinueOnError)
	flags.SetOutput(stderr)
	list := flags.String("new", "i-3:80,i-4:80", "the new `servers`")
	drain := flags.Duration("drain", 300*time.Millisecond, "how long removed servers may finish their requests: 30s, in real life")
	watch := flags.Duration("watch", 200*time.Millisecond, "how long to look at the new servers: minutes, in real life; 0 leaves the decision to -finish and -back")
	rate := flags.Float64("error-rate", 0.1, "what the metrics say of them, in `percent`: it stands for a query")
	journal := flags.String("journal", "", "a `file` that remembers the switch")
	finish := flags.Bool("finish", false, "end the switch of -journal: remove the old servers")
	back := flags.Bool("back", false, "end the switch of -journal: go back to the old servers")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	g := program{p: p, journal: pool.MemoryJournal(), stdout: stdout, stderr: stderr}
	if *journal != "" {
		g.journal = pool.FileJournal(*journal)
	}
	switch {
	case flags.NArg() > 0:
		return g.fail(2, fmt.Errorf("unexpected argument %q", flags.Arg(0)))
	case (*finish || *back || *watch == 0) && *journal == "", *finish && *back:
		return g.fail(2, errors.New("-finish, -back and -watch 0 need -journal, and there is one end only"))
	case *finish || *back:
		sw, err := g.switched(ctx)
		if err != nil {
			return g.fail(2, fmt.Errorf("-journal: %w", err))
		}
		return g.end(ctx, sw, *finish)
	}
	o := pool.BlueGreen{MinInService: 2, Drain: *drain, Journal: g.journal}
	for name := range strings.SplitSeq(*list, ",") {
		key, err := pool.ParseKey(name)
		if err != nil {
			return g.fail(2, fmt.Errorf("-new: %w", err))
		}
		o.New = append(o.New, pool.Spec{Key: key})
	}

	sw, err := p.BlueGreen(ctx, o) // with the same journal it goes on where it was
	switch {
	case errors.Is(err, cloudlb.ErrInvalid):
		return g.fail(2, err)
	case err != nil && (sw.Stage == pool.StageBack || sw.Stage == ""): // "": it did not begin
		return g.fail(1, fmt.Errorf("%w\nthe old servers serve", err))
	case err != nil:
		return g.fail(3, fmt.Errorf("%w\nit is %s: run this with -back", err, sw.Stage))
	}
	g.say(ctx, sw)
	if *watch == 0 {
		return 0
	}
	select {
	case <-time.After(*watch):
	case <-ctx.Done(): // nobody knows whether the new servers are good: back
		return g.end(context.WithoutCancel(ctx), sw, false)
	}
	fmt.Fprintf(stdout, "%g%% of the requests fail\n", *rate)
	return g.end(ctx, sw, *rate <= 1)
}

// end removes the old servers, or goes back to them. It can be repeated.
func (g program) end(ctx context.Context, sw *pool.Switched, good bool) int {
	status, do := 0, g.p.Finish
	if !good {
		status, do = 1, g.p.Back
	}
	if err := do(ctx, sw); err != nil {
		return g.fail(3, fmt.Errorf("%w\nit is %s: run the same again", err, sw.Stage))
	}
	g.say(ctx, sw)
	return status
}

// switched reads the switch of the journal.
func (g program) switched(ctx context.Context) (*pool.Switched, error) {
	content, err := g.journal.Load(ctx)
	if err != nil {
		return nil, err
	}
	sw := &pool.Switched{}
	if err := json.Unmarshal(content, sw); err != nil {
		return nil, err
	}
	sw.Journal = g.journal // goes on being kept there
	return sw, nil
}

// say shows how far the switch is, and the pool.
func (g program) say(ctx context.Context, sw *pool.Switched) {
	fmt.Fprintf(g.stdout, "%s:", sw.Stage)
	for m, err := range g.p.Members(ctx) {
		if err != nil {
			fmt.Fprint(g.stdout, " ", err)
			break
		}
		fmt.Fprintf(g.stdout, " %s weight %d;", m.Key, m.Weight)
	}
	fmt.Fprintln(g.stdout)
}

func (g program) fail(status int, err error) int {
	fmt.Fprintln(g.stderr, "pool-blue-green:", err)
	return status
}

// emulate is a cloud with a pool of two servers.
func emulate() *fakecloud.Cloud {
	cloud := fakecloud.New(fakecloud.WithJobDuration(100 * time.Millisecond))
	cloud.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-web", Servers: []fakecloud.BackendServer{
		{ID: "i-1", Port: 80, Weight: new(60)}, {ID: "i-2", Port: 80, Weight: new(40)},
	}})
	return cloud
}
