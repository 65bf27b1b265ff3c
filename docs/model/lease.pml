/*
 * The lease protocol of docs/protocol.md, for spin. README.md says what is modelled, what is not, and how to run it.
 *
 * Every event is one d_step, so a state is what there is between two events. Nothing that an agent can do is ever
 * forced: that it does not do it is a pause, or a way that is cut off. What time alone does is in pass(). All times
 * are ages, or what is left of them, in ticks, so there are finitely many. Events of one tick come in any order.
 *
 * -DWITHOUT_<RULE> leaves a rule of lease/rules.go out: spin must then find an error. -DREACH=<expression> claims that
 * something never is so which will be: spin must find an error there too, or the model says nothing.
 */

/* Parameters, in ticks. */
#ifndef N
#define N 2 /* regions: 2, or 3 without a witness */
#endif
#ifndef TTL
#define TTL 3
#endif
#ifndef DELTA
#define DELTA 1 /* staleness of the witness */
#endif
#ifndef RT
#define RT 1 /* request_timeout, of writes and questions */
#endif
#ifndef FT
#define FT 1 /* fence_timeout */
#endif
#ifndef DRIFT
#define DRIFT 0 /* by how many ticks, 0 or 1, a clock may differ from true time over any span */
#endif

/* What there is. */
#ifndef WITNESS
#define WITNESS 1
#endif
#ifndef PLEDGES
#define PLEDGES 0
#endif
#ifndef EPOCHS
#define EPOCHS 0 /* the highest that anybody asks for; 0: there are none, and the lease changes hands for ever */
#endif
#ifndef LATE
#define LATE 1 /* writes whose answer was lost may land at any later time */
#endif
#ifndef GARBLED
#define GARBLED 0 /* a record may come out unreadable */
#endif
#ifndef SLOW_READS
#define SLOW_READS 0 /* a read takes up to RT */
#endif
#ifndef REBOOTS
#define REBOOTS 0 /* after which authority on disk is of no use */
#endif
#ifndef WORD
#define WORD 0 /* an operator may say that a region is down and fenced */
#endif

/* Who waits for another's clock waits for longer (§2). */
#ifdef WITHOUT_DRIFT
#define LONGER(d) (d)
#else
#define LONGER(d) ((d) + 2 * DRIFT)
#endif
#ifdef WITHOUT_STALENESS_WAIT
#define WAIT LONGER(TTL)
#else
#define WAIT LONGER(TTL + DELTA)
#endif
#ifdef WITHOUT_SETTLE
#define SETTLE 0
#else
#define SETTLE LONGER(DELTA)
#endif
/* When the layers are inactive, of a region whose authority has so much left. */
#ifdef WITHOUT_FENCE_IN_TIME
#define LAYERS(left) ((left) + FT)
#else
#define LAYERS(left) (left)
#endif

#define MAX(a, b) ((a) > (b) -> (a) : (b))
#define MIN(a, b) ((a) < (b) -> (a) : (b))
#define LESS(a, by) ((a) > (by) -> (a) - (by) : 0)

#define DOWN 0
#define STANDBY 1
#define CANDIDATE 2
#define HOLDER 3

/* What a register holds: the epoch of a record, or one of these. Without epochs all records are of epoch 1. */
#define NOTHING 15
#define GARBAGE 0
#define WITHDRAWN 14 /* only without silent-withdrawal */

/* The regions. Times are by the region's own clock. */
byte mode[N] = STANDBY;
byte left[N];       /* holder: of authority. candidate: of its flag that stands, 0 for none. standby or down: of authority on disk */
byte layers[N];     /* for so long the layers may be active */
byte due[N] = WAIT; /* until a read sent then is the taking read */
bit  shown[N];      /* the taking read has come, and has shown nobody */
byte ahead[N];      /* the clock less true time: 0, or up to DRIFT */

/* The write of the own flag in flight. */
#define SENT 1
#define LANDED 2
byte writing[N];    /* 0 for none */
byte writeAge[N];

