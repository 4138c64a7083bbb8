package apig_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"reflect"
	"strings"
	"testing"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/apig"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// scripted answers by method and end of path, and remembers what was sent.
type scripted struct {
	replies map[string]string
	bodies  []string
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	name := r.Method + " " + path.Base(r.URL.Path)
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		s.bodies = append(s.bodies, string(body))
	}
	reply, ok := s.replies[name]
	if !ok {
		return nil, fmt.Errorf("no reply for %s", name)
	}
	return &http.Response{
		StatusCode: http.StatusOK, Request: r, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(reply)), ContentLength: int64(len(reply)),
	}, nil
}

func scriptedClient(t *testing.T, replies map[string]string) (*apig.Client, *scripted) {
	t.Helper()
	s := &scripted{replies: replies}
	client, err := apig.New(cloudlb.Config{
		Region: "cn-north-4", Credentials: cloudlb.StaticCredentials("KEY", "secret", ""), HTTPClient: &http.Client{Transport: s},
	}, apig.WithProjectID("0123456789abcdef0123456789abcdef"), apig.WithProduct(apig.APIGateway))
	if err != nil {
		t.Fatal(err)
	}
	return client, s
}

// Instances are listed with their address, which is an alias and not sent back.
func TestPoolMemberFields(t *testing.T) {
	t.Parallel()
	client, script := scriptedClient(t, map[string]string{
		"GET members": `{"size":2,"total":2,"members":[
			{"id":"m-1","ecs_id":"ecs-1","ecs_name":"web-1","host":"10.0.0.1","port":80,"weight":5,"status":1,"member_group_name":"blue"},
			{"id":"m-2","host":"2001:0DB8::0a","port":80,"weight":6,"status":1}
		]}`,
		"POST members": `{"size":1,"total":1,"members":[{"id":"m-1"}]}`,
	})
	p := client.Pool(poolGateway, poolChannel)
	got, err := p.Members(t.Context(), false)
	want := []driver.Member{
		{Key: driver.Key{Server: "ecs-1", Port: 80}, ID: "m-1", Aliases: []string{"10.0.0.1"}, Weight: 5, Phase: driver.Ready, Name: "web-1", Label: "blue"},
		{Key: driver.Key{Server: "2001:db8::a", Port: 80}, ID: "m-2", Weight: 6, Phase: driver.Ready},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Fatalf("members\n%#v, want\n%#v, error %v", got, want, err)
	}
	c := driver.Change{Kind: driver.SetWeight, Members: []driver.Spec{
		{Key: driver.Key{Server: "10.0.0.1", Port: 80}, Weight: new(7)}, {Key: want[1].Key, Weight: new(8)},
	}}
	if result, err := p.Change(t.Context(), c); err != nil || result.Failed != nil {
		t.Fatalf("%+v, %v", result, err)
	}
	sent := `{"members":[` +
		`{"weight":7,"member_group_name":"blue","status":1,"port":80,"ecs_id":"ecs-1","ecs_name":"web-1"},` +
		`{"host":"2001:0DB8::0a","weight":8,"status":1,"port":80}]}`
	if len(script.bodies) != 1 || script.bodies[0] != sent {
		t.Errorf("sent %s, want %s", script.bodies, sent)
	}

	// In another group it is another member.
	c = driver.Change{Kind: driver.Add, Members: []driver.Spec{{Key: driver.Key{Server: "ecs-1", Port: 80}, Name: "web-1", Label: "green"}}}
	if result, err := p.Change(t.Context(), c); err != nil || result.Failed != nil {
		t.Errorf("%+v, %v", result, err)
	}
	c.Members[0].Label = "blue"
	if result, err := p.Change(t.Context(), c); err != nil || len(result.Failed) != 1 || !errors.Is(result.Failed[0].Err, cloudlb.ErrAlreadyExists) {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestPoolChannelFields(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		channel  string
		noHealth string // part of the reason
		changes  bool
	}{
		"checked":     {channel: `"type":2,"vpc_health_config":{"protocol":"TCP","status":1}`, changes: true},
		"checks off":  {channel: `"type":2,"vpc_health_config":{"protocol":"TCP","status":2}`, noHealth: "switched off", changes: true},
		"not checked": {channel: `"type":2`, noHealth: "has no health check", changes: true},
		"reference":   {channel: `"type":2,"vpc_channel_type":"reference"`, noHealth: "has no health check"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, _ := scriptedClient(t, map[string]string{
				"GET " + poolChannel: `{"id":"` + poolChannel + `","name":"web","member_type":"ip",` + test.channel + `}`,
				"GET members":        `{"members":[{"id":"m-1","host":"10.0.0.1","port":80,"weight":1,"status":1,"health_status":"unknown"}]}`,
			})
			p := client.Pool(poolGateway, poolChannel)
			d, err := p.Describe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if (d.NoHealth == "") != (test.noHealth == "") || !strings.Contains(d.NoHealth, test.noHealth) {
				t.Errorf("NoHealth %q, want %q", d.NoHealth, test.noHealth)
			}
			if d.Add.Exists() != test.changes || d.Remove.Exists() != test.changes || (d.Weights.Ignored == "") != test.changes {
				t.Errorf("description %+v", d)
			}
			want := driver.HealthUnknown
			if test.noHealth == "" {
				want = driver.Checking
			}
			members, err := p.Members(t.Context(), true)
			if err != nil || len(members) != 1 || members[0].Health != want {
				t.Errorf("members %#v, error %v, want health %q", members, err, want)
			}
		})
	}
}
