package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/slb"
)

// result is what a run left behind.
type result struct {
	status         int
	stdout, stderr string
	cloud          *fakecloud.Cloud
}

// try runs the program on an emulator, in virtual time. cloud makes it; nil
// means the program's own.
func try(t *testing.T, ctx context.Context, cloud func(*file) *fakecloud.Cloud, args ...string) result {
	t.Helper()
	if cloud == nil {
		cloud = emulate
	}
	var r result
	var stdout, stderr bytes.Buffer
	p := program{
		getenv: func(string) string { return "" }, stdout: &stdout, stderr: &stderr,
		emulate: func(f *file) *fakecloud.Cloud {
			r.cloud = cloud(f)
			return r.cloud
		},
	}
	r.status = p.run(ctx, args)
	r.stdout, r.stderr = stdout.String(), stderr.String()
	return r
}

// errorLines are the lines about failures, progress left out.
func (r result) errorLines() []string {
	var lines []string
	for line := range strings.Lines(r.stderr) {
		if strings.HasPrefix(line, "quickstart: ") {
			lines = append(lines, strings.TrimSuffix(line, "\n"))
		}
	}
	return lines
}

func write(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "servers.json")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// plain is the file as encoding/json reads it, for expectations that owe nothing
// to the program's own reader.
type plain struct {
	Groups []struct {
		Service, Group, Name, Instance string
		Servers                        []plainServer
		Swap                           struct{ Out, In []plainServer }
		Remove                         []plainServer
	}
}

type plainServer struct {
	ID, Type, Address string
	Port              int
	Weight            *int
}

func readPlain(t *testing.T, data []byte) plain {
	t.Helper()
	var p plain
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(&p); err != nil {
		t.Fatal(err)
	}
	return p
}

// present reads a group back from a cloud: server -> weight.
func present(t *testing.T, cloud *fakecloud.Cloud, service, group, instance string) map[string]int {
	t.Helper()
	got := make(map[string]int)
	put := func(name string, port, weight int) {
		key := fmt.Sprintf("%s:%d", name, port)
		if _, twice := got[key]; twice {
			t.Errorf("%s %s has %s twice", service, group, key)
		}
		got[key] = weight
	}
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	switch service {
	case "alb":
		c, err := alb.New(cloud.Config())
		check(err)
		for next := ""; ; {
			res, err := c.ListServerGroupServers(t.Context(), alb.ListServerGroupServersRequest{ServerGroupID: group, NextToken: next})
			check(err)
			for _, s := range res.Servers {
				put(s.ServerID, s.Port, s.Weight)
				if s.Status != alb.ServerStatusAvailable {
					t.Errorf("%s is %s", s.ServerID, s.Status)
				}
			}
			if next = res.NextToken; next == "" {
				return got
			}
		}
	case "slb":
		c, err := slb.New(cloud.Config())
		check(err)
		res, err := c.DescribeVServerGroupAttribute(t.Context(), slb.DescribeVServerGroupAttributeRequest{VServerGroupID: group})
		check(err)
		for _, s := range res.BackendServers {
			put(s.ServerID, s.Port, s.Weight)
		}
	case "elb":
		c, err := elb.New(cloud.Config())
		check(err)
		res, err := c.ListMembers(t.Context(), elb.ListMembersRequest{PoolID: group})
		check(err)
		for _, m := range res.Members {
			put(m.Address, m.ProtocolPort, m.Weight)
		}
	case "apig":
		c, err := apig.New(cloud.Config())
		check(err)
		res, err := c.ListVpcChannelMembers(t.Context(), apig.ListVpcChannelMembersRequest{InstanceID: instance, VpcChannelID: group, Limit: 500})
		check(err)
		for _, m := range res.Members {
			put(m.Host, m.Port, m.Weight)
		}
	}
	return got
}

// checkFinal checks every group of the file against the emulator.
func checkFinal(t *testing.T, cloud *fakecloud.Cloud, p plain) {
	t.Helper()
	for _, g := range p.Groups {
		usual := map[string]int{"alb": 100, "slb": 100, "elb": 1, "apig": 1}[g.Service]
		name := func(s plainServer) string {
			if s.ID != "" {
				return fmt.Sprintf("%s:%d", s.ID, s.Port)
			}
			return fmt.Sprintf("%s:%d", s.Address, s.Port)
		}
		want := make(map[string]int)
		for _, s := range slices.Concat(g.Servers, g.Swap.In) {
			if want[name(s)] = usual; s.Weight != nil {
				want[name(s)] = *s.Weight
			}
		}
		for _, s := range slices.Concat(g.Swap.Out, g.Remove) {
			delete(want, name(s))
		}
		if got := present(t, cloud, g.Service, g.Group, g.Instance); !maps.Equal(got, want) {
			t.Errorf("%s %s: got %v, want %v", g.Service, g.Group, got, want)
		}
	}
}

