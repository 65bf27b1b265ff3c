package controlplane

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"

	"github.com/go-logr/logr"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/controller-runtime/pkg/envtest"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// setLogger gives controller-runtime a logger: without one it complains on standard error.
var setLogger = sync.OnceFunc(func() { log.SetLogger(logr.Discard()) })

// startAPIServer starts etcd and kube-apiserver, and installs the CRDs.
func (p *Plane) startAPIServer(crds []*apiextensionsv1.CustomResourceDefinition) error {
	etcd, err := dieWithUs(p.dir, "etcd")
	if err != nil {
		return err
	}
	apiserver, err := dieWithUs(p.dir, "kube-apiserver")
	if err != nil {
		return err
	}
	certs := filepath.Join(p.dir, "certs")
	if err := os.Mkdir(certs, 0o700); err != nil {
		return err
	}
	logFile, err := os.Create(filepath.Join(p.dir, "apiserver.log"))
	if err != nil {
		return err
	}

	env := &envtest.Environment{ControlPlaneStartTimeout: startTimeout, ControlPlaneStopTimeout: startTimeout}
	env.ControlPlane.Etcd = &envtest.Etcd{Path: etcd, DataDir: filepath.Join(p.dir, "etcd-data"), Out: logFile, Err: logFile}
	server := env.ControlPlane.GetAPIServer()
	server.Path, server.CertDir, server.Out, server.Err = apiserver, certs, logFile, logFile
	// envtest's own range has room for 254 Services.
	server.Configure().Set("service-cluster-ip-range", "10.96.0.0/16")
	env.CRDInstallOptions.MaxTime = startTimeout
	for _, crd := range crds {
		env.CRDs = append(env.CRDs, crd.DeepCopy()) // installing one writes to it, and another plane has the same
	}

	started := make(chan error, 1)
	go func() {
		// The programs die with the thread that started them, so that has to stay for as long as they do.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer logFile.Close()
		config, err := env.Start()
		if err == nil {
			p.config = config
			err = errors.Join(os.WriteFile(p.Kubeconfig, env.KubeConfig, 0o600), p.readArgs())
		}
		if err != nil {
			started <- errors.Join(fmt.Errorf("start kube-apiserver and etcd: %w\n%s", err, tail(logFile.Name())), env.Stop())
			return
		}
		started <- nil
		<-p.quit
		err = env.Stop()
		if errors.Is(err, syscall.ESRCH) || errors.Is(err, os.ErrProcessDone) {
			err = nil // KillAPIServer was faster than envtest noticed
		}
		p.ended <- err
	}()
	return <-started
}

// tail is the end of a log, for an error.
func tail(file string) []byte {
	log, err := os.ReadFile(file)
	if err != nil {
		return []byte(err.Error())
	}
	return log[max(0, len(log)-4096):]
}
