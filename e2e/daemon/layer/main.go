// Command layer is the layer of the end-to-end tests: the hook that writes down, with the boot clock, when it was run
// and what for. The file that it appends to is the layer: its last line says whether the region is active.
package main

import (
	"fmt"
	"os"

	"github.com/openova-io/failoverd/agent/bootclock"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "layer:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("got arguments %q, want the file to append to", os.Args[1:])
	}
	f, err := os.OpenFile(os.Args[1], os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	// What happens, happens between the two lines: one write each, so that no reader sees a half.
	for _, phase := range []string{"begin", "end"} {
		_, err := fmt.Fprintf(f, "%d %s %s %s %s\n", bootclock.Clock{}.Now(),
			os.Getenv("FAILOVERD_REGION"), os.Getenv("FAILOVERD_ACTION"), os.Getenv("FAILOVERD_EPOCH"), phase)
		if err != nil {
			return err
		}
	}
	return nil
}
