package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// writer collects source text.
type writer struct{ strings.Builder }

func (w *writer) f(format string, args ...any) { fmt.Fprintf(&w.Builder, format, args...) }

// imports a body may need, by the text that uses them.
var imports = []struct{ use, path string }{
	{"context.", "context"},
	{"iter.", "iter"},
	{"slices.", "slices"},
	{"strconv.", "strconv"},
	{"time.", "time"},
	{"", ""},
	{"cloudlb.", "github.com/cloudlb/cloudlb"},
	{"check.", "github.com/cloudlb/cloudlb/internal/check"},
	{"page.", "github.com/cloudlb/cloudlb/internal/page"},
	{"transport.", "github.com/cloudlb/cloudlb/internal/transport"},
	{"wire.", "github.com/cloudlb/cloudlb/internal/wire"},
	{"rest.", "github.com/cloudlb/cloudlb/internal/wire/rest"},
	{"rpc.", "github.com/cloudlb/cloudlb/internal/wire/rpc"},
}

// source puts header and imports in front of a body.
func (m *model) source(body string) string {
	var w writer
	w.f(header, m.pkg, m.pkg)
	var used writer
	for _, i := range imports {
		switch {
		case i.use == "":
			used.f("\n")
		case uses(body, i.use):
			used.f("\t%q\n", i.path)
		}
	}
	if strings.TrimSpace(used.String()) != "" {
		w.f("import (\n%s)\n\n", used.String())
	}
	w.f("%s", body)
	return w.String()
}

// uses reports whether a package's qualifier occurs outside comments.
func uses(body, qualifier string) bool {
	for line := range strings.Lines(body) {
		code, _, _ := strings.Cut(line, "//")
		for rest := code; ; {
			i := strings.Index(rest, qualifier)
			if i < 0 {
				break
			}
			if i == 0 || !isIdent(rest[i-1]) {
				return true
			}
			rest = rest[i+len(qualifier):]
		}
	}
	return false
}

