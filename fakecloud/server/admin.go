package main

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/cloudlb/cloudlb/fakecloud"
)

// maxAdminBody is the largest seed that is read over HTTP.
const maxAdminBody = 64 << 20

// admin serves a Cloud and, beside it, the routes that look into it.
type admin struct {
	make func() *fakecloud.Cloud
	log  *slog.Logger
	mux  *http.ServeMux

	mu    sync.RWMutex
	cloud *fakecloud.Cloud
}

func newAdmin(start func() *fakecloud.Cloud, log *slog.Logger) *admin {
	a := &admin{make: start, log: log, mux: http.NewServeMux(), cloud: start()}
	a.mux.HandleFunc("GET /_fakecloud/health", a.health)
	a.mux.HandleFunc("GET /_fakecloud/state", a.state)
	a.mux.HandleFunc("GET /_fakecloud/requests", a.requests)
	a.mux.HandleFunc("POST /_fakecloud/seed", a.seed)
	a.mux.HandleFunc("POST /_fakecloud/reset", a.reset)
	a.mux.HandleFunc("POST /_fakecloud/faults", a.faults)
	a.mux.HandleFunc("DELETE /_fakecloud/faults", a.noFaults)
	a.mux.HandleFunc("/_fakecloud/", func(w http.ResponseWriter, r *http.Request) {
		a.reply(w, http.StatusNotFound, problem{"no such route: " + r.Method + " " + r.URL.Path})
	})
	a.mux.HandleFunc("/", a.service)
	return a
}

func (a *admin) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if len(r.URL.Path) >= len(prefix) && r.URL.Path[:len(prefix)] == prefix {
		a.mux.ServeHTTP(w, r)
		return
	}
	a.service(w, r) // as it came: the mux would clean its path
}

const prefix = "/_fakecloud/"

// problem is the answer to a bad request of the routes.
type problem struct {
	Error string `json:"error"`
}

func (a *admin) current() *fakecloud.Cloud {
	a.mu.RLock()
	defer a.mu.RUnlock()
	return a.cloud
}

// service has the Cloud answer and writes a line about it.
func (a *admin) service(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	cloud := a.current()
	cloud.ServeHTTP(w, r)
	id := w.Header().Get("X-Request-Id")
	if id == "" {
		id = w.Header().Get("X-Acs-Request-Id")
	}
	attrs := []slog.Attr{slog.String("method", r.Method), slog.String("path", r.URL.Path)} // the query may hold a signature
	if req, ok := cloud.RequestByID(id); ok {
		attrs = append(attrs,
			slog.String("account", req.Account), slog.String("service", req.Service), slog.String("operation", req.Operation),
			slog.Int("status", req.Status), slog.String("code", req.Code), slog.String("request_id", id),
			slog.Any("params", req.Params)) // secrets are masked
	}
	attrs = append(attrs, slog.Duration("took", time.Since(start)))
	a.log.LogAttrs(r.Context(), slog.LevelInfo, "request", attrs...)
}

func (a *admin) health(w http.ResponseWriter, _ *http.Request) {
	cloud := a.current()
	a.reply(w, http.StatusOK, map[string]string{
		"status": "ok", "region": cloud.Config().Region, "project_id": cloud.ProjectID(),
	})
}

func (a *admin) state(w http.ResponseWriter, _ *http.Request) {
	a.reply(w, http.StatusOK, a.current().State())
}

func (a *admin) requests(w http.ResponseWriter, _ *http.Request) {
	a.reply(w, http.StatusOK, map[string]any{"requests": a.current().Requests()})
}

func (a *admin) seed(w http.ResponseWriter, r *http.Request) {
	b, ok := a.body(w, r)
	if !ok {
		return
	}
	s, err := readState(b)
	if err != nil {
		a.reply(w, http.StatusBadRequest, problem{err.Error()})
		return
	}
	a.reply(w, http.StatusOK, map[string]any{"ids": a.current().Seed(s)})
}

// reset goes back to the start: what the files say, no requests, no jobs.
func (a *admin) reset(w http.ResponseWriter, r *http.Request) {
	fresh := a.make()
	a.mu.Lock()
	a.cloud = fresh
	a.mu.Unlock()
	a.health(w, r)
}

// fault is a fakecloud.Fault with durations as text: {"Operation":
// "AddServersToServerGroup", "Effect": "slow 3s", "After": "1m", "Times": 2}.
type fault struct {
	fakecloud.Fault

	After, Within duration
}

type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = duration(v)
	return err
}

// readFaults decodes a list of faults.
func readFaults(b []byte) ([]fakecloud.Fault, error) {
	var list []fault
	if err := decode(b, &list); err != nil {
		return nil, err
	}
	out := make([]fakecloud.Fault, len(list))
	for i, f := range list {
		f.Fault.After, f.Fault.Within = time.Duration(f.After), time.Duration(f.Within)
		if err := f.Validate(); err != nil {
			return nil, err
		}
		out[i] = f.Fault
	}
	return out, nil
}

// faults puts a list of faults in force, beside those that are.
func (a *admin) faults(w http.ResponseWriter, r *http.Request) {
	b, ok := a.body(w, r)
	if !ok {
		return
	}
	list, err := readFaults(b)
	if err != nil {
		a.reply(w, http.StatusBadRequest, problem{err.Error()})
		return
	}
	cloud := a.current()
	for _, f := range list {
		cloud.Inject(f)
	}
	a.reply(w, http.StatusOK, map[string]int{"injected": len(list)})
}

func (a *admin) noFaults(w http.ResponseWriter, _ *http.Request) {
	a.current().RemoveFaults()
	a.reply(w, http.StatusOK, map[string]int{"injected": 0})
}

func (a *admin) body(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAdminBody))
	if err != nil {
		a.reply(w, http.StatusBadRequest, problem{err.Error()})
	}
	return b, err == nil
}

func (a *admin) reply(w http.ResponseWriter, status int, v any) {
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		status, b = http.StatusInternalServerError, []byte(`{"error": "the answer cannot be written as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(append(b, '\n')) //nolint:errcheck // the caller may be gone
}
