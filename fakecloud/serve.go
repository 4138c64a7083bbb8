package fakecloud

import (
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/fakecloud/sigcheck"
)

type vendor int

const (
	alibaba vendor = iota
	huawei
)

// fault is an error answer.
type fault struct {
	status  int
	code    string
	message string
}

func refusef(status int, code, format string, args ...any) *fault {
	return &fault{status, code, fmt.Sprintf(format, args...)}
}

// answer is what goes back on the wire.
type answer struct {
	status    int
	vendor    vendor
	requestID string
	body      []byte
	// extra are headers that not every answer has.
	extra http.Header
	// contentType is that of JSON when empty.
	contentType string
	// effect is what happens to the answer on its way, after delay.
	effect Effect
	delay  time.Duration
}

func (a answer) header() http.Header {
	h := make(http.Header)
	if a.vendor == huawei {
		h.Set("X-Request-Id", a.requestID)
	} else {
		h.Set("X-Acs-Request-Id", a.requestID)
	}
	maps.Copy(h, a.extra)
	if a.status != http.StatusNoContent {
		h.Set("Content-Type", either(a.contentType, "application/json;charset=utf-8"))
		h.Set("Content-Length", strconv.Itoa(len(a.body)))
	}
	return h
}

// call is one request on its way through the emulator.
type call struct {
	*account // the default one until it is known who asks
	now      time.Time
	id       string // request ID
	service  *service
	op       *operation
	vendor   vendor
	family   string // path family of APIG
	// values are the parameters outside the body, by name, and path those in
	// the path. legacy marks a request with the old signature, which travels
	// among the parameters.
	values url.Values
	path   map[string]string
	legacy bool
	// nonce is what must not be used twice; empty when the scheme has none.
	nonce string
	// known is set when it is known who asks, knowsKey when the key's ID is one of
	// the account.
	known, knowsKey bool
	// sent are the checked parameters, in the same with the spec's defaults.
	sent object
	in   params
	// spent is set when the call has used its operation's budget.
	spent bool
	// empty marks a change that names nothing to change.
	empty bool
	// header is added to the answer, which comes after delay; fault says what
	// injected faults did to the request.
	header http.Header
	delay  time.Duration
	fault  string
}

// serve answers a request: find the operation, check who asks, check the
// parameters, carry it out, write it down. Only the last two need the lock.
func (c *Cloud) serve(r *http.Request, body []byte) answer {
	q := &call{account: c.account, now: time.Now()}
	var bad *fault // of the parameters: reported after a used nonce
	f := q.find(r, body)
	if f == nil {
		f = q.authenticate(r, body)
	}
	if f == nil {
		bad = q.decode(r, body)
	}

	c.mu.Lock()
	defer c.mu.Unlock()
	q.now = time.Now() // in the order of the changes
	c.flow(q.now)
	if q.vendor == huawei {
		q.id = c.ids.hex(32)
	} else {
		q.id = c.ids.request()
	}
	if f == nil && q.nonce != "" && !q.nonces.use(q.nonce, q.now) {
		f = refusef(400, "SignatureNonceUsed", "Specified signature nonce was used already.")
	}
	switch {
	case f == nil:
		f = q.spend()
	case q.knowsKey && !q.set.assumes(BadSignaturesFree):
		q.window().take(q.now)
	}
	if f == nil {
		f = bad
	}
	if f == nil && q.op.handle == nil {
		f = refusef(501, "FakeCloud.NotImplemented", "The operation %s is not emulated yet.", q.op.Name)
	}
	var a answer
	if f == nil {
		a, f = q.carryOut(r)
	} else {
		a = q.answer(r, nil, f)
	}
	if f != nil && q.spent && !q.set.assumes(RefusedCallsCount) {
		q.window().giveBack()
	}
	q.record(a.status, f)
	return a
}

func (q *call) answer(r *http.Request, out object, f *fault) answer {
	a := answer{vendor: q.vendor, requestID: q.id, extra: q.header}
	switch {
	case f == nil:
		a.status = q.op.Success
		if a.status == http.StatusNoContent {
			return a
		}
		if out == nil {
			out = make(object)
		}
		if q.vendor == huawei {
			out["request_id"] = q.id
		} else {
			out["RequestId"] = q.id
		}
		a.body = encode(shape(q.op.Response, out, q.family))
	case q.vendor == huawei:
		a.status = f.status
		a.body = encode(object{"error_code": f.code, "error_msg": f.message, "request_id": q.id})
	default:
		a.status = f.status
		a.body = encode(object{"Code": f.code, "Message": f.message, "RequestId": q.id, "HostId": r.Host})
	}
	return a
}

