// Command server runs fakecloud for programs of any language, on a loopback
// address:
//
//	go run ./fakecloud/server -seed-file cloud.json
//
// All services have the same endpoint. Beside them it answers under
// /_fakecloud/: GET health, GET state, GET requests, POST seed, POST reset,
// POST faults, DELETE faults. Each request is one line of JSON on the standard
// output, without secrets. An interrupt ends it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb/fakecloud"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt) //nolint:forbidigo // the root of the program
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "fakecloud:", err)
		stop()
		os.Exit(1) //nolint:gocritic // stop was called
	}
}

// run serves until the context ends.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("server", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "127.0.0.1:8765", "loopback address to listen on; port 0 takes a free one")
	seedFile := flags.String("seed-file", "", "JSON file with what is there at the start, in the form that GET /_fakecloud/state answers")
	faultsFile := flags.String("faults", "", "JSON file with a list of what goes wrong from the start, as POST /_fakecloud/faults takes it")
	region := flags.String("region", "cn-hangzhou", "the region's name")
	seed := flags.Uint64("seed", 0, "chooses the sequence of generated IDs")
	speed := flags.Float64("speed", 1, "how many times faster jobs, locks and first health checks are done; time itself is not changed")
	var without []fakecloud.Assumption
	flags.Func("without", "names of assumptions to turn off, with commas between them", func(names string) error {
		for name := range strings.SplitSeq(names, ",") {
			a, err := fakecloud.ParseAssumption(name)
			if err != nil {
				return err
			}
			without = append(without, a)
		}
		return nil
	})
	assumptions := flags.Bool("assumptions", false, "print the assumptions and end")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return nil
	case err != nil:
		return err
	case *assumptions:
		for _, a := range fakecloud.Assumptions() {
			fmt.Fprintf(stdout, "%s\n    %s\n", a, a.Text())
		}
		return nil
	case flags.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flags.Arg(0))
	case !(*speed > 0):
		return fmt.Errorf("-speed must be above 0, is %v", *speed)
	}
	faster := func(d time.Duration) time.Duration { return time.Duration(float64(d) / *speed) }
	options := []fakecloud.Option{
		fakecloud.WithRegion(*region), fakecloud.WithSeed(*seed),
		fakecloud.WithJobDuration(faster(2 * time.Second)),
		fakecloud.WithConfiguringWindow(faster(time.Second)),
		fakecloud.WithMemberInitial(faster(2 * time.Second)),
		fakecloud.WithMemberCheckDuration(faster(2 * time.Second)),
		fakecloud.WithoutAssumption(without...),
	}
	var start fakecloud.State
	if *seedFile != "" {
		b, err := os.ReadFile(*seedFile)
		if err != nil {
			return err
		}
		if start, err = readState(b); err != nil {
			return fmt.Errorf("%s: %w", *seedFile, err)
		}
	}
	var faults []fakecloud.Fault
	if *faultsFile != "" {
		b, err := os.ReadFile(*faultsFile)
		if err != nil {
			return err
		}
		if faults, err = readFaults(b); err != nil {
			return fmt.Errorf("%s: %w", *faultsFile, err)
		}
	}
	a := newAdmin(func() *fakecloud.Cloud {
		cloud := fakecloud.New(options...)
		cloud.Seed(start)
		for _, f := range faults {
			cloud.Inject(f)
		}
		return cloud
	}, slog.New(slog.NewJSONHandler(stdout, nil)))
	return serve(ctx, *addr, a, *region, a.log)
}

// serve listens until the context ends, then lets running requests finish.
func serve(ctx context.Context, addr string, h http.Handler, region string, log *slog.Logger) error {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return err
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q is not a loopback address; the emulator is no service for a network", addr)
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	if ip, ok := l.Addr().(*net.TCPAddr); !ok || !ip.IP.IsLoopback() {
		l.Close()
		return fmt.Errorf("%q is not a loopback address; the emulator is no service for a network", addr)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second}
	log.LogAttrs(ctx, slog.LevelInfo, "listening", slog.String("url", "http://"+l.Addr().String()), slog.String("region", region))
	done := make(chan error, 1)
	go func() { done <- server.Serve(l) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := server.Shutdown(grace); err != nil {
		server.Close()
	}
	if err := <-done; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	log.LogAttrs(grace, slog.LevelInfo, "stopped")
	return nil
}

// readState decodes a seed. Misspelt names are mistakes.
func readState(b []byte) (fakecloud.State, error) {
	var s fakecloud.State
	if err := decode(b, &s); err != nil {
		return s, err
	}
	return s, s.Validate()
}

func decode(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if d.More() {
		return errors.New("there is more after the JSON value")
	}
	return nil
}
