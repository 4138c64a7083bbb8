package cloudlb_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
)

const (
	busy         = cloudlb.ClassBusy
	throttled    = cloudlb.ClassThrottled
	unavailable  = cloudlb.ClassUnavailable
	rejected     = cloudlb.OutcomeRejected
	unknown      = cloudlb.OutcomeUnknown
	notSent      = cloudlb.OutcomeNotSent
	redirectPage = "<html><head><title>Sign in</title></head><body>Sign in</body></html>"
)

var errRefused = &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connect: connection refused")}

// TestFinal is every answer that must not be repeated, with what it means.
func TestFinal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		op      operation
		answer  step
		class   cloudlb.Class
		outcome cloudlb.Outcome
		hint    string
	}{
		// Without a token nothing is repeated that may have been carried out.
		{"500", slbAdd, aliError(500, "InternalError", "We have some problems."), unavailable, unknown, "read the resource back"},
		{"500 HTML", slbAdd, answers(500, "<html>oops</html>", "Content-Type", "text/html"), unavailable, unknown, "read the resource back"},
		{"500 empty", elbCreate, answers(500, ""), unavailable, unknown, "read the resource back"},
		{"502", slbAdd, answers(502, "bad gateway", "Content-Type", "text/plain"), unavailable, unknown, "read the resource back"},
		{"503", slbAdd, aliError(503, "ServiceUnavailable", "The request has failed due to a temporary failure of the server."), unavailable, unknown, "read the resource back"},
		{"503 with a wait", slbAdd, aliError(503, "ServiceUnavailable", "busy", "Retry-After", "1"), unavailable, unknown, "read the resource back"},
		{"504", elbCreate, huaweiError(504, "APIGW.0201", "Backend timeout."), unavailable, unknown, "read the resource back"},
		{"reset", slbAdd, fails(errReset), unavailable, unknown, "read the resource back"},
		{"truncated", slbAdd, answers(200, `{"RequestId":"REQ`), unavailable, unknown, "read the resource back"},
		{"HTML with 200", slbAdd, answers(200, redirectPage, "Content-Type", "text/html"), unavailable, unknown, "read the resource back"},
		{"empty 200", elbCreate, answers(200, ""), unavailable, unknown, "read the resource back"},
		{"APIG.9999 on create", apigCreate, huaweiError(500, "APIG.9999", "System error."), busy, unknown, "read the resource back"},
		{"nonce used", slbAdd, aliError(400, "SignatureNonceUsed", "The request signature nonce has been used."), unavailable, unknown, "read the resource back"},

		// The service said no.
		{"in the group", albAdd, aliError(409, "Conflict.BackendServer", "The server is already in the group."), cloudlb.ClassAlreadyExists, rejected, ""},
		{"duplicate member", elbCreate, huaweiError(409, "ELB.8907", "Member with address 192.0.2.10 and port 80 already exists."), cloudlb.ClassAlreadyExists, rejected, ""},
		{"ALB quota", albAdd, aliError(400, "QuotaExceeded.ServersNum", "full"), cloudlb.ClassQuota, rejected, ""},
		{"ALB resource quota", albAdd, aliError(400, "ResourceQuotaExceeded.ServerGroup", "full"), cloudlb.ClassQuota, rejected, ""},
		{"SLB too many", slbAdd, aliError(400, "TooManyBackendServers", "max supported number: 20"), cloudlb.ClassQuota, rejected, ""},
		{"SLB quota", slbAdd, aliError(400, "OverQuota", "over"), cloudlb.ClassQuota, rejected, ""},
		{"ELB quota", elbCreate, huaweiError(409, "ELB.8905", "Quota exceeded."), cloudlb.ClassQuota, rejected, ""},
		{"APIG quota", apigAdd, huaweiError(400, "APIG.3110", "The number of members exceeds the quota."), cloudlb.ClassQuota, rejected, ""},
		{"token mismatch", albAdd, aliError(400, "IdempotentParameterMismatch", "other parameters"), cloudlb.ClassTokenMismatch, rejected, "new client token"},
		{"RAM", albAdd, aliError(403, "Forbidden.RAM", "not authorized"), cloudlb.ClassDenied, rejected, ""},
		{"RAM with 400", slbAdd, aliError(400, "Forbidden.RAM", "not authorized"), cloudlb.ClassDenied, rejected, ""},
		{"NoPermission", albAdd, aliError(403, "NoPermission", "no"), cloudlb.ClassDenied, rejected, ""},
		{"Huawei denied", elbCreate, huaweiError(403, "APIGW.0302", "no"), cloudlb.ClassDenied, rejected, ""},
		{"unknown 409 on ALB", albAdd, aliError(409, "Conflict.Brandnew", "who knows"), cloudlb.ClassUnknown, rejected, ""},
		{"unknown 409 on SLB", slbAdd, aliError(409, "SomethingNew", "who knows"), cloudlb.ClassUnknown, rejected, ""},
		{"unknown 4xx", albRead, aliError(418, "Teapot", "short and stout"), cloudlb.ClassUnknown, rejected, ""},
		{"invalid", albAdd, aliError(400, "IllegalParam.Port", "no"), cloudlb.ClassInvalid, rejected, ""},
		{"subnet trap", slbAdd, aliError(400, "ServiceUnavailable", "The vpc subnet is not exist."), cloudlb.ClassInvalid, rejected, ""},
		{"name trap", slbAdd, aliError(503, "ServiceUnavailable", "The specified loadbalancer name has been used."), cloudlb.ClassAlreadyExists, rejected, ""},
		{"no such group", albAdd, aliError(404, "ResourceNotFound.ServerGroup", "gone"), cloudlb.ClassNotFound, rejected, ""},
		{"no such channel", apigAdd, huaweiError(404, "APIG.3023", "gone"), cloudlb.ClassNotFound, rejected, ""},
		{"no such member", elbDelete, huaweiError(404, "ELB.8904", "gone"), cloudlb.ClassNotFound, rejected, ""},
		{"wrong signature", albAdd, aliError(400, "SignatureDoesNotMatch", "no"), cloudlb.ClassUnauthenticated, rejected, ""},
		{"wrong key", slbAdd, aliError(404, "InvalidAccessKeyId.NotFound", "no"), cloudlb.ClassUnauthenticated, rejected, ""},
		{"expired keys, no others", albAdd, aliError(400, "InvalidSecurityToken.Expired", "no"), cloudlb.ClassUnauthenticated, rejected, ""},
		{"clock without Date", albAdd, aliError(400, "InvalidTimeStamp.Expired", "no"), cloudlb.ClassUnauthenticated, rejected, ""},
		{"Huawei signature without skew", elbCreate, huaweiError(401, "APIGW.0301", "Incorrect IAM authentication information"), cloudlb.ClassUnauthenticated, rejected, ""},

		// What a proxy or a wrong host says, says nothing about the resource.
		{"HTML 404", elbDelete, answers(404, "<html>404</html>", "Content-Type", "text/html"), cloudlb.ClassUnknown, rejected, ""},
		{"empty 404", albAdd, answers(404, ""), cloudlb.ClassUnknown, rejected, ""},
		{"other JSON 404", apigAdd, answers(404, `{"status":404,"path":"/v2"}`), cloudlb.ClassUnknown, rejected, ""},
		{"wrong API", elbDelete, huaweiError(404, "APIGW.0101", "The API does not exist"), cloudlb.ClassInvalid, rejected, ""},
		{"HTML 200 on delete", elbDelete, answers(200, redirectPage, "Content-Type", "text/html"), unavailable, unknown, ""},
		{"unlabelled HTML 200 on delete", apigDelete, answers(200, redirectPage, "Content-Type", ""), unavailable, unknown, ""},
	} {
		t.Run(c.op.name+"/"+c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t, c.answer)
				cfg := testConfig(s)
				if c.op.name == elbDelete.name || c.op.name == apigDelete.name {
					cfg.Retry.MaxAttempts = 1 // naturally idempotent: only the classification is tested
				}
				start := time.Now()
				_, err := c.op.bind(t, cfg)(t.Context())
				e := failure(t, err)
				if diff := cmp.Diff(verdict{c.class, c.outcome, 1}, verdictOf(e)); diff != "" {
					t.Errorf("(-want +got):\n%s\n%v", diff, err)
				}
				if !strings.Contains(e.Hint, c.hint) {
					t.Errorf("hint %q does not say %q", e.Hint, c.hint)
				}
				if d := time.Since(start); d != 0 {
					t.Errorf("it took %s", d)
				}
			})
		})
	}
}

