package mempool

import (
	"fmt"

	"github.com/cloudlb/cloudlb"
	"github.com/cloudlb/cloudlb/pool/driver"
)

// Check implements driver.Pool. It refuses a change of no members or of more
// than the verb takes, members without a server, with a wrong port or weight,
// or named twice, and verbs that the Description does not have.
func (p *Pool) Check(c driver.Change) error {
	var problems []cloudlb.Problem
	wrong := func(field, format string, args ...any) {
		problems = append(problems, cloudlb.Problem{Field: field, Message: fmt.Sprintf(format, args...)})
	}
	verb := p.desc.Verb(c.Kind)
	if !verb.Exists() {
		wrong("Kind", "%q is nothing that this pool can do", c.Kind)
	}
	p.checkList("Members", c, c.Members, verb.Most, wrong)
	if c.Kind == driver.Swap {
		p.checkList("Out", c, c.Out, verb.Most, wrong)
		for i, in := range c.Members {
			for j, out := range c.Out {
				if in.Key == out.Key {
					wrong(fmt.Sprintf("Out[%d]", j), "is Members[%d] too: a member either joins or leaves", i)
				}
			}
		}
	} else if len(c.Out) > 0 {
		wrong("Out", "is for changes of kind %q", driver.Swap)
	}
	if problems == nil {
		return nil
	}
	return &cloudlb.Error{
		Service: p.desc.Service, Operation: string(c.Kind), Class: cloudlb.ClassInvalid, Outcome: cloudlb.OutcomeNotSent,
		Err: &cloudlb.ValidationError{Problems: problems},
	}
}

func (p *Pool) checkList(field string, c driver.Change, specs []driver.Spec, most int, wrong func(field, format string, args ...any)) {
	switch {
	case len(specs) == 0:
		wrong(field, "is empty: name at least one member")
	case most > 0 && len(specs) > most:
		wrong(field, "has %d elements, and one call takes %d: split it", len(specs), most)
	}
	seen := make(map[driver.Key]int, len(specs))
	for i, s := range specs {
		name := func(of string) string { return fmt.Sprintf("%s[%d].%s", field, i, of) }
		if s.Server == "" {
			wrong(name("Server"), "is required")
		}
		switch {
		case p.desc.Portless && s.Port != 0:
			wrong(name("Port"), "is %d: this pool has the port of its listener, leave it 0", s.Port)
		case !p.desc.Portless && (s.Port < 1 || s.Port > 65535):
			wrong(name("Port"), "is %d: want 1 to 65535", s.Port)
		}
		if w := p.desc.Weights; s.Weight != nil && (*s.Weight < w.Min || *s.Weight > w.Max) {
			wrong(name("Weight"), "is %d: want %d to %d", *s.Weight, w.Min, w.Max)
		}
		if c.Kind == driver.SetWeight && s.Weight == nil {
			wrong(name("Weight"), "is required")
		}
		if first, ok := seen[s.Key]; ok {
			wrong(fmt.Sprintf("%s[%d]", field, i), "is the same member as %s[%d]", field, first)
		}
		seen[s.Key] = i
	}
}
