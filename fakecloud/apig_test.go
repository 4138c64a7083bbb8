package fakecloud_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb/fakecloud"
)

// apigCloud has the channel vc-1 with two groups: blue holds 10.0.0.1 and
// 10.0.0.2, green 10.0.0.1.
func apigCloud(t *testing.T) (c *client, base string) {
	cloud, c := virtual(t)
	cloud.AddVPCChannel(fakecloud.VPCChannel{
		ID: "vc-1", InstanceID: "gw-1", Name: "web_1", Port: 80, HealthCheck: true, Groups: []string{"blue", "green"},
		Members: []fakecloud.ChannelMember{
			{ID: "m-1", Host: "10.0.0.1", Group: "blue"},
			{ID: "m-2", Host: "10.0.0.2", Group: "blue", Weight: new(0), Disabled: true},
			{ID: "m-3", Host: "10.0.0.1", Group: "green", Weight: new(5)},
		},
	})
	cloud.AddVPCChannel(fakecloud.VPCChannel{ID: "vc-ecs", InstanceID: "gw-1", MemberType: "ecs"})
	return c, "/v2/" + cloud.ProjectID() + "/apic/instances/gw-1/vpc-channels"
}

// channelMembers are an answer's members as id:group:host:port:weight:status,
// with the id only if it was seeded.
func channelMembers(r reply) string {
	out := []string{}
	for i := range r.len("members") {
		m := r.at("members", i).(fields)
		id := m["id"].(string)
		if len(id) > 10 {
			id = "new"
		}
		out = append(out, fmt.Sprint(id, ":", m["member_group_name"], ":", m["host"], ":", m["port"], ":", m["weight"], ":", m["status"]))
	}
	return fmt.Sprint(out)
}

