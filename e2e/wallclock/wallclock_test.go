package wallclock

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

const program = `package main

import (
	"fmt"
	"time"
)

func main() {
	begin := time.Now()
	fmt.Println(begin.Unix(), time.Since(begin) < time.Minute)
}
`

// TestSet builds a program that says what time it is, and sets its clock.
func TestSet(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "main.go"), program)
	say := exec.Command("go", "build", "-overlay", Overlay(t), "-o", filepath.Join(dir, "say"), filepath.Join(dir, "main.go"))
	if out, err := say.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	clock := New(t)
	for _, by := range []time.Duration{0, 24 * time.Hour, -90 * 24 * time.Hour, 0} {
		clock.Set(t, by)
		cmd := exec.Command(filepath.Join(dir, "say"))
		cmd.Env = append(os.Environ(), clock.Env())
		from := time.Now().Add(by).Unix()
		out, err := cmd.Output()
		to := time.Now().Add(by).Unix()
		if err != nil {
			t.Fatal(err)
		}
		said, monotonic, _ := strings.Cut(strings.TrimSpace(string(out)), " ")
		at, err := strconv.ParseInt(said, 10, 64)
		if err != nil || at < from-1 || at > to+1 || monotonic != "true" {
			t.Errorf("set by %v: it says %q, want a time from %d to %d, and true", by, out, from, to)
		}
	}
}
