package slb_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/slb"
)

func TestPoolCheck(t *testing.T) {
	t.Parallel()
	type edit func(*driver.Spec)
	typed := func(kind string) edit { return func(s *driver.Spec) { s.Type = kind } }
	labelled := func(label string) edit { return func(s *driver.Spec) { s.Label = label } }
	address := func(ip string) edit { return func(s *driver.Spec) { s.Address = ip } }
	weight := func(n *int) edit { return func(s *driver.Spec) { s.Weight = n } }
	subnet := func(s *driver.Spec) { s.Subnet = "x" }
	port := func(n int) edit { return func(s *driver.Spec) { s.Port = n } }

	all := []driver.Kind{driver.Add, driver.SetWeight, driver.Remove, driver.Swap}
	weighing := []driver.Kind{driver.Add, driver.SetWeight, driver.Swap}
	swap := []driver.Kind{driver.Swap}
	for pool, own := range map[string]int{"vServer": 80, "default": 0} {
		spec := func(server string, change ...edit) driver.Spec {
			s := driver.Spec{Key: driver.Key{Server: server, Port: own}, Weight: new(1)}
			for _, f := range change {
				f(&s)
			}
			return s
		}
		many := func(n int) (list []driver.Spec) {
			for i := range n {
				list = append(list, spec(fmt.Sprintf("i-%d", i)))
			}
			return list
		}
		good := spec("i-good")
		wrongPort, wrongPortSays := port(0), "1 to 65535"
		if own == 0 {
			wrongPort, wrongPortSays = port(80), "leave it 0"
		}
		for _, c := range []struct {
			name    string
			kinds   []driver.Kind
			members []driver.Spec
			out     []driver.Spec
			field   string
			says    string // "": it is fine
		}{
			{"good ones", all, []driver.Spec{good, spec("eni-1", address("10.0.0.1")), spec("eni-1", address("10.0.0.2")), spec("eci-1", address("10.0.0.3")), spec("x", typed("ECS"), labelled("界-/._9"))}, nil, "", ""},
			{"the most", all, many(20), nil, "", ""},
			{"nobody", all, nil, nil, "Members", "is empty"},
			{"too many", all, many(21), nil, "Members", "at most 20"},
			{"no server", all, []driver.Spec{good, spec("")}, nil, "Members[1].Server", "is required"},
			{"a wrong port", all, []driver.Spec{good, spec("i-1", wrongPort)}, nil, "Members[1].Port", wrongPortSays},
			{"a subnet", all, []driver.Spec{spec("i-1", subnet)}, nil, "Members[0].Subnet", "ELB"},
			{"an unknown type", all, []driver.Spec{spec("i-1", typed("Ip"))}, nil, "Members[0].Type", `is "Ip", must be one of ecs, eni, eci`},
			{"an address as a server", all, []driver.Spec{spec("10.0.0.1")}, nil, "Members[0].Type", "ecs, eni or eci"},
			{"an address of an instance", []driver.Kind{driver.Add, driver.Swap}, []driver.Spec{spec("i-1", address("10.0.0.1"))}, nil, "Members[0].Address", "leave it empty"},
			{"an interface without address", all, []driver.Spec{spec("eni-1")}, nil, "Members[0].Address", "is required when Type in [eni,eci]"},
			{"a container without address", all, []driver.Spec{spec("x", typed("Eci"))}, nil, "Members[0].Address", "is required"},
			{"a heavy weight", weighing, []driver.Spec{spec("i-1", weight(new(101)))}, nil, "Members[0].Weight", "0 to 100"},
			{"a negative weight", weighing, []driver.Spec{spec("i-1", weight(new(-1)))}, nil, "Members[0].Weight", "0 to 100"},
			{"no weight", []driver.Kind{driver.SetWeight}, []driver.Spec{good, spec("i-1", weight(nil))}, nil, "Members[1].Weight", "is required"},
			{"no weight is fine", []driver.Kind{driver.Add, driver.Remove, driver.Swap}, []driver.Spec{spec("i-1", weight(nil))}, nil, "", ""},
			{"a label with spaces", weighing, []driver.Spec{spec("i-1", labelled("of deploy"))}, nil, "Members[0].Label", "not allowed"},
			{"one twice", all, []driver.Spec{good, spec("i-1"), good}, nil, "Members[2]", "repeats Members[0] (same Server"},
			{"out without a swap", []driver.Kind{driver.Add, driver.SetWeight, driver.Remove}, []driver.Spec{good}, many(1), "Out", "swap only"},
			{"nobody out", swap, []driver.Spec{good}, []driver.Spec{}, "Out", "is empty"},
			{"too many out", swap, []driver.Spec{good}, many(21), "Out", "at most 20"},
			{"one out twice", swap, []driver.Spec{good}, []driver.Spec{spec("i-1"), spec("i-1")}, "Out[1]", "repeats Out[0]"},
			{"one in and out", swap, []driver.Spec{spec("i-1"), good}, []driver.Spec{good}, "Members[1]", "is Out[0] too"},
			{"nobody's name out", swap, []driver.Spec{good}, []driver.Spec{spec("")}, "Out[0].Server", "is required"},
			{"a subnet out", swap, []driver.Spec{good}, []driver.Spec{spec("i-1", subnet)}, "Out[0].Subnet", "ELB"},
			{"no type out", swap, []driver.Spec{good}, []driver.Spec{spec("web")}, "Out[0].Type", "ecs, eni or eci"},
			{"no such calls", []driver.Kind{driver.Disable, driver.Enable, "", "drain"}, []driver.Spec{good}, nil, "Kind", "use add"},
		} {
			for _, kind := range c.kinds {
				t.Run(fmt.Sprintf("%s/%s/%s", pool, c.name, kind), func(t *testing.T) {
					t.Parallel()
					cloud := fakecloud.New()
					p := poolClient(t, cloud).Pool("rsp-1")
					if own == 0 {
						p = poolClient(t, cloud).DefaultPool("lb-1")
					}
					ch := driver.Change{Kind: kind, Members: c.members, Out: c.out}
					if kind == driver.Swap && c.out == nil {
						ch.Out = []driver.Spec{spec("i-out")}
					}
					if kind == driver.Swap && own == 0 {
						checkRefused(t, p, ch, "Kind", "the default group has no call")
					} else {
						checkRefused(t, p, ch, c.field, c.says)
					}
					if n := len(cloud.Requests()); c.field != "" && n > 0 {
						t.Errorf("%d requests", n)
					}
				})
			}
		}
	}
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
	if !ok || e.Class != cloudlb.ClassInvalid || e.Outcome != cloudlb.OutcomeNotSent || e.Service != "slb" || e.Operation == "" {
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

// TestPoolOutcome: an addition whose answer is lost is not repeated.
func TestPoolOutcome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New()
		p := poolClient(t, cloud).Pool(cloud.AddVServerGroup(fakecloud.VServerGroup{}))
		cloud.Inject(fakecloud.Fault{Operation: "AddVServerGroupBackendServers", Times: 1, Effect: fakecloud.ResetAfter()})
		add := driver.Change{Kind: driver.Add, Members: []driver.Spec{{Key: driver.Key{Server: "i-1", Port: 80}}}}
		_, err := p.Change(t.Context(), add)
		if e, ok := errors.AsType[*cloudlb.Error](err); !ok || e.Outcome != cloudlb.OutcomeUnknown {
			t.Errorf("error %v, want an unknown outcome", err)
		}
		if n := cloud.Calls("slb", "AddVServerGroupBackendServers"); n != 1 || len(members(t, p, false)) != 1 {
			t.Errorf("%d calls", n)
		}
		<-time.After(time.Minute)
		if _, err := p.Change(t.Context(), add); !errors.Is(err, cloudlb.ErrAlreadyExists) {
			t.Errorf("once more: %v", err)
		}
	})
}

