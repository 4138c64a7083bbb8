package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/alb"
)

// albService changes ALB server groups. Every change is a job, and a group takes
// the next one when the last is done.
type albService struct {
	client *alb.Client
	log    *progress
}

func newALB(cfg cloudlb.Config, log *progress) (service, error) {
	client, err := alb.New(cfg)
	return albService{client, log}, err
}

var albTypes = map[string]alb.ServerType{
	"ecs": alb.ServerTypeEcs, "eni": alb.ServerTypeEni, "eci": alb.ServerTypeEci, "ip": alb.ServerTypeIp,
}

func (s albService) register(ctx context.Context, g *group) error {
	done := 0
	for some := range slices.Chunk(g.servers, alb.AddServersToServerGroupMaxServers) {
		req := alb.AddServersToServerGroupRequest{ServerGroupID: g.id}
		for _, e := range some {
			req.Servers = append(req.Servers, alb.AddedServer{
				ServerID: e.id, ServerType: albTypes[e.kind], ServerIP: e.address, Port: e.port, Weight: e.weight,
			})
		}
		res, err := s.client.AddServersToServerGroup(ctx, req)
		if err == nil {
			err = s.wait(ctx, g, res.JobID)
		}
		if err != nil {
			return after(done, len(g.servers), err)
		}
		done += len(some)
		s.log.linef(g, "%d of %d servers registered", done, len(g.servers))
	}
	return nil
}

// swap exchanges servers in one request, so that the group is never short of
// them.
func (s albService) swap(ctx context.Context, g *group) error {
	req := alb.ReplaceServersInServerGroupRequest{ServerGroupID: g.id}
	for _, e := range g.full(g.out) {
		req.RemovedServers = append(req.RemovedServers, alb.ReplacedServer{
			ServerID: e.id, ServerType: albTypes[e.kind], ServerIP: e.address, Port: e.port,
		})
	}
	for _, e := range g.in {
		req.AddedServers = append(req.AddedServers, alb.ReplacementServer{
			ServerID: e.id, ServerType: albTypes[e.kind], ServerIP: e.address, Port: e.port, Weight: e.weight,
		})
	}
	res, err := s.client.ReplaceServersInServerGroup(ctx, req)
	if err != nil {
		return err
	}
	if err := s.wait(ctx, g, res.JobID); err != nil {
		return err
	}
	s.log.linef(g, "%d servers swapped for %d", len(g.out), len(g.in))
	return nil
}

func (s albService) remove(ctx context.Context, g *group) error {
	done := 0
	for some := range slices.Chunk(g.full(g.remove), alb.RemoveServersFromServerGroupMaxServers) {
		req := alb.RemoveServersFromServerGroupRequest{ServerGroupID: g.id}
		for _, e := range some {
			req.Servers = append(req.Servers, alb.RemovedServer{
				ServerID: e.id, ServerType: albTypes[e.kind], ServerIP: e.address, Port: e.port,
			})
		}
		res, err := s.client.RemoveServersFromServerGroup(ctx, req)
		if err == nil {
			err = s.wait(ctx, g, res.JobID)
		}
		if err != nil {
			return after(done, len(g.remove), err)
		}
		done += len(some)
		s.log.linef(g, "%d of %d servers removed", done, len(g.remove))
	}
	return nil
}

// wait waits for a job and shows that it does.
func (s albService) wait(ctx context.Context, g *group, jobID string) error {
	s.log.linef(g, "waiting for job %s", jobID)
	_, err := s.client.WaitForJob(ctx, jobID, cloudlb.WithProgress(func(p cloudlb.Progress) {
		if len(p.Left) > 0 {
			s.log.linef(g, "job %s is still running", jobID)
		}
	}))
	return err
}

func (s albService) read(ctx context.Context, g *group) ([]row, error) {
	var rows []row
	req := alb.ListServerGroupServersRequest{ServerGroupID: g.id, MaxResults: alb.ListServerGroupServersMaxPageSize}
	for {
		res, err := s.client.ListServerGroupServers(ctx, req)
		if err != nil {
			return nil, err
		}
		for _, e := range res.Servers {
			rows = append(rows, row{e.ServerID, e.ServerIP, e.Port, e.Weight, string(e.Status)})
		}
		if req.NextToken = res.NextToken; req.NextToken == "" {
			return rows, nil
		}
	}
}

// after says how far a step was when it failed.
func after(done, all int, err error) error {
	return fmt.Errorf("after %d of %d servers: %w", done, all, err)
}
