package main

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/audit"
)

// TestAudit runs an agent until it is asked to stop, checks its journal and replays it, then touches it.
func TestAudit(t *testing.T) {
	dir, path := setUp(t)
	ctx, stop := context.WithCancel(t.Context())
	stop() // it begins, fences, and ends
	if err := runDaemon(ctx, path, instance{}, nil); err != nil {
		t.Fatal(err)
	}
	out := must(t, "audit", "verify", "--config", path)
	wants(t, out, " entries, 1 to ", "each has the hash that it should have, and the region's signature", "hash of entry ")
	wants(t, must(t, "audit", "replay", "--config", path), "1 starts of the agent, ", " steps that are the same")
	var verdict audit.Verdict
	mustJSON(t, &verdict, "audit", "verify", "--config", path)
	hash, _ := verdict.Hash.MarshalText() // never fails
	if !verdict.Signed || verdict.Files != 1 || verdict.Entries < 5 || !strings.Contains(out, string(hash)) {
		t.Errorf("got %+v, want one signed file, with the same hash", verdict)
	}

	// A copy, by the public key alone.
	cfg := must(t, "audit", "verify", "--dir", filepath.Join(dir, "state", "audit"), "--public-key", publicKey(t, path))
	wants(t, cfg, "the region's signature")

	files, err := filepath.Glob(filepath.Join(dir, "state", "audit", "*.jsonl"))
	if err != nil || len(files) != 1 {
		t.Fatalf("got %q, %v; want one file", files, err)
	}
	content, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	write(t, files[0], strings.Replace(string(content), `"fencing"`, `"standby"`, 1))
	out, err = failoverd(t, "audit", "verify", "--config", path)
	if err == nil || errors.As(err, &usageError{}) || !strings.Contains(out, "its hash is not that of what is there") {
		t.Errorf("touched: got %v and %q, want exit code 1 and where", err, out)
	}
	if _, err = failoverd(t, "audit", "replay", "--config", path); !errors.As(err, &usageError{}) {
		t.Errorf("touched: replay: got %v, want exit code 2", err)
	}
}

// TestAuditWithout has no journal, or not all that is needed to check one.
func TestAuditWithout(t *testing.T) {
	_, path := setUp(t)
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"verify", "--config", path}, "there is no journal in "},
		{[]string{"replay", "--config", path}, "there is no journal in "},
		{[]string{"verify", "--dir", "somewhere", "--config", "none.yaml"}, "or give both --dir and --public-key"},
		{[]string{"verify", "--dir", "somewhere", "--public-key", "x"}, `--public-key: "x" is no public key`},
	} {
		_, err := failoverd(t, append([]string{"audit"}, tt.args...)...)
		if !errors.As(err, &usageError{}) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want a usage error with %q", tt.args, err, tt.want)
		}
	}
}

// publicKey is the region's, as its configuration has it.
func publicKey(t *testing.T, path string) string {
	t.Helper()
	cfg, err := loadConfig(path)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(cfg.PublicKeys()[cfg.Region])
}
