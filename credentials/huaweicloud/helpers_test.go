package huaweicloud_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudlb/cloudlb"
)

const secret = "s3cr3t-s3cr3t-s3cr3t"

// inProcess answers requests by a handler in the caller's goroutine, also in
// virtual time. A context that ends meanwhile is the answer.
func inProcess(h http.Handler) *http.Client {
	return &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		return w.Result(), nil
	})}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// serve answers on loopback.
func serve(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

func keysJSON(ak, token string, expires time.Time) string {
	b, err := json.Marshal(map[string]any{"credential": map[string]string{
		"access": ak, "secret": secret, "securitytoken": token,
		"expires_at": expires.UTC().Format("2006-01-02T15:04:05.000000Z"),
	}})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// ecs is a metadata service. Its keys live for an hour; a request in the last
// half of it gets new ones.
type ecs struct {
	sessions bool // it wants session tokens

	mu      sync.Mutex
	session int
	number  int
	expires time.Time
	reads   int
}

func (e *ecs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case r.Method == http.MethodPut && r.URL.Path == "/meta-data/latest/api/token" && e.sessions:
		if r.Header.Get("X-Metadata-Token-Ttl-Seconds") != "21600" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		e.session++
		fmt.Fprintf(w, "session-%d\n", e.session)
	case r.Method != http.MethodGet || r.URL.Path != "/openstack/latest/securitykey":
		w.WriteHeader(http.StatusNotFound)
	case e.sessions && r.Header.Get("X-Metadata-Token") != fmt.Sprintf("session-%d", e.session):
		w.WriteHeader(http.StatusUnauthorized)
	default:
		e.reads++
		if now := time.Now(); e.expires.Sub(now) <= 30*time.Minute {
			e.number++
			e.expires = now.Add(time.Hour)
		}
		fmt.Fprint(w, keysJSON(fmt.Sprintf("AK%018d", e.number), fmt.Sprintf("token-%d", e.number), e.expires))
	}
}

// valid reports whether a key would be accepted now.
func (e *ecs) valid(ak string) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	current, last := fmt.Sprintf("AK%018d", e.number), fmt.Sprintf("AK%018d", e.number-1)
	// The last ones live for half an hour after their successors came.
	return ak == current && time.Now().Before(e.expires) || ak == last && time.Now().Before(e.expires.Add(-30*time.Minute))
}

func get(t *testing.T, p cloudlb.CredentialsProvider) cloudlb.Credentials {
	t.Helper()
	cred, err := p.Credentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return cred
}

// fails checks the error of a provider: its meaning, its text, that it is one
// line without secrets. It returns the text.
func fails(t *testing.T, p cloudlb.CredentialsProvider, is error, says ...string) string {
	t.Helper()
	cred, err := p.Credentials(t.Context())
	if err == nil || cred != (cloudlb.Credentials{}) {
		t.Fatalf("%v, error %v", cred, err)
	}
	if is != nil && !errors.Is(err, is) {
		t.Errorf("is not %v: %v", is, err)
	}
	if _, ok := errors.AsType[*cloudlb.Error](err); !ok || errors.Is(err, cloudlb.ErrNotFound) {
		t.Errorf("%T: %v", err, err)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%v\n\twant %q", err, s)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, secret) || strings.Contains(err.Error(), "\n") {
		t.Errorf("shows too much: %s", text)
	}
	return err.Error()
}

// clearEnv hides the variables of the machine that runs the test.
func clearEnv(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AK", "SK", "SECURITY_TOKEN", "PROJECT_ID", "DOMAIN_ID", "IDP_ID", "ID_TOKEN_FILE", "CREDENTIALS_FILE"} {
		t.Setenv("HUAWEICLOUD_SDK_"+name, "")
	}
	t.Setenv("HC_CONTAINER_CREDENTIALS_FULL_URI", "")
	t.Setenv("HC_CONTAINER_AUTHORIZATION_TOKEN_FILE", "")
	t.Setenv("HOME", t.TempDir())
	t.Setenv("USERPROFILE", t.TempDir())
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// providerFunc is a source of a test's own.
type providerFunc func(context.Context) (cloudlb.Credentials, error)

func (f providerFunc) Credentials(ctx context.Context) (cloudlb.Credentials, error) { return f(ctx) }
