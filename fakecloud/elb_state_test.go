package fakecloud_test

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
)

func elbTCPMonitor(pool string) elb.CreateHealthMonitorRequest {
	return elb.CreateHealthMonitorRequest{HealthMonitor: elb.HealthMonitorSpec{PoolID: pool, Type: "TCP", Delay: 5, Timeout: 3, MaxRetries: 3}}
}

// TestELBLock: a change of anything below a load balancer locks all of it, and
// nothing else.
func TestELBLock(t *testing.T) {
	t.Parallel()
	ctx := func(t *testing.T) *elb.Client {
		_, c := elbTyped(t, fakecloud.WithLoadBalancerPending(3*time.Second))
		return c
	}
	update := func(t *testing.T, c *elb.Client, pool, member string) error {
		_, err := c.UpdateMember(t.Context(), elb.UpdateMemberRequest{PoolID: pool, MemberID: member, Member: elb.MemberUpdate{Weight: new(7)}})
		return err
	}
	for _, tt := range []struct {
		name string
		call func(*testing.T, *elb.Client) error
		busy bool
	}{
		{"its member", func(t *testing.T, c *elb.Client) error { return update(t, c, "pool-1", "m-2") }, true},
		{"member of another load balancer", func(t *testing.T, c *elb.Client) error { return update(t, c, "pool-3", "m-3") }, false},
		{"other pool", func(t *testing.T, c *elb.Client) error {
			_, err := c.UpdatePool(t.Context(), elb.UpdatePoolRequest{PoolID: "pool-2", Pool: elb.PoolUpdate{Name: new("x")}})
			return err
		}, true},
		{"new pool", func(t *testing.T, c *elb.Client) error {
			_, err := c.CreatePool(t.Context(), elb.CreatePoolRequest{Pool: elb.PoolSpec{LoadBalancerID: "elb-1", Protocol: "TCP", LBAlgorithm: "ROUND_ROBIN"}})
			return err
		}, true},
		{"new pool of another load balancer", func(t *testing.T, c *elb.Client) error {
			_, err := c.CreatePool(t.Context(), elb.CreatePoolRequest{Pool: elb.PoolSpec{LoadBalancerID: "elb-2", Protocol: "TCP", LBAlgorithm: "ROUND_ROBIN"}})
			return err
		}, false},
		{"batch add", func(t *testing.T, c *elb.Client) error {
			_, err := c.BatchCreateMembers(t.Context(), elb.BatchCreateMembersRequest{PoolID: "pool-2", Members: []elb.BatchMemberSpec{{Address: "10.0.0.9", ProtocolPort: 80}}})
			return err
		}, true},
		{"monitor", func(t *testing.T, c *elb.Client) error {
			_, err := c.UpdateHealthMonitor(t.Context(), elb.UpdateHealthMonitorRequest{HealthMonitorID: "hm-1", HealthMonitor: elb.HealthMonitorUpdate{Delay: 9}})
			return err
		}, true},
		{"new monitor", func(t *testing.T, c *elb.Client) error {
			_, err := c.CreateHealthMonitor(t.Context(), elbTCPMonitor("pool-2"))
			return err
		}, true},
		{"batch deletion", func(t *testing.T, c *elb.Client) error {
			_, err := c.BatchDeletePools(t.Context(), elb.BatchDeletePoolsRequest{Pools: []string{"none", "pool-2"}})
			return err
		}, true},
		{"absent pool", func(t *testing.T, c *elb.Client) error {
			_, err := c.BatchDeletePools(t.Context(), elb.BatchDeletePoolsRequest{Pools: []string{"none"}})
			return err
		}, false},
		{"diagnosis", func(t *testing.T, c *elb.Client) error {
			_, err := c.CreateMemberHealthCheckJob(t.Context(), elb.CreateMemberHealthCheckJobRequest{MemberID: "m-1"})
			return err
		}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := ctx(t)
				if !tt.busy {
					fine(t, update(t, c, "pool-1", "m-1"))
					fine(t, tt.call(t, c))
					return
				}
				fine(t, update(t, c, "pool-1", "m-1"))
				refused(t, tt.call(t, c), cloudlb.ErrBusy, "ELB.8907")
				advance(3*time.Second - 1)
				refused(t, tt.call(t, c), cloudlb.ErrBusy, "ELB.8907")
				advance(1)
				fine(t, tt.call(t, c))
			})
		})
	}
}

