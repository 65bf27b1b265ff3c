package statedir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestPause(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	check := func(want time.Time) {
		t.Helper()
		if got, err := d.LoadPause(); !got.Equal(want) || err != nil {
			t.Errorf("LoadPause() = %v, %v; want %v", got, err, want)
		}
	}
	check(time.Time{})
	must(t, d.SavePause(time.Time{})) // nothing is there to remove
	until := time.Date(2026, 11, 26, 3, 0, 0, 0, time.UTC)
	must(t, d.SavePause(until.In(time.FixedZone("there", 3600))))
	check(until)
	d.Close()
	d = open(t, path)
	check(until)
	must(t, d.SavePause(time.Time{}))
	check(time.Time{})

	must(t, os.WriteFile(filepath.Join(path, pauseName), []byte("soon\n"), 0o600))
	if got, err := d.LoadPause(); !got.IsZero() || err == nil || !strings.Contains(err.Error(), "holds no time") {
		t.Errorf("LoadPause() of a damaged file = %v, %v; want an error", got, err)
	}
}
