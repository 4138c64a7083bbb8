package wire

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Decode reads a JSON value into v. Unknown members, repeated members and
// broken UTF-8 are not errors: a reply is read for what it says.
func Decode(b []byte, v any) error {
	return json.Unmarshal(b, v, lenient)
}

// DecodeLoose is Decode for the classic SLB, which writes numbers and booleans
// as strings now and then and is not sure about the case of its names.
func DecodeLoose(b []byte, v any) error {
	return json.Unmarshal(b, v, loose)
}

// The options, joined once and not at every call.
var (
	lenient = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	loose   = json.JoinOptions(lenient, json.MatchCaseInsensitiveNames(true), json.WithUnmarshalers(looseTypes))
)

var looseTypes = json.JoinUnmarshalers(
	json.UnmarshalFromFunc(func(d *jsontext.Decoder, n *int) error {
		v, err := looseInt(d)
		*n = int(v)
		return err
	}),
	json.UnmarshalFromFunc(func(d *jsontext.Decoder, n *int64) error {
		v, err := looseInt(d)
		*n = v
		return err
	}),
	json.UnmarshalFromFunc(func(d *jsontext.Decoder, p *bool) error {
		if d.PeekKind() != '"' {
			return errors.ErrUnsupported
		}
		t, err := d.ReadToken()
		if err != nil {
			return err
		}
		switch s := t.String(); s {
		case "true", "True", "on":
			*p = true
		case "false", "False", "off", "":
			*p = false
		default:
			return fmt.Errorf("%q is not a boolean", s)
		}
		return nil
	}),
)

// looseInt reads a number or a string that holds one; an empty string is 0.
func looseInt(d *jsontext.Decoder) (int64, error) {
	if d.PeekKind() != '"' {
		return 0, errors.ErrUnsupported
	}
	t, err := d.ReadToken()
	if err != nil || t.String() == "" {
		return 0, err
	}
	n, err := strconv.ParseInt(t.String(), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is not an integer", t.String())
	}
	return n, nil
}

// AppendString appends s as a JSON string.
func AppendString[T ~string](b []byte, s T) []byte {
	b, _ = jsontext.AppendQuote(b, string(s)) // the only error is broken UTF-8, replaced and refused before
	return b
}

// DecodeWrapped reads a list that the classic SLB wraps into an object with one
// member, {"BackendServer": [...]}. It takes the bare list, null and the string
// form of the list as well.
func DecodeWrapped[T any](b []byte, member string, list *[]T) error {
	return DecodeLoose(b, &wrapped[T]{member, list})
}

type wrapped[T any] struct {
	member string
	list   *[]T
}

// UnmarshalJSONFrom implements json.UnmarshalerFrom: the list is decoded where
// it stands.
func (w *wrapped[T]) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	switch d.PeekKind() {
	case '{':
		return w.object(d)
	case '"':
		text, err := d.ReadToken()
		if err != nil {
			return err
		}
		*w.list = nil
		if text.String() == "" {
			return nil
		}
		return DecodeLoose([]byte(text.String()), w.list)
	default:
		return json.UnmarshalDecode(d, w.list)
	}
}

// object reads the member of that very name; a repeated one replaces the list.
func (w *wrapped[T]) object(d *jsontext.Decoder) error {
	*w.list = nil
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		if name.String() != w.member {
			err = d.SkipValue()
		} else {
			err = json.UnmarshalDecode(d, w.list)
		}
		if err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// EncodeWrapped is the inverse of DecodeWrapped.
func EncodeWrapped[T any](member string, list []T) ([]byte, error) {
	if list == nil {
		list = []T{}
	}
	return json.Marshal(map[string][]T{member: list})
}

// Key appends the name of an object's next member. Every member leaves a comma
// behind it (see EndObject), so that encoders need not know who is last.
func Key(b []byte, name string) []byte {
	b = append(b, '"')
	b = append(b, name...)
	return append(b, '"', ':')
}

// EndObject closes an object that was opened with '{' and whose members each
// left a comma.
func EndObject(b []byte) []byte { return end(b, '}') }

// EndList closes a list whose elements each left a comma.
func EndList(b []byte) []byte { return end(b, ']') }

func end(b []byte, closing byte) []byte {
	if n := len(b) - 1; b[n] == ',' {
		b[n] = closing
		return b
	}
	return append(b, closing)
}
