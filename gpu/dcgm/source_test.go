//go:build cgo && linux

package dcgm_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openova-io/failoverd/gpu"
	"github.com/openova-io/failoverd/gpu/dcgm"
	"github.com/openova-io/failoverd/lease"
)

// read reads once, with a deadline that only a library that hangs reaches.
func read(t testing.TB, s *dcgm.Source) ([]gpu.Reading, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return s.Read(ctx)
}

func mustRead(t testing.TB, s *dcgm.Source) []gpu.Reading {
	t.Helper()
	readings, err := read(t, s)
	if err != nil {
		t.Fatal(err)
	}
	return readings
}

// TestRead reads 8 GPUs in each of the ways to reach a host engine.
func TestRead(t *testing.T) {
	for _, engine := range []string{"", "localhost:5555", "/run/nvidia/dcgm.sock"} {
		t.Run(engine, func(t *testing.T) {
			script(t, gpus(8)...)
			s := open(t, engine)
			if first := mustRead(t, s); first[0].Watches.Known {
				t.Error("got health watches after the first time of asking, which never tells anything")
			}
			readings := mustRead(t, s)
			if len(readings) != 8 {
				t.Fatalf("got %d GPUs, want 8", len(readings))
			}
			want := gpu.Reading{
				Device:      gpu.Device{UUID: "GPU-00000003", Index: 3, Model: "NVIDIA H100 80GB HBM3", Node: "gpu-1"},
				Utilisation: gpu.Known(55), MemoryUsed: gpu.Known(1024), MemoryFree: gpu.Known(80000), Temperature: gpu.Known(41),
				Power: gpu.Known(123.5), SMClock: gpu.Known(1980), ThrottleReasons: gpu.Known(0), Uncorrectable: gpu.Known(0), RemapFailed: gpu.Known(0),
				XIDs: gpu.XIDs{Known: true}, Watches: gpu.Watches{Known: true},
			}
			if got := readings[3]; !reflect.DeepEqual(got, want) {
				t.Errorf("got %+v\nwant %+v", got, want)
			}
		})
	}
}

// storm is a storm of errors of programs on GPU 0, with one fatal error in it.
func storm() (lines []string) {
	for i := range 500 {
		xid := []int{13, 31, 43, 45}[i%4]
		if i == 250 {
			xid = 79
		}
		lines = append(lines, fmt.Sprintf("xid 0 %d %d", xid, 1000+i))
	}
	return lines
}

