package rpc

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
		`{"Code":"Throttling.User","Message":"slow","RequestId":"R-1"}`, `{"code":404,"message":null,"requestid":["x"]}`,
		`<Error><Code>Throttling</Code><Message>a &amp; b</Message></Error>`, `<Error><Code></Message>`, `<html>`, "", "[]", "null", `{"Code":`, "\xff\xfe",
	} {
		f.Add(400, "application/json", "7", "Limit:1,Remain:0,TimeLeft:2000", []byte(body))
	}
	f.Add(503, "text/html; charset=\xff", "Fri, 31 Dec 2099 23:59:59 GMT", "TimeLeft:99999999999999999999,,:", []byte("<Error><Error>"))
	f.Fuzz(func(t *testing.T, status int, contentType, retryAfter, rateLimit string, body []byte) {
		h := http.Header{
			"Content-Type": {contentType}, "Retry-After": {retryAfter},
			"X-Ratelimit-User-Api": {rateLimit}, "X-Ratelimit-User": {rateLimit},
		}
		before := string(body)
		fault := Family{Version: "2020-06-16"}.DecodeError(status, h, body)
		if string(body) != before {
			t.Error("the body was changed")
		}
		if n := len(fault.Code) + len(fault.Message) + len(fault.RequestID); n > 3*len(body)+512 {
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
