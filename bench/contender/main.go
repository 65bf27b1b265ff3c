// Command contender is a program of a user's own that elects its leader by a library, as the library's documentation has it:
// by k8s.io/client-go/tools/leaderelection, or by go.etcd.io/etcd/client/v3/concurrency. While it leads it acts: every 10 ms it
// appends what the machine's boot clock shows to a file, 8 bytes in one write.
//
// GET /healthy answers 200 while it leads, as it knows, and 503 otherwise. SIGUSR1 has the leader step down, and stand again.
package main

import (
	"context"
	"encoding/binary"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/client/v3/concurrency"
	"golang.org/x/sys/unix"
	"k8s.io/apimachinery/pkg/util/uuid"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
)

// every is how often a leader acts.
const every = 10 * time.Millisecond

var (
	by   = flag.String("by", "", "leaderelection (client-go) or election (etcd)")
	name = flag.String("name", "", "the identity of this candidate")
	acts = flag.String("acts", "", "the file that a leader writes to")
	ttl  = flag.Duration("ttl", 0, "client-go: LeaseDuration; etcd: the session's TTL, in whole seconds")

	kubeconfig = flag.String("kubeconfig", "", "client-go: the file")
	server     = flag.String("server", "", "client-go: the URL of kube-apiserver, instead of the kubeconfig's")
	deadline   = flag.Duration("renew-deadline", 0, "client-go: RenewDeadline")
	retry      = flag.Duration("retry-period", 0, "client-go: RetryPeriod")
	release    = flag.Bool("release-on-cancel", false, "client-go: ReleaseOnCancel")

	endpoints = flag.String("endpoints", "", "etcd: the URLs of the members, with commas between")
)

func main() {
	flag.Parse()
	log.Fatal(run())
}

// run runs for as long as it can, and says why it can't.
func run() error {
	file, err := os.OpenFile(*acts, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c := &candidate{file: file, stepDown: make(chan os.Signal, 1)}
	signal.Notify(c.stepDown, syscall.SIGUSR1)
	http.HandleFunc("GET /healthy", c.healthy)
	go http.Serve(listener, nil)
	log.Printf("starting: api=%v", listener.Addr())
	switch *by {
	case "leaderelection":
		return c.leaderElection()
	case "election":
		return c.election()
	}
	return fmt.Errorf("-by %q: it is leaderelection or election", *by)
}

type candidate struct {
	file     *os.File
	leading  atomic.Bool
	stepDown chan os.Signal
}

func (c *candidate) healthy(w http.ResponseWriter, _ *http.Request) {
	if !c.leading.Load() {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// act is what a leader does, until the context is done, or it is to step down.
func (c *candidate) act(ctx context.Context) {
	log.Print("leading")
	c.leading.Store(true)
	defer log.Print("not leading")
	defer c.leading.Store(false)
	tick := time.NewTicker(every)
	defer tick.Stop()
	for ctx.Err() == nil {
		// By the machine's clock: this program's own may be made to run fast.
		var now unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &now); err != nil {
			log.Fatalf("read CLOCK_BOOTTIME: %v", err)
		}
		if _, err := c.file.Write(binary.NativeEndian.AppendUint64(nil, uint64(now.Nano()))); err != nil {
			log.Fatal(err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		case <-c.stepDown:
			return
		}
	}
}

// leaderElection is as client-go's examples/leader-election, but where that one exits, to be started again by Kubernetes, this one
// stands again, as somebody else. Its identity and its lock are made as those of Kubernetes' own components are.
func (c *candidate) leaderElection() error {
	config, err := clientcmd.BuildConfigFromFlags(*server, *kubeconfig)
	if err != nil {
		return err
	}
	for {
		identity := *name + "_" + string(uuid.NewUUID())
		lock, err := resourcelock.NewFromKubeconfig(resourcelock.LeasesResourceLock, "default", "contender",
			resourcelock.ResourceLockConfig{Identity: identity}, config, *deadline)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithCancel(context.Background())
		acted := make(chan struct{})
		leaderelection.RunOrDie(ctx, leaderelection.LeaderElectionConfig{
			Lock: lock, LeaseDuration: *ttl, RenewDeadline: *deadline, RetryPeriod: *retry, ReleaseOnCancel: *release,
			Callbacks: leaderelection.LeaderCallbacks{
				OnStartedLeading: func(ctx context.Context) {
					c.act(ctx)
					// "You MUST ensure that any code you have that is protected by the lease must terminate before you call cancel."
					steppedDown := ctx.Err() == nil
					cancel()
					if steppedDown {
						// Released, it would be ours again at once: the others look every RetryPeriod, and later by chance.
						time.Sleep(*ttl)
					}
					close(acted)
				},
				OnStoppedLeading: func() {},
			},
		})
		cancel()
		<-acted
	}
}

// election is as the examples of etcd's package concurrency. A session that is over is not used again.
func (c *candidate) election() error {
	client, err := clientv3.New(clientv3.Config{Endpoints: strings.Split(*endpoints, ","), DialTimeout: 5 * time.Second})
	if err != nil {
		return err
	}
	for {
		if err := c.stand(client); err != nil {
			log.Print(err)
			time.Sleep(time.Second)
		}
	}
}

// stand stands for as long as a session lasts.
func (c *candidate) stand(client *clientv3.Client) error {
	session, err := concurrency.NewSession(client, concurrency.WithTTL(int(*ttl/time.Second)))
	if err != nil {
		return err
	}
	defer session.Close()
	election := concurrency.NewElection(session, "/contender")
	for {
		if err := election.Campaign(session.Ctx(), *name); err != nil {
			return err
		}
		c.act(session.Ctx())
		if err := election.Resign(session.Ctx()); err != nil { // the session is over, most likely
			return err
		}
	}
}
