package bench

import (
	"testing"

	albv2 "github.com/alibabacloud-go/alb-20200616/v2/client"
	slbv4 "github.com/alibabacloud-go/slb-20140515/v4/client"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	oldalb "github.com/aliyun/alibaba-cloud-sdk-go/services/alb"
	oldslb "github.com/aliyun/alibaba-cloud-sdk-go/services/slb"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth"
	"github.com/huaweicloud/huaweicloud-sdk-go-v3/core/auth/basic"
	hwrequest "github.com/huaweicloud/huaweicloud-sdk-go-v3/core/request"
	hwapigmodel "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/apig/v2/model"
	hwelb "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/elb/v3"
	hwelbmodel "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/elb/v3/model"
	hwelbregion "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/elb/v3/region"
	hwromamodel "github.com/huaweicloud/huaweicloud-sdk-go-v3/services/roma/v2/model"

	"github.com/cloudlb/cloudlb/fakecloud"
)

// TestFakecloudServesTheLists are the lists and single looks that a program
// starts from, with every peer.
func TestFakecloudServesTheLists(t *testing.T) {
	cloud, p, who := emulator(t)
	group := cloud.AddServerGroup(fakecloud.ServerGroup{Name: "web"})
	vgroup := cloud.AddVServerGroup(fakecloud.VServerGroup{Name: "web", LoadBalancerID: "lb-1"})
	pool := cloud.AddPool(fakecloud.Pool{Name: "web", Members: []fakecloud.PoolMember{{ID: "m-1", Address: "10.0.0.1", Port: 80}}})
	instance := cloud.AddInstance("")
	channel := cloud.AddVPCChannel(fakecloud.VPCChannel{InstanceID: instance, Name: "web"})

	for name, call := range map[string]func() (any, error){
		"alb-v2 ListServerGroups": func() (any, error) {
			return p.albv2.ListServerGroups(&albv2.ListServerGroupsRequest{
				ServerGroupIds: []*string{&group}, ServerGroupNames: []*string{new("web")}, MaxResults: new(int32(20)),
			})
		},
		"alb-v2 ListAsynJobs": func() (any, error) {
			return p.albv2.ListAsynJobs(&albv2.ListAsynJobsRequest{ApiName: new("AddServersToServerGroup"), MaxResults: new(int64(20))})
		},
		"alb-v2 ListServerGroupServers": func() (any, error) {
			return p.albv2.ListServerGroupServers(&albv2.ListServerGroupServersRequest{ServerGroupId: &group, ServerIds: []*string{new("i-1")}})
		},
		"old ListServerGroups": func() (any, error) {
			r := oldalb.CreateListServerGroupsRequest()
			p.old(r.RpcRequest)
			r.ServerGroupIds, r.MaxResults = &[]string{group}, requests.NewInteger(20)
			return p.oldalb.ListServerGroups(r)
		},
		"slb-v4 DescribeVServerGroups": func() (any, error) {
			return p.slbv4.DescribeVServerGroups(&slbv4.DescribeVServerGroupsRequest{RegionId: &who.region, LoadBalancerId: new("lb-1"), IncludeRule: new(true)})
		},
		"slb-v4 DescribeVServerGroupAttribute": func() (any, error) {
			return p.slbv4.DescribeVServerGroupAttribute(&slbv4.DescribeVServerGroupAttributeRequest{RegionId: &who.region, VServerGroupId: &vgroup})
		},
		"old DescribeVServerGroups": func() (any, error) {
			r := oldslb.CreateDescribeVServerGroupsRequest()
			p.old(r.RpcRequest)
			r.LoadBalancerId = "lb-1"
			return p.oldslb.DescribeVServerGroups(r)
		},
		"huawei ShowMember": func() (any, error) {
			return p.elb.ShowMember(&hwelbmodel.ShowMemberRequest{PoolId: pool, MemberId: "m-1"})
		},
		"huawei ShowPool":  func() (any, error) { return p.elb.ShowPool(&hwelbmodel.ShowPoolRequest{PoolId: pool}) },
		"huawei ListPools": func() (any, error) { return p.elb.ListPools(&hwelbmodel.ListPoolsRequest{Id: &[]string{pool}}) },
		"huawei ListMembers": func() (any, error) {
			return p.elb.ListMembers(&hwelbmodel.ListMembersRequest{PoolId: pool, Address: &[]string{"10.0.0.1"}, ProtocolPort: &[]int32{80}})
		},
		"huawei-apig ListVpcChannelsV2": func() (any, error) {
			return p.apig.ListVpcChannelsV2(&hwapigmodel.ListVpcChannelsV2Request{InstanceId: instance, Limit: new(int32(20)), Name: new("web")})
		},
		"huawei-apig ShowDetailsOfVpcChannelV2": func() (any, error) {
			return p.apig.ShowDetailsOfVpcChannelV2(&hwapigmodel.ShowDetailsOfVpcChannelV2Request{InstanceId: instance, VpcChannelId: channel})
		},
		"huawei-roma ListVpcChannelsV2": func() (any, error) {
			return p.roma.ListVpcChannelsV2(&hwromamodel.ListVpcChannelsV2Request{InstanceId: instance})
		},
		"huawei-roma ShowDetailsOfVpcChannelV2": func() (any, error) {
			return p.roma.ShowDetailsOfVpcChannelV2(&hwromamodel.ShowDetailsOfVpcChannelV2Request{InstanceId: instance, VpcChannelId: channel})
		},
	} {
		if _, err := call(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	allServed(t, cloud, 15)
}

// TestFakecloudServesTemporaryKeys signs with a security token, with each
// vendor's newest SDK and the older one.
func TestFakecloudServesTemporaryKeys(t *testing.T) {
	who := example("")
	const token = "CAIS+token/with=characters"
	cloud := fakecloud.New(fakecloud.WithRegion(who.region), fakecloud.WithCredentials(who.accessKey, who.secret, token))
	server, err := cloud.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	who.url, who.project = server.URL, cloud.ProjectID()
	group := cloud.AddServerGroup(fakecloud.ServerGroup{})
	pool := cloud.AddPool(fakecloud.Pool{})

	cfg := who.openapi()
	cfg.SecurityToken = new(token)
	v2, err := albv2.NewClient(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v2.ListServerGroupServers(&albv2.ListServerGroupServersRequest{ServerGroupId: &group}); err != nil {
		t.Errorf("alb-v2: %v", err)
	}
	old, err := oldalb.NewClientWithStsToken(who.region, who.accessKey, who.secret, token)
	if err != nil {
		t.Fatal(err)
	}
	r := oldalb.CreateListServerGroupServersRequest()
	(&peers{host: who.host()}).old(r.RpcRequest)
	r.ServerGroupId = group
	if _, err := old.ListServerGroupServers(r); err != nil {
		t.Errorf("alibaba-old: %v", err)
	}
	cred, err := basic.NewCredentialsBuilder().WithAk(who.accessKey).WithSk(who.secret).WithSecurityToken(token).WithProjectId(who.project).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	listMembers(t, "huawei-elb", who, pool, cred)
	allServed(t, cloud, 3)
}

// TestFakecloudServesDerivedSignatures signs with V11.
func TestFakecloudServesDerivedSignatures(t *testing.T) {
	who := example("")
	who.region = "cn-north-4"
	cloud := fakecloud.New(fakecloud.WithRegion(who.region), fakecloud.WithCredentials(who.accessKey, who.secret, ""))
	server, err := cloud.Listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	who.url, who.project = server.URL, cloud.ProjectID()
	pool := cloud.AddPool(fakecloud.Pool{})
	cred, err := basic.NewCredentialsBuilder().WithAk(who.accessKey).WithSk(who.secret).WithProjectId(who.project).
		WithDerivedPredicate(func(*hwrequest.DefaultHttpRequest) bool { return true }).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	listMembers(t, "V11", who, pool, cred)
	allServed(t, cloud, 1)
}

func listMembers(t *testing.T, name string, who target, pool string, cred auth.ICredential) {
	t.Helper()
	region := hwelbregion.CN_NORTH_4.WithEndpointsOverride([]string{who.url})
	http, err := hwelb.ElbClientBuilder().WithDerivedAuthServiceName("elb").WithRegion(region).WithCredential(cred).SafeBuild()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := hwelb.NewElbClient(http).ListMembers(&hwelbmodel.ListMembersRequest{PoolId: pool}); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}
