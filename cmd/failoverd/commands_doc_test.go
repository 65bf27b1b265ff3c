package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

const commandsPage = "../../docs/commands.md"

// TestCommandsPage: docs/commands.md is what --help says.
func TestCommandsPage(t *testing.T) {
	var page strings.Builder
	page.WriteString("# Commands\n\nWhat `--help` says of each, written by `go test ./cmd/failoverd -run TestCommandsPage -update`.\n\n" +
		"Exit codes: 0 done, 1 the answer is no, 2 the command line, the configuration or the surroundings are wrong, and nothing was begun.\n")
	var describe func(cmd *cobra.Command)
	describe = func(cmd *cobra.Command) {
		if cmd.Name() == "completion" || cmd.Name() == "help" {
			return
		}
		if cmd.Long == "" || cmd.Example == "" && !cmd.HasSubCommands() {
			t.Errorf("%s: it has no description, or no example", cmd.CommandPath())
		}
		cmd.InitDefaultHelpFlag()
		fmt.Fprintf(&page, "\n## %s\n\n```\n%s\n\n%s```\n", cmd.CommandPath(), strings.TrimSpace(cmd.Long), cmd.UsageString())
		for _, sub := range cmd.Commands() {
			describe(sub)
		}
	}
	describe(root())
	compare(t, commandsPage, page.String())
}
