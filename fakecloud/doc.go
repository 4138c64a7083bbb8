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
// or, but for answers that a Slow fault holds back, timers: what changes with
// time is derived from time.Now when somebody looks, so an hour of waiting
// inside a testing/synctest bubble takes no time.
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
//     DeleteServerGroup, UpdateServerGroupAttribute, ListAsynJobs; health check
//     templates (Create, Update, Delete, Get, List, Apply); tags (TagResources,
//     UnTagResources, ListTagResources, ListTagKeys, ListTagValues);
//     ListListeners, GetListenerHealthStatus, DescribeRegions, DescribeZones.
//     Writes of groups are jobs; until one is done its group refuses the next.
//     Client tokens and dry runs work.
//   - Classic SLB: CreateVServerGroup, AddVServerGroupBackendServers,
//     RemoveVServerGroupBackendServers, SetVServerGroupAttribute,
//     DescribeVServerGroupAttribute, DescribeVServerGroups, DeleteVServerGroup,
//     ModifyVServerGroupBackendServers; AddBackendServers, SetBackendServers and
//     RemoveBackendServers on the default group; primary/secondary groups
//     (Create, Delete, Describe); DescribeLoadBalancers,
//     DescribeLoadBalancerAttribute, DescribeHealthStatus, DescribeRegions. A
//     change locks the load balancer, all its groups included, for a moment.
//   - ELB: CreateMember, BatchCreateMembers, ListMembers, ShowMember,
//     UpdateMember, BatchUpdateMembers, DeleteMember, BatchDeleteMembers,
//     ListAllMembers; pools (Create, List, Show, Update, Delete,
//     DeletePoolCascade, BatchDeletePools), master-slave pools (Create, List,
//     Show, Delete), health monitors (Create, List, Show, Update, Delete);
//     CreateMemberHealthCheckJob, ShowMemberHealthCheckJob, ListJobs, ShowJob,
//     ShowLoadBalancerStatus, ShowQuota, ListQuotaDetails. A change can lock the
//     load balancer, all its pools included: WithLoadBalancerPending.
//   - APIG and ROMA Connect: AddingBackendInstancesV2, ListBackendInstancesV2,
//     UpdateBackendInstancesV2, DeleteBackendInstanceV2, BatchEnableMembers,
//     BatchDisableMembers, CreateVpcChannelV2, ListVpcChannelsV2,
//     ShowDetailsOfVpcChannelV2, UpdateVpcChannelV2, DeleteVpcChannelV2,
//     UpdateHealthCheck; member groups (Create, List, ShowDetails, Update,
//     Delete); ROMA Connect's CreateProjectVpcChannel,
//     CreateProjectVpcChannelSyncs, ListProjectVpcChannelsV2,
//     UpdateProjectVpcChannel. Writes can collide: WithChannelWindow.
//   - IAM: GET /v3/projects.
//
// The spec's other operations answer 501 with code FakeCloud.NotImplemented,
// after the same checks.
//
// # What can go wrong
//
// Inject makes requests fail on purpose, chosen by service, operation,
// resource, number, time and chance: throttled, busy, refused in any words,
// unavailable, late, never answered, reset before or after the change, with a
// truncated, mislabelled or empty answer; ALB jobs that fail, never end or
// vanish; batches of ELB that succeed in part; reads that lag behind. Without
// any fault the published budgets of ALB and SLB hold for the account, all
// clients together: who is over them gets Throttling.User.
//
//	lost := cloud.Inject(fakecloud.Fault{
//		Operation: "AddServersToServerGroup", Times: 1, Effect: fakecloud.ResetAfter(),
//	})
//
// Requests, Calls, Rate, Attempts and EmptyCalls tell afterwards what was
// asked, or its last part if WithRequestLog bounds it. A misspelt operation
// panics: it must not count as never called.
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
//
//   - Alibaba: the gateway refuses unknown parameters and a repeated one. The
//     real one ignores many of them; here they are mistakes. Names inside
//     BackendServers may have any case, as with the real service, but unknown
//     ones are refused. An empty value is no value.
//
//   - Alibaba: a missing parameter is Missing<Name> on ALB and MissingParameter
//     on SLB; other bad ones are InvalidParameter where no code of their own is
//     documented.
//
//   - Budgets: a window slides, refused requests count, wrong signatures do not;
//     the header of Alibaba's answer has no Reset, and answers within the budget
//     have no header. Where the spec gives a write the number of its siblings,
//     so does fakecloud. WithBudget, WithoutBudgets.
//
//   - Credentials: an expired or replaced permanent key is unknown, an expired
//     temporary one is InvalidSecurityToken.Expired and APIGW.0301.
//     WithCredentialsExpiry, RotateCredentials.
//
//   - Faults: the wording of Huawei's throttling, which code a busy resource
//     gives where several are documented, and ret_status "failed". Refuse has
//     any other code.
//
//   - ALB: a server added without ServerIp gets a private address of its own,
//     and naming it with that address or without one means the same. New
//     weights show when the job is done. UpdateServerGroupServersAttribute
//     without Weight sets the documented default, 100. A client token is
//     remembered for good, that of a refused call or a dry run not at all; its
//     request is done as soon as it is answered (WithTokenLife,
//     WithTokenProcessing). A job that fails leaves its group as it was. More
//     than 1,000 servers in a group: ResourceQuotaExceeded.ServersNum. Jobs are
//     listed for good (WithJobExpiry); unknown job IDs are left out of the list.
//
//   - ALB: UpdateServerGroupAttribute leaves alone what is left out, inside
//     configurations too. Applying a template does not turn checks on or off,
//     and locks the template while the job runs; several jobs may use one. A
//     quota of 50 templates: WithHealthCheckTemplateQuota. Deleting several
//     deletes all or none. Load balancers are known when a listener or a group
//     names them; there are no access control lists and security policies. A
//     resource that does not exist is ResourceNotFound.<Kind>, a tag key named
//     twice DuplicatedParam.TagKey. Listeners and rules, which AddListener
//     makes, are the entries of a page of GetListenerHealthStatus; it lists
//     servers of weight 0 as Unused, those still being added as Initial, those
//     without a check as Unavailable, and has nothing to say of healthy ones.
//
//   - SLB: the default group does not look at ports. A change that names no
//     server is MissingParameter. ModifyVServerGroupBackendServers refuses an
//     absent old server, a present new one, and one that is both, and then does
//     nothing. A group of the filter Description has that name. A page of
//     DescribeLoadBalancers has 50 entries unless told otherwise. Servers of
//     weight 0 are normal in DescribeHealthStatus: WithWeightZeroAbnormal. Every
//     server counts in each of its groups towards the 200 of a load balancer.
//
//   - Alibaba: DescribeRegions lists the endpoints of the spec and the Cloud's
//     own region; a region has three zones, -a to -c.
//
//   - SLB: adding a present server is InvalidParameter ("The resource already
//     exists"), and nothing of the call is done; SetVServerGroupAttribute with
//     an absent one is InvalidServerId.NotFound. A region other than the
//     Cloud's is InvalidRegionId.NotFound.
//
//   - ELB: a load balancer is ACTIVE again at once (WithLoadBalancerPending);
//     until it is, changes of its pools, members and monitors are ELB.8907 with
//     a text that speaks of PENDING_UPDATE. Refused calls lock nothing.
//
//   - ELB: with a health monitor a member is INITIAL, then ONLINE, or OFFLINE
//     while SetHealth says so, whatever its weight, as on dedicated load
//     balancers; a monitor that is new or switched on has results at once.
//     Without one, or with one whose admin_state_up is false, it is NO_MONITOR.
//     OFFLINE has the reason CONNECT_TIMEOUT, and makes pool, listener and load
//     balancer DEGRADED. Each listener reports the same state.
//
//   - ELB: SOURCE_IP and QUIC_CID ignore weights; the weights are stored and
//     listed all the same.
//
//   - ELB: subnet_cidr_id may be left out. A limit of 0 means the default.
//     Quotas: 1,000 members per pool, nothing else (WithELBQuota). A listener
//     has one pool: a second one is ELB.8907, as is the second monitor of a
//     pool. Objects in UpdatePool keep what is left out of them. type and vpc_id
//     are set once; any_port_enable changes in empty pools only.
//
//   - ELB: BatchDeletePools deletes nothing when one pool is in use. Protected
//     members keep DeletePoolCascade from deleting their pool.
//
//   - ELB: master-slave pools and their members are not listed with others;
//     their monitors are, but cannot be deleted alone. Jobs come from
//     AddLoadBalancerJob only. A diagnosis looks at the member when it starts,
//     takes WithMemberCheckDuration, and finds in "config" that a member is
//     OFFLINE. Without member_check it looks into everything.
//
//   - APIG: a channel answers in both path families. The weight of a member is
//     1 when left out. The answers to POST and PUT list the members that the
//     call named. PUT keeps the IDs of members that stay; with a group name,
//     entries that do not name that group are ignored. Member groups must
//     exist: APIG.2012. Enabling an unknown member is APIG.3024.
//
//   - APIG: writes to one channel are serialised (WithChannelWindow); one that
//     collides is APIG.9999 and changes nothing. No quotas (WithChannelQuota).
//
//   - APIG: UpdateVpcChannelV2 and UpdateProjectVpcChannel replace groups,
//     members and health check too; groups of the same name and members of the
//     same address keep their IDs. An unknown group is APIG.3023 and a name
//     taken APIG.3208; a group goes with its members, and takes them along to
//     its new name. A channel that another one refers to is APIG.3719.
//
//   - APIG: calls on a project's channels do all or nothing, and know channels
//     by their names; copies have IDs of their own; members of copies are new.
//
//   - APIG: health is unknown without a check, with one of status 2, for
//     disabled members and during WithMemberInitial; after that it is what
//     SetHealth says. A new check has results at once.
//
//   - Huawei: the project of somebody else is ELB.8903 and APIG.1005.
//
//   - Traffic: requests arrive evenly and go to members by weight. Members drain
//     where the service does. SetHealth takes a member out of service even if
//     no listener checks it. Group weights of APIG, pool_health of ELB, the drain
//     of SLB listeners and slow start play no part.
//
// Not emulated: several accounts in one Cloud (keys rotate and overlap), and
// what lies behind listeners, such as forwarding policies.
package fakecloud