func TestEmbeddedFile(t *testing.T) {
	p := readPlain(t, embedded)
	services := make(map[string]int)
	total, drained, usual := 0, 0, 0
	for _, g := range p.Groups {
		services[g.Service] += len(g.Servers)
		total += len(g.Servers)
		for _, s := range g.Servers {
			switch {
			case s.Weight == nil:
				usual++
			case *s.Weight == 0:
				drained++
			}
		}
	}
	if total != 230 || len(services) != 4 || drained < 4 || usual < 100 {
		t.Errorf("%d servers %v, %d with weight 0, %d without a weight", total, services, drained, usual)
	}
	onDisk, err := os.ReadFile("servers.json")
	if err != nil || !bytes.Equal(onDisk, embedded) {
		t.Errorf("servers.json is not what is embedded: %v", err)
	}
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := try(t, t.Context(), nil)
		if r.status != 0 {
			t.Fatalf("status %d:\n%s", r.status, r.stderr)
		}
		p := readPlain(t, embedded)
		calls := r.cloud.Requests()
		checkFinal(t, r.cloud, p)

		// No request more than the limits ask for.
		want := make(map[string]int)
		split := func(op string, n, limit int) {
			want[op] += (n + limit - 1) / limit
		}
		for _, g := range p.Groups {
			n, gone := len(g.Servers), len(g.Remove)
			switch g.Service {
			case "alb":
				split("AddServersToServerGroup", n, alb.AddServersToServerGroupMaxServers)
				split("ReplaceServersInServerGroup", len(g.Swap.In), alb.ReplaceServersInServerGroupMaxAddedServers)
				split("RemoveServersFromServerGroup", gone, alb.RemoveServersFromServerGroupMaxServers)
				split("ListServerGroupServers", n-gone, alb.ListServerGroupServersMaxPageSize)
			case "slb":
				split("AddVServerGroupBackendServers", n, slb.AddVServerGroupBackendServersMaxBackendServers)
				split("RemoveVServerGroupBackendServers", gone, slb.RemoveVServerGroupBackendServersMaxBackendServers)
				split("DescribeVServerGroupAttribute", n, n)
			case "elb":
				split("BatchCreateMembers", n, elb.BatchCreateMembersMaxMembers)
				split("BatchDeleteMembers", gone, elb.BatchDeleteMembersMaxMembers)
				split("ListMembers", n, elb.ListMembersMaxPageSize)
			case "apig":
				split("AddingBackendInstancesV2", n, n)
				split("DeleteBackendInstanceV2", gone, 1)
				split("ListBackendInstancesV2", 2*n, n) // the IDs to remove, and the table
			}
		}
		got := make(map[string]int)
		for _, c := range calls {
			if c.Status >= 300 {
				t.Errorf("%s: %d %s", c.Operation, c.Status, c.Code)
			}
			if c.Operation != "ListAsynJobs" {
				got[c.Operation]++
			}
		}
		if !maps.Equal(got, want) {
			t.Errorf("requests: got %v, want %v", got, want)
		}

		if first, _, _ := strings.Cut(r.stdout, "\n"); !strings.Contains(first, "fakecloud") {
			t.Errorf("the first line does not say where: %q", first)
		}
		for _, want := range []string{
			"GROUP         SERVICE  SERVER                               PORT  WEIGHT  STATUS\n",
			"shop-web      alb      i-bp1oi7l9outopgkllgyb               8080  100     Available\n",
			"shop-web      alb      ... and 96 more\n",
			"shop-web      alb      total: 100 servers                         9250\n",
			"shop-api      alb      eni-bp1ct7ax09otyt5um6 172.16.20.11  9000  100     Available\n",
			"payments      elb      192.168.44.103                       8443  10      ONLINE\n",
			"orders        apig     10.0.8.41                            8000  1       available\n",
			"\n230 servers registered, 2 swapped in, 14 removed: 216 servers in 6 groups.\n",
		} {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("the table lacks %q:\n%s", want, r.stdout)
			}
		}
		for _, want := range []string{
			"shop-web sgp-atstuj3rtop7k2m9d1: waiting for job ",
			"shop-classic rsp-cige6j5e7p81x: 40 of 45 servers registered",
			"shop-web sgp-atstuj3rtop7k2m9d1: 2 servers swapped for 2",
			"orders cfa824e6dac045b7e5e916d3d6517a9a: 2 of 2 servers removed",
		} {
			if !strings.Contains(r.stderr, want) {
				t.Errorf("no progress %q:\n%s", want, r.stderr)
			}
		}
		if errs := r.errorLines(); len(errs) > 0 {
			t.Error(errs)
		}
	})
}

func TestAllServersShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := try(t, t.Context(), nil, "-all")
		const frame = 1 + 1 + 1 + 6 + 2 // place, blank, header, totals, blank and sum
		if got := strings.Count(r.stdout, "\n"); r.status != 0 || got != 216+frame || strings.Contains(r.stdout, "more") {
			t.Errorf("status %d, %d lines:\n%s", r.status, got, r.stdout)
		}
	})
}

// TestManyServers has more than one call of every service that has a limit, jobs
// that take longer than a look, and a load balancer that is busy after each call.
func TestManyServers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		list := func(n int, format string) string {
			entries := make([]string, n)
			for i := range entries {
				entries[i] = fmt.Sprintf(format, i/250, 1+i%250)
			}
			return strings.Join(entries, ",\n")
		}
		path := write(t, fmt.Sprintf(`{"groups": [
			{"service": "alb", "group": "sgp-many", "servers": [%[1]s], "remove": [%[1]s]},
			{"service": "slb", "group": "rsp-a", "load_balancer": "lb-1", "servers": [%[2]s], "remove": [%[2]s]},
			{"service": "slb", "group": "rsp-b", "load_balancer": "lb-1", "servers": [%[2]s]},
			{"service": "elb", "group": "pool", "servers": [%[3]s], "remove": [%[3]s]},
			{"service": "apig", "group": "channel", "instance": "gateway", "product": "apigw", "servers": [%[3]s]}
		]}`, list(405, `{"id": "i-%d-%d", "port": 80}`), list(41, `{"id": "i-%d-%d", "port": 80}`), list(401, `{"address": "10.1.%d.%d", "port": 80}`)))
		started := time.Now()
		r := try(t, t.Context(), func(f *file) *fakecloud.Cloud {
			cloud := fakecloud.New(fakecloud.WithJobDuration(7*time.Second), fakecloud.WithConfiguringWindow(2*time.Second))
			seed(cloud, f)
			return cloud
		}, "-file", path)
		if r.status != 0 {
			t.Fatalf("status %d:\n%s", r.status, r.stderr)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		done := make(map[string]int)
		for _, c := range r.cloud.Requests() {
			if c.Code == "" {
				done[c.Operation]++
			}
		}
		checkFinal(t, r.cloud, readPlain(t, data))
		for op, want := range map[string]int{
			"AddServersToServerGroup": 3, "RemoveServersFromServerGroup": 3,
			"AddVServerGroupBackendServers": 6, "RemoveVServerGroupBackendServers": 3,
			"BatchCreateMembers": 3, "BatchDeleteMembers": 3, "AddingBackendInstancesV2": 1,
		} {
			if done[op] != want {
				t.Errorf("%d calls of %s, want %d", done[op], op, want)
			}
		}
		for _, want := range []string{
			" is still running\n", "slb AddVServerGroupBackendServers: busy, again in ",
			"alb sgp-many: 200 of 405 servers registered\n", "alb sgp-many: 405 of 405 servers removed\n",
		} {
			if !strings.Contains(r.stderr, want) {
				t.Errorf("no progress %q:\n%s", want, r.stderr)
			}
		}
		if took := time.Since(started); took < 6*7*time.Second {
			t.Errorf("6 jobs of 7s took only %s", took)
		}
	})
}

const oneServer = `{"id": "i-1", "port": 80}`

