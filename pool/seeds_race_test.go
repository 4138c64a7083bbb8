//go:build race

package pool_test

// seeds is how many random runs each service gets; each takes ten times as long
// under the race detector.
const seeds = 30
