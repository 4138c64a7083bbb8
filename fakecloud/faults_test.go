package fakecloud_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
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

// bench is a cloud with one group of each service and typed clients that send
// each request once.
type bench struct {
	cloud *fakecloud.Cloud
	alb   *alb.Client
	slb   *slb.Client
	elb   *elb.Client
	apig  *apig.Client

	group, vgroup, pool, channel string
}

func newBench(t *testing.T, change func(*cloudlb.Config), opts ...fakecloud.Option) *bench {
	t.Helper()
	b := &bench{cloud: fakecloud.New(opts...)}
	b.group = b.cloud.AddServerGroup(fakecloud.ServerGroup{Servers: []fakecloud.BackendServer{{ID: "i-0", Port: 80}}})
	b.vgroup = b.cloud.AddVServerGroup(fakecloud.VServerGroup{Servers: []fakecloud.BackendServer{{ID: "i-0", Port: 80}}})
	b.pool = b.cloud.AddPool(fakecloud.Pool{Members: []fakecloud.PoolMember{{ID: "m-0", Address: "10.0.0.1", Port: 80}}})
	b.channel = b.cloud.AddVPCChannel(fakecloud.VPCChannel{InstanceID: "gateway", Members: []fakecloud.ChannelMember{{Host: "10.0.0.1"}}})
	return newBenchOf(t, b, change)
}

// newBenchOf returns new clients for the same cloud.
func newBenchOf(t *testing.T, of *bench, change func(*cloudlb.Config)) *bench {
	t.Helper()
	b := new(bench)
	*b = *of
	cfg := b.cloud.Config()
	cfg.Retry = cloudlb.NoRetry()
	cfg.Limiter = cloudlb.NewLimiter()
	for _, service := range []string{"alb", "slb"} {
		cfg.Limiter.SetBudget(service, "", cloudlb.Budget{})
	}
	if change != nil {
		change(&cfg)
	}
	var errs [4]error
	b.alb, errs[0] = alb.New(cfg)
	b.slb, errs[1] = slb.New(cfg)
	b.elb, errs[2] = elb.New(cfg, elb.WithProjectID(b.cloud.ProjectID()))
	b.apig, errs[3] = apig.New(cfg, apig.WithProjectID(b.cloud.ProjectID()))
	if err := errors.Join(errs[:]...); err != nil {
		t.Fatal(err)
	}
	return b
}

// add adds a server to the service's group.
func (b *bench) add(ctx context.Context, service string, n int) error {
	var err error
	id := fmt.Sprintf("i-%d", n)
	switch service {
	case "alb":
		_, err = b.alb.AddServersToServerGroup(ctx, alb.AddServersToServerGroupRequest{
			ServerGroupID: b.group, Servers: []alb.AddedServer{{ServerID: id, ServerType: alb.ServerTypeEcs, Port: 80}},
		})
	case "slb":
		_, err = b.slb.AddVServerGroupBackendServers(ctx, slb.AddVServerGroupBackendServersRequest{
			VServerGroupID: b.vgroup, BackendServers: slb.BackendServerSpecList{{ServerID: id, Port: 80}},
		})
	case "elb":
		_, err = b.elb.BatchCreateMembers(ctx, elb.BatchCreateMembersRequest{
			PoolID: b.pool, Members: []elb.BatchMemberSpec{{Address: fmt.Sprintf("10.0.1.%d", n), ProtocolPort: 80}},
		})
	case "apig":
		_, err = b.apig.AddVpcChannelMembers(ctx, apig.AddVpcChannelMembersRequest{
			InstanceID: "gateway", VpcChannelID: b.channel, Members: []apig.MemberSpec{{Host: fmt.Sprintf("10.0.1.%d", n)}},
		})
	}
	return err
}

