package elb_test

import (
	"fmt"
	"io"
	"net/http"
	"path"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/elb"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// scripted answers GETs by the end of their path, and remembers them.
type scripted struct {
	replies map[string]string
	mu      sync.Mutex
	asked   []string
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	parent, last := path.Split(r.URL.Path)
	name := path.Base(parent) + "/" + last
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, name)
	reply, ok := s.replies[name]
	if !ok {
		return nil, fmt.Errorf("no reply for %s", name)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Request: r, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(reply)), ContentLength: int64(len(reply)),
	}, nil
}

func scriptedPool(t *testing.T, replies map[string]string) (driver.Pool, *scripted) {
	t.Helper()
	s := &scripted{replies: replies}
	client, err := elb.New(cloudlb.Config{
		Region: "cn-north-4", Credentials: cloudlb.StaticCredentials("KEY", "secret", ""), HTTPClient: &http.Client{Transport: s},
	}, elb.WithProjectID("0123456789abcdef0123456789abcdef"))
	if err != nil {
		t.Fatal(err)
	}
	return client.Pool("pool-1"), s
}

// A pool behind several load balancers has one lock key for all of them, in
// whatever order they are listed, and its changes are waited for everywhere.
func TestPoolOfSeveralLoadBalancers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		active := `{"statuses":{"loadbalancer":{"id":"lb","provisioning_status":"ACTIVE"}}}`
		p, script := scriptedPool(t, map[string]string{
			"pools/pool-1":         `{"pool":{"id":"pool-1","lb_algorithm":"ROUND_ROBIN","loadbalancers":[{"id":"lb-2"},{"id":"lb-1"}]}}`,
			"lb-1/statuses":        active,
			"lb-2/statuses":        active,
			"members/batch-update": `{"request_id":"r-1","members":[{"id":"m-1","weight":3}]}`,
		})
		d, err := p.Describe(t.Context())
		if err != nil || d.LockKey != "elb/cn-north-4/lb-1,lb-2" {
			t.Errorf("lock key %q, error %v", d.LockKey, err)
		}
		result, err := p.Change(t.Context(), driver.Change{Kind: driver.SetWeight, Members: []driver.Spec{
			{Key: driver.Key{Server: "10.0.0.1", Port: 80}, ID: "m-1", Weight: new(3)},
		}})
		if err != nil || result.Failed != nil {
			t.Fatalf("%+v, %v", result, err)
		}
		script.asked = nil
		if err := p.Wait(t.Context(), result.Ticket); err != nil {
			t.Error(err)
		}
		if want := []string{"pools/pool-1", "lb-1/statuses", "lb-2/statuses"}; !reflect.DeepEqual(script.asked, want) {
			t.Errorf("Wait asked for %q, want %q", script.asked, want)
		}
	})
}

// A pool that no load balancer uses is locked by itself.
func TestPoolWithoutLoadBalancer(t *testing.T) {
	t.Parallel()
	p, _ := scriptedPool(t, map[string]string{"pools/pool-1": `{"pool":{"id":"pool-1"}}`})
	if d, err := p.Describe(t.Context()); err != nil || d.LockKey != "elb/cn-north-4/pool-1" {
		t.Errorf("lock key %q, error %v", d.LockKey, err)
	}
	if err := p.Wait(t.Context(), "pool-1"); err != nil {
		t.Error(err)
	}
}

// What the service says about a member, in the words of package pool.
func TestPoolMemberFields(t *testing.T) {
	t.Parallel()
	p, _ := scriptedPool(t, map[string]string{"pool-1/members": `{"members":[
		{"id":"m-1","name":"web-1","address":"10.0.0.1","protocol_port":80,"weight":5,"admin_state_up":true,"instance_id":"ecs-1",
		 "subnet_cidr_id":"subnet-1","availability_zone":"az-1","operating_status":"ONLINE",
		 "status":[{"listener_id":"l-1","operating_status":"ONLINE"},{"listener_id":"l-2","operating_status":"OFFLINE"}]},
		{"id":"m-2","address":"10.0.0.2","protocol_port":80,"weight":1,"admin_state_up":false,"operating_status":"DISABLED"},
		{"id":"m-3","address":"10.0.0.3","protocol_port":80,"weight":1,"admin_state_up":true,"operating_status":"NO_MONITOR"},
		{"id":"m-4","address":"10.0.0.4","protocol_port":80,"weight":1,"admin_state_up":true,"operating_status":"UNKNOWN"}
	],"page_info":{"current_count":4}}`})
	key := func(server string) driver.Key { return driver.Key{Server: server, Port: 80} }
	want := []driver.Member{
		{
			Key: key("10.0.0.1"), ID: "m-1", Aliases: []string{"ecs-1"}, Weight: 5, Phase: driver.Ready, Health: driver.Unhealthy,
			Subnet: "subnet-1", Label: "web-1", Zone: "az-1",
		},
		{Key: key("10.0.0.2"), ID: "m-2", Weight: 1, Phase: driver.Disabled},
		{Key: key("10.0.0.3"), ID: "m-3", Weight: 1, Phase: driver.Ready, Health: driver.Unchecked},
		{Key: key("10.0.0.4"), ID: "m-4", Weight: 1, Phase: driver.Ready},
	}
	got, err := p.Members(t.Context(), true)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("members\n%#v, want\n%#v, error %v", got, want, err)
	}
	for i := range want {
		want[i].Health = driver.HealthUnknown
	}
	got, err = p.Members(t.Context(), false)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("without health\n%#v, want\n%#v, error %v", got, want, err)
	}
}
