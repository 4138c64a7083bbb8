package fakecloud

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is something that goes wrong on purpose: what, for which requests, and
// when. The zero value of a field means any request, or always.
//
//	cloud.Inject(fakecloud.Fault{Operation: "AddServersToServerGroup", Times: 2, Effect: fakecloud.Busy()})
//
// A fault hits requests that the Cloud would otherwise carry out: what is badly
// signed, over a budget or has wrong parameters is refused first. Of several
// faults that fit a request the one injected first has its effect; only Slow
// adds to others.
type Fault struct {
	// Effect is what happens. It is the one field that is required.
	Effect Effect

	// Account is the name of the account that asks; see Cloud.Account.
	Account string
	// Service is "alb", "slb", "elb", "apig" or "iam".
	Service string
	// Operation is the vendor's or the Go name of a call. With StaleReads it is
	// the read that is stale.
	Operation string
	// Resource is the value of any parameter of the request, however deep: the
	// ID of a group, a server's ID or address, a client token.
	Resource string

	// After and Within are the time from the injection in which requests are
	// hit: from After on, for the length of Within.
	After, Within time.Duration
	// Skip is how many requests that fit are spared first: 2 spares two and
	// hits the third.
	Skip int
	// Times is how many requests are hit in all.
	Times int
	// Probability is the chance of each request that fits to be hit, between 0
	// and 1; 0 means 1. The dice follow from the Cloud's seed.
	Probability float64
}

// Effect is what a Fault does. Make one with Throttle, Busy, Refuse and the
// other functions of this result, or from its text.
type Effect struct {
	kind          effectKind
	wait          time.Duration
	status        int // or a count
	code, message string
}

type effectKind string

const (
	noEffect    effectKind = ""
	throttles   effectKind = "throttle"
	isBusy      effectKind = "busy"
	unavailable effectKind = "unavailable"
	refuses     effectKind = "refuse"
	slows       effectKind = "slow"
	hangs       effectKind = "hang"
	resetsFirst effectKind = "reset-before"
	resetsLast  effectKind = "reset-after"
	truncates   effectKind = "truncate"
	mislabels   effectKind = "content-type"
	empties     effectKind = "empty"
	jobFails    effectKind = "job-fails"
	jobEndless  effectKind = "job-never-ends"
	jobVanishes effectKind = "job-vanishes"
	partial     effectKind = "partial"
	staleReads  effectKind = "stale"
)

// Throttle refuses the request with the code of the vendor's rate limit. wait
// is how long the answer says to wait, in Alibaba's X-Ratelimit-User-Api header
// or in the text of Huawei's message; with 0 it does not say.
func Throttle(wait time.Duration) Effect { return Effect{kind: throttles, wait: wait} }

// Busy refuses a change with the code of its service for a resource that is
// still changing. Reads are spared.
func Busy() Effect { return Effect{kind: isBusy} }

// Unavailable answers with a status of 500 or more and a page of HTML, as a
// broken proxy does. Nothing is changed.
func Unavailable(status int) Effect { return Effect{kind: unavailable, status: status} }

// Refuse answers with an error in the envelope of the service.
func Refuse(status int, code, message string) Effect {
	return Effect{kind: refuses, status: status, code: code, message: message}
}

// Slow sends the answer late. The change is made when the request arrives: who
// does not wait for the answer does not know. For as long, the request counts
// as running; see WithTokenProcessing.
func Slow(d time.Duration) Effect { return Effect{kind: slows, wait: d} }

// Hang changes nothing and sends no answer until the caller gives up.
func Hang() Effect { return Effect{kind: hangs} }

// ResetBefore resets the connection instead of answering. Nothing is changed.
func ResetBefore() Effect { return Effect{kind: resetsFirst} }

// ResetAfter loses the answer: the request is carried out, then the connection
// is reset.
func ResetAfter() Effect { return Effect{kind: resetsLast} }

// Truncate carries the request out and breaks the connection half-way through
// the answer's body.
func Truncate() Effect { return Effect{kind: truncates} }

// ContentType carries the request out and gives the answer another content
// type.
func ContentType(value string) Effect { return Effect{kind: mislabels, code: value} }

// EmptyAnswer carries the request out and answers 200 without a body.
func EmptyAnswer() Effect { return Effect{kind: empties} }

// JobFails lets the job of an ALB call fail at its end, with everything as it
// was before.
func JobFails(code, message string) Effect {
	return Effect{kind: jobFails, code: code, message: message}
}

// JobNeverEnds leaves the job of an ALB call processing, and its group busy,
// for good.
func JobNeverEnds() Effect { return Effect{kind: jobEndless} }

