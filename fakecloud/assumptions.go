package fakecloud

import (
	"fmt"
	"strings"
)

// Assumption is the name of a point that the vendors do not document, or not
// clearly. A Cloud assumes all of them unless WithoutAssumption says otherwise.
type Assumption string

// Alibaba Cloud's gateway.
const (
	// UnknownParametersRefused: ALB and SLB refuse parameters that they do not
	// know, also inside lists. Without it, such parameters are ignored.
	UnknownParametersRefused Assumption = "unknown-parameters-refused"
	// RepeatedParametersRefused: ALB and SLB refuse a parameter that is sent
	// twice. Without it, the last value counts.
	RepeatedParametersRefused Assumption = "repeated-parameters-refused"
	// EmptyValuesAbsent: To ALB and SLB an empty value is the same as none.
	// Without it, it is a value like others, and mostly a bad one.
	EmptyValuesAbsent Assumption = "empty-values-absent"
	// AnyCaseInBackendServers: Names inside the JSON of BackendServers may have
	// any case. Without it, they must be spelt as documented.
	AnyCaseInBackendServers Assumption = "any-case-in-backend-servers"
	// ALBMissingNamed: A missing parameter is Missing<Name> on ALB, such as
	// MissingServerGroupId. Without it, it is MissingParameter, as on SLB.
	ALBMissingNamed Assumption = "alb-missing-named"
	// ALBInvalidParameter: A bad parameter of ALB for which no code is documented
	// is InvalidParameter. Without it, it is IllegalParam.<Name>.
	ALBInvalidParameter Assumption = "alb-invalid-parameter"
)

// Budgets.
const (
	// BudgetsSlide: A budget holds for every span of its length. Without it, it is
	// filled up all at once, its length after the first call.
	BudgetsSlide Assumption = "budgets-slide"
	// RefusedCallsCount: Calls that are refused use up the budget, unless the
	// budget is why. Without it, only calls that are carried out do.
	RefusedCallsCount Assumption = "refused-calls-count"
	// BadSignaturesFree: Requests with a wrong signature use nothing of a budget.
	// Without it, those with the ID of a known key do.
	BadSignaturesFree Assumption = "bad-signatures-free"
	// RateLimitWithoutReset: Alibaba's header about the budget has no Reset.
	// Without it, it has one, in milliseconds since 1970.
	RateLimitWithoutReset Assumption = "rate-limit-without-reset"
	// RateLimitOnlyOver: Only answers that refuse a call over its budget have
	// Alibaba's header about it. Without it, all answers of operations with a
	// budget have it.
	RateLimitOnlyOver Assumption = "rate-limit-only-over"
	// HuaweiThrottlingTellsWait: The time in Huawei's throttling message is how
	// long to wait. Without it, it is the length of the budget.
	HuaweiThrottlingTellsWait Assumption = "huawei-throttling-tells-wait"
)

// Credentials.
const (
	// ExpiredKeysUnknown: Alibaba does not know a permanent key that has expired
	// or was replaced. Without it, it is InvalidAccessKeyId.Inactive.
	ExpiredKeysUnknown Assumption = "expired-keys-unknown"
)

// Partial success of ELB.
const (
	// FailedEntriesSayFailed: An entry that PartialSuccess leaves undone has the
	// ret_status failed. Without it, it is missing in the answer.
	FailedEntriesSayFailed Assumption = "failed-entries-say-failed"
)

