package cloudlb_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
)

var _ cloudlb.CredentialsRefresher = (*cloudlb.CredentialsCache)(nil)

// keySource is a provider under the test's control. It counts its calls and
// refuses to be called twice at the same time.
type keySource struct {
	t      *testing.T
	answer func(ctx context.Context, n int) (cloudlb.Credentials, error) // n counts from 1

	calls, inside atomic.Int32
}

func (s *keySource) Credentials(ctx context.Context) (cloudlb.Credentials, error) {
	if s.inside.Add(1) > 1 {
		s.t.Error("the provider was called twice at the same time")
	}
	defer s.inside.Add(-1)
	return s.answer(ctx, int(s.calls.Add(1)))
}

// wantCalls checks how often the provider was asked, after what is under way.
func (s *keySource) wantCalls(n int) {
	s.t.Helper()
	synctest.Wait()
	if got := int(s.calls.Load()); got != n {
		s.t.Errorf("the provider was asked %d times, want %d", got, n)
	}
}

// refreshableSource is a keySource that notes which keys were refused.
type refreshableSource struct {
	keySource
	refused []string
}

func (s *refreshableSource) Refresh(ctx context.Context, used cloudlb.Credentials) (cloudlb.Credentials, error) {
	s.refused = append(s.refused, used.AccessKeyID)
	return s.Credentials(ctx)
}

// numbered are the nth keys, good for life from now on; 0 is for ever.
func numbered(n int, life time.Duration) cloudlb.Credentials {
	c := cloudlb.Credentials{AccessKeyID: fmt.Sprint("key", n), SecretAccessKey: fmt.Sprint("EXAMPLEsecret", n), SecurityToken: fmt.Sprint("EXAMPLEtoken", n)}
	if life != 0 {
		c.Expires = time.Now().Add(life)
	}
	return c
}

// rotating hands out other keys at every call.
func rotating(t *testing.T, life time.Duration) *keySource {
	return &keySource{t: t, answer: func(_ context.Context, n int) (cloudlb.Credentials, error) { return numbered(n, life), nil }}
}

// after waits d of the bubble's time, or for ctx.
func after(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func wantKey(t *testing.T, c *cloudlb.CredentialsCache, n int) {
	t.Helper()
	cred, err := c.Credentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprint("key", n); cred.AccessKeyID != want {
		t.Errorf("got %s, want %s", cred.AccessKeyID, want)
	}
	if !cred.Expires.IsZero() && !time.Now().Before(cred.Expires) {
		t.Errorf("%s is handed out %s after it expired", cred.AccessKeyID, time.Since(cred.Expires))
	}
}

// wantNoKeys checks an error: what it says and that it holds no secret.
func wantNoKeys(t *testing.T, c *cloudlb.CredentialsCache, says ...string) error {
	t.Helper()
	cred, err := c.Credentials(t.Context())
	if err == nil {
		t.Fatalf("got %s, want an error", cred.AccessKeyID)
	}
	if cred != (cloudlb.Credentials{}) {
		t.Errorf("%s came with an error", cred.AccessKeyID)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("the error %q does not say %q", err, s)
		}
	}
	if strings.Contains(err.Error(), "EXAMPLE") {
		t.Errorf("the error %q holds a secret", err)
	}
	return err
}

// bubble is a parallel test in virtual time.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, f)
	})
}

