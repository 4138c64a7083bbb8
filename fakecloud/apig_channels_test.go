package fakecloud_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/fakecloud"
)

// apigTyped has, in the instance gw-1, the channel vc-1 with two groups: blue
// holds 10.0.0.1 and 10.0.0.2, green 10.0.0.1; the empty channel vc-2; and the
// empty instance gw-2.
func apigTyped(t *testing.T, product apig.Product, opts ...fakecloud.Option) (*fakecloud.Cloud, *apig.Client) {
	t.Helper()
	cloud := fakecloud.New(opts...)
	cloud.AddVPCChannel(fakecloud.VPCChannel{
		ID: "vc-1", InstanceID: "gw-1", Name: "web_1", Groups: []string{"blue", "green"},
		Members: []fakecloud.ChannelMember{
			{ID: "m-1", Host: "10.0.0.1", Group: "blue"},
			{ID: "m-2", Host: "10.0.0.2", Group: "blue"},
			{ID: "m-3", Host: "10.0.0.1", Group: "green", Weight: new(5)},
		},
	})
	cloud.AddVPCChannel(fakecloud.VPCChannel{ID: "vc-2", InstanceID: "gw-1", Name: "web_2"})
	cloud.AddInstance("gw-2")
	cfg := cloud.Config()
	cfg.Retry = cloudlb.NoRetry()
	c, err := apig.New(cfg, apig.WithProjectID(cloud.ProjectID()), apig.WithProduct(product))
	if err != nil {
		t.Fatal(err)
	}
	return cloud, c
}

// apigContent are the members of a channel as id:group:host:port:weight, new
// ones without their id.
func apigContent(t *testing.T, c *apig.Client, channel string) string {
	t.Helper()
	out := []string{}
	for m, err := range c.VpcChannelMembers(t.Context(), apig.ListVpcChannelMembersRequest{InstanceID: "gw-1", VpcChannelID: channel}) {
		fine(t, err)
		if len(m.ID) > 10 {
			m.ID = "new"
		}
		out = append(out, fmt.Sprint(m.ID, ":", m.MemberGroupName, ":", m.Host, ":", m.Port, ":", m.Weight))
	}
	return fmt.Sprint(out)
}

const apigBefore = "[m-1:blue:10.0.0.1:80:1 m-2:blue:10.0.0.2:80:1 m-3:green:10.0.0.1:80:5]"

