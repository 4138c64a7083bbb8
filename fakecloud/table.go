package fakecloud

import (
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/cloudlb/cloudlb/internal/specfile"
)

// service is one emulated API: its operations from the spec, and how its
// vendor words things. It is read-only and shared by all Clouds.
type service struct {
	name     string
	version  string
	vendor   vendor
	ops      map[string]*operation
	ordered  []*operation
	patterns map[string]*regexp.Regexp // of the spec, by their text
	handlers map[string]handler
	// refuse turns a bad parameter into the service's error.
	refuse func(*settings, problem) *fault
	// clamped are the parameters whose range the service corrects silently.
	clamped map[string]bool
	// noProject is the error for the path of somebody else's project.
	noProject fault
	// noToken is the error for a wrong X-Auth-Token.
	noToken fault
}

// handler carries out a checked call, with the Cloud's lock held. It returns
// the answer in wire names; what the spec does not list is left out of it.
type handler func(*call) (object, *fault)

type operation struct {
	*specfile.Operation
	service *service
	handle  handler
	paths   []pathPattern // REST only
}

// pathPattern is one of an operation's paths, in segments.
type pathPattern struct {
	family   string
	segments []string
}

// match returns the path's parameters.
func (p pathPattern) match(segments []string) (map[string]string, bool) {
	if len(segments) != len(p.segments) {
		return nil, false
	}
	params := make(map[string]string)
	for i, want := range p.segments {
		if name, ok := strings.CutPrefix(want, "{"); ok {
			value, err := url.PathUnescape(segments[i])
			if err != nil || value == "" {
				return nil, false
			}
			params[strings.TrimSuffix(name, "}")] = value
		} else if segments[i] != want {
			return nil, false
		}
	}
	return params, true
}

func split(path string) []string { return strings.Split(strings.Trim(path, "/"), "/") }

// tables are the four services and IAM.
type tables struct {
	alb, slb, elb, apig, iam *service
}

// loadTables reads the embedded spec once per process; the result never
// changes.
var loadTables = sync.OnceValues(func() (*tables, error) {
	t := &tables{alb: albService(), slb: slbService(), elb: elbService(), apig: apigService(), iam: iamService()}
	for _, s := range []*service{t.alb, t.slb, t.elb, t.apig} {
		file, err := specfile.Load(s.name)
		if err != nil {
			return nil, err
		}
		s.version = file.Version
		for _, op := range file.Operations {
			if err := s.add(op); err != nil {
				return nil, err
			}
		}
		for name := range s.handlers {
			if s.ops[name] == nil {
				return nil, fmt.Errorf("spec: %s has no operation %s", s.name, name)
			}
		}
	}
	return t, t.iam.add(iamListProjects())
})

func (s *service) add(op *specfile.Operation) error {
	o := &operation{Operation: op, service: s, handle: s.handlers[op.Name]}
	if op.Success == 0 {
		op.Success = 200
	}
	if s.vendor == huawei {
		o.paths = append(o.paths, pathPattern{segments: split(op.Path)})
		if len(op.Families) > 0 {
			o.paths = o.paths[:0]
			for family, p := range op.Families {
				o.paths = append(o.paths, pathPattern{family, split(p.Path)})
			}
		}
	}
	if s.ops == nil {
		s.ops, s.patterns = make(map[string]*operation), make(map[string]*regexp.Regexp)
	}
	if s.ops[op.Name] != nil {
		return fmt.Errorf("spec: %s has two operations %s", s.name, op.Name)
	}
	s.ops[op.Name] = o
	s.ordered = append(s.ordered, o)
	return s.compile(op.Request)
}

// route finds the operation that a method and a path stand for.
func (s *service) route(method, path string) (op *operation, family string, params map[string]string) {
	segments := split(path)
	for _, op := range s.ordered {
		if op.Method != method {
			continue
		}
		for _, p := range op.paths {
			if params, ok := p.match(segments); ok {
				return op, p.family, params
			}
		}
	}
	return nil, "", nil
}

// shape keeps of an answer what the spec lists for it.
func shape(fields []*specfile.Field, in object, family string) object {
	out := make(object, len(in))
	for _, f := range fields {
		v, ok := in[f.Name]
		if !ok || !inFamily(f, family) {
			continue
		}
		if len(f.Fields) > 0 {
			switch list := v.(type) {
			case object:
				v = shape(f.Fields, list, family)
			case []object:
				shaped := make([]object, len(list))
				for i := range list {
					shaped[i] = shape(f.Fields, list[i], family)
				}
				v = shaped
			case []any:
				shaped := make([]any, len(list))
				for i := range list {
					shaped[i] = list[i]
					if o, ok := list[i].(object); ok {
						shaped[i] = shape(f.Fields, o, family)
					}
				}
				v = shaped
			}
		}
		out[f.Name] = v
	}
	return out
}

func inFamily(f *specfile.Field, family string) bool {
	return family == "" || len(f.FamiliesOnly) == 0 || slices.Contains(f.FamiliesOnly, family)
}

func encode(v any) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return []byte("{}\n")
	}
	return []byte(b.String())
}
