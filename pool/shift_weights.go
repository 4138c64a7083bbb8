package pool

import (
	"fmt"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// Share is how requests are divided by the weights of one step of a Shift.
type Share struct {
	// Wanted is the share of Shift.To that was asked for, Real is the one that
	// whole numbers as weights give. Both are percent of the requests to To
	// and From together.
	Wanted float64 `json:"wanted"`
	Real   float64 `json:"real"`
	// Weights are those of To, then those of From.
	Weights []MemberWeight `json:"weights"`
}

// MemberWeight is a member and its weight.
type MemberWeight struct {
	Key    Key `json:"key"`
	Weight int `json:"weight"`
}

// String is "5% wanted, 4.76% real: i-1:80 5, i-2:80 100".
func (s Share) String() string {
	weights := make([]string, len(s.Weights))
	for i, w := range s.Weights {
		weights[i] = w.Key.String() + " " + strconv.Itoa(w.Weight)
	}
	return fmt.Sprintf("%s%% wanted, %s%% real: %s", percent(s.Wanted), percent(s.Real), strings.Join(weights, ", "))
}

// percent writes two digits after the point, but for zeros.
func percent(p float64) string {
	return strconv.FormatFloat(float64(int(p*100+0.5))/100, 'f', -1, 64)
}

// shiftSide is one of the two sets of members between which requests shift. It
// has one parameter, the weight of its heaviest member; the others follow in
// the ratio of base, as far as whole numbers allow.
type shiftSide struct {
	base []int // more than 0
	top  int   // the largest of base
	sums []int // by the weight of the heaviest
}

func newShiftSide(base []int, low, most int) shiftSide {
	s := shiftSide{base: base, top: slices.Max(base), sums: make([]int, most+1)}
	for k := low; k <= most; k++ {
		for _, b := range base {
			s.sums[k] += s.weight(b, k, low)
		}
	}
	return s
}

// weight is that of a member of weight base when the heaviest has k. Nobody
// gets less than low: a member without requests is not part of a canary.
func (s *shiftSide) weight(base, k, low int) int {
	if k == 0 {
		return 0
	}
	return max((2*base*k+s.top)/(2*s.top), low)
}

// shiftScale works out the weights of steps.
type shiftScale struct {
	low, most int
	to, from  shiftSide
	// keep is the sum of all weights that is to stay as it is for the sake of
	// members that take no part in the shift; 0 if there are none.
	keep int
}

// heaviest are the weights of the heaviest members of both sides in one step.
type heaviest struct{ to, from int }

func (m *shiftScale) share(h heaviest) float64 {
	t, f := float64(m.to.sums[h.to]), 0.0
	if h.from > 0 {
		f = float64(m.from.sums[h.from])
	}
	return 100 * t / (t + f)
}

// path returns the weights of all steps, which are percent and rise. From the
// first step on To only rises and From only falls, so that the share is never
// outside of what the steps before and after it have, whatever the order of the
// calls: only the first step may lift From, to make finer shares possible, and
// does so only where the weights that it has do not do.
func (m *shiftScale) path(steps []float64) []heaviest {
	asIs := m.pathBelow(steps, m.from.top)
	if m.keep > 0 || m.from.top == m.most {
		return asIs
	}
	lifted := m.pathBelow(steps, m.most)
	for i, s := range steps {
		if m.off(asIs[i], s) > m.off(lifted[i], s)+nearEnough(s) {
			return lifted
		}
	}
	return asIs
}

// shiftChoice is a possible way to give a share, and the best way to get there.
type shiftChoice struct {
	heaviest
	cost float64 // of this step and those before it
	prev int     // among the choices of the step before
}

// pathBelow is the path of least cost on which no weight of From is above the
// one that belongs to top.
func (m *shiftScale) pathBelow(steps []float64, top int) []heaviest {
	var all [][]shiftChoice
	for i, s := range steps {
		choices := m.choices(s, top)
		for j := range choices {
			if c := &choices[j]; i > 0 {
				c.prev = cheapest(all[i-1], c.heaviest)
				c.cost += all[i-1][c.prev].cost
			}
		}
		all = append(all, choices)
	}
	path := make([]heaviest, len(steps))
	at := cheapest(all[len(all)-1], heaviest{to: m.most})
	for i := len(steps) - 1; i >= 0; i-- {
		path[i] = all[i][at].heaviest
		at = all[i][at].prev
	}
	return path
}

// cheapest is the choice of least cost from which next can be reached. There is
// always one: the least weight of To with the largest of From.
func cheapest(choices []shiftChoice, next heaviest) int {
	best := -1
	for i, c := range choices {
		if (next.from == 0 || c.to <= next.to) && c.from >= next.from && (best < 0 || c.cost < choices[best].cost) {
			best = i
		}
	}
	return best
}

// choices are the weights that come near to a share.
func (m *shiftScale) choices(wanted float64, top int) []shiftChoice {
	if wanted >= 100 {
		return m.all()
	}
	const most = 200 // of the weights of From are looked at
	n := min(top-m.low+1, most)
	choices := []shiftChoice{m.choice(wanted, heaviest{m.low, top}, top)}
	for i := range n {
		from := top
		if n > 1 {
			from -= i * (top - m.low) / (n - 1)
		}
		sum := float64(m.from.sums[from]) * wanted / (100 - wanted)
		above := m.low + sort.Search(m.most-m.low, func(i int) bool { return float64(m.to.sums[m.low+i]) >= sum })
		choices = append(choices, m.choice(wanted, heaviest{max(above-1, m.low), from}, top), m.choice(wanted, heaviest{above, from}, top))
	}
	return append(choices, m.choice(wanted, heaviest{m.most, m.low}, top))
}

// choice rates weights: by how far the share is off, in parts of the smaller
// side where it is a thousandth or more, and a little by how far From is from its top, where ratios are kept
// best. Where others take part in the pool the sum counts too.
func (m *shiftScale) choice(wanted float64, h heaviest, top int) shiftChoice {
	cost := m.off(h, wanted) / min(wanted, 100-wanted)
	if cost < 0.001 {
		cost = 0
	}
	if m.keep > 0 {
		cost += float64(abs(m.to.sums[h.to]+m.from.sums[h.from]-m.keep)) / float64(m.keep)
	} else {
		cost += 0.001 * float64(top-h.from) / float64(top)
	}
	return shiftChoice{heaviest: h, cost: cost}
}

// all gives everything to To: at the weights that it would have by itself, or,
// for the sake of others, such that the sum stays.
func (m *shiftScale) all() []shiftChoice {
	best := m.to.top
	if m.keep > 0 {
		for to := m.low; to <= m.most; to++ {
			if abs(m.to.sums[to]-m.keep) < abs(m.to.sums[best]-m.keep) {
				best = to
			}
		}
	}
	return []shiftChoice{{heaviest: heaviest{to: best}}}
}

// off is how far a share is from the wanted one.
func (m *shiftScale) off(h heaviest, wanted float64) float64 {
	real := m.share(h)
	return max(real-wanted, wanted-real)
}

// nearEnough is which difference of a share hardly matters.
func nearEnough(wanted float64) float64 { return min(wanted/20, (100-wanted)/20, 0.25) }

func abs(n int) int { return max(n, -n) }
