package cloudlb_test

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb/internal/specfile"
)

// weights sets the weight of every object in v that can have one: absent for
// nil. It returns how many there are.
func weights(fields []*specfile.Field, v map[string]any, weight any) int {
	n := 0
	for _, f := range fields {
		switch {
		case strings.EqualFold(f.Name, "weight") && f.Type == "integer" || f.Name == "member_group_weight":
			n++
			if weight == nil {
				delete(v, f.Name)
			} else {
				v[f.Name] = weight
			}
		case f.Type == "object":
			if o, ok := v[f.Name].(map[string]any); ok {
				n += weights(f.Fields, o, weight)
			}
		case f.ItemType == "object":
			list, _ := v[f.Name].([]any)
			for _, e := range list {
				if o, ok := e.(map[string]any); ok {
					n += weights(f.Fields, o, weight)
				}
			}
		}
	}
	return n
}

// TestWeightIsThreeValues sends every request that can carry a weight with the
// weight unset, 0, 1 and 100: four different things on the wire.
func TestWeightIsThreeValues(t *testing.T) {
	t.Parallel()
	tested := make(chan string, 200)
	t.Run("all", func(t *testing.T) {
		eachOperation(t, func(t *testing.T, service string, spec *specfile.Service, op *specfile.Operation) {
			if op.ReadOnly {
				return
			}
			s := sample{full: true}
			if weights(op.Request, s.object(op.Request), nil) == 0 {
				return
			}
			tested <- service + " " + op.Go()
			var sent []string
			for _, weight := range []any{nil, 0.0, 1.0, 100.0} {
				s := sample{full: true}
				input := s.object(op.Request)
				n := weights(op.Request, input, weight)
				loaded, err := json.Marshal(input)
				if err != nil {
					t.Fatal(err)
				}
				rec := new(recorder)
				if _, err = call(t, newClient(t, service, rec), op.Go(), loaded); rec.last == nil {
					if weight == nil && strings.Contains(err.Error(), "eight is required") {
						sent = append(sent, "refused")
						continue
					}
					t.Fatalf("weight %v: %v", weight, err)
				}
				want := wantRequest(spec.Style == "REST", service, op, input)
				query, err := url.ParseQuery(rec.last.URL.RawQuery)
				if err != nil {
					t.Fatal(err)
				}
				switch {
				case len(want.form) > 0:
					form, err := url.ParseQuery(string(rec.last.body))
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(want.form, map[string][]string(form)); diff != "" {
						t.Errorf("weight %v: -want +sent:\n%s", weight, diff)
					}
				case len(want.body) > 0:
					if diff := cmp.Diff(any(want.body), gotBody(t, "json", rec.last.body)); diff != "" {
						t.Errorf("weight %v: -want +sent:\n%s", weight, diff)
					}
				default:
					if diff := cmp.Diff(normalQuery(want.query), normalQuery(query)); diff != "" {
						t.Errorf("weight %v: -want +sent:\n%s", weight, diff)
					}
				}
				text := rec.last.URL.RawQuery + string(rec.last.body)
				if got := strings.Count(strings.ToLower(text), "weight"); weight != nil && got < n || weight == nil && got > 0 && service != "roma" && service != "apig" {
					t.Errorf("weight %v: %d weights on the wire, %d in the request: %s", weight, got, n, text)
				}
				query.Del("ClientToken")
				sent = append(sent, query.Encode()+string(rec.last.body))
			}
			slices.Sort(sent)
			if len(slices.Compact(sent)) != 4 {
				t.Errorf("the requests are not all different: %q", sent)
			}
		})
	})
	close(tested)
	services := make(map[string]int)
	for name := range tested {
		service, _, _ := strings.Cut(name, " ")
		services[service]++
	}
	if diff := cmp.Diff(map[string]int{"alb": 3, "slb": 9, "elb": 4, "roma": 8, "apig": 6}, services); diff != "" {
		t.Errorf("operations with weights (-want +tested):\n%s", diff)
	}
}