func TestBadFiles(t *testing.T) {
	albGroup := func(servers string) string {
		return `{"groups": [{"service": "alb", "group": "sgp-1", "servers": [` + servers + `]}]}`
	}
	for _, tt := range []struct {
		name, file string
		want       []string // one problem each
	}{
		{"not JSON", "{\"groups\": [\n{]}", []string{"not JSON: line 2: invalid character ']'"}},
		{"empty", "", []string{"not JSON: line 1: unexpected end"}},
		{"two documents", albGroup(oneServer) + "{}", []string{"not JSON: line 1: invalid character '{' after top-level value"}},
		{"not an object", "[]", []string{": must be an object, not []"}},
		{"no groups", "{}", []string{": groups is missing"}},
		{"groups of another type", `{"groups": 5}`, []string{": groups must be a list, not 5"}},
		{"no servers", `{"groups": []}`, []string{": groups: there are no servers"}},
		{"no servers in the groups", albGroup(""), []string{": groups: there are no servers"}},
		{"unknown top field", `{"group": [], "groups": [{"service": "alb", "group": "s", "servers": [` + oneServer + `]}]}`, []string{": group: there is no such field"}},
		{"unknown service", `{"groups": [{"service": "nlb", "group": "sgp-1", "servers": [{}]}]}`, []string{`groups[0] (nlb sgp-1): service "nlb" is unknown: it must be alb, slb, elb or apig`}},
		{"service of another case", `{"groups": [{"service": "ALB", "group": "sgp-1", "servers": []}]}`, []string{`groups[0] (ALB sgp-1): service "ALB" is unknown`}},
		{"no service", `{"groups": [{"group": "sgp-1", "servers": []}]}`, []string{"groups[0]: service is missing"}},
		{"empty group", `{"groups": [{"service": "alb", "group": "", "servers": [` + oneServer + `]}]}`, []string{"groups[0]: group is empty"}},
		{"blank group", `{"groups": [{"service": "alb", "group": " ", "servers": [` + oneServer + `]}]}`, []string{"groups[0]: group is empty"}},
		{"group is null", `{"groups": [null]}`, []string{"groups[0]: must be an object, not null"}},
		{"unknown group field", `{"groups": [{"service": "alb", "group": "sgp-1", "servers": [` + oneServer + `], "subnet": "x"}]}`, []string{"groups[0] (alb sgp-1): subnet: there is no such field here"}},
		{"unknown server field", albGroup(`{"id": "i-1", "port": 80, "wieght": 1}`), []string{"groups[0].servers[0] (i-1): wieght: there is no such field here"}},
		{"field twice", albGroup(`{"id": "i-1", "port": 80, "port": 81}`), []string{"groups[0].servers[0]: port is there twice"}},
		{"port 0", albGroup(oneServer + `, {"id": "i-2", "port": 0}`), []string{"groups[0].servers[1] (i-2): port is 0: it must be a whole number from 1 to 65535"}},
		{"port too large", albGroup(`{"id": "i-2", "port": 65536}`), []string{"(i-2): port is 65536: "}},
		{"port as a string", albGroup(`{"id": "i-2", "port": "80"}`), []string{`(i-2): port is "80": `}},
		{"no port", albGroup(`{"id": "i-2"}`), []string{"(i-2): port is missing"}},
		{"weight 101", albGroup(`{"id": "i-1", "port": 80, "weight": 101}`), []string{"groups[0].servers[0] (i-1): weight is 101: it must be a whole number from 0 to 100"}},
		{"weight -1", albGroup(`{"id": "i-1", "port": 80, "weight": -1}`), []string{"(i-1): weight is -1: "}},
		{"half a weight", albGroup(`{"id": "i-1", "port": 80, "weight": 0.5}`), []string{"(i-1): weight is 0.5: "}},
		{"no id", albGroup(`{"port": 80}`), []string{"groups[0].servers[0]: id is missing"}},
		{"empty id", albGroup(`{"id": "", "port": 80}`), []string{"groups[0].servers[0]: id is empty"}},
		{"id with a blank", albGroup(`{"id": "i-1 ", "port": 80}`), []string{`groups[0].servers[0]: id "i-1 " has blanks around it`}},
		{"unknown type", albGroup(`{"id": "i-1", "port": 80, "type": "vm"}`), []string{`(i-1): type "vm" is unknown: it must be one of ecs, eni, eci, ip`}},
		{"interface without address", albGroup(`{"id": "eni-1", "port": 80, "type": "eni"}`), []string{"(eni-1): address is missing"}},
		{"bad address", `{"groups": [{"service": "elb", "group": "p", "servers": [{"address": "10.0.0.300", "port": 80}]}]}`, []string{`groups[0].servers[0] (10.0.0.300): address "10.0.0.300" is not an IP address`}},
		{"id on elb", `{"groups": [{"service": "elb", "group": "p", "servers": [{"id": "m", "address": "10.0.0.3", "port": 80}]}]}`, []string{"groups[0].servers[0] (10.0.0.3): id: there is no such field here"}},
		{"no instance", `{"groups": [{"service": "apig", "group": "c", "servers": [{"address": "10.0.0.3", "port": 80}]}]}`, []string{"groups[0] (apig c): instance is missing"}},
		{"unknown product", `{"groups": [{"service": "apig", "group": "c", "instance": "i", "product": "x", "servers": [{"address": "10.0.0.3", "port": 80}]}]}`, []string{`groups[0] (apig c): product "x" is unknown`}},
		{"same server", albGroup(oneServer + `, {"id": "i-2", "port": 80}, {"id": "i-1", "port": 80, "weight": 5}`), []string{"groups[0].servers[2] (i-1): id and port: the same as in groups[0].servers[0]"}},
		{"same address written in two ways", `{"groups": [{"service": "elb", "group": "p", "servers": [{"address": "2001:db8::1", "port": 80}, {"address": "2001:db8:0::1", "port": 80}]}]}`, []string{"groups[0].servers[1] (2001:db8:0::1): address and port: the same as in groups[0].servers[0]"}},
		{"same server in two entries of a group", `{"groups": [{"service": "alb", "group": "s", "servers": [` + oneServer + `]}, {"service": "alb", "group": "s", "servers": [` + oneServer + `]}]}`, []string{
			"groups[1] (alb s): group: the same as in groups[0]",
			"groups[1].servers[0] (i-1): id and port: the same as in groups[0].servers[0]",
		}},
		{"swap of a stranger", `{"groups": [{"service": "alb", "group": "s", "servers": [` + oneServer + `], "swap": {"out": [{"id": "i-2", "port": 80}], "in": [` + oneServer + `]}}]}`, []string{
			"groups[0].swap.out[0] (i-2): id and port: this server is not in servers",
			"groups[0].swap.in[0] (i-1): id and port: this server is in servers already",
		}},
		{"swap for nothing", `{"groups": [{"service": "alb", "group": "s", "servers": [` + oneServer + `], "swap": {"out": [], "in": []}}]}`, []string{"groups[0].swap: out and in must have 1 to 200 servers each"}},
		{"swap on slb", `{"groups": [{"service": "slb", "group": "s", "servers": [` + oneServer + `], "swap": {}}]}`, []string{"groups[0] (slb s): swap: there is no such field here"}},
		{"removal of a stranger", `{"groups": [{"service": "alb", "group": "s", "servers": [` + oneServer + `], "remove": [{"id": "i-1", "port": 81}]}]}`, []string{"groups[0].remove[0] (i-1): id and port: this server is not in the group by then"}},
		{"removal with a weight", `{"groups": [{"service": "alb", "group": "s", "servers": [` + oneServer + `], "remove": [{"id": "i-1", "port": 80, "weight": 0}]}]}`, []string{"groups[0].remove[0] (i-1): weight: there is no such field here"}},
		{"several", albGroup(`{"id": "i-1", "port": 0, "weight": 101}, {"id": "i-2", "port": 80}, {"id": "i-2", "port": 80}`), []string{
			"servers[0] (i-1): port is 0", "servers[0] (i-1): weight is 101", "servers[2] (i-2): id and port: the same",
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := write(t, tt.file)
			cloud := fakecloud.New()
			r := try(t, t.Context(), func(*file) *fakecloud.Cloud { return cloud }, "-file", path)
			got := r.errorLines()
			if r.status != 2 || len(got) != len(tt.want)+1 || !strings.Contains(got[len(got)-1], "nothing was sent") {
				t.Fatalf("status %d, %d lines, want 2 and %d:\n%s", r.status, len(got), len(tt.want)+1, r.stderr)
			}
			for i, want := range tt.want {
				if !strings.HasPrefix(got[i], "quickstart: "+path+": ") || !strings.Contains(got[i], want) {
					t.Errorf("got %q, want %q", got[i], want)
				}
			}
			if n := len(cloud.Requests()); n > 0 || r.stdout != "" {
				t.Errorf("%d requests were sent; stdout %q", n, r.stdout)
			}
		})
	}
}

