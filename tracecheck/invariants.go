package main

import (
	"fmt"
	"io"
	"slices"
)

// An invariant is what must hold at every line of a trace.
type invariant struct {
	name    string
	section string // of docs/protocol.md
	text    string
	assumed bool // an assumption of the protocol, which promises nothing where it breaks
}

// invariants are all that are checked.
var invariants = []invariant{
	{"clock", "§2", "a boot clock runs at true time's rate within max_clock_drift", true},
	{"lands-once", "§1", "an attempt to write lands at most once", true},
	{"acknowledged", "§1", "what a region takes for acknowledged has landed", true},
	{"witness-fresh", "§1", "a read sent staleness after a write was acknowledged returns it, or one that landed later", true},

	{"one-holder", "§2", "no two regions hold authority at one time", false},
	{"one-epoch", "§3", "no two regions hold authority for one epoch", false},

	{"write-id", "§1", "every attempt to write bears a write id that was never used", false},
	{"flag-true", "§3", "a flag says candidate or active, of an epoch for which its region is that; never that it withdraws", false},

	{"from-sending", "§2", "authority ends TTL after the sending of its base: own flags that most witnesses acknowledged in time, or questions that all others answered in time by a pledge", false},
	{"no-revival", "§2", "authority is extended only while it stands", false},
	{"fence-in-time", "§2", "layers are not told to be active from fence_timeout before the deadline on", false},
	{"activate-held", "§2", "layers are told to be active only under authority that stands, for its epoch and until its deadline", false},
	{"layers", "§2", "no layer is active when authority ends, where an agent could fence since fencing was due", false},
	{"given-up-fenced", "§4", "authority is given up only when the layers are known to be inactive", false},

	{"raise-fenced", "§4", "a region raises its flag only when its layers are known to be inactive and its own authority is gone, on disk too", false},
	{"epoch-above", "§3", "a region's epoch is above every one that it has seen of others", false},
	{"evidence-wait", "§3", "the taking read was sent longer(TTL + staleness) after the last evidence of everyone: records, pledges, answers, the start", false},
	{"settled", "§3", "the taking read was sent longer(staleness) after the own flag first stood", false},
	{"read-back", "§3", "the taking read returned the own flag, no older than the bound", false},
	{"peers-known", "§3", "a region takes by a witness that has shown it the info record of every other member", false},
	{"same-witnesses", "§1", "the majority of the witnesses that passes each of these is the same, and shows the own safety parameters of all", false},
	{"same-safety", "§3", "a region raises no flag, takes nothing and pledges nothing while another's safety parameters differ", false},
	{"veto", "§4", "a candidate has asked all others request_timeout before its taking read was due, and waited for them that long", false},

	{"every-pledge", "§4", "a region takes by pledges only when every other one has pledged, to this round of questions and its epoch", false},
	{"voided", "§4", "questions that were open when a region pledged to another one are no base", false},
	{"pledge-given", "§4", "every pledge that counts was given, after the question was sent", false},
	{"pledgers-fenced", "§4", "the layers of those who pledged are inactive when a region takes", false},
	{"pledge-unheld", "§4", "a region that pledges holds no authority, on disk neither, and its layers are known to be inactive", false},
	{"pledge-epoch", "§4", "a region pledges to no epoch below one that it has seen, nor to one that is another's", false},
	{"pledge-saved", "§4", "the epoch of a pledge is on its way to disk before the answer", false},

	{"resumed", "§5", "authority found on disk is gone on with in the same boot and term only, before its deadline and up to it", false},
	{"inherited", "§5", "an heir goes on up to TTL after its last read of the shared record that did not show the beat before the base", false},
	{"confirmed", "§5", "an instance raises its flag, takes and pledges only within term_duration of the sending of its last acknowledged beat", false},
	{"alone", "§5", "an instance pledges to a region without authority only when no other instance of its own may hold any", false},
	{"record-cleared", "§5", "authority has left the shared record before a flag is raised, or a pledge given", false},
	{"pledge-recorded", "§5", "the epoch of a pledge is on the shared record before the answer", false},
	{"pledge-of-term", "§5", "a region takes by the pledge of an instance only when it pledged to no other one of that region for longer(TTL)", false},
}

// maxFindings is how many are printed of one invariant in one world.
const maxFindings = 5

// look notes that an invariant was looked at.
func (c *checker) look(name string) { c.looked[name]++ }

// want looks at an invariant, and reports that it does not hold if so; why is called only then.
func (c *checker) want(holds bool, name string, who string, why func() string) {
	c.look(name)
	if !holds {
		c.find(name, who, why())
	}
}

func (c *checker) find(name, who, why string) {
	i := slices.IndexFunc(invariants, func(i invariant) bool { return i.name == name })
	if c.found++; invariants[i].assumed {
		c.broken++
		who += ", an assumption"
	}
	if c.foundHere[name]++; c.foundHere[name] <= maxFindings {
		c.findings = append(c.findings, fmt.Sprintf("%s, at %d, %s: %s: %s", c.world, c.at, who, name, why))
	}
}

// report says what was checked.
func (c *checker) report(to io.Writer, verbose bool) {
	fmt.Fprintf(to, "%d worlds, %d lines, %d steps of %d agents: %d takeovers, %d extensions of authority, %d resumed or inherited, %d pledges; taken at its word, as the end of a run is missing: %d; left out behind gaps: %d; findings: %d, of assumptions %d\n",
		c.worlds, c.lines, c.steps, c.started, c.takes, c.extensions, c.resumptions, c.pledges, c.trusted, c.skipped, c.found, c.broken)
	if !verbose {
		return
	}
	for _, i := range invariants {
		fmt.Fprintf(to, "%9d  %s (%s): %s\n", c.looked[i.name], i.name, i.section, i.text)
	}
}
