package apig

import (
	"context"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/transport"
	"github.com/cloudlb/cloudlb/internal/wire"
	"github.com/cloudlb/cloudlb/internal/wire/rest"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// Client calls the VPC channels of Huawei Cloud ROMA Connect and of the
// dedicated API Gateway (APIG), API version v2. It is safe for concurrent use.
// Build it with New.
type Client struct {
	t       *transport.Client
	project *rest.Project
	product Product
	locks   driver.Locks // turns of the pools
}

// Product is which of the two products a client speaks to. Their operations
// are the same but for the path and a few fields.
type Product string

// The products. The value is their part of the path.
const (
	ROMAConnect Product = "apic"
	APIGateway  Product = "apigw"
)

// Option is an option of New that only this service has.
type Option func(*options)

type options struct {
	projectID, iam string
	product        Product
}

// WithProjectID sets the ID of the project in the region, 32 hexadecimal
// digits. Without it the client asks IAM once, at the first call, for the
// project that is named like the region.
func WithProjectID(id string) Option { return func(o *options) { o.projectID = id } }

// WithIAMEndpoint sets where the project ID is looked up, instead of
// https://iam.REGION.myhuaweicloud.com.
func WithIAMEndpoint(endpoint string) Option { return func(o *options) { o.iam = endpoint } }

// WithProduct selects the product; the default is ROMAConnect.
func WithProduct(p Product) Option { return func(o *options) { o.product = p } }

// New builds a client. It makes no call. Everything that is wrong with cfg is
// reported in one error, which matches cloudlb.ErrInvalid.
func New(cfg cloudlb.Config, opts ...Option) (*Client, error) {
	o := options{product: ROMAConnect}
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	problems := rest.CheckProjectID(o.projectID)
	host := apicEndpoint
	switch o.product {
	case ROMAConnect:
	case APIGateway:
		host = apigwEndpoint
	default:
		problems = append(problems, cloudlb.Problem{Field: "WithProduct", Message: "must be apig.ROMAConnect or apig.APIGateway"})
	}
	t, err := transport.New(cfg, transport.Service{
		Name:   "apig",
		Here:   transport.HuaweiRegions,
		There:  transport.AlibabaRegions,
		Family: rest.Family{},
		Decode: wire.Decode,
		Errors: [][]transport.ErrorRow{errorTable, rest.CloudErrors},
	}, host, problems...)
	if err != nil {
		return nil, err
	}
	project, err := rest.NewProject(cfg, o.projectID, o.iam)
	if err != nil {
		return nil, err
	}
	return &Client{t: t, project: project, product: o.product}, nil
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
	call.Request.Product = string(c.product)
	return c.project.Address(ctx, call)
}

func (c *Client) family() string {
	if c == nil {
		return ""
	}
	return string(c.product)
}
