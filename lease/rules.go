package lease

// A Rule is one rule of the protocol that the simulator can leave out, to show
// that the rule is needed: see NewMutant. Production code obeys all of them.
type Rule uint8

const (
	RuleCountFromSending Rule = iota
	RuleNoRevival
	RuleFenceInTime
	RuleNewWriteID
	RuleEveryNewRecord
	RuleMalformedIsEvidence
	RuleStartEvidence
	RuleRank
	RuleCandidateTurn
	RuleYield
	RuleSilentWithdrawal
	RuleFlagExpires
	RuleBlindFallsBack
	RuleSettle
	RuleStalenessWait
	RuleDrift
	RuleMissingIsNotFree
	RuleReadFromSending
	RuleReadWhenDue
	RuleCompleteRound
	RuleReadBack
	RuleEpochAbove
	RulePeersKnown
	RuleSameSafety
	RuleBootID
	RuleSavedDeadline
	RuleLayersFencedFirst
	RuleHigherEpochFences
	RuleGrantIsEvidence
	RuleGrantVoids
	RuleGrantEpoch
	RuleGrantOrder
	RuleEveryPledge
	RulePledgeFromSending
	RuleAnswerToQuestion
	RuleAskWithHope
	RulePledgeSameSafety
	RuleActiveAnswer
	RuleFencedUntilSeen
	RuleHandOverLimit
	RuleTermConfirmed
	RuleHeirProves
	RuleSavedTerm
	RuleRecordCleared
	RuleAloneToGrant
	RulePledgeOfTerm
	RuleOwnRecord
	RulePledgeOnRecord
	RuleSavedSafety
	RuleMajority
	RuleSameWitnesses
	RuleOutvotedFallsBack
	RuleStopFences
	ruleCount
)

// A RuleText says what a rule is and where the protocol has it.
type RuleText struct {
	Rule    Rule
	Code    string // for tables and test names
	Section string // of docs/protocol.md
	Text    string
}

