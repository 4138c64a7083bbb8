package fakecloud

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/cloudlb/cloudlb/internal/specfile"
)

// object is a decoded JSON object or flattened parameter. The values are
// string, int64, bool, nil, object and []any.
type object = map[string]any

// params reads a checked request.
type params object

func (p params) has(name string) bool      { _, ok := p[name]; return ok }
func (p params) str(name string) string    { s, _ := p[name].(string); return s }
func (p params) num(name string) int64     { n, _ := p[name].(int64); return n }
func (p params) flag(name string) bool     { b, _ := p[name].(bool); return b }
func (p params) object(name string) params { o, _ := p[name].(object); return params(o) }

// list returns an array of objects.
func (p params) list(name string) []params {
	list, _ := p[name].([]any)
	out := make([]params, 0, len(list))
	for _, v := range list {
		if o, ok := v.(object); ok {
			out = append(out, params(o))
		}
	}
	return out
}

// strs returns an array of strings.
func (p params) strs(name string) []string {
	list, _ := p[name].([]any)
	var out []string
	for _, v := range list {
		if s, ok := v.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// problem is a parameter that the service refuses.
type problem struct {
	kind   problemKind
	field  string // full path, such as "Servers.2.Port" or "members[1].weight"
	name   string // the last name in it
	detail string
}

type problemKind int

const (
	unknownName problemKind = iota
	missing
	malformed // wrong type, syntax or pattern
	outOfRange
	tooShort
	tooLong
	tooMany
	tooFew
)

// notation is how a value was written.
type notation int

const (
	text      notation = iota // query, form or path: everything is a string
	strict                    // JSON
	looseJSON                 // JSON in a string: numbers may be strings, names have any case
	byPlace                   // top level of a REST call: text, or strict in the body
)

// decoder checks raw values against the spec. It keeps the first problem.
type decoder struct {
	set     *settings
	service *service
	family  string
	problem *problem
}

func (d *decoder) fail(kind problemKind, path, detail string, args ...any) {
	if d.problem == nil {
		name := path[strings.LastIndexByte(path, '.')+1:]
		d.problem = &problem{kind, path, name, fmt.Sprintf(detail, args...)}
	}
}

// object checks the members of an object. raw is what was sent, by name.
func (d *decoder) object(fields []*specfile.Field, raw object, how notation, prefix string) object {
	if how == looseJSON {
		raw = d.exactNames(fields, raw)
	}
	for _, name := range slices.Sorted(maps.Keys(raw)) {
		f := find(fields, name)
		if (f == nil || !inFamily(f, d.family)) && (d.service.vendor == huawei || d.set.assumes(UnknownParametersRefused)) {
			d.fail(unknownName, prefix+name, "is not a parameter of this call")
		}
	}
	out := make(object, len(raw))
	for _, f := range fields {
		if v, ok := raw[f.Name]; ok {
			place := how
			if how == byPlace {
				place = text
				if f.In == "body" {
					place = strict
				}
			}
			out[f.Name] = d.value(f, v, place, prefix+f.Name)
		}
	}
	for _, f := range fields {
		if !inFamily(f, d.family) || f.In == "header" {
			continue
		}
		if _, ok := out[f.Name]; !ok && (f.Required || holds(f.RequiredWhen, fields, out)) {
			d.fail(missing, prefix+f.Name, "is missing")
		}
	}
	return out
}

func (d *decoder) value(f *specfile.Field, raw any, how notation, path string) any {
	if raw == nil {
		if !f.Nullable {
			d.fail(malformed, path, "must not be null")
		}
		return nil
	}
	switch f.Type {
	case "array":
		return d.array(f, raw, how, path)
	case "json-string":
		s, _ := raw.(string)
		v, err := parseJSON([]byte(s))
		if err != nil {
			d.fail(malformed, path, "is not a JSON text: %v", err)
			return nil
		}
		if len(f.Fields) == 0 && f.ItemType == "" { // the spec does not say what is in it
			return v
		}
		return d.array(f, v, looseJSON, path)
	case "object":
		o, ok := raw.(object)
		if !ok {
			d.fail(malformed, path, "must be an object")
			return nil
		}
		return d.object(f.Fields, o, how, path+".")
	default:
		return d.scalar(f, f.Type, raw, how, path)
	}
}

func (d *decoder) array(f *specfile.Field, raw any, how notation, path string) any {
	list, ok := raw.([]any)
	if !ok {
		d.fail(malformed, path, "must be a list")
		return nil
	}
	least := 0
	if f.MinItems != nil {
		least = *f.MinItems
	} else if f.Required {
		least = 1
	}
	if len(list) < least {
		d.fail(tooFew, path, "has %d items, at least %d are needed", len(list), least)
	}
	if f.MaxItems != nil && len(list) > *f.MaxItems {
		d.fail(tooMany, path, "has %d items, at most %d are allowed", len(list), *f.MaxItems)
	}
	out := make([]any, len(list))
	for i, v := range list {
		item := fmt.Sprintf("%s[%d]", path, i)
		if how == text {
			item = fmt.Sprintf("%s.%d", path, i+1)
		}
		if len(f.Fields) == 0 {
			out[i] = d.scalar(f, f.ItemType, v, how, item)
		} else if o, ok := v.(object); ok {
			out[i] = d.object(f.Fields, o, how, item+".")
		} else {
			d.fail(malformed, item, "must be an object")
		}
	}
	return out
}

func (d *decoder) scalar(f *specfile.Field, typ string, raw any, how notation, path string) any {
	switch typ {
	case "integer", "int64":
		n, ok := integer(raw, how)
		if !ok {
			d.fail(malformed, path, "must be an integer")
			return nil
		}
		if d.service.clamped[f.Name] {
			return n
		}
		if f.Min != nil && n < *f.Min || f.Max != nil && n > *f.Max {
			d.fail(outOfRange, path, "is %d, out of its range", n)
		}
		d.enum(f, n, path)
		return n
	case "boolean":
		b, ok := raw.(bool)
		if s, isText := raw.(string); isText && how != strict {
			b, ok = s == "true", s == "true" || s == "false"
		}
		if !ok {
			d.fail(malformed, path, "must be true or false")
		}
		return b
	default:
		s, ok := raw.(string)
		if !ok {
			d.fail(malformed, path, "must be a string")
			return nil
		}
		length := utf8.RuneCountInString(s)
		if f.MinLen != nil && length < *f.MinLen {
			d.fail(tooShort, path, "has %d characters, at least %d are needed", length, *f.MinLen)
		}
		if f.MaxLen != nil && length > *f.MaxLen {
			d.fail(tooLong, path, "has %d characters, at most %d are allowed", length, *f.MaxLen)
		}
		for _, p := range f.NotPrefix {
			if strings.HasPrefix(s, p) {
				d.fail(malformed, path, "must not start with %s", p)
			}
		}
		if f.Pattern != "" && !d.service.patterns[f.Pattern].MatchString(s) {
			d.fail(malformed, path, "must match %s", f.Pattern)
		}
		d.enum(f, s, path)
		return s
	}
}

func (d *decoder) enum(f *specfile.Field, v any, path string) {
	if len(f.Enum) == 0 {
		return
	}
	for _, e := range f.Enum {
		if fmt.Sprint(e) == fmt.Sprint(v) {
			return
		}
	}
	d.fail(outOfRange, path, "is %v, none of the allowed values", v)
}

func integer(raw any, how notation) (int64, bool) {
	var s string
	switch v := raw.(type) {
	case json.Number:
		s = string(v)
	case string:
		if how == strict {
			return 0, false
		}
		s = v
	default:
		return 0, false
	}
	n, err := strconv.ParseInt(s, 10, 64)
	return n, err == nil
}

// flat puts flattened parameters ("Servers.1.Port") back into their tree.
// path is the name that the values have in the request.
func (d *decoder) flat(fields []*specfile.Field, values map[string]string, prefix string) object {
	nested := make(map[string]map[string]string)
	out := make(object)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v := values[name]
		head, rest, dotted := strings.Cut(name, ".")
		f := find(fields, head)
		if f == nil {
			out[name] = v // reported as unknown by object
			continue
		}
		isTree := f.Type == "array" || f.Type == "object"
		switch {
		case dotted && isTree:
			if nested[head] == nil {
				nested[head] = make(map[string]string)
			}
			nested[head][rest] = v
		case dotted:
			out[name] = v
		case isTree:
			d.fail(malformed, prefix+head, "is sent flattened, as %s.1 or %s.Name", head, head)
		default:
			out[head] = v
		}
	}
	for _, head := range slices.Sorted(maps.Keys(nested)) {
		values := nested[head]
		f := find(fields, head)
		if f.Type == "object" {
			out[head] = d.flat(f.Fields, values, prefix+head+".")
		} else {
			out[head] = d.flatList(f, values, prefix+head)
		}
	}
	return out
}

func (d *decoder) flatList(f *specfile.Field, values map[string]string, path string) []any {
	items := make(map[int]map[string]string)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v := values[name]
		index, rest, dotted := strings.Cut(name, ".")
		i, err := strconv.Atoi(index)
		if err != nil || i < 1 || strconv.Itoa(i) != index || dotted != (len(f.Fields) > 0) {
			d.fail(malformed, path+"."+name, "is not a list item: they count from 1")
			continue
		}
		if items[i] == nil {
			items[i] = make(map[string]string)
		}
		items[i][rest] = v
	}
	out := make([]any, 0, len(items))
	for i := 1; i <= len(items); i++ {
		item, ok := items[i]
		if !ok {
			d.fail(malformed, fmt.Sprintf("%s.%d", path, i), "is missing: list indexes have no gaps")
			break
		}
		if len(f.Fields) == 0 {
			out = append(out, item[""])
		} else {
			out = append(out, d.flat(f.Fields, item, fmt.Sprintf("%s.%d.", path, i)))
		}
	}
	return out
}

