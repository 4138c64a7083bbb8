package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/fakecloud"
)

const seedJSON = `{"ServerGroups": [{"ID": "sgp-1", "Name": "web", "Servers": [{"ID": "i-1", "Port": 80, "Weight": 0}]}],
	"Pools": [{"ID": "pool-1", "Members": [{"Address": "10.0.0.1", "Port": 80}]}]}`

// output collects what the server writes and tells its URL.
type output struct {
	lines chan string
	mu    sync.Mutex
	all   strings.Builder
}

func (o *output) follow(r io.Reader) {
	defer close(o.lines)
	s := bufio.NewScanner(r)
	for s.Scan() {
		o.mu.Lock()
		o.all.WriteString(s.Text() + "\n")
		o.mu.Unlock()
		select {
		case o.lines <- s.Text():
		default: // nobody reads any more
		}
	}
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.all.String()
}

// start runs the server on a free port; stop ends it and returns its error.
func start(t *testing.T, args ...string) (url string, out *output, stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	r, w := io.Pipe()
	out = &output{lines: make(chan string, 1)}
	followed := make(chan struct{})
	go func() { out.follow(r); close(followed) }()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), w, io.Discard)
		w.Close()
		done <- err
	}()
	stop = sync.OnceValue(func() error {
		cancel()
		err := <-done
		<-followed
		return err
	})
	t.Cleanup(func() { stop() })
	var line struct{ URL string }
	if err := json.Unmarshal([]byte(<-out.lines), &line); err != nil || line.URL == "" {
		t.Fatalf("no URL in the first line: %v, %v", err, stop())
	}
	return line.URL, out, stop
}

func get(t *testing.T, method, url, body string, into any) int {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if into != nil {
		if err := json.Unmarshal(b, into); err != nil {
			t.Fatalf("%s: %v", b, err)
		}
	}
	return resp.StatusCode
}

func TestServer(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "cloud.json")
	if err := os.WriteFile(file, []byte(seedJSON), 0o600); err != nil {
		t.Fatal(err)
	}
	url, out, stop := start(t, "-seed-file", file, "-speed", "1000", "-region", "cn-test")

	var health map[string]string
	if status := get(t, "GET", url+"/_fakecloud/health", "", &health); status != 200 || health["status"] != "ok" || health["region"] != "cn-test" || len(health["project_id"]) != 32 {
		t.Errorf("health: %d %v", status, health)
	}

	cfg := fakecloud.New(fakecloud.WithRegion("cn-test")).Config()
	cfg.Endpoint, cfg.AllowHTTP = url, true
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	cfg.HTTPClient = &http.Client{Transport: transport}
	lb, err := alb.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	res, err := lb.AddServersToServerGroup(t.Context(), alb.AddServersToServerGroupRequest{
		ServerGroupID: "sgp-1", Servers: []alb.AddedServer{{ServerID: "i-2", ServerType: alb.ServerTypeEcs, Port: 80}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lb.WaitForJob(t.Context(), res.JobID); err != nil {
		t.Fatal(err)
	}

	var state fakecloud.State
	if get(t, "GET", url+"/_fakecloud/state", "", &state); len(state.ServerGroups) != 1 || len(state.ServerGroups[0].Servers) != 2 || *state.ServerGroups[0].Servers[0].Weight != 0 {
		t.Errorf("state: %+v", state)
	}
	var requests struct{ Requests []fakecloud.Request }
	if get(t, "GET", url+"/_fakecloud/requests", "", &requests); len(requests.Requests) < 2 || requests.Requests[0].Operation != "AddServersToServerGroup" {
		t.Errorf("requests: %+v", requests)
	}

	var seeded struct{ IDs []string }
	if status := get(t, "POST", url+"/_fakecloud/seed", `{"VPCChannels": [{"ID": "vc-1", "Members": [{"Host": "10.0.0.1"}]}], "Accounts": {"b": {"Pools": [{"ID": "pool-b"}]}}}`, &seeded); status != 200 || len(seeded.IDs) != 2 || seeded.IDs[1] != "pool-b" || seeded.IDs[0] != "vc-1" {
		t.Errorf("seed: %d %+v", status, seeded)
	}
	if status := get(t, "POST", url+"/_fakecloud/reset", "", nil); status != 200 {
		t.Errorf("reset: %d", status)
	}
	state = fakecloud.State{}
	if get(t, "GET", url+"/_fakecloud/state", "", &state); len(state.ServerGroups[0].Servers) != 1 || len(state.VPCChannels) != 0 || len(state.Pools) != 1 {
		t.Errorf("state after reset: %+v", state)
	}

	if status := get(t, "POST", url+"/_fakecloud/faults", `[{"Operation": "ListServerGroups", "Effect": "refuse 403 NoPermission no", "Times": 1, "After": "0s"}]`, nil); status != 200 {
		t.Errorf("faults: %d", status)
	}
	if _, err := lb.ListServerGroups(t.Context(), alb.ListServerGroupsRequest{}); !errors.Is(err, cloudlb.ErrDenied) {
		t.Errorf("with a fault: %v", err)
	}
	if status := get(t, "DELETE", url+"/_fakecloud/faults", "", nil); status != 200 {
		t.Errorf("no faults: %d", status)
	}

	// A refused request, with secrets where they do not belong.
	if status := get(t, "POST", url+"/?Action=ListServerGroups&Version=2020-06-16&AccessKeyId=AKLEAK&Signature=SIGLEAK", "", nil); status < 400 {
		t.Errorf("unsigned: %d", status)
	}
	if err := stop(); err != nil {
		t.Errorf("stopped with %v", err)
	}
	log := out.String()
	for _, want := range []string{`"operation":"AddServersToServerGroup"`, `"account":"default"`, `"request_id":"` + res.RequestID + `"`, `"status":200`, `"ServerGroupId":"sgp-1"`, `"msg":"stopped"`} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s:\n%s", want, log)
		}
	}
	cred, _ := cfg.Credentials.Credentials(t.Context())
	for _, secret := range []string{cred.SecretAccessKey, cred.AccessKeyID, "AKLEAK", "SIGLEAK", "Signature="} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	for line := range strings.Lines(log) {
		if !json.Valid([]byte(line)) {
			t.Errorf("no JSON: %s", line)
		}
	}
}

