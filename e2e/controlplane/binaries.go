package controlplane

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/openova-io/failoverd/e2e/root"
)

// Binary is the path of a program that e2e/setup.sh builds into e2e/bin; kubectl is one of them.
func Binary(name string) (string, error) {
	dir, err := root.Find()
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "bin", name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%s is not built; run e2e/setup.sh (%w)", name, err)
	}
	return path, nil
}

// dieWithUs writes into dir a script that runs a program which the kernel kills when the thread that started it ends: envtest
// starts its programs without that, and a test binary that panics or times out stops nothing. The script writes the
// number of the process to <name>.pid.
func dieWithUs(dir, name string) (string, error) {
	program, err := Binary(name)
	if err != nil {
		return "", err
	}
	script := filepath.Join(dir, name)
	text := fmt.Sprintf("#!/bin/sh\necho $$ >'%s.pid'\nexec setpriv --pdeathsig=KILL '%s' \"$@\"\n", script, program)
	return script, os.WriteFile(script, []byte(text), 0o700)
}
