package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

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
	if l := op.Lock; l != nil && l.Kind != "none" {
		what := strings.ReplaceAll(l.Kind, "_", " ")
		if l.Kind == "project_channel" {
			what = "channel in all its instances"
		}
		s += fmt.Sprintf(" It locks the %s while it is carried out.", what)
	}
	if r := op.RateLimit; r != nil {
		per := "per second"
		if r.WindowS != 1 {
			per = fmt.Sprintf("in %d seconds", r.WindowS)
		}
		s += fmt.Sprintf(" The service allows %d calls %s for an account in a region", r.Calls, per)
		if r.Assumed {
			s += ", going by similar operations"
		}
		s += "."
	}
	return s
}

// shapeComment says what an object is and where it comes from.
func (m *model) shapeComment(sh *shape) string {
	doc := m.common.ShapeDocs[m.pkg+"."+sh.name]
	where := "the reply to"
	if sh.request {
		where = "the request of"
	}
	if len(sh.users) > 1 {
		where = strings.NewReplacer("reply", "replies", "request", "requests").Replace(where)
	}
	where += " " + enumerate(sh.users)
	if doc == "" {
		return sh.name + " is part of " + where + "."
	}
	return sentence(sh.name+" "+doc, false) + " It is part of " + where + "."
}

// enumComment says what an enumeration is.
func (m *model) enumComment(e *enum) string {
	doc := m.common.ShapeDocs[m.pkg+"."+e.name]
	if doc == "" {
		doc = "is an enumeration of the API"
	}
	return sentence(e.name+" "+doc, false) + " Replies can carry values that are not listed here."
}

// keepsAbsent reports updates in which the service keeps what the request leaves
// out. APIG's replace the whole object.
func keepsAbsent(pkg string, op *operation) bool { return isUpdate(op) && pkg != "apig" }

// partOfUpdate reports an object that only such updates use.
func (m *model) partOfUpdate(sh *shape) bool {
	for _, op := range m.ops {
		if slices.Contains(sh.users, op.goName) && !keepsAbsent(m.pkg, op) {
			return false
		}
	}
	return sh.request
}

// fieldComment says what the spec knows of a field. Keeps: a request that
// leaves the field out leaves it as it is, whatever the default on creation.
func (m *model) fieldComment(f *field, siblings []*field, keeps bool) string {
	if f.Doc == "" && f.Note == "" {
		return ""
	}
	start, limits := f.goName+" "+f.Doc, m.limits(f, keeps)
	if !f.request && f.Unit != "" {
		if u := "in " + unitName(f.Unit); strings.Contains(f.Doc, ". ") {
			limits = append(limits, u)
		} else {
			start += ", " + u
		}
	}
	text := []string{sentence(start, false)}
	add := func(s string) { text = append(text, sentence(s, true)) }
	if len(limits) > 0 {
		add(strings.Join(limits, ", "))
	}
	if f.request && len(f.NotPrefix) > 0 {
		add("it does not start with " + series(f.NotPrefix, "or"))
	}
	if f.request && len(f.UniqueBy) > 0 {
		add("no two may have the same " + series(m.goNames(f.UniqueBy), "and"))
	}
	if f.Note != "" {
		add(f.Note)
	}
	if f.RequiredWhen != "" {
		add("required when " + m.when(f.RequiredWhen, siblings))
	}
	if f.IgnoredWhen != "" {
		add("ignored when " + m.when(f.IgnoredWhen, siblings))
	}
	if f.request && f.Name == "RegionId" {
		add("empty is the region of the Config")
	}
	if f.request && f.Nullable && !strings.Contains(f.Doc, "cloudlb.Null") {
		add("[cloudlb.Null] resets it")
	}
	if gatewayOnly(f) && slices.ContainsFunc(siblings, func(o *field) bool { return !gatewayOnly(o) }) {
		add("API Gateway only")
	}
	return strings.Join(text, " ")
}

// gatewayOnly reports fields that ROMA Connect does not have.
func gatewayOnly(f *field) bool { return len(f.FamiliesOnly) == 1 && f.FamiliesOnly[0] == "apigw" }

// limits are what a request is held to: range, lengths, default.
func (m *model) limits(f *field, keeps bool) []string {
	if !f.request {
		return nil
	}
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if f.Required && f.Name != "RegionId" {
		add("required")
	}
	one := "" // constraints of lists are those of their elements
	if f.kind == kTexts || f.kind == kInts || f.kind == kEnums {
		one = "each "
	}
	if values := m.ownValues(f); values != nil {
		add("%s%s", one, series(values, "or"))
	}
	unit := ""
	if f.Unit != "" {
		unit = " " + unitName(f.Unit)
	}
	switch {
	case f.Min != nil && f.Max != nil:
		add("%s%d to %d%s", one, *f.Min, *f.Max, unit)
	case f.Min != nil:
		add("%sat least %d%s", one, *f.Min, unit)
	case f.Max != nil:
		add("%sat most %d%s", one, *f.Max, unit)
	case unit != "":
		add("in%s", unit)
	}
	switch {
	case f.kind == kEnum || f.kind == kEnums:
	case f.MinLen != nil && *f.MinLen > 0 && f.MaxLen != nil && *f.MinLen == *f.MaxLen:
		add("%s%s", one, count(*f.MaxLen, "character"))
	case f.MinLen != nil && *f.MinLen > 0 && f.MaxLen != nil:
		add("%s%d to %s", one, *f.MinLen, count(*f.MaxLen, "character"))
	case f.MaxLen != nil:
		add("%sat most %s", one, count(*f.MaxLen, "character"))
	case f.MinLen != nil && *f.MinLen > 0:
		add("%sat least %s", one, count(*f.MinLen, "character"))
	}
	switch {
	case f.MinItems != nil && f.MaxItems != nil && *f.MinItems == *f.MaxItems:
		add("exactly %d", *f.MaxItems)
	case f.MinItems != nil && f.MaxItems != nil:
		add("%d to %s", *f.MinItems, count(*f.MaxItems, "element"))
	case f.MaxItems != nil:
		add("at most %s", count(*f.MaxItems, "element"))
	case f.MinItems != nil && *f.MinItems > 0:
		add("at least %s", count(*f.MinItems, "element"))
	}
	if d := m.defaultValue(f); d != "" && !f.Required && !keeps {
		add("default %s", d)
	}
	return out
}

