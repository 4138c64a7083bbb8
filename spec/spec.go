// Package spec embeds the facts of the four services: the one place where a
// parameter, a range, a limit, an error code or a state is written down. It is
// read by the generator (internal/apigen), by fakecloud and by tests; clients
// never link it. README.md beside it explains the format. The files are not
// part of the library's API.
package spec

import "embed"

// Files holds alb.json, slb.json, elb.json, apig.json and common.json.
//
//go:embed *.json
var Files embed.FS
