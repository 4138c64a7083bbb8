// Package driver is what a service has to offer so that package pool can change
// its pools: server groups, vServer groups, backend server pools, VPC channels.
// The clients of alb, slb, elb and apig return drivers; applications hand them
// to pool.New and use package pool.
//
// A driver does single calls. It does not split, repeat, order or verify:
// package pool does, in the same way for all services. The suite in drivertest
// says what is expected of a driver.
package driver

import (
	"context"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudlb/cloudlb"
)

// Pool is one pool of one service. It is safe for concurrent use.
type Pool interface {
	// Describe reads what the pool is like and what the service can do with it.
	Describe(ctx context.Context) (Description, error)

	// Members reads all members, in the service's order. With health it also
	// fills in Member.Health, which can cost more calls; where the Description
	// says that health cannot be read it stays unknown.
	Members(ctx context.Context, health bool) ([]Member, error)

	// Check reports everything that Change would refuse to send, as a
	// *cloudlb.ValidationError in the chain. It makes no call.
	Check(c Change) error

	// Change makes one change with one call, and returns when the service has
	// accepted it. An error that matches cloudlb.ErrAlreadyExists or
	// cloudlb.ErrNotFound is no failure to package pool, which reads the pool
	// and sees what is left to do.
	Change(ctx context.Context, c Change) (Result, error)

	// Wait returns when an accepted change has been carried out, as far as the
	// service lets one know. The ticket may be from another process.
	Wait(ctx context.Context, ticket string) error

	// Lock waits for its turn among all pools of the same client that use the
	// key, and returns what gives the turn to the next one.
	Lock(ctx context.Context, key string) (unlock func(), err error)

	// As sets target, a pointer to a typed client such as **alb.Client, and
	// reports whether it could.
	As(target any) bool
}

// Description is what a pool is like and what its service can do with it.
type Description struct {
	// Service is "alb", "slb", "elb" or "apig"; Region is the client's.
	Service, Region string
	// ID names the pool among those of the service and region, Name is for
	// people and may be empty.
	ID, Name string
	// LockKey names what the service locks during a change: the pool itself,
	// or the load balancer with all its pools. Only pools of different keys
	// can be changed at the same time.
	LockKey string

	// Add, SetWeight, Remove, Swap, Disable and Enable are the calls that
	// change members. One without an Operation does not exist here.
	Add, SetWeight, Remove, Swap, Disable, Enable Verb

	// Weights is the range of weights.
	Weights Weights
	// NoHealth says why the health of members cannot be read; it is empty when
	// it can.
	NoHealth string
	// HealthAtZero: members of weight 0 are health-checked like others.
	HealthAtZero bool
	// Draining is how long the service itself lets the requests of a removed
	// member go on; 0 means that it cuts them, or that it is not known.
	Draining time.Duration
	// MaxMembers is the most that the pool can have, 0 when it is not known.
	MaxMembers int
	// Labels: members carry a Label.
	Labels bool
	// Portless: all members have the port of the listener, and Port is 0.
	Portless bool

	// Account is equal for the pools whose calls use up the same budgets.
	Account any `json:"-"`
}

// Weights is the range of weights of a pool.
type Weights struct {
	// Min and Max are the limits, Default is what a member gets that is added
	// without a weight.
	Min, Max, Default int
	// Ignored says why weights have no effect; it is empty when they have.
	Ignored string
}

// Verb is a call of the service that changes members.
type Verb struct {
	// Operation is the vendor's name of the call.
	Operation string
	// Most is how many members one call takes, 0 when that is not limited.
	Most int
	// Budget is the published rate limit; the zero Budget means none is known.
	Budget cloudlb.Budget
}

// Exists reports whether the service has the call.
func (v Verb) Exists() bool { return v.Operation != "" }

// Key names a member by what its users know.
type Key struct {
	// Server is the ID of an instance or network interface, or an address:
	// whatever the service adds members by.
	Server string `json:"server"`
	// Address tells the addresses of one network interface apart. Empty is any.
	Address string `json:"address,omitempty"`
	// Port is the member's port; 0 where the pool has one port for all.
	Port int `json:"port,omitempty"`
}

// String is "i-1:80", "eni-1(10.0.0.2):80" or "[2001:db8::1]:80"; without a
// port only what is before the colon.
func (k Key) String() string {
	name := k.Server
	switch {
	case k.Address != "" && k.Address != k.Server:
		name += "(" + k.Address + ")"
	case net.ParseIP(name) != nil && strings.Contains(name, ":"):
		name = "[" + name + "]"
	}
	if k.Port == 0 {
		return name
	}
	return name + ":" + strconv.Itoa(k.Port)
}

// ParseKey reads what Key.String writes.
func ParseKey(s string) (Key, error) {
	invalid := func(why string) (Key, error) {
		return Key{}, &cloudlb.ValidationError{Problems: []cloudlb.Problem{{Field: "key", Message: strconv.Quote(s) + " " + why + `; write "i-1:80", "10.0.0.1:80" or "eni-1(10.0.0.2):80"`}}}
	}
	var k Key
	host := s
	if strings.HasPrefix(s, "[") || strings.Count(s, ":") == 1 || strings.HasSuffix(s, ")") || strings.Contains(s, "):") {
		if at := strings.LastIndexByte(s, ':'); at > strings.LastIndexAny(s, ")]") {
			host = s[:at]
			n, err := strconv.Atoi(s[at+1:])
			if err != nil || n < 1 || n > 65535 {
				return invalid("has no port from 1 to 65535 after the colon")
			}
			k.Port = n
		}
	}
	if name, ok := strings.CutSuffix(host, ")"); ok {
		server, address, ok := strings.Cut(name, "(")
		if !ok || address == "" {
			return invalid("has no address in its parentheses")
		}
		host, k.Address = server, address
	} else if strings.HasPrefix(host, "[") {
		name, ok := strings.CutSuffix(host[1:], "]")
		if !ok || net.ParseIP(name) == nil {
			return invalid("has no IPv6 address in its brackets")
		}
		host = name
	}
	if host == "" || strings.ContainsAny(host, "()[] ") {
		return invalid("names no server")
	}
	k.Server = host
	return k, nil
}

