package fakecloud_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/fakecloud"
)

// typedALB makes a client that gives every answer to the test.
func typedALB(t *testing.T, cloud *fakecloud.Cloud) *alb.Client {
	t.Helper()
	cfg := cloud.Config()
	cfg.Retry = cloudlb.NoRetry()
	c, err := alb.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantError checks the code of a refused typed call; "" means success.
func wantError(t *testing.T, err error, status int, code string) {
	t.Helper()
	e, ok := errors.AsType[*cloudlb.Error](err)
	switch {
	case code == "" && err != nil:
		t.Fatalf("got %v, want no error", err)
	case code != "" && (!ok || e.Code != code || e.StatusCode != status):
		t.Fatalf("got %v, want %d %s", err, status, code)
	}
}

func TestALBGroupSettings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, raw := virtual(t, fakecloud.WithJobDuration(2*time.Second))
		c, ctx := typedALB(t, cloud), t.Context()
		id := cloud.AddServerGroup(fakecloud.ServerGroup{Name: "web", Scheduler: "Wlc"})
		req := alb.UpdateServerGroupAttributeRequest{
			ServerGroupID: id, ServerGroupName: "shop", DryRun: true,
			HealthCheckConfig: &alb.HealthCheckConfigUpdate{HealthCheckInterval: 9},
		}
		read := func() alb.ServerGroup {
			t.Helper()
			res, err := c.ListServerGroups(ctx, alb.ListServerGroupsRequest{ServerGroupIDs: []string{id}})
			wantError(t, err, 0, "")
			return res.ServerGroups[0]
		}
		dry, err := c.UpdateServerGroupAttribute(ctx, req)
		wantError(t, err, 0, "") // of a dry run that passed
		equal(t, "job of a dry run", dry.JobID, "")
		req.DryRun = false
		before := read()
		res, err := c.UpdateServerGroupAttribute(ctx, req)
		wantError(t, err, 0, "")
		if g := read(); g.ServerGroupName != "web" || g.ServerGroupStatus != alb.ServerGroupStatusConfiguring {
			t.Errorf("during the job: %+v", g)
		}
		_, err = c.UpdateServerGroupAttribute(ctx, req)
		wantError(t, err, 400, "IncorrectStatus.ServerGroup")
		job, err := c.WaitForJob(ctx, res.JobID)
		if err != nil || job.APIName != "UpdateServerGroupAttribute" {
			t.Fatal(job, err)
		}
		g := read()
		before.ServerGroupName, before.HealthCheckConfig.HealthCheckInterval = "shop", 9
		equal(t, "group", g, before)

		want(t, raw.alb("UpdateServerGroupAttribute", fields{"ServerGroupId": "sgp-none"}), 404, "ResourceNotFound.ServerGroup")
		want(t, raw.alb("UpdateServerGroupAttribute", nil), 400, "MissingServerGroupId")
		want(t, raw.alb("UpdateServerGroupAttribute", fields{
			"ServerGroupId": id, "StickySessionConfig.StickySessionType": "Server",
		}), 400, "MissingCookie")
		want(t, raw.alb("UpdateServerGroupAttribute", fields{
			"ServerGroupId": id, "HealthCheckConfig.HealthCheckInterval": 51,
		}), 400, "InvalidParameter")
	})
}

