package page

import (
	"fmt"
	"strings"

	g "maragu.dev/gomponents"
	h "maragu.dev/gomponents/html"
)

// What the page is made of is Go, and not html/template: that calls methods by names that it reads at run time, so that the
// linker has to keep every exported method in the program, which adds a fifth to it. gomponents escapes all texts and attributes
// too; what it does not know is that an address or a script may run, and no text of elsewhere is in one of those.

// say is elements and texts, one after the other: what is no element is shown as a text.
func say(parts ...any) g.Group {
	var all g.Group
	for _, part := range parts {
		switch part := part.(type) {
		case nil:
		case g.Node:
			all = append(all, part)
		default:
			all = append(all, g.Text(fmt.Sprint(part)))
		}
	}
	return all
}

// when is what say makes, or nothing.
func when(so bool, parts ...any) g.Node {
	if !so {
		return nil
	}
	return say(parts...)
}

// either is one of two texts.
func either(so bool, then, otherwise string) string {
	if so {
		return then
	}
	return otherwise
}

func classed(element func(...g.Node) g.Node, class string, parts ...any) g.Node {
	return element(h.Class(class), say(parts...))
}

func strong(parts ...any) g.Node { return h.Strong(say(parts...)) }
func quiet(parts ...any) g.Node  { return classed(h.Span, "quiet", parts...) }

// detail is a text that may be long, and of elsewhere; without one it is nothing.
func detail(text string) g.Node { return when(text != "", classed(h.Span, "detail", text)) }

// each is what show makes of all of a list.
func each[T any](of []T, show func(T) g.Node) g.Node { return g.Map(of, show) }

// section is a part of the page with a title.
func section(id, title string, parts ...any) g.Node {
	return h.Section(h.Aria("labelledby", id), h.H2(h.ID(id), g.Text(title)), say(parts...))
}

// facts is a list of them.
func facts(items g.Node) g.Node { return h.Ul(h.Class("facts"), items) }

// marked is a sign beside a word, for whoever looks over many of them. It is hidden from who listens.
func marked(of any) g.Node {
	return h.Span(h.Class("mark "+fmt.Sprint(of)), h.Aria("hidden", "true"), g.Text(mark(of)))
}

// term is an entry of a list of descriptions.
func term(name string, parts ...any) g.Node {
	return g.Group{h.Dt(g.Text(name)), h.Dd(say(parts...))}
}

// table is one with roles, since a stylesheet that makes lines of its cells takes them away.
func table(columns []string, rows g.Node) g.Node {
	return h.Table(h.Role("table"),
		h.THead(h.Role("rowgroup"), h.Tr(h.Role("row"), each(columns, func(name string) g.Node {
			return h.Th(h.Role("columnheader"), h.Scope("col"), g.Text(name))
		}))),
		h.TBody(h.Role("rowgroup"), rows))
}

func tableRow(head any, cells ...g.Node) g.Node {
	return h.Tr(h.Role("row"), h.Th(h.Role("rowheader"), h.Scope("row"), say(head)), g.Group(cells))
}

func cell(column string, parts ...any) g.Node {
	return h.Td(h.Role("cell"), h.Data("label", column), say(parts...))
}

// words are those of a code.
func words(code any) string { return strings.ReplaceAll(fmt.Sprint(code), "_", " ") }

// since is the time that goes by since so many seconds ago.
func (v *view) since(seconds float64) g.Node { return v.passing("since", -seconds, seconds) }

// until is the time that is left of so many seconds.
func (v *view) until(seconds float64) g.Node { return v.passing("until", seconds, seconds) }

func (v *view) passing(way string, in, seconds float64) g.Node {
	return h.Span(h.Class("time"), h.Data(way, fmt.Sprint(v.at(in))), g.Text(span(seconds)))
}
