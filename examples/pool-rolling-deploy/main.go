// Command pool-rolling-deploy deploys to the servers of a pool, two at a time,
// each without requests meanwhile. A journal remembers how far it is: when the
// process is killed, the next one goes on, and no server is forgotten.
//
//	go run ./examples/pool-rolling-deploy  # on the emulator: is killed in the middle, and run again
//
// With -channel it does one rollout on the service itself; the credentials are
// HUAWEICLOUD_SDK_AK and HUAWEICLOUD_SDK_SK, and HUAWEICLOUD_SDK_PROJECT_ID if the
// region's own project is not the one:
//
//	pool-rolling-deploy -instance GATEWAY -channel CHANNEL -release v2 -journal web.journal -machines DIR
//	... -give-up  # instead of going on: has all servers get requests again
//
// The exit status is 0 when every server is deployed, 1 when some are not (run
// it again to go on), and 2 for a wrong command line.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/pool"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	if len(os.Args) == 1 {
		os.Exit(demonstrate(ctx, os.Stdout, os.Stderr))
	}
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run does one rollout on the service.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("pool-rolling-deploy", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cfg := cloudlb.Config{Credentials: cloudlb.StaticCredentials(os.Getenv("HUAWEICLOUD_SDK_AK"), os.Getenv("HUAWEICLOUD_SDK_SK"), "")}
	flags.StringVar(&cfg.Region, "region", "cn-north-4", "the region")
	flags.StringVar(&cfg.Endpoint, "endpoint", "", "an `address` instead of the region's own; http on this machine only")
	instance := flags.String("instance", "", "the gateway")
	channel := flags.String("channel", "", "its channel")
	var d deploy
	flags.StringVar(&d.release, "release", "", "what to deploy")
	flags.StringVar(&d.machines, "machines", "", "a `directory` with one for each server, in place of ssh")
	journal := flags.String("journal", "", "the `file` that remembers how far it is")
	giveUp := flags.Bool("give-up", false, "do not go on: have all servers get requests again")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	fail := func(status int, err error) int {
		fmt.Fprintln(stderr, "pool-rolling-deploy:", err)
		return status
	}
	if *channel == "" || *instance == "" || d.release == "" || d.machines == "" || *journal == "" || flags.NArg() > 0 {
		return fail(2, errors.New("-instance, -channel, -release, -journal and -machines are required, and there are no arguments"))
	}
	cfg.AllowHTTP = strings.HasPrefix(cfg.Endpoint, "http://127.0.0.1:")
	gateway, err := apig.New(cfg, apig.WithProjectID(os.Getenv("HUAWEICLOUD_SDK_PROJECT_ID")), apig.WithIAMEndpoint(cfg.Endpoint))
	if err != nil {
		return fail(2, err)
	}
	d.stdout = stdout
	if err := d.rollout(ctx, pool.New(gateway.Pool(*instance, *channel)), pool.FileJournal(*journal), *giveUp); errors.Is(err, cloudlb.ErrInvalid) {
		return fail(2, err)
	} else if err != nil {
		return fail(1, err)
	}
	return 0
}

// deploy is what is deployed, and how.
type deploy struct {
	release, machines string
	stdout            io.Writer
}

func (d deploy) rollout(ctx context.Context, p *pool.Pool, journal pool.Journal, giveUp bool) error {
	if giveUp {
		report, err := p.RestoreFrom(ctx, journal)
		fmt.Fprint(d.stdout, report)
		return err
	}
	report, err := p.Rollout(ctx, pool.Rollout{
		Release:        d.release,
		MaxUnavailable: 2,
		MinInService:   3,
		Drain:          50 * time.Millisecond, // 30 s, in real life
		Deploy:         d.deploy,
		DeployTimeout:  10 * time.Minute,
		Probe:          d.probe,
		Deployed:       d.deployed,
		InService:      time.Minute,
		Journal:        journal,
	})
	if report.Resumed {
		fmt.Fprintln(d.stdout, "it went on where the last process was")
	}
	fmt.Fprint(d.stdout, report)
	return err
}

// deploy puts the release on a machine: ssh, in real life. It may have been cut
// off before, so it has to be something that can be done again.
func (d deploy) deploy(ctx context.Context, m pool.Member) error {
	fmt.Fprintf(d.stdout, "deploying %s to %s\n", d.release, m.Key)
	select {
	case <-time.After(100 * time.Millisecond):
	case <-ctx.Done():
		return ctx.Err()
	}
	file := filepath.Join(d.machines, m.Server, "release")
	if err := os.WriteFile(file+".new", []byte(d.release), 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// runs asks a machine which release it runs: GET /version, in real life.
func (d deploy) runs(m pool.Member) (string, error) {
	b, err := os.ReadFile(filepath.Join(d.machines, m.Server, "release"))
	return string(b), err
}

// deployed is asked about machines that a killed process was at.
func (d deploy) deployed(_ context.Context, m pool.Member) (bool, error) {
	release, err := d.runs(m)
	return release == d.release, err
}

// probe is nil when a machine may get requests.
func (d deploy) probe(_ context.Context, m pool.Member) error {
	release, err := d.runs(m)
	if err == nil && release != d.release {
		err = fmt.Errorf("it runs %s", release)
	}
	return err
}
