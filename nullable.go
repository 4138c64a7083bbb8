package cloudlb

import "encoding/json"

// Nullable is an optional value of an API that tells "leave it" from "reset
// it". The zero value is absent: the field is not sent and nothing changes.
type Nullable[T any] struct {
	value T
	state nullState
}

type nullState uint8

const (
	absent nullState = iota
	null
	set
)

// Value returns a Nullable that is sent as v.
func Value[T any](v T) Nullable[T] { return Nullable[T]{value: v, state: set} }

// Null returns a Nullable that is sent as null: the service resets the field.
func Null[T any]() Nullable[T] { return Nullable[T]{state: null} }

// Get returns the value and whether there is one.
func (n Nullable[T]) Get() (T, bool) { return n.value, n.state == set }

// IsZero reports whether the field is absent; omitzero uses it.
func (n Nullable[T]) IsZero() bool { return n.state == absent }

// IsNull reports whether the field is sent as null.
func (n Nullable[T]) IsNull() bool { return n.state == null }

// MarshalJSON implements json.Marshaler.
func (n Nullable[T]) MarshalJSON() ([]byte, error) {
	if n.state != set {
		return []byte("null"), nil
	}
	return json.Marshal(n.value)
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Nullable[T]) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*n = Null[T]()
		return nil
	}
	var v T
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	*n = Value(v)
	return nil
}
