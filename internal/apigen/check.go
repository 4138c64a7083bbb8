package main

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// validateFunc writes the method that checks a request or a part of one.
func (m *model) validateFunc(w *writer, typ, recv string, fields []*field) {
	var body writer
	for _, f := range fields {
		m.checkField(&body, recv, f, fields)
	}
	if body.Len() == 0 {
		w.f("func (*%s) validate(*check.Checker) {}\n\n", typ)
		return
	}
	w.f("func (%s *%s) validate(v *check.Checker) {\n%s}\n\n", recv, typ, body.String())
}

func (m *model) checkField(w *writer, recv string, f *field, siblings []*field) {
	x := recv + "." + f.goName
	if len(f.FamiliesOnly) == 1 && !f.Required { // a required field comes with its object
		w.f("\tv.OnlyIn(%q, %q, %s)\n", f.FamiliesOnly[0], f.Name, isSet(f, x))
	}
	if f.In == "path" {
		w.f("\tv.PathSegment(%q, %s)\n", f.Name, x)
		return
	}
	if when, cond := condition(f.RequiredWhen, recv, siblings); cond != "" && !f.Required && unsetCond(f, x) != "" {
		w.f("\tif %s && %s {\n\t\tv.MissingWhen(%q, %q)\n\t}\n", unsetCond(f, x), cond, f.Name, when)
	}
	switch f.kind {
	case kText, kEnum:
		m.checkText(w, f, x)
	case kInt:
		m.checkInt(w, f, x)
	case kObject:
		inner := fmt.Sprintf("v.EnterObject(%q)\n%s.validate(v)\nv.Leave()\n", f.Name, x)
		if f.pointer {
			w.f("\tif %s != nil {\n%s\t}\n", x, inner)
		} else {
			w.f("%s", inner)
		}
	case kTexts, kEnums, kInts, kObjects:
		m.checkList(w, f, x)
	}
}

// isSet is the condition that an optional field has a value.
func isSet(f *field, x string) string {
	switch {
	case f.Nullable:
		return "!" + x + ".IsZero()"
	case f.pointer || f.kind >= kTexts:
		return x + " != nil"
	case f.kind == kInt:
		return x + " != 0"
	case f.kind == kBool:
		return x
	default:
		return x + ` != ""`
	}
}

func unsetCond(f *field, x string) string {
	switch {
	case f.Nullable:
		return x + ".IsZero()"
	case f.pointer:
		return x + " == nil"
	case f.kind >= kTexts:
		return "len(" + x + ") == 0"
	case f.kind == kInt:
		return x + " == 0"
	case f.kind == kBool:
		return ""
	default:
		return x + ` == ""`
	}
}

func (m *model) checkText(w *writer, f *field, x string) {
	value, set := x, isSet(f, x)
	var open string
	switch {
	case f.Nullable:
		value, open = "s", fmt.Sprintf("\tif s, ok := %s.Get(); ok {\n", x)
	case f.pointer:
		value, open = "*"+x, fmt.Sprintf("\tif %s {\n", set)
	case f.Required:
		open = fmt.Sprintf("\tif %s == \"\" {\n\t\tv.Missing(%q)\n\t} else {\n", x, f.Name)
	default:
		open = fmt.Sprintf("\tif %s {\n", set)
	}
	w.f("%s%s\t}\n", open, m.textChecks(f, f.Name, value))
}

// textChecks are the checks of one text that is not absent.
func (m *model) textChecks(f *field, name, value string) string {
	var w writer
	text := value
	if f.kind == kEnum || f.kind == kEnums || f.Secret {
		text = "string(" + value + ")"
	}
	if len(f.Enum) > 0 {
		w.f("\t\tv.OneOf(%q, %s, %s)\n", name, text, quoted(f.Enum))
		return w.String()
	}
	w.f("\t\tv.Text(%q, %s, %d, %d)\n", name, text, deref(f.MinLen), deref(f.MaxLen))
	if f.Pattern != "" {
		w.f("\t\tif !%s(%s) {\n\t\t\tv.Pattern(%q, %q)\n\t\t}\n", m.pattern(f.Pattern), text, name, f.Pattern)
	}
	if len(f.NotPrefix) > 0 {
		var p []string
		for _, s := range f.NotPrefix {
			p = append(p, strconv.Quote(s))
		}
		w.f("\t\tv.NotPrefix(%q, %s, %s)\n", name, text, strings.Join(p, ", "))
	}
	return w.String()
}

