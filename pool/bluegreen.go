package pool

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cloudlb/cloudlb/pool/driver"
)

// SwitchedVersion is the version of the JSON form of Switched. Finish and Back
// refuse others.
const SwitchedVersion = 1

// BlueGreen puts new members in the place of old ones, which stay in the pool
// without requests until Finish removes them or Back puts them to work again.
type BlueGreen struct {
	// New are the members to switch to. Required. Those that are in the pool
	// already are brought into service, with the weights that they are given
	// here, else with their own, or the service's default if that is 0.
	New []Spec
	// Old are those to switch from: nil means all other members of Owner.
	Old []Key
	// Owner says which members are ours; see PlanOptions.
	Owner Owner
	// MinInService is how many members must be in service at every moment, at
	// least 1 in any case. A switch that cannot keep to it is refused.
	MinInService int
	// InService is how long New may take to come into service, and Old when it
	// goes back: DefaultInService if 0.
	InService time.Duration
	// Drain is how long members get no new requests before they are removed: by
	// Finish, counted from the switch, and when it goes back. 0: DefaultDrain,
	// or nothing where the service itself drains what is removed. NoDrain:
	// nothing.
	Drain time.Duration
	// IgnoreHealth takes members as in service that the service has carried out
	// the change for, whatever health checks say.
	IgnoreHealth bool
	// KeepNew leaves New in the pool, in service with Old, when New does not
	// come into service: for a look at it. Back removes it then.
	KeepNew bool
	// RestoreTimeout is how long going back may take when it fails or its
	// context ends, beside Drain: DefaultRestore if 0.
	RestoreTimeout time.Duration
	// Journal gets the Switched before each change, so that BlueGreen with the
	// same Journal goes on where a killed process was.
	Journal Journal
}

// Switched is a switch and the way back. It is a value without secrets: stored
// as JSON, it lets another process Finish it or go Back.
type Switched struct {
	Version int `json:"version"`
	// Service, Region and Pool name the pool that it is of.
	Service string `json:"service"`
	Region  string `json:"region"`
	Pool    string `json:"pool"`
	// Stage is how far it has come.
	Stage Stage `json:"stage"`
	// New are as they are wanted, Old as they were.
	New []SwitchedMember `json:"new"`
	Old []SwitchedMember `json:"old"`
	// At is when Old was taken out of service.
	At time.Time `json:"at,omitzero"`
	// MinInService, InService, Drain and IgnoreHealth are from the BlueGreen.
	MinInService int      `json:"min_in_service,omitempty"`
	InService    Duration `json:"in_service"`
	Drain        Duration `json:"drain"`
	IgnoreHealth bool     `json:"ignore_health,omitempty"`

	// Report is what became of each member in the last method.
	Report Report `json:"-"`
	// Journal gets this value when it changes; nil after it was read from JSON.
	Journal Journal `json:"-"`
}

// SwitchedMember is one member of a Switched.
type SwitchedMember struct {
	Spec
	// Was is the weight that one of New had before; nil if it was not there.
	Was *int `json:"was,omitempty"`
	// Disabled: it was disabled before, and is again after Back.
	Disabled bool `json:"disabled,omitempty"`
	// Removed: Finish has removed this one of Old, or may have; Back adds it.
	Removed bool `json:"removed,omitempty"`
}

// Stage is how far a switch has come.
type Stage string

// The stages.
const (
	StageAdding    Stage = "adding"    // New comes into service, Old serves
	StageSwitching Stage = "switching" // New serves, Old is being taken out
	StageSwitched  Stage = "switched"  // New serves, Old waits without requests
	StageFinishing Stage = "finishing" // New serves, Old is being removed
	StageFinished  Stage = "finished"  // Old is gone
	StageReturning Stage = "returning" // Old is coming back
	StageBack      Stage = "back"      // Old serves, what was added is gone
)

