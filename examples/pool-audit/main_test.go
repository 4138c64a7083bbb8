package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/cloudlb/cloudlb/fakecloud"
)

func TestAudit(t *testing.T) {
	t.Parallel()
	const all = `shop: alb/cn-hangzhou/sgp-web i-web-2:80: zero weight: it gets no requests
shop: alb/cn-hangzhou/sgp-web i-web-2:80: other weight: 0, not 100
shop: elb/cn-hangzhou/pool-ip 10.0.1.1:80: zero weight: it gets requests all the same: the pool's algorithm is SOURCE_IP, which ignores weights: to take a member out, remove it (harmless)
shop: 2 pools, 2 findings
bank: alb/eu-central-1/sgp-old: no members
bank: 2 pools, 1 findings
`
	const found = `shop: alb/cn-hangzhou/sgp-web has i-web-1:80 with weight 100
bank: alb/eu-central-1/sgp-batch has i-web-1:8080 with weight 100
`
	for _, tt := range []struct {
		args, fault  string // fault is an operation of the account bank that is denied
		status       int
		stdout, says string
	}{
		{"", "", 0, all, ""},
		{"-exit-code", "", 1, all, ""},
		{"-find i-web-1", "", 0, found, ""},
		{"-find i-web-9", "", 1, "i-web-9 is in no pool\n", ""},
		{"-find i-web-9", "ListServerGroupServers", 2, "", "bank"}, // nobody knows
		{"-exit-code", "ListServerGroups", 2, all[:strings.Index(all, "bank: ")], "account bank: "},
		{"i-web-1", "", 2, "", `unexpected argument "i-web-1"`},
		{"-fnd i-web-1", "", 2, "", "flag provided but not defined"},
	} {
		t.Run(tt.args+" "+tt.fault, func(t *testing.T) {
			t.Parallel()
			cloud, accounts := emulate()
			if tt.fault != "" {
				cloud.Inject(fakecloud.Fault{Account: "bank", Operation: tt.fault, Effect: fakecloud.Refuse(403, "Forbidden.RAM", "not allowed")})
			}
			var stdout, stderr bytes.Buffer
			status := run(t.Context(), accounts, strings.Fields(tt.args), &stdout, &stderr)
			if status != tt.status || stdout.String() != tt.stdout || !strings.Contains(stderr.String(), tt.says) {
				t.Errorf("status %d, want %d\n%s\n%s", status, tt.status, stdout.String(), stderr.String())
			}
		})
	}
}

// What one deploy should have ended with leaves nothing to find.
func TestAuditOfAHealthyAccount(t *testing.T) {
	t.Parallel()
	cloud := fakecloud.New()
	accounts := []account{{"shop", cloud.Config()}, {"new", cloud.Account("new").Config()}}
	cloud.AddServerGroup(fakecloud.ServerGroup{Name: "web", Servers: []fakecloud.BackendServer{{ID: "i-web-1", Port: 80}, {ID: "i-web-2", Port: 80}}})
	var stdout, stderr bytes.Buffer
	status := run(t.Context(), accounts, []string{"-exit-code"}, &stdout, &stderr)
	if want := "shop: 1 pools, 0 findings\nnew: no pools\n"; status != 0 || stdout.String() != want {
		t.Errorf("status %d: %s%s", status, stdout.String(), stderr.String())
	}
}
