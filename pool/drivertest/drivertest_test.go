package drivertest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/drivertest"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

// wrong is a driver with a mistake: what is nil is right.
type wrong struct {
	*mempool.Pool
	describe func(*driver.Description)
	members  func(ctx context.Context, health bool, m []driver.Member, err error) ([]driver.Member, error)
	check    func(c driver.Change, err error) error
	change   func(ctx context.Context, c driver.Change) (r driver.Result, err error, mine bool)
	wait     func(ctx context.Context, ticket string) error
	lock     func(ctx context.Context, key string) (func(), error)
	as       func(any) bool
}

func (w wrong) Describe(ctx context.Context) (driver.Description, error) {
	d, err := w.Pool.Describe(ctx)
	if w.describe != nil {
		w.describe(&d)
	}
	return d, err
}

func (w wrong) Members(ctx context.Context, health bool) ([]driver.Member, error) {
	m, err := w.Pool.Members(ctx, health)
	if w.members != nil {
		return w.members(ctx, health, m, err)
	}
	return m, err
}

func (w wrong) Check(c driver.Change) error {
	err := w.Pool.Check(c)
	if w.check != nil {
		return w.check(c, err)
	}
	return err
}

func (w wrong) Change(ctx context.Context, c driver.Change) (driver.Result, error) {
	if w.change != nil {
		if r, err, mine := w.change(ctx, c); mine {
			return r, err
		}
	}
	return w.Pool.Change(ctx, c)
}

func (w wrong) Wait(ctx context.Context, ticket string) error {
	if w.wait != nil {
		return w.wait(ctx, ticket)
	}
	return w.Pool.Wait(ctx, ticket)
}

func (w wrong) Lock(ctx context.Context, key string) (func(), error) {
	if w.lock != nil {
		return w.lock(ctx, key)
	}
	return w.Pool.Lock(ctx, key)
}

func (w wrong) As(target any) bool {
	if w.as != nil {
		return w.as(target)
	}
	return w.Pool.As(target)
}

const secret = "the-secret-of-the-account"

// edited makes changes of one kind and then hands every member to spoil.
func edited(p *mempool.Pool, kind driver.Kind, spoil func(*driver.Member)) func(context.Context, driver.Change) (driver.Result, error, bool) {
	return func(ctx context.Context, c driver.Change) (driver.Result, error, bool) {
		if c.Kind != kind {
			return driver.Result{}, nil, false
		}
		r, err := p.Change(ctx, c)
		p.Edit(func(members []driver.Member) []driver.Member {
			for i := range members {
				spoil(&members[i])
			}
			return members
		})
		return r, err, true
	}
}

type mistake struct {
	name string
	// sees is the subtest that must fail.
	sees string
	make func(p *mempool.Pool) wrong
}

