// Package rpc is the wire family of Alibaba Cloud's RPC services: flattened
// parameters in the query and the form body, ACS3 signatures, and one JSON
// envelope for errors.
package rpc

import (
	"strconv"

	"github.com/cloudlb/cloudlb/internal/transport"
	"github.com/cloudlb/cloudlb/internal/wire"
)

// Values appends name=value pairs to the query or the form of a request. Names
// are ASCII letters, digits and dots and need no escaping.
type Values struct {
	out    *[]byte
	prefix [96]byte // of the object at hand, "Servers.12."
	n      int
	form   bool // a space is "+", not "%20"
	text   *[]byte
}

// Query returns the Values of the request's query.
func Query(r *transport.Request) Values { return Values{out: &r.Query, text: &r.Text} }

// Form returns the Values of the request's body.
func Form(r *transport.Request) Values {
	r.ContentType = "application/x-www-form-urlencoded"
	return Values{out: &r.Body, text: &r.Text, form: true}
}

// Enter goes into element i of the list name, counted from 0 here and from 1 on
// the wire. Leave(mark) comes back.
func (v *Values) Enter(name string, i int) (mark int) {
	mark = v.n
	b := append(v.prefix[:v.n], name...)
	b = append(b, '.')
	b = strconv.AppendInt(b, int64(i)+1, 10)
	b = append(b, '.')
	v.n = len(b)
	return mark
}

// EnterObject goes into the object name. Leave(mark) comes back.
func (v *Values) EnterObject(name string) (mark int) {
	mark = v.n
	v.n = len(append(append(v.prefix[:v.n], name...), '.'))
	return mark
}

// Leave comes back from Enter or EnterObject.
func (v *Values) Leave(mark int) { v.n = mark }

func (v *Values) key(name string) []byte {
	b := *v.out
	if len(b) > 0 {
		b = append(b, '&')
	}
	b = append(b, v.prefix[:v.n]...)
	b = append(b, name...)
	return append(b, '=')
}

// String appends a text.
func (v *Values) String(name, value string) {
	if v.form {
		*v.out = wire.AppendFormEscaped(v.key(name), value)
	} else {
		*v.out = wire.AppendEscaped(v.key(name), value)
	}
}

// Int appends an integer.
func (v *Values) Int(name string, value int64) {
	*v.out = strconv.AppendInt(v.key(name), value, 10)
}

// Bool appends a boolean.
func (v *Values) Bool(name string, value bool) {
	*v.out = strconv.AppendBool(v.key(name), value)
}

// StringItem appends element i of a list of texts.
func (v *Values) StringItem(name string, i int, value string) {
	mark := v.Enter(name, i)
	v.n-- // no dot behind the number
	v.String("", value)
	v.Leave(mark)
}

// IntItem appends element i of a list of integers.
func (v *Values) IntItem(name string, i int, value int64) {
	mark := v.Enter(name, i)
	v.n--
	v.Int("", value)
	v.Leave(mark)
}

// JSON starts a parameter that carries JSON text: append the JSON to what it
// returns and hand it to EndJSON.
func (v *Values) JSON() []byte { return (*v.text)[:0] }

// EndJSON appends the parameter.
func (v *Values) EndJSON(name string, text []byte) {
	*v.text = text
	*v.out = wire.AppendEscaped(v.key(name), text)
}