/* The registers, as the other region sees them. */
byte flag[N] = NOTHING; /* the newest record that landed */
bit  seen[N];           /* the other region has seen it */
byte stale[N];          /* for so long reads may show nothing newer than what the other region has seen */
byte late[N] = NOTHING; /* a write whose answer was lost, and that has not landed */

#if SLOW_READS
byte reading[N];    /* the round of reads in flight: 0 for none, or 1 + its age */
bit  readDue[N];    /* it was sent when it was due */
#endif

#if PLEDGES
/* The round of questions in flight. */
byte asking[N];     /* 0 for none, or 1 + its age */
bit  asHolder[N];   /* the asker held authority then */
#define QUESTION 1
#define GRANT 2
#define GRANTED 3
byte asked[N * N];  /* of asker and asked: on its way from the one, on its way back, or back; 0 for nothing */
#endif

#if EPOCHS
byte epoch[N];      /* of the candidacy or authority; 0 for neither */
byte highest[N];    /* the highest that was seen */
byte whose[N];      /* 1 + the number of the region that alone has that one, or 0 */
byte disk[N];       /* the highest on disk */
byte askEpoch[N];   /* of the questions in flight */
byte used, usedBy;  /* the highest of any authority, and whose: no region knows it */
bit  hidden_;       /* a record, unreadable or late, has hidden another one's epoch, which may be used again then */
#define WITH_EPOCHS(x) x
#define EPOCH(i) epoch[i]
#else
#define WITH_EPOCHS(x) skip
#define EPOCH(i) 1
#endif

#if WORD
bit word[N];        /* the region counts the other one as fenced, by an operator's word */
byte kept[N];       /* the operator keeps the other one down: until this one has RENEWED, and for so long at least */
#define UNTIL_RENEWED 2
#define RENEWED 1
byte keptFor[N];
#define KEPT_DOWN(i) (kept[1 - (i)] > 0)
#else
#define KEPT_DOWN(i) 0
#endif

/* What only rules that are left out need. */
#ifdef WITHOUT_FLAG_EXPIRES
bit raised[N];
#define RAISED(i) raised[i]
#else
#define RAISED(i) (left[i] > 0)
#endif
#ifdef WITHOUT_EVERY_NEW_RECORD
byte seq[N], flagSeq[N], lateSeq[N], seenSeq[N];
#define SEQ(x) x
#define MORE(i) (seq[i] < 3) /* they are counted: no more than it takes */
#else
#define SEQ(x) skip
#define MORE(i) 1
#endif
#ifdef WITHOUT_NEW_WRITE_ID
bit again[N];       /* the next attempt has the id of the record that is there */
#endif
#ifdef WITHOUT_MISSING_IS_NOT_FREE
bit missing[N];     /* a read that shows nothing new finds nothing at all */
#endif
#ifdef WITHOUT_ANSWER_TO_QUESTION
bit stray[N];       /* a grant to an earlier question is on its way */
#endif
#ifdef WITHOUT_SAVED_DEADLINE
bit had[N];         /* there is authority on disk, perhaps of the past */
#endif

#ifdef REACH
byte takes;
bit byFlag[N], byPledge[N], byWord, prolonged, resumed, sawOld, lateLanded, fast, slow;
#define NOTE(x) x
#else
#define NOTE(x) skip
#endif

byte k, adv; /* 0 between events */

/* A region that is down holds authority up to its deadline: it may come back and go on. */
#define HOLDS(i) ((mode[i] == HOLDER || mode[i] == DOWN && !KEPT_DOWN(i)) && left[i] > 0)
#if N == 2
#define TWO(p) (p(0) && p(1))
#else
#define TWO(p) (p(0) && p(1) || p(0) && p(2) || p(1) && p(2))
#endif
#define LAYERS_ON(i) (layers[i] > 0)

inline check() {
	assert(!TWO(HOLDS));    /* two regions hold authority */
	assert(!TWO(LAYERS_ON)) /* the layers of two regions may be active */
}