func (q *call) record(status int, f *fault) {
	rec := Request{Time: q.now, Status: status, RequestID: q.id, Params: clone(q.sent), Empty: q.empty, Fault: q.fault}
	if q.service != nil {
		rec.Service = q.service.name
	}
	if q.known {
		rec.Account = q.account.name
	}
	if q.op != nil {
		rec.Operation = q.op.Name
		mask(q.op.Request, rec.Params)
	}
	if f != nil {
		rec.Code = f.code
	}
	q.log.add(rec)
}

// find decides by the content of a request, never by its host, which service
// and operation it is for.
func (q *call) find(r *http.Request, body []byte) *fault {
	t, err := loadTables()
	if err != nil {
		return refusef(500, "FakeCloud.BrokenSpec", "%v", err)
	}
	q.values, err = url.ParseQuery(r.URL.RawQuery)
	action, version := r.Header.Get("X-Acs-Action"), r.Header.Get("X-Acs-Version")
	isRPC := action != "" || version != ""
	segments := split(r.URL.EscapedPath())
	isRPC = isRPC || r.URL.Path == "/"
	if !isRPC {
		q.vendor = huawei
		switch {
		case err != nil:
			return refusef(400, "APIGW.0201", "Bad request: %v", err)
		case len(body) > maxBody:
			return refusef(413, "APIGW.0201", "Request entity too large")
		case len(segments) > 2 && segments[0] == "v3" && segments[2] == "elb":
			q.service = t.elb
		case len(segments) > 2 && segments[0] == "v2" && (segments[2] == "apic" || segments[2] == "apigw"):
			q.service = t.apig
		case len(segments) == 2 && segments[0] == "v3" && segments[1] == "projects":
			q.service = t.iam
		default:
			return refusef(404, "APIGW.0101", "The API does not exist or has not been published in the environment")
		}
		q.op, q.family, q.path = q.service.route(r.Method, r.URL.EscapedPath())
		if q.op == nil {
			return refusef(404, "APIGW.0101", "The API does not exist or has not been published in the environment")
		}
		return nil
	}
	switch {
	case err != nil:
		return refusef(400, "InvalidParameter", "The query string is malformed: %v", err)
	case len(body) > maxBody:
		return refusef(413, "InvalidParameter", "The request body is too large.")
	case r.Method != http.MethodPost && r.Method != http.MethodGet:
		return refusef(400, "UnsupportedHTTPMethod", "This http method is not supported.")
	case r.URL.Path != "/":
		return refusef(404, "InvalidApi.NotFound", "RPC operations have the path /.")
	}
	if f := q.readForm(r, body); f != nil {
		return f
	}
	// The older SDK signs in the query or the form, and sends the headers, too.
	q.legacy = action == "" && version == "" || r.Header.Get("Authorization") == "" && q.values.Has("Signature")
	if q.legacy {
		action, version = q.values.Get("Action"), q.values.Get("Version")
	}
	switch {
	case action == "":
		return refusef(400, "MissingAction", "Action is mandatory for this action.")
	case version == t.alb.version:
		q.service = t.alb
	case version == t.slb.version:
		q.service = t.slb
	default:
		return refusef(404, "InvalidProduct.NotFound", "Cannot find the product of version %q.", version)
	}
	if q.op = q.service.ops[action]; q.op == nil {
		return refusef(404, "InvalidApi.NotFound", "Specified api is not found, please check your url and method.")
	}
	return nil
}

