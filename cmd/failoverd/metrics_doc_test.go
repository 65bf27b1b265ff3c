package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const metricsPage = "../../docs/metrics.md"

// A metricDoc is a metric as its declaration says it.
type metricDoc struct {
	name, kind, help string
	labels           []string
}

// literal is the value of a string literal.
func literal(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}

// texts are the strings of a []string literal, or of several arguments.
func texts(args ...ast.Expr) (all []string) {
	for _, e := range args {
		if list, ok := e.(*ast.CompositeLit); ok {
			all = append(all, texts(list.Elts...)...)
		} else if s, ok := literal(e); ok {
			all = append(all, s)
		}
	}
	return all
}

// declared is the metric that a call declares, if it does: by prometheus.NewGaugeVec and its like, prometheus.NewDesc, or
// package agent's describe.
func declared(call *ast.CallExpr) (m metricDoc, ok bool) {
	of := ""
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); !ok || x.Name != "prometheus" {
			return m, false
		}
		of = f.Sel.Name
	case *ast.Ident:
		of = f.Name
	}
	switch of {
	case "NewDesc", "describe":
		name, ok := literal(call.Args[0])
		if !ok {
			return m, false // describe itself
		}
		m.name, m.kind = "failoverd_"+strings.TrimPrefix(name, "failoverd_"), "gauge"
		if strings.HasSuffix(name, "_total") {
			m.kind = "counter"
		}
		m.help, ok = literal(call.Args[1])
		m.labels = texts(call.Args[2:]...)
		return m, ok
	case "NewCounter", "NewCounterVec", "NewGauge", "NewGaugeVec", "NewHistogram", "NewHistogramVec":
		m.kind = strings.ToLower(strings.TrimSuffix(strings.TrimPrefix(of, "New"), "Vec"))
		for _, e := range call.Args[0].(*ast.CompositeLit).Elts {
			field := e.(*ast.KeyValueExpr)
			switch field.Key.(*ast.Ident).Name {
			case "Name":
				m.name, _ = literal(field.Value)
			case "Help":
				m.help, _ = literal(field.Value)
			}
		}
		m.labels = texts(call.Args[1:]...)
		return m, true
	}
	return m, false
}

// TestMetricsPage compares the page of the metrics with their declarations in the source.
func TestMetricsPage(t *testing.T) {
	var all []metricDoc
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "e2e" || d.Name() == ".git" || d.Name() == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if m, ok := declared(call); ok {
					if m.help == "" || !strings.HasPrefix(m.name, "failoverd_") {
						t.Errorf("%s declares a metric %q with the help %q; want both as literals, and the name to begin with failoverd_", path, m.name, m.help)
					}
					all = append(all, m)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b metricDoc) int { return cmp.Compare(a.name, b.name) })
	var page strings.Builder
	page.WriteString("# Metrics\n\nThe agent's page `/metrics` has these, and those of Go and of the process (`go_*`, `process_*`). " +
		"Series of GPUs, probes, the quorum, layers and the cluster are there where these are configured. " +
		"This page is written from the code (`go test ./cmd/failoverd -run TestMetricsPage -update`).\n\n| metric | type | labels | |\n|---|---|---|---|\n")
	for i, m := range all {
		if i > 0 && all[i-1].name == m.name {
			t.Errorf("%s is declared twice", m.name)
		}
		fmt.Fprintf(&page, "| `%s` | %s | %s | %s |\n", m.name, m.kind, strings.Join(m.labels, ", "), m.help)
	}
	compare(t, metricsPage, page.String())
}
