package pool_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
)

// TestCancelledAtEveryRequest ends the context at each request of an exchange in
// turn, before or after the service has answered it. It returns at once, gives
// back its turn, says nothing that is not so, and can be finished by applying
// again.
func TestCancelledAtEveryRequest(t *testing.T) {
	t.Parallel()
	for _, s := range services() {
		for at := 1; at <= 40; at += 3 {
			t.Run(fmt.Sprintf("%s/%d", s.name, at), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) { cancelledAt(t, s, at) })
			})
		}
	}
}

func cancelledAt(t *testing.T, s service, at int) {
	t.Helper()
	cloud := fakecloud.New()
	drv, _ := s.make(t, cloud, cloud.Config(), s.spec(1), s.spec(2))
	p := pool.New(drv)
	plan, err := p.Plan(t.Context(), []pool.Spec{s.spec(2), s.spec(3)}, pool.PlanOptions{Drain: 5 * time.Second, MinInService: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	before := len(cloud.Requests())
	done, watched := make(chan struct{}), make(chan struct{})
	var cancelled time.Time
	go func() {
		defer close(watched)
		for len(cloud.Requests()) < before+at {
			select {
			case <-time.After(50 * time.Millisecond):
			case <-done:
				return
			}
		}
		cancelled = time.Now()
		cancel()
	}()
	r, err := p.Apply(ctx, plan)
	ended := time.Now()
	close(done)
	<-watched
	if err == nil {
		return // it was over before
	}
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if took := ended.Sub(cancelled); took > time.Second {
		t.Errorf("it went on for %s", took)
	}
	there := make(map[pool.Key]bool)
	<-time.After(time.Minute) // what was under way has come to its end
	for m, err := range p.Members(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		there[m.Key] = true
	}
	for _, e := range r.Entries {
		switch {
		case e.Outcome == pool.NotAttempted && there[e.Key] == (e.Action == pool.ActionAdd):
			t.Errorf("%s of %s is not attempted, and it is there: %v", e.Action, e.Key, there[e.Key])
		case e.Outcome == pool.Done && there[e.Key] == (e.Action == pool.ActionRemove):
			t.Errorf("%s of %s is done, and it is there: %v", e.Action, e.Key, there[e.Key])
		}
	}
	if r, err = p.Apply(t.Context(), plan); err != nil { // its turn is free
		t.Errorf("again: %v\n%s", err, r)
	}
}

// TestStaleListsOfServices: lists lag by 20 seconds, and a reply of each kind of
// call is lost.
func TestStaleListsOfServices(t *testing.T) {
	t.Parallel()
	for _, s := range services() {
		for _, kind := range []string{"none", "add", "out", "remove"} {
			t.Run(s.name+"/"+kind, func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					cloud := fakecloud.New()
					drv, _ := s.make(t, cloud, cloud.Config(), s.spec(1), s.spec(2))
					p := pool.New(drv)
					d, err := p.Describe(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					cloud.Inject(fakecloud.Fault{Service: s.name, Effect: fakecloud.StaleReads(20 * time.Second), Times: 1 << 20})
					<-time.After(time.Minute)
					plan, err := p.Plan(t.Context(), []pool.Spec{s.spec(2), s.spec(3)}, pool.PlanOptions{Drain: time.Second})
					if err != nil {
						t.Fatal(err)
					}
					out := d.SetWeight.Operation
					if d.Disable.Exists() {
						out = d.Disable.Operation
					}
					if op := map[string]string{"add": d.Add.Operation, "out": out, "remove": d.Remove.Operation}[kind]; op != "" {
						cloud.Inject(fakecloud.Fault{Service: s.name, Operation: op, Effect: fakecloud.ResetAfter(), Times: 1})
					}
					r, err := p.Apply(t.Context(), plan)
					if err != nil {
						t.Errorf("%v\n%s", err, r)
					}
					<-time.After(time.Minute)
					if got := weights(t, p); len(got) != 2 {
						t.Errorf("members %v", got)
					}
					stale, lost := 0, 0
					for _, q := range cloud.Requests() {
						if strings.HasPrefix(q.Fault, "stale") {
							stale++
						}
						if strings.HasPrefix(q.Fault, "reset-after") {
							lost++
						}
					}
					if stale == 0 || (lost == 1) != (kind != "none") {
						t.Errorf("%d stale reads and %d lost replies: the test tests nothing", stale, lost)
					}
				})
			})
		}
	}
}
