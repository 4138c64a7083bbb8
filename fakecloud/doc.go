// Package fakecloud is a strict emulator of the services that cloudlb speaks:
// Alibaba Cloud ALB and classic SLB, Huawei Cloud ELB and APIG (ROMA Connect),
// and the one call of Huawei's IAM that clients need. It is for tests: of this
// library, of deploy tools, of programs in other languages.
//
//	cloud := fakecloud.New()
//	group := cloud.AddServerGroup(fakecloud.ServerGroup{Name: "web"})
//	lb, err := alb.New(cloud.Config())
//
// A Cloud answers in process through an http.RoundTripper, without goroutines
// or timers: what changes with time is derived from time.Now when somebody
// looks, so an hour of waiting inside a testing/synctest bubble takes no time.
// Listen serves the same over TCP on a loopback address. Which service a
// request is for is decided by its content; all of them have one endpoint.
//
// # What is emulated
//
// Signatures are verified, by code of its own: ACS3-HMAC-SHA256 and the older
// HMAC-SHA1 for Alibaba, SDK-HMAC-SHA256, V11-HMAC-SHA256 and X-Auth-Token for
// Huawei, with the clock's 15 minutes and used nonces. Parameters are checked
// against the same spec that the clients are generated from: unknown, misspelt,
// misplaced and repeated names, types, ranges, lengths, patterns, list sizes
// and list indexes. Then the operations do what the real ones do:
//
//   - ALB: AddServersToServerGroup, ReplaceServersInServerGroup,
//     RemoveServersFromServerGroup, UpdateServerGroupServersAttribute,
//     ListServerGroupServers, ListServerGroups, CreateServerGroup,
//     DeleteServerGroup, ListAsynJobs. Writes are jobs; until one is done its
//     group refuses the next. Client tokens and dry runs work.
//   - Classic SLB: CreateVServerGroup, AddVServerGroupBackendServers,
//     RemoveVServerGroupBackendServers, SetVServerGroupAttribute,
//     DescribeVServerGroupAttribute, DescribeVServerGroups. A change locks the
//     load balancer, all its groups included, for a moment.
//   - ELB: CreateMember, BatchCreateMembers, ListMembers, ShowMember,
//     UpdateMember, BatchUpdateMembers, DeleteMember, BatchDeleteMembers,
//     CreatePool, ListPools, ShowPool.
//   - APIG and ROMA Connect: AddingBackendInstancesV2, ListBackendInstancesV2,
//     UpdateBackendInstancesV2, DeleteBackendInstanceV2, BatchEnableMembers,
//     BatchDisableMembers, CreateVpcChannelV2, ListVpcChannelsV2,
//     ShowDetailsOfVpcChannelV2.
//   - IAM: GET /v3/projects.
//
// The spec's other operations answer 501 with code FakeCloud.NotImplemented,
// after the same checks.
//
// # What is documented and what is assumed
//
// Names, ranges, limits, error codes, states and their order, default weights,
// upsert and replacement rules, page sizes and answers' fields are documented
// by the vendors and come from spec/. These points are not, or not clearly, and
// are assumed:
//
//   - How long things take: WithJobDuration, WithConfiguringWindow,
//     WithMemberInitial.
//   - Alibaba: the gateway refuses unknown parameters and a repeated one. The
//     real one ignores many of them; here they are mistakes. Names inside
//     BackendServers may have any case, as with the real service, but unknown
//     ones are refused. An empty value is no value.
//   - Alibaba: a missing parameter is Missing<Name> on ALB and MissingParameter
//     on SLB; other bad ones are InvalidParameter where no code of their own is
//     documented.
//   - ALB: a server added without ServerIp gets a private address of its own,
//     and naming it with that address or without one means the same. New
//     weights show when the job is done. UpdateServerGroupServersAttribute
//     without Weight sets the documented default, 100. A client token is
//     remembered for good, that of a refused call or a dry run not at all. More
//     than 1,000 servers in a group: ResourceQuotaExceeded.ServersNum. Jobs are
//     listed for good; unknown job IDs are left out of the list.
//   - SLB: adding a present server is InvalidParameter ("The resource already
//     exists"), and nothing of the call is done; SetVServerGroupAttribute with
//     an absent one is InvalidServerId.NotFound. A region other than the
//     Cloud's is InvalidRegionId.NotFound.
//   - ELB: member health is ONLINE after INITIAL, and NO_MONITOR from the start
//     without a health monitor. subnet_cidr_id may be left out. A limit of 0
//     means the default. Quota: 1,000 members per pool.
//   - APIG: a channel answers in both path families. The weight of a member is
//     1 when left out. The answers to POST and PUT list the members that the
//     call named. PUT keeps the IDs of members that stay; with a group name,
//     entries that do not name that group are ignored. Member groups must
//     exist: APIG.2012. Enabling an unknown member is APIG.3024.
//   - Huawei: the project of somebody else is ELB.8903 and APIG.1005.
//
// Not emulated yet: rate budgets, failures on demand, locks of ELB and APIG,
// expiry of tokens and jobs, listeners and traffic.
package fakecloud