func TestBadFileEnds(t *testing.T) {
	t.Run("missing", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "none.json")
		r := try(t, t.Context(), nil, "-file", path)
		if r.status != 2 || !strings.Contains(r.stderr, path+": ") || r.cloud != nil {
			t.Errorf("status %d: %s", r.status, r.stderr)
		}
	})
	t.Run("many problems", func(t *testing.T) {
		entries := strings.Repeat(`{"id": "i-1", "port": 0},`, 24) + oneServer
		r := try(t, t.Context(), nil, "-file", write(t, `{"groups": [{"service": "alb", "group": "s", "servers": [`+entries+`]}]}`))
		if got := r.errorLines(); r.status != 2 || len(got) != mostProblems+2 || got[mostProblems] != "quickstart: ... and 4 more problems" {
			t.Errorf("status %d: %s", r.status, r.stderr)
		}
	})
}

func TestArguments(t *testing.T) {
	for _, tt := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"-h"}, 0, "-file servers.json"},
		{[]string{"-nope"}, 2, "flag provided but not defined"},
		{[]string{"my.json"}, 2, `unexpected argument "my.json"`},
	} {
		if r := try(t, t.Context(), nil, tt.args...); r.status != tt.status || !strings.Contains(r.stderr, tt.want) || r.cloud != nil {
			t.Errorf("%v: status %d: %s", tt.args, r.status, r.stderr)
		}
	}
}

