package fakecloud

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// Lists are kept in the order in which they are listed, so that a page costs
// what is on it, however long the list is. Only lists with filters are looked
// through from end to end; those of tags once for all their pages.

// numbered is a place in a list: numbers grow and are never used again.
type numbered struct{ seq int64 }

func (n numbered) number() int64 { return n.seq }

// from is the index of the first row whose number is seq or more.
func from[T interface{ number() int64 }](rows []T, seq int64) int {
	i, _ := slices.BinarySearchFunc(rows, seq, func(row T, seq int64) int { return cmp.Compare(row.number(), seq) })
	return i
}

// dropRow takes a row out of its list.
func dropRow[T interface{ number() int64 }](rows []T, row T) []T {
	if i := from(rows, row.number()); i < len(rows) && rows[i].number() == row.number() {
		return slices.Delete(rows, i, i+1)
	}
	return rows
}

// filtered reports whether a list is asked for with any filter. more are
// parameters that are none.
func (c *call) filtered(more ...string) bool {
	for name := range c.sent {
		f := find(c.op.Request, name)
		if f.In != "path" && !slices.Contains(c.op.Pagination.Request, name) && !slices.Contains(more, name) {
			return true
		}
	}
	return false
}

// pick is the part of rows that a filter lets through.
func pick[T any](c *call, rows []T, keep func(T) bool) []T {
	c.visited += len(rows)
	var out []T
	for _, row := range rows {
		if keep(row) {
			out = append(out, row)
		}
	}
	return out
}

// albPage cuts the page out of rows that NextToken and MaxResults ask for. A
// token holds for the call it came from.
func albPage[T interface{ number() int64 }](c *call, name string, rows []T, row func(T) object) (object, *fault) {
	size := int(c.in.num("MaxResults"))
	if size == 0 {
		size = c.op.Pagination.DefaultSize
	}
	first := 0
	if token := c.in.str("NextToken"); token != "" {
		after, ok := readPageToken(c.op.Name, token)
		if !ok {
			return nil, c.set.albInvalid("NextToken", "NextToken is not valid")
		}
		first = from(rows, after+1)
	}
	next, last := "", len(rows)
	if last-first > size {
		last = first + size
		next = pageToken(c.op.Name, rows[last-1].number())
	}
	list := make([]object, 0, last-first)
	for _, r := range rows[first:last] {
		list = append(list, row(r))
	}
	c.visited += len(list)
	return object{name: list, "NextToken": next, "MaxResults": size, "TotalCount": len(rows)}, nil
}

func pageToken(op string, seq int64) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s %d", op, seq))
}

func readPageToken(op, token string) (int64, bool) {
	b, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		return 0, false
	}
	of, seq, _ := strings.Cut(string(b), " ")
	n, err := strconv.ParseInt(seq, 10, 64)
	return n, err == nil && of == op
}

// elbRows are the entries of a list: those of several lists, one after the
// other. A place in it is a list and an index.
type elbRows[T any] struct {
	lists int
	list  func(int) []T
	// find is the place of an ID.
	find func(id string) (list, at int, ok bool)
	id   func(T) string
	row  func(T) object
}

// elbFlat are the entries of one list.
func elbFlat[T interface{ number() int64 }](rows []T, find func(id string) (T, bool), id func(T) string, row func(T) object) elbRows[T] {
	return elbRows[T]{
		lists: 1, list: func(int) []T { return rows }, id: id, row: row,
		find: func(id string) (int, int, bool) {
			r, ok := find(id)
			if !ok {
				return 0, 0, false
			}
			return 0, from(rows, r.number()), true
		},
	}
}

// after goes through the entries behind a place, or, in reverse, backwards
// through those before it.
func (r elbRows[T]) after(list, at int, reverse bool) iter.Seq[T] {
	return func(yield func(T) bool) {
		for {
			rows := r.list(list)
			if reverse {
				for at--; at >= 0; at-- {
					if !yield(rows[at]) {
						return
					}
				}
				if list--; list < 0 {
					return
				}
				at = len(r.list(list))
				continue
			}
			for at++; at < len(rows); at++ {
				if !yield(rows[at]) {
					return
				}
			}
			if list++; list >= r.lists {
				return
			}
			at = -1
		}
	}
}

