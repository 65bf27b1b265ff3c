package kube_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"sync"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/lease/witness"
	"github.com/openova-io/failoverd/lease/witness/kube"
	"github.com/openova-io/failoverd/lease/witness/witnesstest"
)

// A server answers for the ConfigMaps of one namespace, as kube-apiserver does or as a test has it.
type server struct {
	*httptest.Server
	t *testing.T

	mu      sync.Mutex
	version int
	objects map[string]map[string]any
	patches int
	answer  func(w http.ResponseWriter, r *http.Request) bool // true: it has answered; nil: none does
}

func serve(t *testing.T) *server {
	t.Helper()
	s := &server{t: t, objects: map[string]map[string]any{}, version: 10}
	s.Server = httptest.NewUnstartedServer(s)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *server) open(t *testing.T) *kube.Store {
	t.Helper()
	config := &rest.Config{Host: s.URL, BearerToken: "a-secret-token", TLSClientConfig: rest.TLSClientConfig{Insecure: true}}
	store, err := kube.New(config, "witness")
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// say answers with a Status.
func say(w http.ResponseWriter, code int, reason, kind, name, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","code":%d,"reason":%q,"message":%q,"details":{"kind":%q,"name":%q}}`, code, reason, message, kind, name)
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	folder, name := path.Split(r.URL.Path)
	if folder != "/api/v1/namespaces/witness/configmaps/" || r.Header.Get("Authorization") != "Bearer a-secret-token" {
		s.t.Errorf("asked for %s as %q", r.URL.Path, r.Header.Get("Authorization"))
	}
	if r.Method == http.MethodPatch {
		s.patches++
	}
	if s.answer != nil && s.answer(w, r) {
		return
	}
	switch r.Method {
	case http.MethodPatch:
		var o map[string]any
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = json.Unmarshal(body, &o)
		}
		if q := r.URL.Query(); err != nil || q.Get("force") != "true" || q.Get("fieldManager") == "" || r.Header.Get("Content-Type") != "application/apply-patch+yaml" {
			s.t.Errorf("a patch is no server-side apply: %v, %v, %v", err, q, r.Header)
		}
		s.version++
		o["metadata"].(map[string]any)["resourceVersion"] = fmt.Sprint(s.version)
		s.objects[name] = o
		json.NewEncoder(w).Encode(o)
	case http.MethodGet:
		if r.URL.RawQuery != "" {
			s.t.Errorf("a read says %s, want nothing: with a resourceVersion it may be answered from a cache", r.URL.RawQuery)
		}
		if o, ok := s.objects[name]; ok {
			json.NewEncoder(w).Encode(o)
			return
		}
		say(w, 404, "NotFound", "configmaps", name, "not found")
	case http.MethodDelete:
		if _, ok := s.objects[name]; !ok {
			say(w, 404, "NotFound", "configmaps", name, "not found")
			return
		}
		delete(s.objects, name)
		io.WriteString(w, `{"kind":"Status","status":"Success"}`)
	}
}

func TestConformance(t *testing.T) {
	witnesstest.Run(t, func(t *testing.T) witness.Store { return serve(t).open(t) })
}

func TestNewRefuses(t *testing.T) {
	if _, err := kube.New(&rest.Config{Host: "https://127.0.0.1:6443"}, ""); err == nil || !strings.Contains(err.Error(), "witness.kubernetes.namespace") {
		t.Errorf("New without a namespace = %v", err)
	}
	if _, err := kube.New(&rest.Config{Host: "https://%zz"}, "witness"); err == nil || !strings.Contains(err.Error(), "witness.kubernetes.kubeconfig") {
		t.Errorf("New with a bad address = %v", err)
	}
}