// TestFaults has the stand-in do what it is told, and tells what becomes of two GPUs: the
// one of which the fault is, and another one.
func TestFaults(t *testing.T) {
	var blank []string
	for _, field := range []int{203, 252, 251, 150, 155, 100, 112, 311, 395, 230} {
		blank = append(blank, fmt.Sprintf("value 0 %d i %d", field, int64(0x7ffffffffffffff0)))
	}
	var noStatus, nonsense []string
	for _, field := range []int{203, 252, 251, 150, 155, 100, 112, 311, 395, 230} {
		noStatus = append(noStatus, fmt.Sprintf("status 0 %d -6", field))
		nonsense = append(nonsense, fmt.Sprintf("value 0 %d %s", field, []string{"i -5", "d nan", "d 140737488355329", "d -inf", "s hot", "b x"}[field%6]))
	}
	for _, tt := range []struct {
		name  string
		fault []string // beside two GPUs of which all is well
		want  string   // of the two, or the error
	}{
		{"none", nil, "healthy, healthy"},
		{"slow", []string{"slow dcgmHealthCheck 50", "slow dcgmGetLatestValuesForFields 50"}, "healthy, healthy"},
		{"the host engine restarts", []string{"engine 2"}, "error: list GPUs: Host engine connection invalid/disconnected"},
		{"the host engine is gone", []string{"engine 0"}, "error: list GPUs: Host engine connection invalid/disconnected"},
		{"another version of the API", []string{"fail dcgmHealthCheck -12"}, "error: ask the health watches: API version mismatch"},
		{"values fail", []string{"fail dcgmGetLatestValuesForFields -11"}, "error: read GPU 0: error watching fields: Timeout"},
		{"XIDs fail", []string{"fail dcgmGetValuesSince_v2 -3"}, "error: read XIDs: dcgmGetValuesSince_v2 failed with error code -3"},
		{"no XID ever", []string{"fail dcgmGetValuesSince_v2 -14"}, "healthy, healthy"},
		{"blank values", blank, "healthy, healthy"}, // its XIDs and health watches are known
		{"values with a status", noStatus, "healthy, healthy"},
		{"values that no GPU can have", nonsense, "healthy, healthy"},
		{"no name", []string{"value 0 54 s <<<NOT_SUPPORTED>>>"}, "unknown, healthy"},
		{"a name that is none", []string{"value 0 54 s GPU\x01\x1b[31m"}, "unknown, healthy"},
		{"no GPU", []string{"gpus 0"}, "unknown, unknown"},
		{"one GPU is gone", []string{"gpus 1"}, "healthy, unknown"},
		{"more GPUs than it can have", []string{"count dcgmGetAllSupportedDevices 1000"}, "error: DCGM's answer makes no sense"},
		{"fewer than none", []string{"count dcgmGetAllSupportedDevices -1"}, "error: DCGM's answer makes no sense"},
		{"more incidents than it can have", []string{"count dcgmHealthCheck 5000"}, "error: DCGM's answer makes no sense"},
		{"XID 79", []string{"xid 0 79 1000"}, "unhealthy xid_fatal, healthy"},
		{"XID 79 by the latest value", []string{"value 0 230 i 79"}, "unhealthy xid_fatal, healthy"},
		{"XID 79 by a policy violation", []string{"violate 0 79"}, "unhealthy xid_fatal, healthy"},
		{"XIDs of programs", []string{"xid 0 13 1000", "xid 0 31 1001", "xid 0 43 1002"}, "healthy, healthy"},
		{"an XID storm", storm(), "unhealthy xid_fatal, healthy"},
		{"an XID that is none", []string{fmt.Sprintf("xid 0 %d 1000", int64(1)<<40)}, "healthy, healthy"},
		{"uncorrectable errors", []string{"value 0 311 i 2"}, "unhealthy uncorrectable_errors, healthy"},
		{"remapping fails", []string{"value 0 395 i 1"}, "unhealthy uncorrectable_errors, healthy"},
		{"a health watch fails", []string{"incident 0 20 page retirement pending"}, "unhealthy health_watch, healthy"},
		{"a health watch warns", []string{"incident 0 10 a warning"}, "healthy, healthy"},
		{"throttled", []string{"value 0 112 i 0x40"}, "unhealthy thermal_throttling, healthy"},
		{"full", []string{"value 0 251 i 1", "value 0 252 i 80000"}, "unhealthy memory_pressure, healthy"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			script(t, gpus(2)...)
			s := open(t, "localhost:5555")
			// A minute of its own between readings: what they say lasts.
			m, now := gpu.NewMonitor(3*time.Minute), lease.Instant(0)
			judge := func() string {
				now = now.Add(time.Minute)
				readings, err := read(t, s)
				if err != nil {
					return "error: " + err.Error()
				}
				m.Read(now, readings)
				return describe(m.Judge(now))
			}
			for range 3 {
				if got := judge(); got != "healthy, healthy" {
					t.Fatalf("before the fault: got %s, want both healthy", got)
				}
			}
			script(t, append(besides(tt.fault), tt.fault...)...)
			got := ""
			await(t, func() bool { got = judge(); return strings.HasPrefix(got, tt.want) }, func() string { return fmt.Sprintf("got %s, want %s", got, tt.want) })
			for range 5 { // what stays bad does not become something else
				if again := judge(); again != got && !strings.HasPrefix(again, "error") && tt.name != "the host engine restarts" {
					t.Errorf("then: got %s, want %s still", again, got)
				}
			}
			// Faults of the source are over when it is well again, at the next reading or the one after.
			if strings.HasPrefix(tt.want, "error") {
				script(t, gpus(2)...)
				await(t, func() bool { got = judge(); return got == "healthy, healthy" }, func() string { return "after the fault: got " + got })
			}
		})
	}
}

// besides is two GPUs of which all is well, unless the fault says how many there are.
func besides(fault []string) []string {
	lines := gpus(2)
	if len(fault) > 0 && strings.HasPrefix(fault[0], "gpus") {
		return lines[1:]
	}
	return lines
}

func describe(states []gpu.State) string {
	var all []string
	for _, s := range states {
		is := string(s.Condition)
		for _, c := range s.Causes {
			is += " " + string(c.Cause)
		}
		all = append(all, is)
	}
	return strings.Join(all, ", ")
}

// await waits until done says so, and fails if that does not come.
func await(t *testing.T, done func() bool, got func() string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !done() {
		if time.Now().After(deadline) {
			t.Fatal(got())
		}
		runtime.Gosched()
	}
}

