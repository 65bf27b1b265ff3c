package file

import (
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/openova-io/failoverd/lease/witness"
)

// Errors that a test run as root can't bring about.
func TestFail(t *testing.T) {
	s := &Store{dir: "/var/lib/witness"}
	for _, test := range []struct {
		errno  syscall.Errno
		class  witness.Class
		remedy string
	}{
		{syscall.ENOENT, witness.Refused, "create the directory /var/lib/witness"},
		{syscall.ENOTDIR, witness.Refused, "not a directory"},
		{syscall.EACCES, witness.Refused, "let the user of failoverd read and write"},
		{syscall.EPERM, witness.Refused, "let the user of failoverd read and write"},
		{syscall.EROFS, witness.Refused, "for writing, or, under systemd, name it in ReadWritePaths= of a drop-in"},
		{syscall.ENOSPC, witness.Quota, "make room"},
		{syscall.EDQUOT, witness.Quota, "make room"},
		{syscall.EIO, witness.Unreachable, ""},
		{syscall.ESTALE, witness.Unreachable, ""},
	} {
		err := s.fail("put", "k", fmt.Errorf("replace: %w", &fs.PathError{Op: "open", Path: "x", Err: test.errno}))
		if got := witness.ClassOf(err); got != test.class || !strings.Contains(err.Error(), test.remedy) {
			t.Errorf("%v: got %v, want class %s and %q", test.errno, err, test.class, test.remedy)
		}
	}
}
