package cilium

import (
	"maps"
	"reflect"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
)

func order(epoch uint64) layers.Order { return layers.Order{Group: "rtz", Region: "fsn", Epoch: epoch} }

func serviceWith(annotations map[string]string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "v1", "kind": "Service"}}
	o.SetName("web")
	o.SetNamespace("shop")
	o.SetAnnotations(maps.Clone(annotations))
	return o
}

func apply1(t testing.TB, edit kube.Edit, o *unstructured.Unstructured) bool {
	t.Helper()
	changed, err := edit(o)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

// theirs are the annotations of an object that are not the layer's.
func theirs(o *unstructured.Unstructured) map[string]string {
	m := maps.Clone(o.GetAnnotations())
	delete(m, kube.OriginalAnnotation)
	delete(m, kube.EpochAnnotation)
	return m
}

func with(m map[string]string, pairs ...string) map[string]string {
	m = maps.Clone(m)
	for i := 0; i < len(pairs); i += 2 {
		m[pairs[i]] = pairs[i+1]
	}
	return m
}

func TestSteer(t *testing.T) {
	for _, tt := range []struct {
		name  string
		user  map[string]string
		alone bool // it is not for the layer
	}{
		{"global", map[string]string{globalKey: "true", "owner": "web"}, false},
		{"global by the old name", map[string]string{globalAlias: "True"}, false},
		{"all set", map[string]string{globalKey: "true", sharedKey: "true", affinityKey: "none"}, false},
		{"set to nothing", map[string]string{globalKey: "true", sharedKey: "", affinityKey: ""}, false},
		{"never shared", map[string]string{globalKey: "true", sharedKey: "false"}, false},
		{"all by the old names", map[string]string{globalAlias: "true", sharedAlias: "true", affinityAlias: "remote"}, false},
		{"local always", map[string]string{globalKey: "true", affinityKey: "local"}, false},
		{"as if fenced", map[string]string{globalKey: "true", sharedKey: "false", affinityKey: "remote"}, false},
		{"not global", map[string]string{sharedKey: "true"}, true},
		{"not global: the new name wins", map[string]string{globalKey: "false", globalAlias: "true"}, true},
		{"none", nil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serviceWith(tt.user)
			before := s.DeepCopy()
			if tt.alone {
				if apply1(t, fence(order(1)), s) || apply1(t, activate(order(1)), s) || !reflect.DeepEqual(s, before) {
					t.Errorf("got %v, want it left alone", s.GetAnnotations())
				}
				return
			}
			active := with(tt.user, affinityKey, "local")
			fenced := with(tt.user, sharedKey, "false", affinityKey, "remote")
			var first *unstructured.Unstructured
			for epoch := uint64(1); epoch < 4; epoch++ {
				if !apply1(t, fence(order(epoch)), s) || apply1(t, fence(order(epoch)), s) {
					t.Fatalf("fence of epoch %d: want a change, and none when done again", epoch)
				}
				if got := theirs(s); !maps.Equal(got, fenced) {
					t.Fatalf("fenced: got %v, want %v", got, fenced)
				}
				if is, counts := isFenced(s); !is || !counts || kube.Epoch(s) != epoch {
					t.Errorf("fenced: isFenced says %v, %v, at epoch %d", is, counts, kube.Epoch(s))
				}
				if _, err := activate(order(epoch - 1))(s); err == nil {
					t.Error("activated for an older epoch")
				}
				if !apply1(t, activate(order(epoch)), s) || apply1(t, activate(order(epoch)), s) {
					t.Fatalf("activate of epoch %d: want a change, and none when done again", epoch)
				}
				if got := theirs(s); !maps.Equal(got, active) {
					t.Fatalf("active: got %v, want %v", got, active)
				}
				if is, _ := isFenced(s); is {
					t.Error("active: isFenced says that it is fenced")
				}
				if first == nil {
					first = s.DeepCopy()
				} else if !reflect.DeepEqual(first, s) {
					t.Errorf("active again: got %v, want %v", s.GetAnnotations(), first.GetAnnotations())
				}
			}
		})
	}
}

