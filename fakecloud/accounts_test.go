package fakecloud_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
)

// tenant is a client of an account that has a resource of every service.
type tenant struct {
	*client
	elb, apic string
}

func newTenant(t *testing.T, a *fakecloud.Account, suffix string) tenant {
	a.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-" + suffix})
	a.AddVServerGroup(fakecloud.VServerGroup{ID: "rsp-" + suffix, LoadBalancerID: "lb-" + suffix})
	a.AddPool(fakecloud.Pool{ID: "pool-" + suffix, LoadBalancerID: "elb-" + suffix})
	a.AddVPCChannel(fakecloud.VPCChannel{ID: "vc-" + suffix, InstanceID: "gw-" + suffix})
	return tenant{newClient(t, a.Config()), "/v3/" + a.ProjectID() + "/elb/", "/v2/" + a.ProjectID() + "/apic/instances/"}
}

// add adds a server to the group of a service with that suffix.
func (c tenant) add(service, suffix string) reply {
	switch service {
	case "alb":
		return c.alb("AddServersToServerGroup", fields{"ServerGroupId": "sgp-" + suffix, "Servers": []fields{{"ServerId": "i-1", "ServerType": "Ecs", "Port": 80}}})
	case "slb":
		return c.slb("AddVServerGroupBackendServers", fields{"VServerGroupId": "rsp-" + suffix, "BackendServers": []fields{server("i-1")}})
	case "elb":
		return c.rest("POST", c.elb+"pools/pool-"+suffix+"/members", fields{"member": fields{"address": "10.0.0.1", "protocol_port": 80}})
	default:
		return c.rest("POST", c.apic+"gw-"+suffix+"/vpc-channels/vc-"+suffix+"/members", fields{"members": []fields{{"host": "10.0.0.1", "port": 80}}})
	}
}

// count is how many groups a list of the service has.
func (c tenant) count(service, suffix string) int {
	switch service {
	case "alb":
		return c.alb("ListServerGroups", nil).len("ServerGroups")
	case "slb":
		return c.slb("DescribeLoadBalancers", nil).len("LoadBalancers", "LoadBalancer")
	case "elb":
		return c.rest("GET", c.elb+"pools", nil).len("pools")
	default:
		return c.rest("GET", c.apic+"gw-"+suffix+"/vpc-channels", nil).len("vpc_channels")
	}
}

func TestAccountsDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	absent := map[string]string{"alb": "ResourceNotFound.ServerGroup", "slb": "InvalidParameter", "elb": "ELB.8904", "apig": "APIG.3030"}
	forbidden := map[string]string{"elb": "ELB.8903", "apig": "APIG.1005"}
	for _, service := range services {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				cloud := fakecloud.New()
				other := cloud.Account("other")
				one, two := newTenant(t, cloud.Account("default"), "one"), newTenant(t, other, "two")
				same := newTenant(t, cloud.Account("same"), "one")
				equal(t, "groups", fmt.Sprint(one.count(service, "one"), two.count(service, "two"), same.count(service, "one")), "1 1 1")
				equal(t, "another's group", did(one.add(service, "two")), absent[service])
				equal(t, "another's group", did(two.add(service, "one")), absent[service])
				if code := forbidden[service]; code != "" {
					thief := two
					thief.elb, thief.apic = one.elb, one.apic
					equal(t, "another's project", did(thief.add(service, "one")), code)
				}
				for range 2 { // groups of one ID: each account has its own servers and locks
					for _, c := range []tenant{one, two, same} {
						suffix := "one"
						if c == two {
							suffix = "two"
						}
						if r := c.add(service, suffix); r.code() == absent[service] && service != "slb" {
							t.Errorf("%v", r.body)
						}
					}
					advance(time.Minute)
				}
				state := cloud.State()
				for name, s := range map[string]fakecloud.State{"default": state, "other": state.Accounts["other"], "same": state.Accounts["same"]} {
					servers := len(s.ServerGroups[0].Servers) + len(s.VServerGroups[0].Servers) + len(s.Pools[0].Members) + len(s.VPCChannels[0].Members)
					equal(t, "servers of "+name, servers, 1)
				}
				accounts := make(map[string]int)
				for _, r := range cloud.Requests() {
					if r.Operation != "" {
						accounts[r.Account]++
					}
				}
				if accounts[""] != 0 || accounts["default"] < 3 || accounts["other"] < 3 || accounts["same"] < 3 {
					t.Errorf("requests: %v", accounts)
				}
			})
		})
	}
}

func TestAccountsHaveTheirOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New(
			fakecloud.WithBudget("alb", "ListServerGroups", cloudlb.Budget{Calls: 2, Per: time.Minute}), fakecloud.WithELBQuota("pool", 2),
			fakecloud.WithToken("iam"),
		)
		rich := cloud.Account("rich", fakecloud.WithRegion("eu-central-1"), fakecloud.WithELBQuota("pool", 3),
			fakecloud.WithBudget("alb", "ListServerGroups", cloudlb.Budget{Calls: 3, Per: time.Minute}),
			fakecloud.WithoutAssumption(fakecloud.ALBUnknownJobsLeftOut), fakecloud.WithToken("rich"))
		poor := cloud.Account("poor")
		equal(t, "name", rich.Name(), "rich")
		equal(t, "region", rich.Config().Region, "eu-central-1")
		clients := map[string]tenant{"default": newTenant(t, cloud.Account(fakecloud.DefaultAccount), "1"), "rich": newTenant(t, rich, "1"), "poor": newTenant(t, poor, "1")}
		for name, want := range map[string]string{"default": "200 200 Throttling.User", "rich": "200 200 200", "poor": "200 200 Throttling.User"} {
			c := clients[name]
			var got []string
			for range 3 {
				got = append(got, did(c.alb("ListServerGroups", nil)))
			}
			equal(t, "budget of "+name, strings.Join(got, " "), want)
			pools := ""
			for range 2 {
				pools += did(c.rest("POST", c.elb+"pools", fields{"pool": fields{"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "loadbalancer_id": "elb-1"}})) + " "
			}
			equal(t, "quota of "+name, pools == "201 201 ", name == "rich")
			equal(t, "assumption of "+name, did(c.alb("ListAsynJobs", fields{"JobIds": []string{"x"}})) == "200", name != "rich")
			projects := c.rest("GET", "/v3/projects", nil)
			equal(t, "projects of "+name, fmt.Sprint(projects.len("projects"), strings.Contains(c.elb, fmt.Sprint(projects.at("projects", 0, "id")))), "1 true")
		}
		equal(t, "region", did(clients["rich"].slb("DescribeLoadBalancers", fields{"RegionId": "cn-hangzhou"})), "InvalidRegionId.NotFound")

		// Health, credentials and faults.
		rich.SetHealth("i-1", false)
		rotated := rich.RotateCredentials(cloudlb.Credentials{}, 0)
		if now, err := cloud.Credentials(t.Context()); err != nil || now.AccessKeyID == rotated.AccessKeyID || rich.Config().Credentials == nil {
			t.Errorf("%v %v", now, err)
		}
		equal(t, "old key", did(clients["rich"].alb("ListServerGroups", nil)), "InvalidAccessKeyId.NotFound")
		broken := cloud.Inject(fakecloud.Fault{Account: "poor", Effect: fakecloud.Refuse(403, "NoPermission", "no")})
		advance(time.Minute)
		equal(t, "fault", did(clients["poor"].alb("ListServerGroups", nil))+" "+did(clients["default"].alb("ListServerGroups", nil)), "NoPermission 200")
		equal(t, "hits", broken.Count(), 1)

		// Tokens say whose a request is.
		for token, name := range map[string]string{"iam": "default", "rich": "rich"} {
			cfg := cloud.Config()
			cfg.Credentials = cloudlb.StaticToken(token)
			lb, err := elb.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if name == "rich" {
				cfg.Region = "eu-central-1"
				if lb, err = elb.New(cfg); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := lb.ListPools(t.Context(), elb.ListPoolsRequest{}); err != nil {
				t.Errorf("%s: %v", token, err)
			}
			log := cloud.Requests()
			equal(t, "account of "+token, log[len(log)-1].Account, name)
		}
	})
}

func TestAccountOfAServer(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	account := cloud.Account("b")
	pool := account.AddPool(fakecloud.Pool{})
	server, err := cloud.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	for _, tt := range []struct {
		cfg     cloudlb.Config
		project string
		want    string
	}{
		{server.Config(), cloud.ProjectID(), "ELB.8904"},
		{account.Config(), account.ProjectID(), "200"},
		{account.Config(), cloud.ProjectID(), "ELB.8903"},
	} {
		tt.cfg.Endpoint, tt.cfg.AllowHTTP, tt.cfg.HTTPClient = server.URL, true, nil
		c := newClient(t, tt.cfg)
		equal(t, "pool", did(c.rest("GET", "/v3/"+tt.project+"/elb/pools/"+pool, nil)), tt.want)
	}
}

func TestAccountNames(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	a := cloud.Account("a")
	id := a.AddServerGroup(fakecloud.ServerGroup{})
	equal(t, "again", cloud.State().Accounts["a"].ServerGroups[0].ID, id)
	equal(t, "the same", cloud.Account("a").ProjectID(), a.ProjectID())
	equal(t, "default", cloud.Account(fakecloud.DefaultAccount).ProjectID(), cloud.ProjectID())
	equal(t, "projects are stable", fakecloud.New().Account("a").ProjectID(), a.ProjectID())
	key, _ := cloud.Account("b").Credentials(t.Context())
	equal(t, "key", key.AccessKeyID+" "+key.SecretAccessKey, "FAKECLOUD-b fakecloud/secret/access/key/b")
	for text, f := range map[string]func(){
		"cannot have the name":      func() { cloud.Account("a b") },
		"already":                   func() { cloud.Account("a", fakecloud.WithRegion("x")) },
		"has the access key":        func() { cloud.Account("c", fakecloud.WithCredentials("FAKECLOUD-a", "s", "")) },
		"there is no service":       func() { cloud.Account("d", fakecloud.WithBudget("nlb", "", cloudlb.Budget{})) },
		`no assumption "x"`:         func() { cloud.Account("e", fakecloud.WithoutAssumption("x")) },
		"cannot have the name \"\"": func() { cloud.Account("") },
		"the account a has accounts": func() {
			cloud.Seed(fakecloud.State{Accounts: map[string]fakecloud.State{"a": {Accounts: map[string]fakecloud.State{"b": {}}}}})
		},
	} {
		func() {
			defer func() {
				if got := fmt.Sprint(recover()); !strings.Contains(got, text) {
					t.Errorf("%q, want %q", got, text)
				}
			}()
			f()
		}()
	}
}