func (m *model) checkInt(w *writer, f *field, x string) {
	value := x
	checks := func(value string) string { return intChecks(f, f.Name, value) }
	switch {
	case checks(value) == "":
	case f.Nullable:
		w.f("\tif n, ok := %s.Get(); ok {\n%s\t}\n", x, checks("n"))
	case f.pointer:
		w.f("\tif %s != nil {\n%s\t}\n", x, checks("*"+x))
	case f.Required:
		w.f("%s", checks(value))
	default:
		w.f("\tif %s != 0 {\n%s\t}\n", x, checks(value))
	}
}

func intChecks(f *field, name, value string) string {
	if f.base != "int64" {
		value = "int64(" + value + ")"
	}
	switch {
	case len(f.Enum) > 0:
		return fmt.Sprintf("\t\tv.OneOfInt(%q, %s, %s)\n", name, value, join(f.Enum))
	case f.Min != nil && f.Max != nil:
		return fmt.Sprintf("\t\tv.Range(%q, %s, %d, %d)\n", name, value, *f.Min, *f.Max)
	case f.Min != nil:
		return fmt.Sprintf("\t\tv.AtLeast(%q, %s, %d)\n", name, value, *f.Min)
	default:
		return ""
	}
}

func (m *model) checkList(w *writer, f *field, x string) {
	least, most := deref(f.MinItems), deref(f.MaxItems)
	switch {
	case f.Required && least == 0:
		w.f("\tif %s == nil {\n\t\tv.Missing(%q)\n\t}\n", x, f.Name)
		least = 0
	case !f.Required && least > 0: // absent is fine, present and empty is not
		w.f("\tif %s != nil {\n\t\tv.Items(%q, len(%s), %d, %d)\n\t}\n", x, f.Name, x, least, most)
		least, most = 0, 0
	}
	if least > 0 || most > 0 {
		w.f("\tv.Items(%q, len(%s), %d, %d)\n", f.Name, x, least, most)
	}
	var element, each string
	switch f.kind {
	case kTexts, kEnums:
		element, each = "s", m.textChecks(f, "", "s")
	case kInts:
		element, each = "n", intChecks(f, "", "n")
	case kObjects:
		w.f("\tfor i := range %[1]s {\n\t\tv.Enter(%[2]q, i)\n\t\t%[1]s[i].validate(v)\n\t\tv.Leave()\n\t}\n", x, f.Name)
		m.checkUnique(w, f, x)
		return
	}
	if each != "" {
		w.f("\tfor i, %s := range %s {\n\t\tv.Enter(%q, i)\n%s\t\tv.Leave()\n\t}\n", element, x, f.Name, each)
	}
}

// checkUnique refuses elements that name the same thing twice: the services
// answer differently to them, from an error to dropping one silently.
func (m *model) checkUnique(w *writer, f *field, x string) {
	if len(f.UniqueBy) == 0 {
		return
	}
	var types, values, names []string
	for i, name := range f.UniqueBy {
		for _, k := range m.byShape[f.base].fields {
			if k.Name != name {
				continue
			}
			value := "e." + k.goName
			if k.pointer {
				value = "check.Value(" + value + ")"
			}
			types = append(types, fmt.Sprintf("k%d %s", i, k.base))
			values = append(values, value)
			names = append(names, name)
		}
	}
	w.f("\tif len(%s) > 1 {\n\t\ttype key struct{ %s }\n", x, strings.Join(types, "; "))
	w.f("\t\tseen := make(map[key]int, len(%s))\n", x)
	w.f("\t\tfor i := range %[1]s {\n\t\t\te := &%[1]s[i]\n\t\t\tk := key{%[2]s}\n", x, strings.Join(values, ", "))
	w.f("\t\t\tif first, ok := seen[k]; ok {\n\t\t\t\tv.Duplicate(%q, i, first, %q)\n", f.Name, enumerate(names))
	w.f("\t\t\t} else {\n\t\t\t\tseen[k] = i\n\t\t\t}\n\t\t}\n\t}\n")
}

var (
	inList  = regexp.MustCompile(`^(\w+) (not in|in) \[(.*)\]$`)
	equals  = regexp.MustCompile(`^(\w+)(!?=)([\w.-]+)$`)
	without = regexp.MustCompile(`^(\w+(?: and \w+)*) (?:absent|not given)$`)
)