#if EPOCHS
inline sawEpoch(i, e, owner) {
	if
	:: e > highest[i] -> highest[i] = e; whose[i] = owner
	:: e == highest[i] && whose[i] != owner -> whose[i] = 0
	:: else
	fi
}
#endif

/* Something is a sign of life of another region: the wait for the taking read begins anew (§3). */
inline evidence(i) {
#if WORD && !defined(WITHOUT_FENCED_UNTIL_SEEN)
	word[i] = 0;
#endif
	due[i] = MAX(due[i], WAIT); shown[i] = 0;
#if SLOW_READS
	readDue[i] = 0
#endif
}

/* The answer to the write in flight does not count any more: it may land later, or never. */
inline lose(i) {
#if LATE
	if
	:: writing[i] == SENT && late[i] == NOTHING -> late[i] = EPOCH(i); SEQ(lateSeq[i] = seq[i])
	:: else
	fi;
#endif
#ifdef WITHOUT_NEW_WRITE_ID
	again[i] = (again[i] && !writing[i] || writing[i] == LANDED);
#endif
	writing[i] = 0; writeAge[i] = 0
}

/* A candidacy or authority ends. What is left stays for who calls this. */
inline endFlag(i) {
	lose(i);
	mode[i] = STANDBY; shown[i] = 0;
#if SLOW_READS
	readDue[i] = 0;
#endif
#if EPOCHS
	sawEpoch(i, epoch[i], 0);
	epoch[i] = 0;
#endif
#ifdef WITHOUT_FLAG_EXPIRES
	raised[i] = 0
#endif
}

/* Withdrawing is silence (§3). */
inline withdraw(i) {
	endFlag(i);
#ifdef WITHOUT_SILENT_WITHDRAWAL
	late[i] = WITHDRAWN;
#endif
	left[i] = 0
}

/* A base of authority that a holder has: what is left counts from its sending (§2). */
inline extend(i, until) {
	if
	:: until > left[i] -> left[i] = until; layers[i] = LAYERS(until)
	:: else
	fi;
	check()
}

inline take(i, until) {
	mode[i] = HOLDER; left[i] = until; layers[i] = LAYERS(until); shown[i] = 0;
#if SLOW_READS
	readDue[i] = 0;
#endif
#ifdef WITHOUT_SAVED_DEADLINE
	had[i] = 1;
#endif
	NOTE(takes = (takes < 3 -> takes + 1 : 3));
	check();
#if EPOCHS
	disk[i] = epoch[i];
	assert(hidden_ || epoch[i] > used || epoch[i] == used && usedBy == i); /* an epoch is used twice */
	used = MAX(used, epoch[i]); usedBy = i
#endif
}

/* A record lands in the register. Reads may miss it for Δ, if all before it is known. */
inline land(i, what) {
	if
	:: flag[i] == NOTHING || seen[i] -> stale[i] = DELTA + RT * SLOW_READS;
#ifdef WITHOUT_MISSING_IS_NOT_FREE
		missing[i] = (flag[i] == NOTHING)
#endif
	:: else
	fi;
#if EPOCHS
	if
	:: what == GARBAGE || flag[i] != NOTHING && what < flag[i] -> hidden_ = 1
	:: else
	fi;
#endif
#ifdef WITHOUT_NEW_WRITE_ID
	seen[i] = (again[i] && seen[i]); again[i] = 0;
#else
	seen[i] = 0;
#endif
	flag[i] = what
}

inline landOwn(i, what) {
	land(i, what); SEQ(flagSeq[i] = seq[i]);
	writing[i] = LANDED
}

inline renewed(i) {
#if WORD
#ifndef WITHOUT_FENCED_UNTIL_SEEN
	word[i] = 0;
#endif
	kept[i] = MIN(kept[i], RENEWED)
#else
	skip
#endif
}

/* A read that is sent now is the taking read, if it shows nobody. */
#define AT_DUE(i) (mode[i] == CANDIDATE && RAISED(i) && due[i] == 0)