// TestPoolWithoutID: every method says what is missing.
func TestPoolWithoutID(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	for _, c := range []struct {
		pool driver.Pool
		port int
		want string
	}{
		{poolClient(t, cloud).Pool(""), 80, "vServerGroupID is required"},
		{poolClient(t, cloud).DefaultPool(""), 0, "loadBalancerID is required"},
		{(*slb.Client)(nil).Pool("rsp-1"), 80, "not built with New"},
		{(*slb.Client)(nil).DefaultPool("lb-1"), 0, "not built with New"},
	} {
		ch := driver.Change{Kind: driver.Add, Members: []driver.Spec{{Key: driver.Key{Server: "i-1", Port: c.port}}}}
		for method, call := range map[string]func(context.Context) error{
			"Describe": func(ctx context.Context) error { _, err := c.pool.Describe(ctx); return err },
			"Members":  func(ctx context.Context) error { _, err := c.pool.Members(ctx, true); return err },
			"Check":    func(context.Context) error { return c.pool.Check(ch) },
			"Change":   func(ctx context.Context) error { _, err := c.pool.Change(ctx, ch); return err },
			"Wait":     func(ctx context.Context) error { return c.pool.Wait(ctx, "") },
			"Lock":     func(ctx context.Context) error { _, err := c.pool.Lock(ctx, "k"); return err },
		} {
			if err := call(t.Context()); !errors.Is(err, cloudlb.ErrInvalid) || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("%s: error %v, want %q", method, err, c.want)
			}
		}
	}
	if n := len(cloud.Requests()); n > 0 {
		t.Errorf("%d requests", n)
	}
}
