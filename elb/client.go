package elb

import (
	"context"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/poll"
	"github.com/cloudlb/cloudlb/internal/transport"
	"github.com/cloudlb/cloudlb/internal/wire"
	"github.com/cloudlb/cloudlb/internal/wire/rest"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// Client calls Huawei Cloud Elastic Load Balance (ELB), API version v3. It is
// safe for concurrent use. Build it with New.
type Client struct {
	t       *transport.Client
	project *rest.Project
	jobs    *poll.Shared[Job] // the polling that all waits share
	checks  *poll.Shared[MemberCheck]
	locks   driver.Locks // turns of the pools
}

// Option is an option of New that only this service has.
type Option func(*options)

type options struct {
	projectID, iam string
}

// WithProjectID sets the ID of the project in the region, 32 hexadecimal
// digits. Without it the client asks IAM once, at the first call, for the
// project that is named like the region.
func WithProjectID(id string) Option { return func(o *options) { o.projectID = id } }

// WithIAMEndpoint sets where the project ID is looked up, instead of
// https://iam.REGION.myhuaweicloud.com.
func WithIAMEndpoint(endpoint string) Option { return func(o *options) { o.iam = endpoint } }

// New builds a client. It makes no call. Everything that is wrong with cfg is
// reported in one error, which matches cloudlb.ErrInvalid.
func New(cfg cloudlb.Config, opts ...Option) (*Client, error) {
	var o options
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	t, err := transport.New(cfg, transport.Service{
		Name:   "elb",
		Here:   transport.HuaweiRegions,
		There:  transport.AlibabaRegions,
		Family: rest.Family{},
		Decode: wire.Decode,
		Errors: [][]transport.ErrorRow{errorTable, rest.CloudErrors},
	}, endpoint, rest.CheckProjectID(o.projectID)...)
	if err != nil {
		return nil, err
	}
	project, err := rest.NewProject(cfg, o.projectID, o.iam)
	if err != nil {
		return nil, err
	}
	c := &Client{t: t, project: project}
	c.jobs, c.checks = newJobWaits(c), newCheckWaits(c)
	return c, nil
}

func (c *Client) begin(op *transport.Operation, opts []cloudlb.CallOption) *transport.Call {
	if c == nil {
		return (*transport.Client)(nil).Begin(op, opts)
	}
	return c.t.Begin(op, opts)
}

// address fills in what the path needs beside the request.
func (c *Client) address(ctx context.Context, call *transport.Call) error {
	if c == nil {
		return nil // Do reports it
	}
	return c.project.Address(ctx, call)
}
