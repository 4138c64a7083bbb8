package fakecloud_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudlb/cloudlb/fakecloud"
)

// TestAssumptions: every assumption shows, and so does its opposite.
func TestAssumptions(t *testing.T) {
	t.Parallel()
	covered := make(map[fakecloud.Assumption]bool)
	for _, tt := range assumptionCases() {
		covered[tt.assumption] = true
		t.Run(string(tt.assumption), func(t *testing.T) {
			t.Parallel()
			for want, off := range map[string][]fakecloud.Option{tt.with: nil, tt.without: {fakecloud.WithoutAssumption(tt.assumption)}} {
				synctest.Test(t, func(t *testing.T) {
					if got := tt.do(newWorld(t, append(tt.opts, off...)...)); got != want {
						t.Errorf("without it: %t; got %q, want %q", off != nil, got, want)
					}
				})
			}
		})
		if tt.with == tt.without {
			t.Errorf("%s: the same with and without", tt.assumption)
		}
	}
	for _, a := range fakecloud.Assumptions() {
		if !covered[a] {
			t.Errorf("%s has no case", a)
		}
	}
}

// TestWithoutAnyAssumption: all opposites go together.
func TestWithoutAnyAssumption(t *testing.T) {
	t.Parallel()
	for _, tt := range assumptionCases() {
		synctest.Test(t, func(t *testing.T) {
			tt.do(newWorld(t, append(tt.opts, fakecloud.WithoutAssumption(fakecloud.Assumptions()...))...))
		})
	}
}

// TestAssumptionsAreListed: each constant has a name of its own and is in the
// list, with its comment as the text, and the package comment refers to it.
func TestAssumptionsAreListed(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "assumptions.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	listed := make(map[fakecloud.Assumption]bool)
	for _, a := range fakecloud.Assumptions() {
		if listed[a] {
			t.Errorf("%s is listed twice", a)
		}
		listed[a] = true
	}
	constants := 0
	for _, d := range file.Decls {
		g, ok := d.(*ast.GenDecl)
		if !ok || g.Tok != token.CONST {
			continue
		}
		for _, s := range g.Specs {
			v, ok := s.(*ast.ValueSpec)
			if !ok {
				continue
			}
			constants++
			value, ok := v.Values[0].(*ast.BasicLit)
			if !ok {
				t.Fatalf("%s is no literal", v.Names[0])
			}
			a := fakecloud.Assumption(strings.Trim(value.Value, `"`))
			comment := strings.Join(strings.Fields(v.Doc.Text()), " ")
			if want := v.Names[0].Name + ": " + a.Text(); comment != want {
				t.Errorf("comment %q, text %q", comment, want)
			}
			if !listed[a] {
				t.Errorf("%s is not listed", v.Names[0])
			}
			if !strings.Contains(string(doc), "["+v.Names[0].Name+"]") {
				t.Errorf("doc.go does not refer to %s", v.Names[0])
			}
		}
	}
	equal(t, "constants", constants, len(listed))
}

func TestParseAssumption(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"alb-private-addresses", " ALB_Private_Addresses"} {
		if a, err := fakecloud.ParseAssumption(name); err != nil || a != fakecloud.ALBPrivateAddresses {
			t.Errorf("%q: %q, %v", name, a, err)
		}
	}
	if _, err := fakecloud.ParseAssumption("alb-public-addresses"); err == nil || !strings.Contains(err.Error(), `no assumption "alb-public-addresses"`) {
		t.Error(err)
	}
	defer func() {
		if text := fmt.Sprint(recover()); !strings.Contains(text, `no assumption "sun-shines"`) {
			t.Error(text)
		}
	}()
	fakecloud.New(fakecloud.WithoutAssumption("sun-shines"))
}

func TestQuotasAndPages(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, fakecloud.WithServersPerGroup(3), fakecloud.WithLoadBalancerPageSize(2))
		equal(t, "third server", did(w.add("i-3", nil)), "200")
		advance(time.Minute)
		equal(t, "fourth server", did(w.add("i-4", nil)), "ResourceQuotaExceeded.ServersNum")
		for range 3 {
			w.cloud.AddLoadBalancer("")
		}
		page := w.slb("DescribeLoadBalancers", nil)
		equal(t, "page", fmt.Sprint(page.len("LoadBalancers", "LoadBalancer"), page.at("PageSize"), page.at("TotalCount")), "2 2 4")
	})
}