func TestAPIGUpdateChannel(t *testing.T) {
	t.Parallel()
	health := &apig.HealthConfigUpdate{Protocol: "TCP", ThresholdNormal: 2, ThresholdAbnormal: 5, TimeInterval: 10, Timeout: 5}
	for _, tt := range []struct {
		name   string
		change func(*apig.UpdateVpcChannelRequest)
		class  error
		code   string
		after  string
	}{
		{"everything goes", func(*apig.UpdateVpcChannelRequest) {}, nil, "", "[]"},
		{"same ones stay", func(r *apig.UpdateVpcChannelRequest) {
			r.MemberGroups = []apig.MemberGroupUpdate{{MemberGroupName: "blue"}}
			r.Members = []apig.MemberSpec{{Host: "10.0.0.2", MemberGroupName: "blue", Port: 80, Weight: new(9)}, {Host: "10.0.0.7"}}
		}, nil, "", "[m-2:blue:10.0.0.2:80:9 new::10.0.0.7:8080:1]"},
		{"health check", func(r *apig.UpdateVpcChannelRequest) { r.VpcHealthConfig = health }, nil, "", "[]"},
		{"name taken", func(r *apig.UpdateVpcChannelRequest) { r.Name = "web_2" }, cloudlb.ErrAlreadyExists, "APIG.3208", apigBefore},
		{"no such group", func(r *apig.UpdateVpcChannelRequest) {
			r.Members = []apig.MemberSpec{{Host: "10.0.0.2", MemberGroupName: "blue"}}
		}, cloudlb.ErrInvalid, "APIG.2012", apigBefore},
		{"timeout too long", func(r *apig.UpdateVpcChannelRequest) {
			r.VpcHealthConfig = new(*health)
			r.VpcHealthConfig.Timeout = 10
		}, cloudlb.ErrInvalid, "APIG.2012", apigBefore},
		{"no such channel", func(r *apig.UpdateVpcChannelRequest) { r.VpcChannelID = "none" }, cloudlb.ErrNotFound, "APIG.3023", apigBefore},
		{"no such instance", func(r *apig.UpdateVpcChannelRequest) { r.InstanceID = "none" }, cloudlb.ErrNotFound, "APIG.3030", apigBefore},
		{"too many members", func(r *apig.UpdateVpcChannelRequest) {
			for i := range 5 {
				r.Members = append(r.Members, apig.MemberSpec{Host: fmt.Sprint("10.0.0.", i+1)})
			}
		}, cloudlb.ErrQuota, "APIG.3110", apigBefore},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, c := apigTyped(t, apig.APIGateway, fakecloud.WithChannelQuota(2, 4))
			req := apig.UpdateVpcChannelRequest{
				InstanceID: "gw-1", VpcChannelID: "vc-1", Name: "web_9", Port: 8080,
				BalanceStrategy: apig.BalanceStrategySourceHash, MemberType: apig.MemberTypeIP,
			}
			tt.change(&req)
			_, err := c.UpdateVpcChannel(t.Context(), req)
			refused(t, err, tt.class, tt.code)
			equal(t, "members", apigContent(t, c, "vc-1"), tt.after)
			ch, err := c.GetVpcChannel(t.Context(), apig.GetVpcChannelRequest{InstanceID: "gw-1", VpcChannelID: "vc-1"})
			fine(t, err)
			want := "web_1"
			if tt.class == nil {
				want = "web_9"
			}
			equal(t, "name", ch.Name, want)
		})
	}
}

func TestAPIGDeleteChannel(t *testing.T) {
	t.Parallel()
	_, c := apigTyped(t, apig.APIGateway)
	del := func(id string) error {
		_, err := c.DeleteVpcChannel(t.Context(), apig.DeleteVpcChannelRequest{InstanceID: "gw-1", VpcChannelID: id})
		return err
	}
	_, err := c.CreateMemberGroup(t.Context(), apig.CreateMemberGroupRequest{
		InstanceID: "gw-1", VpcChannelID: "vc-2", MemberGroups: []apig.MemberGroupSpec{{MemberGroupName: "ref", ReferenceVpcChannelID: "vc-1"}},
	})
	fine(t, err)
	refused(t, del("vc-1"), cloudlb.ErrInvalid, "APIG.3719")
	refused(t, del("vc-2"), nil, "")
	refused(t, del("vc-1"), nil, "")
	refused(t, del("vc-1"), cloudlb.ErrNotFound, "APIG.3023")
}

func TestAPIGQuotas(t *testing.T) {
	t.Parallel()
	_, c := apigTyped(t, apig.APIGateway, fakecloud.WithChannelQuota(2, 4))
	_, err := c.CreateVpcChannel(t.Context(), apig.CreateVpcChannelRequest{InstanceID: "gw-1", Name: "web_3", Port: 80, BalanceStrategy: 1, MemberType: "ip"})
	refused(t, err, cloudlb.ErrQuota, "APIG.3109")
	add := func(hosts ...string) error {
		var members []apig.MemberSpec
		for _, h := range hosts {
			members = append(members, apig.MemberSpec{Host: h, MemberGroupName: "blue"})
		}
		_, err := c.AddVpcChannelMembers(t.Context(), apig.AddVpcChannelMembersRequest{InstanceID: "gw-1", VpcChannelID: "vc-1", Members: members})
		return err
	}
	refused(t, add("10.0.0.1", "10.0.0.8", "10.0.0.9"), cloudlb.ErrQuota, "APIG.3110")
	refused(t, add("10.0.0.1", "10.0.0.8"), nil, "")
	refused(t, add("10.0.0.2"), nil, "")
	refused(t, add("10.0.0.9"), cloudlb.ErrQuota, "APIG.3110")
}

