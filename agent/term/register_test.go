package term

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

var first = lease.TermRecord{Holder: "a", Term: 1, Beat: 1, Duration: 1500 * time.Millisecond}

func next(r lease.TermRecord) lease.TermRecord {
	r.Beat++
	return r
}

func write(t *testing.T, r *Register, after, record lease.TermRecord, want lease.TermOutcome, fails bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	got, err := r.Write(ctx, after, record)
	if got != want || (err != nil) != fails {
		t.Fatalf("got %v, %v; want %v, an error: %v", got, err, want, fails)
	}
}

func read(t *testing.T, r *Register, want lease.TermRecord) {
	t.Helper()
	got, found, err := r.Read(t.Context())
	if err != nil || found != (want.Beat > 0) || !got.Same(want) {
		t.Fatalf("got %+v, %v, %v; want %+v", got, found, err, want)
	}
}

// TestRoundTrip writes records of all kinds, and reads them back; a write at rest is one
// request, and a read asks for no resourceVersion.
func TestRoundTrip(t *testing.T) {
	s := newServer(t)
	r := s.register()
	read(t, r, lease.TermRecord{})
	after := lease.TermRecord{}
	for i, record := range []lease.TermRecord{
		first,
		{Holder: "a", Term: 1, Beat: 2, Duration: 1, Epoch: 1<<64 - 1, Pause: time.Hour + 1, Base: lease.TermBase{Epoch: 1<<64 - 1, After: 1, Safety: "0011223344556677"}},
		{Term: 1, Beat: 3, Duration: time.Hour},
		{Holder: `b"\é`, Term: 1<<31 - 1, Beat: 1<<64 - 1, Duration: time.Second + 1, MayHold: []string{"a", `c,"d`}},
	} {
		s.with()
		write(t, r, after, record, lease.TermAcked, false)
		if got, want := s.took(), []string{"POST", "PUT"}[min(i, 1)]; got != want {
			t.Errorf("it asks %s, want %s", got, want)
		}
		s.with()
		read(t, s.register(), record)
		if got := s.took(); got != "GET" {
			t.Errorf("it asks %q, want GET without a resourceVersion", got)
		}
		after = record
	}
	spec, _ := s.stored.Object["spec"].(map[string]any)
	if spec["leaseDurationSeconds"] != int64(2) {
		t.Errorf("got %v seconds, want 2", spec["leaseDurationSeconds"])
	}
}

// TestAcquireTime is that of the last change of holder or term, and an empty holder is no field.
func TestAcquireTime(t *testing.T) {
	o := &unstructured.Unstructured{Object: map[string]any{}}
	at := func(s int64) time.Time { return time.Unix(s, 0) }
	encode(o, "rtz", lease.TermRecord{}, first, at(1))
	encode(o, "rtz", first, next(first), at(2))
	spec := o.Object["spec"].(map[string]any)
	if spec["acquireTime"] != "1970-01-01T00:00:01.000000Z" || spec["renewTime"] != "1970-01-01T00:00:02.000000Z" || spec["leaseDurationSeconds"] != int64(2) {
		t.Errorf("got %v", spec)
	}
	encode(o, "rtz", first, lease.TermRecord{Term: 1, Beat: 3, Duration: 1}, at(3))
	spec = o.Object["spec"].(map[string]any)
	if _, is := spec["holderIdentity"]; is || spec["acquireTime"] != "1970-01-01T00:00:03.000000Z" || spec["leaseDurationSeconds"] != int64(1) {
		t.Errorf("got %v", spec)
	}
}

// TestCompareAndSwap: whatever has changed since, the write is refused, and nothing is lost.
func TestCompareAndSwap(t *testing.T) {
	for name, change := range map[string]func(t *testing.T, s *server){
		"another instance": func(t *testing.T, s *server) {
			write(t, s.register(), first, next(first), lease.TermAcked, false)
		},
		"a label": func(_ *testing.T, s *server) {
			s.edit(func(o *unstructured.Unstructured) { kube.SetAnnotations(o, map[string]string{"theirs": "1"}) })
		},
		"removed": func(_ *testing.T, s *server) { s.edit(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t)
			r := s.register()
			write(t, r, lease.TermRecord{}, first, lease.TermAcked, false)
			change(t, s)
			before := s.stored
			write(t, r, first, next(first), lease.TermRefused, false)
			if s.stored != before {
				t.Errorf("got %v, want it left alone", s.stored)
			}
			if name != "a label" {
				return
			}
			read(t, r, first)
			write(t, r, first, next(first), lease.TermAcked, false)
			if s.stored.GetAnnotations()["theirs"] != "1" {
				t.Error("what is theirs is lost")
			}
		})
	}
}

