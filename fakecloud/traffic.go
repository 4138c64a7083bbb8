package fakecloud

import (
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strings"
	"time"
)

// Traffic is a stream of requests that users send to one server group, vServer
// group, pool or channel, from the moment that Cloud.Traffic made it. Nothing
// runs: what would have happened until now is worked out when somebody looks.
// The same calls at the same times give the same numbers.
//
// A request goes to the members that are in service at that moment, in turn, in
// the ratio of their weights (and those of their groups, on APIG), and is lost
//
//   - when no member is in service;
//   - when it goes to a member that the test said has Stopped: a load balancer
//     knows nothing of that until it is told;
//   - when it is still running (see WithRequestDuration) on a member that stops,
//     or whose draining time ends.
//
// In service are members of a weight above 0 (in a SOURCE_IP or QUIC_CID pool:
// of any weight) that are not unhealthy, disabled, or still being added. ALB
// servers enter and leave when the job of the change is done. An ALB group of
// which all are unhealthy sends to all of them.
//
// All methods are safe for concurrent use.
type Traffic struct {
	account *account
	target  string
	rate    uint64
	lasting time.Duration

	// Guarded by the Cloud's lock.
	start   time.Time
	at      time.Time // counted up to here
	ended   bool
	offered uint64
	members map[string]*trafficMember
	stopped map[string]bool
	ring    []*share
	down    time.Duration
	nowhere int
}

// trafficMember is one that was in the destination at some time.
type trafficMember struct {
	name    string
	aliases []string
	weight  int64
	in      bool // in service
	state   backendState
	counts  MemberTraffic
	running []time.Duration // when its requests end, from the start
}

// share is a member's part of the requests, smoothly distributed: weights of 5,
// 1, 1 give a, a, b, a, c, a, a.
type share struct {
	member          *trafficMember
	weight, current int64
}

// MemberTraffic is what became of the requests that one member got.
type MemberTraffic struct {
	// Requests counts all that were sent to it.
	Requests int
	// Stopped counts those of them that were sent while it was stopped.
	Stopped int
	// Cut counts those of them that were running when it stopped, or when the
	// time for draining was over.
	Cut int
}

// TrafficReport is what became of all requests so far.
type TrafficReport struct {
	// Offered counts the requests.
	Offered int
	// Nowhere counts those for which no member was in service, and Down is for
	// how long that was so.
	Nowhere int
	Down    time.Duration
	// Stopped and Cut are the sums over the members.
	Stopped int
	Cut     int
	// Members is by name: "i-1:80", of ELB and APIG "10.0.0.1:80".
	Members map[string]MemberTraffic
}

// Lost counts the requests that had no good answer.
func (r TrafficReport) Lost() int { return r.Nowhere + r.Stopped + r.Cut }

// String is the report in one line, for the message of a failed test.
func (r TrafficReport) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d requests, %d lost: %d with no member in service (%s), %d sent to stopped members, %d cut;",
		r.Offered, r.Lost(), r.Nowhere, r.Down, r.Stopped, r.Cut)
	for _, name := range sortedKeys(r.Members) {
		m := r.Members[name]
		fmt.Fprintf(&b, " %s got %d", name, m.Requests)
		if m.Stopped+m.Cut > 0 {
			fmt.Fprintf(&b, " and lost %d", m.Stopped+m.Cut)
		}
	}
	return b.String()
}

// TrafficOption changes a Traffic.
type TrafficOption func(*Traffic)

// WithRequestDuration sets how long each request, or connection, runs on its
// member: no time by default.
func WithRequestDuration(d time.Duration) TrafficOption {
	return func(t *Traffic) { t.lasting = max(d, 0) }
}

// Traffic offers requests to what has the ID target in the account, a group, pool,
// channel, or the classic SLB load balancer whose default group is meant, evenly,
// at a rate per second, from now on. A target that does not exist, or no longer, has no
// members.
func (c *account) Traffic(target string, perSecond int, opts ...TrafficOption) *Traffic {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	t := &Traffic{
		account: c, target: target, rate: uint64(max(perSecond, 0)), start: now, at: now,
		members: make(map[string]*trafficMember), stopped: make(map[string]bool),
	}
	for _, opt := range opts {
		opt(t)
	}
	t.enter(c.destination(target, now))
	c.flows = append(c.flows, t)
	return t
}

// Stopped says that the process on a member has stopped, which the load
// balancer does not notice. A member has the name of a report, or its server,
// instance or member ID, or its address; without a port, all its ports are
// meant.
func (t *Traffic) Stopped(member string) {
	defer t.catchUp()()
	t.stopped[member] = true
	for _, m := range t.members {
		if m.called(member) {
			m.counts.Cut += len(m.running)
			m.running = nil
		}
	}
}

// Started says that a member that was Stopped, under the same name, runs again.
func (t *Traffic) Started(member string) {
	defer t.catchUp()()
	delete(t.stopped, member)
}

// End ends the stream; what is running then comes to a good end.
func (t *Traffic) End() {
	defer t.catchUp()()
	t.ended = true
	t.account.flows = slices.DeleteFunc(t.account.flows, func(x *Traffic) bool { return x == t })
}

// Lost counts the requests so far that had no good answer. "No request was
// lost" is Lost() == 0, as long as Report says that some were Offered.
func (t *Traffic) Lost() int { return t.Report().Lost() }

// Report says what became of the requests so far.
func (t *Traffic) Report() TrafficReport {
	defer t.catchUp()()
	r := TrafficReport{Offered: int(t.offered), Nowhere: t.nowhere, Down: t.down, Members: make(map[string]MemberTraffic)}
	for name, m := range t.members {
		r.Members[name] = m.counts
		r.Stopped += m.counts.Stopped
		r.Cut += m.counts.Cut
	}
	return r
}

