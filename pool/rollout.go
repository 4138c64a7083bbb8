package pool

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb"
)

// ErrNotDeployed is the error of a Rollout that has ended before every member
// was deployed to, because some have failed.
var ErrNotDeployed = errors.New("not deployed")

// OnFailure is what a Rollout does when a member fails: its Deploy or Probe
// returns an error, or it does not come into service. What keeps the pool itself
// from being changed, and the end of the context, always stop a Rollout.
type OnFailure string

// What to do when a member fails.
const (
	// Stop begins no other batch. The failed member stays out of service, others
	// of its batch come back.
	Stop OnFailure = ""
	// GoOn goes on with other members until more than MaxFailures have failed.
	// They stay out of service.
	GoOn OnFailure = "go on"
	// RollBack calls Undo for every member whose Deploy has begun, the last one
	// first, in batches like those before, and then has them back in service.
	RollBack OnFailure = "roll back"
)

// Rollout says how to deploy to the members of a pool, batch by batch. Deploy is
// required. Functions may be called for several members of a batch at the same
// time; the Member that they get is as it was before, with the weight that it
// gets back. They must not change the pool.
type Rollout struct {
	// Release names what is deployed, in the Journal. A Journal of the same
	// Release that is unfinished is resumed, and one that is finished, with every
	// member deployed, has nothing left to do, unless Release is empty. One of
	// another Release is begun anew, with the old weights that it knows of
	// members that are still out.
	Release string
	// Members are those to deploy to, in this order; nil means all that are in
	// the pool at the start. Each must be in the pool.
	Members []Key

	// MaxUnavailable is how many members a batch takes out of service: 1 if 0.
	// Members that failed and stay out are not counted; MinInService knows.
	MaxUnavailable int
	// MinInService is how many members must be in service at every moment. A
	// batch is made smaller where that is needed; where not even one member can
	// be taken out the Rollout stops with ErrMinInService.
	MinInService int
	// Drain is how long the requests of a member may go on before Deploy, as in
	// Drain.For. Drained, if set, says that they have ended, as in Drain.Until.
	Drain   time.Duration
	Drained func(ctx context.Context, m Member) error

	// Deploy does the work on one member, which gets no requests meanwhile.
	// An error means that it has failed.
	Deploy func(ctx context.Context, m Member) error
	// DeployTimeout ends the context of one Deploy, or Undo; 0 means no limit but
	// that of the Rollout's own context.
	DeployTimeout time.Duration
	// Probe, if set, is asked after Deploy, while the member gets no requests,
	// again and again until it returns nil, for InService at most.
	Probe func(ctx context.Context, m Member) error
	// Deployed says whether Deploy has done its work on a member. It is asked
	// when a Journal is resumed that does not tell whether a Deploy that had begun
	// has ended; without it such a Journal is refused.
	Deployed func(ctx context.Context, m Member) (bool, error)
	// InService is how long members may take to come into service once they have
	// their weights back, and how long Probe is asked: DefaultInService if 0.
	InService time.Duration
	// IgnoreHealth takes members as in service that get requests, whatever
	// health checks say.
	IgnoreHealth bool

	// OnFailure is what to do when a member fails.
	OnFailure OnFailure
	// MaxFailures is how many members may fail with GoOn, at least 1.
	MaxFailures int
	// Undo takes back what Deploy did, for RollBack, as far as that came. It can
	// be called again for a member that it was called for.
	Undo func(ctx context.Context, m Member) error

	// Journal, if set, is written before each effect, so that calling Rollout
	// again goes on after the process was killed, and RestoreFrom can give the
	// old weights back.
	Journal Journal
	// RestoreTimeout is how long it may take, when the Rollout is stopped, to
	// bring back members that it took out and that are whole: DefaultRestore
	// if 0.
	RestoreTimeout time.Duration
}

// RolloutStage is how far a member has come.
type RolloutStage string

