package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cloudlb/cloudlb/internal/specfile"
)

// kind is what a field holds.
type kind int

const (
	kText kind = iota
	kEnum      // text with a type of its own
	kInt
	kBool
	kObject
	kTexts
	kEnums
	kInts
	kObjects
	kWrapped // SLB: an object around one list, a list in Go
)

// field is a field of a struct in Go.
type field struct {
	*specfile.Field
	goName  string
	kind    kind
	base    string // Go type without pointer or slice: "int", "ServerType", "Server"
	typ     string // Go type as declared
	pointer bool
	request bool
}

// optional reports a request field that may be left out.
func (f *field) optional() bool { return !f.Required }

// shape is an object that is a type of its own.
type shape struct {
	name    string
	fields  []*field
	request bool
	family  string   // of the operation that uses it first
	users   []string // operations
	json    bool     // encoded as JSON: REST bodies and SLB's JSON strings
	flat    bool     // encoded flattened: RPC parameters
	loose   bool     // loaded from SLB's JSON strings
}

// enum is an enumeration.
type enum struct {
	name    string
	numeric bool
	values  []string
	names   []string
}

// operation is an operation in Go.
type operation struct {
	*specfile.Operation
	goName   string
	request  []*field
	response []*field
}

// list is a wrapped list of SLB.
type list struct{ name, element, member string }

// model is a service in Go.
type model struct {
	pkg    string
	spec   *specfile.Service
	rest   bool
	common *specfile.Common
	ops    []*operation
	shapes []*shape
	enums  []*enum
	lists  []list

	byShape  map[string]*shape
	byEnum   map[string]*enum
	byList   map[string]bool
	patterns []string
}

func newModel(pkg string, spec *specfile.Service, common *specfile.Common) (*model, error) {
	m := &model{
		pkg: pkg, spec: spec, rest: spec.Style == "REST", common: common,
		byShape: make(map[string]*shape), byEnum: make(map[string]*enum), byList: make(map[string]bool),
	}
	for _, o := range spec.Operations {
		op := &operation{Operation: o, goName: o.Go()}
		var err error
		if op.request, err = m.fields(op, o.Request, true, "request"); err != nil {
			return nil, err
		}
		if op.response, err = m.fields(op, o.Response, false, "response"); err != nil {
			return nil, err
		}
		for _, f := range op.request {
			m.mark(f)
		}
		m.ops = append(m.ops, op)
	}
	slices.SortFunc(m.shapes, func(a, b *shape) int { return strings.Compare(a.name, b.name) })
	slices.SortFunc(m.enums, func(a, b *enum) int { return strings.Compare(a.name, b.name) })
	return m, nil
}

// isUpdate reports operations in which an absent field means "leave it", so
// that every value, zero included, must be tellable from absent.
func isUpdate(op *operation) bool {
	for _, p := range []string{"Update", "Set", "Modify", "BatchUpdate"} {
		if strings.HasPrefix(op.goName, p) {
			return true
		}
	}
	return false
}

// skipped are parameters that the client fills in itself or that no caller
// outside the vendor can use.
func skipped(f *specfile.Field) bool {
	return f.Internal || f.In == "header" || f.In == "path" && f.Name == "project_id"
}

func (m *model) fields(op *operation, specs []*specfile.Field, request bool, where string) ([]*field, error) {
	var out []*field
	for _, s := range specs {
		if skipped(s) {
			continue
		}
		f, err := m.field(op, s, request, where+"."+s.Name)
		if err != nil {
			return nil, fmt.Errorf("%s %s.%s: %w", op.Name, where, s.Name, err)
		}
		out = append(out, f)
	}
	return out, nil
}

