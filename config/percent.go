package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A Percent is a fraction that is written as a percentage: 0.2% is 0.002.
type Percent float64

// Only plain decimals: a sign, NaN, an exponent or a hexadecimal float has no
// use in a configuration and is a slip.
var percentSyntax = regexp.MustCompile(`^([0-9]{1,6}(\.[0-9]{1,12})?) ?%$`)

// String prints p as a percentage.
func (p Percent) String() string {
	s := strconv.FormatFloat(float64(p)*100, 'f', 10, 64) // rounds the noise of binary fractions away
	return strings.TrimSuffix(strings.TrimRight(s, "0"), ".") + "%"
}

// MarshalText prints p as String does.
func (p Percent) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads a number that a percent sign follows.
func (p *Percent) UnmarshalText(text []byte) error {
	m := percentSyntax.FindStringSubmatch(string(text))
	if m == nil {
		return fmt.Errorf("%s is not a percentage", quote(string(text)))
	}
	// The shift by two places is made in decimal: the fraction is part of the
	// hash that all regions compare, so it must be the same however it is made.
	v, err := strconv.ParseFloat(m[1]+"e-2", 64)
	if err != nil {
		return fmt.Errorf("%s is not a percentage: %w", quote(string(text)), err)
	}
	*p = Percent(v)
	return nil
}
