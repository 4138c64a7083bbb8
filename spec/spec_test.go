package spec_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/cloudlb/cloudlb/internal/specfile"
	"github.com/cloudlb/cloudlb/spec"
)

const (
	request  = "request"
	response = "response"
)

// place is one field of one operation.
type place struct {
	service string
	op      *specfile.Operation
	side    string
	path    string // dotted
	parent  *specfile.Field
	*specfile.Field
}

func (p place) String() string {
	return fmt.Sprintf("%s %s %s %s", p.service, p.op.Name, p.side, p.path)
}

// The files are read once: no test changes what it reads.
var (
	readServices = sync.OnceValues(func() (map[string]*specfile.Service, error) {
		out := make(map[string]*specfile.Service)
		for _, name := range specfile.Services {
			s, err := specfile.Load(name)
			if err != nil {
				return nil, err
			}
			out[name] = s
		}
		return out, nil
	})
	readCommon = sync.OnceValues(specfile.LoadCommon)
)

func load(t *testing.T) map[string]*specfile.Service {
	t.Helper()
	services, err := readServices()
	if err != nil {
		t.Fatal(err)
	}
	return services
}

func loadCommon(t *testing.T) *specfile.Common {
	t.Helper()
	common, err := readCommon()
	if err != nil {
		t.Fatal(err)
	}
	return common
}

// places returns every field of every operation, at any depth, in order.
func places(t *testing.T) []place {
	t.Helper()
	services := load(t)
	var out []place
	var walk func(p place, fields []*specfile.Field)
	walk = func(p place, fields []*specfile.Field) {
		for _, f := range fields {
			q := place{p.service, p.op, p.side, strings.TrimPrefix(p.path+"."+f.Name, "."), p.Field, f}
			out = append(out, q)
			walk(q, f.Fields)
		}
	}
	for _, name := range specfile.Services {
		for _, o := range services[name].Operations {
			walk(place{service: name, op: o, side: request}, o.Request)
			walk(place{service: name, op: o, side: response}, o.Response)
		}
	}
	return out
}

// isWrapper reports SLB's objects around one list, which are a list in Go.
func isWrapper(p place) bool {
	return p.service == "slb" && p.side == response && p.Type == "object" && len(p.Fields) == 1 && p.Fields[0].Type == "array"
}

// isUpdate reports operations in which an absent field means "leave it".
func isUpdate(o *specfile.Operation) bool {
	return slices.ContainsFunc([]string{"Update", "Set", "Modify", "BatchUpdate"}, func(prefix string) bool {
		return strings.HasPrefix(o.Go(), prefix)
	})
}

func isNumber(typ string) bool { return typ == "integer" || typ == "int64" }

// element is the type of one value of a field.
func element(f *specfile.Field) string {
	if f.Type == "array" {
		return f.ItemType
	}
	return f.Type
}

func TestOperationCounts(t *testing.T) {
	t.Parallel()
	services := load(t)
	for name, want := range map[string]int{"alb": 24, "slb": 19, "elb": 32, "apig": 21} {
		ops := services[name].Operations
		if len(ops) < want {
			t.Errorf("%s has %d operations, want at least %d", name, len(ops), want)
		}
		seen := make(map[string]bool)
		for _, o := range ops {
			for _, n := range []string{o.Name, o.Go()} {
				if n != o.Name && seen[n] || n == o.Name && seen["wire "+n] {
					t.Errorf("%s: two operations are called %s", name, n)
				}
			}
			seen[o.Go()], seen["wire "+o.Name] = true, true
		}
	}
}

func TestKnownFacts(t *testing.T) {
	t.Parallel()
	type fact struct {
		service, op, side, path string
		typ, item, in           string
		required                bool
	}
	facts := []fact{
		{"alb", "AddServersToServerGroup", request, "Servers", "array", "object", "form", true},
		{"alb", "AddServersToServerGroup", request, "ServerGroupId", "string", "", "query", true},
		{"alb", "RemoveServersFromServerGroup", request, "Servers", "array", "object", "query", true},
		{"alb", "ReplaceServersInServerGroup", request, "AddedServers", "array", "object", "form", true},
		{"alb", "ReplaceServersInServerGroup", request, "RemovedServers", "array", "object", "query", true},
		{"alb", "UpdateServerGroupServersAttribute", request, "Servers", "array", "object", "form", true},
		{"alb", "AddServersToServerGroup", response, "JobId", "string", "", "", true},
		{"alb", "ListAsynJobs", request, "JobIds", "array", "string", "query", false},
		{"slb", "AddVServerGroupBackendServers", request, "BackendServers", "json-string", "object", "query", true},
		{"slb", "AddVServerGroupBackendServers", request, "BackendServers.Weight", "integer", "", "", false},
		{"slb", "CreateVServerGroup", response, "BackendServers.BackendServer", "array", "object", "", false},
		{"elb", "BatchCreateMembers", request, "members", "array", "object", "body", true},
		{"elb", "BatchCreateMembers", request, "pool_id", "string", "", "path", true},
		{"elb", "BatchDeletePools", request, "pools", "array", "string", "body", true},
		{"elb", "ListMembers", request, "weight", "array", "integer", "query", false},
		{"elb", "UpdateMember", request, "member", "object", "", "body", true},
		{"apig", "AddingBackendInstancesV2", request, "members.weight", "integer", "", "", false},
		{"apig", "UpdateBackendInstancesV2", request, "member_group_name", "string", "", "body", false},
		{"apig", "ListBackendInstancesV2", request, "offset", "int64", "", "query", false},
	}
	all := make(map[string]place)
	for _, p := range places(t) {
		all[p.String()] = p
	}
	for _, want := range facts {
		key := fmt.Sprintf("%s %s %s %s", want.service, want.op, want.side, want.path)
		p, ok := all[key]
		if !ok {
			t.Errorf("%s is missing", key)
			continue
		}
		got := fact{want.service, want.op, want.side, want.path, p.Type, p.ItemType, p.In, p.Required}
		if got != want {
			t.Errorf("%s is %+v, want %+v", key, got, want)
		}
	}
}

