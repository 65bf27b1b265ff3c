package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/openova-io/failoverd/bench"
)

// writeApplying writes of how fast objects are changed.
func writeApplying(page *bytes.Buffer, data []byte, _, link string) error {
	var a bench.Applying
	if err := json.Unmarshal(data, &a); err != nil {
		return err
	}
	page.WriteString("## Changing objects of Kubernetes\n\nThe layer `httproute` and a client that does nothing else each write the same routes to a real API server, 64 at once, in turns. Objects a second, the middle of all rounds:\n\n")
	rows := [][]string{{"", "objects", "rounds", "objects a second"}}
	for _, of := range []struct {
		what string
		took func(bench.ApplyingRound) float64
	}{
		{"a bare client", func(r bench.ApplyingRound) float64 { return r.Bare }},
		{"failoverd fences", func(r bench.ApplyingRound) float64 { return r.Fenced }},
		{"failoverd activates", func(r bench.ApplyingRound) float64 { return r.Activated }},
	} {
		var rates []float64
		for _, r := range a.Rounds {
			rates = append(rates, float64(r.Objects)/of.took(r))
		}
		slices.Sort(rates)
		rows = append(rows, []string{of.what, fmt.Sprint(a.Rounds[0].Objects), fmt.Sprint(len(rates)), fmt.Sprintf("%.0f", quantile(rates, .5))})
	}
	table(page, rows)
	page.WriteString(measuredOn(a.Machine, link, "applying.json"))
	return nil
}