// TestRepeated is every answer after which the call is made again, up to
// success: with the same client token, and a signature of its own.
func TestRepeated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		op     operation
		answer step
	}{
		// A client token makes any repeat harmless.
		{"500", albAdd, aliError(500, "InternalError", "oops")},
		{"502 HTML", albAdd, answers(502, "<html>", "Content-Type", "text/html")},
		{"503", albAdd, aliError(503, "ServiceUnavailable", "later")},
		{"504", albAdd, answers(504, "")},
		{"reset", albAdd, fails(errReset)},
		{"truncated", albAdd, answers(200, `{"JobId":"job-1","RequestId":"RE`)},
		{"HTML with 200", albAdd, answers(200, redirectPage, "Content-Type", "text/html")},
		{"HTML with 200 and no label", albAdd, answers(200, redirectPage, "Content-Type", "")},
		{"empty 200", albAdd, answers(200, "")},
		{"blank 200", albAdd, answers(200, " \r\n ")},
		{"null", albAdd, answers(200, "null")},
		{"array", albAdd, answers(200, "[]")},
		{"text", albAdd, answers(200, `"ok"`)},
		{"no JobId", albAdd, answers(200, `{"RequestId":"REQ-1"}`)},
		{"no RequestId", albAdd, answers(200, `{"JobId":"job-1"}`)},
		{"wrong type", albAdd, answers(200, `{"JobId":{"a":1},"RequestId":"REQ-1"}`)},
		{"nonce used", albAdd, aliError(400, "SignatureNonceUsed", "used")},
		{"in progress", albAdd, aliError(400, "IdempotenceProcessing", "the first still runs")},

		// So does reading.
		{"500", albRead, aliError(500, "InternalError", "oops")},
		{"500", elbRead, huaweiError(500, "APIGW.0201", "oops")},
		{"nonce used", slbRead, aliError(400, "SignatureNonceUsed", "used")},
		{"reset", slbRead, fails(errReset)},

		// And what leads to the same state again.
		{"500", slbSet, aliError(500, "InternalError", "oops")},
		{"nonce used", slbSet, aliError(400, "SignatureNonceUsed", "used")},
		{"reset", elbBatch, fails(errReset)},
		{"500", elbDelete, huaweiError(500, "ELB.9999", "oops")},
		{"APIG.9999", apigAdd, huaweiError(500, "APIG.9999", "System error.")},
		{"APIG.3500", apigAdd, huaweiError(500, "APIG.3500", "version clash")},

		// Proof that nothing was carried out serves every operation.
		{"refused", slbAdd, fails(errRefused)},
		{"refused", elbCreate, fails(errRefused)},
		{"no such host", apigCreate, fails(&net.DNSError{Err: "no such host", Name: "service.invalid", IsNotFound: true})},
		{"throttled", albAdd, aliError(400, "Throttling.User", "Request was denied due to user flow control.")},
		{"throttled", slbAdd, aliError(400, "Throttling", "Request was denied due to request throttling.")},
		{"throttled API", slbAdd, aliError(503, "Throttling.Api", "later")},
		{"rejected", slbAdd, aliError(400, "Rejected.Throttling", "later")},
		{"gateway throttled", elbCreate, huaweiError(429, "APIGW.0308", "The throttling threshold has been reached: policy user over ratelimit,limit:60,time:1 second")},
		{"gateway throttled", apigCreate, huaweiError(429, "APIG.0308", "throttled, limit:200,time:1 minute")},
		{"429 without a body", elbCreate, answers(429, "")},
		{"429 HTML", slbAdd, answers(429, "<html>slow down</html>", "Content-Type", "text/html")},

		// Busy is every service's own word.
		{"group changing", albAdd, aliError(400, "IncorrectStatus.ServerGroup", "The status of the server group is incorrect.")},
		{"SystemBusy 400", albAdd, aliError(400, "SystemBusy", "The system is busy.")},
		{"SystemBusy 400", slbAdd, aliError(400, "SystemBusy", "The system is busy.")},
		{"SystemBusy 449", slbAdd, aliError(449, "SystemBusy", "The system is busy.")},
		{"configuring", slbAdd, aliError(409, "BackendServer.configuring", "A previous configuration of the load balancer is pending; please try again later.")},
		{"group processing", slbAdd, aliError(400, "VServerGroupProcessing", "wait")},
		{"service configuring", slbAdd, aliError(400, "ServiceIsConfiguring", "wait")},
		{"stopping", slbAdd, aliError(409, "ServiceIsStopping", "wait")},
		{"operation busy", slbAdd, aliError(400, "OperationBusy", "wait")},
		{"same request", slbAdd, aliError(400, "ProcessingSameRequest", "wait")},
		{"load balancer changing", elbCreate, huaweiError(409, "ELB.8907", "The load balancer is in PENDING_UPDATE state.")},
		{"any conflict", elbCreate, huaweiError(409, "ELB.0409", "not ACTIVE")},
		{"task running", apigCreate, huaweiError(409, "APIG.3718", "a task is running")},
	} {
		t.Run(c.op.name+"/"+c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t, c.answer, c.op.ok)
				cfg := testConfig(s)
				meta, err := c.op.bind(t, cfg)(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if meta.Attempts != 2 {
					t.Errorf("Metadata.Attempts is %d, want 2", meta.Attempts)
				}
				if sent := s.requests(); len(sent) == 2 {
					checkRepeat(t, sent[0], sent[1])
					if got := sent[1].param("ClientToken"); got != meta.ClientToken {
						t.Errorf("sent client token %q, Metadata has %q", got, meta.ClientToken)
					}
				}
			})
		})
	}
}

