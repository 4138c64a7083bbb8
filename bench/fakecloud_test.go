package bench

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	albv2 "github.com/alibabacloud-go/alb-20200616/v2/client"
	slbv4 "github.com/alibabacloud-go/slb-20140515/v4/client"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	oldalb "github.com/aliyun/alibaba-cloud-sdk-go/services/alb"
	oldslb "github.com/aliyun/alibaba-cloud-sdk-go/services/slb"
	hwapigmodel "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/apig/v2/model"
	hwelbmodel "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/elb/v3/model"
	hwromamodel "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/roma/v2/model"

	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/slb"
)

// emulator is a fakecloud over TCP whose changes take no time.
func emulator(t *testing.T) (*fakecloud.Cloud, *peers, target) {
	t.Helper()
	who := example("")
	cloud := fakecloud.New(
		fakecloud.WithRegion(who.region), fakecloud.WithCredentials(who.accessKey, who.secret, ""),
		fakecloud.WithJobDuration(0), fakecloud.WithConfiguringWindow(0), fakecloud.WithMemberInitial(0),
	)
	server, err := cloud.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	who.url, who.project = server.URL, cloud.ProjectID()
	return cloud, newPeers(t, who), who
}

// allServed fails when the emulator refused anything.
func allServed(t *testing.T, cloud *fakecloud.Cloud, atLeast int) {
	t.Helper()
	for _, r := range cloud.Requests() {
		if r.Status >= 300 {
			t.Errorf("%s %s: refused with %d %s", r.Service, r.Operation, r.Status, r.Code)
		}
	}
	if n := len(cloud.Requests()); n < atLeast {
		t.Errorf("%d requests arrived, want at least %d", n, atLeast)
	}
}

// list renders the named fields of each element of the list at path in an
// answer, as JSON sees it, sorted.
func list(t *testing.T, answer any, path []string, names ...string) []string {
	t.Helper()
	b, err := json.Marshal(answer)
	if err != nil {
		t.Fatal(err)
	}
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	for _, p := range path {
		o, ok := v.(map[string]any)
		if !ok || o[p] == nil {
			t.Fatalf("no %v in the answer %s", path, b)
		}
		v = o[p]
	}
	var out []string
	for _, e := range v.([]any) {
		o := e.(map[string]any)
		line := ""
		for i, n := range names {
			if i > 0 {
				line += " "
			}
			line += fmt.Sprint(o[n])
		}
		out = append(out, line)
	}
	slices.Sort(out)
	return out
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %q\nwant %q", what, got, want)
	}
}

func addition(group string, ids ...string) alb.AddServersToServerGroupRequest {
	r := alb.AddServersToServerGroupRequest{ServerGroupID: group}
	for i, id := range ids {
		r.Servers = append(r.Servers, alb.AddedServer{
			ServerID: id, ServerType: alb.ServerTypeEcs, Port: 80 + i, Weight: new(10 * i), Description: "web 北京 " + id,
		})
	}
	return r
}

func replacement(group, out, in string, outPort int) alb.ReplaceServersInServerGroupRequest {
	return alb.ReplaceServersInServerGroupRequest{
		ServerGroupID:  group,
		AddedServers:   []alb.ReplacementServer{{ServerID: in, ServerType: alb.ServerTypeEcs, Port: 8080, Weight: new(50)}},
		RemovedServers: []alb.ReplacedServer{{ServerID: out, ServerType: alb.ServerTypeEcs, Port: outPort}},
	}
}

