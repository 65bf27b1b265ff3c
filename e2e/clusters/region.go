package clusters

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// regionNames are the regions, in the order of their numbers, which begin at 1.
var regionNames = []string{"fsn", "hel"}

// startTimeout is far above what a start takes, which is 20 s on two busy cores.
const startTimeout = 5 * time.Minute

// Options say what is different from the usual.
type Options struct {
	// Network, if it is not nil, gives the nodes another pod network than the CNI bridge plugin and kube-proxy. It is called
	// for each region, at the same time, at every start, once the API server answers and containerd runs. It has to write a
	// CNI configuration into Path("cni"), at the latest when its own pod network is ready; the node is Ready only then.
	Network func(tb testing.TB, r *Region)

	// Prepare, if it is not empty, is a shell script that the first process of each region runs before anything else, in the
	// namespaces of the region: for mounts.
	Prepare string
}

// A Region is one cluster with one node, which is called as the region is.
type Region struct {
	Name       string
	IP         string // of the node, and of the API server
	Dir        string // of all its files
	Kubeconfig string // path of a file by which a program gets at it as its administrator

	number  int // 1 or 2: pods are 10.244.number.0/24, Services 10.96.number.0/24
	options Options
	config  *rest.Config
	init    *exec.Cmd // the first process of the region; nil while it is dead
}

// Up starts both regions at once and returns when their nodes are Ready. They run until the test binary ends, whatever test
// has started them, and that can be done once.
func Up(tb testing.TB, options Options) []*Region {
	tb.Helper()
	dir := os.Getenv(dirVariable)
	if dir == "" {
		tb.Fatal("clusters: this is not the hub: TestMain has to be clusters.Main")
	}
	var regions []*Region
	for i, name := range regionNames {
		r := &Region{Name: name, Dir: filepath.Join(dir, name), IP: fmt.Sprintf("10.90.0.%d", i+1), number: i + 1, options: options}
		r.Kubeconfig = r.Path("kubeconfig")
		if err := r.make(); err != nil {
			tb.Fatalf("clusters: make %s: %v", name, err)
		}
		regions = append(regions, r)
	}
	var starting sync.WaitGroup
	for _, r := range regions {
		starting.Go(func() { r.Start(tb) })
	}
	starting.Wait()
	if tb.Failed() {
		tb.FailNow()
	}
	return regions
}

// make writes the region's files and connects it.
func (r *Region) make() (err error) {
	if err := r.write(); err != nil {
		return err
	}
	if err := r.connect(); err != nil {
		return err
	}
	r.config, err = clientcmd.BuildConfigFromFlags("", r.Kubeconfig)
	return err
}

// Path is the path of one of the region's files.
func (r *Region) Path(name string) string { return filepath.Join(r.Dir, name) }

// Config is how to get at the region as its administrator. The caller may change it.
func (r *Region) Config() *rest.Config { return rest.CopyConfig(r.config) }

// Client is a client of the region, with the timeout that a dead or cut off region asks for.
func (r *Region) Client(tb testing.TB) kubernetes.Interface {
	tb.Helper()
	config := r.Config()
	config.Timeout = 10 * time.Second
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		tb.Fatalf("clusters: %v", err)
	}
	return client
}

// Start starts a region that is not there yet, or was killed, and returns when its node is Ready.
func (r *Region) Start(tb testing.TB) {
	tb.Helper()
	r.Boot(tb)
	r.WaitReady(tb)
}

