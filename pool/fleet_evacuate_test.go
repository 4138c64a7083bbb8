package pool_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/fakecloud"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/driver"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

// savedFile is a file of JSON lines.
type savedFile struct{ bytes.Buffer }

func (f *savedFile) save(e pool.Evacuated) error { return json.NewEncoder(f).Encode(e) }

func (f *savedFile) read(t *testing.T) []pool.Evacuated {
	t.Helper()
	var saved []pool.Evacuated
	for d := json.NewDecoder(bytes.NewReader(f.Bytes())); ; {
		var e pool.Evacuated
		err := d.Decode(&e)
		if errors.Is(err, io.EOF) {
			return saved
		}
		if err != nil {
			t.Fatal(err)
		}
		saved = append(saved, e)
	}
}

// among selects members by their server.
func among(servers ...string) func(pool.Member) bool {
	return func(m pool.Member) bool { return slices.Contains(servers, m.Server) }
}

// TestFleetEvacuate takes two of four members out of a pool of each service:
// no request is lost, none goes to those that are out, and the file brings them
// back with the weights that they had.
func TestFleetEvacuate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cloud := fakecloud.New()
		var f pool.Fleet
		var users []*fakecloud.Traffic
		var zone []string
		var before []map[string]int
		for _, s := range services() {
			var members []pool.Spec
			for i := 1; i <= 4; i++ {
				m := s.spec(i)
				m.Weight = new(10 * i)
				members = append(members, m)
			}
			zone = append(zone, members[0].Server, members[1].Server)
			d, name := s.make(t, cloud, cloud.Config(), members...)
			f.Pools = append(f.Pools, pool.New(d))
			users = append(users, cloud.Traffic(name, 50))
			before = append(before, weights(t, f.Pools[len(f.Pools)-1]))
		}
		<-time.After(10 * time.Second) // health checks have results
		var file savedFile
		report, err := f.Evacuate(t.Context(), among(zone...), pool.EvacuateOptions{Save: file.save, MinInService: 2})
		if err != nil || report.Count(pool.Done) != 4 {
			t.Fatal(report, err)
		}
		for _, u := range users {
			for _, server := range zone {
				u.Stopped(server)
			}
		}
		<-time.After(time.Minute)
		for i, p := range f.Pools {
			d, err := p.Describe(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			serving := 0
			for m := range p.Members(t.Context()) {
				if pool.InService(d, m) {
					serving++
				}
			}
			if report := users[i].Report(); serving != 2 || report.Lost() > 0 || report.Offered == 0 {
				t.Errorf("%s: %d members in service; %v", d.Service, serving, report)
			}
		}
		again, err := f.Evacuate(t.Context(), among(zone...), pool.EvacuateOptions{Save: file.save})
		if err != nil || again.Count(pool.Unchanged) != 4 {
			t.Errorf("again: %v, %v", again, err)
		}
		for _, u := range users {
			for _, server := range zone {
				u.Started(server)
			}
		}
		saved := file.read(t)
		if len(saved) != 4 {
			t.Fatalf("saved: %+v", saved)
		}
		for _, outcome := range []pool.Outcome{pool.Done, pool.Unchanged} {
			report, err := f.Restore(t.Context(), saved)
			if err != nil || report.Count(outcome) != 4 {
				t.Errorf("restored: %v, %v", report, err)
			}
		}
		<-time.After(time.Minute)
		for i, p := range f.Pools {
			if diff := cmp.Diff(before[i], weights(t, p)); diff != "" {
				t.Errorf("weights (-want +got):\n%s", diff)
			}
			for m := range p.Members(t.Context()) {
				if m.Phase == driver.Disabled {
					t.Errorf("%s is still disabled", m.Key)
				}
			}
			if lost := users[i].Lost(); lost > 0 {
				t.Errorf("requests were lost on the way back: %v", users[i].Report())
			}
		}
	})
}

func TestFleetEvacuateRefuses(t *testing.T) {
	t.Parallel()
	full := errors.New("disk full")
	for _, tt := range []struct {
		name     string
		leaves   func(pool.Member) bool
		min      int
		describe func(*pool.Description)
		saveErr  error
		saved    int
		err      error
	}{
		{name: "all members", leaves: among("i-1", "i-2", "i-3"), err: pool.ErrMinInService},
		{name: "too many", leaves: among("i-1", "i-2"), min: 2, err: pool.ErrMinInService},
		{
			name: "weights have no effect", leaves: among("i-1"), err: cloudlb.ErrInvalid,
			describe: func(d *pool.Description) { d.Weights.Ignored = "the algorithm is SOURCE_IP" },
		},
		{name: "cannot be saved", leaves: among("i-1"), saveErr: full, saved: 1, err: full},
		{name: "nobody leaves", leaves: among("i-9")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f, mems := memFleet(1, mempool.WithDescription(func(d *pool.Description) {
				if tt.describe != nil {
					tt.describe(d)
				}
			}))
			saved := 0
			save := func(pool.Evacuated) error { saved++; return tt.saveErr }
			report, err := f.Evacuate(t.Context(), tt.leaves, pool.EvacuateOptions{Save: save, MinInService: tt.min})
			if !errors.Is(err, tt.err) || (err == nil) != (tt.err == nil) || err != nil && report.Count(pool.NotAttempted) != 1 {
				t.Errorf("%v, %v", report, err)
			}
			if got := kinds(mems[0]); len(got) > 0 || saved != tt.saved {
				t.Errorf("calls %v, saved %d times", got, saved)
			}
		})
	}
}