// checkRepeat checks that b repeats a: the same request under a signature of
// its own.
func checkRepeat(t *testing.T, a, b sentRequest) {
	t.Helper()
	if diff := cmp.Diff(a.url.String()+"\n"+a.body, b.url.String()+"\n"+b.body); diff != "" {
		t.Errorf("the repeat differs (-first +second):\n%s", diff)
	}
	for _, name := range []string{"X-Acs-Signature-Nonce", "Authorization"} {
		if a.header.Get(name) == b.header.Get(name) && b.at.Sub(a.at) >= time.Second && a.header.Get("X-Acs-Action")+name != "X-Acs-Signature-Nonce" {
			t.Errorf("both attempts carry %s %q", name, a.header.Get(name))
		}
	}
	if a.header.Get("X-Acs-Action") != "" && a.header.Get("X-Acs-Signature-Nonce") == b.header.Get("X-Acs-Signature-Nonce") {
		t.Error("the nonce was used twice")
	}
	for _, at := range []sentRequest{a, b} {
		for name, layout := range map[string]string{"X-Acs-Date": "2006-01-02T15:04:05Z", "X-Sdk-Date": "20060102T150405Z"} {
			if got := at.header.Get(name); got != "" && got != at.at.UTC().Format(layout) {
				t.Errorf("%s is %s at %s", name, got, at.at.UTC())
			}
		}
	}
	for name := range a.header {
		if got := b.header.Values(name); len(got) != 1 {
			t.Errorf("header %s of the repeat: %q", name, got)
		}
	}
}

// TestBusyTimeout: a busy resource is waited for, for five minutes or what the
// policy says, however many attempts that takes.
func TestBusyTimeout(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		policy   cloudlb.RetryPolicy
		op       operation
		answer   step
		outcome  cloudlb.Outcome
		most     time.Duration
		attempts [2]int
		hint     string
	}{
		{"default", cloudlb.RetryPolicy{}, albAdd, aliError(400, "IncorrectStatus.ServerGroup", "no"), rejected, 5 * time.Minute, [2]int{25, 100}, "5m0s"},
		{"half a minute", cloudlb.RetryPolicy{BusyTimeout: 30 * time.Second}, slbAdd, aliError(409, "BackendServer.configuring", "no"), rejected, 30 * time.Second, [2]int{5, 30}, "30s"},
		{"one attempt for failures", cloudlb.RetryPolicy{MaxAttempts: 1}, slbAdd, aliError(449, "SystemBusy", "no"), rejected, 5 * time.Minute, [2]int{25, 100}, "5m0s"},
		{"not at all", cloudlb.RetryPolicy{BusyTimeout: -1}, elbCreate, huaweiError(409, "ELB.8907", "PENDING_UPDATE"), rejected, 0, [2]int{1, 1}, "BusyTimeout"},
		{"NoRetry", cloudlb.NoRetry(), slbAdd, aliError(400, "VServerGroupProcessing", "no"), rejected, 0, [2]int{1, 1}, "BusyTimeout"},
		{"outcome unknown", cloudlb.RetryPolicy{}, apigAdd, huaweiError(500, "APIG.9999", "no"), unknown, 5 * time.Minute, [2]int{25, 100}, "5m0s"},
		{"in progress", cloudlb.RetryPolicy{}, albAdd, aliError(400, "IdempotenceProcessing", "no"), unknown, 5 * time.Minute, [2]int{25, 100}, "5m0s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t).then(c.answer)
				cfg := testConfig(s)
				cfg.Retry = c.policy
				start := time.Now()
				_, err := c.op.bind(t, cfg)(t.Context())
				e := failure(t, err)
				if e.Class != busy || e.Outcome != c.outcome || !errors.Is(err, cloudlb.ErrBusy) {
					t.Errorf("got %v, want busy and %v", err, c.outcome)
				}
				if !strings.Contains(err.Error(), c.hint) {
					t.Errorf("%v does not say %q", err, c.hint)
				}
				if got := time.Since(start); got > c.most || got < c.most {
					t.Errorf("gave up after %s, want %s", got, c.most)
				}
				sent := s.requests()
				if len(sent) < c.attempts[0] || len(sent) > c.attempts[1] || e.Attempts != len(sent) {
					t.Errorf("%d attempts, the error says %d, want %d to %d", len(sent), e.Attempts, c.attempts[0], c.attempts[1])
				}
				for i := range len(sent) - 1 {
					if gap := sent[i+1].at.Sub(sent[i].at); gap > 10*time.Second {
						t.Errorf("waited %s before attempt %d", gap, i+2)
					}
					if got, want := sent[i+1].param("ClientToken"), sent[0].param("ClientToken"); got != want {
						t.Errorf("attempt %d has client token %q, the first %q", i+2, got, want)
					}
				}
			})
		})
	}
}