// TestCredentialsCacheShares: one answer serves all who wait for it, and
// leaving does not disturb it.
func TestCredentialsCacheShares(t *testing.T) {
	t.Parallel()
	slow := func(t *testing.T) *keySource {
		return &keySource{t: t, answer: func(ctx context.Context, n int) (cloudlb.Credentials, error) {
			if _, limited := ctx.Deadline(); !limited {
				t.Error("the provider's context has no deadline")
			}
			return numbered(n, time.Hour), after(ctx, time.Second)
		}}
	}
	bubble(t, "100 callers", func(t *testing.T) {
		s := slow(t)
		c := cloudlb.NewCredentialsCache(s)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() { wantKey(t, c, 1) })
		}
		wg.Wait()
		wantKey(t, c, 1)
		s.wantCalls(1)
	})
	bubble(t, "waiters leave", func(t *testing.T) {
		s := slow(t)
		c := cloudlb.NewCredentialsCache(s)
		start := time.Now()
		var wg sync.WaitGroup
		cause := errors.New("shutting down")
		for i := range 10 {
			wg.Go(func() {
				ctx, cancel := context.WithCancelCause(t.Context())
				left := time.Duration(i) * 50 * time.Millisecond
				time.AfterFunc(left, func() { cancel(cause) })
				_, err := c.Credentials(ctx)
				if !errors.Is(err, context.Canceled) || !errors.Is(err, cause) {
					t.Errorf("got %v, want the context's error and its cause", err)
				}
				if late := time.Since(start) - left; late >= 100*time.Millisecond {
					t.Errorf("left %s after the context ended", late)
				}
			})
		}
		wg.Go(func() { wantKey(t, c, 1) }) // stays
		wg.Wait()
		s.wantCalls(1)
	})
	bubble(t, "nobody stays", func(t *testing.T) {
		s := slow(t)
		c := cloudlb.NewCredentialsCache(s)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, err := c.Credentials(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		_ = after(t.Context(), 2*time.Second)
		wantKey(t, c, 1)
		s.wantCalls(1)
	})
	bubble(t, "ended before", func(t *testing.T) {
		s := slow(t)
		c := cloudlb.NewCredentialsCache(s)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := c.Credentials(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want the context's error", err)
		}
		s.wantCalls(0)
	})
	bubble(t, "values of the context", func(t *testing.T) {
		type key struct{}
		c := cloudlb.NewCredentialsCache(&keySource{t: t, answer: func(ctx context.Context, n int) (cloudlb.Credentials, error) {
			if ctx.Value(key{}) != "trace" {
				t.Error("the caller's values do not reach the provider")
			}
			return numbered(n, 0), nil
		}})
		if _, err := c.Credentials(context.WithValue(t.Context(), key{}, "trace")); err != nil {
			t.Error(err)
		}
	})
}

