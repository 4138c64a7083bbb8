package main

import (
	"context"
	"slices"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/elb"
)

// elbService changes the members of ELB pools. A batch call answers for every
// member by itself: one that is there already is left as it is.
type elbService struct {
	noSwap
	client *elb.Client
	log    *progress
}

func newELB(cfg cloudlb.Config, p *place, log *progress) (service, error) {
	client, err := elb.New(cfg, elb.WithProjectID(p.projectID), elb.WithIAMEndpoint(p.iam))
	return elbService{client: client, log: log}, err
}

func (s elbService) register(ctx context.Context, g *group) error {
	done := 0
	for some := range slices.Chunk(g.servers, elb.BatchCreateMembersMaxMembers) {
		req := elb.BatchCreateMembersRequest{PoolID: g.id}
		for _, e := range some {
			req.Members = append(req.Members, elb.BatchMemberSpec{
				Address: e.address, ProtocolPort: e.port, Weight: e.weight, SubnetCIDRID: g.subnet,
			})
		}
		res, err := s.client.BatchCreateMembers(ctx, req)
		if err != nil {
			return after(done, len(g.servers), err)
		}
		for _, m := range res.Members {
			if m.RetStatus != elb.RetStatusSuccessful {
				s.log.linef(g, "%s port %d: %s", m.Address, m.ProtocolPort, m.RetStatus)
			}
		}
		done += len(some)
		s.log.linef(g, "%d of %d servers registered", done, len(g.servers))
	}
	return nil
}

func (s elbService) remove(ctx context.Context, g *group) error {
	done := 0
	for some := range slices.Chunk(g.remove, elb.BatchDeleteMembersMaxMembers) {
		req := elb.BatchDeleteMembersRequest{PoolID: g.id}
		for _, e := range some {
			req.Members = append(req.Members, elb.MemberRef{Address: e.address, ProtocolPort: new(e.port)})
		}
		res, err := s.client.BatchDeleteMembers(ctx, req)
		if err != nil {
			return after(done, len(g.remove), err)
		}
		for i, m := range res.Members {
			if m.RetStatus != elb.RetStatusSuccessful && i < len(some) {
				s.log.linef(g, "%s port %d: %s", some[i].address, some[i].port, m.RetStatus)
			}
		}
		done += len(some)
		s.log.linef(g, "%d of %d servers removed", done, len(g.remove))
	}
	return nil
}

func (s elbService) read(ctx context.Context, g *group) ([]row, error) {
	var rows []row
	req := elb.ListMembersRequest{PoolID: g.id, Limit: elb.ListMembersMaxPageSize}
	for {
		res, err := s.client.ListMembers(ctx, req)
		if err != nil {
			return nil, err
		}
		for _, m := range res.Members {
			rows = append(rows, row{"", m.Address, m.ProtocolPort, m.Weight, string(m.OperatingStatus)})
		}
		if req.Marker = res.PageInfo.NextMarker; req.Marker == "" {
			return rows, nil
		}
	}
}
