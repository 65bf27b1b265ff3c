package dnsload

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

// stat are the fields of /proc/PID/stat from the third on.
func stat(t *testing.T, pid int) [][]byte {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Fields(data[bytes.LastIndexByte(data, ')')+1:])
}

func number(t *testing.T, field []byte) int64 {
	t.Helper()
	n, err := strconv.ParseInt(string(field), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// cpu is the processor time that a process has used.
func cpu(t *testing.T, pid int) time.Duration {
	t.Helper()
	f := stat(t, pid)
	return time.Duration(number(t, f[11])+number(t, f[12])) * time.Second / ticksPerSecond
}

// rss is the memory of a process, in bytes.
func rss(t *testing.T, pid int) int64 {
	t.Helper()
	return number(t, stat(t, pid)[21]) * int64(os.Getpagesize())
}