/* A read by i shows the flag of j (§3). */
inline shows(i, j) {
	if
	:: flag[j] == NOTHING || seen[j] -> showNothing(i, j)
	:: else ->
#ifdef WITHOUT_EVERY_NEW_RECORD
		if
		:: flagSeq[j] >= seenSeq[j] -> seenSeq[j] = flagSeq[j]; absorb(i, j)
		:: else
		fi
#else
		absorb(i, j)
#endif
	fi
}

inline showNothing(i, j) {
#ifdef WITHOUT_MISSING_IS_NOT_FREE
	if
	:: flag[j] == NOTHING || stale[j] && missing[j] -> due[i] = 0;
#if SLOW_READS
		readDue[i] = AT_DUE(i)
#endif
	:: else
	fi
#else
	skip
#endif
}

inline absorb(i, j) {
	seen[j] = 1; stale[j] = 0;
	if
	:: flag[j] == WITHDRAWN -> due[i] = MIN(due[i], LONGER(DELTA))
#ifdef WITHOUT_MALFORMED_IS_EVIDENCE
	:: flag[j] == GARBAGE
#endif
	:: else -> evidence(i);
#if EPOCHS
		if
		:: flag[j] != GARBAGE -> sawEpoch(i, flag[j], j + 1)
		:: else
		fi
#endif
	fi
}

#if PLEDGES
inline endQuestions(i) {
#ifdef WITHOUT_ANSWER_TO_QUESTION
	stray[i] = (stray[i] || asked[i*N + (i+1) % N] == GRANT);
#endif
	k = 0;
	do
	:: k < N -> asked[i*N + k] = 0; k++
	:: else -> break
	od;
	k = 0; asking[i] = 0; asHolder[i] = 0; WITH_EPOCHS(askEpoch[i] = 0)
}
#endif

/* Time passes. fast is what the clock is ahead of true time then. */
inline pass(i, fast_) {
	adv = 1 + fast_ - ahead[i]; ahead[i] = fast_;
	NOTE(fast = fast || adv > 1; slow = slow || adv == 0);
	layers[i] = LESS(layers[i], adv);
	due[i] = LESS(due[i], adv);
	stale[i] = LESS(stale[i], 1);
	if
	:: writing[i] -> writeAge[i] = writeAge[i] + adv;
		if
		:: writeAge[i] > RT -> lose(i)
		:: else
		fi
	:: else
	fi;
#if SLOW_READS
	if
	:: reading[i] > RT -> reading[i] = 0; readDue[i] = 0
	:: reading[i] > 0 && reading[i] <= RT -> reading[i]++
	:: else
	fi;
#endif
#if PLEDGES
	if
	:: asking[i] -> asking[i] = asking[i] + adv;
		if
		:: asking[i] > RT + 1 -> endQuestions(i)
		:: else
		fi
	:: else
	fi;
#endif
#if WORD
	keptFor[i] = LESS(keptFor[i], 1);
#endif
	if
	:: left[i] > 0 ->
		left[i] = LESS(left[i], adv);
		if
#ifndef WITHOUT_FLAG_EXPIRES
		:: left[i] == 0 && mode[i] == CANDIDATE -> withdraw(i)
#endif
#ifndef WITHOUT_NO_REVIVAL
		:: left[i] == 0 && mode[i] == HOLDER -> endFlag(i)
#endif
		:: else
		fi
	:: else
	fi;
	adv = 0
}

inline crash(i) {
	lose(i);
	if
	:: mode[i] == CANDIDATE -> left[i] = 0
	:: else
	fi;
	mode[i] = DOWN; due[i] = 0; shown[i] = 0;
#if SLOW_READS
	reading[i] = 0; readDue[i] = 0;
#endif
#if PLEDGES
	endQuestions(i);
#endif
#if EPOCHS
	epoch[i] = 0; highest[i] = 0; whose[i] = 0;
#endif
#ifdef WITHOUT_FLAG_EXPIRES
	raised[i] = 0;
#endif
#if WORD
	word[i] = 0;
#endif
#if N == 2
	seen[1 - i] = 0; SEQ(seenSeq[1 - i] = 0)
#endif
}

