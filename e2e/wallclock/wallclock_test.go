package wallclock

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// program says what time it is when it is asked, and whether time goes on as ever meanwhile; it has a timer that fires, which has the
// runtime itself ask for the time.
const program = `package main

import (
	"bufio"
	"fmt"
	"os"
	"time"
)

func main() {
	begin := time.Now()
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		<-time.After(time.Millisecond)
		fmt.Println(time.Now().Unix(), time.Since(begin) < time.Minute)
	}
}
`

// TestSet builds such a program, and sets its clock while it runs.
func TestSet(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	build := append([]string{"build", "-o", filepath.Join(dir, "say")}, Overlay(t)...)
	if out, err := exec.Command("go", append(build, filepath.Join(dir, "main.go"))...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	clock := New(t)
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "say"))
	cmd.Env = append(os.Environ(), clock.Env())
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	lines := bufio.NewScanner(out)
	for _, by := range []time.Duration{0, 24 * time.Hour, -90 * 24 * time.Hour, 0} {
		clock.Set(t, by)
		from := time.Now().Add(by).Unix()
		if _, err := fmt.Fprintln(in); err != nil || !lines.Scan() {
			t.Fatalf("it does not answer: %v", err)
		}
		to := time.Now().Add(by).Unix()
		said, monotonic, _ := strings.Cut(lines.Text(), " ")
		at, err := strconv.ParseInt(said, 10, 64)
		if err != nil || at < from || at > to || monotonic != "true" {
			t.Errorf("set by %v: it says %q, want a time from %d to %d, and true", by, lines.Text(), from, to)
		}
	}
}