// JobVanishes leaves the job of an ALB call out of ListAsynJobs. It does its
// work.
func JobVanishes() Effect { return Effect{kind: jobVanishes} }

// PartialSuccess leaves the last failing entries of a batch undone and answers
// success, with ret_status "failed" for them. Only ELB's BatchCreateMembers,
// BatchDeleteMembers and BatchDeletePools answer per entry.
func PartialSuccess(failing int) Effect { return Effect{kind: partial, status: failing} }

// StaleReads lets reads lag behind changes: what a read was asked before a
// change it answers, for d after the change, as it would have been before.
// Reads with parameters that were not asked since the injection answer the
// truth.
func StaleReads(d time.Duration) Effect { return Effect{kind: staleReads, wait: d} }

// String is the effect as text, such as "slow 3s" or "refuse 403 Forbidden.RAM
// not allowed": the kind, then the arguments of the function that makes it.
func (e Effect) String() string {
	words := []string{string(e.kind)}
	switch e.kind {
	case throttles, slows, staleReads:
		words = append(words, e.wait.String())
	case unavailable, partial:
		words = append(words, strconv.Itoa(e.status))
	case refuses:
		words = append(words, strconv.Itoa(e.status), e.code, e.message)
	case mislabels, jobFails:
		words = append(words, e.code, e.message)
	default:
	}
	return strings.TrimSpace(strings.Join(words, " "))
}

// MarshalText implements encoding.TextMarshaler with String.
func (e Effect) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads what String writes.
func (e *Effect) UnmarshalText(text []byte) error {
	kind, args, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	out := Effect{kind: effectKind(kind)}
	var err error
	switch out.kind {
	case throttles, slows, staleReads:
		if args != "" || out.kind != throttles {
			out.wait, err = time.ParseDuration(args)
		}
	case unavailable, partial:
		out.status, err = strconv.Atoi(args)
	case refuses:
		status, rest, _ := strings.Cut(args, " ")
		out.code, out.message, _ = strings.Cut(rest, " ")
		out.status, err = strconv.Atoi(status)
	case mislabels:
		out.code = args
	case jobFails:
		out.code, out.message, _ = strings.Cut(args, " ")
	default:
		if args != "" {
			err = errors.New("it has no arguments")
		}
	}
	if err == nil {
		err = out.check()
	}
	if err != nil {
		return fmt.Errorf("fakecloud: the effect %q: %w", text, err)
	}
	*e = out
	return nil
}

func (e Effect) check() error {
	switch e.kind {
	case isBusy, hangs, resetsFirst, resetsLast, truncates, empties, jobEndless, jobVanishes:
		return nil
	case throttles:
		return complain(e.wait < 0, "the wait is negative")
	case slows, staleReads:
		return complain(e.wait <= 0, "the duration must be positive")
	case unavailable:
		return complain(e.status < 500 || e.status > 599, "the status must be 500 to 599")
	case refuses:
		return complain(e.status < 300 || e.status > 599 || e.code == "", "a status of 300 to 599 and a code are needed")
	case mislabels:
		return complain(e.code == "", "the content type is missing")
	case jobFails:
		return complain(e.code == "", "the job's error code is missing")
	case partial:
		return complain(e.status < 1, "at least one entry must fail")
	case noEffect:
		return errors.New("there is no effect")
	default:
		return fmt.Errorf("there is no effect %q", string(e.kind))
	}
}

func complain(bad bool, text string) error {
	if bad {
		return errors.New(text)
	}
	return nil
}

// Validate reports what makes no sense: unknown names, an effect that the
// operation cannot have, values out of range.
func (f Fault) Validate() error {
	if err := f.validate(); err != nil {
		return fmt.Errorf("fakecloud: fault: %w", err)
	}
	return nil
}

func (f Fault) validate() error {
	if err := f.Effect.check(); err != nil {
		return err
	}
	switch {
	case f.After < 0 || f.Within < 0:
		return errors.New("the time After or Within is negative")
	case f.Skip < 0 || f.Times < 0:
		return errors.New("the number Skip or Times is negative")
	case !(f.Probability >= 0 && f.Probability <= 1):
		return fmt.Errorf("the Probability %v is not between 0 and 1", f.Probability)
	}
	ops, err := operations(f.Service, f.Operation)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(ops, f.Effect.possible) {
		return fmt.Errorf("the effect %q does not exist for %s", f.Effect, strings.TrimSpace(either(f.Service, "any service")+" "+f.Operation))
	}
	return nil
}

// possible reports whether an operation can have the effect.
func (e Effect) possible(op *operation) bool {
	switch e.kind {
	case isBusy:
		return !op.ReadOnly && op.service.name != "iam"
	case jobFails, jobEndless, jobVanishes:
		return op.service.name == "alb" && op.Async
	case partial:
		return batch(op) != ""
	case staleReads:
		return op.ReadOnly
	default:
		return true
	}
}