// TestFleetEvacuateGoesOn: the second of three calls fails. The first member is
// out already when it is done again, so it is in the first record only; both
// records together bring all back.
func TestFleetEvacuateGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, mems := memFleet(1, mempool.WithServers("i-4:80"), mempool.WithDescription(func(d *pool.Description) { d.SetWeight.Most = 1 }))
		if _, err := f.Pools[0].SetWeight(t.Context(), pool.Weighted("i-1", 80, 11), pool.Weighted("i-2", 80, 22), pool.Weighted("i-3", 80, 33)); err != nil {
			t.Fatal(err)
		}
		before := weights(t, f.Pools[0])
		var file savedFile
		mems[0].Inject(mempool.Fault{Op: mempool.SetWeight, Skip: 1, Err: denied})
		report, err := f.Evacuate(t.Context(), among("i-1", "i-2", "i-3"), pool.EvacuateOptions{Save: file.save})
		if !errors.Is(err, cloudlb.ErrDenied) || report.Count(pool.Incomplete) != 1 {
			t.Fatal(report, err)
		}
		members := report.Pools[0].Report
		if members.Count(pool.Done) != 1 || members.Count(pool.Incomplete) != 1 || members.Count(pool.NotAttempted) != 1 {
			t.Errorf("members: %v", members)
		}
		report, err = f.Evacuate(t.Context(), among("i-1", "i-2", "i-3"), pool.EvacuateOptions{Save: file.save})
		if err != nil || report.Calls != 2 {
			t.Fatal(report, err)
		}
		if diff := cmp.Diff(map[string]int{"i-1:80": 0, "i-2:80": 0, "i-3:80": 0, "i-4:80": 100}, weights(t, f.Pools[0])); diff != "" {
			t.Errorf("evacuated (-want +got):\n%s", diff)
		}
		report, err = f.Restore(t.Context(), file.read(t))
		if err != nil || report.Calls != 3 {
			t.Fatal(report, err)
		}
		if diff := cmp.Diff(before, weights(t, f.Pools[0])); diff != "" {
			t.Errorf("restored (-want +got):\n%s", diff)
		}
	})
}

// TestFleetRestoreLeavesAlone: what somebody else did since is not undone, the
// weight that was saved last holds, and a pool that is not in the Fleet is
// reported.
func TestFleetRestoreLeavesAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f, _ := memFleet(1, mempool.WithServers("i-4:80"))
		var file savedFile
		if _, err := f.Evacuate(t.Context(), among("i-1", "i-2", "i-3"), pool.EvacuateOptions{Save: file.save}); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Pools[0].SetWeight(t.Context(), pool.Weighted("i-1", 80, 5)); err != nil {
			t.Fatal(err)
		}
		if _, err := f.Pools[0].Remove(t.Context(), pool.Key{Server: "i-2", Port: 80}); err != nil {
			t.Fatal(err)
		}
		later := pool.Evacuated{Version: 1, Pool: "mem/local/mem-0", Members: []pool.EvacuatedMember{{Key: pool.Key{Server: "i-3", Port: 80}, Weight: 77}}}
		saved := append(file.read(t), pool.Evacuated{Version: 1, Pool: "mem/local/other"}, later)
		report, err := f.Restore(t.Context(), saved)
		if err == nil || len(report.Pools) != 2 || report.Pools[0].Outcome != pool.Done || report.Pools[1].Outcome != pool.NotAttempted {
			t.Fatal(report, err)
		}
		wanted := []pool.Drift{
			{Key: pool.Key{Server: "i-1", Port: 80}, What: "at weight 5, not 100"},
			{Key: pool.Key{Server: "i-2", Port: 80}, What: "gone"},
		}
		if diff := cmp.Diff(wanted, report.Pools[0].Report.Drift); diff != "" {
			t.Errorf("drift (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(map[string]int{"i-1:80": 5, "i-3:80": 77, "i-4:80": 100}, weights(t, f.Pools[0])); diff != "" {
			t.Errorf("restored (-want +got):\n%s", diff)
		}
	})
}