// TestCredentialsCacheRefreshesEarly: in the first half of the early window, at
// moments that differ from process to process.
func TestCredentialsCacheRefreshesEarly(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		life, before, window time.Duration
	}{
		{6 * time.Hour, 0, 5 * time.Minute},
		{time.Hour, 0, 5 * time.Minute},
		{15 * time.Minute, 0, 90 * time.Second},
		{time.Minute, 0, 6 * time.Second},
		{time.Hour, 2 * time.Minute, 2 * time.Minute},
		{time.Hour, time.Hour, 6 * time.Minute},
	} {
		bubble(t, fmt.Sprint(c.life, " ", c.before), func(t *testing.T) {
			moments := map[time.Duration]bool{}
			const processes, steps = 25, 50
			for range processes {
				s := rotating(t, c.life)
				cache := &cloudlb.CredentialsCache{Provider: s, RefreshBefore: c.before}
				wantKey(t, cache, 1)
				_ = after(t.Context(), c.life-c.window-time.Millisecond)
				wantKey(t, cache, 1)
				s.wantCalls(1)
				left := c.window
				for ; left >= 0 && s.calls.Load() == 1; left -= c.window / steps {
					_ = after(t.Context(), c.window/steps)
					wantKey(t, cache, 1) // the old keys, without waiting
					synctest.Wait()
				}
				if left < c.window/2-2*c.window/steps {
					t.Errorf("refreshed %s before expiry, later than half of %s", left, c.window)
				}
				moments[left] = true
				wantKey(t, cache, 2)
				s.wantCalls(2)
			}
			if len(moments) < 10 {
				t.Errorf("%d processes refresh at %d different moments", processes, len(moments))
			}
		})
	}
	bubble(t, "slow provider", func(t *testing.T) {
		s := &keySource{t: t, answer: func(ctx context.Context, n int) (cloudlb.Credentials, error) {
			err := after(ctx, 20*time.Second)
			return numbered(n, time.Hour), err
		}}
		c := cloudlb.NewCredentialsCache(s)
		wantKey(t, c, 1)
		_ = after(t.Context(), 57*time.Minute+30*time.Second)
		start := time.Now()
		for range 100 {
			wantKey(t, c, 1)
		}
		if waited := time.Since(start); waited > 0 {
			t.Errorf("callers with valid keys waited %s", waited)
		}
		s.wantCalls(2)
		_ = after(t.Context(), 21*time.Second)
		wantKey(t, c, 2)
	})
	bubble(t, "idle past expiry", func(t *testing.T) {
		s := rotating(t, time.Hour)
		c := cloudlb.NewCredentialsCache(s)
		wantKey(t, c, 1)
		_ = after(t.Context(), 24*time.Hour)
		wantKey(t, c, 2)
		s.wantCalls(2)
	})
	bubble(t, "no expiry", func(t *testing.T) {
		s := rotating(t, 0)
		c := cloudlb.NewCredentialsCache(s)
		wantKey(t, c, 1)
		_ = after(t.Context(), 10*365*24*time.Hour)
		wantKey(t, c, 1)
		s.wantCalls(1)
	})
	bubble(t, "source has nothing newer", func(t *testing.T) {
		first := numbered(1, time.Hour)
		s := &keySource{t: t, answer: func(context.Context, int) (cloudlb.Credentials, error) { return first, nil }}
		c := cloudlb.NewCredentialsCache(s)
		for time.Now().Before(first.Expires) {
			wantKey(t, c, 1)
			_ = after(t.Context(), time.Second)
		}
		if n := s.calls.Load(); n < 5 || n > 20 {
			t.Errorf("the provider was asked %d times in the early window", n)
		}
		wantNoKeys(t, c, "expired at "+first.Expires.UTC().Format(time.RFC3339), "this machine's clock")
	})
}

// TestCredentialsCacheFailure: a failed refresh costs nothing while the keys are
// valid; then it is an error, until the provider recovers.
func TestCredentialsCacheFailure(t *testing.T) {
	t.Parallel()
	down := errors.New("metadata server: 503")
	bubble(t, "before and after expiry", func(t *testing.T) {
		broken := true
		s := &keySource{t: t, answer: func(_ context.Context, n int) (cloudlb.Credentials, error) {
			if n > 1 && broken {
				return numbered(99, time.Hour), down
			}
			return numbered(n, time.Hour), nil
		}}
		c := cloudlb.NewCredentialsCache(s)
		wantKey(t, c, 1)
		expires := time.Now().Add(time.Hour)
		for time.Now().Before(expires) {
			wantKey(t, c, 1)
			_ = after(t.Context(), 100*time.Millisecond)
		}
		synctest.Wait()
		early := int(s.calls.Load()) - 1
		if early < 4 || early > 20 {
			t.Errorf("%d refreshes in the early window, want some and not many", early)
		}
		err := wantNoKeys(t, c, "expired at "+expires.UTC().Format(time.RFC3339), "provider failed", "503")
		if !errors.Is(err, down) {
			t.Errorf("%v does not wrap the provider's error", err)
		}
		broken = false
		wantKey(t, c, early+3) // the error is not remembered
	})
	bubble(t, "at first", func(t *testing.T) {
		s := &keySource{t: t, answer: func(_ context.Context, n int) (cloudlb.Credentials, error) {
			if n == 1 {
				return cloudlb.Credentials{}, down
			}
			return numbered(n, time.Hour), nil
		}}
		c := cloudlb.NewCredentialsCache(s)
		if err := wantNoKeys(t, c, "the credentials provider failed"); !errors.Is(err, down) {
			t.Errorf("%v does not wrap the provider's error", err)
		}
		wantKey(t, c, 2)
	})
	for _, bad := range []struct {
		name, says string
		cred       cloudlb.Credentials
	}{
		{"nothing", "incomplete", cloudlb.Credentials{}},
		{"no secret", "incomplete", cloudlb.Credentials{AccessKeyID: "key1"}},
		{"no ID", "incomplete", cloudlb.Credentials{SecretAccessKey: "EXAMPLEsecret"}},
		{"expired", "it handed out credentials that expired at 1999-12-31T23:59:59Z", cloudlb.Credentials{AccessKeyID: "key1", SecretAccessKey: "EXAMPLEsecret", Expires: time.Date(1999, 12, 31, 23, 59, 59, 0, time.UTC)}},
	} {
		bubble(t, bad.name, func(t *testing.T) {
			c := cloudlb.NewCredentialsCache(&keySource{t: t, answer: func(context.Context, int) (cloudlb.Credentials, error) { return bad.cred, nil }})
			wantNoKeys(t, c, bad.says)
		})
	}
	bubble(t, "zero value", func(t *testing.T) {
		wantNoKeys(t, new(cloudlb.CredentialsCache), "Provider is not set")
	})
}

