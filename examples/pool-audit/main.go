// Command pool-audit looks at every pool of two accounts and says what is not
// well: pools without members, left-over weights of 0, disabled and unhealthy
// members, differences from an inventory. It changes nothing.
//
//	go run ./examples/pool-audit                # findings, one a line
//	go run ./examples/pool-audit -exit-code     # for CI: the exit status is 1 if there are any
//	go run ./examples/pool-audit -find i-web-1  # in which pools is this server?
//
// The exit status is 0 when all pools were read, 1 with -exit-code if something
// is to be done, or with -find if the server is in no pool, and 2 if a pool could
// not be read or the command line is wrong: then the answer is not complete.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	context.AfterFunc(ctx, stop) // a second Ctrl-C ends the program at once
	// For real accounts, instead of emulate:
	//	accounts := []account{{"shop", cloudlb.Config{Region: "cn-hangzhou", Credentials: shop, Limiter: cloudlb.NewLimiter()}}, ...}
	_, accounts := emulate()
	os.Exit(run(ctx, accounts, os.Args[1:], os.Stdout, os.Stderr))
}

// account is an account, or a region of it. The Limiter of its Config is shared
// by its clients, so that they keep within its budgets together.
type account struct {
	name string
	cfg  cloudlb.Config
}

func run(ctx context.Context, accounts []account, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("pool-audit", flag.ContinueOnError)
	flags.SetOutput(stderr)
	find := flags.String("find", "", "a `server`, by instance ID or address: list the pools that it is in")
	exitCode := flags.Bool("exit-code", false, "exit with 1 if something is to be done")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "pool-audit: unexpected argument %q\n", flags.Arg(0))
		return 2
	}

	status, found := 0, 0
	for _, a := range accounts {
		n := 0
		fleet, err := fleetOf(ctx, a.cfg)
		switch {
		case err != nil:
		case len(fleet.Pools) == 0:
			fmt.Fprintf(stdout, "%s: no pools\n", a.name)
		case *find != "":
			n, err = where(ctx, a.name, fleet, *find, stdout)
		default:
			n, err = audit(ctx, a.name, fleet, stdout)
		}
		found += n
		if err != nil { // the other account is looked at all the same
			fmt.Fprintf(stderr, "pool-audit: account %s: %v\n", a.name, err)
			status = 2
		}
	}
	switch {
	case status != 0:
		return status
	case *find != "" && found == 0:
		fmt.Fprintf(stdout, "%s is in no pool\n", *find)
		return 1
	case *find == "" && *exitCode && found > 0:
		return 1
	default:
		return 0
	}
}

// fleetOf is all pools of an account. Those of classic SLB and APIG are listed
// in the same way: see the example of pool.Fleet.
func fleetOf(ctx context.Context, cfg cloudlb.Config) (*pool.Fleet, error) {
	alibaba, err := alb.New(cfg)
	if err != nil {
		return nil, err
	}
	huawei, err := elb.New(cfg)
	if err != nil {
		return nil, err
	}
	fleet := &pool.Fleet{}
	for group, err := range alibaba.ServerGroups(ctx, alb.ListServerGroupsRequest{}) {
		if err != nil {
			return nil, err
		}
		fleet.Pools = append(fleet.Pools, pool.New(alibaba.Pool(group.ServerGroupID)))
	}
	for p, err := range huawei.Pools(ctx, elb.ListPoolsRequest{}) {
		if err != nil {
			return nil, err
		}
		fleet.Pools = append(fleet.Pools, pool.New(huawei.Pool(p.ID)))
	}
	return fleet, nil
}

// audit counts the findings that are not harmless.
func audit(ctx context.Context, name string, fleet *pool.Fleet, stdout io.Writer) (found int, err error) {
	findings, err := fleet.Audit(ctx, pool.AuditOptions{Desired: inventory})
	for _, f := range findings {
		if f.Kind == pool.FindingUnchecked {
			continue // this company checks its servers in another way
		}
		fmt.Fprintf(stdout, "%s: %s\n", name, f)
		if !f.Harmless {
			found++
		}
	}
	fmt.Fprintf(stdout, "%s: %d pools, %d findings\n", name, len(fleet.Pools), found)
	return found, err
}

// inventory says what the pools should be, where that is known: a file or a
// database, in real life.
func inventory(_ *pool.Pool, d pool.Description) ([]pool.Spec, bool) {
	if d.Name != "web" {
		return nil, false
	}
	return []pool.Spec{pool.Weighted("i-web-1", 80, 100), pool.Weighted("i-web-2", 80, 100)}, true
}

// where lists the pools of a server.
func where(ctx context.Context, name string, fleet *pool.Fleet, server string, stdout io.Writer) (found int, err error) {
	var errs []error
	for f, err := range fleet.Find(ctx, pool.Key{Server: server}) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		found++
		fmt.Fprintf(stdout, "%s: %s has %s with weight %d\n", name, f.Name, f.Member.Key, f.Member.Weight)
	}
	return found, errors.Join(errs...)
}

// emulate is a cloud with two accounts, in which a deploy was interrupted.
func emulate() (*fakecloud.Cloud, []account) {
	cloud := fakecloud.New()
	shop, bank := cloud.Account("shop"), cloud.Account("bank", fakecloud.WithRegion("eu-central-1"))
	shop.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-web", Name: "web", Servers: []fakecloud.BackendServer{
		{ID: "i-web-1", Port: 80}, {ID: "i-web-2", Port: 80, Weight: new(0)},
	}})
	shop.AddPool(fakecloud.Pool{ID: "pool-ip", Algorithm: "SOURCE_IP", Members: []fakecloud.PoolMember{
		{Address: "10.0.1.1", Port: 80, Weight: new(0)}, {Address: "10.0.1.2", Port: 80},
	}})
	bank.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-old"})
	bank.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-batch", Servers: []fakecloud.BackendServer{{ID: "i-web-1", Port: 8080}}})
	var accounts []account
	for _, a := range []*fakecloud.Account{shop, bank} {
		cfg := a.Config()
		cfg.Limiter = cloudlb.NewLimiter()
		accounts = append(accounts, account{a.Name(), cfg})
	}
	return cloud, accounts
}
