package alb_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool/driver"
)

func TestPoolCheck(t *testing.T) {
	t.Parallel()
	spec := func(server string, change ...func(*driver.Spec)) driver.Spec {
		s := driver.Spec{Key: driver.Key{Server: server, Port: 80}, Weight: new(1)}
		for _, f := range change {
			f(&s)
		}
		return s
	}
	typed := func(kind string) func(*driver.Spec) { return func(s *driver.Spec) { s.Type = kind } }
	labelled := func(label string) func(*driver.Spec) { return func(s *driver.Spec) { s.Label = label } }
	address := func(ip string) func(*driver.Spec) { return func(s *driver.Spec) { s.Address = ip } }
	port := func(n int) func(*driver.Spec) { return func(s *driver.Spec) { s.Port = n } }
	weight := func(n *int) func(*driver.Spec) { return func(s *driver.Spec) { s.Weight = n } }
	many := func(n int) (list []driver.Spec) {
		for i := range n {
			list = append(list, spec(fmt.Sprintf("i-%d", i)))
		}
		return list
	}
	all := []driver.Kind{driver.Add, driver.SetWeight, driver.Remove, driver.Swap}
	fresh := []driver.Kind{driver.Add, driver.Swap}
	good := spec("i-good")
	for _, c := range []struct {
		name    string
		kinds   []driver.Kind
		members []driver.Spec
		out     []driver.Spec
		field   string
		says    string // "": it is fine
	}{
		{"good ones", all, []driver.Spec{good, spec("eni-1", address("10.0.0.1")), spec("eni-1", address("10.0.0.2")), spec("eci-1"), spec("10.0.0.1"), spec("::1"), spec("x", typed("ecs")), spec("y", typed("IP"), address("y"))}, nil, "", ""},
		{"the most", []driver.Kind{driver.Add, driver.Remove, driver.Swap}, many(200), nil, "", ""},
		{"the most weights", []driver.Kind{driver.SetWeight}, many(40), nil, "", ""},
		{"a function", []driver.Kind{driver.Add, driver.Remove}, []driver.Spec{spec("acs:fc:cn-hangzhou:1:services/a", port(0), weight(nil))}, nil, "", ""},
		{"functions have no port", []driver.Kind{driver.Add, driver.Remove}, []driver.Spec{spec("acs:fc:cn-hangzhou:1:services/a")}, nil, "Members[0].Port", "leave it 0"},
		{"functions have no weight", []driver.Kind{driver.SetWeight}, []driver.Spec{spec("acs:fc:cn-hangzhou:1:services/a", port(0))}, nil, "Members[0].Weight", "ignores"},
		{"nobody", all, nil, nil, "Members", "is empty"},
		{"too many", []driver.Kind{driver.Add, driver.Remove, driver.Swap}, many(201), nil, "Members", "at most 200"},
		{"too many weights", []driver.Kind{driver.SetWeight}, many(41), nil, "Members", "at most 40"},
		{"no server", all, []driver.Spec{good, spec("")}, nil, "Members[1].Server", "is required"},
		{"no port", all, []driver.Spec{good, spec("i-1", port(0))}, nil, "Members[1].Port", ""},
		{"a high port", all, []driver.Spec{spec("i-1", port(65536))}, nil, "Members[0].Port", "1 to 65535"},
		{"a subnet", all, []driver.Spec{spec("i-1", func(s *driver.Spec) { s.Subnet = "x" })}, nil, "Members[0].Subnet", "ELB"},
		{"an unknown type", all, []driver.Spec{spec("i-1", typed("vm"))}, nil, "Members[0].Type", `is "vm", must be one of Ecs, Eni, Eci, Ip, Fc`},
		{"no type", all, []driver.Spec{spec("web")}, nil, "Members[0].Type", "Ecs, Eni, Eci, Ip or Fc"},
		{"an address of an instance", fresh, []driver.Spec{spec("i-1", address("10.0.0.1"))}, nil, "Members[0].Address", "leave it empty"},
		{"a heavy weight", []driver.Kind{driver.Add, driver.SetWeight, driver.Swap}, []driver.Spec{spec("i-1", weight(new(101)))}, nil, "Members[0].Weight", "0 to 100"},
		{"a negative weight", []driver.Kind{driver.Add, driver.SetWeight, driver.Swap}, []driver.Spec{spec("i-1", weight(new(-1)))}, nil, "Members[0].Weight", "0 to 100"},
		{"no weight", []driver.Kind{driver.SetWeight}, []driver.Spec{good, spec("i-1", weight(nil))}, nil, "Members[1].Weight", "is required"},
		{"no weight is fine", []driver.Kind{driver.Add, driver.Remove, driver.Swap}, []driver.Spec{spec("i-1", weight(nil))}, nil, "", ""},
		{"a short label", []driver.Kind{driver.Add, driver.SetWeight, driver.Swap}, []driver.Spec{spec("i-1", labelled("x"))}, nil, "Members[0].Label", "2 to 256"},
		{"a long label", []driver.Kind{driver.Add, driver.SetWeight, driver.Swap}, []driver.Spec{spec("i-1", labelled(strings.Repeat("界", 257)))}, nil, "Members[0].Label", "2 to 256"},
		{"a link as label", []driver.Kind{driver.Add, driver.SetWeight, driver.Swap}, []driver.Spec{spec("i-1", labelled("http://x"))}, nil, "Members[0].Label", "http://"},
		{"one twice", all, []driver.Spec{good, spec("i-1"), good}, nil, "Members[2]", "repeats Members[0] (same Server, Address and Port)"},
		{"out without a swap", []driver.Kind{driver.Add, driver.SetWeight, driver.Remove}, []driver.Spec{good}, many(1), "Out", "swap only"},
		{"nobody out", []driver.Kind{driver.Swap}, []driver.Spec{good}, []driver.Spec{}, "Out", "is empty"},
		{"too many out", []driver.Kind{driver.Swap}, []driver.Spec{good}, many(201), "Out", "at most 200"},
		{"one out twice", []driver.Kind{driver.Swap}, []driver.Spec{good}, []driver.Spec{spec("i-1"), spec("i-1")}, "Out[1]", "repeats Out[0]"},
		{"one in and out", []driver.Kind{driver.Swap}, []driver.Spec{spec("i-1"), good}, []driver.Spec{good}, "Members[1]", "is Out[0] too"},
		{"nobody's name out", []driver.Kind{driver.Swap}, []driver.Spec{good}, []driver.Spec{spec("")}, "Out[0].Server", "is required"},
		{"a subnet out", []driver.Kind{driver.Swap}, []driver.Spec{good}, []driver.Spec{spec("i-1", func(s *driver.Spec) { s.Subnet = "x" })}, "Out[0].Subnet", "ELB"},
		{"no type out", []driver.Kind{driver.Swap}, []driver.Spec{good}, []driver.Spec{spec("web")}, "Out[0].Type", "Ecs, Eni, Eci, Ip or Fc"},
		{"no such calls", []driver.Kind{driver.Disable, driver.Enable, "", "drain"}, []driver.Spec{good}, nil, "Kind", "use add"},
	} {
		for _, kind := range c.kinds {
			t.Run(c.name+"/"+string(kind), func(t *testing.T) {
				t.Parallel()
				cloud := fakecloud.New()
				p := poolClient(t, cloud).Pool("sgp-1")
				ch := driver.Change{Kind: kind, Members: c.members, Out: c.out, Token: "t"}
				if kind == driver.Swap && c.out == nil {
					ch.Out = []driver.Spec{spec("i-out")}
				}
				checkRefused(t, p, ch, c.field, c.says)
				if n := len(cloud.Requests()); c.field != "" && n > 0 {
					t.Errorf("%d requests", n)
				}
			})
		}
	}
	t.Run("functions cannot be swapped", func(t *testing.T) {
		t.Parallel()
		function := spec("acs:fc:cn-hangzhou:1:services/a", port(0))
		err := poolClient(t, fakecloud.New()).Pool("sgp-1").Check(driver.Change{Kind: driver.Swap, Members: []driver.Spec{function}, Out: []driver.Spec{good}})
		if !strings.Contains(fmt.Sprint(err), `Members[0].Type is "Fc", must be one of Ecs, Eni, Eci, Ip`) {
			t.Error(err)
		}
	})
	t.Run("token", func(t *testing.T) {
		t.Parallel()
		ch := driver.Change{Kind: driver.Add, Members: []driver.Spec{good}, Token: strings.Repeat("x", 65)}
		checkRefused(t, poolClient(t, fakecloud.New()).Pool("sgp-1"), ch, "Token", "64")
	})
}

