package lease

// A ReasonCode names, in code, logs, metrics and docs alike, why something is.
type ReasonCode string

// A Severity says how loudly a reason is to be told.
type Severity string

const (
	Informational Severity = "info"
	Warning       Severity = "warning"
	Critical      Severity = "critical"
)

// A Reason is what there is to say about a ReasonCode. Status, explain, log
// lines, metrics and docs all speak from this one table.
type Reason struct {
	Code     ReasonCode
	Severity Severity
	Title    string
	Text     string // what it means
	Remedy   string // what an operator can do; empty if there is nothing to do
}

// Why a region is in its state.
const (
	ReasonStarting         ReasonCode = "starting"
	ReasonResumed          ReasonCode = "resumed"
	ReasonFenced           ReasonCode = "fenced"
	ReasonSuspected        ReasonCode = "suspected"
	ReasonYielded          ReasonCode = "yielded"
	ReasonFlagExpired      ReasonCode = "flag_expired"
	ReasonBlind            ReasonCode = "blind"
	ReasonOutvoted         ReasonCode = "outvoted"
	ReasonOvertaken        ReasonCode = "overtaken"
	ReasonTaken            ReasonCode = "taken"
	ReasonRenewalLate      ReasonCode = "renewal_late"
	ReasonAuthorityExpired ReasonCode = "authority_expired"
	ReasonRenewed          ReasonCode = "renewed"
	ReasonReleased         ReasonCode = "released"
	ReasonPledged          ReasonCode = "pledged"
	ReasonGranted          ReasonCode = "granted"
	ReasonHandedOver       ReasonCode = "handed_over"
	ReasonDegraded         ReasonCode = "degraded"
	ReasonSplitBrain       ReasonCode = "split_brain"
	ReasonIllegal          ReasonCode = "illegal_transition"
	ReasonElected          ReasonCode = "elected"
	ReasonInherited        ReasonCode = "inherited"
	ReasonSuperseded       ReasonCode = "superseded"
	ReasonResigned         ReasonCode = "resigned"
	ReasonNoAgent          ReasonCode = "no_agent"
	ReasonPaused           ReasonCode = "paused"
	ReasonUnapproved       ReasonCode = "unapproved"
)

// Planned reports whether authority is given up for this reason by choice, to go to
// another region: then there is time to fence in order (§4, hand-over).
func (c ReasonCode) Planned() bool {
	return c == ReasonHandedOver || c == ReasonReleased || c == ReasonDegraded
}

// What must hold before a region raises its flag and takes: the gates.
const (
	GateStopping      ReasonCode = "stopping"
	GateLayersFenced  ReasonCode = "layers_fenced"
	GateSavedGone     ReasonCode = "saved_authority_gone"
	GatePeersKnown    ReasonCode = "peers_known"
	GateSameSafety    ReasonCode = "same_safety_parameters"
	GateSuspect       ReasonCode = "leases_run_out"
	GateWitnessRead   ReasonCode = "witness_read"
	GateFlagRaised    ReasonCode = "flag_raised"
	GateSettled       ReasonCode = "flag_settled"
	GateStalenessWait ReasonCode = "staleness_waited"
	GateTakingRead    ReasonCode = "taking_read"
	GateReadBack      ReasonCode = "own_flag_read_back"
	GateSameWitnesses ReasonCode = "same_witnesses"
	GateEpoch         ReasonCode = "epoch_highest"
	GateMargin        ReasonCode = "time_to_act"
	GateOthersAsked   ReasonCode = "others_asked"

	GateEveryoneWilling ReasonCode = "everyone_willing"
	GateEveryPledge     ReasonCode = "every_pledge"

	GateHasQuorum   ReasonCode = "quorum_configured"
	GateIsActive    ReasonCode = "active_here"
	GateOtherMember ReasonCode = "another_member"
	GateNotActive   ReasonCode = "standby_here"
	GatePeerSilent  ReasonCode = "region_silent"
	GateNoHolder    ReasonCode = "no_known_holder"
	GateLent        ReasonCode = "lent_to_another"

	GateFit           ReasonCode = "another_region_fit"
	GateHandOverLimit ReasonCode = "hand_over_limit"

	GateNotPaused     ReasonCode = "not_paused"
	GateOrdered       ReasonCode = "ordered"
	GateApproved      ReasonCode = "approved"
	GateSemiAutomatic ReasonCode = "semi_automatic"
	GateRequested     ReasonCode = "approval_requested"

	GateConfirmed ReasonCode = "acts_for_region"
	GateAlone     ReasonCode = "no_other_instance"
)