func TestAPIGGroups(t *testing.T) {
	t.Parallel()
	const groupID = "of blue"
	create := func(names ...string) func(*testing.T, *apig.Client, string) error {
		return func(t *testing.T, c *apig.Client, _ string) error {
			req := apig.CreateMemberGroupRequest{InstanceID: "gw-1", VpcChannelID: "vc-1"}
			for i, name := range names {
				req.MemberGroups = append(req.MemberGroups, apig.MemberGroupSpec{MemberGroupName: name, MemberGroupWeight: new(10 + i)})
			}
			_, err := c.CreateMemberGroup(t.Context(), req)
			return err
		}
	}
	update := func(name string, change func(*apig.UpdateMemberGroupRequest)) func(*testing.T, *apig.Client, string) error {
		return func(t *testing.T, c *apig.Client, id string) error {
			req := apig.UpdateMemberGroupRequest{InstanceID: "gw-1", VpcChannelID: "vc-1", MemberGroupID: id, MemberGroupName: name, MemberGroupWeight: new(0)}
			if change != nil {
				change(&req)
			}
			_, err := c.UpdateMemberGroup(t.Context(), req)
			return err
		}
	}
	show := func(id string) func(*testing.T, *apig.Client, string) error {
		return func(t *testing.T, c *apig.Client, blue string) error {
			if id == groupID {
				id = blue
			}
			res, err := c.GetMemberGroup(t.Context(), apig.GetMemberGroupRequest{InstanceID: "gw-1", VpcChannelID: "vc-1", MemberGroupID: id})
			if err == nil {
				equal(t, "shown", res.MemberGroupName, "blue")
			}
			return err
		}
	}
	del := func(id string) func(*testing.T, *apig.Client, string) error {
		return func(t *testing.T, c *apig.Client, blue string) error {
			if id == groupID {
				id = blue
			}
			_, err := c.DeleteMemberGroup(t.Context(), apig.DeleteMemberGroupRequest{InstanceID: "gw-1", VpcChannelID: "vc-1", MemberGroupID: id})
			return err
		}
	}
	for _, tt := range []struct {
		name    string
		call    func(t *testing.T, c *apig.Client, blue string) error
		class   error
		code    string
		groups  string // name:weight
		members string
	}{
		{"create", create("red1", "red2"), nil, "", "[blue:0 green:0 red1:10 red2:11]", apigBefore},
		{"create one that is there", create("green"), nil, "", "[blue:0 green:10]", apigBefore},
		{"create none", create(), cloudlb.ErrInvalid, "APIG.2001", "[blue:0 green:0]", apigBefore},
		{"create with a short name", create("x"), cloudlb.ErrInvalid, "", "[blue:0 green:0]", apigBefore},
		{"show", show(groupID), nil, "", "[blue:0 green:0]", apigBefore},
		{"show absent", show("none"), cloudlb.ErrNotFound, "APIG.3023", "[blue:0 green:0]", apigBefore},
		{"rename", update("teal", func(r *apig.UpdateMemberGroupRequest) { r.MemberGroupWeight = new(7) }), nil, "", "[teal:7 green:0]", "[m-1:teal:10.0.0.1:80:1 m-2:teal:10.0.0.2:80:1 m-3:green:10.0.0.1:80:5]"},
		{"name taken", update("green", nil), cloudlb.ErrAlreadyExists, "APIG.3208", "[blue:0 green:0]", apigBefore},
		{"update absent", update("teal", func(r *apig.UpdateMemberGroupRequest) { r.MemberGroupID = "none" }), cloudlb.ErrNotFound, "APIG.3023", "[blue:0 green:0]", apigBefore},
		{"bad reference", update("blue", func(r *apig.UpdateMemberGroupRequest) { r.ReferenceVpcChannelID = new("none") }), cloudlb.ErrNotFound, "APIG.3023", "[blue:0 green:0]", apigBefore},
		{"delete", del(groupID), nil, "", "[green:0]", "[m-3:green:10.0.0.1:80:5]"},
		{"delete absent", del("none"), cloudlb.ErrNotFound, "APIG.3023", "[blue:0 green:0]", apigBefore},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, c := apigTyped(t, apig.APIGateway)
			list := func(req apig.ListMemberGroupsRequest) (groups []apig.MemberGroup) {
				req.InstanceID, req.VpcChannelID = "gw-1", "vc-1"
				for g, err := range c.MemberGroups(t.Context(), req) {
					fine(t, err)
					groups = append(groups, g)
				}
				return groups
			}
			blue := list(apig.ListMemberGroupsRequest{MemberGroupName: "blue"})
			if len(blue) != 1 {
				t.Fatalf("blue: %v", blue)
			}
			refused(t, tt.call(t, c, blue[0].MemberGroupID), tt.class, tt.code)
			got := []string{}
			for _, g := range list(apig.ListMemberGroupsRequest{Limit: 1}) {
				got = append(got, fmt.Sprint(g.MemberGroupName, ":", g.MemberGroupWeight))
			}
			equal(t, "groups", got, tt.groups)
			equal(t, "members", apigContent(t, c, "vc-1"), tt.members)
		})
	}
}