// Rules are all rules, in the order of the protocol.
var Rules = [ruleCount]RuleText{
	{RuleCountFromSending, "count-from-sending", "§2", "authority is counted from the sending of its base, not from the answer"},
	{RuleNoRevival, "no-revival", "§2", "authority whose deadline has passed is not extended"},
	{RuleFenceInTime, "fence-in-time", "§2", "fencing starts fence_timeout before the deadline"},
	{RuleNewWriteID, "new-write-id", "§1", "every attempt to write, a retry too, carries a new write id"},
	{RuleEveryNewRecord, "every-new-record", "§3", "a never-seen record is evidence whatever its order"},
	{RuleMalformedIsEvidence, "malformed-is-evidence", "§1", "a record that can't be believed is evidence that its region lives"},
	{RuleStartEvidence, "start-evidence", "§3", "the start is evidence of every region"},
	{RuleRank, "rank", "§3", "regions of a later rank wait longer before they raise their flag"},
	{RuleCandidateTurn, "candidate-turn", "§3", "a region that has seen a candidate gives it its turn before it raises its own flag"},
	{RuleYield, "yield", "§3", "a candidate that sees a never-seen record of an active or lower-numbered region withdraws"},
	{RuleSilentWithdrawal, "silent-withdrawal", "§3", "withdrawing is silence, never a write"},
	{RuleFlagExpires, "flag-expires", "§3", "a candidate whose acknowledged flag gets older than TTL starts afresh"},
	{RuleBlindFallsBack, "blind-falls-back", "§3", "a candidate that has read no complete round for TTL withdraws"},
	{RuleSettle, "settle", "§3", "the taking read is sent longer(Δ) after the own flag was first acknowledged"},
	{RuleStalenessWait, "staleness-wait", "§3", "the taking read is sent longer(TTL+Δ) after the last evidence, not longer(TTL)"},
	{RuleDrift, "drift", "§2", "whoever waits for another's clock waits longer(d)"},
	{RuleMissingIsNotFree, "missing-is-not-free", "§3", "a missing record (404) is a read like another"},
	{RuleReadFromSending, "read-from-sending", "§3", "the taking read counts from its sending, not from its answer"},
	{RuleReadWhenDue, "read-when-due", "§3", "the taking read is sent when it is due, not at the next poll"},
	{RuleCompleteRound, "complete-round", "§3", "every other region's flag was really read"},
	{RuleReadBack, "read-back", "§3", "the taking round returns the own flag, no staler than the bound"},
	{RuleEpochAbove, "epoch-above", "§3", "the epoch is above every epoch seen"},
	{RulePeersKnown, "peers-known", "§3", "every other member's info record has been seen once"},
	{RuleSameSafety, "same-safety", "§3", "no region takes from one whose safety parameters differ"},
	{RuleBootID, "boot-id", "§5", "authority on disk is of use in the same boot only"},
	{RuleSavedDeadline, "saved-deadline", "§5", "authority on disk is of use before its deadline only"},
	{RuleLayersFencedFirst, "layers-fenced-first", "§4", "a region grants a pledge, or raises its flag, only when its own layers are known to be fenced and authority on disk is given up"},
	{RuleHigherEpochFences, "higher-epoch-fences", "§4", "an active region that learns of an active one of a higher epoch fences"},
	{RuleGrantIsEvidence, "grant-is-evidence", "§4", "a granted pledge is evidence of the asker: a promise not to take for TTL+Δ"},
	{RuleGrantVoids, "grant-voids", "§4", "a grant voids the granter's own open question and candidacy"},
	{RuleGrantEpoch, "grant-epoch", "§4", "a pledge is granted to an epoch above all that were seen, or to a holder's that is not below that of another"},
	{RuleGrantOrder, "grant-order", "§4", "a candidate, or a region that asks for pledges itself, grants only to a holder or to a smaller number"},
	{RuleEveryPledge, "every-pledge", "§4", "authority needs the pledge of every other region"},
	{RulePledgeFromSending, "pledge-from-sending", "§2", "authority by pledges is counted from the sending of the question"},
	{RuleAnswerToQuestion, "answer-to-question", "§4", "an answer counts for the question that it answers, while that is open"},
	{RuleAskWithHope, "ask-with-hope", "§4", "a region without authority asks for pledges only when every other one has said that it would grant"},
	{RulePledgeSameSafety, "pledge-same-safety", "§4", "no pledge is granted to, or taken from, a region whose safety parameters differ"},
	{RuleActiveAnswer, "active-answer", "§4", "a candidate asks before it takes, and a signed answer that a region is active is evidence"},
	{RuleFencedUntilSeen, "fenced-until-seen", "§4", "an operator's word that a region is fenced ends with that region's next sign of life"},
	{RuleHandOverLimit, "hand-over-limit", "§4", "a region hands over for being degraded no more than max_handovers times within handover_window"},
	{RuleTermConfirmed, "term-confirmed", "§5", "an instance that does not know that it alone acts for its region pledges nothing, raises no flag, and takes nothing"},
	{RuleHeirProves, "heir-proves", "§5", "an heir goes on with authority only until TTL after its last read of the shared record that did not show the beat before its base"},
	{RuleSavedTerm, "saved-term", "§5", "authority on disk is of use in the same term only"},
	{RuleRecordCleared, "record-cleared", "§5", "authority is given up on the shared record too before anybody is granted a pledge, or a flag is raised"},
	{RuleAloneToGrant, "alone-to-grant", "§5", "an instance pledges to a region without authority only when no other instance of its own can hold any"},
	{RulePledgeOfTerm, "pledge-of-term", "§5", "a region takes by the pledge of an instance only when it has itself pledged to no other instance of that region for longer(TTL)"},
	{RuleOwnRecord, "own-record", "§5", "a record of the own, first seen, is a sign that another instance may live: it may have landed on top of the other's"},
	{RulePledgeOnRecord, "pledge-on-record", "§5", "the epoch of a pledge is on the shared record before the answer leaves"},
	{RuleSavedSafety, "saved-safety", "§5", "authority on disk, or on the shared record, is of use with the same safety parameters only"},
	{RuleMajority, "majority", "§1", "of several witnesses it takes more than half to renew, and to see nobody"},
	{RuleSameWitnesses, "same-witnesses", "§1", "it is the same majority of the witnesses that passes every gate"},
	{RuleOutvotedFallsBack, "outvoted-falls-back", "§1", "a candidate whose flag most witnesses do not take, or do not show to it, for TTL withdraws, and gives every other region its turn"},
	{RuleStopFences, "stop-fences", "§5", "an instance that is asked to stop while its layers fence fences first, and leaves that to no other"},
}

// obeys reports whether s follows r; always, but in a mutant.
func (s *State) obeys(r Rule) bool { return s.without&(1<<r) == 0 }
