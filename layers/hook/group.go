package hook

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// killLimit is how long a process may take to end after SIGKILL. Only one that
// hangs in the kernel (a dead disk or mount), or that runs as another user, gets
// over it.
const killLimit = 2 * time.Second

// killGroup kills what is left of a process group and returns when all of it
// has ended. The caller keeps the group's leader from being reaped meanwhile.
func killGroup(pgid int) error {
	for start := time.Now(); ; {
		// Its error says nothing that the list does not: EPERM where one member may
		// not be killed.
		unix.Kill(-pgid, unix.SIGKILL)
		left, err := running(pgid)
		if err != nil {
			return fmt.Errorf("look for what its children left running: %w", err)
		}
		if len(left) == 0 {
			return nil
		}
		if time.Since(start) > killLimit {
			return fmt.Errorf("its processes %v still run %v after SIGKILL: it may still take effect", left, killLimit)
		}
		time.Sleep(time.Millisecond) // there is no event for the end of another's child
	}
}

// running lists the processes of a group that have not ended. Children of the
// daemon that have are reaped on the way, but for the leader: where the daemon
// is the init of a container, a command's orphans become its own.
func running(pgid int) ([]int, error) {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	var left []int
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue // not a process
		}
		b, err := os.ReadFile("/proc/" + name + "/stat")
		if err != nil {
			continue // it has ended meanwhile
		}
		s, ok := parseStat(b)
		switch {
		case !ok || s.pgrp != pgid:
		case s.state != 'Z' && s.state != 'X':
			left = append(left, pid)
		case s.ppid == os.Getpid() && pid != pgid:
			unix.Wait4(pid, nil, unix.WNOHANG, nil)
		}
	}
	return left, nil
}

type procStat struct {
	state byte
	ppid  int
	pgrp  int
}

// parseStat reads what is needed of /proc/PID/stat: "PID (COMM) STATE PPID PGRP
// ...", where COMM may hold anything, blanks and brackets too.
func parseStat(b []byte) (s procStat, ok bool) {
	f := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
	if len(f) < 3 || len(f[0]) != 1 {
		return s, false
	}
	var err1, err2 error
	s.state = f[0][0]
	s.ppid, err1 = strconv.Atoi(string(f[1]))
	s.pgrp, err2 = strconv.Atoi(string(f[2]))
	return s, err1 == nil && err2 == nil
}