func TestELBRetriesWhileLocked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, _ := elbTyped(t, fakecloud.WithLoadBalancerPending(3*time.Second))
		c, err := elb.New(cloud.Config(), elb.WithProjectID(cloud.ProjectID()))
		fine(t, err)
		for i := range 3 {
			_, err := c.UpdateMember(t.Context(), elb.UpdateMemberRequest{PoolID: "pool-1", MemberID: "m-1", Member: elb.MemberUpdate{Weight: new(i)}})
			fine(t, err)
		}
		lb, err := c.WaitForLoadBalancer(t.Context(), "elb-1")
		fine(t, err)
		equal(t, "status", lb.ProvisioningStatus, "ACTIVE")
	})
}

func TestELBStatusTree(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := elbTyped(t, fakecloud.WithLoadBalancerPending(time.Second))
		tree := func() elb.LoadBalancerStatus {
			res, err := c.ShowLoadBalancerStatus(t.Context(), elb.ShowLoadBalancerStatusRequest{LoadBalancerID: "elb-1"})
			fine(t, err)
			return res.Statuses.LoadBalancer
		}
		lb := tree()
		equal(t, "load balancer", fmt.Sprint(lb.ID, lb.ProvisioningStatus, lb.OperatingStatus), "elb-1ACTIVEONLINE")
		if len(lb.Pools) != 2 || len(lb.Listeners) != 1 || len(lb.Listeners[0].Pools) != 1 {
			t.Fatalf("tree: %+v", lb)
		}
		pool := lb.Listeners[0].Pools[0]
		equal(t, "pool", fmt.Sprint(pool.ID, " ", pool.HealthMonitor.ID, " ", len(pool.Members)), "pool-1 hm-1 2")

		cloud.SetHealth("10.0.0.2", false)
		_, err := c.UpdateMember(t.Context(), elb.UpdateMemberRequest{PoolID: "pool-1", MemberID: "m-1", Member: elb.MemberUpdate{Name: new("x")}})
		fine(t, err)
		lb = tree()
		equal(t, "changed", fmt.Sprint(lb.ProvisioningStatus, " ", lb.OperatingStatus, " ", lb.Listeners[0].OperatingStatus), "PENDING_UPDATE DEGRADED DEGRADED")
		equal(t, "member", lb.Listeners[0].Pools[0].Members[1].OperatingStatus, "OFFLINE")
		advance(time.Second)
		equal(t, "later", tree().ProvisioningStatus, "ACTIVE")
		_, err = c.ShowLoadBalancerStatus(t.Context(), elb.ShowLoadBalancerStatusRequest{LoadBalancerID: "none"})
		refused(t, err, cloudlb.ErrNotFound, "ELB.8904")
	})
}

// TestELBMonitorStates: what is said about a member follows its pool's monitor,
// its age and its health, never its weight.
func TestELBMonitorStates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := elbTyped(t)
		status := func(pool, member string) string {
			t.Helper()
			res, err := c.ShowMember(t.Context(), elb.ShowMemberRequest{PoolID: pool, MemberID: member})
			fine(t, err)
			return string(res.Member.OperatingStatus)
		}
		equal(t, "weight 0", status("pool-1", "m-2"), "ONLINE")
		cloud.SetHealth("10.0.0.2", false)
		cloud.SetHealth("10.0.0.3", false)
		equal(t, "weight 0", status("pool-1", "m-2"), "OFFLINE")
		equal(t, "unchecked", status("pool-3", "m-3"), "NO_MONITOR")
		off, err := c.ShowMember(t.Context(), elb.ShowMemberRequest{PoolID: "pool-1", MemberID: "m-2"})
		fine(t, err)
		equal(t, "reason", off.Member.Reason.ReasonCode, "CONNECT_TIMEOUT")
		equal(t, "by listener", off.Member.Status[0].OperatingStatus, "OFFLINE")

		spec := elbTCPMonitor("pool-3")
		spec.HealthMonitor.Type = "UDP_CONNECT"
		made, err := c.CreateHealthMonitor(t.Context(), spec)
		fine(t, err)
		equal(t, "checked", status("pool-3", "m-3"), "OFFLINE")
		cloud.SetHealth("10.0.0.3", true)
		equal(t, "healed", status("pool-3", "m-3"), "ONLINE")
		id := made.HealthMonitor.ID
		_, err = c.UpdateHealthMonitor(t.Context(), elb.UpdateHealthMonitorRequest{HealthMonitorID: id, HealthMonitor: elb.HealthMonitorUpdate{AdminStateUp: new(false)}})
		fine(t, err)
		equal(t, "off", status("pool-3", "m-3"), "NO_MONITOR")
		_, err = c.UpdateHealthMonitor(t.Context(), elb.UpdateHealthMonitorRequest{HealthMonitorID: id, HealthMonitor: elb.HealthMonitorUpdate{AdminStateUp: new(true)}})
		fine(t, err)
		equal(t, "on", status("pool-3", "m-3"), "ONLINE")
		_, err = c.DeleteHealthMonitor(t.Context(), elb.DeleteHealthMonitorRequest{HealthMonitorID: id})
		fine(t, err)
		equal(t, "deleted", status("pool-3", "m-3"), "NO_MONITOR")
	})
}