// Spec is a member as somebody wants it.
type Spec struct {
	Key
	// Weight is the wanted weight; nil leaves it as it is, and is the
	// service's default for a member that is added.
	Weight *int `json:"weight,omitempty"`
	// Type is what Server names, in the service's words (ALB and SLB: Ecs, Eni,
	// Eci, Ip). Empty: the driver tells by the form of Server.
	Type string `json:"type,omitempty"`
	// Subnet is the ELB subnet_cidr_id of the address. Others do not have it.
	Subnet string `json:"subnet,omitempty"`
	// Zone is the availability zone of an address, which ELB wants in pools with
	// az_affinity. Others do not take it.
	Zone string `json:"zone,omitempty"`
	// Name is the name of the instance, which APIG wants for members by
	// instance ID, and ELB takes as the member's name where Label is empty.
	Name string `json:"name,omitempty"`
	// Label marks the member's owner: the description on ALB and SLB, the name
	// on ELB, the member group on APIG.
	Label string `json:"label,omitempty"`
	// ID is the service's own name of the member, filled in by package pool
	// for members that are there.
	ID string `json:"id,omitempty"`
}

// Member is a member as the service reports it.
type Member struct {
	Key
	// ID is the service's own name of the member; empty where it has none.
	ID string `json:"id,omitempty"`
	// Aliases are further names of Server: the address of an instance, the
	// instance of an address.
	Aliases []string `json:"aliases,omitempty"`
	Weight  int      `json:"weight"`
	Phase   Phase    `json:"phase"`
	Health  Health   `json:"health,omitempty"`
	// Type, Subnet, Name and Label are as in Spec.
	Type   string `json:"type,omitempty"`
	Subnet string `json:"subnet,omitempty"`
	Name   string `json:"name,omitempty"`
	Label  string `json:"label,omitempty"`
	// Zone is the availability zone, where the service tells it.
	Zone string `json:"zone,omitempty"`
}

// Spec is m as somebody would have to want it, to get it as it is.
func (m Member) Spec() Spec {
	return Spec{Key: m.Key, Weight: new(m.Weight), Type: m.Type, Subnet: m.Subnet, Zone: m.Zone, Name: m.Name, Label: m.Label, ID: m.ID}
}

// Is reports whether k names m: by Server or one of its Aliases, by the address
// if k has one, and by the port if k has one.
func (m Member) Is(k Key) bool {
	if k.Port != 0 && k.Port != m.Port {
		return false
	}
	if k.Server != m.Server && !slices.Contains(m.Aliases, k.Server) {
		return false
	}
	return k.Address == "" || k.Address == m.Address || k.Address == m.Server || slices.Contains(m.Aliases, k.Address)
}

// Phase is how far the last change of a member has come.
type Phase string

// The phases.
const (
	// Ready: the change that was asked for last is done.
	Ready Phase = "ready"
	// Joining: it is being added and gets no requests yet.
	Joining Phase = "joining"
	// Changing: its settings are being changed; it goes on serving.
	Changing Phase = "changing"
	// Leaving: it is being removed.
	Leaving Phase = "leaving"
	// Disabled: it is in the pool and switched off, whatever its weight.
	Disabled Phase = "disabled"
)

// Health is what health checks say about a member.
type Health string

// The states of health.
const (
	// HealthUnknown: it was not asked for, or cannot be read.
	HealthUnknown Health = ""
	// Healthy and Unhealthy are results of checks.
	Healthy   Health = "healthy"
	Unhealthy Health = "unhealthy"
	// Checking: the first checks are under way.
	Checking Health = "checking"
	// Unchecked: nothing checks the member; it gets requests all the same.
	Unchecked Health = "unchecked"
)

// Kind is a kind of change.
type Kind string

// The kinds of change, each with the Verb of the same name.
const (
	Add       Kind = "add"
	SetWeight Kind = "set-weight"
	Remove    Kind = "remove"
	// Swap takes members out and puts others in, in one step of the service.
	Swap    Kind = "swap"
	Disable Kind = "disable"
	Enable  Kind = "enable"
)

// Change is what one call changes.
type Change struct {
	Kind Kind
	// Members are those to change, at most as many as the Verb takes. For
	// SetWeight each has a Weight.
	Members []Spec
	// Out are those that leave in a Swap.
	Out []Spec
	// Token makes the call safe to repeat where the service has client tokens.
	// A driver of another service does not use it.
	Token string
}

// Verb returns the call that makes a kind of change.
func (d *Description) Verb(k Kind) Verb {
	switch k {
	case Add:
		return d.Add
	case SetWeight:
		return d.SetWeight
	case Remove:
		return d.Remove
	case Swap:
		return d.Swap
	case Disable:
		return d.Disable
	case Enable:
		return d.Enable
	default:
		return Verb{}
	}
}

// Result is what the service answered to a change that it accepted.
type Result struct {
	// RequestID is the service's name for the call.
	RequestID string
	// Ticket is what Wait wants: a job ID, the ID of the locked load balancer.
	// Empty: the change is carried out.
	Ticket string
	// Failed are members that the service did not change although it accepted
	// the call.
	Failed []Failure
}

// Failure is a member that was not changed, and why.
type Failure struct {
	Key Key
	Err error
}
