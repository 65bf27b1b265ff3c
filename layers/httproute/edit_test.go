package httproute

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
)

func parse(t testing.TB, text string) *unstructured.Unstructured {
	t.Helper()
	data, err := yaml.YAMLToJSON([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	o := &unstructured.Unstructured{}
	if err := o.UnmarshalJSON(data); err != nil {
		t.Fatal(err)
	}
	return o
}

func order(epoch uint64) layers.Order { return layers.Order{Group: "rtz", Region: "fsn", Epoch: epoch} }

func spec(t testing.TB, o *unstructured.Unstructured) string {
	t.Helper()
	text, err := json.Marshal(o.Object["spec"])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func apply(t testing.TB, edit kube.Edit, o *unstructured.Unstructured) bool {
	t.Helper()
	changed, err := edit(o)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

const shop = `
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop, namespace: shop, annotations: {owner: web, kustomize.toolkit.fluxcd.io/reconcile: enabled}}
spec:
  hostnames: [shop.example.com]
  rules:
  - matches: [{path: {type: PathPrefix, value: /api}}]
    backendRefs:
    - {name: api, port: 8080, weight: 9, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: b}]}}]}
    - {name: api-canary, namespace: canary, port: 8081, weight: 1}
  - filters: [{type: RequestRedirect, requestRedirect: {scheme: https}}]
  - backendRefs: [{name: mesh, kind: ServiceImport, group: multicluster.x-k8s.io}]
`

func TestFenceAndActivate(t *testing.T) {
	route := parse(t, shop)
	before := route.DeepCopy()
	if !apply(t, fence(order(7)), route) {
		t.Fatal("fence says that it changed nothing")
	}
	rules := rulesOf(route)
	for i, want := range []string{`[{"name":"failoverd-fence","port":8080}]`, `null`, `[{"name":"failoverd-fence","port":80}]`} {
		if got, _ := json.Marshal(rules[i]["backendRefs"]); string(got) != want {
			t.Errorf("rule %d, fenced: got backendRefs %s, want %s", i, got, want)
		}
	}
	for key, want := range map[string]string{
		kube.EpochAnnotation: "7", "owner": "web", "kustomize.toolkit.fluxcd.io/reconcile": "disabled",
		"external-dns.kubernetes.io/controller": "failoverd",
	} {
		if got := route.GetAnnotations()[key]; got != want {
			t.Errorf("annotation %s, fenced: got %q, want %q", key, got, want)
		}
	}
	if apply(t, fence(order(7)), route) || apply(t, fence(order(6)), route) {
		t.Error("fenced again: it was changed")
	}
	if !apply(t, fence(order(8)), route) || kube.Epoch(route) != 8 {
		t.Errorf("fenced for a newer epoch: got epoch %d, want 8", kube.Epoch(route))
	}
	if _, err := activate(order(7))(route); err == nil || !strings.Contains(err.Error(), "epoch 8") {
		t.Errorf("activated for an older epoch: got %v, want a refusal", err)
	}
	if !apply(t, activate(order(8)), route) {
		t.Error("activate says that it changed nothing")
	}
	if !reflect.DeepEqual(route.Object, before.Object) {
		t.Errorf("fenced and activated: got\n%v\nwant\n%v", route.Object, before.Object)
	}
	if apply(t, activate(order(9)), route) {
		t.Error("activated again: it was changed")
	}
}

// TestSeveralToOne: what instances have fenced a region's only agent activates.
func TestSeveralToOne(t *testing.T) {
	route := parse(t, shop)
	before := route.DeepCopy()
	last := order(7)
	last.Term = 3
	apply(t, fence(last), route)
	apply(t, fence(order(0)), route) // the first thing that an agent does
	apply(t, activate(order(8)), route)
	if !reflect.DeepEqual(route.Object, before.Object) {
		t.Errorf("fenced and activated: got\n%v\nwant\n%v", route.Object, before.Object)
	}
}

// What Git, or a person, makes of a route while it is fenced.
func TestChangedWhileFenced(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(route *unstructured.Unstructured, rules []map[string]any)
		want   func(rules []map[string]any) // of the original, what is there once it is active again
	}{
		{"all backends are back, and other ones", func(_ *unstructured.Unstructured, rules []map[string]any) {
			rules[0]["backendRefs"] = []any{map[string]any{"name": "new", "port": int64(9)}}
			rules[2]["backendRefs"] = []any{map[string]any{"name": "mesh", "kind": "ServiceImport", "group": "multicluster.x-k8s.io"}}
		}, func(rules []map[string]any) {
			rules[0]["backendRefs"] = []any{map[string]any{"name": "new", "port": int64(9)}}
		}},
		{"a rule comes first", func(route *unstructured.Unstructured, rules []map[string]any) {
			list := route.Object["spec"].(map[string]any)["rules"].([]any)
			route.Object["spec"].(map[string]any)["rules"] = append([]any{map[string]any{"backendRefs": []any{map[string]any{"name": "first", "port": int64(1)}}, "name": "first"}}, list...)
		}, nil},
		{"our marks are gone", func(route *unstructured.Unstructured, _ []map[string]any) {
			annotations := route.GetAnnotations()
			delete(annotations, "helm.toolkit.fluxcd.io/driftDetection")
			annotations["kustomize.toolkit.fluxcd.io/reconcile"] = "enabled"
			route.SetAnnotations(annotations)
		}, func([]map[string]any) {}},
		{"a rule goes", func(route *unstructured.Unstructured, rules []map[string]any) {
			list := route.Object["spec"].(map[string]any)["rules"].([]any)
			route.Object["spec"].(map[string]any)["rules"] = list[1:]
		}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			route := parse(t, shop)
			apply(t, fence(order(1)), route)
			tt.change(route, rulesOf(route))
			apply(t, fence(order(1)), route)
			for i, rule := range rulesOf(route) {
				if refs := backendsOf(rule); len(refs) > 0 && !isFence(refs) {
					t.Errorf("rule %d is not fenced: %v", i, refs)
				}
			}
			apply(t, activate(order(2)), route)
			for i, rule := range rulesOf(route) {
				if isFence(backendsOf(rule)) {
					t.Errorf("rule %d is still fenced", i)
				}
			}
			if tt.want != nil {
				want := parse(t, shop)
				tt.want(rulesOf(want))
				if spec(t, route) != spec(t, want) || !reflect.DeepEqual(route.GetAnnotations(), want.GetAnnotations()) {
					t.Errorf("got\n%s %v\nwant\n%s %v", spec(t, route), route.GetAnnotations(), spec(t, want), want.GetAnnotations())
				}
			}
		})
	}
}

// What can't be put back is said, and nothing is guessed.
func TestOriginalLost(t *testing.T) {
	for name, value := range map[string]string{"gone": "", "of no use": "{", "of another rule": `{"rules":[{"index":0,"rest":"0","backendRefs":[]}]}`} {
		t.Run(name, func(t *testing.T) {
			route := parse(t, shop)
			apply(t, fence(order(1)), route)
			kube.SetAnnotations(route, map[string]string{kube.OriginalAnnotation: value})
			fenced := spec(t, route)
			if _, err := activate(order(2))(route); err == nil || !strings.Contains(err.Error(), "by hand") {
				t.Errorf("activate: got %v, want what to do by hand", err)
			}
			if _, err := fence(order(3))(route); err != nil || spec(t, route) != fenced {
				t.Errorf("fence: got %v and %s, want it to stay as it is", err, spec(t, route))
			}
		})
	}
}

// FuzzRoute fences and activates whatever an API server without validation could hold.
func FuzzRoute(f *testing.F) {
	f.Add([]byte(`{"apiVersion":"v1","kind":"HTTPRoute","spec":{"rules":[{"backendRefs":[{"name":"a","port":1}]},{"backendRefs":[]},{}]}}`))
	f.Add([]byte(`{"apiVersion":"v1","kind":"HTTPRoute","spec":{"rules":[null,3,{"backendRefs":7},{"backendRefs":[null]}]}}`))
	f.Add([]byte(`{"apiVersion":"v1","kind":"HTTPRoute","metadata":{"annotations":{"failover.openova.io/original":"{\"rules\":[{}]}"}},"spec":[]}`))
	f.Add([]byte(`{"apiVersion":"v1","kind":"HTTPRoute","spec":{"rules":[{"backendRefs":[{"name":"failoverd-fence"}]}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		route := &unstructured.Unstructured{}
		if route.UnmarshalJSON(data) != nil {
			return
		}
		known := route.GetAnnotations()[kube.OriginalAnnotation] != ""
		before := route.DeepCopy()
		if _, err := fence(order(1))(route); err != nil {
			return
		}
		if changed, err := fence(order(1))(route); changed || err != nil {
			t.Errorf("fenced again: changed %v, %v", changed, err)
		}
		if _, err := activate(order(1 << 63))(route); err == nil && !known && !reflect.DeepEqual(before.Object["spec"], route.Object["spec"]) {
			t.Errorf("got spec %v, want %v", route.Object["spec"], before.Object["spec"])
		}
	})
}