// TestNotRemembered: a register that has not seen the record reads, and refuses another.
func TestNotRemembered(t *testing.T) {
	s := newServer(t)
	write(t, s.register(), lease.TermRecord{}, first, lease.TermAcked, false)
	write(t, s.register(), lease.TermRecord{}, first, lease.TermRefused, false)
	write(t, s.register(), next(first), next(next(first)), lease.TermRefused, false)
	other := first
	other.Holder = "b" // the same term and beat, of before a removal
	write(t, s.register(), other, next(other), lease.TermRefused, false)
	r := s.register()
	write(t, r, first, next(first), lease.TermAcked, false)
	write(t, r, first, next(first), lease.TermRefused, false) // it remembers a newer one
	s.edit(nil)
	write(t, s.register(), first, next(first), lease.TermRefused, false)
}

// TestUnknown: whatever is no answer to the compare-and-swap says that the outcome is not known,
// and the write is sent once: sent again, one that has landed would be refused.
func TestUnknown(t *testing.T) {
	for name, f := range map[string]fault{
		"429":           failing(http.StatusTooManyRequests, false),
		"500":           failing(http.StatusInternalServerError, false),
		"504, landed":   failing(http.StatusGatewayTimeout, true),
		"403":           failing(http.StatusForbidden, false),
		"lost":          lost,
		"a proxy's 404": proxied(http.StatusNotFound),
		"a proxy's 409": proxied(http.StatusConflict),
		"another is stored": func(w http.ResponseWriter, do func()) {
			answer(w, http.StatusOK, map[string]any{"kind": "Lease", "apiVersion": "coordination.k8s.io/v1"})
		},
		"an answer of a lie": func(w http.ResponseWriter, do func()) { w.WriteHeader(http.StatusOK); _, _ = w.Write([]byte("{")) },
	} {
		for _, after := range []lease.TermRecord{{}, first} {
			t.Run(fmt.Sprint(name, " after ", after.Beat), func(t *testing.T) {
				s := newServer(t)
				r := s.register()
				if after.Beat > 0 {
					write(t, r, lease.TermRecord{}, first, lease.TermAcked, false)
				}
				record := first
				if after.Beat > 0 {
					record = next(first)
				}
				s.with(f)
				write(t, r, after, record, lease.TermUnknown, true)
				if got := s.took(); got != "POST" && got != "PUT" {
					t.Errorf("it sends %s, want one write", got)
				}
			})
		}
	}
}

// TestLate: a write whose answer does not come within the deadline may land yet.
func TestLate(t *testing.T) {
	s := newServer(t)
	r := s.register()
	write(t, r, lease.TermRecord{}, first, lease.TermAcked, false)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan struct{}) // an answer of nothing could come before it is noticed that nobody waits any more
	s.with(func(_ http.ResponseWriter, do func()) { cancel(); do(); <-gone })
	got, err := r.Write(ctx, first, next(first))
	close(gone)
	if got != lease.TermUnknown || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, %v; want that it is not known", got, err)
	}
	read(t, r, next(first))
}

// TestReadFails: no answer of another than the API server says that there is no record.
func TestReadFails(t *testing.T) {
	s := newServer(t)
	for _, f := range []fault{proxied(http.StatusNotFound), failing(http.StatusForbidden, false)} {
		s.with(f)
		if got, found, err := s.register().Read(t.Context()); err == nil || found {
			t.Errorf("got %+v, %v, %v; want an error", got, found, err)
		}
	}
	// A read may be sent again: it is of the time of its last attempt.
	write(t, s.register(), lease.TermRecord{}, first, lease.TermAcked, false)
	s.with(failing(http.StatusTooManyRequests, false), failing(http.StatusInternalServerError, false))
	read(t, s.register(), first)
}

// TestImpossible: what a Lease can't bear is not sent.
func TestImpossible(t *testing.T) {
	s := newServer(t)
	for _, r := range []lease.TermRecord{
		{Term: 1 << 31, Beat: 1, Duration: 1}, {Beat: 1, Duration: 1}, {Term: 1, Duration: 1},
		{Term: 1, Beat: 1}, {Term: 1, Beat: 1, Duration: -1}, {Term: 1, Beat: 1, Duration: 1, Pause: -1}, {Term: 1, Beat: 1, Duration: 1<<63 - 1},
		{Term: 1, Beat: 1, Duration: 1, MayHold: []string{""}},
	} {
		write(t, s.register(), lease.TermRecord{}, r, lease.TermUnknown, true)
	}
	if got := s.took(); got != "" {
		t.Errorf("it sends %s, want nothing", got)
	}
}

