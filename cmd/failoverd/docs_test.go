package main

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
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
