// Command quickstart changes the servers of several load balancers at once: it
// registers the servers of a file with the groups that it names on Alibaba Cloud
// ALB and classic SLB and on Huawei Cloud ELB and APIG (ROMA Connect), waits
// until that is done, swaps some, removes some, and shows what is there.
//
//	go run ./examples/quickstart              # 230 servers, on an emulator
//	go run ./examples/quickstart -all         # the same, every server shown
//	go run ./examples/quickstart -file my.json
//
// servers.json shows the format of the file. The whole file is checked before
// anything is sent.
//
// Without settings the services are emulated in this process (package fakecloud)
// and no account is needed. With any of these in the environment the program runs
// on the real services; it needs the settings of the clouds that the file names:
//
//	ALIBABA_CLOUD_ACCESS_KEY_ID      for alb and slb
//	ALIBABA_CLOUD_ACCESS_KEY_SECRET
//	ALIBABA_CLOUD_SECURITY_TOKEN     with temporary keys
//	CLOUDLB_ALIBABA_REGION           such as cn-hangzhou
//	CLOUDLB_ALIBABA_ENDPOINT         optional: instead of the region's own
//
//	HUAWEICLOUD_SDK_AK               for elb and apig
//	HUAWEICLOUD_SDK_SK
//	HUAWEICLOUD_SDK_SECURITY_TOKEN   with temporary keys
//	HUAWEICLOUD_SDK_PROJECT_ID       optional: otherwise looked up by the region's name
//	CLOUDLB_HUAWEI_REGION            such as cn-north-4
//	CLOUDLB_HUAWEI_ENDPOINT          optional: instead of the region's own
//
// An endpoint serves all services of its cloud, so it is for emulators and
// gateways: "https://lb.example.com", or http on a loopback address.
//
// The exit status is 0 when everything is as the file says, 1 when something
// failed, 2 for a wrong command line, file or environment, and 130 after Ctrl-C.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/cloudlb/cloudlb/fakecloud"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	return program{getenv, stdout, stderr, emulate}.run(ctx, args)
}

// program is the run's surroundings.
type program struct {
	getenv         func(string) string
	stdout, stderr io.Writer
	emulate        func(*file) *fakecloud.Cloud
}

func (p program) run(ctx context.Context, args []string) int {
	flags := flag.NewFlagSet("quickstart", flag.ContinueOnError)
	flags.SetOutput(p.stderr)
	path := flags.String("file", "", "the servers to register, in the format of `servers.json` (default: the 230 servers of that file)")
	all := flags.Bool("all", false, "show every server at the end, not only the first few of each group")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil: // Parse has said it
		return 2
	case flags.NArg() > 0:
		return p.fail(2, fmt.Errorf("unexpected argument %q: give the file with -file", flags.Arg(0)))
	}

	f, err := load(*path)
	if err != nil {
		return p.fail(2, fmt.Errorf("%w\nnothing was sent: correct the file and run this again", err))
	}
	place, err := p.place(f)
	if err != nil {
		return p.fail(2, err)
	}
	services, err := place.services(f, &progress{w: p.stderr})
	if err != nil {
		return p.fail(2, err)
	}
	fmt.Fprintln(p.stdout, place)
	err = p.change(ctx, f, services, *all)
	if ctx.Err() != nil && err != nil {
		return p.fail(130, err)
	}
	if err != nil {
		return p.fail(1, err)
	}
	return 0
}

// change is the job itself.
func (p program) change(ctx context.Context, f *file, services map[*group]service, all bool) error {
	steps := []step{
		{
			what:   "registering servers",
			groups: f.with(func(g *group) []server { return g.servers }),
			do:     func(ctx context.Context, g *group) error { return services[g].register(ctx, g) },
		},
		{
			what:   "swapping servers",
			groups: f.with(func(g *group) []server { return g.in }),
			do:     func(ctx context.Context, g *group) error { return services[g].swap(ctx, g) },
		},
		{
			what:   "removing servers",
			groups: f.with(func(g *group) []server { return g.remove }),
			do:     func(ctx context.Context, g *group) error { return services[g].remove(ctx, g) },
		},
		{
			what:   "reading the groups back",
			groups: f.groups,
			do: func(ctx context.Context, g *group) (err error) {
				g.rows, err = services[g].read(ctx, g)
				return err
			},
		},
	}
	for i, step := range steps {
		if err := step.run(ctx, steps[i+1:]); err != nil {
			return err
		}
	}
	table(p.stdout, f, all)
	return compare(f)
}

// fail writes the error and gives the exit status.
func (p program) fail(status int, err error) int {
	for line := range strings.Lines(err.Error()) {
		fmt.Fprintf(p.stderr, "quickstart: %s\n", strings.TrimSuffix(line, "\n"))
	}
	return status
}