// ownValues are the values of a field that takes fewer than its type has, or
// that has no type of its own.
func (m *model) ownValues(f *field) []string {
	var values []string
	for _, v := range f.Enum {
		if s := fmt.Sprint(v); s != "" {
			values = append(values, s)
		}
	}
	if e := m.byEnum[f.base]; e != nil && len(values) == len(e.values) {
		return nil
	}
	return values
}

// defaultValue is what the service takes a missing field for, as the comment
// shows it; nothing when that is Go's zero value.
func (m *model) defaultValue(f *field) string {
	var values []string
	switch d := f.Default.(type) {
	case nil:
		return ""
	case []any:
		for _, v := range d {
			values = append(values, fmt.Sprint(v))
		}
	default:
		if v := fmt.Sprint(d); v != "" && (f.pointer || v != "0" && v != "false") {
			values = []string{v}
		}
	}
	if e := m.byEnum[f.base]; e != nil {
		for i, v := range values {
			if j := slices.Index(e.values, v); j >= 0 {
				values[i] = "[" + e.name + e.names[j] + "]"
			}
		}
	}
	if len(values) == 0 {
		return ""
	}
	return series(values, "and")
}

var (
	whenValue  = regexp.MustCompile(`^(?:(.+?) )??(\w+)(=|!=| in | not in )\[?([^\]]*)\]?$`)
	whenAbsent = regexp.MustCompile(`^(\w+)(?: and (\w+))? (?:absent|not given)$`)
)

// when words a condition: "ServerType in [Ecs,Eni]" is "ServerType is Ecs or
// Eni", "pool any_port_enable=true" is "the pool's AnyPortEnable is true".
func (m *model) when(condition string, siblings []*field) string {
	var parts []string
	for part := range strings.SplitSeq(condition, " or ") {
		parts = append(parts, m.whenOne(part, siblings))
	}
	return strings.Join(parts, " or ")
}

func (m *model) whenOne(condition string, siblings []*field) string {
	if c := whenAbsent.FindStringSubmatch(condition); c != nil {
		if c[2] == "" {
			return m.goNames(c[1:2])[0] + " is absent"
		}
		return strings.Join(m.goNames(c[1:3]), " and ") + " are absent"
	}
	c := whenValue.FindStringSubmatch(condition)
	if c == nil { // in words
		words := strings.Fields(condition)
		for i, word := range words {
			if slices.ContainsFunc(siblings, func(f *field) bool { return f.Name == word }) {
				words[i] = m.goNames(words[i : i+1])[0]
			}
		}
		return strings.Join(words, " ")
	}
	name, values := m.goNames(c[2:3])[0], strings.Split(c[4], ",")
	if c[1] != "" {
		name = "the " + c[1] + "'s " + name
	}
	switch {
	case !strings.HasPrefix(c[3], " not") && c[3] != "!=":
		return name + " is " + series(values, "or")
	case len(values) == 1:
		return name + " is not " + values[0]
	case len(values) == 2:
		return name + " is neither " + series(values, "nor")
	default:
		return name + " is none of " + series(values, "and")
	}
}

// goNames are the names in Go of fields; what is no field of the service keeps
// the name that the service has for it.
func (m *model) goNames(wire []string) []string {
	out := slices.Clone(wire)
	var all []*field
	for _, sh := range m.shapes {
		all = append(all, sh.fields...)
	}
	for _, op := range m.ops {
		all = append(all, op.request...)
	}
	for i, name := range wire {
		if j := slices.IndexFunc(all, func(f *field) bool { return f.Name == name }); j >= 0 {
			out[i] = all[j].goName
		}
	}
	return out
}

// enumerate joins names for a comment: a, b and c; many are cut.
func enumerate(names []string) string {
	const most = 4
	if len(names) > most {
		return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
	}
	return series(names, "and")
}

// series joins names for a comment: a, b or c.
func series(names []string, last string) string {
	if len(names) == 1 {
		return names[0]
	}
	return strings.Join(names[:len(names)-1], ", ") + " " + last + " " + names[len(names)-1]
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

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// sentence ends a text with a full stop.
func sentence(text string, capital bool) string {
	text = strings.TrimSuffix(strings.TrimSpace(text), ".")
	if capital && text != "" {
		text = strings.ToUpper(text[:1]) + text[1:]
	}
	return text + "."
}

// comment writes text as a comment, wrapped.
func comment(w *writer, indent, text string) {
	const width = 78
	line := ""
	for word := range strings.FieldsSeq(text) {
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

func join(values []any) string {
	var s []string
	for _, v := range values {
		s = append(s, fmt.Sprint(v))
	}
	return strings.Join(s, ", ")
}
