package fakecloud_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb/fakecloud"
)

// furnished is a Cloud with something of everything, made by calls so that
// nothing is as seeds make it.
func furnished(t *testing.T) *fakecloud.Cloud {
	w := newWorld(t, fakecloud.WithConfiguringWindow(0), fakecloud.WithJobDuration(0), fakecloud.WithoutBudgets())
	ok := func(r reply) reply {
		t.Helper()
		if r.status >= 300 {
			t.Fatalf("%d %v", r.status, r.body)
		}
		return r
	}
	ok(w.alb("CreateServerGroup", fields{
		"ServerGroupName": "made", "VpcId": "vpc-1", "ServerGroupType": "Ip", "ClientToken": "t", "Tag": []fields{{"Key": "k", "Value": "v"}},
		"HealthCheckConfig":     fields{"HealthCheckEnabled": true, "HealthCheckProtocol": "TCP", "HealthCheckInterval": 7},
		"ConnectionDrainConfig": fields{"ConnectionDrainEnabled": true, "ConnectionDrainTimeout": 99},
	}))
	made := w.groups("ServerGroupNames.1", "made").at("ServerGroups", 0, "ServerGroupId")
	ok(w.alb("AddServersToServerGroup", fields{"ServerGroupId": made, "Servers": []fields{
		{"ServerId": "10.9.9.9", "ServerType": "Ip", "Port": 80, "Weight": 0, "RemoteIpEnabled": true, "Description": "far"},
	}}))
	ok(w.alb("CreateHealthCheckTemplate", fields{"HealthCheckTemplateName": "made", "HealthCheckProtocol": "HTTP", "HealthyThreshold": 9, "HealthCheckCodes": []string{"http_3xx"}}))
	for kind, id := range map[string]any{"listener": "lsr-1", "healthchecktemplate": "hct-1", "loadbalancer": w.alb("ListListeners", nil).at("Listeners", 0, "LoadBalancerId")} {
		ok(w.alb("TagResources", fields{"ResourceType": kind, "ResourceId": []string{fmt.Sprint(id)}, "Tag": []fields{{"Key": kind, "Value": "v"}}}))
	}

	ok(w.slb("CreateMasterSlaveServerGroup", fields{
		"LoadBalancerId": "lb-1", "MasterSlaveServerGroupName": "pair", "Tag.1.Key": "k", "Tag.1.Value": "v",
		"MasterSlaveBackendServers": []fields{{"ServerId": "i-1", "Port": 80, "ServerType": "Master"}, {"ServerId": "i-2", "Port": 80, "ServerType": "Slave", "Weight": 3}},
	}))
	pair := w.slb("DescribeMasterSlaveServerGroups", fields{"LoadBalancerId": "lb-1"}).at("MasterSlaveServerGroups", "MasterSlaveServerGroup", 0, "MasterSlaveServerGroupId")
	w.cloud.AddLoadBalancer("lb-0")
	w.cloud.AddClassicLoadBalancer(fakecloud.ClassicLoadBalancer{
		ID: "lb-2", Name: "two", Status: "inactive", Tags: map[string]string{"k": "v"}, More: map[string]any{"Bandwidth": 5},
		Servers: []fakecloud.BackendServer{{ID: "i-0", Weight: new(9)}}, Listeners: []fakecloud.ClassicListener{
			{Port: 443, Protocol: "https", Description: "web", GroupID: fmt.Sprint(pair), Rules: []fakecloud.ClassicRule{{Domain: "example.com", VServerGroupID: "rsp-1"}}},
			{Port: 80, BackendPort: 8080, NoHealthCheck: true, ForwardPort: 443},
		},
	})

	w.pair()
	ok(w.rest("PUT", w.elb+"pools/pool-1", fields{"pool": fields{"description": "d", "slow_start": fields{"enable": true, "duration": 77}}}))
	ok(w.rest("PUT", w.elb+"healthmonitors/hm-1", fields{"healthmonitor": fields{"admin_state_up": false, "delay": 9, "domain_name": "example.com"}}))
	ok(w.rest("PUT", w.elb+"pools/pool-1/members/m-0", fields{"member": fields{"name": "renamed", "weight": 0}}))
	w.cloud.AddLoadBalancerJob(fakecloud.LoadBalancerJob{ResourceID: "elb-1", Duration: time.Hour, ErrorCode: "ELB.1", ErrorMsg: "no"})

	ok(w.channel("POST", "/member-groups", fields{"member_groups": []fields{{"member_group_name": "heavy", "member_group_weight": 9, "dict_code": "code"}}}))
	ok(w.channel("POST", "/members", fields{"members": []fields{{"host": "10.0.0.9", "weight": 3, "is_backup": true, "member_group_name": "heavy"}}}))
	ok(w.channel("PUT", "/health-config", fields{"protocol": "HTTP", "path": "/up", "http_code": "200", "threshold_normal": 3, "threshold_abnormal": 4, "time_interval": 30, "timeout": 7, "status": 2}))
	ok(w.rest("POST", w.apic, fields{"name": "made", "port": 81, "balance_strategy": 2, "member_type": "ip", "type": 2, "dict_code": "dict"}))
	w.cloud.SetHealth("10.0.0.9", false)
	w.cloud.Account("empty")
	w.cloud.Account("other").AddPool(fakecloud.Pool{ID: "pool-1", Members: []fakecloud.PoolMember{{Address: "10.0.0.1", Port: 80}}})
	advance(time.Minute)
	return w.cloud
}