// size is how many servers the service's group has.
func (b *bench) size(t *testing.T, service string) int {
	t.Helper()
	n, err := 0, error(nil)
	switch service {
	case "alb":
		var r *alb.ListServerGroupServersResponse
		if r, err = b.alb.ListServerGroupServers(t.Context(), alb.ListServerGroupServersRequest{ServerGroupID: b.group}); err == nil {
			n = len(r.Servers)
		}
	case "slb":
		var r *slb.DescribeVServerGroupAttributeResponse
		if r, err = b.slb.DescribeVServerGroupAttribute(t.Context(), slb.DescribeVServerGroupAttributeRequest{VServerGroupID: b.vgroup}); err == nil {
			n = len(r.BackendServers)
		}
	case "elb":
		var r *elb.ListMembersResponse
		if r, err = b.elb.ListMembers(t.Context(), elb.ListMembersRequest{PoolID: b.pool}); err == nil {
			n = len(r.Members)
		}
	case "apig":
		var r *apig.ListVpcChannelMembersResponse
		if r, err = b.apig.ListVpcChannelMembers(t.Context(), apig.ListVpcChannelMembersRequest{InstanceID: "gateway", VpcChannelID: b.channel}); err == nil {
			n = len(r.Members)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return n
}

var services = []string{"alb", "slb", "elb", "apig"}

func TestFaultEffects(t *testing.T) {
	t.Parallel()
	tests := []struct {
		effect  fakecloud.Effect
		is      error
		outcome cloudlb.Outcome
		done    bool              // the change was made all the same
		codes   map[string]string // "status code" by service
		after   time.Duration     // RetryAfter
	}{
		{
			effect: fakecloud.Throttle(7 * time.Second), is: cloudlb.ErrThrottled, outcome: cloudlb.OutcomeRejected, after: 7 * time.Second,
			codes: map[string]string{"alb": "400 Throttling.User", "slb": "400 Throttling.User", "elb": "429 APIGW.0308", "apig": "429 APIG.0308"},
		},
		{effect: fakecloud.Throttle(0), is: cloudlb.ErrThrottled, outcome: cloudlb.OutcomeRejected},
		{
			effect: fakecloud.Busy(), is: cloudlb.ErrBusy, outcome: cloudlb.OutcomeRejected,
			codes: map[string]string{
				"alb": "400 IncorrectStatus.ServerGroup", "slb": "409 BackendServer.configuring", "elb": "409 ELB.8907", "apig": "500 APIG.9999",
			},
		},
		{
			effect: fakecloud.Unavailable(502), is: cloudlb.ErrUnavailable, outcome: cloudlb.OutcomeUnknown,
			codes: map[string]string{"alb": "502 ", "slb": "502 ", "elb": "502 ", "apig": "502 "},
		},
		{
			effect: fakecloud.Refuse(403, "Forbidden.RAM", "not you"), outcome: cloudlb.OutcomeRejected,
			codes: map[string]string{"alb": "403 Forbidden.RAM", "elb": "403 Forbidden.RAM"},
		},
		{effect: fakecloud.ResetBefore(), is: cloudlb.ErrUnavailable, outcome: cloudlb.OutcomeUnknown},
		{effect: fakecloud.ResetAfter(), is: cloudlb.ErrUnavailable, outcome: cloudlb.OutcomeUnknown, done: true},
		{effect: fakecloud.Truncate(), is: cloudlb.ErrUnavailable, outcome: cloudlb.OutcomeUnknown, done: true},
		{effect: fakecloud.ContentType("text/html"), is: cloudlb.ErrUnavailable, outcome: cloudlb.OutcomeUnknown, done: true},
		{effect: fakecloud.EmptyAnswer(), is: cloudlb.ErrUnavailable, outcome: cloudlb.OutcomeUnknown, done: true},
		{effect: fakecloud.Hang(), is: context.DeadlineExceeded, outcome: cloudlb.OutcomeUnknown},
		{effect: fakecloud.Slow(time.Hour), is: context.DeadlineExceeded, outcome: cloudlb.OutcomeUnknown, done: true},
	}
	for _, tt := range tests {
		for _, service := range services {
			t.Run(fmt.Sprintf("%s/%s", tt.effect, service), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					b := newBench(t, func(cfg *cloudlb.Config) { cfg.Retry.AttemptTimeout = -1 })
					fault := b.cloud.Inject(fakecloud.Fault{Service: service, Times: 1, Effect: tt.effect})
					ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
					defer cancel()
					start := time.Now()
					err := b.add(ctx, service, 1)
					outcome := tt.outcome
					if service == "apig" && tt.effect == fakecloud.Busy() {
						outcome = cloudlb.OutcomeUnknown // a 500, whatever it means
					}
					var e *cloudlb.Error
					if !errors.As(err, &e) || tt.is != nil && !errors.Is(err, tt.is) || e.Outcome != outcome || e.RetryAfter != tt.after {
						t.Fatalf("%v: outcome %v, again after %v", err, e.Outcome, e.RetryAfter)
					}
					if want, ok := tt.codes[service]; ok {
						equal(t, "code", fmt.Sprintf("%d %s", e.StatusCode, e.Code), want)
					}
					if gone := time.Since(start); gone != 0 && !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("it took %v", gone)
					}
					equal(t, "hits", fault.Count(), 1)
					log := b.cloud.Requests()
					equal(t, "record", log[0].Fault, tt.effect)
					advance(time.Minute)
					size := 1
					if tt.done {
						size = 2
					}
					equal(t, "size", b.size(t, service), size)
					if err := b.add(t.Context(), service, 2); err != nil {
						t.Errorf("afterwards: %v", err)
					}
				})
			})
		}
	}
}

