//go:build noetcd

package main

import (
	"errors"
	"strings"
	"testing"
)

// TestLeftOut has a program without etcd refuse a configuration that needs it, with the tag that left it out.
func TestLeftOut(t *testing.T) {
	cmd := root()
	cmd.SetArgs([]string{"check", "--offline", "--config", "../../config/testdata/valid/minimal-etcd.yaml"})
	err := cmd.ExecuteContext(t.Context())
	if usage := (usageError{}); !errors.As(err, &usage) || !strings.Contains(err.Error(), "tag noetcd") {
		t.Errorf("check: got %v, want a refusal that names the tag", err)
	}
	cmd = root()
	cmd.SetArgs([]string{"check", "--offline", "--config", "../../config/testdata/valid/minimal-s3.yaml"})
	if err := cmd.ExecuteContext(t.Context()); err != nil {
		t.Errorf("check, of another witness: %v", err)
	}
}
