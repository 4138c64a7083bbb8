package driver

import (
	"context"
	"sync"
)

// Locks are turns by key. Each client has one for all its pools. The zero value
// is ready to use.
type Locks struct {
	mu    sync.Mutex
	turns map[string]*turn
}

type turn struct {
	token chan struct{} // full while somebody has the turn
	users int           // that have it or wait for it
}

// Lock waits for the turn of key, in order of arrival as far as Go's channels
// keep it, and returns what ends the turn. It fails only when ctx ends first.
// Calling unlock again does nothing.
func (l *Locks) Lock(ctx context.Context, key string) (unlock func(), err error) {
	l.mu.Lock()
	t := l.turns[key]
	if t == nil {
		t = &turn{token: make(chan struct{}, 1)}
		if l.turns == nil {
			l.turns = make(map[string]*turn)
		}
		l.turns[key] = t
	}
	t.users++
	l.mu.Unlock()
	if err := ctx.Err(); err != nil { // a free turn must not hide it
		l.leave(key, t)
		return nil, err
	}
	select {
	case t.token <- struct{}{}:
		return sync.OnceFunc(func() {
			<-t.token
			l.leave(key, t)
		}), nil
	case <-ctx.Done():
		l.leave(key, t)
		return nil, ctx.Err()
	}
}

// leave forgets a turn that nobody uses: keys come and go with pools.
func (l *Locks) leave(key string, t *turn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if t.users--; t.users == 0 {
		delete(l.turns, key)
	}
}