func TestALBTemplates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, _ := virtual(t, fakecloud.WithJobDuration(3*time.Second))
		c, ctx := typedALB(t, cloud), t.Context()
		group := cloud.AddServerGroup(fakecloud.ServerGroup{})
		create := alb.CreateHealthCheckTemplateRequest{
			HealthCheckTemplateName: "slow", HealthCheckInterval: 30, HealthCheckPath: "/up", ClientToken: "one",
			Tag: []alb.TagSpec{{Key: "env", Value: new("prod")}},
		}
		made, err := c.CreateHealthCheckTemplate(ctx, create)
		wantError(t, err, 0, "")
		again, err := c.CreateHealthCheckTemplate(ctx, create)
		wantError(t, err, 0, "")
		equal(t, "template of the same token", again.HealthCheckTemplateID, made.HealthCheckTemplateID)
		create.HealthCheckInterval = 31
		_, err = c.CreateHealthCheckTemplate(ctx, create)
		wantError(t, err, 400, "IdempotentParameterMismatch")

		id := made.HealthCheckTemplateID
		got, err := c.GetHealthCheckTemplateAttribute(ctx, alb.GetHealthCheckTemplateAttributeRequest{HealthCheckTemplateID: id})
		wantError(t, err, 0, "")
		equal(t, "template", fmt.Sprint(got.HealthCheckTemplateName, got.HealthCheckInterval, got.HealthCheckPath, got.HealthCheckCodes,
			got.HealthCheckMethod, got.HealthyThreshold, got.Tags), "slow30/up[http_2xx]HEAD3 [{env prod}]")

		_, err = c.UpdateHealthCheckTemplateAttribute(ctx, alb.UpdateHealthCheckTemplateAttributeRequest{
			HealthCheckTemplateID: id, HealthCheckTimeout: 7,
		})
		wantError(t, err, 0, "")
		apply := alb.ApplyHealthCheckTemplateToServerGroupRequest{HealthCheckTemplateID: id, ServerGroupID: group}
		res, err := c.ApplyHealthCheckTemplateToServerGroup(ctx, apply)
		wantError(t, err, 0, "")
		_, err = c.ApplyHealthCheckTemplateToServerGroup(ctx, apply)
		wantError(t, err, 400, "IncorrectStatus.ServerGroup")
		_, err = c.UpdateHealthCheckTemplateAttribute(ctx, alb.UpdateHealthCheckTemplateAttributeRequest{HealthCheckTemplateID: id})
		wantError(t, err, 400, "IncorrectStatus.HealthCheckTemplate")
		remove := alb.DeleteHealthCheckTemplatesRequest{HealthCheckTemplateIDs: []string{id}}
		_, err = c.DeleteHealthCheckTemplates(ctx, remove)
		wantError(t, err, 400, "IncorrectStatus.HealthCheckTemplate")
		if _, err := c.WaitForJob(ctx, res.JobID); err != nil {
			t.Fatal(err)
		}
		list, err := c.ListServerGroups(ctx, alb.ListServerGroupsRequest{})
		wantError(t, err, 0, "")
		check := list.ServerGroups[0].HealthCheckConfig
		equal(t, "health check", fmt.Sprint(check.HealthCheckEnabled, check.HealthCheckInterval, check.HealthCheckTimeout, check.HealthCheckPath),
			"true 30 7/up")

		missing := alb.DeleteHealthCheckTemplatesRequest{HealthCheckTemplateIDs: []string{id, "hct-none"}}
		_, err = c.DeleteHealthCheckTemplates(ctx, missing)
		wantError(t, err, 404, "ResourceNotFound.HealthCheckTemplate")
		dry := remove
		dry.DryRun = true
		_, err = c.DeleteHealthCheckTemplates(ctx, dry)
		wantError(t, err, 0, "")
		_, err = c.DeleteHealthCheckTemplates(ctx, remove)
		wantError(t, err, 0, "")
		for _, f := range []func() error{
			func() error {
				_, err := c.GetHealthCheckTemplateAttribute(ctx, alb.GetHealthCheckTemplateAttributeRequest{HealthCheckTemplateID: id})
				return err
			},
			func() error {
				_, err := c.UpdateHealthCheckTemplateAttribute(ctx, alb.UpdateHealthCheckTemplateAttributeRequest{HealthCheckTemplateID: id})
				return err
			},
			func() error { _, err := c.ApplyHealthCheckTemplateToServerGroup(ctx, apply); return err },
		} {
			wantError(t, f(), 404, "ResourceNotFound.HealthCheckTemplate")
		}
	})
}

