// Package transport is the one way a call travels:
//
//	validate -> client token -> [ limiter -> slot -> credentials -> sign ->
//	send -> read -> classify ] -> decode
//
// The part in brackets is one attempt, repeated as again.go decides;
// go-retryablehttp carries the loop. Where each step is:
//
//	transport.go  the client and the call: validate, token, begin and end
//	attempt.go    the order of one attempt
//	httpclient.go the connections, and the slots for them
//	keys.go       credentials
//	send.go       the HTTP request
//	reply.go      reading answers, good and bad; read.go: within bounds
//	failure.go    what it means when there is no answer
//	classify.go   what an error reply means
//	again.go      whether and when to repeat
package transport

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/cloudlb/cloudlb"
)

// Idempotency says what happens when a request is carried out twice.
type Idempotency uint8

// The idempotency classes, from spec/.
const (
	// Once: twice is not the same as once. Never repeated without proof that
	// the first was not carried out.
	Once Idempotency = iota
	// Read changes nothing.
	Read
	// Token: the service recognises the client token.
	Token
	// Natural: a repeat leads to the same state.
	Natural
)

// Operation is a row of a service's operation table.
type Operation struct {
	Name        string // the method's name in Go
	Action      string // the vendor's name
	Method      string
	Idempotency Idempotency
	Budget      cloudlb.Budget
	// NoReply marks operations that answer success without a body.
	NoReply bool
}

// Service is what a service package tells the transport about itself.
type Service struct {
	Name string // "alb"
	// Here are the regions of the service's cloud, There those of the other;
	// without them only the form of a region's name is checked.
	Here, There Regions
	Family      Family
	// Decode reads a successful reply.
	Decode func(body []byte, out any) error
	// Errors are the service's and its cloud's error rows; the first match wins.
	Errors [][]ErrorRow
}

// Family is a wire family: package rpc or rest.
type Family interface {
	// Prepare sets the headers that belong to the product.
	Prepare(h Header, op *Operation, r *Request)
	// Sign authenticates an attempt.
	Sign(r *http.Request, body []byte, cred cloudlb.Credentials, at time.Time) error
	// DecodeError reads an error reply.
	DecodeError(status int, h http.Header, body []byte) Fault
	// RequestID finds the request ID of a successful reply, if a header has it.
	RequestID(h http.Header) string
}

// Fault is what an error reply says.
type Fault struct {
	Code, Message, RequestID string
	// RetryAfter is the service's wait hint, 0 when it gave none.
	RetryAfter time.Duration
}

// Request is an encoded request. Its buffers belong to the call.
type Request struct {
	Path        []byte // percent-encoded, "/..."
	Query       []byte // percent-encoded
	Body        []byte
	Text        []byte // scratch, for text that goes into one of them
	ContentType string
	Project     string // Huawei Cloud: of the path and a header
	Product     string // Huawei Cloud APIG: of the path
}

// Header sets header values with few allocations: all values of one attempt
// stand in one array.
type Header struct {
	Map    http.Header
	values *[]string
}

// Set sets a header by its canonical name.
func (h Header) Set(canonicalName, value string) {
	v := append(*h.values, value)
	*h.values = v
	n := len(v)
	h.Map[canonicalName] = v[n-1 : n : n]
}

// Client carries the calls of one service client. It is immutable and safe for
// concurrent use.
type Client struct {
	service   Service
	region    string
	scheme    string
	host      string
	keys      func(context.Context) (cloudlb.Credentials, error) // funcs: fmt looks into everything else
	newKeys   func(context.Context, cloudlb.Credentials) (cloudlb.Credentials, error)
	base      http.RoundTripper
	slots     slots
	loop      retryablehttp.Client
	retry     cloudlb.RetryPolicy
	limiter   *cloudlb.Limiter
	budget    retryBudget
	clock     clock
	log       logger
	hooks     cloudlb.Hooks
	userAgent string
}

