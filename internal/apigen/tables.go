package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudlb/cloudlb/internal/specfile"
)

// operationTable writes the operations and the documented limits of a call.
func (m *model) operationTable() string {
	var w writer
	w.f("// The operation table.\nvar (\n")
	for _, op := range m.ops {
		w.f("\top%s = transport.Operation{\n", op.goName)
		w.f("\t\tName: %q, Action: %q, Method: %q, Idempotency: transport.%s,\n", op.goName, op.Name, op.Method,
			map[string]string{"read": "Read", "token": "Token", "natural": "Natural", "none": "Once"}[op.Idempotency])
		if r := op.RateLimit; r != nil {
			w.f("\t\tBudget: cloudlb.Budget{Calls: %d, Per: %d * time.Second},\n", r.Calls, r.WindowS)
		}
		if len(op.response) == 0 {
			w.f("\t\tNoReply: true,\n")
		}
		w.f("\t}\n")
	}
	w.f(")\n\n")
	var limits writer
	for _, op := range m.ops {
		for _, name := range slices.Sorted(maps.Keys(op.MaxItems)) {
			n := op.MaxItems[name]
			id := op.goName + "Max" + goName(name)
			limits.f("\t// %s is how many %s one call of %s takes.\n\t%s = %d\n", id, name, op.goName, id, n)
		}
		if p := op.Pagination; p != nil {
			id := op.goName + "MaxPageSize"
			limits.f("\t// %s is the largest page of %s; the service's default is %d.\n\t%s = %d\n", id, op.goName, p.DefaultSize, id, p.MaxPageSize)
		}
	}
	if limits.Len() > 0 {
		w.f("// Documented limits.\nconst (\n%s)\n\n", limits.String())
	}
	m.memberLimits(&w)
	return w.String()
}

// memberLimits writes what the spec says of all members, for the pool drivers.
func (m *model) memberLimits(w *writer) {
	var least, most, usual *int64
	var look func(fields []*specfile.Field)
	look = func(fields []*specfile.Field) {
		for _, f := range fields {
			look(f.Fields)
			if !strings.EqualFold(f.Name, "weight") || f.Min == nil || f.Max == nil {
				continue
			}
			if least == nil {
				least, most = f.Min, f.Max
			}
			least, most = new(min(*least, *f.Min)), new(max(*most, *f.Max))
			if n, ok := f.Default.(float64); ok {
				usual = new(int64(n))
			}
		}
	}
	for _, op := range m.ops {
		look(op.Operation.Request)
	}
	if least == nil {
		return
	}
	w.f("// Documented limits of members and groups.\nconst (\n\tweightMin = %d\n\tweightMax = %d\n", *least, *most)
	if usual != nil {
		w.f("\tweightDefault = %d // of a member that is added without one\n", *usual)
	}
	if n := m.spec.Limits.ServersPerGroup; n > 0 {
		w.f("\tserversPerGroup = %d\n", n)
	}
	w.f(")\n")
}

func (m *model) errorTable() string {
	var w writer
	w.f("// errorTable says what the service's error codes mean; the first row that\n// matches wins.\n")
	errorRows(&w, "errorTable", m.spec.ErrorClasses)
	return w.String()
}

// cloudErrors writes the error table of a cloud into its wire family.
func cloudErrors(pkg string, rows []specfile.ErrorClass) string {
	m := &model{pkg: pkg}
	var w writer
	w.f("// CloudErrors says what error codes mean that all services of the cloud and its\n// gateways share; the first row that matches wins.\n")
	errorRows(&w, "CloudErrors", rows)
	source := m.source(w.String())
	return strings.Replace(source, "spec/"+pkg+".json", "spec/common.json", 1)
}

var classes = map[string]string{
	"unknown": "ClassUnknown", "not_found": "ClassNotFound", "already_exists": "ClassAlreadyExists", "invalid": "ClassInvalid",
	"denied": "ClassDenied", "unauthenticated": "ClassUnauthenticated", "throttled": "ClassThrottled", "quota": "ClassQuota",
	"busy": "ClassBusy", "unavailable": "ClassUnavailable", "token_mismatch": "ClassTokenMismatch",
}

var actions = map[string]string{
	"in_progress": "InProgress", "resign": "Resign", "clock": "FixClock", "credentials": "RefreshCredentials", "dry_run": "DryRunPassed",
}

func errorRows(w *writer, name string, rows []specfile.ErrorClass) {
	w.f("var %s = []transport.ErrorRow{\n", name)
	for _, r := range rows {
		w.f("\t{Code: %q", r.Code)
		if r.Status != 0 {
			w.f(", Status: %d", r.Status)
		}
		if len(r.Message) > 0 {
			var s []string
			for _, m := range r.Message {
				s = append(s, strconv.Quote(strings.ToLower(m)))
			}
			w.f(", Messages: []string{%s}", strings.Join(s, ", "))
		}
		class, ok := classes[r.Class]
		if !ok {
			panic("apigen: error class " + r.Class)
		}
		w.f(", Class: cloudlb.%s, Outcome: cloudlb.%s", class, outcome(r))
		if r.Action != "" {
			action, ok := actions[r.Action]
			if !ok {
				panic("apigen: error action " + r.Action)
			}
			prefix := "transport."
			w.f(", Action: %s%s", prefix, action)
		}
		w.f("},")
		if r.Note != "" {
			w.f(" // %s", r.Note)
		}
		w.f("\n")
	}
	w.f("}\n")
}

