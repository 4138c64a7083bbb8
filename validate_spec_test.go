package cloudlb_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/specfile"
)

// violation is one way to break one field of a good request.
type violation struct {
	path string // in wire names, as errors have it
	how  string
	do   func(object map[string]any) // changes the object that has the field
}

// violations lists every documented constraint of the fields, broken.
func violations(fields []*specfile.Field, object map[string]any, path string) []violation {
	var out []violation
	for _, f := range fields {
		v, ok := object[f.Name]
		if !ok {
			continue
		}
		at := path + f.Name
		add := func(how string, value any) {
			out = append(out, violation{at, how, func(o map[string]any) { o[f.Name] = value }})
		}
		if f.Required && f.Name != "RegionId" /* filled in */ && f.Type != "boolean" && f.Type != "object" && (f.Type == "string" || f.Min != nil && *f.Min > 0) {
			out = append(out, violation{at, "missing", func(o map[string]any) { delete(o, f.Name) }})
		}
		switch {
		case f.Type == "object":
			out = append(out, violations(f.Fields, v.(map[string]any), at+".")...)
		case f.ItemType == "object":
			list := v.([]any)
			out = append(out, violations(f.Fields, list[0].(map[string]any), at+"[0].")...)
			out = append(out, listViolations(f, at, list)...)
		case f.Type == "array":
			for _, bad := range badScalars(f) {
				out = append(out, violation{at + "[1]", bad.how, func(o map[string]any) {
					list := slices.Clone(o[f.Name].([]any))
					list[1] = bad.value
					o[f.Name] = list
				}})
			}
			out = append(out, listViolations(f, at, v.([]any))...)
		default:
			for _, bad := range badScalars(f) {
				add(bad.how, bad.value)
			}
		}
	}
	return out
}

type badValue struct {
	how   string
	value any
}

func badScalars(f *specfile.Field) []badValue {
	var out []badValue
	kind := f.Type
	if kind == "array" {
		kind = f.ItemType
	}
	switch {
	case f.In == "path":
		return []badValue{{"not an ID", ".."}}
	case kind == "boolean" || f.Type == "json-string":
		return nil
	case kind == "string":
		if len(f.Enum) > 0 {
			return []badValue{{"enumeration", "no-such-value"}}
		}
		if f.MaxLen != nil {
			out = append(out, badValue{"too long", strings.Repeat("x", *f.MaxLen+1)})
		}
		if f.MinLen != nil && *f.MinLen > 1 {
			out = append(out, badValue{"too short", strings.Repeat("x", *f.MinLen-1)})
		}
		if f.Pattern != "" {
			out = append(out, badValue{"pattern", "a b\x01c"})
		}
		for _, p := range f.NotPrefix {
			out = append(out, badValue{"prefix", p + "x"})
		}
	case len(f.Enum) > 0:
		out = append(out, badValue{"enumeration", 4711.0})
	default:
		if f.Max != nil {
			out = append(out, badValue{"too large", float64(*f.Max + 1)})
		}
		if f.Min != nil {
			bad := float64(*f.Min - 1)
			if bad == 0 && (!f.Required || f.Type == "array") {
				bad = -1 // zero is absent
			}
			out = append(out, badValue{"too small", bad})
		}
	}
	return out
}

func listViolations(f *specfile.Field, at string, list []any) []violation {
	var out []violation
	if f.MaxItems != nil {
		out = append(out, violation{at, "too many", func(o map[string]any) {
			long := make([]any, *f.MaxItems+1)
			for i := range long {
				long[i] = list[0]
				if m, ok := list[0].(map[string]any); ok { // different ones
					m = maps.Clone(m)
					for _, key := range f.UniqueBy {
						if _, text := m[key].(string); text {
							m[key] = fmt.Sprint("value-", i)
						}
					}
					long[i] = m
				}
			}
			o[f.Name] = long
		}})
	}
	if f.MinItems != nil && *f.MinItems > 0 {
		out = append(out, violation{at, "empty", func(o map[string]any) { o[f.Name] = []any{} }})
	}
	if len(f.UniqueBy) > 0 {
		out = append(out, violation{at + "[1]", "repeated", func(o map[string]any) {
			l := slices.Clone(o[f.Name].([]any))
			l[1] = l[0]
			o[f.Name] = l
		}})
	}
	return out
}

// TestValidationAgainstSpec breaks every documented constraint of every request
// field, one at a time: the error names the field, and nothing is sent.
func TestValidationAgainstSpec(t *testing.T) {
	t.Parallel()
	tested := make(chan int, 500)
	t.Run("all", func(t *testing.T) {
		eachOperation(t, func(t *testing.T, service string, _ *specfile.Service, op *specfile.Operation) {
			build := func() map[string]any {
				s := sample{full: true}
				return s.object(op.Request)
			}
			n := 0
			for i := range violations(op.Request, build(), "") {
				input := build()
				// Break the copy: the closures work on the objects they are given.
				v := violations(op.Request, input, "")[i]
				v.do(owner(input, v.path))
				loaded, err := json.Marshal(input)
				if err != nil {
					t.Fatal(err)
				}
				rec := new(recorder)
				_, err = call(t, newClient(t, service, rec), op.Go(), loaded)
				n++
				invalid, ok := errors.AsType[*cloudlb.ValidationError](err)
				if !ok || rec.last != nil || !errors.Is(err, cloudlb.ErrInvalid) {
					t.Errorf("%s %s: error %v, sent %v", v.path, v.how, err, rec.last != nil)
					continue
				}
				if !slices.ContainsFunc(invalid.Problems, func(p cloudlb.Problem) bool { return p.Field == v.path }) {
					t.Errorf("%s %s: the error does not name the field: %v", v.path, v.how, err)
				}
			}
			tested <- n
		})
	})
	close(tested)
	total := 0
	for n := range tested {
		total += n
	}
	t.Logf("%d broken requests", total)
	if total < 1000 {
		t.Errorf("only %d broken requests were tried", total)
	}
}

// owner finds the object that has the field of a path.
func owner(o map[string]any, path string) map[string]any {
	parts := strings.Split(path, ".")
	for _, part := range parts[:len(parts)-1] {
		name, _, inList := strings.Cut(part, "[")
		if inList {
			o = o[name].([]any)[0].(map[string]any)
		} else {
			o = o[name].(map[string]any)
		}
	}
	return o
}
