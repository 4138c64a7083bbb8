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

// facts are the second paragraph of a method's comment.
func (m *model) facts(op *operation) string {
	name := strings.ToUpper(m.pkg)
	s := fmt.Sprintf("It calls %s %s %s.", name, m.spec.Version, op.Name)
	switch op.Idempotency {
	case "token":
		s += " It carries a client token, filled in when the request has none, and is repeated safely."
	case "natural":
		s += " A repeat has no further effect, so it is repeated when the outcome is unknown."
	case "none":
		s += " It has no idempotency token: after an error with OutcomeUnknown read back before calling again."
	}
	if l := op.Lock; l != nil {
		s += fmt.Sprintf(" It locks the %s while it is carried out.", strings.ReplaceAll(l.Kind, "_", " "))
	}
	if r := op.RateLimit; r != nil {
		published := "Budget"
		if r.Assumed {
			published = "Budget (by analogy)"
		}
		s += fmt.Sprintf(" %s: %d calls in %d s per account and region.", published, r.Calls, r.WindowS)
	}
	return s
}

func (m *model) requestType(w *writer, op *operation) {
	comment(w, "", fmt.Sprintf("%[1]sRequest is the request of [Client.%[1]s].", op.goName))
	w.f("type %sRequest struct {\n", op.goName)
	for _, f := range op.request {
		m.structField(w, f)
	}
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
	for _, f := range op.response {
		m.structField(w, f)
	}
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
	what := "is what " + enumerate(sh.users) + " answer with"
	if len(sh.users) == 1 {
		what = "is part of the reply to " + sh.users[0]
	}
	if sh.request {
		what = "is part of the request of " + enumerate(sh.users)
	}
	comment(w, "", sh.name+" "+what+".")
	w.f("type %s struct {\n", sh.name)
	for _, f := range sh.fields {
		m.structField(w, f)
	}
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

// enumerate joins names for a comment: a, b and c; many are cut.
func enumerate(names []string) string {
	const most = 4
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

func (m *model) structField(w *writer, f *field) {
	if c := fieldComment(f); c != "" {
		comment(w, "\t", c)
	}
	tag := f.Name
	if f.request && f.optional() || !f.request && (f.kind == kText || f.kind == kEnum || f.kind >= kObject) {
		tag += ",omitzero"
	}
	w.f("\t%s %s `json:%q`\n", f.goName, f.typ, tag)
}

// fieldComment says what the spec knows of a field.
func fieldComment(f *field) string {
	var facts []string
	add := func(format string, args ...any) { facts = append(facts, fmt.Sprintf(format, args...)) }
	if f.request && f.Required {
		add("required")
	}
	one := "" // constraints of lists are those of their elements
	if f.kind == kTexts || f.kind == kInts || f.kind == kEnums {
		one = "each "
	}
	switch {
	case f.Min != nil && f.Max != nil:
		add("%s%d to %d%s", one, *f.Min, *f.Max, unit(f))
	case f.Min != nil:
		add("%sat least %d%s", one, *f.Min, unit(f))
	case f.Max != nil:
		add("%sat most %d%s", one, *f.Max, unit(f))
	case f.Unit != "":
		add("in %s", unitName(f.Unit))
	}
	switch {
	case f.MinLen != nil && f.MaxLen != nil && *f.MinLen == *f.MaxLen:
		add("%s%d characters", one, *f.MaxLen)
	case f.MinLen != nil && f.MaxLen != nil:
		add("%s%d to %d characters", one, *f.MinLen, *f.MaxLen)
	case f.MaxLen != nil:
		add("%sat most %d characters", one, *f.MaxLen)
	case f.MinLen != nil:
		add("%sat least %d characters", one, *f.MinLen)
	}
	switch {
	case f.MinItems != nil && f.MaxItems != nil:
		add("%d to %d elements", *f.MinItems, *f.MaxItems)
	case f.MaxItems != nil:
		add("at most %d elements", *f.MaxItems)
	case f.MinItems != nil && *f.MinItems > 0:
		add("at least %d elements", *f.MinItems)
	}
	if f.kind == kInt && len(f.Enum) > 0 {
		add("one of %s", join(f.Enum))
	}
	if f.Default != nil && f.Default != "" {
		add("default %v", f.Default)
	}
	var sentences []string
	switch {
	case f.Doc != "" && len(facts) > 0:
		sentences = append(sentences, sentence(f.goName+" "+f.Doc, false), sentence(strings.Join(facts, ", "), true))
	case f.Doc != "":
		sentences = append(sentences, sentence(f.goName+" "+f.Doc, false))
	case len(facts) == 1 && facts[0] == "required":
		sentences = append(sentences, f.goName+" is required.")
	case len(facts) > 0:
		sentences = append(sentences, f.goName+": "+strings.Join(facts, ", ")+".")
	case f.Note != "":
		sentences = append(sentences, f.goName+":")
	}
	if f.Note != "" {
		sentences = append(sentences, sentence(f.Note, len(facts) > 0 || f.Doc != ""))
	}
	if f.RequiredWhen != "" {
		sentences = append(sentences, "Required when "+f.RequiredWhen+".")
	}
	if f.IgnoredWhen != "" {
		sentences = append(sentences, "Ignored when "+f.IgnoredWhen+".")
	}
	if f.request && f.Name == "RegionId" {
		sentences = append(sentences, "Filled from the Config when empty.")
	}
	if f.request && f.Nullable {
		sentences = append(sentences, "cloudlb.Null resets it.")
	}
	if len(f.FamiliesOnly) == 1 && f.FamiliesOnly[0] == "apigw" {
		sentences = append(sentences, "API Gateway only.")
	}
	if len(sentences) == 0 {
		if f.Example == nil || f.Example == "" {
			return ""
		}
		return fmt.Sprintf("%s, such as %v.", f.goName, f.Example)
	}
	return strings.Join(sentences, " ")
}

func unit(f *field) string {
	if f.Unit == "" {
		return ""
	}
	return " " + unitName(f.Unit)
}

func unitName(u string) string {
	switch u {
	case "s":
		return "seconds"
	case "ms":
		return "milliseconds"
	case "min":
		return "minutes"
	default:
		return u
	}
}

func sentence(note string, capital bool) string {
	note = strings.TrimSuffix(strings.TrimSpace(note), ".")
	if capital && note != "" {
		note = strings.ToUpper(note[:1]) + note[1:]
	}
	return note + "."
}

func join(values []any) string {
	var s []string
	for _, v := range values {
		s = append(s, fmt.Sprint(v))
	}
	return strings.Join(s, ", ")
}

func (m *model) enumTypes() string {
	var w writer
	for _, e := range m.enums {
		under := "string"
		if e.numeric {
			under = "int"
		}
		comment(&w, "", fmt.Sprintf("%s is an enumeration of the API. Values that are not listed here can come in replies.", e.name))
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

// comment writes text as a comment, wrapped.
func comment(w *writer, indent, text string) {
	const width = 78
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(indent)*4+3+len(line)+1+len(word) > width {
			w.f("%s// %s\n", indent, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	w.f("%s// %s\n", indent, line)
}
