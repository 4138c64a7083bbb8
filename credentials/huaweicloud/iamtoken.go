package huaweicloud

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/iam"
)

// IAMTokenOptions say whose token [IAMToken] gets, and for what.
type IAMTokenOptions struct {
	// User and Password are an IAM user's. Required.
	User     string
	Password cloudlb.Secret
	// Domain is the name of the account that the user belongs to. Required; for
	// the account's own user it is the same as User.
	Domain string
	// Region is the region that the token is for, such as "cn-north-4": its
	// project of that name, unless one of the next three says otherwise, and its
	// IAM endpoint.
	Region string
	// ProjectName and ProjectID name the project that the token is for.
	ProjectName, ProjectID string
	// DomainScope asks for a token for the whole account. ELB and APIG want a
	// project's.
	DomainScope bool
	// Endpoint replaces IAM's endpoint: scheme and host. Default: the region's,
	// else https://iam.myhuaweicloud.com.
	Endpoint string
	// AllowHTTP permits an Endpoint with scheme http, for emulators on loopback.
	AllowHTTP bool
	// HTTPClient carries the requests. It is copied; redirects are never
	// followed. Default: a client of its own with the proxy from the environment.
	HTTPClient *http.Client
}

// IAMToken returns a provider of IAM tokens for a user's name and password.
// Requests carry the token as X-Auth-Token instead of a signature. A request may
// take 10 seconds.
//
// Tokens are valid for 24 hours; they are cached and replaced before they
// expire. A refused password is not sent again for five minutes, because IAM
// locks users after a few wrong ones. For a token that you have already use
// cloudlb.StaticToken.
func IAMToken(opts IAMTokenOptions) (cloudlb.CredentialsProvider, error) {
	var problems []cloudlb.Problem
	refuse := func(field, message string) {
		problems = append(problems, cloudlb.Problem{Field: "IAMTokenOptions." + field, Message: message})
	}
	if opts.User == "" {
		refuse("User", "is required")
	}
	if opts.Password == "" {
		refuse("Password", "is required")
	}
	if !utf8.ValidString(string(opts.Password)) {
		refuse("Password", "is not UTF-8 text")
	}
	if opts.Domain == "" {
		refuse("Domain", "is required: the name of the account")
	}
	scopes := 0
	for _, given := range []bool{opts.ProjectName != "", opts.ProjectID != "", opts.DomainScope} {
		if given {
			scopes++
		}
	}
	switch {
	case scopes > 1:
		refuse("ProjectName", "cannot go with ProjectID or DomainScope: a token is for one of them")
	case scopes == 0 && opts.Region == "":
		refuse("Region", "is required, or ProjectName, ProjectID or DomainScope")
	}
	endpoint := opts.Endpoint
	switch {
	case endpoint != "":
	case opts.Region == "":
		endpoint = "https://iam.myhuaweicloud.com"
	case !isHostLabel(opts.Region):
		refuse("Region", "is not a region ID: lower-case letters, digits and hyphens")
	default:
		endpoint = "https://" + iam.Host(opts.Region)
	}
	t := &iamToken{opts: &opts, caller: newCaller(tokenSource, opts.HTTPClient, tokenTimeout, http.ProxyFromEnvironment)}
	if endpoint != "" {
		at, bad := base("IAMTokenOptions.Endpoint", endpoint, opts.AllowHTTP)
		t.url = at + "/v3/auth/tokens?nocatalog=true"
		problems = append(problems, bad...)
	}
	if problems != nil {
		return nil, invalid(tokenSource, problems)
	}
	return cached(t), nil
}

const (
	tokenSource  = "IAM token"
	tokenTimeout = 10 * time.Second
	// IAM locks a user after five wrong passwords in fifteen minutes.
	refusalHolds = 5 * time.Minute
)

func isHostLabel(s string) bool {
	for _, r := range s {
		if (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' {
			return false
		}
	}
	return len(s) <= 63 && s[0] != '-' && s[len(s)-1] != '-'
}

type iamToken struct {
	opts *IAMTokenOptions // a pointer, so that fmt does not come by it from outside
	url  string
	*caller

	mu      sync.Mutex
	refusal *cloudlb.Error // of the password
	until   time.Time
}

func (t *iamToken) Format(f fmt.State, _ rune) { fmt.Fprint(f, "credentials(IAM token)") }

func (t *iamToken) Credentials(ctx context.Context) (cloudlb.Credentials, error) {
	t.mu.Lock()
	refusal, until := t.refusal, t.until
	t.mu.Unlock()
	if refusal != nil && time.Now().Before(until) {
		again := *refusal
		again.Hint = fmt.Sprintf("remembered: IAM locks users after a few wrong passwords, so it is not asked again before %s", until.UTC().Format(time.RFC3339))
		return cloudlb.Credentials{}, &again
	}
	body, err := t.body()
	if err != nil {
		return cloudlb.Credentials{}, failure(tokenSource, cloudlb.ClassInvalid, errors.New("an option cannot be written as JSON"))
	}
	a, err := t.do(ctx, http.MethodPost, t.url, http.Header{"Content-Type": {"application/json;charset=utf8"}}, body)
	if err != nil {
		return cloudlb.Credentials{}, err
	}
	if a.status != http.StatusCreated {
		return cloudlb.Credentials{}, t.refuse(a)
	}
	cred := cloudlb.Credentials{Token: a.header.Get("X-Subject-Token")}
	if cred.Token == "" || !printable(cred) {
		return cloudlb.Credentials{}, t.broken(a.status, errors.New("the answer has no token in X-Subject-Token"))
	}
	var reply struct {
		Token struct {
			ExpiresAt string `json:"expires_at"`
		} `json:"token"`
	}
	if json.Unmarshal(a.body, &reply) != nil {
		return cloudlb.Credentials{}, t.broken(a.status, errors.New("the answer is not the JSON that is documented"))
	}
	if cred.Expires, err = parseExpiry(reply.Token.ExpiresAt); err != nil {
		return cloudlb.Credentials{}, t.broken(a.status, err)
	}
	return cred, nil
}

func (t *iamToken) refuse(a *answer) error {
	e := t.refused(a, string(t.opts.Password))
	e.RequestID = a.header.Get("X-IAM-Trace-Id")
	if a.status == http.StatusUnauthorized {
		e.Hint = fmt.Sprintf("check the password of user %q of account %q, and that the user may log in with one alone", t.opts.User, t.opts.Domain)
		remembered := *e
		t.mu.Lock()
		defer t.mu.Unlock()
		t.refusal, t.until = &remembered, time.Now().Add(refusalHolds)
	}
	return e
}

func (t *iamToken) body() ([]byte, error) {
	type object = map[string]any
	scope := object{}
	switch o := t.opts; {
	case o.DomainScope:
		scope["domain"] = object{"name": o.Domain}
	case o.ProjectID != "":
		scope["project"] = object{"id": o.ProjectID}
	case o.ProjectName != "":
		scope["project"] = object{"name": o.ProjectName}
	default:
		scope["project"] = object{"name": o.Region}
	}
	return json.Marshal(object{"auth": object{
		"identity": object{
			"methods": []string{"password"},
			"password": object{"user": object{
				"name":     t.opts.User,
				"password": string(t.opts.Password),
				"domain":   object{"name": t.opts.Domain},
			}},
		},
		"scope": scope,
	}})
}
