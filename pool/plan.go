package pool

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// PlanVersion is the version of the JSON form of a Plan. Apply refuses others.
const PlanVersion = 1

const (
	// DefaultDrain is how long a member that leaves stays at weight 0 where
	// the service does not drain removed members itself.
	DefaultDrain = 30 * time.Second
	// NoDrain as PlanOptions.Drain removes members without waiting.
	NoDrain time.Duration = -1
	// DefaultInService is how long added members may take until they are in
	// service.
	DefaultInService = 5 * time.Minute
)

// PlanOptions are the limits of a change. The zero value owns all members, has
// no guards but the refusal to empty a pool, and drains what it removes.
type PlanOptions struct {
	// Owner says which members are ours. Those of others stay as they are.
	Owner Owner
	// MinInService is how many members must be in service at every moment. A
	// plan that cannot keep to it is refused; Apply looks before each call that
	// takes members out and stops if it would break it. Between look and effect
	// others can fail: for a moment, or, where the call waits for its rate
	// budget, for as long as that.
	MinInService int
	// MaxChange is the largest share of the present members, from 0 to 1, that
	// may be removed or given another weight; 0 means any.
	MaxChange float64
	// AllowEmpty lets a plan remove the last member that is ours. Without it
	// that is refused, and so is an empty desired list: it is more often the
	// answer of a broken inventory than a wish.
	AllowEmpty bool
	// KeepOthers keeps members that are not desired.
	KeepOthers bool
	// Drain is how long members that leave get no new requests before they
	// are removed. 0: DefaultDrain, or nothing where the service itself drains
	// what is removed (Description.Draining). NoDrain: nothing.
	Drain time.Duration
	// InService is how long added members may take to come into service:
	// DefaultInService if 0. What comes after them is not begun before.
	InService time.Duration
	// IgnoreHealth takes members as in service that the service has carried
	// out the change for, whatever health checks say.
	IgnoreHealth bool
	// SwapAtomically adds and removes with the service's own replacement (ALB
	// ReplaceServersInServerGroup): in one step, without waiting for the new
	// members to be healthy before the old ones are gone.
	SwapAtomically bool
}

// Owner says which members of a pool are ours. The zero Owner owns all.
type Owner struct {
	label string
	mine  func(Member) bool
}

// OwnedBy owns the members that carry a label: the description of a server on
// ALB and SLB, the name of a member on ELB, its member group on APIG. Members
// that are added get it.
func OwnedBy(label string) Owner {
	return Owner{label: label, mine: func(m Member) bool { return m.Label == label }}
}

// OwnedIf owns the members for which f returns true.
func OwnedIf(f func(Member) bool) Owner { return Owner{mine: f} }

func (o Owner) owns(m Member) bool { return o.mine == nil || o.mine(m) }

// Plan is how a pool gets from what it was to what it is to be. It is a value:
// it can be printed, stored as JSON, and applied by another process. It has no
// secrets. Make it with Pool.Plan.
type Plan struct {
	Version int       `json:"version"`
	ID      string    `json:"id"`
	Created time.Time `json:"created"`
	// Service, Region and Pool name the pool that it is for.
	Service string `json:"service"`
	Region  string `json:"region"`
	Pool    string `json:"pool"`
	// Lines are the members, in the order of the desired list, then the others.
	Lines []Line `json:"lines"`
	// Partial: members that have no line do not matter.
	Partial bool `json:"partial,omitempty"`
	// Steps are what is done, in order.
	Steps []Step `json:"steps,omitempty"`
	// MinInService, InService and IgnoreHealth are from the PlanOptions.
	MinInService int      `json:"min_in_service,omitempty"`
	InService    Duration `json:"in_service"`
	IgnoreHealth bool     `json:"ignore_health,omitempty"`
	// Notes are things to know before it is applied.
	Notes []string `json:"notes,omitempty"`
}

// Line is what a plan means for one member.
type Line struct {
	Action Action `json:"action"`
	Key    Key    `json:"key"`
	// From is the weight at the time of planning, nil for a member that is
	// added. To is the planned weight, nil for one that is removed, or added
	// with the service's default.
	From *int `json:"from,omitempty"`
	To   *int `json:"to,omitempty"`
}

// Action is what becomes of a member.
type Action string

// The actions.
const (
	ActionAdd      Action = "add"
	ActionReweight Action = "reweight"
	ActionRemove   Action = "remove"
	ActionKeep     Action = "keep"
	// ActionForeign is a member of somebody else: it stays as it is.
	ActionForeign Action = "foreign"
)