func (m *model) field(op *operation, s *specfile.Field, request bool, where string) (*field, error) {
	f := &field{Field: s, goName: s.GoName, request: request}
	if f.goName == "" {
		f.goName = goName(s.Name)
	}
	if s.Doc == "" {
		s.Doc = m.common.FieldDocs[s.Name]
	}
	typ, item := s.Type, s.ItemType
	if typ == "json-string" {
		typ = "array"
		if item == "" {
			typ = "string"
		}
	}
	if typ == "object" && !request && m.pkg == "slb" && len(s.Fields) == 1 && s.Fields[0].Type == "array" {
		return f, m.wrapped(op, f, where)
	}
	switch typ {
	case "string", "integer", "int64", "boolean":
		f.kind, f.base = scalar(typ)
		if s.Shape != "" {
			if err := m.addEnum(s, f.kind == kInt); err != nil {
				return nil, err
			}
			f.base = s.Shape
			if f.kind == kText {
				f.kind = kEnum
			}
		}
	case "object":
		f.kind, f.base = kObject, s.Shape
	case "array":
		switch item {
		case "object":
			f.kind, f.base = kObjects, s.Shape
		case "string":
			f.kind, f.base = kTexts, "string"
			if s.Shape != "" {
				if err := m.addEnum(s, false); err != nil {
					return nil, err
				}
				f.kind, f.base = kEnums, s.Shape
			}
		case "integer", "int64":
			f.kind, f.base = kInts, "int"
		default:
			return nil, fmt.Errorf("no Go type for items of type %q", item)
		}
	default:
		return nil, fmt.Errorf("no Go type for type %q", typ)
	}
	if s.Secret {
		f.base = "cloudlb.Secret"
	}
	if f.kind == kObject || f.kind == kObjects {
		if err := m.addShape(op, s, request, where); err != nil {
			return nil, err
		}
	}
	f.pointer = request && !s.Required && needsPointer(f, isUpdate(op))
	switch {
	case request && s.Nullable:
		f.pointer = false
		f.typ = "cloudlb.Nullable[" + f.base + "]"
	case f.kind >= kTexts:
		f.typ = "[]" + f.base
		if request && s.Type == "json-string" {
			f.typ = f.base + "List"
		}
	case f.pointer:
		f.typ = "*" + f.base
	default:
		f.typ = f.base
	}
	return f, nil
}

func scalar(typ string) (kind, string) {
	switch typ {
	case "integer":
		return kInt, "int"
	case "int64":
		return kInt, "int64"
	case "boolean":
		return kBool, "bool"
	default:
		return kText, "string"
	}
}

// needsPointer reports an optional request field whose zero value means
// something else than its absence.
func needsPointer(f *field, update bool) bool {
	switch {
	case f.Zero == "absent", f.Name == "RegionId": // the latter is filled in when empty
		return false
	case f.Zero == "sent":
		return true
	}
	switch f.kind {
	case kObject:
		return true
	case kBool:
		return update || f.Default != false
	case kInt:
		if f.Min != nil && *f.Min >= 1 {
			return false // zero is refused anyway
		}
		if len(f.Enum) > 0 && !slices.ContainsFunc(f.Enum, func(v any) bool { return v == float64(0) }) {
			return false
		}
		return update || f.Default != float64(0)
	case kText:
		return update && (f.MinLen == nil || *f.MinLen == 0)
	default:
		return false
	}
}

func (m *model) addEnum(s *specfile.Field, numeric bool) error {
	e := m.byEnum[s.Shape]
	if e == nil {
		e = &enum{name: s.Shape, numeric: numeric}
		m.byEnum[s.Shape] = e
		m.enums = append(m.enums, e)
	}
	if e.numeric != numeric {
		return fmt.Errorf("enumeration %s is text and number", s.Shape)
	}
	for i, v := range s.Enum {
		value := fmt.Sprint(v)
		if value == "" || slices.Contains(e.values, value) {
			continue
		}
		name := constName(value)
		if i < len(s.EnumNames) {
			name = s.EnumNames[i]
		}
		if slices.Contains(e.names, name) {
			return fmt.Errorf("enumeration %s has two values named %s", s.Shape, name)
		}
		e.values = append(e.values, value)
		e.names = append(e.names, name)
	}
	return nil
}

