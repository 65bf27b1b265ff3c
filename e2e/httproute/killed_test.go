package httproute

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/openova-io/failoverd/layers/httproute"
	"github.com/openova-io/failoverd/layers/kube"
)

// The environment by which this binary is the process that is killed.
const (
	victimNamespace  = "FAILOVERD_E2E_NAMESPACE"
	victimKubeconfig = "FAILOVERD_E2E_KUBECONFIG"
	victimEpoch      = "FAILOVERD_E2E_EPOCH"
)

// victim fences routes for an odd epoch, and activates them for an even one.
func victim() int {
	config, err := clientcmd.BuildConfigFromFlags("", os.Getenv(victimKubeconfig))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	client, err := kube.New(config)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	layer := httproute.New(client, httproute.Config{Selector: selector, Namespaces: []string{os.Getenv(victimNamespace)}})
	epoch, err := strconv.ParseUint(os.Getenv(victimEpoch), 10, 64)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	fmt.Println("begins")
	do := layer.Activate
	if epoch%2 == 1 {
		do = layer.Fence
	}
	if err := do(ctx, order(epoch)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// afterWrites is closed when so many writes of routes have been seen from now on. Time would not do: on a busy machine the
// first may come late.
func afterWrites(t *testing.T, client *kube.Client, namespace string, n int) (written <-chan struct{}, stop func()) {
	t.Helper()
	routes := client.Resource(httpRoutes).Namespace(namespace)
	listed, err := routes.List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	seen, err := routes.Watch(t.Context(), metav1.ListOptions{ResourceVersion: listed.GetResourceVersion()})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range n {
			if _, more := <-seen.ResultChan(); !more {
				return
			}
		}
	}()
	return done, seen.Stop
}

// TestKilledMidway kills processes at random moments of fencing and activating: each route is then one or the other, and
// whoever comes next finishes.
func TestKilledMidway(t *testing.T) {
	const n, kills = 60, 100
	plane := region.Planes(t)[0]
	namespace := plane.Namespace(t)
	layer, client := newLayer(t, plane.Config(), namespace)
	create(t, client, namespace, n)
	before := specs(t, client, namespace)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	split, whole := 0, 0 // kills in the midst, and before or after it
	for round := range uint64(kills) {
		epoch := round + 1
		p := exec.Command(program)
		p.Env = append(os.Environ(), victimNamespace+"="+namespace, victimKubeconfig+"="+plane.Kubeconfig, victimEpoch+"="+strconv.FormatUint(epoch, 10))
		p.Stderr = os.Stderr
		out, err := p.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		written, stop := afterWrites(t, client, namespace, rng.IntN(n))
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := out.Read(make([]byte, 16)); err != nil { // it begins
			t.Fatal(err)
		}
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			_, _ = io.Copy(io.Discard, out) // until it has ended
		}()
		select {
		case <-written:
		case <-ended: // what the one before had done is not written again
		}
		_ = p.Process.Kill() // it may have ended
		<-ended
		_ = p.Wait() // by the kill, or by itself
		stop()
		fenced := 0
		for _, o := range list(t, client, namespace) {
			marked := o.GetAnnotations()[kube.OriginalAnnotation] != ""
			if isFenced := backend(&o) == fenceService; isFenced {
				fenced++
				if !marked {
					t.Fatalf("round %d: %s is fenced, and what it was is lost", round, o.GetName())
				}
			} else if marked || spec(t, &o) != before[o.GetName()] {
				t.Fatalf("round %d: %s is neither fenced nor what it was: %s, annotations %v", round, o.GetName(), spec(t, &o), o.GetAnnotations())
			}
		}
		if fenced > 0 && fenced < n {
			split++
		} else {
			whole++
		}
		if round%10 == 9 { // the next start finishes
			if err := layer.Fence(t.Context(), order(epoch+1)); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Logf("%d kills: %d of them in the midst of %d routes, %d before the first or after the last write", kills, split, n, whole)
	if split < kills/10 {
		t.Errorf("%d of %d kills came in the midst, want a tenth at least: the test does not hit what it is for", split, kills)
	}
	if err := layer.Activate(t.Context(), order(kills+2)); err != nil {
		t.Fatal(err)
	}
	for name, got := range specs(t, client, namespace) {
		if got != before[name] {
			t.Errorf("%s: got spec %s, want %s", name, got, before[name])
		}
	}
}
