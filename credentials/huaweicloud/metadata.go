package huaweicloud

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cloudlb/cloudlb"
)

// MetadataOptions change how [Metadata] asks. The zero value is right on an ECS.
type MetadataOptions struct {
	// Endpoint replaces http://169.254.169.254, for tests and for proxies of the
	// metadata service: scheme and host.
	Endpoint string
	// HTTPClient carries the requests. It is copied; redirects are never
	// followed. Default: a client of its own that uses no proxy.
	HTTPClient *http.Client
}

// Metadata returns a provider of the temporary keys of the agency that an ECS
// has, from its metadata service. It asks with a session token where the service
// has them, as ECSs with hardened metadata require. Each request may take 3
// seconds; away from an ECS the error says that this looks like none.
//
// The keys are cached and replaced before they expire.
func Metadata(opts MetadataOptions) cloudlb.CredentialsProvider {
	m := &metadata{caller: newCaller(metadataSource, opts.HTTPClient, metadataTimeout, nil)}
	endpoint := opts.Endpoint
	if endpoint == "" {
		endpoint = "http://169.254.169.254"
	}
	m.base, m.problems = base("MetadataOptions.Endpoint", endpoint, true)
	return cached(m)
}

const (
	metadataSource  = "ECS metadata"
	metadataTimeout = 3 * time.Second
	sessionSeconds  = "21600"
	// recheckSessions is when a service without session tokens is asked for one
	// again.
	recheckSessions = 24 * time.Hour
)

type metadata struct {
	*caller
	base     string
	problems []cloudlb.Problem

	mu       sync.Mutex
	session  string
	asked    time.Time // when the service last said whether it has sessions
	answered bool      // it has answered before: this is an ECS
}

func (m *metadata) Format(f fmt.State, _ rune) { fmt.Fprint(f, "credentials(ECS metadata)") }

func (m *metadata) Credentials(ctx context.Context) (cloudlb.Credentials, error) {
	if m.problems != nil {
		return cloudlb.Credentials{}, invalid(metadataSource, m.problems)
	}
	session, ok := m.known()
	if !ok {
		var err error
		if session, err = m.start(ctx, false); err != nil {
			return cloudlb.Credentials{}, err
		}
	}
	a, err := m.get(ctx, session)
	if err != nil {
		return cloudlb.Credentials{}, err
	}
	if a.status == http.StatusUnauthorized && !lacksAgency(a) { // the session ended
		if session, err = m.start(ctx, true); err != nil {
			return cloudlb.Credentials{}, err
		}
		if a, err = m.get(ctx, session); err != nil {
			return cloudlb.Credentials{}, err
		}
	}
	if a.status != http.StatusOK {
		e := m.refused(a, session)
		if lacksAgency(a) || a.status == http.StatusNotFound {
			e.Class = cloudlb.ClassUnauthenticated
			e.Message = "this ECS has no agency: give it one whose policy allows what this program does"
		}
		return cloudlb.Credentials{}, e
	}
	cred, err := parseKeys(a.body)
	if err != nil {
		return cloudlb.Credentials{}, m.broken(a.status, err)
	}
	return cred, nil
}

// lacksAgency reports the answer of an ECS without an agency, "Please configure
// Cloud Service Agency first".
func lacksAgency(a *answer) bool {
	return a.status >= 400 && bytes.Contains(bytes.ToLower(a.body), []byte("service agency"))
}

// known returns the session token in use, empty for a service without.
func (m *metadata) known() (session string, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.session, m.session != "" || !m.asked.IsZero() && time.Since(m.asked) < recheckSessions
}

// start asks for a session token. A service without has none to give, which is
// an error only when it has asked for one.
func (m *metadata) start(ctx context.Context, required bool) (string, error) {
	a, err := m.ask(ctx, http.MethodPut, "/meta-data/latest/api/token", http.Header{"X-Metadata-Token-Ttl-Seconds": {sessionSeconds}})
	if err != nil {
		return "", err
	}
	session := ""
	switch {
	case a.status == http.StatusOK:
		session = strings.TrimSpace(string(a.body))
		if session == "" || len(session) > 8<<10 || !printable(cloudlb.Credentials{Token: session}) {
			return "", m.broken(a.status, errors.New("the answer is not a session token"))
		}
	case required || !slices.Contains([]int{http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusServiceUnavailable}, a.status):
		return "", m.refused(a)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.session, m.asked = session, time.Now()
	return session, nil
}

func (m *metadata) get(ctx context.Context, session string) (*answer, error) {
	header := http.Header{}
	if session != "" {
		header.Set("X-Metadata-Token", session)
	}
	return m.ask(ctx, http.MethodGet, "/openstack/latest/securitykey", header)
}

// ask sends a request. As long as nothing has ever answered, no answer means
// that there is no metadata service; later it means that the service is down.
func (m *metadata) ask(ctx context.Context, method, path string, header http.Header) (*answer, error) {
	a, err := m.do(ctx, method, m.base+path, header, nil)
	m.mu.Lock()
	defer m.mu.Unlock()
	if err == nil {
		m.answered = true
	} else if errors.Is(err, errNoAnswer) && !m.answered {
		if e, ok := errors.AsType[*cloudlb.Error](err); ok {
			e.Class = cloudlb.ClassUnauthenticated
			e.Err = fmt.Errorf("this does not look like an ECS, or a firewall is in the way of %s: %w", m.base, e.Err)
		}
	}
	return a, err
}
