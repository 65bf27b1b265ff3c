// Command failoverd decides which region of a failover group is active, and
// makes it so. One file per verb; what the verbs do is in the packages.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	_ "golang.org/x/crypto/x509roots/fallback" // for a machine without certificates, such as an image with this program alone
)

// Exit codes. They are documented and stable.
const (
	exitFailed = 1 // it was tried, and the answer is no
	exitUsage  = 2 // the command line, the configuration or the surroundings are wrong; nothing was begun
)

// usageError is an error for exitUsage.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	// A second signal ends the process at once.
	context.AfterFunc(ctx, stop)
	err := root().ExecuteContext(ctx)
	stop()
	if err == nil {
		return
	}
	fmt.Fprintf(os.Stderr, "failoverd: %v\n", err)
	if usage := (usageError{}); errors.As(err, &usage) {
		os.Exit(exitUsage)
	}
	os.Exit(exitFailed)
}

func root() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "failoverd",
		Short: "Decides which region of a failover group is active, and makes it so",
		Long: `failoverd runs in each region of a failover group. The agents share a lease:
exactly one region holds it and is active. When that region dies, is cut off or
hangs, another takes over; two are never active at once.`,
		Example:       "  failoverd demo\n  failoverd check --config /etc/failoverd/failoverd.yaml\n  failoverd run --config /etc/failoverd/failoverd.yaml",
		SilenceErrors: true, SuggestionsMinimumDistance: 2,
		SilenceUsage: true,
		Args:         knownVerb,
		RunE:         func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see %s --help", err, cmd.CommandPath())}
	})
	cmd.AddCommand(runCommand(), checkCommand(), statusCommand(), explainCommand(),
		historyCommand(), auditCommand(), simulateCommand(), demoCommand(), keygenCommand(), rbacCommand(), versionCommand(),
		switchoverCommand(), takeoverCommand(), approveCommand(), denyCommand(), pauseCommand(), resumeCommand(), drillCommand(), fenceCommand())
	return cmd
}

// knownVerb refuses what is no verb, with exitUsage.
func knownVerb(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	meant := ""
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		meant = fmt.Sprintf(" (did you mean %s?)", strings.Join(near, " or "))
	}
	return usageError{fmt.Errorf("there is no command %q%s; see failoverd --help", args[0], meant)}
}

// noArgs refuses arguments, with exitUsage.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return usageError{fmt.Errorf("%s takes no arguments, got %q; see %s --help", cmd.CommandPath(), args, cmd.CommandPath())}
	}
	return nil
}
