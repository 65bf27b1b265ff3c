package cnpg

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/openova-io/failoverd/layers/kube"
)

// releaseAll lets the instances run again of Clusters that were stopped when they were to
// become primaries, and had not: CloudNativePG demotes none then, and so lifts nothing.
// What fails is tried again the next time.
func (l *Layer) releaseAll(ctx context.Context, clusters []cluster) {
	all(len(clusters), func(i int) {
		if c := clusters[i]; roleOf(c) == demoting && c.stoppedByUs() && !c.switching() && !c.mayWrite() {
			_ = l.release(ctx, c)
		}
	})
}

// release lets the instances of one Cluster run, if all of them have stopped, and are
// standbys by their files: then none can become a primary any more.
func (l *Layer) release(ctx context.Context, c cluster) error {
	of, err := l.instances.of(ctx, c)
	if err != nil {
		return err
	}
	for i := range of {
		answer, err := l.instances.ask(ctx, c.GetNamespace(), of[i].GetName())
		if err != nil {
			return err
		}
		if answer.IsPrimary || !answer.down() {
			return fmt.Errorf("instance %s is a primary, or runs", of[i].GetName())
		}
	}
	if len(of) == 0 {
		return fmt.Errorf("it has no instance to ask")
	}
	lift(c)
	_, err = l.client.Resource(clusters).Namespace(c.GetNamespace()).Update(ctx, c.Unstructured, metav1.UpdateOptions{FieldManager: kube.FieldManager})
	return err
}