// TestAPIGGroupNames is the first of two entries with one name, which clients
// refuse to send.
func TestAPIGGroupNames(t *testing.T) {
	t.Parallel()
	c, base := apigCloud(t)
	r := c.rest("POST", base+"/vc-1/member-groups", fields{"member_groups": []fields{
		{"member_group_name": "red", "member_group_weight": 1}, {"member_group_name": "red", "member_group_weight": 2},
	}})
	want(t, r, 201, "")
	equal(t, "size", r.at("size"), 1)
	equal(t, "weight", r.at("member_groups", 0, "member_group_weight"), 1)
}

func TestAPIGHealth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, c := apigTyped(t, apig.APIGateway)
		states := func() string {
			t.Helper()
			var out []any
			for m, err := range c.VpcChannelMembers(t.Context(), apig.ListVpcChannelMembersRequest{InstanceID: "gw-1", VpcChannelID: "vc-1"}) {
				fine(t, err)
				out = append(out, m.HealthStatus)
			}
			return fmt.Sprint(out)
		}
		check := apig.UpdateHealthCheckRequest{
			InstanceID: "gw-1", VpcChannelID: "vc-1", Protocol: "HTTP", Path: new("/ready"), HTTPCode: new("200"),
			ThresholdNormal: 2, ThresholdAbnormal: 5, TimeInterval: 10, Timeout: 5,
		}
		cloud.SetHealth("10.0.0.1", false)
		equal(t, "unchecked", states(), "[unknown unknown unknown]")
		res, err := c.UpdateHealthCheck(t.Context(), check)
		fine(t, err)
		equal(t, "answer", fmt.Sprint(res.VpcChannelID, res.Path, res.Method, res.Status), "vc-1/readyGET1")
		equal(t, "checked", states(), "[unhealthy healthy unhealthy]")
		cloud.SetHealth("10.0.0.1", true)
		equal(t, "healed", states(), "[healthy healthy healthy]")
		_, err = c.AddVpcChannelMembers(t.Context(), apig.AddVpcChannelMembersRequest{InstanceID: "gw-1", VpcChannelID: "vc-1", Members: []apig.MemberSpec{{Host: "10.0.0.9"}}})
		fine(t, err)
		equal(t, "new", states(), "[healthy healthy healthy unknown]")
		advance(2 * time.Second)
		equal(t, "later", states(), "[healthy healthy healthy healthy]")
		_, err = c.BatchDisableVpcChannelMembers(t.Context(), apig.BatchDisableVpcChannelMembersRequest{InstanceID: "gw-1", VpcChannelID: "vc-1", MemberIDs: []string{"m-1"}})
		fine(t, err)
		equal(t, "disabled", states(), "[unknown healthy healthy healthy]")

		again := check
		again.Status = 2
		off, err := c.UpdateHealthCheck(t.Context(), again)
		fine(t, err)
		equal(t, "same check", off.ID, res.ID)
		equal(t, "off", states(), "[unknown unknown unknown unknown]")
		ch, err := c.GetVpcChannel(t.Context(), apig.GetVpcChannelRequest{InstanceID: "gw-1", VpcChannelID: "vc-1"})
		fine(t, err)
		equal(t, "in the channel", ch.VpcHealthConfig.ID, res.ID)
		for _, tt := range []struct {
			name   string
			change func(*apig.UpdateHealthCheckRequest)
			class  error
			code   string
		}{
			{"no code", func(r *apig.UpdateHealthCheckRequest) { r.HTTPCode = nil }, cloudlb.ErrInvalid, "APIG.2001"},
			{"interval", func(r *apig.UpdateHealthCheckRequest) { r.TimeInterval = 5 }, cloudlb.ErrInvalid, "APIG.2012"},
			{"no such channel", func(r *apig.UpdateHealthCheckRequest) { r.VpcChannelID = "none" }, cloudlb.ErrNotFound, "APIG.3023"},
		} {
			req := check
			tt.change(&req)
			_, err := c.UpdateHealthCheck(t.Context(), req)
			refused(t, err, tt.class, tt.code)
		}
	})
}