func TestSlowAnswersArrive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.cloud.Inject(fakecloud.Fault{Effect: fakecloud.Slow(3 * time.Second)})
		b.cloud.Inject(fakecloud.Fault{Effect: fakecloud.Slow(4 * time.Second)})
		b.cloud.Inject(fakecloud.Fault{Effect: fakecloud.Busy()})
		b.cloud.Inject(fakecloud.Fault{Effect: fakecloud.Hang()}) // comes too late
		start := time.Now()
		if err := b.add(t.Context(), "alb", 1); !errors.Is(err, cloudlb.ErrBusy) {
			t.Error(err)
		}
		equal(t, "time", time.Since(start), 7*time.Second)
		equal(t, "record", b.cloud.Requests()[0].Fault, "slow 3s; slow 4s; busy")
		b.cloud.RemoveFaults()
		if err := b.add(t.Context(), "alb", 1); err != nil || time.Since(start) != 7*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

// TestRetriesOverFaults runs the default policy over faults that pass.
func TestRetriesOverFaults(t *testing.T) {
	t.Parallel()
	for _, effect := range []fakecloud.Effect{
		fakecloud.Throttle(2 * time.Second), fakecloud.Busy(), fakecloud.Unavailable(503), fakecloud.ResetBefore(),
		fakecloud.ResetAfter(), fakecloud.Truncate(), fakecloud.EmptyAnswer(), fakecloud.Hang(),
	} {
		t.Run(effect.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, func(cfg *cloudlb.Config) { cfg.Retry = cloudlb.RetryPolicy{} })
				fault := b.cloud.Inject(fakecloud.Fault{Operation: "AddServersToServerGroup", Times: 2, Effect: effect})
				if err := b.add(t.Context(), "alb", 1); err != nil {
					t.Fatal(err)
				}
				equal(t, "hits", fault.Count(), 2)
				equal(t, "calls", b.cloud.Calls("alb", "AddServersToServerGroup"), 3)
				equal(t, "size", b.size(t, "alb"), 2)
				for token, n := range b.cloud.Attempts() {
					equal(t, "attempts with "+token, n, 3)
				}
				equal(t, "tokens", len(b.cloud.Attempts()), 1)
			})
		})
	}
}

