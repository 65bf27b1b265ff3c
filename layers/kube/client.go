package kube

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// FieldManager is the name under which the daemon writes.
const FieldManager = "failoverd"

// A Client is the way to one cluster's API server.
type Client struct {
	dynamic.Interface
	Metrics  *Metrics
	Config   *rest.Config
	Recorder Recorder // nil: nobody is told; it is set before anything is ordered
}

// Connect reads a kubeconfig file, or without one takes the service account of the
// pod that it runs in. It asks nobody yet.
func Connect(kubeconfig, version string) (*Client, error) {
	config, err := restConfig(kubeconfig)
	if err != nil {
		return nil, err
	}
	config.UserAgent = "failoverd/" + version
	return New(config)
}

func restConfig(kubeconfig string) (*rest.Config, error) {
	if kubeconfig == "" {
		config, err := rest.InClusterConfig()
		if errors.Is(err, rest.ErrNotInCluster) {
			return nil, errors.New("kubernetes.kubeconfig is not set, and this is no pod of a cluster; set kubernetes.kubeconfig, or leave out the layers that need a cluster")
		}
		return config, err
	}
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, fmt.Errorf("kubernetes.kubeconfig %s: %w", kubeconfig, err)
	}
	return config, nil
}

// New returns a client of a cluster. Nothing limits its rate but the API server
// itself: a region is fenced as fast as that can take it.
func New(config *rest.Config) (*Client, error) {
	config = rest.CopyConfig(config)
	config.QPS = -1
	config.Dial = (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second, Control: giveUpOnSilence}).DialContext
	config.Wrap(func(next http.RoundTripper) http.RoundTripper { return once{next} })
	dyn, err := dynamic.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client of the API server: %w", err)
	}
	return &Client{Interface: dyn, Metrics: newMetrics(), Config: config}, nil
}

// silence is for how long what was sent on a connection may stay unacknowledged before the connection is given up.
const silence = 2 * time.Second

// giveUpOnSilence has the kernel end a connection whose path has died. All requests share one (HTTP/2), and one that runs
// out of time leaves it open. TCP doubles its waits, so a path that was dead for some time would seem to be for as long
// again, and client-go looks for itself only after 45 s. An heir would be too late, and a fence too.
func giveUpOnSilence(_, _ string, conn syscall.RawConn) error {
	var failed error
	err := conn.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(silence.Milliseconds()))
	})
	return errors.Join(err, failed)
}

// A MissingKindError says that the cluster does not have a kind of object.
type MissingKindError struct{ Resource schema.GroupVersionResource }

func (e *MissingKindError) Error() string {
	return fmt.Sprintf("the API server has no %s of %s; install its CRD, or leave out the layer", e.Resource.Resource, e.Resource.GroupVersion())
}
