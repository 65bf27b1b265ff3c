package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/openova-io/failoverd/agent/bootclock"
	"github.com/openova-io/failoverd/lease"
)

// clockProgram says what its clocks show when it is asked, and then waits for a tenth of a second by each of them.
const clockProgram = `package main

import (
	"bufio"
	"fmt"
	"os"
	"time"

	"github.com/openova-io/failoverd/agent/bootclock"
)

func main() {
	timer, err := bootclock.Clock{}.NewTimer()
	if err != nil {
		panic(err)
	}
	begun := time.Now()
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		from, due := time.Now(), bootclock.Clock{}.Now().Add(100*time.Millisecond)
		fmt.Println(int64(bootclock.Clock{}.Now()), int64(from.Sub(begun)), from.UnixNano())
		timer.Set(due)
		<-timer.C()
		late := bootclock.Clock{}.Now().Sub(due)
		<-time.After(100 * time.Millisecond)
		fmt.Println(int64(late), int64(time.Since(from)))
	}
}
`

// TestFastClock builds such a program, and has its clocks run fast. What passed by them between two answers is compared with
// what passed, which is known within what it took to ask.
func TestFastClock(t *testing.T) {
	const rate = 1.5
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(clockProgram), 0o600); err != nil {
		t.Fatal(err)
	}
	build := append([]string{"build", "-o", filepath.Join(dir, "clock")}, ClockFlags(t)...)
	if out, err := exec.Command("go", append(build, filepath.Join(dir, "main.go"))...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "clock"))
	cmd.Env = append(os.Environ(), ClockEnv(t, rate)...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
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
	hear := func(what ...any) {
		t.Helper()
		if !lines.Scan() {
			t.Fatalf("it does not answer: %v\n%s", lines.Err(), stderr.String())
		}
		if _, err := fmt.Sscan(lines.Text(), what...); err != nil {
			t.Fatalf("it says %q: %v", lines.Text(), err)
		}
	}
	type answer struct {
		asked, heard     lease.Instant
		boot, mono, wall int64
	}
	var first answer
	for i := range 10 {
		var a answer
		a.asked = bootclock.Clock{}.Now()
		if _, err := fmt.Fprintln(in); err != nil {
			t.Fatal(err)
		}
		hear(&a.boot, &a.mono, &a.wall)
		a.heard = bootclock.Clock{}.Now()
		var late, both time.Duration
		hear((*int64)(&late), (*int64)(&both))
		if late < 0 || both < 200*time.Millisecond {
			t.Errorf("a timer of 100 ms fires %v late, another after %v in all: that is early", late, both)
		}
		if i == 0 {
			first = a
			continue
		}
		least, most := a.asked.Sub(first.heard).Seconds(), a.heard.Sub(first.asked).Seconds()
		t.Logf("between %.3f and %.3f s pass; by the monotonic clock %v; two timers fire after %v", least, most, time.Duration(a.mono-first.mono), both)
		for clock, passed := range map[string]int64{"boot": a.boot - first.boot, "monotonic": a.mono - first.mono, "wall": a.wall - first.wall} {
			const tolerance = 0.001
			if by := time.Duration(passed).Seconds(); by < least*rate-tolerance || by > most*rate+tolerance {
				t.Errorf("%.3f s pass by its %s clock, want %v times %.3f to %.3f s", by, clock, rate, least, most)
			}
		}
	}
}
