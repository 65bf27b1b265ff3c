package main

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/spf13/pflag"
)

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
	keys := sources(t, "docs/configuration.md", regexp.MustCompile("(?m)^(?:\\| `|## )([a-z0-9_.\\[\\]]+)"))
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
				if rest, of := strings.CutPrefix(path, "witnesses[]."); of && rest != "name" {
					path = "witness." + rest
				}
				if !keys[path] && path != "witnesses[].name" && !strings.HasPrefix(path, "identity.public_keys.") {
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
