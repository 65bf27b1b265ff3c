package main

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/lease"
)

// eachFile calls do with every file of the repository whose path ends in suffix.
func eachFile(t *testing.T, suffix string, do func(path string, data []byte)) {
	t.Helper()
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "bin") {
			if err == nil {
				err = fs.SkipDir
			}
			return err
		}
		if !strings.HasSuffix(path, suffix) {
			return nil
		}
		data, err := os.ReadFile(path)
		do(path, data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// sources are the names that occur in files of the repository, by a pattern whose first group is the name.
func sources(t *testing.T, suffix string, pattern *regexp.Regexp) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	eachFile(t, suffix, func(_ string, data []byte) {
		for _, m := range pattern.FindAllSubmatch(data, -1) {
			names[string(m[1])] = true
		}
	})
	if len(names) == 0 {
		t.Fatalf("found no names in %s", suffix)
	}
	return names
}

// aTestIs is the head of a test.
var aTestIs = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Benchmark)[A-Z]\w*)\(`)

// TestNames looks up what the pages name: tests, packages, targets of make, alerts, metrics and keys of the configuration.
func TestNames(t *testing.T) {
	tests := sources(t, "_test.go", aTestIs)
	alerts := sources(t, "prometheus/rules.yaml", regexp.MustCompile(`alert: (\w+)`))
	told := maps.Clone(alerts) // and those that agents send themselves
	maps.Copy(told, sources(t, "notify/runbook.go", regexp.MustCompile(`"(Failoverd[A-Z]\w+)"`)))
	metrics := sources(t, "docs/metrics.md", regexp.MustCompile("(?m)^\\| `(\\w+)`"))
	keys := sources(t, "docs/configuration.md", regexp.MustCompile("(?m)^\\| `([a-z_.\\[\\]]+)`"))
	sections := map[string]bool{}
	for k := range keys {
		for at := range k {
			if k[at] == '.' {
				sections[k[:at]] = true
			}
		}
	}
	for alert := range alerts {
		if _, err := os.Stat(filepath.Join(top, "docs/runbooks", alert+".md")); err != nil {
			t.Errorf("the alert %s has no runbook: %v", alert, err)
		}
	}
	aTest, anAlert := regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w*`), regexp.MustCompile(`\bFailoverd[A-Z]\w+`)
	aMetric, aKey := regexp.MustCompile(`\bfailoverd_[a-z_]+`), regexp.MustCompile(`^[a-z_]+(\.[a-z_]+)+$`)
	aPackage, aTarget := regexp.MustCompile(`(cd e2e && )?(?:[A-Z0-9]+=\w+ )*go (?:test|run) [^|&]*?(\./[\w./]+)`), regexp.MustCompile(`^make ([a-z]+)`)
	makefile, err := os.ReadFile(filepath.Join(top, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]int{}
	for _, p := range documents(t) {
		for _, code := range p.code {
			for _, name := range aTest.FindAllString(code, -1) {
				found["tests"]++
				if !tests[name] && !prefixOf(name, tests) {
					t.Errorf("%s: there is no test %s", p.path, name)
				}
			}
			for _, m := range aPackage.FindAllStringSubmatch(code, -1) {
				found["packages"]++
				module := ""
				if m[1] != "" {
					module = "e2e"
				}
				if _, err := os.Stat(filepath.Join(top, module, strings.TrimSuffix(m[2], "..."))); err != nil {
					t.Errorf("%s: %s: %v", p.path, code, err)
				}
			}
			if m := aTarget.FindStringSubmatch(code); m != nil {
				found["targets"]++
				if !strings.Contains(string(makefile), "\n"+m[1]+":") && !strings.Contains(string(makefile), "\n"+m[1]+" ") {
					t.Errorf("%s: the Makefile has no target %s", p.path, m[1])
				}
			}
			for _, name := range aMetric.FindAllString(code, -1) {
				found["metrics"]++
				for _, part := range []string{"_bucket", "_sum", "_count"} {
					name = strings.TrimSuffix(name, part)
				}
				if !metrics[name] && name != "failoverd_" {
					t.Errorf("%s: there is no metric %s", p.path, name)
				}
			}
			if first, _, _ := strings.Cut(code, "."); aKey.MatchString(code) && sections[first] {
				found["keys"]++
				if !keys[code] && !sections[code] {
					t.Errorf("%s: there is no key %s", p.path, code)
				}
			}
		}
		for _, name := range anAlert.FindAllString(p.text, -1) {
			found["alerts"]++
			if !told[name] {
				t.Errorf("%s: there is no alert %s", p.path, name)
			}
		}
	}
	t.Log("looked up: ", found)
}