func (m *model) addShape(op *operation, s *specfile.Field, request bool, where string) error {
	if s.Shape == "" {
		return fmt.Errorf("an object needs a shape: the name of its Go type")
	}
	fields, err := m.fields(op, s.Fields, request, where)
	if err != nil {
		return err
	}
	sh := m.byShape[s.Shape]
	if sh == nil {
		sh = &shape{name: s.Shape, request: request, family: op.Family, fields: fields}
		m.byShape[s.Shape] = sh
		m.shapes = append(m.shapes, sh)
	} else if err := sh.merge(fields, request); err != nil {
		return err
	}
	if !slices.Contains(sh.users, op.goName) {
		sh.users = append(sh.users, op.goName)
	}
	return nil
}

// merge adds a further use of the shape. Requests must agree in every field;
// replies share the union of theirs.
func (sh *shape) merge(fields []*field, request bool) error {
	if sh.request != request {
		return fmt.Errorf("shape %s is used in requests and in replies", sh.name)
	}
	if request && len(fields) != len(sh.fields) {
		return fmt.Errorf("shape %s has %d fields here and %d elsewhere", sh.name, len(fields), len(sh.fields))
	}
	for _, f := range fields {
		i := slices.IndexFunc(sh.fields, func(o *field) bool { return o.Name == f.Name })
		switch {
		case i < 0 && request:
			return fmt.Errorf("shape %s has no %s elsewhere", sh.name, f.Name)
		case i < 0:
			sh.fields = append(sh.fields, f)
		case sh.fields[i].typ != f.typ || request && sh.fields[i].Required != f.Required:
			return fmt.Errorf("shape %s: %s is %s here and %s elsewhere", sh.name, f.Name, f.typ, sh.fields[i].typ)
		}
	}
	return nil
}

// wrapped is SLB's {"BackendServers": {"BackendServer": [...]}}: a list in Go.
func (m *model) wrapped(op *operation, f *field, where string) error {
	inner, err := m.field(op, f.Fields[0], false, where)
	if err != nil {
		return err
	}
	name := inner.base + "List"
	switch inner.base {
	case "int":
		name = inner.goName + "List"
	case "string":
		name = inner.goName + "List"
	}
	f.kind, f.base, f.typ = kWrapped, name, name
	if !m.byList[name] {
		m.byList[name] = true
		m.lists = append(m.lists, list{name: name, element: inner.base, member: inner.Name})
		return nil
	}
	for _, l := range m.lists {
		if l.name == name && l.member != inner.Name {
			return fmt.Errorf("list %s wraps %s and %s", name, l.member, inner.Name)
		}
	}
	return nil
}

// mark notes how the shapes of a request are encoded.
func (m *model) mark(f *field) {
	if f.kind != kObject && f.kind != kObjects {
		return
	}
	sh := m.byShape[f.base]
	switch {
	case f.In == "body":
		m.markShape(sh, func(s *shape) { s.json = true })
	case f.Type == "json-string":
		m.markShape(sh, func(s *shape) { s.json, s.loose = true, true })
		if !m.byList[f.typ] {
			m.byList[f.typ] = true
			m.lists = append(m.lists, list{name: f.typ, element: f.base})
		}
	default:
		m.markShape(sh, func(s *shape) { s.flat = true })
	}
}

func (m *model) markShape(sh *shape, how func(*shape)) {
	how(sh)
	for _, f := range sh.fields {
		if f.kind == kObject || f.kind == kObjects {
			m.markShape(m.byShape[f.base], how)
		}
	}
}

// families returns the names of the files that operations go to, in order.
func (m *model) families() []string {
	var out []string
	for _, op := range m.ops {
		if !slices.Contains(out, op.Family) {
			out = append(out, op.Family)
		}
	}
	return out
}