// TestCredentialsCachePanic: a provider that panics has failed.
func TestCredentialsCachePanic(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		panic func()
		says  []string
	}{
		{"runtime", func() { _ = *(*int)(nil) }, []string{"nil pointer", "panicked in ", "cloudlb_test.TestCredentialsCachePanic"}},
		{"text", func() { panic("EXAMPLEsecret") }, []string{"panicked in ", ": string"}},
		{"error", func() { panic(errors.New("EXAMPLEsecret")) }, []string{"*errors.errorString"}},
		{"exit", runtime.Goexit, []string{"ended its goroutine"}},
	} {
		bubble(t, c.name, func(t *testing.T) {
			s := &keySource{t: t, answer: func(_ context.Context, n int) (cloudlb.Credentials, error) {
				if n%2 == 1 {
					c.panic()
				}
				return numbered(n, time.Hour), nil
			}}
			cache := cloudlb.NewCredentialsCache(s)
			wantNoKeys(t, cache, c.says...)
			wantKey(t, cache, 2)
			_ = after(t.Context(), 59*time.Minute)
			wantKey(t, cache, 2) // panics in the background
			s.wantCalls(3)
			wantKey(t, cache, 2)
		})
	}
}

// TestCredentialsCacheHang: a provider that does not answer holds nobody up for
// longer than RefreshTimeout.
func TestCredentialsCacheHang(t *testing.T) {
	t.Parallel()
	bubble(t, "heeds its context", func(t *testing.T) {
		s := &keySource{t: t, answer: func(ctx context.Context, n int) (cloudlb.Credentials, error) {
			if n == 1 {
				<-ctx.Done()
				return cloudlb.Credentials{}, fmt.Errorf("reading http://100.100.100.200: %w", ctx.Err())
			}
			return numbered(n, time.Hour), nil
		}}
		c := cloudlb.NewCredentialsCache(s)
		start := time.Now()
		err := wantNoKeys(t, c, "no answer within 30s")
		if errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v looks like the end of the caller's context", err)
		}
		if waited := time.Since(start); waited != 30*time.Second {
			t.Errorf("waited %s", waited)
		}
		synctest.Wait()
		wantKey(t, c, 2)
	})
	bubble(t, "heeds nothing", func(t *testing.T) {
		release := make(chan struct{})
		s := &keySource{t: t, answer: func(_ context.Context, n int) (cloudlb.Credentials, error) {
			<-release
			return numbered(n, time.Hour), nil
		}}
		c := &cloudlb.CredentialsCache{Provider: s, RefreshTimeout: 10 * time.Second}
		start := time.Now()
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() { wantNoKeys(t, c, "no answer within 10s") })
		}
		wg.Wait()
		if waited := time.Since(start); waited != 10*time.Second {
			t.Errorf("waited %s", waited)
		}
		wantNoKeys(t, c, "no answer within 10s")
		if waited := time.Since(start); waited != 10*time.Second {
			t.Error("the second caller waited again")
		}
		s.wantCalls(1)
		close(release)
		synctest.Wait()
		wantKey(t, c, 1) // the late answer counts
		s.wantCalls(1)
	})
	bubble(t, "while keys are valid", func(t *testing.T) {
		release := make(chan struct{})
		s := &keySource{t: t, answer: func(_ context.Context, n int) (cloudlb.Credentials, error) {
			if n > 1 {
				<-release
			}
			return numbered(n, time.Hour), nil
		}}
		c := cloudlb.NewCredentialsCache(s)
		wantKey(t, c, 1)
		end := time.Now().Add(time.Hour)
		for time.Now().Before(end) {
			wantKey(t, c, 1)
			_ = after(t.Context(), time.Second)
		}
		wantNoKeys(t, c, "expired at", "no answer within 30s")
		s.wantCalls(2)
		close(release)
		synctest.Wait()
		wantKey(t, c, 2)
	})
}

