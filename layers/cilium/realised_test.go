package cilium

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/cilium/api/v1/models"
	"k8s.io/apimachinery/pkg/labels"
)

var rtz = subject{labels.SelectorFromSet(labels.Set{"group": "rtz"}), nil, "failoverd-fence-rtz"}

const (
	byObject = `[["k8s:io.cilium.k8s.policy.derived-from=CiliumClusterwideNetworkPolicy","k8s:io.cilium.k8s.policy.name=failoverd-fence-rtz","k8s:io.cilium.k8s.policy.uid=1"]]`
	byFile   = `[["a"],["directory:filename=failoverd-fence-rtz.yaml","directory:policy-derived-from=CiliumClusterwideNetworkPolicy"]]`
	byOther  = `[["k8s:io.cilium.k8s.policy.derived-from=CiliumNetworkPolicy","k8s:io.cilium.k8s.policy.name=failoverd-fence-rtz"]]`
)

func policyJSON(in, out, more string) string {
	rule := func(from string) string {
		if from == "" {
			return ""
		}
		return `{"derived-from-rules":` + from + `}`
	}
	return `{"policy-revision":4,` + more + `"l4":{"ingress":[` + rule(in) + `],"egress":[` + rule(out) + `]}}`
}

const enforced = `"policy-enabled":"both","denied-ingress-identities":[2,6],`

func endpointJSON(labels, policy string) string {
	return `{"id":7,"status":{"state":"ready","external-identifiers":{"k8s-pod-name":"web-1"},"labels":{` + labels + `},"policy":` + policy + `}}`
}

const ours = `"security-relevant":["k8s:group=rtz","k8s:io.kubernetes.pod.namespace=shop"]`

func both(realised, wanted string) string {
	return `{"realized":` + realised + `,"spec":` + wanted + `}`
}

func TestJudge(t *testing.T) {
	holds := policyJSON(byObject, byObject, enforced)
	none := policyJSON("", "", `"policy-enabled":"none",`)
	for _, tt := range []struct {
		name     string
		endpoint string
		realised int
		open     string // in what is said; empty if it is not open
		under    bool
	}{
		{"realised", endpointJSON(ours, both(holds, holds)), 1, "", true},
		{"realised by the file", endpointJSON(ours, both(policyJSON(byFile, byFile, enforced), policyJSON(byFile, byFile, enforced))), 1, "", true},
		{"no policy", endpointJSON(ours, both(none, none)), 0, "does not select it", false},
		{"another policy of that name", endpointJSON(ours, both(policyJSON(byOther, byOther, enforced), policyJSON(byOther, byOther, enforced))), 0, "does not select it", false},
		{"not realised yet", endpointJSON(ours, both(none, holds)), 0, "not realised, at revision 4 of 4", true},
		{"realised, and to go", endpointJSON(ours, both(holds, none)), 0, "does not select it", true},
		{"one direction only", endpointJSON(ours, both(policyJSON(byObject, "", enforced), holds)), 0, "not realised", true},
		{"audit only", endpointJSON(ours, both(policyJSON(byObject, byObject, `"policy-enabled":"audit-both","denied-ingress-identities":[2],`), holds)), 0, "audit-both", true},
		{"never enforced", endpointJSON(ours, both(policyJSON(byObject, byObject, `"policy-enabled":"none","denied-ingress-identities":[2],`), holds)), 0, "enforced: none", true},
		{"denies nobody", endpointJSON(ours, both(policyJSON(byObject, byObject, `"policy-enabled":"both",`), holds)), 0, "nobody is denied", true},
		{"says nothing of policies", endpointJSON(ours, "null"), 0, "does not select it", false},
		{"without identity yet", `{"id":7,"status":{"state":"waiting-for-identity","labels":{` + ours + `}}}`, 0, "endpoint 7", false},
		{"a label that is of no identity", endpointJSON(`"derived":["k8s:group=rtz"],"security-relevant":["k8s:io.kubernetes.pod.namespace=shop"]`, both(none, none)), 0, "shop/web-1: the policy does not select it", false},
		{"another group's", endpointJSON(`"security-relevant":["k8s:group=abc","k8s:io.kubernetes.pod.namespace=shop"]`, both(none, none)), 0, "", false},
		{"another group's, under it", endpointJSON(`"security-relevant":["k8s:group=abc"]`, both(holds, holds)), 0, "", true},
		{"a database", endpointJSON(`"security-relevant":["k8s:group=rtz","k8s:cnpg.io/cluster=pg","k8s:io.kubernetes.pod.namespace=shop"]`, both(none, none)), 0, "", false},
		{"a label of another source", endpointJSON(`"security-relevant":["container:group=rtz","k8s:io.kubernetes.pod.namespace=shop"]`, both(none, none)), 0, "", false},
		{"the health endpoint", endpointJSON(`"security-relevant":["reserved:health"]`, both(none, none)), 0, "", false},
		{"going", `{"status":{"state":"disconnecting","labels":{` + ours + `}}}`, 0, "", false},
		{"nothing", `null`, 0, "", false},
		{"no status", `{}`, 0, "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var e *models.Endpoint
			if err := json.Unmarshal([]byte(tt.endpoint), &e); err != nil {
				t.Fatal(err)
			}
			v := judge([]*models.Endpoint{e}, rtz)
			if v.realised != tt.realised || len(v.under) > 0 != tt.under {
				t.Errorf("got %+v, want realised %d, under %v", v, tt.realised, tt.under)
			}
			if err := v.error(); (err != nil) != (tt.open != "") || err != nil && !strings.Contains(err.Error(), tt.open) {
				t.Errorf("got %v, want %q", err, tt.open)
			}
		})
	}
}

func TestJudgeNamespaces(t *testing.T) {
	s := rtz
	s.namespaces = []string{"pay"}
	var e *models.Endpoint
	if err := json.Unmarshal([]byte(endpointJSON(ours, "null")), &e); err != nil {
		t.Fatal(err)
	}
	if v := judge([]*models.Endpoint{e}, s); len(v.open) != 0 {
		t.Errorf("a pod of another namespace: got %v", v.open)
	}
	s.namespaces = []string{"pay", "shop"}
	if v := judge([]*models.Endpoint{e}, s); len(v.open) != 1 {
		t.Errorf("a pod of its namespaces: got %v", v.open)
	}
}

// FuzzJudge looks at whatever an agent may say. Of one pod, it never says two things.
func FuzzJudge(f *testing.F) {
	holds := policyJSON(byObject, byObject, enforced)
	f.Add([]byte("[" + endpointJSON(ours, both(holds, holds)) + "]"))
	f.Add([]byte("[null,{},{\"status\":{}}," + endpointJSON(ours, both("null", holds)) + "]"))
	f.Fuzz(func(t *testing.T, data []byte) {
		var endpoints []*models.Endpoint
		if json.Unmarshal(data, &endpoints) != nil {
			return
		}
		v := judge(endpoints, rtz)
		if v.realised+len(v.open) > len(endpoints) || len(v.under) > len(endpoints) || v.realised > len(v.under) {
			t.Errorf("of %d endpoints: got %+v", len(endpoints), v)
		}
		if v.realised > 0 && !slices.ContainsFunc(endpoints, func(e *models.Endpoint) bool {
			return e != nil && e.Status != nil && e.Status.Policy != nil && e.Status.Policy.Realized.PolicyEnabled == "both"
		}) {
			t.Error("realised, where nothing is enforced")
		}
	})
}
