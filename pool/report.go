package pool

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb/pool/driver"
)

// What can keep a change from ending as planned, for errors.Is, beside the
// errors of the service (cloudlb.ErrBusy, ...) and of the context.
var (
	// ErrMinInService: the next change would leave too few members in service.
	ErrMinInService = errors.New("too few members in service")
	// ErrNotInService: members did not come into service in time.
	ErrNotInService = errors.New("not in service")
	// ErrNotVisible: a change was accepted, and the pool does not show it.
	ErrNotVisible = errors.New("accepted, but not visible")
	// ErrDrift: the pool is not as planned, because somebody else changed it.
	ErrDrift = errors.New("changed by somebody else")
	// ErrLockLost: another process may have the turn now.
	ErrLockLost = errors.New("lock lost")
)

// Report is what became of each member.
type Report struct {
	// Pool is "service/region/ID".
	Pool string `json:"pool"`
	// Entries are the members that were to be changed or kept.
	Entries []Entry `json:"entries,omitempty"`
	// Drift is what others did meanwhile.
	Drift []Drift `json:"drift,omitempty"`
	// Calls counts the calls that were to change something.
	Calls int           `json:"calls"`
	Took  time.Duration `json:"took_ns"`
}

// Entry is what became of one member.
type Entry struct {
	Key     Key     `json:"key"`
	Action  Action  `json:"action"`
	Outcome Outcome `json:"outcome"`
	// RequestID is the service's name for the last call that was about it.
	RequestID string `json:"request_id,omitempty"`
	// Err says why it is not Done.
	Err error `json:"-"`
}

// Outcome is how the change of a member ended, by what the pool shows.
type Outcome string

// The outcomes.
const (
	// Done: the change was made, and the pool shows it.
	Done Outcome = "done"
	// Unchanged: the member was that way before.
	Unchanged Outcome = "unchanged"
	// Incomplete: the change was begun and is not complete; Err says why. A
	// member that was drained and not removed is such a one.
	Incomplete Outcome = "failed"
	// Unclear: a call was sent and its effect was not seen, because the context
	// ended first. Doing it again finds out.
	Unclear Outcome = "unclear"
	// NotAttempted: nothing was sent for this member.
	NotAttempted Outcome = "not attempted"
)

// MarshalJSON has the error as a text.
func (e Entry) MarshalJSON() ([]byte, error) {
	type plain Entry
	out := struct {
		plain
		Error string `json:"error,omitempty"`
	}{plain: plain(e)}
	if e.Err != nil {
		out.Error = e.Err.Error()
	}
	return json.Marshal(out)
}

// Drift is a difference between plan and pool that somebody else made.
type Drift struct {
	Key Key `json:"key"`
	// What says what is different: "gone", "weight 5, not 100", "appeared".
	What string `json:"what"`
}

// String is the drift in words.
func (d Drift) String() string { return d.Key.String() + " " + d.What }

// Count counts the members with an outcome.
func (r *Report) Count(o Outcome) int {
	n := 0
	for i := range r.Entries {
		if r.Entries[i].Outcome == o {
			n++
		}
	}
	return n
}

// Unchanged reports whether everything was as wanted before: nothing was sent. A
// report without members says nothing.
func (r *Report) Unchanged() bool {
	return len(r.Entries) > 0 && r.Calls == 0 && r.Count(Unchanged) == len(r.Entries)
}

// String is the report in words: a summary, then what is not well, a line each.
func (r *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", r.Pool)
	parts := make([]string, 0, 5)
	for _, o := range []Outcome{Done, Unchanged, Incomplete, Unclear, NotAttempted} {
		if n := r.Count(o); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, o))
		}
	}
	if len(parts) == 0 {
		parts = append(parts, "nothing to do")
	}
	fmt.Fprintf(&b, "%s, %s\n", strings.Join(parts, ", "), count(r.Calls, "call"))
	for i, e := range r.Entries {
		if e.Outcome == Done || e.Outcome == Unchanged || i > 0 && e.like(r.Entries[i-1]) {
			continue
		}
		keys := []Key{e.Key}
		for _, next := range r.Entries[i+1:] {
			if !next.like(e) {
				break
			}
			keys = append(keys, next.Key)
		}
		fmt.Fprintf(&b, "! %s %s: %s", e.Action, keyList(keys), e.Outcome)
		if e.Err != nil {
			fmt.Fprintf(&b, ": %v", e.Err)
		}
		b.WriteByte('\n')
	}
	for _, d := range r.Drift {
		fmt.Fprintf(&b, "! %s: %v\n", d, ErrDrift)
	}
	return b.String()
}

