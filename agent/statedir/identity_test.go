package statedir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func identity(t *testing.T, d *Dir) string {
	t.Helper()
	id, err := d.Identity()
	must(t, err)
	if !identityForm.MatchString(id + "\n") {
		t.Errorf("the identity is %q, want 16 hexadecimal digits", id)
	}
	return id
}

// An identity is drawn once, and is no other directory's.
func TestIdentity(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	id := identity(t, d)
	if again := identity(t, d); again != id {
		t.Errorf("asked again: got %s, want %s", again, id)
	}
	d.Close()
	d = open(t, path)
	if again := identity(t, d); again != id {
		t.Errorf("after a restart: got %s, want %s", again, id)
	}
	if other := identity(t, open(t, t.TempDir())); other == id {
		t.Errorf("two directories have the identity %s", id)
	}
}

// What is no identity is not taken for one, whole or in part.
func TestIdentityOfUnknownForm(t *testing.T) {
	const whole = "0123456789abcdef\n"
	for _, content := range []string{"", whole[:8], whole[:16], whole + "\n", strings.ToUpper(whole), strings.Repeat("0", 1<<10)} {
		path := t.TempDir()
		must(t, os.WriteFile(filepath.Join(path, identityName), []byte(content), 0o600))
		d := open(t, path)
		id := identity(t, d)
		if strings.HasPrefix(whole, id) {
			t.Errorf("%q: it is taken for an identity", content)
		}
		if again := identity(t, d); again != id {
			t.Errorf("%q: asked again: got %s, want %s", content, again, id)
		}
	}
}

// Where none can be kept, there is one nevertheless, another each time.
func TestIdentityOnUnwritable(t *testing.T) {
	for _, tt := range unwritable {
		path := t.TempDir()
		d := open(t, path)
		create := d.create
		tt.breakIt(d)
		first, err := d.Identity()
		want := "keep the identity: " + strings.ReplaceAll(tt.want, "FILE", filepath.Join(path, identityName+tmpSuffix))
		if got := text(err); got != want {
			t.Errorf("%s: got %q, want %q", tt.name, got, want)
		}
		if second, _ := d.Identity(); len(first) != 16 || second == first {
			t.Errorf("%s: got %q, and then %q; want two that differ", tt.name, first, second)
		}
		d.create = create
		if id := identity(t, d); id != identity(t, d) {
			t.Errorf("%s: it can be written to, and the identity still changes", tt.name)
		}
	}
}

func TestIdentityUnreadable(t *testing.T) {
	path := t.TempDir()
	d := open(t, path)
	must(t, os.Mkdir(filepath.Join(path, identityName), 0o700))
	id, err := d.Identity()
	want := "keep the identity: read " + path + "/identity: is a directory; remove the directory that stands in the way"
	if len(id) != 16 || text(err) != want {
		t.Errorf("Identity() = %q, %q; want one, and %q", id, text(err), want)
	}
}
