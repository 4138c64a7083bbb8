// Package specfile reads spec/*.json into Go values. Only the parts that the
// generator, fakecloud and the tests use have fields; the rest of the files is
// documentation for people.
package specfile

import (
	"encoding/json"
	"fmt"

	"github.com/cloudlb/cloudlb/spec"
)

// Services are the names of the service files, in the order of the docs.
var Services = []string{"alb", "slb", "elb", "apig"}

// Service is one service file.
type Service struct {
	Name         string            `json:"service"`
	Version      string            `json:"version"`
	Style        string            `json:"style"` // "RPC" or "REST"
	Operations   []*Operation      `json:"operations"`
	ErrorClasses []ErrorClass      `json:"error_classes"`
	ServiceErrs  []OperationError  `json:"service_errors"`
	Endpoints    json.RawMessage   `json:"endpoints"`
	VPCEndpoints map[string]string `json:"vpc_endpoints"`
	Limits       Limits            `json:"limits"`
}

// Limits are the limits of a service that are not those of a call.
type Limits struct {
	ServersPerGroup int `json:"servers_per_group"`
}

// Operation is one call of a service.
type Operation struct {
	Name        string                `json:"name"`
	GoName      string                `json:"go_name"`
	Family      string                `json:"family"` // file it is generated into
	Summary     string                `json:"summary"`
	Method      string                `json:"method"`
	Path        string                `json:"path"`
	Families    map[string]PathFamily `json:"path_families"`
	ReadOnly    bool                  `json:"read_only"`
	Async       bool                  `json:"async"`
	TokenField  string                `json:"idempotency_token"`
	DryRunField string                `json:"dry_run_field"`
	Idempotency string                `json:"idempotency"` // read, token, natural, none
	Lock        *Lock                 `json:"lock_scope"`
	RateLimit   *RateLimit            `json:"rate_limit"`
	MaxItems    map[string]int        `json:"max_items_per_call"`
	Pagination  *Pagination           `json:"pagination"`
	Success     int                   `json:"success_status"`
	Request     []*Field              `json:"request"`
	Response    []*Field              `json:"response"`
	Errors      []OperationError      `json:"errors"`
	Sources     []string              `json:"sources"`
}

// Go is the operation's name in Go.
func (o *Operation) Go() string {
	if o.GoName != "" {
		return o.GoName
	}
	return o.Name
}

// PathFamily is the operation's path in one product.
type PathFamily struct {
	Path    string `json:"path"`
	Product string `json:"product"`
}

// Lock is what a write locks while it runs.
type Lock struct {
	Kind   string   `json:"kind"`   // server_group, load_balancer, pool, channel, ...
	Fields []string `json:"fields"` // request parameters that name it
	Note   string   `json:"note"`
}

// RateLimit is a published budget per account, region and API.
type RateLimit struct {
	Calls   int  `json:"calls"`
	WindowS int  `json:"window_s"`
	Assumed bool `json:"assumed"` // by analogy, not on the quota page
}

// Pagination says how a list is paged.
type Pagination struct {
	Style       string   `json:"style"`
	Request     []string `json:"request"`
	Response    []string `json:"response"`
	MaxPageSize int      `json:"max_page_size"`
	DefaultSize int      `json:"default_page_size"`
}

// Field is a parameter or a member of an object.
type Field struct {
	Name         string   `json:"name"`
	GoName       string   `json:"go_name"`
	Type         string   `json:"type"` // string integer int64 boolean object array json-string
	ItemType     string   `json:"item_type"`
	Shape        string   `json:"shape"` // Go type of an object or an enumeration
	In           string   `json:"in"`    // query form path header body
	Required     bool     `json:"required"`
	RequiredWhen string   `json:"required_when"`
	IgnoredWhen  string   `json:"ignored_when"`
	Enum         []any    `json:"enum"`
	EnumNames    []string `json:"enum_names"` // Go names of numeric enum values
	Min          *int64   `json:"min"`
	Max          *int64   `json:"max"`
	MinLen       *int     `json:"min_len"`
	MaxLen       *int     `json:"max_len"`
	MinItems     *int     `json:"min_items"`
	MaxItems     *int     `json:"max_items"`
	Pattern      string   `json:"pattern"`
	NotPrefix    []string `json:"not_prefix"`
	UniqueBy     []string `json:"unique_by"`
	Default      any      `json:"default"`
	Zero         string   `json:"zero"` // "absent" or "sent": overrides what an optional zero means
	Nullable     bool     `json:"nullable"`
	Secret       bool     `json:"secret"`
	Internal     bool     `json:"internal"`
	Unit         string   `json:"unit"`
	Doc          string   `json:"doc"` // completes "<Name> ..." in the Go comment
	Note         string   `json:"note"`
	Example      any      `json:"example"`
	FamiliesOnly []string `json:"families"`
	Fields       []*Field `json:"fields"`
}

// OperationError is an error code that an operation is known to answer with.
type OperationError struct {
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Retryable any    `json:"retryable"` // true, false, "conflict"
	Note      string `json:"note"`
}

// ErrorClass says what an error code means. The first row that matches wins;
// a service's rows come before those of its cloud.
type ErrorClass struct {
	// Code is exact, or a prefix when it ends in "*".
	Code string `json:"code"`
	// Status restricts the row to an HTTP status, 0 means any.
	Status int `json:"status"`
	// Message restricts the row to messages that contain one of these texts,
	// whatever their case.
	Message []string `json:"message"`
	Class   string   `json:"class"`
	// Outcome is "rejected" or "unknown"; empty: rejected below 500, else unknown.
	Outcome string `json:"outcome"`
	// Action is what the transport does beside the class's rule:
	// in_progress, resign, clock, credentials, dry_run.
	Action string `json:"action"`
	Note   string `json:"note"`
}

// Common is common.json.
type Common struct {
	Alibaba []ErrorClass `json:"alibaba_error_classes"`
	Huawei  []ErrorClass `json:"huawei_error_classes"`
	// FieldDocs are the docs of fields that mean the same everywhere, by wire
	// name; a field's own doc wins.
	FieldDocs map[string]string `json:"field_docs"`
	// Credentials holds, of all facts about them, those that are generated.
	Credentials struct {
		Huawei struct {
			IAM struct {
				Endpoints map[string]string `json:"endpoints"`
			} `json:"iam"`
		} `json:"huawei"`
	} `json:"credentials"`
	// ShapeDocs complete the comments of objects and enumerations, by service
	// and shape: "alb.ServerType".
	ShapeDocs map[string]string `json:"shape_docs"`
}

// Load reads one service file by the name of its Go package.
func Load(name string) (*Service, error) {
	s := new(Service)
	return s, read(name, s)
}

// LoadCommon reads common.json.
func LoadCommon() (*Common, error) {
	c := new(Common)
	return c, read("common", c)
}

func read(name string, v any) error {
	b, err := spec.Files.ReadFile(name + ".json")
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("spec/%s.json: %w", name, err)
	}
	return nil
}
