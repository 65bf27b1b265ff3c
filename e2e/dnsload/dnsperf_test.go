package dnsload

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/openova-io/failoverd/e2e/daemon"
)

// A load is what dnsperf is to do.
type load struct {
	queries  []string      // "name type"
	duration time.Duration // queries are repeated until then; 0: each once
	rate     int           // a second; 0: as many as there are answers to, 100 of them outstanding
	flood    bool          // as many as can be sent, answered or not
}

// figures are what dnsperf says.
type figures struct {
	sent, completed, lost int
	perSecond             float64
	rcodes                string // "NOERROR 20 (100.00%)"
}

var (
	sentLine      = regexp.MustCompile(`Queries sent:\s+(\d+)`)
	completedLine = regexp.MustCompile(`Queries completed:\s+(\d+)`)
	lostLine      = regexp.MustCompile(`Queries lost:\s+(\d+)`)
	rateLine      = regexp.MustCompile(`Queries per second:\s+([\d.]+)`)
	rcodesLine    = regexp.MustCompile(`Response codes:\s+(.*)`)
)

// start starts dnsperf against a server.
func (l load) start(t *testing.T, server string) *daemon.Process {
	t.Helper()
	file := filepath.Join(t.TempDir(), "queries")
	if err := os.WriteFile(file, []byte(strings.Join(l.queries, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	host, port, _ := strings.Cut(server, ":")
	args := []string{find(t, "dnsperf"), "-s", host, "-p", port, "-d", file, "-e", "-t", "2", "-W"}
	if l.duration == 0 {
		args = append(args, "-n", "1")
	} else {
		args = append(args, "-l", fmt.Sprint(l.duration.Seconds()))
	}
	if l.rate > 0 {
		args = append(args, "-Q", strconv.Itoa(l.rate))
	}
	if l.flood {
		args = append(args, "-q", "60000") // it does not wait for answers
	}
	p, err := daemon.StartProcess(args...)
	if err != nil {
		t.Fatalf("start dnsperf: %v", err)
	}
	t.Cleanup(func() { _ = p.Kill() })
	return p
}

// run runs dnsperf to its end.
func (l load) run(t *testing.T, server string) figures {
	t.Helper()
	return finish(t, l.start(t, server))
}

// finish waits for dnsperf's end.
func finish(t *testing.T, p *daemon.Process) (f figures) {
	t.Helper()
	code, err := p.Wait(t.Context())
	out, errors := p.Output()
	if err != nil || code != 0 {
		t.Fatalf("dnsperf: exit code %d, %v\n%s%s", code, err, out, errors)
	}
	field := func(line *regexp.Regexp) string {
		m := line.FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("dnsperf does not say %v; does this version print something else?\n%s", line, out)
		}
		return m[1]
	}
	for line, to := range map[*regexp.Regexp]*int{sentLine: &f.sent, completedLine: &f.completed, lostLine: &f.lost} {
		if *to, err = strconv.Atoi(field(line)); err != nil {
			t.Fatal(err)
		}
	}
	if f.perSecond, err = strconv.ParseFloat(field(rateLine), 64); err != nil {
		t.Fatal(err)
	}
	if m := rcodesLine.FindStringSubmatch(out); m != nil { // not said where nothing was answered
		f.rcodes = m[1]
	}
	return f
}

// find is the path of a program of e2e/setup.sh; Debian puts servers where users' PATH does not look.
func find(t *testing.T, program string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/local/sbin", "/usr/sbin", "/sbin") {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed; run e2e/setup.sh", program)
	return ""
}
