package cloudlb

import (
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Class is what an error means for the caller, whatever the service calls it.
// It comes from the service's error table in spec/, as a function of service,
// status, code and message; never from the status alone.
type Class uint8

// The classes. Each has a sentinel of the same name for errors.Is.
const (
	// ClassUnknown is an error that says nothing usable: an undocumented code,
	// a broken reply, a cancelled context.
	ClassUnknown Class = iota
	// ClassNotFound: the named resource does not exist (any more).
	ClassNotFound
	// ClassAlreadyExists: the resource or member is there already.
	ClassAlreadyExists
	// ClassInvalid: the request cannot be carried out as it is, now or later.
	ClassInvalid
	// ClassDenied: the identity is known and may not do this.
	ClassDenied
	// ClassUnauthenticated: keys, token, signature or clock were refused.
	ClassUnauthenticated
	// ClassThrottled: too many calls; nothing was changed.
	ClassThrottled
	// ClassQuota: a limit of the account or the resource is reached.
	ClassQuota
	// ClassBusy: the resource is being changed by an earlier request.
	ClassBusy
	// ClassUnavailable: the service or the network failed.
	ClassUnavailable
	// ClassTokenMismatch: the client token was used before with other
	// parameters.
	ClassTokenMismatch
)

var classNames = [...]string{
	"unknown", "not found", "already exists", "invalid", "denied", "unauthenticated",
	"throttled", "quota exceeded", "busy", "unavailable", "client token mismatch",
}

func (c Class) String() string {
	if int(c) < len(classNames) {
		return classNames[c]
	}
	return "class " + strconv.Itoa(int(c))
}

// Outcome says whether a failed call may have changed anything. It is the
// first thing to look at before repeating a call by hand.
type Outcome uint8

const (
	// OutcomeUnknown means that the request was sent and no trustworthy answer
	// came back. The change may have been made: read the resource before
	// repeating.
	OutcomeUnknown Outcome = iota
	// OutcomeNotSent means that nothing reached the service.
	OutcomeNotSent
	// OutcomeRejected means that the service said no and changed nothing.
	OutcomeRejected
)

func (o Outcome) String() string {
	switch o {
	case OutcomeNotSent:
		return "not sent"
	case OutcomeRejected:
		return "rejected"
	default:
		return "outcome unknown"
	}
}

// Sentinels for errors.Is. An *Error matches the one of its Class.
var (
	ErrNotFound        = errors.New("not found")
	ErrAlreadyExists   = errors.New("already exists")
	ErrInvalid         = errors.New("invalid request")
	ErrDenied          = errors.New("permission denied")
	ErrUnauthenticated = errors.New("not authenticated")
	ErrThrottled       = errors.New("throttled")
	ErrQuota           = errors.New("quota exceeded")
	ErrBusy            = errors.New("resource busy")
	ErrUnavailable     = errors.New("service unavailable")
	ErrTokenMismatch   = errors.New("client token used with other parameters")
)

func (c Class) sentinel() error {
	switch c {
	case ClassNotFound:
		return ErrNotFound
	case ClassAlreadyExists:
		return ErrAlreadyExists
	case ClassInvalid:
		return ErrInvalid
	case ClassDenied:
		return ErrDenied
	case ClassUnauthenticated:
		return ErrUnauthenticated
	case ClassThrottled:
		return ErrThrottled
	case ClassQuota:
		return ErrQuota
	case ClassBusy:
		return ErrBusy
	case ClassUnavailable:
		return ErrUnavailable
	case ClassTokenMismatch:
		return ErrTokenMismatch
	default:
		return nil
	}
}

// Error is the one error type of every call. Get it with errors.As, or ask for
// its meaning with errors.Is and the sentinels (ErrBusy, ErrNotFound, ...).
type Error struct {
	// Service and Operation name the call: "alb", "AddServersToServerGroup".
	Service, Operation string
	// Code and Message are the service's own, empty when it sent none.
	Code, Message string
	// RequestID is the service's name for the last attempt.
	RequestID string
	// StatusCode is the HTTP status of the last answer, 0 when there was none.
	StatusCode int
	// Class is what the error means, Outcome whether anything can have changed.
	Class   Class
	Outcome Outcome
	// Attempts counts the requests that were sent.
	Attempts int
	// ClientToken is the idempotency token of the call, empty when it has none.
	// Repeating the same request with it cannot do the work twice.
	ClientToken string
	// RetryAfter is how long the service asked to wait, 0 when it did not say.
	RetryAfter time.Duration
	// Hint says what to do next where the class alone does not.
	Hint string
	// Err is the cause: a *ValidationError, a context's error, a network error.
	Err error
}

// Error implements error: one line, without secrets.
func (e *Error) Error() string {
	if e == nil {
		return "cloudlb: no error"
	}
	var b strings.Builder
	if e.Service != "" {
		b.WriteString(e.Service)
		b.WriteByte(' ')
	}
	b.WriteString(e.Operation)
	b.WriteString(": ")
	if e.Code != "" {
		b.WriteString(oneLine(e.Code))
		b.WriteString(": ")
	}
	switch {
	case e.Message != "" && e.Err != nil:
		b.WriteString(oneLine(e.Message))
		b.WriteString(": ")
		b.WriteString(oneLine(e.Err.Error()))
	case e.Message != "":
		b.WriteString(oneLine(e.Message))
	case e.Err != nil:
		b.WriteString(oneLine(e.Err.Error()))
	default:
		b.WriteString(e.Class.String())
	}
	fmt.Fprintf(&b, " (%s, %s", e.Class, e.Outcome)
	if e.StatusCode != 0 {
		fmt.Fprintf(&b, ", status %d", e.StatusCode)
	}
	if e.RequestID != "" {
		b.WriteString(", request ")
		b.WriteString(oneLine(e.RequestID))
	}
	if e.Attempts > 1 {
		fmt.Fprintf(&b, ", attempt %d", e.Attempts)
	}
	b.WriteByte(')')
	if e.Hint != "" {
		b.WriteString("; ")
		b.WriteString(oneLine(e.Hint))
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether target is the sentinel of e's class.
func (e *Error) Is(target error) bool {
	s := e.Class.sentinel()
	return s != nil && s == target
}

// LogValue implements slog.LogValuer: the error as attributes.
func (e *Error) LogValue() slog.Value {
	if e == nil {
		return slog.Value{}
	}
	attrs := []slog.Attr{
		slog.String("service", e.Service),
		slog.String("operation", e.Operation),
		slog.String("class", e.Class.String()),
		slog.String("outcome", e.Outcome.String()),
		slog.Int("attempts", e.Attempts),
	}
	for _, s := range []struct{ key, value string }{
		{"code", e.Code}, {"message", e.Message}, {"request_id", e.RequestID}, {"client_token", e.ClientToken}, {"hint", e.Hint},
	} {
		if s.value != "" {
			attrs = append(attrs, slog.String(s.key, oneLine(s.value)))
		}
	}
	if e.StatusCode != 0 {
		attrs = append(attrs, slog.Int("status", e.StatusCode))
	}
	if e.Err != nil {
		attrs = append(attrs, slog.String("error", oneLine(e.Err.Error())))
	}
	return slog.GroupValue(attrs...)
}

// ValidationError lists everything that is wrong with a request or a Config.
// Nothing was sent. It is found in the chain of an *Error of ClassInvalid.
type ValidationError struct {
	Problems []Problem
}

// Problem is one thing wrong with a request.
type Problem struct {
	// Field is the path in wire names, such as "Servers[3].Port"; indexes
	// count from 0.
	Field string
	// Message says what is wrong and what would be right.
	Message string
}

// Error implements error: one line with every problem.
func (e *ValidationError) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i > 0 {
			b.WriteString("; ")
		}
		if p.Field != "" {
			b.WriteString(p.Field)
			b.WriteByte(' ')
		}
		b.WriteString(p.Message)
	}
	return b.String()
}

// Is makes errors.Is(err, ErrInvalid) hold for a bare ValidationError.
func (e *ValidationError) Is(target error) bool { return target == ErrInvalid }

// oneLine keeps foreign text from breaking a log line or filling it.
func oneLine(s string) string {
	const most = 1024
	cut := false
	if len(s) > most {
		s, cut = strings.ToValidUTF8(s[:most], ""), true
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
	if cut {
		s += "..."
	}
	return strings.TrimSpace(s)
}
