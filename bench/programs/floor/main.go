// Command floor makes one call, a bare POST with net/http, to the endpoint given as its
// argument, and none without one. It is built to see what its imports cost.
package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

func main() {
	if len(os.Args) < 2 {
		return
	}
	resp, err := http.Post(os.Args[1], "application/x-www-form-urlencoded", strings.NewReader("Servers.1.Port=80"))
	if err == nil {
		_, err = io.ReadAll(resp.Body)
		resp.Body.Close()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
