package main

import (
	"crypto/x509"
	"os"
	"os/exec"
	"testing"
)

// TestRoots runs itself on a machine without certificates.
func TestRoots(t *testing.T) {
	if os.Getenv("SSL_CERT_DIR") != "/nonexistent" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestRoots$")
		cmd.Env = append(os.Environ(), "SSL_CERT_DIR=/nonexistent", "SSL_CERT_FILE=/nonexistent")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	// To verify anything at all loads the roots.
	if _, err := new(x509.Certificate).Verify(x509.VerifyOptions{}); err == nil {
		t.Fatal("an empty certificate is verified")
	}
	pool, err := x509.SystemCertPool()
	if err != nil || pool.Equal(x509.NewCertPool()) {
		t.Errorf("there are no roots (%v): nothing that is on the Internet can be reached", err)
	}
}
