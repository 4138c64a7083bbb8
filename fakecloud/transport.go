package fakecloud

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/cloudlb/cloudlb"
)

// maxBody is the largest request body that the gateways take.
const maxBody = 12 << 20

// RoundTrip implements http.RoundTripper: the request is answered in the
// caller's goroutine. It is written out and parsed again first, so that the
// emulator sees what a server sees.
func (c *Cloud) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	if req.Body != nil {
		defer req.Body.Close()
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sent := req.WithContext(ctx) // a copy
	if req.Body != nil && req.Body != http.NoBody {
		content, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, err
		}
		sent.Body = io.NopCloser(bytes.NewReader(content))
	}
	sent.Header = req.Header.Clone()
	if sent.Header == nil {
		sent.Header = make(http.Header)
	}
	if sent.Header.Get("Accept-Encoding") == "" {
		sent.Header.Set("Accept-Encoding", "gzip") // as http.Transport does
	}
	var wire bytes.Buffer
	if err := sent.Write(&wire); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	got, err := http.ReadRequest(bufio.NewReader(&wire))
	if err != nil {
		return nil, fmt.Errorf("fakecloud: the request is not valid HTTP: %w", err)
	}
	got.RemoteAddr = "127.0.0.1:1"
	body, err := io.ReadAll(got.Body)
	if err != nil {
		return nil, err
	}
	a := c.serve(got, body)
	if err := a.wait(ctx); err != nil {
		return nil, err
	}
	var content io.Reader = bytes.NewReader(a.body)
	switch a.effect.kind {
	case resetsFirst, resetsLast:
		return nil, &net.OpError{Op: "read", Net: "tcp", Err: os.NewSyscallError("read", syscall.ECONNRESET)}
	case truncates:
		content = io.MultiReader(bytes.NewReader(a.body[:len(a.body)/2]), broken{})
	default:
	}
	header := a.header()
	header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	return &http.Response{
		Status:        fmt.Sprintf("%d %s", a.status, http.StatusText(a.status)),
		StatusCode:    a.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        header,
		Body:          io.NopCloser(content),
		ContentLength: int64(len(a.body)),
		Request:       req,
	}, nil
}

// wait holds a late answer back, and one that never comes until ctx ends.
func (a answer) wait(ctx context.Context) error {
	if a.effect.kind == hangs {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	if a.delay <= 0 {
		return nil
	}
	timer := time.NewTimer(a.delay)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// broken is the rest of a body whose connection was closed.
type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// ServeHTTP implements http.Handler: the same emulator behind a server of the
// caller's own.
func (c *Cloud) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody+1))
	if tooLarge := new(http.MaxBytesError); err != nil && !errors.As(err, &tooLarge) {
		return // the caller is gone
	}
	a := c.serve(r, body)
	if err := a.wait(r.Context()); err != nil {
		panic(http.ErrAbortHandler) // the caller is gone
	}
	switch a.effect.kind {
	case resetsFirst, resetsLast:
		reset(w)
		return
	case truncates:
		maps.Copy(w.Header(), a.header())
		w.WriteHeader(a.status)
		w.Write(a.body[:len(a.body)/2]) //nolint:errcheck // the caller may be gone
		http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	default:
	}
	maps.Copy(w.Header(), a.header())
	w.WriteHeader(a.status)
	w.Write(a.body) //nolint:errcheck // the caller may be gone
}

// reset resets the connection of a request, or at least breaks it.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0) //nolint:errcheck // it is closed in any case
	}
	conn.Close()
}

// Server is a Cloud that listens on a loopback address.
type Server struct {
	// URL is its endpoint, such as "http://127.0.0.1:40123".
	URL string

	cloud *Cloud
	http  *http.Server
	done  chan struct{}
}

// Listen serves the Cloud over TCP for other processes and other languages.
// addr is a loopback address; port 0 takes a free one. Other addresses are
// refused: the emulator knows one key pair and is no service for a network.
func (c *Cloud) Listen(addr string) (*Server, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("fakecloud: listen address %q: %w", addr, err)
	}
	if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("fakecloud: %q is not a loopback address; use 127.0.0.1:0", addr)
	}
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", addr) //nolint:forbidigo // listening takes no time
	if err != nil {
		return nil, fmt.Errorf("fakecloud: %w", err)
	}
	if ip, ok := l.Addr().(*net.TCPAddr); !ok || !ip.IP.IsLoopback() {
		l.Close()
		return nil, fmt.Errorf("fakecloud: %q is not a loopback address; use 127.0.0.1:0", addr)
	}
	s := &Server{
		URL:   "http://" + l.Addr().String(),
		cloud: c,
		http:  &http.Server{Handler: c, ReadHeaderTimeout: 10 * time.Second},
		done:  make(chan struct{}),
	}
	go func() {
		defer close(s.done)
		s.http.Serve(l) //nolint:errcheck // always ErrServerClosed
	}()
	return s, nil
}

// Config returns the configuration of clients of the server.
func (s *Server) Config() cloudlb.Config {
	cfg := s.cloud.Config()
	cfg.Endpoint, cfg.AllowHTTP, cfg.HTTPClient = s.URL, true, nil
	return cfg
}

// Close stops listening and closes every connection.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.done
	return err
}