// elbPage makes the page after (or before) the marker of the rows that match
// the query parameters. Rows are made when they are needed.
func elbPage[T any](c *call, name string, rows elbRows[T]) (object, *fault) {
	limit := int(c.in.num("limit"))
	if _, sent := c.sent["limit"]; sent && limit == 0 && !c.set.assumes(ELBLimitZeroIsDefault) {
		return nil, elbInvalid("limit must be above 0")
	}
	if limit == 0 {
		limit = c.op.Pagination.DefaultSize
	}
	reverse, marker := c.in.flag("page_reverse"), c.in.has("marker")
	list, at := 0, -1
	if reverse {
		list = rows.lists - 1
		at = len(rows.list(list))
	}
	if marker {
		id := c.in.str("marker")
		var ok bool
		if list, at, ok = rows.find(id); !ok || !c.elbMatches(func() object { return rows.row(rows.list(list)[at]) }) {
			return nil, elbInvalid("marker %q is not the id of an entry", id)
		}
	}
	var page []T
	more := false
	for entry := range rows.after(list, at, reverse) {
		c.visited++
		if !c.elbMatches(func() object { return rows.row(entry) }) {
			continue
		}
		if more = len(page) == limit; more {
			break
		}
		page = append(page, entry)
	}
	before, behind := marker, more
	if reverse {
		slices.Reverse(page)
		before, behind = more, marker
	}
	out := make([]object, len(page))
	for i, entry := range page {
		out[i] = rows.row(entry)
	}
	info := object{"current_count": len(page)}
	if before && len(page) > 0 {
		info["previous_marker"] = rows.id(page[0])
	}
	if behind && len(page) > 0 {
		info["next_marker"] = rows.id(page[len(page)-1])
	}
	return object{name: out, "page_info": info}, nil
}

// elbMatches applies the filters of a list to a row.
func (c *call) elbMatches(row func() object) bool {
	var made object
	for _, f := range c.op.Request {
		wanted, sent := c.sent[f.Name]
		if !sent || f.In != "query" || slices.Contains(c.op.Pagination.Request, f.Name) {
			continue
		}
		if made == nil {
			made = row()
		}
		have, special := made["?"+f.Name]
		if !special {
			have = made[f.Name]
		}
		if !anyOf(have, wanted) {
			return false
		}
	}
	return true
}

// anyOf reports whether a value, or one of a list of values, is among those
// wanted by a filter.
func anyOf(have, wanted any) bool {
	if list, ok := wanted.([]any); ok {
		return slices.ContainsFunc(list, func(w any) bool { return anyOf(have, w) })
	}
	if list, ok := have.([]any); ok {
		return slices.Contains(list, wanted)
	}
	return have == wanted
}

// apigPage makes a page of rows.
func apigPage[T any](c *call, name string, rows []T, row func(T) object) object {
	return apigWindow(c, name, len(rows), func(first, last int) []T { return rows[first:last] }, row)
}

// apigWindow makes the page of a list of which a part can be had. Bad limits
// and offsets are corrected, as the service does.
func apigWindow[T any](c *call, name string, total int, part func(first, last int) []T, row func(T) object) object {
	limit := int(c.in.num("limit"))
	if limit <= 0 {
		limit = c.op.Pagination.DefaultSize
	}
	limit = min(limit, c.op.Pagination.MaxPageSize)
	first := int(min(max(c.in.num("offset"), 0), int64(total)))
	last := min(first+limit, total)
	out := make([]object, 0, last-first)
	for _, r := range part(first, last) {
		out = append(out, row(r))
	}
	c.visited += len(out)
	return object{name: out, "size": len(out), "total": total}
}
