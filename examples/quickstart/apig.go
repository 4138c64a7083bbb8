package main

import (
	"context"
	"fmt"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/apig"
)

// apigService changes the members of VPC channels of ROMA Connect and API
// Gateway. No limit of members in a call is documented, so there is one call.
type apigService struct {
	noSwap
	client *apig.Client
	log    *progress
}

func newAPIG(cfg cloudlb.Config, p *place, product apig.Product, log *progress) (service, error) {
	client, err := apig.New(cfg, apig.WithProduct(product), apig.WithProjectID(p.projectID), apig.WithIAMEndpoint(p.iam))
	return apigService{client: client, log: log}, err
}

func (s apigService) register(ctx context.Context, g *group) error {
	if len(g.servers) == 0 {
		return nil
	}
	req := apig.AddVpcChannelMembersRequest{InstanceID: g.instance, VpcChannelID: g.id}
	for _, e := range g.servers {
		req.Members = append(req.Members, apig.MemberSpec{Host: e.address, Port: e.port, Weight: e.weight})
	}
	if _, err := s.client.AddVpcChannelMembers(ctx, req); err != nil {
		return err
	}
	s.log.linef(g, "%d of %d servers registered", len(g.servers), len(g.servers))
	return nil
}

// remove deletes members one by one, as the service does, by the IDs that it has
// given them.
func (s apigService) remove(ctx context.Context, g *group) error {
	members, err := s.members(ctx, g)
	if err != nil {
		return err
	}
	ids := make(map[string]string, len(members))
	for _, m := range members {
		ids[server{address: m.Host, port: m.Port}.key()] = m.ID
	}
	for done, e := range g.remove {
		id, ok := ids[e.key()]
		if !ok {
			return after(done, len(g.remove), fmt.Errorf("%w: %s port %d is no member of the channel", cloudlb.ErrNotFound, e.address, e.port))
		}
		if _, err := s.client.DeleteVpcChannelMember(ctx, apig.DeleteVpcChannelMemberRequest{
			InstanceID: g.instance, VpcChannelID: g.id, MemberID: id,
		}); err != nil {
			return after(done, len(g.remove), err)
		}
	}
	s.log.linef(g, "%d of %d servers removed", len(g.remove), len(g.remove))
	return nil
}

func (s apigService) read(ctx context.Context, g *group) ([]row, error) {
	members, err := s.members(ctx, g)
	var rows []row
	for _, m := range members {
		status := "available"
		if m.Status == apig.MemberStatusUnavailable {
			status = "unavailable"
		}
		rows = append(rows, row{"", m.Host, m.Port, m.Weight, status})
	}
	return rows, err
}

func (s apigService) members(ctx context.Context, g *group) ([]apig.Member, error) {
	var members []apig.Member
	for {
		res, err := s.client.ListVpcChannelMembers(ctx, apig.ListVpcChannelMembersRequest{
			InstanceID: g.instance, VpcChannelID: g.id,
			Offset: int64(len(members)), Limit: apig.ListVpcChannelMembersMaxPageSize,
		})
		if err != nil {
			return nil, err
		}
		members = append(members, res.Members...)
		if len(res.Members) == 0 || int64(len(members)) >= res.Total {
			return members, nil
		}
	}
}