func isIdent(c byte) bool {
	return c == '_' || c == '.' || c == '"' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

// files returns the service's generated files by name.
func (m *model) files() map[string]string {
	files := make(map[string]string)
	for _, family := range m.families() {
		var calls, types, checks, encoders writer
		for _, op := range m.ops {
			if op.Family == family {
				m.method(&calls, op)
				m.iterator(&calls, op)
				m.requestType(&calls, op)
				m.responseType(&calls, op)
				m.requestCode(&checks, &encoders, op)
			}
		}
		for _, sh := range m.shapes {
			if sh.family == family {
				m.shapeType(&types, sh)
				m.shapeCode(&checks, &encoders, sh)
			}
		}
		for suffix, w := range map[string]*writer{"": &calls, "_types": &types, "_check": &checks, "_encode": &encoders} {
			if w.Len() > 0 {
				files[family+suffix+"_gen.go"] = m.source(w.String())
			}
		}
	}
	files["enums_gen.go"] = m.source(m.enumTypes())
	if len(m.lists) > 0 {
		files["lists_gen.go"] = m.source(m.listTypes())
	}
	files["operations_gen.go"] = m.source(m.operationTable())
	files["errors_gen.go"] = m.source(m.errorTable())
	files["endpoints_gen.go"] = m.source(m.endpointTable())
	if len(m.patterns) > 0 {
		files["patterns_gen.go"] = m.source(m.patternFuncs())
	}
	return files
}

// method writes the client's method.
func (m *model) method(w *writer, op *operation) {
	comment(w, "", op.goName+" "+op.Summary)
	w.f("//\n")
	comment(w, "", m.facts(op))
	w.f("func (c *Client) %[1]s(ctx context.Context, req %[1]sRequest, opts ...cloudlb.CallOption) (*%[1]sResponse, error) {\n", op.goName)
	w.f("\tcall := c.begin(&op%s, opts)\n", op.goName)
	if op.TokenField != "" {
		w.f("\treq.%[1]s = call.ClientToken(req.%[1]s)\n", goName(op.TokenField))
	}
	for _, f := range op.request {
		if f.Name == "RegionId" && !m.rest {
			w.f("\tif req.RegionID == \"\" {\n\t\treq.RegionID = call.Region()\n\t}\n")
		}
	}
	if len(op.request) > 0 {
		w.f("\tv := check.Checker{%s}\n\treq.validate(&v)\n", m.checkerFamily())
		w.f("\tif problems := v.Problems(); problems != nil {\n\t\treturn nil, call.Invalid(problems)\n\t}\n")
	}
	if m.rest {
		w.f("\tif err := c.address(ctx, call); err != nil {\n\t\treturn nil, err\n\t}\n")
	}
	if len(op.request) > 0 || m.rest {
		w.f("\treq.encode(&call.Request)\n")
	}
	w.f("\tres := new(%sResponse)\n", op.goName)
	missing := "nil"
	if len(m.required(op.response, "r", "")) > 0 {
		missing = "res.missing"
	}
	w.f("\tif err := call.Do(ctx, res, &res.Metadata, %s); err != nil {\n\t\treturn nil, err\n\t}\n", missing)
	if id := requestIDField(op.response); id != "" {
		w.f("\tif res.%[1]s != \"\" {\n\t\tres.Metadata.RequestID = res.%[1]s\n\t}\n", id)
	}
	w.f("\treturn res, nil\n}\n\n")
}

func (m *model) checkerFamily() string {
	if m.pkg == "apig" {
		return "Family: c.family()"
	}
	return ""
}

func requestIDField(fields []*field) string {
	for _, f := range fields {
		if f.Name == "RequestId" || f.Name == "request_id" {
			return f.goName
		}
	}
	return ""
}

func (m *model) requestType(w *writer, op *operation) {
	comment(w, "", fmt.Sprintf("%[1]sRequest is the request of [Client.%[1]s].", op.goName))
	if len(op.request) == 0 {
		w.f("type %sRequest struct{}\n\n", op.goName)
		return
	}
	w.f("type %sRequest struct {\n", op.goName)
	m.structFields(w, op.request, keepsAbsent(m.pkg, op))
	w.f("}\n\n")
}

// requestCode writes what checks and encodes a request.
func (m *model) requestCode(checks, encoders *writer, op *operation) {
	if len(op.request) > 0 {
		m.validateFunc(checks, op.goName+"Request", "r", op.request)
	}
	switch {
	case m.rest:
		m.restEncode(encoders, op)
	case len(op.request) > 0:
		m.rpcEncode(encoders, op)
	}
}

func (m *model) responseType(w *writer, op *operation) {
	comment(w, "", fmt.Sprintf("%[1]sResponse is the reply to [Client.%[1]s].", op.goName))
	w.f("type %sResponse struct {\n\tcloudlb.Metadata `json:\"-\"`\n\n", op.goName)
	m.structFields(w, op.response, false)
	w.f("}\n\n")
	if required := m.required(op.response, "r", ""); len(required) > 0 {
		w.f("func (r *%sResponse) missing() string {\n", op.goName)
		for _, c := range required {
			w.f("\tif %s {\n\t\treturn %q\n\t}\n", c[0], c[1])
		}
		w.f("\treturn \"\"\n}\n\n")
	}
}

// required lists condition and wire path of every field that a successful
// reply must carry.
func (m *model) required(fields []*field, recv, path string) [][2]string {
	var out [][2]string
	for _, f := range fields {
		if !f.Required {
			continue
		}
		switch f.kind {
		case kText, kEnum:
			out = append(out, [2]string{recv + "." + f.goName + ` == ""`, path + f.Name})
		case kObject:
			out = append(out, m.required(m.byShape[f.base].fields, recv+"."+f.goName, path+f.Name+".")...)
		}
	}
	return out
}

func (m *model) shapeType(w *writer, sh *shape) {
	comment(w, "", m.shapeComment(sh))
	w.f("type %s struct {\n", sh.name)
	m.structFields(w, sh.fields, m.partOfUpdate(sh))
	w.f("}\n\n")
}

// shapeCode writes what checks and encodes a part of a request.
func (m *model) shapeCode(checks, encoders *writer, sh *shape) {
	if !sh.request {
		return
	}
	m.validateFunc(checks, sh.name, "s", sh.fields)
	if sh.flat {
		m.rpcShapeEncode(encoders, sh)
	}
	if sh.json {
		m.jsonShapeEncode(encoders, sh)
	}
}

// structFields writes the fields of a struct. Keeps is set in updates, where
// what is left out stays as it is.
func (m *model) structFields(w *writer, fields []*field, keeps bool) {
	for _, f := range fields {
		if c := m.fieldComment(f, fields, keeps); c != "" {
			comment(w, "\t", c)
		}
		tag := f.Name
		if f.request && f.optional() || !f.request && (f.kind == kText || f.kind == kEnum || f.kind >= kObject) {
			tag += ",omitzero"
		}
		w.f("\t%s %s `json:%q`\n", f.goName, f.typ, tag)
	}
}

func (m *model) enumTypes() string {
	var w writer
	for _, e := range m.enums {
		under := "string"
		if e.numeric {
			under = "int"
		}
		comment(&w, "", m.enumComment(e))
		w.f("type %s %s\n\n// The documented values of %s.\nconst (\n", e.name, under, e.name)
		for i, v := range e.values {
			if !e.numeric {
				v = strconv.Quote(v)
			}
			w.f("\t%s%s %s = %s\n", e.name, e.names[i], e.name, v)
		}
		w.f(")\n\n")
	}
	return w.String()
}

func (m *model) listTypes() string {
	var w writer
	slices.SortFunc(m.lists, func(a, b list) int { return strings.Compare(a.name, b.name) })
	for _, l := range m.lists {
		if l.member == "" {
			comment(&w, "", l.name+" is a list that the service takes as a JSON string. Loading it from JSON accepts the array and the string form, with numbers or numeric strings.")
			w.f("type %s []%s\n\n", l.name, l.element)
			w.f("// UnmarshalJSON implements json.Unmarshaler.\n")
			w.f("func (l *%s) UnmarshalJSON(b []byte) error {\n\treturn wire.DecodeWrapped(b, \"\", (*[]%s)(l))\n}\n\n", l.name, l.element)
			continue
		}
		comment(&w, "", fmt.Sprintf("%s is a list that the service wraps into an object with the member %s.", l.name, l.member))
		w.f("type %s []%s\n\n", l.name, l.element)
		w.f("// UnmarshalJSON implements json.Unmarshaler.\n")
		w.f("func (l *%s) UnmarshalJSON(b []byte) error {\n\treturn wire.DecodeWrapped(b, %q, (*[]%s)(l))\n}\n\n", l.name, l.member, l.element)
		w.f("// MarshalJSON implements json.Marshaler.\n")
		w.f("func (l %s) MarshalJSON() ([]byte, error) {\n\treturn wire.EncodeWrapped(%q, []%s(l))\n}\n\n", l.name, l.member, l.element)
	}
	return w.String()
}
