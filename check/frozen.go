package check

import (
	"fmt"
	"strings"
	"time"

	"github.com/openova-io/failoverd/lease"
	"github.com/openova-io/failoverd/systemd"
)

// AgentStart is what an agent takes from its start until it goes on with the authority on disk, or fences: where some
// stands it asks nobody before.
const AgentStart = 2 * time.Second

// Frozen is what an agent that is frozen while its region is active is judged by: the switches that end that, or act in
// its place. No software does so in the agent itself.
type Frozen struct {
	Params    lease.Params     // with a TermDuration, if the region has other instances
	Watchdog  time.Duration    // after which the kernel's resets this machine; 0: none does
	OnCluster bool             // layers are objects of a cluster, which the reset of a machine leaves as they are
	Service   *systemd.Service // that runs the agent; nil: none
	Pod       bool             // the agent is in one: what the kubelet does about it is not seen from here
	Elsewhere bool             // the agent may run on another host than this one
}

// Findings adds up for each switch when it has ended the freeze, counted from the last renewal, for a witness that answers.
// Without one that is in time the last of them is a problem: the layers of a frozen agent outlive its authority.
func (f Frozen) Findings() (found []Finding) {
	p := f.Params
	add := func(level Level, asked, got, remedy string) {
		found = append(found, Finding{Level: level, Asked: asked, Got: got, Remedy: remedy})
	}
	inTime := false
	if p.TermDuration > 0 {
		inTime = true // else Params are not valid
		heirs := 2 * p.Longer(p.TermDuration).Round(100*time.Millisecond)
		add(OK, "other instances", fmt.Sprintf("renew_interval %v + 2 longer(term_duration) %v = %v after the last renewal, of ttl - fence_timeout %v: another one goes on, or fences, if at least two run, on different nodes",
			p.RenewInterval, heirs, p.RenewInterval+heirs, p.FenceStart()), "")
	}
	if s := f.Service; s != nil {
		sum := p.RenewInterval + s.Watchdog + s.TimeoutAbort + s.RestartDelay + AgentStart
		told := fmt.Sprintf("renew_interval %v + WatchdogSec %v + TimeoutAbortSec %v + RestartSec %v + %v to start = %v after the last renewal, of ttl - fence_timeout %v",
			p.RenewInterval, s.Watchdog, s.TimeoutAbort, s.RestartDelay, AgentStart, sum, p.FenceStart())
		switch {
		case s.Watchdog == 0:
			add(Warning, "systemd's watchdog", systemd.Unit+" has no WatchdogSec: nobody notices that the agent is frozen", "set WatchdogSec=5s and TimeoutAbortSec=1s, as in the unit that comes with it")
		case s.Restart != "always":
			add(Warning, "systemd's watchdog", fmt.Sprintf("%s has Restart=%s: an agent that is killed is not started again, and does not fence", systemd.Unit, s.Restart), "set Restart=always")
		case sum > p.FenceStart():
			add(Warning, "systemd's watchdog", told+": too late", fmt.Sprintf("shorten WatchdogSec, TimeoutAbortSec or RestartSec by %v, or renew_interval", sum-p.FenceStart()))
		default:
			inTime = true
			add(OK, "systemd's watchdog", told+": the agent that is started again goes on, or fences", "")
		}
		if strings.Contains(s.StopPost, "fence") {
			add(OK, "ExecStopPost", "an agent that can't be started again is fenced for", "")
		} else {
			add(Warning, "ExecStopPost", "none that fences: if the agent can't be started again, its layers stay active", "set ExecStopPost=-/usr/bin/failoverd fence --if-due --config FILE, as in the unit that comes with it")
		}
	}
	switch {
	case f.Watchdog == 0:
	case f.OnCluster:
		add(Warning, "the kernel's watchdog", "it resets this machine, which leaves the layers in the cluster as they are", "rely on other instances for those")
	default:
		inTime = true
		add(OK, "the kernel's watchdog", fmt.Sprintf("it resets this machine, with the layers on it, by the end of authority, %v", p.TTL), "")
	}
	if inTime {
		return found
	}
	left := p.FenceStart() - p.RenewInterval
	switch outlives := fmt.Sprintf("layers may stay active for as long as the agent is frozen, and another region takes %v after the last renewal", p.EarliestTakeover().Round(100*time.Millisecond)); {
	case f.Pod:
		add(Warning, "a frozen agent", fmt.Sprintf("the liveness probe is not known here; it has to end the agent, and start it again, within %v", left), "keep the probe of the chart, or run several instances (section instances)")
	case f.Elsewhere:
		add(Warning, "a frozen agent", "nothing in this file ends it in time", fmt.Sprintf("run check where the agent runs, under systemd, or run several instances (section instances): else %s", outlives))
	default:
		add(Problem, "a frozen agent", "nothing ends it in time: "+outlives,
			fmt.Sprintf("run several instances (section instances), or install %s, which starts it again within %v, or, if all layers are on this machine, set watchdog", systemd.Unit, left))
	}
	return found
}