func mistakes() []mistake {
	return []mistake{
		{"no lock key", "describe", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, describe: func(d *driver.Description) { d.LockKey = "" }}
		}},
		{"short lock key", "describe", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, describe: func(d *driver.Description) { d.LockKey = d.ID }}
		}},
		{"new account each time", "describe", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, describe: func(d *driver.Description) { d.Account = new(int) }}
		}},
		{"no reason", "describe", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, describe: func(d *driver.Description) { d.Weights.Ignored = "true" }}
		}},
		{"a verb that does not work", "verbs", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, describe: func(d *driver.Description) { d.Disable.Operation, d.Enable.Operation = "Off", "On" }}
		}},
		{"a verb that it hides", "verbs", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, describe: func(d *driver.Description) { d.Swap = driver.Verb{} }}
		}},
		{"empty changes", "verbs", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, check: func(c driver.Change, err error) error {
				if len(c.Members) == 0 {
					return nil
				}
				return err
			}}
		}},
		{"Most too large", "full_calls", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, describe: func(d *driver.Description) { d.Remove.Most = 201 }}
		}},
		{"Most too small", "full_calls", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, describe: func(d *driver.Description) { d.SetWeight.Most = 199 }}
		}},
		{"range too wide", "weights", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, describe: func(d *driver.Description) { d.Weights.Max = 101 }}
		}},
		{"range too narrow", "check", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, describe: func(d *driver.Description) { d.Weights.Min = 1 }}
		}},
		{"another default", "weights", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, describe: func(d *driver.Description) { d.Weights.Default = 1 }}
		}},
		{"Change refuses less than Check", "check", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, change: func(_ context.Context, c driver.Change) (driver.Result, error, bool) {
				return driver.Result{}, nil, len(c.Members) == 2 && c.Members[1].Server == ""
			}}
		}},
		{"sends what it refuses", "check", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, change: func(ctx context.Context, c driver.Change) (driver.Result, error, bool) {
				if p.Check(c) != nil {
					_, _ = p.Members(ctx, false)
				}
				return driver.Result{}, nil, false
			}}
		}},
		{"unnamed problems", "check", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, check: func(_ driver.Change, err error) error {
				if v, ok := errors.AsType[*cloudlb.ValidationError](err); ok {
					for i := range v.Problems {
						v.Problems[i].Field = "members"
					}
				}
				return err
			}}
		}},
		{"refuses without a ValidationError", "check", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, check: func(_ driver.Change, err error) error {
				if err != nil {
					return cloudlb.ErrInvalid
				}
				return nil
			}}
		}},
		{"Add changes others", "add", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, change: edited(p, driver.Add, func(m *driver.Member) {
				if m.Server == "i-0" {
					m.Weight = 50
				}
			})}
		}},
		{"SetWeight loses the label", "set_weight", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, change: edited(p, driver.SetWeight, func(m *driver.Member) { m.Label = "" })}
		}},
		{"SetWeight changes all", "set_weight", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, change: edited(p, driver.SetWeight, func(m *driver.Member) { m.Weight = 1 })}
		}},
		{"Remove changes others", "remove", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, change: edited(p, driver.Remove, func(m *driver.Member) { m.Zone = "b" })}
		}},
		{"nothing is removed", "remove", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, change: func(_ context.Context, c driver.Change) (driver.Result, error, bool) {
				return driver.Result{}, nil, c.Kind == driver.Remove && p.Check(c) == nil
			}}
		}},
		{"Swap changes others", "swap", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, change: edited(p, driver.Swap, func(m *driver.Member) { m.Weight = 2 })}
		}},
		{"new keys each time", "keys", func(p *mempool.Pool) wrong {
			n := new(atomic.Int64)
			return wrong{Pool: p, members: func(_ context.Context, _ bool, m []driver.Member, err error) ([]driver.Member, error) {
				for i := range m {
					m[i].Port = int(n.Add(1))
				}
				return m, err
			}}
		}},
		{"new IDs each time", "keys", func(p *mempool.Pool) wrong {
			n := new(atomic.Int64)
			return wrong{Pool: p, members: func(_ context.Context, _ bool, m []driver.Member, err error) ([]driver.Member, error) {
				for i := range m {
					m[i].ID = fmt.Sprint(n.Add(1))
				}
				return m, err
			}}
		}},
		{"Add overwrites", "again", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, change: func(ctx context.Context, c driver.Change) (driver.Result, error, bool) {
				r, err := p.Change(ctx, c)
				if c.Kind != driver.Add || !errors.Is(err, cloudlb.ErrAlreadyExists) {
					return r, err, true
				}
				p.Edit(func(members []driver.Member) []driver.Member {
					members[0].Weight = *c.Members[0].Weight
					return members
				})
				return r, nil, true
			}}
		}},
		{"an error of no class", "again", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, change: func(ctx context.Context, c driver.Change) (driver.Result, error, bool) {
				r, err := p.Change(ctx, c)
				if errors.Is(err, cloudlb.ErrNotFound) {
					err = errors.New("something")
				}
				return r, err, true
			}}
		}},
		{"secrets", "again", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, change: func(ctx context.Context, c driver.Change) (driver.Result, error, bool) {
				r, err := p.Change(ctx, c)
				if err != nil {
					err = fmt.Errorf("with %s: %w", secret, err)
				}
				return r, err, true
			}}
		}},
		{"old tickets", "tickets", func(p *mempool.Pool) wrong {
			calls := new(atomic.Int64)
			return wrong{Pool: p, wait: func(ctx context.Context, ticket string) error {
				if calls.Add(1) > 3 {
					return cloudlb.ErrNotFound
				}
				return p.Wait(ctx, ticket)
			}}
		}},
		{"health in every list", "health", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, members: func(ctx context.Context, _ bool, _ []driver.Member, _ error) ([]driver.Member, error) {
				return p.Members(ctx, true)
			}}
		}},
		{"always healthy", "health", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, members: func(_ context.Context, health bool, m []driver.Member, err error) ([]driver.Member, error) {
				for i := range m {
					if health {
						m[i].Health = driver.Healthy
					}
				}
				return m, err
			}}
		}},
		{"health of a pool that has none", "health", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, describe: func(d *driver.Description) { d.NoHealth = "there is no health check" }}
		}},
		{"Members without context", "cancelled", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, members: func(ctx context.Context, health bool, _ []driver.Member, _ error) ([]driver.Member, error) {
				return p.Members(context.WithoutCancel(ctx), health)
			}}
		}},
		{"Change without context", "cancelled", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, change: func(ctx context.Context, c driver.Change) (driver.Result, error, bool) {
				r, err := p.Change(context.WithoutCancel(ctx), c)
				return r, err, true
			}}
		}},
		{"Wait without context", "cancelled", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, wait: func(ctx context.Context, ticket string) error { return p.Wait(context.WithoutCancel(ctx), ticket) }}
		}},
		{"changes are lost", "concurrency", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, change: func(_ context.Context, c driver.Change) (driver.Result, error, bool) {
				return driver.Result{}, nil, c.Members[0].Server == "i-3"
			}}
		}},
		{"no lock", "lock", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, lock: func(ctx context.Context, _ string) (func(), error) { return func() {}, ctx.Err() }}
		}},
		{"one lock for all keys", "lock", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, lock: func(ctx context.Context, _ string) (func(), error) { return p.Lock(ctx, "all") }}
		}},
		{"a turn that ends twice", "lock", func(p *mempool.Pool) wrong {
			turns := make(chan struct{}, 1)
			return wrong{Pool: p, lock: func(ctx context.Context, key string) (func(), error) {
				if strings.HasSuffix(key, "/other") {
					return func() {}, ctx.Err()
				}
				select {
				case turns <- struct{}{}:
					return func() {
						select {
						case <-turns:
						default:
						}
					}, nil
				case <-ctx.Done():
					return nil, ctx.Err()
				}
			}}
		}},
		{"sets everything", "as", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, as: func(any) bool { return true }}
		}},
		{"sets nothing", "as", func(p *mempool.Pool) wrong {
			return wrong{Pool: p, as: func(any) bool { return false }}
		}},
	}
}

