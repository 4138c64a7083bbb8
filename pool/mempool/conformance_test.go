package mempool_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/drivertest"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

// The pool in memory is a driver like those of the services, whatever it is
// told to be like.
func TestConformance(t *testing.T) {
	t.Parallel()
	withDisable := func(d *driver.Description) {
		d.Disable = driver.Verb{Operation: "Disable", Most: 3}
		d.Enable = driver.Verb{Operation: "Enable", Most: 3}
	}
	for name, opts := range map[string][]mempool.Option{
		"plain": nil,
		"slow": {
			mempool.WithDurations(20*time.Second, 10*time.Second, 5*time.Second), mempool.WithChecking(30 * time.Second),
			mempool.WithDescription(withDisable),
		},
		"small": {mempool.WithDescription(func(d *driver.Description) {
			d.Add.Most, d.SetWeight.Most, d.Remove.Most = 2, 1, 1
			d.Swap, d.Labels = driver.Verb{}, false
			d.Weights = driver.Weights{Min: 1, Max: 10000, Default: 1}
			d.MaxMembers = 5
		})},
		"portless": {mempool.WithDescription(func(d *driver.Description) {
			d.Portless, d.HealthAtZero = true, true
			d.Weights.Ignored = "the pool hashes addresses"
		})},
		"unchecked": {mempool.WithDescription(func(d *driver.Description) { d.NoHealth = "there is no health check" })},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			described, err := mempool.New(opts...).Describe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			drivertest.Run(t, drivertest.Harness{
				Bubble: true,
				New: func(testing.TB) drivertest.Fixture {
					p := mempool.New(opts...)
					return drivertest.Fixture{
						Pool: p, Target: new(*mempool.Pool),
						SetHealth: func(key driver.Key, healthy bool) {
							if healthy {
								p.SetHealth(key, driver.HealthUnknown)
							} else {
								p.SetHealth(key, driver.Unhealthy)
							}
						},
						Requests:    func() int { return len(p.Calls()) },
						HealthCalls: func() int { return p.Count(mempool.Health) },
					}
				},
				Spec: func(i int) driver.Spec {
					spec := driver.Spec{Key: driver.Key{Server: fmt.Sprintf("i-%d", i), Port: 80}}
					if described.Portless {
						spec.Port = 0
					}
					if i%2 == 1 && described.Labels {
						spec.Label = "ours"
					}
					return spec
				},
			})
		})
	}
}
