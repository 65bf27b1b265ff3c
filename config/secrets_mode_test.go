package config

import (
	"io/fs"
	"syscall"
	"testing"
	"time"
)

// stat is a file of somebody's.
type stat struct {
	mode  fs.FileMode
	owner uint32
}

func (stat) Name() string        { return "secret" }
func (stat) Size() int64         { return 1 }
func (s stat) Mode() fs.FileMode { return s.mode }
func (stat) ModTime() time.Time  { return time.Time{} }
func (stat) IsDir() bool         { return false }
func (s stat) Sys() any          { return &syscall.Stat_t{Uid: s.owner} }

// TestTooOpen is in the package, since to make files of several users needs root.
func TestTooOpen(t *testing.T) {
	for _, tt := range []struct {
		mode  fs.FileMode
		owner uint32
		user  int
		want  bool
	}{
		{0o600, 65532, 65532, false},
		{0o640, 65532, 65532, true}, // the own group may be anybody's
		{0o604, 65532, 65532, true},
		{0o440, 0, 65532, false}, // a Secret with fsGroup
		{0o640, 0, 65532, false},
		{0o460, 0, 65532, true},
		{0o444, 0, 65532, true},
		{0o644, 0, 65532, true},
		{0o640, 0, 0, true},
		{0o400, 0, 0, false},
		{0o440, 1000, 65532, true},
	} {
		if got := tooOpen(stat{tt.mode, tt.owner}, tt.user); got != tt.want {
			t.Errorf("mode %04o of user %d, read by user %d: got %v, want %v", tt.mode, tt.owner, tt.user, got, tt.want)
		}
	}
}