// BlueGreen adds o.New, waits until all of it is in service, and takes o.Old out
// of service: by weight 0, or disabled on APIG. Between that both serve. It ends
// with Old still in the pool; call Finish or Back with the Switched, which is
// never nil.
//
// When New does not come into service, a call fails, or ctx ends, Old goes on, or
// comes back, with its weights, and what was added is drained and removed within
// RestoreTimeout and Drain, and the time for which lists may lag if a call had no
// certain end; Stage says whether that went well. When the turn is
// lost (ErrLockLost) nothing more is changed: call Back.
//
// It is refused, and nothing is sent, where members cannot be kept in the pool
// without requests (ELB pools of algorithm SOURCE_IP and QUIC_CID): use Replace.
func (p *Pool) BlueGreen(ctx context.Context, o BlueGreen) (*Switched, error) {
	r, turn, end, err := p.begin(ctx, "BlueGreen", true)
	if err != nil {
		return &Switched{}, err
	}
	defer end()
	sw := &Switched{}
	goesOn, err := r.readSwitch(turn, o, sw)
	if err != nil {
		return sw, err
	}
	if !goesOn {
		if *sw, err = r.planSwitch(o); err != nil {
			return sw, err
		}
	}
	r.min, r.ignore = max(sw.MinInService, 1), sw.IgnoreHealth
	r.expectSwitch(sw)
	if sw.Stage == StageSwitched {
		return sw, r.reportSwitch(turn, sw, nil)
	}
	r.event(Started, keysOf(sw.specs(sw.New)), nil, "%d new, %d old", len(sw.New), len(sw.Old))
	err = r.switchOver(turn, sw)
	if err == nil || sw.Stage == StageSwitched {
		return sw, r.reportSwitch(turn, sw, err)
	}
	err = lockLost(turn, err)
	if errors.Is(err, ErrLockLost) {
		return sw, r.reportSwitch(turn, sw, err)
	}
	within := o.RestoreTimeout
	if within <= 0 {
		within = DefaultRestore
	}
	var late time.Duration
	if unsure(turn, err) { // what was sent may still have an effect
		late = r.lateness()
	}
	own, cancel := context.WithTimeout(context.WithoutCancel(turn), within+late+max(removalDrain(r.d, o.Drain), 0))
	defer cancel()
	back := r.goBack
	if o.KeepNew && sw.Stage == StageAdding && errors.Is(err, ErrNotInService) {
		back = r.bringOld // a killed process may have begun to take it out
	} else {
		r.event(Noticed, nil, err, "going back")
	}
	switch {
	case late == 0:
	case sw.Stage == StageSwitching:
		r.calm(own, sw.held())
	default:
		_ = sleep(own, late)
	}
	if backErr := persist(own, 30*time.Second, func(ctx context.Context) error { return back(ctx, sw) }); backErr != nil && sw.Stage == StageBack {
		err = errors.Join(err, backErr) // of the journal
	} else if backErr != nil {
		err = errors.Join(err, fmt.Errorf("it is not all as before, call Back: %w", backErr))
	}
	return sw, r.reportSwitch(own, sw, err)
}

// Finish waits until sw.Old has been without requests for the time of Drain, and
// removes it, if enough members are in service without it. It refuses with
// ErrDrift when somebody put one of Old to work again. Calling it again is no
// error.
func (p *Pool) Finish(ctx context.Context, sw *Switched) error {
	r, turn, end, err := p.resumeSwitch(ctx, "Finish", sw)
	if err != nil {
		return err
	}
	defer end()
	switch sw.Stage {
	case StageSwitched, StageFinishing, StageFinished:
	default:
		return invalid(r.d, r.method, problem("Stage", "is %q: only what is switched can be finished", sw.Stage))
	}
	return r.reportSwitch(turn, sw, lockLost(turn, r.removeOld(turn, sw)))
}

// Back puts sw.Old to work again with the weights that it had, waits until it is
// in service, then drains and removes those of sw.New that were added, and gives
// the others their weights back. It can be called at any stage; what Finish has
// removed is added again. When Old does not come into service, or somebody else
// has removed all of it (ErrDrift), New goes on.
// Calling it again is no error.
func (p *Pool) Back(ctx context.Context, sw *Switched) error {
	r, turn, end, err := p.resumeSwitch(ctx, "Back", sw)
	if err != nil {
		return err
	}
	defer end()
	return r.reportSwitch(turn, sw, lockLost(turn, r.goBack(turn, sw)))
}

// resumeSwitch begins a method on a Switched, which may be from another process.
func (p *Pool) resumeSwitch(ctx context.Context, method string, sw *Switched) (r *run, turn context.Context, end func(), err error) {
	if sw == nil {
		return nil, nil, nil, invalid(Description{}, method, problem("switched", "is nil"))
	}
	if sw.Version != SwitchedVersion {
		return nil, nil, nil, invalid(Description{Service: sw.Service}, method, problem("version", "is %d, this program knows version %d: use the program that it is from", sw.Version, SwitchedVersion))
	}
	r, turn, end, err = p.begin(ctx, method, true)
	if err != nil {
		return nil, nil, nil, err
	}
	if r.d.Service != sw.Service || r.d.Region != sw.Region || r.d.ID != sw.Pool {
		end()
		return nil, nil, nil, invalid(r.d, method, problem("switched", "is of %s/%s/%s, not %s", sw.Service, sw.Region, sw.Pool, name(r.d)))
	}
	r.min, r.ignore = max(sw.MinInService, 1), sw.IgnoreHealth
	r.expectSwitch(sw)
	return r, turn, end, nil
}

func (sw *Switched) specs(members []SwitchedMember) []Spec {
	specs := make([]Spec, len(members))
	for i, m := range members {
		specs[i] = m.Spec
	}
	return specs
}

// held are the members of Old that have requests when they are not held.
func (sw *Switched) held() []held {
	var out []held
	for _, m := range sw.Old {
		if *m.Weight > 0 && !m.Disabled {
			out = append(out, held{Key: m.Key, Weight: *m.Weight})
		}
	}
	return out
}

// isHeld reports whether a member gets no requests by anybody's will.
func (r *run) isHeld(m *Member) bool {
	return m.Phase == driver.Disabled || m.Phase == driver.Leaving || m.Weight == 0
}
