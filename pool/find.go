package pool

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// Found is a member that Fleet.Find has found.
type Found struct {
	// Pool is where it is, Name that pool's "service/region/ID"; "pools[3]" if
	// it cannot be read.
	Pool *Pool
	Name string
	// Member is without health.
	Member Member
}

// Find says in which pools servers are. A key names a server as in Member.Is,
// by instance ID or address; without a port it means the server on all ports:
//
//	for found, err := range fleet.Find(ctx, pool.Key{Server: "i-1"}) {
//
// Members come as they are found, in no particular order, several pools being
// read at a time. An error is about the one pool that Found names, and the
// others still come: a list without errors is complete. It reads each pool once,
// and changes nothing.
func (f *Fleet) Find(ctx context.Context, servers ...Key) iter.Seq2[Found, error] {
	return func(yield func(Found, error) bool) {
		if err := f.checkFind(servers); err != nil {
			yield(Found{}, err)
			return
		}
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		results := make(chan foundIn)
		go func() {
			defer close(results)
			atOnce(len(f.Pools), f.readers(), func(i int) { results <- f.findIn(ctx, i, servers) })
		}()
		wanted := true
		for result := range results { // to the end, so that nothing runs on
			if wanted && !result.yield(yield) {
				wanted = false
				cancel()
			}
		}
	}
}

func (f *Fleet) checkFind(servers []Key) error {
	if err := f.check("Find"); err != nil {
		return err
	}
	var problems []cloudlb.Problem
	if len(servers) == 0 {
		problems = append(problems, problem("servers", "is empty: name at least one"))
	}
	for i, k := range servers {
		if k.Server == "" {
			problems = append(problems, problem(fmt.Sprintf("servers[%d].Server", i), "is empty: give the instance ID or the address"))
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return invalid(Description{}, "Fleet.Find", problems...)
}

// foundIn is what was found in one pool.
type foundIn struct {
	pool    *Pool
	name    string
	members []Member
	err     error
}

func (f *Fleet) findIn(ctx context.Context, i int, servers []Key) foundIn {
	result := foundIn{pool: f.Pools[i], name: fmt.Sprintf("pools[%d]", i)}
	if ctx.Err() != nil {
		result.err = context.Cause(ctx)
		return result
	}
	members, err := result.pool.drv.Members(ctx, false)
	if err != nil {
		result.err = err
	}
	for _, m := range members {
		if m.Phase != driver.Leaving && slices.ContainsFunc(servers, m.Is) {
			result.members = append(result.members, m)
		}
	}
	if len(result.members) == 0 && err == nil {
		return result // nobody asks for its name
	}
	d, err := result.pool.Describe(ctx)
	if err != nil {
		if result.err == nil {
			result.err = err
		}
		return result
	}
	result.name = name(d)
	return result
}

// yield hands over what was found, or why nothing is known.
func (r foundIn) yield(yield func(Found, error) bool) bool {
	if r.err != nil {
		return yield(Found{Pool: r.pool, Name: r.name}, fmt.Errorf("%s: %w", r.name, r.err))
	}
	for _, m := range r.members {
		if !yield(Found{Pool: r.pool, Name: r.name, Member: m}, nil) {
			return false
		}
	}
	return true
}
