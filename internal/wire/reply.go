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
	if at, err := http.ParseTime(value); err == nil {
		return max(time.Until(at), 0)
	}
	return 0
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
	return fmt.Sprintf("the answer is not the service's JSON (%s): %s", contentType, s)
}