func TestELBHealthMonitors(t *testing.T) {
	t.Parallel()
	cloud, c := elbTyped(t)
	cloud.AddPool(fakecloud.Pool{ID: "any", Protocol: "TCP", AnyPort: true})
	with := func(pool string, kind elb.HealthMonitorType, more func(*elb.HealthMonitorSpec)) elb.CreateHealthMonitorRequest {
		req := elbTCPMonitor(pool)
		req.HealthMonitor.Type = kind
		if more != nil {
			more(&req.HealthMonitor)
		}
		return req
	}
	for _, tt := range []struct {
		name  string
		req   elb.CreateHealthMonitorRequest
		class error
		code  string
	}{
		{"no such pool", elbTCPMonitor("none"), cloudlb.ErrNotFound, "ELB.8904"},
		{"second one", elbTCPMonitor("pool-1"), cloudlb.ErrAlreadyExists, "ELB.8907"},
		{"TCP for UDP", elbTCPMonitor("pool-3"), cloudlb.ErrInvalid, "ELB.8902"},
		{"UDP for TCP", with("pool-2", "UDP_CONNECT", nil), cloudlb.ErrInvalid, "ELB.8902"},
		{"any port", elbTCPMonitor("any"), cloudlb.ErrInvalid, "ELB.8902"},
		{"any port with a port", with("any", "TCP", func(m *elb.HealthMonitorSpec) { m.MonitorPort = 80 }), nil, ""},
		{"path", with("pool-2", "HTTP", func(m *elb.HealthMonitorSpec) { m.URLPath = "ready" }), cloudlb.ErrInvalid, "ELB.8902"},
		{"HTTP", with("pool-2", "HTTP", func(m *elb.HealthMonitorSpec) { m.URLPath, m.MonitorPort = "/ready", 8080 }), nil, ""},
	} {
		_, err := c.CreateHealthMonitor(t.Context(), tt.req)
		t.Logf("%s: %v", tt.name, err)
		refused(t, err, tt.class, tt.code)
	}
	list := func(req elb.ListHealthMonitorsRequest) (out []elb.HealthMonitor) {
		for m, err := range c.HealthMonitors(t.Context(), req) {
			fine(t, err)
			out = append(out, m)
		}
		return out
	}
	equal(t, "all, page by page", len(list(elb.ListHealthMonitorsRequest{Limit: 1})), 3)
	found := list(elb.ListHealthMonitorsRequest{URLPath: []string{"/ready"}})
	if len(found) != 1 {
		t.Fatalf("by path: %v", found)
	}
	m := found[0]
	equal(t, "monitor", fmt.Sprint(m.Type, m.MonitorPort, m.HTTPMethod, m.ExpectedCodes, m.MaxRetriesDown, m.Pools), "HTTP8080GET2003 [{pool-2}]")
	updated, err := c.UpdateHealthMonitor(t.Context(), elb.UpdateHealthMonitorRequest{HealthMonitorID: m.ID, HealthMonitor: elb.HealthMonitorUpdate{
		MonitorPort: cloudlb.Null[int](), DomainName: cloudlb.Value("example.com"), MaxRetries: 5,
	}})
	fine(t, err)
	u := updated.HealthMonitor
	equal(t, "updated", fmt.Sprint(u.MonitorPort, u.DomainName, u.MaxRetries, u.URLPath), "0example.com5/ready")
	_, err = c.UpdateHealthMonitor(t.Context(), elb.UpdateHealthMonitorRequest{HealthMonitorID: m.ID, HealthMonitor: elb.HealthMonitorUpdate{Type: "UDP_CONNECT"}})
	refused(t, err, cloudlb.ErrInvalid, "ELB.8902")
	_, err = c.DeleteHealthMonitor(t.Context(), elb.DeleteHealthMonitorRequest{HealthMonitorID: m.ID})
	fine(t, err)
	for name, call := range map[string]func() error{
		"show": func() error {
			_, err := c.ShowHealthMonitor(t.Context(), elb.ShowHealthMonitorRequest{HealthMonitorID: m.ID})
			return err
		},
		"update": func() error {
			_, err := c.UpdateHealthMonitor(t.Context(), elb.UpdateHealthMonitorRequest{HealthMonitorID: m.ID, HealthMonitor: elb.HealthMonitorUpdate{Delay: 9}})
			return err
		},
		"delete": func() error {
			_, err := c.DeleteHealthMonitor(t.Context(), elb.DeleteHealthMonitorRequest{HealthMonitorID: m.ID})
			return err
		},
	} {
		if err := call(); !errors.Is(err, cloudlb.ErrNotFound) {
			t.Errorf("%s of a deleted monitor: %v", name, err)
		}
	}
	shown, err := c.ShowPool(t.Context(), elb.ShowPoolRequest{PoolID: "pool-2"})
	fine(t, err)
	equal(t, "pool's monitor", shown.Pool.HealthMonitorID, "")
}

