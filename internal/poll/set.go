package poll

import (
	"context"
	"fmt"

	"github.com/cloudlb/cloudlb"
)

// Set is a wait for things that one look lists together, such as the members of
// a pool. Callers name them by Ref; the service lists Items.
type Set[Ref, Item any] struct {
	// Service and Operation name the wait in errors, Field the argument that
	// has the refs.
	Service, Operation, Field string
	Schedule                  Schedule
	// Name names a ref in errors and progress. It is empty for a ref that
	// names nothing.
	Name func(Ref) string
	// Look lists all there is.
	Look func(ctx context.Context) ([]Item, error)
	// Reached finds what ref names among the items and reports whether it is
	// where it should be. An error ends the wait.
	Reached func(ref Ref, items []Item) (item Item, reached bool, err error)
}

// Wait looks until every ref is reached in one and the same look, and returns
// the items in the order of refs.
func (s Set[Ref, Item]) Wait(ctx context.Context, refs []Ref, opts []cloudlb.WaitOption) ([]Item, error) {
	o := Options(opts)
	if len(refs) == 0 {
		if o.AllowEmpty {
			return nil, nil
		}
		return nil, Invalid(s.Service, s.Operation, s.Field, "is empty: there is nothing to wait for")
	}
	names := make([]string, len(refs))
	for i, ref := range refs {
		if names[i] = s.Name(ref); names[i] == "" {
			return nil, Invalid(s.Service, s.Operation, fmt.Sprintf("%s[%d]", s.Field, i), "names nothing")
		}
	}
	left, done := names, []string(nil)
	found := make([]Item, len(refs))
	loop := Loop{
		Service: s.Service, Operation: s.Operation, Schedule: s.Schedule, Progress: o.Progress,
		Left: func() []string { return left },
		Done: func() []string { return done },
		Look: func(ctx context.Context) (bool, error) {
			items, err := s.Look(ctx)
			if err != nil {
				return false, err
			}
			var nowLeft, nowDone []string
			for i, ref := range refs {
				item, reached, err := s.Reached(ref, items)
				if err != nil {
					return false, err
				}
				if reached {
					nowDone = append(nowDone, names[i])
				} else {
					nowLeft = append(nowLeft, names[i])
				}
				found[i] = item
			}
			left, done = nowLeft, nowDone
			return len(left) == 0, nil
		},
	}
	if err := loop.Run(ctx); err != nil {
		return nil, err
	}
	return found, nil
}
