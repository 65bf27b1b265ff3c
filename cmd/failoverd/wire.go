package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/openova-io/failoverd/config"
)

const defaultConfig = "/etc/failoverd/failoverd.yaml"

// version is set by the linker for a release.
var version = "devel"

// fullVersion is version and the commit, where the build knows it.
func fullVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" && len(s.Value) >= 12 {
				return version + "+" + s.Value[:12]
			}
		}
	}
	return version
}

// configFlag adds --config.
func configFlag(cmd *cobra.Command) *string {
	path := cmd.Flags().StringP("config", "c", defaultConfig, "configuration `file`")
	cmd.MarkFlagFilename("config", "yaml", "yml")
	return path
}

// outputFlag adds -o.
func outputFlag(cmd *cobra.Command) *string {
	output := cmd.Flags().StringP("output", "o", "text", "`format` of the output: text or json")
	cmd.RegisterFlagCompletionFunc("output", cobra.FixedCompletions([]string{"text", "json"}, cobra.ShellCompDirectiveNoFileComp))
	inner := cmd.PreRunE
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if *output != "text" && *output != "json" {
			return usageError{fmt.Errorf("--output is %q, want text or json", *output)}
		}
		if inner != nil {
			return inner(cmd, args)
		}
		return nil
	}
	return output
}

// printJSON prints v for -o json.
func printJSON(out io.Writer, v any) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// loadConfig reads the configuration; its errors are usage errors.
func loadConfig(path string) (*config.Config, error) {
	cfg, err := config.Load(path)
	if err != nil {
		return nil, usageError{err}
	}
	return cfg, nil
}
