package cloudlb_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/specfile"
)

// awkward has everything that escaping can get wrong, and is long enough for
// every documented minimum.
const awkward = "a b+c&d=e/f?g#h%i~j*k'l\"m\\n<o>p;q:r@s,t$u!v(w)x[y]z{|}^`_-.é漢😀\u2028 \t%2F+"

// sample builds values from the spec. Its requests are good ones.
type sample struct {
	full    bool // all fields, not just the required
	awkward bool // texts full of reserved characters
	most    bool // lists as long as the documented maximum
	n       int  // makes elements of lists differ
}

func (s *sample) object(fields []*specfile.Field) map[string]any {
	out := make(map[string]any)
	for _, f := range fields {
		if f.Internal || f.In == "header" || f.Name == "project_id" && f.In == "path" {
			continue
		}
		if len(f.FamiliesOnly) > 0 {
			continue
		}
		if s.full || f.Required || f.RequiredWhen != "" {
			out[f.Name] = s.value(f)
		}
	}
	return out
}

func (s *sample) value(f *specfile.Field) any {
	switch f.Type {
	case "object":
		return s.object(f.Fields)
	case "array", "json-string":
		if f.ItemType == "" {
			return s.text(f)
		}
		n := 2
		if s.most && f.MaxItems != nil {
			n = *f.MaxItems
		}
		if f.MaxItems != nil {
			n = min(n, *f.MaxItems)
		}
		list := make([]any, n)
		for i := range list {
			s.n++
			switch f.ItemType {
			case "object":
				list[i] = s.object(f.Fields)
			case "string":
				list[i] = s.text(f)
			default:
				list[i] = s.integer(f)
			}
		}
		return list
	case "boolean":
		return true
	case "string":
		return s.text(f)
	default:
		return s.integer(f)
	}
}

func (s *sample) integer(f *specfile.Field) any {
	switch {
	case len(f.Enum) > 0:
		return f.Enum[len(f.Enum)-1]
	case f.Min != nil && f.Max != nil:
		return float64(max(*f.Min, 1) + int64(s.n)%(*f.Max-max(*f.Min, 1)+1))
	default:
		return float64(s.n + 7)
	}
}

func (s *sample) text(f *specfile.Field) any {
	if len(f.Enum) > 0 {
		return f.Enum[0]
	}
	text := "value-" + strconv.Itoa(s.n)
	if s.awkward && f.Pattern == "" {
		text = strconv.Itoa(s.n) + awkward
	}
	if f.MinLen != nil {
		for utf8.RuneCountInString(text) < *f.MinLen {
			text += "x"
		}
	}
	if f.MaxLen != nil {
		text = string([]rune(text)[:min(*f.MaxLen, utf8.RuneCountInString(text))])
	}
	return text
}

// wantWire is the request that the spec says the input must become, computed
// without the generated code.
type wantWire struct {
	path        string
	query, form map[string][]string
	body        map[string]any
}

func wantRequest(rest bool, product string, op *specfile.Operation, input map[string]any) wantWire {
	w := wantWire{path: op.Path, query: map[string][]string{}, form: map[string][]string{}, body: map[string]any{}}
	w.path = strings.Replace(w.path, "{project_id}", testProject, 1)
	if product == "apig" {
		w.path = strings.Replace(w.path, "/apic/", "/apigw/", 1)
	}
	for _, f := range op.Request {
		v, ok := input[f.Name]
		if !ok {
			continue
		}
		switch {
		case f.In == "path":
			w.path = strings.Replace(w.path, "{"+f.Name+"}", strings.ReplaceAll(url.QueryEscape(v.(string)), "+", "%20"), 1)
		case f.In == "body":
			w.body[f.Name] = v
		case f.Type == "json-string" && f.ItemType != "":
			b, _ := json.Marshal(v)
			w.query[f.Name] = []string{string(b)}
		case rest:
			if list, ok := v.([]any); ok {
				for _, e := range list {
					w.query[f.Name] = append(w.query[f.Name], scalar(e))
				}
				continue
			}
			w.query[f.Name] = []string{scalar(v)}
		case f.In == "form":
			flatten(w.form, f.Name, v)
		default:
			flatten(w.query, f.Name, v)
		}
	}
	return w
}

func flatten(to map[string][]string, name string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, e := range v {
			flatten(to, name+"."+k, e)
		}
	case []any:
		for i, e := range v {
			flatten(to, fmt.Sprintf("%s.%d", name, i+1), e)
		}
	default:
		to[name] = []string{scalar(v)}
	}
}