// TestWrongGroup leaves one group of the file out of the cloud.
func TestWrongGroup(t *testing.T) {
	for _, tt := range []struct{ group, want string }{
		{"sgp-atstuj3rtop7k2m9d1", "registering servers failed in alb shop-web sgp-atstuj3rtop7k2m9d1: after 0 of 104 servers: "},
		{"rsp-cige6j5e7p81x", "registering servers failed in slb shop-classic rsp-cige6j5e7p81x: after 0 of 45 servers: "},
		{"0d0074fb-7ab6-4f42-b886-700195529b0c", "registering servers failed in elb payments 0d0074fb-7ab6-4f42-b886-700195529b0c: "},
		{"cfa824e6dac045b7e5e916d3d6517a9a", "registering servers failed in apig orders cfa824e6dac045b7e5e916d3d6517a9a: "},
	} {
		t.Run(tt.group, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := try(t, t.Context(), func(f *file) *fakecloud.Cloud {
					cloud := fakecloud.New()
					rest := slices.DeleteFunc(slices.Clone(f.groups), func(g *group) bool { return g.id == tt.group })
					seed(cloud, &file{groups: rest})
					return cloud
				})
				got := r.errorLines()
				if r.status != 1 || len(got) != 1 {
					t.Fatalf("status %d:\n%s", r.status, r.stderr)
				}
				for _, want := range []string{tt.want, "check the ids in the file and the region", "not started: swapping servers, removing servers"} {
					if !strings.Contains(got[0], want) {
						t.Errorf("got %q, want %q", got[0], want)
					}
				}
			})
		})
	}
}

func TestServersThereAlready(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := write(t, `{"groups": [
			{"service": "alb", "group": "sgp-1", "servers": [`+oneServer+`]},
			{"service": "slb", "group": "rsp-1", "servers": [`+oneServer+`]},
			{"service": "elb", "group": "pool", "servers": [{"address": "10.0.0.1", "port": 80}]}
		]}`)
		cloud := fakecloud.New()
		again := func(f *file) *fakecloud.Cloud {
			if len(cloud.Requests()) == 0 {
				seed(cloud, f)
			}
			return cloud
		}
		if r := try(t, t.Context(), again, "-file", path); r.status != 0 {
			t.Fatalf("status %d: %s", r.status, r.stderr)
		}
		r := try(t, t.Context(), again, "-file", path)
		got := r.errorLines()
		if r.status != 1 || len(got) != 1 || !strings.Contains(got[0], "Conflict.BackendServer") ||
			!strings.Contains(got[0], "; failed too: slb rsp-1; not started: reading the groups back; take the servers that the group has already out of the file") {
			t.Errorf("status %d: %s", r.status, r.stderr)
		}
		if !strings.Contains(r.stderr, "elb pool: 10.0.0.1 port 80: existed\n") {
			t.Errorf("no word about the member that existed: %s", r.stderr)
		}
	})
}

// TestOtherWeight: a member that ELB has already keeps its weight, and that is
// not what the file says.
func TestOtherWeight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := write(t, `{"groups": [{"service": "elb", "group": "pool", "servers": [{"address": "10.0.0.1", "port": 80, "weight": 0}]}]}`)
		r := try(t, t.Context(), func(*file) *fakecloud.Cloud {
			cloud := fakecloud.New()
			cloud.AddPool(fakecloud.Pool{ID: "pool", Members: []fakecloud.PoolMember{{Address: "10.0.0.1", Port: 80, Weight: new(7)}}})
			return cloud
		}, "-file", path)
		if got := r.errorLines(); r.status != 1 || len(got) != 1 || !strings.Contains(got[0], "elb pool has 10.0.0.1 port 80 with weight 7, not 0") {
			t.Errorf("status %d: %s", r.status, r.stderr)
		}
	})
}

