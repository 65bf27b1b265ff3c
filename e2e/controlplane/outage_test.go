package controlplane_test

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/openova-io/failoverd/e2e/controlplane"
)

// TestOutage freezes kube-apiserver, has it go on, kills it, and starts it again, twice.
func TestOutage(t *testing.T) {
	plane := controlplane.Start(t, 1, controlplane.Options{ControllerManager: true})[0]
	config := plane.Config()
	config.Timeout = time.Second
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	get := func(ctx context.Context) error {
		_, err := client.CoreV1().Namespaces().Get(ctx, "kube-system", metav1.GetOptions{})
		return err
	}

	kept := plane.Namespace(t)
	await(t, "it answers", get)
	for range 2 {
		plane.FreezeAPIServer(t)
		if err := get(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("frozen: error %v; want that the deadline is exceeded", err)
		}
		plane.ThawAPIServer(t)
		await(t, "it answers again", get)
		plane.KillAPIServer(t)
		await(t, "it is gone", func(ctx context.Context) error {
			if err := get(ctx); !errors.Is(err, syscall.ECONNREFUSED) {
				return fmt.Errorf("error %w; want connection refused", err)
			}
			return nil
		})
		plane.StartAPIServer(t)
		await(t, "it is there again, with what was there", func(ctx context.Context) error {
			_, err := client.CoreV1().Namespaces().Get(ctx, kept, metav1.GetOptions{})
			return err
		})
	}
}
