//go:build race

package pool_test

// How large TestFleetScale is under the race detector, where it takes several
// times as long and finds no more in more servers and windows: 1,000 ALB groups
// all the same, of fewer servers, and fewer vServer groups.
const (
	scaleMembers = 40
	scaleGroups  = 400
	scaleThrees  = 180
)
