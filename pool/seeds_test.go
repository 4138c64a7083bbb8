//go:build !race

package pool_test

// seeds is how many random runs each service gets.
const seeds = 200
