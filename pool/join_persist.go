package pool

import (
	"context"
	"errors"
	"math/rand/v2"
	"time"

	"github.com/cloudlb/cloudlb"
)

// persist does something again and again while it fails in a way that can pass,
// until ctx ends, with pauses that grow up to most.
func persist(ctx context.Context, most time.Duration, do func(context.Context) error) error {
	for pause := 2 * time.Second; ; pause = min(2*pause, most) {
		err := do(ctx)
		if err == nil || !mayPass(err) || ctx.Err() != nil {
			return err
		}
		// Not all at the same moment: others have the same trouble.
		wait := pause
		if errors.Is(err, errNotYet) {
			wait = min(pause, 10*time.Second)
		}
		timer := time.NewTimer(wait/2 + rand.N(wait/2))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
	}
}

// mayPass reports errors that time can heal.
func mayPass(err error) bool {
	switch {
	case errors.Is(err, ErrLockLost):
		return false
	case errors.Is(err, ErrNotVisible), errors.Is(err, cloudlb.ErrUnfinished):
		return true
	case errors.Is(err, cloudlb.ErrThrottled), errors.Is(err, cloudlb.ErrBusy), errors.Is(err, cloudlb.ErrUnavailable), errors.Is(err, cloudlb.ErrJobFailed):
		return true
	}
	e, ok := errors.AsType[*cloudlb.Error](err)
	return ok && e.Outcome == cloudlb.OutcomeUnknown
}
