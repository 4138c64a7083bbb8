package rpc

import (
	"bytes"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/transport"
	"github.com/cloudlb/cloudlb/internal/wire"
	"github.com/cloudlb/cloudlb/signer"
)

// Family is the wire family of one service.
type Family struct {
	Version string // of the API, "2020-06-16"
}

// Prepare implements transport.Family.
func (f Family) Prepare(h transport.Header, op *transport.Operation, r *transport.Request) {
	h.Set("Accept", "application/json")
	h.Set("X-Acs-Action", op.Action)
	h.Set("X-Acs-Version", f.Version)
	if r.ContentType != "" {
		h.Set("Content-Type", r.ContentType)
	}
}

// Sign implements transport.Family.
func (f Family) Sign(r *http.Request, body []byte, cred cloudlb.Credentials, at time.Time) error {
	if cred.Token != "" && cred.AccessKeyID == "" {
		return errors.New("an IAM token is for Huawei Cloud: Alibaba Cloud needs an access key")
	}
	cred.Token = ""
	return signer.ACS3{}.Sign(r, body, cred, at, transport.NewNonce())
}

// RequestID implements transport.Family: it stands in the body only.
func (f Family) RequestID(http.Header) string { return "" }

// DecodeError implements transport.Family.
func (f Family) DecodeError(_ int, h http.Header, body []byte) transport.Fault {
	fault := transport.Fault{RetryAfter: max(wire.RetryAfter(h), timeLeft(h.Get("X-Ratelimit-User-Api")), timeLeft(h.Get("X-Ratelimit-User")))}
	var e struct {
		Code      any `json:"Code"`
		Message   any `json:"Message"`
		RequestID any `json:"RequestId"`
	}
	if wire.DecodeLoose(body, &e) == nil {
		fault.Code, fault.Message, fault.RequestID = wire.Text(e.Code), wire.Text(e.Message), wire.Text(e.RequestID)
		if fault.Code != "" || fault.Message != "" || fault.RequestID != "" {
			return fault
		}
	}
	if bytes.Contains(body, []byte("<Error>")) {
		fault.Code, fault.Message, fault.RequestID = element(body, "Code"), element(body, "Message"), element(body, "RequestId")
		return fault
	}
	fault.Message = wire.ForeignText(h, body)
	return fault
}

// timeLeft reads the wait in a header such as "Limit:1,Remain:0,TimeLeft:2000":
// milliseconds until calls are allowed again.
func timeLeft(header string) time.Duration {
	var left time.Duration
	for part := range strings.SplitSeq(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), ":")
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 32)
		if err != nil || n < 0 {
			continue
		}
		switch name {
		case "Remain":
			if n > 0 {
				return 0
			}
		case "TimeLeft":
			left = time.Duration(n) * time.Millisecond
		}
	}
	return left
}

// element finds the text of an XML element; some gateways answer in XML.
func element(body []byte, name string) string {
	_, rest, ok := bytes.Cut(body, []byte("<"+name+">"))
	if !ok {
		return ""
	}
	text, _, ok := bytes.Cut(rest, []byte("</"+name+">"))
	if !ok {
		return ""
	}
	return strings.NewReplacer("&lt;", "<", "&gt;", ">", "&quot;", `"`, "&apos;", "'", "&#39;", "'", "&amp;", "&").Replace(string(text))
}
