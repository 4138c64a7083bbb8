package fakecloud

import (
	"sync"
	"time"
)

// Cloud is what accounts of Alibaba Cloud and Huawei Cloud have behind one
// endpoint: load balancers, their servers, and everything that was asked. It
// starts with one account, named "default", which most of its methods are
// about; Account adds others. Clouds share nothing. All methods are safe for
// concurrent use.
type Cloud struct {
	*account
	core
}

// core is what all accounts of a Cloud share.
type core struct {
	seed uint64

	mu       sync.Mutex // guards everything below, and in the accounts
	ids      ids
	log      journal
	accounts []*account // by creation
	faults   []*Injection
	injected uint64
	flows    []*Traffic // that nobody ended
	visited  int        // rows that lists looked at, for tests
}

type settings struct {
	region        string
	accessKeyID   string
	secret        string
	securityToken string
	token         string
	projectID     string
	seed          uint64
	job           time.Duration
	window        time.Duration
	initial       time.Duration
	templates     int // quota; 0: the usual one
	albServers    int // quota of a group; 0: the usual one
	slbPage       int // 0: the usual one
	elbPending    time.Duration
	elbCheck      time.Duration
	elbQuotas     map[string]int
	apigWindow    time.Duration
	apigQuotas    [2]int // channels per instance, members per channel; 0: unlimited

	credentialsLife time.Duration
	without         map[Assumption]bool
	noBudgets       bool
	budgets         []setBudget
	tokenRuns       time.Duration
	tokenLife       time.Duration
	jobLife         time.Duration
	logSize         int
}

// Option changes a Cloud that New makes.
type Option func(*settings)

// WithRegion sets the name of the region that the account is in, "cn-hangzhou" by
// default. It is also the name of the project that IAM lists.
func WithRegion(region string) Option { return func(s *settings) { s.region = region } }

// WithCredentials sets the only key pair that is accepted. securityToken makes
// it a temporary one: requests must then carry that very token.
func WithCredentials(accessKeyID, secretAccessKey, securityToken string) Option {
	return func(s *settings) {
		s.accessKeyID, s.secret, s.securityToken = accessKeyID, secretAccessKey, securityToken
	}
}

// WithToken sets the IAM token that the Huawei services accept as X-Auth-Token
// beside signatures. Without it no token is accepted.
func WithToken(token string) Option { return func(s *settings) { s.token = token } }

// WithSeed chooses the sequence of generated IDs. The same seed and the same
// calls in the same order give the same IDs.
func WithSeed(seed uint64) Option { return func(s *settings) { s.seed = seed } }

// WithJobDuration sets how long an ALB job runs, and its server group is busy:
// 2s by default.
func WithJobDuration(d time.Duration) Option { return func(s *settings) { s.job = d } }

// WithConfiguringWindow sets how long a classic SLB load balancer refuses
// further changes after one: 1s by default.
func WithConfiguringWindow(d time.Duration) Option { return func(s *settings) { s.window = d } }

// WithMemberInitial sets how long a new ELB member, and a new member of a
// health-checked APIG channel, has no health result yet: 2s by default.
func WithMemberInitial(d time.Duration) Option { return func(s *settings) { s.initial = d } }

// WithTokenProcessing lets every request with a client token count as running
// for d after it arrived, whenever it was answered: repeating it before is
// IdempotenceProcessing. By default only requests that Slow delays run for a
// while.
func WithTokenProcessing(d time.Duration) Option { return func(s *settings) { s.tokenRuns = d } }

// WithTokenLife lets ALB forget a client token d after its first use; a request
// that comes later with the same one is carried out again. By default tokens
// are remembered for good.
func WithTokenLife(d time.Duration) Option { return func(s *settings) { s.tokenLife = d } }

// WithJobExpiry lets ALB jobs leave ListAsynJobs d after their end. By default
// they are listed for good.
func WithJobExpiry(d time.Duration) Option { return func(s *settings) { s.jobLife = d } }

// WithRequestLog bounds the memory of Requests to about the last n; 0, the
// default, keeps all.
func WithRequestLog(n int) Option { return func(s *settings) { s.logSize = n } }

// New returns an empty Cloud.
func New(opts ...Option) *Cloud {
	set := settings{
		region:      "cn-hangzhou",
		accessKeyID: "FAKECLOUDACCESSKEY01",
		secret:      "fakecloud/secret/access/key/000000000001",
		job:         2 * time.Second,
		window:      time.Second,
		initial:     2 * time.Second,
		elbCheck:    2 * time.Second,
	}
	for _, opt := range opts {
		opt(&set)
	}
	set.mustCheck()
	c := &Cloud{core: core{seed: set.seed, ids: newIDs(set.seed)}}
	c.log.size, c.log.counts = set.logSize, make(map[operationKey]int)
	set.projectID = c.ids.hex(32)
	c.account = c.newAccount(DefaultAccount, set)
	return c
}
