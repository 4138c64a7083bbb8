package pool_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool"
	"github.com/cloudlb/cloudlb/pool/mempool"
)

func TestJournals(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "web.journal")
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, j := range map[string]pool.Journal{"file": pool.FileJournal(file), "memory": pool.MemoryJournal()} {
		if b, err := j.Load(t.Context()); err != nil || len(b) > 0 {
			t.Errorf("%s: %q, %v", name, b, err)
		}
		for _, content := range []string{"first, which is longer", "second"} {
			if err := j.Save(t.Context(), []byte(content)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if b, err := j.Load(t.Context()); err != nil || string(b) != content {
				t.Errorf("%s: %q, %v", name, b, err)
			}
		}
		if err := j.Save(ended, []byte("third")); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := j.Load(ended); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
		if b, err := j.Load(t.Context()); err != nil || string(b) != "second" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	entries, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(entries) != 1 {
		t.Errorf("files left: %v, %v", entries, err)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("%v, %v", info, err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := pool.FileJournal(file).Load(t.Context()); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Error(err)
	}
	nowhere := pool.FileJournal(filepath.Join(filepath.Dir(file), "no", "such"))
	if err := nowhere.Save(t.Context(), []byte("x")); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

const oneOut = `{"version":1,"id":"x","service":"mem","region":"local","pool":"pool-1",` +
	`"members":[{"key":{"server":"i-1","port":80},"weight":10,"stage":"failed","broken":true}]}`

// TestJournalRefused: a journal that is not of this program or pool is refused
// before anything is sent.
func TestJournalRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, from, to, want string }{
		{"version", `"version":1`, `"version":2`, "version 1"},
		{"pool", `"pool-1"`, `"pool-2"`, "is of pool mem/local/pool-2"},
		{"stage", `"failed"`, `"half"`, `"half"`},
		{"weight", `:10`, `:1000`, "must be from 0 to 100"},
		{"member", `"i-1"`, `""`, "damaged"},
		{"not JSON", `{`, ``, "is not what a Rollout has written"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mem := fleetOf(3)
			p := pool.New(mem)
			j := fakeJournal(strings.Replace(oneOut, tt.from, tt.to, 1))
			_, err := p.Rollout(t.Context(), pool.Rollout{Journal: j, Deploy: func(context.Context, pool.Member) error { return nil }})
			if !errors.Is(err, cloudlb.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Rollout: %v", err)
			}
			if _, err := p.RestoreFrom(t.Context(), j); !errors.Is(err, cloudlb.ErrInvalid) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("RestoreFrom: %v", err)
			}
			if mem.Count(mempool.SetWeight) > 0 {
				t.Error("something was sent")
			}
		})
	}
}

// FuzzJournal: whatever a journal has, it is refused or gone on with; nothing
// panics, no weight is out of range, and only its members are changed.
func FuzzJournal(f *testing.F) {
	f.Add([]byte(oneOut))
	f.Add([]byte(strings.Replace(oneOut, "failed", "returning", 1)))
	f.Add([]byte(strings.Replace(oneOut, `"id"`, `"undoing":true,"id"`, 1)))
	f.Add([]byte(`{"version":1,"service":"mem","region":"local","pool":"pool-1","finished":true}`))
	f.Add([]byte(` `))
	f.Fuzz(func(t *testing.T, content []byte) {
		for _, restore := range []bool{true, false} {
			mem := fleetOf(3)
			p := pool.New(mem, pool.WithVisibility(time.Millisecond))
			quiet := func(context.Context, pool.Member) error { return nil }
			var err error
			if restore {
				_, err = p.RestoreFrom(t.Context(), fakeJournal(string(content)))
			} else {
				_, err = p.Rollout(t.Context(), pool.Rollout{
					Journal: fakeJournal(string(content)), Drain: pool.NoDrain, Deploy: quiet, Undo: quiet,
					Deployed: func(context.Context, pool.Member) (bool, error) { return true, nil },
				})
			}
			if err != nil && !errors.Is(err, cloudlb.ErrInvalid) && !errors.Is(err, pool.ErrNotDeployed) {
				t.Fatalf("%v: %q", err, content)
			}
			for k, w := range weights(t, p) {
				if w < 0 || w > 100 {
					t.Errorf("%s has weight %d: %q", k, w, content)
				}
			}
		}
	})
}
