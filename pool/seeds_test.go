package pool_test

import "flag"

// seeds is how many random runs each service gets in each of the tests that
// count lost requests: few by default, for a quick answer; .ci/run asks for 200.
var seeds = flag.Int("seeds", 12, "random runs of each service in tests that count lost requests")
