package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/cloudlb/cloudlb"
)

// service is what the job needs of a service. Each call does the whole of one
// step for one group, in as many requests as the service's limits ask for.
type service interface {
	register(ctx context.Context, g *group) error
	swap(ctx context.Context, g *group) error
	remove(ctx context.Context, g *group) error
	read(ctx context.Context, g *group) ([]row, error)
}

// noSwap is for services whose groups have nothing to swap; the check of the
// file sees to that.
type noSwap struct{}

func (noSwap) swap(context.Context, *group) error { return errors.ErrUnsupported }

// step is one step of the job, done to several groups at the same time.
type step struct {
	what   string
	groups []*group
	do     func(context.Context, *group) error
}

var errNotStarted = errors.New("not started")

// run does the step to every group. A group that fails does not stop the others,
// but the later steps are not taken.
func (s step) run(ctx context.Context, later []step) error {
	var lanes [][]int // groups that lock each other are done one after another
	lane := make(map[string]int)
	for i, g := range s.groups {
		at, ok := lane[g.balancer]
		if !ok || g.balancer == "" {
			at = len(lanes)
			lane[g.balancer] = at
			lanes = append(lanes, nil)
		}
		lanes[at] = append(lanes[at], i)
	}
	errs := make([]error, len(s.groups))
	var wg sync.WaitGroup
	for _, lane := range lanes {
		wg.Go(func() {
			for _, i := range lane {
				if errs[i] = errNotStarted; ctx.Err() == nil {
					errs[i] = s.do(ctx, s.groups[i])
				}
			}
		})
	}
	wg.Wait()
	return s.failure(ctx, errs, later)
}

// failure says in one line how the step ended, nil when it went well.
func (s step) failure(ctx context.Context, errs []error, later []step) error {
	var first error
	var failed, left, notStarted []string
	for i, g := range s.groups {
		switch err := errs[i]; {
		case err == nil:
		case ctx.Err() != nil:
			left = append(left, fmt.Sprintf("%s (%s)", g, unfinished(err)))
		case first == nil:
			first = fmt.Errorf("in %s: %w", g, err)
		default:
			failed = append(failed, g.String())
		}
	}
	for _, step := range later {
		if len(step.groups) > 0 {
			notStarted = append(notStarted, step.what)
		}
	}
	switch {
	case len(left) > 0:
		return fmt.Errorf("interrupted while %s; unfinished: %s%s; read the groups before running this again",
			s.what, strings.Join(left, ", "), clause("not started", notStarted))
	case first != nil:
		return fmt.Errorf("%s failed %w%s%s; %s",
			s.what, first, clause("failed too", failed), clause("not started", notStarted), advice(first))
	default:
		return nil
	}
}

func clause(what string, list []string) string {
	if len(list) == 0 {
		return ""
	}
	return "; " + what + ": " + strings.Join(list, ", ")
}

// unfinished says how far an interrupted group is.
func unfinished(err error) string {
	var wait *cloudlb.WaitError
	var call *cloudlb.Error
	switch {
	case errors.As(err, &wait):
		return "job " + strings.Join(wait.Left, ", ") + " is running"
	case errors.As(err, &call) && call.Outcome == cloudlb.OutcomeUnknown:
		return "the last request may have been carried out"
	case errors.Is(err, errNotStarted):
		return "not started"
	default:
		return "stopped between requests"
	}
}

// advice says what to do about an error.
func advice(err error) string {
	var call *cloudlb.Error
	switch {
	case errors.Is(err, cloudlb.ErrJobFailed), errors.Is(err, cloudlb.ErrLost):
		return "read the group's servers, then run this again with those that are missing"
	case errors.Is(err, cloudlb.ErrUnauthenticated):
		return "check the access key, its secret and the security token"
	case errors.Is(err, cloudlb.ErrDenied):
		return "allow the access key to make this call"
	case errors.Is(err, cloudlb.ErrNotFound):
		return "check the ids in the file and the region"
	case errors.Is(err, cloudlb.ErrAlreadyExists):
		return "take the servers that the group has already out of the file"
	case errors.Is(err, cloudlb.ErrQuota):
		return "register fewer servers, or have the quota raised"
	case errors.Is(err, cloudlb.ErrInvalid):
		return "correct the entry in the file"
	case errors.As(err, &call) && call.Outcome == cloudlb.OutcomeUnknown:
		return "read the group's servers before running this again"
	default:
		return "run this again later"
	}
}
