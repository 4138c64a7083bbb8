package bench

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"testing"

	albv2 "github.com/alibabacloud-go/alb-20200616/v2/client"
	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	slbv4 "github.com/alibabacloud-go/slb-20140515/v4/client"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	oldalb "github.com/aliyun/alibaba-cloud-sdk-go/services/alb"
	oldslb "github.com/aliyun/alibaba-cloud-sdk-go/services/slb"
	huawei "github.com/huaweicloud/huaweicloud-sdk-go-v3/core"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	hwconfig "github.com/huaweicloud/huaweicloud-sdk-go-v3/core/config"
	hwapig "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/apig/v2"
	hwapigmodel "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/apig/v2/model"
	hwelb "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/elb/v3"
	hwelbmodel "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/elb/v3/model"
	hwroma "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/roma/v2"
	hwromamodel "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/roma/v2/model"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/slb"
)

// target is a server to talk to, and who talks to it.
type target struct {
	url       string // "http://127.0.0.1:40123"
	region    string
	accessKey string
	secret    string
	project   string
}

func (t target) host() string { return t.url[strings.LastIndexByte(t.url, '/')+1:] }

// example is the account of the recorded requests.
func example(url string) target {
	return target{url, "cn-hangzhou", "EXAMPLEACCESSKEY0001", "EXAMPLEsecretEXAMPLEsecretEXAMPLE01", "0123456789abcdef0123456789abcdef"}
}

// ours are cloudlb's clients of one target.
type ours struct {
	alb  *alb.Client
	slb  *slb.Client
	elb  *elb.Client
	apig *apig.Client // of API Gateway
	roma *apig.Client // of ROMA Connect
}

// unlimited is a limiter without the published budgets, which would hold back
// anything that measures.
func unlimited() *cloudlb.Limiter {
	l := cloudlb.NewLimiter()
	for _, service := range []string{"alb", "slb", "elb", "apig"} {
		l.SetBudget(service, "", cloudlb.Budget{})
	}
	return l
}

func (t target) config() cloudlb.Config {
	return cloudlb.Config{
		Region: t.region, Endpoint: t.url, AllowHTTP: true,
		Credentials: cloudlb.StaticCredentials(t.accessKey, t.secret, ""),
		Retry:       cloudlb.NoRetry(), Limiter: unlimited(),
	}
}

func newOurs(tb testing.TB, cfg cloudlb.Config, project string) *ours {
	tb.Helper()
	o := new(ours)
	var errs [5]error
	o.alb, errs[0] = alb.New(cfg)
	o.slb, errs[1] = slb.New(cfg)
	o.elb, errs[2] = elb.New(cfg, elb.WithProjectID(project))
	o.apig, errs[3] = apig.New(cfg, apig.WithProjectID(project), apig.WithProduct(apig.APIGateway))
	o.roma, errs[4] = apig.New(cfg, apig.WithProjectID(project))
	for _, err := range errs {
		if err != nil {
			tb.Fatal(err)
		}
	}
	return o
}

// peers are the vendors' clients of one target, as a user would make them.
type peers struct {
	albv2  *albv2.Client
	slbv4  *slbv4.Client
	oldalb *oldalb.Client
	oldslb *oldslb.Client
	elb    *hwelb.ElbClient
	apig   *hwapig.ApigClient
	roma   *hwroma.RomaClient
	host   string
}

func newPeers(tb testing.TB, t target) *peers {
	tb.Helper()
	must := func(err error) {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
	}
	p := &peers{host: t.host()}
	var err error
	p.albv2, err = albv2.NewClient(t.openapi())
	must(err)
	p.slbv4, err = slbv4.NewClient(t.openapi())
	must(err)
	p.oldalb, err = oldalb.NewClientWithAccessKey(t.region, t.accessKey, t.secret)
	must(err)
	p.oldslb, err = oldslb.NewClientWithAccessKey(t.region, t.accessKey, t.secret)
	must(err)
	p.elb = hwelb.NewElbClient(t.huawei(tb, hwelb.ElbClientBuilder(), nil))
	p.apig = hwapig.NewApigClient(t.huawei(tb, hwapig.ApigClientBuilder(), nil))
	p.roma = hwroma.NewRomaClient(t.huawei(tb, hwroma.RomaClientBuilder(), nil))
	return p
}

func (t target) openapi() *openapi.Config {
	return &openapi.Config{
		AccessKeyId: &t.accessKey, AccessKeySecret: &t.secret, RegionId: &t.region,
		Endpoint: new(t.host()), Protocol: new("http"),
	}
}

