package daemon

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/openova-io/failoverd/e2e/root"
)

// Binaries are the programs that a test runs.
type Binaries struct {
	Daemon string // failoverd
	Layer  string // the hook
}

// Build builds them into a folder of the test's own: the daemon with the race detector, as everything is tested with
// it, unless its cost is what is measured, and with more flags of `go build`.
func Build(tb testing.TB, race bool, flags ...string) Binaries {
	tb.Helper()
	dir := tb.TempDir()
	b := Binaries{filepath.Join(dir, "failoverd"), filepath.Join(dir, "layer")}
	module, err := moduleRoot()
	if err != nil {
		tb.Fatalf("daemon: %v", err)
	}
	args := []string{"build", "-buildvcs=false", "-o", b.Daemon}
	if race {
		args = append(args, "-race")
	}
	args = append(args, flags...)
	goBuild(tb, module, append(args, "./cmd/failoverd"))
	// The hook is started in the midst of a failover, so it is to start fast.
	goBuild(tb, filepath.Join(module, "e2e"), []string{"build", "-buildvcs=false", "-o", b.Layer, "./daemon/layer"})
	return b
}

// Overlay is what `go build` is told so that it takes the content given for files instead of what they hold, or of files that
// are not there. The paths are absolute.
func Overlay(tb testing.TB, files map[string]string) (flags []string) {
	tb.Helper()
	dir, replace := tb.TempDir(), map[string]string{}
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			tb.Fatalf("daemon: %v", err)
		}
		return path
	}
	for path, content := range files {
		replace[path] = write(filepath.Base(path), content)
	}
	overlay, _ := json.Marshal(map[string]any{"Replace": replace}) // strings always can be
	return []string{"-overlay", write("overlay.json", string(overlay))}
}

func goBuild(tb testing.TB, dir string, args []string) {
	tb.Helper()
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("daemon: go %q in %s: %v\n%s", args, dir, err, out)
	}
}

// moduleRoot is the folder of the daemon's module: the one above e2e.
func moduleRoot() (string, error) {
	e2e, err := root.Find()
	return filepath.Dir(e2e), err
}
