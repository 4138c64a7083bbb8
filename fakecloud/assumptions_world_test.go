package fakecloud_test

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/fakecloud"
)

// world is a Cloud with something of every service in it.
type world struct {
	*client
	cloud *fakecloud.Cloud
	elb   string // path
	apic  string // path of the channels of gw-1
}

func newWorld(t *testing.T, opts ...fakecloud.Option) world {
	cloud, c := virtual(t, opts...)
	zero := 0
	cloud.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-1", Servers: []fakecloud.BackendServer{
		{ID: "i-0", Port: 80, Weight: new(50)}, {ID: "i-z", Port: 80, Weight: &zero},
	}})
	cloud.AddServerGroup(fakecloud.ServerGroup{ID: "sgp-2"})
	cloud.AddListener(fakecloud.Listener{ID: "lsr-1", ServerGroupIDs: []string{"sgp-1"}, Rules: []fakecloud.ListenerRule{{ID: "rule-1"}}})
	cloud.AddHealthCheckTemplate(fakecloud.HealthCheckTemplate{ID: "hct-1"})
	cloud.AddHealthCheckTemplate(fakecloud.HealthCheckTemplate{ID: "hct-2"})
	servers := []fakecloud.BackendServer{{ID: "i-0", IP: "10.0.0.1", Port: 80}}
	cloud.AddVServerGroup(fakecloud.VServerGroup{ID: "rsp-1", Name: "web", LoadBalancerID: "lb-1", Servers: servers})
	cloud.AddClassicLoadBalancer(fakecloud.ClassicLoadBalancer{ID: "lb-1", Servers: servers, Listeners: []fakecloud.ClassicListener{{Port: 80, NoHealthCheck: true}}})
	cloud.AddPool(fakecloud.Pool{ID: "pool-1", LoadBalancerID: "elb-1", ListenerID: "lsn-1", HealthMonitorID: "hm-1", Members: []fakecloud.PoolMember{
		{ID: "m-0", Address: "10.0.0.1", Port: 80}, {ID: "m-z", Address: "10.0.0.2", Port: 80, Weight: &zero},
	}})
	cloud.AddPool(fakecloud.Pool{ID: "pool-2", LoadBalancerID: "elb-1"})
	cloud.AddVPCChannel(fakecloud.VPCChannel{
		ID: "vc-1", Name: "channel", InstanceID: "gw-1", HealthCheck: true, Groups: []string{"group"},
		Members: []fakecloud.ChannelMember{
			{ID: "cm-0", Host: "10.0.0.1", Weight: new(5), Group: "group"}, {ID: "cm-1", Host: "10.0.0.2", Disabled: true},
		},
	})
	cloud.AddInstance("gw-2")
	return world{c, cloud, "/v3/" + cloud.ProjectID() + "/elb/", "/v2/" + cloud.ProjectID() + "/apic/instances/gw-1/vpc-channels"}
}

// did is an answer's error code, or its status.
func did(r reply) string {
	if r.code() != "" {
		return r.code()
	}
	return fmt.Sprint(r.status)
}

// column is a field of all rows of a list.
func column(r reply, field string, path ...any) string {
	var out []string
	for i := range r.len(path...) {
		out = append(out, fmt.Sprint(r.at(append(path, i, field)...)))
	}
	return strings.Join(out, " ")
}

func (w world) add(id string, more fields) reply {
	server := fields{"ServerId": id, "ServerType": "Ecs", "Port": 80}
	maps.Copy(server, more)
	return w.alb("AddServersToServerGroup", fields{"ServerGroupId": "sgp-1", "Servers": []fields{server}})
}

func (w world) weights() string {
	return column(w.alb("ListServerGroupServers", fields{"ServerGroupId": "sgp-1"}), "Weight", "Servers")
}

func (w world) health() string {
	return column(w.alb("GetListenerHealthStatus", fields{"ListenerId": "lsr-1"}), "Status", "ListenerHealthStatus", 0, "ServerGroupInfos", 0, "NonNormalServers")
}

