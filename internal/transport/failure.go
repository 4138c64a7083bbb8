package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"

	"github.com/cloudlb/cloudlb"
)

func (call *Call) notSent(err error, doing string) *cloudlb.Error {
	e := call.newError(cloudlb.ClassUnknown, cloudlb.OutcomeNotSent)
	err = withoutURL(err)
	if cause := context.Cause(call.ctx); cause != nil && !errors.Is(err, cause) {
		err = fmt.Errorf("%w: %w", err, cause)
	}
	e.Err = fmt.Errorf("%s: %w", doing, err)
	return e
}

// ended is the error when a context has ended the attempt, else nil.
func (call *Call) ended(ctx, attemptCtx context.Context) *cloudlb.Error {
	outcome := cloudlb.OutcomeUnknown
	if call.trace.neverConnected() {
		outcome = cloudlb.OutcomeNotSent
	}
	if ctx.Err() != nil {
		e := call.newError(cloudlb.ClassUnknown, outcome)
		e.Err = contextError(ctx)
		return e
	}
	if attemptCtx.Err() != nil {
		e := call.newError(cloudlb.ClassUnavailable, outcome)
		e.Err = fmt.Errorf("no complete answer within %s", call.policy.AttemptTimeout)
		return e
	}
	return nil
}

// contextError is ctx's error with its cause, if it has one of its own.
func contextError(ctx context.Context) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); cause != nil && !errors.Is(err, cause) && !errors.Is(cause, err) {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}

// networkError says what a failed round trip proves.
func (call *Call) networkError(ctx, attemptCtx context.Context, err error) *cloudlb.Error {
	if e := call.ended(ctx, attemptCtx); e != nil {
		return e
	}
	e := call.newError(cloudlb.ClassUnavailable, cloudlb.OutcomeUnknown)
	e.Err = withoutURL(err)
	if neverSent(err) || call.trace.neverConnected() {
		e.Outcome = cloudlb.OutcomeNotSent
	}
	switch {
	case isPlaintext(err):
		e.Class = cloudlb.ClassInvalid
		e.Hint = "the server does not speak TLS on this port: check the Endpoint"
	case isCertificateError(err):
		e.Class = cloudlb.ClassInvalid
		e.Hint = "the server's certificate is not trusted: for a private CA or a TLS proxy set Config.HTTPClient"
	}
	return e
}

// neverSent reports errors that arise before a request can be written.
func neverSent(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "dial" || op.Op == "proxyconnect") {
		return true
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return true
	}
	return isPlaintext(err) || isCertificateError(err)
}

func isPlaintext(err error) bool {
	_, ok := errors.AsType[tls.RecordHeaderError](err)
	return ok
}

func isCertificateError(err error) bool {
	if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return true
	}
	_, ok := errors.AsType[x509.HostnameError](err)
	return ok
}

// withoutURL takes the URLs out of an error's text: the query names resources
// and, on other people's clients, carries signatures.
func withoutURL(err error) error {
	for {
		u, ok := errors.AsType[*url.Error](err)
		if !ok || u.Err == nil {
			return err
		}
		err = u.Err
	}
}
