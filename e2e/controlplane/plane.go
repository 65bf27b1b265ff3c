package controlplane

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/envtest"

	"github.com/openova-io/failoverd/e2e/daemon"
)

// startTimeout is far above what a start takes: two busy cores.
const startTimeout = 60 * time.Second

// Options says what a plane has beside kube-apiserver and etcd.
type Options struct {
	CRDs []CRDs

	// ControllerManager runs kube-controller-manager with the controllers of disruption budgets, endpoint slices, garbage
	// collection, and tokens in Secrets.
	ControllerManager bool

	// CNPGOperator runs the operator of CloudNativePG, with its webhooks. CRDs has to have CNPG then.
	CNPGOperator bool
}

// A Plane is a control plane that runs. Its methods may be used concurrently.
type Plane struct {
	// Kubeconfig is the path of a file by which a program, or a person with kubectl, gets at the plane as its
	// administrator. It is gone when the plane is stopped.
	Kubeconfig string

	dir    string // of all that the plane writes
	config *rest.Config
	quit   chan struct{} // closed to stop kube-apiserver and etcd
	ended  chan error    // gets the result of that
	others []*server     // what runs against them, in the order of starting

	apiServerArgs []string        // of kube-apiserver's command line
	again         *daemon.Process // kube-apiserver, if StartAPIServer has started it; nil if not

	webhooks *envtest.WebhookInstallOptions // of the CloudNativePG operator; nil without it
}

// Start starts n planes at once, for a test alone. They are stopped when it ends.
func Start(tb testing.TB, n int, options Options) []*Plane {
	tb.Helper()
	planes, err := start(tb, n, options)
	if err != nil {
		tb.Fatalf("controlplane: %v", err)
	}
	tb.Cleanup(func() {
		if err := stop(planes); err != nil {
			tb.Errorf("controlplane: %v", err)
		}
	})
	return planes
}

// Config is how to get at the plane as its administrator. The caller may change it.
func (p *Plane) Config() *rest.Config { return rest.CopyConfig(p.config) }

// Namespace makes a namespace that no other test has. It is left to the plane's end: without a namespace controller none
// is ever deleted.
func (p *Plane) Namespace(tb testing.TB) string {
	tb.Helper()
	client, err := kubernetes.NewForConfig(p.config)
	if err != nil {
		tb.Fatalf("controlplane: %v", err)
	}
	namespace, err := client.CoreV1().Namespaces().Create(tb.Context(),
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "test-"}}, metav1.CreateOptions{})
	if err != nil {
		tb.Fatalf("controlplane: create a namespace: %v", err)
	}
	return namespace.Name
}

// start starts n planes at once, or none.
func start(tb testing.TB, n int, options Options) ([]*Plane, error) {
	tb.Helper()
	setLogger()
	begun := time.Now()
	crds, err := read(options.CRDs)
	if err != nil {
		return nil, err
	}
	planes, errs := make([]*Plane, n), make([]error, n)
	var wg sync.WaitGroup
	for i := range planes {
		wg.Go(func() { planes[i], errs[i] = startOne(options, crds) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, errors.Join(err, stop(planes))
	}
	tb.Logf("controlplane: %d started after %v", n, time.Since(begun))
	return planes, nil
}

// stop stops planes at once; nil ones count as stopped.
func stop(planes []*Plane) error {
	errs := make([]error, len(planes))
	var wg sync.WaitGroup
	for i, p := range planes {
		if p != nil {
			wg.Go(func() { errs[i] = p.stop() })
		}
	}
	wg.Wait()
	return errors.Join(errs...)
}

func startOne(options Options, crds []*apiextensionsv1.CustomResourceDefinition) (*Plane, error) {
	dir, err := os.MkdirTemp("", "controlplane-")
	if err != nil {
		return nil, err
	}
	p := &Plane{
		Kubeconfig: filepath.Join(dir, "kubeconfig"),
		dir:        dir,
		quit:       make(chan struct{}),
		ended:      make(chan error, 1),
	}
	if err := p.startAPIServer(crds); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if options.ControllerManager {
		if err := p.startControllerManager(); err != nil {
			return nil, errors.Join(err, p.stop())
		}
	}
	if options.CNPGOperator {
		if err := p.startCNPGOperator(); err != nil {
			return nil, errors.Join(err, p.stop())
		}
	}
	return p, nil
}

func (p *Plane) stop() error {
	errs := []error{p.endAPIServer()}
	for i := len(p.others) - 1; i >= 0; i-- {
		errs = append(errs, p.others[i].stop())
	}
	if p.webhooks != nil {
		errs = append(errs, p.webhooks.Cleanup())
	}
	if p.again != nil {
		errs = append(errs, p.again.Kill()) // waits for it
	}
	close(p.quit)
	errs = append(errs, <-p.ended, os.RemoveAll(p.dir))
	return errors.Join(errs...)
}