// TestCredentialsCacheRefresh: what a service refused is replaced, once.
func TestCredentialsCacheRefresh(t *testing.T) {
	t.Parallel()
	bubble(t, "100 refusals", func(t *testing.T) {
		s := &keySource{t: t, answer: func(ctx context.Context, n int) (cloudlb.Credentials, error) {
			err := after(ctx, time.Second)
			return numbered(n, time.Hour), err
		}}
		c := cloudlb.NewCredentialsCache(s)
		wantKey(t, c, 1)
		used := numbered(1, 0) // when they were to expire does not matter
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				_ = after(t.Context(), time.Duration(i)*20*time.Millisecond) // some come after the refresh
				fresh, err := c.Refresh(t.Context(), used)
				if err != nil || fresh.AccessKeyID != "key2" {
					t.Errorf("got %s, %v, want key2", fresh.AccessKeyID, err)
				}
			})
		}
		wg.Wait()
		wantKey(t, c, 2)
		s.wantCalls(2)
	})
	bubble(t, "the source has no others", func(t *testing.T) {
		s := &keySource{t: t, answer: func(context.Context, int) (cloudlb.Credentials, error) { return numbered(1, 0), nil }}
		c := cloudlb.NewCredentialsCache(s)
		wantKey(t, c, 1)
		for range 100 {
			if same, err := c.Refresh(t.Context(), numbered(1, 0)); err != nil || same != numbered(1, 0) {
				t.Errorf("got %s, %v, want the same keys", same.AccessKeyID, err)
			}
		}
		s.wantCalls(2)
		_ = after(t.Context(), 10*time.Second)
		if _, err := c.Refresh(t.Context(), numbered(1, 0)); err != nil {
			t.Error(err)
		}
		s.wantCalls(3)
		wantKey(t, c, 1)
	})
	bubble(t, "the source fails", func(t *testing.T) {
		s := &keySource{t: t, answer: func(_ context.Context, n int) (cloudlb.Credentials, error) {
			if n == 2 || n == 3 {
				return cloudlb.Credentials{}, errors.New("503")
			}
			return numbered(n, time.Hour), nil
		}}
		c := cloudlb.NewCredentialsCache(s)
		wantKey(t, c, 1)
		if cred, err := c.Refresh(t.Context(), numbered(1, 0)); err == nil || !strings.Contains(err.Error(), "a service refused the credentials and the provider failed: 503") {
			t.Errorf("got %s, %v", cred.AccessKeyID, err)
		}
		wantNoKeys(t, c, "a service refused") // refused keys do not come back
		wantKey(t, c, 4)
	})
	bubble(t, "caller leaves", func(t *testing.T) {
		s := &keySource{t: t, answer: func(ctx context.Context, n int) (cloudlb.Credentials, error) {
			err := after(ctx, 10*time.Second)
			return numbered(n, time.Hour), err
		}}
		c := cloudlb.NewCredentialsCache(s)
		wantKey(t, c, 1)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Refresh(ctx, numbered(1, 0)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		wantKey(t, c, 2)
		s.wantCalls(2)
	})
	bubble(t, "refused while an early refresh runs", func(t *testing.T) {
		s := &refreshableSource{keySource: keySource{t: t, answer: func(ctx context.Context, n int) (cloudlb.Credentials, error) {
			err := after(ctx, time.Second)
			return numbered(max(n-1, 1), time.Hour), err // asked before the refusal: the same keys
		}}}
		c := cloudlb.NewCredentialsCache(s)
		wantKey(t, c, 1)
		_ = after(t.Context(), 58*time.Minute)
		wantKey(t, c, 1)
		s.wantCalls(2)
		fresh, err := c.Refresh(t.Context(), numbered(1, 0))
		if err != nil || fresh.AccessKeyID != "key2" {
			t.Errorf("got %s, %v, want key2", fresh.AccessKeyID, err)
		}
		s.wantCalls(3)
		if !slices.Equal(s.refused, []string{"key1"}) {
			t.Errorf("the provider was told that %q were refused", s.refused)
		}
	})
	bubble(t, "nothing held yet", func(t *testing.T) {
		s := rotating(t, time.Hour)
		c := cloudlb.NewCredentialsCache(s)
		if cred, err := c.Refresh(t.Context(), numbered(7, 0)); err != nil || cred.AccessKeyID != "key1" {
			t.Errorf("got %s, %v", cred.AccessKeyID, err)
		}
		s.wantCalls(1)
	})
	bubble(t, "a cache over a cache", func(t *testing.T) {
		s := &refreshableSource{keySource: keySource{t: t, answer: rotating(t, time.Hour).answer}}
		c := cloudlb.NewCredentialsCache(cloudlb.NewCredentialsCache(s))
		wantKey(t, c, 1)
		if cred, err := c.Refresh(t.Context(), numbered(1, 0)); err != nil || cred.AccessKeyID != "key2" {
			t.Errorf("got %s, %v, want key2", cred.AccessKeyID, err)
		}
		if !slices.Equal(s.refused, []string{"key1"}) {
			t.Errorf("the source was told that %q were refused", s.refused)
		}
	})
}

