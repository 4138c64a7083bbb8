package pool

import (
	"fmt"
	"strings"
	"time"
)

// Event says what a method is doing. There is one type for all of them.
type Event struct {
	Time time.Time
	// Pool is "service/region/ID"; empty for events of a whole Fleet.
	Pool string
	// Method is what was called: "Apply", "Rollout", "Drain", ...
	Method string
	Kind   EventKind
	// Message is one line for people.
	Message string
	// Members are those it is about.
	Members []Key
	// Done of Total steps, members or pools are finished; Total is 0 when it
	// does not count. Left is how long the rest takes at least, 0 if unknown.
	Done, Total int
	Left        time.Duration
	// Err is set by Failed and, where there is one, by Noticed.
	Err error
}

// EventKind is what kind of thing has happened.
type EventKind string

// The kinds of events.
const (
	Started  EventKind = "started"  // a method, or a part of it, has begun
	Changed  EventKind = "changed"  // a change was made and carried out
	Waiting  EventKind = "waiting"  // it waits: for health, for a drain, for a bake
	Noticed  EventKind = "noticed"  // something that nobody asked for: drift, a lost reply
	Finished EventKind = "finished" // a method, or a part of it, has ended well
	Failed   EventKind = "failed"   // ... or badly: Err
)

// String is the event in one line, without the time.
func (e Event) String() string {
	var b strings.Builder
	if e.Pool != "" {
		b.WriteString(e.Pool)
		b.WriteByte(' ')
	}
	b.WriteString(e.Method)
	if e.Total > 0 {
		fmt.Fprintf(&b, " %d/%d", e.Done, e.Total)
	}
	b.WriteString(": ")
	b.WriteString(e.Message)
	if len(e.Members) > 0 {
		b.WriteString(": ")
		b.WriteString(keyList(e.Members))
	}
	if left := e.Left.Round(time.Second); left > 0 {
		fmt.Fprintf(&b, " (%s left)", left)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// keyList names some keys and counts the rest.
func keyList(keys []Key) string {
	const most = 5
	var b strings.Builder
	for i, k := range keys {
		if i == most {
			fmt.Fprintf(&b, " and %d more", len(keys)-most)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(k.String())
	}
	return b.String()
}