// TestBusyIsNotCounted: attempts that met a busy resource leave MaxAttempts to
// the failures, and the back-off after a failure as short as it was.
func TestBusyIsNotCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var steps []step
		for range 10 {
			steps = append(steps, aliError(400, "IncorrectStatus.ServerGroup", "no"))
		}
		for range 3 {
			steps = append(steps, aliError(400, "Throttling.User", "no"))
		}
		s := newScript(t, append(steps, albAdd.ok)...)
		meta, err := albAdd.bind(t, testConfig(s))(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if meta.Attempts != 14 {
			t.Errorf("Attempts is %d, want 14", meta.Attempts)
		}
		sent := s.requests()
		if gap := sent[11].at.Sub(sent[10].at); gap > time.Second+time.Millisecond {
			t.Errorf("the first back-off after throttling was %s, want at most 1s", gap)
		}
	})
}

// TestMaxAttempts bounds what is repeated after failures.
func TestMaxAttempts(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		policy   cloudlb.RetryPolicy
		opts     []cloudlb.CallOption
		answer   step
		attempts int
		most     time.Duration
	}{
		{"default, unavailable", cloudlb.RetryPolicy{}, nil, aliError(503, "ServiceUnavailable", "no"), 4, 200*time.Millisecond + 400*time.Millisecond + 800*time.Millisecond + 3*time.Millisecond},
		{"default, throttled", cloudlb.RetryPolicy{}, nil, aliError(400, "Throttling", "no"), 4, 7*time.Second + 3*time.Millisecond},
		{"default, refused", cloudlb.RetryPolicy{}, nil, fails(errRefused), 4, 2 * time.Second},
		{"two", cloudlb.RetryPolicy{MaxAttempts: 2}, nil, fails(errReset), 2, time.Second},
		{"none", cloudlb.NoRetry(), nil, aliError(400, "Throttling", "no"), 1, 0},
		{"none for the call", cloudlb.RetryPolicy{}, []cloudlb.CallOption{cloudlb.WithRetry(cloudlb.NoRetry()), nil}, fails(errReset), 1, 0},
		{"more for the call", cloudlb.NoRetry(), []cloudlb.CallOption{cloudlb.WithRetry(cloudlb.RetryPolicy{MaxAttempts: 6})}, fails(errReset), 6, time.Minute},
		{"short delays", cloudlb.RetryPolicy{MaxAttempts: 20, MaxDelay: time.Second}, nil, fails(errReset), 20, 20 * time.Second},
		{"clock with NoRetry", cloudlb.NoRetry(), nil, aliError(400, "InvalidTimeStamp.Expired", "no", "Date", "Sun, 02 Jan 2000 00:00:00 GMT"), 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t).then(c.answer)
				cfg := testConfig(s)
				cfg.Retry = c.policy
				start := time.Now()
				_, err := albAdd.bind(t, cfg)(t.Context(), c.opts...)
				if e := failure(t, err); e.Attempts != c.attempts || s.count() != c.attempts {
					t.Errorf("%d attempts, the error says %d, want %d", s.count(), e.Attempts, c.attempts)
				}
				if got := time.Since(start); got > c.most {
					t.Errorf("took %s, want at most %s", got, c.most)
				}
			})
		})
	}
}

