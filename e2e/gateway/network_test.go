//go:build gateway

package gateway

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// address is where the applications listen: one of lo, in the namespace of this test.
const address = "192.0.2.1"

const inside = "FAILOVERD_GATEWAY_INSIDE"

// TestMain runs the tests in a network namespace of their own.
func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" {
		os.Exit(regions.Main(m))
	}
	code, err := runInside()
	if err != nil {
		fmt.Fprintf(os.Stderr, "gateway: %v\n", err)
	}
	os.Exit(code)
}

func runInside() (int, error) {
	self, err := os.Executable()
	if err != nil {
		return 2, err
	}
	const script = `ip link set lo up && ip addr add ` + address + `/32 dev lo && ip route add default dev lo && exec "$@"` // the API server wants a default route
	tests := exec.Command("unshare", append([]string{"--net", "--kill-child", "sh", "-c", script, "sh", self}, os.Args[1:]...)...)
	tests.Stdout, tests.Stderr = os.Stdout, os.Stderr
	tests.Env = append(os.Environ(), inside+"=1")
	tests.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err = tests.Run()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return exit.ExitCode(), nil // it has said why
	}
	if err != nil {
		return 2, fmt.Errorf("make a network namespace, which needs root: %w", err)
	}
	return 0, nil
}
