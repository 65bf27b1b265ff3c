package kube

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// An Unfinished says which objects could not be made what they are to be.
type Unfinished struct {
	Resource string
	Of       int // all objects that the attempt was for
	Left     []Left
}

// Left is one object, and why it is left.
type Left struct {
	Object string // namespace/name
	Err    error
}

// shown is how many objects an error names. The rest is counted: metrics and logs are
// no place for a list of a thousand.
const shown = 3

func (u *Unfinished) Error() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%d of %d %s are left", len(u.Left), u.Of, u.Resource)
	for i, l := range u.Left {
		if i == shown {
			fmt.Fprintf(&text, "; and %d more", len(u.Left)-shown)
			break
		}
		separator := "; "
		if i == 0 {
			separator = ": "
		}
		fmt.Fprintf(&text, "%s%s: %v", separator, l.Object, l.Err)
	}
	return text.String()
}

// unfinished is the error for what is left; nil if nothing is.
func unfinished(resource string, of int, left []Left) error {
	if len(left) == 0 {
		return nil
	}
	slices.SortFunc(left, func(a, b Left) int { return cmp.Compare(a.Object, b.Object) })
	return &Unfinished{resource, of, left}
}
