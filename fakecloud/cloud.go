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

	mu     sync.Mutex // guards everything below
	ids    ids
	nonces nonces
	log    []Request
	alb    albState
	slb    slbState
	elb    elbState
	apig   apigState
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

// New returns an empty Cloud.
func New(opts ...Option) *Cloud {
	c := &Cloud{set: settings{
		region:      "cn-hangzhou",
		accessKeyID: "FAKECLOUDACCESSKEY01",
		secret:      "fakecloud/secret/access/key/000000000001",
		job:         2 * time.Second,
		window:      time.Second,
		initial:     2 * time.Second,
	}}
	for _, opt := range opts {
		opt(&c.set)
	}
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
	return cloudlb.Config{
		Region:      c.set.region,
		Endpoint:    "https://fakecloud.invalid",
		Credentials: cloudlb.StaticCredentials(c.set.accessKeyID, c.set.secret, c.set.securityToken),
		HTTPClient:  &http.Client{Transport: c},
	}
}

// ProjectID is the project that the Huawei services' paths must name.
func (c *Cloud) ProjectID() string { return c.set.projectID }
