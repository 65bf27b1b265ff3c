package strimzi

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openova-io/failoverd/layers"
)

// Findings are what of the resources an operator should know before a failover.
func (l *Layer) Findings(ctx context.Context) ([]layers.Finding, error) {
	list, err := l.set.List(ctx)
	if err != nil {
		return nil, err
	}
	notes := l.board.Notes(l.Name())
	var out []layers.Finding
	for _, o := range list {
		out = append(out, findings(o, notes)...)
	}
	return out, nil
}

func findings(o *unstructured.Unstructured, notes []layers.Note) []layers.Finding {
	var out []layers.Finding
	add := func(problem bool, got, remedy string) {
		out = append(out, layers.Finding{Problem: problem, Object: o.GetNamespace() + "/" + o.GetName(), Got: got, Remedy: remedy})
	}
	if len(connectorsOf(o)) == 0 {
		add(false, "it states no source and no checkpoint connector, so nothing of it can be stopped", "state spec.mirrors[].sourceConnector and checkpointConnector")
	}
	if o.GetAnnotations()[pauseAnnotation] == "true" {
		add(true, "its annotation "+pauseAnnotation+" keeps Strimzi from it: mirroring goes on, and can't be stopped", "remove the annotation")
	}
	if _, failure := readiness(o); failure != "" {
		add(true, "Strimzi can't reconcile it: "+failure, "mend that: what it mirrors can't be stopped, and activation would not end")
	}
	for _, s := range heard(o, notes) {
		if s.Epoch == 0 && !allStopped(o) {
			add(true, fmt.Sprintf("data may be mirrored from %s into %s and back at once", s.Target, targetOf(o)), "stop one direction until the first activation; with the identity policy records go round for ever")
		}
	}
	return out
}