// Boot starts a region and returns when its API server answers.
func (r *Region) Boot(tb testing.TB) {
	tb.Helper()
	script, err := find("clusters/region.sh")
	if err != nil {
		tb.Fatalf("clusters: %v", err)
	}
	bin, err := find("bin")
	if err != nil {
		tb.Fatalf("clusters: %v", err)
	}
	console, err := os.OpenFile(r.Path("log/console"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		tb.Fatalf("clusters: %v", err)
	}
	defer console.Close()
	proxy := "kube-proxy"
	if r.options.Network != nil {
		proxy = ""
	}
	cmd := exec.Command("nsenter", "--net="+r.Netns(), script, r.Dir, bin, r.IP, fmt.Sprint(r.number), proxy)
	cmd.Stdout, cmd.Stderr = console, console
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "KUBECONFIG=" + r.Kubeconfig}
	// The script is the first process of its namespace, so all that it starts dies with it.
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID}
	begun := time.Now()
	if err := cmd.Start(); err != nil {
		tb.Fatalf("clusters: start %s: %v", r.Name, err)
	}
	r.init = cmd
	client := r.Client(tb)
	r.Await(tb, "its API server answers", func(ctx context.Context) error {
		return client.CoreV1().RESTClient().Get().AbsPath("/readyz").Do(ctx).Error()
	})
	tb.Logf("clusters: the API server of %s answers after %.1f s", r.Name, time.Since(begun).Seconds())
	if r.options.Network != nil {
		r.options.Network(tb, r)
	}
}

// WaitReady waits until the node is Ready.
func (r *Region) WaitReady(tb testing.TB) {
	tb.Helper()
	begun, client := time.Now(), r.Client(tb)
	r.Await(tb, "its node is Ready", func(ctx context.Context) error {
		node, err := client.CoreV1().Nodes().Get(ctx, r.Name, metav1.GetOptions{})
		if err != nil {
			return err
		}
		for _, c := range node.Status.Conditions {
			// What a kubelet said that is dead by now counts for nothing.
			if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue && time.Since(c.LastHeartbeatTime.Time) < time.Since(begun)+time.Second {
				return nil
			}
		}
		return errors.New("it is not Ready")
	})
	tb.Logf("clusters: the node of %s is Ready after another %.1f s", r.Name, time.Since(begun).Seconds())
}

// Await waits until something succeeds, for as long as the region lives.
func (r *Region) Await(tb testing.TB, what string, is func(context.Context) error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	for {
		err := is(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			tb.Fatalf("clusters: %s: waited %v in vain until %s: %v; its logs are in %s", r.Name, startTimeout, what, err, r.Path("log"))
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// Kill ends all that runs in the region at once, and returns when it is gone: as by a loss of power, but that what was
// written to disk stays. Its link stays as it is.
func (r *Region) Kill(tb testing.TB) {
	tb.Helper()
	if err := r.init.Process.Kill(); err != nil {
		tb.Fatalf("clusters: kill %s: %v", r.Name, err)
	}
	_ = r.init.Wait() // killed is how it is to end
	r.init = nil
}

// Command is a program that is to run inside the region, on its node: in its network, mount and process namespace. It dies
// with the region.
func (r *Region) Command(ctx context.Context, argv ...string) *exec.Cmd {
	args := []string{"--target", fmt.Sprint(r.init.Process.Pid), "--net", "--mount", "--pid", "--"}
	cmd := exec.CommandContext(ctx, "nsenter", append(args, argv...)...)
	cmd.Env = r.init.Env
	return cmd
}

// Kubectl runs kubectl on the region, with a text as its standard input, and returns what it prints.
func (r *Region) Kubectl(tb testing.TB, stdin string, args ...string) string {
	tb.Helper()
	kubectl, err := find("bin/kubectl")
	if err != nil {
		tb.Fatalf("clusters: %v", err)
	}
	ctx, cancel := context.WithTimeout(tb.Context(), startTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, kubectl, append([]string{"--kubeconfig", r.Kubeconfig}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		tb.Fatalf("clusters: %s: kubectl %q: %v\n%s", r.Name, args, err, stderr.String())
	}
	return string(out)
}

// find is the path of a file below e2e, which is found upwards from the working folder: `go test` sets that to the folder of
// the package under test.
func find(name string) (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for filepath.Base(dir) != "e2e" {
		if dir == filepath.Dir(dir) {
			return "", errors.New("tests that use clusters live below e2e/")
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("%w; run e2e/clusters/setup.sh", err)
	}
	return path, nil
}
