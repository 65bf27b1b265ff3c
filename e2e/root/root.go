// Package root finds the folder e2e, in which the programs are that tests run.
package root

import (
	"fmt"
	"os"
	"path/filepath"
)

// Find returns the folder e2e. It is found upwards from the working folder, which `go test` sets to the folder of the package under
// test: that is below e2e, or below bench, which is beside it.
func Find() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for d := dir; ; d = filepath.Dir(d) {
		e2e := filepath.Join(d, "e2e")
		if _, err := os.Stat(filepath.Join(e2e, "go.mod")); err == nil {
			return e2e, nil
		}
		if d == filepath.Dir(d) {
			return "", fmt.Errorf("no e2e/go.mod beside %s or any folder above it; tests of this repository run in its folders", dir)
		}
	}
}
