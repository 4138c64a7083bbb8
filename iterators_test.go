package cloudlb_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/specfile"
)

// pager answers a paged list operation with n items, as its spec says.
type pager struct {
	op    *specfile.Operation
	items int
	// fault changes the answer to a call, counted from 1.
	fault func(call int, reply map[string]any) (status int)

	calls int
	sizes []string
}

func (p *pager) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Body != nil {
		req.Body.Close()
	}
	p.calls++
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	page := p.op.Pagination
	size, _ := strconv.Atoi(query.Get(page.Request[1]))
	p.sizes = append(p.sizes, query.Get(page.Request[1]))
	first := 0
	switch cursor := query.Get(page.Request[0]); page.Style {
	case "pageNumber":
		n, _ := strconv.Atoi(cursor)
		first = (n - 1) * size
	case "offset":
		first, _ = strconv.Atoi(cursor)
	default:
		if cursor != "" {
			first, err = strconv.Atoi(strings.TrimPrefix(cursor, "after-"))
		}
	}
	if err != nil {
		return nil, err
	}
	last := min(first+size, p.items)
	reply := map[string]any{"RequestId": "r"}
	for _, f := range p.op.Response {
		list := f
		if f.Type == "object" && len(f.Fields) == 1 && f.Fields[0].Type == "array" {
			list = f.Fields[0]
		}
		switch {
		case list.Type == "array":
			items := []any{}
			for i := first; i < last; i++ {
				items = append(items, pagedItem(list, i))
			}
			if list != f {
				reply[f.Name] = map[string]any{list.Name: items}
				continue
			}
			reply[f.Name] = items
		case f.Name == "TotalCount" || f.Name == "total":
			reply[f.Name] = p.items
		case f.Name == "NextToken" && last < p.items:
			reply[f.Name] = fmt.Sprintf("after-%d", last)
		case f.Name == "page_info" && last < p.items:
			reply[f.Name] = map[string]any{"next_marker": fmt.Sprintf("after-%d", last)}
		}
	}
	status := http.StatusOK
	if p.fault != nil {
		status = p.fault(p.calls, reply)
	}
	b, err := json.Marshal(reply)
	if err != nil {
		return nil, err
	}
	h := http.Header{"Content-Type": {"application/json"}}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(string(b))), Request: req}, nil
}

func pagedItem(list *specfile.Field, i int) any {
	if list.ItemType == "string" {
		return strconv.Itoa(i)
	}
	for _, f := range list.Fields {
		if f.Type == "string" && len(f.Enum) == 0 {
			return map[string]any{f.Name: strconv.Itoa(i)}
		}
	}
	panic("no text field to number the items of " + list.Name)
}

// iteratorOf finds the iterator over an operation's list: the method without
// its verb.
func iteratorOf(client any, op *specfile.Operation) reflect.Value {
	for _, prefix := range []string{"", "All"} {
		name := op.Go()
		for _, verb := range []string{"List", "Describe", "Get"} {
			name = strings.TrimPrefix(name, verb)
		}
		m := reflect.ValueOf(client).MethodByName(prefix + name)
		if m.IsValid() && m.Type().NumOut() == 1 {
			return m
		}
	}
	return reflect.Value{}
}

// TestIterators holds the contract of every iterator that the spec gives.
func TestIterators(t *testing.T) {
	t.Parallel()
	found := make(chan string, 100)
	t.Run("all", func(t *testing.T) {
		eachOperation(t, func(t *testing.T, service string, _ *specfile.Service, op *specfile.Operation) {
			if op.Pagination == nil {
				return
			}
			if op.Name == "GetListenerHealthStatus" {
				return // two lists side by side: pages only
			}
			found <- op.Name
			testIterator(t, service, op)
		})
	})
	close(found)
	n := 0
	for range found {
		n++
	}
	if n < 20 {
		t.Errorf("only %d iterators were tested", n)
	}
}

func testIterator(t *testing.T, service string, op *specfile.Operation) {
	t.Helper()
	s := sample{}
	input, err := json.Marshal(s.object(op.Request))
	if err != nil {
		t.Fatal(err)
	}
	iterate := func(p *pager) reflect.Value {
		p.op = op
		m := iteratorOf(newClient(t, service, p), op)
		if !m.IsValid() {
			t.Fatalf("no iterator for %s", op.Go())
		}
		req := reflect.New(m.Type().In(1))
		if err := json.Unmarshal(input, req.Interface()); err != nil {
			t.Fatal(err)
		}
		return m.Call([]reflect.Value{
			reflect.ValueOf(t.Context()), req.Elem(),
			reflect.ValueOf(cloudlb.WithRetry(cloudlb.NoRetry())),
		})[0]
	}
	collect := func(it reflect.Value) (n int, errs []error) {
		for _, e := range it.Seq2() {
			if err, ok := reflect.TypeAssert[error](e); ok && err != nil {
				errs = append(errs, err)
				continue
			}
			n++
		}
		return n, errs
	}
	size := op.Pagination.MaxPageSize
	for _, items := range []int{0, 1, 100, 101, 1000} {
		p := &pager{items: items}
		it := iterate(p)
		if n, errs := collect(it); n != items || errs != nil {
			t.Errorf("%d items: got %d, errors %v", items, n, errs)
		}
		calls := max((items+size-1)/size, 1)
		if p.calls != calls || p.sizes[0] != strconv.Itoa(size) {
			t.Errorf("%d items: %d calls with page size %s, want %d with %d", items, p.calls, p.sizes[0], calls, size)
		}
		if n, errs := collect(it); n != items || errs != nil || p.calls != 2*calls {
			t.Errorf("%d items, again: got %d in %d calls, errors %v", items, n, p.calls, errs)
		}
	}

	p := &pager{items: 3 * size}
	seen := 0
	for range iterate(p).Seq2() {
		if seen++; seen == size {
			break
		}
	}
	if p.calls != 1 {
		t.Errorf("break on the first page: %d calls", p.calls)
	}

	p = &pager{items: 3 * size, fault: func(call int, _ map[string]any) int {
		if call == 2 {
			return http.StatusForbidden
		}
		return http.StatusOK
	}}
	if n, errs := collect(iterate(p)); n != size || len(errs) != 1 || p.calls != 2 {
		t.Errorf("error on page 2: %d items, errors %v, %d calls", n, errs, p.calls)
	} else if e := new(cloudlb.Error); !errors.As(errs[0], &e) || !errors.Is(errs[0], cloudlb.ErrDenied) {
		t.Errorf("error on page 2: %v", errs[0])
	}

	// The list shrinks and grows between pages; a cursor comes twice.
	p = &pager{items: 3 * size}
	p.fault = func(call int, reply map[string]any) int {
		p.items = max(0, 3*size-call*size)
		return http.StatusOK
	}
	if n, errs := collect(iterate(p)); n > 3*size || errs != nil || p.calls > 4 {
		t.Errorf("shrinking list: %d items, errors %v, %d calls", n, errs, p.calls)
	}
	if style := op.Pagination.Style; style == "nextToken" || style == "marker" {
		p = &pager{items: 10 * size, fault: func(call int, reply map[string]any) int {
			again := fmt.Sprintf("after-%d", size*(1+call%2))
			if style == "marker" {
				reply["page_info"] = map[string]any{"next_marker": again}
			} else {
				reply["NextToken"] = again
			}
			return http.StatusOK
		}}
		if _, errs := collect(iterate(p)); len(errs) != 1 || !strings.Contains(errs[0].Error(), "twice") || p.calls > 4 {
			t.Errorf("repeated cursor: errors %v, %d calls", errs, p.calls)
		}
	}
}