func TestAPIGConflict(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := apigTyped(t, apig.ROMAConnect, fakecloud.WithChannelWindow(time.Second))
		add := func(channel string) error {
			_, err := c.AddVpcChannelMembers(t.Context(), apig.AddVpcChannelMembersRequest{InstanceID: "gw-1", VpcChannelID: channel, Members: []apig.MemberSpec{{Host: "10.0.0.9"}}})
			return err
		}
		group := func() error {
			_, err := c.CreateMemberGroup(t.Context(), apig.CreateMemberGroupRequest{InstanceID: "gw-1", VpcChannelID: "vc-1", MemberGroups: []apig.MemberGroupSpec{{MemberGroupName: "red"}}})
			return err
		}
		project := func() error {
			_, err := c.UpdateProjectVpcChannel(t.Context(), apig.UpdateProjectVpcChannelRequest{Name: "web_1", Port: 80, BalanceStrategy: 1, MemberType: "ip", InstanceIDs: []string{"gw-1"}})
			return err
		}
		fine(t, add("vc-1"))
		refused(t, add("vc-1"), cloudlb.ErrBusy, "APIG.9999")
		refused(t, group(), cloudlb.ErrBusy, "APIG.9999")
		refused(t, project(), cloudlb.ErrBusy, "APIG.9999")
		refused(t, add("vc-2"), nil, "")
		advance(time.Second)
		refused(t, project(), nil, "")
		refused(t, group(), cloudlb.ErrBusy, "APIG.9999")
		advance(time.Second)
		refused(t, group(), nil, "")
	})
}

