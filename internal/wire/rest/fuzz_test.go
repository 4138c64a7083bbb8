package rest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cloudlb/cloudlb"
)

// FuzzDecodeError: whatever a server answers, reading it ends in a Fault of
// bounded size.
func FuzzDecodeError(f *testing.F) {
	for _, body := range []string{
		`{"error_code":"ELB.8907","error_msg":"PENDING_UPDATE","request_id":"r-1"}`, `{"code":"APIG.2012","message":"no"}`,
		`{"error":{"code":404,"message":"gone"}}`, `{"fault":{"error":{"Error":{}}}}`, `{"error_code":1e300,"error_msg":{}}`,
		`{"error_msg":"over ratelimit,limit:200,time:1 minute"}`, `{"error_msg":"limit:1,time:99999 day"}`, "<html>", "", "[]", "null", `{"error":`, "\xff\xfe",
	} {
		f.Add(429, "application/json", "7", "r-header", []byte(body))
	}
	f.Add(503, "text/html; charset=\xff", "Fri, 31 Dec 2099 23:59:59 GMT", "", []byte(strings.Repeat(`{"error":`, 20)))
	f.Fuzz(func(t *testing.T, status int, contentType, retryAfter, requestID string, body []byte) {
		h := http.Header{"Content-Type": {contentType}, "Retry-After": {retryAfter}, "X-Request-Id": {requestID}}
		before := string(body)
		fault := Family{}.DecodeError(status, h, body)
		if string(body) != before {
			t.Error("the body was changed")
		}
		if n := len(fault.Code) + len(fault.Message) + len(fault.RequestID); n > 3*len(body)+len(requestID)+1024 {
			t.Errorf("%d bytes of text from a body of %d", n, len(body))
		}
		if fault.RetryAfter < 0 {
			t.Errorf("a wait of %s", fault.RetryAfter)
		}
		e := cloudlb.Error{Operation: "Op", Code: fault.Code, Message: fault.Message, RequestID: fault.RequestID, RetryAfter: fault.RetryAfter}
		if text := e.Error(); len(text) > 4096 || strings.ContainsAny(text, "\r\n\u0085\u2028") {
			t.Errorf("the error is %q", text)
		}
	})
}