func TestALBTemplateLimits(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New(fakecloud.WithHealthCheckTemplateQuota(3))
	raw, c := newClient(t, cloud.Config()), typedALB(t, cloud)
	for _, name := range []string{"one", "two", "three"} {
		cloud.AddHealthCheckTemplate(fakecloud.HealthCheckTemplate{ID: "hct-" + name, Name: name, Tags: map[string]string{"n": name}})
	}
	var names []string
	for template, err := range c.HealthCheckTemplates(t.Context(), alb.ListHealthCheckTemplatesRequest{MaxResults: 2}) {
		wantError(t, err, 0, "")
		names = append(names, template.HealthCheckTemplateName)
	}
	equal(t, "templates of two pages", names, "[one two three]")
	tests := []struct {
		operation string
		params    fields
		status    int
		code      string
	}{
		{"CreateHealthCheckTemplate", fields{"HealthCheckTemplateName": "four"}, 400, "QuotaExceeded.HealthCheckTemplatesNum"},
		{"CreateHealthCheckTemplate", nil, 400, "MissingHealthCheckTemplateName"},
		{"CreateHealthCheckTemplate", fields{"HealthCheckTemplateName": "x"}, 400, "InvalidParameter"},
		{"UpdateHealthCheckTemplateAttribute", fields{"HealthCheckTemplateId": "hct-one", "HealthyThreshold": 11}, 400, "InvalidParameter"},
		{"DeleteHealthCheckTemplates", fields{"HealthCheckTemplateIds": slices.Repeat([]string{"hct-one"}, 11)}, 400, "InvalidParameter"},
		{"DeleteHealthCheckTemplates", nil, 400, "MissingHealthCheckTemplateIds"},
		{"ListHealthCheckTemplates", fields{"MaxResults": 101}, 400, "InvalidParameter"},
	}
	for _, tt := range tests {
		want(t, raw.alb(tt.operation, tt.params), tt.status, tt.code)
	}
	for _, filter := range []fields{
		{"HealthCheckTemplateIds": []string{"hct-two", "hct-none"}},
		{"HealthCheckTemplateNames": []string{"two"}},
		{"Tag": []fields{{"Key": "n", "Value": "two"}}},
	} {
		r := raw.alb("ListHealthCheckTemplates", filter)
		equal(t, "filtered", fmt.Sprint(r.at("TotalCount"), r.at("HealthCheckTemplates", 0, "HealthCheckTemplateId")), "1hct-two")
	}
}

