package main

import (
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/spf13/pflag"

	"github.com/openova-io/failoverd/lease"
)

const top = "../.."

// A document is a page of documentation.
type document struct {
	path, text string
	code       []string        // spans of code, and lines of blocks of code
	prose      string          // the rest
	anchors    map[string]bool // of headings
}

var span = regexp.MustCompile("`([^`]+)`")

// documents are README.md and docs. CHANGELOG.md is not among them: it tells of what is gone, too.
func documents(t *testing.T) (all []*document) {
	t.Helper()
	files := []string{filepath.Join(top, "README.md")}
	err := filepath.WalkDir(filepath.Join(top, "docs"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".md") {
			files = append(files, path)
		}
		return err
	})
	if err != nil || len(files) < 30 {
		t.Fatalf("found %d pages (%v), want at least 30", len(files), err)
	}
	for _, path := range files {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		p := &document{path: path, text: string(data), anchors: map[string]bool{}}
		block := false
		for line := range strings.Lines(p.text) {
			line = strings.TrimSuffix(line, "\n")
			switch heading, isHeading := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); {
			case strings.HasPrefix(line, "```"):
				block = !block
			case block:
				p.code = append(p.code, line)
			default:
				for _, m := range span.FindAllStringSubmatch(line, -1) {
					p.code = append(p.code, m[1])
				}
				p.prose += span.ReplaceAllString(line, "") + "\n"
				if isHeading && strings.HasPrefix(line, "#") {
					p.anchors[anchor(heading)] = true
				}
			}
		}
		if block {
			t.Errorf("%s: a block of code has no end", path)
		}
		all = append(all, p)
	}
	return all
}

// anchor is what GitHub makes of a heading: letters, digits, - and _ are left, blanks are made -.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case unicode.IsLetter(r) || unicode.IsDigit(r) || r == '-' || r == '_':
			return unicode.ToLower(r)
		}
		return -1
	}, heading)
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// TestLinks follows every link within the repository: the file has to be there, and the heading in it.
func TestLinks(t *testing.T) {
	byPath := map[string]*document{}
	all := documents(t)
	for _, p := range all {
		byPath[filepath.Clean(p.path)] = p
	}
	followed := 0
	for _, p := range all {
		for _, m := range link.FindAllStringSubmatch(p.prose, -1) {
			u, err := url.Parse(m[1])
			if err != nil {
				t.Errorf("%s: %v", p.path, err)
				continue
			}
			if u.Scheme != "" {
				continue // elsewhere
			}
			to := p.path
			if u.Path != "" {
				to = filepath.Join(filepath.Dir(p.path), u.Path)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: %s: %v", p.path, m[1], err)
			}
			if u.Fragment != "" && (byPath[to] == nil || !byPath[to].anchors[u.Fragment]) {
				t.Errorf("%s: %s: there is no such heading", p.path, m[1])
			}
			followed++
		}
	}
	t.Logf("%d links followed", followed)
	for _, p := range all {
		if name := filepath.Base(p.path); name != "README.md" && filepath.Base(filepath.Dir(p.path)) == "docs" && !strings.Contains(byPath[filepath.Join(top, "README.md")].text, "docs/"+name) {
			t.Errorf("README.md does not name docs/%s", name)
		}
	}
}

