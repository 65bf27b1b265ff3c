package daemon

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"
)

// ticksPerSecond is USER_HZ, which is 100 on every architecture that Go runs on.
const ticksPerSecond = 100

// CPU is the processor time that the process has used: utime and stime of proc(5).
func (p *Process) CPU(tb testing.TB) time.Duration {
	tb.Helper()
	return time.Duration(p.stat(tb, 14)+p.stat(tb, 15)) * time.Second / ticksPerSecond
}

// RSS is the memory of the process that is resident, in bytes.
func (p *Process) RSS(tb testing.TB) int64 {
	tb.Helper()
	return p.stat(tb, 24) * int64(os.Getpagesize())
}

// stat is a field of /proc/PID/stat that is a number, as proc(5) counts them. The second one, the name, may have spaces in it.
func (p *Process) stat(tb testing.TB, field int) int64 {
	tb.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID()))
	if err != nil {
		tb.Fatalf("daemon: the process has ended: %v", err)
	}
	n, err := strconv.ParseInt(string(bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])[field-3]), 10, 64)
	if err != nil {
		tb.Fatalf("daemon: field %d of %s: %v", field, stat, err)
	}
	return n
}