func TestALBTags(t *testing.T) {
	t.Parallel()
	for _, kind := range []alb.ResourceType{
		alb.ResourceTypeServerGroup, alb.ResourceTypeLoadBalancer, alb.ResourceTypeListener, alb.ResourceTypeHealthCheckTemplate,
	} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			cloud := fakecloud.New()
			c, ctx := typedALB(t, cloud), t.Context()
			ids := map[alb.ResourceType][2]string{}
			for i := range 2 {
				id := fmt.Sprint("x-", i)
				for _, k := range []alb.ResourceType{"servergroup", "loadbalancer", "listener", "healthchecktemplate"} {
					pair := ids[k]
					pair[i] = id
					ids[k] = pair
				}
				cloud.AddListener(fakecloud.Listener{ID: id, LoadBalancerID: id, ServerGroupIDs: []string{id}})
				cloud.AddHealthCheckTemplate(fakecloud.HealthCheckTemplate{ID: id})
			}
			one, two := ids[kind][0], ids[kind][1]
			set := func(id, key, value string) {
				t.Helper()
				_, err := c.TagResources(ctx, alb.TagResourcesRequest{
					ResourceType: kind, ResourceID: []string{id}, Tag: []alb.TagSpec{{Key: key, Value: &value}},
				})
				wantError(t, err, 0, "")
			}
			tags := func(req alb.ListTagResourcesRequest) string {
				t.Helper()
				req.ResourceType, req.MaxResults = kind, 1
				var out []string
				for tag, err := range c.AllTagResources(ctx, req) {
					wantError(t, err, 0, "")
					out = append(out, tag.ResourceID+":"+tag.TagKey+"="+tag.TagValue)
				}
				return strings.Join(out, " ")
			}
			both := alb.ListTagResourcesRequest{ResourceID: []string{one, two}}
			set(one, "env", "test")
			set(one, "env", "prod")
			set(one, "team", "a")
			set(two, "team", "b")
			equal(t, "tags", tags(both), "x-0:env=prod x-0:team=a x-1:team=b")
			equal(t, "tagged", tags(alb.ListTagResourcesRequest{Tag: []alb.ResourceTagFilter{{Key: "team", Value: new("b")}}}), "x-1:team=b")
			var keys, values []string
			for k, err := range c.TagKeys(ctx, alb.ListTagKeysRequest{ResourceType: kind, MaxResults: 1}) {
				wantError(t, err, 0, "")
				keys = append(keys, k.TagKey)
			}
			for v, err := range c.TagValues(ctx, alb.ListTagValuesRequest{ResourceType: kind, TagKey: "team", MaxResults: 1}) {
				wantError(t, err, 0, "")
				values = append(values, v)
			}
			equal(t, "keys and values", fmt.Sprint(keys, values), "[env team] [a b]")

			_, err := c.UnTagResources(ctx, alb.UnTagResourcesRequest{ResourceType: kind, ResourceID: []string{one, two}, TagKey: []string{"team"}})
			wantError(t, err, 0, "")
			equal(t, "tags left", tags(both), "x-0:env=prod")
			_, err = c.UnTagResources(ctx, alb.UnTagResourcesRequest{ResourceType: kind, ResourceID: []string{one}, All: true})
			wantError(t, err, 0, "")
			equal(t, "tags left", tags(both), "")
		})
	}
}

func TestALBReadRefusals(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	cloud.AddListener(fakecloud.Listener{ID: "lsr-1", LoadBalancerID: "alb-1", ServerGroupIDs: []string{"sgp-1"}})
	raw := newClient(t, cloud.Config())
	group := fields{"ResourceType": "servergroup", "ResourceId": []string{"sgp-1"}}
	tests := []struct {
		name, operation string
		params          fields
		status          int
		code            string
	}{
		{"absent", "TagResources", fields{"ResourceType": "servergroup", "ResourceId": []string{"sgp-0"}, "Tag.1.Key": "a"}, 404, "ResourceNotFound.ServerGroup"},
		{"absent", "UnTagResources", fields{"ResourceType": "listener", "ResourceId": []string{"lsr-0"}, "All": true}, 404, "ResourceNotFound.Listener"},
		{"not emulated kind", "TagResources", fields{"ResourceType": "acl", "ResourceId": []string{"acl-1"}, "Tag.1.Key": "a"}, 404, "ResourceNotFound.Acl"},
		{"kind", "TagResources", with(with(group, "ResourceType", "group"), "Tag.1.Key", "a"), 400, "InvalidParameter"},
		{"no tag", "TagResources", group, 400, "MissingTag"},
		{"no key", "TagResources", with(group, "Tag.1.Value", "a"), 400, "MissingKey"},
		{"key twice", "TagResources", with(with(group, "Tag.1.Key", "a"), "Tag.2.Key", "a"), 400, "DuplicatedParam.TagKey"},
		{"system key", "TagResources", with(group, "Tag.1.Key", "acs:a"), 400, "InvalidParameter"},
		{"nothing to remove", "UnTagResources", group, 400, "MissingTagKey"},
		{"nothing named", "ListTagResources", fields{"ResourceType": "servergroup"}, 400, "MissingResourceId"},
		{"page", "ListTagKeys", fields{"ResourceType": "servergroup", "MaxResults": 101}, 400, "InvalidParameter"},
		{"no key", "ListTagValues", fields{"ResourceType": "servergroup"}, 400, "MissingTagKey"},
		{"load balancer", "ListListeners", fields{"LoadBalancerIds": []string{"alb-0"}}, 404, "ResourceNotFound.LoadBalancer"},
		{"21 listeners", "ListListeners", fields{"ListenerIds": slices.Repeat([]string{"lsr-1"}, 21)}, 400, "InvalidParameter"},
		{"protocol", "ListListeners", fields{"ListenerProtocol": "TCP"}, 400, "InvalidParameter"},
		{"listener", "GetListenerHealthStatus", fields{"ListenerId": "lsr-0"}, 404, "ResourceNotFound.Listener"},
		{"no listener", "GetListenerHealthStatus", nil, 400, "MissingListenerId"},
		{"page", "GetListenerHealthStatus", fields{"ListenerId": "lsr-1", "MaxResults": 31}, 400, "InvalidParameter"},
		{"language", "DescribeRegions", fields{"AcceptLanguage": "fr"}, 400, "InvalidParameter"},
		{"language", "DescribeZones", fields{"AcceptLanguage": "fr"}, 400, "InvalidParameter"},
		{"group in use", "DeleteServerGroup", fields{"ServerGroupId": "sgp-1"}, 400, "ResourceInUse.ServerGroup"},
	}
	for _, tt := range tests {
		t.Run(tt.operation+"/"+tt.name, func(t *testing.T) {
			t.Parallel()
			raw := *raw
			raw.t = t
			want(t, raw.alb(tt.operation, tt.params), tt.status, tt.code)
		})
	}
}

