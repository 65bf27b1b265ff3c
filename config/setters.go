package config

import (
	"encoding"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"github.com/openova-io/failoverd/lease"
)

// A decoder walks the syntax tree along the keys that it knows and keeps every
// problem that it meets. goccy's own strict decoding stops at the first.
type decoder struct {
	*document
	problems Problems
}

// A setter stores the value of one key, or reports why it can't.
type setter func(d *decoder, path string, n ast.Node)

// A field is a key of a section and how its value is stored.
type field struct {
	key string
	set setter
}

// refuse reports a value that is not what belongs at its path.
func (d *decoder) refuse(path string, n ast.Node, found string) {
	expect := want(path)
	if path == "" {
		expect = "a mapping of keys such as group: rtz-prod"
	}
	d.report(path, placeOf(n), "found %s, expected %s", found, expect)
}

func (d *decoder) report(path string, at position, format string, args ...any) {
	d.problems = append(d.problems, d.problem(path, at, fmt.Sprintf(format, args...)))
}

// section stores the values of a mapping's keys, and refuses the keys that are
// not among fields. A section with nothing in it is as good as none: its keys
// may all be commented out.
func section(fields ...field) setter {
	return func(d *decoder, path string, n ast.Node) {
		d.mapping(path, n, func(key string, k, v ast.Node) {
			at := join(path, key)
			i := slices.IndexFunc(fields, func(f field) bool { return f.key == key })
			if i < 0 {
				d.unknown(path, key, k, fields)
				return
			}
			fields[i].set(d, at, v)
		})
	}
}

// mapping calls each for every key of a mapping that is not a duplicate, and
// notes where it is.
func (d *decoder) mapping(path string, n ast.Node, each func(key string, k, v ast.Node)) {
	if n == nil || n.Type() == ast.NullType {
		return
	}
	m, ok := n.(ast.MapNode)
	if !ok {
		d.refuse(path, n, d.found(path, n))
		return
	}
	for it := m.MapRange(); it.Next(); {
		k := it.Key()
		if k.IsMergeKey() || k.Type() == ast.MappingKeyType || k.Type() == ast.AnchorType || k.Type() == ast.TagType {
			d.report(join(path, k.GetToken().Value), placeOf(k), "found a YAML merge key or another key that is not plain text, expected a plain key")
			continue
		}
		key := k.GetToken().Value
		at := join(path, key)
		if first, ok := d.where[at]; ok {
			d.report(at, placeOf(k), "the key is in this section twice, first in line %d; remove one of them", first.line)
			continue
		}
		d.where[at] = placeOf(k)
		each(key, k, it.Value())
	}
}

// unknown reports a key that this version does not know.
func (d *decoder) unknown(path, key string, k ast.Node, fields []field) {
	at := join(path, key)
	known := make([]string, len(fields))
	for i, f := range fields {
		known[i] = f.key
	}
	if meant := suggest(path, key, known); meant != "" {
		d.report(at, placeOf(k), "unknown key; did you mean %s?", meant)
		if !d.has(meant) {
			d.bad[meant] = true // it is misspelled, not missing
		}
	} else {
		d.report(at, placeOf(k), "unknown key, expected one of %s", strings.Join(known, ", "))
	}
	// What stands behind a key that means nothing may be a secret.
	p := placeOf(k)
	d.problems[len(d.problems)-1].Excerpt = d.excerpt(p, d.suspect(p.line))
}

// optional makes a section exist only if the file has it.
func optional[T any](into **T, fields func(*T) setter) setter {
	return func(d *decoder, path string, n ast.Node) {
		*into = new(T)
		fields(*into)(d, path, n)
	}
}

// scalar returns the text of a node that is text. Numbers and booleans are not
// taken for text: 1e10 and on would silently become something else elsewhere.
func (d *decoder) scalar(path string, n ast.Node) (string, bool) {
	if s, ok := n.(*ast.StringNode); ok {
		d.where[path] = placeOf(n)
		return s.Value, true
	}
	d.refuse(path, n, d.found(path, n))
	return "", false
}

// text stores a text.
func text[S ~string](into *S) setter {
	return func(d *decoder, path string, n ast.Node) {
		if s, ok := d.scalar(path, n); ok {
			*into = S(s)
		}
	}
}

