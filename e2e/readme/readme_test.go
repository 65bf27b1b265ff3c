// Package readme follows README.md: the configuration that it prints, and the commands, on this machine.
package readme

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/kvserver"
	"github.com/openova-io/failoverd/e2e/resolvers"
	"github.com/openova-io/failoverd/lease"
)

const (
	printed = "../../README.md"
	// patience is far above what a step takes with the default times: a busy machine.
	patience = 5 * time.Minute
)

var regions = []lease.Region{"fsn", "hel"}

// A host is one of the pair.
type host struct {
	t      *testing.T
	daemon string // the program
	dir    string // in place of /etc/failoverd
	public string
	run    *daemon.Process
	pages  string // where they are, host:port
}

// does runs a command as the README has it, and wants an exit code. It returns all that was written.
func (h *host) does(code int, args ...string) string {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	p, err := daemon.StartProcess(append([]string{h.daemon}, args...)...)
	if err != nil {
		h.t.Fatal(err)
	}
	got, err := p.Wait(ctx)
	stdout, stderr := p.Output()
	if err != nil || got != code {
		h.t.Fatalf("failoverd %v: exit code %d, %v; want %d\n%s%s", args, got, err, code, stdout, stderr)
	}
	return stdout + stderr
}

// asks is does, of what reads the configuration.
func (h *host) asks(code int, args ...string) string {
	h.t.Helper()
	return h.does(code, append(args, "--config", h.path("failoverd.yaml"))...)
}

func (h *host) path(name string) string { return filepath.Join(h.dir, name) }

// serves reports whether the layer of the README is active: its file is there.
func (h *host) serves() bool {
	_, err := os.Stat(h.path("first-is-active-here"))
	return err == nil
}

func (h *host) start() {
	h.t.Helper()
	p, err := daemon.StartProcess(h.daemon, "run", "--config", h.path("failoverd.yaml"))
	if err != nil {
		h.t.Fatal(err)
	}
	h.run = p
	h.t.Cleanup(func() { p.CleanUp(h.t, "failoverd run") })
	ctx, cancel := context.WithTimeout(h.t.Context(), patience)
	defer cancel()
	if h.pages, err = p.WaitReady(ctx); err != nil {
		h.t.Fatal(err)
	}
}

// await waits until a host says of itself that it is in a state, and its layer with it.
func (h *host) await(state string, serves bool) {
	h.t.Helper()
	said, tick := "", time.NewTicker(500*time.Millisecond)
	defer tick.Stop()
	for end := time.After(patience); ; {
		select {
		case <-tick.C:
			if said = h.does(0, "status", "--address", h.pages); strings.Contains(said, "is "+state+",") && h.serves() == serves {
				return
			}
		case <-end:
			h.t.Fatalf("it is not %s, with a layer that serves: %v; it says\n%s", state, serves, said)
		}
	}
}

// configuration is the block of YAML of the README.
func configuration(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(printed)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)   ```yaml\n(.*?)   ```").FindSubmatch(text)
	if m == nil {
		t.Fatal("README.md has no block of YAML below a step")
	}
	return strings.ReplaceAll("\n"+string(m[1]), "\n   ", "\n")
}

// replace puts the values of this machine in place of those that are printed, which have to be there.
func replace(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("the configuration of README.md has no %q", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// newPair takes steps 3 to 5: keys, and the configuration with witness in place of the printed one, and more at its end.
func newPair(t *testing.T, program string, witness, more func(lease.Region) string) map[lease.Region]*host {
	t.Helper()
	pair := map[lease.Region]*host{}
	for _, r := range regions {
		h := &host{t: t, daemon: program, dir: t.TempDir()}
		h.public = strings.TrimSpace(h.does(0, "keygen", "--out", h.path("region.key")))
		pair[r] = h
	}
	section := regexp.MustCompile(`(?s)\nwitness:\n.*?\nidentity:`)
	same := map[string]bool{}
	for _, r := range regions {
		h := pair[r]
		text := replace(t, configuration(t), "region: fsn", "region: "+string(r),
			"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", pair["fsn"].public, "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=", pair["hel"].public,
			"/etc/failoverd", h.dir, "/run/first-is-active-here", h.path("first-is-active-here"))
		text = section.ReplaceAllLiteralString(text, "\nwitness:\n"+witness(r)+"\nidentity:") + more(r)
		text += fmt.Sprintf("\nstate_dir: %s\napi: {listen: \"127.0.0.1:0\", socket: %s}\n", h.path("state"), h.path("socket"))
		if err := os.WriteFile(h.path("failoverd.yaml"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range regions {
		said := pair[r].asks(1, "check") // nothing ends a frozen agent on this machine, as the README says
		m := regexp.MustCompile(`safety parameters (\w+)`).FindStringSubmatch(said)
		if m == nil || !strings.Contains(said, "a frozen agent: nothing ends it in time") {
			t.Fatalf("check says\n%s", said)
		}
		same[m[1]] = true
	}
	if len(same) != 1 {
		t.Errorf("the regions print other safety parameters: %v", same)
	}
	return pair
}

// TestDirectory follows the README without an account, up to step 7.
func TestDirectory(t *testing.T) {
	t.Parallel()
	shared := t.TempDir()
	pair := newPair(t, daemon.Build(t, true).Daemon,
		func(lease.Region) string { return fmt.Sprintf("  type: file\n  file: {dir: %s}", shared) }, func(lease.Region) string { return "" })
	fsn, hel := pair["fsn"], pair["hel"]
	fsn.start()
	hel.start()
	fsn.await("active", true)
	hel.await("standby", false)
	fsn.does(0, "explain", "--address", fsn.pages)
	if err := fsn.run.Terminate(); err != nil {
		t.Fatal(err)
	}
	hel.await("active", true)
	if fsn.serves() {
		t.Error("fsn has been stopped, and its layer serves")
	}
	fsn.start()
	fsn.await("standby", false)
	fsn.asks(0, "history")
}

// TestWorkersKV follows it on Cloudflare's own KV code, with the quorum of step 8.
func TestWorkersKV(t *testing.T) {
	t.Parallel()
	kv, lab := kvserver.Start(t), resolvers.Start(t, regions)
	token := filepath.Join(t.TempDir(), "cloudflare-token")
	if err := os.WriteFile(token, []byte(kv.Token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	pair := newPair(t, daemon.Build(t, true).Daemon, func(r lease.Region) string {
		return fmt.Sprintf("  type: cloudflare-kv\n  cloudflare_kv:\n    account_id: %s\n    namespace_id: %s\n    api_token_file: %s\n    base_url: %s",
			kv.AccountID, kv.NamespaceID, token, kv.Link(string(r)).BaseURL)
	}, func(r lease.Region) string {
		return fmt.Sprintf("\nquorum:\n  zone: %s\n  listen: %q\n  resolvers: [%q, %q, %q]\n", resolvers.Zone, lab.Region(r),
			lab.Resolvers[0].Address, lab.Resolvers[1].Address, lab.Resolvers[2].Address)
	})
	fsn, hel := pair["fsn"], pair["hel"]
	fsn.start()
	hel.start()
	fsn.await("active", true)
	hel.await("standby", false)
	said := fsn.asks(1, "check", "--live") // of that switch alone
	if strings.Contains(said[strings.Index(said, "What runs"):], "problem ") {
		t.Errorf("check --live finds\n%s", said)
	}
	fsn.asks(0, "switchover", "--to", "hel", "--reason", "first try", "--yes")
	hel.await("active", true)
	fsn.await("standby", false)
}