// TestCredentialsCachePrintsNoSecret, whatever the verb.
func TestCredentialsCachePrintsNoSecret(t *testing.T) {
	t.Parallel()
	c := cloudlb.NewCredentialsCache(cloudlb.StaticCredentials("key1", "EXAMPLEsecret", "EXAMPLEtoken"))
	out := fmt.Sprintf("%v %+v %#v %s ", c, c, c, c)
	wantKey(t, c, 1)
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("got", slog.Any("credentials", c))
	text, err := json.Marshal(c)
	if err != nil {
		t.Error(err)
	}
	out += fmt.Sprintf("%v %+v %#v %s %+v", c, c, c, c, struct{ Creds any }{c}) + log.String() + string(text)
	if strings.Contains(out, "EXAMPLE") || strings.Contains(out, "key1") {
		t.Errorf("a secret is printed: %s", out)
	}
	for _, want := range []string{"credentials cache(empty)", "cached credentials(temporary keys)"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not printed: %s", want, out)
		}
	}
}

// keyService stands for ALB: it knows the keys that work and counts what it
// refuses.
type keyService struct {
	latency time.Duration

	mu       sync.Mutex
	valid    []string
	accepted map[string]int
	refused  int
}

func (s *keyService) RoundTrip(r *http.Request) (*http.Response, error) {
	_, rest, _ := strings.Cut(r.Header.Get("Authorization"), "Credential=")
	key, _, _ := strings.Cut(rest, ",")
	if err := after(r.Context(), s.latency); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	status, body := http.StatusOK, `{"RequestId":"1","ServerGroups":[],"TotalCount":0,"MaxResults":20}`
	if slices.Contains(s.valid, key) {
		s.accepted[key]++
	} else {
		s.refused++
		status, body = http.StatusBadRequest, `{"RequestId":"1","Code":"InvalidSecurityToken.Expired","Message":"Specified SecurityToken is expired."}`
	}
	return &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
	}, nil
}

