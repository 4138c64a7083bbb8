// Command pool-boot-and-shutdown is a web server that puts itself behind a load
// balancer when it is ready, and takes itself out before it stops: no request is
// sent to it that it does not answer.
//
//	go run ./examples/pool-boot-and-shutdown           # on the emulator: stops by itself after a moment
//	go run ./examples/pool-boot-and-shutdown -for 0    # until Ctrl-C or SIGTERM
//	go run ./examples/pool-boot-and-shutdown -server 10.0.0.7  # the pool does not take addresses: it says so, and stops
//
// The exit status is 0 when the server was in service and has left, and 1 if not.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/slb"
)

func main() {
	os.Exit(serve(os.Args[1:], os.Stdout, os.Stderr))
}

func serve(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("pool-boot-and-shutdown", flag.ContinueOnError)
	flags.SetOutput(stderr)
	// On a real machine the metadata service knows the instance ID.
	server := flags.String("server", "i-new", "this machine, as the `pool` names it")
	lasts := flags.Duration("for", 300*time.Millisecond, "stop by itself after this time in service; 0: not")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil || flags.NArg() > 0 {
		return 1
	}
	// SIGTERM is what systemd, Kubernetes and auto scaling send; they kill what
	// does not end in time, so leaveWithin has to be shorter than their patience.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	cloud := emulate()
	// For the real service, instead of emulate:
	//	cfg := cloudlb.Config{Region: "cn-hangzhou", Credentials: cloudlb.StaticCredentials(id, secret, "")}
	lb, err := slb.New(cloud.Config())
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0") // ":8080", in real life
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	web := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "hello")
	})}
	ended := make(chan error, 1)
	go func() { ended <- web.Serve(listener) }()

	ready := func(ctx context.Context) error { return get(ctx, "http://"+listener.Addr().String()+"/healthz") }
	status := run(ctx, stop, lb, pool.Server(*server, 8080), ready, *lasts, stdout, stderr)

	// Nothing is sent here any more: what is running may end.
	own, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := web.Shutdown(own); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return status
}

// leaveWithin is how long leaving may take at most.
const leaveWithin = 25 * time.Second

// run is in the pool from the moment that ready says so until ctx ends.
func run(ctx context.Context, stop func(), lb *slb.Client, member pool.Spec, ready func(context.Context) error, lasts time.Duration, stdout, stderr io.Writer) int {
	p := pool.New(lb.Pool("rsp-web"), pool.WithEvents(func(e pool.Event) {
		fmt.Fprintln(stdout, e)
		if e.Method == "Join" && e.Kind == pool.Finished && lasts > 0 {
			time.AfterFunc(lasts, stop) // as if somebody had pressed Ctrl-C
		}
	}))
	err := p.Serve(ctx,
		pool.Join{Member: member, Ready: ready, Jitter: 50 * time.Millisecond, InService: time.Minute}, // seconds of jitter, where hundreds boot together
		pool.Leave{Drain: 200 * time.Millisecond, Within: leaveWithin},                                 // drain 30s, in real life
	)
	if err != nil {
		fmt.Fprintln(stderr, "pool-boot-and-shutdown:", err)
		return 1
	}
	fmt.Fprintln(stdout, member.Key, "has left")
	return 0
}

func get(ctx context.Context, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	client := http.Client{Timeout: time.Second}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, res.Status)
	}
	return nil
}

// emulate is a cloud with a group of one server.
func emulate() *fakecloud.Cloud {
	cloud := fakecloud.New(fakecloud.WithConfiguringWindow(100 * time.Millisecond))
	cloud.AddVServerGroup(fakecloud.VServerGroup{ID: "rsp-web", LoadBalancerID: "lb-1", Servers: []fakecloud.BackendServer{{ID: "i-1", Port: 8080}}})
	return cloud
}
