package fakecloud

import (
	"github.com/cloudlb/cloudlb/internal/specfile"
)

// iamService is the one call of Huawei Cloud IAM that clients need: the ID of
// a project by its name, which is the region's.
func iamService() *service {
	return &service{
		name:   "iam",
		vendor: huawei,
		handlers: map[string]handler{
			"KeystoneListProjects": func(c *call) (object, *fault) {
				projects := []object{}
				if name := c.in.str("name"); name == "" || name == c.set.region {
					projects = append(projects, object{"id": c.set.projectID, "name": c.set.region, "enabled": true, "is_domain": false})
				}
				return object{"projects": projects, "links": object{"next": nil, "previous": nil}}, nil
			},
		},
		refuse: func(_ *settings, p problem) *fault {
			return refusef(400, "1101", "The parameter %s %s.", p.field, p.detail)
		},
		noProject: fault{403, "APIGW.0302", "The IAM user is not authorized."},
		noToken:   fault{401, "APIGW.0301", "Incorrect IAM authentication information: decrypt token fail"},
	}
}

func iamListProjects() *specfile.Operation {
	query := func(name, typ string) *specfile.Field { return &specfile.Field{Name: name, Type: typ, In: "query"} }
	field := func(name, typ string) *specfile.Field { return &specfile.Field{Name: name, Type: typ} }
	return &specfile.Operation{
		Name: "KeystoneListProjects", Method: "GET", Path: "/v3/projects", ReadOnly: true,
		Request: []*specfile.Field{
			query("domain_id", "string"), query("name", "string"), query("parent_id", "string"),
			query("enabled", "boolean"), query("is_domain", "boolean"), query("page", "integer"), query("per_page", "integer"),
		},
		Response: []*specfile.Field{
			{Name: "projects", Type: "array", ItemType: "object", Fields: []*specfile.Field{
				field("id", "string"), field("name", "string"), field("enabled", "boolean"), field("is_domain", "boolean"),
			}},
			field("links", "object"),
		},
	}
}
