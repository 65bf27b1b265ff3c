package cilium

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/layers/kube"
)

func TestStaticFile(t *testing.T) {
	f := &staticFile{t.TempDir(), "failoverd-fence-rtz"}
	spec := map[string]any{"description": "a fence"}
	state := func() (idle bool, epoch uint64) {
		t.Helper()
		has, err := f.read()
		if err != nil {
			t.Fatal(err)
		}
		return !isFence(has, spec), kube.Epoch(has)
	}
	if err := f.activate("rtz", order(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.path()); !os.IsNotExist(err) {
		t.Errorf("activated before any fence: got %v, want no file", err)
	}
	if err := f.fence("rtz", spec, order(5)); err != nil {
		t.Fatal(err)
	}
	if err := f.fence("rtz", spec, order(3)); err != nil {
		t.Fatal(err)
	}
	if idle, epoch := state(); idle || epoch != 5 {
		t.Errorf("fenced for 5, then for 3: got idle %v, epoch %d", idle, epoch)
	}
	if err := f.check(order(4)); err == nil || !strings.Contains(err.Error(), "epoch 5") {
		t.Errorf("check for 4: got %v, want a refusal", err)
	}
	if err := f.check(order(5)); err != nil {
		t.Errorf("check for 5: %v", err)
	}
	if err := f.activate("rtz", order(5)); err != nil {
		t.Fatal(err)
	}
	if idle, _ := state(); !idle {
		t.Error("activated: the fence is still there")
	}
	left, err := os.ReadDir(f.dir)
	if err != nil || len(left) != 1 {
		t.Errorf("got %v, %v, want one file", left, err)
	}
}

// What somebody else has made of the file is replaced, whatever it is.
func TestStaticFileOfNoUse(t *testing.T) {
	for _, text := range []string{"", "{", "null", "[]", "metadata: 3", "metadata: {annotations: [1]}"} {
		f := &staticFile{t.TempDir(), "failoverd-fence-rtz"}
		if err := os.WriteFile(f.path(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		spec := map[string]any{"description": "a fence"}
		if err := f.check(order(1)); err != nil {
			t.Errorf("%q: check: %v", text, err)
		}
		inTerm := order(1)
		inTerm.Term = 2
		if err := f.activate("rtz", inTerm); err != nil {
			t.Errorf("%q: activate: %v", text, err)
		}
		if has, err := f.read(); err != nil || !isFence(has, idleSpec()) || has.GetAnnotations()[kube.EpochAnnotation] != "1/2" {
			t.Errorf("%q: activated: got %v, %v", text, has, err)
		}
		if err := os.WriteFile(f.path(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := f.fence("rtz", spec, order(1)); err != nil {
			t.Errorf("%q: fence: %v", text, err)
		}
		if has, err := f.read(); err != nil || !isFence(has, spec) {
			t.Errorf("%q: fenced: got %v, %v", text, has, err)
		}
	}
}

// A directory that is missing is not made: the agent that watches it would not run.
func TestStaticDirectoryMissing(t *testing.T) {
	f := &staticFile{filepath.Join(t.TempDir(), "none"), "failoverd-fence-rtz"}
	err := f.fence("rtz", map[string]any{}, order(1))
	if err == nil || !strings.Contains(err.Error(), "--static-cnp-path") {
		t.Errorf("got %v, want an error that names the option", err)
	}
}
