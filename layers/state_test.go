package layers_test

import (
	"testing"

	"github.com/openova-io/failoverd/layers"
)

func TestParseState(t *testing.T) {
	tests := []struct {
		in   string
		want layers.State
		err  string
	}{
		{"active", layers.Active, ""},
		{"inactive", layers.Inactive, ""},
		{"", layers.Unknown, `state "": want active or inactive`},
		{"unknown", layers.Unknown, `state "unknown": want active or inactive`},
		{"Active", layers.Unknown, `state "Active": want active or inactive`},
		{"active\ninactive", layers.Unknown, `state "active\ninactive": want active or inactive`},
	}
	for _, tt := range tests {
		got, err := layers.ParseState(tt.in)
		msg := ""
		if err != nil {
			msg = err.Error()
		}
		if got != tt.want || msg != tt.err {
			t.Errorf("ParseState(%q) = %q, %q; want %q, %q", tt.in, got, msg, tt.want, tt.err)
		}
	}
}
