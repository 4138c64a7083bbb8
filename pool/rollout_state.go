package pool

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// journalVersion is the version of the text that a Rollout keeps in its Journal.
const journalVersion = 1

// rolloutState is what a Rollout keeps in its Journal.
type rolloutState struct {
	Version int    `json:"version"`
	ID      string `json:"id"`
	Release string `json:"release,omitempty"`
	Service string `json:"service"`
	Region  string `json:"region"`
	Pool    string `json:"pool"`
	// Begun and Saved are for people.
	Begun time.Time `json:"begun"`
	Saved time.Time `json:"saved"`
	// Undoing: members that have ToUndo are rolled back, and nothing else is done.
	Undoing  bool           `json:"undoing,omitempty"`
	Finished bool           `json:"finished,omitempty"`
	Members  []rolloutEntry `json:"members"`
}

// rolloutEntry is one member, with the weight that it had before. While the
// rollout is undone its Stage is about Undo as it was about Deploy before.
type rolloutEntry struct {
	held
	Stage RolloutStage `json:"stage"`
	// Broken: it must not get requests, because a Deploy or Undo has begun and
	// has not ended well, with a Probe that said so.
	Broken bool `json:"broken,omitempty"`
	ToUndo bool `json:"to_undo,omitempty"`
}

// isOut reports whether the member may be out of service because of the rollout.
func (e *rolloutEntry) isOut() bool {
	switch e.Stage {
	case RolloutOut, RolloutDeploying, RolloutDeployed, RolloutReturning, RolloutFailed:
		return true
	default:
		return false
	}
}

// remember takes note of how a member is before it is taken out. What was known
// before stays for one that is out already.
func (e *rolloutEntry) remember(m Member) {
	if !e.isOut() {
		e.held = hold(m)
		return
	}
	if m.Weight != 0 {
		e.Weight = m.Weight
	}
	e.Disabled = e.Disabled && m.Phase == driver.Disabled
}

// readState reads a journal, and refuses what this program or this pool cannot
// go on with. It returns nil for an empty one.
func readState(content []byte, d Description, method string) (*rolloutState, error) {
	if len(bytes.TrimSpace(content)) == 0 {
		return nil, nil //nolint:nilnil // there is no journal, and that is no error
	}
	refuse := func(field, format string, args ...any) error {
		return invalid(d, method, problem(field, format, args...))
	}
	var s rolloutState
	if err := json.Unmarshal(content, &s); err != nil {
		return nil, refuse("Journal", "is not what a Rollout has written: %v", err)
	}
	switch {
	case s.Version != journalVersion:
		return nil, refuse("Journal.version", "is %d, this program knows version %d: finish the rollout with the program that began it", s.Version, journalVersion)
	case s.Service != d.Service || s.Region != d.Region || s.Pool != d.ID:
		return nil, refuse("Journal", "is of pool %s/%s/%s, not %s: use one journal for each pool", s.Service, s.Region, s.Pool, name(d))
	}
	if len(s.Members) == 0 { // a BlueGreen keeps version and pool under the same names
		return nil, refuse("Journal", "is not what a Rollout has written: it has no members; give the Rollout a journal of its own")
	}
	seen := make(map[Key]bool, len(s.Members))
	for i := range s.Members {
		e := &s.Members[i]
		field := fmt.Sprintf("Journal.members[%d]", i)
		switch e.Stage {
		case RolloutWaiting, RolloutOut, RolloutDeploying, RolloutDeployed, RolloutReturning, RolloutDone, RolloutFailed, RolloutGone:
		default:
			return nil, refuse(field+".stage", "is %q, which this program does not know: finish the rollout with the program that began it", e.Stage)
		}
		switch {
		case e.Key.Server == "" || seen[e.Key]:
			return nil, refuse(field+".key", "is missing, or there twice: the journal is damaged")
		case e.Weight < 0 || e.Weight > d.Weights.Max:
			return nil, refuse(field+".weight", "is %d, must be from 0 to %d: the journal is damaged", e.Weight, d.Weights.Max)
		}
		seen[e.Key] = true
	}
	return &s, nil
}

// complete reports whether there is nothing left to do, now or ever, for a
// release that has a name.
func (s *rolloutState) complete() bool {
	if !s.Finished || s.Undoing || s.Release == "" {
		return false
	}
	return !slices.ContainsFunc(s.Members, func(e rolloutEntry) bool { return e.Stage != RolloutDone && e.Stage != RolloutGone })
}

func (s *rolloutState) count(stage RolloutStage) int {
	n := 0
	for i := range s.Members {
		if s.Members[i].Stage == stage {
			n++
		}
	}
	return n
}

// load reads the journal, nil if there is none or nothing in it.
func (r *rollout) load(ctx context.Context) (*rolloutState, error) {
	if r.o.Journal == nil {
		return nil, nil //nolint:nilnil // no journal is no error
	}
	content, err := r.o.Journal.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("loading the journal: %w", err)
	}
	return readState(content, r.d, r.method)
}