// withDefaults returns a copy of in with the spec's defaults filled in.
func withDefaults(fields []*specfile.Field, in object) object {
	out := make(object, len(in))
	maps.Copy(out, in)
	for _, f := range fields {
		v, sent := out[f.Name]
		switch v := v.(type) {
		case object:
			out[f.Name] = withDefaults(f.Fields, v)
		case []any:
			if len(f.Fields) == 0 {
				continue
			}
			list := make([]any, len(v))
			for i := range v {
				o, _ := v[i].(object)
				list[i] = withDefaults(f.Fields, o)
			}
			out[f.Name] = list
		}
		if sent {
			continue
		}
		switch def := f.Default.(type) {
		case float64:
			out[f.Name] = int64(def)
		case string, bool:
			out[f.Name] = def
		}
	}
	return out
}

func find(fields []*specfile.Field, name string) *specfile.Field {
	for _, f := range fields {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// exactNames gives names that differ in case only the spec's spelling, and
// leaves out empty values, which are no values in Alibaba's notations.
func (d *decoder) exactNames(fields []*specfile.Field, raw object) object {
	out := make(object, len(raw))
	for name, v := range raw {
		if v == "" && d.set.assumes(EmptyValuesAbsent) {
			continue
		}
		for _, f := range fields {
			if strings.EqualFold(f.Name, name) && d.set.assumes(AnyCaseInBackendServers) {
				name = f.Name
			}
		}
		out[name] = v
	}
	return out
}

var (
	conditionValue = regexp.MustCompile(`^(\w+) ?(=|!=|in|not in) ?\[?([\w.,-]+)\]?$`)
	conditionUnset = regexp.MustCompile(`^(\w+)(?: and (\w+))? absent$`)
)

// holds evaluates a required_when of the spec over the siblings of a field.
// Conditions about anything else are the handlers' business.
func holds(condition string, fields []*specfile.Field, in object) bool {
	if condition == "" {
		return false
	}
	for part := range strings.SplitSeq(condition, " or ") {
		if m := conditionUnset.FindStringSubmatch(part); m != nil {
			_, first := in[m[1]]
			_, second := in[m[2]]
			if find(fields, m[1]) != nil && !first && !second {
				return true
			}
			continue
		}
		m := conditionValue.FindStringSubmatch(part)
		if m == nil {
			continue
		}
		f := find(fields, m[1])
		if f == nil {
			continue
		}
		v, ok := in[f.Name]
		if !ok {
			v = f.Default
		}
		if v == nil {
			continue
		}
		listed := slices.Contains(strings.Split(m[3], ","), fmt.Sprint(v))
		if listed == (m[2] == "=" || m[2] == "in") {
			return true
		}
	}
	return false
}

var unicodeEscape = regexp.MustCompile(`\\u([0-9A-Fa-f]{4})`)

// compile adds the patterns of fields, which are written for JavaScript.
func (s *service) compile(fields []*specfile.Field) error {
	for _, f := range fields {
		if f.Pattern != "" && s.patterns[f.Pattern] == nil {
			re, err := regexp.Compile(unicodeEscape.ReplaceAllString(f.Pattern, `\x{$1}`))
			if err != nil {
				return fmt.Errorf("spec: %s, field %s: %w", s.name, f.Name, err)
			}
			s.patterns[f.Pattern] = re
		}
		if err := s.compile(f.Fields); err != nil {
			return err
		}
	}
	return nil
}

// parseJSON reads one JSON value. Numbers become json.Number; a name that
// occurs twice in an object, invalid UTF-8 and trailing text are errors.
func parseJSON(b []byte) (any, error) {
	d := jsontext.NewDecoder(bytes.NewReader(b))
	v, err := readValue(d)
	if err != nil {
		return nil, err
	}
	if _, err := d.ReadToken(); !errors.Is(err, io.EOF) {
		return nil, errors.New("text after the value")
	}
	return v, nil
}

func readValue(d *jsontext.Decoder) (any, error) {
	tok, err := d.ReadToken()
	if err != nil {
		return nil, err
	}
	switch tok.Kind() {
	case 'n':
		return nil, nil
	case 't', 'f':
		return tok.Bool(), nil
	case '"':
		return tok.String(), nil
	case '0':
		return json.Number(tok.String()), nil
	case '[':
		list := []any{}
		for d.PeekKind() != ']' {
			v, err := readValue(d)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := d.ReadToken()
		return list, err
	default: // '{'
		o := object{}
		for d.PeekKind() != '}' {
			name, err := d.ReadToken()
			if err != nil {
				return nil, err
			}
			key := name.String()
			v, err := readValue(d)
			if err != nil {
				return nil, err
			}
			o[key] = v
		}
		_, err := d.ReadToken()
		return o, err
	}
}