// What others make of a Service while it is fenced becomes what is put back.
func TestSteerChangedWhileFenced(t *testing.T) {
	user := map[string]string{globalKey: "true", affinityKey: "none"}
	for _, tt := range []struct {
		name   string
		change func(map[string]string)
		active map[string]string
	}{
		{"shared again", func(m map[string]string) { m[sharedKey] = "true" }, with(user, sharedKey, "true", affinityKey, "local")},
		{"all removed", func(m map[string]string) { delete(m, sharedKey); delete(m, affinityKey) }, with(user, affinityKey, "local")},
		{"the epoch removed", func(m map[string]string) { delete(m, kube.EpochAnnotation) }, with(user, affinityKey, "local")},
		{"not global any more", func(m map[string]string) { m[globalKey] = "false" }, with(user, globalKey, "false", affinityKey, "local")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := serviceWith(user)
			apply1(t, fence(order(1)), s)
			m := s.GetAnnotations()
			tt.change(m)
			s.SetAnnotations(m)
			apply1(t, fence(order(1)), s)
			if m := s.GetAnnotations(); m[sharedKey] != "false" || m[affinityKey] != "remote" {
				t.Errorf("fenced again: got %v", m)
			}
			apply1(t, activate(order(2)), s)
			if got := theirs(s); !maps.Equal(got, tt.active) {
				t.Errorf("active: got %v, want %v", got, tt.active)
			}
		})
	}
}

// What can't be put back is said, and nothing is guessed; but it stays fenced.
func TestSteerOriginalLost(t *testing.T) {
	for name, text := range map[string]string{"gone": "", "of no use": "{", "null": "null"} {
		t.Run(name, func(t *testing.T) {
			s := serviceWith(map[string]string{globalKey: "true", sharedKey: "true"})
			apply1(t, fence(order(1)), s)
			kube.SetAnnotations(s, map[string]string{kube.OriginalAnnotation: text})
			before := s.DeepCopy()
			if _, err := activate(order(2))(s); err == nil || !strings.Contains(err.Error(), "by hand") {
				t.Errorf("activate: got %v, want what to do by hand", err)
			}
			if changed, err := fence(order(2))(s); changed || err != nil || !reflect.DeepEqual(s, before) {
				t.Errorf("fence: got %v, %v, %v, want it left as it is", changed, err, s.GetAnnotations())
			}
		})
	}
}

// An export says the same in every region, or the oldest would speak for all.
func TestExport(t *testing.T) {
	for name, spec := range map[string]map[string]any{
		"bare":     nil,
		"with own": {"exportedAnnotations": map[string]any{"a": "b", affinityKey: "remote", sharedKey: "true"}, "exportedLabels": map[string]any{"c": "d"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "multicluster.x-k8s.io/v1beta1", "kind": "ServiceExport"}}
			want := map[string]string{affinityKey: "local"}
			if spec != nil {
				o.Object["spec"] = spec
				want["a"], want[sharedKey] = "b", "true"
			}
			if !apply1(t, preferOwn, o) || apply1(t, preferOwn, o) {
				t.Error("want a change, and none when done again")
			}
			if got, _, _ := unstructured.NestedStringMap(o.Object, "spec", "exportedAnnotations"); !maps.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
		})
	}
}

// FuzzSteer fences and activates whatever an API server without validation could hold.
func FuzzSteer(f *testing.F) {
	f.Add([]byte(`{"apiVersion":"v1","kind":"Service","metadata":{"annotations":{"service.cilium.io/global":"true"}}}`))
	f.Add([]byte(`{"apiVersion":"v1","kind":"Service","metadata":{"annotations":{"io.cilium/global-service":"true","service.cilium.io/shared":"","failover.openova.io/original":"{\"service.cilium.io/affinity\":null}"}}}`))
	f.Add([]byte(`{"apiVersion":"v1","kind":"Service","metadata":{"annotations":{"failover.openova.io/epoch":"3","failover.openova.io/original":"{"}}}`))
	f.Add([]byte(`{"apiVersion":"v1","kind":"Service","metadata":{"annotations":[1]},"spec":7}`))
	f.Add([]byte(`{"apiVersion":"v1","kind":"Service","metadata":{"annotations":{"a":1}},"spec":{"exportedAnnotations":{"b":[]}}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		s := &unstructured.Unstructured{}
		if s.UnmarshalJSON(data) != nil {
			return
		}
		_, _ = preferOwn(s.DeepCopy())
		_, marked := s.GetAnnotations()[kube.OriginalAnnotation]
		_, epoch := s.GetAnnotations()[kube.EpochAnnotation]
		user := theirs(s)
		if _, err := fence(order(1))(s); err != nil {
			return
		}
		if changed, err := fence(order(1))(s); changed || err != nil {
			t.Errorf("fenced again: changed %v, %v", changed, err)
		}
		if _, err := activate(order(1 << 63))(s); err != nil || marked || epoch {
			return
		}
		if _, is := isFenced(s); is {
			user = with(user, affinityKey, "local")
		}
		if got := theirs(s); !maps.Equal(got, user) {
			t.Errorf("active: got %v, want %v", got, user)
		}
	})
}