// catchUp takes the Cloud's lock and counts up to now. It returns what gives
// the lock back.
func (t *Traffic) catchUp() (unlock func()) {
	t.account.mu.Lock()
	if now := time.Now(); !t.ended {
		t.advance(now)
		t.enter(t.account.destination(t.target, t.at))
	}
	return t.account.mu.Unlock
}

// flow counts all traffic up to now. It is called, with the lock held, before
// anything changes what is behind the load balancers.
func (c *core) flow(now time.Time) {
	for _, t := range c.flows {
		t.advance(now)
	}
}

// flowNow is flow for changes that are no requests.
func (c *core) flowNow() { c.flow(time.Now()) }

// advance counts up to now, one stretch without a change at a time.
func (t *Traffic) advance(now time.Time) {
	for t.at.Before(now) {
		d := t.account.destination(t.target, t.at)
		t.enter(d)
		until := now
		if d.next.After(t.at) && d.next.Before(now) {
			until = d.next
		}
		t.send(until)
		t.at = until
	}
}

// enter takes note of what the destination is like from t.at on.
func (t *Traffic) enter(d destination) {
	present := make(map[*trafficMember]bool, len(d.backends))
	var ready, backup, failed []*trafficMember
	for _, b := range d.backends {
		m := t.members[b.name]
		if m == nil {
			m = &trafficMember{name: b.name}
			t.members[b.name] = m
		}
		present[m] = true
		m.aliases, m.weight, m.state = b.aliases, b.weight, b.state
		if d.even {
			m.weight = 1
		}
		if m.state == replacing {
			m.state = waiting
			if m.in || t.at.Equal(t.start) {
				m.state = serving
			}
		}
		switch {
		case m.weight <= 0 || m.state == waiting:
		case m.state == failing:
			failed = append(failed, m)
		case b.backup:
			backup = append(backup, m)
		default:
			ready = append(ready, m)
		}
	}
	if len(ready) == 0 {
		ready = backup
	}
	if len(ready) == 0 && d.open {
		ready = failed
	}
	for _, m := range t.members {
		was := m.in
		m.in = present[m] && (m.state == serving || m.state == failing && slices.Contains(ready, m)) && (m.weight > 0 || !d.drainZero)
		if was && !m.in && d.drain >= 0 {
			t.cut(m, t.at.Add(d.drain))
		}
	}
	if !slices.EqualFunc(t.ring, ready, func(s *share, m *trafficMember) bool { return s.member == m && s.weight == m.weight }) {
		t.ring = make([]*share, len(ready))
		for i, m := range ready {
			t.ring[i] = &share{member: m, weight: m.weight}
		}
	}
}

// cut ends the member's requests that run beyond a point in time.
func (t *Traffic) cut(m *trafficMember, end time.Time) {
	limit := end.Sub(t.start)
	before := len(m.running)
	m.running = slices.DeleteFunc(m.running, func(e time.Duration) bool { return e > limit })
	m.counts.Cut += before - len(m.running)
}

// send distributes the requests from t.at until a point in time.
func (t *Traffic) send(until time.Time) {
	end := until.Sub(t.start)
	// Only those that are still running at the end need a time of their own.
	total, bulk := t.before(end), t.before(end-t.lasting)
	bulk = max(bulk, t.offered)
	if len(t.ring) == 0 {
		t.nowhere += int(total - t.offered)
		t.down += until.Sub(t.at)
	} else {
		t.bulk(bulk - t.offered)
		for k := bulk; k < total; k++ {
			m := t.turn()
			if t.count(m, 1) {
				m.running = append(m.running, t.moment(k)+t.lasting)
			}
		}
	}
	t.offered = total
	for _, m := range t.members {
		done := 0
		for done < len(m.running) && m.running[done] <= end {
			done++
		}
		m.running = m.running[done:]
	}
}

// before counts the requests of the time before an offset from the start; the
// first one is at 0.
func (t *Traffic) before(offset time.Duration) uint64 {
	if offset <= 0 {
		return 0
	}
	hi, lo := bits.Mul64(uint64(offset), t.rate)
	lo, carry := bits.Add64(lo, uint64(time.Second)-1, 0)
	n, _ := bits.Div64(hi+carry, lo, uint64(time.Second))
	return n
}

// moment is when the request k is sent.
func (t *Traffic) moment(k uint64) time.Duration {
	hi, lo := bits.Mul64(k, uint64(time.Second))
	at, _ := bits.Div64(hi, lo, t.rate)
	return time.Duration(at)
}

// bulk distributes n requests: whole rounds at once, the rest in turn.
func (t *Traffic) bulk(n uint64) {
	var round uint64
	for _, s := range t.ring {
		round += uint64(s.weight)
	}
	if rounds := n / round; rounds > 0 {
		for _, s := range t.ring {
			t.count(s.member, int(rounds)*int(s.weight))
		}
		n -= rounds * round
	}
	for range n {
		t.count(t.turn(), 1)
	}
}

// turn is whose turn it is.
func (t *Traffic) turn() *trafficMember {
	var total int64
	next := t.ring[0]
	for _, s := range t.ring {
		total += s.weight
		s.current += s.weight
		if s.current > next.current {
			next = s
		}
	}
	next.current -= total
	return next.member
}

// count sends n requests to a member and reports whether it is running.
func (t *Traffic) count(m *trafficMember, n int) bool {
	m.counts.Requests += n
	for name := range maps.Keys(t.stopped) {
		if m.called(name) {
			m.counts.Stopped += n
			return false
		}
	}
	return true
}

func (m *trafficMember) called(name string) bool {
	return m.name == name || slices.Contains(m.aliases, name)
}