func TestFakecloudServesALBv2(t *testing.T) {
	cloud, p, _ := emulator(t)
	group := cloud.AddServerGroup(fakecloud.ServerGroup{Name: "web"})
	fields := []string{"ServerId", "Port", "Weight", "Description", "Status"}
	read := func() []string {
		t.Helper()
		got, err := p.albv2.ListServerGroupServers(&albv2.ListServerGroupServersRequest{ServerGroupId: &group, MaxResults: new(int32(50))})
		if err != nil {
			t.Fatal(err)
		}
		return list(t, got.Body, []string{"Servers"}, fields...)
	}

	added, err := p.albv2.AddServersToServerGroup(convert[albv2.AddServersToServerGroupRequest](addition(group, "i-1", "i-2")))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "after adding", read(), []string{"i-1 80 0 web 北京 i-1 Available", "i-2 81 10 web 北京 i-2 Available"})
	replaced, err := p.albv2.ReplaceServersInServerGroup(convert[albv2.ReplaceServersInServerGroupRequest](replacement(group, "i-1", "i-3", 80)))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "after replacing", read(), []string{"i-2 81 10 web 北京 i-2 Available", "i-3 8080 50  Available"})
	jobs, err := p.albv2.ListAsynJobs(&albv2.ListAsynJobsRequest{JobIds: []*string{added.Body.JobId, replaced.Body.JobId}})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "jobs", list(t, jobs.Body, []string{"Jobs"}, "ApiName", "Status"),
		[]string{"AddServersToServerGroup Succeeded", "ReplaceServersInServerGroup Succeeded"})
	allServed(t, cloud, 5)
}

func TestFakecloudServesOldALB(t *testing.T) {
	cloud, p, _ := emulator(t)
	group := cloud.AddServerGroup(fakecloud.ServerGroup{Name: "web"})
	read := func() []string {
		t.Helper()
		req := oldalb.CreateListServerGroupServersRequest()
		p.old(req.RpcRequest)
		req.ServerGroupId, req.MaxResults = group, requests.NewInteger(50)
		got, err := p.oldalb.ListServerGroupServers(req)
		if err != nil {
			t.Fatal(err)
		}
		return list(t, map[string]any{"Servers": got.Servers}, []string{"Servers"}, "ServerId", "Port", "Weight", "Description", "Status")
	}

	added, err := p.oldalb.AddServersToServerGroup(p.toOldAdd(addition(group, "i-1", "i-2")))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "after adding", read(), []string{"i-1 80 0 web 北京 i-1 Available", "i-2 81 10 web 北京 i-2 Available"})
	replaced, err := p.oldalb.ReplaceServersInServerGroup(p.toOldReplace(replacement(group, "i-1", "i-3", 80)))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "after replacing", read(), []string{"i-2 81 10 web 北京 i-2 Available", "i-3 8080 50  Available"})
	req := oldalb.CreateListAsynJobsRequest()
	p.old(req.RpcRequest)
	req.JobIds = &[]string{added.JobId, replaced.JobId}
	jobs, err := p.oldalb.ListAsynJobs(req)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "jobs", list(t, map[string]any{"Jobs": jobs.Jobs}, []string{"Jobs"}, "ApiName", "Status"),
		[]string{"AddServersToServerGroup Succeeded", "ReplaceServersInServerGroup Succeeded"})
	allServed(t, cloud, 5)
}

func vservers(group string) slb.AddVServerGroupBackendServersRequest {
	return slb.AddVServerGroupBackendServersRequest{VServerGroupID: group, BackendServers: slb.BackendServerSpecList{
		{ServerID: "i-1", Port: 80, Weight: new(0), Type: slb.ServerTypeEcs, Description: "北京/web-1"},
		{ServerID: "i-2", Port: 81},
	}}
}

var wantVServers = []string{"i-1 80 0 ecs 北京/web-1", "i-2 81 100 ecs "}

func TestFakecloudServesSLBv4(t *testing.T) {
	cloud, p, who := emulator(t)
	group := cloud.AddVServerGroup(fakecloud.VServerGroup{Name: "web"})
	added, err := p.slbv4.AddVServerGroupBackendServers(toSLBv4(vservers(group), who.region))
	if err != nil {
		t.Fatal(err)
	}
	path, fields := []string{"BackendServers", "BackendServer"}, []string{"ServerId", "Port", "Weight", "Type"}
	want := []string{"i-1 80 0 ecs", "i-2 81 100 ecs"}
	same(t, "answer", list(t, added.Body, path, fields...), want)
	read, err := p.slbv4.DescribeVServerGroupAttribute(&slbv4.DescribeVServerGroupAttributeRequest{RegionId: &who.region, VServerGroupId: &group})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "read", list(t, read.Body, path, fields...), want)
	allServed(t, cloud, 2)
}

