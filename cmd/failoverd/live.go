package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/openova-io/failoverd/check"
	"github.com/openova-io/failoverd/config"
	"github.com/openova-io/failoverd/quorum/responder"
)

// checkLive is check --live, of a configuration that is valid.
func checkLive(cmd *cobra.Command, cfg *config.Config, secrets *config.Secrets, path, output string) error {
	w, err := openWitness(cfg, secrets)
	if err != nil {
		return usageError{err}
	}
	if output == "text" {
		if err := printCheck(cmd, cfg, path, output, nil); err != nil {
			return err
		}
		fmt.Fprintln(cmd.OutOrStdout(), "\nWhat runs:")
	}
	progress := newProgress(cmd.ErrOrStderr())
	found := check.Live(cmd.Context(), check.Config{
		Params: cfg.Params(), Witness: w, RoundTrip: assumedRoundTrip,
		Quorum: quorumClientConfig(cfg, secrets), Window: responder.DefaultWindow, Waiting: progress.waitFor,
	})
	if err := cmd.Context().Err(); err != nil {
		return fmt.Errorf("ask what runs: %w", err) // what is silent since nobody waited is no finding
	}
	if output == "json" {
		if err := printCheck(cmd, cfg, path, output, found); err != nil {
			return err
		}
	}
	problems := 0
	for _, f := range found {
		if output == "text" {
			fmt.Fprintln(cmd.OutOrStdout(), f)
		}
		if f.Level == check.Problem {
			problems++
		}
	}
	if problems > 0 {
		return fmt.Errorf("check --live: %d of %d findings are problems", problems, len(found))
	}
	return nil
}

// progress is the last line of a terminal, for as long as something is waited for; nothing elsewhere.
type progress struct {
	terminal io.Writer // nil: there is none
	width    int       // in columns: a line that wraps can't be taken back
}

func newProgress(out io.Writer) progress {
	f, ok := out.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return progress{}
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return progress{}
	}
	return progress{f, int(size.Col)}
}

func (p progress) waitFor(what []string) {
	if p.terminal == nil {
		return
	}
	line := ""
	if len(what) > 0 {
		line = "waiting for " + strings.Join(what, ", ")
	}
	const clearLine = "\r\x1b[K"
	fmt.Fprint(p.terminal, clearLine, line[:min(len(line), max(0, p.width-1))])
}
