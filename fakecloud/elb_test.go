package fakecloud_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb/fakecloud"
)

func elbCloud(t *testing.T, opts ...fakecloud.Option) (c *client, base string) {
	cloud, c := virtual(t, opts...)
	cloud.AddPool(fakecloud.Pool{
		ID: "pool-1", LoadBalancerID: "elb-1", ListenerID: "lis-1", HealthMonitorID: "hm-1",
		Members: []fakecloud.PoolMember{
			{ID: "m-1", Address: "10.0.0.1", Port: 80},
			{ID: "m-2", Address: "10.0.0.2", Port: 80, Weight: new(0), Name: "two", SubnetCIDRID: "subnet-1"},
			{ID: "m-3", Address: "10.0.0.3", Port: 80, Weight: new(5)},
		},
	})
	return c, "/v3/" + cloud.ProjectID() + "/elb"
}

func TestELBMembers(t *testing.T) {
	t.Parallel()
	type call struct {
		method, path string
		body         any
		status       int
		code         string
	}
	member := func(f fields) fields { return fields{"member": f} }
	members := func(f ...fields) fields { return fields{"members": append([]fields{}, f...)} }
	m9 := fields{"address": "10.0.0.9", "protocol_port": 80}
	tests := []struct {
		name string
		call
		answer string // address:port:weight or id, and ret_status, of the answer's members
		after  string // of the pool, where it changed
	}{
		{"create", call{"POST", "/members", member(m9), 201, ""}, "[10.0.0.9:80:1]", "[10.0.0.1:80:1 10.0.0.2:80:0 10.0.0.3:80:5 10.0.0.9:80:1]"},
		{"create drained", call{"POST", "/members", member(with(m9, "weight", 0)), 201, ""}, "[10.0.0.9:80:0]", "[10.0.0.1:80:1 10.0.0.2:80:0 10.0.0.3:80:5 10.0.0.9:80:0]"},
		{"create duplicate", call{"POST", "/members", member(fields{"address": "10.0.0.1", "protocol_port": 80}), 409, "ELB.8907"}, "", ""},
		{"create in no pool", call{"POST", "/../none/members", member(m9), 404, "ELB.8904"}, "", ""},
		{
			"batch create",
			call{"POST", "/members/batch-add", members(m9, fields{"address": "10.0.0.1", "protocol_port": 80, "weight": 9}, m9), 201, ""},
			"[10.0.0.9:80:1 successful 10.0.0.1:80:1 existed 10.0.0.9:80:1 existed]",
			"[10.0.0.1:80:1 10.0.0.2:80:0 10.0.0.3:80:5 10.0.0.9:80:1]",
		},
		{"show", call{"GET", "/members/m-2", nil, 200, ""}, "[10.0.0.2:80:0]", ""},
		{"show absent", call{"GET", "/members/m-none", nil, 404, "ELB.8904"}, "", ""},
		{"update", call{"PUT", "/members/m-3", member(fields{"weight": 0}), 200, ""}, "[10.0.0.3:80:0]", "[10.0.0.1:80:1 10.0.0.2:80:0 10.0.0.3:80:0]"},
		{"update keeps the weight", call{"PUT", "/members/m-3", member(fields{"name": "x"}), 200, ""}, "[10.0.0.3:80:5]", ""},
		{"update absent", call{"PUT", "/members/m-none", member(fields{"weight": 0}), 404, "ELB.8904"}, "", ""},
		{
			"batch update",
			call{"POST", "/members/batch-update", members(fields{"id": "m-1", "weight": 7}, fields{"id": "m-3", "protocol_port": 81}), 200, ""},
			"[10.0.0.1:80:7 10.0.0.3:81:5]", "[10.0.0.1:80:7 10.0.0.2:80:0 10.0.0.3:81:5]",
		},
		{"batch update absent", call{"POST", "/members/batch-update", members(fields{"id": "m-1", "weight": 7}, fields{"id": "m-none"}), 404, "ELB.8904"}, "", ""},
		{"delete", call{"DELETE", "/members/m-1", nil, 204, ""}, "[]", "[10.0.0.2:80:0 10.0.0.3:80:5]"},
		{"delete absent", call{"DELETE", "/members/m-none", nil, 404, "ELB.8904"}, "", ""},
		{
			"batch delete",
			call{"POST", "/members/batch-delete", members(fields{"id": "m-1"}, fields{"address": "10.0.0.3", "protocol_port": 80}, fields{"id": "m-none"}), 200, ""},
			"[m-1 successful m-3 successful m-none not found]", "[10.0.0.2:80:0]",
		},
		{"batch delete by half", call{"POST", "/members/batch-delete", members(fields{"address": "10.0.0.3"}), 400, "ELB.8902"}, "", ""},

		{"no body", call{"POST", "/members", nil, 400, "ELB.8902"}, "", ""},
		{"not JSON", call{"POST", "/members", "{", 400, "ELB.8902"}, "", ""},
		{"name twice", call{"POST", "/members", `{"member":{"address":"10.0.0.9","address":"10.0.0.8","protocol_port":80}}`, 400, "ELB.8902"}, "", ""},
		{"text after", call{"POST", "/members", `{"member":{"address":"10.0.0.9","protocol_port":80}} {}`, 400, "ELB.8902"}, "", ""},
		{"null", call{"POST", "/members", `{"member":null}`, 400, "ELB.8902"}, "", ""},
		{"no wrapper", call{"POST", "/members", m9, 400, "ELB.8902"}, "", ""},
		{"misspelt", call{"POST", "/members", member(with(m9, "wieght", 1)), 400, "ELB.8902"}, "", ""},
		{"path parameter in the body", call{"POST", "/members", `{"pool_id":"pool-1","member":{"address":"10.0.0.9","protocol_port":80}}`, 400, "ELB.8902"}, "", ""},
		{"body parameter in the query", call{"POST", "/members?members=x", member(m9), 400, "ELB.8902"}, "", ""},
		{"number as text", call{"POST", "/members", member(with(m9, "weight", "1")), 400, "ELB.8902"}, "", ""},
		{"fraction", call{"POST", "/members", member(with(m9, "weight", 1.5)), 400, "ELB.8902"}, "", ""},
		{"weight", call{"POST", "/members", member(with(m9, "weight", 101)), 400, "ELB.8902"}, "", ""},
		{"no address", call{"POST", "/members", member(fields{"protocol_port": 80}), 400, "ELB.8902"}, "", ""},
		{"bad address", call{"POST", "/members", member(with(m9, "address", "host")), 400, "ELB.8902"}, "", ""},
		{"no port", call{"POST", "/members", member(fields{"address": "10.0.0.9"}), 400, "ELB.8902"}, "", ""},
		{"no members", call{"POST", "/members/batch-add", members(), 400, "ELB.8902"}, "", ""},
		{"201 members", call{"POST", "/members/batch-add", members(make([]fields, 201)...), 400, "ELB.8902"}, "", ""},
		{"body on GET", call{"GET", "/members", "{}", 400, "ELB.8902"}, "", ""},
		{"no such path", call{"POST", "/member", member(m9), 404, "APIGW.0101"}, "", ""},
		{"no such method", call{"PATCH", "/members/m-1", member(m9), 404, "APIGW.0101"}, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, base := elbCloud(t)
			path := base + "/pools/pool-1" + tt.path
			if rest, ok := strings.CutPrefix(tt.path, "/.."); ok {
				path = base + "/pools" + rest
			}
			r := c.rest(tt.method, path, tt.body)
			want(t, r, tt.status, tt.code)
			if r.header.Get("X-Request-Id") == "" {
				t.Error("no X-Request-Id")
			}
			if r.status >= 400 && (r.at("error_msg") == "" || r.at("request_id") != r.header.Get("X-Request-Id")) {
				t.Errorf("incomplete envelope: %v", r.body)
			}
			if r.status < 300 {
				equal(t, "answer", poolMembers(r), tt.answer)
			}
			after := tt.after
			if after == "" {
				after = "[10.0.0.1:80:1 10.0.0.2:80:0 10.0.0.3:80:5]"
			}
			equal(t, "members", poolMembers(c.rest("GET", base+"/pools/pool-1/members", nil)), after)
		})
	}
}

