package term

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/layers/kube"
)

// A server is an API server with one Lease. As the real one it creates a Lease that is gone by
// an update without a uid. Its next answers are as unkind as its faults.
type server struct {
	client *kube.Client

	mu       sync.Mutex
	version  int
	stored   *unstructured.Unstructured
	faults   []fault  // that the next requests meet, one each
	requests []string // method and query, in order
}

// A fault answers a request in the server's place; do handles it unseen.
type fault func(w http.ResponseWriter, do func())

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{}
	ts := httptest.NewServer(s)
	t.Cleanup(ts.Close)
	var err error
	if s.client, err = kube.New(&rest.Config{Host: ts.URL}); err != nil {
		t.Fatal(err)
	}
	return s
}

func (s *server) register() *Register { return New(s.client, "home", "rtz", "fsn") }

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, strings.TrimSuffix(r.Method+" "+r.URL.Query().Get("resourceVersion"), " "))
	if len(s.faults) == 0 {
		s.handle(w, r)
		return
	}
	f := s.faults[0]
	s.faults = s.faults[1:]
	f(w, func() { s.handle(httptest.NewRecorder(), r) })
}

func (s *server) handle(w http.ResponseWriter, r *http.Request) {
	base := "/apis/coordination.k8s.io/v1/namespaces/home/leases"
	if r.Method == http.MethodPost && r.URL.Path != base || r.Method != http.MethodPost && r.URL.Path != base+"/failoverd-rtz.fsn" {
		http.Error(w, "404 page not found", http.StatusNotFound)
		return
	}
	o := &unstructured.Unstructured{}
	if r.Method != http.MethodGet {
		if err := decodeBody(r, o); err != nil {
			refuse(w, http.StatusBadRequest, metav1.StatusReasonBadRequest)
			return
		}
	}
	switch {
	case r.Method == http.MethodPost && s.stored != nil:
		refuse(w, http.StatusConflict, metav1.StatusReasonAlreadyExists)
	case r.Method == http.MethodPost:
		s.put(w, o, http.StatusCreated)
	case r.Method == http.MethodGet && s.stored == nil:
		refuse(w, http.StatusNotFound, metav1.StatusReasonNotFound)
	case r.Method == http.MethodGet:
		answer(w, http.StatusOK, s.stored.Object)
	case s.stored == nil && o.GetUID() == "":
		s.put(w, o, http.StatusCreated)
	case s.stored == nil || s.stored.GetUID() != o.GetUID() || s.stored.GetResourceVersion() != o.GetResourceVersion():
		refuse(w, http.StatusConflict, metav1.StatusReasonConflict)
	default:
		s.put(w, o, http.StatusOK)
	}
}

func decodeBody(r *http.Request, o *unstructured.Unstructured) error {
	data, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	return utiljson.Unmarshal(data, &o.Object)
}

func (s *server) put(w http.ResponseWriter, o *unstructured.Unstructured, code int) {
	s.version++
	o.SetResourceVersion(strconv.Itoa(s.version))
	if code == http.StatusCreated {
		o.SetUID(types.UID(strconv.Itoa(s.version)))
	}
	s.stored = o
	answer(w, code, o.Object)
}

func answer(w http.ResponseWriter, code int, object any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(object) // a client that is gone needs none
}

func refuse(w http.ResponseWriter, code int, reason metav1.StatusReason) {
	answer(w, code, map[string]any{"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": string(reason)})
}

// with has the next requests meet faults. It forgets the requests so far.
func (s *server) with(faults ...fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults, s.requests = faults, nil
}

func (s *server) took() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.requests, ",")
}

// edit is what somebody else does to the Lease; nil removes it.
func (s *server) edit(change func(*unstructured.Unstructured)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if change == nil {
		s.stored = nil
		return
	}
	o := s.stored.DeepCopy()
	change(o)
	s.put(httptest.NewRecorder(), o, http.StatusOK)
}

// Faults: the request is done, or not, and answered with a code, for retries if it says so; or
// not answered.
func failing(code int, landed bool) fault {
	return func(w http.ResponseWriter, do func()) {
		if landed {
			do()
		}
		w.Header().Set("Retry-After", "0")
		refuse(w, code, metav1.StatusReasonInternalError)
	}
}

func lost(w http.ResponseWriter, do func()) { do(); panic(http.ErrAbortHandler) }

func proxied(code int) fault {
	return func(w http.ResponseWriter, do func()) { http.Error(w, "not here", code) }
}