func TestAPIGMembers(t *testing.T) {
	t.Parallel()
	const (
		m1 = "m-1:blue:10.0.0.1:80:1:1"
		m2 = "m-2:blue:10.0.0.2:80:0:2"
		m3 = "m-3:green:10.0.0.1:80:5:1"
	)
	in := func(group, host string, more ...any) fields {
		f := fields{"host": host}
		if group != "" {
			f["member_group_name"] = group
		}
		for i := 0; i < len(more); i += 2 {
			f[more[i].(string)] = more[i+1]
		}
		return f
	}
	members := func(f ...fields) fields { return fields{"members": append([]fields{}, f...)} }
	tests := []struct {
		name, method, path string
		body               any
		status             int
		code               string
		answer, after      string // after empty: unchanged
	}{
		{"add", "POST", "/members", members(in("green", "10.0.0.9")), 201, "", "[new:green:10.0.0.9:80:1:1]", "[" + m1 + " " + m2 + " " + m3 + " new:green:10.0.0.9:80:1:1]"},
		{"add without a group", "POST", "/members", members(in("", "10.0.0.1", "weight", 0)), 201, "", "[new:<nil>:10.0.0.1:80:0:1]", "[" + m1 + " " + m2 + " " + m3 + " new:<nil>:10.0.0.1:80:0:1]"},
		{"change", "POST", "/members", members(in("blue", "10.0.0.1", "weight", 7)), 201, "", "[m-1:blue:10.0.0.1:80:7:1]", "[m-1:blue:10.0.0.1:80:7:1 " + m2 + " " + m3 + "]"},
		{"other port", "POST", "/members", members(in("blue", "10.0.0.1", "port", 81)), 201, "", "[new:blue:10.0.0.1:81:1:1]", "[" + m1 + " " + m2 + " " + m3 + " new:blue:10.0.0.1:81:1:1]"},
		{"first of two counts", "POST", "/members", members(in("blue", "10.0.0.1", "weight", 7), in("blue", "10.0.0.1", "weight", 8)), 201, "", "[m-1:blue:10.0.0.1:80:7:1]", "[m-1:blue:10.0.0.1:80:7:1 " + m2 + " " + m3 + "]"},
		{"replace a group", "PUT", "/members", fields{"member_group_name": "blue", "members": []fields{in("blue", "10.0.0.1"), in("blue", "10.0.0.8"), in("green", "10.0.0.7")}}, 200, "", "[" + m1 + " new:blue:10.0.0.8:80:1:1]", "[" + m1 + " " + m3 + " new:blue:10.0.0.8:80:1:1]"},
		{"replace everything", "PUT", "/members", members(in("blue", "10.0.0.2", "status", 2)), 200, "", "[m-2:blue:10.0.0.2:80:1:2]", "[m-2:blue:10.0.0.2:80:1:2]"},
		{"empty everything", "PUT", "/members", members(), 200, "", "[]", "[]"},
		{"delete", "DELETE", "/members/m-2", nil, 204, "", "[]", "[" + m1 + " " + m3 + "]"},
		{"enable", "POST", "/members/batch-enable", fields{"member_ids": []string{"m-2"}}, 204, "", "[]", "[" + m1 + " m-2:blue:10.0.0.2:80:0:1 " + m3 + "]"},
		{"disable", "POST", "/members/batch-disable", fields{"member_ids": []string{"m-1", "m-3"}}, 204, "", "[]", "[m-1:blue:10.0.0.1:80:1:2 " + m2 + " m-3:green:10.0.0.1:80:5:2]"},

		{"no such group", "POST", "/members", members(in("red", "10.0.0.1")), 400, "APIG.2012", "", ""},
		{"replace in no such group", "PUT", "/members", fields{"member_group_name": "red", "members": []fields{}}, 400, "APIG.2012", "", ""},
		{"empty", "POST", "/members", members(), 400, "APIG.2012", "", ""},
		{"no members", "POST", "/members", fields{}, 400, "APIG.2001", "", ""},
		{"no host", "POST", "/members", members(fields{"weight": 1}), 400, "APIG.2001", "", ""},
		{"bad host", "POST", "/members", members(in("", "web-1")), 400, "APIG.2015", "", ""},
		{"weight", "POST", "/members", members(in("", "10.0.0.1", "weight", 10001)), 400, "APIG.2004", "", ""},
		{"status", "POST", "/members", members(in("", "10.0.0.1", "status", 0)), 400, "APIG.2004", "", ""},
		{"long group", "POST", "/members", members(in(fmt.Sprintf("%065d", 1), "10.0.0.1")), 400, "APIG.2006", "", ""},
		{"misspelt", "POST", "/members", members(in("", "10.0.0.1", "wieght", 1)), 400, "APIG.2012", "", ""},
		{"delete absent", "DELETE", "/members/m-none", nil, 404, "APIG.3024", "", ""},
		{"enable absent", "POST", "/members/batch-enable", fields{"member_ids": []string{"m-2", "m-none"}}, 404, "APIG.3024", "", ""},
		{"no such channel", "GET", "/../vc-none/members", nil, 404, "APIG.3023", "", ""},
		{"ecs channel", "POST", "/../vc-ecs/members", members(in("", "10.0.0.1")), 400, "APIG.2001", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, base := apigCloud(t)
			path := base + "/vc-1" + tt.path
			if len(tt.path) > 3 && tt.path[:3] == "/.." {
				path = base + tt.path[3:]
			}
			r := c.rest(tt.method, path, tt.body)
			want(t, r, tt.status, tt.code)
			if r.status < 300 {
				equal(t, "answer", channelMembers(r), tt.answer)
			}
			if r.status < 300 && r.status != 204 {
				equal(t, "size", r.at("size"), r.len("members"))
			}
			after := tt.after
			if after == "" {
				after = "[" + m1 + " " + m2 + " " + m3 + "]"
			}
			equal(t, "members", channelMembers(c.rest("GET", base+"/vc-1/members", nil)), after)
		})
	}
}

func TestAPIGFamilies(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := virtual(t)
		cloud.AddVPCChannel(fakecloud.VPCChannel{ID: "vc-1", InstanceID: "gw-1", HealthCheck: true})
		path := func(family string) string {
			return "/v2/" + cloud.ProjectID() + "/" + family + "/instances/gw-1/vpc-channels/vc-1/members"
		}
		want(t, c.rest("POST", path("apic"), fields{"members": []fields{{"host": "10.0.0.1"}}}), 201, "")
		equal(t, "health in apic", c.rest("GET", path("apic"), nil).at("members", 0, "health_status"), nil)
		equal(t, "health in apigw", c.rest("GET", path("apigw"), nil).at("members", 0, "health_status"), "unknown")
		advance(2 * time.Second)
		equal(t, "health in apigw", c.rest("GET", path("apigw"), nil).at("members", 0, "health_status"), "healthy")
	})
}