/* It starts again, with authority that was on disk, or without (§5). */
inline start(i, authority) {
	WITH_EPOCHS(highest[i] = disk[i]);
#ifndef WITHOUT_START_EVIDENCE
	due[i] = WAIT;
#endif
	left[i] = authority;
	if
	:: left[i] > 0 -> mode[i] = HOLDER; layers[i] = LAYERS(left[i]); WITH_EPOCHS(epoch[i] = disk[i]); check()
	:: else -> mode[i] = STANDBY; layers[i] = MIN(layers[i], FT)
	fi
}

/* The region's own house is in order. */
#define HOUSE(i) (layers[i] == 0 && (mode[i] == CANDIDATE || mode[i] == STANDBY && left[i] == 0))

#if PLEDGES
#ifdef WITHOUT_LAYERS_FENCED_FIRST
#define MAY_GRANT(j) (mode[j] == STANDBY || mode[j] == CANDIDATE)
#else
#define MAY_GRANT(j) HOUSE(j)
#endif

#if EPOCHS && !defined(WITHOUT_GRANT_EPOCH)
#define SERVES(i, j) (asHolder[i] || askEpoch[i] > highest[j] || askEpoch[i] == highest[j] && whose[j] == i + 1)
#define WANTED(i) (askEpoch[i] > highest[i])
#else
#define SERVES(i, j) 1
#define WANTED(i) 1
#endif

inline ask(i) {
	asking[i] = 1; asHolder[i] = (mode[i] == HOLDER);
	WITH_EPOCHS(askEpoch[i] = (epoch[i] > 0 -> epoch[i] : highest[i] + 1));
	k = 0;
	do
	:: k < N -> asked[i*N + k] = (k == i -> 0 : QUESTION); k++
	:: else -> break
	od;
	k = 0
}

/* j promises i not to take for TTL + Δ (§4). */
inline grant(i, j) {
	asked[i*N + j] = GRANT;
#if WORD && !defined(WITHOUT_FENCED_UNTIL_SEEN)
	word[j] = 0;
#endif
#ifndef WITHOUT_GRANT_IS_EVIDENCE
	evidence(j);
#endif
#if EPOCHS
	sawEpoch(j, askEpoch[i], i + 1);
	disk[j] = MAX(disk[j], askEpoch[i]);
#endif
#ifndef WITHOUT_GRANT_VOIDS
	endQuestions(j);
	if
	:: mode[j] == CANDIDATE -> withdraw(j)
	:: else
	fi
#endif
}

/* All pledges have come, to a question of that age. */
inline pledged(i, age) {
	if
	:: mode[i] == HOLDER -> NOTE(prolonged = 1); extend(i, TTL - age)
#if EPOCHS
	:: HOUSE(i) && WANTED(i) && (mode[i] == STANDBY || epoch[i] == askEpoch[i]) -> NOTE(byPledge[i] = 1); epoch[i] = askEpoch[i]; take(i, TTL - age)
#else
	:: HOUSE(i) -> NOTE(byPledge[i] = 1); take(i, TTL - age)
#endif
	:: else
	fi;
	endQuestions(i)
}

#ifdef WITHOUT_PLEDGE_FROM_SENDING
#define QUESTION_AGE(i) 0
#else
#define QUESTION_AGE(i) (asking[i] - 1)
#endif

/* The pledges of all but j have come. */
#define J1 ((i + 1) % N)
#define J2 ((i + 2) % N)
#if N == 2 || defined(WITHOUT_EVERY_PLEDGE)
#define ALL_BUT(j) 1
#else
#define ALL_BUT(j) (asked[i*N + 3 - i - (j)] == GRANTED)
#endif
#endif

