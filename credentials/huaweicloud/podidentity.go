package huaweicloud

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb"
)

// PodIdentityOptions change how [PodIdentity] asks. The zero value is right in a
// pod on CCE.
type PodIdentityOptions struct {
	// URI replaces HC_CONTAINER_CREDENTIALS_FULL_URI. It must be https, or name
	// an address of this machine or its private network.
	URI string
	// TokenFile replaces HC_CONTAINER_AUTHORIZATION_TOKEN_FILE.
	TokenFile string
	// HTTPClient carries the requests. It is copied; redirects are never
	// followed. Default: a client of its own that uses no proxy.
	HTTPClient *http.Client
}

// PodIdentity returns a provider of the temporary keys of a pod's service
// account on CCE, from the address in HC_CONTAINER_CREDENTIALS_FULL_URI with the
// token in the file that HC_CONTAINER_AUTHORIZATION_TOKEN_FILE names. Both are
// read whenever keys are needed. A request may take 10 seconds.
//
// The keys are cached and replaced before they expire.
func PodIdentity(opts PodIdentityOptions) cloudlb.CredentialsProvider {
	return cached(&podIdentity{opts, newCaller(podSource, opts.HTTPClient, 10*time.Second, nil)})
}

const podSource = "pod identity"

type podIdentity struct {
	opts PodIdentityOptions
	*caller
}

func (p *podIdentity) Format(f fmt.State, _ rune) { fmt.Fprint(f, "credentials(pod identity)") }

func (p *podIdentity) Credentials(ctx context.Context) (cloudlb.Credentials, error) {
	uri, file := p.opts.URI, p.opts.TokenFile
	if uri == "" {
		uri = env(envPodURI)
	}
	if file == "" {
		file = env(envPodTokenFile)
	}
	switch {
	case uri == "":
		return cloudlb.Credentials{}, none(podSource, "%s is not set", envPodURI)
	case file == "":
		return cloudlb.Credentials{}, misused(podSource, "%s is set, but %s is not", envPodURI, envPodTokenFile)
	case !isNear(uri):
		return cloudlb.Credentials{}, misused(podSource, "the address of the credentials must be https, or http with an address of this machine or its private network")
	}
	token, err := readToken(file)
	if err != nil {
		return cloudlb.Credentials{}, err
	}
	a, err := p.do(ctx, http.MethodPost, uri, http.Header{
		"Content-Type":  {"application/json; charset=utf-8"},
		"Authorization": {token},
	}, []byte("{}"))
	if err != nil {
		return cloudlb.Credentials{}, err
	}
	if a.status != http.StatusOK {
		return cloudlb.Credentials{}, p.refused(a, token)
	}
	cred, err := parseKeys(a.body)
	if err != nil {
		return cloudlb.Credentials{}, p.broken(a.status, err)
	}
	return cred, nil
}

func readToken(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", misused(podSource, "the token: %v", err)
	}
	if !info.Mode().IsRegular() || info.Size() > mostHeaderBytes {
		return "", misused(podSource, "the token: %s is not a regular file, or too large", file)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", misused(podSource, "the token: %v", err)
	}
	token := strings.TrimSpace(string(b))
	if token == "" || !printable(cloudlb.Credentials{Token: token}) {
		return "", misused(podSource, "the token: %s holds none", file)
	}
	return token, nil
}

// isNear reports an address to which a token may be sent: over TLS, or not over
// a public network.
func isNear(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Hostname() == "" || u.User != nil {
		return false
	}
	if u.Scheme != "http" {
		return u.Scheme == "https"
	}
	ip, err := netip.ParseAddr(u.Hostname())
	if err != nil {
		return u.Hostname() == "localhost"
	}
	return ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsPrivate()
}