// TestWaitHints: the service's wait hint decides the pause, up to a cap.
func TestWaitHints(t *testing.T) {
	t.Parallel()
	const start2000 = "Sat, 01 Jan 2000 00:00:09 GMT" // nine seconds after virtual time begins
	for _, c := range []struct {
		name   string
		op     operation
		policy cloudlb.RetryPolicy
		answer step
		pause  time.Duration
		said   time.Duration
	}{
		{"seconds", albRead, cloudlb.RetryPolicy{}, answers(503, "", "Retry-After", "7"), 7 * time.Second, 7 * time.Second},
		{"date", albRead, cloudlb.RetryPolicy{}, answers(503, "", "Retry-After", start2000), 9 * time.Second, 9 * time.Second},
		{"date on the server's clock", albRead, cloudlb.RetryPolicy{}, answers(503, "", "Retry-After", "Sat, 01 Jan 2000 12:00:07 GMT", "Date", "Sat, 01 Jan 2000 12:00:02 GMT"), 5 * time.Second, 5 * time.Second},
		{"a day", albRead, cloudlb.RetryPolicy{}, answers(503, "", "Retry-After", "86400"), time.Minute, 24 * time.Hour},
		{"a day, higher cap", albRead, cloudlb.RetryPolicy{MaxDelay: 3 * time.Minute}, answers(503, "", "Retry-After", "86400"), 3 * time.Minute, 24 * time.Hour},
		{"a day, lower cap", albRead, cloudlb.RetryPolicy{MaxDelay: time.Second}, answers(503, "", "Retry-After", "86400"), time.Minute, 24 * time.Hour},
		{"throttled", slbAdd, cloudlb.RetryPolicy{}, aliError(400, "Throttling.User", "no", "X-Ratelimit-User-Api", "Limit:1,Remain:0,Time:1000,TimeLeft:2000"), 2 * time.Second, 2 * time.Second},
		{"throttled user", albAdd, cloudlb.RetryPolicy{}, aliError(400, "Throttling.User", "no", "X-Ratelimit-User", "Limit:1,Remain:0,TimeLeft:3500"), 3500 * time.Millisecond, 3500 * time.Millisecond},
		{"gateway window", apigAdd, cloudlb.RetryPolicy{}, huaweiError(429, "APIG.0308", "The throttling threshold has been reached: policy domain over ratelimit,limit:200,time:1 minute"), time.Minute, time.Minute},
		{"gateway window, seconds", elbCreate, cloudlb.RetryPolicy{}, huaweiError(429, "APIGW.0308", "over ratelimit, limit:60, time:3 second"), 3 * time.Second, 3 * time.Second},
		{"gateway window, long", elbCreate, cloudlb.RetryPolicy{}, huaweiError(429, "APIGW.0308", "policy user over ratelimit, limit:200, time:5 minute"), time.Minute, 5 * time.Minute},
		{"busy", slbAdd, cloudlb.RetryPolicy{}, aliError(449, "SystemBusy", "no", "Retry-After", "20"), 20 * time.Second, 20 * time.Second},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t, c.answer, c.op.ok)
				cfg := testConfig(s)
				cfg.Retry = c.policy
				var waits []cloudlb.Wait
				cfg.Hooks.Wait = func(_ context.Context, w cloudlb.Wait) { waits = append(waits, w) }
				if _, err := c.op.bind(t, cfg)(t.Context()); err != nil {
					t.Fatal(err)
				}
				sent := s.requests()
				if got := sent[1].at.Sub(sent[0].at); got != c.pause {
					t.Errorf("paused %s, want %s", got, c.pause)
				}
				if len(waits) != 1 || waits[0].Delay != c.pause || waits[0].Err.RetryAfter != c.said {
					t.Errorf("hook got %+v, want delay %s because of %s", waits, c.pause, c.said)
				}
			})
		})
	}
}

// TestUselessHints are wait hints that say nothing: the usual back-off applies.
func TestUselessHints(t *testing.T) {
	t.Parallel()
	for _, headers := range [][2]string{
		{"Retry-After", "soon"},
		{"Retry-After", "-5"},
		{"Retry-After", "0"},
		{"Retry-After", "99999999999999999999"},
		{"Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT"},
		{"X-Ratelimit-User-Api", "Limit:100,Remain:7,TimeLeft:50000"},
		{"X-Ratelimit-User-Api", "TimeLeft:-1"},
		{"X-Ratelimit-User-Api", "TimeLeft"},
		{"X-Ratelimit-User-Api", ",,:,"},
	} {
		t.Run(headers[0]+" "+headers[1], func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t, aliError(400, "Throttling", "no", headers[0], headers[1]), slbAdd.ok)
				start := time.Now()
				if _, err := slbAdd.bind(t, testConfig(s))(t.Context()); err != nil {
					t.Fatal(err)
				}
				if got := time.Since(start); got > time.Second+time.Millisecond {
					t.Errorf("paused %s", got)
				}
			})
		})
	}
}

// TestOverflowingWindow: a window that no Duration holds is no hint either.
func TestOverflowingWindow(t *testing.T) {
	t.Parallel()
	for _, window := range []string{"999999 day", "213504 day", "99999999999 hour"} {
		_, err := elbCreate.bind(t, once(newScript(t, huaweiError(429, "APIGW.0308", "limit:1,time:"+window))))(t.Context())
		if e := failure(t, err); e.Class != throttled || e.RetryAfter != 0 {
			t.Errorf("%s: wait %s, %v", window, e.RetryAfter, err)
		}
	}
}

// TestDeadlineBeforeHint: a wait that cannot end in time is not begun.
func TestDeadlineBeforeHint(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		op     operation
		answer step
		class  cloudlb.Class
		wait   string
	}{
		{"throttled", slbAdd, aliError(400, "Throttling.User", "no", "X-Ratelimit-User-Api", "Limit:1,Remain:0,TimeLeft:30000"), throttled, "30s"},
		{"Retry-After", albAdd, aliError(503, "ServiceUnavailable", "no", "Retry-After", "45"), unavailable, "45s"},
		{"gateway", apigAdd, huaweiError(429, "APIG.0308", "limit:200,time:1 minute"), throttled, "1m0s"},
		{"busy", slbAdd, aliError(449, "SystemBusy", "no", "Retry-After", "20"), busy, "20s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				s := newScript(t, c.answer)
				start := time.Now()
				_, err := c.op.bind(t, testConfig(s))(ctx)
				e := failure(t, err)
				if e.Class != c.class || e.Attempts != 1 {
					t.Errorf("got %v", err)
				}
				for _, want := range []string{c.wait, "deadline"} {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("%q does not say %q", err, want)
					}
				}
				if d := time.Since(start); d != 0 {
					t.Errorf("answered after %s, want at once", d)
				}
			})
		})
	}
}

