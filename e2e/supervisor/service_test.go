package supervisor_test

import (
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"

	"github.com/openova-io/failoverd/e2e/supervisor"
)

const pingTime = 1500 * time.Millisecond

// TestMain is the service too, which does what its second argument says.
func TestMain(m *testing.M) {
	if len(os.Args) < 3 || os.Args[1] != "service" {
		os.Exit(m.Run())
	}
	say := func(what string) {
		if sent, err := daemon.SdNotify(false, what); err != nil || !sent {
			os.Exit(99)
		}
	}
	every, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		os.Exit(98)
	}
	switch os.Args[2] {
	case "fails":
		os.Exit(3)
	case "hangs":
		select {}
	case "silent":
		signal.Ignore(syscall.SIGABRT)
		say(daemon.SdNotifyReady)
		select {}
	}
	say(daemon.SdNotifyReady)
	for range time.Tick(every / 3) {
		say(daemon.SdNotifyWatchdog)
	}
}

// TestService runs services that come to harm in each way, and reads what is done about it.
func TestService(t *testing.T) {
	for _, tt := range []struct {
		what    string // the service does
		harm    func(t *testing.T, s *supervisor.Service)
		restart bool
		want    []string // the events' first words
		tells   string   // ExecStopPost
	}{
		{what: "fails", restart: true, want: []string{"started", "ended", "ExecStopPost", "to be", "started"}, tells: "exit-code exited 3"},
		{what: "fails", want: []string{"started", "ended", "ExecStopPost"}, tells: "exit-code exited 3"},
		{what: "hangs", restart: true, want: []string{"started", "it is not ready", "ended", "ExecStopPost", "to be", "started"}, tells: "timeout killed KILL"},
		{what: "silent", restart: true, want: []string{"started", "ready", "it does not ping", "it does not end", "ended", "ExecStopPost", "to be", "started"}, tells: "watchdog killed KILL"},
		{what: "pings", restart: true, harm: func(t *testing.T, s *supervisor.Service) { freeze(t, s) },
			want: []string{"started", "ready", "it does not ping", "ended", "ExecStopPost", "to be", "started", "ready"}, tells: "watchdog exited 2"},
		{what: "pings", harm: func(t *testing.T, s *supervisor.Service) {
			if err := s.Process().Kill(); err != nil {
				t.Error(err)
			}
		}, want: []string{"started", "ready", "ended", "ExecStopPost"}, tells: "signal killed KILL"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			told := filepath.Join(t.TempDir(), "told")
			s := supervisor.Start(t, tt.what, supervisor.Unit{
				Start:    []string{os.Args[0], "service", tt.what},
				StopPost: []string{"/bin/sh", "-c", `echo "$SERVICE_RESULT $EXIT_CODE $EXIT_STATUS" >>"$0"`, told},
				Restart:  tt.restart, RestartDelay: 50 * time.Millisecond,
				Watchdog: pingTime, TimeoutAbort: limit(tt.what == "silent"), TimeoutStart: limit(tt.what == "hangs"),
			})
			if tt.harm != nil {
				await(t, "it is ready", func() bool { return len(events(s)) > 1 })
				<-time.After(2 * pingTime) // it is let alone for as long as it pings
				if got := events(s); len(got) != 2 {
					t.Fatalf("it pings, and the events are %q; want it started and ready, and no more", got)
				}
				tt.harm(t, s)
			}
			await(t, "what follows", func() bool { return len(events(s)) >= len(tt.want) })
			if got := events(s)[:len(tt.want)]; !slices.EqualFunc(got, tt.want, strings.HasPrefix) {
				t.Errorf("got the events\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
			if !tt.restart {
				<-s.Ended()
				if got := events(s); len(got) != len(tt.want) {
					t.Errorf("it is not to be started again: %q", got)
				}
			}
			got, err := os.ReadFile(told)
			if err != nil {
				t.Fatal(err)
			}
			if first, _, _ := strings.Cut(string(got), "\n"); first != tt.tells {
				t.Errorf("ExecStopPost is told %q, want %q", first, tt.tells)
			}
		})
	}
}

// limit is one that a service comes to, or one that it does not.
func limit(comes bool) time.Duration {
	if comes {
		return 200 * time.Millisecond
	}
	return time.Minute
}

func freeze(t *testing.T, s *supervisor.Service) {
	if err := s.Process().Freeze(t.Context()); err != nil {
		t.Error(err)
	}
}

// events are what was done, late or not.
func events(s *supervisor.Service) (all []string) {
	for _, e := range s.Events(0) {
		all = append(all, e.What)
	}
	return all
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	limit := time.After(time.Minute)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("waited a minute in vain: %s", what)
		}
	}
}

// TestRead reads the unit that is shipped, and one that is not as a Service has it.
func TestRead(t *testing.T) {
	const path = "../../systemd/failoverd.service"
	u, err := supervisor.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	u = u.For("/program", "/configuration").Scaled(0.5)
	if got, want := strings.Join(u.Start, " "), "/program run --config /configuration"; got != want {
		t.Errorf("it starts %q, want %q", got, want)
	}
	if got, want := strings.Join(u.StopPost, " "), "/program fence --if-due --config /configuration"; got != want {
		t.Errorf("when it has stopped it runs %q, want %q", got, want)
	}
	if want := 2500 * time.Millisecond; u.Watchdog != want {
		t.Errorf("half of WatchdogSec is %v, want %v", u.Watchdog, want)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, change := range [][2]string{{"Type=notify", "Type=exec"}, {"Restart=always", "Restart=on-failure"}, {"WatchdogSec=5s", ""}, {"RestartSec=1s", "RestartSec=soon"}} {
		other := filepath.Join(t.TempDir(), "failoverd.service")
		if err := os.WriteFile(other, []byte(strings.Replace(string(content), change[0], change[1], 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(change[0], "=")
		if _, err := supervisor.Read(other); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s instead of %s: got the error %v, want one that names %s", change[1], change[0], err, name)
		}
	}
}