// save writes the journal. What has happened is written even if the context has
// ended, but not when the turn is lost: somebody else may write it by now. After
// an error nothing else is written and nothing else is begun.
func (r *rollout) save(turn context.Context) error {
	if r.o.Journal == nil || r.unsaved != nil {
		return r.unsaved
	}
	if lostTurn(turn, nil) {
		r.unsaved = fmt.Errorf("writing the journal: %w", ErrLockLost)
		return r.unsaved
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(turn), r.restoreTimeout())
	defer cancel()
	r.state.Saved = time.Now().UTC().Round(0)
	content, err := json.Marshal(r.state)
	if err == nil {
		err = r.o.Journal.Save(ctx, content)
	}
	if err != nil {
		r.unsaved = fmt.Errorf("writing the journal: %w", err)
	}
	r.written = r.written || err == nil
	return r.unsaved
}

func (r *rollout) restoreTimeout() time.Duration {
	if r.o.RestoreTimeout == 0 {
		return DefaultRestore
	}
	return r.o.RestoreTimeout
}

// prepare works out what is to be done, from the journal or from the pool. It
// changes nothing.
func (r *rollout) prepare(ctx context.Context) error {
	if err := r.canTakeOut(); err != nil {
		return err
	}
	old, err := r.load(ctx)
	if err != nil {
		return err
	}
	if old != nil && old.Release == r.o.Release && (!old.Finished || old.complete()) {
		return r.resume(ctx, old)
	}
	members, err := r.named(r.o.Members)
	if err != nil {
		return err
	}
	if len(members) == 0 {
		return invalid(r.d, r.method, problem("Members", "is nil, which means all in the pool, and the pool has none: add members first"))
	}
	r.state = &rolloutState{
		Version: journalVersion, ID: rand.Text(), Release: r.o.Release, Begun: time.Now().UTC().Round(0),
		Service: r.d.Service, Region: r.d.Region, Pool: r.d.ID, Members: make([]rolloutEntry, len(members)),
	}
	for i, m := range members {
		r.state.Members[i] = rolloutEntry{held: hold(m), Stage: RolloutWaiting}
	}
	if old != nil && !old.Finished {
		if err := r.inherit(old); err != nil {
			return err
		}
	}
	return r.spareSome()
}

// inherit takes over from the rollout of another release which members are out
// of service, and the weights that they had before.
func (r *rollout) inherit(old *rolloutState) error {
	var problems []cloudlb.Problem
	for _, e := range old.Members {
		if !e.isOut() || !r.isThere(e.Key) {
			continue
		}
		i := slices.IndexFunc(r.state.Members, func(m rolloutEntry) bool { return m.Key == e.Key })
		if i < 0 {
			problems = append(problems, problem("Members", "has no %s, which the unfinished rollout of release %q has left out of service: name it too, or use RestoreFrom first", e.Key, old.Release))
			continue
		}
		r.state.Members[i] = rolloutEntry{held: e.held, Stage: RolloutOut, Broken: e.Broken}
	}
	if problems != nil {
		return invalid(r.d, r.method, problems...)
	}
	return nil
}

// resume goes on with the rollout of the journal.
func (r *rollout) resume(ctx context.Context, old *rolloutState) error {
	r.state, r.resumed, r.written = old, true, true
	for i, k := range r.o.Members {
		m, there := r.seen.present(k)
		if there && !slices.ContainsFunc(old.Members, func(e rolloutEntry) bool { return e.Key == m.Key }) {
			return invalid(r.d, r.method, problem(fmt.Sprintf("Members[%d]", i), "is %s, which the unfinished rollout in the journal does not have: finish that first with its own members, or nil", k))
		}
	}
	if old.Undoing && r.o.Undo == nil {
		return invalid(r.d, r.method, problem("Undo", "is missing: the journal is of a rollout that was being rolled back"))
	}
	var unclear []*rolloutEntry
	for i := range old.Members {
		e := &old.Members[i]
		switch {
		case e.Stage == RolloutDeploying && !old.Undoing:
			unclear = append(unclear, e)
		case e.Stage == RolloutFailed || e.Stage == RolloutDeploying:
			e.Stage = RolloutOut
		}
	}
	return r.ask(ctx, unclear)
}

// ask finds out whether deploys have ended whose end the journal does not know.
func (r *rollout) ask(ctx context.Context, unclear []*rolloutEntry) error {
	if len(unclear) == 0 {
		return nil
	}
	if r.o.Deployed == nil {
		keys := make([]Key, len(unclear))
		for i, e := range unclear {
			keys[i] = e.Key
		}
		return invalid(r.d, r.method, problem("Deployed", "is missing: the journal does not say whether the deploy of %s has ended; set it, or use RestoreFrom", keyList(keys)))
	}
	errs := make([]error, len(unclear))
	atOnce(len(unclear), mostProbes, func(i int) {
		e := unclear[i]
		m, there := r.seen.present(e.Key)
		if !there {
			return // seen later
		}
		deployed, err := r.o.Deployed(ctx, e.before(*m))
		switch {
		case err != nil:
			errs[i] = fmt.Errorf("asking whether %s is deployed: %w", e.Key, err)
		case deployed:
			e.Stage = RolloutDeployed
		default:
			e.Stage = RolloutOut
		}
	})
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// before is a member as the caller's functions see it.
func (e *rolloutEntry) before(m Member) Member {
	m.Weight = e.Weight
	if m.Phase == driver.Disabled && !e.Disabled {
		m.Phase = driver.Ready
	}
	return m
}
