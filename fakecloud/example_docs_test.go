package fakecloud_test

import (
	"context"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb/alb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/slb"
)

// The code between the marks is quoted by docs/testing-with-fakecloud.md.

// doc: deploy

// deploy puts the server fresh into a group and takes the server old out.
func deploy(ctx context.Context, lb *alb.Client, group, fresh, old string) error {
	added, err := lb.AddServersToServerGroup(ctx, alb.AddServersToServerGroupRequest{
		ServerGroupID: group,
		Servers:       []alb.AddedServer{{ServerID: fresh, ServerType: alb.ServerTypeEcs, Port: 80}},
	})
	if err != nil {
		return err
	}
	if _, err := lb.WaitForJob(ctx, added.JobID); err != nil {
		return err
	}
	removed, err := lb.RemoveServersFromServerGroup(ctx, alb.RemoveServersFromServerGroupRequest{
		ServerGroupID: group,
		Servers:       []alb.RemovedServer{{ServerID: old, ServerType: alb.ServerTypeEcs, Port: 80}},
	})
	if err != nil {
		return err
	}
	_, err = lb.WaitForJob(ctx, removed.JobID)
	return err
}

func TestDeployLosesNoRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New(fakecloud.WithJobDuration(30 * time.Second))
		group := cloud.AddServerGroup(fakecloud.ServerGroup{
			Servers: []fakecloud.BackendServer{{ID: "i-old", Port: 80}},
		})
		lb, err := alb.New(cloud.Config())
		if err != nil {
			t.Fatal(err)
		}

		users := cloud.Traffic(group, 100) // requests a second, from now on
		if err := deploy(t.Context(), lb, group, "i-new", "i-old"); err != nil {
			t.Fatal(err)
		}
		users.Stopped("i-old") // its process may end now
		<-time.After(time.Minute)

		report := users.Report()
		if report.Lost() > 0 || report.Members["i-new:80"].Requests == 0 {
			t.Error(report)
		}
	})
}

// doc: lost reply

func TestDeployWithALostReply(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New()
		group := cloud.AddServerGroup(fakecloud.ServerGroup{
			Servers: []fakecloud.BackendServer{{ID: "i-old", Port: 80}},
		})
		lost := cloud.Inject(fakecloud.Fault{
			Operation: "AddServersToServerGroup", Times: 1, Effect: fakecloud.ResetAfter(),
		})
		lb, err := alb.New(cloud.Config())
		if err != nil {
			t.Fatal(err)
		}
		if err := deploy(t.Context(), lb, group, "i-new", "i-old"); err != nil {
			t.Fatal(err)
		}
		// The server was added by a call whose reply never came, and was not
		// added again by the one that was sent in its place.
		if lost.Count() != 1 || cloud.Calls("alb", "AddServersToServerGroup") != 2 {
			t.Error("nothing was lost, or not repeated")
		}
		if servers := cloud.State().ServerGroups[0].Servers; len(servers) != 1 || servers[0].ID != "i-new" {
			t.Errorf("servers: %+v", servers)
		}
	})
}

// doc: drain

// drain lets a server finish what it is doing and takes it out of a group.
func drain(ctx context.Context, lb *slb.Client, group, server string, patience time.Duration) error {
	_, err := lb.SetVServerGroupAttribute(ctx, slb.SetVServerGroupAttributeRequest{
		VServerGroupID: group,
		BackendServers: slb.BackendServerUpdateList{{ServerID: server, Port: 80, Weight: new(0)}},
	})
	if err != nil {
		return err
	}
	select {
	case <-time.After(patience):
	case <-ctx.Done():
		return ctx.Err()
	}
	_, err = lb.RemoveVServerGroupBackendServers(ctx, slb.RemoveVServerGroupBackendServersRequest{
		VServerGroupID: group,
		BackendServers: slb.BackendServerRefList{{ServerID: server, Port: 80}},
	})
	return err
}

func TestDrainForAnHour(t *testing.T) {
	t.Parallel()
	for patience, loses := range map[time.Duration]bool{time.Hour: false, 10 * time.Minute: true} {
		synctest.Test(t, func(t *testing.T) {
			cloud := fakecloud.New()
			group := cloud.AddVServerGroup(fakecloud.VServerGroup{
				Servers: []fakecloud.BackendServer{{ID: "i-1", Port: 80}, {ID: "i-2", Port: 80}},
			})
			lb, err := slb.New(cloud.Config())
			if err != nil {
				t.Fatal(err)
			}

			// Uploads, each of which takes 50 minutes.
			users := cloud.Traffic(group, 2, fakecloud.WithRequestDuration(50*time.Minute))
			<-time.After(2 * time.Hour)
			if err := drain(t.Context(), lb, group, "i-1", patience); err != nil {
				t.Fatal(err)
			}
			users.Stopped("i-1")

			if report := users.Report(); (report.Lost() > 0) != loses {
				t.Errorf("patience %s: %v", patience, report)
			}
		})
	}
}

// doc: assumptions

func TestDeployWhateverALBAssumes(t *testing.T) {
	t.Parallel()
	for _, option := range []fakecloud.Option{
		fakecloud.WithoutAssumption(), // of no assumption
		fakecloud.WithoutAssumption(fakecloud.ALBWeightsAtJobEnd, fakecloud.ALBPrivateAddresses),
	} {
		synctest.Test(t, func(t *testing.T) {
			cloud := fakecloud.New(option)
			group := cloud.AddServerGroup(fakecloud.ServerGroup{
				Servers: []fakecloud.BackendServer{{ID: "i-old", Port: 80}},
			})
			lb, err := alb.New(cloud.Config())
			if err != nil {
				t.Fatal(err)
			}
			if err := deploy(t.Context(), lb, group, "i-new", "i-old"); err != nil {
				t.Error(err)
			}
		})
	}
}

// doc: end

// TestDocument checks that the document's Go code is what runs here.
func TestDocument(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/testing-with-fakecloud.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("example_docs_test.go")
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(doc), "```go\n")[1:]
	if len(blocks) != 4 {
		t.Fatalf("%d blocks of Go code, want 4", len(blocks))
	}
	for i, b := range blocks {
		code, _, ok := strings.Cut(b, "```")
		if !ok || !strings.Contains(string(source), code) {
			t.Errorf("block %d of the document is not in this file:\n%s", i+1, code)
		}
	}
	// And the other way round: what is marked is quoted.
	parts := strings.Split(string(source), "\n// doc: ")
	for _, p := range parts[1 : len(parts)-2] {
		name, code, _ := strings.Cut(p, "\n")
		if !strings.Contains(string(doc), strings.TrimSpace(code)) {
			t.Errorf("the document does not quote %q", name)
		}
	}
}
