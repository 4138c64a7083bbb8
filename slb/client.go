package slb

import (
	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/internal/transport"
	"github.com/cloudlb/cloudlb/internal/wire"
	"github.com/cloudlb/cloudlb/internal/wire/rpc"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// Client calls Alibaba Cloud classic Server Load Balancer (SLB, CLB), API version 2014-05-15.
// It is immutable and safe for concurrent use. Build it with New.
type Client struct {
	t     *transport.Client
	locks driver.Locks // the turns of all pools
}

// Option is an option of New that only this service has.
type Option func(*options)

type options struct {
	vpc bool
}

// WithVPCEndpoint makes the client use the region's endpoint inside the
// cloud's own network, slb-vpc.REGION.aliyuncs.com. Config.Endpoint wins over it.
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
		Name:   "slb",
		Here:   transport.AlibabaRegions,
		There:  transport.HuaweiRegions,
		Family: rpc.Family{Version: "2014-05-15"},
		Decode: wire.DecodeLoose,
		Errors: [][]transport.ErrorRow{errorTable, rpc.CloudErrors},
	}, host)
	if err != nil {
		return nil, err
	}
	return &Client{t: t}, nil
}

func (c *Client) begin(op *transport.Operation, opts []cloudlb.CallOption) *transport.Call {
	if c == nil {
		return (*transport.Client)(nil).Begin(op, opts)
	}
	return c.t.Begin(op, opts)
}