func TestALBListeners(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	c, ctx := typedALB(t, cloud), t.Context()
	group := cloud.AddServerGroup(fakecloud.ServerGroup{})
	for i, l := range []fakecloud.Listener{
		{ID: "lsr-1", LoadBalancerID: "alb-1", ServerGroupIDs: []string{group}, Description: "web"},
		{ID: "lsr-2", LoadBalancerID: "alb-1", Protocol: "HTTPS", ServerGroupIDs: []string{group}, Tags: map[string]string{"env": "prod"}, More: map[string]any{
			"IdleTimeout": 60, "XForwardedForConfig": map[string]any{"XForwardedForProtoEnabled": true},
		}},
		{LoadBalancerID: "alb-2", Protocol: "QUIC", Port: 8443, Status: "Stopped"},
	} {
		if id := cloud.AddListener(l); l.ID != "" && id != l.ID || id == "" {
			t.Errorf("listener %d has ID %s", i, id)
		}
	}
	list := func(req alb.ListListenersRequest) []alb.Listener {
		t.Helper()
		req.MaxResults = 1
		var out []alb.Listener
		for l, err := range c.Listeners(ctx, req) {
			wantError(t, err, 0, "")
			out = append(out, l)
		}
		return out
	}
	all := list(alb.ListListenersRequest{})
	equal(t, "listeners", len(all), 3)
	equal(t, "ports", fmt.Sprint(all[0].ListenerPort, all[1].ListenerPort, all[2].ListenerPort), "80 443 8443")
	equal(t, "group", all[0].DefaultActions[0].ForwardGroupConfig.ServerGroupTuples[0].ServerGroupID, group)
	equal(t, "further fields", fmt.Sprint(all[0].IdleTimeout, all[1].IdleTimeout,
		all[1].XForwardedForConfig.XForwardedForProtoEnabled, all[1].XForwardedForConfig.XForwardedForEnabled), "15 60 true true")
	equal(t, "status", fmt.Sprint(all[0].ListenerStatus, all[2].ListenerStatus), "RunningStopped")
	equal(t, "of a load balancer", len(list(alb.ListListenersRequest{LoadBalancerIDs: []string{"alb-1"}})), 2)
	equal(t, "by protocol", list(alb.ListListenersRequest{ListenerProtocol: alb.ListenerProtocolHTTPS})[0].ListenerID, "lsr-2")
	equal(t, "by tag", list(alb.ListListenersRequest{Tag: []alb.ResourceTagFilter{{Key: "env"}}})[0].ListenerID, "lsr-2")
	equal(t, "by ID", len(list(alb.ListListenersRequest{ListenerIDs: []string{"lsr-1", "lsr-0"}})), 1)
	groups, err := c.ListServerGroups(ctx, alb.ListServerGroupsRequest{})
	wantError(t, err, 0, "")
	equal(t, "load balancers of the group", groups.ServerGroups[0].RelatedLoadBalancerIDs, "[alb-1]")
}

