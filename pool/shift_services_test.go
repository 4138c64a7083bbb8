package pool_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
)

// TestShiftLosesNothing shifts on all services while calls go wrong at random
// and users send requests. Their shares are those of the report, and in the end
// weights are those of the last step, or those from before.
func TestShiftLosesNothing(t *testing.T) {
	t.Parallel()
	for _, s := range services() {
		for seed := range *seeds {
			t.Run(fmt.Sprintf("%s/%d", s.name, seed), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { shift(t, s, uint64(seed)) })
			})
		}
	}
}

func shift(t *testing.T, s service, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 9))
	cloud := fakecloud.New(fakecloud.WithoutBudgets(), fakecloud.WithSeed(seed))
	const to, from = 2, 3
	var members []pool.Spec
	o := pool.Shift{Steps: []float64{10, 50, 100}, Bake: 5 * time.Minute, MinInService: to}
	old := make(map[string]int)
	for i := range to + from {
		m := s.spec(i + 1)
		m.Weight = new(0)
		if i < to {
			o.To = append(o.To, m.Key)
		} else {
			m.Weight = new(50 + r.IntN(51))
		}
		old[m.Key.String()] = *m.Weight
		members = append(members, m)
	}
	drv, target := s.make(t, cloud, cloud.Config(), members...)
	p := pool.New(drv)
	traffic := cloud.Traffic(target, 20, fakecloud.WithRequestDuration(3*time.Second))
	<-time.After(time.Minute)
	d, err := p.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	weather(cloud, r, s.name, []string{d.SetWeight.Operation, d.SetWeight.Operation, d.Add.Operation})
	abort := r.IntN(6) // 3 and more: never
	stop := watchService(t.Context(), t, drv)
	requests := func() (canary, all int) {
		for name, m := range traffic.Report().Members {
			all += m.Requests
			if name == members[0].Key.String() || name == members[1].Key.String() {
				canary += m.Requests
			}
		}
		return canary, all
	}
	steps := 0
	o.Check = func(ctx context.Context, share pool.Share) error {
		canary, all := requests()
		select {
		case <-time.After(5 * time.Minute):
		case <-ctx.Done():
		}
		canaryNow, allNow := requests()
		if real := 100 * float64(canaryNow-canary) / float64(allNow-all); wrong(real, share.Real) > 0.5 {
			t.Errorf("seed %d: share %.2f%%, reported %s", seed, real, share)
		}
		if steps++; steps == abort+1 {
			return errors.New("too many errors")
		}
		return nil
	}
	report, err := p.Shift(t.Context(), o)
	want := old
	if err == nil {
		want = make(map[string]int)
		for _, w := range report.Shares[len(report.Shares)-1].Weights {
			want[w.Key.String()] = w.Weight
		}
	} else if !report.Restored {
		t.Errorf("seed %d: %v %s", seed, err, report)
	}
	if abort < 3 && err == nil {
		t.Errorf("seed %d: no error", seed)
	}
	if d := cmp.Diff(want, weights(t, p)); d != "" {
		t.Errorf("seed %d: %v: %s", seed, err, d)
	}
	if least := stop(); least < to {
		t.Errorf("seed %d: %d in service", seed, least)
	}
	if res := traffic.Report(); res.Lost() > 0 || res.Offered < 1000 {
		t.Error(res)
	}
}