// Why a region does not grant a pledge, beside the gates.
const (
	RefusedActive      ReasonCode = "active"
	RefusedEpoch       ReasonCode = "epoch_too_low"
	RefusedCandidate   ReasonCode = "asks_itself"
	RefusedHandingOver ReasonCode = "hands_over_to_another"
	RefusedTerm        ReasonCode = "older_term"
)

// What an operator should know of.
const (
	NoticeWitnessStale  ReasonCode = "witness_stale"
	NoticeWitnessDown   ReasonCode = "witness_unreachable"
	NoticeMalformed     ReasonCode = "record_malformed"
	NoticeSafetyDiffers ReasonCode = "safety_parameters_differ"
	NoticeSaveFailed    ReasonCode = "state_not_saved"
	NoticeLayersLate    ReasonCode = "layers_not_fenced_in_time"
	NoticeSavedUnusable ReasonCode = "saved_authority_unusable"

	NoticePeerUnreachable ReasonCode = "peer_unreachable"
	NoticeCutOff          ReasonCode = "cut_off"
	NoticePeerFenced      ReasonCode = "peer_declared_fenced"

	NoticeTermUnreachable ReasonCode = "term_unreachable"

	NoticeApprovalWaiting ReasonCode = "approval_waiting"
)

// Reasons is the table of all reasons.
var Reasons = []Reason{
	{ReasonStarting, Informational, "starting", "the agent has just started and fences first: what its layers were doing is not known", ""},
	{ReasonResumed, Informational, "resumed", "the agent restarted before the deadline of the authority that it had saved, and goes on with it", ""},
	{ReasonFenced, Informational, "fenced", "every layer is inactive and the region holds no authority", ""},
	{ReasonSuspected, Informational, "leases run out", "no other region has shown a sign of life for as long as a lease lasts, so this one raised its flag", ""},
	{ReasonYielded, Informational, "yielded", "another region that is active, or comes earlier in members, raised its flag: this one withdraws by falling silent", ""},
	{ReasonFlagExpired, Warning, "flag ran out", "the candidate's last acknowledged flag is older than the TTL, so it starts afresh", "check the way to the witness: its writes fail"},
	{ReasonOutvoted, Warning, "too few witnesses", "the candidate has had most witnesses neither take its flag nor show it for a TTL and withdraws, so that it holds nobody up", "check the ways to the witnesses that are unreachable from here"},
	{ReasonBlind, Warning, "reads fail", "the candidate has not been able to read the witness for a TTL and withdraws, so that it holds nobody up", "check the way to the witness: its reads fail"},
	{ReasonOvertaken, Informational, "epoch overtaken", "another region has used the candidate's epoch or a higher one, so it starts over with a higher one", ""},
	{ReasonTaken, Informational, "taken over", "every gate was open: the region holds the lease", ""},
	{ReasonRenewalLate, Critical, "renewal failed for too long", "the lease could not be renewed, so the region fences before its authority ends", "check the way to the witness from this region"},
	{ReasonAuthorityExpired, Critical, "authority ran out", "the deadline passed before fencing began: the agent was stopped or had no processor for that long", "find out what froze the agent: the layers may have stayed active past the deadline"},
	{ReasonRenewed, Informational, "renewed in time", "a renewal succeeded while the region was fencing and its authority still stood, so it goes on", ""},
	{ReasonReleased, Informational, "released", "the agent was asked to stop: it fences and gives its authority up", ""},
	{ReasonPledged, Informational, "taken over by pledges", "every other region has pledged not to take: the region holds the lease at once", ""},
	{ReasonGranted, Informational, "pledged to another", "the candidate has pledged to another region, and withdraws", ""},
	{ReasonElected, Informational, "elected", "this instance acts for the region from now on, and fences first: it can't prove that authority stands", ""},
	{ReasonInherited, Informational, "inherited", "this instance acts for the region from now on, and goes on with the authority that the one before it held", ""},
	{ReasonSuperseded, Warning, "superseded", "another instance has been elected to act for the region", "see what kept this one from the API server"},
	{ReasonResigned, Informational, "resigned", "this instance stops, and leaves the region to another one", ""},
	{ReasonNoAgent, Critical, "no agent", "no agent runs here, and failoverd fence was run in its place", "start the agent, and see its log for why it does not run"},
	{ReasonPaused, Informational, "paused", "an operator has this region decide nothing by itself for a while: the candidate withdraws", "failoverd resume ends it"},
	{ReasonUnapproved, Informational, "not approved", "nobody has approved that the candidate takes, or the order to take has run out: it falls silent, since its flag would keep other regions from taking", "failoverd approve when it asks again, or failoverd takeover"},
	{ReasonHandedOver, Informational, "handed over", "an operator has asked for authority to be handed over: the region fences, and tells the other one to take", ""},
	{ReasonDegraded, Warning, "degraded", "the region is degraded and another one is not: it fences, and tells the other one to take", "see degraded in failoverd status for what ails it"},
	{ReasonSplitBrain, Critical, "two active regions", "another region is active with a higher epoch while this one held authority: an assumption of the protocol is broken; this region fences at once", "check that the witness is as fresh as witness.staleness says, and that all regions run with the same configuration; compare the data of both regions"},
	{ReasonIllegal, Critical, "illegal transition", "the state machine was driven in a way that it does not allow, and fences", "this is a bug of failoverd: report it with the log"},

	{GateStopping, Informational, "not stopping", "the agent is not being stopped", ""},
	{GateLayersFenced, Warning, "own layers fenced", "every layer of this region is known to be inactive before its flag is raised", "see which layer does not fence, and why, in failoverd status"},
	{GateSavedGone, Informational, "saved authority given up", "the authority on disk has been removed or has run out", "check that state_dir can be written"},
	{GatePeersKnown, Warning, "every member seen", "each other member's info record has been seen at least once, so all look at the same witness", "start the agent of that region and compare its witness settings; for a member that is known to be absent start this agent with --member-absent REGION"},
	{GateSameSafety, Critical, "same parameters everywhere", "every member runs with the same parameters that safety rests on", "make group, members, lease.ttl, lease.max_clock_drift, witness.staleness, the names of several witnesses, and the public keys the same in all regions"},
	{GateSuspect, Informational, "leases can have run out", "no other region has shown a sign of life for longer(TTL) - TTL/6, and those of a better rank had their chance; all of them, if this one was outvoted or unapproved", ""},
	{GateWitnessRead, Warning, "witness read since", "the flags of all members were read after that wait", "check the way to the witness: its reads fail"},
	{GateFlagRaised, Informational, "own flag raised", "the own flag was acknowledged by the witness within the last TTL", "check the way to the witness: its writes fail"},
	{GateSettled, Informational, "own flag visible to all", "longer(staleness) has passed since the own flag was first acknowledged, so every region that reads sees it", ""},
	{GateStalenessWait, Informational, "no lease can be hidden", "longer(TTL + staleness) has passed since the last sign of life of every other region", ""},
	{GateTakingRead, Informational, "taking read", "the flags of all members were read after all waits, and none was new", ""},
	{GateReadBack, Critical, "own flag read back", "that read returned the own flag too, no staler than the bound", "the witness serves reads staler than witness.staleness: raise it, or use a linearizable witness"},
	{GateSameWitnesses, Warning, "same witnesses", "it is one and the same majority of the witnesses that knows every member, with the own safety parameters, and that has taken the own flag, of which the taking read is there and returned it", "see which witness fails or is stale in failoverd status"},
	{GateEpoch, Informational, "highest epoch", "no other region has been seen with this epoch or a higher one", ""},
	{GateMargin, Informational, "time to act", "more than fence_timeout is left until the deadline that taking would give", ""},

	{GateOthersAsked, Informational, "others asked", "every other region was asked through the quorum, shortly before, whether it is active; silence is no answer", ""},

	{GateEveryoneWilling, Informational, "everyone willing", "every other region has answered through the quorum, in the last round of questions, that it would pledge not to take", "if a region does not answer: start its agent, and check its delegation (failoverd check --live); if it is down for certain, and stays down: failoverd takeover --peer-is-fenced REGION"},
	{GateEveryPledge, Informational, "every pledge", "every other region has pledged, in answer to the question that is open, not to take", ""},

	{GateHasQuorum, Warning, "quorum configured", "authority is handed over through the DNS quorum", "configure the section quorum in all regions"},
	{GateIsActive, Warning, "active here", "only the active region can hand over", "ask the region that is active: see last_known_holder in failoverd status"},
	{GateOtherMember, Warning, "another member", "authority is handed over to another member of the group", "name one of members, and not this region"},

	{GateNotActive, Warning, "standby here", "only a region that is fenced and holds no authority takes over", "wait until this region is standby, or ask another one"},
	{GateLent, Warning, "lent to another", "this region has handed its authority over on loan, and the other one has said that it is active", "use failoverd switchover where it is active: an agent that was restarted has forgotten the loan"},
	{GateNoHolder, Warning, "no known holder", "no lease of another region is known that may stand", "use failoverd switchover where it is held; if that region is dead, wait until its lease has run out"},
	{GatePeerSilent, Critical, "region silent", "a region that is down does not answer through the quorum", "it answers, so it is alive: use failoverd switchover there, or stop it first"},

	{GateFit, Warning, "another region fit", "the region that authority is handed over to is not degraded itself, nor paused, nor is its data too far behind", "see the health of that region in its failoverd status"},
	{GateHandOverLimit, Warning, "hand-overs within the limit", "the region has not handed over for being degraded max_handovers times within handover_window, so authority does not go to and fro", "mend what ails the regions; failoverd switchover is not limited"},

	{GateNotPaused, Informational, "not paused", "no operator has this region decide nothing by itself", "failoverd resume ends the pause; failoverd takeover takes in spite of it"},
	{GateOrdered, Informational, "ordered by an operator", "the region is in manual mode: it takes, or hands over, by an operator's order alone", "failoverd takeover here, or failoverd switchover where the lease is held"},
	{GateApproved, Warning, "approved by an operator", "the region is in semi-automatic mode: it prepares all, and takes, or hands over, when an operator has approved", "failoverd approve, or failoverd deny"},
	{GateSemiAutomatic, Warning, "semi-automatic", "only a region in semi-automatic mode waits for an approval", "failoverd takeover in manual mode; an automatic region needs no word"},
	{GateRequested, Warning, "approval requested", "the region asks for an approval: everything else is ready", "see failoverd explain for what it waits for"},

	{GateConfirmed, Warning, "acts for the region", "this instance knows that no other one has been elected to act for the region", "check the way to the API server from this host; while it does not answer, authority goes on and nothing else does"},
	{GateAlone, Informational, "no other instance", "no instance that acted for this region before can hold authority any more: none has shown a sign of life for a TTL and the staleness bound", ""},

	{RefusedActive, Informational, "active itself", "the region that was asked holds authority, and grants nobody a pledge", ""},
	{RefusedEpoch, Informational, "epoch too low", "the region that was asked has seen a higher epoch", ""},
	{RefusedCandidate, Informational, "asks itself", "the region that was asked is about to take itself, and comes earlier in members", ""},
	{RefusedHandingOver, Informational, "hands over to another", "the region that was asked is handing over to another one", ""},

	{RefusedTerm, Informational, "older term", "another instance has been elected in the region that asks, since the one that asks was", ""},

	{NoticeApprovalWaiting, Critical, "approval waiting", "everything is ready for this region to take, or to hand over while it is degraded, but for an operator's approval", "look at failoverd explain here and in the other regions, then failoverd approve, or failoverd deny"},
	{NoticeTermUnreachable, Warning, "API server unreachable", "the record of which instance acts for the region can't be read or written: no other instance can take over, and this one goes on with the authority that it holds", "check the way to the API server from this host"},
	{NoticeWitnessStale, Critical, "witness staler than its bound", "a record of this region, or of the one that is named, was read staler than witness.staleness allows: what safety rests on does not hold", "raise witness.staleness in all regions, or use a linearizable witness"},
	{NoticeWitnessDown, Warning, "witness unreachable", "reads or writes of the witness fail", "check the way to the witness from this region, and the token"},
	{NoticeMalformed, Warning, "malformed record", "a record in the witness can't be parsed or its signature is wrong: it counts as a sign of life and as nothing else", "see who else writes to this namespace, and whether the public keys are right"},
	{NoticeSafetyDiffers, Critical, "parameters differ", "a member runs with other parameters that safety rests on, or did when it wrote its record: this region will not take, unless most of several witnesses show the same ones", "make the named parameters the same in all regions"},
	{NoticeSaveFailed, Warning, "state not saved", "authority could not be written to state_dir: a restart of the agent will fence instead of going on", "make room in state_dir, or make it writable"},
	{NoticeLayersLate, Critical, "layers not fenced in time", "a layer is not known to be inactive though the authority has ended", "fence that layer by hand; then see why it took longer than lease.fence_timeout"},
	{NoticePeerUnreachable, Warning, "region unreachable", "a region does not answer through the DNS resolvers, so while the witness is down authority can't go on, nor be handed over", "check that its agent runs and that its delegation is right: failoverd check --live"},
	{NoticeCutOff, Warning, "cut off", "no DNS resolver answers this region anything: it is cut off itself", "check this region's way out, and quorum.resolvers"},
	{NoticePeerFenced, Critical, "declared fenced", "an operator has said that a region is down and fenced: its pledge is not waited for until it shows a sign of life", "keep that region down until this one renews at the witness again"},
	{NoticeSavedUnusable, Informational, "saved authority unusable", "the authority on disk is of another boot or other safety parameters, has run out, or makes no sense, so the region fences first", ""},
}

// ReasonOf returns what there is to say about code.
func ReasonOf(code ReasonCode) Reason {
	for _, r := range Reasons {
		if r.Code == code {
			return r
		}
	}
	return Reason{Code: code, Severity: Critical, Title: string(code), Text: "this code is not in the table of reasons"}
}