func TestALBHealth(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud, raw := virtual(t)
		c, ctx := typedALB(t, cloud), t.Context()
		cloud.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-1", Servers: []fakecloud.BackendServer{
			{ID: "i-1", Port: 80}, {ID: "i-2", Port: 80, IP: "10.0.0.2"}, {ID: "i-3", Port: 80, Weight: new(0)},
		}})
		cloud.AddListener(fakecloud.Listener{ID: "lsr-1", ServerGroupIDs: []string{"sgp-1"}, Rules: []fakecloud.ListenerRule{
			{ID: "rule-1", ServerGroupIDs: []string{"sgp-1"}, MirrorGroupIDs: []string{"sgp-2"}},
		}})
		health := func() string {
			t.Helper()
			res, err := c.GetListenerHealthStatus(ctx, alb.GetListenerHealthStatusRequest{ListenerID: "lsr-1"})
			wantError(t, err, 0, "")
			var out []string
			for _, s := range res.ListenerHealthStatus[0].ServerGroupInfos[0].NonNormalServers {
				out = append(out, fmt.Sprint(s.ServerID, "=", s.Status, s.Reason.ReasonCode))
			}
			return strings.Join(out, " ")
		}
		equal(t, "at first", health(), "i-3=Unused")
		cloud.SetHealth("i-1", false)
		cloud.SetHealth("10.0.0.2", false)
		cloud.SetHealth("i-3", false) // not looked at
		equal(t, "unhealthy", health(), "i-1=UnhealthyRESPONSE_MISMATCH i-2=UnhealthyRESPONSE_MISMATCH i-3=Unused")
		cloud.SetHealth("10.0.0.2", true)
		cloud.SetHealth("10.0.0.2:81", false) // another port
		equal(t, "healthy again", health(), "i-1=UnhealthyRESPONSE_MISMATCH i-3=Unused")

		_, err := c.AddServersToServerGroup(ctx, alb.AddServersToServerGroupRequest{ServerGroupID: "sgp-1", Servers: []alb.AddedServer{
			{ServerID: "i-4", ServerType: alb.ServerTypeEcs, Port: 80},
		}})
		wantError(t, err, 0, "")
		equal(t, "new one", health(), "i-1=UnhealthyRESPONSE_MISMATCH i-3=Unused i-4=Initial")
		waiting, stop := context.WithTimeout(ctx, time.Minute)
		defer stop()
		if err := c.WaitHealthy(waiting, "lsr-1", "sgp-1", []alb.ServerRef{{ServerID: "i-4", Port: 80}}); err != nil {
			t.Error(err)
		}

		first := raw.alb("GetListenerHealthStatus", fields{"ListenerId": "lsr-1", "IncludeRule": true, "MaxResults": 1})
		equal(t, "first page", fmt.Sprint(first.len("ListenerHealthStatus"), first.len("RuleHealthStatus")), "1 0")
		next := raw.alb("GetListenerHealthStatus", fields{"ListenerId": "lsr-1", "IncludeRule": true, "MaxResults": 1, "NextToken": first.at("NextToken")})
		equal(t, "second page", fmt.Sprint(next.len("ListenerHealthStatus"), next.len("RuleHealthStatus")), "0 1")
		equal(t, "token of the last page", next.at("NextToken"), "")
		equal(t, "mirror", next.at("RuleHealthStatus", 0, "ServerGroupInfos", 1, "ActionType"), "TrafficMirror")

		want(t, raw.alb("UpdateServerGroupAttribute", fields{"ServerGroupId": "sgp-1", "HealthCheckConfig.HealthCheckEnabled": false}), 200, "")
		advance(time.Minute)
		off := raw.alb("GetListenerHealthStatus", fields{"ListenerId": "lsr-1"})
		equal(t, "check", off.at("ListenerHealthStatus", 0, "ServerGroupInfos", 0, "HealthCheckEnabled"), "off")
		equal(t, "servers without a check", off.at("ListenerHealthStatus", 0, "ServerGroupInfos", 0, "NonNormalServers", 0, "Status"), "Unavailable")
	})
}