func (s *keyService) rotate(valid ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.valid = valid
}

// TestCredentialsRotateUnderLoad: 100 calls are in flight at any time while the
// keys change. None fails.
func TestCredentialsRotateUnderLoad(t *testing.T) {
	t.Parallel()
	client := func(t *testing.T, service *keyService, p cloudlb.CredentialsProvider) *alb.Client {
		lb, err := alb.New(cloudlb.Config{
			Region: "cn-hangzhou", Credentials: p,
			HTTPClient: &http.Client{Transport: service},
		})
		if err != nil {
			t.Fatal(err)
		}
		return lb
	}
	run := func(t *testing.T, service *keyService, p cloudlb.CredentialsProvider, life time.Duration) {
		lb := client(t, service, p)
		end := time.Now().Add(life)
		var wg sync.WaitGroup
		errs := make(chan error, 100)
		for range 100 {
			wg.Go(func() {
				for time.Now().Before(end) {
					if _, err := lb.ListServerGroups(t.Context(), alb.ListServerGroupsRequest{}); err != nil {
						errs <- err
						return
					}
				}
			})
		}
		wg.Wait()
		if n := len(errs); n > 0 {
			t.Errorf("%d calls failed, one with %v", n, <-errs)
		}
	}
	bubble(t, "before they expire", func(t *testing.T) {
		s := rotating(t, 10*time.Minute)
		service := &keyService{latency: 5 * time.Second, valid: []string{"key1", "key2"}, accepted: map[string]int{}}
		time.AfterFunc(10*time.Minute+service.latency, func() { service.rotate("key2") })
		run(t, service, cloudlb.NewCredentialsCache(s), 12*time.Minute)
		s.wantCalls(2)
		if service.refused > 0 || service.accepted["key1"] == 0 || service.accepted["key2"] == 0 {
			t.Errorf("refused %d, accepted %v", service.refused, service.accepted)
		}
	})
	bubble(t, "called expired", func(t *testing.T) {
		s := rotating(t, 10*time.Minute)
		service := &keyService{latency: 5 * time.Second, valid: []string{"key1"}, accepted: map[string]int{}}
		time.AfterFunc(time.Minute, func() { service.rotate("key2") })
		run(t, service, cloudlb.NewCredentialsCache(s), 2*time.Minute)
		s.wantCalls(2)
		if service.refused == 0 || service.refused > 100 || service.accepted["key2"] == 0 {
			t.Errorf("refused %d, accepted %v", service.refused, service.accepted)
		}
	})
}

// TestCredentialsCacheAllocations: reading costs none.
func TestCredentialsCacheAllocations(t *testing.T) { //nolint:paralleltest // AllocsPerRun counts everybody's.
	for _, life := range []time.Duration{0, time.Hour} {
		c := cloudlb.NewCredentialsCache(rotating(t, life))
		if n := testing.AllocsPerRun(100, func() {
			if _, err := c.Credentials(t.Context()); err != nil {
				t.Fatal(err)
			}
		}); n > 0 {
			t.Errorf("%v allocations per read", n)
		}
	}
}

// BenchmarkCredentialsCache: parallel reads of keys that expire.
func BenchmarkCredentialsCache(b *testing.B) {
	c := cloudlb.NewCredentialsCache(&keySource{answer: func(context.Context, int) (cloudlb.Credentials, error) { return numbered(1, time.Hour), nil }})
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := c.Credentials(b.Context()); err != nil {
				b.Error(err)
			}
		}
	})
}
