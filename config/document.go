package config

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml/ast"
)

// A document is the text of a configuration file, and where in it each key is.
type document struct {
	name  string
	lines []string
	where map[string]position // by path; of a scalar the value's place, of anything else its key's
	bad   map[string]bool     // paths whose value was refused, so that no rule judges what is not there
}

// A position is a place in the file, both counted from 1.
type position struct{ line, column int }

func newDocument(name, text string) *document {
	return &document{
		name:  name,
		lines: strings.Split(text, "\n"),
		where: map[string]position{},
		bad:   map[string]bool{},
	}
}

// placeOf is the place of a node's first character.
func placeOf(n ast.Node) position {
	if m, ok := n.(*ast.MappingNode); ok && !m.IsFlowStyle && len(m.Values) > 0 {
		n = m.Values[0].Key // the token of a mapping in block style is its first colon
	}
	if t := n.GetToken(); t != nil && t.Position != nil {
		return position{t.Position.Line, t.Position.Column}
	}
	return position{1, 1}
}

// has reports whether the file sets a key.
func (d *document) has(path string) bool {
	_, ok := d.where[path]
	return ok
}

// at is the place of a key, or of the innermost section around it that the
// file has; the zero position if it has none.
func (d *document) at(path string) position {
	for path != "" {
		if p, ok := d.where[path]; ok {
			return p
		}
		path = parent(path)
	}
	return position{}
}

// refused reports whether the value at a path, a part of it, or a section
// around it was refused.
func (d *document) refused(path string) bool {
	if d.bad[""] {
		return true // the whole file
	}
	for p := path; p != ""; p = parent(p) {
		if d.bad[p] {
			return true
		}
	}
	for p := range d.bad {
		if strings.HasPrefix(p, path+".") || strings.HasPrefix(p, path+"[") {
			return true
		}
	}
	return false
}

// problem makes a Problem about a key, and marks the key as refused.
func (d *document) problem(path string, at position, text string) *Problem {
	d.bad[path] = true
	return d.newProblem(path, at, text)
}

// newProblem makes a Problem about a key.
func (d *document) newProblem(path string, at position, text string) *Problem {
	p := &Problem{File: d.name, Line: at.line, Column: at.column, Key: path, Text: text}
	if at.line > 0 {
		p.Excerpt = d.excerpt(at, maySecret(path))
	}
	return p
}

// suspicious finds lines that may hold a secret where the YAML around it is
// not understood, so that the path of a line is unknown.
var suspicious = regexp.MustCompile(`(?i)token|secret|passw|key|bearer|-----|[A-Za-z0-9_+/=.-]{20,}`)

// suspect reports whether a line may hold a secret.
func (d *document) suspect(line int) bool {
	return line <= len(d.lines) && suspicious.MatchString(d.lines[line-1])
}

// excerpt prints a line of the file and a caret below a column of it. If hide
// is set, what follows the key on the line is left out.
func (d *document) excerpt(at position, hide bool) string {
	const before, after = 60, 60 // a window, for a line too long for a terminal
	if at.line < 1 || at.line > len(d.lines) {
		return ""
	}
	line := []rune(strings.TrimRight(d.lines[at.line-1], "\r"))
	column := min(max(at.column-1, 0), len(line))
	if hide {
		if key, value, ok := strings.Cut(string(line), ":"); ok && strings.TrimSpace(value) != "" {
			line = []rune(key + ": (not shown: it may be a secret)")
		} else if !ok {
			line = []rune("(not shown: it may be a secret)")
		}
		column = min(column, len(line))
	}
	dots := ""
	if column > before {
		line, column, dots = line[column-before:], before, "…"
	}
	if len(line) > column+after {
		line = append(line[:column+after:column+after], '…')
	}
	pad := make([]rune, column)
	for i, r := range line {
		if r != '\t' && !unicode.IsPrint(r) {
			line[i] = '·' // no escape sequence of the file reaches the terminal
		}
		if i < column {
			pad[i] = ' '
			if r == '\t' {
				pad[i] = '\t' // so that the caret stays below its character
			}
		}
	}
	blank := strings.Repeat(" ", len([]rune(dots)))
	return fmt.Sprintf("%6d | %s%s\n%6s | %s%s^", at.line, dots, string(line), "", blank, string(pad))
}

var plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// join is the path of a key in a section.
func join(section, key string) string {
	if !plainKey.MatchString(key) {
		key = quote(key)
	}
	if section == "" {
		return key
	}
	return section + "." + key
}

// parent is the path of the section or list around a path.
func parent(path string) string {
	return path[:max(strings.LastIndexAny(path, ".["), 0)]
}