// Step is one call, or one wait, of a plan.
type Step struct {
	// Do is the kind of change (driver.Add, ...), or Await or Pause.
	Do driver.Kind `json:"do"`
	// Members are what it is about, with the weights that they get.
	Members []Spec `json:"members"`
	// Out are the members that a swap removes.
	Out []Spec `json:"out,omitempty"`
	// For is how long a Pause lasts.
	For Duration `json:"for,omitzero"`
	// Token makes the call the same call if it is made again.
	Token string `json:"token,omitempty"`
}

// Steps that are no calls.
const (
	// Await waits until the members are in service.
	Await driver.Kind = "await"
	// Pause waits for the requests of drained members to end.
	Pause driver.Kind = "pause"
)

// Duration is a time.Duration that is a text such as "1m30s" in JSON.
type Duration time.Duration

// String is the text of a time.Duration.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(b []byte) error {
	v, err := time.ParseDuration(string(b))
	*d = Duration(v)
	return err
}

// Plan reads the pool and works out how it gets to have the desired members,
// each with the weight that its Spec has, and no others that are ours. It
// changes nothing. It is refused, with everything that is wrong in one error
// that matches cloudlb.ErrInvalid, when the desired list contradicts itself or
// the service, or when it cannot be reached within the options' limits.
func (p *Pool) Plan(ctx context.Context, desired []Spec, opts PlanOptions) (*Plan, error) {
	d, err := p.drv.Describe(ctx)
	if err != nil {
		return nil, err
	}
	members, err := p.drv.Members(ctx, opts.MinInService > 0 && d.NoHealth == "")
	if err != nil {
		return nil, err
	}
	return newPlan("Plan", d, newSnapshot(members), opts, p.drv.Check, func(b *planner) {
		if len(desired) == 0 && !opts.AllowEmpty && !opts.KeepOthers {
			b.problem("desired", "is empty, which would remove every member: set AllowEmpty if that is meant")
		}
		b.compare("desired", desired)
		if opts.KeepOthers {
			b.plan.Partial = true
		} else {
			b.removeOthers()
		}
		b.finish()
	})
}

// newPlan is a pure function but for the plan's ID and time. check says what the
// service's driver would not send.
func newPlan(method string, d Description, seen *snapshot, opts PlanOptions, check func(driver.Change) error, build func(*planner)) (*Plan, error) {
	b := planner{d: d, seen: seen, opts: opts, wanted: make(map[Key]string), plan: &Plan{
		Version: PlanVersion, ID: rand.Text(), Created: time.Now().UTC().Round(0),
		Service: d.Service, Region: d.Region, Pool: d.ID,
		MinInService: opts.MinInService, InService: Duration(opts.InService), IgnoreHealth: opts.IgnoreHealth,
	}}
	if opts.InService == 0 {
		b.plan.InService = Duration(DefaultInService)
	}
	b.checkOptions()
	build(&b)
	if len(b.problems) > 0 {
		return nil, invalid(d, method, b.problems...)
	}
	for i := range b.plan.Steps {
		s := &b.plan.Steps[i]
		if !s.isCall() {
			continue
		}
		s.Token = token(b.plan.ID, i)
		if err := check(s.change()); err != nil {
			return nil, withKeys(err, s)
		}
	}
	return b.plan, nil
}

// withKeys says which members the problems of a step are about: indexes into a step
// say little to who gave a list.
func withKeys(err error, s *Step) error {
	v, ok := errors.AsType[*cloudlb.ValidationError](err)
	if !ok {
		return err
	}
	for i := range v.Problems {
		var at int
		if _, e := fmt.Sscanf(v.Problems[i].Field, "Members[%d]", &at); e == nil && at < len(s.Members) {
			v.Problems[i].Message += " (" + s.Members[at].Key.String() + ")"
		}
	}
	return err
}

func (s *Step) isCall() bool { return s.Do != Await && s.Do != Pause }

func (s *Step) change() driver.Change {
	return driver.Change{Kind: s.Do, Members: s.Members, Out: s.Out, Token: s.Token}
}

// Empty reports whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.Steps) == 0 }

// Count counts the members with an action.
func (p *Plan) Count(a Action) int {
	n := 0
	for _, l := range p.Lines {
		if l.Action == a {
			n++
		}
	}
	return n
}

// Calls counts the calls that change something.
func (p *Plan) Calls() int {
	n := 0
	for _, s := range p.Steps {
		if s.isCall() {
			n++
		}
	}
	return n
}

