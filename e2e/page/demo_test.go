package page_test

import (
	"context"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/openova-io/failoverd/e2e/daemon"
)

// testDemo has the demo run in a terminal, and looks at the pages that it tells of. That gaps keep to their bounds is not asserted:
// this machine may be busy.
func testDemo(t *testing.T, binaries daemon.Binaries) {
	term := newTerminal(t, 86, 40, binaries.Daemon+" demo")
	var addresses []string
	await(t, "it tells of its pages", func(context.Context) bool {
		addresses = nil
		for _, found := range regexp.MustCompile(`the page of \w+: http://(127\.0\.0\.1:\d+)/`).FindAllStringSubmatch(term.text(), -1) {
			addresses = append(addresses, found[1])
		}
		// From then on no agent is dead for long.
		return len(addresses) == 3 && strings.Contains(term.text(), "starts again")
	}, term.text)
	b := newBrowser(t)
	tabs, heads := []*tab{}, []map[string]bool{}
	for _, address := range addresses {
		tabs, heads = append(tabs, b.open(address, look{width: 1100, height: 900})), append(heads, map[string]bool{})
	}
	taken := false
	look := func() {
		for i, tab := range tabs {
			head := tab.headline()
			heads[i][head] = true
			if !taken && i > 0 && head != "" && strings.Contains(head, "is active") && strings.Contains(tab.text(), "does not answer") {
				taken = true
				tab.accessible("demo")
				tab.shot("demo-page")
			}
		}
	}
	for _, what := range []string{"is cut off from the witness, as the only one", "ended with"} {
		await(t, "the terminal says: "+what, func(context.Context) bool {
			look()
			return strings.Contains(term.text(), what)
		}, term.text)
	}
	for i, seen := range heads {
		active := 0
		for head := range seen {
			if strings.HasSuffix(head, " is active") {
				active++
			}
		}
		if active < 2 {
			t.Errorf("in all of the demo the page at %s has said no more than %v, want two regions active, one after the other", addresses[i], seen)
		}
		t.Logf("the page at %s has said %v", addresses[i], seen)
	}
	if text := term.text(); !strings.Contains(text, ", two 0\n") {
		t.Errorf("the terminal has:\n%s", text)
	}
	for _, tab := range tabs {
		tab.await("it says that the agent is gone", func() bool { return strings.HasPrefix(tab.headline(), "Cut off") })
		tab.quiet()
	}
	term.shot(b, "demo-terminal")
}

// A terminal is one in which a command runs, by tmux.
type terminal struct {
	t      *testing.T
	socket string
}

func newTerminal(t *testing.T, columns, rows int, command string) terminal {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Fatal("tmux is missing; run e2e/setup.sh, or install Debian's package tmux")
	}
	term := terminal{t, filepath.Join(t.TempDir(), "tmux")}
	// It stays when the command has ended, so that it can be looked at.
	term.tmux("-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(columns), "-y", fmt.Sprint(rows), command+"; echo; echo ended with $?; exec cat")
	t.Cleanup(func() { term.tmux("kill-server") })
	return term
}

func (term terminal) tmux(args ...string) string {
	term.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", term.socket}, args...)...).CombinedOutput()
	if err != nil {
		term.t.Fatalf("tmux %v: %v: %s", args, err, out)
	}
	return string(out)
}

// text is all that the terminal has shown.
func (term terminal) text() string { return term.tmux("capture-pane", "-p", "-S", "-") }

// shot keeps a picture of the terminal, up to the report, where the flag says.
func (term terminal) shot(b *browser, name string) {
	if *shots == "" {
		return
	}
	text, _, _ := strings.Cut(term.tmux("capture-pane", "-e", "-p", "-S", "-"), "What was done")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `<!DOCTYPE html><meta charset="utf-8"><style>body{margin:0;background:#14181d}pre{margin:0;padding:14px 18px;color:#dfe5ea;font:13px/1.3 "DejaVu Sans Mono",monospace}</style><pre>%s</pre>`, colored(strings.TrimRight(text, "\n")))
	}))
	defer server.Close()
	tab := b.open(strings.TrimPrefix(server.URL, "http://"), look{width: 760, height: 200})
	tab.shot(name)
}

// colored is a text with the colours of a terminal as HTML.
func colored(text string) string {
	colors := map[string]string{"31": "#f2777a", "32": "#8fce7f", "33": "#f0c674", "35": "#cc99cc", "36": "#66cccc", "41": "#ff5f5f", "90": "#7d8791"}
	var out strings.Builder
	for i, part := range strings.Split(text, "\x1b[") {
		if i > 0 {
			code, rest, _ := strings.Cut(part, "m")
			out.WriteString("</span>")
			part = rest
			if color, known := colors[code]; known {
				fmt.Fprintf(&out, `<span style="color:%s">`, color)
			} else {
				out.WriteString("<span>")
			}
		} else {
			out.WriteString("<span>")
		}
		out.WriteString(html.EscapeString(part))
	}
	return out.String() + "</span>"
}
