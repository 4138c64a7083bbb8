package alb

import (
	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/poll"
	"github.com/cloudlb/cloudlb/internal/transport"
	"github.com/cloudlb/cloudlb/internal/wire"
	"github.com/cloudlb/cloudlb/internal/wire/rpc"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// Client calls Alibaba Cloud Application Load Balancer (ALB), API version 2020-06-16.
// It is immutable and safe for concurrent use. Build it with New.
type Client struct {
	t     *transport.Client
	jobs  *poll.Shared[Job] // the polling that all waits share
	locks driver.Locks      // the turns of all pools
}

// Option is an option of New that only this service has.
type Option func(*options)

type options struct {
	vpc bool
}

// WithVPCEndpoint makes the client use the region's endpoint inside the
// cloud's own network, alb-vpc.REGION.aliyuncs.com. Config.Endpoint wins over it.
func WithVPCEndpoint() Option { return func(o *options) { o.vpc = true } }

// New builds a client. It makes no call. Everything that is wrong with cfg is
// reported in one error, which matches cloudlb.ErrInvalid.
func New(cfg cloudlb.Config, opts ...Option) (*Client, error) {
	var o options
	for _, opt := range opts {
		if opt != nil {
			opt(&o)
		}
	}
	host := endpoint
	if o.vpc {
		host = vpcEndpoint
	}
	t, err := transport.New(cfg, transport.Service{
		Name:   "alb",
		Here:   transport.AlibabaRegions,
		There:  transport.HuaweiRegions,
		Family: rpc.Family{Version: "2020-06-16"},
		Decode: wire.Decode,
		Errors: [][]transport.ErrorRow{errorTable, rpc.CloudErrors},
	}, host)
	if err != nil {
		return nil, err
	}
	c := &Client{t: t}
	c.jobs = newJobWaits(c)
	return c, nil
}

func (c *Client) begin(op *transport.Operation, opts []cloudlb.CallOption) *transport.Call {
	if c == nil {
		return (*transport.Client)(nil).Begin(op, opts)
	}
	return c.t.Begin(op, opts)
}
