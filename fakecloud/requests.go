package fakecloud

import (
	"maps"
	"slices"
	"time"

	"github.com/cloudlb/cloudlb/internal/specfile"
)

// Request is one request that reached the Cloud, whatever became of it.
type Request struct {
	// Service is "alb", "slb", "elb", "apig" or "iam", empty when the request
	// was for none of them.
	Service string
	// Operation is the vendor's name of the call, empty when there is none.
	Operation string
	// Time is when it arrived.
	Time time.Time
	// Status and Code are of the answer; Code is empty for a success.
	Status int
	Code   string
	// RequestID is the one in the answer.
	RequestID string
	// Params are the parameters as they were sent, in wire names, with
	// strings, int64, bool, []any and map[string]any as values. They are nil
	// when they could not be read; secrets are masked.
	Params map[string]any
}

// Requests returns what was asked so far, in order of arrival.
func (c *Cloud) Requests() []Request {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := slices.Clone(c.log)
	for i := range out {
		out[i].Params = clone(out[i].Params)
	}
	return out
}

// Calls counts the requests for an operation ("alb",
// "AddServersToServerGroup"), refused ones included. An empty operation counts
// those of the whole service.
func (c *Cloud) Calls(service, operation string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for i := range c.log {
		if r := &c.log[i]; r.Service == service && (operation == "" || r.Operation == operation) {
			n++
		}
	}
	return n
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