// described is what the lists of a Cloud say, but for times.
func described(t *testing.T, cloud *fakecloud.Cloud) map[string]string {
	c := newClient(t, cloud.Config())
	elb, apic := "/v3/"+cloud.ProjectID()+"/elb/", "/v2/"+cloud.ProjectID()+"/apigw/instances/gw-1/vpc-channels"
	out := make(map[string]string)
	put := func(name string, r reply) {
		b, err := json.Marshal(timeless(r.body))
		if err != nil || r.status >= 300 {
			t.Fatalf("%s: %d %v %v", name, r.status, r.body, err)
		}
		out[name] = string(b)
	}
	for _, list := range []string{"ListServerGroups", "ListServerGroupServers", "ListListeners", "ListHealthCheckTemplates"} {
		put(list, c.alb(list, fields{"MaxResults": 100}))
	}
	for _, kind := range []string{"servergroup", "listener", "healthchecktemplate", "loadbalancer"} {
		put("tags of "+kind, c.alb("ListTagValues", fields{"ResourceType": kind, "TagKey": kind}))
	}
	put("health", c.alb("GetListenerHealthStatus", fields{"ListenerId": "lsr-1", "IncludeRule": true}))
	put("load balancers", c.slb("DescribeLoadBalancers", nil))
	for _, id := range []string{"lb-1", "lb-2"} {
		for _, list := range []string{"DescribeLoadBalancerAttribute", "DescribeVServerGroups", "DescribeMasterSlaveServerGroups", "DescribeHealthStatus"} {
			put(list+" "+id, c.slb(list, fields{"LoadBalancerId": id}))
		}
	}
	for _, list := range []string{"pools", "members", "healthmonitors", "master-slave-pools", "jobs", "loadbalancers/elb-1/statuses", "loadbalancers/elb-2/statuses"} {
		put(list, c.rest("GET", elb+list, nil))
	}
	put("channels", c.rest("GET", apic, nil))
	put("channel", c.rest("GET", apic+"/vc-1", nil))
	put("channel's groups", c.rest("GET", apic+"/vc-1/member-groups", nil))
	return out
}

// timeless is a decoded answer without what no state says: times, IDs of
// requests, and of projects.
func timeless(v any) any {
	switch v := v.(type) {
	case fields:
		for name := range v {
			lower := strings.ToLower(name)
			if strings.Contains(lower, "time") && lower != "timeout" || strings.HasSuffix(lower, "_at") || lower == "requestid" || lower == "request_id" || lower == "project_id" {
				delete(v, name)
				continue
			}
			v[name] = timeless(v[name])
		}
	case []any:
		for i := range v {
			v[i] = timeless(v[i])
		}
	}
	return v
}