// TestStickyOutcome: once an attempt may have been carried out, no later answer
// takes that back.
func TestStickyOutcome(t *testing.T) {
	t.Parallel()
	throttling := aliError(400, "Throttling.User", "no")
	for _, c := range []struct {
		name  string
		op    operation
		steps []step
		want  verdict
		hint  string
	}{
		{"reset, then throttled", albAdd, []step{fails(errReset), throttling, throttling, throttling}, verdict{throttled, unknown, 4}, "client token"},
		{"500, then refused", albAdd, []step{aliError(500, "InternalError", "no"), aliError(403, "Forbidden.RAM", "no")}, verdict{cloudlb.ClassDenied, unknown, 2}, "client token"},
		{"reset, then there already", elbBatch, []step{fails(errReset), huaweiError(409, "ELB.8907", "already exists")}, verdict{cloudlb.ClassAlreadyExists, unknown, 2}, "read the resource back"},
		{"reset, then unreachable", slbSet, []step{fails(errReset), fails(errRefused), fails(errRefused), fails(errRefused)}, verdict{unavailable, unknown, 4}, "read the resource back"},
		{"throttled, then reset", slbAdd, []step{throttling, fails(errReset)}, verdict{unavailable, unknown, 2}, "read the resource back"},
		{"unreachable throughout", slbAdd, []step{fails(errRefused), fails(errRefused), fails(errRefused), fails(errRefused)}, verdict{unavailable, notSent, 4}, ""},
		{"throttled throughout", slbAdd, []step{throttling, throttling, throttling, throttling}, verdict{throttled, rejected, 4}, "Limiter"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				_, err := c.op.bind(t, testConfig(newScript(t, c.steps...)))(t.Context())
				e := failure(t, err)
				if diff := cmp.Diff(c.want, verdictOf(e)); diff != "" {
					t.Errorf("(-want +got):\n%s\n%v", diff, err)
				}
				if !strings.Contains(e.Hint, c.hint) {
					t.Errorf("hint %q does not say %q", e.Hint, c.hint)
				}
			})
		})
	}
	t.Run("a deadline hides no unknown outcome", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			s := newScript(t, fails(errReset), aliError(503, "ServiceUnavailable", "no", "Retry-After", "30"))
			_, err := albAdd.bind(t, testConfig(s))(ctx)
			e := failure(t, err)
			if e.Outcome != unknown || e.ClientToken == "" || e.ClientToken != s.requests()[0].param("ClientToken") {
				t.Errorf("got %v with token %q", err, e.ClientToken)
			}
			for _, want := range []string{"deadline", "client token " + e.ClientToken} {
				if !strings.Contains(e.Hint, want) {
					t.Errorf("hint %q does not say %q", e.Hint, want)
				}
			}
		})
	})
}

// TestClockCorrection: a clock that is wrong is corrected once, for all later
// calls of the client.
func TestClockCorrection(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		op     operation
		answer func(status int, code, message string, headers ...string) step
		status int
		code   string
		header string
		layout string
	}{
		{"ahead", albAdd, aliError, 400, "InvalidTimeStamp.Expired", "X-Acs-Date", "2006-01-02T15:04:05Z"},
		{"no token", slbAdd, aliError, 400, "InvalidTimeStamp.Expired", "X-Acs-Date", "2006-01-02T15:04:05Z"},
		{"Huawei", elbCreate, huaweiError, 401, "APIGW.0301", "X-Sdk-Date", "20060102T150405Z"},
	} {
		for _, skew := range []time.Duration{37 * time.Minute, -26 * time.Hour} {
			t.Run(c.name+" "+skew.String(), func(t *testing.T) {
				t.Parallel()
				synctest.Test(t, func(t *testing.T) {
					right := time.Now().Add(skew)
					s := newScript(t, c.answer(c.status, c.code, "expired", "Date", right.UTC().Format(http.TimeFormat)), c.op.ok, c.op.ok)
					call := c.op.bind(t, testConfig(s))
					for i, attempts := range []int{2, 1} {
						meta, err := call(t.Context())
						if err != nil {
							t.Fatal(err)
						}
						if meta.Attempts != attempts {
							t.Errorf("call %d took %d attempts, want %d", i+1, meta.Attempts, attempts)
						}
					}
					for i, r := range s.requests() {
						want := r.at
						if i > 0 {
							want = want.Add(skew)
						}
						if got := r.header.Get(c.header); got != want.UTC().Format(c.layout) {
							t.Errorf("attempt %d is dated %s, want %s", i+1, got, want.UTC())
						}
					}
				})
			})
		}
		t.Run(c.name+" once", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				refuse := func(skew time.Duration) step {
					return c.answer(c.status, c.code, "expired", "Date", time.Now().Add(skew).UTC().Format(http.TimeFormat))
				}
				s := newScript(t, refuse(time.Hour), refuse(2*time.Hour))
				_, err := c.op.bind(t, testConfig(s))(t.Context())
				if diff := cmp.Diff(verdict{cloudlb.ClassUnauthenticated, rejected, 2}, verdictOf(failure(t, err))); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
		t.Run(c.name+" not without skew", func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t, c.answer(c.status, c.code, "expired", "Date", time.Now().Add(time.Minute).UTC().Format(http.TimeFormat)))
				_, err := c.op.bind(t, testConfig(s))(t.Context())
				if diff := cmp.Diff(verdict{cloudlb.ClassUnauthenticated, rejected, 1}, verdictOf(failure(t, err))); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestExpiredKeys: the call is repeated once, if the provider has other keys.
func TestExpiredKeys(t *testing.T) {
	t.Parallel()
	keys := func(id string, expires time.Time) cloudlb.Credentials {
		return cloudlb.Credentials{AccessKeyID: id, SecretAccessKey: "EXAMPLEsecret" + id, SecurityToken: "EXAMPLEtoken" + id, Expires: expires}
	}
	expired := aliError(400, "InvalidSecurityToken.Expired", "expired")
	for _, c := range []struct {
		name     string
		op       operation
		policy   cloudlb.RetryPolicy
		keys     func(n int) cloudlb.Credentials // the nth that the provider hands out
		steps    []step
		attempts int
		fails    bool
	}{
		{"rotated", slbAdd, cloudlb.RetryPolicy{}, func(n int) cloudlb.Credentials { return keys("key"+string(rune('A'+min(n, 2))), time.Time{}) }, []step{expired, slbAdd.ok}, 2, false},
		{"Huawei", elbCreate, cloudlb.RetryPolicy{}, func(n int) cloudlb.Credentials { return cloudlb.Credentials{Token: fmt.Sprint("token", min(n, 2))} }, []step{huaweiError(401, "APIGW.0307", "The token must be updated"), elbCreate.ok}, 2, false},
		{"new keys expired too", slbAdd, cloudlb.RetryPolicy{}, func(n int) cloudlb.Credentials { return keys(fmt.Sprint("key", n), time.Time{}) }, []step{expired, expired}, 2, true},
		{"same keys", slbAdd, cloudlb.RetryPolicy{}, func(int) cloudlb.Credentials { return keys("key", time.Time{}) }, []step{expired}, 1, true},
		{"same keys, later expiry", slbAdd, cloudlb.RetryPolicy{}, func(n int) cloudlb.Credentials {
			return keys("key", time.Now().Add(time.Duration(n)*time.Hour))
		}, []step{expired}, 1, true},
		{"NoRetry", slbAdd, cloudlb.NoRetry(), func(n int) cloudlb.Credentials { return keys(fmt.Sprint("key", n), time.Time{}) }, []step{expired}, 1, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := newScript(t, c.steps...)
				cfg := testConfig(s)
				cfg.Retry = c.policy
				n := 0
				var last cloudlb.Credentials
				cfg.Credentials = providerFunc(func(context.Context) (cloudlb.Credentials, error) {
					n++
					last = c.keys(n)
					return last, nil
				})
				_, err := c.op.bind(t, cfg)(t.Context())
				if (err != nil) != c.fails {
					t.Errorf("got error %v", err)
				}
				if c.fails && !errors.Is(err, cloudlb.ErrUnauthenticated) {
					t.Errorf("got %v, want ErrUnauthenticated", err)
				}
				sent := s.requests()
				if len(sent) != c.attempts {
					t.Fatalf("%d attempts, want %d", len(sent), c.attempts)
				}
				if c.fails {
					return
				}
				auth := sent[1].header.Get("Authorization") + sent[1].header.Get("X-Auth-Token")
				if key := last.AccessKeyID + last.Token; !strings.Contains(auth, key) {
					t.Errorf("the repeat was not signed with %s", key)
				}
			})
		})
	}
}

