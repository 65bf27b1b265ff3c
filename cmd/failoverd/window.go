package main

import (
	"fmt"
	"strings"
	"time"
)

// A window is a part of each day, in local time: from one time of the day to another, perhaps over midnight. The zero
// value is all of it.
type window struct{ from, to time.Duration }

// parseWindow reads one as 02:00-04:00; nothing is all of the day.
func parseWindow(text string) (window, error) {
	if text == "" {
		return window{}, nil
	}
	from, to, _ := strings.Cut(text, "-")
	a, errA := time.Parse("15:04", from)
	b, errB := time.Parse("15:04", to)
	if errA != nil || errB != nil || a.Equal(b) {
		return window{}, fmt.Errorf("--window %q: want two times of the day, such as 02:00-04:00", text)
	}
	midnight := a.Truncate(24 * time.Hour)
	return window{a.Sub(midnight), b.Sub(midnight)}, nil
}

// holds reports whether all of d from a time on is within the window.
func (w window) holds(at time.Time, d time.Duration) bool {
	if w == (window{}) {
		return true
	}
	year, month, day := at.Date()
	for _, offset := range []int{-1, 0} { // it may have begun yesterday
		begin := time.Date(year, month, day+offset, 0, 0, 0, 0, at.Location()).Add(w.from)
		length := w.to - w.from
		if length < 0 {
			length += 24 * time.Hour
		}
		if !at.Before(begin) && !at.Add(d).After(begin.Add(length)) {
			return true
		}
	}
	return false
}

func (w window) String() string {
	clock := func(d time.Duration) string { return time.Time{}.Add(d).Format("15:04") }
	return clock(w.from) + "-" + clock(w.to)
}
