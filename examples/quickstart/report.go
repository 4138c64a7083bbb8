package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"github.com/cloudlb/cloudlb"
)

// progress writes what happens, a line at a time, from several goroutines.
type progress struct {
	mu sync.Mutex
	w  io.Writer
}

// linef writes a line about a group.
func (p *progress) linef(g *group, format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, "%s: %s\n", g, fmt.Sprintf(format, args...))
}

// waiting is a hook of the clients: a call will be repeated after a pause.
func (p *progress) waiting(_ context.Context, w cloudlb.Wait) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, "%s %s: %s, again in %s\n", w.Service, w.Operation, w.Err.Class, w.Delay.Round(100*time.Millisecond))
}

// row is a server as the service has it.
type row struct {
	id, address  string
	port, weight int
	status       string
}

// name is what the table calls the server: the address is part of it where one
// instance can have several.
func (r row) name(asked []server) string {
	for _, s := range asked {
		if r.is(s) && s.id != "" && s.address != "" && s.address != s.id {
			return s.id + " " + s.address
		}
	}
	if r.id == "" {
		return r.address
	}
	return r.id
}

func (r row) is(s server) bool {
	return r.id == s.id && r.port == s.port && (s.address == "" || r.address == s.address)
}

// firstRows is how many servers of a group are shown without -all.
const firstRows = 4

// table shows what is in the groups.
func table(w io.Writer, f *file, all bool) {
	var text bytes.Buffer
	t := tabwriter.NewWriter(&text, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "GROUP\tSERVICE\tSERVER\tPORT\tWEIGHT\tSTATUS")
	registered, swapped, removed, total := 0, 0, 0, 0
	for _, g := range f.groups {
		name, final := cmp.Or(g.name, g.id), g.final()
		weight := 0
		for i, r := range g.rows {
			weight += r.weight
			switch shown := all || i < firstRows || len(g.rows) == firstRows+1; {
			case shown:
				fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%s\n", name, g.service, r.name(final), r.port, r.weight, r.status)
			case i == firstRows:
				fmt.Fprintf(t, "%s\t%s\t... and %d more\t\t\t\n", name, g.service, len(g.rows)-i)
			}
		}
		fmt.Fprintf(t, "%s\t%s\ttotal: %d servers\t\t%d\t\n", name, g.service, len(g.rows), weight)
		registered, swapped, removed = registered+len(g.servers), swapped+len(g.in), removed+len(g.remove)
		total += len(g.rows)
	}
	t.Flush()
	fmt.Fprintln(w)
	for line := range strings.Lines(text.String()) {
		fmt.Fprintln(w, strings.TrimRight(line, " \n"))
	}
	fmt.Fprintf(w, "\n%d servers registered, %d swapped in, %d removed: %d servers in %d groups.\n",
		registered, swapped, removed, total, len(f.groups))
}

// compare checks that the groups have what the file asks for. Servers that are
// not the file's are nobody's business here.
func compare(f *file) error {
	for _, g := range f.groups {
		for _, s := range g.final() {
			i := slices.IndexFunc(g.rows, func(r row) bool { return r.is(s) })
			switch {
			case i < 0:
				return fmt.Errorf("%s has no server %s: somebody else may have removed it; read the group and register it again", g, s)
			case s.weight != nil && *s.weight != g.rows[i].weight:
				return fmt.Errorf("%s has %s with weight %d, not %d: it was there before, or somebody else has changed it; set its weight",
					g, s, g.rows[i].weight, *s.weight)
			}
		}
	}
	return nil
}