// TestStateRoundTrip: what State says makes another Cloud the same, also by way
// of JSON.
func TestStateRoundTrip(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := furnished(t)
		state, lists := cloud.State(), described(t, cloud)
		b, err := json.Marshal(state)
		if err != nil {
			t.Fatal(err)
		}
		var decoded fakecloud.State
		if err := json.Unmarshal(b, &decoded); err != nil {
			t.Fatal(err)
		}
		for name, seed := range map[string]fakecloud.State{"State": state, "JSON": decoded} {
			copied := fakecloud.New(fakecloud.WithSeed(7))
			copied.Seed(seed)
			if got := copied.State(); !reflect.DeepEqual(got, state) {
				t.Errorf("by %s:\n%s, want\n%s", name, asJSON(t, got), b)
			}
			copied.Seed(seed) // replaces everything by the same
			if got := copied.State(); !reflect.DeepEqual(sorted(t, got), sorted(t, state)) {
				t.Errorf("by %s, twice:\n%s, want\n%s", name, asJSON(t, got), b)
			}
			again := fakecloud.New(fakecloud.WithSeed(8))
			again.Seed(seed)
			for list, got := range described(t, again) {
				if got != lists[list] {
					t.Errorf("%s by %s:\n%s, want\n%s", list, name, got, lists[list])
				}
			}
		}
	})
}

// sorted is the state as JSON objects by their IDs.
func sorted(t *testing.T, s fakecloud.State) map[string]string {
	var lists map[string]any
	if err := json.Unmarshal([]byte(asJSON(t, s)), &lists); err != nil {
		t.Fatal(err)
	}
	out := make(map[string]string)
	for name, list := range lists {
		rows, _ := list.([]any)
		for i, row := range rows {
			id := fmt.Sprint(i)
			if o, ok := row.(fields); ok {
				id = fmt.Sprint(o["ID"])
			}
			b, err := json.Marshal(row)
			if err != nil {
				t.Fatal(err)
			}
			out[name+" "+id] = string(b)
		}
	}
	return out
}

// TestSeedsTakeGoValues: further settings may have any type that fits.
func TestSeedsTakeGoValues(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	cloud.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-1", More: map[string]any{
		"HealthCheckConfig":   map[string]any{"HealthCheckEnabled": true, "HealthCheckInterval": 9, "HealthCheckCodes": []string{"http_3xx"}},
		"StickySessionConfig": map[string]any{"StickySessionEnabled": true, "CookieTimeout": json.Number("77")},
	}})
	cloud.AddListener(fakecloud.Listener{ID: "lsr-1", More: map[string]any{
		"IdleTimeout": 1.5, "Certificates": []map[string]any{{"CertificateId": "c"}}, "CaCertificates": []any{1.0},
	}})
	c := newClient(t, cloud.Config())
	group := c.alb("ListServerGroups", nil)
	equal(t, "check", group.at("ServerGroups", 0, "HealthCheckConfig", "HealthCheckInterval"), 9)
	equal(t, "codes", group.at("ServerGroups", 0, "HealthCheckConfig", "HealthCheckCodes"), []string{"http_3xx"})
	equal(t, "default", group.at("ServerGroups", 0, "HealthCheckConfig", "HealthCheckTimeout"), 5)
	equal(t, "cookie", group.at("ServerGroups", 0, "StickySessionConfig", "CookieTimeout"), 77)
	equal(t, "listener", c.alb("ListListeners", nil).at("Listeners", 0, "IdleTimeout"), 1.5)
	if got := cloud.State(); !reflect.DeepEqual(got.Listeners[0].More["CaCertificates"], []any{int64(1)}) {
		t.Errorf("%v", got.Listeners[0].More)
	}
	if more := cloud.State().ServerGroups[0].More; len(more) != 2 {
		t.Errorf("%v", more)
	}
}
