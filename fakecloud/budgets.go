package fakecloud

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/cloudlb/cloudlb"
)

// WithoutBudgets lets any number of requests through. Without it ALB and SLB
// refuse those over the published budgets, which hold per account, region and
// operation.
func WithoutBudgets() Option { return func(s *settings) { s.noBudgets = true } }

// WithBudget replaces the published budget of an operation, by the vendor's or
// the Go name; an empty operation means each of the service's. The zero Budget
// removes the limit. Huawei publishes no budgets, so elb and apig have only
// those set here. New panics if there is no such operation.
func WithBudget(service, operation string, b cloudlb.Budget) Option {
	return func(s *settings) { s.budgets = append(s.budgets, setBudget{service, operation, b}) }
}

type setBudget struct {
	service, operation string
	budget             cloudlb.Budget
}

// window is the use of a budget: when the last calls started.
type window struct {
	budget  cloudlb.Budget
	started []time.Time // a ring once it is full
	oldest  int
}

// take starts a call, or returns how long until one may start.
func (w *window) take(now time.Time) time.Duration {
	if w.budget.Calls <= 0 || w.budget.Per <= 0 {
		return 0
	}
	if len(w.started) < w.budget.Calls {
		w.started = append(w.started, now)
		return 0
	}
	if left := w.started[w.oldest].Add(w.budget.Per).Sub(now); left > 0 {
		return left
	}
	w.started[w.oldest] = now
	w.oldest = (w.oldest + 1) % len(w.started)
	return 0
}

func (s *settings) checkBudgets() error {
	for _, b := range s.budgets {
		if _, err := operations(b.service, b.operation); err != nil {
			return fmt.Errorf("WithBudget: %w", err)
		}
	}
	return nil
}

// budget is what the request's operation may use.
func (q *call) budget() cloudlb.Budget {
	for _, b := range slices.Backward(q.set.budgets) {
		if (b.service == "" || b.service == q.service.name) && (b.operation == "" || q.op.named(b.operation)) {
			return b.budget
		}
	}
	if l := q.op.RateLimit; l != nil && !q.set.noBudgets {
		return cloudlb.Budget{Calls: l.Calls, Per: time.Duration(l.WindowS) * time.Second}
	}
	return cloudlb.Budget{}
}

// spend takes one call from the operation's budget.
func (q *call) spend() *fault {
	w := q.windows[q.op]
	if w == nil {
		w = &window{budget: q.budget()}
		q.windows[q.op] = w
	}
	if left := w.take(q.now); left > 0 {
		return q.throttled(w.budget, left)
	}
	return nil
}

// throttled is the vendor's error for too many requests. Huawei's gateway tells
// the policy in its message, which bounds the wait; here its time is the wait.
func (q *call) throttled(b cloudlb.Budget, wait time.Duration) *fault {
	limit := max(b.Calls, 1)
	if q.vendor == alibaba {
		if wait > 0 {
			q.header = http.Header{"X-Ratelimit-User-Api": {
				fmt.Sprintf("Limit:%d,Remain:0,TimeLeft:%d", limit, ceil(wait, time.Millisecond)),
			}}
		}
		return refusef(400, "Throttling.User", "Request was denied due to user flow control.")
	}
	code := "APIGW.0308"
	if q.service.name == "apig" {
		code = "APIG.0308"
	}
	policy := ""
	if wait > 0 {
		policy = fmt.Sprintf(": policy user over ratelimit,limit:%d,time:%d second", limit, ceil(wait, time.Second))
	}
	return refusef(429, code, "The throttling threshold has been reached%s", policy)
}

func ceil(d, unit time.Duration) int64 { return int64((d + unit - 1) / unit) }
