package fakecloud

import (
	"cmp"
	"slices"
	"strings"
)

// albTagged is a resource with tags.
type albTagged struct {
	seq  int64
	id   string
	tags *[]object
}

// albBalancer is an ALB load balancer: known because a listener or a group
// names it.
type albBalancer struct {
	seq  int64
	id   string
	tags []object
}

func (c *call) albBalancer(id string) *albBalancer {
	for _, lb := range c.albBalancers() {
		if lb.id == id {
			return lb
		}
	}
	return nil
}

func (c *call) albBalancers() []*albBalancer {
	known := make(map[string]bool)
	for _, lb := range c.alb.balancers {
		known[lb.id] = true
	}
	meet := func(id string) {
		if !known[id] {
			known[id] = true
			c.alb.balancers = append(c.alb.balancers, &albBalancer{seq: c.alb.next(), id: id})
		}
	}
	for _, l := range c.alb.listeners {
		meet(l.LoadBalancerID)
	}
	for _, g := range c.alb.order {
		for _, id := range g.loadBalancers {
			meet(id)
		}
	}
	return c.alb.balancers
}

// albResources are the resources of one kind; access control lists and security
// policies are not emulated, so there are none.
func (c *call) albResources(kind string) []albTagged {
	var out []albTagged
	switch kind {
	case "servergroup":
		c.settleAll()
		for _, g := range c.alb.order {
			out = append(out, albTagged{g.seq, g.id, &g.tags})
		}
	case "loadbalancer":
		for _, lb := range c.albBalancers() {
			out = append(out, albTagged{lb.seq, lb.id, &lb.tags})
		}
	case "listener":
		for _, l := range c.alb.listeners {
			out = append(out, albTagged{l.seq, l.ID, &l.tags})
		}
	case "healthchecktemplate":
		for _, t := range c.alb.templates {
			out = append(out, albTagged{t.seq, t.id, &t.tags})
		}
	}
	return out
}

// albKinds are the ends of error codes.
var albKinds = map[string]string{
	"acl": "Acl", "loadbalancer": "LoadBalancer", "securitypolicy": "SecurityPolicy", "servergroup": "ServerGroup",
	"listener": "Listener", "healthchecktemplate": "HealthCheckTemplate",
}

// albNamedResources finds the resources that a call names, or none of them.
func (c *call) albNamedResources() ([]albTagged, *fault) {
	kind := c.in.str("ResourceType")
	all := make(map[string]albTagged)
	for _, r := range c.albResources(kind) {
		all[r.id] = r
	}
	var out []albTagged
	for _, id := range c.in.strs("ResourceId") {
		r, ok := all[id]
		if !ok {
			return nil, refusef(404, "ResourceNotFound."+albKinds[kind], "The specified resource %s is not found.", id)
		}
		out = append(out, r)
	}
	return out, nil
}

func albTag(c *call) (object, *fault) {
	resources, f := c.albNamedResources()
	if f != nil {
		return nil, f
	}
	c.alb.version++
	tags, seen := c.in.list("Tag"), make(map[string]bool)
	for _, t := range tags {
		key := t.str("Key")
		switch {
		case key == "":
			return nil, c.set.albMissing("Key", "Tag.Key")
		case seen[key] && c.set.assumes(ALBTagKeysOnce):
			return nil, refusef(400, "DuplicatedParam.TagKey", "The param of TagKey %s is duplicated.", key)
		}
		seen[key] = true
	}
	for _, r := range resources {
		for _, t := range tags {
			tag := object{"Key": t.str("Key"), "Value": t.str("Value")}
			if i := slices.IndexFunc(*r.tags, func(have object) bool { return have["Key"] == tag["Key"] }); i >= 0 {
				(*r.tags)[i] = tag
			} else {
				*r.tags = append(*r.tags, tag)
			}
		}
	}
	return nil, nil
}

