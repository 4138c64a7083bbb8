package transport

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/cloudlb/cloudlb"
)

// Action is what the transport does about an error beside its class's rule.
type Action uint8

// The actions, from spec/.
const (
	NoAction Action = iota
	// InProgress: the request with this client token is still running.
	InProgress
	// Resign: a new nonce is needed.
	Resign
	// FixClock: our clock may be wrong.
	FixClock
	// RefreshCredentials: the keys are out of date.
	RefreshCredentials
	// DryRunPassed: the error is the good answer to a dry run.
	DryRunPassed
)

// ErrorRow is a row of a generated error table.
type ErrorRow struct {
	Code     string   // exact, or a prefix when it ends in "*"
	Status   int      // 0: any
	Messages []string // lower case; the message contains one of them
	Class    cloudlb.Class
	Outcome  cloudlb.Outcome
	Action   Action
}

func (row *ErrorRow) matches(status int, code, lowerMessage string) bool {
	if row.Status != 0 && row.Status != status {
		return false
	}
	if prefix, ok := strings.CutSuffix(row.Code, "*"); ok {
		if !strings.HasPrefix(code, prefix) {
			return false
		}
	} else if row.Code != code {
		return false
	}
	if len(row.Messages) == 0 {
		return true
	}
	for _, m := range row.Messages {
		if strings.Contains(lowerMessage, m) {
			return true
		}
	}
	return false
}

// classify looks an error up. A code that no row knows is of unknown class;
// what the service refused below 500 it did not carry out.
func (s *Service) classify(status int, code, message string) (cloudlb.Class, cloudlb.Outcome, Action) {
	if status == http.StatusNotFound && code == "" {
		// Not the service's own answer: it must not pass for "already gone".
		return cloudlb.ClassUnknown, cloudlb.OutcomeRejected, NoAction
	}
	lower := strings.ToLower(message)
	for _, table := range s.Errors {
		for i := range table {
			if row := &table[i]; row.matches(status, code, lower) {
				return row.Class, row.Outcome, row.Action
			}
		}
	}
	switch {
	case status >= 500 && status != http.StatusNotImplemented:
		return cloudlb.ClassUnavailable, cloudlb.OutcomeUnknown, NoAction
	case status >= 300 && status < 500:
		return cloudlb.ClassUnknown, cloudlb.OutcomeRejected, NoAction
	default:
		return cloudlb.ClassUnknown, cloudlb.OutcomeUnknown, NoAction
	}
}

// Classify says what a code means that came in another way than an error reply,
// such as in a failed job.
func (c *Client) Classify(code, message string) cloudlb.Class {
	class, _, _ := c.service.classify(0, code, message)
	return class
}

// errorReply turns an error reply into an *Error and the action it asks for.
func (call *Call) errorReply(status int, h http.Header, body []byte) (*cloudlb.Error, Action) {
	s := &call.client.service
	f := s.Family.DecodeError(status, h, []byte(call.redact(string(body)))) // before anything is cut
	class, outcome, action := s.classify(status, f.Code, f.Message)
	e := call.newError(class, outcome)
	e.StatusCode = status
	e.Code = call.redact(f.Code)
	e.Message = call.redact(f.Message)
	e.RequestID = call.redact(f.RequestID)
	e.RetryAfter = f.RetryAfter
	if f.Code == "" && f.Message == "" {
		e.Message = http.StatusText(status)
	}
	return e, action
}

// redact removes the keys of this attempt and its signature from text that the
// service sent: some answers repeat what was signed.
func (call *Call) redact(s string) string {
	for _, secret := range []string{call.cred.SecretAccessKey, call.cred.SecurityToken, call.cred.Token, call.cred.AccessKeyID, call.signature} {
		if len(secret) >= 4 {
			s = strings.ReplaceAll(s, secret, "***")
			s = strings.ReplaceAll(s, url.QueryEscape(secret), "***")
		}
	}
	return s
}
