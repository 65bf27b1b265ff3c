package config

import (
	"fmt"
	"strings"
	"time"
)

// A Duration is a time.Duration that is written, in the file and when printed,
// in Go's syntax: 30s, 1m30s, 500ms.
type Duration time.Duration

// maxDuration bounds every duration of the file. Longer ones are senseless
// here, and sums of bounded ones cannot overflow in the inequalities.
const maxDuration = 24 * time.Hour

var errTooLong = fmt.Errorf("longer than %v, the longest that has a use here", Duration(maxDuration))

// String prints d without the zero units that time.Duration adds: 1m, not
// 1m0s.
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText prints d as String does.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText reads what String prints. It refuses a number without a unit
// and whatever is longer than 24 hours.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	v, err := time.ParseDuration(s)
	if err != nil || strings.TrimLeft(s, "+-0.") == "" {
		return fmt.Errorf("%s is not a duration", quote(s))
	}
	if v > maxDuration || v < -maxDuration {
		return errTooLong
	}
	*d = Duration(v)
	return nil
}
