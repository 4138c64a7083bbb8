package transport

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cloudlb/cloudlb"
)

// Regions are the region names that spec/ knows of one cloud.
type Regions struct {
	Cloud string // "Huawei Cloud"
	Names []string
}

func (r Regions) has(region string) bool { return slices.Contains(r.Names, region) }

// CheckRegion reports what is wrong with the name of a region, for which the
// endpoint is to be made by a rule. Clouds open regions, so a name that no table
// has is good as long as it looks like one. Refused are a name of the wrong
// form, one of the other cloud only, and one with a word that is a misspelt word
// of the tables: "cn-hangzou", but not "us-west-3".
func CheckRegion(region string, here, there Regions) []cloudlb.Problem {
	refuse := func(format string, args ...any) []cloudlb.Problem {
		return []cloudlb.Problem{{Field: "Region", Message: fmt.Sprintf("%q ", clip(region)) + fmt.Sprintf(format, args...)}}
	}
	switch {
	case here.has(region):
		return nil
	case there.has(region):
		return refuse("is a region of %s, not of %s", there.Cloud, here.Cloud)
	case !wellFormed(region):
		return refuse("is not a region ID: lower-case words and numbers with hyphens between them%s", didYouMean(region, here, there))
	}
	words := strings.Split(region, "-")
	if isZone(words[len(words)-1]) {
		return refuse("is an availability zone, not a region%s", didYouMean(region, here, there))
	}
	known := vocabulary(here.Names, there.Names)
	for _, word := range words {
		if misspelt(word, known) {
			return refuse("is not a known region%s; if it is a new one, set Endpoint", didYouMean(region, here, there))
		}
	}
	return nil
}

// wellFormed reports whether a name has the form that all regions have: two or
// more words of letters and digits, the first of letters.
func wellFormed(region string) bool {
	first, rest, ok := strings.Cut(region, "-")
	if !ok || len(region) > 63 || len(first) < 2 || strings.Trim(first, letters) != "" {
		return false
	}
	for word := range strings.SplitSeq(rest, "-") {
		if word == "" || strings.Trim(word, letters+digits) != "" {
			return false
		}
	}
	return true
}

const (
	letters = "abcdefghijklmnopqrstuvwxyz"
	digits  = "0123456789"
)

// isZone reports the last word of an availability zone: the "h" of
// "cn-hangzhou-h", the "4a" of "cn-north-4a".
func isZone(word string) bool {
	number := strings.TrimRight(word, letters)
	return len(word)-len(number) == 1 && strings.Trim(number, digits) == ""
}

func vocabulary(lists ...[]string) map[string]bool {
	words := make(map[string]bool)
	for _, list := range lists {
		for _, name := range list {
			for word := range strings.SplitSeq(name, "-") {
				words[word] = true
			}
		}
	}
	return words
}

// misspelt reports whether a word is close to a known one without being known.
// Short words and those with numbers say too little, and a slip of the hand rarely hits the
// first letter.
func misspelt(word string, known map[string]bool) bool {
	if known[word] || len(word) < 4 {
		return false
	}
	for k := range known {
		most := 1
		if len(k) >= 8 {
			most = 2
		}
		if len(k) >= 4 && k[0] == word[0] && strings.Trim(k, letters) == "" && distance(word, k) <= most {
			return true
		}
	}
	return false
}

// didYouMean names the nearest regions, of the other cloud only when this one
// has none that is near.
func didYouMean(region string, here, there Regions) string {
	if near := nearest(region, here.Names); len(near) > 0 {
		return "; did you mean " + strings.Join(near, ", ") + "?"
	}
	if near := nearest(region, there.Names); len(near) > 0 {
		return "; " + strings.Join(near, ", ") + " would be of " + there.Cloud
	}
	return ""
}

// nearest returns up to three names, the nearest first.
func nearest(region string, names []string) []string {
	region = strings.Map(func(r rune) rune {
		if strings.ContainsRune(letters+digits, r) {
			return r
		}
		return '-'
	}, strings.ToLower(clip(region)))
	type candidate struct {
		name string
		far  int
	}
	var near []candidate
	for _, name := range names {
		far := distance(region, name)
		if far > max(2, len(name)/4) {
			if !strings.Contains("-"+region+"-", "-"+name) {
				continue
			}
			far = 100 - len(name) // an endpoint or a zone: the longest name in it
		}
		near = append(near, candidate{name, far})
	}
	slices.SortFunc(near, func(a, b candidate) int {
		if a.far != b.far {
			return a.far - b.far
		}
		return strings.Compare(a.name, b.name)
	})
	near = near[:min(len(near), 3)]
	out := make([]string, len(near))
	for i, c := range near {
		out[i] = c.name
	}
	return out
}

// distance is how many insertions, deletions, replacements and swaps of
// neighbours lead from a to b, counted in bytes.
func distance(a, b string) int {
	var before []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// clip bounds foreign text.
func clip(s string) string {
	if len(s) > 80 {
		return strings.ToValidUTF8(s[:80], "") + "..."
	}
	return s
}