// outcome is what a refusal proves: throttled and busy requests were not
// carried out, other answers of 500 and above prove nothing.
func outcome(r specfile.ErrorClass) string {
	switch {
	case r.Outcome == "unknown":
		return "OutcomeUnknown"
	case r.Outcome == "rejected":
		return "OutcomeRejected"
	case r.Class == "throttled" || r.Class == "busy":
		return "OutcomeRejected"
	case r.Status >= 500 || r.Class == "unavailable":
		return "OutcomeUnknown"
	default:
		return "OutcomeRejected"
	}
}

// endpointTable writes the hosts by region: the cloud's rule, and the regions
// that depart from it.
func (m *model) endpointTable() string {
	var w writer
	var flat map[string]string
	if err := json.Unmarshal(m.spec.Endpoints, &flat); err == nil {
		m.endpointFunc(&w, "endpoint", flat, rule(m.pkg))
	} else {
		var byProduct map[string]map[string]string
		if err := json.Unmarshal(m.spec.Endpoints, &byProduct); err != nil {
			panic(fmt.Sprintf("apigen: endpoints of %s: %v", m.pkg, err))
		}
		for _, product := range slices.Sorted(maps.Keys(byProduct)) {
			m.endpointFunc(&w, product+"Endpoint", byProduct[product], rule(product))
		}
	}
	if len(m.spec.VPCEndpoints) > 0 {
		m.endpointFunc(&w, "vpcEndpoint", m.spec.VPCEndpoints, rule(m.pkg+"-vpc"))
	}
	return w.String()
}

// rule is the host of a region that no table names.
func rule(product string) func(region string) string {
	switch product {
	case "alb", "slb", "alb-vpc", "slb-vpc":
		return func(region string) string { return product + "." + region + ".aliyuncs.com" }
	case "apic":
		return func(region string) string { return "roma." + region + ".myhuaweicloud.com" }
	case "apigw":
		return func(region string) string { return "apig." + region + ".myhuaweicloud.com" }
	default:
		return func(region string) string { return product + "." + region + ".myhuaweicloud.com" }
	}
}

// iamHosts writes IAM's hosts into a package that clients and credentials share.
func iamHosts(common *specfile.Common) string {
	table := make(map[string]string)
	for region, endpoint := range common.Credentials.Huawei.IAM.Endpoints {
		table[region] = strings.TrimPrefix(endpoint, "https://")
	}
	var w writer
	w.f("// Code generated by internal/apigen from spec/common.json. DO NOT EDIT.\n\n")
	w.f("// Package iam knows where Huawei Cloud's IAM is.\npackage iam\n\n")
	(*model)(nil).endpointFunc(&w, "Host", table, rule("iam"))
	return w.String()
}

// regionNames writes the regions that the spec names, by cloud.
func regionNames(services map[string]*specfile.Service) string {
	clouds := []struct {
		name, title string
		services    []string
	}{
		{"AlibabaRegions", "Alibaba Cloud", []string{"alb", "slb"}},
		{"HuaweiRegions", "Huawei Cloud", []string{"elb", "apig"}},
	}
	var w writer
	w.f(header, "", "transport")
	for _, c := range clouds {
		known := make(map[string]bool)
		for _, s := range c.services {
			for region := range endpoints(services[s]) {
				known[region] = true
			}
		}
		w.f("// %s are the regions of %s that spec/ knows.\n", c.name, c.title)
		w.f("var %s = Regions{Cloud: %q, Names: []string{\n", c.name, c.title)
		for _, region := range slices.Sorted(maps.Keys(known)) {
			w.f("\t%q,\n", region)
		}
		w.f("}}\n\n")
	}
	return strings.Replace(w.String(), "spec/.json", "spec/", 1)
}

// endpoints are the hosts of a service by region, of all its products.
func endpoints(s *specfile.Service) map[string]string {
	all := make(map[string]string)
	if json.Unmarshal(s.Endpoints, &all) == nil {
		return all
	}
	var byProduct map[string]map[string]string
	if err := json.Unmarshal(s.Endpoints, &byProduct); err != nil {
		panic(fmt.Sprintf("apigen: endpoints of %s: %v", s.Name, err))
	}
	all = make(map[string]string)
	for _, table := range byProduct {
		maps.Copy(all, table)
	}
	return all
}

func (m *model) endpointFunc(w *writer, name string, table map[string]string, rule func(string) string) {
	byHost := make(map[string][]string)
	for region, host := range table {
		if host != rule(region) {
			byHost[host] = append(byHost[host], strconv.Quote(region))
		}
	}
	prefix, suffix, _ := strings.Cut(rule("\x00"), "\x00")
	w.f("// %s returns the host of a region: the documented one, else by the rule\n// %sREGION%s.\nfunc %s(region string) string {\n", name, prefix, suffix, name)
	if len(byHost) > 0 {
		w.f("\tswitch region {\n")
		for _, host := range slices.Sorted(maps.Keys(byHost)) {
			regions := byHost[host]
			slices.Sort(regions)
			w.f("\tcase %s:\n\t\treturn %q\n", strings.Join(regions, ",\n\t\t"), host)
		}
		w.f("\t}\n")
	}
	w.f("\treturn %q + region + %q\n}\n\n", prefix, suffix)
}
