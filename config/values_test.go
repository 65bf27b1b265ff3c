package config_test

import (
	"testing"
	"time"

	"github.com/openova-io/failoverd/config"
)

func TestDuration(t *testing.T) {
	for _, tt := range []struct {
		in, out string // out is empty for what is refused
		want    time.Duration
	}{
		{"30s", "30s", 30 * time.Second},
		{"60s", "1m", time.Minute},
		{"1m30s", "1m30s", 90 * time.Second},
		{"90m", "1h30m", 90 * time.Minute},
		{"1h", "1h", time.Hour},
		{"24h", "24h", 24 * time.Hour},
		{"10m0.5s", "10m0.5s", 10*time.Minute + 500*time.Millisecond},
		{"500ms", "500ms", 500 * time.Millisecond},
		{"0s", "0s", 0},
		{"-5s", "-5s", -5 * time.Second}, // Validate refuses it, with the name of the key
		{"0", "", 0},
		{"30", "", 0},
		{"", "", 0},
		{"1d", "", 0},
		{"25h", "", 0},
		{"-25h", "", 0},
		{"9999999h", "", 0},
		{"30 s", "", 0},
	} {
		var d config.Duration
		err := d.UnmarshalText([]byte(tt.in))
		if tt.out == "" {
			if err == nil {
				t.Errorf("%q: got %v, want an error", tt.in, d)
			}
			continue
		}
		if err != nil || time.Duration(d) != tt.want || d.String() != tt.out {
			t.Errorf("%q: got %v (%v), want %s", tt.in, d, err, tt.out)
		}
	}
}

func TestPercent(t *testing.T) {
	for _, tt := range []struct {
		in, out string // out is empty for what is refused
		want    float64
	}{
		{"0.2%", "0.2%", 0.002},
		{"0.20%", "0.2%", 0.002},
		{"0.7%", "0.7%", 0.007}, // 0.7/100 is another float than 0.007
		{"1 %", "1%", 0.01},
		{"0.06%", "0.06%", 0.0006},
		{"100%", "100%", 1},
		{"0%", "0%", 0},
		{"0.002", "", 0},
		{"-1%", "", 0},
		{"NaN%", "", 0},
		{"1e3%", "", 0},
		{"0x1p-2%", "", 0},
		{"%", "", 0},
		{"1%%", "", 0},
	} {
		var p config.Percent
		err := p.UnmarshalText([]byte(tt.in))
		if tt.out == "" {
			if err == nil {
				t.Errorf("%q: got %v, want an error", tt.in, p)
			}
			continue
		}
		if err != nil || float64(p) != tt.want || p.String() != tt.out {
			t.Errorf("%q: got %v = %g (%v), want %s = %g", tt.in, p, float64(p), err, tt.out, tt.want)
		}
	}
}