// condition turns a required_when into Go, if it is about sibling fields; else
// it is only documented.
func condition(when, recv string, siblings []*field) (text, cond string) {
	if when == "" {
		return "", ""
	}
	find := func(name string) *field {
		for _, f := range siblings {
			if f.Name == name {
				return f
			}
		}
		return nil
	}
	var clauses []string
	for clause := range strings.SplitSeq(when, " or ") {
		var name, op string
		var values []string
		if a := inList.FindStringSubmatch(clause); a != nil {
			name, op, values = a[1], a[2], strings.Split(a[3], ",")
		} else if a := equals.FindStringSubmatch(clause); a != nil {
			name, op, values = a[1], a[2], []string{a[3]}
		} else if a := without.FindStringSubmatch(clause); a != nil {
			var parts []string
			for n := range strings.SplitSeq(a[1], " and ") {
				f := find(n)
				if f == nil {
					return "", ""
				}
				parts = append(parts, unsetCond(f, recv+"."+f.goName))
			}
			clauses = append(clauses, strings.Join(parts, " && "))
			continue
		} else {
			return "", ""
		}
		f := find(name)
		if f == nil || f.kind != kText && f.kind != kEnum || f.pointer || op == "not in" || op == "!=" {
			return "", ""
		}
		var parts []string
		for _, v := range values {
			parts = append(parts, fmt.Sprintf("%s.%s == %q", recv, f.goName, strings.TrimSpace(v)))
		}
		clauses = append(clauses, strings.Join(parts, " || "))
	}
	return when, "(" + strings.Join(clauses, " || ") + ")"
}

func quoted(values []any) string {
	var s []string
	for _, v := range values {
		s = append(s, strconv.Quote(fmt.Sprint(v)))
	}
	return strings.Join(s, ", ")
}

func deref(p *int) int {
	if p == nil {
		return 0
	}
	return *p
}

// pattern returns the name of the function that matches a pattern.
func (m *model) pattern(p string) string {
	i := slices.Index(m.patterns, p)
	if i < 0 {
		i = len(m.patterns)
		m.patterns = append(m.patterns, p)
	}
	return "matches" + strconv.Itoa(i+1)
}

var patternForm = regexp.MustCompile(`^\^(?:\[([^\]]+)\])?\[([^\]]+)\]\{\d+,\d+\}\$$`)

// patternFuncs writes the documented patterns, all of them character sets, as
// loops: lengths are checked apart, and regexp would cost start-up time.
func (m *model) patternFuncs() string {
	var w writer
	for i, p := range m.patterns {
		a := patternForm.FindStringSubmatch(p)
		if a == nil {
			panic("apigen: pattern " + p + " is not of the form ^[first][others]{m,n}$")
		}
		w.f("// matches%d reports whether s has the characters of %s.\n", i+1, p)
		if a[1] != "" {
			w.f("func matches%d(s string) bool {\n\tfor i, r := range s {\n", i+1)
			w.f("\t\tif i == 0 {\n\t\t\tif !(%s) {\n\t\t\t\treturn false\n\t\t\t}\n\t\t\tcontinue\n\t\t}\n", charSet(a[1]))
		} else {
			w.f("func matches%d(s string) bool {\n\tfor _, r := range s {\n", i+1)
		}
		w.f("\t\tif !(%s) {\n\t\t\treturn false\n\t\t}\n\t}\n\treturn true\n}\n\n", charSet(a[2]))
	}
	return w.String()
}

// charSet turns the inside of a bracket expression into a condition on r.
func charSet(set string) string {
	var runes []rune
	var escaped []bool
	for s := set; s != ""; {
		var r rune
		esc := false
		if s[0] == '\\' {
			esc = true
			switch s[1] {
			case 'x', 'u':
				digits, rest := s[2:][:2], s[4:]
				if braced, after, ok := strings.Cut(s[2:], "}"); ok && strings.HasPrefix(braced, "{") {
					digits, rest = braced[1:], after
				} else if s[1] == 'u' {
					digits, rest = s[2:6], s[6:]
				}
				v, err := strconv.ParseUint(digits, 16, 32)
				if err != nil {
					panic(err)
				}
				r, s = rune(v), rest
			default:
				r, s = rune(s[1]), s[2:]
			}
		} else {
			r = []rune(s)[0]
			s = s[len(string(r)):]
		}
		runes, escaped = append(runes, r), append(escaped, esc)
	}
	var parts []string
	for i := 0; i < len(runes); i++ {
		if i+2 < len(runes) && runes[i+1] == '-' && !escaped[i+1] {
			parts = append(parts, fmt.Sprintf("%s <= r && r <= %s", strconv.QuoteRuneToASCII(runes[i]), strconv.QuoteRuneToASCII(runes[i+2])))
			i += 2
			continue
		}
		parts = append(parts, "r == "+strconv.QuoteRuneToASCII(runes[i]))
	}
	return strings.Join(parts, " || ")
}
