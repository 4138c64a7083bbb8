package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
)

// object is a JSON object of the file. Its fields are taken out one by one; what
// is left at the end is unknown.
type object struct {
	*problems
	at     string // where it is: groups[0].servers[3]
	label  string // what it calls itself
	fields map[string]json.RawMessage
	all    bool // fields are those of the file: what is missing is worth a word
}

// object reads the fields of one object, which is valid JSON.
func (p *problems) object(at string, raw json.RawMessage) *object {
	o := &object{problems: p, at: at, fields: make(map[string]json.RawMessage)}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		o.fail("must be an object, not %s", short(raw))
		return o
	}
	o.all = true
	for dec.More() {
		t, err := dec.Token()
		field, _ := t.(string)
		var value json.RawMessage
		if err == nil {
			err = dec.Decode(&value)
		}
		if err != nil {
			o.fail("%v", err)
			return o
		}
		if _, twice := o.fields[field]; twice {
			o.fail("%s is there twice", field)
		}
		o.fields[field] = value
	}
	return o
}

func (o *object) fail(format string, args ...any) { o.problems.fail(o.place(), format, args...) }

func (o *object) missing(field string) {
	if o.all {
		o.fail("%s is missing", field)
	}
}

// name sets what the object calls itself.
func (o *object) name(name string) { o.label = name }

// place is where the object is and what it calls itself.
func (o *object) place() string {
	if o.label == "" {
		return o.at
	}
	return o.at + " (" + o.label + ")"
}

func (o *object) has(field string) bool {
	raw, ok := o.fields[field]
	if ok && string(raw) == "null" {
		delete(o.fields, field)
		return false
	}
	return ok
}

func (o *object) take(field string) json.RawMessage {
	raw := o.fields[field]
	delete(o.fields, field)
	return raw
}

// text takes a string that must not be empty.
func (o *object) text(field string) string {
	if !o.has(field) {
		o.missing(field)
		return ""
	}
	var s string
	switch raw := o.take(field); {
	case json.Unmarshal(raw, &s) != nil:
		o.fail("%s must be a string, not %s", field, short(raw))
	case strings.TrimSpace(s) == "":
		o.fail("%s is empty", field)
	case strings.TrimSpace(s) != s:
		o.fail("%s %q has blanks around it", field, s)
	default:
		return s
	}
	return ""
}

func (o *object) optional(field string) string {
	if !o.has(field) {
		return ""
	}
	return o.text(field)
}

// number takes a whole number; nil when there is none. One out of range is
// reported.
func (o *object) number(field string, least, most int) *int {
	if !o.has(field) {
		return nil
	}
	var n int
	raw := o.take(field)
	if err := json.Unmarshal(raw, &n); err != nil || n < least || n > most {
		o.fail("%s is %s: it must be a whole number from %d to %d", field, short(raw), least, most)
	}
	return &n
}

// list takes a list and gives its elements with their places.
func (o *object) list(field string) iter.Seq2[string, json.RawMessage] {
	var elements []json.RawMessage
	if !o.has(field) {
		o.missing(field)
	} else if raw := o.take(field); json.Unmarshal(raw, &elements) != nil {
		o.fail("%s must be a list, not %s", field, short(raw))
	}
	return func(yield func(string, json.RawMessage) bool) {
		for i, raw := range elements {
			if !yield(strings.TrimPrefix(fmt.Sprintf("%s.%s[%d]", o.at, field, i), "."), raw) {
				return
			}
		}
	}
}

// end reports the fields that nobody took.
func (o *object) end() {
	for _, field := range slices.Sorted(maps.Keys(o.fields)) {
		o.fail("%s: there is no such field here", field)
	}
}

// short is JSON for a message.
func short(raw json.RawMessage) string {
	const most = 40
	if s := string(raw); len(s) <= most && !strings.Contains(s, "\n") {
		return s
	}
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "a list"
	default:
		return "a longer value"
	}
}

// notJSON says where a file stops to be JSON.
func notJSON(data []byte, err error) error {
	if syntax := new(json.SyntaxError); errors.As(err, &syntax) {
		line := 1 + bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
		return fmt.Errorf("not JSON: line %d: %w", line, err)
	}
	return fmt.Errorf("not JSON: %w", err)
}