func (w world) slbGroup(action string, lists fields) reply {
	params := fields{"VServerGroupId": "rsp-1"}
	maps.Copy(params, lists)
	r := w.slb(action, params)
	advance(time.Minute)
	return r
}

// vservers is what is in the group rsp-1.
func (w world) vservers() string {
	r := w.slb("DescribeVServerGroupAttribute", fields{"VServerGroupId": "rsp-1"})
	return column(r, "ServerId", "BackendServers", "BackendServer") + " " + column(r, "Weight", "BackendServers", "BackendServer")
}

func server(id string, more ...any) fields {
	out := fields{"ServerId": id, "ServerIp": "10.0.0.1", "Port": 80, "Weight": 7}
	for i := 0; i < len(more); i += 2 {
		out[fmt.Sprint(more[i])] = more[i+1]
	}
	return out
}

func (w world) members(query string) reply {
	return w.rest("GET", w.elb+"pools/pool-1/members"+query, nil)
}

func (w world) states() string { return column(w.members(""), "operating_status", "members") }

func (w world) pair() reply {
	w.cloud.AddPool(fakecloud.Pool{LoadBalancerID: "elb-2", ListenerID: "lsn-2"})
	return w.rest("POST", w.elb+"master-slave-pools", fields{"pool": fields{
		"name": "pair", "protocol": "TCP", "lb_algorithm": "ROUND_ROBIN", "type": "instance", "vpc_id": "vpc-1", "loadbalancer_id": "elb-2",
		"members": []fields{
			{"address": "10.0.0.8", "protocol_port": 80, "role": "master"}, {"address": "10.0.0.9", "protocol_port": 80, "role": "slave"},
		},
		"healthmonitor": fields{"type": "TCP", "delay": 5, "timeout": 3, "max_retries": 3},
	}})
}

// diagnosis starts one of a member that is OFFLINE.
func (w world) diagnosis(member string) string {
	w.cloud.SetHealth("10.0.0.1", false)
	return fmt.Sprint(w.rest("POST", w.elb+"members/"+member+"/health-check", nil).at("member_check", "job_id"))
}

// diagnosed is what it found, later.
func (w world) diagnosed(job string) string {
	advance(time.Minute)
	r := w.rest("GET", w.elb+"members/check/jobs/"+job, nil)
	result := func(part string) any { return r.at("member_check", "result", part, "check_result") }
	return fmt.Sprint("config:", result("config"), " security_group:", result("security_group"))
}

// group is the ID of the member group.
func (w world) group() string {
	return fmt.Sprint(w.channel("GET", "/member-groups", nil).at("member_groups", 0, "member_group_id"))
}

func (w world) project() string {
	return strings.TrimSuffix(w.apic, "/instances/gw-1/vpc-channels") + "/vpc-channels"
}

func (w world) channel(method, path string, body any) reply {
	return w.rest(method, w.apic+"/vc-1"+path, body)
}

func (w world) channelHealth() string {
	return column(w.rest("GET", strings.Replace(w.apic, "apic", "apigw", 1)+"/vc-1/members", nil), "health_status", "members")
}

// apply applies the template hct-1.
func (w world) apply(group string) reply {
	return w.alb("ApplyHealthCheckTemplateToServerGroup", fields{"ServerGroupId": group, "HealthCheckTemplateId": "hct-1"})
}

// budgeted opens a world in which ListServerGroups may be called twice a
// minute.
func budgeted(service, operation string) []fakecloud.Option {
	return []fakecloud.Option{fakecloud.WithBudget(service, operation, cloudlb.Budget{Calls: 2, Per: time.Minute})}
}

func (w world) groups(more ...any) reply {
	params := fields{}
	for i := 0; i < len(more); i += 2 {
		params[fmt.Sprint(more[i])] = more[i+1]
	}
	return w.alb("ListServerGroups", params)
}
