package supervisor

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/unit"
)

// A Unit is what of a service's unit file a [Service] goes by. A field that is set to zero is a line that is not there.
type Unit struct {
	Start    []string // ExecStart
	StopPost []string // ExecStopPost
	Restart  bool     // Restart=always

	RestartDelay, Watchdog, TimeoutAbort, TimeoutStart time.Duration // RestartSec, WatchdogSec, ...
}

// Read reads a unit file. It refuses one of which something is not as a [Service] has it.
func Read(path string) (u Unit, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read the unit %s: %w", path, err)
		}
	}()
	f, err := os.Open(path)
	if err != nil {
		return u, err
	}
	defer f.Close()
	options, err := unit.DeserializeOptions(f)
	if err != nil {
		return u, err
	}
	has := map[string]string{}
	for _, o := range options {
		if _, twice := has[o.Name]; twice && strings.HasPrefix(o.Name, "Exec") {
			return u, fmt.Errorf("it has %s twice, expected once", o.Name)
		}
		has[o.Name] = o.Value
	}
	for name, want := range map[string]string{"Type": "notify", "Restart": "always", "StartLimitIntervalSec": "0", "TimeoutStartFailureMode": "kill"} {
		if has[name] != want {
			err = errors.Join(err, fmt.Errorf("it has %s=%s, expected %s", name, has[name], want))
		}
	}
	u = Unit{Start: strings.Fields(has["ExecStart"]), StopPost: strings.Fields(strings.TrimPrefix(has["ExecStopPost"], "-")), Restart: true}
	for name, into := range map[string]*time.Duration{
		"RestartSec": &u.RestartDelay, "WatchdogSec": &u.Watchdog, "TimeoutAbortSec": &u.TimeoutAbort, "TimeoutStartSec": &u.TimeoutStart,
	} {
		d, bad := time.ParseDuration(has[name]) // seconds are written alike
		if bad != nil || d <= 0 {
			err = errors.Join(err, fmt.Errorf("it has %s=%s, expected a time in seconds, such as 5s", name, has[name]))
		}
		*into = d
	}
	return u, err
}

// For has the unit run a program with a configuration, instead of those that are installed.
func (u Unit) For(program, configuration string) Unit {
	replace := func(of []string) (argv []string) {
		for _, word := range of {
			switch word {
			case "/usr/bin/failoverd":
				word = program
			case "/etc/failoverd/failoverd.yaml":
				word = configuration
			}
			argv = append(argv, word)
		}
		return argv
	}
	u.Start, u.StopPost = replace(u.Start), replace(u.StopPost)
	return u
}

// Scaled has all times so many times as long.
func (u Unit) Scaled(by float64) Unit {
	for _, d := range []*time.Duration{&u.RestartDelay, &u.Watchdog, &u.TimeoutAbort, &u.TimeoutStart} {
		*d = time.Duration(by * float64(*d))
	}
	return u
}
