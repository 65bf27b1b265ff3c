package systemd

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"time"
)

// Unit is the service that the package installs.
const Unit = "failoverd.service"

// A Service is what systemd does about a process that stands still or ends, drop-ins counted in.
type Service struct {
	Command      string        // it runs
	Watchdog     time.Duration // without a ping for so long, it is killed; 0: never
	TimeoutAbort time.Duration // that it has to end by itself then
	Restart      string        // when it is started again
	RestartDelay time.Duration // after how long
	StopPost     string        // what runs whenever it has ended
}

// Show asks systemd for a service. found is false where no systemd runs, or it does not know the service.
func Show(ctx context.Context, unit string) (s Service, found bool, err error) {
	out, err := exec.CommandContext(ctx, "systemctl", "show", unit, "--property=LoadState,ExecStart,WatchdogUSec,TimeoutAbortUSec,Restart,RestartUSec,ExecStopPost").Output()
	if exit := (*exec.ExitError)(nil); errors.Is(err, exec.ErrNotFound) || errors.As(err, &exit) && ctx.Err() == nil {
		return Service{}, false, nil // as in a container: it says that the system was not booted with it
	}
	if err != nil {
		return Service{}, false, fmt.Errorf("ask systemd for %s: %w", unit, err)
	}
	properties := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		properties[name] = value
	}
	if properties["LoadState"] != "loaded" {
		return Service{}, false, nil
	}
	s = Service{Command: properties["ExecStart"], Restart: properties["Restart"], StopPost: properties["ExecStopPost"]}
	for name, into := range map[string]*time.Duration{"WatchdogUSec": &s.Watchdog, "TimeoutAbortUSec": &s.TimeoutAbort, "RestartUSec": &s.RestartDelay} {
		if *into, err = span(properties[name]); err != nil {
			return Service{}, false, fmt.Errorf("systemctl show %s: %s: %w", unit, name, err)
		}
	}
	if s.Watchdog == forever {
		s.Watchdog = 0
	}
	return s, true, nil
}

// forever stands for what never passes, and for all that takes days. It can be added up.
const forever = 24 * time.Hour

// span reads a time as systemctl prints it (systemd.time(7)), such as "1min 30s".
func span(text string) (time.Duration, error) {
	if text == "infinity" {
		return forever, nil
	}
	parts := strings.Fields(text)
	if len(parts) > 0 && slices.Contains([]string{"y", "month", "w", "d"}, strings.TrimLeft(parts[0], "0123456789")) {
		return forever, nil
	}
	d, err := time.ParseDuration(strings.ReplaceAll(strings.Join(parts, ""), "min", "m"))
	if err != nil {
		return 0, fmt.Errorf("found %q, expected a time such as 1min 30s", text)
	}
	return min(d, forever), nil
}