// TestKeys finds misspelt keys: the reader ignores what it does not know.
func TestKeys(t *testing.T) {
	t.Parallel()
	known := map[string][]string{
		"operation": {
			"name", "go_name", "family", "summary", "method", "path", "path_families", "rpc_action", "read_only", "async",
			"async_state", "idempotency_token", "idempotency", "natural_idempotency", "lock_scope", "concurrency", "semantics",
			"dry_run_field", "max_items_per_call", "pagination", "success_status", "partial_success", "rate_limit",
			"request", "request_content_type", "response", "errors", "sources",
		},
		"field": {
			"name", "go_name", "type", "item_type", "shape", "in", "families", "required", "required_when", "ignored_when",
			"enum", "enum_names", "min", "max", "min_len", "max_len", "min_items", "max_items", "pattern", "not_prefix",
			"unique_by", "default", "zero", "nullable", "secret", "internal", "unit", "doc", "note", "remark", "example", "fields",
		},
		"error":       {"status", "code", "retryable", "note", "source", "inferred"},
		"error class": {"code", "status", "message", "class", "outcome", "action", "note"},
		"lock":        {"kind", "fields", "note"},
		"rate limit":  {"calls", "window_s", "assumed"},
		"pagination":  {"style", "request", "response", "max_page_size", "default_page_size", "default_note", "end"},
	}
	check := func(where, kind string, v any) map[string]any {
		object, _ := v.(map[string]any)
		for k := range object {
			if !slices.Contains(known[kind], k) {
				t.Errorf("%s: no key of a %s is called %q", where, kind, k)
			}
		}
		return object
	}
	list := func(v any) []any { l, _ := v.([]any); return l }
	var fields func(where string, v any)
	fields = func(where string, v any) {
		for _, f := range list(v) {
			o := check(where, "field", f)
			name := fmt.Sprint(where, ".", o["name"])
			check(name, "field", o)
			fields(name, o["fields"])
		}
	}
	for _, name := range specfile.Services {
		file := raw(t, name)
		for _, o := range list(file["operations"]) {
			op := check(name, "operation", o)
			where := fmt.Sprint(name, " ", op["name"])
			fields(where+" request", op["request"])
			fields(where+" response", op["response"])
			for _, e := range list(op["errors"]) {
				check(where, "error", e)
			}
			check(where, "lock", op["lock_scope"])
			check(where, "rate limit", op["rate_limit"])
			check(where, "pagination", op["pagination"])
		}
		for _, e := range list(file["service_errors"]) {
			check(name, "error", e)
		}
		for _, e := range list(file["error_classes"]) {
			check(name, "error class", e)
		}
	}
	common := raw(t, "common")
	for _, key := range []string{"alibaba_error_classes", "huawei_error_classes"} {
		for _, e := range list(common[key]) {
			check("common "+key, "error class", e)
		}
	}
}

// TestDocs: what callers see has a doc, in the form that the generator needs.
func TestDocs(t *testing.T) {
	t.Parallel()
	common := loadCommon(t)
	// Where a fact comes from is no business of callers: see "remark".
	sources := regexp.MustCompile(`\b(SDK|CLI|OTC|seed|terraform|mirror)\b`)
	form := func(where, doc string) {
		if first := cmp.Or(doc, " ")[0]; first < 'a' || first > 'z' || strings.HasSuffix(doc, ".") {
			t.Errorf("%s: the doc must go on after the name and have no full stop at the end: %q", where, doc)
		}
	}
	unused := map[string]map[string]string{"field_docs": maps.Clone(common.FieldDocs), "shape_docs": maps.Clone(common.ShapeDocs)}
	for _, p := range places(t) {
		if p.Shape != "" {
			key := p.service + "." + p.Shape
			if common.ShapeDocs[key] == "" {
				t.Errorf("%s: no doc for shape %s", p, key)
			}
			delete(unused["shape_docs"], key)
		}
		for _, text := range []string{p.Doc, p.Note} {
			if s := sources.FindString(text); s != "" {
				t.Errorf("%s: %q speaks of a source (%s)", p, text, s)
			}
		}
		hidden := p.Internal || p.In == "header" || p.In == "path" && p.Name == "project_id"
		if hidden || p.parent != nil && isWrapper(place{service: p.service, side: p.side, Field: p.parent}) {
			continue
		}
		switch {
		case p.Doc != "":
			form(p.String(), p.Doc)
			if p.Doc == common.FieldDocs[p.Name] {
				t.Errorf("%s repeats the doc of common.json", p)
			}
		case common.FieldDocs[p.Name] == "":
			t.Errorf("%s has no doc", p)
		default:
			delete(unused["field_docs"], p.Name)
		}
	}
	for _, docs := range []map[string]string{common.FieldDocs, common.ShapeDocs} {
		for name, doc := range docs {
			form(name, doc)
		}
	}
	for kind, names := range unused {
		for name := range names {
			t.Errorf("%s: nothing uses %s", kind, name)
		}
	}
}

