package httproute

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/json"

	"github.com/openova-io/failoverd/layers/kube"
)

// An original is what a fenced route was before, as the annotation keeps it.
type original struct {
	Rules []originalRule    `json:"rules,omitempty"`
	Marks map[string]string `json:"marks,omitempty"` // annotations that marks took the place of
}

// An originalRule is the backends of one rule. It is found by the rest of the rule
// that they came from, since somebody may put rules before it while it is fenced.
type originalRule struct {
	Index       int    `json:"index"`
	Rest        string `json:"rest"` // hash of the rule without its backends
	BackendRefs []any  `json:"backendRefs"`
}

// readOriginal reads the annotation; nothing is known where there is none.
func readOriginal(route *unstructured.Unstructured) (original, error) {
	var o original
	text := route.GetAnnotations()[kube.OriginalAnnotation]
	if text == "" {
		return o, nil
	}
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		return original{}, fmt.Errorf("its annotation %s can't be read (%v); set its backendRefs by hand and remove the annotation", kube.OriginalAnnotation, err)
	}
	return o, nil
}

func (o original) text() (string, error) {
	text, err := json.Marshal(o)
	return string(text), err
}

// of finds what a rule was before: the one of the same place if the rest of the rule
// is the same, else the only one with that rest.
func (o original) of(index int, rest string) (originalRule, bool) {
	var same []originalRule
	for _, r := range o.Rules {
		if r.Rest != rest {
			continue
		}
		if r.Index == index {
			return r, true
		}
		same = append(same, r)
	}
	if len(same) == 1 {
		return same[0], true
	}
	return originalRule{}, false
}

// restOf is the hash of a rule without its backends.
func restOf(rule map[string]any) (string, error) {
	rest := make(map[string]any, len(rule))
	for key, value := range rule {
		if key != "backendRefs" {
			rest[key] = value
		}
	}
	text, err := json.Marshal(rest) // with keys in order
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}

// rulesOf are the rules of a route; those of another shape than the API server would
// take are left out.
func rulesOf(route *unstructured.Unstructured) []map[string]any {
	spec, _ := route.Object["spec"].(map[string]any)
	list, _ := spec["rules"].([]any)
	var rules []map[string]any
	for _, r := range list {
		rule, _ := r.(map[string]any)
		rules = append(rules, rule)
	}
	return rules
}

func backendsOf(rule map[string]any) []any {
	refs, _ := rule["backendRefs"].([]any)
	return refs
}

// isFence reports whether backends are the fence Service and nothing else.
func isFence(refs []any) bool {
	if len(refs) != 1 {
		return false
	}
	ref, _ := refs[0].(map[string]any)
	if ref["name"] != fenceService {
		return false
	}
	for key := range ref {
		if !slices.Contains([]string{"name", "port", "group", "kind", "weight"}, key) {
			return false // a namespace, or filters: it is somebody else's
		}
	}
	kind, _ := ref["kind"].(string)
	return kind == "" || kind == "Service"
}