func TestFakecloudServesOldSLB(t *testing.T) {
	cloud, p, who := emulator(t)
	group := cloud.AddVServerGroup(fakecloud.VServerGroup{Name: "web"})
	added, err := p.oldslb.AddVServerGroupBackendServers(p.toOldSLB(vservers(group), who.region))
	if err != nil {
		t.Fatal(err)
	}
	path, fields := []string{"BackendServer"}, []string{"ServerId", "Port", "Weight", "Type", "Description"}
	same(t, "answer", list(t, added.BackendServers, path, fields...), wantVServers)
	req := oldslb.CreateDescribeVServerGroupAttributeRequest()
	p.old(req.RpcRequest)
	req.VServerGroupId = group
	read, err := p.oldslb.DescribeVServerGroupAttribute(req)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "read", list(t, read.BackendServers, path, fields...), wantVServers)
	allServed(t, cloud, 2)
}

func TestFakecloudServesHuaweiELB(t *testing.T) {
	cloud, p, _ := emulator(t)
	pool := cloud.AddPool(fakecloud.Pool{Name: "web"})
	created, err := p.elb.BatchCreateMembers(toELB(elb.BatchCreateMembersRequest{PoolID: pool, Members: []elb.BatchMemberSpec{
		{Name: "web 北京", Address: "10.0.0.1", ProtocolPort: 80, Weight: new(0)},
		{Address: "10.0.0.2", ProtocolPort: 81},
	}}))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"10.0.0.1 80 0 web 北京", "10.0.0.2 81 1 "}
	same(t, "answer", list(t, created, []string{"members"}, "address", "protocol_port", "weight", "name"), want)
	read, err := p.elb.ListMembers(&hwelbmodel.ListMembersRequest{PoolId: pool, Limit: new(int32(100))})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "read", list(t, read, []string{"members"}, "address", "protocol_port", "weight", "name"), want)
	allServed(t, cloud, 2)
}

func channelMembers(instance, channel string) apig.AddVpcChannelMembersRequest {
	return apig.AddVpcChannelMembersRequest{InstanceID: instance, VpcChannelID: channel, Members: []apig.MemberSpec{
		{Host: "10.0.0.1", Port: 80, Weight: new(5), Status: apig.MemberStatusAvailable, IsBackup: new(true)},
		{Host: "10.0.0.2", Port: 81, Weight: new(7)},
	}}
}

var wantChannelMembers = []string{"10.0.0.1 80 5 true", "10.0.0.2 81 7 false"}

func TestFakecloudServesHuaweiROMA(t *testing.T) {
	cloud, p, _ := emulator(t)
	instance := cloud.AddInstance("")
	channel := cloud.AddVPCChannel(fakecloud.VPCChannel{InstanceID: instance, Name: "web"})
	added, err := p.roma.AddingBackendInstancesV2(toROMA(channelMembers(instance, channel)))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "answer", list(t, added, []string{"members"}, "host", "port", "weight", "is_backup"), wantChannelMembers)
	read, err := p.roma.ListBackendInstancesV2(&hwromamodel.ListBackendInstancesV2Request{InstanceId: instance, VpcChannelId: channel, Limit: new(int32(20))})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "read", list(t, read, []string{"members"}, "host", "port", "weight", "is_backup"), wantChannelMembers)
	allServed(t, cloud, 2)
}

func TestFakecloudServesHuaweiAPIG(t *testing.T) {
	cloud, p, _ := emulator(t)
	instance := cloud.AddInstance("")
	channel := cloud.AddVPCChannel(fakecloud.VPCChannel{InstanceID: instance, Name: "web"})
	added, err := p.apig.AddingBackendInstancesV2(toAPIG(channelMembers(instance, channel)))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "answer", list(t, added, []string{"members"}, "host", "port", "weight", "is_backup"), wantChannelMembers)
	read, err := p.apig.ListBackendInstancesV2(&hwapigmodel.ListBackendInstancesV2Request{InstanceId: instance, VpcChannelId: channel, Limit: new(int32(20))})
	if err != nil {
		t.Fatal(err)
	}
	same(t, "read", list(t, read, []string{"members"}, "host", "port", "weight", "is_backup"), wantChannelMembers)
	allServed(t, cloud, 2)
}