// refresher hands out the same keys until it is told that they are refused.
type refresher struct {
	mu      sync.Mutex
	current cloudlb.Credentials
	refused []string
}

func (r *refresher) Credentials(context.Context) (cloudlb.Credentials, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.current, nil
}

func (r *refresher) Refresh(_ context.Context, used cloudlb.Credentials) (cloudlb.Credentials, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refused = append(r.refused, used.AccessKeyID)
	r.current.AccessKeyID = "new"
	return r.current, nil
}

// TestRefusedKeys: a provider that remembers its keys is told which ones the
// service refused.
func TestRefusedKeys(t *testing.T) {
	t.Parallel()
	s := newScript(t, aliError(400, "InvalidSecurityToken.Expired", "expired"), slbAdd.ok)
	cfg := testConfig(s)
	provider := &refresher{current: cloudlb.Credentials{AccessKeyID: "old", SecretAccessKey: "secret", SecurityToken: "token"}}
	cfg.Credentials = provider
	meta, err := slbAdd.bind(t, cfg)(t.Context())
	if err != nil || meta.Attempts != 2 {
		t.Errorf("%+v, %v", meta, err)
	}
	if diff := cmp.Diff([]string{"old"}, provider.refused); diff != "" {
		t.Errorf("refused keys (-want +got):\n%s", diff)
	}
}

// TestRetryBudget: a storm of failing calls on one client is cut, and the
// budget comes back with time.
func TestRetryBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t).then(aliError(503, "ServiceUnavailable", "no"))
		cfg := testConfig(s)
		cfg.Retry.MaxAttempts = 10
		call := albRead.bind(t, cfg)
		const calls = 200
		start := time.Now()
		var wg sync.WaitGroup
		var mu sync.Mutex
		told := 0
		for range calls {
			wg.Go(func() {
				_, err := call(t.Context())
				if strings.Contains(failure(t, err).Hint, "budget") {
					mu.Lock()
					told++
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		retries := s.count() - calls
		if most := 100 + int(time.Since(start).Seconds()) + 1; retries > most {
			t.Errorf("%d retries in %s, want at most %d", retries, time.Since(start), most)
		}
		if retries < 50 {
			t.Errorf("only %d retries: the budget starts too small", retries)
		}
		if told < calls/2 {
			t.Errorf("only %d of %d errors say that the budget is used up", told, calls)
		}
		<-time.After(5 * time.Minute)
		before := s.count()
		_, err := call(t.Context())
		if got := s.count() - before; got != 10 {
			t.Errorf("after a while a call made %d attempts, want 10 again: %v", got, err)
		}
	})
}

// TestHooks: the hooks see every attempt and every pause, and what they keep
// does not change afterwards.
func TestHooks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newScript(t,
			aliError(400, "Throttling", "no", "Retry-After", "2"),
			func(r *http.Request) (*http.Response, error) {
				<-time.After(3 * time.Second)
				return fails(errReset)(r)
			},
			aliError(403, "Forbidden", "no"))
		cfg := testConfig(s)
		type seen struct {
			What    string
			Number  int
			Took    time.Duration
			Code    string
			Outcome cloudlb.Outcome
		}
		var got []seen
		var kept, texts []string
		var keptErrors []*cloudlb.Error
		cfg.Hooks = cloudlb.Hooks{
			Attempt: func(ctx context.Context, a cloudlb.Attempt) {
				if ctx != t.Context() || a.Service != "alb" || a.Operation != "AddServersToServerGroup" {
					t.Errorf("attempt of %s %s", a.Service, a.Operation)
				}
				got = append(got, seen{"attempt", a.Number, a.Duration, a.Err.Code, a.Err.Outcome})
				keptErrors = append(keptErrors, a.Err)
				kept = append(kept, fmt.Sprintf("%#v", *a.Err))
			},
			Wait: func(_ context.Context, w cloudlb.Wait) {
				if w.Service != "alb" || w.Operation != "AddServersToServerGroup" || w.Err == nil {
					t.Errorf("wait of %+v", w)
				}
				if w.Err.Code == "Throttling" {
					got = append(got, seen{"wait", 0, w.Delay, w.Err.Code, w.Err.Outcome})
				}
			},
		}
		_, err := albAdd.bind(t, cfg)(t.Context())
		want := []seen{
			{"attempt", 1, 0, "Throttling", rejected},
			{"wait", 0, 2 * time.Second, "Throttling", rejected},
			{"attempt", 2, 3 * time.Second, "", unknown},
			{"attempt", 3, 0, "Forbidden", rejected},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if e := failure(t, err); e.Outcome != unknown {
			t.Errorf("the call's outcome is %v, want unknown", e.Outcome)
		}
		for _, e := range keptErrors {
			texts = append(texts, fmt.Sprintf("%#v", *e))
		}
		if diff := cmp.Diff(kept, texts); diff != "" {
			t.Errorf("errors changed after the hook had them (-then +now):\n%s", diff)
		}
	})
}