// The stages, in their order.
const (
	// RolloutWaiting: it is as it was before.
	RolloutWaiting RolloutStage = "waiting"
	// RolloutOut: it was taken out of service, or was about to be.
	RolloutOut RolloutStage = "out"
	// RolloutDeploying: its Deploy has begun, and its end is not known.
	RolloutDeploying RolloutStage = "deploying"
	// RolloutDeployed: its Deploy has ended well.
	RolloutDeployed RolloutStage = "deployed"
	// RolloutReturning: it was given its weight back, or was about to be; that
	// it is in service is not known.
	RolloutReturning RolloutStage = "returning"
	// RolloutDone: it is deployed and back in service.
	RolloutDone RolloutStage = "done"
	// RolloutFailed: its Deploy or Probe failed, or it did not come into service.
	RolloutFailed RolloutStage = "failed"
	// RolloutUndone: it was rolled back and is back in service.
	RolloutUndone RolloutStage = "undone"
	// RolloutGone: somebody has removed it from the pool.
	RolloutGone RolloutStage = "gone"
)

// RolloutReport is how a Rollout ended.
type RolloutReport struct {
	// Pool is "service/region/ID".
	Pool    string `json:"pool"`
	Release string `json:"release,omitempty"`
	// Resumed: the Journal had an unfinished rollout of the same release.
	Resumed bool `json:"resumed,omitempty"`
	// Members are in the order of Rollout.Members, or of the pool.
	Members []RolloutMember `json:"members"`
	// Drift is what others did to members meanwhile.
	Drift []Drift `json:"drift,omitempty"`
	// Batches counts the batches that were begun, Calls the calls that were to
	// change something.
	Batches int           `json:"batches"`
	Calls   int           `json:"calls"`
	Took    time.Duration `json:"took_ns"`
}

// RolloutMember is how far one member has come.
type RolloutMember struct {
	Key Key `json:"key"`
	// Weight is the weight that it had before.
	Weight int          `json:"weight"`
	Stage  RolloutStage `json:"stage"`
	// Out: it gets no requests, or may get none, and did before.
	Out bool `json:"out,omitempty"`
	// Err says what went wrong. In JSON it is the text "error".
	Err error `json:"-"`
}

// Count counts the members at a stage.
func (r *RolloutReport) Count(stage RolloutStage) int {
	n := 0
	for i := range r.Members {
		if r.Members[i].Stage == stage {
			n++
		}
	}
	return n
}

// String is the report in words: a summary, then what is not well, a line each.
func (r *RolloutReport) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", r.Pool)
	stages := []RolloutStage{
		RolloutDone, RolloutUndone, RolloutFailed, RolloutGone, RolloutWaiting,
		RolloutOut, RolloutDeploying, RolloutDeployed, RolloutReturning,
	}
	for _, stage := range stages {
		if n := r.Count(stage); n > 0 {
			fmt.Fprintf(&b, "%d %s, ", n, stage)
		}
	}
	fmt.Fprintf(&b, "%s\n", count(r.Calls, "call"))
	for _, m := range r.Members {
		if m.Err == nil && !m.Out {
			continue
		}
		fmt.Fprintf(&b, "! %s %s", m.Key, m.Stage)
		if m.Out {
			b.WriteString(", out of service")
		}
		if m.Err != nil {
			fmt.Fprintf(&b, ": %v", m.Err)
		}
		b.WriteByte('\n')
	}
	for _, d := range r.Drift {
		fmt.Fprintf(&b, "! %s: %v\n", d, ErrDrift)
	}
	return b.String()
}

