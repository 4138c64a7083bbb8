package slb_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/slb"
)

// script answers by operation.
type script map[string]string

func (s script) RoundTrip(r *http.Request) (*http.Response, error) {
	status, text := http.StatusOK, s[strings.Join(r.Header["x-acs-action"], "")+r.Header.Get("X-Acs-Action")]
	if strings.Contains(text, `"Code"`) {
		status = http.StatusNotFound
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(text)), Request: r,
	}, nil
}

// scripted is a client of a load balancer with the group rsp-1, which has the
// server i-1, those users, and the reports "LISTENERPORT STATE,...", or an error
// in their place.
func scripted(t *testing.T, users, reports string) *slb.Client {
	t.Helper()
	var list []string
	for report := range strings.SplitSeq(reports, ",") {
		if port, state, ok := strings.Cut(report, " "); ok {
			list = append(list, fmt.Sprintf(`{"ListenerPort":%s,"ServerId":"i-1","Port":80,"ServerHealthStatus":%q}`, port, state))
		}
	}
	health := `{"RequestId":"r","BackendServers":{"BackendServer":[` + strings.Join(list, ",") + `]}}`
	if len(list) == 0 && reports != "" {
		health = `{"RequestId":"r","Message":"no","Code":"` + reports + `"}`
	}
	return script{
		"DescribeVServerGroupAttribute": `{"RequestId":"r","LoadBalancerId":"lb-1","VServerGroupId":"rsp-1","BackendServers":{"BackendServer":[
			{"ServerId":"i-1","Port":80,"Weight":100,"Type":"ecs"}]}}`,
		"DescribeVServerGroups": `{"RequestId":"r","VServerGroups":{"VServerGroup":[{"VServerGroupId":"rsp-1","AssociatedObjects":{` + users + `}}]}}`,
		"DescribeHealthStatus":  health,
	}.client(t)
}

func (s script) client(t *testing.T) *slb.Client {
	t.Helper()
	lb, err := slb.New(cloudlb.Config{
		Region: "cn-hangzhou", Credentials: cloudlb.StaticCredentials("id", "secret", ""),
		HTTPClient: &http.Client{Transport: s},
	})
	if err != nil {
		t.Fatal(err)
	}
	return lb
}
