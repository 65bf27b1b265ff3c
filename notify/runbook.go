package notify

import "github.com/openova-io/failoverd/lease"

const (
	atHub = "https://github.com/openova-io/failoverd/blob/main/docs/"

	// What is told is an alert of Alertmanager's under the name of the rule that Prometheus has for the same, so that both are one
	// group there. These are for what has no rule of its own.
	otherAlert      = "FailoverdAlarm"
	transitionAlert = "FailoverdTransition"
)

// alerts are the names of the rules in deploy/prometheus/rules.yaml, by the reasons that they are for.
var alerts = map[lease.ReasonCode]string{
	lease.NoticeWitnessStale:     "FailoverdWitnessStale",
	lease.NoticeWitnessDown:      "FailoverdWitnessDown",
	lease.NoticeSafetyDiffers:    "FailoverdParametersDiffer",
	lease.NoticeLayersLate:       "FailoverdLayersNotFenced",
	lease.NoticePeerUnreachable:  "FailoverdQuorumLost",
	lease.NoticeTermUnreachable:  "FailoverdTermUnreachable",
	lease.NoticeApprovalWaiting:  "FailoverdApprovalWaiting",
	lease.ReasonSplitBrain:       "FailoverdSplitBrain",
	lease.ReasonRenewalLate:      "FailoverdAuthorityRunningOut",
	lease.ReasonAuthorityExpired: "FailoverdAuthorityRunningOut",
	lease.ReasonDegraded:         "FailoverdRegionDegraded",
	lease.ReasonNoAgent:          "FailoverdDown",
}

// alert is the name of the alert for a message.
func alert(kind Kind, why lease.ReasonCode) string {
	switch name, ok := alerts[why]; {
	case kind == Transition:
		return transitionAlert
	case ok:
		return name
	}
	return otherAlert
}

// Runbook is where somebody reads on about what holds for a reason.
func Runbook(why lease.ReasonCode) string { return runbook(Alarm, why) }

// runbook is where somebody reads on.
func runbook(kind Kind, why lease.ReasonCode) string {
	switch name, ok := alerts[why]; {
	case ok:
		return atHub + "runbooks/" + name + ".md"
	case kind == Transition:
		return atHub + "reasons.md"
	}
	return atHub + "runbooks/" + otherAlert + ".md"
}
