package main

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/apig"
)

// embedded is the file that is used without -file.
//
//go:embed servers.json
var embedded []byte

const (
	embeddedName = "examples/quickstart/servers.json"
	mostProblems = 20 // as many are shown
)

// file is what a servers file says: {"groups": [...]}.
type file struct {
	name   string
	groups []*group
}

// group is one server group, pool or channel and the changes to make there.
// Which fields it has depends on the service:
//
//	all   service, group (the ID), name (for the table), servers, remove
//	alb   swap: {"out": [...], "in": [...]}
//	slb   load_balancer (optional; its groups are then changed one after another)
//	elb   subnet (optional; the subnet_cidr_id of members that are instances)
//	apig  instance, product ("apic", ROMA Connect, by default; or "apigw")
type group struct {
	at string // where it is in the file

	service, id, name string
	balancer          string
	subnet            string
	instance          string
	product           apig.Product

	servers []server // to add
	out, in []server // to swap
	remove  []server // to take out at the end

	rows []row // what the service has in it, once it was read back
}

// server is one entry. What tells the servers of a group apart is id, port and,
// for network interfaces, address on alb and slb; address and port on elb and
// apig. swap.out and remove say only that.
type server struct {
	at string // where it is in the file

	id      string
	kind    string // "type": ecs (the default), eni, eci; also ip on alb
	address string
	port    int
	weight  *int // nil: the service's default
}

func (g *group) String() string {
	return strings.Join(strings.Fields(g.service+" "+g.name+" "+g.id), " ")
}

func (g *group) key() string { return g.service + " " + g.instance + " " + g.id }

func (s server) String() string {
	return strings.TrimSpace(s.id+" "+s.address) + " port " + strconv.Itoa(s.port)
}

func (s server) key() string { return fmt.Sprintf("%s %s %d", s.id, s.address, s.port) }

// with returns the groups in which a step has something to do.
func (f *file) with(work func(*group) []server) []*group {
	return slices.DeleteFunc(slices.Clone(f.groups), func(g *group) bool { return len(work(g)) == 0 })
}

// named are the fields that tell the server from others.
func (s server) named() string {
	switch {
	case s.id == "":
		return "address and port"
	case s.address == "":
		return "id and port"
	default:
		return "id, address and port"
	}
}

func find(list []server, s server) int {
	return slices.IndexFunc(list, func(x server) bool { return x.key() == s.key() })
}

// without is list without the servers that gone names.
func without(list, gone []server) []server {
	return slices.DeleteFunc(slices.Clone(list), func(s server) bool { return find(gone, s) >= 0 })
}

// final is what the group has when everything is done.
func (g *group) final() []server {
	return without(append(without(g.servers, g.out), g.in...), g.remove)
}

// full returns the whole entries of servers that are only named.
func (g *group) full(named []server) []server {
	all := slices.Concat(g.servers, g.in)
	out := make([]server, len(named))
	for i, s := range named {
		out[i] = all[find(all, s)]
	}
	return out
}

// rule is what the check of the file must know about a service. Everything else
// that can be wrong with a request, the clients know.
type rule struct {
	types     []string // of servers with ids; empty: they have addresses only
	maxWeight int
}

var rules = map[string]rule{
	"alb":  {types: []string{"ecs", "eni", "eci", "ip"}, maxWeight: 100},
	"slb":  {types: []string{"ecs", "eni", "eci"}, maxWeight: 100},
	"elb":  {maxWeight: 100},
	"apig": {maxWeight: 10000},
}

// load reads and checks a file; an empty path means the embedded one. The error
// has a line for every problem.
func load(path string) (*file, error) {
	if path == "" {
		return parse(embeddedName, embedded)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: give -file the path of a servers file, or leave it out", err)
	}
	return parse(path, data)
}