// ALB.
const (
	// ALBPrivateAddresses: A server that is added without ServerIp gets a private
	// address of its own; naming it with that address or without one means the
	// same. Without it, it has no address, and one with an address is another
	// server.
	ALBPrivateAddresses Assumption = "alb-private-addresses"
	// ALBWeightsAtJobEnd: New weights show when the job of their change is done.
	// Without it, they show at once.
	ALBWeightsAtJobEnd Assumption = "alb-weights-at-job-end"
	// ALBWeightDefaultOnUpdate: UpdateServerGroupServersAttribute without Weight
	// sets the documented default, 100. Without it, the weight stays.
	ALBWeightDefaultOnUpdate Assumption = "alb-weight-default-on-update"
	// ALBRefusalsForgetTokens: A refused call or a dry run does not use its client
	// token up. Without it, a repetition gets the same refusal.
	ALBRefusalsForgetTokens Assumption = "alb-refusals-forget-tokens"
	// ALBFailedJobsUndo: A job that fails leaves its group as it was. Without it,
	// the change is made all the same.
	ALBFailedJobsUndo Assumption = "alb-failed-jobs-undo"
	// ALBUnknownJobsLeftOut: ListAsynJobs leaves out job IDs that it does not
	// know. Without it, one such ID is ResourceNotFound.JobId.
	ALBUnknownJobsLeftOut Assumption = "alb-unknown-jobs-left-out"
	// ALBConfigsMerge: UpdateServerGroupAttribute leaves alone what is left out
	// inside a configuration. Without it, what is left out there gets its default.
	ALBConfigsMerge Assumption = "alb-configs-merge"
	// ALBTemplatesLeaveSwitch: Applying a health check template turns checks
	// neither on nor off. Without it, it turns them on.
	ALBTemplatesLeaveSwitch Assumption = "alb-templates-leave-switch"
	// ALBTemplatesLock: A template cannot be changed or deleted while a job
	// applies it. Without it, it can.
	ALBTemplatesLock Assumption = "alb-templates-lock"
	// ALBTemplatesShared: Several jobs may apply one template at a time. Without
	// it, the second is IncorrectStatus.HealthCheckTemplate.
	ALBTemplatesShared Assumption = "alb-templates-shared"
	// ALBTemplatesTogether: DeleteHealthCheckTemplates deletes all templates or,
	// when one is missing or locked, none. Without it, it deletes those that it
	// can, without an error.
	ALBTemplatesTogether Assumption = "alb-templates-together"
	// ALBTagKeysOnce: A tag key that is named twice in a call is
	// DuplicatedParam.TagKey. Without it, the last value counts.
	ALBTagKeysOnce Assumption = "alb-tag-keys-once"
	// ALBHealthPaged: The listener and each of its rules are an entry of a page of
	// GetListenerHealthStatus. Without it, everything is on one page.
	ALBHealthPaged Assumption = "alb-health-paged"
	// ALBUnusedListed: GetListenerHealthStatus lists servers of weight 0 as
	// Unused. Without it, it has nothing to say of them.
	ALBUnusedListed Assumption = "alb-unused-listed"
	// ALBInitialListed: GetListenerHealthStatus lists servers that are still being
	// added as Initial. Without it, it has nothing to say of them.
	ALBInitialListed Assumption = "alb-initial-listed"
	// ALBUncheckedListed: GetListenerHealthStatus lists servers that nothing
	// checks as Unavailable. Without it, it has nothing to say of them.
	ALBUncheckedListed Assumption = "alb-unchecked-listed"
)

// Classic SLB.
const (
	// SLBDefaultGroupPortless: The default group of a load balancer does not look
	// at ports. Without it, servers of different ports are different ones there.
	SLBDefaultGroupPortless Assumption = "slb-default-group-portless"
	// SLBNothingNamedRefused: A change that names no server is MissingParameter.
	// Without it, it succeeds and changes nothing.
	SLBNothingNamedRefused Assumption = "slb-nothing-named-refused"
	// SLBModifyOldPresent: ModifyVServerGroupBackendServers refuses an old server
	// that is not there. Without it, it passes over it.
	SLBModifyOldPresent Assumption = "slb-modify-old-present"
	// SLBModifyNewAbsent: ModifyVServerGroupBackendServers refuses a new server
	// that is there, also if it is an old one of the same call. Without it, the
	// server gets the new weight.
	SLBModifyNewAbsent Assumption = "slb-modify-new-absent"
	// SLBAddTogether: A call that adds a present server adds none. Without it, it
	// adds the others and then fails.
	SLBAddTogether Assumption = "slb-add-together"
	// SLBPresentIsInvalid: Adding a present server is InvalidParameter. Without
	// it, it is InvalidBackendServers.ServerIpConflict.
	SLBPresentIsInvalid Assumption = "slb-present-is-invalid"
	// SLBSetNeedsPresent: Setting the weight of a server that is not in the group
	// is InvalidServerId.NotFound. Without it, it is passed over.
	SLBSetNeedsPresent Assumption = "slb-set-needs-present"
	// SLBDescriptionIsName: A group of the filter Description has that name.
	// Without it, the filter fits no group.
	SLBDescriptionIsName Assumption = "slb-description-is-name"
	// SLBWeightZeroNormal: Servers of weight 0 are normal in DescribeHealthStatus,
	// as one age of the documentation says. Without it, they are abnormal behind
	// TCP and UDP listeners, as the other says.
	SLBWeightZeroNormal Assumption = "slb-weight-zero-normal"
	// SLBServersCountPerGroup: A server counts in each of its groups towards the
	// 200 of a load balancer. Without it, it counts once.
	SLBServersCountPerGroup Assumption = "slb-servers-count-per-group"
)

