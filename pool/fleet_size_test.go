//go:build !race

package pool_test

// How large TestFleetScale is: the servers of each ALB group, the vServer groups
// that take one call, and those that take three.
const (
	scaleMembers = 200
	scaleGroups  = 1000
	scaleThrees  = 300
)
