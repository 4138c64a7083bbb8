package wire

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// RetryAfter reads the standard wait hint: seconds or a date.
func RetryAfter(h http.Header) time.Duration {
	value := h.Get("Retry-After")
	if value == "" {
		return 0
	}
	if n, err := strconv.ParseInt(value, 10, 32); err == nil {
		return time.Duration(max(n, 0)) * time.Second
	}
	at, err := http.ParseTime(value)
	if err != nil {
		return 0
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		return max(at.Sub(date), 0) // both by the service's clock
	}
	return max(time.Until(at), 0)
}

// Text is a text of an error reply. Services write some as numbers; what is
// neither is left out.
func Text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	default:
		return ""
	}
}

// ForeignText describes an error body that no service wrote.
func ForeignText(h http.Header, body []byte) string {
	const most = 200
	if len(body) == 0 {
		return ""
	}
	s := string(body[:min(len(body), most)])
	s = strings.Join(strings.Fields(strings.ToValidUTF8(s, "?")), " ")
	if len(body) > most {
		s += "..."
	}
	contentType := h.Get("Content-Type")
	if contentType == "" {
		contentType = "without content type"
	}
	contentType = contentType[:min(len(contentType), 64)]
	return fmt.Sprintf("the answer is not the service's JSON (%s): %s", contentType, s)
}
