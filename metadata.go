package cloudlb

// Metadata says how a successful call went. Every response embeds it.
type Metadata struct {
	// RequestID is the service's own name for the call; support asks for it.
	RequestID string
	// StatusCode is the HTTP status of the answer.
	StatusCode int
	// Attempts counts the requests that were sent, 1 when the first succeeded.
	Attempts int
	// ClientToken is the idempotency token that all attempts carried; empty for
	// operations without one. Send the same request with it again to ask for
	// the outcome of this very call.
	ClientToken string
	// DryRun is set when the call was a dry run that the service passed: the
	// request is good and nothing was changed.
	DryRun bool
}
