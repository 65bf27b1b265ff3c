package config

import (
	"fmt"
	"regexp"
	"strconv"
)

// A Size is a number of bytes, written with a binary unit: 16MiB.
type Size uint64

// units are from the largest to the smallest.
var units = []struct {
	name  string
	bytes Size
}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// Only whole numbers, of at most six digits: none overflows.
var sizeSyntax = regexp.MustCompile(`^([0-9]{1,6}) ?([KMGT]iB|B)$`)

// String prints s in the largest unit that it is a whole number of.
func (s Size) String() string {
	for _, u := range units {
		if s >= u.bytes && s%u.bytes == 0 {
			return strconv.FormatUint(uint64(s/u.bytes), 10) + u.name
		}
	}
	return "0B"
}

// MarshalText prints s as String does.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads a whole number that a unit follows.
func (s *Size) UnmarshalText(text []byte) error {
	m := sizeSyntax.FindStringSubmatch(string(text))
	if m == nil {
		return fmt.Errorf("%s is not a size", quote(string(text)))
	}
	n, err := strconv.ParseUint(m[1], 10, 64)
	if err != nil {
		return fmt.Errorf("%s is not a size: %w", quote(string(text)), err)
	}
	for _, u := range units {
		if u.name == m[2] {
			*s = Size(n) * u.bytes
		}
	}
	return nil
}
