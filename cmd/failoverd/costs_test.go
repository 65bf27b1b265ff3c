package main

import (
	"strings"
	"testing"

	"github.com/openova-io/failoverd/config"
)

// TestCosts reads what check says of the witness of each valid file.
func TestCosts(t *testing.T) {
	for _, tt := range []struct{ file, row, warning string }{
		{"minimal-kv", "Cloudflare Workers KV      $5.00      prices of 2026-10, a witness of this file", "what is free at Cloudflare Workers KV does not carry this group: 8,640 writes a day, of which 1,000 are free (prices of 2026-10)"},
		{"minimal-s3", "Cloudflare R2              $0.00  prices of 2026-08, a witness of this file", ""},
		{"minimal-file", "file                       not known  a witness of this file", ""},
	} {
		file := "../../config/testdata/valid/" + tt.file + ".yaml"
		out := must(t, "check", "--offline", "--config", file)
		if !strings.Contains(strings.Join(strings.Fields(out), " "), strings.Join(strings.Fields(tt.row), " ")) {
			t.Errorf("%s: got\n%s\nwant %q", tt.file, out, tt.row)
		}
		if got := strings.Contains(out, "what is free"); got != (tt.warning != "") || !strings.Contains(out, tt.warning) {
			t.Errorf("%s: got\n%s\nwant the warning %q", tt.file, out, tt.warning)
		}
		var result struct {
			Writes int64         `json:"witness_writes_per_month"`
			Reads  int64         `json:"witness_reads_per_month"`
			Costs  []config.Cost `json:"witness_costs_per_month"`
		}
		mustJSON(t, &result, "check", "--offline", "--config", file)
		if result.Writes != 259_200 || result.Reads == 0 || len(result.Costs) < 4 {
			t.Errorf("%s: got %+v, want 259200 writes, and what they cost", tt.file, result)
		}
	}
}