// String is the plan like a diff: + add, ~ reweight, - remove; members that
// stay as they are are counted.
func (p *Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%s/%s: ", p.Service, p.Region, p.Pool)
	if p.Empty() {
		b.WriteString("nothing to do")
	} else {
		fmt.Fprintf(&b, "%d to add, %d to reweight, %d to remove, %s",
			p.Count(ActionAdd), p.Count(ActionReweight), p.Count(ActionRemove), count(p.Calls(), "call"))
	}
	b.WriteByte('\n')
	for _, l := range p.Lines {
		switch l.Action {
		case ActionAdd:
			fmt.Fprintf(&b, "+ %s", l.Key)
			if l.To != nil {
				fmt.Fprintf(&b, " weight %d", *l.To)
			}
		case ActionReweight:
			fmt.Fprintf(&b, "~ %s", l.Key)
			if l.From != nil && l.To != nil {
				fmt.Fprintf(&b, " weight %d -> %d", *l.From, *l.To)
			}
		case ActionRemove:
			fmt.Fprintf(&b, "- %s", l.Key)
			if l.From != nil {
				fmt.Fprintf(&b, " weight %d", *l.From)
			}
		default:
			continue
		}
		b.WriteByte('\n')
	}
	if n := p.Count(ActionKeep); n > 0 {
		fmt.Fprintf(&b, "  %d stay as they are\n", n)
	}
	if n := p.Count(ActionForeign); n > 0 {
		fmt.Fprintf(&b, "  %d belong to others\n", n)
	}
	for _, s := range p.Steps {
		if s.Do == Pause {
			fmt.Fprintf(&b, "  drains for %s before removing\n", s.For)
			break
		}
	}
	for _, n := range p.Notes {
		fmt.Fprintf(&b, "! %s\n", n)
	}
	return b.String()
}

// ReadPlan reads the JSON form of a plan.
func ReadPlan(b []byte) (*Plan, error) {
	var p Plan
	if err := json.Unmarshal(b, &p); err != nil {
		return nil, invalid(Description{}, "ReadPlan", problem("plan", "is not a plan: %v", err))
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	return &p, nil
}

// check reports what is wrong with a plan whoever made it.
func (p *Plan) check() error {
	d := Description{Service: p.Service}
	if p.Version != PlanVersion {
		return invalid(d, "Apply", problem("version", "is %d, this program knows version %d: plan again with it", p.Version, PlanVersion))
	}
	if p.ID == "" || p.Pool == "" {
		return invalid(d, "Apply", problem("id", "or pool is missing: this is not a whole plan"))
	}
	if p.MinInService < 0 {
		return invalid(d, "Apply", problem("min_in_service", "is %d, must not be negative", p.MinInService))
	}
	actions := make(map[Key]Action, len(p.Lines))
	for i, l := range p.Lines {
		_, twice := actions[l.Key]
		switch l.Action {
		case ActionAdd, ActionReweight, ActionRemove, ActionKeep, ActionForeign:
		default:
			return invalid(d, "Apply", problem(fmt.Sprintf("lines[%d]", i), "has action %q, which this program does not know: plan again with it", l.Action))
		}
		if twice || l.Key.Server == "" || !printable(l.Key.String()) {
			return invalid(d, "Apply", problem(fmt.Sprintf("lines[%d]", i), "names %q, which is no member or named twice", l.Key))
		}
		actions[l.Key] = l.Action
	}
	for i := range p.Steps {
		if why := p.Steps[i].check(actions); why != "" {
			return invalid(d, "Apply", problem(fmt.Sprintf("steps[%d]", i), "%s: plan again", why))
		}
	}
	return nil
}

// check says what is wrong with a step: it does only what the lines say.
func (s *Step) check(lines map[Key]Action) string {
	allowed := map[driver.Kind][]Action{
		driver.Add: {ActionAdd}, driver.Swap: {ActionAdd}, driver.Remove: {ActionRemove},
		driver.SetWeight: {ActionReweight, ActionRemove}, driver.Disable: {ActionRemove}, driver.Enable: {ActionReweight},
		Await: {ActionAdd, ActionReweight}, Pause: {ActionRemove},
	}[s.Do]
	switch {
	case allowed == nil:
		return fmt.Sprintf("is %q, which this program does not know", s.Do)
	case len(s.Members) == 0:
		return "has no members"
	case (len(s.Out) > 0) != (s.Do == driver.Swap):
		return "has members to take out, or has none where it swaps"
	}
	for _, m := range s.Members {
		action := lines[m.Key]
		if !slices.Contains(allowed, action) {
			return fmt.Sprintf("is to %s %s, and the line of that member says %q", s.Do, m.Key, action)
		}
		if s.Do == driver.SetWeight && (m.Weight == nil || action == ActionRemove && *m.Weight != 0) {
			return fmt.Sprintf("has no weight for %s, or a wrong one", m.Key)
		}
	}
	for _, m := range s.Out {
		if lines[m.Key] != ActionRemove {
			return fmt.Sprintf("is to take out %s, and the line of that member says %q", m.Key, lines[m.Key])
		}
	}
	return ""
}

// token names the call of one step: the same in every process that has the plan.
func token(planID string, step int) string {
	return hash(fmt.Sprintf("%s %d", planID, step))
}

func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:16])
}
