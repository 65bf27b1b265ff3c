package mirror

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/audit"
	"github.com/openova-io/failoverd/lease"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// annotated is a Lease that somebody has annotated, by kubectl, some time ago.
func annotated(ago time.Duration, annotations map[string]string) *unstructured.Unstructured {
	o := &unstructured.Unstructured{Object: map[string]any{}}
	o.SetAnnotations(annotations)
	at := metav1.NewTime(noon.Add(-ago))
	o.SetManagedFields([]metav1.ManagedFieldsEntry{
		{Manager: "failoverd", Time: &metav1.Time{}, FieldsV1: metav1.NewFieldsV1(`{"f:spec":{}}`)},
		{Manager: "kubectl-annotate", Time: &at, FieldsV1: metav1.NewFieldsV1(`{"f:metadata":{"f:annotations":{"f:failover.openova.io/command":{}}}}`)},
	})
	return o
}

func TestObey(t *testing.T) {
	refusal := errors.New("refused by the gate active_here")
	for _, tt := range []struct {
		text, reason string
		ago          time.Duration
		refused      error
		want         *audit.Command // nil: nothing is passed on
		answer       string
	}{
		{text: "approve", reason: "r", want: &audit.Command{Verb: "approve", Request: lease.RequestTake}, answer: "done"},
		{text: "switchover  --to  hel", reason: "r", want: &audit.Command{Verb: "switchover", Region: "hel"}, answer: "done"},
		{text: "switchover --to hel", reason: "r", refused: refusal, want: &audit.Command{Verb: "switchover", Region: "hel"}, answer: "active_here"},
		{text: "takeover", reason: "r", want: &audit.Command{Verb: "takeover"}, answer: "done"},
		{text: "takeover --peer-is-fenced hel", reason: "r", want: &audit.Command{Verb: "takeover", Region: "hel"}, answer: "done"},
		{text: "pause --for 2h", reason: "r", want: &audit.Command{Verb: "pause", Request: lease.RequestTake, For: 2 * time.Hour}, answer: "done"},
		{text: "deny --for 1m", reason: "r", want: &audit.Command{Verb: "deny", Request: lease.RequestTake, For: time.Minute}, answer: "done"},
		{text: "resume", reason: "r", ago: commandAge, want: &audit.Command{Verb: "resume"}, answer: "done"},
		{text: "resume", reason: "r", ago: commandAge + time.Second, answer: "write it again"},
		{text: "resume", answer: "the annotation failover.openova.io/reason is missing"},
		{text: "pause", reason: "r", answer: "needs --for"},
		{text: "pause --for -2h", reason: "r", answer: "above 0s"},
		{text: "pause --for long", reason: "r", answer: "above 0s"},
		{text: "pause --until noon", reason: "r", answer: "as on the command line"},
		{text: "approve everything", reason: "r", answer: "as on the command line"},
		{text: "recall", reason: "r", answer: "as on the command line"},
		{text: "resume --for 2h", reason: "r", answer: "as on the command line"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			m := New(Config{Log: hclog.NewNullLogger()})
			annotations := map[string]string{commandAnnotation: tt.text, "theirs": "1"}
			if tt.reason != "" {
				annotations[reasonAnnotation] = tt.reason
			}
			o := annotated(tt.ago, annotations)
			if m.takeCommand(o) != nil {
				t.Error("it is taken, and nobody obeys")
			}
			var got *audit.Command
			m.Obey(func(_ context.Context, c audit.Command) error { got = &c; return tt.refused })
			c := m.takeCommand(o)
			if left := o.GetAnnotations(); c == nil || len(left) != 1 || left["theirs"] != "1" {
				t.Fatalf("taken %v, and %v is left; want what is theirs alone", c, left)
			}
			answer := m.obey(t.Context(), c, lease.RequestTake, noon)
			if !strings.HasPrefix(answer, "2026-11-26T12:00:00Z "+tt.text+": ") || !strings.Contains(answer, tt.answer) {
				t.Errorf("the answer is %q, want %q in it", answer, tt.answer)
			}
			if tt.want != nil {
				tt.want.User, tt.want.Reason = "kubernetes/kubectl-annotate", tt.reason
			}
			if (got == nil) != (tt.want == nil) || got != nil && *got != *tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
	m := New(Config{})
	m.Obey(func(context.Context, audit.Command) error { return nil })
	if m.takeCommand(annotated(0, map[string]string{answerAnnotation: "x"})) != nil || m.takeCommand(annotated(0, map[string]string{commandAnnotation: " \n"})) != nil {
		t.Error("it is taken, and there is none")
	}
}

// FuzzObey commands by any text: what comes of it is one of the commands that there are, once, or none, with an answer in both cases.
func FuzzObey(f *testing.F) {
	f.Add("switchover --to hel", "r")
	f.Add("pause --for 2h", "")
	f.Add("takeover --peer-is-fenced", "\xff")
	f.Fuzz(func(t *testing.T, text, reason string) {
		m := New(Config{Log: hclog.NewNullLogger()})
		m.Obey(func(_ context.Context, c audit.Command) error {
			words := strings.Fields(text)
			if c.Verb != words[0] || c.Reason != reason || reason == "" || c.For < 0 || c.Region != "" && string(c.Region) != words[2] {
				t.Errorf("%q, %q: obeyed as %+v", text, reason, c)
			}
			return nil
		})
		o := annotated(0, map[string]string{commandAnnotation: text, reasonAnnotation: reason})
		c := m.takeCommand(o)
		if c == nil {
			if strings.TrimSpace(text) != "" {
				t.Errorf("%q was not found", text)
			}
			return
		}
		if answer := m.obey(t.Context(), c, lease.RequestTake, noon); answer == "" {
			t.Error("there is no answer")
		}
		if m.takeCommand(o) != nil {
			t.Errorf("%q was found twice", text)
		}
	})
}