// aProof is a test with its package, or a script of the lease.
var aProof = regexp.MustCompile("`([a-z][a-z0-9/]*) ((?:Test|Fuzz)\\w+)`|\\(\\.\\./lease/testdata/\\w+\\.txt\\)")

// TestShownBy looks up the tests that pages name with their packages. In failures.md and threats.md each row of a table
// names what shows it, or - for nothing; failures.md has a row for each alert, and for each code that is not for information;
// threats.md one for each fuzz target.
func TestShownBy(t *testing.T) {
	n, rows := 0, map[string]int{}
	for _, p := range documents(t) {
		named := map[string]bool{}
		for _, m := range aProof.FindAllStringSubmatch(p.text, -1) {
			if m[1] == "" {
				continue
			}
			n++
			named[m[1]+" "+m[2]] = true
			if !sourcesIn(t, filepath.Join(top, m[1]))[m[2]] {
				t.Errorf("%s: package %s has no %s", p.path, m[1], m[2])
			}
		}
		name := filepath.Base(p.path)
		if name == "failures.md" || name == "threats.md" {
			rows[name] = wantShown(t, p)
		}
		if name == "threats.md" {
			for target := range fuzzTargets(t) {
				if !named[target] {
					t.Errorf("%s: no row names %s", p.path, target)
				}
			}
		}
		if name != "failures.md" {
			continue
		}
		for alert := range sources(t, "prometheus/rules.yaml", regexp.MustCompile(`alert: (\w+)`)) {
			if !strings.Contains(p.text, "["+alert+"]") {
				t.Errorf("%s: no row leads to %s", p.path, alert)
			}
		}
		for _, r := range lease.Reasons {
			if r.Severity != lease.Informational && !strings.Contains(p.text, "`"+string(r.Code)+"`") {
				t.Errorf("%s: no row names %s", p.path, r.Code)
			}
		}
	}
	if n < 200 || rows["failures.md"] < 90 || rows["threats.md"] < 40 {
		t.Errorf("found %d tests that show something, and rows %v; want at least 200, and 90 and 40", n, rows)
	}
}

// wantShown looks for what shows each row of a page's tables, in its last cell, and counts the rows.
func wantShown(t *testing.T, p *document) (rows int) {
	t.Helper()
	row := false
	for line := range strings.Lines(p.text) {
		line = strings.TrimSpace(line)
		switch {
		case !strings.HasPrefix(line, "|"):
			row = false
		case strings.HasPrefix(line, "|--"):
			row = true
		case row:
			rows++
			cells := strings.Split(strings.Trim(line, "| "), " | ")
			if last := cells[len(cells)-1]; last != "-" && !aProof.MatchString(last) {
				t.Errorf("%s: nothing shows %s", p.path, cells[0])
			}
		}
	}
	return rows
}

// fuzzTargets are the fuzz targets of the repository, as pages name them.
func fuzzTargets(t *testing.T) map[string]bool {
	t.Helper()
	targets := map[string]bool{}
	eachFile(t, "_test.go", func(path string, data []byte) {
		in, err := filepath.Rel(top, filepath.Dir(path))
		if err != nil {
			t.Error(err)
		}
		for _, m := range aTestIs.FindAllSubmatch(data, -1) {
			if name := string(m[1]); strings.HasPrefix(name, "Fuzz") {
				targets[in+" "+name] = true
			}
		}
	})
	return targets
}

// sourcesIn are the tests of one package.
func sourcesIn(t *testing.T, dir string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range aTestIs.FindAllSubmatch(data, -1) {
			names[string(m[1])] = true
		}
	}
	return names
}

// prefixOf reports whether a name begins one of names: -run takes part of one.
func prefixOf(name string, names map[string]bool) bool {
	for n := range names {
		if strings.HasPrefix(n, name) {
			return true
		}
	}
	return false
}
