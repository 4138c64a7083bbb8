package signer_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/cloudlb/cloudlb"
)

// load is a request as a client of ours builds it.
type load struct {
	name    string
	request *http.Request
	body    []byte
}

// loads are what is signed in practice: 2 servers, and the most there may be.
func loads() []load {
	query := func(servers int) string {
		var parts []string
		for i := range servers {
			parts = append(parts, fmt.Sprintf("Servers.%d.Port=80&Servers.%d.ServerId=i-bp1234567890abcdef%03d", i+1, i+1, i))
		}
		return strings.Join(parts, "&")
	}
	members := func(servers int) []byte {
		var parts []string
		for i := range servers {
			parts = append(parts, fmt.Sprintf(`{"name":"member-%03d","address":"192.168.1.%d","protocol_port":80,"weight":1}`, i, i%256))
		}
		return []byte(`{"members":[` + strings.Join(parts, ",") + `]}`)
	}
	sorted := func(query string) string {
		parts := strings.Split(query, "&")
		slices.Sort(parts)
		return strings.Join(parts, "&")
	}
	build := func(name, query string, body []byte) load {
		r := httptest.NewRequest("POST", "https://lb.cn-hangzhou.example.com/v3/0123456789abcdef/elb/pools/36ce7086/members?"+query, http.NoBody)
		for _, h := range [][2]string{
			{"Accept", "application/json"},
			{"User-Agent", "example-agent/1.0"},
			{"Content-Type", "application/json;charset=UTF-8"},
			{"X-Acs-Action", "AddServersToServerGroup"},
			{"X-Acs-Version", "2020-06-16"},
			{"X-Project-Id", "0123456789abcdef"},
		} {
			r.Header.Set(h[0], h[1])
		}
		return load{name, r, body}
	}
	return []load{
		build("2 servers", "ServerGroupId=sgp-1&"+query(2), nil),
		build("200 servers in body", "limit=200", members(200)),
		build("200 servers in query", query(200), nil),
		build("200 servers in sorted query", sorted(query(200)), nil),
	}
}

func temporaryKeys() cloudlb.Credentials {
	cred := keys
	cred.SecurityToken = strings.Repeat("token", 100)
	return cred
}

// TestAllocations holds the budget: at most 8 allocations, whatever the size.
// It must not run beside other tests, whose allocations would be counted.
func TestAllocations(t *testing.T) { //nolint:paralleltest // See above.
	if raceDetector {
		t.Skip("the race detector makes sync.Pool forget at random")
	}
	for name, s := range schemes() {
		for _, l := range loads() {
			for kind, cred := range map[string]cloudlb.Credentials{"keys": keys, "temporary keys": temporaryKeys()} {
				got := testing.AllocsPerRun(100, func() {
					if err := s.Sign(l.request, l.body, cred, moment, nonce); err != nil {
						t.Fatal(err)
					}
				})
				if got > 8 {
					t.Errorf("%s, %s, %s: %v allocations, want at most 8", name, l.name, kind, got)
				}
			}
		}
	}
}

func BenchmarkSign(b *testing.B) {
	for _, name := range []string{"ACS3", "SDKHMAC", "V11"} {
		s := schemes()[name]
		for _, l := range loads() {
			b.Run(name+"/"+l.name, func(b *testing.B) {
				b.ReportAllocs()
				b.SetBytes(int64(len(l.request.URL.RequestURI()) + len(l.body)))
				for b.Loop() {
					if err := s.Sign(l.request, l.body, keys, moment, nonce); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
