package transport

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"reflect"

	"github.com/cloudlb/cloudlb"
)

// reply reads and decodes a successful answer.
func (call *Call) reply(ctx, attemptCtx context.Context, resp *http.Response) *cloudlb.Error {
	requestID := call.client.service.Family.RequestID(resp.Header)
	broken := func(format string, args ...any) *cloudlb.Error {
		e := call.newError(cloudlb.ClassUnavailable, cloudlb.OutcomeUnknown)
		e.StatusCode, e.RequestID = resp.StatusCode, requestID
		e.Err = fmt.Errorf(format, args...)
		return e
	}
	a := answerPool.Get().(*answer)
	defer a.release()
	if err := a.readReply(resp); err != nil {
		if ended := call.ended(ctx, attemptCtx); ended != nil {
			ended.StatusCode, ended.RequestID = resp.StatusCode, requestID
			return ended
		}
		return broken("reading the reply: %w", withoutURL(err))
	}
	call.meta.RequestID, call.meta.StatusCode = requestID, resp.StatusCode
	switch text := bytes.TrimSpace(a.b); {
	case len(text) == 0 && call.op.NoReply:
		return nil
	case isMarkup(resp.Header):
		return broken("the reply is %s, not JSON: is the endpoint %s right, or does a proxy answer?", resp.Header.Get("Content-Type"), call.client.host)
	case len(text) == 0:
		return broken("the reply is empty, where the service answers JSON")
	case call.op.NoReply && text[0] != '<':
		return nil
	case call.op.Idempotency != Read && isEmptyObject(text):
		return broken("the reply to a change is an empty object, where the service says what it did")
	case text[0] != '{':
		return broken("the reply is not a JSON object: is the endpoint %s right, or does a proxy answer?", call.client.host)
	}
	if err := call.client.service.Decode(a.b, call.out); err != nil {
		reflect.ValueOf(call.out).Elem().SetZero() // half a reply is none
		return broken("the reply is not what the service documents: %w", err)
	}
	if call.missing != nil {
		if field := call.missing(); field != "" {
			reflect.ValueOf(call.out).Elem().SetZero()
			return broken("the reply has no %s", field)
		}
	}
	return nil
}

// refusal reads and classifies an answer that is not a success.
func (call *Call) refusal(resp *http.Response) *cloudlb.Error {
	if resp.StatusCode >= 300 && resp.StatusCode < 400 || resp.StatusCode < 200 {
		e := call.newError(cloudlb.ClassInvalid, cloudlb.OutcomeRejected)
		e.StatusCode = resp.StatusCode
		e.Message = "the answer is a redirect, which is not followed with a signed request"
		if u, err := resp.Location(); err == nil {
			e.Message = "the answer is a redirect to " + u.Scheme + "://" + u.Host + ", which is not followed with a signed request"
		}
		e.Hint = "check the Endpoint and the proxy"
		return e
	}
	a := answerPool.Get().(*answer)
	defer a.release()
	cut := a.readError(resp)
	e, action := call.errorReply(resp.StatusCode, resp.Header, a.b)
	if cut && e.Code == "" {
		e.Class = cloudlb.ClassUnavailable // which error it was is lost: the network failed
	}
	call.action = action
	switch action {
	case DryRunPassed:
		*call.meta = cloudlb.Metadata{RequestID: e.RequestID, StatusCode: resp.StatusCode, DryRun: true}
		return nil
	case FixClock:
		if call.clockFixed || !call.client.clock.correct(resp.Header, call.signedAt) {
			call.action = NoAction
		}
	default:
	}
	return e
}

func isEmptyObject(text []byte) bool {
	return len(text) >= 2 && text[0] == '{' && len(bytes.TrimSpace(text[1:])) == 1
}