// sources are the names that occur in files of the repository, by a pattern whose first group is the name.
func sources(t *testing.T, suffix string, pattern *regexp.Regexp) map[string]bool {
	t.Helper()
	names := map[string]bool{}
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
		for _, m := range pattern.FindAllSubmatch(data, -1) {
			names[string(m[1])] = true
		}
		return err
	})
	if err != nil || len(names) == 0 {
		t.Fatalf("found %d names in %s (%v)", len(names), suffix, err)
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

// TestShownBy looks up the tests that a page says show something, as "package Test": each has to be in that package. What
// failures.md is about are all alerts, and all reasons that are more than a piece of news.
func TestShownBy(t *testing.T) {
	shown := regexp.MustCompile(`^([a-z][a-z0-9/]*) (Test\w+)$`)
	n := 0
	for _, p := range documents(t) {
		for _, code := range p.code {
			m := shown.FindStringSubmatch(code)
			if m == nil {
				continue
			}
			n++
			if !sourcesIn(t, filepath.Join(top, m[1]))[m[2]] {
				t.Errorf("%s: package %s has no %s", p.path, m[1], m[2])
			}
		}
		if filepath.Base(p.path) != "failures.md" {
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
	if n < 100 {
		t.Errorf("found %d tests that show something, want at least 100", n)
	}
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

// call is failoverd with its arguments, at the beginning of code, or after what a shell has before a command.
var call = regexp.MustCompile(`(?:^|\$ |&& |; |=/usr/bin/|exec [a-z/-]+ -- |^sudo )failoverd((?: [^\s|;&#>)]+)+)`)

// TestCommands gives every call of failoverd on the pages to the command line's own parser, but runs none.
func TestCommands(t *testing.T) {
	calls := 0
	for _, p := range documents(t) {
		if strings.HasSuffix(p.path, "commands.md") {
			continue // written from the commands themselves
		}
		for _, code := range p.code {
			for _, m := range call.FindAllStringSubmatch(code, -1) {
				calls++
				if err := parses(strings.Fields(m[1])); err != nil {
					t.Errorf("%s: failoverd%s: %v", p.path, m[1], err)
				}
			}
		}
	}
	t.Logf("%d calls parsed", calls)
}

// parses says what a command line has that there is not: a verb, or a flag.
func parses(args []string) error {
	command, rest, err := root().Find(args)
	if err != nil {
		return err
	}
	if command == command.Root() {
		if len(rest) > 0 && !strings.HasPrefix(rest[0], "-") {
			return fmt.Errorf("there is no command %s", rest[0])
		}
	}
	command.InitDefaultHelpFlag()
	for _, arg := range rest {
		name, isLong := strings.CutPrefix(arg, "--")
		name, _, _ = strings.Cut(strings.Trim(name, "[]`,."), "=")
		short, isShort := strings.CutPrefix(arg, "-")
		var flag *pflag.Flag
		switch {
		case isLong:
			flag = command.Flag(name)
		case isShort && len(short) == 1:
			flag = command.Flags().ShorthandLookup(short)
		default:
			continue
		}
		if flag == nil {
			return fmt.Errorf("there is no flag %s", arg)
		}
	}
	return nil
}

// TestSnippets looks up every key of each piece of a configuration that a page has: a block of YAML whose keys, at the top, are
// all those of a configuration.
func TestSnippets(t *testing.T) {
	keys := sources(t, "docs/configuration.md", regexp.MustCompile("(?m)^(?:\\| `|## )([a-z_.\\[\\]]+)"))
	block := regexp.MustCompile("(?s)```yaml\n(.*?)```")
	indent := regexp.MustCompile(`(?m)^   `)
	n := 0
	for _, p := range documents(t) {
		for _, m := range block.FindAllStringSubmatch(p.text, -1) {
			text := m[1]
			if strings.HasPrefix(text, "   ") { // below a step
				text = indent.ReplaceAllString(text, "")
			}
			var tree map[string]any
			if err := yaml.Unmarshal([]byte(text), &tree); err != nil {
				continue // several documents, or no mapping
			}
			ours := len(tree) > 0
			for k := range tree {
				ours = ours && keys[k]
			}
			if !ours {
				continue
			}
			n++
			n++
			walkKeys(tree, "", func(path string) {
				if !keys[path] && !strings.HasPrefix(path, "identity.public_keys.") {
					t.Errorf("%s: there is no key %s", p.path, path)
				}
			})
		}
	}
	if n < 7 {
		t.Errorf("found %d pieces of configurations, want at least 7", n)
	}
}

// walkKeys calls each for every key below a node of YAML.
func walkKeys(node any, at string, each func(path string)) {
	switch node := node.(type) {
	case map[string]any:
		for k, v := range node {
			path := strings.TrimPrefix(at+"."+k, ".")
			each(path)
			walkKeys(v, path, each)
		}
	case []any:
		for _, v := range node {
			walkKeys(v, at+"[]", each)
		}
	}
}