// poolMembers are an answer's members as address:port:weight, or their ids,
// with the result of each.
func poolMembers(r reply) string {
	list, _ := r.at("members").([]any)
	if m := r.at("member"); m != nil {
		list = []any{m}
	}
	out := []any{}
	for _, v := range list {
		m := v.(fields)
		if m["address"] == nil {
			out = append(out, m["id"])
		} else {
			out = append(out, fmt.Sprint(m["address"], ":", m["protocol_port"], ":", m["weight"]))
		}
		if m["ret_status"] != nil {
			out = append(out, m["ret_status"])
		}
	}
	return fmt.Sprint(out)
}

func TestELBHealth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := virtual(t, fakecloud.WithMemberInitial(10*time.Second))
		cloud.AddPool(fakecloud.Pool{ID: "checked", HealthMonitorID: "hm-1", Members: []fakecloud.PoolMember{{Address: "10.0.0.1", Port: 80}}})
		cloud.AddPool(fakecloud.Pool{ID: "unchecked"})
		base := "/v3/" + cloud.ProjectID() + "/elb/pools/"
		equal(t, "seeded", c.rest("GET", base+"checked/members", nil).at("members", 0, "operating_status"), "ONLINE")
		body := fields{"member": fields{"address": "10.0.0.9", "protocol_port": 80}}
		id := c.rest("POST", base+"checked/members", body).at("member", "id").(string)
		status := func() any {
			return c.rest("GET", base+"checked/members/"+id, nil).at("member", "operating_status")
		}
		equal(t, "new", status(), "INITIAL")
		advance(10*time.Second - 1)
		equal(t, "almost", status(), "INITIAL")
		advance(1)
		equal(t, "later", status(), "ONLINE")
		equal(t, "unchecked", c.rest("POST", base+"unchecked/members", body).at("member", "operating_status"), "NO_MONITOR")
	})
}

