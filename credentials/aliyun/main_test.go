package aliyun_test

import (
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// credentials-go clones http.DefaultTransport and has the metadata server's
// address built in. So the tests' default transport leads there to a local
// server, trusts the local STS, and goes nowhere else.
func TestMain(m *testing.M) {
	metadata := httptest.NewServer(http.HandlerFunc(serveMetadata))
	metadataURL, _ := url.Parse(metadata.URL)
	sts := httptest.NewTLSServer(nil)
	roots := x509.NewCertPool()
	roots.AddCert(sts.Certificate())
	sts.Close()

	// rsa_key_pair has a transport of its own.
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		panic(err)
	}
	rootFile := filepath.Join(dir, "roots.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: sts.Certificate().Raw})
	if err := os.WriteFile(rootFile, block, 0o600); err != nil {
		panic(err)
	}
	os.Setenv("SSL_CERT_FILE", rootFile)

	transport := http.DefaultTransport.(*http.Transport)
	transport.TLSClientConfig.RootCAs = roots
	transport.Proxy = func(r *http.Request) (*url.URL, error) {
		switch r.URL.Hostname() {
		case "127.0.0.1":
			return nil, nil
		case "100.100.100.200":
			return metadataURL, nil
		default:
			return nil, errors.New("the tests have no network")
		}
	}
	for _, name := range os.Environ() {
		if name, _, _ := strings.Cut(name, "="); strings.HasPrefix(name, "ALIBABA_CLOUD_") || name == "DEBUG" {
			os.Unsetenv(name)
		}
	}
	code := m.Run()
	metadata.Close()
	os.RemoveAll(dir)
	os.Exit(code)
}

// roles are the RAM roles of the instance, each with what it answers.
var roles sync.Map

// metadataRole gives the instance a role for the length of a test.
func metadataRole(t testing.TB, answer http.Handler) (name string) {
	name = "role" + strings.Map(func(r rune) rune {
		if r == '/' || r == ' ' {
			return '-'
		}
		return r
	}, t.Name())
	roles.Store(name, answer)
	t.Cleanup(func() { roles.Delete(name) })
	return name
}

const metadataToken = "EXAMPLE-metadata-token"

// serveMetadata behaves like the metadata server in its hardened mode.
func serveMetadata(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPut && r.URL.Path == "/latest/api/token" {
		fmt.Fprint(w, metadataToken)
		return
	}
	if r.Header.Get("X-Aliyun-Ecs-Metadata-Token") != metadataToken {
		http.Error(w, "token required", http.StatusForbidden)
		return
	}
	answer, ok := roles.Load(path.Base(r.URL.Path))
	if !ok {
		http.NotFound(w, r)
		return
	}
	answer.(http.Handler).ServeHTTP(w, r)
}

// keyServer is a source of temporary keys: the nth request gets the nth keys.
type keyServer struct {
	life  time.Duration
	wrap  string // the field around the keys, in STS's answers
	calls atomic.Int32
	// special answers request n instead, unless it returns false.
	special func(n int, w http.ResponseWriter, r *http.Request) bool
}

func (s *keyServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n := int(s.calls.Add(1))
	if s.special != nil && s.special(n, w, r) {
		return
	}
	var answer any = keyFields(n, s.life)
	if s.wrap != "" {
		answer = map[string]any{"RequestId": "1", s.wrap: answer}
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func keyFields(n int, life time.Duration) map[string]any {
	return map[string]any{
		"Code":            "Success",
		"AccessKeyId":     fmt.Sprint("key", n),
		"AccessKeySecret": fmt.Sprint("EXAMPLEsecret", n),
		"SecurityToken":   fmt.Sprint("EXAMPLEtoken", n),
		"Expiration":      time.Now().Add(life).UTC().Format("2006-01-02T15:04:05Z"),
	}
}

func serve(t testing.TB, h http.Handler) string {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// serveSTS returns the host of a local STS.
func serveSTS(t testing.TB, h http.Handler) string {
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "https://")
}

// hang does not answer before the test ends.
func hang(t testing.TB) func(int, http.ResponseWriter, *http.Request) bool {
	return func(int, http.ResponseWriter, *http.Request) bool {
		<-t.Context().Done()
		return true
	}
}

// says answers with status and body.
func says(status int, body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	})
}