func harness(with func(p *mempool.Pool) wrong) drivertest.Harness {
	return drivertest.Harness{
		Bubble: true,
		New: func(testing.TB) drivertest.Fixture {
			p := mempool.New()
			return drivertest.Fixture{
				Pool: with(p), Target: new(*mempool.Pool), Secrets: []string{secret},
				SetHealth: func(key driver.Key, healthy bool) {
					health := driver.Unhealthy
					if healthy {
						health = driver.HealthUnknown
					}
					p.SetHealth(key, health)
				},
				Requests:    func() int { return len(p.Calls()) },
				HealthCalls: func() int { return p.Count(mempool.Health) },
			}
		},
		Spec: func(i int) driver.Spec {
			spec := driver.Spec{Key: driver.Key{Server: fmt.Sprintf("i-%d", i), Port: 80}}
			if i%2 == 1 {
				spec.Label = "ours"
			}
			return spec
		},
	}
}

const which = "CLOUDLB_TEST_MISTAKE" // set in the process that makes it

// TestMistaken runs the suite on a driver with a mistake, in a process of its
// own: it must fail.
func TestMistaken(t *testing.T) {
	t.Parallel()
	name := os.Getenv(which)
	if name == "" {
		t.Skip("TestSuiteSeesMistakes runs it")
	}
	for _, m := range mistakes() {
		if m.name == name {
			drivertest.Run(t, harness(m.make))
		}
	}
}

// The suite passes without a mistake and sees each one where it should.
func TestSuiteSeesMistakes(t *testing.T) {
	t.Parallel()
	if os.Getenv(which) != "" {
		t.Skip("this is the process with the mistake")
	}
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		drivertest.Run(t, harness(func(p *mempool.Pool) wrong { return wrong{Pool: p} }))
	})
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mistakes() {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), self, "-test.run=^TestMistaken$/^"+m.sees+"$", "-test.timeout=60s")
			cmd.Env = append(os.Environ(), which+"="+m.name)
			out, err := cmd.CombinedOutput()
			if exit, failed := errors.AsType[*exec.ExitError](err); !failed || exit.ExitCode() != 1 {
				t.Fatalf("the suite did not fail: %v\n%s", err, out)
			}
			if !strings.Contains(string(out), "--- FAIL: TestMistaken/"+m.sees) {
				t.Errorf("%s did not see it:\n%s", m.sees, out)
			}
		})
	}
}