func TestFaultSelection(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault fakecloud.Fault
		hits  string // of ten requests in ten seconds
	}{
		{"all", fakecloud.Fault{}, "xxxxxxxxxx"},
		{"the third", fakecloud.Fault{Skip: 2, Times: 1}, "..x......."},
		{"the first two", fakecloud.Fault{Times: 2}, "xx........"},
		{"a window", fakecloud.Fault{After: 3 * time.Second, Within: 2 * time.Second}, "...xx....."},
		{"from then on", fakecloud.Fault{After: 8 * time.Second}, "........xx"},
		{"skipped in a window", fakecloud.Fault{After: 3 * time.Second, Skip: 1, Times: 2}, "....xx...."},
		{"another service", fakecloud.Fault{Service: "elb"}, ".........."},
		{"vendor's name", fakecloud.Fault{Service: "apig", Operation: "ListBackendInstancesV2"}, "xxxxxxxxxx"},
		{"Go name", fakecloud.Fault{Operation: "ListVpcChannelMembers"}, "xxxxxxxxxx"},
		{"another operation", fakecloud.Fault{Operation: "AddVpcChannelMembers"}, ".........."},
		{"resource", fakecloud.Fault{Resource: "gateway"}, "xxxxxxxxxx"},
		{"another resource", fakecloud.Fault{Resource: "gate"}, ".........."},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil)
				tt.fault.Effect = fakecloud.Refuse(403, "X", "")
				f := b.cloud.Inject(tt.fault)
				got := ""
				for range 10 {
					_, err := b.apig.ListVpcChannelMembers(t.Context(), apig.ListVpcChannelMembersRequest{InstanceID: "gateway", VpcChannelID: b.channel})
					if err != nil {
						got += "x"
					} else {
						got += "."
					}
					advance(time.Second)
				}
				equal(t, "hits", got, tt.hits)
				equal(t, "count", f.Count(), strings.Count(got, "x"))
			})
		})
	}
}

func TestFaultResourceDeep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil, fakecloud.WithConfiguringWindow(0), fakecloud.WithJobDuration(0))
		for _, id := range []string{"i-2", "10.0.1.2"} {
			b.cloud.Inject(fakecloud.Fault{Resource: id, Effect: fakecloud.Busy()})
		}
		for _, service := range services {
			for n := 1; n < 4; n++ {
				advance(time.Minute)
				if err := b.add(t.Context(), service, n); errors.Is(err, cloudlb.ErrBusy) != (n == 2) {
					t.Errorf("%s %d: %v", service, n, err)
				}
			}
		}
	})
}

func TestFaultProbability(t *testing.T) {
	t.Parallel()
	run := func(seed uint64) string {
		b := newBench(t, nil, fakecloud.WithSeed(seed))
		b.cloud.Inject(fakecloud.Fault{Probability: 0.3, Effect: fakecloud.Refuse(403, "X", "")})
		got := make([]byte, 300)
		for i := range got {
			got[i] = '.'
			_, err := b.elb.ListMembers(t.Context(), elb.ListMembersRequest{PoolID: b.pool})
			if err != nil {
				got[i] = 'x'
			}
		}
		return string(got)
	}
	one := run(1)
	if n := strings.Count(one, "x"); n < 60 || n > 120 {
		t.Errorf("%d of 300 were hit", n)
	}
	if run(1) != one {
		t.Error("the same seed hits other requests")
	}
	if run(2) == one {
		t.Error("another seed hits the same requests")
	}
}

func TestFaultRemove(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	one := b.cloud.Inject(fakecloud.Fault{Effect: fakecloud.Busy()})
	two := b.cloud.Inject(fakecloud.Fault{Effect: fakecloud.Throttle(0)})
	if err := b.add(t.Context(), "elb", 1); !errors.Is(err, cloudlb.ErrBusy) {
		t.Error(err)
	}
	one.Remove()
	one.Remove()
	if err := b.add(t.Context(), "elb", 1); !errors.Is(err, cloudlb.ErrThrottled) {
		t.Error(err)
	}
	two.Remove()
	if err := b.add(t.Context(), "elb", 1); err != nil {
		t.Error(err)
	}
	equal(t, "hits", fmt.Sprint(one.Count(), two.Count()), "1 1")
}

func TestFaultsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	busy := fakecloud.Busy()
	for want, f := range map[string]fakecloud.Fault{
		"there is no effect":                        {},
		`no service "nlb"`:                          {Service: "nlb", Effect: busy},
		`no operation "AddServers" in alb`:          {Service: "alb", Operation: "AddServers", Effect: busy},
		`no operation "Nothing" in any service`:     {Operation: "Nothing", Effect: busy},
		`"busy" does not exist for alb List`:        {Service: "alb", Operation: "ListServerGroups", Effect: busy},
		`"busy" does not exist for iam`:             {Service: "iam", Effect: busy},
		`"job-never-ends" does not exist for elb`:   {Service: "elb", Effect: fakecloud.JobNeverEnds()},
		`"partial 1" does not exist for alb`:        {Service: "alb", Effect: fakecloud.PartialSuccess(1)},
		`not exist for elb BatchUpdateMembers`:      {Service: "elb", Operation: "BatchUpdateMembers", Effect: fakecloud.PartialSuccess(1)},
		`"stale 1s" does not exist for any service`: {Operation: "AddServersToServerGroup", Effect: fakecloud.StaleReads(time.Second)},
		"the status must be":                        {Effect: fakecloud.Unavailable(404)},
		"a code are needed":                         {Effect: fakecloud.Refuse(400, "", "")},
		"error code is missing":                     {Effect: fakecloud.JobFails("", "")},
		"content type is missing":                   {Effect: fakecloud.ContentType("")},
		"at least one entry":                        {Effect: fakecloud.PartialSuccess(0)},
		"must be positive":                          {Effect: fakecloud.Slow(0)},
		"wait is negative":                          {Effect: fakecloud.Throttle(-1)},
		"Probability":                               {Effect: busy, Probability: 1.5},
		"Skip or Times":                             {Effect: busy, Skip: -1},
		"After or Within":                           {Effect: busy, After: -1},
	} {
		if err := f.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
		func() {
			defer func() {
				if text, _ := recover().(string); !strings.HasPrefix(text, "fakecloud: fault: ") || !strings.Contains(text, want) {
					t.Errorf("Inject: %q, want %s", text, want)
				}
			}()
			fakecloud.New().Inject(f)
		}()
	}
}

func TestEffectText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"throttle 5s", "throttle 0s", "busy", "unavailable 503", "refuse 403 Forbidden.RAM You must not.", "slow 1m0s", "hang", "reset-before",
		"reset-after", "truncate", "content-type text/html; charset=utf-8", "empty", "job-fails SystemBusy too much", "job-never-ends",
		"job-vanishes", "partial 2", "stale 5s",
	} {
		var e fakecloud.Effect
		if err := e.UnmarshalText([]byte(text)); err != nil {
			t.Error(err)
		}
		if got, _ := e.MarshalText(); string(got) != text || e.String() != text {
			t.Errorf("got %q, want %q", got, text)
		}
	}
	for _, text := range []string{"", "explode", "busy 3s", "slow", "slow soon", "partial", "refuse 400", "refuse x y", "unavailable 200", "content-type"} {
		e := fakecloud.Hang()
		if err := e.UnmarshalText([]byte(text)); err == nil || e != fakecloud.Hang() {
			t.Errorf("%q: %v, %v", text, e, err)
		}
	}
}

func TestPartialSuccess(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, fakecloud.WithLoadBalancerPending(0))
	members := []elb.BatchMemberSpec{{Address: "10.0.0.1", ProtocolPort: 80}, {Address: "10.0.0.2", ProtocolPort: 80}, {Address: "10.0.0.3", ProtocolPort: 80}}
	f := b.cloud.Inject(fakecloud.Fault{Times: 2, Effect: fakecloud.PartialSuccess(1)})
	added, err := b.elb.BatchCreateMembers(t.Context(), elb.BatchCreateMembersRequest{PoolID: b.pool, Members: members})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range added.Members {
		got = append(got, m.Address+" "+string(m.RetStatus))
	}
	equal(t, "added", strings.Join(got, ", "), "10.0.0.1 existed, 10.0.0.2 successful, 10.0.0.3 failed")
	equal(t, "size", b.size(t, "elb"), 2)
	equal(t, "recorded", len(b.cloud.Requests()[0].Params["members"].([]any)), 3)

	deleted, err := b.elb.BatchDeleteMembers(t.Context(), elb.BatchDeleteMembersRequest{
		PoolID: b.pool, Members: []elb.MemberRef{{ID: "m-0"}, {ID: added.Members[1].ID}},
	})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "first", deleted.Members[0], elb.DeletedMember{ID: "m-0", RetStatus: elb.RetStatusSuccessful})
	equal(t, "second", deleted.Members[1], elb.DeletedMember{ID: added.Members[1].ID, RetStatus: "failed"})
	equal(t, "size", b.size(t, "elb"), 1)
	equal(t, "hits", f.Count(), 2)
}

