// Package check collects what is wrong with a request before it is sent.
package check

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/cloudlb/cloudlb"
)

// Checker collects problems. It keeps the path to the object at hand and turns
// it into text only when there is something to say. The zero value is ready.
type Checker struct {
	// Family is the product that the client speaks to, where a service has two.
	Family string

	path     [8]segment
	depth    int
	problems []cloudlb.Problem
}

type segment struct {
	name  string
	index int // -1: an object, not an element of a list
}

// Enter goes into an element of the list name; Leave comes back.
func (c *Checker) Enter(name string, index int) {
	if c.depth < len(c.path) {
		c.path[c.depth] = segment{name, index}
	}
	c.depth++
}

// EnterObject goes into the object name; Leave comes back.
func (c *Checker) EnterObject(name string) { c.Enter(name, -1) }

// Leave comes back from Enter or EnterObject.
func (c *Checker) Leave() { c.depth-- }

// Addf adds a problem with the field name of the object at hand, or with the
// element at hand when name is empty.
func (c *Checker) Addf(name, format string, args ...any) {
	var b strings.Builder
	for i, s := range c.path[:min(c.depth, len(c.path))] {
		if i > 0 {
			b.WriteByte('.')
		}
		b.WriteString(s.name)
		if s.index >= 0 {
			fmt.Fprintf(&b, "[%d]", s.index)
		}
	}
	if b.Len() > 0 && name != "" {
		b.WriteByte('.')
	}
	b.WriteString(name)
	c.problems = append(c.problems, cloudlb.Problem{Field: b.String(), Message: fmt.Sprintf(format, args...)})
}

// Problems returns what was found, nil when the request is good.
func (c *Checker) Problems() []cloudlb.Problem { return c.problems }

// Missing reports a required field that has no value.
func (c *Checker) Missing(name string) { c.Addf(name, "is required") }

// MissingWhen reports a field that is required under the condition when.
func (c *Checker) MissingWhen(name, when string) { c.Addf(name, "is required when %s", when) }

// Text checks the length of s in characters, most 0 meaning without bound, and
// that it is text at all: the encoders would replace bytes that are not UTF-8.
func (c *Checker) Text(name, s string, least, most int) {
	if !utf8.ValidString(s) {
		c.Addf(name, "is not valid UTF-8")
		return
	}
	if len(s) <= most && len(s) >= least*utf8.UTFMax {
		return
	}
	n := utf8.RuneCountInString(s)
	switch {
	case n >= least && (most == 0 || n <= most):
	case most == 0:
		c.Addf(name, "has %d characters, must have at least %d", n, least)
	case least == most:
		c.Addf(name, "has %d characters, must have %d", n, most)
	default:
		c.Addf(name, "has %d characters, must have %d to %d", n, least, most)
	}
}

// Range checks least <= n <= most.
func (c *Checker) Range(name string, n, least, most int64) {
	if n < least || n > most {
		c.Addf(name, "is %d, must be from %d to %d", n, least, most)
	}
}

// AtLeast checks least <= n.
func (c *Checker) AtLeast(name string, n, least int64) {
	if n < least {
		c.Addf(name, "is %d, must be at least %d", n, least)
	}
}

// OneOf checks that s is one of the documented values.
func (c *Checker) OneOf(name, s string, values ...string) {
	if slices.Contains(values, s) {
		return
	}
	c.Addf(name, "is %s, must be one of %s", strconv.Quote(s), strings.Join(values, ", "))
}

// OneOfInt checks that n is one of the documented values.
func (c *Checker) OneOfInt(name string, n int64, values ...int64) {
	text := make([]string, 0, 8)
	for _, v := range values {
		if n == v {
			return
		}
		text = append(text, strconv.FormatInt(v, 10))
	}
	c.Addf(name, "is %d, must be one of %s", n, strings.Join(text, ", "))
}

// Items checks the number of elements of a list, most 0 meaning without bound.
func (c *Checker) Items(name string, n, least, most int) {
	switch {
	case n < least && n == 0:
		c.Addf(name, "is empty, must have at least %d", least)
	case n < least:
		c.Addf(name, "has %d elements, must have at least %d", n, least)
	case most > 0 && n > most:
		c.Addf(name, "has %d elements, one call takes at most %d: split the list", n, most)
	}
}

// Duplicate reports that element index of a list names the same thing as the
// earlier element first.
func (c *Checker) Duplicate(name string, index, first int, key string) {
	c.Addf(fmt.Sprintf("%s[%d]", name, index), "repeats %s[%d] (same %s): remove one of them", name, first, key)
}

// NotPrefix checks that s does not start with one of the reserved prefixes.
func (c *Checker) NotPrefix(name, s string, prefixes ...string) {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			c.Addf(name, "must not start with %s", p)
		}
	}
}

// Pattern reports text with characters outside the documented set.
func (c *Checker) Pattern(name, pattern string) {
	c.Addf(name, "has characters that are not allowed, must match %s", pattern)
}

// PathSegment checks a value that becomes part of the URL's path.
func (c *Checker) PathSegment(name, s string) {
	switch s {
	case "":
		c.Missing(name)
	case ".", "..":
		c.Addf(name, "is %q, which is not an ID", s)
	}
}

// OnlyIn reports a field that is set but exists in another product only.
func (c *Checker) OnlyIn(family, name string, isSet bool) {
	if isSet && c.Family != family {
		c.Addf(name, "exists only with the %s product", family)
	}
}

// Value is what p points to, or the zero value.
func Value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}