// checkRefused: with a field, Check and Change say alone what is wrong with it;
// without one, Check says nothing.
func checkRefused(t *testing.T, p driver.Pool, ch driver.Change, field, says string) {
	t.Helper()
	err := p.Check(ch)
	if field == "" {
		if err != nil {
			t.Error(err)
		}
		return
	}
	_, changed := p.Change(t.Context(), ch)
	if fmt.Sprint(changed) != fmt.Sprint(err) {
		t.Errorf("Change says %v, Check %v", changed, err)
	}
	e, ok := errors.AsType[*cloudlb.Error](err)
	if !ok || e.Class != cloudlb.ClassInvalid || e.Outcome != cloudlb.OutcomeNotSent || e.Service != "alb" || e.Operation == "" {
		t.Fatalf("error %+v", err)
	}
	v, ok := errors.AsType[*cloudlb.ValidationError](err)
	if !ok || len(v.Problems) != 1 {
		t.Fatalf("problems %v, want one of %s", err, field)
	}
	if got := v.Problems[0]; got.Field != field || !strings.Contains(got.Message, says) {
		t.Errorf("problem %+v, want %s %q", got, field, says)
	}
}

// TestPoolWithoutID: every method says what is missing.
func TestPoolWithoutID(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	for what, p := range map[string]driver.Pool{
		"serverGroupID is required": poolClient(t, cloud).Pool(""),
		"not built with New":        (*alb.Client)(nil).Pool("sgp-1"),
	} {
		ch := driver.Change{Kind: driver.Add, Members: []driver.Spec{{Key: driver.Key{Server: "i-1", Port: 80}}}}
		for method, call := range map[string]func() error{
			"Describe": func() error { _, err := p.Describe(t.Context()); return err },
			"Members":  func() error { _, err := p.Members(t.Context(), true); return err },
			"Check":    func() error { return p.Check(ch) },
			"Change":   func() error { _, err := p.Change(t.Context(), ch); return err },
			"Wait":     func() error { return p.Wait(t.Context(), "") },
			"Lock":     func() error { _, err := p.Lock(t.Context(), "k"); return err },
		} {
			if err := call(); !errors.Is(err, cloudlb.ErrInvalid) || !strings.Contains(fmt.Sprint(err), what) {
				t.Errorf("%s: error %v, want %q", method, err, what)
			}
		}
	}
	if n := len(cloud.Requests()); n > 0 {
		t.Errorf("%d requests", n)
	}
}
