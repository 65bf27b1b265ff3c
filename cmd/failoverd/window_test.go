package main

import (
	"testing"
	"time"
)

func TestWindow(t *testing.T) {
	at := func(clock string) time.Time {
		when, err := time.ParseInLocation("2006-01-02 15:04", "2026-11-26 "+clock, time.FixedZone("there", 3600))
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	for _, tt := range []struct {
		window, at string
		long       time.Duration
		want       bool
	}{
		{"", "12:00", 100 * time.Hour, true},
		{"02:00-04:00", "02:00", 2 * time.Hour, true},
		{"02:00-04:00", "01:59", time.Hour, false},
		{"02:00-04:00", "02:01", 2 * time.Hour, false},
		{"02:00-04:00", "14:00", time.Hour, false},
		{"23:00-01:00", "23:30", time.Hour, true},
		{"23:00-01:00", "00:30", 30 * time.Minute, true}, // it began yesterday
		{"23:00-01:00", "00:30", 31 * time.Minute, false},
		{"23:00-01:00", "12:00", time.Minute, false},
	} {
		w, err := parseWindow(tt.window)
		if err != nil {
			t.Fatal(err)
		}
		if got := w.holds(at(tt.at), tt.long); got != tt.want {
			t.Errorf("%s, %s for %v: got %v, want %v", w, tt.at, tt.long, got, tt.want)
		}
	}
	for _, wrong := range []string{"2-4", "02:00", "02:00-25:00", "02:00-02:00", "-", "02:00-04:00-05:00"} {
		if w, err := parseWindow(wrong); err == nil {
			t.Errorf("%q: got %v, want an error", wrong, w)
		}
	}
}