func albUntag(c *call) (object, *fault) {
	resources, f := c.albNamedResources()
	if f != nil {
		return nil, f
	}
	c.alb.version++
	keys, tags, all := c.in.strs("TagKey"), c.in.list("Tag"), c.in.flag("All")
	if len(keys)+len(tags) == 0 && !all {
		return nil, c.set.albMissing("TagKey", "TagKey")
	}
	all = all && len(keys)+len(tags) == 0 // with names, All says nothing
	for _, r := range resources {
		*r.tags = slices.DeleteFunc(slices.Clone(*r.tags), func(have object) bool {
			return all || slices.Contains(keys, params(have).str("Key")) || slices.ContainsFunc(tags, func(t params) bool {
				return tagged([]object{have}, []params{t})
			})
		})
	}
	return nil, nil
}

// albTagRow is a tag of a resource.
type albTagRow struct {
	numbered
	of         albTagged
	key, value string
}

// albTagRows are the tags of a kind of resource, or of all when kind is empty.
func (c *call) albTagRows(kind string) []albTagRow {
	kinds := []string{kind}
	if kind == "" {
		kinds = sortedKeys(albKinds)
	}
	var out []albTagRow
	for _, kind := range kinds {
		for _, r := range c.albResources(kind) {
			for i, t := range *r.tags {
				out = append(out, albTagRow{numbered{r.seq<<16 + int64(i)}, r, params(t).str("Key"), params(t).str("Value")})
			}
		}
	}
	return out
}

// albTagList is the list of tags that a call went through last. It is kept for
// the next page, until something changes.
type albTagList struct {
	version int
	request string
	rows    []albTagRow
}

// albTagPage is a page of the tags of a kind of resource that keep lets through,
// in the order of their resources.
func (c *call) albTagPage(name, kind string, keep func(albTagRow) bool, row func(albTagRow) object) (object, *fault) {
	c.settleAll()
	request := c.op.Name + string(encode(without(c.sent, c.op.Pagination.Request...)))
	if list := &c.alb.tagList; list.version != c.alb.version || list.request != request {
		rows := pick(c, c.albTagRows(kind), keep)
		slices.SortFunc(rows, func(a, b albTagRow) int { return cmp.Compare(a.seq, b.seq) })
		*list = albTagList{c.alb.version, request, rows}
	}
	return albPage(c, name, c.alb.tagList.rows, row)
}

func albListTags(c *call) (object, *fault) {
	ids, wanted, kind := c.in.strs("ResourceId"), c.in.list("Tag"), c.in.str("ResourceType")
	if len(ids)+len(wanted) == 0 {
		return nil, c.set.albMissing("ResourceId", "ResourceId")
	}
	keep := func(t albTagRow) bool {
		return (len(ids) == 0 || slices.Contains(ids, t.of.id)) && tagged(*t.of.tags, wanted)
	}
	return c.albTagPage("TagResources", kind, keep, func(t albTagRow) object {
		return object{"ResourceType": kind, "ResourceId": t.of.id, "TagKey": t.key, "TagValue": t.value}
	})
}

func albListTagKeys(c *call) (object, *fault) {
	seen := make(map[string]bool)
	keep := func(t albTagRow) bool {
		if seen[t.key] || !strings.Contains(t.key, c.in.str("Keyword")) || c.in.str("Category") == "System" {
			return false
		}
		seen[t.key] = true
		return true
	}
	return c.albTagPage("TagKeys", c.in.str("ResourceType"), keep, func(t albTagRow) object { return object{"TagKey": t.key, "Category": "Custom"} })
}

func albListTagValues(c *call) (object, *fault) {
	seen := make(map[string]bool)
	keep := func(t albTagRow) bool {
		if t.key != c.in.str("TagKey") || seen[t.value] || c.in.has("ResourceId") && c.in.str("ResourceId") != t.of.id {
			return false
		}
		seen[t.value] = true
		return true
	}
	out, f := c.albTagPage("TagValues", c.in.str("ResourceType"), keep, func(t albTagRow) object { return object{"value": t.value} })
	if f != nil {
		return nil, f
	}
	values := []any{}
	page, _ := out["TagValues"].([]object)
	for _, o := range page {
		values = append(values, o["value"])
	}
	out["TagValues"] = values
	return out, nil
}