// batch is the list that an operation answers entry by entry, empty when there
// is none.
func batch(op *operation) string {
	for _, f := range op.Response {
		if find(f.Fields, "ret_status") != nil && find(op.Request, f.Name) != nil {
			return f.Name
		}
	}
	return ""
}

// Injection is a Fault in force.
type Injection struct {
	cloud  *Cloud
	fault  Fault
	from   time.Time
	dice   *rand.Rand
	fitted int
	hit    int
	reads  map[string]*staleRead
}

// staleReadLimit is how many different reads one StaleReads remembers.
const staleReadLimit = 1000

// staleRead is a read that was asked, and what it answered before the changes
// that it does not know of yet.
type staleRead struct {
	asked  call
	before []staleAnswer // by time
}

type staleAnswer struct {
	until time.Time
	body  []byte
	fault *fault
}

// Inject puts a fault in force until it is removed. It panics if the fault
// makes no sense; see Validate.
func (c *Cloud) Inject(f Fault) *Injection {
	if err := f.Validate(); err != nil {
		panic(err.Error())
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.injected++
	i := &Injection{
		cloud: c, fault: f, from: time.Now().Add(f.After), reads: make(map[string]*staleRead),
		dice: rand.New(rand.NewPCG(c.set.seed, c.injected)),
	}
	c.faults = append(c.faults, i)
	return i
}

// Remove ends the fault. Jobs that it touched stay as they are.
func (i *Injection) Remove() {
	i.cloud.mu.Lock()
	defer i.cloud.mu.Unlock()
	i.cloud.faults = slices.DeleteFunc(i.cloud.faults, func(x *Injection) bool { return x == i })
}

// Count is how many requests the fault has hit.
func (i *Injection) Count() int {
	i.cloud.mu.Lock()
	defer i.cloud.mu.Unlock()
	return i.hit
}

// RemoveFaults ends all faults.
func (c *Cloud) RemoveFaults() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults = nil
}

// fits reports whether a request is one that the fault is for.
func (i *Injection) fits(q *call) bool {
	f := &i.fault
	return (f.Account == "" || f.Account == q.account.name) && (f.Service == "" || f.Service == q.service.name) &&
		(f.Operation == "" || q.op.named(f.Operation)) &&
		f.Effect.possible(q.op) &&
		!q.now.Before(i.from) && (f.Within == 0 || q.now.Before(i.from.Add(f.Within))) &&
		(f.Resource == "" || mentions(q.sent, f.Resource))
}

// hits decides about a request that fits, and counts it.
func (i *Injection) hits() bool {
	f := &i.fault
	i.fitted++
	if i.fitted <= f.Skip || f.Times > 0 && i.hit >= f.Times ||
		f.Probability > 0 && i.dice.Float64() >= f.Probability {
		return false
	}
	i.hit++
	return true
}

