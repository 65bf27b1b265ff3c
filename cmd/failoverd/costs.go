package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/openova-io/failoverd/config"
)

// printCosts prints what a month of the configuration's requests costs on each store.
func printCosts(out io.Writer, cfg *config.Config) {
	writes, reads := cfg.Usage()
	fmt.Fprintf(out, "In 30 days that is %.2f million writes and %.2f million reads. By published prices,\nwithout tax, storage and traffic, they cost:\n\n", float64(writes)/1e6, float64(reads)/1e6)
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	costs, unknown := cfg.Costs()
	for _, c := range costs {
		about := ""
		if c.Configured {
			about = ", a witness of this file"
		}
		fmt.Fprintf(table, "  %s\t$%.2f\tprices of %s%s\n", c.Store, c.USD, c.Published, about)
	}
	for _, of := range unknown {
		fmt.Fprintf(table, "  %s\tnot known\ta witness of this file\n", of)
	}
	table.Flush()
}

// costWarnings says if the store of the configuration has something free, and that does not carry it.
func costWarnings(cfg *config.Config) (out []string) {
	costs, _ := cfg.Costs()
	for _, c := range costs {
		if c.Configured && c.Beyond != "" {
			out = append(out, fmt.Sprintf("witness: what is free at %s does not carry this group: %s (prices of %s)", c.Store, c.Beyond, c.Published))
		}
	}
	return out
}