// ELB.
const (
	// ELBLockedSaysPending: ELB.8907 for a locked load balancer speaks of
	// PENDING_UPDATE. Without it, its text says nothing about the state.
	ELBLockedSaysPending Assumption = "elb-locked-says-pending"
	// ELBRefusalsLockNothing: Refused calls do not lock the load balancer. Without
	// it, they do.
	ELBRefusalsLockNothing Assumption = "elb-refusals-lock-nothing"
	// ELBWeightZeroChecked: Members of weight 0 are checked like others, as on
	// dedicated load balancers. Without it, they are NO_MONITOR.
	ELBWeightZeroChecked Assumption = "elb-weight-zero-checked"
	// ELBNewMonitorKnows: A monitor that is new or switched on has results at
	// once. Without it, members are INITIAL for as long as new ones.
	ELBNewMonitorKnows Assumption = "elb-new-monitor-knows"
	// ELBMonitorOffIsNone: Members of a pool whose monitor has admin_state_up
	// false are NO_MONITOR. Without it, they are UNKNOWN.
	ELBMonitorOffIsNone Assumption = "elb-monitor-off-is-none"
	// ELBOfflineHasReason: A member that is OFFLINE has the reason
	// CONNECT_TIMEOUT. Without it, it has none.
	ELBOfflineHasReason Assumption = "elb-offline-has-reason"
	// ELBOfflineDegrades: A member that is OFFLINE makes its pool, listener and
	// load balancer DEGRADED. Without it, they stay ONLINE.
	ELBOfflineDegrades Assumption = "elb-offline-degrades"
	// ELBSubnetOptional: A new member needs no subnet_cidr_id. Without it, it
	// does.
	ELBSubnetOptional Assumption = "elb-subnet-optional"
	// ELBLimitZeroIsDefault: A limit of 0 means pages of the default size. Without
	// it, it is ELB.8902.
	ELBLimitZeroIsDefault Assumption = "elb-limit-zero-is-default"
	// ELBOnePoolPerListener: A second pool for a listener is ELB.8907. Without it,
	// a listener may have several.
	ELBOnePoolPerListener Assumption = "elb-one-pool-per-listener"
	// ELBUpdatePoolMerges: Objects in UpdatePool keep what is left out of them.
	// Without it, what is left out is gone.
	ELBUpdatePoolMerges Assumption = "elb-update-pool-merges"
	// ELBAnyPortNeedsEmptyPool: any_port_enable changes in empty pools only.
	// Without it, it changes in any pool.
	ELBAnyPortNeedsEmptyPool Assumption = "elb-any-port-needs-empty-pool"
	// ELBPoolsDeletedTogether: BatchDeletePools deletes nothing when one pool is
	// in use. Without it, that pool's own result is failed, and the others are
	// deleted.
	ELBPoolsDeletedTogether Assumption = "elb-pools-deleted-together"
	// ELBPairsListedApart: Master-slave pools and their members are not listed
	// with others. Without it, ListPools and ListAllMembers list them, too.
	ELBPairsListedApart Assumption = "elb-pairs-listed-apart"
	// ELBPairMonitorsListed: ListHealthMonitors lists the monitors of master-slave
	// pools. Without it, it does not.
	ELBPairMonitorsListed Assumption = "elb-pair-monitors-listed"
	// ELBPairMonitorsStay: The monitor of a master-slave pool cannot be deleted
	// alone. Without it, it can.
	ELBPairMonitorsStay Assumption = "elb-pair-monitors-stay"
	// ELBDiagnosisOfStart: A diagnosis says how the member was when it started.
	// Without it, it says how the member is when it is read.
	ELBDiagnosisOfStart Assumption = "elb-diagnosis-of-start"
	// ELBDiagnosisInConfig: A diagnosis finds in config that a member is OFFLINE.
	// Without it, it finds it in security_group.
	ELBDiagnosisInConfig Assumption = "elb-diagnosis-in-config"
	// ELBDiagnosisOfAll: A diagnosis without member_check looks into everything.
	// Without it, it looks into config.
	ELBDiagnosisOfAll Assumption = "elb-diagnosis-of-all"
)