#ifdef WITHOUT_COUNT_FROM_SENDING
#define WRITE_AGE(i) 0
#else
#define WRITE_AGE(i) writeAge[i]
#endif
#if EPOCHS && !defined(WITHOUT_EPOCH_ABOVE)
#define ABOVE(i) (epoch[i] > highest[i])
#else
#define ABOVE(i) 1
#endif

/* A region, and its part of the witness and of the quorum. */
active [N] proctype region() {
	byte i = _pid;
	do
#if WITNESS
	/* Suspect (§3): at any time, for what says when is for liveness. */
#if EPOCHS
	:: d_step { mode[i] == STANDBY && HOUSE(i) && highest[i] < EPOCHS -> mode[i] = CANDIDATE; epoch[i] = highest[i] + 1 }
#else
	:: d_step { mode[i] == STANDBY && HOUSE(i) -> mode[i] = CANDIDATE }
#endif
	/* Yield (§3): at any time, likewise. */
	:: d_step { mode[i] == CANDIDATE -> withdraw(i) }
	/* Write the own flag: it lands, and the answer comes. */
	:: d_step { (mode[i] == CANDIDATE || mode[i] == HOLDER) && !writing[i] && MORE(i) -> writing[i] = SENT; SEQ(seq[i]++) }
	:: d_step { writing[i] == SENT -> landOwn(i, EPOCH(i)) }
#if GARBLED
	:: d_step { writing[i] == SENT -> landOwn(i, GARBAGE) }
#endif
	:: d_step { writing[i] == LANDED ->
		if
		:: mode[i] == CANDIDATE ->
			if
			:: !RAISED(i) -> due[i] = MAX(due[i], SETTLE); shown[i] = 0
			:: else
			fi;
#ifdef WITHOUT_FLAG_EXPIRES
			raised[i] = 1;
#endif
			left[i] = TTL - WRITE_AGE(i)
		:: mode[i] == HOLDER -> renewed(i); extend(i, TTL - WRITE_AGE(i))
		:: else
		fi;
		writing[i] = 0; writeAge[i] = 0 }
#if LATE
	/* A lost write lands after all, or never will. */
	:: d_step { late[i] != NOTHING -> NOTE(lateLanded = 1); land(i, late[i]); SEQ(flagSeq[i] = lateSeq[i]; lateSeq[i] = 0); late[i] = NOTHING }
	:: d_step { late[i] != NOTHING -> late[i] = NOTHING; SEQ(lateSeq[i] = 0) }
#endif
	/* Read the other's flag, as it is, or as it was. */
#if SLOW_READS
	:: d_step { (mode[i] == STANDBY || mode[i] == CANDIDATE) && !reading[i] -> reading[i] = 1; readDue[i] = AT_DUE(i) }
#ifdef WITHOUT_READ_FROM_SENDING
#define SHOWN readDue[i] = AT_DUE(i); shown[i] = shown[i] || readDue[i]; reading[i] = 0; readDue[i] = 0
#else
#define SHOWN shown[i] = shown[i] || readDue[i]; reading[i] = 0; readDue[i] = 0
#endif
	:: d_step { reading[i] -> shows(i, 1 - i); SHOWN }
	/* What was superseded less than Δ before the sending. */
	:: d_step { reading[i] && stale[1 - i] + reading[i] > RT + 1 -> showNothing(i, 1 - i); SHOWN }
#else
	:: d_step { mode[i] == STANDBY || mode[i] == CANDIDATE -> shows(i, 1 - i); shown[i] = shown[i] || AT_DUE(i) }
	:: d_step { (mode[i] == STANDBY || mode[i] == CANDIDATE) && stale[1 - i] -> NOTE(sawOld = 1); showNothing(i, 1 - i); shown[i] = shown[i] || AT_DUE(i) }
#endif
	/* Take by the flag, at any time after the taking read (§3). */
	:: d_step { mode[i] == CANDIDATE && shown[i] && left[i] > 0 && HOUSE(i) && ABOVE(i) -> NOTE(byFlag[i] = 1); take(i, left[i]) }
#endif
	/* Give authority up: the layers first, then in memory, then on disk. */
	:: d_step { mode[i] == HOLDER && left[i] > 0 -> layers[i] = 0; endFlag(i) }
	:: d_step { mode[i] == STANDBY && left[i] > 0 -> left[i] = 0 }
	/* The layers are inactive sooner than they must. */
	:: d_step { mode[i] == STANDBY && layers[i] > 0 -> layers[i] = 0 }
	/* Crash, and start again. */
	:: d_step { mode[i] != DOWN -> crash(i) }
	:: d_step { mode[i] == DOWN && !KEPT_DOWN(i) -> NOTE(resumed = resumed || left[i] > 0); start(i, left[i]) }
#if REBOOTS
#ifdef WITHOUT_BOOT_ID
	:: d_step { mode[i] == DOWN && left[i] > 0 && !KEPT_DOWN(i) -> start(i, TTL) } /* by another clock */
#else
	:: d_step { mode[i] == DOWN && left[i] > 0 && !KEPT_DOWN(i) -> start(i, 0) }
#endif
#endif
#ifdef WITHOUT_SAVED_DEADLINE
	:: d_step { mode[i] == DOWN && had[i] && !KEPT_DOWN(i) -> start(i, TTL) }
#endif
#if WORD
	/* An operator says that the other region is down and fenced, which it is, and keeps it so (§4). */
	:: d_step { mode[1 - i] == DOWN && layers[1 - i] == 0 && (mode[i] == STANDBY || mode[i] == CANDIDATE) ->
		word[i] = 1; kept[i] = UNTIL_RENEWED; keptFor[i] = TTL }
	:: d_step { kept[i] == RENEWED && keptFor[i] == 0 -> kept[i] = 0 }
	/* Its pledge is not waited for then. */
	:: d_step { word[i] && mode[i] == HOLDER -> extend(i, TTL) }
	:: d_step { word[i] && HOUSE(i) -> NOTE(byWord = 1); take(i, TTL) }
#endif
#if PLEDGES
	/* Ask all others for their pledges (§4): at any time. */
#if EPOCHS
	:: d_step { !asking[i] && (mode[i] == HOLDER || HOUSE(i)) && (epoch[i] > 0 || highest[i] < EPOCHS) -> ask(i) }
#else
	:: d_step { !asking[i] && (mode[i] == HOLDER || HOUSE(i)) -> ask(i) }
#endif
	:: d_step { asked[i*N + J1] == QUESTION && MAY_GRANT(J1) && SERVES(i, J1) -> grant(i, J1) }
	:: d_step { asked[i*N + J1] == GRANT && ALL_BUT(J1) -> pledged(i, QUESTION_AGE(i)) }
#ifdef WITHOUT_ANSWER_TO_QUESTION
	:: d_step { stray[i] && asking[i] -> stray[i] = 0; pledged(i, QUESTION_AGE(i)) }
#endif
#if N > 2
	:: d_step { asked[i*N + J1] == GRANT && !ALL_BUT(J1) -> asked[i*N + J1] = GRANTED }
	:: d_step { asked[i*N + J2] == QUESTION && MAY_GRANT(J2) && SERVES(i, J2) -> grant(i, J2) }
	:: d_step { asked[i*N + J2] == GRANT && ALL_BUT(J2) -> pledged(i, QUESTION_AGE(i)) }
	:: d_step { asked[i*N + J2] == GRANT && !ALL_BUT(J2) -> asked[i*N + J2] = GRANTED }
#endif
#endif
	od
}

active proctype clock() {
	do
#if N == 2
	:: d_step { pass(0, 0); pass(1, 0) }
#if DRIFT
	:: d_step { pass(0, 1); pass(1, 0) }
	:: d_step { pass(0, 0); pass(1, 1) }
	:: d_step { pass(0, 1); pass(1, 1) }
#endif
#else
	:: d_step { pass(0, 0); pass(1, 0); pass(2, 0) }
#endif
	od
}

#ifdef REACH
active proctype claim() {
	do
	:: d_step { REACH -> assert(false) }
	od
}
#endif