func TestAPIGLists(t *testing.T) {
	t.Parallel()
	c, base := apigCloud(t)
	for _, tt := range []struct {
		query       string
		size, total int
		first       any
	}{
		{"", 3, 3, "m-1"},
		{"limit=2", 2, 3, "m-1"},
		{"limit=2&offset=2", 1, 3, "m-3"},
		{"offset=5", 0, 3, nil},
		{"limit=0&offset=-1", 3, 3, "m-1"},
		{"limit=501", 3, 3, "m-1"},
		{"member_group_name=green", 1, 1, "m-3"},
		{"name=10.0.0", 3, 3, "m-1"},
		{"name=10.0.0&precise_search=name", 0, 0, nil},
		{"name=10.0.0.2&precise_search=name", 1, 1, "m-2"},
	} {
		r := c.rest("GET", base+"/vc-1/members?"+tt.query, nil)
		want(t, r, 200, "")
		equal(t, tt.query+" size", r.at("size"), tt.size)
		equal(t, tt.query+" total", r.at("total"), tt.total)
		equal(t, tt.query+" first", r.at("members", 0, "id"), tt.first)
		equal(t, tt.query+" length", r.len("members"), tt.size)
	}
	want(t, c.rest("GET", base+"/vc-1/members?color=red", nil), 400, "APIG.2012")
	want(t, c.rest("GET", base+"/vc-1/members?limit=x", nil), 400, "APIG.2012")
}

func TestAPIGChannels(t *testing.T) {
	t.Parallel()
	c, base := apigCloud(t)
	channel := fields{
		"name": "api_1", "port": 8080, "balance_strategy": 1, "member_type": "ip",
		"member_groups": []fields{{"member_group_name": "blue"}},
		"members":       []fields{{"host": "10.0.0.1", "member_group_name": "blue"}},
	}
	r := c.rest("POST", base, channel)
	want(t, r, 201, "")
	equal(t, "default", r.at("type"), 2)
	id := r.at("id").(string)
	show := c.rest("GET", base+"/"+id, nil)
	want(t, show, 200, "")
	equal(t, "name", show.at("name"), "api_1")
	equal(t, "group", show.at("member_groups", 0, "member_group_name"), "blue")
	equal(t, "member", c.rest("GET", base+"/"+id+"/members", nil).at("members", 0, "port"), 8080)
	want(t, c.rest("POST", base, channel), 400, "APIG.3208")
	want(t, c.rest("POST", base, with(with(channel, "name", "api_2"), "members", []fields{{"host": "x"}})), 400, "APIG.2015")
	want(t, c.rest("POST", base, with(channel, "name", "x")), 400, "APIG.2005")
	want(t, c.rest("POST", base, with(channel, "vpc_channel_type", "builtin")), 400, "APIG.2012") // apigw only
	equal(t, "channels", c.rest("GET", base, nil).at("total"), 3)
	equal(t, "channels by name", c.rest("GET", base+"?name=api", nil).at("vpc_channels", 0, "id"), id)
	equal(t, "channels by member", c.rest("GET", base+"?member_host=10.0.0.2", nil).at("vpc_channels", 0, "id"), "vc-1")
	want(t, c.rest("GET", base+"/none", nil), 404, "APIG.3023")
}

func TestSecretsAreMasked(t *testing.T) {
	t.Parallel()
	cloud, c := virtual(t)
	r := c.rest("POST", "/v2/"+cloud.ProjectID()+"/apigw/instances/"+cloud.AddInstance("")+"/vpc-channels", fields{
		"name": "api_1", "port": 8080, "balance_strategy": 1, "member_type": "ip", "type": 3,
		"microservice_info": fields{"service_type": "NACOS", "nacos_info": fields{
			"service_name": "web", "server_config": []fields{{"ip_address": "10.0.0.1", "port": 8848}},
			"user_info": fields{"user_name": "user", "password": "hunter2"},
		}},
	})
	want(t, r, 201, "")
	if all := fmt.Sprint(cloud.Requests()); strings.Contains(all, "hunter2") || !strings.Contains(all, "password:***") {
		t.Errorf("recorded: %s", all)
	}
}

func TestAPIGInstance(t *testing.T) {
	t.Parallel()
	cloud, c := virtual(t)
	id := cloud.AddInstance("")
	base := "/v2/" + cloud.ProjectID() + "/apigw/instances/"
	r := c.rest("GET", base+id+"/vpc-channels", nil)
	want(t, r, 200, "")
	equal(t, "channels", r.at("vpc_channels"), []any{})
	want(t, c.rest("GET", base+"none/vpc-channels", nil), 404, "APIG.3030")
}