// Each way in which an API server, or what stands in its place, refuses.
func TestRefusals(t *testing.T) {
	page := func(code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(code)
			io.WriteString(w, "<html>Sign in")
			return true
		}
	}
	status := func(code int, reason, kind, message string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			say(w, code, reason, kind, "x", message)
			return true
		}
	}
	for _, test := range []struct {
		name   string
		answer func(http.ResponseWriter, *http.Request) bool
		class  witness.Class
		want   string
	}{
		{"no credentials", status(401, "Unauthorized", "", "Unauthorized"), witness.Refused, "check the credentials"},
		{"no permission", status(403, "Forbidden", "configmaps", "may not"), witness.Refused, "get, create and patch configmaps"},
		{"no namespace", status(404, "NotFound", "namespaces", "not found"), witness.Refused, "create the namespace"},
		{"a full namespace", status(403, "Forbidden", "configmaps", "exceeded quota: q"), witness.Quota, "make room"},
		{"a full database", status(500, "InternalError", "", "etcdserver: mvcc: database space exceeded"), witness.Quota, "make room"},
		{"too many requests", status(429, "TooManyRequests", "", "try again"), witness.RateLimited, ""},
		{"ill", status(500, "InternalError", "", "etcdserver: request timed out"), witness.Unreachable, "request timed out"},
		{"no leader in time", status(504, "Timeout", "", "timed out"), witness.Unreachable, ""},
		{"of two appliers", status(409, "Conflict", "configmaps", "has been modified"), witness.Unreachable, ""},
		{"an admission webhook", status(422, "Invalid", "configmaps", "denied by the policy"), witness.Refused, "denied by the policy"},
		{"a page", page(200), witness.BadAnswer, "sign-in page"},
		{"a page that is not found", page(404), witness.BadAnswer, "sign-in page"},
		{"a redirect", page(302), witness.BadAnswer, "sign-in page"},
		{"a proxy without the server", page(502), witness.Unreachable, ""},
	} {
		s := serve(t)
		s.answer = test.answer
		store := s.open(t)
		_, getErr := store.Get(t.Context(), "k")
		for op, err := range map[string]error{"Put": store.Put(t.Context(), "k", nil), "Get": getErr} {
			var e *witness.Error
			if !errors.As(err, &e) || e.Class != test.class || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s: %s = %v, want class %s and %q", test.name, op, err, test.class, test.want)
			}
		}
		if s.patches != 1 {
			t.Errorf("%s: the write was sent %d times, want once", test.name, s.patches)
		}
	}
}

// Where a server of HTTP/2 breaks a request off, net/http would send it again.
func TestPutIsSentOnce(t *testing.T) {
	s := serve(t)
	s.answer = func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) }
	s.Config.ErrorLog = nil
	if err := s.open(t).Put(t.Context(), "k", nil); witness.ClassOf(err) != witness.Unreachable {
		t.Errorf("Put = %v, want class %s", err, witness.Unreachable)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.patches != 1 {
		t.Errorf("the write was sent %d times, want once", s.patches)
	}
}

func TestBadObjects(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(o map[string]any)
		want   string
	}{
		{"older than one before", func(o map[string]any) { o["metadata"].(map[string]any)["resourceVersion"] = "9" }, "of resourceVersion 9, after one of 11: it is stale"},
		{"no version", func(o map[string]any) { delete(o["metadata"].(map[string]any), "resourceVersion") }, "want a number"},
		{"of another key", func(o map[string]any) {
			o["metadata"].(map[string]any)["annotations"] = map[string]string{"failover.openova.io/witness-key": "j"}
		}, `of the key "j"`},
		{"of another name", func(o map[string]any) { o["metadata"].(map[string]any)["name"] = "other" }, "no ConfigMap of this name"},
		{"of another kind", func(o map[string]any) { o["kind"] = "Secret" }, "no ConfigMap of this name"},
		{"larger than is read", func(o map[string]any) { o["data"] = strings.Repeat("x", 5<<20) }, "more than 4194304 bytes"},
	} {
		s := serve(t)
		store := s.open(t)
		if err := store.Put(t.Context(), "k", []byte("x")); err != nil {
			t.Fatal(err)
		}
		for _, o := range s.objects {
			test.change(o)
		}
		_, err := store.Get(t.Context(), "k")
		if witness.ClassOf(err) != witness.BadAnswer || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: Get = %v, want class %s and %q", test.name, err, witness.BadAnswer, test.want)
		}
	}
}

func TestOversizeReadIsBounded(t *testing.T) {
	s := serve(t)
	store := s.open(t)
	if err := store.Put(t.Context(), "k", []byte("x")); err != nil {
		t.Fatal(err)
	}
	for _, o := range s.objects {
		o["binaryData"] = map[string][]byte{"record": make([]byte, 1<<20)}
	}
	if got, err := store.Get(t.Context(), "k"); err != nil || len(got) != witness.MaxRecord+1 {
		t.Errorf("Get = %d bytes, %v, want %d", len(got), err, witness.MaxRecord+1)
	}
}