func TestELBMasterSlavePools(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := elbTyped(t)
		spec := func(change func(*elb.MasterSlavePoolSpec)) elb.CreateMasterSlavePoolRequest {
			s := elb.MasterSlavePoolSpec{
				Name: "pair", LBAlgorithm: "ROUND_ROBIN", Protocol: "TCP", Type: "instance", VpcID: "vpc-1", LoadBalancerID: "elb-2",
				Members: []elb.MasterSlaveMemberSpec{
					{Address: "10.0.1.1", ProtocolPort: new(80), Role: "master"}, {Address: "10.0.1.2", ProtocolPort: new(80), Role: "slave"},
				},
				HealthMonitor: elb.MasterSlaveHealthMonitorSpec{Type: "TCP", Delay: 5, Timeout: 3, MaxRetries: 3},
			}
			if change != nil {
				change(&s)
			}
			return elb.CreateMasterSlavePoolRequest{Pool: s}
		}
		for _, tt := range []struct {
			name   string
			change func(*elb.MasterSlavePoolSpec)
			class  error
			code   string
		}{
			{"two masters", func(s *elb.MasterSlavePoolSpec) { s.Members[1].Role = "master" }, cloudlb.ErrInvalid, "ELB.8902"},
			{"no port", func(s *elb.MasterSlavePoolSpec) { s.Members[1].ProtocolPort = nil }, cloudlb.ErrInvalid, "ELB.8902"},
			{"bad address", func(s *elb.MasterSlavePoolSpec) { s.Members[1].Address = "web" }, cloudlb.ErrInvalid, "ELB.8902"},
			{"UDP checked by TCP", func(s *elb.MasterSlavePoolSpec) { s.Protocol = "UDP" }, cloudlb.ErrInvalid, "ELB.8902"},
			{"no such load balancer", func(s *elb.MasterSlavePoolSpec) { s.LoadBalancerID = "none" }, cloudlb.ErrNotFound, "ELB.8904"},
		} {
			_, err := c.CreateMasterSlavePool(t.Context(), spec(tt.change))
			refused(t, err, tt.class, tt.code)
		}
		made, err := c.CreateMasterSlavePool(t.Context(), spec(nil))
		fine(t, err)
		id := made.Pool.ID
		_, err = c.CreateMasterSlavePool(t.Context(), spec(func(s *elb.MasterSlavePoolSpec) { s.Name = "other" }))
		fine(t, err)
		states := func() string {
			t.Helper()
			res, err := c.ShowMasterSlavePool(t.Context(), elb.ShowMasterSlavePoolRequest{PoolID: id})
			fine(t, err)
			var out []any
			for _, m := range res.Pool.Members {
				out = append(out, m.Role, m.OperatingStatus)
			}
			return fmt.Sprint(out)
		}
		equal(t, "new", states(), "[master INITIAL slave INITIAL]")
		advance(2 * time.Second)
		cloud.SetHealth("10.0.1.1", false)
		equal(t, "later", states(), "[master OFFLINE slave ONLINE]")
		n := 0
		for _, err := range c.MasterSlavePools(t.Context(), elb.ListMasterSlavePoolsRequest{Limit: 1}) {
			fine(t, err)
			n++
		}
		equal(t, "listed", n, 2)
		byName, err := c.ListMasterSlavePools(t.Context(), elb.ListMasterSlavePoolsRequest{Name: []string{"pair"}, LoadBalancerID: []string{"elb-2"}})
		fine(t, err)
		if len(byName.Pools) != 1 || byName.Pools[0].HealthMonitor.ID != made.Pool.HealthMonitor.ID {
			t.Errorf("by name: %+v", byName.Pools)
		}
		_, err = c.DeleteHealthMonitor(t.Context(), elb.DeleteHealthMonitorRequest{HealthMonitorID: made.Pool.HealthMonitor.ID})
		refused(t, err, cloudlb.ErrBusy, "ELB.8907")
		_, err = c.ShowPool(t.Context(), elb.ShowPoolRequest{PoolID: id})
		refused(t, err, cloudlb.ErrNotFound, "ELB.8904")
		_, err = c.DeleteMasterSlavePool(t.Context(), elb.DeleteMasterSlavePoolRequest{PoolID: id})
		fine(t, err)
		_, err = c.DeleteMasterSlavePool(t.Context(), elb.DeleteMasterSlavePoolRequest{PoolID: id})
		refused(t, err, cloudlb.ErrNotFound, "ELB.8904")
	})
}

