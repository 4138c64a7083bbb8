package cloudlb_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/slb"
)

// FuzzReply has services answer with arbitrary bytes: never a panic, never a
// success without what a success must carry, and every error is an
// *cloudlb.Error on one line.
func FuzzReply(f *testing.F) {
	for _, s := range []string{
		`{"RequestId":"r","JobId":"j"}`, `{"RequestId":"r","Servers":[{"ServerId":"i-1","Port":80,"Weight":0}],"TotalCount":1}`,
		`{"RequestId":"r","BackendServers":{"BackendServer":[{"Weight":"100","Port":"80"}]}}`, `{"RequestId":"r","BackendServers":null}`,
		`{"request_id":"r","members":[{"id":"m","weight":0,"ret_status":"successful"}]}`, `{"size":1,"total":1,"members":[{"host":"h","status":2}]}`,
		`{`, `[]`, `null`, `{}`, `"x"`, ``, "<html>", `{"RequestId":{}}`, `{"JobId":7}`, "{\"RequestId\":\"a\\nb\",\"JobId\":\"\xff\"}",
	} {
		f.Add(200, []byte(s))
		f.Add(400, []byte(s))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		if status < 100 || status > 599 {
			return
		}
		cfg := testConfig(answer{status, string(body)})
		cfg.Retry = cloudlb.NoRetry()
		check := func(err error) {
			if err == nil {
				return
			}
			if _, ok := errors.AsType[*cloudlb.Error](err); !ok || strings.ContainsAny(err.Error(), "\n\r") {
				t.Errorf("%d %q: %T %q", status, body, err, err)
			}
		}
		lb := must[*alb.Client](t)(alb.New(cfg))
		added, err := lb.AddServersToServerGroup(t.Context(), alb.AddServersToServerGroupRequest{
			ServerGroupID: "sgp-1", Servers: []alb.AddedServer{{ServerID: "i-1", ServerType: alb.ServerTypeEcs, Port: 80}},
		})
		if check(err); err == nil && !added.DryRun && added.JobID == "" {
			t.Errorf("%d %q: success without a job", status, body)
		}
		_, err = lb.ListServerGroupServers(t.Context(), alb.ListServerGroupServersRequest{ServerGroupID: "sgp-1"})
		check(err)
		_, err = must[*slb.Client](t)(slb.New(cfg)).DescribeVServerGroupAttribute(t.Context(), slb.DescribeVServerGroupAttributeRequest{VServerGroupID: "rsp-1"})
		check(err)
		_, err = must[*elb.Client](t)(elb.New(cfg, elb.WithProjectID(testProject))).ListMembers(t.Context(), elb.ListMembersRequest{PoolID: "p"})
		check(err)
		_, err = must[*apig.Client](t)(apig.New(cfg, apig.WithProjectID(testProject))).ListVpcChannelMembers(t.Context(), apig.ListVpcChannelMembersRequest{InstanceID: "i", VpcChannelID: "c"})
		check(err)
	})
}