func TestPartialSuccessOfPools(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	cloud.Inject(fakecloud.Fault{Operation: "BatchDeletePools", Effect: fakecloud.PartialSuccess(2)})
	c := newClient(t, cloud.Config())
	var pools []string
	for range 3 {
		pools = append(pools, cloud.AddPool(fakecloud.Pool{}))
	}
	path := "/v3/" + cloud.ProjectID() + "/elb/pools"
	r := c.rest("POST", path+"/batch-delete", fields{"pools": pools})
	for i, status := range []string{"successful", "failed", "failed"} {
		equal(t, "id", r.at("pools", i, "id"), pools[i])
		equal(t, "status", r.at("pools", i, "ret_status"), status)
	}
	equal(t, "left", c.rest("GET", path, nil).len("pools"), 2)
}

func TestStaleReads(t *testing.T) {
	t.Parallel()
	for _, service := range services {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, nil, fakecloud.WithJobDuration(time.Second))
				f := b.cloud.Inject(fakecloud.Fault{Service: service, Effect: fakecloud.StaleReads(10 * time.Second)})
				equal(t, "before", b.size(t, service), 1)
				add := func(n int) {
					t.Helper()
					if err := b.add(t.Context(), service, n); err != nil {
						t.Fatal(err)
					}
				}
				add(1) // at 0s
				equal(t, "after one", b.size(t, service), 1)
				advance(4 * time.Second)
				add(2) // at 4s
				equal(t, "after two", b.size(t, service), 1)
				advance(6 * time.Second) // 10s
				equal(t, "one is seen", b.size(t, service), 2)
				advance(4 * time.Second) // 14s
				equal(t, "two are seen", b.size(t, service), 3)
				equal(t, "hits", f.Count(), 3)
				add(3)
				f.Remove()
				equal(t, "removed", b.size(t, service), 4)
			})
		})
	}
}

func TestFaultsOverTCP(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		effect fakecloud.Effect
		done   bool
		text   string
	}{
		{fakecloud.ResetBefore(), false, "reset"},
		{fakecloud.ResetAfter(), true, "reset"},
		{fakecloud.Truncate(), true, "EOF"},
		{fakecloud.Unavailable(503), false, "503"},
		{fakecloud.EmptyAnswer(), true, "empty"},
		{fakecloud.ContentType("text/html"), true, "text/html"},
		{fakecloud.Slow(time.Hour), true, "no complete answer"},
		{fakecloud.Hang(), false, "no complete answer"},
	} {
		t.Run(tt.effect.String(), func(t *testing.T) {
			t.Parallel()
			b := newBench(t, nil)
			s, err := b.cloud.Listen("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			cfg := s.Config()
			cfg.Retry = cloudlb.NoRetry()
			if strings.HasPrefix(tt.text, "no complete") {
				cfg.Retry.AttemptTimeout = 500 * time.Millisecond
			}
			transport := &http.Transport{}
			defer transport.CloseIdleConnections()
			cfg.HTTPClient = &http.Client{Transport: transport}
			if b.elb, err = elb.New(cfg, elb.WithProjectID(b.cloud.ProjectID())); err != nil {
				t.Fatal(err)
			}
			b.cloud.Inject(fakecloud.Fault{Times: 1, Effect: tt.effect})
			err = b.add(t.Context(), "elb", 1)
			var e *cloudlb.Error
			if !errors.As(err, &e) || e.Outcome != cloudlb.OutcomeUnknown || !strings.Contains(err.Error(), tt.text) {
				t.Fatal(err)
			}
			size := 1
			if tt.done {
				size = 2
			}
			cfg.Retry.AttemptTimeout = 0
			if b.elb, err = elb.New(cfg, elb.WithProjectID(b.cloud.ProjectID())); err != nil {
				t.Fatal(err)
			}
			equal(t, "size", b.size(t, "elb"), size)
		})
	}
}

// TestResetIsNotUnsent checks that the error of a reset in process proves
// nothing about what was sent.
func TestResetIsNotUnsent(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.cloud.Inject(fakecloud.Fault{Effect: fakecloud.ResetAfter()})
	err := b.add(t.Context(), "slb", 1)
	var op interface{ Temporary() bool }
	if !errors.As(err, &op) || !strings.Contains(err.Error(), "read tcp") || errors.Is(err, io.EOF) {
		t.Error(err)
	}
}