func raw(t *testing.T, name string) map[string]any {
	t.Helper()
	b, err := spec.Files.ReadFile(name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]any
	if err := json.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestOperations(t *testing.T) {
	t.Parallel()
	// Reads for which nothing but the common codes is published.
	common := []string{
		"ListServerGroups", "ListHealthCheckTemplates", "TagResources", "UnTagResources",
		"ListTagResources", "ListTagKeys", "ListTagValues", "DescribeRegions", "DescribeZones",
	}
	lockKinds := []string{"server_group", "health_check_template", "resource", "load_balancer", "channel", "project_channel", "none"}
	family := regexp.MustCompile(`^[a-z]+$`)
	goName := regexp.MustCompile(`^[A-Z][A-Za-z0-9]+$`)
	for name, s := range load(t) {
		for _, o := range s.Operations {
			fail := func(format string, args ...any) {
				t.Helper()
				t.Errorf("%s %s: %s", name, o.Name, fmt.Sprintf(format, args...))
			}
			if !goName.MatchString(o.Go()) {
				fail("bad Go name %q", o.Go())
			}
			if !family.MatchString(o.Family) {
				fail("bad family %q", o.Family)
			}
			if first := cmp.Or(o.Summary, " ")[0]; first < 'a' || first > 'z' || !strings.HasSuffix(o.Summary, ".") {
				fail("the summary must go on after the operation's name and end in a full stop: %q", o.Summary)
			}
			if len(o.Errors) == 0 && (name != "alb" || !slices.Contains(common, o.Name)) {
				fail("no errors")
			}
			if len(o.Sources) == 0 {
				fail("no sources")
			}
			want := []string{"natural", "none"}
			switch {
			case o.ReadOnly:
				want = []string{"read"}
			case o.TokenField != "":
				want = []string{"token"}
			}
			if !slices.Contains(want, o.Idempotency) {
				fail("idempotency is %q, want one of %v", o.Idempotency, want)
			}
			if o.TokenField != "" && topLevel(o, o.TokenField) == nil {
				fail("no parameter %s", o.TokenField)
			}
			if o.DryRunField != "" && topLevel(o, o.DryRunField) == nil {
				fail("no parameter %s", o.DryRunField)
			}
			if o.ReadOnly != (o.Lock == nil) {
				fail("a write has a lock scope, a read has none")
			}
			if l := o.Lock; l != nil {
				if !slices.Contains(lockKinds, l.Kind) || l.Note == "" {
					fail("lock scope %+v", *l)
				}
				for _, path := range l.Fields {
					if !hasPath(o.Request, path) {
						fail("no parameter %s to name the lock", path)
					}
				}
			}
			for list, n := range o.MaxItems {
				if f := topLevel(o, list); f == nil || f.MaxItems == nil || *f.MaxItems != n {
					fail("at most %d %s per call, but the parameter says otherwise", n, list)
				}
			}
			if p := o.Pagination; p != nil {
				for _, n := range p.Request {
					if topLevel(o, n) == nil {
						fail("no paging parameter %s", n)
					}
				}
				for _, n := range p.Response {
					if !hasPath(o.Response, n) {
						fail("no paging value %s in the reply", n)
					}
				}
			}
		}
	}
}

func topLevel(o *specfile.Operation, name string) *specfile.Field {
	for _, f := range o.Request {
		if f.Name == name {
			return f
		}
	}
	return nil
}

func hasPath(fields []*specfile.Field, path string) bool {
	name, rest, more := strings.Cut(path, ".")
	for _, f := range fields {
		if f.Name == name {
			return !more || hasPath(f.Fields, rest)
		}
	}
	return false
}

func TestRateLimits(t *testing.T) {
	t.Parallel()
	services := load(t)
	for _, name := range []string{"alb", "slb"} {
		limits := raw(t, name)["rate_limits"].(map[string]any)
		documented := limits["documented"].(map[string]any)
		for _, o := range services[name].Operations {
			r := o.RateLimit
			if r == nil {
				if !o.ReadOnly || name == "slb" {
					t.Errorf("%s %s has no budget", name, o.Name)
				}
				continue
			}
			if r.Calls <= 0 || r.WindowS <= 0 {
				t.Errorf("%s %s: budget %+v", name, o.Name, *r)
			}
			calls, listed := documented[o.Name].(float64)
			if listed && (int(calls) != r.Calls || r.Assumed) {
				t.Errorf("%s %s: budget %+v, documented %v", name, o.Name, *r, calls)
			}
			if !listed && !r.Assumed && !(name == "slb" && o.ReadOnly && r.Calls == 3000) {
				t.Errorf("%s %s: budget %+v is not documented, so it is assumed", name, o.Name, *r)
			}
		}
		for op := range documented {
			if !slices.ContainsFunc(services[name].Operations, func(o *specfile.Operation) bool { return o.Name == op }) {
				t.Errorf("%s: a budget for %s, which is no operation", name, op)
			}
		}
	}
}

func TestPathParameters(t *testing.T) {
	t.Parallel()
	parameter := regexp.MustCompile(`\{([^}]+)\}`)
	for name, s := range load(t) {
		for _, o := range s.Operations {
			paths := map[string]string{"": o.Path}
			for family, p := range o.Families {
				paths[family] = p.Path
			}
			if p, ok := o.Families["apic"]; ok && p.Path != o.Path {
				t.Errorf("%s %s: path is not that of the default product", name, o.Name)
			}
			for family, path := range paths {
				var want []string
				for _, m := range parameter.FindAllStringSubmatch(path, -1) {
					want = append(want, m[1])
				}
				var got []string
				for _, f := range o.Request {
					if f.In == "path" {
						got = append(got, f.Name)
						if !f.Required {
							t.Errorf("%s %s: path parameter %s is not required", name, o.Name, f.Name)
						}
					}
				}
				slices.Sort(want)
				slices.Sort(got)
				if !slices.Equal(got, want) {
					t.Errorf("%s %s %s: parameters %v, path %s", name, o.Name, family, got, path)
				}
			}
		}
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	types := []string{"string", "integer", "int64", "boolean", "object", "array", "json-string"}
	in := []string{"query", "form", "path", "header", "body"}
	normal := func(s string) string { return strings.ToLower(strings.NewReplacer("_", "", "-", "").Replace(s)) }
	names := make(map[string]string)
	for _, p := range places(t) {
		if !slices.Contains(types, p.Type) {
			t.Errorf("%s: type %q", p, p.Type)
		}
		if (p.Type == "array") != (p.ItemType != "" && p.Type != "json-string") {
			t.Errorf("%s: item type %q of a %s", p, p.ItemType, p.Type)
		}
		top := p.side == request && p.parent == nil
		if top != slices.Contains(in, p.In) {
			t.Errorf("%s: in %q", p, p.In)
		}
		if (element(p.Field) == "object" || p.Type == "json-string" && p.ItemType == "object") != (len(p.Fields) > 0) {
			t.Errorf("%s: an object has fields, nothing else has", p)
		}
		for _, key := range p.UniqueBy {
			if p.side != request || !hasPath(p.Fields, key) {
				t.Errorf("%s: unique by %s", p, key)
			}
		}
		if !slices.Contains([]string{"", "absent", "sent"}, p.Zero) || p.Zero != "" && (p.Required || p.side != request) {
			t.Errorf("%s: zero %q", p, p.Zero)
		}
		if p.Nullable && (p.Required || p.side != request) {
			t.Errorf("%s: nullable", p)
		}
		if strings.Contains(strings.ToLower(p.Name), "password") && !p.Secret {
			t.Errorf("%s is no secret", p)
		}
		if p.Required && p.side == response && strings.HasPrefix(p.op.Name, "List") && p.Name != "RequestId" {
			t.Errorf("%s: a list may be empty", p)
		}
		// Two names of one struct that differ in case and separators only are
		// one name in Go. They would also be one name for a JSON reader.
		dir := p.path[:strings.LastIndex(p.path, ".")+1]
		key := fmt.Sprint(p.service, " ", p.op.Name, " ", p.side, " ", dir, normal(p.Name))
		if other, ok := names[key]; ok {
			t.Errorf("%s and %s are one name", p, other)
		}
		names[key] = p.path
	}
}

func TestResponsesCarryTheirIdentity(t *testing.T) {
	t.Parallel()
	for _, p := range places(t) {
		if p.side != response || p.parent != nil {
			continue
		}
		alibaba := p.service == "alb" || p.service == "slb"
		want := alibaba && (p.Name == "RequestId" || p.op.Async && p.Name == "JobId") ||
			p.service == "elb" && slices.Contains([]string{"pool", "member", "healthmonitor", "job", "quota", "statuses", "member_check"}, p.Name)
		if want && !p.Required {
			t.Errorf("%s is not required", p)
		}
	}
}

// optionality is what decides how an optional request field looks in Go.
func optionality(p *specfile.Field, update bool) string {
	pointer := isNumber(p.Type) && (p.Min == nil || *p.Min < 1) && p.Enum == nil && p.Default == nil
	switch {
	case p.Required, p.Zero != "", pointer, p.Type == "array":
		return "same everywhere"
	default:
		return fmt.Sprint("update ", update)
	}
}

func TestShapes(t *testing.T) {
	t.Parallel()
	type use struct {
		place
		update bool
	}
	uses := make(map[string]map[string][]use) // service, shape
	for _, p := range places(t) {
		isObject := len(p.Fields) > 0 && !isWrapper(p)
		if isObject && p.Shape == "" {
			t.Errorf("%s has no shape", p)
		}
		if isWrapper(p) && p.Shape != "" {
			t.Errorf("%s: the shape of a wrapper belongs on its list", p)
		}
		if isObject {
			if uses[p.service] == nil {
				uses[p.service] = make(map[string][]use)
			}
			uses[p.service][p.Shape] = append(uses[p.service][p.Shape], use{p, isUpdate(p.op)})
		}
	}
	for service, shapes := range uses {
		for _, name := range slices.Sorted(maps.Keys(shapes)) {
			first := shapes[name][0]
			for _, u := range shapes[name] {
				if u.side != first.side {
					t.Errorf("%s: shape %s is in requests and replies: %s, %s", service, name, first, u)
					continue
				}
				if u.side == request {
					requestsAgree(t, name, first.place, u.place, first.Fields, u.Fields)
				}
			}
			if first.side == response {
				types := make(map[string]string)
				for _, u := range shapes[name] {
					for _, f := range u.Fields {
						typ := f.Type + f.ItemType + f.Shape + f.GoName
						if old, ok := types[f.Name]; ok && old != typ {
							t.Errorf("%s: shape %s: field %s is %s and %s", service, name, f.Name, old, typ)
						}
						types[f.Name] = typ
					}
				}
			}
		}
	}
}

// requestsAgree checks that two uses of a request shape are one type with one
// set of checks.
func requestsAgree(t *testing.T, shape string, p, q place, a, b []*specfile.Field) {
	t.Helper()
	byName := func(x, y *specfile.Field) int { return strings.Compare(x.Name, y.Name) }
	a, b = slices.SortedFunc(slices.Values(a), byName), slices.SortedFunc(slices.Values(b), byName)
	if len(a) != len(b) {
		t.Errorf("shape %s has other fields in %s and %s", shape, p, q)
		return
	}
	for i := range a {
		x, y := *a[i], *b[i]
		if ox, oy := optionality(&x, isUpdate(p.op)), optionality(&y, isUpdate(q.op)); ox != oy {
			t.Errorf("shape %s: optional %s differs between %s (%s) and %s (%s)", shape, x.Name, p, ox, q, oy)
		}
		requestsAgree(t, shape, p, q, x.Fields, y.Fields)
		for _, f := range []*specfile.Field{&x, &y} {
			f.Fields, f.Note, f.Example = nil, "", nil
		}
		if !reflect.DeepEqual(x, y) {
			t.Errorf("shape %s: %s differs between %s and %s", shape, x.Name, p, q)
		}
	}
}

func TestEnumerations(t *testing.T) {
	t.Parallel()
	type enum struct {
		numeric bool
		names   map[string]string // value to name
	}
	enums := make(map[string]map[string]*enum)
	suffix := regexp.MustCompile(`^[A-Z0-9][A-Za-z0-9]*$`)
	for _, p := range places(t) {
		if len(p.Fields) > 0 {
			continue
		}
		numeric := isNumber(element(p.Field))
		if len(p.Enum) > 0 && p.Shape == "" && (!numeric || p.EnumNames != nil) {
			t.Errorf("%s: an enumeration without a shape", p)
		}
		if p.Shape == "" {
			continue
		}
		if numeric && len(p.EnumNames) == 0 {
			t.Errorf("%s: a numeric enumeration without names", p)
		}
		if p.EnumNames != nil && len(p.EnumNames) != len(p.Enum) {
			t.Errorf("%s: %d names for %d values", p, len(p.EnumNames), len(p.Enum))
			continue
		}
		if enums[p.service] == nil {
			enums[p.service] = make(map[string]*enum)
		}
		e := enums[p.service][p.Shape]
		if e == nil {
			e = &enum{numeric, make(map[string]string)}
			enums[p.service][p.Shape] = e
		}
		if e.numeric != numeric {
			t.Errorf("%s: enumeration %s is text and number", p, p.Shape)
		}
		for i, v := range p.Enum {
			if _, isNum := v.(float64); isNum != numeric {
				t.Errorf("%s: value %v of a %s", p, v, element(p.Field))
			}
			value, name := fmt.Sprint(v), ""
			if p.EnumNames != nil {
				name = p.EnumNames[i]
				if !suffix.MatchString(name) {
					t.Errorf("%s: %q cannot end a Go name", p, name)
				}
			}
			if old, ok := e.names[value]; ok && old != name {
				t.Errorf("%s: value %s of %s is named %q and %q", p, value, p.Shape, old, name)
			}
			e.names[value] = name
		}
	}
	for service, of := range enums {
		for name, e := range of {
			if len(e.names) == 0 {
				t.Errorf("%s: enumeration %s has no values", service, name)
			}
			byName := make(map[string]string)
			for value, n := range e.names {
				n = cmp.Or(n, strings.ToLower(strings.NewReplacer("_", "", "-", "", " ", "", ".", "").Replace(value)))
				if other, ok := byName[n]; ok {
					t.Errorf("%s: values %s and %s of %s have one name", service, other, value, name)
				}
				byName[n] = value
			}
		}
	}
}

// TestTypeNames checks that everything that becomes a type has a name of its own.
func TestTypeNames(t *testing.T) {
	t.Parallel()
	good := regexp.MustCompile(`^[A-Z][A-Za-z0-9]*$`)
	reserved := []string{"Client", "Option", "Config", "New", "Metadata", "Error", "Secret", "Nullable"}
	kinds := make(map[string]string)
	for _, p := range places(t) {
		for _, side := range []string{"Request", "Response"} {
			kinds[p.service+" "+p.op.Go()+side] = "operation"
		}
	}
	for _, p := range places(t) {
		if p.Shape == "" {
			continue
		}
		if !good.MatchString(p.Shape) || slices.Contains(reserved, p.Shape) {
			t.Errorf("%s: shape %q", p, p.Shape)
		}
		kind := "enumeration"
		if len(p.Fields) > 0 {
			kind = p.side
		}
		key := p.service + " " + p.Shape
		if old, ok := kinds[key]; ok && old != kind {
			t.Errorf("%s: %s is a type of a %s and of a %s", p, p.Shape, old, kind)
		}
		kinds[key] = kind
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	// What the sources print against their own tables. The tables win.
	contradictions := map[string]string{
		"alb ReplaceServersInServerGroup request AddedServers.ServerType":                   "example in lower case",
		"alb ReplaceServersInServerGroup request RemovedServers.ServerType":                 "example in lower case",
		"alb UpdateServerGroupServersAttribute request Servers.ServerType":                  "example in lower case",
		"alb CreateServerGroup request ServerGroupName":                                     "asterisks that hide an ID",
		"alb ListAsynJobs request BeginTime":                                                "a date for milliseconds",
		"alb ListAsynJobs request EndTime":                                                  "a date for milliseconds",
		"alb CreateHealthCheckTemplate request HealthCheckHttpVersion":                      "HTTP 1.0 with a space",
		"alb ListHealthCheckTemplates response HealthCheckTemplates.HealthCheckHttpVersion": "HTTP 1.0 with a space",
		"slb AddBackendServers response BackendServers.BackendServer.Weight":                "a number in quotes",
		"slb SetBackendServers response BackendServers.BackendServer.Weight":                "a number in quotes",
	}
	found := make(map[string]bool)
	for _, p := range places(t) {
		if p.Min != nil && p.Max != nil && *p.Min > *p.Max ||
			p.MinLen != nil && p.MaxLen != nil && *p.MinLen > *p.MaxLen ||
			p.MinItems != nil && p.MaxItems != nil && *p.MinItems > *p.MaxItems {
			t.Errorf("%s: the lower limit is above the upper", p)
		}
		if p.Min != nil && !isNumber(element(p.Field)) {
			t.Errorf("%s: a range for a %s", p, p.Type)
		}
		if (p.MinLen != nil || p.MaxLen != nil || p.Pattern != "" || p.NotPrefix != nil) && element(p.Field) != "string" {
			t.Errorf("%s: a length or pattern for a %s", p, p.Type)
		}
		if (p.MinItems != nil || p.MaxItems != nil) && p.Type != "array" && p.Type != "json-string" {
			t.Errorf("%s: a number of items for a %s", p, p.Type)
		}
		if p.Pattern != "" {
			if _, err := regexp.Compile(p.Pattern); err != nil {
				t.Errorf("%s: %v", p, err)
				continue
			}
		}
		for what, v := range map[string]any{"default": p.Default, "example": p.Example} {
			if v == nil {
				continue
			}
			err := fits(p.Field, v)
			if _, ok := contradictions[p.String()]; ok && what == "example" {
				found[p.String()] = true
				if err == nil {
					t.Errorf("%s no longer contradicts itself", p)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s: %s %v: %v", p, what, v, err)
			}
		}
	}
	for key := range contradictions {
		if !found[key] {
			t.Errorf("%s is gone", key)
		}
	}
}

func fits(f *specfile.Field, v any) error {
	if list, ok := v.([]any); ok && f.Type == "array" {
		for _, item := range list {
			if err := fits(f, item); err != nil {
				return err
			}
		}
		return nil
	}
	if len(f.Fields) > 0 || f.Type == "json-string" {
		return nil
	}
	if len(f.Enum) > 0 && !slices.Contains(f.Enum, v) {
		return fmt.Errorf("not one of %v", f.Enum)
	}
	switch typ := element(f); {
	case isNumber(typ):
		n, ok := v.(float64)
		if !ok || f.Min != nil && int64(n) < *f.Min || f.Max != nil && int64(n) > *f.Max {
			return fmt.Errorf("not a number in range")
		}
	case typ == "boolean":
		if _, ok := v.(bool); !ok {
			return fmt.Errorf("not true or false")
		}
	case typ == "string":
		s, ok := v.(string)
		n := utf8.RuneCountInString(s)
		switch {
		case !ok:
			return fmt.Errorf("no text")
		case f.MinLen != nil && n < *f.MinLen || f.MaxLen != nil && n > *f.MaxLen:
			return fmt.Errorf("%d characters", n)
		case f.Pattern != "" && !regexp.MustCompile(f.Pattern).MatchString(s):
			return fmt.Errorf("does not match %s", f.Pattern)
		}
		for _, prefix := range f.NotPrefix {
			if strings.HasPrefix(s, prefix) {
				return fmt.Errorf("starts with %s", prefix)
			}
		}
	}
	return nil
}

// tables returns the rows that classify the errors of a service, in order.
func tables(t *testing.T, service string, s *specfile.Service) []specfile.ErrorClass {
	t.Helper()
	common := loadCommon(t)
	if service == "alb" || service == "slb" {
		return slices.Concat(s.ErrorClasses, common.Alibaba)
	}
	return slices.Concat(s.ErrorClasses, common.Huawei)
}

func codeMatches(row, code string) bool {
	if prefix, ok := strings.CutSuffix(row, "*"); ok {
		return strings.HasPrefix(code, prefix)
	}
	return row == code
}

func resolve(rows []specfile.ErrorClass, status int, code, message string) (specfile.ErrorClass, bool) {
	for _, r := range rows {
		if !codeMatches(r.Code, code) || r.Status != 0 && r.Status != status {
			continue
		}
		if r.Message == nil || slices.ContainsFunc(r.Message, func(m string) bool { return strings.Contains(strings.ToLower(message), m) }) {
			return r, true
		}
	}
	return specfile.ErrorClass{}, false
}

func TestErrorCodesResolve(t *testing.T) {
	t.Parallel()
	// Codes whose class says otherwise than the sources, and why.
	exceptions := map[string]string{
		"ResourceInUse.ServerGroup":             "in use on delete",
		"RspoolVipExist":                        "in use on delete",
		"RspoolRuleExist":                       "in use on delete",
		"APIG.3414":                             "in use on delete",
		"APIG.3710":                             "in use on delete",
		"APIG.3719":                             "in use on delete",
		"QuotaExceeded.HealthCheckTemplatesNum": "one provider repeats it, but it is a quota",
	}
	waits := []string{"throttled", "busy", "unavailable"}
	common := raw(t, "common")
	for name, s := range load(t) {
		rows := tables(t, name, s)
		check := func(where string, e specfile.OperationError) {
			r, ok := resolve(rows, e.Status, e.Code, "")
			if !ok {
				t.Errorf("%s %s: %s (%d) has no class", name, where, e.Code, e.Status)
				return
			}
			if _, ok := exceptions[e.Code]; ok {
				if slices.Contains(waits, r.Class) {
					t.Errorf("%s %s: %s is %s", name, where, e.Code, r.Class)
				}
				return
			}
			good := false
			switch e.Retryable {
			case true:
				good = slices.Contains(waits, r.Class)
			case "conflict":
				good = r.Class == "busy"
			case false:
				good = !slices.Contains(waits, r.Class)
			}
			if !good {
				t.Errorf("%s %s: %s (%d) is %s, but retryable is %v", name, where, e.Code, e.Status, r.Class, e.Retryable)
			}
		}
		for _, o := range s.Operations {
			for _, e := range o.Errors {
				check(o.Name, e)
			}
		}
		for _, e := range s.ServiceErrs {
			check("service", e)
		}
		if name == "alb" || name == "slb" {
			for _, e := range gatewayErrors(t, common["gateway_errors_alibaba"]) {
				check("gateway", e)
			}
			continue
		}
		huawei := common["gateway_errors_huawei"].(map[string]any)
		for _, e := range gatewayErrors(t, huawei["codes"]) {
			for prefix := range huawei["prefixes"].(map[string]any) {
				if prefix == "APIC" && e.Code > "0201" {
					continue // not among the codes of that gateway
				}
				check("gateway", specfile.OperationError{Status: e.Status, Code: prefix + "." + e.Code, Retryable: e.Retryable})
			}
		}
	}
}

func gatewayErrors(t *testing.T, v any) []specfile.OperationError {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		specfile.OperationError
		Number string `json:"number"`
	}
	if err := json.Unmarshal(b, &rows); err != nil {
		t.Fatal(err)
	}
	var out []specfile.OperationError
	for _, r := range rows {
		r.Code = cmp.Or(r.Code, r.Number)
		out = append(out, r.OperationError)
	}
	return out
}

func TestRetryableCodesResolve(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(raw(t, "common")["retryable"])
	if err != nil {
		t.Fatal(err)
	}
	var retryable struct {
		Codes []struct {
			Code     string   `json:"code"`
			Services []string `json:"services"`
			Class    string   `json:"class"`
			Statuses []int    `json:"statuses"`
		} `json:"codes"`
	}
	if err := json.Unmarshal(b, &retryable); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		"throttle":     {"throttled"},
		"transient":    {"busy", "unavailable"},
		"conflict":     {"busy"},
		"serialise":    {"busy"},
		"precondition": {"invalid", "quota", "not_found"},
	}
	services := load(t)
	for _, c := range retryable.Codes {
		if len(c.Statuses) == 0 {
			c.Statuses = []int{0}
		}
		if c.Code == "HTTP 429" {
			c.Code, c.Statuses = "", []int{429}
		}
		for _, upper := range c.Services {
			name := strings.ToLower(upper)
			for _, status := range c.Statuses {
				if name == "slb" && c.Code == "ServiceUnavailable" && status == 400 {
					continue // there it means an unusable subnet
				}
				r, ok := resolve(tables(t, name, services[name]), status, c.Code, "")
				if !ok || !slices.Contains(want[c.Class], r.Class) {
					t.Errorf("%s: %s (%d) is %q, want one of %v", name, c.Code, status, r.Class, want[c.Class])
				}
			}
		}
	}
}

func TestErrorMeanings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		service       string
		status        int
		code, message string
		class         string
		outcome       string
		action        string
	}{
		{"alb", 400, "Throttling.User", "", "throttled", "rejected", ""},
		{"alb", 400, "IncorrectStatus.ServerGroup", "", "busy", "", ""},
		{"alb", 400, "IncorrectStatus.Eni", "", "invalid", "", ""},
		{"alb", 400, "IdempotenceProcessing", "", "busy", "unknown", "in_progress"},
		{"alb", 400, "IdempotentParameterMismatch", "", "token_mismatch", "", ""},
		{"alb", 400, "DryRunOperation", "", "unknown", "rejected", "dry_run"},
		{"alb", 400, "Conflict.BackendServer", "", "already_exists", "", ""},
		{"alb", 404, "ResourceNotFound.ServerGroup", "", "not_found", "", ""},
		{"alb", 400, "ServiceUnavailable", "", "unavailable", "", ""},
		{"alb", 409, "Whatever.New", "", "", "", ""},
		{"alb", 400, "SignatureNonceUsed", "", "unavailable", "unknown", "resign"},
		{"alb", 400, "InvalidTimeStamp.Expired", "", "unauthenticated", "", "clock"},
		{"alb", 400, "InvalidSecurityToken.Expired", "", "unauthenticated", "", "credentials"},
		{"alb", 404, "InvalidApi.NotFound", "", "invalid", "", ""},
		{"alb", 503, "", "", "unavailable", "unknown", ""},
		{"slb", 449, "SystemBusy", "", "busy", "", ""},
		{"slb", 409, "BackendServer.configuring", "", "busy", "", ""},
		{"slb", 400, "ServiceUnavailable", "The vpc subnet is not exist", "invalid", "", ""},
		{"slb", 503, "ServiceUnavailable", "The specified loadbalancer name has been used", "already_exists", "rejected", ""},
		{"slb", 503, "ServiceUnavailable", "", "unavailable", "", ""},
		{"slb", 400, "InvalidParameter", "The resource already exists.", "already_exists", "", ""},
		{"slb", 400, "InvalidParameter", "", "invalid", "", ""},
		{"slb", 404, "InvalidParameter", "", "not_found", "", ""},
		{"slb", 503, "InvalidParameter", "", "unavailable", "", ""},
		{"slb", 400, "TooManyBackendServers", "", "quota", "", ""},
		{"elb", 409, "ELB.8907", "Load balancer x already has a listener", "already_exists", "", ""},
		{"elb", 409, "ELB.8907", "", "busy", "rejected", ""},
		{"elb", 409, "ELB.8905", "", "quota", "", ""},
		{"elb", 409, "ELB.0000", "", "busy", "rejected", ""},
		{"elb", 429, "", "", "throttled", "rejected", ""},
		{"elb", 404, "APIGW.0101", "", "invalid", "", ""},
		{"apig", 500, "APIG.9999", "", "busy", "unknown", ""},
		{"apig", 500, "APIG.9008", "", "throttled", "rejected", ""},
		{"apig", 404, "APIG.3023", "", "not_found", "", ""},
		{"apig", 401, "APIGW.0301", "", "unauthenticated", "", "clock"},
		{"apig", 401, "APIGW.0307", "", "unauthenticated", "", "credentials"},
		{"apig", 400, "APIG.0201", "", "invalid", "", ""},
		{"apig", 504, "APIG.0201", "", "unavailable", "unknown", ""},
	}
	services := load(t)
	for _, tt := range tests {
		r, _ := resolve(tables(t, tt.service, services[tt.service]), tt.status, tt.code, tt.message)
		if r.Class != tt.class || r.Outcome != tt.outcome || r.Action != tt.action {
			t.Errorf("%s %d %s %q is %q %q %q, want %q %q %q", tt.service, tt.status, tt.code, tt.message,
				r.Class, r.Outcome, r.Action, tt.class, tt.outcome, tt.action)
		}
	}
}

