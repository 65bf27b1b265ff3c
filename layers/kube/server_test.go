package kube

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

var widgets = schema.GroupVersionResource{Group: "example.com", Version: "v1", Resource: "widgets"}

const selector = "group=rtz"

// A server is an API server with widgets, in pages of two whatever a client asks for. It is
// as unkind as its faults.
type server struct {
	client *Client
	events []Event

	mu       sync.Mutex
	version  int
	stored   map[object]*unstructured.Unstructured
	faults   map[string]fault // by "METHOD name"
	requests []string         // "METHOD name", "LIST namespace"
}

// A fault answers a request in the server's place, and reports whether it has. It is called
// with the server locked, and how often that request has come before.
type fault func(s *server, w http.ResponseWriter, r *http.Request, before int) bool

func newServer(t *testing.T, names ...string) *server {
	t.Helper()
	s := &server{stored: map[object]*unstructured.Unstructured{}, faults: map[string]fault{}}
	for _, name := range names {
		namespace, name, _ := strings.Cut(name, "/")
		s.put(newWidget(namespace, name))
	}
	ts := httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(ts.Close)
	var err error
	if s.client, err = New(&rest.Config{Host: ts.URL}); err != nil {
		t.Fatal(err)
	}
	s.client.Recorder = s
	return s
}

func newWidget(namespace, name string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{"apiVersion": "example.com/v1", "kind": "Widget"}}
	o.SetNamespace(namespace)
	o.SetName(name)
	o.SetLabels(map[string]string{"group": "rtz"})
	return o
}

// Record makes the server the recorder of its client.
func (s *server) Record(e Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.events = append(s.events, e)
}

// put stores an object. The server is locked, or not used yet.
func (s *server) put(o *unstructured.Unstructured) {
	s.version++
	o.SetResourceVersion(strconv.Itoa(s.version))
	s.stored[objectOf(o)] = o
}

// change is what somebody else does to an object.
func (s *server) change(o object, edit func(*unstructured.Unstructured)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changeLocked(o, edit)
}

func (s *server) changeLocked(o object, edit func(*unstructured.Unstructured)) {
	next := s.stored[o].DeepCopy()
	edit(next)
	s.put(next)
}

// get is an object as it is stored; nil for none.
func (s *server) get(namespace, name string) *unstructured.Unstructured {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stored[object{namespace, name}]
}

// took are the requests since it was asked last, in order of their names.
func (s *server) took() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	took := s.requests
	s.requests = nil
	slices.Sort(took)
	return took
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	namespace, name := "", ""
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/apis/example.com/v1/"), "/")
	if parts[0] == "namespaces" && len(parts) > 2 {
		namespace, parts = parts[1], parts[2:]
	}
	if len(parts) > 1 {
		name = parts[1]
	}
	what := r.Method + " " + name
	if name == "" {
		what = "LIST " + namespace
	}
	s.mu.Lock()
	before := 0
	for _, other := range s.requests {
		if other == what {
			before++
		}
	}
	s.requests = append(s.requests, what)
	defer s.mu.Unlock()
	if f := s.faults[what]; f != nil && f(s, w, r, before) {
		return
	}
	switch key := (object{namespace, name}); {
	case parts[0] != "widgets":
		refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound, "no such kind")
	case name == "":
		s.list(w, r, namespace)
	case s.stored[key] == nil:
		refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound, "not found")
	case r.Method == http.MethodPut:
		s.update(w, r, key)
	default:
		answer(w, s.stored[key].Object)
	}
}

func (s *server) list(w http.ResponseWriter, r *http.Request, namespace string) {
	wanted, err := labels.Parse(r.URL.Query().Get("labelSelector"))
	if err != nil {
		refuse(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
		return
	}
	var names []object
	for o, stored := range s.stored {
		if (namespace == "" || o.namespace == namespace) && wanted.Matches(labels.Set(stored.GetLabels())) {
			names = append(names, o)
		}
	}
	slices.SortFunc(names, func(a, b object) int { return strings.Compare(a.String(), b.String()) })
	from, _ := strconv.Atoi(r.URL.Query().Get("continue"))
	metadata := map[string]any{"resourceVersion": strconv.Itoa(s.version)}
	items := []any{}
	for i := from; i < len(names); i++ {
		if i == from+2 {
			metadata["continue"] = strconv.Itoa(i)
			break
		}
		items = append(items, s.stored[names[i]].Object)
	}
	answer(w, map[string]any{"apiVersion": "example.com/v1", "kind": "WidgetList", "metadata": metadata, "items": items})
}

func (s *server) update(w http.ResponseWriter, r *http.Request, key object) {
	o := &unstructured.Unstructured{}
	if err := json.NewDecoder(r.Body).Decode(&o.Object); err != nil {
		refuse(w, http.StatusBadRequest, metav1.StatusReasonBadRequest, err.Error())
		return
	}
	if o.GetResourceVersion() != s.stored[key].GetResourceVersion() {
		refuse(w, http.StatusConflict, metav1.StatusReasonConflict, "the object has been modified")
		return
	}
	s.put(o)
	answer(w, o.Object)
}

func answer(w http.ResponseWriter, object any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(object) // a client that is gone needs none
}

func refuse(w http.ResponseWriter, code int, reason metav1.StatusReason, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{
		"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": message,
	})
}

// refuses answers with an error, the first n times; 0 is always.
func refuses(n, code int, reason metav1.StatusReason, message string) fault {
	return func(_ *server, w http.ResponseWriter, _ *http.Request, before int) bool {
		if n > 0 && before >= n {
			return false
		}
		refuse(w, code, reason, message)
		return true
	}
}

// limited has the client come again after some seconds, the first n times; 0 is always.
func limited(n, after int) fault {
	return func(s *server, w http.ResponseWriter, r *http.Request, before int) bool {
		w.Header().Set("Retry-After", fmt.Sprint(after))
		return refuses(n, http.StatusTooManyRequests, metav1.StatusReasonTooManyRequests, "too many requests")(s, w, r, before)
	}
}

// changedFirst has somebody else be faster, the first time; nil deletes the object.
func changedFirst(edit func(*unstructured.Unstructured)) fault {
	return func(s *server, _ http.ResponseWriter, r *http.Request, before int) bool {
		if before > 0 {
			return false
		}
		parts := strings.Split(r.URL.Path, "/")
		o := object{parts[5], path.Base(r.URL.Path)}
		if edit == nil {
			delete(s.stored, o)
		} else {
			s.changeLocked(o, edit)
		}
		return false
	}
}

// answerLost does what it is asked, and tells nobody, the first time.
func answerLost(s *server, w http.ResponseWriter, r *http.Request, before int) bool {
	if before > 0 {
		return false
	}
	parts := strings.Split(r.URL.Path, "/")
	s.update(httptest.NewRecorder(), r, object{parts[5], path.Base(r.URL.Path)})
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		conn.Close()
	}
	return true
}

// hangs answers nothing until the client has gone.
func hangs(s *server, _ http.ResponseWriter, r *http.Request, _ int) bool {
	_, _ = io.Copy(io.Discard, r.Body) // only then is it noticed that a client has gone
	s.mu.Unlock()
	<-r.Context().Done()
	s.mu.Lock()
	return true
}
