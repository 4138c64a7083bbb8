package main

import (
	"fmt"
	"strings"
)

// iterator writes the iterator over a paged list operation, if its reply has
// one list.
func (m *model) iterator(w *writer, op *operation) {
	p := op.Pagination
	if p == nil {
		return
	}
	var items, total *field
	for _, f := range op.response {
		switch {
		case f.kind == kObjects || f.kind == kWrapped || f.kind == kTexts:
			if items != nil {
				return // two lists side by side: pages only
			}
			items = f
		case f.Name == "TotalCount" || f.Name == "total":
			total = f
		}
	}
	if items == nil {
		return
	}
	name := op.goName
	for _, prefix := range []string{"List", "Describe", "Get"} {
		name = strings.TrimPrefix(name, prefix)
	}
	for _, other := range m.ops {
		if other.goName == name { // ListTagResources beside TagResources
			name = "All" + name
		}
	}
	item := items.base
	if items.kind == kWrapped {
		item = strings.TrimSuffix(item, "List")
	}
	byWire := func(wire string) *field {
		for _, f := range op.request {
			if f.Name == wire {
				return f
			}
		}
		panic("apigen: " + op.goName + " has no paging parameter " + wire)
	}
	comment(w, "", fmt.Sprintf("%s iterates over all %s of %s, page after page. The page size is the largest, %d, unless the request says otherwise. "+
		"It starts over on each range; an error is yielded once and ends it.", name, items.goName, op.goName, p.MaxPageSize))
	w.f("func (c *Client) %s(ctx context.Context, req %sRequest, opts ...cloudlb.CallOption) iter.Seq2[%s, error] {\n", name, op.goName, item)
	size := byWire(p.Request[1])
	w.f("\tif req.%[1]s == 0 {\n\t\treq.%[1]s = %[2]sMaxPageSize\n\t}\n", size.goName, op.goName)
	for _, f := range op.request {
		if f.kind >= kTexts {
			w.f("\treq.%[1]s = slices.Clone(req.%[1]s)\n", f.goName)
		}
	}
	cursor := byWire(p.Request[0])
	wide := func(f *field, x string) string { // as the int64 that package page counts with
		if f.base == "int64" {
			return x
		}
		return "int64(" + x + ")"
	}
	narrow := func(x string) string {
		if cursor.base == "int64" {
			return x
		}
		return cursor.base + "(" + x + ")"
	}
	call := fmt.Sprintf("\t\tnext := req\n\t\tnext.%s = %%s\n\t\tres, err := c.%s(ctx, next, opts...)\n\t\tif err != nil {\n\t\t\treturn nil, %%s, err\n\t\t}\n", cursor.goName, op.goName)
	switch p.Style {
	case "nextToken":
		w.f("\treturn page.ByCursor(req.%s, func(cursor string) ([]%s, string, error) {\n", cursor.goName, item)
		w.f(call, "cursor", `""`)
		w.f("\t\treturn res.%s, res.NextToken, nil\n\t})\n", items.goName)
	case "marker":
		w.f("\treturn page.ByCursor(req.%s, func(cursor string) ([]%s, string, error) {\n", cursor.goName, item)
		w.f(call, "cursor", `""`)
		w.f("\t\tif req.PageReverse {\n\t\t\treturn res.%[1]s, res.PageInfo.PreviousMarker, nil\n\t\t}\n", items.goName)
		w.f("\t\treturn res.%s, res.PageInfo.NextMarker, nil\n\t})\n", items.goName)
	case "offset":
		w.f("\treturn page.ByOffset(%s, func(offset int64) ([]%s, int64, error) {\n", wide(cursor, "req."+cursor.goName), item)
		w.f(call, narrow("offset"), "0")
		w.f("\t\treturn res.%s, %s, nil\n\t})\n", items.goName, wide(total, "res."+total.goName))
	case "pageNumber":
		w.f("\treturn page.ByNumber(%s, %s, func(number int64) ([]%s, int64, error) {\n", wide(cursor, "req."+cursor.goName), wide(size, "req."+size.goName), item)
		w.f(call, narrow("number"), "0")
		w.f("\t\treturn res.%s, %s, nil\n\t})\n", items.goName, wide(total, "res."+total.goName))
	default:
		panic("apigen: paging style " + p.Style)
	}
	w.f("}\n\n")
}
