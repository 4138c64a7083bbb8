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
// any fault the published budgets of ALB and SLB hold for an account, all its
// clients together: who is over them gets Throttling.User.
//
//	lost := cloud.Inject(fakecloud.Fault{
//		Operation: "AddServersToServerGroup", Times: 1, Effect: fakecloud.ResetAfter(),
//	})
//
// # Accounts
//
// A Cloud starts with one account, which its Add methods, Config and the other
// methods that it has in common with Account are about. Cloud.Account adds
// others, each with credentials, a project, budgets, quotas, a region and
// resources of its own. What one has, the others do not find.
//
//	other := cloud.Account("other", fakecloud.WithRegion("eu-central-1"))
//	group := other.AddServerGroup(fakecloud.ServerGroup{Name: "web"})
//	lb, err := alb.New(other.Config())
//
// A Request tells the account, and a Fault can be for one only. State says what
// all of them have, in the form in which Seed puts it into another Cloud.
//
// # What was asked
//
// Requests, Calls, Rate, Attempts and EmptyCalls tell afterwards what was
// asked, or its last part if WithRequestLog bounds it. A misspelt operation
// panics: it must not count as never called.
//
// # What is documented and what is assumed
//
// Names, ranges, limits, error codes, states and their order, default
// weights, upsert and replacement rules, page sizes and answers' fields are
// documented by the vendors and come from spec/. So do these: what is left
// out of an update stays, on ALB, SLB and ELB; who adds a server to SLB
// that is there is refused, and who removes one that is not is not; a pool
// of ELB has one monitor, its type and vpc_id are set once, and protected
// members keep it from going; SOURCE_IP and QUIC_CID ignore weights, which
// are stored and listed all the same; PUT replaces the members, groups and
// health check of an APIG channel, and with a group name takes notice of
// that group only; a member's group must exist, and a channel that another
// one refers to stays; resources of other accounts and projects are not
// found or forbidden.
//
// Other points are not documented, or not clearly. Each of them is an
// Assumption with a name; its comment says what is assumed and what happens
// without it, and [WithoutAssumption] turns it off. [Assumptions] lists
// them.
//
//   - Alibaba's gateway: [UnknownParametersRefused],
//     [RepeatedParametersRefused], [EmptyValuesAbsent],
//     [AnyCaseInBackendServers], [ALBMissingNamed], [ALBInvalidParameter].
//
//   - Budgets: [BudgetsSlide], [RefusedCallsCount], [BadSignaturesFree],
//     [RateLimitWithoutReset], [RateLimitOnlyOver],
//     [HuaweiThrottlingTellsWait]. Where the spec gives a write the number
//     of its siblings, so does fakecloud: [WithBudget] has other numbers,
//     [WithoutBudgets] none.
//
//   - Credentials: [ExpiredKeysUnknown].
//
//   - Faults: [FailedEntriesSayFailed]. Where several codes are documented
//     for a busy resource, Busy takes one; [Refuse] has any other.
//
//   - ALB: [ALBPrivateAddresses], [ALBWeightsAtJobEnd],
//     [ALBWeightDefaultOnUpdate], [ALBRefusalsForgetTokens],
//     [ALBFailedJobsUndo], [ALBUnknownJobsLeftOut], [ALBConfigsMerge],
//     [ALBTemplatesLeaveSwitch], [ALBTemplatesLock], [ALBTemplatesShared],
//     [ALBTemplatesTogether], [ALBTagKeysOnce], [ALBHealthPaged],
//     [ALBUnusedListed], [ALBInitialListed], [ALBUncheckedListed].
//
//   - SLB: [SLBDefaultGroupPortless], [SLBNothingNamedRefused],
//     [SLBModifyOldPresent], [SLBModifyNewAbsent], [SLBAddTogether],
//     [SLBPresentIsInvalid], [SLBSetNeedsPresent], [SLBDescriptionIsName],
//     [SLBWeightZeroNormal], [SLBServersCountPerGroup].
//
//   - ELB: [ELBLockedSaysPending], [ELBRefusalsLockNothing],
//     [ELBWeightZeroChecked], [ELBNewMonitorKnows], [ELBMonitorOffIsNone],
//     [ELBOfflineHasReason], [ELBOfflineDegrades], [ELBSubnetOptional],
//     [ELBLimitZeroIsDefault], [ELBOnePoolPerListener],
//     [ELBUpdatePoolMerges], [ELBAnyPortNeedsEmptyPool],
//     [ELBPoolsDeletedTogether], [ELBPairsListedApart],
//     [ELBPairMonitorsListed], [ELBPairMonitorsStay],
//     [ELBDiagnosisOfStart], [ELBDiagnosisInConfig], [ELBDiagnosisOfAll].
//
//   - APIG: [APIGWeightDefault], [APIGAnswersNamed], [APIGReplacedKeepIDs],
//     [APIGGroupsDeleteMembers], [APIGGroupsRenameMembers],
//     [APIGProjectTogether], [APIGCopiesAreNew], [APIGDisabledUnknown],
//     [APIGNewCheckKnows].
//
//   - Traffic: [APIGGroupWeights], [TrafficSeesHealth].
//
// Assumptions with a value have options with a value:
//
//   - How long things take: [WithJobDuration], [WithConfiguringWindow],
//     [WithMemberInitial], [WithMemberCheckDuration]; by default no time:
//     [WithLoadBalancerPending], [WithChannelWindow],
//     [WithTokenProcessing].
//
//   - How long things last, by default for good: [WithTokenLife],
//     [WithJobExpiry], [WithCredentialsExpiry].
//
//   - How many there may be: [WithServersPerGroup] (1,000),
//     [WithHealthCheckTemplateQuota] (50), [WithELBQuota] (1,000 members
//     per pool, nothing else), [WithChannelQuota] (nothing). How many are
//     on a page of DescribeLoadBalancers: [WithLoadBalancerPageSize] (50).
//
// # What is not emulated
//
//   - What is wrong with a request is said in fakecloud's words; only codes
//     are the vendors'.
//
//   - What lies behind listeners, such as forwarding policies. Listeners
//     are what AddListener, AddClassicLoadBalancer and ListenerID of a pool
//     say; all listeners of a pool report the same state. ALB load
//     balancers are known when a listener or a group names them. There are
//     no access control lists and security policies.
//
//   - Regions: an account is in the one of [WithRegion]. Who needs another
//     one has another account, or a Cloud for it. Those of the spec's
//     endpoints are listed as well; each has three zones, -a to -c.
//
//   - Kinds of gateways: a channel answers in the path families of APIG and
//     of ROMA Connect.
//
//   - Jobs of ELB: there are those of AddLoadBalancerJob, which do nothing.
//
//   - Traffic arrives evenly and goes to members by weight; members drain
//     where the service does. What counts not at all: pool_health of ELB,
//     the drain of SLB listeners and slow start of ALB and ELB.
package fakecloud