func scalar(v any) string {
	if f, ok := v.(float64); ok {
		return strconv.FormatInt(int64(f), 10)
	}
	return fmt.Sprint(v)
}

// eachOperation runs f for every operation of the spec and every client of it.
func eachOperation(t *testing.T, f func(t *testing.T, service string, spec *specfile.Service, op *specfile.Operation)) {
	t.Helper()
	for _, service := range []string{"alb", "slb", "elb", "roma", "apig"} {
		name := service
		if service == "roma" {
			name = "apig"
		}
		spec, err := specfile.Load(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, op := range spec.Operations {
			if _, ok := op.Families["apigw"]; service == "apig" && len(op.Families) > 0 && !ok {
				continue
			}
			t.Run(service+"/"+op.Go(), func(t *testing.T) {
				t.Parallel()
				f(t, service, spec, op)
			})
		}
	}
}

// TestWireAgainstSpec sends every operation with the least and the most that
// its spec allows, with reserved and non-ASCII characters in every position,
// and compares with what the spec says about placement.
func TestWireAgainstSpec(t *testing.T) {
	t.Parallel()
	eachOperation(t, func(t *testing.T, service string, spec *specfile.Service, op *specfile.Operation) {
		for name, s := range map[string]sample{
			"required": {}, "full": {full: true}, "awkward": {full: true, awkward: true}, "most": {full: true, most: true},
		} {
			input := s.object(op.Request)
			loaded, err := json.Marshal(input)
			if err != nil {
				t.Fatal(err)
			}
			rec := new(recorder)
			_, err = call(t, newClient(t, service, rec), op.Go(), loaded)
			if rec.last == nil {
				t.Errorf("%s: nothing was sent: %v\n%s", name, err, loaded)
				continue
			}
			want := wantRequest(spec.Style == "REST", service, op, input)
			if got := rec.last.Method + " " + rec.last.URL.EscapedPath(); got != op.Method+" "+want.path {
				t.Errorf("%s: sent %s, want %s %s", name, got, op.Method, want.path)
			}
			query, err := url.ParseQuery(rec.last.URL.RawQuery)
			if err != nil {
				t.Fatal(err)
			}
			if op.TokenField != "" && input[op.TokenField] == nil {
				query.Del(op.TokenField)
			}
			if input["RegionId"] == nil {
				query.Del("RegionId")
			}
			if diff := cmp.Diff(normalQuery(want.query), normalQuery(query)); diff != "" {
				t.Errorf("%s: query (-spec +sent):\n%s", name, diff)
			}
			if len(want.form) > 0 {
				form, err := url.ParseQuery(string(rec.last.body))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want.form, map[string][]string(form)); diff != "" {
					t.Errorf("%s: form (-spec +sent):\n%s", name, diff)
				}
				continue
			}
			if len(want.body) == 0 {
				if b := string(rec.last.body); b != "" && b != "{}" {
					t.Errorf("%s: body %q, want none", name, b)
				}
				continue
			}
			if diff := cmp.Diff(any(want.body), gotBody(t, "json", rec.last.body)); diff != "" {
				t.Errorf("%s: body (-spec +sent):\n%s", name, diff)
			}
		}
	})
}

// answer is a RoundTripper with one answer.
type answer struct {
	status int
	body   string
}

func (a answer) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		req.Body.Close()
	}
	h := http.Header{"Content-Type": {"application/json"}}
	return &http.Response{StatusCode: a.status, Header: h, Body: io.NopCloser(strings.NewReader(a.body)), Request: req}, nil
}

// reply builds a reply from the examples in the spec.
func reply(fields []*specfile.Field, product string) map[string]any {
	out := make(map[string]any)
	for _, f := range fields {
		if len(f.FamiliesOnly) > 0 && !slices.Contains(f.FamiliesOnly, product) {
			continue
		}
		s := sample{n: 1}
		one := func() any {
			switch {
			case f.Type == "object" || f.ItemType == "object":
				return reply(f.Fields, product)
			case f.Secret:
				return "***" // what printing it gives
			case f.Example != nil && f.Type != "boolean":
				if _, text := f.Example.(string); text == (f.Type == "string") {
					return f.Example
				}
			}
			copied := *f
			if f.Type == "array" {
				copied.Type = f.ItemType
			}
			return s.value(&copied)
		}
		if f.Type == "array" {
			out[f.Name] = []any{one(), one()}
			continue
		}
		out[f.Name] = one()
	}
	return out
}

