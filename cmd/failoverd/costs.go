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
	known := false
	for _, c := range cfg.Costs() {
		about := ""
		if c.Configured {
			known, about = true, ", the witness of this file"
		}
		fmt.Fprintf(table, "  %s\t$%.2f\tprices of %s%s\n", c.Store, c.USD, c.Published, about)
	}
	if !known {
		fmt.Fprintf(table, "  %s\tnot known\tthe witness of this file\n", cfg.Witness.Type)
	}
	table.Flush()
}

// costWarnings says if the store of the configuration has something free, and that does not carry it.
func costWarnings(cfg *config.Config) (out []string) {
	for _, c := range cfg.Costs() {
		if c.Configured && c.Beyond != "" {
			out = append(out, fmt.Sprintf("witness: what is free at %s does not carry this group: %s (prices of %s)", c.Store, c.Beyond, c.Published))
		}
	}
	return out
}
