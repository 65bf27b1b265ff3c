// Tracecheck judges by a trace of the lease protocol whether it was kept. A trace is what the regions of a group were
// told, what they did, and when, as their journals and the simulator have it.
//
// It knows the protocol by docs/protocol.md, whose sections the comments name (§), and has nothing of the code that it
// judges: it imports the standard library alone, and a test sees to that. Each invariant has a name ([invariants]). It
// judges safety, not liveness: that nobody takes is no finding.
//
//	tracecheck [-v] [FILE...]      # or standard input
//
// It ends with exit code 0 if all invariants hold, 1 if one does not, 2 if the trace can't be read or makes no sense,
// and 3 if nothing is wrong but that an assumption of the protocol was broken, by a witness or a clock.
//
// # The trace
//
// A trace is JSON lines in the order of time. An object "world" begins a group: what came before is forgotten.
//
//	{"world":"seed 7","clock":"true","complete":true}
//
// clock says what "at" is in the lines behind it: "true" time, which no region knows, or the one "boot" clock of the
// machine that all agents run on. A trace that is not complete may lack the last steps of an agent that was killed. All
// other lines are about a region, or one of its agents, at a time in nanoseconds:
//
//	{"at":5,"region":"fsn","agent":"fsn1","params":{...},"step":{"now":7,"event":{"type":"Start","with":{...}},"actions":[...]}}
//	{"at":5,"region":"fsn","agent":"fsn1","step":{"now":9,"event":{...},"actions":[...]}}
//	{"at":5,"region":"fsn","agent":"fsn1","gap":true}          steps are missing, up to the next Start
//	{"at":5,"region":"fsn","agent":"fsn1","still":true}        it is dead, frozen or cut off from its layers; or false: it can act again
//	{"at":5,"region":"fsn","layers":true}                      some layer of the region may be active; or false: none is
//	{"at":5,"region":"fsn","landed":{"witness":0,"write_id":"..."}}
//
// params and step are the bodies that docs/audit.md has, of the kinds run and step. Lines with "hidden":true, and those
// behind them, are of a world in which an epoch may go unseen (a record that nobody can read): two regions may come to
// use one. Where nothing tells that an agent can act, layers are not judged, and without landings the witness is not.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

func main() {
	verbose := flag.Bool("v", false, "say how often each invariant was looked at")
	flag.Usage = func() {
		fmt.Fprintln(os.Stderr, "usage: tracecheck [-v] [FILE...]")
		flag.PrintDefaults()
	}
	flag.Parse()
	os.Exit(run(flag.Args(), *verbose, os.Stdin, os.Stdout, os.Stderr))
}

// run checks files, or stdin if there are none, and returns the exit code.
func run(files []string, verbose bool, stdin io.Reader, stdout, stderr io.Writer) int {
	c := newChecker()
	err := readAll(c, files, stdin)
	for _, f := range c.findings {
		fmt.Fprintln(stdout, f)
	}
	if err != nil {
		fmt.Fprintln(stderr, "tracecheck:", err)
		return 2
	}
	c.report(stdout, verbose)
	switch {
	case c.found > c.broken:
		return 1
	case c.found > 0:
		return 3
	}
	return 0
}

func readAll(c *checker, files []string, stdin io.Reader) error {
	if len(files) == 0 {
		return read(c, "standard input", stdin)
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err == nil {
			err = errors.Join(read(c, name, f), f.Close())
		}
		if err != nil {
			return err
		}
	}
	return nil
}
