package fakecloud_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb/fakecloud"
)

type assumptionCase struct {
	assumption fakecloud.Assumption
	opts       []fakecloud.Option
	do         func(world) string
	with       string
	without    string
}

func assumptionCases() []assumptionCase {
	return []assumptionCase{
		{
			assumption: fakecloud.UnknownParametersRefused,
			do:         func(w world) string { return did(w.groups("Color", "red")) },
			with:       "InvalidParameter", without: "200",
		},
		{
			assumption: fakecloud.RepeatedParametersRefused,
			do: func(w world) string {
				return did(w.rpc("2020-06-16", "ListServerGroups", url.Values{"MaxResults": {"0"}}, url.Values{"MaxResults": {"9"}}))
			},
			with: "InvalidParameter", without: "200",
		},
		{
			assumption: fakecloud.EmptyValuesAbsent,
			do:         func(w world) string { return did(w.groups("MaxResults", "")) },
			with:       "200", without: "InvalidParameter",
		},
		{
			assumption: fakecloud.AnyCaseInBackendServers,
			do: func(w world) string {
				return did(w.slbGroup("SetVServerGroupAttribute", fields{"BackendServers": `[{"serverid": "i-0", "serverip": "10.0.0.1", "PORT": 80, "weight": 1}]`}))
			},
			with: "200", without: "InvalidParameter",
		},
		{
			assumption: fakecloud.ALBMissingNamed,
			do: func(w world) string {
				return did(w.alb("DeleteServerGroup", nil)) + " " + did(w.alb("UnTagResources", fields{"ResourceType": "servergroup", "ResourceId": []string{"sgp-1"}}))
			},
			with: "MissingServerGroupId MissingTagKey", without: "MissingParameter MissingParameter",
		},
		{
			assumption: fakecloud.ALBInvalidParameter,
			do: func(w world) string {
				return did(w.groups("MaxResults", "many")) + " " + did(w.groups("NextToken", "other"))
			},
			with: "InvalidParameter InvalidParameter", without: "IllegalParam.MaxResults IllegalParam.NextToken",
		},
		{
			assumption: fakecloud.BudgetsSlide,
			opts:       budgeted("alb", "ListServerGroups"),
			do: func(w world) string {
				w.groups()
				advance(50 * time.Second)
				w.groups()
				advance(10 * time.Second)
				return did(w.groups()) + " " + did(w.groups())
			},
			with: "200 Throttling.User", without: "200 200",
		},
		{
			assumption: fakecloud.RefusedCallsCount,
			opts:       budgeted("alb", "ListServerGroups"),
			do: func(w world) string {
				for _, bad := range []bool{true, false, false} { // before the budget was full once
					w.groups("MaxResults", map[bool]string{true: "many", false: "9"}[bad])
				}
				advance(time.Minute)
				w.groups("Color", "red")
				w.groups("Color", "red")
				return did(w.groups()) + " " + did(w.groups()) + " " + did(w.groups())
			},
			with: "Throttling.User Throttling.User Throttling.User", without: "200 200 Throttling.User",
		},
		{
			assumption: fakecloud.BadSignaturesFree,
			opts:       budgeted("alb", "ListServerGroups"),
			do: func(w world) string {
				w.after = func(r *http.Request) { r.Header.Set("X-Acs-Signature-Nonce", "changed") }
				code := did(w.groups())
				w.groups()
				w.after = nil
				return code + " " + did(w.groups())
			},
			with: "SignatureDoesNotMatch 200", without: "SignatureDoesNotMatch Throttling.User",
		},
		{
			assumption: fakecloud.RateLimitWithoutReset,
			opts:       budgeted("alb", "ListServerGroups"),
			do: func(w world) string {
				w.groups()
				w.groups()
				return w.groups().header.Get("X-Ratelimit-User-Api")
			},
			with: "Limit:2,Remain:0,TimeLeft:60000", without: "Limit:2,Remain:0,TimeLeft:60000,Reset:946684860000",
		},
		{
			assumption: fakecloud.RateLimitOnlyOver,
			opts:       budgeted("alb", "ListServerGroups"),
			do: func(w world) string {
				return w.groups().header.Get("X-Ratelimit-User-Api") + ";" + w.groups().header.Get("X-Ratelimit-User-Api")
			},
			with: ";", without: "Limit:2,Remain:1,TimeLeft:60000;Limit:2,Remain:0,TimeLeft:60000",
		},
		{
			assumption: fakecloud.HuaweiThrottlingTellsWait,
			opts:       budgeted("elb", "ListMembers"),
			do: func(w world) string {
				w.members("")
				w.members("")
				advance(20 * time.Second)
				return fmt.Sprint(w.members("").at("error_msg"))
			},
			with: "The throttling threshold has been reached: policy user over ratelimit,limit:2,time:40 second", without: "The throttling threshold has been reached: policy user over ratelimit,limit:2,time:60 second",
		},
		{
			assumption: fakecloud.ExpiredKeysUnknown,
			opts:       []fakecloud.Option{fakecloud.WithCredentialsExpiry(time.Hour)},
			do: func(w world) string {
				advance(time.Hour)
				return did(w.groups())
			},
			with: "InvalidAccessKeyId.NotFound", without: "InvalidAccessKeyId.Inactive",
		},
		{
			assumption: fakecloud.FailedEntriesSayFailed,
			do: func(w world) string {
				w.cloud.Inject(fakecloud.Fault{Effect: fakecloud.PartialSuccess(1)})
				return column(w.rest("POST", w.elb+"pools/pool-1/members/batch-delete", fields{"members": []fields{{"id": "m-0"}, {"id": "m-z"}}}), "ret_status", "members")
			},
			with: "successful failed", without: "successful",
		},
		{
			assumption: fakecloud.ALBPrivateAddresses,
			do: func(w world) string {
				return did(w.add("i-0", nil)) + " " + did(w.add("i-9", nil)) + " " + column(w.alb("ListServerGroupServers", fields{"ServerIds": []string{"i-9"}}), "ServerIp", "Servers")
			},
			with: "Conflict.BackendServer 200 192.168.99.61", without: "Conflict.BackendServer 200 ",
		},
		{
			assumption: fakecloud.ALBWeightsAtJobEnd,
			do: func(w world) string {
				w.alb("UpdateServerGroupServersAttribute", fields{"ServerGroupId": "sgp-1", "Servers": []fields{{"ServerId": "i-0", "ServerType": "Ecs", "Port": 80, "Weight": 9}}})
				before := w.weights()
				advance(time.Minute)
				return before + ", " + w.weights()
			},
			with: "50 0, 9 0", without: "9 0, 9 0",
		},
		{
			assumption: fakecloud.ALBWeightDefaultOnUpdate,
			do: func(w world) string {
				w.alb("UpdateServerGroupServersAttribute", fields{"ServerGroupId": "sgp-1", "Servers": []fields{{"ServerId": "i-0", "ServerType": "Ecs", "Port": 80}}})
				advance(time.Minute)
				return w.weights()
			},
			with: "100 0", without: "50 0",
		},
		{
			assumption: fakecloud.ALBRefusalsForgetTokens,
			do: func(w world) string {
				first := did(w.alb("DeleteServerGroup", fields{"ServerGroupId": "sgp-3", "ClientToken": "token"}))
				w.cloud.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-3"})
				return first + " " + did(w.alb("DeleteServerGroup", fields{"ServerGroupId": "sgp-3", "ClientToken": "token"}))
			},
			with: "ResourceNotFound.ServerGroup 200", without: "ResourceNotFound.ServerGroup ResourceNotFound.ServerGroup",
		},
		{
			assumption: fakecloud.ALBFailedJobsUndo,
			do: func(w world) string {
				w.cloud.Inject(fakecloud.Fault{Effect: fakecloud.JobFails("SystemBusy", "")})
				w.add("i-1", nil)
				advance(time.Minute)
				return w.weights() + " " + column(w.alb("ListAsynJobs", nil), "Status", "Jobs")
			},
			with: "50 0 Failed", without: "50 0 100 Failed",
		},
		{
			assumption: fakecloud.ALBUnknownJobsLeftOut,
			do:         func(w world) string { return did(w.alb("ListAsynJobs", fields{"JobIds": []string{"unknown"}})) },
			with:       "200", without: "ResourceNotFound.JobId",
		},
		{
			assumption: fakecloud.ALBConfigsMerge,
			do: func(w world) string {
				for _, config := range []fields{{"StickySessionEnabled": true, "StickySessionType": "Insert", "CookieTimeout": 77}, {"StickySessionEnabled": true}} {
					w.alb("UpdateServerGroupAttribute", fields{"ServerGroupId": "sgp-1", "StickySessionConfig": config})
					advance(time.Minute)
				}
				return fmt.Sprint(w.groups("ServerGroupIds.1", "sgp-1").at("ServerGroups", 0, "StickySessionConfig", "CookieTimeout"))
			},
			with: "77", without: "1000",
		},
		{
			assumption: fakecloud.ALBTemplatesLeaveSwitch,
			do: func(w world) string {
				r := w.alb("UpdateServerGroupAttribute", fields{"ServerGroupId": "sgp-1", "HealthCheckConfig": fields{"HealthCheckEnabled": false}})
				advance(time.Minute)
				w.apply("sgp-1")
				advance(time.Minute)
				return did(r) + " " + fmt.Sprint(w.groups("ServerGroupIds.1", "sgp-1").at("ServerGroups", 0, "HealthCheckConfig", "HealthCheckEnabled"))
			},
			with: "200 false", without: "200 true",
		},
		{
			assumption: fakecloud.ALBTemplatesLock,
			do: func(w world) string {
				w.apply("sgp-1")
				return did(w.alb("DeleteHealthCheckTemplates", fields{"HealthCheckTemplateIds": []string{"hct-1"}}))
			},
			with: "IncorrectStatus.HealthCheckTemplate", without: "200",
		},
		{
			assumption: fakecloud.ALBTemplatesShared,
			do: func(w world) string {
				w.apply("sgp-1")
				return did(w.apply("sgp-2"))
			},
			with: "200", without: "IncorrectStatus.HealthCheckTemplate",
		},
		{
			assumption: fakecloud.ALBTemplatesTogether,
			do: func(w world) string {
				r := w.alb("DeleteHealthCheckTemplates", fields{"HealthCheckTemplateIds": []string{"hct-1", "hct-9"}})
				return did(r) + " " + column(w.alb("ListHealthCheckTemplates", nil), "HealthCheckTemplateId", "HealthCheckTemplates")
			},
			with: "ResourceNotFound.HealthCheckTemplate hct-1 hct-2", without: "200 hct-2",
		},
		{
			assumption: fakecloud.ALBTagKeysOnce,
			do: func(w world) string {
				r := w.alb("TagResources", fields{"ResourceType": "servergroup", "ResourceId": []string{"sgp-1"}, "Tag": []fields{{"Key": "k", "Value": "1"}, {"Key": "k", "Value": "2"}}})
				return did(r) + " " + column(w.groups(), "Tags", "ServerGroups")
			},
			with: "DuplicatedParam.TagKey [] []", without: "200 [map[Key:k Value:2]] []",
		},
		{
			assumption: fakecloud.ALBHealthPaged,
			do: func(w world) string {
				r := w.alb("GetListenerHealthStatus", fields{"ListenerId": "lsr-1", "IncludeRule": true, "MaxResults": 1})
				return fmt.Sprint(r.len("ListenerHealthStatus"), r.len("RuleHealthStatus"), r.at("NextToken") != "")
			},
			with: "1 0 true", without: "1 1 false",
		},
		{
			assumption: fakecloud.ALBUnusedListed,
			do:         func(w world) string { return w.health() },
			with:       "Unused", without: "",
		},
		{
			assumption: fakecloud.ALBInitialListed,
			do: func(w world) string {
				w.add("i-1", nil)
				return w.health()
			},
			with: "Unused Initial", without: "Unused",
		},
		{
			assumption: fakecloud.ALBUncheckedListed,
			do: func(w world) string {
				w.alb("UpdateServerGroupAttribute", fields{"ServerGroupId": "sgp-1", "HealthCheckConfig": fields{"HealthCheckEnabled": false}})
				advance(time.Minute)
				return w.health()
			},
			with: "Unavailable Unavailable", without: "",
		},
		{
			assumption: fakecloud.SLBDefaultGroupPortless,
			do: func(w world) string {
				return did(w.slb("AddBackendServers", fields{"LoadBalancerId": "lb-1", "BackendServers": []fields{server("i-0", "Port", 81)}}))
			},
			with: "InvalidParameter", without: "200",
		},
		{
			assumption: fakecloud.SLBNothingNamedRefused,
			do: func(w world) string {
				return did(w.slbGroup("ModifyVServerGroupBackendServers", nil)) + " " + did(w.slb("AddBackendServers", fields{"LoadBalancerId": "lb-1", "BackendServers": "[]"}))
			},
			with: "MissingParameter MissingParameter", without: "200 200",
		},
		{
			assumption: fakecloud.SLBModifyOldPresent,
			do: func(w world) string {
				r := w.slbGroup("ModifyVServerGroupBackendServers", fields{"OldBackendServers": []fields{server("i-9")}, "NewBackendServers": []fields{server("i-1")}})
				return did(r) + " " + w.vservers()
			},
			with: "InvalidServerId.NotFound i-0 100", without: "200 i-0 i-1 100 7",
		},
		{
			assumption: fakecloud.SLBModifyNewAbsent,
			do: func(w world) string {
				r := w.slbGroup("ModifyVServerGroupBackendServers", fields{"NewBackendServers": []fields{server("i-0")}})
				return did(r) + " " + w.vservers()
			},
			with: "InvalidParameter i-0 100", without: "200 i-0 7",
		},
		{
			assumption: fakecloud.SLBAddTogether,
			do: func(w world) string {
				r := w.slbGroup("AddVServerGroupBackendServers", fields{"BackendServers": []fields{server("i-0"), server("i-1")}})
				return did(r) + " " + w.vservers()
			},
			with: "InvalidParameter i-0 100", without: "InvalidParameter i-0 i-1 100 7",
		},
		{
			assumption: fakecloud.SLBPresentIsInvalid,
			do: func(w world) string {
				return did(w.slbGroup("AddVServerGroupBackendServers", fields{"BackendServers": []fields{server("i-0")}}))
			},
			with: "InvalidParameter", without: "InvalidBackendServers.ServerIpConflict",
		},
		{
			assumption: fakecloud.SLBSetNeedsPresent,
			do: func(w world) string {
				r := w.slbGroup("SetVServerGroupAttribute", fields{"BackendServers": []fields{server("i-9"), server("i-0")}})
				return did(r) + " " + w.vservers()
			},
			with: "InvalidServerId.NotFound i-0 100", without: "200 i-0 7",
		},
		{
			assumption: fakecloud.SLBDescriptionIsName,
			do: func(w world) string {
				return column(w.slb("DescribeVServerGroups", fields{"LoadBalancerId": "lb-1", "Description": "web"}), "VServerGroupId", "VServerGroups", "VServerGroup")
			},
			with: "rsp-1", without: "",
		},
		{
			assumption: fakecloud.SLBWeightZeroNormal,
			do: func(w world) string {
				w.cloud.AddClassicLoadBalancer(fakecloud.ClassicLoadBalancer{ID: "lb-2", Servers: []fakecloud.BackendServer{{ID: "i-0", Weight: new(int)}}, Listeners: []fakecloud.ClassicListener{{Port: 80}}})
				return column(w.slb("DescribeHealthStatus", fields{"LoadBalancerId": "lb-2"}), "ServerHealthStatus", "BackendServers", "BackendServer")
			},
			with: "normal", without: "abnormal",
		},
		{
			assumption: fakecloud.SLBServersCountPerGroup,
			do: func(w world) string {
				var many []fakecloud.BackendServer
				for i := range 199 {
					many = append(many, fakecloud.BackendServer{ID: fmt.Sprint("i-", i), Port: 80})
				}
				w.cloud.AddVServerGroup(fakecloud.VServerGroup{LoadBalancerID: "lb-2", Servers: many})
				return did(w.slb("CreateVServerGroup", fields{"LoadBalancerId": "lb-2", "BackendServers": []fields{server("i-0"), server("i-1")}}))
			},
			with: "TooManyBackendServers", without: "200",
		},
		{
			assumption: fakecloud.ELBLockedSaysPending,
			opts:       []fakecloud.Option{fakecloud.WithLoadBalancerPending(time.Second)},
			do: func(w world) string {
				w.rest("DELETE", w.elb+"pools/pool-1/members/m-0", nil)
				r := w.rest("DELETE", w.elb+"pools/pool-1/members/m-z", nil)
				return did(r) + " " + fmt.Sprint(strings.Contains(fmt.Sprint(r.at("error_msg")), "PENDING_UPDATE"))
			},
			with: "ELB.8907 true", without: "ELB.8907 false",
		},
		{
			assumption: fakecloud.ELBRefusalsLockNothing,
			opts:       []fakecloud.Option{fakecloud.WithLoadBalancerPending(time.Second)},
			do: func(w world) string {
				w.rest("DELETE", w.elb+"pools/pool-1/members/unknown", nil)
				return did(w.rest("DELETE", w.elb+"pools/pool-1/members/m-z", nil))
			},
			with: "204", without: "ELB.8907",
		},
		{
			assumption: fakecloud.ELBWeightZeroChecked,
			do:         func(w world) string { return w.states() },
			with:       "ONLINE ONLINE", without: "ONLINE NO_MONITOR",
		},
		{
			assumption: fakecloud.ELBNewMonitorKnows,
			do: func(w world) string {
				r := w.rest("DELETE", w.elb+"healthmonitors/hm-1", nil)
				w.rest("POST", w.elb+"healthmonitors", fields{"healthmonitor": fields{"pool_id": "pool-1", "type": "TCP", "delay": 5, "timeout": 3, "max_retries": 3}})
				return did(r) + " " + w.states()
			},
			with: "204 ONLINE ONLINE", without: "204 INITIAL INITIAL",
		},
		{
			assumption: fakecloud.ELBMonitorOffIsNone,
			do: func(w world) string {
				w.rest("PUT", w.elb+"healthmonitors/hm-1", fields{"healthmonitor": fields{"admin_state_up": false}})
				return w.states()
			},
			with: "NO_MONITOR NO_MONITOR", without: "UNKNOWN UNKNOWN",
		},
		{
			assumption: fakecloud.ELBOfflineHasReason,
			do: func(w world) string {
				w.cloud.SetHealth("10.0.0.1", false)
				return fmt.Sprint(w.members("").at("members", 0, "reason", "reason_code"))
			},
			with: "CONNECT_TIMEOUT", without: "<nil>",
		},
		{
			assumption: fakecloud.ELBOfflineDegrades,
			do: func(w world) string {
				w.cloud.SetHealth("10.0.0.1", false)
				return fmt.Sprint(w.rest("GET", w.elb+"loadbalancers/elb-1/statuses", nil).at("statuses", "loadbalancer", "operating_status"))
			},
			with: "DEGRADED", without: "ONLINE",
		},
		{
			assumption: fakecloud.ELBSubnetOptional,
			do: func(w world) string {
				return did(w.rest("POST", w.elb+"pools/pool-1/members", fields{"member": fields{"address": "10.0.0.7", "protocol_port": 80}}))
			},
			with: "201", without: "ELB.8902",
		},
		{
			assumption: fakecloud.ELBLimitZeroIsDefault,
			do:         func(w world) string { return did(w.members("?limit=0")) },
			with:       "200", without: "ELB.8902",
		},
		{
			assumption: fakecloud.ELBOnePoolPerListener,
			do: func(w world) string {
				return did(w.rest("POST", w.elb+"pools", fields{"pool": fields{"protocol": "HTTP", "lb_algorithm": "ROUND_ROBIN", "listener_id": "lsn-1"}}))
			},
			with: "ELB.8907", without: "201",
		},
		{
			assumption: fakecloud.ELBUpdatePoolMerges,
			do: func(w world) string {
				for _, slow := range []fields{{"enable": true, "duration": 77}, {"enable": true}} {
					w.rest("PUT", w.elb+"pools/pool-1", fields{"pool": fields{"slow_start": slow}})
				}
				return fmt.Sprint(w.rest("GET", w.elb+"pools/pool-1", nil).at("pool", "slow_start", "duration"))
			},
			with: "77", without: "<nil>",
		},
		{
			assumption: fakecloud.ELBAnyPortNeedsEmptyPool,
			do: func(w world) string {
				w.cloud.AddPool(fakecloud.Pool{ID: "pool-t", Protocol: "TCP", Members: []fakecloud.PoolMember{{Address: "10.0.0.1", Port: 80}}})
				return did(w.rest("PUT", w.elb+"pools/pool-t", fields{"pool": fields{"any_port_enable": true}}))
			},
			with: "ELB.8902", without: "200",
		},
		{
			assumption: fakecloud.ELBPoolsDeletedTogether,
			do: func(w world) string {
				r := w.rest("POST", w.elb+"pools/batch-delete", fields{"pools": []string{"pool-1", "pool-2"}})
				return did(r) + " " + column(r, "ret_status", "pools")
			},
			with: "ELB.8907 ", without: "200 failed successful",
		},
		{
			assumption: fakecloud.ELBPairsListedApart,
			do: func(w world) string {
				pair := w.pair()
				return did(pair) + fmt.Sprint(" ", w.rest("GET", w.elb+"pools", nil).len("pools"), w.rest("GET", w.elb+"members", nil).len("members"))
			},
			with: "201 3 2", without: "201 4 4",
		},
		{
			assumption: fakecloud.ELBPairMonitorsListed,
			do: func(w world) string {
				w.pair()
				return fmt.Sprint(w.rest("GET", w.elb+"healthmonitors", nil).len("healthmonitors"))
			},
			with: "2", without: "1",
		},
		{
			assumption: fakecloud.ELBPairMonitorsStay,
			do: func(w world) string {
				id := fmt.Sprint(w.pair().at("pool", "healthmonitor", "id"))
				pair := fmt.Sprint(w.rest("GET", w.elb+"master-slave-pools", nil).at("pools", 0, "id"))
				return did(w.rest("DELETE", w.elb+"healthmonitors/"+id, nil)) + " " + did(w.rest("GET", w.elb+"master-slave-pools/"+pair, nil)) + " " + did(w.rest("DELETE", w.elb+"master-slave-pools/"+pair, nil))
			},
			with: "ELB.8907 200 204", without: "204 200 204",
		},
		{
			assumption: fakecloud.ELBDiagnosisOfStart,
			do: func(w world) string {
				job := w.diagnosis("m-0")
				w.cloud.SetHealth("10.0.0.1", true)
				return w.diagnosed(job)
			},
			with: "config:false security_group:true", without: "config:true security_group:true",
		},
		{
			assumption: fakecloud.ELBDiagnosisInConfig,
			do:         func(w world) string { return w.diagnosed(w.diagnosis("m-0")) },
			with:       "config:false security_group:true", without: "config:true security_group:false",
		},
		{
			assumption: fakecloud.ELBDiagnosisOfAll,
			do:         func(w world) string { return w.diagnosed(w.diagnosis("m-0")) },
			with:       "config:false security_group:true", without: "config:false security_group:<nil>",
		},
		{
			assumption: fakecloud.APIGWeightDefault,
			do: func(w world) string {
				return column(w.channel("POST", "/members", fields{"members": []fields{{"host": "10.0.0.1", "port": 80, "member_group_name": "group"}}}), "weight", "members")
			},
			with: "1", without: "5",
		},
		{
			assumption: fakecloud.APIGAnswersNamed,
			do: func(w world) string {
				return column(w.channel("POST", "/members", fields{"members": []fields{{"host": "10.0.0.3", "port": 80}}}), "host", "members")
			},
			with: "10.0.0.3", without: "10.0.0.1 10.0.0.2 10.0.0.3",
		},
		{
			assumption: fakecloud.APIGReplacedKeepIDs,
			do: func(w world) string {
				r := w.channel("PUT", "/members", fields{"members": []fields{{"host": "10.0.0.2", "port": 80}}})
				return fmt.Sprint(r.at("members", 0, "id") == "cm-1")
			},
			with: "true", without: "false",
		},
		{
			assumption: fakecloud.APIGGroupsDeleteMembers,
			do: func(w world) string {
				w.channel("DELETE", "/member-groups/"+w.group(), nil)
				return column(w.channel("GET", "/members", nil), "host", "members")
			},
			with: "10.0.0.2", without: "10.0.0.1 10.0.0.2",
		},
		{
			assumption: fakecloud.APIGGroupsRenameMembers,
			do: func(w world) string {
				w.channel("PUT", "/member-groups/"+w.group(), fields{"member_group_name": "renamed"})
				return column(w.channel("GET", "/members", nil), "member_group_name", "members")
			},
			with: "renamed <nil>", without: "<nil> <nil>",
		},
		{
			assumption: fakecloud.APIGProjectTogether,
			do: func(w world) string {
				r := w.rest("POST", w.project(), fields{"name": "new", "port": 80, "balance_strategy": 1, "member_type": "ip", "type": 2, "instance_ids": []string{"gw-2", "gw-9"}})
				return did(r) + fmt.Sprint(" ", w.rest("GET", w.project(), nil).at("total"))
			},
			with: "APIG.3030 1", without: "APIG.3030 2",
		},
		{
			assumption: fakecloud.APIGCopiesAreNew,
			do: func(w world) string {
				r := w.rest("POST", w.project()+"/syncs", fields{"vpc_channel_id": "vc-1", "instance_ids": []string{"gw-2"}})
				return did(r) + fmt.Sprint(" ", r.at("project_vpc_channels", 0, "id") == "vc-1")
			},
			with: "201 false", without: "201 true",
		},
		{
			assumption: fakecloud.APIGDisabledUnknown,
			do:         func(w world) string { return w.channelHealth() },
			with:       "healthy unknown", without: "healthy healthy",
		},
		{
			assumption: fakecloud.APIGNewCheckKnows,
			do: func(w world) string {
				for _, status := range []int{2, 1} {
					w.channel("PUT", "/health-config", fields{"protocol": "TCP", "threshold_normal": 2, "threshold_abnormal": 5, "time_interval": 10, "timeout": 5, "status": status})
				}
				return w.channelHealth()
			},
			with: "healthy unknown", without: "unknown unknown",
		},
		{
			assumption: fakecloud.APIGGroupWeights,
			do: func(w world) string {
				w.cloud.AddVPCChannel(fakecloud.VPCChannel{
					ID: "vc-2", Name: "two", InstanceID: "gw-2",
					GroupSettings: map[string]map[string]any{"heavy": {"member_group_weight": 3}, "none": {"member_group_weight": 0}},
					Members: []fakecloud.ChannelMember{
						{Host: "a1", Group: "heavy", Weight: new(1)},
						{Host: "a2", Group: "heavy", Weight: new(2)},
						{Host: "b", Group: "light", Weight: new(7)},
						{Host: "c", Group: "none"},
						{Host: "d", Weight: new(7)},
						{Host: "e", Group: "light", Disabled: true},
					},
				})
				users := w.cloud.Traffic("vc-2", 18)
				advance(10 * time.Second)
				return users.Report().String()
			},
			with:    "180 requests, 0 lost: 0 with no member in service (0s), 0 sent to stopped members, 0 cut; a1:80 got 36 a2:80 got 72 b:80 got 36 c:80 got 0 d:80 got 36 e:80 got 0",
			without: "180 requests, 0 lost: 0 with no member in service (0s), 0 sent to stopped members, 0 cut; a1:80 got 10 a2:80 got 20 b:80 got 70 c:80 got 10 d:80 got 70 e:80 got 0",
		},
		{
			assumption: fakecloud.TrafficSeesHealth,
			do: func(w world) string {
				w.cloud.SetHealth("i-0", false)
				users := w.cloud.Traffic("rsp-1", 10)
				advance(time.Second)
				return fmt.Sprint(users.Lost())
			},
			with: "10", without: "0",
		},
	}
}
