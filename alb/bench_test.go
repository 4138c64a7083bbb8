package alb_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
)

// BenchmarkAddServersToServerGroup is one call over loopback, the server
// included, beside a bare POST of the same bytes to the same server.
func BenchmarkAddServersToServerGroup(b *testing.B) {
	const reply = `{"JobId":"72dcd26b-f12d-4c27-b3af-18f6aed5","RequestId":"365F4154-92F6-4AE4-92F8-7FF34B540710"}`
	var body []byte
	var target string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if body == nil {
			body, _ = io.ReadAll(r.Body)
			target = r.URL.String()
		}
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, reply)
	}))
	defer server.Close()
	limiter := cloudlb.NewLimiter()
	limiter.SetBudget("alb", "", cloudlb.Budget{})
	client, err := alb.New(cloudlb.Config{
		Region: "cn-hangzhou", Endpoint: server.URL, AllowHTTP: true, Limiter: limiter,
		Credentials: cloudlb.StaticCredentials("EXAMPLEACCESSKEY0001", "EXAMPLEsecretEXAMPLEsecretEXAMPLE01", ""),
	})
	if err != nil {
		b.Fatal(err)
	}
	for _, n := range []int{2, 200} {
		req := alb.AddServersToServerGroupRequest{ServerGroupID: "sgp-atstuj3rtop00001"}
		for i := range n {
			req.Servers = append(req.Servers, alb.AddedServer{
				ServerID: fmt.Sprintf("i-bp%017d", i), ServerType: alb.ServerTypeEcs, Port: 8080, Weight: new(100),
			})
		}
		body = nil
		if _, err := client.AddServersToServerGroup(b.Context(), req); err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("servers=%d/cloudlb", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.AddServersToServerGroup(b.Context(), req); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("servers=%d/bare POST", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				resp, err := http.Post(server.URL+target, "application/x-www-form-urlencoded", bytes.NewReader(body))
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
}
