// Package s3 runs real stores with the API of S3 for tests: versitygw, on a folder of its own, and wrangler's R2, which is
// Cloudflare's own code on one machine (package kvserver). The tests here ask them as failoverd does.
package s3

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
	"github.com/openova-io/failoverd/e2e/kvserver"
	store "github.com/openova-io/failoverd/lease/witness/s3"
)

// startTimeout is far above what a start takes on an idle machine, well below a second.
const startTimeout = time.Minute

// What versitygw is started with.
const (
	bucket = "witness"
	region = "us-east-1"
	access = "e2e-access-0123456789"
	secret = "e2e-secret-0123456789abcdef0123456789abcdef"
)

// A Server is versitygw, with one bucket.
type Server struct {
	Config store.Config // of a client of it

	tb      testing.TB
	argv    []string
	address string
	runs    []*daemon.Process
}

// Start runs versitygw on loopback until the test ends, with more of its flags. Where it is not installed the test fails, and says how it is.
func Start(tb testing.TB, flags ...string) *Server {
	tb.Helper()
	root, err := kvserver.FindInstallation()
	if err != nil {
		tb.Fatalf("s3: %v", err)
	}
	program := filepath.Join(root, "bin/s3/versitygw")
	if _, err := os.Stat(program); err != nil {
		tb.Fatalf("s3: %v; run e2e/setup.sh", err)
	}
	data := filepath.Join(tb.TempDir(), "data")
	if err := os.MkdirAll(filepath.Join(data, bucket), 0o700); err != nil {
		tb.Fatalf("s3: %v", err)
	}
	s := &Server{tb: tb, address: daemon.FreeAddress(tb)}
	s.argv = append([]string{program, "--port", s.address, "--access", access, "--secret", secret, "--region", region}, flags...)
	s.argv = append(s.argv, "posix", data)
	s.Config = store.Config{Endpoint: "http://" + s.address, Bucket: bucket, Region: region, PathStyle: true, AccessKeyID: access, SecretAccessKey: secret}
	tb.Cleanup(func() {
		for i, p := range s.runs {
			p.CleanUp(tb, fmt.Sprintf("run %d of versitygw", i+1))
		}
	})
	s.Restart()
	return s
}

// Process is the last run, to be killed or frozen.
func (s *Server) Process() *daemon.Process { return s.runs[len(s.runs)-1] }

// Restart starts versitygw anew after it was killed, on the same folder, and returns when it listens.
func (s *Server) Restart() {
	s.tb.Helper()
	p, err := daemon.StartProcess(s.argv...)
	if err != nil {
		s.tb.Fatalf("s3: start versitygw: %v", err)
	}
	s.runs = append(s.runs, p)
	ctx, cancel := context.WithTimeout(s.tb.Context(), startTimeout)
	defer cancel()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		if c, err := net.Dial("tcp", s.address); err == nil {
			c.Close()
			return
		}
		select {
		case <-tick.C:
		case <-p.Exited():
			stdout, stderr := p.Output()
			s.tb.Fatalf("s3: versitygw ended (%v) before it listened:\n%s%s", p.State(), stdout, stderr)
		case <-ctx.Done():
			s.tb.Fatalf("s3: versitygw does not listen after %v", startTimeout)
		}
	}
}

// Witness is the section witness of a region's configuration, whose credentials it writes to the region's folder.
func (s *Server) Witness(r *daemon.Region) string {
	s.tb.Helper()
	return Section(s.tb, r, s.Config)
}

// Section is the section witness of a region's configuration on one line, for a store; it writes the file of the credentials.
func Section(tb testing.TB, r *daemon.Region, cfg store.Config) string {
	tb.Helper()
	file := r.Path("s3-credentials")
	content := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", cfg.AccessKeyID, cfg.SecretAccessKey)
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		tb.Fatalf("s3: %v", err)
	}
	return fmt.Sprintf("{type: s3, s3: {endpoint: %q, bucket: %q, region: %q, path_style: %v, credentials_file: %q}}", cfg.Endpoint, cfg.Bucket, cfg.Region, cfg.PathStyle, file)
}

// R2 is the bucket of R2 of wrangler, run until the test ends.
func R2(tb testing.TB) store.Config {
	tb.Helper()
	srv := kvserver.Start(tb)
	return store.Config{Endpoint: srv.S3Endpoint, Bucket: srv.S3Bucket, Region: "auto", PathStyle: true, AccessKeyID: srv.S3AccessKeyID, SecretAccessKey: srv.S3SecretAccessKey}
}
