package rest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/iam"
	"github.com/cloudlb/cloudlb/internal/transport"
	"github.com/cloudlb/cloudlb/internal/wire"
)

// Project is the project of a client: given, or looked up through IAM once.
type Project struct {
	region string
	iam    *transport.Client

	mu     sync.Mutex
	id     string
	lookup *lookup // the one that runs now
}

// lookup is one question to IAM. What it found out is set before done closes.
type lookup struct {
	done chan struct{}
	err  error
	left bool // the asker's context ended: err says nothing about the project
}

// CheckProjectID reports what is wrong with a given project ID.
func CheckProjectID(id string) []cloudlb.Problem {
	if id == "" || isProjectID(id) {
		return nil
	}
	return []cloudlb.Problem{{Field: "WithProjectID", Message: "is not a project ID: 32 hexadecimal digits, or on private clouds up to 64 letters and digits"}}
}

// isProjectID accepts what private clouds that run the same services use, too.
func isProjectID(id string) bool {
	return id != "" && len(id) <= 64 && strings.Trim(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == ""
}

// NewProject returns the project of a client.
func NewProject(cfg cloudlb.Config, id, iamEndpoint string) (*Project, error) {
	if id != "" {
		return &Project{id: id}, nil
	}
	cfg.Endpoint = iamEndpoint
	client, err := transport.New(cfg, transport.Service{
		Name:   "iam",
		Family: Family{},
		Decode: wire.Decode,
		Errors: [][]transport.ErrorRow{CloudErrors},
	}, iam.Host)
	if err != nil {
		return nil, err
	}
	return &Project{region: cfg.Region, iam: client}, nil
}

// Address fills the project into a call.
func (p *Project) Address(ctx context.Context, call *transport.Call) error {
	if p == nil || ctx == nil {
		return nil // Do reports it
	}
	id, err := p.get(ctx)
	if err != nil {
		return call.Unaddressed(err)
	}
	call.Request.Project = id
	return nil
}

// get returns the ID. One caller looks it up, the others wait for it on their
// own contexts. When the lookup fails they fail with it, but when its caller
// left, one of them takes over. A failed lookup is not remembered.
func (p *Project) get(ctx context.Context) (string, error) {
	for {
		p.mu.Lock()
		id, running := p.id, p.lookup
		if id == "" && running == nil {
			p.lookup = &lookup{done: make(chan struct{})}
			p.mu.Unlock()
			return p.find(ctx)
		}
		p.mu.Unlock()
		if id != "" {
			return id, nil
		}
		select {
		case <-running.done:
			if running.err != nil && !running.left {
				return "", running.err
			}
		case <-ctx.Done():
			return "", fmt.Errorf("waiting for another call's lookup: %w", ctx.Err())
		}
		if err := ctx.Err(); err != nil {
			return "", fmt.Errorf("before the lookup: %w", err)
		}
	}
}

func (p *Project) find(ctx context.Context) (id string, err error) {
	err = errors.New("the lookup was broken off") // should ask panic
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.id = id
		p.lookup.err, p.lookup.left = err, err != nil && ctx.Err() != nil
		close(p.lookup.done)
		p.lookup = nil
	}()
	return p.ask(ctx)
}

// ask finds the project that is named like the region. Projects inside it, named
// REGION_NAME, are other projects: which of them is meant only the caller knows.
func (p *Project) ask(ctx context.Context) (string, error) {
	var reply struct {
		Projects []project `json:"projects"`
	}
	if err := p.read(ctx, &listProjects, "/v3/projects", p.region, &reply); err != nil {
		return "", err
	}
	var named, inside []project
	for _, found := range reply.Projects {
		switch {
		case found.Name == p.region:
			named = append(named, found)
		case strings.HasPrefix(found.Name, p.region+"_"):
			inside = append(inside, found)
		}
	}
	switch {
	case len(named) > 1:
		return "", unsettled("%s has %d projects named %q: choose one by WithProjectID: %s",
			p.account(ctx, named), len(named), p.region, list(named))
	case len(named) == 1 && named[0].Enabled != nil && !*named[0].Enabled:
		return "", unsettled("the project %s of region %q in %s is disabled", list(named), p.region, p.account(ctx, named))
	case len(named) == 1 && !isProjectID(named[0].ID):
		return "", unsettled("the answer of IAM names no usable ID for the project of region %q: give it by WithProjectID", p.region)
	case len(named) == 1:
		return named[0].ID, nil
	case len(inside) > 0:
		return "", unsettled("%s shows no project for region %q itself: choose one inside it by WithProjectID: %s",
			p.account(ctx, inside), p.region, list(inside))
	default:
		return "", unsettled("%s has no project for region %q, or these credentials may not see it: check Config.Region, or give the project by WithProjectID",
			p.account(ctx, reply.Projects), p.region)
	}
}

func unsettled(format string, args ...any) error {
	return &cloudlb.Error{
		Service: "iam", Operation: listProjects.Name, Class: cloudlb.ClassInvalid, Outcome: cloudlb.OutcomeNotSent,
		Err: fmt.Errorf(format, args...),
	}
}

type project struct {
	ID       string `json:"id"`
	Name     string `json:"name"`
	DomainID string `json:"domain_id"`
	Enabled  *bool  `json:"enabled"`
}

func list(projects []project) string {
	const most = 5
	var names []string
	for _, p := range projects[:min(len(projects), most)] {
		names = append(names, fmt.Sprintf("%s (%q)", p.ID, p.Name))
	}
	if len(projects) > most {
		names = append(names, "...")
	}
	return strings.Join(names, ", ")
}

// account names the account for an error message, as well as it can be known.
func (p *Project) account(ctx context.Context, projects []project) string {
	for _, found := range projects {
		if found.DomainID != "" {
			return fmt.Sprintf("account %q", found.DomainID)
		}
	}
	var reply struct {
		Domains []struct {
			ID   string `json:"id"`
			Name string `json:"name"`
		} `json:"domains"`
	}
	err := p.read(ctx, &listDomains, "/v3/auth/domains", "", &reply, cloudlb.WithRetry(cloudlb.NoRetry()))
	if err == nil && len(reply.Domains) > 0 {
		return fmt.Sprintf("account %q (%s)", reply.Domains[0].Name, reply.Domains[0].ID)
	}
	return "the account of these credentials"
}

var (
	listProjects = transport.Operation{Name: "KeystoneListProjects", Action: "KeystoneListProjects", Method: "GET", Idempotency: transport.Read}
	listDomains  = transport.Operation{Name: "KeystoneListAuthDomains", Action: "KeystoneListAuthDomains", Method: "GET", Idempotency: transport.Read}
)

func (p *Project) read(ctx context.Context, op *transport.Operation, path, name string, reply any, opts ...cloudlb.CallOption) error {
	call := p.iam.Begin(op, opts)
	Literal(&call.Request, path)
	if name != "" {
		String(&call.Request, "name", name)
	}
	var meta cloudlb.Metadata
	err := call.Do(ctx, reply, &meta, nil)
	if e, ok := errors.AsType[*cloudlb.Error](err); ok && e.Class == cloudlb.ClassNotFound {
		e.Class = cloudlb.ClassInvalid // the caller's own resource is not what was not found
	}
	return err
}
