package cilium

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

var update = flag.Bool("update", false, "write the golden files anew")

// The policies as they are written. What Cilium makes of them is tested with its own code,
// in e2e/cilium.
func TestPolicy(t *testing.T) {
	for _, tt := range []struct {
		name, selector string
		namespaces     []string
		cluster        string
		idle           bool
	}{
		{name: "fence", selector: "failover.openova.io/group=rtz", cluster: "fsn"},
		{name: "fence-namespaces", selector: "failover.openova.io/group in (rtz, all),tier!=web,!canary", namespaces: []string{"shop", "pay"}, cluster: "fsn"},
		{name: "fence-cluster-unknown", selector: "failover.openova.io/group=rtz"},
		{name: "idle", idle: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			spec := idleSpec()
			if !tt.idle {
				selector, err := parseSelector(tt.selector)
				if err != nil {
					t.Fatal(err)
				}
				spec = fenceSpec(selector, tt.namespaces, tt.cluster)
			}
			policy := newPolicy("rtz", "7", spec)
			policy.DeepCopy() // panics on what JSON does not have
			got, err := yaml.Marshal(policy.Object)
			if err != nil {
				t.Fatal(err)
			}
			golden := filepath.Join("testdata", tt.name+".yaml")
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

func TestSelector(t *testing.T) {
	for text, want := range map[string]string{"a>3": "does not have the operator", "a in (": "selector", "=": "selector"} {
		if _, err := parseSelector(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want an error that says %q", text, err, want)
		}
	}
}
