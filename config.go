package cloudlb

import (
	"fmt"
	"log/slog"
	"net/http"
)

// Config is what every client is built from. It is a value: copy it, change
// the copy, share it between services. No client modifies it or anything it
// points to. The zero value of a field means its default.
type Config struct {
	// Region is the cloud's region ID, such as "cn-hangzhou" or "cn-north-4".
	// Required.
	Region string
	// Endpoint replaces the region's public endpoint: scheme and host, such as
	// "https://alb-vpc.cn-hangzhou.aliyuncs.com".
	Endpoint string
	// AllowHTTP permits an Endpoint with scheme http, for emulators on this
	// machine: keys are not sent, but tokens and all data travel readable.
	AllowHTTP bool
	// Credentials signs the requests. Required.
	Credentials CredentialsProvider
	// HTTPClient carries the requests: proxy, private CA, connection limits.
	// It is copied. Redirects are never followed, whatever it says. Default: a
	// client of its own with time-outs for dialling (10s), the TLS handshake
	// (10s) and idle connections (90s), with the proxy from the environment. It
	// has at most 16 connections and requests under way; further calls wait in
	// order of arrival. A Transport given here has its own limits instead.
	HTTPClient *http.Client
	// Retry says how long calls keep trying; the zero value is the default.
	Retry RetryPolicy
	// Limiter keeps the account's calls within the published budgets. Share one
	// between all clients of an account. Default: one of the client's own.
	Limiter *Limiter
	// Logger gets one debug record per attempt and a warning when a call gives
	// up. Default: silent.
	Logger *slog.Logger
	// Hooks observe calls.
	Hooks Hooks
	// UserAgent is put in front of the library's own User-Agent.
	UserAgent string
}

// Format implements fmt.Formatter: region and endpoint, never credentials.
func (c Config) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "cloudlb.Config{Region: %q, Endpoint: %q}", c.Region, c.Endpoint)
}

// LogValue implements slog.LogValuer.
func (c Config) LogValue() slog.Value {
	return slog.GroupValue(slog.String("region", c.Region), slog.String("endpoint", c.Endpoint))
}
