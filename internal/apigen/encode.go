package main

import (
	"fmt"
	"slices"
	"strings"
)

// rpcEncode writes the encoder of an RPC request: parameters in the query, long
// lists in the form body, in the order of their names.
func (m *model) rpcEncode(w *writer, op *operation) {
	w.f("func (r *%sRequest) encode(to *transport.Request) {\n", op.goName)
	for _, in := range []string{"query", "form"} {
		fields := slices.DeleteFunc(slices.Clone(op.request), func(f *field) bool { return f.In != in })
		if len(fields) == 0 {
			continue
		}
		slices.SortStableFunc(fields, func(a, b *field) int { return strings.Compare(a.Name, b.Name) })
		v := in[:1]
		w.f("\t%s := rpc.%s(to)\n", v, strings.ToUpper(in[:1])+in[1:])
		for _, f := range fields {
			m.rpcField(w, v, "r", f)
		}
	}
	w.f("}\n\n")
}

func (m *model) rpcShapeEncode(w *writer, sh *shape) {
	w.f("func (s *%s) encode(v *rpc.Values) {\n", sh.name)
	fields := slices.Clone(sh.fields)
	slices.SortStableFunc(fields, func(a, b *field) int { return strings.Compare(a.Name, b.Name) })
	for _, f := range fields {
		m.rpcField(w, "v", "s", f)
	}
	w.f("}\n\n")
}

func (m *model) rpcField(w *writer, v, recv string, f *field) {
	x := recv + "." + f.goName
	switch f.kind {
	case kText, kEnum, kInt, kBool:
		put := map[kind]string{kText: "String", kEnum: "String", kInt: "Int", kBool: "Bool"}[f.kind]
		guarded(w, f, x, func(value string) string {
			return fmt.Sprintf("%s.%s(%q, %s)\n", v, put, f.Name, m.plain(f, value))
		})
	case kTexts, kEnums, kInts:
		put := "StringItem"
		value := "e"
		switch f.kind {
		case kInts:
			put, value = "IntItem", "int64(e)"
		case kEnums:
			value = "string(e)"
		}
		w.f("\tfor i, e := range %s {\n\t\t%s.%s(%q, i, %s)\n\t}\n", x, v, put, f.Name, value)
	case kObject:
		inner := fmt.Sprintf("mark := %[1]s.EnterObject(%[2]q)\n%[3]s.encode(%[4]s)\n%[1]s.Leave(mark)\n", v, f.Name, x, address(v))
		if f.pointer {
			w.f("\tif %s != nil {\n%s\t}\n", x, inner)
		} else {
			w.f("\t{\n%s\t}\n", inner)
		}
	case kObjects:
		if f.Type == "json-string" {
			w.f("\tif %s != nil {\n\t\tb := append(%s.JSON(), '[')\n", x, v)
			w.f("\t\tfor i := range %[1]s {\n\t\t\tb = append(%[1]s[i].appendJSON(b), ',')\n\t\t}\n", x)
			w.f("\t\t%s.EndJSON(%q, wire.EndList(b))\n\t}\n", v, f.Name)
			return
		}
		w.f("\tfor i := range %[1]s {\n\t\tmark := %[2]s.Enter(%[3]q, i)\n\t\t%[1]s[i].encode(%[4]s)\n\t\t%[2]s.Leave(mark)\n\t}\n", x, v, f.Name, address(v))
	}
}

// address gives a pointer to the Values: a local is taken the address of, the
// parameter of a shape's encoder is one already.
func address(v string) string {
	if v == "v" {
		return "v"
	}
	return "&" + v
}

// guarded writes what encodes a value, under the condition that it is set.
func guarded(w *writer, f *field, x string, put func(value string) string) {
	switch {
	case f.pointer:
		w.f("\tif %s != nil {\n\t\t%s\t}\n", x, put("*"+x))
	case f.Required:
		w.f("\t%s", put(x))
	default:
		w.f("\tif %s {\n\t\t%s\t}\n", isSet(f, x), put(x))
	}
}

// plain converts a value to what the encoders take.
func (m *model) plain(f *field, value string) string {
	switch {
	case f.kind == kInt && f.base != "int64":
		return "int64(" + value + ")"
	case f.kind == kEnum || f.Secret:
		return "string(" + value + ")"
	default:
		return value
	}
}