// unit stores a value that is written with a unit.
func unit[T encoding.TextUnmarshaler](into T) setter {
	return func(d *decoder, path string, n ast.Node) {
		if n.Type() == ast.IntegerType || n.Type() == ast.FloatType {
			number, fraction := n.GetToken().Value, ""
			if p, ok := any(into).(*Percent); ok {
				if f, err := strconv.ParseFloat(number, 64); err == nil && f > 0 && f < 1 {
					*p = Percent(f)
					fraction = fmt.Sprintf(" (as a fraction it is %v)", *p)
				}
			}
			d.refuse(path, n, fmt.Sprintf("the number %s without a unit%s", number, fraction))
			return
		}
		s, ok := d.scalar(path, n)
		if !ok {
			return
		}
		if err := into.UnmarshalText([]byte(s)); errors.Is(err, errTooLong) {
			d.refuse(path, n, fmt.Sprintf("%s, which is %v", quote(s), err))
		} else if err != nil {
			d.refuse(path, n, quote(s))
		}
	}
}

// boolean stores true or false.
func boolean(into *bool) setter {
	return func(d *decoder, path string, n ast.Node) {
		if b, ok := n.(*ast.BoolNode); ok {
			d.where[path] = placeOf(n)
			*into = b.Value
			return
		}
		d.refuse(path, n, d.found(path, n))
	}
}

// number stores a whole number, written in decimal. YAML's other spellings are
// refused: 010 is eight to some parsers and ten to others.
func number(into *int) setter {
	return func(d *decoder, path string, n ast.Node) {
		written := n.GetToken().Value
		switch n.Type() {
		case ast.IntegerType:
			if i, err := strconv.Atoi(written); err == nil && strconv.Itoa(i) == written {
				d.where[path] = placeOf(n)
				*into = i
				return
			}
			fallthrough
		case ast.FloatType:
			d.refuse(path, n, "the number "+strings.Trim(quote(written), `"`))
		case ast.StringType:
			d.refuse(path, n, "the text "+quote(written))
		default:
			d.refuse(path, n, d.found(path, n))
		}
	}
}

// list stores the elements of a list.
func list[T any](element func(*T) setter, into *[]T) setter {
	return func(d *decoder, path string, n ast.Node) {
		seq, ok := n.(*ast.SequenceNode)
		if !ok {
			d.refuse(path, n, d.found(path, n))
			return
		}
		*into = make([]T, len(seq.Values))
		for i, v := range seq.Values {
			at := fmt.Sprintf("%s[%d]", path, i)
			if v == nil || v.Type() == ast.NullType {
				if v == nil {
					v = seq
				}
				d.refuse(at, v, "nothing")
				continue
			}
			d.where[at] = placeOf(v)
			element(&(*into)[i])(d, at, v)
		}
	}
}

// names stores a mapping whose keys are names of regions.
func names(into *map[lease.Region]string) setter {
	return func(d *decoder, path string, n ast.Node) {
		d.mapping(path, n, func(key string, _, v ast.Node) {
			if *into == nil {
				*into = map[lease.Region]string{}
			}
			if s, ok := d.scalar(join(path, key), v); ok {
				(*into)[lease.Region(key)] = s
			}
		})
	}
}

// found says what a node is.
func (d *decoder) found(path string, n ast.Node) string {
	value := quote(n.GetToken().Value)
	if maySecret(path) {
		value = "(not shown)"
	}
	switch n.Type() {
	case ast.NullType:
		return "nothing"
	case ast.IntegerType, ast.FloatType, ast.InfinityType, ast.NanType:
		return fmt.Sprintf("the number %s (put it in quotes if it is meant as text)", strings.Trim(value, `"`))
	case ast.BoolType:
		return fmt.Sprintf("the boolean %s (put it in quotes if it is meant as text)", strings.Trim(value, `"`))
	case ast.StringType:
		return "the text " + value
	case ast.LiteralType:
		return "a text of several lines"
	case ast.MappingType, ast.MappingValueType:
		return "a mapping"
	case ast.SequenceType:
		return "a list"
	case ast.AnchorType, ast.AliasType, ast.TagType:
		return "a YAML anchor, alias or tag (write the value itself)"
	}
	return "something else"
}
