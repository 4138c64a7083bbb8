package fakecloud_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/fakecloud"
)

func TestCallsByName(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil)
	b.size(t, "apig")
	b.size(t, "apig")
	b.size(t, "elb")
	for _, tt := range []struct {
		service, operation string
		want               int
	}{
		{"apig", "ListBackendInstancesV2", 2},
		{"apig", "ListVpcChannelMembers", 2},
		{"apig", "", 2},
		{"apig", "AddVpcChannelMembers", 0},
		{"elb", "ListMembers", 1},
		{"", "ListMembers", 1},
		{"", "", 3},
		{"iam", "", 0},
	} {
		equal(t, tt.service+" "+tt.operation, b.cloud.Calls(tt.service, tt.operation), tt.want)
		equal(t, "rate of "+tt.service+" "+tt.operation, b.cloud.Rate(tt.service, tt.operation, time.Hour), tt.want)
	}
	for _, f := range []func(){
		func() { b.cloud.Calls("elb", "ListMember") },
		func() { b.cloud.Calls("nlb", "") },
		func() { b.cloud.Rate("slb", "ListMembers", time.Second) },
	} {
		func() {
			defer func() {
				if text := fmt.Sprint(recover()); !strings.HasPrefix(text, "fakecloud: ") || !strings.Contains(text, "no ") {
					t.Errorf("panic: %s", text)
				}
			}()
			f()
		}()
	}
}

func TestRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		for i := range 20 { // every second, and five at once in the middle
			b.size(t, "elb")
			if i == 10 {
				for range 4 {
					b.size(t, "elb")
				}
			}
			advance(time.Second)
		}
		for window, want := range map[time.Duration]int{
			0: 1, time.Nanosecond: 5, time.Second: 5, time.Second + 1: 6, 3 * time.Second: 7, time.Hour: 24,
		} {
			equal(t, window.String(), b.cloud.Rate("elb", "ListMembers", window), want)
		}
		equal(t, "others", b.cloud.Rate("elb", "ShowMember", time.Hour), 0)
	})
}

func TestAttempts(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		for range 3 {
			b.change(t, "add", cloudlb.WithClientToken("one"))
		}
		advance(time.Minute)
		b.change(t, "remove", cloudlb.WithClientToken("two"))
		b.size(t, "alb")
		equal(t, "attempts", b.cloud.Attempts(), map[string]int{"one": 3, "two": 1})
	})
}

func TestEmptyCalls(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		c := newClient(t, b.cloud.Config())
		members := "/v3/" + b.cloud.ProjectID() + "/elb/pools/" + b.pool + "/members/batch-"
		// With something to change, or nothing that could be empty.
		b.change(t, "add")
		want(t, c.slb("SetVServerGroupAttribute", fields{"VServerGroupId": b.vgroup, "VServerGroupName": "name"}), 200, "")
		want(t, c.alb("ListServerGroupServers", fields{"ServerGroupId": b.group}), 200, "")
		want(t, c.rest("POST", members+"delete", fields{"members": []fields{{"id": "m-0"}}}), 200, "")
		equal(t, "empty calls", len(b.cloud.EmptyCalls()), 0)
		for i, r := range []reply{
			c.alb("AddServersToServerGroup", fields{"ServerGroupId": b.group, "ClientToken": "x"}),
			c.alb("ReplaceServersInServerGroup", fields{"ServerGroupId": b.group}),
			c.slb("AddVServerGroupBackendServers", fields{"VServerGroupId": b.vgroup, "BackendServers": "[]"}),
			c.slb("SetVServerGroupAttribute", fields{"VServerGroupId": b.vgroup}),
			c.rest("POST", members+"add", fields{"members": []fields{}}),
			c.rest("POST", members+"delete", fields{}),
		} {
			empty := b.cloud.EmptyCalls()
			if len(empty) != 6 {
				t.Fatalf("%d empty calls: %v", len(empty), empty)
			}
			equal(t, "status", empty[i].Status, r.status)
		}
	})
}

func TestRequestLog(t *testing.T) {
	t.Parallel()
	b := newBench(t, nil, fakecloud.WithRequestLog(10))
	for range 57 {
		b.size(t, "elb")
	}
	b.size(t, "apig")
	log := b.cloud.Requests()
	equal(t, "kept", len(log), 10)
	equal(t, "last", log[9].Operation, "ListBackendInstancesV2")
	equal(t, "calls", b.cloud.Calls("elb", "ListMembers"), 57)
	equal(t, "rate", b.cloud.Rate("elb", "", time.Hour), 9)
	log[0].Params["pool_id"] = "changed"
	equal(t, "copy", b.cloud.Requests()[0].Params["pool_id"], b.pool)
}

func TestRecordsHoldNoSecrets(t *testing.T) {
	t.Parallel()
	const secret, sts = "very/secret/key", "sts-token-of-the-test"
	b := newBench(t, nil, fakecloud.WithCredentials("AKID", secret, sts))
	for _, service := range services {
		b.add(t.Context(), service, 1)
	}
	text := fmt.Sprintf("%+v", b.cloud.Requests())
	if strings.Contains(text, secret) || strings.Contains(text, sts) || strings.Contains(text, "AKID") {
		t.Error(text)
	}
}
