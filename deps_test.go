package cloudlb_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestDependencies holds what a program links that uses one service.
func TestDependencies(t *testing.T) {
	t.Parallel()
	allowed := []string{
		"github.com/cloudlb/cloudlb",
		"github.com/hashicorp/go-retryablehttp",
		"github.com/hashicorp/go-cleanhttp",
		"github.com/go-json-experiment/json",
	}
	for _, service := range []string{"alb", "slb", "elb", "apig"} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps",
			"-f", "{{if not .Standard}}{{.ImportPath}} {{.Module.Path}}{{end}}", "./"+service).Output()
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Fields(string(out))
		if len(lines) == 0 {
			t.Fatalf("%s: go list prints nothing", service)
		}
		for i := 0; i < len(lines); i += 2 {
			pkg, module := lines[i], lines[i+1]
			if !slices.Contains(allowed, module) {
				t.Errorf("%s links %s of module %s", service, pkg, module)
			}
			if strings.HasSuffix(pkg, "/spec") || strings.Contains(pkg, "/fakecloud") {
				t.Errorf("%s links %s", service, pkg)
			}
		}
	}
}

// TestLayers holds which way the arrows go: pool knows drivers and no service,
// services know drivers and not pool.
func TestLayers(t *testing.T) {
	t.Parallel()
	const module = "github.com/cloudlb/cloudlb"
	services := []string{"/alb", "/slb", "/elb", "/apig"}
	for pkg, never := range map[string][]string{
		"/pool":        append([]string{"/fakecloud", "/internal/transport", "/internal/wire"}, services...),
		"/pool/driver": append([]string{"/pool", "/internal/poll"}, services...),
		"/alb":         {"/pool", "/slb"}, "/slb": {"/pool", "/alb"}, "/elb": {"/pool", "/apig"}, "/apig": {"/pool", "/elb"},
	} {
		out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "."+pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		deps := strings.Fields(string(out))
		if !slices.Contains(deps, module) {
			t.Fatalf("%s: go list prints %q", pkg, out)
		}
		for _, n := range never {
			if slices.Contains(deps, module+n) {
				t.Errorf("%s imports %s", pkg, n)
			}
		}
	}
}
