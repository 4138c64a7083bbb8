package fakecloud

import (
	"net/http"
	"sync"
	"time"

	"github.com/cloudlb/cloudlb"
)

// Cloud is one emulated account in one region: the load balancers, their
// servers, and everything that was asked of it. Clouds share nothing. All
// methods are safe for concurrent use.
type Cloud struct {
	set settings

	mu       sync.Mutex // guards everything below
	ids      ids
	nonces   nonces
	log      journal
	keys     []cloudlb.Credentials // the newest first
	tokens   []cloudlb.Credentials // IAM tokens
	windows  map[*operation]*window
	faults   []*Injection
	injected uint64
	alb      albState
	slb      slbState
	elb      elbState
	apig     apigState
	sick     map[string]bool // servers that fail health checks
	flows    []*Traffic      // that nobody ended
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
	zeroAbnormal  bool
	templates     int // quota; 0: the usual one
	elbPending    time.Duration
	elbCheck      time.Duration
	elbQuotas     map[string]int
	apigWindow    time.Duration
	apigQuotas    [2]int // channels per instance, members per channel; 0: unlimited

	credentialsLife time.Duration
	noBudgets       bool
	budgets         []setBudget
	tokenRuns       time.Duration
	tokenLife       time.Duration
	jobLife         time.Duration
	logSize         int
}

// Option changes a Cloud that New makes.
type Option func(*settings)

// WithRegion sets the region's name, "cn-hangzhou" by default. It is also the
// name of the project that IAM lists.
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
	c := &Cloud{set: settings{
		region:      "cn-hangzhou",
		accessKeyID: "FAKECLOUDACCESSKEY01",
		secret:      "fakecloud/secret/access/key/000000000001",
		job:         2 * time.Second,
		window:      time.Second,
		initial:     2 * time.Second,
		elbCheck:    2 * time.Second,
	}}
	for _, opt := range opts {
		opt(&c.set)
	}
	if err := c.set.checkBudgets(); err != nil {
		panic("fakecloud: " + err.Error())
	}
	c.keys = []cloudlb.Credentials{{
		AccessKeyID: c.set.accessKeyID, SecretAccessKey: c.set.secret, SecurityToken: c.set.securityToken,
	}}
	if c.set.token != "" {
		c.tokens = []cloudlb.Credentials{{Token: c.set.token}}
	}
	if c.set.credentialsLife > 0 {
		ends := time.Now().Add(c.set.credentialsLife)
		for _, list := range [][]cloudlb.Credentials{c.keys, c.tokens} {
			for i := range list {
				list[i].Expires = ends
			}
		}
	}
	c.log.size, c.log.counts = c.set.logSize, make(map[operationKey]int)
	c.windows = make(map[*operation]*window)
	c.ids = newIDs(c.set.seed)
	c.set.projectID = c.ids.hex(32)
	c.alb.init()
	c.slb.init()
	c.elb.init()
	c.apig.init()
	return c
}

// Config returns the configuration of clients in this process: region,
// credentials and an HTTPClient that is answered without a socket, also inside
// a testing/synctest bubble. Change the copy as needed.
func (c *Cloud) Config() cloudlb.Config {
	c.mu.Lock()
	key := c.keys[0]
	c.mu.Unlock()
	return cloudlb.Config{
		Region:      c.set.region,
		Endpoint:    "https://fakecloud.invalid",
		Credentials: cloudlb.StaticCredentials(key.AccessKeyID, key.SecretAccessKey, key.SecurityToken),
		HTTPClient:  &http.Client{Transport: c},
	}
}

// ProjectID is the project that the Huawei services' paths must name.
func (c *Cloud) ProjectID() string { return c.set.projectID }
