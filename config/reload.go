package config

import (
	"reflect"
	"slices"
	"strings"
)

// live are the keys that SIGHUP may change: safety does not rest on them.
var live = []string{"log.level"}

// ReloadDiff names, in the order of the file, the keys in which two
// configurations differ: those that may be applied to a running daemon, and
// those that need a restart. A list or a map counts as one key.
func ReloadDiff(old, new *Config) (liveKeys []string, restartKeys []string) {
	before, after := leaves(old), leaves(new)
	for _, l := range after {
		i := slices.IndexFunc(before, func(o leaf) bool { return o.path == l.path })
		switch {
		case i >= 0 && sameValue(before[i].value, l.value):
		case slices.Contains(live, l.path):
			liveKeys = append(liveKeys, l.path)
		default:
			restartKeys = append(restartKeys, l.path)
		}
	}
	for _, o := range before {
		if !slices.ContainsFunc(after, func(l leaf) bool { return l.path == o.path }) {
			restartKeys = append(restartKeys, o.path)
		}
	}
	return liveKeys, restartKeys
}

// sameValue compares two values of one key; no list and an empty one are the
// same.
func sameValue(a, b reflect.Value) bool {
	if k := a.Kind(); (k == reflect.Slice || k == reflect.Map) && a.Len() == 0 && b.Len() == 0 {
		return true
	}
	return reflect.DeepEqual(a.Interface(), b.Interface())
}

// A leaf is a key of the file with a value of its own.
type leaf struct {
	path  string
	value reflect.Value
}

// leaves walks a Config along its yaml tags, so that a key that is added to it
// can't be forgotten here.
func leaves(c *Config) []leaf {
	var out []leaf
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		if v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return
			}
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct {
			out = append(out, leaf{path, v})
			return
		}
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
				walk(join(path, key), v.Field(i))
			}
		}
	}
	walk("", reflect.ValueOf(c))
	return out
}
