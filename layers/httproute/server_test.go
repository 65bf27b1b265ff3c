package httproute

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/layers/kube"
)

// A server is an API server without a network, so that time can stand still around it.
type server struct {
	mu      sync.Mutex
	version int
	kinds   []string // "GROUP/VERSION/RESOURCE" that it has
	stored  map[string]*unstructured.Unstructured
	fault   fault // of the next write of a route; nil: none
}

// A fault answers in the server's place, which has not done yet what it is asked.
type fault func(do func() *http.Response) (*http.Response, error)

const httpRoutes = group + "/v1/httproutes"

func newServer(t *testing.T, c Config, routes ...*unstructured.Unstructured) (*server, *Layer) {
	t.Helper()
	s := &server{kinds: []string{"v1/services", "discovery.k8s.io/v1/endpointslices", httpRoutes}, stored: map[string]*unstructured.Unstructured{}}
	for _, route := range routes {
		s.put(httpRoutes, route)
	}
	client, err := kube.New(&rest.Config{Host: "http://api", Transport: s})
	if err != nil {
		t.Fatal(err)
	}
	return s, New(client, c)
}

// put stores an object. The server is locked, or not used yet.
func (s *server) put(kind string, o *unstructured.Unstructured) {
	s.version++
	o.SetResourceVersion(strconv.Itoa(s.version))
	s.stored[kind+"/"+o.GetNamespace()+"/"+o.GetName()] = o
}

func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do := func() *http.Response {
		w := httptest.NewRecorder()
		s.serve(w, r)
		return w.Result()
	}
	if f := s.fault; f != nil && r.Method == http.MethodPut && strings.HasPrefix(r.URL.Path, "/apis/"+group) {
		s.fault = nil
		return f(do)
	}
	if r.URL.Query().Get("watch") != "" && r.URL.Query().Get("sendInitialEvents") == "" {
		return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: quiet{r.Context()}}, nil
	}
	return do(), r.Context().Err()
}

// A quiet is a watch of which nothing comes.
type quiet struct{ ctx context.Context }

func (q quiet) Read([]byte) (int, error) {
	<-q.ctx.Done()
	return 0, q.ctx.Err()
}

func (quiet) Close() error { return nil }

// serves makes a kind, in one version of it, one that the server has.
func (s *server) serves(kind string, objects ...*unstructured.Unstructured) {
	s.mu.Lock()
	defer s.mu.Unlock()
	of := func(k string) string { return k[strings.LastIndex(k, "/"):] }
	s.kinds = slices.DeleteFunc(s.kinds, func(k string) bool { return of(k) == of(kind) })
	for key, o := range s.stored {
		if strings.Contains(key, of(kind)+"/") {
			delete(s.stored, key)
			objects = append(objects, o)
		}
	}
	s.kinds = append(s.kinds, kind)
	for _, o := range objects {
		s.put(kind, o)
	}
}

func (s *server) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	refuse := func(code int, reason metav1.StatusReason) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": reason})
	}
	path := strings.TrimPrefix(strings.TrimPrefix(r.URL.Path, "/apis/"), "/api/")
	namespace, name := "", ""
	if before, after, ok := strings.Cut(path, "/namespaces/"); ok {
		namespace, path, _ = strings.Cut(after, "/")
		path, name, _ = strings.Cut(path, "/")
		path = before + "/" + path
	}
	key := path + "/" + namespace + "/" + name
	o := &unstructured.Unstructured{}
	if r.Method == http.MethodPut || r.Method == http.MethodPost {
		if err := json.NewDecoder(r.Body).Decode(&o.Object); err != nil {
			refuse(http.StatusBadRequest, metav1.StatusReasonBadRequest)
			return
		}
	}
	switch {
	case r.URL.Query().Get("sendInitialEvents") != "": // as an older one
		refuse(http.StatusUnprocessableEntity, metav1.StatusReasonInvalid)
		return
	case !slices.Contains(s.kinds, path) || r.Method != http.MethodPost && name != "" && s.stored[key] == nil:
		refuse(http.StatusNotFound, metav1.StatusReasonNotFound)
		return
	case r.Method == http.MethodPut && o.GetResourceVersion() != s.stored[key].GetResourceVersion():
		refuse(http.StatusConflict, metav1.StatusReasonConflict)
		return
	case r.Method == http.MethodPut || r.Method == http.MethodPost:
		s.put(path, o)
	case name != "":
		o = s.stored[key]
	default:
		items := []any{}
		for stored, item := range s.stored {
			if strings.HasPrefix(stored, path+"/") {
				items = append(items, item.Object)
			}
		}
		o.Object = map[string]any{"apiVersion": "v1", "kind": "List", "metadata": map[string]any{"resourceVersion": strconv.Itoa(s.version)}, "items": items}
	}
	_ = json.NewEncoder(w).Encode(o.Object)
}

// answerLost does what it is asked, and tells nobody.
func answerLost(do func() *http.Response) (*http.Response, error) {
	do()
	return nil, errors.New("connection reset by peer")
}

// sentAgain does what it is asked, and has the client send it again.
func sentAgain(do func() *http.Response) (*http.Response, error) {
	do()
	w := httptest.NewRecorder()
	w.Header().Set("Retry-After", "0")
	w.WriteHeader(http.StatusServiceUnavailable)
	return w.Result(), nil
}
