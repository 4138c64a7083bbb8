// Package bench holds cloudlb against the vendors' SDKs: the same requests on
// the wire, the same faults, the same server side by side. Everything is in its
// tests and benchmarks; README.md says how to run them.
package bench
