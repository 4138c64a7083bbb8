package fakecloud

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/cloudlb/cloudlb/internal/specfile"
)

// Request is one request that reached the Cloud, whatever became of it.
type Request struct {
	// Account is the name of the account whose credentials the request had;
	// empty when they were bad.
	Account string
	// Service is "alb", "slb", "elb", "apig" or "iam", empty when the request
	// was for none of them.
	Service string
	// Operation is the vendor's name of the call, empty when there is none.
	Operation string
	// Time is when it arrived.
	Time time.Time
	// Status and Code are of the answer. Code is empty for a success and for
	// an error page; Status is 0 when no answer was sent.
	Status int
	Code   string
	// RequestID is the one in the answer.
	RequestID string
	// Fault is what injected faults did to the request, as their effects' text.
	Fault string
	// Empty marks a change that named a resource but nothing to change in it,
	// such as no servers at all.
	Empty bool
	// Params are the parameters as they were sent, in wire names, with
	// strings, int64, bool, []any and map[string]any as values. They are nil
	// when they could not be read; secrets are masked.
	Params map[string]any
}

// journal is the record of all requests.
type journal struct {
	kept   []Request
	size   int // 0: without a bound
	counts map[operationKey]int
}

type operationKey struct{ service, operation string }

func (k operationKey) isOneOf(ops []*operation) bool {
	return slices.ContainsFunc(ops, func(op *operation) bool { return op.service.name == k.service && op.Name == k.operation })
}

func (j *journal) add(r Request) {
	j.kept = append(j.kept, r)
	if j.size > 0 && len(j.kept) >= 2*j.size {
		j.kept = slices.Clone(j.kept[len(j.kept)-j.size:])
	}
	j.counts[operationKey{r.Service, r.Operation}]++
}

// all are the requests that are kept, oldest first.
func (j *journal) all() []Request {
	if j.size > 0 && len(j.kept) > j.size {
		return j.kept[len(j.kept)-j.size:]
	}
	return j.kept
}

// operations are those that a service and a name mean, the vendor's or the Go
// name of the call. Empty ones mean any.
func operations(of, name string) ([]*operation, error) {
	t, err := loadTables()
	if err != nil {
		return nil, err
	}
	var found []*operation
	known := of == ""
	for _, s := range []*service{t.alb, t.slb, t.elb, t.apig, t.iam} {
		if of != "" && s.name != of {
			continue
		}
		known = true
		for _, op := range s.ordered {
			if name == "" || op.named(name) {
				found = append(found, op)
			}
		}
	}
	switch {
	case !known:
		return nil, fmt.Errorf("there is no service %q; there are alb, slb, elb, apig and iam", of)
	case len(found) == 0:
		return nil, fmt.Errorf("no operation %[2]q in %[1]s", either(of, "any service"), name)
	}
	return found, nil
}

func (op *operation) named(name string) bool { return op.Name == name || op.Go() == name }

// mustOperations are the operations that a test asks for; a misspelt name must
// not pass for one that was never called.
func mustOperations(what, service, name string) []*operation {
	ops, err := operations(service, name)
	if err != nil {
		panic("fakecloud: " + what + ": " + err.Error())
	}
	return ops
}

// Requests returns what was asked so far, in order of arrival.
func (c *Cloud) Requests() []Request { return c.requests(func(*Request) bool { return true }) }

func (c *Cloud) requests(which func(*Request) bool) []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.log.all()
	out := make([]Request, 0, len(all))
	for i := range all {
		if which(&all[i]) {
			r := all[i]
			r.Params = clone(r.Params)
			out = append(out, r)
		}
	}
	return out
}

// Calls counts the requests for an operation, by the vendor's or the Go name
// ("alb", "AddServersToServerGroup"), refused ones included. An empty operation
// counts those of the whole service. It panics if there is no such operation:
// a misspelt name must not count as never called.
func (c *Cloud) Calls(service, operation string) int {
	ops := mustOperations("Calls", service, operation)
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for key, count := range c.log.counts {
		if operation == "" && (service == "" || key.service == service) || key.isOneOf(ops) {
			n += count
		}
	}
	return n
}

// Rate is the highest number of requests for an operation, or for a whole
// service, that arrived within any window of that length. Names are those of
// Calls.
func (c *Cloud) Rate(service, operation string, window time.Duration) int {
	ops := mustOperations("Rate", service, operation)
	c.mu.Lock()
	defer c.mu.Unlock()
	var times []time.Time
	all := c.log.all()
	for i := range all {
		if r := &all[i]; operation == "" && (service == "" || r.Service == service) || (operationKey{r.Service, r.Operation}).isOneOf(ops) {
			times = append(times, r.Time)
		}
	}
	slices.SortFunc(times, time.Time.Compare)
	highest, first := 0, 0
	for i, t := range times {
		for t.Sub(times[first]) >= window && first < i {
			first++
		}
		highest = max(highest, i-first+1)
	}
	return highest
}

// Attempts counts the requests with each client token.
func (c *Cloud) Attempts() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	attempts := make(map[string]int)
	for _, r := range c.log.all() {
		if token, _ := r.Params["ClientToken"].(string); token != "" {
			attempts[token]++
		}
	}
	return attempts
}

// EmptyCalls returns the requests with nothing to change in them, which no
// program should send.
func (c *Cloud) EmptyCalls() []Request { return c.requests(func(r *Request) bool { return r.Empty }) }

// changesNothing reports whether a change that has lists of entries names only
// its resource. raw are the parameters before they are checked.
func (q *call) changesNothing(raw object) bool {
	if q.op.ReadOnly {
		return false
	}
	lists := false
	for _, f := range q.op.Request {
		if f.Type == "array" || f.Type == "json-string" {
			lists = true
			if !hollow(raw[f.Name]) {
				return false
			}
			continue
		}
		_, given := raw[f.Name]
		addressed := f.In == "path" || f.Name == "RegionId" || f.Name == q.op.TokenField || f.Name == q.op.DryRunField ||
			q.op.Lock != nil && slices.Contains(q.op.Lock.Fields, f.Name)
		if given && !addressed {
			return false
		}
	}
	return lists
}

// hollow reports whether an undecoded list has no entries.
func hollow(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case []any:
		return len(v) == 0
	case string:
		return v == "" || v == "[]"
	default:
		return false
	}
}

// clone copies a decoded parameter with everything in it.
func clone[T any](v T) T {
	var deep func(any) any
	deep = func(v any) any {
		switch v := v.(type) {
		case object:
			if v == nil {
				return v
			}
			out := maps.Clone(v)
			for k := range out {
				out[k] = deep(out[k])
			}
			return out
		case []any:
			out := slices.Clone(v)
			for i := range out {
				out[i] = deep(out[i])
			}
			return out
		default:
			return v
		}
	}
	out, _ := deep(v).(T)
	return out
}

// mask hides the values of secret fields in a copied object.
func mask(fields []*specfile.Field, in object) {
	for _, f := range fields {
		v, ok := in[f.Name]
		switch {
		case !ok:
		case f.Secret:
			in[f.Name] = "***"
		case len(f.Fields) > 0:
			if o, ok := v.(object); ok {
				mask(f.Fields, o)
			}
			for _, o := range params(in).list(f.Name) {
				mask(f.Fields, object(o))
			}
		}
	}
}
