package main

import (
	"fmt"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/openova-io/failoverd/lease"
)

func versionCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "version",
		Short:   "Prints the version",
		Long:    "Prints the version of this program, of the protocol that it speaks, and of Go.",
		Example: "  failoverd version -o json",
		Args:    noArgs,
	}
	output := outputFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		v := struct {
			Version  string `json:"version"`
			Protocol int    `json:"protocol"`
			Go       string `json:"go"`
		}{fullVersion(), lease.ProtocolVersion, runtime.Version()}
		if *output == "json" {
			return printJSON(cmd.OutOrStdout(), v)
		}
		fmt.Fprintf(cmd.OutOrStdout(), "failoverd %s, protocol %d, %s\n", v.Version, v.Protocol, v.Go)
		return nil
	}
	return cmd
}
