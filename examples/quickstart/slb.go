package main

import (
	"context"
	"slices"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/slb"
)

// slbService changes vServer groups of classic SLB. A change is done when the
// call returns, but for a moment the load balancer refuses the next one; the
// client waits for that by itself.
type slbService struct {
	noSwap
	client *slb.Client
	log    *progress
}

func newSLB(cfg cloudlb.Config, log *progress) (service, error) {
	client, err := slb.New(cfg)
	return slbService{client: client, log: log}, err
}

func (s slbService) register(ctx context.Context, g *group) error {
	done := 0
	for some := range slices.Chunk(g.servers, slb.AddVServerGroupBackendServersMaxBackendServers) {
		req := slb.AddVServerGroupBackendServersRequest{VServerGroupID: g.id}
		for _, e := range some {
			req.BackendServers = append(req.BackendServers, slb.BackendServerSpec{
				ServerID: e.id, Type: slb.ServerType(e.kind), ServerIP: e.address, Port: e.port, Weight: e.weight,
			})
		}
		if _, err := s.client.AddVServerGroupBackendServers(ctx, req); err != nil {
			return after(done, len(g.servers), err)
		}
		done += len(some)
		s.log.linef(g, "%d of %d servers registered", done, len(g.servers))
	}
	return nil
}

func (s slbService) remove(ctx context.Context, g *group) error {
	done := 0
	for some := range slices.Chunk(g.full(g.remove), slb.RemoveVServerGroupBackendServersMaxBackendServers) {
		req := slb.RemoveVServerGroupBackendServersRequest{VServerGroupID: g.id}
		for _, e := range some {
			req.BackendServers = append(req.BackendServers, slb.BackendServerRef{
				ServerID: e.id, Type: slb.ServerType(e.kind), ServerIP: e.address, Port: e.port,
			})
		}
		if _, err := s.client.RemoveVServerGroupBackendServers(ctx, req); err != nil {
			return after(done, len(g.remove), err)
		}
		done += len(some)
		s.log.linef(g, "%d of %d servers removed", done, len(g.remove))
	}
	return nil
}

func (s slbService) read(ctx context.Context, g *group) ([]row, error) {
	res, err := s.client.DescribeVServerGroupAttribute(ctx, slb.DescribeVServerGroupAttributeRequest{VServerGroupID: g.id})
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, e := range res.BackendServers {
		rows = append(rows, row{e.ServerID, e.ServerIP, e.Port, e.Weight, "-"}) // this call knows no status
	}
	return rows, nil
}
