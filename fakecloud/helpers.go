package fakecloud

import (
	"maps"
	"slices"
)

// either returns s, or def when s is empty.
func either(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

// weight returns a seeded weight.
func weight(w *int, def int64) int64 {
	if w == nil {
		return def
	}
	return int64(*w)
}

// orEmpty keeps an empty list from becoming null in JSON.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// seeded gives a seeded resource the defaults that the operation which creates
// one would have filled in. body is the wrapper object of its parameters.
func seeded(name, operation, body string, in params) params {
	t, err := loadTables()
	if err != nil {
		return in
	}
	op := map[string]*service{"alb": t.alb, "elb": t.elb, "apig": t.apig}[name].ops[operation]
	if op == nil {
		return in
	}
	fields := op.Request
	if f := find(fields, body); f != nil {
		fields = f.Fields
	}
	return params(withDefaults(fields, object(in)))
}