// readForm adds a form body's parameters to those of the query: Alibaba's RPC
// gateway takes each parameter in either place.
func (q *call) readForm(r *http.Request, body []byte) *fault {
	if len(body) == 0 {
		return nil
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "application/x-www-form-urlencoded" {
		return refusef(400, "InvalidParameter", "The body must be application/x-www-form-urlencoded, not %q.", kind)
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return refusef(400, "InvalidParameter", "The body is malformed: %v", err)
	}
	for name, v := range form {
		q.values[name] = append(q.values[name], v...)
	}
	return nil
}

// authenticate verifies the signature or the token of a request.
func (q *call) authenticate(r *http.Request, body []byte) *fault {
	var key cloudlb.Credentials
	keys := func(accessKeyID string) (secret, securityToken string, ok bool) {
		var of *account
		if of, key, ok = q.key(accessKeyID, q.now); ok {
			q.account, q.knowsKey = of, true
		}
		return key.SecretAccessKey, key.SecurityToken, ok
	}
	var who sigcheck.Identity
	var err error
	switch {
	case q.vendor == huawei:
		if token := r.Header.Get("X-Auth-Token"); token != "" {
			of, ok := q.knowsToken(token, q.now)
			if !ok {
				return &q.service.noToken
			}
			q.account = of
		} else {
			who, err = sigcheck.Huawei(r, body, q.now, keys)
		}
	case q.legacy:
		who, err = sigcheck.RPCV1(r, body, q.now, keys)
	default:
		who, err = sigcheck.ACS3(r, body, q.now, keys)
	}
	if failure := new(sigcheck.Failure); errors.As(err, &failure) {
		return &fault{failure.Status, failure.Code, failure.Message}
	} else if err != nil {
		return refusef(400, "IncompleteSignature", "%v", err)
	}
	if expired(key, q.now) {
		return q.tooOld(key)
	}
	q.known = true
	q.nonce = who.Nonce
	if who.Region != "" && who.Region != q.set.region {
		return refusef(401, "APIGW.0301", "Incorrect IAM authentication information: the signature is for region %s", who.Region)
	}
	if q.vendor == huawei {
		header := r.Header.Get("X-Project-Id")
		path, inPath := q.path["project_id"]
		if header != "" && header != q.set.projectID || inPath && path != q.set.projectID {
			return &q.service.noProject
		}
	}
	return nil
}

// legacyNames are the parameters that belong to the old signature.
var legacyNames = []string{
	"AccessKeyId", "Action", "Format", "RegionId", "SecurityToken", "Signature", "SignatureMethod",
	"SignatureNonce", "SignatureType", "SignatureVersion", "Timestamp", "Version",
}

// decode reads the parameters and checks them against the spec.
func (q *call) decode(r *http.Request, body []byte) *fault {
	d := &decoder{set: &q.set, service: q.service, family: q.family}
	var raw object
	how := text
	if q.vendor == alibaba {
		flat := make(map[string]string, len(q.values))
		for _, name := range slices.Sorted(maps.Keys(q.values)) {
			v := q.values[name]
			if q.legacy && slices.Contains(legacyNames, name) && find(q.op.Request, name) == nil {
				continue
			}
			if len(v) > 1 && q.set.assumes(RepeatedParametersRefused) {
				d.fail(malformed, name, "is given more than once")
			}
			if last := v[len(v)-1]; last != "" || !q.set.assumes(EmptyValuesAbsent) {
				flat[name] = last
			}
		}
		if format := q.values.Get("Format"); q.legacy && format != "" && !strings.EqualFold(format, "JSON") {
			return refusef(501, "FakeCloud.NotImplemented", "The response format %s is not emulated.", format)
		}
		raw = d.flat(q.op.Request, flat, "")
	} else {
		raw, how = q.rest(d, r, body), byPlace
	}
	q.empty = q.changesNothing(raw)
	in := d.object(q.op.Request, raw, how, "")
	if d.problem != nil {
		return q.service.refuse(&q.set, *d.problem)
	}
	q.sent = in
	q.in = params(withDefaults(q.op.Request, in))
	return nil
}

// rest collects the parameters of a REST call from path, query and body.
func (q *call) rest(d *decoder, r *http.Request, body []byte) object {
	raw := make(object)
	hasBody := false
	for _, f := range q.op.Request {
		hasBody = hasBody || f.In == "body"
	}
	switch {
	case hasBody && len(body) > 0:
		kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		v, err := parseJSON(body)
		o, ok := v.(object)
		switch {
		case kind != "application/json":
			d.fail(malformed, "body", "must have the content type application/json, not %q", kind)
		case err != nil:
			d.fail(malformed, "body", "is not JSON: %v", err)
		case !ok:
			d.fail(malformed, "body", "must be a JSON object")
		}
		for _, name := range slices.Sorted(maps.Keys(o)) {
			if f := find(q.op.Request, name); f != nil && f.In != "body" {
				d.fail(unknownName, name, "does not belong into the body")
			}
			raw[name] = o[name]
		}
	case len(body) > 0:
		d.fail(malformed, "body", "must be empty")
	}
	for _, name := range slices.Sorted(maps.Keys(q.values)) {
		values := q.values[name]
		f := find(q.op.Request, name)
		switch {
		case f != nil && f.In != "query":
			d.fail(unknownName, name, "does not belong into the query")
		case f != nil && f.Type == "array":
			list := make([]any, len(values))
			for i, v := range values {
				list[i] = v
			}
			raw[name] = list
		case len(values) > 1:
			d.fail(malformed, name, "is given more than once")
		default:
			raw[name] = values[0]
		}
	}
	for name, v := range q.path {
		raw[name] = v
	}
	return raw
}