// TestHooksOfSuccess: an attempt that succeeds has no error.
func TestHooksOfSuccess(t *testing.T) {
	t.Parallel()
	s := newScript(t, albAdd.ok)
	cfg := testConfig(s)
	var got []cloudlb.Attempt
	cfg.Hooks.Attempt = func(_ context.Context, a cloudlb.Attempt) { a.Duration = 0; got = append(got, a) }
	cfg.Hooks.Wait = func(context.Context, cloudlb.Wait) { t.Error("waited") }
	if _, err := albAdd.bind(t, cfg)(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []cloudlb.Attempt{{Service: "alb", Operation: "AddServersToServerGroup", Number: 1}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestClientTokens: a call's own token, the option's, or one of our own.
func TestClientTokens(t *testing.T) {
	t.Parallel()
	t.Run("automatic", func(t *testing.T) {
		t.Parallel()
		s := newScript(t, albAdd.ok, albAdd.ok)
		call := albAdd.bind(t, testConfig(s))
		var tokens []string
		for range 2 {
			meta, err := call(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			tokens = append(tokens, meta.ClientToken)
		}
		if len(tokens[0]) != 32 || tokens[0] == tokens[1] {
			t.Errorf("tokens %q", tokens)
		}
		for i, r := range s.requests() {
			if got := r.param("ClientToken"); got != tokens[i] {
				t.Errorf("sent %q, Metadata has %q", got, tokens[i])
			}
		}
	})
	t.Run("option", func(t *testing.T) {
		t.Parallel()
		s := newScript(t, aliError(409, "Conflict.BackendServer", "there"), albAdd.ok)
		call := albAdd.bind(t, testConfig(s))
		_, err := call(t.Context(), cloudlb.WithClientToken("deploy-42"))
		if e := failure(t, err); e.ClientToken != "deploy-42" {
			t.Errorf("the error has token %q", e.ClientToken)
		}
		meta, err := call(t.Context(), cloudlb.WithClientToken("deploy-43"))
		if err != nil || meta.ClientToken != "deploy-43" || s.requests()[1].param("ClientToken") != "deploy-43" {
			t.Errorf("Metadata %+v, error %v", meta, err)
		}
	})
	for _, token := range []string{strings.Repeat("x", 65), "with space", "tränen", "new\nline"} {
		t.Run(fmt.Sprintf("bad %.10q", token), func(t *testing.T) {
			t.Parallel()
			_, err := albAdd.bind(t, testConfig(newScript(t)))(t.Context(), cloudlb.WithClientToken(token))
			if e := failure(t, err); !errors.Is(err, cloudlb.ErrInvalid) || e.Outcome != notSent {
				t.Errorf("got %v", err)
			}
		})
	}
	for _, op := range []operation{albRead, slbAdd, elbBatch, apigCreate} {
		t.Run("none for "+op.name, func(t *testing.T) {
			t.Parallel()
			_, err := op.bind(t, testConfig(newScript(t)))(t.Context(), cloudlb.WithClientToken("deploy-42"))
			if e := failure(t, err); !errors.Is(err, cloudlb.ErrInvalid) || e.Outcome != notSent || !strings.Contains(err.Error(), "WithClientToken") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// TestMetadata of a success.
func TestMetadata(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		op    operation
		steps []step
		want  cloudlb.Metadata
	}{
		{slbAdd, []step{slbAdd.ok}, cloudlb.Metadata{RequestID: "REQ-OK", StatusCode: 200, Attempts: 1}},
		{slbAdd, []step{aliError(400, "Throttling", "no"), slbAdd.ok}, cloudlb.Metadata{RequestID: "REQ-OK", StatusCode: 200, Attempts: 2}},
		{elbBatch, []step{elbBatch.ok}, cloudlb.Metadata{RequestID: "req-ok", StatusCode: 201, Attempts: 1}},
		{elbDelete, []step{answers(204, "", "X-Request-Id", "req-header")}, cloudlb.Metadata{RequestID: "req-header", StatusCode: 204, Attempts: 1}},
		{apigDelete, []step{answers(204, "", "X-Request-Id", "req-header")}, cloudlb.Metadata{RequestID: "req-header", StatusCode: 204, Attempts: 1}},
		{apigAdd, []step{answers(201, `{"members":[]}`, "X-Request-Id", "req-header")}, cloudlb.Metadata{RequestID: "req-header", StatusCode: 201, Attempts: 1}},
	} {
		t.Run(fmt.Sprint(c.op.name, len(c.steps)), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				meta, err := c.op.bind(t, testConfig(newScript(t, c.steps...)))(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(c.want, meta); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// TestDryRun: a passed dry run is a success, a failed one an error.
func TestDryRun(t *testing.T) {
	t.Parallel()
	s := newScript(t, aliError(400, "DryRunOperation", "Request validation has been passed with DryRun flag set."), aliError(400, "IllegalParam.Port", "no"))
	call := albDryRun.bind(t, testConfig(s))
	meta, err := call(t.Context(), cloudlb.WithClientToken("dry-1"))
	if err != nil {
		t.Fatal(err)
	}
	want := cloudlb.Metadata{RequestID: "REQ-DryRunOperation", StatusCode: 400, Attempts: 1, ClientToken: "dry-1", DryRun: true}
	if diff := cmp.Diff(want, meta); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := call(t.Context()); !errors.Is(err, cloudlb.ErrInvalid) {
		t.Errorf("a refused dry run: %v", err)
	}
}
