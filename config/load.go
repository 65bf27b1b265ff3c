package config

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxFile bounds the file. A configuration is a page or two; the bound keeps
// the parser, which is recursive, from being driven out of memory.
const maxFile = 64 << 10

// Load reads and validates the configuration file at path. What is wrong in
// the file is returned as Problems; a file that can't be read as an error that
// says what to do.
func Load(path string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w; give the path of a readable file with --config", err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w; give the path of a readable file with --config", err)
	}
	return Parse(path, data)
}

// Parse reads and validates a configuration; name is the file's name in
// errors. It returns either a Config that is complete and valid, or Problems:
// all of them, in the order of the file. It does not panic, whatever data is.
func Parse(name string, data []byte) (*Config, error) {
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // a byte order mark, which some editors write
	d := newDocument(name, string(data))
	root, problem := d.parse(data)
	if problem != nil {
		return nil, Problems{problem}.err()
	}
	c := Default("")
	c.doc = d
	problems := d.decode(c, root)
	c.fillIn()
	problems = append(problems, c.validate(d)...)
	if len(problems) > 0 {
		return nil, problems.err()
	}
	return c, nil
}

// fillIn sets the defaults that depend on the type of the witness, which is
// known only when the file has been read: of several, the slowest to poll sets that.
func (c *Config) fillIn() {
	poll := time.Duration(0)
	c.eachWitness(func(at string, w *Witness) {
		d := Default(w.Type)
		poll = max(poll, time.Duration(d.Lease.PollInterval))
		if !c.doc.has(join(at, "staleness")) {
			w.Staleness = d.Witness.Staleness
		}
	})
	if !c.doc.has("lease.poll_interval") {
		c.Lease.PollInterval = Duration(poll)
	}
	if len(c.Witnesses) > 0 && !c.doc.has("witness") {
		c.Witness = Witness{}
	}
}

// parse makes the syntax tree of the one YAML document in data; nil for an
// empty one.
func (d *document) parse(data []byte) (root ast.Node, problem *Problem) {
	if len(data) > maxFile {
		return nil, d.problem("", position{}, fmt.Sprintf("the file is larger than %d KiB, expected a failoverd configuration", maxFile>>10))
	}
	if at, text := unreadable(data); text != "" {
		return nil, d.syntax(at, text)
	}
	if at := tooDeep(d.lines); at.line > 0 {
		return nil, d.syntax(at, fmt.Sprintf("found more than %d lists or sections inside one another, expected a failoverd configuration", maxDepth))
	}
	// The parser is another project's and reads what anyone wrote: should it
	// panic, that is one more way to say that the file is no YAML.
	defer func() {
		if r := recover(); r != nil {
			root, problem = nil, d.problem("", position{}, "the file is no YAML that the parser understands: it gave up without a place")
		}
	}()
	// Duplicate keys are refused by decode, which says where the first one is.
	file, err := parser.ParseBytes(data, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, d.syntaxError(err)
	}
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		if root != nil {
			return nil, d.syntax(placeOf(doc.Body), "found a second YAML document, expected one in a file")
		}
		root = doc.Body
	}
	return root, nil
}

// maxDepth bounds how deep lists and sections may stand in one another. No
// configuration needs ten, and the parser's time grows with the square of it.
const maxDepth = 100

// tooDeep finds the bracket, or the line of dashes, that is one too many. It counts those in quotes
// and comments too, hence the generous bound.
func tooDeep(lines []string) position {
	depth := 0
	for i, line := range lines {
		if strings.Count(line, "- ") > maxDepth { // lists in lists, on one line
			return position{i + 1, 1}
		}
		for j, r := range []rune(line) {
			switch r {
			case '[', '{':
				if depth++; depth > maxDepth {
					return position{i + 1, j + 1}
				}
			case ']', '}':
				depth = max(depth-1, 0)
			}
		}
	}
	return position{}
}

// unreadable finds the first byte that no configuration has.
func unreadable(data []byte) (position, string) {
	at := position{1, 1}
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return at, fmt.Sprintf("found the byte 0x%02x, expected text in UTF-8", data[i])
		case r < ' ' && r != '\n' && r != '\r' && r != '\t', r == 0x7f:
			return at, fmt.Sprintf("found the control character 0x%02x, expected text", r)
		case r == '\r' && !bytes.HasPrefix(data[i+1:], []byte("\n")):
			return at, "found a carriage return alone, expected lines that end in a line feed"
		case r == '\n':
			at = position{at.line + 1, 0}
		}
		at.column++
		i += size
	}
	return position{}, ""
}

// syntaxError turns an error of the YAML parser into a problem.
func (d *document) syntaxError(err error) *Problem {
	at := position{1, 1}
	text := "the file is no YAML"
	if e, ok := err.(yaml.Error); ok {
		text = e.GetMessage()
		if t := e.GetToken(); t != nil && t.Position != nil {
			at = position{t.Position.Line, t.Position.Column}
		}
	}
	text = strings.ReplaceAll(strings.TrimSpace(text), "\t", `\t`)
	for _, h := range syntaxHints {
		if strings.Contains(text, h.message) {
			text += "; " + h.hint
			break
		}
	}
	return d.syntax(at, "not valid YAML: "+text)
}

// syntaxHints say what to look for where the parser's message does not.
var syntaxHints = []struct{ message, hint string }{
	{`'\t'`, "indent with blanks: YAML takes no tabs"},
	{"tab character", "indent with blanks: YAML takes no tabs"},
	{"mapping value is not allowed", "look at the indentation of this line and the next, and put a value that holds a colon in quotes"},
	{"must be specified", "look for a bracket that is not closed in the lines above"},
	{"could not find", "look for a bracket or a quote that is not closed"},
}

// syntax makes a problem of a place whose key is not known.
func (d *document) syntax(at position, text string) *Problem {
	p := d.problem("", at, text)
	p.Excerpt = d.excerpt(at, d.suspect(at.line))
	return p
}
