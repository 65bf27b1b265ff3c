package demo

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/openova-io/failoverd/lease"
)

// least is how much time a cell of the timeline stands for at least.
const least = 500 * time.Millisecond

// labelWidth is the room for the names of the lines.
const labelWidth = 10

// A Screen shows the demo: a line for each event, and below them the timeline, redrawn in place
// if Live. End draws it for the last time.
type Screen struct {
	Out     io.Writer
	Members []lease.Region
	Live    bool // Out is a terminal: the timeline is redrawn, in colour
	Width   int  // of Out, in columns

	samples []Sample
	page    bytes.Buffer // what is to be written, all at once: a terminal would flicker
	drawn   int          // lines of the timeline that stand on the terminal
	drawnAt time.Duration
}

// Event prints a line above the timeline.
func (s *Screen) Event(e Event) {
	s.erase()
	fmt.Fprintf(&s.page, "%5.1f s  %s\n", e.At.Seconds(), e.Text)
	s.redraw()
	s.flush()
}

// Sample adds to the timeline.
func (s *Screen) Sample(sample Sample) {
	s.samples = append(s.samples, sample)
	if sample.At >= s.drawnAt+least {
		s.erase()
		s.redraw()
		s.flush()
	}
}

// End draws the timeline for good, with its key.
func (s *Screen) End() {
	s.erase()
	fmt.Fprintln(&s.page)
	s.draw()
	fmt.Fprintf(&s.page, `
%[1]*[2]s%[3]s answers  %[4]s answers, though cut off  %[5]s stands by, works
%[1]*[2]s%[6]s killed, down  %[7]s frozen  %[8]s cut off  %[9]s one of them lies
%[1]*[2]sclient: blank if none answers, %[10]s if two do; a column is %.1[11]f s

`, labelWidth, "", s.paint(answers), s.paint(holdsOn), s.paint(standsBy), s.paint(isKilled), s.paint(isFrozen),
		s.paint(isCut), s.paint(oneLies), s.paint(several), s.cell().Seconds())
	s.flush()
}

func (s *Screen) redraw() {
	if s.Live && len(s.samples) > 0 {
		s.draw()
		s.drawn = len(s.Members) + len(shared)
		s.drawnAt = s.samples[len(s.samples)-1].At
	}
}

func (s *Screen) flush() {
	s.Out.Write(s.page.Bytes())
	s.page.Reset()
}

// erase takes the timeline off the terminal.
func (s *Screen) erase() {
	if s.drawn > 0 {
		fmt.Fprintf(&s.page, "\x1b[%dA\x1b[J", s.drawn)
		s.drawn = 0
	}
}

// A mark is what a cell shows.
type mark struct {
	char  string
	color int // SGR
}

var (
	answers  = mark{"█", 32}
	holdsOn  = mark{"▒", 32}
	standsBy = mark{"·", 90}
	isKilled = mark{"x", 31}
	isFrozen = mark{"*", 36}
	isCut    = mark{"/", 33}
	oneLies  = mark{"?", 35}
	nobody   = mark{" ", 0}
	several  = mark{"!", 41}
)

// shared are the lines below those of the members.
var shared = []string{"witness", "resolvers", "client"}

func (s *Screen) paint(m mark) string {
	if !s.Live || m.color == 0 {
		return m.char
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", m.color, m.char)
}

// cell is the time that a column stands for: so long that all of a demo fits.
func (s *Screen) cell() time.Duration {
	columns := time.Duration(max(20, s.Width-labelWidth-1))
	if len(s.samples) == 0 {
		return least
	}
	last := s.samples[len(s.samples)-1].At
	return max(least, (last/columns + askEvery).Truncate(askEvery))
}

func (s *Screen) draw() {
	var names []string
	for _, m := range s.Members {
		names = append(names, string(m))
	}
	names = append(names, shared...)
	lines := make([]strings.Builder, len(names))
	for i, name := range names {
		fmt.Fprintf(&lines[i], "%-*s", labelWidth, name)
	}
	for _, c := range s.cells() {
		for i := range lines {
			lines[i].WriteString(s.paint(c[i]))
		}
	}
	for i := range lines {
		fmt.Fprintln(&s.page, lines[i].String())
	}
}

// cells are the columns of the timeline: a mark for each line.
func (s *Screen) cells() [][]mark {
	var out [][]mark
	width := s.cell()
	for i := 0; i < len(s.samples); {
		end := time.Duration(len(out)+1) * width
		j := i
		for j < len(s.samples) && s.samples[j].At < end {
			j++
		}
		out = append(out, s.column(s.samples[i:j]))
		i = j
	}
	return out
}

// column is what the samples of a cell come to: the worst for the client, for a region that it
// answered, if it did, and for the rest what was so at the end.
func (s *Screen) column(samples []Sample) []mark {
	marks := make([]mark, len(s.Members), len(s.Members)+len(shared))
	witness, resolvers, client := standsBy, standsBy, answers
	for i := range s.Members {
		marks[i] = nobody
	}
	for _, sample := range samples {
		for i, m := range s.Members {
			switch {
			case slices.Contains(sample.Answered, m):
				marks[i] = answering(sample.Conditions[i])
			case marks[i] != answers && marks[i] != holdsOn:
				marks[i] = condition(sample.Conditions[i])
			}
		}
		witness, resolvers = condition(sample.Witness), condition(sample.Resolvers)
		switch {
		case len(sample.Answered) > 1:
			client = several
		case len(sample.Answered) == 0 && client != several:
			client = nobody
		}
	}
	return append(marks, witness, resolvers, client)
}

// answering is the mark of a region that answers in a condition.
func answering(c Condition) mark {
	if c == Cut || c == Isolated {
		return holdsOn
	}
	return answers
}

// condition is the mark of what does not answer.
func condition(c Condition) mark {
	switch c {
	case Killed, Down:
		return isKilled
	case Frozen:
		return isFrozen
	case Cut, Isolated:
		return isCut
	case Lying:
		return oneLies
	}
	return standsBy
}