// mentions reports whether a value is v, or has it somewhere inside.
func mentions(in any, v string) bool {
	switch in := in.(type) {
	case string:
		return in == v
	case object:
		for _, x := range in {
			if mentions(x, v) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(in, func(x any) bool { return mentions(x, v) })
	}
	return false
}

// struck returns the effect of the faults that hit the request as such, and
// adds up how late the answer is.
func (q *call) struck() Effect {
	var out Effect
	for _, i := range q.faults {
		e := i.fault.Effect
		switch e.kind {
		case jobFails, jobEndless, jobVanishes, staleReads:
			continue // have their own time
		default:
		}
		if e.kind != slows && out.kind != noEffect || !i.fits(q) || !i.hits() {
			continue
		}
		q.note(e)
		if e.kind == slows {
			q.delay += e.wait
		} else {
			out = e
		}
	}
	return out
}

// struckJob returns the effect on a job that is about to start.
func (q *call) struckJob() Effect {
	for _, i := range q.faults {
		switch e := i.fault.Effect; e.kind {
		case jobFails, jobEndless, jobVanishes:
			if i.fits(q) && i.hits() {
				q.note(e)
				return e
			}
		default:
		}
	}
	return Effect{}
}

// note writes down for the record what was done to the request.
func (q *call) note(e Effect) {
	if q.fault != "" {
		q.fault += "; "
	}
	q.fault += e.String()
}

// carryOut does what the request asks, with what the faults make of it.
func (q *call) carryOut(r *http.Request) (answer, *fault) {
	e := q.struck()
	var out object
	var f *fault
	switch e.kind {
	case throttles:
		f = q.throttled(q.budget(), e.wait)
	case isBusy:
		f = q.busy()
	case refuses:
		f = refusef(e.status, e.code, "%s", e.message)
	case unavailable:
		f = refusef(e.status, "", "")
	case resetsFirst, hangs:
	case partial:
		out, f = q.partially(e.status)
	default:
		out, f = q.handled()
	}
	a := q.answer(r, out, f)
	a.effect, a.delay = e, q.delay
	switch e.kind {
	case unavailable:
		a.contentType = "text/html; charset=utf-8"
		a.body = fmt.Appendf(nil, "<html><head><title>%d %s</title></head><body><h1>%[1]d %[2]s</h1></body></html>\n", e.status, http.StatusText(e.status))
	case mislabels:
		a.contentType = e.code
	case empties:
		a.status, a.body = http.StatusOK, nil
	case resetsFirst, resetsLast, hangs:
		a.status = 0
	default:
	}
	return a, f
}

// busy is the service's error for a resource that is still changing.
func (q *call) busy() *fault {
	switch q.service.name {
	case "alb":
		if q.op.Lock != nil && q.op.Lock.Kind == "server_group" {
			return refusef(400, "IncorrectStatus.ServerGroup", "The status of %s [Configuring] is incorrect.", either(q.in.str("ServerGroupId"), "ServerGroup"))
		}
		return refusef(400, "SystemBusy", "The system is busy, please try again later.")
	case "slb":
		return refusef(409, "BackendServer.configuring", "A previous configuration of the load balancer is pending; please try again later.")
	case "elb":
		return q.elbLocked("Load balancer")
	default:
		return refusef(500, "APIG.9999", "System error: database data synchronize failed")
	}
}

// partially carries out a batch but for its last entries.
func (q *call) partially(failing int) (object, *fault) {
	name := batch(q.op)
	all, _ := q.in[name].([]any)
	keep := max(len(all)-failing, 0)
	asked, sent := q.in, q.sent
	q.in, q.sent = params(clone(object(asked))), clone(sent)
	q.in[name] = q.in[name].([]any)[:keep]
	if list, ok := q.sent[name].([]any); ok {
		q.sent[name] = list[:keep]
	}
	out, f := q.handled()
	q.in, q.sent = asked, sent
	if f != nil {
		return nil, f
	}
	done, _ := out[name].([]object)
	if !q.set.assumes(FailedEntriesSayFailed) {
		keep = len(all)
	}
	for _, entry := range all[keep:] {
		o, ok := clone(entry).(object)
		if !ok {
			o = object{"id": entry} // IDs alone
		}
		o["ret_status"] = "failed"
		done = append(done, o)
	}
	out[name] = done
	return out, nil
}

// handled carries out the request, late reads included.
func (q *call) handled() (object, *fault) {
	if q.op.ReadOnly {
		if a, ok := q.stale(); ok {
			v, _ := parseJSON(a.body)
			out, _ := v.(object)
			return out, a.fault
		}
		return q.op.handle(q)
	}
	seen := q.lookBefore()
	out, f := q.op.handle(q)
	if f == nil {
		for r, a := range seen {
			r.before = append(r.before, a)
		}
	}
	return out, f
}

// stale returns the answer from before the last changes, if the read is to have
// it; otherwise it remembers the read.
func (q *call) stale() (staleAnswer, bool) {
	for _, i := range q.faults {
		if i.fault.Effect.kind != staleReads || !i.fits(q) {
			continue
		}
		key := q.account.name + " " + q.op.Name + q.family + string(encode(q.sent))
		r := i.reads[key]
		if r == nil {
			if len(i.reads) < staleReadLimit {
				i.reads[key] = &staleRead{asked: *q}
			}
			continue
		}
		r.before = slices.DeleteFunc(r.before, func(a staleAnswer) bool { return !q.now.Before(a.until) })
		if len(r.before) > 0 && i.hits() {
			q.note(i.fault.Effect)
			return r.before[0], true
		}
	}
	return staleAnswer{}, false
}

// lookBefore asks the remembered reads of the same service once more, before a
// change.
func (q *call) lookBefore() map[*staleRead]staleAnswer {
	var seen map[*staleRead]staleAnswer
	for _, i := range q.faults {
		for _, r := range i.reads {
			if r.asked.service != q.service || r.asked.account != q.account {
				continue
			}
			again := r.asked
			again.now = q.now
			out, f := again.op.handle(&again)
			if seen == nil {
				seen = make(map[*staleRead]staleAnswer)
			}
			a := staleAnswer{until: q.now.Add(i.fault.Effect.wait), fault: f}
			if f == nil {
				a.body = encode(out)
			}
			seen[r] = a
		}
	}
	return seen
}