func TestELBJobs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := elbTyped(t)
		good := cloud.AddLoadBalancerJob(fakecloud.LoadBalancerJob{ResourceID: "elb-1", Duration: 20 * time.Second})
		bad := cloud.AddLoadBalancerJob(fakecloud.LoadBalancerJob{ID: "job-2", Type: "cloneListener", Duration: time.Second, ErrorCode: "ELB.8906", ErrorMsg: "no"})
		ids := func(req elb.ListJobsRequest) []string {
			t.Helper()
			out := []string{}
			for j, err := range c.Jobs(t.Context(), req) {
				fine(t, err)
				out = append(out, j.JobID)
			}
			return out
		}
		equal(t, "all", ids(elb.ListJobsRequest{Limit: 1}), []string{good, bad})
		equal(t, "running", ids(elb.ListJobsRequest{Status: "RUNNING"}), []string{good, bad})
		equal(t, "by type", ids(elb.ListJobsRequest{JobType: "cloneListener"}), []string{bad})
		_, err := c.WaitForJob(t.Context(), bad)
		if !errors.Is(err, cloudlb.ErrJobFailed) {
			t.Errorf("failed job: %v", err)
		}
		equal(t, "failed", ids(elb.ListJobsRequest{Status: "FAIL", ErrorCode: "ELB.8906"}), []string{bad})
		job, err := c.WaitForJob(t.Context(), good)
		fine(t, err)
		equal(t, "job", fmt.Sprint(job.Status, job.ResourceID), "SUCCESSelb-1")
		_, err = c.ShowJob(t.Context(), elb.ShowJobRequest{JobID: "none"})
		refused(t, err, cloudlb.ErrNotFound, "ELB.8904")
	})
}

func TestELBMemberCheck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := elbTyped(t, fakecloud.WithMemberCheckDuration(9*time.Second))
		cloud.SetHealth("10.0.0.1", false)
		start := func(member string, spec *elb.MemberCheckSpec) (string, error) {
			res, err := c.CreateMemberHealthCheckJob(t.Context(), elb.CreateMemberHealthCheckJobRequest{MemberID: member, MemberCheck: spec})
			if err != nil {
				return "", err
			}
			return res.MemberCheck.JobID, nil
		}
		all := &elb.MemberCheckSpec{ListenerID: "lis-1", Subject: "all"}
		id, err := start("m-1", all)
		fine(t, err)
		running, err := c.ShowMemberHealthCheckJob(t.Context(), elb.ShowMemberHealthCheckJobRequest{JobID: id})
		fine(t, err)
		equal(t, "running", fmt.Sprint(running.MemberCheck.Status, running.MemberCheck.CheckItemFinishedNum), "processing0")
		began := time.Now()
		check, err := c.WaitForMemberCheck(t.Context(), id)
		fine(t, err)
		if time.Since(began) < 9*time.Second {
			t.Error("done too early")
		}
		equal(t, "done", fmt.Sprint(check.Status, check.CheckItemFinishedNum, check.CheckItemTotalNum, check.MemberID), "processed3 3m-1")
		equal(t, "result", fmt.Sprint(check.Result.Config.CheckResult, check.Result.ACL.CheckResult, len(check.Result.Config.CheckItems)), "false true 1")
		acl, err := start("m-2", &elb.MemberCheckSpec{ListenerID: "lis-1", Subject: "networkAcl"})
		fine(t, err)
		check, err = c.WaitForMemberCheck(t.Context(), acl)
		fine(t, err)
		equal(t, "one subject", check.CheckItemTotalNum, 1)
		_, err = start("none", all)
		refused(t, err, cloudlb.ErrNotFound, "ELB.8904")
		_, err = start("m-1", &elb.MemberCheckSpec{ListenerID: "none", Subject: "all"})
		refused(t, err, cloudlb.ErrNotFound, "ELB.8904")
		_, err = c.ShowMemberHealthCheckJob(t.Context(), elb.ShowMemberHealthCheckJobRequest{JobID: "none"})
		refused(t, err, cloudlb.ErrNotFound, "ELB.8904")
	})
}
