package hook

import (
	"strings"
	"testing"
	"time"
)

func TestTail(t *testing.T) {
	long := strings.Repeat("0123456789", tailSize/10+1)
	tests := []struct {
		name   string
		writes []string
		want   string
	}{
		{"nothing", nil, ""},
		{"short", []string{"a", "b"}, "ab"},
		{"full", []string{long[:tailSize]}, long[:tailSize]},
		{"one over", []string{long[:tailSize], "x"}, "..." + long[1:tailSize] + "x"},
		{"one long write", []string{"begin", long}, "..." + long[len(long)-tailSize:]},
		{"not text", []string{"a\xffb"}, "a\uFFFDb"},
	}
	for _, tt := range tests {
		var tail tail
		for _, w := range tt.writes {
			if n, err := tail.Write([]byte(w)); n != len(w) || err != nil {
				t.Errorf("%s: Write = %d, %v; want %d, nil", tt.name, n, err, len(w))
			}
		}
		if got := tail.String(); got != tt.want {
			t.Errorf("%s: got %.20q (%d bytes), want %.20q (%d bytes)", tt.name, got, len(got), tt.want, len(tt.want))
		}
	}
}

func TestSeconds(t *testing.T) {
	tests := []struct {
		d    time.Duration
		want string
	}{
		{9873*time.Millisecond + 999*time.Microsecond, "9.873"},
		{time.Hour, "3600.000"},
		{0, "0.000"},
		{-time.Second, "0.000"},
	}
	for _, tt := range tests {
		if got := seconds(tt.d); got != tt.want {
			t.Errorf("seconds(%v) = %q, want %q", tt.d, got, tt.want)
		}
	}
}

func TestParseStat(t *testing.T) {
	tests := []struct {
		in   string
		want procStat
		ok   bool
	}{
		{"12 (sh) S 1 10 10 0 -1 4194304", procStat{'S', 1, 10}, true},
		{"12 (a) Z 9 (b) c) Z 3 4 4 0\n", procStat{'Z', 3, 4}, true},
		{"12 (sh) S 1", procStat{}, false},
		{"12 (sh) SS 1 2", procStat{}, false},
		{"", procStat{}, false},
	}
	for _, tt := range tests {
		got, ok := parseStat([]byte(tt.in))
		if ok != tt.ok || ok && got != tt.want {
			t.Errorf("parseStat(%q) = %+v, %v; want %+v, %v", tt.in, got, ok, tt.want, tt.ok)
		}
	}
}