func TestInterrupted(t *testing.T) {
	for _, tt := range []struct {
		name  string
		after time.Duration
		want  []string
	}{
		{"at once", 0, []string{"interrupted while registering servers; unfinished: alb shop-web sgp-atstuj3rtop7k2m9d1 (not started), ", "not started: swapping servers, removing servers"}},
		{"during a job", 300 * time.Millisecond, []string{"interrupted while registering servers; unfinished: alb shop-web sgp-atstuj3rtop7k2m9d1 (job ", " is running), alb shop-api "}},
		{"during the swap", 16 * time.Second, []string{"interrupted while swapping servers; unfinished: alb shop-web sgp-atstuj3rtop7k2m9d1 (job ", "; not started: removing servers, reading the groups back; read the groups"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if tt.after == 0 {
					cancel()
				} else {
					time.AfterFunc(tt.after, cancel)
				}
				started := time.Now()
				r := try(t, ctx, func(f *file) *fakecloud.Cloud {
					cloud := fakecloud.New(fakecloud.WithJobDuration(10*time.Second), fakecloud.WithConfiguringWindow(0))
					seed(cloud, f)
					return cloud
				})
				got := r.errorLines()
				if r.status != 130 || len(got) != 1 {
					t.Fatalf("status %d:\n%s", r.status, r.stderr)
				}
				for _, want := range tt.want {
					if !strings.Contains(got[0], want) {
						t.Errorf("got %q, want %q", got[0], want)
					}
				}
				if late := time.Since(started) - tt.after; late > 100*time.Millisecond {
					t.Errorf("ended %s late", late)
				}
			})
		})
	}
}

// over builds the environment of a cloud that is served over TCP.
func over(t *testing.T, server *fakecloud.Server) map[string]string {
	t.Helper()
	cfg := server.Config()
	cred, err := cfg.Credentials.Credentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	env := make(map[string]string)
	for _, v := range []variables{alibabaVariables, huaweiVariables} {
		env[v.id], env[v.secret] = cred.AccessKeyID, cred.SecretAccessKey
		env[v.region], env[v.endpoint] = cfg.Region, cfg.Endpoint
	}
	return env
}

func TestEnvironment(t *testing.T) {
	everything := map[string]string{
		"ALIBABA_CLOUD_ACCESS_KEY_ID": "id", "ALIBABA_CLOUD_ACCESS_KEY_SECRET": "secret", "CLOUDLB_ALIBABA_REGION": "cn-hangzhou",
		"HUAWEICLOUD_SDK_AK": "ak", "HUAWEICLOUD_SDK_SK": "sk", "CLOUDLB_HUAWEI_REGION": "cn-north-4",
	}
	onlyELB := write(t, `{"groups": [{"service": "elb", "group": "p", "servers": [{"address": "10.0.0.1", "port": 80}]}]}`)
	for _, tt := range []struct {
		name   string
		path   string
		change map[string]string // empty value: unset
		want   string
	}{
		{"no secret", "", map[string]string{"ALIBABA_CLOUD_ACCESS_KEY_SECRET": ""}, "it lacks ALIBABA_CLOUD_ACCESS_KEY_SECRET: "},
		{"no region", "", map[string]string{"CLOUDLB_HUAWEI_REGION": ""}, "it lacks CLOUDLB_HUAWEI_REGION: "},
		{
			"one cloud only", "",
			map[string]string{"HUAWEICLOUD_SDK_AK": "", "HUAWEICLOUD_SDK_SK": "", "CLOUDLB_HUAWEI_REGION": ""},
			"it lacks HUAWEICLOUD_SDK_AK, HUAWEICLOUD_SDK_SK, CLOUDLB_HUAWEI_REGION: ",
		},
		{"the other cloud", onlyELB, map[string]string{"HUAWEICLOUD_SDK_AK": "", "HUAWEICLOUD_SDK_SK": "", "CLOUDLB_HUAWEI_REGION": ""}, "it lacks HUAWEICLOUD_SDK_AK, "},
		{"http elsewhere", "", map[string]string{"CLOUDLB_ALIBABA_ENDPOINT": "http://192.0.2.1"}, "http"},
		{"bad project", onlyELB, map[string]string{"HUAWEICLOUD_SDK_PROJECT_ID": "cn-north-4"}, "WithProjectID"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			env := maps.Clone(everything)
			maps.Copy(env, tt.change)
			var stderr strings.Builder
			p := program{func(name string) string { return env[name] }, io.Discard, &stderr, func(*file) *fakecloud.Cloud {
				t.Error("the emulator was used")
				return fakecloud.New()
			}}
			status := p.run(t.Context(), []string{"-file", tt.path})
			if status != 2 || !strings.Contains(stderr.String(), tt.want) || strings.Count(stderr.String(), "\n") != 1 {
				t.Errorf("status %d: %s", status, &stderr)
			}
		})
	}
}