func TestALBRegions(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New(fakecloud.WithRegion("moon-1"))
	c, ctx := typedALB(t, cloud), t.Context()
	regions, err := c.DescribeRegions(ctx, alb.DescribeRegionsRequest{AcceptLanguage: alb.LanguageEnglish})
	wantError(t, err, 0, "")
	for _, want := range []alb.Region{
		{RegionID: "cn-hangzhou", LocalName: "China (Hangzhou)", RegionEndpoint: "alb.cn-hangzhou.aliyuncs.com"},
		{RegionID: "moon-1", LocalName: "moon-1", RegionEndpoint: "alb.moon-1.aliyuncs.com"},
	} {
		if !slices.Contains(regions.Regions, want) {
			t.Errorf("%v is not in %v", want, regions.Regions)
		}
	}
	zones, err := c.DescribeZones(ctx, alb.DescribeZonesRequest{AcceptLanguage: alb.LanguageEnglish})
	wantError(t, err, 0, "")
	equal(t, "zones", zones.Zones[0], alb.Zone{ZoneID: "moon-1-a", LocalName: "moon-1 Zone A"})
}

func TestALBTemplateTokens(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		_, c := virtual(t, fakecloud.WithTokenProcessing(time.Second), fakecloud.WithTokenLife(time.Minute))
		in := fields{"HealthCheckTemplateName": "one", "ClientToken": "t"}
		create := func() reply { return c.alb("CreateHealthCheckTemplate", in) }
		want(t, c.alb("CreateHealthCheckTemplate", with(in, "DryRun", true)), 400, "DryRunOperation")
		first := create()
		want(t, first, 200, "")
		want(t, create(), 400, "IdempotenceProcessing")
		advance(time.Second)
		equal(t, "template", create().at("HealthCheckTemplateId"), first.at("HealthCheckTemplateId"))
		id := fields{"HealthCheckTemplateIds": []string{first.at("HealthCheckTemplateId").(string)}, "ClientToken": "t"}
		want(t, c.alb("DeleteHealthCheckTemplates", id), 400, "IdempotentParameterMismatch")
		advance(time.Minute)
		if again := create(); again.at("HealthCheckTemplateId") == first.at("HealthCheckTemplateId") {
			t.Error("a forgotten token gives the template of its first use")
		}
		equal(t, "templates", c.alb("ListHealthCheckTemplates", nil).at("TotalCount"), 2)
	})
}

// TestALBHealthWhileReplacing: who comes is Initial, who goes is as before.
func TestALBHealthWhileReplacing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		want(t, w.alb("ReplaceServersInServerGroup", fields{
			"ServerGroupId":  "sgp-1",
			"AddedServers":   []fields{{"ServerId": "i-1", "ServerType": "Ecs", "Port": 80}},
			"RemovedServers": []fields{{"ServerId": "i-0", "ServerType": "Ecs", "Port": 80}},
		}), 200, "")
		equal(t, "while replacing", w.health(), "Unused Initial")
		w.cloud.SetHealth("i-0", false)
		equal(t, "while replacing", w.health(), "Unhealthy Unused Initial")
		advance(time.Minute)
		equal(t, "afterwards", w.health(), "Unused")
	})
}
