package pool

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// Journal keeps what a Rollout must not forget when its process is killed: one
// text of JSON, with the members, their old weights, and how far each has come.
// It has no secrets. A journal belongs to one pool.
//
// A journal does not keep two processes from using it at the same time; the
// pool's turn does, which Rollout has before it loads the journal: see
// WithLocker.
type Journal interface {
	// Load returns what was saved last, nothing if nothing was.
	Load(ctx context.Context) ([]byte, error)
	// Save keeps content in the place of what was saved before. When it returns
	// nil the content is safe; when it returns an error, or never returns, the
	// journal has either content. Content is the journal's to keep.
	Save(ctx context.Context, content []byte) error
}

// FileJournal keeps a journal in a file, whose directory must exist. Each Save
// writes a new file beside it, flushes it to the disk, and renames it, so that
// there is a whole journal at every moment. There is no lock file: one that is
// left by a killed process would be in the way of what the journal is for.
func FileJournal(path string) Journal { return fileJournal(path) }

type fileJournal string

func (f fileJournal) Load(ctx context.Context) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	content, err := os.ReadFile(string(f))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case len(content) == 0:
		return nil, fmt.Errorf("the journal %s is empty, which a journal never is: remove it if no rollout is unfinished", string(f))
	}
	return content, nil
}

func (f fileJournal) Save(ctx context.Context, content []byte) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	dir := filepath.Dir(string(f))
	// Always the same name: a killed process leaves one file at most.
	temp, err := os.OpenFile(string(f)+".tmp", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp.Name())
		}
	}()
	_, err = temp.Write(content)
	if err == nil {
		err = temp.Sync()
	}
	if err = errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if err = os.Rename(temp.Name(), string(f)); err != nil {
		return err
	}
	return syncDir(dir)
}

// MemoryJournal keeps a journal as long as the process lives: for tests, and for
// another Rollout that goes on where one in the same process has failed.
func MemoryJournal() Journal { return new(memoryJournal) }

type memoryJournal struct {
	mu      sync.Mutex
	content []byte
}

func (m *memoryJournal) Load(ctx context.Context) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.content), nil
}

func (m *memoryJournal) Save(ctx context.Context, content []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.content = slices.Clone(content)
	return nil
}
