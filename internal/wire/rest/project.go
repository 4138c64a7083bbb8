package rest

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/transport"
	"github.com/cloudlb/cloudlb/internal/wire"
)

// Project is the project of a client: given, or looked up through IAM once.
type Project struct {
	region string
	iam    *transport.Client

	mu     sync.Mutex
	id     string
	lookup chan struct{} // closed when the lookup that runs now has ended
}

// CheckProjectID reports what is wrong with a given project ID.
func CheckProjectID(id string) []cloudlb.Problem {
	if id == "" || len(id) == 32 && strings.Trim(id, "0123456789abcdef") == "" {
		return nil
	}
	return []cloudlb.Problem{{Field: "WithProjectID", Message: "must be 32 lower-case hexadecimal digits"}}
}

// NewProject returns the project of a client.
func NewProject(cfg cloudlb.Config, id, iamEndpoint string) (*Project, error) {
	if id != "" {
		return &Project{id: id}, nil
	}
	cfg.Endpoint = iamEndpoint
	iam, err := transport.New(cfg, transport.Service{
		Name:   "iam",
		Family: Family{},
		Decode: wire.Decode,
		Errors: [][]transport.ErrorRow{CloudErrors},
	}, func(region string) string { return "iam." + region + ".myhuaweicloud.com" })
	if err != nil {
		return nil, err
	}
	return &Project{region: cfg.Region, iam: iam}, nil
}

// Address fills the project into a call.
func (p *Project) Address(ctx context.Context, call *transport.Call) error {
	id, err := p.get(ctx)
	if err != nil {
		return call.Unaddressed(err)
	}
	call.Request.Project = id
	return nil
}

// get returns the ID. One caller looks it up, the others wait for it on their
// own contexts; a failed lookup is not remembered.
func (p *Project) get(ctx context.Context) (string, error) {
	for {
		p.mu.Lock()
		if p.id != "" {
			defer p.mu.Unlock()
			return p.id, nil
		}
		running := p.lookup
		if running == nil {
			p.lookup = make(chan struct{})
			p.mu.Unlock()
			return p.find(ctx)
		}
		p.mu.Unlock()
		select {
		case <-running:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
}

func (p *Project) find(ctx context.Context) (string, error) {
	id, err := p.ask(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.id = id
	close(p.lookup)
	p.lookup = nil
	return id, err
}

var listProjects = transport.Operation{Name: "KeystoneListProjects", Action: "KeystoneListProjects", Method: "GET", Idempotency: transport.Read}

func (p *Project) ask(ctx context.Context) (string, error) {
	call := p.iam.Begin(&listProjects, nil)
	Literal(&call.Request, "/v3/projects")
	String(&call.Request, "name", p.region)
	var reply struct {
		Projects []struct {
			ID       string `json:"id"`
			Name     string `json:"name"`
			DomainID string `json:"domain_id"`
		} `json:"projects"`
	}
	var meta cloudlb.Metadata
	if err := call.Do(ctx, &reply, &meta, nil); err != nil {
		return "", err
	}
	switch len(reply.Projects) {
	case 1:
		return reply.Projects[0].ID, nil
	case 0:
		return "", fmt.Errorf("the account has no project for region %q: check Config.Region, or give the project by WithProjectID", p.region)
	default:
		return "", fmt.Errorf("account %s has %d projects for region %q: choose one by WithProjectID", reply.Projects[0].DomainID, len(reply.Projects), p.region)
	}
}
