package main

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/fakecloud"
)

// place is where the program runs: what the clients of the two clouds are built
// from.
type place struct {
	line            string
	alibaba, huawei cloudlb.Config
	projectID       string // empty: asked for by the region's name ...
	iam             string // ... here, or at the region's own address
}

// String says where the program runs.
func (p *place) String() string { return p.line }

const (
	alibaba = "Alibaba Cloud"
	huawei  = "Huawei Cloud"
)

// cloudOf says whose service it is.
var cloudOf = map[string]string{"alb": alibaba, "slb": alibaba, "elb": huawei, "apig": huawei}

// variables are the settings of a cloud in the environment.
type variables struct{ id, secret, token, region, endpoint string }

var (
	alibabaVariables = variables{
		"ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "ALIBABA_CLOUD_SECURITY_TOKEN",
		"CLOUDLB_ALIBABA_REGION", "CLOUDLB_ALIBABA_ENDPOINT",
	}
	huaweiVariables = variables{
		"HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK", "HUAWEICLOUD_SDK_SECURITY_TOKEN",
		"CLOUDLB_HUAWEI_REGION", "CLOUDLB_HUAWEI_ENDPOINT",
	}
)

const projectVariable = "HUAWEICLOUD_SDK_PROJECT_ID"

// place decides where to run: on the emulator only if nothing at all is set.
func (p program) place(f *file) (*place, error) {
	var set []string
	for _, name := range []string{
		alibabaVariables.id, alibabaVariables.secret, alibabaVariables.token, alibabaVariables.region, alibabaVariables.endpoint,
		huaweiVariables.id, huaweiVariables.secret, huaweiVariables.token, huaweiVariables.region, huaweiVariables.endpoint,
		projectVariable,
	} {
		if p.getenv(name) != "" {
			set = append(set, name)
		}
	}
	if len(set) == 0 {
		cloud := p.emulate(f)
		cfg := cloud.Config()
		return &place{
			line:    "Running on fakecloud, the emulator in this process: no account is needed and nothing leaves it.",
			alibaba: cfg, huawei: cfg, projectID: cloud.ProjectID(),
		}, nil
	}
	at := &place{projectID: p.getenv(projectVariable), iam: p.getenv(huaweiVariables.endpoint)}
	var where, missing []string
	for _, c := range []struct {
		name string
		v    variables
		cfg  *cloudlb.Config
	}{{alibaba, alibabaVariables, &at.alibaba}, {huawei, huaweiVariables, &at.huawei}} {
		if !f.uses(c.name) {
			continue
		}
		for _, name := range []string{c.v.id, c.v.secret, c.v.region} {
			if p.getenv(name) == "" {
				missing = append(missing, name)
			}
		}
		*c.cfg = p.config(c.v)
		where = append(where, c.name+" "+c.cfg.Region)
		if c.cfg.Endpoint != "" {
			where[len(where)-1] += " at " + c.cfg.Endpoint
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("the environment has %s, so this would run on the real services, but for %s it lacks %s: set that, or unset all of them to run on the emulator",
			strings.Join(set, ", "), f.name, strings.Join(missing, ", "))
	}
	at.line = "Running on the real services: " + strings.Join(where, ", ") + "."
	return at, nil
}

func (p program) config(v variables) cloudlb.Config {
	endpoint := p.getenv(v.endpoint)
	return cloudlb.Config{
		Region:      p.getenv(v.region),
		Endpoint:    endpoint,
		AllowHTTP:   loopback(endpoint),
		Credentials: cloudlb.StaticCredentials(p.getenv(v.id), p.getenv(v.secret), p.getenv(v.token)),
		Limiter:     cloudlb.NewLimiter(), // shared by the clients of the account
		UserAgent:   "cloudlb-quickstart",
	}
}

// loopback reports whether an endpoint is on this machine, where http will do.
func loopback(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}

func (f *file) uses(cloud string) bool {
	for _, g := range f.groups {
		if cloudOf[g.service] == cloud {
			return true
		}
	}
	return false
}

// services builds the client of every group; groups of one service share one.
func (p *place) services(f *file, log *progress) (map[*group]service, error) {
	made := make(map[string]service)
	all := make(map[*group]service, len(f.groups))
	for _, g := range f.groups {
		key := g.service + string(g.product)
		if made[key] == nil {
			s, err := p.service(g, log)
			if err != nil {
				return nil, fmt.Errorf("%w; check the environment", err)
			}
			made[key] = s
		}
		all[g] = made[key]
	}
	return all, nil
}

func (p *place) service(g *group, log *progress) (service, error) {
	cfg := p.alibaba
	if cloudOf[g.service] == huawei {
		cfg = p.huawei
	}
	cfg.Hooks.Wait = log.waiting
	switch g.service {
	case "alb":
		return newALB(cfg, log)
	case "slb":
		return newSLB(cfg, log)
	case "elb":
		return newELB(cfg, p, log)
	default:
		return newAPIG(cfg, p, g.product, log)
	}
}

// emulate is a cloud that has the groups of the file, without servers, and is
// quicker than real ones.
func emulate(f *file) *fakecloud.Cloud {
	cloud := fakecloud.New(
		fakecloud.WithJobDuration(300*time.Millisecond),
		fakecloud.WithConfiguringWindow(0),
		fakecloud.WithMemberInitial(300*time.Millisecond),
	)
	seed(cloud, f)
	return cloud
}

func seed(cloud *fakecloud.Cloud, f *file) {
	for _, g := range f.groups {
		switch g.service {
		case "alb":
			kind := "Instance"
			if len(g.servers) > 0 && g.servers[0].kind == "ip" {
				kind = "Ip"
			}
			cloud.AddServerGroup(fakecloud.ServerGroup{ID: g.id, Name: g.name, Type: kind})
		case "slb":
			cloud.AddVServerGroup(fakecloud.VServerGroup{ID: g.id, Name: g.name, LoadBalancerID: g.balancer})
		case "elb":
			cloud.AddPool(fakecloud.Pool{ID: g.id, Name: g.name, HealthMonitorID: "36ce7086-a496-4666-9064-5ba0e6840c75"})
		case "apig":
			cloud.AddVPCChannel(fakecloud.VPCChannel{ID: g.id, Name: g.name, InstanceID: g.instance})
		}
	}
}