// New builds a Client. hostOf gives the host of the region when cfg has no
// Endpoint. All problems of cfg are reported together, as a
// *cloudlb.ValidationError.
func New(cfg cloudlb.Config, service Service, hostOf func(region string) string, problems ...cloudlb.Problem) (*Client, error) {
	endpoint := cfg.Endpoint
	if endpoint == "" && cfg.Region != "" {
		unknown := CheckRegion(cfg.Region, service.Here, service.There)
		problems = append(problems, unknown...)
		if unknown == nil {
			endpoint = "https://" + hostOf(cfg.Region)
		}
	}
	scheme, host, endpointProblems := parseEndpoint(endpoint, cfg.AllowHTTP)
	problems = append(problems, endpointProblems...)
	if cfg.Region == "" {
		problems = append(problems, cloudlb.Problem{Field: "Region", Message: `is required, such as "cn-hangzhou" or "cn-north-4"`})
	}
	if isNil(cfg.Credentials) {
		problems = append(problems, cloudlb.Problem{Field: "Credentials", Message: "is required: cloudlb.StaticCredentials or a provider from credentials/"})
	}
	if len(problems) > 0 {
		return nil, &cloudlb.Error{
			Service: service.Name, Operation: "New", Class: cloudlb.ClassInvalid, Outcome: cloudlb.OutcomeNotSent,
			Err: &cloudlb.ValidationError{Problems: problems},
		}
	}
	c := &Client{
		service:   service,
		region:    cfg.Region,
		scheme:    scheme,
		host:      host,
		keys:      cfg.Credentials.Credentials,
		retry:     resolvePolicy(cfg.Retry, cfg.HTTPClient),
		limiter:   cfg.Limiter,
		log:       logger{cfg.Logger},
		hooks:     cfg.Hooks,
		userAgent: userAgent(cfg.UserAgent),
	}
	c.base, c.slots = baseTransport(cfg.HTTPClient)
	if c.limiter == nil {
		c.limiter = cloudlb.NewLimiter()
	}
	if r, ok := cfg.Credentials.(cloudlb.CredentialsRefresher); ok {
		c.newKeys = r.Refresh
	} else {
		c.newKeys = func(ctx context.Context, _ cloudlb.Credentials) (cloudlb.Credentials, error) { return c.keys(ctx) }
	}
	// The loop sees our RoundTripper only: it cannot close the idle connections
	// of the transport below, follow redirects or time out across attempts.
	c.loop = retryablehttp.Client{
		HTTPClient: &http.Client{Transport: attempts{c}},
		RetryMax:   1 << 30, // again decides
		CheckRetry: checkRetry,
		Backoff:    backoff,
	}
	return c, nil
}

func isNil(p cloudlb.CredentialsProvider) bool {
	if p == nil {
		return true
	}
	switch v := reflect.ValueOf(p); v.Kind() {
	case reflect.Pointer, reflect.Func, reflect.Map, reflect.Slice, reflect.Chan:
		return v.IsNil()
	default:
		return false
	}
}

func parseEndpoint(endpoint string, allowHTTP bool) (scheme, host string, problems []cloudlb.Problem) {
	fail := func(message string) (string, string, []cloudlb.Problem) {
		return "", "", []cloudlb.Problem{{Field: "Endpoint", Message: message}}
	}
	if endpoint == "" {
		return "", "", nil // the caller has said why
	}
	u, err := url.Parse(endpoint)
	switch {
	case err != nil:
		return fail("is not a URL, must be scheme and host such as https://alb.cn-hangzhou.aliyuncs.com")
	case u.Scheme != "https" && u.Scheme != "http":
		return fail("has no scheme http or https, must be scheme and host such as https://alb.cn-hangzhou.aliyuncs.com")
	case u.Scheme == "http" && !allowHTTP:
		return fail("is not https: set AllowHTTP for an emulator on this machine")
	case u.User != nil:
		return fail("must not carry a user name or password")
	case u.Hostname() == "":
		return fail("has no host")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		return fail("must be scheme and host only, without path or query")
	}
	return u.Scheme, u.Host, nil
}

// Endpoint returns scheme and host.
func (c *Client) Endpoint() (scheme, host string) { return c.scheme, c.host }

// Region returns the region of the client.
func (c *Client) Region() string { return c.region }

// Call is one call on its way.
type Call struct {
	Request Request

	client      *Client
	op          *Operation
	policy      cloudlb.RetryPolicy
	clientToken string
	refused     *cloudlb.Error // why the call cannot be made at all

	out     any
	missing func() string
	meta    *cloudlb.Metadata
	buffers *buffers

	state
}

// Begin starts a call. It never fails: what is wrong with the client or the
// options is reported by Do.
func (c *Client) Begin(op *Operation, opts []cloudlb.CallOption) *Call {
	call := &Call{client: c, op: op}
	if c == nil {
		call.refused = &cloudlb.Error{
			Operation: op.Name, Class: cloudlb.ClassInvalid, Outcome: cloudlb.OutcomeNotSent,
			Message: "the client was not built with New",
		}
		return call
	}
	call.policy = c.retry
	if len(opts) > 0 {
		var o cloudlb.CallOptions
		for _, opt := range opts {
			if opt != nil {
				opt(&o)
			}
		}
		call.clientToken = o.ClientToken
		if o.Retry != nil {
			call.policy = resolvePolicy(*o.Retry, &http.Client{Timeout: c.retry.AttemptTimeout})
		}
		if o.ClientToken != "" && op.Idempotency != Token {
			call.refused = call.Invalid([]cloudlb.Problem{{Field: "WithClientToken", Message: "is not possible: the operation has no idempotency token"}})
		}
	}
	call.buffers = bufferPool.Get().(*buffers)
	call.Request = Request{Path: call.buffers.path[:0], Query: call.buffers.query[:0], Body: call.buffers.body[:0], Text: call.buffers.text[:0]}
	return call
}

