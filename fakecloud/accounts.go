package fakecloud

import (
	"errors"
	"hash/fnv"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/cloudlb/cloudlb"
)

// DefaultAccount is the name of the account that a Cloud starts with.
const DefaultAccount = "default"

// Account is an account of a Cloud, in one region. It has credentials, a
// project, budgets, quotas and resources of its own: what one account has, the
// others do not find. Requests and faults are the Cloud's.
type Account struct {
	*account
}

// Name is its name in the Cloud.
func (a *Account) Name() string { return a.name }

type account struct {
	*core
	cloud *Cloud
	name  string
	set   settings

	// Guarded by the Cloud's lock.
	nonces  nonces
	keys    []cloudlb.Credentials // the newest first
	tokens  []cloudlb.Credentials // IAM tokens
	windows map[*operation]*window
	alb     albState
	slb     slbState
	elb     elbState
	apig    apigState
	sick    map[string]bool // servers that fail health checks
}

var accountName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// Account returns the account of a name. One that is not there is made, with
// the options of the Cloud and then its own ones, such as WithRegion, WithBudget
// or WithELBQuota; WithSeed and WithRequestLog are for Clouds only. Without
// WithCredentials it has the access key "FAKECLOUD-" and secret
// "fakecloud/secret/access/key/", both followed by its name, and without
// WithToken no IAM token.
//
// Account panics if the name is not of up to 64 letters, digits, underscores
// and hyphens, if the key is another account's, or if there are options for an
// account that is there.
func (c *Cloud) Account(name string, opts ...Option) *Account {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, a := range c.accounts {
		if a.name == name {
			if len(opts) > 0 {
				panic("fakecloud: there is an account " + name + " already; its options are set")
			}
			return &Account{a}
		}
	}
	if !accountName.MatchString(name) {
		panic("fakecloud: an account cannot have the name \"" + name + "\"")
	}
	set := c.set
	set.without, set.elbQuotas, set.budgets = maps.Clone(set.without), maps.Clone(set.elbQuotas), slices.Clone(set.budgets)
	set.accessKeyID, set.secret = "FAKECLOUD-"+name, "fakecloud/secret/access/key/"+name
	set.securityToken, set.token = "", ""
	for _, opt := range opts {
		opt(&set)
	}
	set.mustCheck()
	for _, a := range c.accounts {
		if slices.ContainsFunc(a.keys, func(k cloudlb.Credentials) bool { return k.AccessKeyID == set.accessKeyID }) {
			panic("fakecloud: the account " + a.name + " has the access key of " + name)
		}
	}
	hash := fnv.New64a()
	hash.Write([]byte(name))
	set.projectID = newIDs(c.seed ^ hash.Sum64()).hex(32)
	return &Account{c.newAccount(name, set)}
}

func (c *Cloud) newAccount(name string, set settings) *account {
	a := &account{core: &c.core, cloud: c, name: name, set: set, windows: make(map[*operation]*window)}
	a.keys = []cloudlb.Credentials{{
		AccessKeyID: set.accessKeyID, SecretAccessKey: set.secret, SecurityToken: set.securityToken,
	}}
	if set.token != "" {
		a.tokens = []cloudlb.Credentials{{Token: set.token}}
	}
	if set.credentialsLife > 0 {
		ends := time.Now().Add(set.credentialsLife)
		for _, list := range [][]cloudlb.Credentials{a.keys, a.tokens} {
			for i := range list {
				list[i].Expires = ends
			}
		}
	}
	a.alb.init()
	a.slb.init()
	a.elb.init()
	a.apig.init()
	c.accounts = append(c.accounts, a)
	return a
}

// mustCheck panics if an option makes no sense.
func (s *settings) mustCheck() {
	if err := errors.Join(s.checkBudgets(), s.checkAssumptions()); err != nil {
		panic("fakecloud: " + err.Error())
	}
}

// Config returns the configuration of clients in this process: region,
// credentials and an HTTPClient that is answered without a socket, also inside
// a testing/synctest bubble. Change the copy as needed: with the URL of a Server
// as Endpoint, AllowHTTP and no HTTPClient it is for that server.
func (c *account) Config() cloudlb.Config {
	c.mu.Lock()
	key := c.keys[0]
	c.mu.Unlock()
	return cloudlb.Config{
		Region:      c.set.region,
		Endpoint:    "https://fakecloud.invalid",
		Credentials: cloudlb.StaticCredentials(key.AccessKeyID, key.SecretAccessKey, key.SecurityToken),
		HTTPClient:  &http.Client{Transport: c.cloud},
	}
}

// ProjectID is the project that the Huawei services' paths must name.
func (c *account) ProjectID() string { return c.set.projectID }