// restEncode writes the encoder of a REST request: path, query and JSON body.
func (m *model) restEncode(w *writer, op *operation) {
	recv := "r"
	if !slices.ContainsFunc(op.request, func(f *field) bool { return true }) {
		recv = ""
	}
	w.f("func (%s *%sRequest) encode(to *transport.Request) {\n", recv, op.goName)
	m.restPath(w, op)
	var body []*field
	for _, f := range op.request {
		switch f.In {
		case "query":
			m.restQuery(w, f)
		case "body":
			body = append(body, f)
		}
	}
	if len(body) > 0 {
		w.f("\tb := rest.Body(to)\n")
		for _, f := range body {
			m.jsonField(w, "r", f)
		}
		w.f("\trest.EndBody(to, b)\n")
	}
	w.f("}\n\n")
}

func (m *model) restPath(w *writer, op *operation) {
	path := op.Path
	if m.pkg == "apig" {
		path = strings.Replace(path, "/apic/", "/{product}/", 1)
	}
	for path != "" {
		literal, rest, found := strings.Cut(path, "{")
		if literal != "" {
			w.f("\trest.Literal(to, %q)\n", literal)
		}
		if !found {
			break
		}
		name, after, _ := strings.Cut(rest, "}")
		path = after
		switch name {
		case "project_id":
			w.f("\trest.Segment(to, to.Project)\n")
		case "product":
			w.f("\trest.Literal(to, to.Product)\n")
		default:
			i := slices.IndexFunc(op.request, func(f *field) bool { return f.Name == name && f.In == "path" })
			w.f("\trest.Segment(to, r.%s)\n", op.request[i].goName)
		}
	}
}

func (m *model) restQuery(w *writer, f *field) {
	x := "r." + f.goName
	put := map[kind]string{kText: "String", kEnum: "String", kInt: "Int", kBool: "Bool", kTexts: "String", kEnums: "String", kInts: "Int"}[f.kind]
	if f.kind >= kTexts {
		value := map[kind]string{kTexts: "e", kEnums: "string(e)", kInts: "int64(e)"}[f.kind]
		w.f("\tfor _, e := range %s {\n\t\trest.%s(to, %q, %s)\n\t}\n", x, put, f.Name, value)
		return
	}
	guarded(w, f, x, func(value string) string {
		return fmt.Sprintf("rest.%s(to, %q, %s)\n", put, f.Name, m.plain(f, value))
	})
}

func (m *model) jsonShapeEncode(w *writer, sh *shape) {
	w.f("func (s *%s) appendJSON(b []byte) []byte {\n\tb = append(b, '{')\n", sh.name)
	for _, f := range sh.fields {
		m.jsonField(w, "s", f)
	}
	w.f("\treturn wire.EndObject(b)\n}\n\n")
}

func (m *model) jsonField(w *writer, recv string, f *field) {
	x := recv + "." + f.goName
	key := fmt.Sprintf("b = wire.Key(b, %q)\n", f.Name)
	value := func(v string) string {
		switch f.kind {
		case kInt:
			return "b = strconv.AppendInt(b, " + m.plain(f, v) + ", 10)\n"
		case kBool:
			return "b = strconv.AppendBool(b, " + v + ")\n"
		default:
			return "b = wire.AppendString(b, " + v + ")\n"
		}
	}
	const comma = "b = append(b, ',')\n"
	switch {
	case f.Nullable:
		w.f("\tif v, ok := %s.Get(); ok {\n%s%s%s\t} else if %s.IsNull() {\n%sb = append(b, \"null,\"...)\n\t}\n", x, key, value("v"), comma, x, key)
	case f.kind <= kBool && f.kind != kObject:
		guarded(w, f, x, func(v string) string { return key + value(v) + comma })
	case f.kind == kObject:
		inner := key + "b = append(" + x + ".appendJSON(b), ',')\n"
		if f.pointer {
			w.f("\tif %s != nil {\n%s\t}\n", x, inner)
		} else {
			w.f("%s", inner)
		}
	default:
		var each string
		switch f.kind {
		case kObjects:
			each = fmt.Sprintf("for i := range %[1]s {\n\t\tb = append(%[1]s[i].appendJSON(b), ',')\n\t\t}\n", x)
		case kInts:
			each = fmt.Sprintf("for _, e := range %s {\n\t\tb = append(strconv.AppendInt(b, int64(e), 10), ',')\n\t\t}\n", x)
		default:
			each = fmt.Sprintf("for _, e := range %s {\n\t\tb = append(wire.AppendString(b, e), ',')\n\t\t}\n", x)
		}
		inner := key + "b = append(b, '[')\n" + each + "b = append(wire.EndList(b), ',')\n"
		if f.Required {
			w.f("%s", inner)
		} else {
			w.f("\tif %s != nil {\n%s\t}\n", x, inner)
		}
	}
}