func TestELBLists(t *testing.T) {
	t.Parallel()
	c, base := elbCloud(t)
	list := base + "/pools/pool-1/members"
	filters := []struct{ query, members string }{
		{"", "[10.0.0.1:80:1 10.0.0.2:80:0 10.0.0.3:80:5]"},
		{"address=10.0.0.1&address=10.0.0.3", "[10.0.0.1:80:1 10.0.0.3:80:5]"},
		{"weight=0", "[10.0.0.2:80:0]"},
		{"weight=0&weight=5&name=two", "[10.0.0.2:80:0]"},
		{"member_type=instance", "[10.0.0.2:80:0]"},
		{"operating_status=OFFLINE", "[]"},
		{"limit=2", "[10.0.0.1:80:1 10.0.0.2:80:0]"},
		{"limit=2&marker=m-2", "[10.0.0.3:80:5]"},
		{"limit=1&marker=m-3&page_reverse=true", "[10.0.0.2:80:0]"},
	}
	for _, tt := range filters {
		r := c.rest("GET", list+"?"+tt.query, nil)
		want(t, r, 200, "")
		equal(t, tt.query, poolMembers(r), tt.members)
		equal(t, tt.query+" count", r.at("page_info", "current_count"), r.len("members"))
	}
	first := c.rest("GET", list+"?limit=2", nil)
	equal(t, "next", first.at("page_info", "next_marker"), "m-2")
	equal(t, "previous", first.at("page_info", "previous_marker"), nil)
	last := c.rest("GET", list+"?limit=2&marker=m-2", nil)
	equal(t, "next", last.at("page_info", "next_marker"), nil)
	equal(t, "previous", last.at("page_info", "previous_marker"), "m-3")
	for _, query := range []string{"limit=2001", "limit=x", "marker=m-none", "color=red", "weight=101", "limit=1&limit=2", "page_reverse=maybe"} {
		want(t, c.rest("GET", list+"?"+query, nil), 400, "ELB.8902")
	}
}

func TestELBPools(t *testing.T) {
	t.Parallel()
	c, base := elbCloud(t)
	r := c.rest("POST", base+"/pools", fields{"pool": fields{
		"name": "new", "lb_algorithm": "SOURCE_IP", "protocol": "TCP", "loadbalancer_id": "elb-1", "any_port_enable": true,
	}})
	want(t, r, 201, "")
	equal(t, "default", r.at("pool", "admin_state_up"), true)
	equal(t, "load balancer", r.at("pool", "loadbalancers", 0, "id"), "elb-1")
	id := r.at("pool", "id").(string)
	want(t, c.rest("POST", base+"/pools/"+id+"/members", fields{"member": fields{"address": "10.0.0.1"}}), 201, "")
	want(t, c.rest("POST", base+"/pools/"+id+"/members", fields{"member": fields{"address": "10.0.0.1", "protocol_port": 80}}), 409, "ELB.8907")
	show := c.rest("GET", base+"/pools/"+id, nil)
	equal(t, "members", show.len("pool", "members"), 1)
	equal(t, "pools", c.rest("GET", base+"/pools", nil).len("pools"), 2)
	equal(t, "by name", c.rest("GET", base+"/pools?"+url.Values{"name": {"new", "none"}}.Encode(), nil).at("pools", 0, "id"), id)
	equal(t, "by load balancer", c.rest("GET", base+"/pools?loadbalancer_id=elb-1", nil).len("pools"), 2)
	equal(t, "by member", c.rest("GET", base+"/pools?member_address=10.0.0.2", nil).at("pools", 0, "id"), "pool-1")
	want(t, c.rest("GET", base+"/pools/none", nil), 404, "ELB.8904")
	want(t, c.rest("POST", base+"/pools", fields{"pool": fields{"lb_algorithm": "ROUND_ROBIN", "protocol": "TCP", "loadbalancer_id": "none"}}), 404, "ELB.8904")
	want(t, c.rest("POST", base+"/pools", fields{"pool": fields{"lb_algorithm": "ROUND_ROBIN", "protocol": "TCP"}}), 400, "ELB.8902")
	want(t, c.rest("DELETE", base+"/pools/"+id, nil), 409, "ELB.8907")
}

func TestELBLimits(t *testing.T) {
	t.Parallel()
	cloud, c := virtual(t)
	members := make([]fakecloud.PoolMember, 1000)
	for i := range members {
		members[i] = fakecloud.PoolMember{ID: fmt.Sprint("m-", i), Address: fmt.Sprintf("10.0.%d.%d", i/256, i%256), Port: 80}
	}
	cloud.AddPool(fakecloud.Pool{ID: "full", Members: members, DeletionProtection: true})
	base := "/v3/" + cloud.ProjectID() + "/elb/pools/full/members"
	one := fields{"address": "10.9.9.9", "protocol_port": 80}
	want(t, c.rest("POST", base, fields{"member": one}), 409, "ELB.8905")
	want(t, c.rest("POST", base+"/batch-add", fields{"members": []fields{one}}), 409, "ELB.8905")
	want(t, c.rest("DELETE", base+"/m-1", nil), 409, "ELB.8907")
	want(t, c.rest("POST", base+"/batch-delete", fields{"members": []fields{{"id": "m-1"}}}), 409, "ELB.8907")
}