// like reports whether two members ended the same way, for the same reason.
func (e Entry) like(other Entry) bool {
	return e.Action == other.Action && e.Outcome == other.Outcome && (e.Err == nil) == (other.Err == nil) &&
		(e.Err == nil || e.Err.Error() == other.Err.Error())
}

// ledger is a report on its way.
type ledger struct {
	Report
	byKey map[Key]int
	begun map[Key]bool // something was sent
	blind map[Key]bool // ... and neither its effect was seen nor that it has none
}

func newLedger(pool string, lines []Line) *ledger {
	l := &ledger{Report: Report{Pool: pool}, byKey: make(map[Key]int, len(lines)), begun: make(map[Key]bool), blind: make(map[Key]bool)}
	for _, line := range lines {
		if line.Action != ActionForeign {
			l.byKey[line.Key] = len(l.Entries)
			l.Entries = append(l.Entries, Entry{Key: line.Key, Action: line.Action, Outcome: NotAttempted})
		}
	}
	return l
}

// sent notes a call; failed notes why a member is not changed.
func (l *ledger) sent(specs []Spec, requestID string) {
	for _, s := range specs {
		l.begun[s.Key], l.blind[s.Key] = true, true
		if i, ok := l.byKey[s.Key]; ok && requestID != "" {
			l.Entries[i].RequestID = requestID
		}
	}
}

func (l *ledger) failed(k Key, err error) {
	if i, ok := l.byKey[k]; ok && l.Entries[i].Err == nil {
		l.Entries[i].Err = err
	}
}

// settled notes that it is known what became of a call.
func (l *ledger) settled(keys []Key) {
	for _, k := range keys {
		delete(l.blind, k)
	}
}

// close works out how each member ended, by what the pool shows, and what
// others did. failed is the error that stopped the run, if one did. It returns
// ErrDrift if others undid something.
func (l *ledger) close(plan *Plan, seen *snapshot, failed error) error {
	undone := false
	known := make(map[Key]bool, len(plan.Lines))
	for _, line := range plan.Lines {
		m, err := seen.find(line.Key)
		if m != nil && m.Phase == driver.Leaving {
			m = nil
		}
		if m != nil {
			known[m.Key] = true
		}
		i, ok := l.byKey[line.Key]
		if !ok {
			continue
		}
		e := &l.Entries[i]
		there, what := asPlanned(line, m)
		if several, ok := errors.AsType[*ambiguousError](err); ok {
			there, what = false, "several members"
			for _, m := range several.found {
				known[m.Key] = true
			}
		}
		switch {
		case there && l.begun[line.Key]:
			e.Outcome, e.Err = Done, nil
		case there:
			e.Outcome, e.Err = Unchanged, nil
		case l.blind[line.Key]:
			e.Outcome = Unclear
			if e.Err == nil {
				e.Err = failed
			}
		case e.Err != nil && (l.begun[line.Key] || errors.Is(e.Err, ErrDrift)):
			e.Outcome = Incomplete
		case e.Err != nil: // nothing was sent for it, and Err says why
		case failed != nil && line.Action != ActionKeep:
			if l.begun[line.Key] {
				e.Outcome, e.Err = Incomplete, failed
			}
		default:
			e.Outcome, e.Err = Incomplete, fmt.Errorf("%w: it is %s", ErrDrift, what)
			l.Drift = append(l.Drift, Drift{Key: line.Key, What: what})
			undone = true
		}
	}
	for _, m := range seen.members {
		if !plan.Partial && !known[m.Key] && m.Phase != driver.Leaving {
			l.Drift = append(l.Drift, Drift{Key: m.Key, What: "appeared"})
		}
	}
	if undone {
		return fmt.Errorf("%w: %s", ErrDrift, l.Drift[0])
	}
	return nil
}

// asPlanned reports whether a member is as its line says; what says what is
// different. m is nil if it is not there.
func asPlanned(line Line, m *Member) (there bool, what string) {
	switch {
	case line.Action == ActionRemove && m == nil:
		return true, ""
	case line.Action == ActionRemove:
		return false, "there again"
	case m == nil:
		return false, "gone"
	case m.Phase == driver.Joining && line.Action == ActionAdd:
		return false, "still joining"
	case line.To != nil && *line.To != m.Weight:
		return false, fmt.Sprintf("at weight %d, not %d", m.Weight, *line.To)
	default:
		return true, ""
	}
}

// Failed returns the entries that did not end well.
func (r *Report) Failed() []Entry {
	return slices.DeleteFunc(slices.Clone(r.Entries), func(e Entry) bool { return e.Outcome == Done || e.Outcome == Unchanged })
}