// TestHangs has each function hang. Reads end with their contexts, no thread is left
// behind but the one that hangs, and once it goes on readings come again.
func TestHangs(t *testing.T) {
	for _, function := range []string{
		"dcgmStartEmbedded", "dcgmInit", "dcgmGroupCreate", "dcgmWatchFields", "dcgmUpdateAllFields", "dcgmHealthSet", "dcgmPolicyRegister_v2",
		"dcgmGetAllSupportedDevices", "dcgmGetLatestValuesForFields", "dcgmGetValuesSince_v2", "dcgmHealthCheck",
	} {
		t.Run(function, func(t *testing.T) {
			script(t, plus(gpus(2), "hang "+function)...)
			s := open(t, "")
			before := runtime.NumGoroutine()
			for range 20 {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
				readings, err := s.Read(ctx)
				cancel()
				if err == nil || !strings.Contains(err.Error(), "has not answered") || readings != nil {
					t.Fatalf("got %v and %v, want no readings and that it has not answered", readings, err)
				}
			}
			if got := runtime.NumGoroutine(); got > before+2 {
				t.Errorf("got %d goroutines after 20 reads, %d before", got, before)
			}
			script(t, gpus(2)...)
			var err error
			await(t, func() bool {
				var readings []gpu.Reading
				readings, err = read(t, s)
				return err == nil && len(readings) == 2
			}, func() string { return fmt.Sprint("after it hung: ", err) })
		})
	}
}

// TestFrozen finds a host engine that answers from memory, and reads the GPUs no more.
func TestFrozen(t *testing.T) {
	script(t, gpus(2)...)
	s := open(t, "localhost:5555")
	mustRead(t, s)
	script(t, plus(gpus(2), "frozen")...)
	got := 2
	await(t, func() bool { got = len(mustRead(t, s)); return got == 0 }, func() string { return fmt.Sprintf("got %d GPUs read, want none", got) })
	script(t, gpus(2)...)
	if got := len(mustRead(t, s)); got != 2 {
		t.Errorf("got %d GPUs read when it goes on, want 2", got)
	}
}

// TestReconnects connects more often than a host engine has groups to give.
func TestReconnects(t *testing.T) {
	script(t, gpus(2)...)
	s := open(t, "localhost:5555")
	for i := range 200 {
		script(t, plus(gpus(2), fmt.Sprint("engine ", i%2+1))...)
		if i > 0 {
			if _, err := read(t, s); err == nil {
				t.Fatalf("restart %d was not seen", i)
			}
		}
		mustRead(t, s)
	}
}

// TestLibraries runs processes that find no library, and one that lacks a function.
func TestLibraries(t *testing.T) {
	old := t.TempDir()
	if err := build(old, "-DWITHOUT_POLICY_SET"); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ dir, want string }{
		{t.TempDir(), "0 readings, error: load DCGM's library: libdcgm.so.4: cannot open shared object file"},
		{old, "0 readings, error: libdcgm.so.4 has no function dcgmPolicySet"},
	} {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "LD_LIBRARY_PATH="+tt.dir, childVariable+"=1")
		out, err := child.CombinedOutput()
		if err != nil || !strings.HasPrefix(string(out), tt.want) {
			t.Errorf("got %q (%v), want %q", out, err, tt.want)
		}
	}
}

// TestCost prints what reading 8 GPUs takes. The stand-in itself is in it.
func TestCost(t *testing.T) {
	script(t, gpus(8)...)
	s := open(t, "localhost:5555")
	m := gpu.NewMonitor(time.Minute)
	mustRead(t, s)
	const reads = 300
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	began := cpu(t)
	for i := range reads {
		now := lease.Instant(0).Add(time.Duration(i) * time.Second)
		m.Read(now, mustRead(t, s))
		m.Judge(now)
	}
	took := cpu(t) - began
	runtime.ReadMemStats(&after)
	runtime.GC()
	var kept runtime.MemStats
	runtime.ReadMemStats(&kept)
	t.Logf("8 GPUs: %v of CPU and %d KiB allocated a reading (%d readings); %.2f%% of a CPU at one a second; %d KiB more in the heap at the end",
		(took / reads).Round(time.Microsecond), (after.TotalAlloc-before.TotalAlloc)/reads>>10, reads, 100*(took/reads).Seconds(),
		(int64(kept.HeapAlloc)-int64(before.HeapAlloc))>>10)
	if len(m.Judge(lease.Instant(0).Add(reads*time.Second))) != 8 {
		t.Error("not all GPUs were read")
	}
}

// cpu is how much of a CPU this process has used.
func cpu(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
