package mirror

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/layers/kube"
	"github.com/openova-io/failoverd/lease"
)

// What operators write on the Lease to command, where that is allowed, and what they read there.
const (
	commandAnnotation = "failover.openova.io/command" // as on the command line: switchover --to hel
	reasonAnnotation  = "failover.openova.io/reason"
	answerAnnotation  = "failover.openova.io/answer"
)

// commandAge is how old a command may be when it is found: one that was given to an agent that was down is not
// what its author wants any more.
const commandAge = 5 * time.Minute

// maxCommand is the longest command that is looked at: the answer has it again, and an object bears no more than so much.
const maxCommand = 512

var errCommand = errors.New("want it as on the command line: switchover --to REGION, takeover [--peer-is-fenced REGION], approve, deny --for TIME, pause --for TIME or resume")

// Obey has the mirror pass on what people command by annotations of the Lease. Whoever may update that may command:
// without Obey nothing does. It is called before Run.
func (m *Mirror) Obey(command func(context.Context, audit.Command) error) { m.command = command }

// An asked is what somebody has written on the Lease.
type asked struct {
	text, reason string
	by           string    // the field manager
	at           time.Time // zero if that is not known
}

// is reports whether two are the same.
func (c *asked) is(other *asked) bool {
	return other != nil && c.text == other.text && c.reason == other.reason && c.by == other.by && c.at.Equal(other.at)
}

// takeCommand takes a command off a Lease that is about to be written; nil if there is none.
func (m *Mirror) takeCommand(o *unstructured.Unstructured) *asked {
	annotations := o.GetAnnotations()
	text := strings.TrimSpace(annotations[commandAnnotation])
	if m.command == nil || text == "" {
		return nil
	}
	c := &asked{text: text, reason: annotations[reasonAnnotation]}
	for _, f := range o.GetManagedFields() {
		if f.FieldsV1 != nil && f.Time != nil && strings.Contains(f.FieldsV1.GetRawString(), `"f:`+commandAnnotation+`"`) {
			c.by, c.at = f.Manager, f.Time.Time
		}
	}
	delete(annotations, commandAnnotation)
	delete(annotations, reasonAnnotation)
	o.SetAnnotations(annotations)
	return c
}

// obey does what was asked, now that nobody else can find it, and returns what to answer.
func (m *Mirror) obey(ctx context.Context, c *asked, requested lease.RequestKind, now time.Time) string {
	said, err := c.parse(requested)
	switch {
	case err != nil:
	case now.Sub(c.at) > commandAge:
		err = fmt.Errorf("it was written at %s, and is good for %v: write it again", c.at.UTC().Format(time.RFC3339), commandAge)
	default:
		err = m.command(ctx, said)
	}
	answer := "done, or begun"
	if err != nil {
		answer = err.Error()
	}
	return m.answered(c, answer, now)
}

// lost is what to answer to a command that is gone, and was not obeyed.
func (m *Mirror) lost(c *asked, now time.Time) string {
	return m.answered(c, "not obeyed: the API server's answer was lost when it was taken off the Lease: write it again", now)
}

func (m *Mirror) answered(c *asked, answer string, now time.Time) string {
	m.cfg.Log.Warn("command on the Lease", "command", c.text, "by", c.by, "operator_says", c.reason, "answer", answer)
	return fmt.Sprintf("%s %.*s: %s", now.UTC().Format(time.RFC3339), maxCommand, c.text, answer)
}

// parse reads a command as the command line spells it. An approval is of what the region asks for now.
func (c *asked) parse(requested lease.RequestKind) (audit.Command, error) {
	words := strings.Fields(c.text)
	if !slices.Contains([]string{"switchover", "takeover", "approve", "deny", "pause", "resume"}, words[0]) || len(c.text) > maxCommand {
		return audit.Command{}, errCommand
	}
	said := audit.Command{Verb: words[0], User: "kubernetes/" + c.by, Reason: c.reason}
	if c.reason == "" {
		return said, fmt.Errorf("the annotation %s is missing: it is written to the journal", reasonAnnotation)
	}
	flag := map[string]string{"switchover": "--to", "takeover": "--peer-is-fenced", "pause": "--for", "deny": "--for"}[said.Verb]
	switch {
	case len(words) == 1:
	case len(words) != 3 || words[1] != flag || flag == "":
		return said, errCommand
	}
	switch said.Verb {
	case "approve":
		said.Request = requested
	case "switchover", "takeover":
		if len(words) == 3 {
			said.Region = lease.Region(words[2])
		}
	case "deny", "pause":
		said.Request = requested
		if len(words) != 3 {
			return said, fmt.Errorf("%s needs --for, such as --for 2h", said.Verb)
		}
		var err error
		if said.For, err = time.ParseDuration(words[2]); err != nil || said.For <= 0 {
			return said, fmt.Errorf("--for %s: want a duration above 0s, such as 2h", words[2])
		}
	}
	return said, nil
}

// putAnswer makes a Lease show what became of the last command.
func putAnswer(o *unstructured.Unstructured, answer string) {
	if answer != "" {
		kube.SetAnnotations(o, map[string]string{answerAnnotation: answer})
	}
}