func (t target) huawei(tb testing.TB, b *huawei.HcHttpClientBuilder, cfg *hwconfig.HttpConfig) *huawei.HcHttpClient {
	tb.Helper()
	cred, err := basic.NewCredentialsBuilder().WithAk(t.accessKey).WithSk(t.secret).WithProjectId(t.project).SafeBuild()
	if err != nil {
		tb.Fatal(err)
	}
	b = b.WithEndpoints([]string{t.url}).WithCredential(cred)
	if cfg != nil {
		b = b.WithHttpConfig(cfg)
	}
	c, err := b.SafeBuild()
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// convert makes a vendor's request of ours: both carry the wire's names as
// JSON tags.
func convert[T any](from any) *T {
	out := new(T)
	b, err := json.Marshal(from)
	if err == nil {
		err = json.Unmarshal(b, out)
	}
	if err != nil {
		panic(err) // a mistake of this test
	}
	return out
}

func text(n *int) string {
	if n == nil {
		return ""
	}
	return strconv.Itoa(*n)
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func boolean(b *bool) string {
	if b == nil {
		return ""
	}
	return strconv.FormatBool(*b)
}

// serverList is the text that a user of the vendors' SLB clients must write.
func serverList(servers []slb.BackendServerSpec) string {
	b, err := json.Marshal(servers)
	if err != nil {
		panic(err)
	}
	return string(b)
}

func toSLBv4(r slb.AddVServerGroupBackendServersRequest, region string) *slbv4.AddVServerGroupBackendServersRequest {
	if r.RegionID != "" {
		region = r.RegionID
	}
	return &slbv4.AddVServerGroupBackendServersRequest{
		RegionId: &region, VServerGroupId: &r.VServerGroupID, BackendServers: new(serverList(r.BackendServers)),
	}
}

func (p *peers) old(r *requests.RpcRequest) {
	r.Domain, r.Scheme = p.host, "HTTP"
}

func (p *peers) toOldAdd(r alb.AddServersToServerGroupRequest) *oldalb.AddServersToServerGroupRequest {
	out := oldalb.CreateAddServersToServerGroupRequest()
	p.old(out.RpcRequest)
	out.ServerGroupId, out.ClientToken = r.ServerGroupID, r.ClientToken
	if r.DryRun {
		out.DryRun = requests.NewBoolean(true)
	}
	list := make([]oldalb.AddServersToServerGroupServers, len(r.Servers))
	for i, s := range r.Servers {
		list[i] = oldalb.AddServersToServerGroupServers{
			RemoteIpEnabled: boolean(s.RemoteIPEnabled), ServerType: string(s.ServerType), Port: number(s.Port),
			Description: s.Description, ServerIp: s.ServerIP, Weight: text(s.Weight), ServerId: s.ServerID,
		}
	}
	out.Servers = &list
	return out
}

func (p *peers) toOldReplace(r alb.ReplaceServersInServerGroupRequest) *oldalb.ReplaceServersInServerGroupRequest {
	out := oldalb.CreateReplaceServersInServerGroupRequest()
	p.old(out.RpcRequest)
	out.ServerGroupId, out.ClientToken = r.ServerGroupID, r.ClientToken
	if r.DryRun {
		out.DryRun = requests.NewBoolean(true)
	}
	added := make([]oldalb.ReplaceServersInServerGroupAddedServers, len(r.AddedServers))
	for i, s := range r.AddedServers {
		added[i] = oldalb.ReplaceServersInServerGroupAddedServers{
			ServerType: string(s.ServerType), Port: number(s.Port), Description: s.Description,
			ServerIp: s.ServerIP, Weight: text(s.Weight), ServerId: s.ServerID,
		}
	}
	removed := make([]oldalb.ReplaceServersInServerGroupRemovedServers, len(r.RemovedServers))
	for i, s := range r.RemovedServers {
		removed[i] = oldalb.ReplaceServersInServerGroupRemovedServers{
			ServerType: string(s.ServerType), Port: number(s.Port), ServerIp: s.ServerIP, ServerId: s.ServerID,
		}
	}
	out.AddedServers, out.RemovedServers = &added, &removed
	return out
}

func (p *peers) toOldSLB(r slb.AddVServerGroupBackendServersRequest, region string) *oldslb.AddVServerGroupBackendServersRequest {
	out := oldslb.CreateAddVServerGroupBackendServersRequest()
	p.old(out.RpcRequest)
	out.VServerGroupId, out.BackendServers = r.VServerGroupID, serverList(r.BackendServers)
	if r.RegionID != "" {
		region = r.RegionID
	}
	out.RegionId = region
	return out
}

func toELB(r elb.BatchCreateMembersRequest) *hwelbmodel.BatchCreateMembersRequest {
	return &hwelbmodel.BatchCreateMembersRequest{
		PoolId: r.PoolID, Body: convert[hwelbmodel.BatchCreateMembersRequestBody](map[string]any{"members": r.Members}),
	}
}

func toROMA(r apig.AddVpcChannelMembersRequest) *hwromamodel.AddingBackendInstancesV2Request {
	return &hwromamodel.AddingBackendInstancesV2Request{
		InstanceId: r.InstanceID, VpcChannelId: r.VpcChannelID,
		Body: convert[hwromamodel.VpcMemberCreate](map[string]any{"members": r.Members}),
	}
}

func toAPIG(r apig.AddVpcChannelMembersRequest) *hwapigmodel.AddingBackendInstancesV2Request {
	return &hwapigmodel.AddingBackendInstancesV2Request{
		InstanceId: r.InstanceID, VpcChannelId: r.VpcChannelID,
		Body: convert[hwapigmodel.VpcMemberCreate](map[string]any{"members": r.Members}),
	}
}

// caller is one client about to make one call. The request is built already.
type caller struct {
	name string
	call func(context.Context) error // the context is ours only
}

// callers gives, for a request of ours, our call and that of each peer.
// Building is outside of the call.
func callers(o *ours, p *peers, region string, request any) []caller {
	type ctx = context.Context
	switch r := request.(type) {
	case alb.AddServersToServerGroupRequest:
		v2, old := convert[albv2.AddServersToServerGroupRequest](r), p.toOldAdd(r)
		return []caller{
			{"ours", func(ctx ctx) error { _, err := o.alb.AddServersToServerGroup(ctx, r); return err }},
			{"alb-v2", func(ctx) error { _, err := p.albv2.AddServersToServerGroup(v2); return err }},
			{"alibaba-old", func(ctx) error { _, err := p.oldalb.AddServersToServerGroup(old); return err }},
		}
	case alb.ReplaceServersInServerGroupRequest:
		v2, old := convert[albv2.ReplaceServersInServerGroupRequest](r), p.toOldReplace(r)
		return []caller{
			{"ours", func(ctx ctx) error { _, err := o.alb.ReplaceServersInServerGroup(ctx, r); return err }},
			{"alb-v2", func(ctx) error { _, err := p.albv2.ReplaceServersInServerGroup(v2); return err }},
			{"alibaba-old", func(ctx) error { _, err := p.oldalb.ReplaceServersInServerGroup(old); return err }},
		}
	case slb.AddVServerGroupBackendServersRequest:
		v4, old := toSLBv4(r, region), p.toOldSLB(r, region)
		return []caller{
			{"ours", func(ctx ctx) error { _, err := o.slb.AddVServerGroupBackendServers(ctx, r); return err }},
			{"slb-v4", func(ctx) error { _, err := p.slbv4.AddVServerGroupBackendServers(v4); return err }},
			{"alibaba-old", func(ctx) error { _, err := p.oldslb.AddVServerGroupBackendServers(old); return err }},
		}
	case elb.BatchCreateMembersRequest:
		hw := toELB(r)
		return []caller{
			{"ours", func(ctx ctx) error { _, err := o.elb.BatchCreateMembers(ctx, r); return err }},
			{"huawei-elb", func(ctx) error { _, err := p.elb.BatchCreateMembers(hw); return err }},
		}
	case apig.AddVpcChannelMembersRequest:
		hw := toROMA(r)
		return []caller{
			{"ours", func(ctx ctx) error { _, err := o.roma.AddVpcChannelMembers(ctx, r); return err }},
			{"huawei-roma", func(ctx) error { _, err := p.roma.AddingBackendInstancesV2(hw); return err }},
		}
	case apiGateway:
		hw := toAPIG(apig.AddVpcChannelMembersRequest(r))
		return []caller{
			{"ours", func(ctx ctx) error {
				_, err := o.apig.AddVpcChannelMembers(ctx, apig.AddVpcChannelMembersRequest(r))
				return err
			}},
			{"huawei-apig", func(ctx) error { _, err := p.apig.AddingBackendInstancesV2(hw); return err }},
		}
	}
	panic("no callers for this request")
}

// apiGateway is a request to API Gateway instead of ROMA Connect.
type apiGateway apig.AddVpcChannelMembersRequest