// APIG.
const (
	// APIGWeightDefault: The weight of a member is 1 when it is left out, also
	// when the member is there. Without it, a member that is there keeps its
	// weight.
	APIGWeightDefault Assumption = "apig-weight-default"
	// APIGAnswersNamed: The answers to POST and PUT of members list those that the
	// call named. Without it, they list all members of the channel.
	APIGAnswersNamed Assumption = "apig-answers-named"
	// APIGReplacedKeepIDs: What is replaced keeps its ID: groups of the same name,
	// members of the same address. Without it, all of them are new.
	APIGReplacedKeepIDs Assumption = "apig-replaced-keep-ids"
	// APIGGroupsDeleteMembers: A member group is deleted with its members. Without
	// it, they stay, without a group.
	APIGGroupsDeleteMembers Assumption = "apig-groups-delete-members"
	// APIGGroupsRenameMembers: Members stay in a group that gets another name.
	// Without it, they are then without a group.
	APIGGroupsRenameMembers Assumption = "apig-groups-rename-members"
	// APIGProjectTogether: Calls on a project's channels change all instances or
	// none. Without it, instances before the one that refuses are changed.
	APIGProjectTogether Assumption = "apig-project-together"
	// APIGCopiesAreNew: A copy of a channel has IDs of its own. Without it, it has
	// those of the channel that it comes from.
	APIGCopiesAreNew Assumption = "apig-copies-are-new"
	// APIGDisabledUnknown: The health of disabled members is unknown. Without it,
	// they are checked like others.
	APIGDisabledUnknown Assumption = "apig-disabled-unknown"
	// APIGNewCheckKnows: A health check that is new or switched on has results at
	// once. Without it, the health is unknown for as long as that of new members.
	APIGNewCheckKnows Assumption = "apig-new-check-knows"
)

// Traffic.
const (
	// APIGGroupWeights: Requests go to the member groups of a channel by
	// member_group_weight, where one has it, and inside of a group by the weights
	// of its members. Without it, only the weights of members count.
	APIGGroupWeights Assumption = "apig-group-weights"
	// TrafficSeesHealth: SetHealth takes a server of classic SLB out of service
	// even if no listener checks it. Without it, only servers behind a listener
	// with a health check go out of service.
	TrafficSeesHealth Assumption = "traffic-sees-health"
)

// WithoutAssumption turns assumptions off: the Cloud then does the opposite, as
// the comment of each says. New panics if there is no such assumption.
func WithoutAssumption(names ...Assumption) Option {
	return func(s *settings) {
		for _, a := range names {
			if s.without == nil {
				s.without = make(map[Assumption]bool)
			}
			s.without[a] = true
		}
	}
}

func (s *settings) assumes(a Assumption) bool { return !s.without[a] }

func (s *settings) checkAssumptions() error {
	for a := range s.without {
		if a.Text() == "" {
			return fmt.Errorf("WithoutAssumption: there is no assumption %q", a)
		}
	}
	return nil
}

// Assumptions lists all assumptions.
func Assumptions() []Assumption {
	out := make([]Assumption, len(assumptionTexts))
	for i, row := range assumptionTexts {
		out[i] = row.name
	}
	return out
}

// ParseAssumption finds an assumption by its name. Case, spaces around it and
// underscores instead of hyphens do not matter.
func ParseAssumption(name string) (Assumption, error) {
	a := Assumption(strings.ReplaceAll(strings.ToLower(strings.TrimSpace(name)), "_", "-"))
	if a.Text() == "" {
		return "", fmt.Errorf("there is no assumption %q", name)
	}
	return a, nil
}

// Text says in one line what is assumed, and what happens without it. It is
// empty for an assumption that there is not.
func (a Assumption) Text() string {
	for _, row := range assumptionTexts {
		if row.name == a {
			return row.text
		}
	}
	return ""
}
