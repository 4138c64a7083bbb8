package rest

import (
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/transport"
	"github.com/cloudlb/cloudlb/internal/wire"
	"github.com/cloudlb/cloudlb/signer"
)

// Family is the wire family of Huawei Cloud's services.
type Family struct{}

// Prepare implements transport.Family.
func (Family) Prepare(h transport.Header, _ *transport.Operation, r *transport.Request) {
	contentType := r.ContentType
	if contentType == "" {
		contentType = "application/json"
	}
	h.Set("Content-Type", contentType)
	if r.Project != "" {
		h.Set("X-Project-Id", r.Project)
	}
}

// Sign implements transport.Family: an IAM token replaces the signature.
func (Family) Sign(r *http.Request, body []byte, cred cloudlb.Credentials, at time.Time) error {
	if cred.Token != "" {
		r.Header["X-Auth-Token"] = []string{cred.Token}
		return nil
	}
	return signer.SDKHMAC{}.Sign(r, body, cred, at, "")
}

// RequestID implements transport.Family.
func (Family) RequestID(h http.Header) string { return h.Get("X-Request-Id") }

// DecodeError implements transport.Family. The services and the gateways in
// front of them use three shapes: error_code and error_msg, code and message,
// and either of them one level down.
func (Family) DecodeError(_ int, h http.Header, body []byte) transport.Fault {
	fault := transport.Fault{RequestID: h.Get("X-Request-Id"), RetryAfter: wire.RetryAfter(h)}
	var top map[string]any
	if wire.Decode(body, &top) != nil || !fill(&fault, top) {
		fault.Message = wire.ForeignText(h, body)
		return fault
	}
	fault.RetryAfter = max(fault.RetryAfter, window(fault.Message))
	return fault
}

func fill(f *transport.Fault, m map[string]any) bool {
	code, message := wire.Text(m["error_code"]), wire.Text(m["error_msg"])
	if code == "" && message == "" {
		code, message = wire.Text(m["code"]), wire.Text(m["message"])
	}
	if f.RequestID == "" {
		f.RequestID = wire.Text(m["request_id"])
	}
	if code != "" || message != "" {
		f.Code, f.Message = code, message
		return true
	}
	for _, name := range []string{"error", "fault", "Error"} {
		if inner, ok := m[name].(map[string]any); ok && fill(f, inner) {
			return true
		}
	}
	return false
}

// window reads the length of the gateway's throttling window from a message
// such as "..., limit:200,time:1 minute": the longest that a wait can take.
func window(message string) time.Duration {
	m := windowPattern().FindStringSubmatch(message)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		return 0
	}
	unit := time.Second
	switch m[2] {
	case "minute":
		unit = time.Minute
	case "hour":
		unit = time.Hour
	case "day":
		unit = 24 * time.Hour
	}
	return time.Duration(n) * unit
}

var windowPattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`limit:\s*\d+\s*,\s*time:\s*(\d{1,5})\s*(second|minute|hour|day)`)
})
