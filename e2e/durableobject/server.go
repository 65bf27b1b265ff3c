// Package durableobject runs the Worker of deploy/cloudflare-worker for tests, in Cloudflare's own runtime: workerd, with
// real Durable Object storage on disk. The tests here ask it themselves, and as failoverd does.
//
// What is not as in Cloudflare's network: there is one machine, so an object never moves and never has a successor that it
// does not know of, and a write is confirmed by one disk and not by several machines.
package durableobject

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	worker "github.com/openova-io/failoverd/deploy/cloudflare-worker"
	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/kvserver"
)

// startTimeout is far above what a start takes on an idle machine, well below a second.
const startTimeout = time.Minute

// Token is the Worker's secret.
const Token = "e2e-0123456789abcdef0123456789abcdef"

// Options are what a Worker is deployed with.
type Options struct {
	Bindings map[string]string              // variables and secrets beside, or instead of, those that are set here; "" is none
	Edit     func(name, code string) string // the code of a module, as another version of it; nil: as it is
	Storage  string                         // the folder of the objects; "" is one of its own
}

// A Server is a Worker that is served.
type Server struct {
	URL       string
	TokenFile string // holds Token

	tb   testing.TB
	argv []string
	runs []*daemon.Process
}

// listening is what workerd says when it does.
const listening = `"event":"listen","socket":"http"`

var compatibility = regexp.MustCompile(`"compatibility_date": "([0-9-]+)"`)

// Start serves the Worker on loopback until the test ends. Where workerd is not installed the test fails, and says how it is.
func Start(tb testing.TB, opts Options) *Server {
	tb.Helper()
	root, err := kvserver.FindInstallation()
	if err != nil {
		tb.Fatalf("durableobject: %v", err)
	}
	dir := tb.TempDir()
	if opts.Storage == "" {
		opts.Storage = filepath.Join(dir, "storage")
		if err := os.Mkdir(opts.Storage, 0o700); err != nil {
			tb.Fatalf("durableobject: %v", err)
		}
	}
	if err := write(dir, opts); err != nil {
		tb.Fatalf("durableobject: %v", err)
	}
	address := daemon.FreeAddress(tb)
	s := &Server{tb: tb, URL: "http://" + address, TokenFile: filepath.Join(dir, "token"), argv: []string{
		filepath.Join(root, "node_modules/@cloudflare/workerd-linux-64/bin/workerd"), "serve", filepath.Join(dir, "config.capnp"), "--control-fd=1", "--socket-addr=http=" + address,
	}}
	if err := os.WriteFile(s.TokenFile, []byte(Token+"\n"), 0o600); err != nil {
		tb.Fatalf("durableobject: %v", err)
	}
	tb.Cleanup(func() {
		for i, p := range s.runs {
			p.CleanUp(tb, fmt.Sprintf("run %d of workerd", i+1))
		}
	})
	s.Restart()
	return s
}

// Restart starts workerd, anew if it was killed, at the same address and on the same storage, and returns when it listens.
func (s *Server) Restart() {
	s.tb.Helper()
	p, err := daemon.StartProcess(s.argv...)
	if err != nil {
		s.tb.Fatalf("durableobject: start workerd: %v", err)
	}
	s.runs = append(s.runs, p)
	ctx, cancel := context.WithTimeout(s.tb.Context(), startTimeout)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		stdout, stderr := p.Output()
		if strings.Contains(stdout, listening) {
			return
		}
		select {
		case <-tick.C:
		case <-p.Exited():
			s.tb.Fatalf("durableobject: workerd ended (%v) before it listened:\n%s", p.State(), stderr)
		case <-ctx.Done():
			s.tb.Fatalf("durableobject: workerd does not listen after %v:\n%s%s", startTimeout, stdout, stderr)
		}
	}
}

// Process is the last run of workerd, to be killed or frozen.
func (s *Server) Process() *daemon.Process { return s.runs[len(s.runs)-1] }

// write lays out the Worker's modules and workerd's configuration, as wrangler.jsonc has it.
func write(dir string, opts Options) error {
	deployment, err := worker.Files.ReadFile("wrangler.jsonc")
	if err != nil {
		return err
	}
	date := compatibility.FindSubmatch(deployment)
	modules, err := fs.Glob(worker.Files, "src/*.js")
	if err != nil || date == nil || len(modules) == 0 {
		return fmt.Errorf("the Worker has the modules %q and the compatibility date %q, %v", modules, date, err)
	}
	// The first module is the one that serves.
	listed := []string{`(name = "worker.js", esModule = embed "worker.js")`}
	for _, module := range modules {
		name := filepath.Base(module)
		code, err := worker.Files.ReadFile(module)
		if err != nil {
			return err
		}
		if opts.Edit != nil {
			code = []byte(opts.Edit(name, string(code)))
		}
		if err := os.WriteFile(filepath.Join(dir, name), code, 0o600); err != nil {
			return err
		}
		if name != "worker.js" {
			listed = append(listed, fmt.Sprintf("(name = %q, esModule = embed %[1]q)", name))
		}
	}
	// Tests ask as fast as they can.
	bindings := map[string]string{"TOKEN": Token, "REQUESTS_PER_SECOND": "100000", "LOCATION_HINT": ""}
	for name, value := range opts.Bindings {
		bindings[name] = value
	}
	var bound []string
	for name, value := range bindings {
		if value != "" {
			bound = append(bound, fmt.Sprintf("(name = %q, text = %q)", name, value))
		}
	}
	config := fmt.Sprintf(`using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "worker", worker = .worker), (name = "storage", disk = (path = %q, writable = true))],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "worker")],
);
const worker :Workerd.Worker = (
  modules = [%s],
  compatibilityDate = %q,
  bindings = [(name = "GROUPS", durableObjectNamespace = "Group"), %s],
  durableObjectNamespaces = [(className = "Group", uniqueKey = "failoverd-witness", enableSql = true)],
  durableObjectStorage = (localDisk = "storage"),
);
`, opts.Storage, strings.Join(listed, ", "), date[1], strings.Join(bound, ", "))
	return os.WriteFile(filepath.Join(dir, "config.capnp"), []byte(config), 0o600)
}

// Witness is the section of a region's configuration, where the Worker is reached at a URL: its own, or a link's.
func (s *Server) Witness(url string) string {
	return fmt.Sprintf("{type: durable-object, durable_object: {url: %q, token_file: %q}}", url, s.TokenFile)
}