// Region is the client's region.
func (call *Call) Region() string {
	if call.client == nil {
		return ""
	}
	return call.client.region
}

// ClientToken settles the idempotency token: the request's own, the option's,
// or a new one.
func (call *Call) ClientToken(own string) string {
	switch {
	case own != "":
		call.clientToken = own
	case call.clientToken == "":
		call.clientToken = newToken()
	}
	return call.clientToken
}

// Invalid is the error for a request that local validation refuses.
func (call *Call) Invalid(problems []cloudlb.Problem) *cloudlb.Error {
	call.release()
	e := call.newError(cloudlb.ClassInvalid, cloudlb.OutcomeNotSent)
	e.Message = "nothing was sent"
	e.Err = &cloudlb.ValidationError{Problems: problems}
	e.ClientToken = ""
	return e
}

func (call *Call) newError(class cloudlb.Class, outcome cloudlb.Outcome) *cloudlb.Error {
	e := &cloudlb.Error{
		Operation: call.op.Name, Class: class, Outcome: outcome,
		Attempts: call.number, ClientToken: call.clientToken,
	}
	if call.client != nil {
		e.Service = call.client.service.Name
	}
	return e
}

// Unaddressed is the error of a call whose address could not be found out.
func (call *Call) Unaddressed(err error) *cloudlb.Error {
	call.release()
	e := call.newError(cloudlb.ClassUnknown, cloudlb.OutcomeNotSent)
	if cause, ok := errors.AsType[*cloudlb.Error](err); ok {
		e.Class = cause.Class
	}
	e.Message = "looking up the project ID"
	e.Hint = "give it by WithProjectID to save the lookup"
	e.Err = err
	return e
}

// Do sends the request and decodes the reply into out, which may be nil.
// missing names a field that every successful reply must carry and this one
// does not; it may be nil.
func (call *Call) Do(ctx context.Context, out any, meta *cloudlb.Metadata, missing func() string) error {
	if call.refused != nil {
		call.release()
		return call.refused
	}
	defer call.release()
	if ctx == nil {
		e := call.newError(cloudlb.ClassInvalid, cloudlb.OutcomeNotSent)
		e.Message = "the context is nil"
		return e
	}
	call.out, call.meta, call.missing = out, meta, missing
	call.begin(ctx)
	outer := (&http.Request{
		Method: call.op.Method,
		URL:    call.url(),
		Header: emptyHeader,
	}).WithContext(context.WithValue(ctx, callKey{}, call))
	_, err := call.client.loop.Do(&retryablehttp.Request{Request: outer}) //nolint:bodyclose // attempts has read it; this one is empty
	return call.finish(ctx, err)
}

type callKey struct{}

// emptyHeader is the header of the loop's request, which is never sent; nobody
// writes to it.
var emptyHeader = http.Header{}

func (call *Call) url() *url.URL {
	u := &url.URL{Scheme: call.client.scheme, Host: call.client.host, Path: "/", RawQuery: string(call.Request.Query)}
	if len(call.Request.Path) > 0 {
		escaped := string(call.Request.Path)
		u.Path, u.RawPath = escaped, escaped
		if decoded, err := url.PathUnescape(escaped); err == nil {
			u.Path = decoded
		}
	}
	return u
}

// buffers are what a call encodes into. They go back to the pool when neither
// the call nor a connection can still read them.
type buffers struct{ path, query, body, text []byte }

var bufferPool = sync.Pool{New: func() any {
	return &buffers{path: make([]byte, 0, 256), query: make([]byte, 0, 1024), body: make([]byte, 0, 2048)}
}}

const mostPooled = 256 << 10

func (call *Call) release() {
	b := call.buffers
	if b == nil {
		return
	}
	call.buffers = nil
	r := &call.Request
	if call.bodies.open() || max(cap(r.Query), cap(r.Body), cap(r.Text)) > mostPooled {
		return
	}
	b.path, b.query, b.body, b.text = r.Path, r.Query, r.Body, r.Text
	bufferPool.Put(b)
}
