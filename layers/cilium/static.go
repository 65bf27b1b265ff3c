package cilium

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/openova-io/failoverd/layers"
	"github.com/openova-io/failoverd/layers/kube"
)

// A staticFile is the group's policy as a file in the directory that the agent of this node
// watches. Nil is none.
//
// The agent ends itself when a file there can't be parsed, and also when one that it has
// been told of can't be read: a file that is removed soon after it was written, or while the
// agent starts. So a file is only ever renamed into place, whole and on disk, and never
// removed: to activate, a policy without effect takes the fence's place.
//
// A disk that hangs holds nobody up longer than the context. What was begun can't be stopped
// then: whatever comes later waits for it, so that the newest order has the last word.
type staticFile struct {
	dir, name string
	busy      chan struct{} // has something in it while the file is read or written
}

func newStaticFile(dir, name string) *staticFile {
	return &staticFile{dir, name, make(chan struct{}, 1)}
}

// fence puts the fence into place, also after ctx has ended: a disk that is slow gets there
// in the end, and it can't come after what a later order writes.
func (f *staticFile) fence(ctx context.Context, group string, spec map[string]any, order layers.Order) error {
	return f.do(ctx, func() error {
		has, _ := f.read() // what can't be read is written anew
		if has == nil {
			has = &unstructured.Unstructured{}
		}
		return f.write(context.WithoutCancel(ctx), newPolicy(group, kube.FencedEpoch(has, order), spec))
	})
}

// check refuses an order to activate that is older than the file.
func (f *staticFile) check(ctx context.Context, order layers.Order) error {
	return f.do(ctx, func() error {
		has, err := f.read()
		if has == nil || err != nil {
			return nil // activate says so
		}
		if err := kube.CheckEpoch(has, order); err != nil {
			return fmt.Errorf("the static policy %s: %w", f.path(), err)
		}
		return nil
	})
}

// activate puts a policy without effect into the place of a fence. What can't be read may
// be one. It begins nothing more when ctx has ended: the API server may have the next fence
// by then.
func (f *staticFile) activate(ctx context.Context, group string, order layers.Order) error {
	return f.do(ctx, func() error {
		has, err := f.read()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		epoch := ""
		if err == nil {
			epoch = has.GetAnnotations()[kube.EpochAnnotation]
		}
		if epoch == "" {
			epoch = kube.ActiveEpoch(order)
		}
		return f.write(ctx, newPolicy(group, epoch, idleSpec()))
	})
}

// do runs op, one at a time, where a disk that hangs can't hold the caller up.
func (f *staticFile) do(ctx context.Context, op func() error) error {
	if f == nil {
		return nil
	}
	done := make(chan error, 1)
	select {
	case f.busy <- struct{}{}:
		go func() {
			err := op()
			<-f.busy
			done <- err
		}()
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("the static policy %s: the disk does not answer: %w", f.path(), context.Cause(ctx))
	}
}

func (f *staticFile) path() string { return filepath.Join(f.dir, f.name+".yaml") }

func (f *staticFile) read() (*unstructured.Unstructured, error) {
	text, err := os.ReadFile(f.path())
	if err != nil {
		return nil, err
	}
	policy := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(text, &policy.Object); err != nil {
		return nil, err
	}
	return policy, nil
}

// write puts a policy into place, unless it is there already or ctx has ended.
func (f *staticFile) write(ctx context.Context, policy *unstructured.Unstructured) error {
	text, err := yaml.Marshal(policy.Object)
	if err != nil {
		return err
	}
	if has, err := os.ReadFile(f.path()); err == nil && bytes.Equal(has, text) {
		return nil
	}
	if err := f.replace(ctx, text); err != nil {
		return fmt.Errorf("write the static policy %s: %w; layers.cilium.static_policies must be the directory of cilium-agent's --static-cnp-path, and failoverd's user has to be able to write there (under systemd, ReadWritePaths= of a drop-in)", f.path(), err)
	}
	return nil
}

func (f *staticFile) replace(ctx context.Context, text []byte) error {
	temporary := f.path() + ".tmp" // the agent looks at .yaml only
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	// Without Sync a power cut could leave an empty file behind, and an agent that can't
	// start. The context comes after all that may take long.
	err = errors.Join(err, file.Sync(), file.Close(), ctx.Err())
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, f.path()); err != nil {
		return err
	}
	dir, err := os.Open(f.dir)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
