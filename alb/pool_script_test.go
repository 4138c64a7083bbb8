package alb_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
)

// reply is what a service answers.
func reply(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// script answers by operation, or by operation and listener; what it does not
// know is not found.
type script map[string]string

func (s script) RoundTrip(r *http.Request) (*http.Response, error) {
	operation := strings.Join(r.Header["x-acs-action"], "") + r.Header.Get("X-Acs-Action")
	status, text := http.StatusOK, s[strings.TrimSpace(operation+" "+r.URL.Query().Get("ListenerId"))]
	if text == "" {
		status, text = http.StatusNotFound, `{"Code":"ResourceNotFound.Listener","Message":"gone","RequestId":"r"}`
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(text)), Request: r,
	}, nil
}

func scripted(t *testing.T, replies map[string]string) *alb.Client {
	t.Helper()
	lb, err := alb.New(cloudlb.Config{
		Region: "cn-hangzhou", Credentials: cloudlb.StaticCredentials("id", "secret", ""),
		HTTPClient: &http.Client{Transport: script(replies)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return lb
}