func parse(name string, data []byte) (*file, error) {
	f := &file{name: name}
	p := &problems{file: name}
	top, err := p.open(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	for at, raw := range top.list("groups") {
		f.groups = append(f.groups, readGroup(p.object(at, raw)))
	}
	top.end()
	f.check(p)
	return f, p.err()
}

func readGroup(o *object) *group {
	g := &group{service: o.text("service"), id: o.text("group"), name: o.optional("name")}
	o.name(g.String())
	g.at = o.place()
	rule, known := rules[g.service]
	if !known { // what else could be wrong depends on it
		if g.service != "" {
			o.fail("service %q is unknown: it must be alb, slb, elb or apig", g.service)
		}
		return g
	}
	read := func(o *object, list string, whole bool) (servers []server) {
		for at, raw := range o.list(list) {
			servers = append(servers, readServer(o.object(at, raw), rule, whole))
		}
		return servers
	}
	g.servers = read(o, "servers", true)
	if o.has("remove") {
		g.remove = read(o, "remove", false)
	}
	switch g.service {
	case "alb":
		if o.has("swap") {
			swap := o.object(o.at+".swap", o.take("swap"))
			g.out, g.in = read(swap, "out", false), read(swap, "in", true)
			swap.end()
			const most = alb.ReplaceServersInServerGroupMaxAddedServers
			if len(g.out) == 0 || len(g.in) == 0 || len(g.out) > most || len(g.in) > most {
				swap.fail("out and in must have 1 to %d servers each", most)
			}
		}
	case "slb":
		g.balancer = o.optional("load_balancer")
	case "elb":
		g.subnet = o.optional("subnet")
	case "apig":
		g.instance = o.text("instance")
		if g.product = apig.Product(o.optional("product")); g.product == "" {
			g.product = apig.ROMAConnect
		}
		if g.product != apig.ROMAConnect && g.product != apig.APIGateway {
			o.fail("product %q is unknown: it must be %s or %s", g.product, apig.ROMAConnect, apig.APIGateway)
		}
	}
	o.end()
	return g
}

// readServer reads an entry: whole, or only what names the server.
func readServer(o *object, rule rule, whole bool) server {
	s := server{kind: "ecs"}
	ids := len(rule.types) > 0
	if ids {
		s.id, s.address = o.text("id"), o.optional("address")
		o.name(s.id)
	} else {
		s.address = o.text("address")
		o.name(s.address)
	}
	s.at = o.place()
	if ip, err := netip.ParseAddr(s.address); err == nil {
		s.address = ip.String()
	} else if s.address != "" {
		o.fail("address %q is not an IP address", s.address)
	}
	if port := o.number("port", 1, 65535); port != nil {
		s.port = *port
	} else {
		o.missing("port")
	}
	if whole {
		s.weight = o.number("weight", 0, rule.maxWeight)
		if ids && o.has("type") {
			s.kind = o.text("type")
		}
		if ids && s.kind != "" && !slices.Contains(rule.types, s.kind) {
			o.fail("type %q is unknown: it must be one of %s", s.kind, strings.Join(rule.types, ", "))
		}
		if (s.kind == "eni" || s.kind == "eci") && s.address == "" {
			o.fail("address is missing: a server of type %s needs it", s.kind)
		}
	}
	o.end()
	return s
}

// check finds what is wrong between entries.
func (f *file) check(p *problems) {
	seen := make(map[string]string) // what there can be one of -> where it is
	once := func(what, at, field string) {
		if other, ok := seen[what]; ok {
			p.fail(at, "%s: the same as in %s", field, other)
			return
		}
		seen[what], _, _ = strings.Cut(at, " (")
	}
	servers := 0
	for _, g := range f.groups {
		servers += len(g.servers)
		if g.id == "" || g.service == "" {
			continue
		}
		once(g.key(), g.at, "group")
		for i, list := range [][]server{g.servers, g.out, g.in, g.remove} {
			for _, s := range list {
				if s.port != 0 && s.id+s.address != "" {
					once(fmt.Sprint(g.key(), i, s.key()), s.at, s.named())
				}
			}
		}
		for _, s := range without(g.out, g.servers) {
			p.fail(s.at, "%s: this server is not in servers, so it cannot be swapped out", s.named())
		}
		for _, s := range g.in {
			if find(g.servers, s) >= 0 {
				p.fail(s.at, "%s: this server is in servers already", s.named())
			}
		}
		for _, s := range without(g.remove, append(without(g.servers, g.out), g.in...)) {
			p.fail(s.at, "%s: this server is not in the group by then, so it cannot be removed", s.named())
		}
	}
	if servers == 0 && len(p.found) == 0 {
		p.fail("", "groups: there are no servers in them, so there is nothing to do")
	}
}

// problems collects what is wrong with a file.
type problems struct {
	file  string
	found []string
}

func (p *problems) fail(at, format string, args ...any) {
	if at != "" {
		at += ": "
	}
	p.found = append(p.found, p.file+": "+at+fmt.Sprintf(format, args...))
}

func (p *problems) err() error {
	if len(p.found) == 0 {
		return nil
	}
	return p
}

// Error implements error: a line for every problem.
func (p *problems) Error() string {
	lines := p.found
	if more := len(lines) - mostProblems; more > 0 {
		lines = append(slices.Clone(lines[:mostProblems]), fmt.Sprintf("... and %d more problems", more))
	}
	return strings.Join(lines, "\n")
}

// open starts to read the file.
func (p *problems) open(data []byte) (*object, error) {
	if err := json.Unmarshal(data, new(json.RawMessage)); err != nil {
		return nil, notJSON(data, err)
	}
	return p.object("", data), nil
}