// TestOverTCP is the way to real services: settings from the environment, and an
// emulator in place of them.
func TestOverTCP(t *testing.T) {
	const content = `{"groups": [
		{"service": "alb", "group": "sgp-1", "servers": [{"id": "i-1", "port": 80, "weight": 0}, {"id": "i-2", "port": 80}]},
		{"service": "slb", "group": "rsp-1", "servers": [{"id": "i-1", "port": 80}, {"id": "i-2", "port": 80}], "remove": [{"id": "i-1", "port": 80}]},
		{"service": "elb", "group": "pool", "servers": [{"address": "10.0.0.1", "port": 80, "weight": 0}]},
		{"service": "apig", "group": "channel", "instance": "gateway", "servers": [{"address": "10.0.0.1", "port": 80}]}
	]}`
	path := write(t, content)
	f, err := load(path)
	if err != nil {
		t.Fatal(err)
	}
	cloud := emulate(f)
	server, err := cloud.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, value := range over(t, server) {
		t.Setenv(name, value)
	}
	for _, name := range []string{alibabaVariables.token, huaweiVariables.token, projectVariable} {
		t.Setenv(name, "")
	}
	var stdout, stderr strings.Builder
	if status := run(t.Context(), []string{"-file", path}, os.Getenv, &stdout, &stderr); status != 0 {
		t.Fatalf("status %d: %s", status, &stderr)
	}
	want := fmt.Sprintf("Running on the real services: Alibaba Cloud cn-hangzhou at %[1]s, Huawei Cloud cn-hangzhou at %[1]s.\n", server.URL)
	if !strings.HasPrefix(stdout.String(), want) {
		t.Errorf("got %s, want %s", &stdout, want)
	}
	if n := cloud.Calls("iam", ""); n != 2 { // one by elb, one by apig
		t.Errorf("%d look-ups of the project", n)
	}
	checkFinal(t, cloud, readPlain(t, []byte(content)))

	t.Setenv(alibabaVariables.secret, "not the secret")
	stderr.Reset()
	status := run(t.Context(), []string{"-file", path}, os.Getenv, io.Discard, &stderr)
	got := result{stderr: stderr.String()}.errorLines()
	if status != 1 || len(got) != 1 || !strings.Contains(got[0], "; failed too: slb rsp-1; ") ||
		!strings.HasSuffix(got[0], "; check the access key, its secret and the security token") {
		t.Errorf("status %d: %s", status, &stderr)
	}
}

func TestAdvice(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&cloudlb.WaitError{Err: cloudlb.ErrLost}, "read the group's servers"},
		{&cloudlb.Error{Class: cloudlb.ClassInvalid, Err: cloudlb.ErrJobFailed}, "read the group's servers"},
		{&cloudlb.Error{Class: cloudlb.ClassDenied}, "allow the access key"},
		{&cloudlb.Error{Class: cloudlb.ClassQuota}, "register fewer servers"},
		{&cloudlb.Error{Class: cloudlb.ClassInvalid}, "correct the entry"},
		{&cloudlb.Error{Class: cloudlb.ClassUnavailable, Outcome: cloudlb.OutcomeUnknown}, "before running this again"},
		{&cloudlb.Error{Class: cloudlb.ClassThrottled, Outcome: cloudlb.OutcomeRejected}, "later"},
		{errors.New("something else"), "later"},
	} {
		if got := advice(fmt.Errorf("after 3 of 4 servers: %w", tt.err)); !strings.Contains(got, tt.want) {
			t.Errorf("%v: %q, want %q", tt.err, got, tt.want)
		}
	}
}
