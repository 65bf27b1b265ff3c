package cilium

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/openova-io/failoverd/layers/kube"
)

// limit ends a test that hangs. It measures nothing.
const limit = 10 * time.Second

func TestStaticFile(t *testing.T) {
	f := newStaticFile(t.TempDir(), "failoverd-fence-rtz")
	spec := map[string]any{"description": "a fence"}
	state := func() (idle bool, epoch uint64) {
		t.Helper()
		has, err := f.read()
		if err != nil {
			t.Fatal(err)
		}
		return !isFence(has, spec), kube.Epoch(has)
	}
	if err := f.activate(t.Context(), "rtz", order(1)); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(f.path()); !os.IsNotExist(err) {
		t.Errorf("activated before any fence: got %v, want no file", err)
	}
	if err := f.fence(t.Context(), "rtz", spec, order(5)); err != nil {
		t.Fatal(err)
	}
	if err := f.fence(t.Context(), "rtz", spec, order(3)); err != nil {
		t.Fatal(err)
	}
	if idle, epoch := state(); idle || epoch != 5 {
		t.Errorf("fenced for 5, then for 3: got idle %v, epoch %d", idle, epoch)
	}
	if err := f.check(t.Context(), order(4)); err == nil || !strings.Contains(err.Error(), "epoch 5") {
		t.Errorf("check for 4: got %v, want a refusal", err)
	}
	if err := f.check(t.Context(), order(5)); err != nil {
		t.Errorf("check for 5: %v", err)
	}
	if err := f.activate(t.Context(), "rtz", order(5)); err != nil {
		t.Fatal(err)
	}
	if idle, _ := state(); !idle {
		t.Error("activated: the fence is still there")
	}
	left, err := os.ReadDir(f.dir)
	if err != nil || len(left) != 1 {
		t.Errorf("got %v, %v, want one file", left, err)
	}
}

// What somebody else has made of the file is replaced, whatever it is.
func TestStaticFileOfNoUse(t *testing.T) {
	for _, text := range []string{"", "{", "null", "[]", "metadata: 3", "metadata: {annotations: [1]}"} {
		f := newStaticFile(t.TempDir(), "failoverd-fence-rtz")
		if err := os.WriteFile(f.path(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		spec := map[string]any{"description": "a fence"}
		if err := f.check(t.Context(), order(1)); err != nil {
			t.Errorf("%q: check: %v", text, err)
		}
		inTerm := order(1)
		inTerm.Term = 2
		if err := f.activate(t.Context(), "rtz", inTerm); err != nil {
			t.Errorf("%q: activate: %v", text, err)
		}
		if has, err := f.read(); err != nil || !isFence(has, idleSpec()) || has.GetAnnotations()[kube.EpochAnnotation] != "1/2" {
			t.Errorf("%q: activated: got %v, %v", text, has, err)
		}
		if err := os.WriteFile(f.path(), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := f.fence(t.Context(), "rtz", spec, order(1)); err != nil {
			t.Errorf("%q: fence: %v", text, err)
		}
		if has, err := f.read(); err != nil || !isFence(has, spec) {
			t.Errorf("%q: fenced: got %v, %v", text, has, err)
		}
	}
}

// A directory that is missing is not made: the agent that watches it would not run.
func TestStaticDirectoryMissing(t *testing.T) {
	f := newStaticFile(filepath.Join(t.TempDir(), "none"), "failoverd-fence-rtz")
	err := f.fence(t.Context(), "rtz", map[string]any{}, order(1))
	if err == nil || !strings.Contains(err.Error(), "--static-cnp-path") || !strings.Contains(err.Error(), "ReadWritePaths=") {
		t.Errorf("got %v, want an error that names the option, and what the service needs", err)
	}
}

// TestStaticDiskHangs has a disk that hangs, a FIFO that nobody reads: the API server is given
// the fence all the same, and the attempt ends with its context.
func TestStaticDiskHangs(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	made := make(chan struct{})
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			close(made)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusNotFound)
		_, _ = w.Write([]byte(`{"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}`))
	}))
	defer api.Close()
	client, err := kube.New(&rest.Config{Host: api.URL})
	if err != nil {
		t.Fatal(err)
	}
	l, err := New(client, Config{Group: "rtz", Selector: "group=rtz", StaticPolicies: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	temporary := l.static.path() + ".tmp"
	if err := syscall.Mkfifo(temporary, 0o600); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- l.Fence(ctx, order(1)) }()
	select {
	case <-made:
		cancel()
	case <-ctx.Done():
		t.Error("the API server was not given the policy")
	}
	select {
	case err := <-ended:
		if !strings.Contains(err.Error(), "the disk does not answer") {
			t.Errorf("fence: got %v, want that the disk does not answer", err)
		}
	case <-time.After(limit):
		t.Error("the attempt goes on after its context has ended")
	}
	heal(t, temporary)
}

// TestStaticFileLate has the disk hang in the middle of an order whose context then ends. A
// fence comes into place late, an activation does not, and what is done next waits for either.
func TestStaticFileLate(t *testing.T) {
	for _, tt := range []struct {
		name  string
		begin func(context.Context, *staticFile) error
		comes bool
	}{
		{"a fence", func(ctx context.Context, f *staticFile) error {
			return f.fence(ctx, "rtz", map[string]any{"description": "a fence"}, order(5))
		}, true},
		{"an activation", func(ctx context.Context, f *staticFile) error { return f.activate(ctx, "rtz", order(5)) }, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newStaticFile(t.TempDir(), "failoverd-fence-rtz")
			if err := syscall.Mkfifo(f.path(), 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			ended := make(chan error, 1)
			go func() { ended <- tt.begin(ctx, f) }()
			hangs, err := os.OpenFile(f.path(), os.O_WRONLY, 0) // waits until it is read
			if err != nil {
				t.Fatal(err)
			}
			cancel()
			if err := <-ended; err == nil || !strings.Contains(err.Error(), "the disk does not answer") {
				t.Errorf("got %v, want that the disk does not answer", err)
			}
			_ = f.do(ctx, func() error {
				t.Error("the next thing has begun before")
				return nil
			})
			if err := errors.Join(os.Remove(f.path()), hangs.Close()); err != nil {
				t.Fatal(err)
			}
			var came error
			if err := f.do(t.Context(), func() error {
				_, came = os.Stat(f.path())
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if tt.comes != (came == nil) {
				t.Errorf("the file: got %v, want it there: %v", came, tt.comes)
			}
		})
	}
}

// heal has whoever waits for a FIFO go on.
func heal(t *testing.T, fifo string) {
	t.Helper()
	file, err := os.OpenFile(fifo, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
}