func TestAPIGProject(t *testing.T) {
	t.Parallel()
	_, c := apigTyped(t, apig.ROMAConnect)
	create := apig.CreateProjectVpcChannelRequest{
		Name: "all_1", Port: 8080, BalanceStrategy: 1, MemberType: "ip", InstanceIDs: []string{"gw-1", "gw-2"},
		MemberGroups: []apig.ProjectMemberGroupSpec{{MemberGroupName: "blue"}},
		Members:      []apig.MemberSpec{{Host: "10.0.0.1", MemberGroupName: "blue", Weight: new(3)}},
	}
	made, err := c.CreateProjectVpcChannel(t.Context(), create)
	fine(t, err)
	if len(made.ProjectVpcChannels) != 2 {
		t.Fatalf("made %v", made.ProjectVpcChannels)
	}
	one, two := made.ProjectVpcChannels[0], made.ProjectVpcChannels[1]
	equal(t, "instances", one.InstanceID+two.InstanceID, "gw-1gw-2")
	equal(t, "type", one.Type, "BUILTIN")
	equal(t, "content", fmt.Sprint(two.Members[0].Host, two.Members[0].Port, two.Members[0].Weight), "10.0.0.18080 3")
	_, err = c.CreateProjectVpcChannel(t.Context(), create)
	refused(t, err, cloudlb.ErrAlreadyExists, "APIG.3208")
	create.Name, create.InstanceIDs = "all_2", []string{"gw-2", "none"}
	_, err = c.CreateProjectVpcChannel(t.Context(), create)
	refused(t, err, cloudlb.ErrNotFound, "APIG.3030")

	list := func(req apig.ListProjectVpcChannelsRequest) []apig.ProjectVpcChannel {
		t.Helper()
		out := []apig.ProjectVpcChannel{}
		for ch, err := range c.ProjectVpcChannels(t.Context(), req) {
			fine(t, err)
			out = append(out, ch)
		}
		return out
	}
	names := func(list []apig.ProjectVpcChannel) string {
		out := []string{}
		for _, ch := range list {
			out = append(out, ch.InstanceID+"/"+ch.Name)
		}
		return fmt.Sprint(out)
	}
	equal(t, "all or none", names(list(apig.ListProjectVpcChannelsRequest{Limit: 1})), "[gw-1/web_1 gw-1/web_2 gw-1/all_1 gw-2/all_1]")
	equal(t, "by name", names(list(apig.ListProjectVpcChannelsRequest{Name: "all"})), "[gw-1/all_1 gw-2/all_1]")
	equal(t, "by member", names(list(apig.ListProjectVpcChannelsRequest{MemberHost: "10.0.0.2"})), "[gw-1/web_1]")
	equal(t, "members", len(list(apig.ListProjectVpcChannelsRequest{ID: two.ID})[0].Members), 0)
	equal(t, "members", len(list(apig.ListProjectVpcChannelsRequest{ID: two.ID, MembersReturn: true})[0].Members), 1)

	update := apig.UpdateProjectVpcChannelRequest{
		Name: "all_1", Port: 9090, BalanceStrategy: 1, MemberType: "ip", InstanceIDs: []string{"gw-1", "gw-2"},
		Members: []apig.MemberSpec{{Host: "10.0.0.2"}},
	}
	changed, err := c.UpdateProjectVpcChannel(t.Context(), update)
	fine(t, err)
	equal(t, "same channels", changed.ProjectVpcChannels[0].ID+changed.ProjectVpcChannels[1].ID, one.ID+two.ID)
	equal(t, "replaced", fmt.Sprint(changed.ProjectVpcChannels[1].MemberGroups, changed.ProjectVpcChannels[1].Members[0].Host), "[]10.0.0.2")
	update.Name = "none_1"
	_, err = c.UpdateProjectVpcChannel(t.Context(), update)
	refused(t, err, cloudlb.ErrNotFound, "APIG.3023")

	sync := func(id string, force bool, instances ...string) ([]apig.ProjectVpcChannel, error) {
		res, err := c.CreateProjectVpcChannelSyncs(t.Context(), apig.CreateProjectVpcChannelSyncsRequest{VpcChannelID: id, InstanceIDs: instances, ForceSync: force})
		if err != nil {
			return nil, err
		}
		return res.ProjectVpcChannels, nil
	}
	copies, err := sync("vc-1", false, "gw-2")
	fine(t, err)
	equal(t, "copy", fmt.Sprint(names(copies), len(copies[0].Members), len(copies[0].MemberGroups)), "[gw-2/web_1]3 2")
	_, err = sync("vc-1", false, "gw-2")
	refused(t, err, cloudlb.ErrAlreadyExists, "APIG.3208")
	forced, err := sync("vc-1", true, "gw-2")
	fine(t, err)
	equal(t, "overwritten", forced[0].ID, copies[0].ID)
	_, err = sync("none", false, "gw-2")
	refused(t, err, cloudlb.ErrNotFound, "APIG.3023")
	_, err = sync("vc-1", false, "gw-1")
	refused(t, err, cloudlb.ErrInvalid, "APIG.2012")
	_, err = sync("vc-1", false)
	refused(t, err, cloudlb.ErrInvalid, "APIG.2001")

	_, gateway := apigTyped(t, apig.APIGateway)
	if _, err := gateway.CreateProjectVpcChannel(t.Context(), create); err == nil {
		t.Error("APIG has no channels of projects")
	}
}