func TestErrorRows(t *testing.T) {
	t.Parallel()
	classes := []string{
		"not_found", "already_exists", "invalid", "denied", "unauthenticated", "throttled", "quota", "busy",
		"unavailable", "token_mismatch", "unknown",
	}
	for name, s := range load(t) {
		rows := tables(t, name, s)
		for i, r := range rows {
			where := fmt.Sprintf("%s row %d (%s %d)", name, i, r.Code, r.Status)
			if !slices.Contains(classes, r.Class) {
				t.Errorf("%s: class %q", where, r.Class)
			}
			if !slices.Contains([]string{"", "rejected", "unknown"}, r.Outcome) {
				t.Errorf("%s: outcome %q", where, r.Outcome)
			}
			if !slices.Contains([]string{"", "in_progress", "resign", "clock", "credentials", "dry_run"}, r.Action) {
				t.Errorf("%s: action %q", where, r.Action)
			}
			for _, m := range r.Message {
				if m == "" || m != strings.ToLower(m) {
					t.Errorf("%s: message %q is compared in lower case", where, m)
				}
			}
			// A row that an earlier, wider one hides is a mistake, unless it
			// is of the cloud's table and the service has its own meaning.
			for _, earlier := range rows[:i] {
				wide := earlier.Message == nil && (earlier.Status == 0 || earlier.Status == r.Status)
				if wide && codeMatches(earlier.Code, r.Code) && i < len(s.ErrorClasses) {
					t.Errorf("%s is never reached: %s comes first", where, earlier.Code)
				}
			}
		}
	}
	common := loadCommon(t)
	for name, rows := range map[string][]specfile.ErrorClass{"alibaba": common.Alibaba, "huawei": common.Huawei} {
		for i, r := range rows {
			for _, earlier := range rows[:i] {
				if earlier.Message == nil && (earlier.Status == 0 || earlier.Status == r.Status) && codeMatches(earlier.Code, r.Code) {
					t.Errorf("%s: %s %d is never reached: %s comes first", name, r.Code, r.Status, earlier.Code)
				}
			}
			if name == "alibaba" && r.Code == "*" && r.Status == 409 {
				t.Error("a 409 of Alibaba Cloud without a known code has no class")
			}
		}
	}
}