func TestRoutesRefuse(t *testing.T) {
	t.Parallel()
	url, _, _ := start(t)
	tests := []struct {
		name, method, path, body string
		status                   int
	}{
		{"no JSON", "POST", "seed", "nonsense", 400},
		{"misspelt", "POST", "seed", `{"ServerGroup": []}`, 400},
		{"two values", "POST", "seed", `{} {}`, 400},
		{"account's name", "POST", "seed", `{"Accounts": {"a b": {}}}`, 400},
		{"accounts in an account", "POST", "seed", `{"Accounts": {"a": {"Accounts": {"b": {}}}}}`, 400},
		{"impossible fault", "POST", "faults", `[{"Operation": "ListServerGroups", "Effect": "busy"}]`, 400},
		{"duration", "POST", "faults", `[{"Effect": "hang", "After": "soon"}]`, 400},
		{"effect", "POST", "faults", `[{"Effect": "explode"}]`, 400},
		{"method", "GET", "reset", "", 404},
		{"unknown", "GET", "nothing", "", 404},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var answer problem
			if status := get(t, tt.method, url+"/_fakecloud/"+tt.path, tt.body, &answer); status != tt.status || answer.Error == "" {
				t.Errorf("%d %+v, want %d", status, answer, tt.status)
			}
		})
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "bad.json")
	if err := os.WriteFile(bad, []byte(`{"Groups": []}`), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		args []string
		want string // in the error; empty: none
	}{
		{"help", []string{"-h"}, ""},
		{"all addresses", []string{"-addr", ":0"}, "not a loopback address"},
		{"another address", []string{"-addr", "0.0.0.0:0"}, "not a loopback address"},
		{"no port", []string{"-addr", "127.0.0.1"}, "missing port"},
		{"no file", []string{"-seed-file", "does-not-exist.json"}, "does-not-exist.json"},
		{"bad file", []string{"-seed-file", bad}, `unknown field "Groups"`},
		{"bad faults", []string{"-faults", bad}, "cannot unmarshal object"},
		{"speed", []string{"-speed", "0"}, "-speed must be above 0"},
		{"argument", []string{"start"}, `unexpected argument "start"`},
		{"flag", []string{"-what"}, "not defined"},
		{"assumptions", []string{"-assumptions"}, ""},
		{"assumption", []string{"-without", "slb-add-together,sun-shines"}, `there is no assumption "sun-shines"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := run(t.Context(), tt.args, io.Discard, io.Discard)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestAssumptions(t *testing.T) {
	t.Parallel()
	var list strings.Builder
	if err := run(t.Context(), []string{"-assumptions"}, &list, io.Discard); err != nil {
		t.Fatal(err)
	}
	for _, a := range fakecloud.Assumptions() {
		if !strings.Contains(list.String(), string(a)+"\n    "+a.Text()+"\n") {
			t.Errorf("%s is not listed", a)
		}
	}
	url, _, _ := start(t, "-without", "alb-unknown-jobs-left-out, slb-add-together")
	cfg := fakecloud.New().Config()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	cfg.Endpoint, cfg.AllowHTTP, cfg.HTTPClient = url, true, &http.Client{Transport: transport}
	lb, err := alb.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lb.ListAsynJobs(t.Context(), alb.ListAsynJobsRequest{JobIDs: []string{"unknown"}}); !errors.Is(err, cloudlb.ErrNotFound) {
		t.Error(err)
	}
}