// TestForeign: a Lease that was made or edited by others is an error that says what to do, and
// never written over.
func TestForeign(t *testing.T) {
	annotate := func(name, value string) func(o *unstructured.Unstructured) {
		return func(o *unstructured.Unstructured) { kube.SetAnnotations(o, map[string]string{name: value}) }
	}
	spec := func(field string, value any) func(o *unstructured.Unstructured) {
		return func(o *unstructured.Unstructured) { o.Object["spec"].(map[string]any)[field] = value }
	}
	for says, change := range map[string]func(o *unstructured.Unstructured){
		`managed-by is ""`:         func(o *unstructured.Unstructured) { o.SetLabels(nil) },
		`group is "", want rtz`:    func(o *unstructured.Unstructured) { o.SetAnnotations(nil) },
		`group is "zzz"`:           annotate(groupAnnotation, "zzz"),
		`beat is "-1"`:             annotate(beatAnnotation, "-1"),
		`beat 0`:                   annotate(beatAnnotation, "0"),
		`term-duration is "soon"`:  annotate(durationAnnotation, "soon"),
		`term duration -1s`:        annotate(durationAnnotation, "-1s"),
		`/epoch is "-2"`:           annotate(epochAnnotation, "-2"),
		`pause is "long"`:          annotate(pauseAnnotation, "long"),
		`base-epoch is "1e3"`:      annotate(baseEpochAnnotation, "1e3"),
		`base-after is "x"`:        annotate(baseAfterAnnotation, "x"),
		`may-hold is "null"`:       annotate(mayHoldAnnotation, "null"),
		`may-hold is "[1]"`:        annotate(mayHoldAnnotation, "[1]"),
		`an instance without`:      annotate(mayHoldAnnotation, `[""]`),
		`holderIdentity is "7"`:    spec("holderIdentity", int64(7)),
		`leaseTransitions is "-1"`: spec("leaseTransitions", int64(-1)),
		`leaseTransitions is "x"`:  spec("leaseTransitions", "x"),
		`term 0`:                   spec("leaseTransitions", int64(0)),
		`leaseTransitions is "<nil>"`: func(o *unstructured.Unstructured) {
			o.Object["spec"] = "none"
		},
	} {
		t.Run(says, func(t *testing.T) {
			s := newServer(t)
			write(t, s.register(), lease.TermRecord{}, first, lease.TermAcked, false)
			s.edit(change)
			before := s.stored
			got, found, err := s.register().Read(t.Context())
			var foreign *ForeignError
			if !errors.As(err, &foreign) || found || !got.Same(lease.TermRecord{}) {
				t.Fatalf("got %+v, %v, %v; want a ForeignError", got, found, err)
			}
			for _, want := range []string{says, "failoverd-rtz.fsn", "delete it while at most one instance"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
			write(t, s.register(), first, next(first), lease.TermUnknown, true)
			if s.stored != before {
				t.Error("it is written over")
			}
		})
	}
}

// FuzzDecode checks that no object makes decode panic, and that a record that it returns is one
// that can be written again.
func FuzzDecode(f *testing.F) {
	o := &unstructured.Unstructured{Object: map[string]any{}}
	encode(o, "rtz", lease.TermRecord{}, lease.TermRecord{Holder: "a", Term: 2, Beat: 3, Duration: time.Second, MayHold: []string{"b"}}, time.Unix(1, 0))
	good, err := json.Marshal(o.Object)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	for _, s := range []string{
		`{}`, `null`, `{"metadata":7,"spec":[]}`, `{"metadata":{"annotations":[],"labels":"x"},"spec":{"leaseTransitions":1e300}}`,
		strings.Replace(string(good), `"leaseTransitions":2`, `"leaseTransitions":2.5`, 1),
		strings.Replace(string(good), `"leaseTransitions":2`, `"leaseTransitions":4294967298`, 1),
		strings.Replace(string(good), `[\"b\"]`, strings.Repeat("[", 20000), 1),
		strings.Replace(string(good), `"1s"`, `"9223372036s"`, 1),
		strings.Replace(string(good), `"3"`, `"99999999999999999999"`, 1),
		strings.Replace(string(good), `[\"b\"]`, `[\"`+strings.Repeat("b", 1<<18)+`\"]`, 1),
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		o := &unstructured.Unstructured{}
		if err := utiljson.Unmarshal(data, &o.Object); err != nil { // as the dynamic client does
			return
		}
		r, err := decode(o, "rtz")
		if err != nil {
			if len(err.Error()) > 1000 {
				t.Errorf("got an error of %d bytes", len(err.Error()))
			}
			return
		}
		again := &unstructured.Unstructured{Object: map[string]any{}}
		encode(again, "rtz", lease.TermRecord{}, r, time.Unix(1, 0))
		if got, err := decode(again, "rtz"); err != nil || !got.Same(r) || slices.Contains(r.MayHold, "") {
			t.Errorf("got %+v, %v; want %+v", got, err, r)
		}
	})
}
