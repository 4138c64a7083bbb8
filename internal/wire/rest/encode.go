// Package rest is the wire family of Huawei Cloud's REST services: parameters
// in the path and the query, JSON bodies, SDK-HMAC signatures or an IAM token,
// and several JSON envelopes for errors.
package rest

import (
	"strconv"

	"github.com/cloudlb/cloudlb/internal/transport"
	"github.com/cloudlb/cloudlb/internal/wire"
)

// Literal appends a fixed part of the path.
func Literal(r *transport.Request, s string) { r.Path = append(r.Path, s...) }

// Segment appends a parameter to the path.
func Segment(r *transport.Request, s string) { r.Path = wire.AppendEscaped(r.Path, s) }

// String appends a text to the query.
func String(r *transport.Request, name, value string) {
	r.Query = wire.AppendEscaped(key(r, name), value)
}

// Int appends an integer to the query.
func Int(r *transport.Request, name string, value int64) {
	r.Query = strconv.AppendInt(key(r, name), value, 10)
}

// Bool appends a boolean to the query.
func Bool(r *transport.Request, name string, value bool) {
	r.Query = strconv.AppendBool(key(r, name), value)
}

func key(r *transport.Request, name string) []byte {
	b := r.Query
	if len(b) > 0 {
		b = append(b, '&')
	}
	b = append(b, name...)
	return append(b, '=')
}

// Body starts the JSON body: append to what it returns and hand it to EndBody.
func Body(r *transport.Request) []byte { return append(r.Body[:0], '{') }

// EndBody ends the JSON body.
func EndBody(r *transport.Request, b []byte) {
	r.Body = wire.EndObject(b)
	r.ContentType = "application/json;charset=UTF-8"
}