func TestUnreachable(t *testing.T) {
	s := serve(t)
	strict, err := kube.New(&rest.Config{Host: s.URL}, "witness") // which knows no authority
	if err != nil {
		t.Fatal(err)
	}
	if err := strict.Put(t.Context(), "k", nil); witness.ClassOf(err) != witness.BadAnswer || !strings.Contains(err.Error(), "certificate authority in witness.kubernetes.kubeconfig") {
		t.Errorf("Put to a server of another authority = %v, want class %s and its remedy", err, witness.BadAnswer)
	}
	store := s.open(t)
	s.Close()
	if err := store.Put(t.Context(), "k", nil); witness.ClassOf(err) != witness.Unreachable || !strings.Contains(err.Error(), "see that the API server runs") {
		t.Errorf("Put to nobody = %v, want class %s and its remedy", err, witness.Unreachable)
	}
}

func TestKeyIsText(t *testing.T) {
	store := serve(t).open(t)
	for _, key := range []string{"", "\xff"} {
		if err := store.Put(t.Context(), key, nil); witness.ClassOf(err) != witness.Invalid {
			t.Errorf("Put(%q) = %v, want class %s", key, err, witness.Invalid)
		}
	}
}

func TestSelfTest(t *testing.T) {
	var s *server
	for _, test := range []struct {
		name   string
		answer func(w http.ResponseWriter, r *http.Request) bool
		class  witness.Class
		want   string
	}{
		{"right", nil, "", "each of 5 writes was there in 4 reads at once"},
		{"no namespace", func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodPatch {
				say(w, 404, "NotFound", "namespaces", "witness", "not found")
			}
			return r.Method == http.MethodPatch
		}, witness.Refused, "create the namespace"},
		{"a cache", func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodGet {
				o := maps.Clone(s.objects[path.Base(r.URL.Path)])
				o["binaryData"] = map[string][]byte{"record": []byte("old")}
				json.NewEncoder(w).Encode(o)
			}
			return r.Method == http.MethodGet
		}, witness.BadAnswer, "does not bring what was written just before"},
		{"no permission to delete", func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodDelete {
				say(w, 403, "Forbidden", "configmaps", "x", "may not delete")
			}
			return r.Method == http.MethodDelete
		}, "", "is still there: HTTP status 403"},
	} {
		s = serve(t)
		s.answer = test.answer
		seen, err := s.open(t).SelfTest(t.Context(), "p/g/test/r")
		said := seen
		if err != nil {
			said = err.Error()
		}
		if witness.ClassOf(err) != test.class || !strings.Contains(said, test.want) {
			t.Errorf("%s: SelfTest = %q, %v, want class %q and %q", test.name, seen, err, test.class, test.want)
		}
		if test.name != "no permission to delete" && len(s.objects) != 0 {
			t.Errorf("%s: %d objects are left, want none", test.name, len(s.objects))
		}
	}
}

// TestSelfTestIsCancelled: what it has written is removed all the same.
func TestSelfTestIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := serve(t)
	s.answer = func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodGet {
			cancel()
		}
		return false
	}
	if _, err := s.open(t).SelfTest(ctx, "p/g/test/r"); witness.ClassOf(err) != witness.Unreachable {
		t.Errorf("SelfTest = %v, want class %s", err, witness.Unreachable)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.objects) != 0 {
		t.Errorf("%d objects are left, want none", len(s.objects))
	}
}

func TestRemove(t *testing.T) {
	s := serve(t)
	store := s.open(t)
	if err := store.Remove(t.Context(), "k"); err != nil {
		t.Errorf("Remove of what is not there = %v, want nil", err)
	}
	s.answer = func(w http.ResponseWriter, _ *http.Request) bool {
		http.Error(w, "no such page", http.StatusNotFound)
		return true
	}
	if err := store.Remove(t.Context(), "k"); err == nil || !strings.Contains(err.Error(), "no such page") {
		t.Errorf("Remove that something else than an API server answers = %v, want an error", err)
	}
}
