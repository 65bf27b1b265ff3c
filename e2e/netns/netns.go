// Package netns has tests do things in network namespaces that they have made. They have to be root.
package netns

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// IP runs ip once for each line.
func IP(lines ...string) error {
	for _, line := range lines {
		if out, err := exec.Command("ip", strings.Fields(line)...).CombinedOutput(); err != nil {
			return fmt.Errorf("ip %s: %w: %s", line, err, out)
		}
	}
	return nil
}

// Path is the file of the namespace that `ip netns` calls by that name, for nsenter --net.
func Path(name string) string { return "/run/netns/" + name }

// Inside does something in the namespace of that name. What it opens there stays there. Processes are better started by
// nsenter --net: one that is to die with its parent would die with the thread.
func Inside(name string, do func() error) error {
	done := make(chan error, 1)
	go func() {
		// The thread is not unlocked, so it ends with the goroutine: nothing else is ever run in that namespace.
		runtime.LockOSThread()
		namespace, err := os.Open(Path(name))
		if err == nil {
			err = unix.Setns(int(namespace.Fd()), unix.CLONE_NEWNET)
			namespace.Close()
		}
		if err != nil {
			done <- fmt.Errorf("enter the network namespace %s: %w", name, err)
			return
		}
		done <- do()
	}()
	return <-done
}