// Rollout deploys to members batch by batch. Each batch is taken out of service
// with as few calls as the service allows, drained, deployed to and probed, all of
// it at the same time, and given back the weights that it had; when it is in
// service, as far as the service tells, the next one begins. A member of weight 0
// keeps it, and nobody waits for its health. Members that others remove meanwhile
// are skipped, those that others add are left alone, and a weight that somebody
// sets for a member that is out stays as it is; the report says so. Where neither
// weight 0 nor disabling has an effect (ELB pools of algorithm SOURCE_IP and
// QUIC_CID) it is refused before anything is sent.
//
// The error is nil if every member is deployed, or gone. When the Rollout stops,
// because of a failure, the end of ctx, or a panic of one of the functions, which
// goes on afterwards, members that are whole, not deployed to yet or deployed and
// probed, come back within RestoreTimeout. Others stay out of service, and the
// error names them. Calling Rollout again with the same Journal goes on from
// there; failed members are deployed to again.
func (p *Pool) Rollout(ctx context.Context, o Rollout) (*RolloutReport, error) {
	if err := o.check(); err != nil {
		return &RolloutReport{Release: o.Release}, err
	}
	if o.MaxUnavailable == 0 {
		o.MaxUnavailable = 1
	}
	run, turn, end, err := p.begin(ctx, "Rollout", o.MinInService > 0 && !o.IgnoreHealth)
	if err != nil {
		return &RolloutReport{Release: o.Release}, err
	}
	defer end()
	run.min, run.ignore = o.MinInService, o.IgnoreHealth
	r := &rollout{run: run, o: o, seenBad: make(map[Key]error)}
	if err := r.prepare(turn); err != nil {
		return r.report(), r.fail(err)
	}
	stopped := false
	stop := func(err error) error {
		stopped = true
		return r.stop(turn, err)
	}
	defer func() {
		if !stopped { // a function of the caller panics
			_ = stop(errPanic)
		}
	}()
	r.event(Started, nil, nil, "%s, %d at a time", count(len(r.state.Members), "member"), o.MaxUnavailable)
	err = stop(r.forward(turn))
	report := r.report()
	if err != nil {
		err = r.fail(err)
		r.tell(Event{Kind: Failed, Err: err, Message: "stopped", Done: r.finished(), Total: len(r.state.Members)})
		return report, err
	}
	r.tell(Event{Kind: Finished, Message: "all deployed", Done: r.finished(), Total: len(r.state.Members)})
	return report, nil
}

func (o *Rollout) check() error {
	var problems []cloudlb.Problem
	wrong := func(field, format string, args ...any) {
		problems = append(problems, problem(field, format, args...))
	}
	if o.Deploy == nil {
		wrong("Deploy", "is missing: it is what does the work")
	}
	if o.Members != nil && len(o.Members) == 0 {
		wrong("Members", "is empty: name members, or leave it nil for all")
	}
	for _, n := range []struct {
		field string
		n     int
	}{{"MaxUnavailable", o.MaxUnavailable}, {"MinInService", o.MinInService}, {"MaxFailures", o.MaxFailures}} {
		if n.n < 0 {
			wrong(n.field, "is %d, must not be negative", n.n)
		}
	}
	for _, d := range []struct {
		field string
		d     time.Duration
	}{{"DeployTimeout", o.DeployTimeout}, {"InService", o.InService}, {"RestoreTimeout", o.RestoreTimeout}} {
		if d.d < 0 {
			wrong(d.field, "is %s, must not be negative", d.d)
		}
	}
	switch {
	case o.OnFailure == GoOn && o.MaxFailures == 0:
		wrong("MaxFailures", "is 0: say how many members may fail with GoOn")
	case o.OnFailure != GoOn && o.MaxFailures > 0:
		wrong("MaxFailures", "is %d, which has a meaning with GoOn only", o.MaxFailures)
	case o.OnFailure == RollBack && o.Undo == nil:
		wrong("Undo", "is missing: RollBack calls it")
	case o.OnFailure != Stop && o.OnFailure != GoOn && o.OnFailure != RollBack:
		wrong("OnFailure", "is %q, must be Stop, GoOn or RollBack", string(o.OnFailure))
	}
	if problems == nil {
		return nil
	}
	return invalid(Description{}, "Rollout", problems...)
}