func TestAPIGChannelFilters(t *testing.T) {
	t.Parallel()
	cloud, c := apigTyped(t, apig.APIGateway)
	cloud.AddVPCChannel(fakecloud.VPCChannel{
		ID: "vc-ecs", InstanceID: "gw-1", Name: "ecs_1", MemberType: "ecs", HealthCheck: true,
		Members: []fakecloud.ChannelMember{{ECSID: "i-1", ECSName: "web-1"}},
	})
	_, err := c.CreateVpcChannel(t.Context(), apig.CreateVpcChannelRequest{
		InstanceID: "gw-1", Name: "service_1", Port: 80, BalanceStrategy: 1, MemberType: "ip", Type: 3, VpcChannelType: "microservice",
	})
	fine(t, err)
	for _, tt := range []struct {
		req  apig.ListVpcChannelsRequest
		want string
	}{
		{apig.ListVpcChannelsRequest{}, "[web_1 web_2 ecs_1 service_1]"},
		{apig.ListVpcChannelsRequest{Limit: 1}, "[web_1 web_2 ecs_1 service_1]"},
		{apig.ListVpcChannelsRequest{VpcChannelType: "builtin"}, "[web_1 web_2 ecs_1]"},
		{apig.ListVpcChannelsRequest{VpcChannelType: "microservice"}, "[service_1]"},
		{apig.ListVpcChannelsRequest{MemberGroupName: "blu"}, "[web_1]"},
		{apig.ListVpcChannelsRequest{MemberPort: 81}, "[]"},
		{apig.ListVpcChannelsRequest{ID: "vc-2"}, "[web_2]"},
	} {
		tt.req.InstanceID = "gw-1"
		got := []string{}
		for ch, err := range c.VpcChannels(t.Context(), tt.req) {
			fine(t, err)
			got = append(got, ch.Name)
		}
		equal(t, fmt.Sprint(tt.req), got, tt.want)
	}
	roma, err := apig.New(cloud.Config(), apig.WithProjectID(cloud.ProjectID()), apig.WithProduct(apig.ROMAConnect))
	fine(t, err)
	res, err := roma.CreateProjectVpcChannelSyncs(t.Context(), apig.CreateProjectVpcChannelSyncsRequest{VpcChannelID: "vc-ecs", InstanceIDs: []string{"gw-2"}})
	fine(t, err)
	copied := res.ProjectVpcChannels[0]
	equal(t, "copied", fmt.Sprint(copied.Members[0].ECSID, copied.Members[0].Port, copied.VpcHealthConfig.Protocol), "i-180TCP")
	if copied.VpcHealthConfig.VpcChannelID != copied.ID {
		t.Errorf("the check of channel %s is of %s", copied.ID, copied.VpcHealthConfig.VpcChannelID)
	}
}
