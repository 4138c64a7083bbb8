package main

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cloudlb/cloudlb/internal/specfile"
)

const root = "../.."

// The files are generated once: no test changes them.
var generated = sync.OnceValues(generate)

func sources(t *testing.T) map[string][]byte {
	t.Helper()
	files, err := generated()
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestFresh compares the tree with what the spec gives.
func TestFresh(t *testing.T) {
	t.Parallel()
	for path, want := range sources(t) {
		got, err := os.ReadFile(filepath.Join(root, path))
		if err != nil {
			t.Errorf("%v: run go generate", err)
			continue
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%s is not fresh: run go generate", path)
		}
	}
	for _, pattern := range []string{"*/*_gen.go", "internal/wire/*/*_gen.go"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok := sources(t)[filepath.ToSlash(rel)]; !ok {
				t.Errorf("nothing generates %s any more: run go generate", rel)
			}
		}
	}
}

// TestGenerateIsStable: map order must not show in the files.
func TestGenerateIsStable(t *testing.T) {
	t.Parallel()
	again, err := generate()
	if err != nil {
		t.Fatal(err)
	}
	if !maps.EqualFunc(sources(t), again, bytes.Equal) {
		t.Error("a second run gives other files")
	}
}

func TestFileLength(t *testing.T) {
	t.Parallel()
	const most = 700
	longer := map[string]string{} // path: why it may be longer
	for path, source := range sources(t) {
		n := bytes.Count(source, []byte("\n"))
		_, listed := longer[path]
		switch {
		case listed && n <= most:
			t.Errorf("%s has %d lines and need not be listed", path, n)
		case !listed && n > most:
			t.Errorf("%s has %d lines: split its family in the spec, or list it here with a reason", path, n)
		}
	}
	for path := range longer {
		if _, ok := sources(t)[path]; !ok {
			t.Errorf("%s is listed but not generated", path)
		}
	}
}

// TestComments: everything exported has a comment, and one that begins with
// its name.
func TestComments(t *testing.T) {
	t.Parallel()
	for path, source := range sources(t) {
		if !strings.HasSuffix(path, ".go") {
			continue
		}
		fset := token.NewFileSet()
		file, err := parser.ParseFile(fset, path, source, parser.ParseComments)
		if err != nil {
			t.Error(err)
			continue
		}
		check := func(doc *ast.CommentGroup, name *ast.Ident) {
			t.Helper()
			if !name.IsExported() {
				return
			}
			words := strings.Fields(doc.Text())
			switch {
			case len(words) == 0:
				t.Errorf("%s: %s has no comment", fset.Position(name.Pos()), name)
			case words[0] != name.Name:
				t.Errorf("%s: the comment of %s begins with %q", fset.Position(name.Pos()), name, words[0])
			case len(words) < 3 || !strings.HasSuffix(strings.TrimSpace(doc.Text()), "."):
				t.Errorf("%s: the comment of %s is no sentence: %q", fset.Position(name.Pos()), name, doc.Text())
			}
		}
		for _, decl := range file.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				check(d.Doc, d.Name)
			case *ast.GenDecl:
				checkSpecs(t, fset, d, check)
			}
		}
	}
}

func checkSpecs(t *testing.T, fset *token.FileSet, d *ast.GenDecl, check func(*ast.CommentGroup, *ast.Ident)) {
	t.Helper()
	for _, spec := range d.Specs {
		switch s := spec.(type) {
		case *ast.TypeSpec:
			check(d.Doc, s.Name)
			object, ok := s.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, f := range object.Fields.List {
				for _, name := range f.Names {
					check(f.Doc, name)
				}
			}
		case *ast.ValueSpec: // one comment for the group is enough
			exported := slices.ContainsFunc(s.Names, (*ast.Ident).IsExported)
			if exported && d.Doc.Text() == "" && s.Doc.Text() == "" {
				t.Errorf("%s: neither %s nor its group has a comment", fset.Position(s.Pos()), s.Names[0])
			}
		}
	}
}

// TestConditions: conditions of the spec in words.
func TestConditions(t *testing.T) {
	t.Parallel()
	spec := func(name, goName string) *field {
		return &field{Field: &specfile.Field{Name: name}, goName: goName}
	}
	fields := []*field{
		spec("ServerType", "ServerType"), spec("ServerId", "ServerID"), spec("loadbalancer_id", "LoadBalancerID"),
		spec("any_port_enable", "AnyPortEnable"), spec("type", "Type"), spec("protocol", "Protocol"),
	}
	m := &model{shapes: []*shape{{fields: fields}}}
	for condition, want := range map[string]string{
		"ServerType in [Ecs,Eni,Eci,Ip]":           "ServerType is Ecs, Eni, Eci or Ip",
		"ServerType=Fc":                            "ServerType is Fc",
		"ServerType!=Ip":                           "ServerType is not Ip",
		"type not in [HTTP]":                       "Type is not HTTP",
		"type not in [HTTP,HTTPS]":                 "Type is neither HTTP nor HTTPS",
		"type not in [HTTP,HTTPS,GRPC]":            "Type is none of HTTP, HTTPS and GRPC",
		"type=instance or protocol=IP":             "Type is instance or Protocol is IP",
		"loadbalancer_id and type absent":          "LoadBalancerID and Type are absent",
		"ServerId not given":                       "ServerID is absent",
		"ServerId is an ENI or ECI":                "ServerID is an ENI or ECI",
		"pool any_port_enable=true":                "the pool's AnyPortEnable is true",
		"load balancer ip_target_enable=false":     "the load balancer's ip_target_enable is false",
		"pool any_port_enable in [a,b] or type=c":  "the pool's AnyPortEnable is a or b or Type is c",
		"token auth is used instead of something":  "token auth is used instead of something",
		"pool any_port_enable not in [true,maybe]": "the pool's AnyPortEnable is neither true nor maybe",
		"loadbalancer_id absent":                   "LoadBalancerID is absent",
	} {
		if got := m.when(condition, fields); got != want {
			t.Errorf("%q is %q, want %q", condition, got, want)
		}
	}
}

// TestConditionsInComments: no condition of the spec stays in machine form.
func TestConditionsInComments(t *testing.T) {
	t.Parallel()
	for path, source := range sources(t) {
		for line := range strings.Lines(string(source)) {
			if _, text, ok := strings.Cut(line, "// "); ok && (strings.Contains(text, " in [") || strings.Contains(text, "!=")) {
				t.Errorf("%s: %s", path, strings.TrimSpace(text))
			}
		}
	}
}
