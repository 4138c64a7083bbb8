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
	fixed   bool        // it is filled up at once, not call by call
	started []time.Time // a ring once it is full
	oldest  int
	ring    bool // the last call took the place of the one at was
	was     time.Time
}

// take starts a call, or returns how long until one may start.
func (w *window) take(now time.Time) time.Duration {
	if w.budget.Calls <= 0 || w.budget.Per <= 0 {
		return 0
	}
	if w.fixed && len(w.started) > 0 && now.Sub(w.started[0]) >= w.budget.Per {
		w.started, w.oldest = w.started[:0], 0
	}
	if len(w.started) < w.budget.Calls {
		w.started, w.ring = append(w.started, now), false
		return 0
	}
	if left := w.started[w.oldest].Add(w.budget.Per).Sub(now); left > 0 {
		return left
	}
	w.was, w.ring = w.started[w.oldest], true
	w.started[w.oldest] = now
	w.oldest = (w.oldest + 1) % len(w.started)
	return 0
}

// giveBack takes the last call back.
func (w *window) giveBack() {
	switch {
	case w.budget.Calls <= 0 || w.budget.Per <= 0:
	case w.ring:
		w.oldest = (w.oldest + len(w.started) - 1) % len(w.started)
		w.started[w.oldest] = w.was
	default:
		w.started = w.started[:len(w.started)-1]
	}
}

// left is how many calls may start now, and when there will be another.
func (w *window) left(now time.Time) (calls int, next time.Duration) {
	calls = w.budget.Calls
	for _, at := range w.started {
		if used := at.Add(w.budget.Per).Sub(now); used > 0 {
			calls--
			if next == 0 || used < next {
				next = used
			}
		}
	}
	return calls, next
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

// window is the use of the budget of the request's operation.
func (q *call) window() *window {
	w := q.windows[q.op]
	if w == nil {
		w = &window{budget: q.budget(), fixed: !q.set.assumes(BudgetsSlide)}
		q.windows[q.op] = w
	}
	return w
}

// spend takes one call from the operation's budget.
func (q *call) spend() *fault {
	w := q.window()
	if left := w.take(q.now); left > 0 {
		return q.throttled(w.budget, left)
	}
	q.spent = true
	if q.vendor == alibaba && w.budget.Calls > 0 && !q.set.assumes(RateLimitOnlyOver) {
		remain, next := w.left(q.now)
		q.rateLimit(w.budget.Calls, remain, next)
	}
	return nil
}

// rateLimit adds Alibaba's header about the budget to the answer.
func (q *call) rateLimit(limit, remain int, left time.Duration) {
	text := fmt.Sprintf("Limit:%d,Remain:%d,TimeLeft:%d", limit, remain, ceil(left, time.Millisecond))
	if !q.set.assumes(RateLimitWithoutReset) {
		text += fmt.Sprintf(",Reset:%d", q.now.Add(left).UnixMilli())
	}
	q.header = http.Header{"X-Ratelimit-User-Api": {text}}
}

// throttled is the vendor's error for too many requests. Huawei's gateway tells
// the policy in its message.
func (q *call) throttled(b cloudlb.Budget, wait time.Duration) *fault {
	limit := max(b.Calls, 1)
	if q.vendor == alibaba {
		if wait > 0 {
			q.rateLimit(limit, 0, wait)
		}
		return refusef(400, "Throttling.User", "Request was denied due to user flow control.")
	}
	code := "APIGW.0308"
	if q.service.name == "apig" {
		code = "APIG.0308"
	}
	if wait > 0 && b.Per > 0 && !q.set.assumes(HuaweiThrottlingTellsWait) {
		wait = b.Per
	}
	policy := ""
	if wait > 0 {
		policy = fmt.Sprintf(": policy user over ratelimit,limit:%d,time:%d second", limit, ceil(wait, time.Second))
	}
	return refusef(429, code, "The throttling threshold has been reached%s", policy)
}

func ceil(d, unit time.Duration) int64 { return int64((d + unit - 1) / unit) }
