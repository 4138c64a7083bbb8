package slb_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb/slb"
)

// FuzzBackendServers loads foreign JSON into a request: it never panics, and
// what it accepts survives printing and loading again.
func FuzzBackendServers(f *testing.F) {
	for _, s := range []string{
		`{"BackendServers":[{"ServerId":"i-1","Port":80,"Weight":0}]}`,
		`{"BackendServers":"[{\"ServerId\":\"i-1\",\"Port\":\"80\",\"Weight\":\"0\"}]"}`,
		`{"BackendServers":{"BackendServer":[{"ServerId":"i-1"}]}}`,
		`{"BackendServers":null}`, `{"BackendServers":""}`, `{"BackendServers":"[]"}`, `{"BackendServers":"x"}`, `{"BackendServers":7}`,
		`{"BackendServers":[{"serverid":"i-1","port":"","weight":null}]}`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var req, again slb.AddVServerGroupBackendServersRequest
		if json.Unmarshal(b, &req) != nil {
			return
		}
		printed, err := json.Marshal(req)
		if err != nil {
			t.Fatalf("printing what was loaded from %q: %v", b, err)
		}
		if err := json.Unmarshal(printed, &again); err != nil {
			t.Fatalf("loading %s again: %v", printed, err)
		}
		if diff := cmp.Diff(req, again); diff != "" {
			t.Errorf("%q (-loaded +again):\n%s", b, diff)
		}
	})
}
