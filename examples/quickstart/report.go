package main

import (
	"context"
	"fmt"
	"io"
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

func (p *progress) lock(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	f()
}

// linef writes a line about a group.
func (p *progress) linef(g *group, format string, args ...any) {
	p.lock(func() { fmt.Fprintf(p.w, "%s: %s\n", g, fmt.Sprintf(format, args...)) })
}

// waiting is a hook of the clients: a call will be repeated after a pause.
func (p *progress) waiting(_ context.Context, w cloudlb.Wait) {
	p.lock(func() {
		fmt.Fprintf(p.w, "%s %s: %s, again in %s\n", w.Service, w.Operation, w.Err.Class, w.Delay.Round(100*time.Millisecond))
	})
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
func table(w io.Writer, f *file, rows map[*group][]row, all bool) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nGROUP\tSERVICE\tSERVER\tPORT\tWEIGHT\tSTATUS")
	total, registered, swapped, removed := 0, 0, 0, 0
	for _, g := range f.groups {
		servers, final := rows[g], g.final()
		for i, r := range servers {
			if i == firstRows && !all && len(servers) > firstRows+1 {
				fmt.Fprintf(t, "%s\t%s\t... and %d more\t\t\t\n", g.id, g.service, len(servers)-i)
				break
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%s\n", g.id, g.service, r.name(final), r.port, r.weight, r.status)
		}
		weight := 0
		for _, r := range servers {
			weight += r.weight
		}
		fmt.Fprintf(t, "%s\t%s\ttotal: %d servers\t\t%d\t\n", g.id, g.service, len(servers), weight)
		total += len(servers)
		registered, swapped, removed = registered+len(g.servers), swapped+len(g.in), removed+len(g.remove)
	}
	t.Flush()
	fmt.Fprintf(w, "\n%d servers registered, %d swapped in, %d removed: %d in %d groups.\n", registered, swapped, removed, total, len(f.groups))
}

// compare checks that the groups have what the file asks for. Servers that are
// not the file's are nobody's business here.
func compare(f *file, rows map[*group][]row) error {
	for _, g := range f.groups {
		for _, s := range g.final() {
			got, ok := row{}, false
			for _, r := range rows[g] {
				if r.is(s) {
					got, ok = r, true
				}
			}
			switch {
			case !ok:
				return fmt.Errorf("%s does not have %s port %d, which was registered: somebody else may have removed it; read the group and run this again", g, got.name([]server{s}), s.port)
			case s.weight != nil && *s.weight != got.weight:
				return fmt.Errorf("%s has %s port %d with weight %d, the file says %d: somebody else may have changed it; read the group and set it again", g, got.name(nil), s.port, got.weight, *s.weight)
			}
		}
	}
	return nil
}