// TestRepliesAgainstSpec decodes the example reply of every operation, prints
// it as JSON again and compares.
func TestRepliesAgainstSpec(t *testing.T) {
	t.Parallel()
	eachOperation(t, func(t *testing.T, service string, _ *specfile.Service, op *specfile.Operation) {
		product := map[string]string{"roma": "apic", "apig": "apigw"}[service]
		want := reply(op.Response, product)
		send := func(v any, status int) (any, error) {
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			s := sample{}
			input, err := json.Marshal(s.object(op.Request))
			if err != nil {
				t.Fatal(err)
			}
			return call(t, newClient(t, service, answer{status, string(b)}), op.Go(), input)
		}
		status := max(op.Success, 200)
		res, err := send(want, status)
		if err != nil {
			t.Fatal(err)
		}
		printed, err := json.Marshal(res)
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := json.Unmarshal(printed, &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(any(want), withoutZeros(got, want)); diff != "" {
			t.Errorf("-reply +printed:\n%s", diff)
		}

		// What the services may do to their replies without notice.
		if _, err := send(mutate(want, "unknown"), status); err != nil {
			t.Errorf("unknown members: %v", err)
		}
		if _, err := send(mutate(want, "enum"), status); err != nil {
			t.Errorf("unknown enumeration values: %v", err)
		}
		if _, err := send(mutate(want, "null lists"), status); err != nil {
			t.Errorf("null lists: %v", err)
		}
		without, _ := mutate(want, "no lists").(map[string]any)
		if _, err := send(without, status); err != nil && (len(without) > 0 || op.ReadOnly) { // else TestEmptyObjectIsNoSuccess
			t.Errorf("missing lists: %v", err)
		}
		if service == "slb" {
			res, err := send(mutate(want, "numbers"), status)
			if err != nil {
				t.Fatalf("numbers as strings: %v", err)
			}
			if again, err := json.Marshal(res); err != nil || string(again) != string(printed) {
				t.Errorf("numbers as strings: %s, want %s", again, printed)
			}
		}
	})
}

// TestEmptyObjectIsNoSuccess: a change that is answered {} was not confirmed.
func TestEmptyObjectIsNoSuccess(t *testing.T) {
	t.Parallel()
	eachOperation(t, func(t *testing.T, service string, _ *specfile.Service, op *specfile.Operation) {
		if op.ReadOnly || len(op.Response) == 0 {
			return
		}
		s := sample{}
		input, err := json.Marshal(s.object(op.Request))
		if err != nil {
			t.Fatal(err)
		}
		for _, body := range []string{"{}", " { \n} "} {
			_, err := call(t, newClient(t, service, answer{max(op.Success, 200), body}), op.Go(), input, cloudlb.WithRetry(cloudlb.NoRetry()))
			e, ok := errors.AsType[*cloudlb.Error](err)
			if !ok || e.Outcome != cloudlb.OutcomeUnknown {
				t.Errorf("%q: error %v, want outcome unknown", body, err)
			}
		}
	})
}

// withoutZeros removes numbers and booleans that are zero in the printed reply
// and absent from the one that was sent: types that several operations share
// have the fields of all.
func withoutZeros(printed, sent any) any {
	switch printed := printed.(type) {
	case map[string]any:
		s, _ := sent.(map[string]any)
		for k, v := range printed {
			if _, ok := s[k]; !ok && (v == 0.0 || v == false) {
				delete(printed, k)
				continue
			}
			printed[k] = withoutZeros(v, s[k])
		}
	case []any:
		s, _ := sent.([]any)
		for i := range min(len(s), len(printed)) {
			printed[i] = withoutZeros(printed[i], s[i])
		}
	}
	return printed
}

// mutate copies a reply with a change at every level.
func mutate(v any, how string) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any)
		for k, e := range v {
			_, isList := e.([]any)
			switch {
			case isList && how == "null lists":
				out[k] = nil
			case isList && how == "no lists":
			default:
				out[k] = mutate(e, how)
			}
		}
		if how == "unknown" {
			out["BrandNew"] = map[string]any{"Of": []any{"any", 1.5, nil}}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = mutate(v[i], how)
		}
		return out
	case string:
		if how == "enum" {
			return v + "_brand_new"
		}
	case float64:
		if how == "numbers" {
			return strconv.FormatFloat(v, 'f', -1, 64)
		}
	case bool:
		if how == "numbers" {
			return strconv.FormatBool(v)
		}
	}
	return v
}
