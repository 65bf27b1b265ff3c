package main

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A good trace, and what is changed in it to make it wrong. Its lines are short for those of a trace: the time in
// milliseconds, also for the agent's clock unless that follows a slash; the agent, whose first letter is its region;
// and what is told, or done. @5 is 5 ms, and #a1 is the first write id of a.
type script struct {
	params string
	text   string
}

// byWitness is a, which takes by the witness after b has died, is restarted, and can't renew; then b takes. TTL 100 ms,
// staleness 20 ms, request_timeout 10 ms, fence_timeout 20 ms.
var byWitness = script{`"Staleness":@20`, `
0 a | Start {"BootID":"x"} | Transition {"From":"","To":"fencing"} | Fence {"ID":1} | WriteInfo {"Info":{"safety":{"ttl":"1"}}} | ReadRound {"ID":2}
1 a | RoundRead {"ID":2,"Flags":[{"Outcome":1},{"Outcome":2,"Flag":{"state":"active","epoch":3,"write_id":"#b1"}}],"Infos":[{"Outcome":1},{"Outcome":2,"Info":{"safety":{"ttl":"1"}}}]}
5 a | LayersFenced {"ID":1} | Transition {"From":"fencing","To":"standby"}
120 a | Tick {} | Transition {"From":"standby","To":"candidate","Epoch":4} | WriteFlag {"ID":3,"Flag":{"state":"candidate","epoch":4,"write_id":"#a1"}}
122 a landed {"witness":0,"write_id":"#a1"}
124 a | FlagWritten {"ID":3,"Acked":true}
130 b | Start {"BootID":"y"} | Transition {"From":"","To":"fencing"} | Fence {"ID":1} | WriteInfo {"Info":{"safety":{"ttl":"1"}}} | ReadRound {"ID":2}
131 b | RoundRead {"ID":2,"Flags":[{"Outcome":2,"Flag":{"state":"candidate","epoch":4,"write_id":"#a1"}},{"Outcome":1}],"Infos":[{"Outcome":2,"Info":{"safety":{"ttl":"1"}}},{"Outcome":1}]}
132 b | LayersFenced {"ID":1} | Transition {"From":"fencing","To":"standby"}
144 a | Tick {} | ReadRound {"ID":4}
146 a | RoundRead {"ID":4,"Flags":[{"Outcome":2,"Flag":{"state":"candidate","epoch":4,"write_id":"#a1"}},{"Outcome":2,"Flag":{"state":"active","epoch":3,"write_id":"#b1"}}]} | Transition {"From":"candidate","To":"active","Epoch":4,"Reason":"taken"} | SaveAuthority {"ID":5,"Authority":{"epoch":4,"deadline":@220,"boot_id":"x"}} | WriteFlag {"ID":6,"Flag":{"state":"active","epoch":4,"write_id":"#a2"}}
147 a | AuthoritySaved {"ID":5,"OK":true} | Activate {"ID":7,"Deadline":@220,"Epoch":4}
148 a layers true
149 a landed {"witness":0,"write_id":"#a2"}
150 a | FlagWritten {"ID":6,"Acked":true} | Extend {"Deadline":@246} | SaveAuthority {"ID":8,"Authority":{"epoch":4,"deadline":@246,"boot_id":"x"}}
151 a | AuthoritySaved {"ID":8,"OK":true}
160 a still true
165 a still false
165 a | Start {"BootID":"x","Saved":{"epoch":4,"deadline":@246,"boot_id":"x"}} | Transition {"From":"","To":"active","Epoch":4,"Reason":"resumed"} | Activate {"ID":1,"Deadline":@246,"Epoch":4}
200 b | Tick {} | ReadRound {"ID":3}
201 b | RoundRead {"ID":3,"Flags":[{"Outcome":2,"Flag":{"state":"active","epoch":4,"write_id":"#a2"}},{"Outcome":1}]}
226 a | Tick {} | Transition {"From":"active","To":"fencing","Epoch":4} | Fence {"ID":2}
240 a layers false
241 a | LayersFenced {"ID":2}
246 a | Tick {} | Transition {"From":"fencing","To":"standby"}
350 b | Tick {} | Transition {"From":"standby","To":"candidate","Epoch":5} | WriteFlag {"ID":4,"Flag":{"state":"candidate","epoch":5,"write_id":"#b2"}}
351 b landed {"witness":0,"write_id":"#b2"}
352 b | FlagWritten {"ID":4,"Acked":true} | ReadRound {"ID":5}
353 b | RoundRead {"ID":5,"Flags":[{"Outcome":2,"Flag":{"state":"active","epoch":4,"write_id":"#a2"}},{"Outcome":2,"Flag":{"state":"candidate","epoch":5,"write_id":"#b2"}}]}
372 b | Tick {} | ReadRound {"ID":6}
373 b | RoundRead {"ID":6,"Flags":[{"Outcome":2,"Flag":{"state":"active","epoch":4,"write_id":"#a2"}},{"Outcome":2,"Flag":{"state":"candidate","epoch":5,"write_id":"#b2"}}]} | Transition {"From":"candidate","To":"active","Epoch":5,"Reason":"taken"} | SaveAuthority {"ID":7,"Authority":{"epoch":5,"deadline":@450,"boot_id":"y"}}
430 b | Tick {} | Transition {"From":"active","To":"fencing","Epoch":5} | Fence {"ID":8}
431 b | LayersFenced {"ID":8}
450 b | Tick {} | Transition {"From":"fencing","To":"standby"}
70000 b | Tick {}
`}

// quorum is a, which takes by the pledge of b, and goes on by another one.
var quorum = script{`"Quorum":true`, `
0 a | Start {"BootID":"x"} | Transition {"From":"","To":"fencing"} | Fence {"ID":1} | WriteInfo {"Info":{"safety":{}}}
0 b | Start {"BootID":"y"} | Transition {"From":"","To":"fencing"} | Fence {"ID":1} | WriteInfo {"Info":{"safety":{}}}
5 a | LayersFenced {"ID":1} | Transition {"From":"fencing","To":"standby"}
5 b | LayersFenced {"ID":1} | Transition {"From":"fencing","To":"standby"}
10 a | Tick {} | Ask {"ID":5,"To":"b","Question":{"Verb":"pledge","Epoch":1,"Safety":"s"}}
11 b | Asked {"ID":1,"From":"a","Question":{"Verb":"pledge","Epoch":1,"Safety":"s"}} | SaveAuthority {"ID":2,"Authority":{"epoch":1,"deadline":@11}} | Reply {"ID":1,"Answer":{"p":true,"h":"s"}}
12 a | Answered {"ID":5,"From":"b","Reached":true,"Answer":{"p":true,"h":"s"}} | Transition {"From":"standby","To":"active","Epoch":1,"Reason":"pledged"} | SaveAuthority {"ID":6,"Authority":{"epoch":1,"deadline":@110,"boot_id":"x"}}
13 a | AuthoritySaved {"ID":6,"OK":true} | Activate {"ID":7,"Deadline":@110,"Epoch":1}
14 a layers true
50 a | Tick {} | Ask {"ID":8,"To":"b","Question":{"Verb":"pledge","Epoch":1,"Authority":true,"Safety":"s"}}
51 b | Asked {"ID":3,"From":"a","Question":{"Verb":"pledge","Epoch":1,"Authority":true,"Safety":"s"}} | Reply {"ID":3,"Answer":{"p":true,"h":"s"}}
52 a | Answered {"ID":8,"From":"b","Reached":true,"Answer":{"p":true,"h":"s"}} | Extend {"Deadline":@150} | SaveAuthority {"ID":9,"Authority":{"epoch":1,"deadline":@150,"boot_id":"x"}}
130 a | Tick {} | Transition {"From":"active","To":"fencing","Epoch":1} | Fence {"ID":10}
135 a layers false
136 a | LayersFenced {"ID":10}
150 a | Tick {} | Transition {"From":"fencing","To":"standby"}
`}

// instances is a of two instances: a1 takes by the pledge of b and dies, a2 inherits and lets it run out, and pledges
// to b.
var instances = script{`"Quorum":true,"TermDuration":@12`, `
0 a1 | Start {"BootID":"x"} | Transition {"From":"","To":"follower"} | ReadTerm {"ID":1}
0 b | Start {"BootID":"y"} | Transition {"From":"","To":"fencing"} | Fence {"ID":1} | WriteInfo {"Info":{"safety":{}}}
1 a1 | TermRead {"ID":1,"Outcome":1} | WriteTerm {"ID":2,"Record":{"Holder":"a1","Term":1,"Beat":1}}
2 a1 | TermWritten {"ID":2,"Outcome":1} | Transition {"From":"follower","To":"fencing"} | Fence {"ID":3,"Term":1} | WriteInfo {"Info":{"safety":{}}}
2 a2 | Start {"BootID":"x"} | Transition {"From":"","To":"follower"} | ReadTerm {"ID":1}
3 a2 | TermRead {"ID":1,"Outcome":2,"Record":{"Holder":"a1","Term":1,"Beat":1}}
3 a1 | LayersFenced {"ID":3} | Transition {"From":"fencing","To":"standby"} | WriteTerm {"ID":4,"Record":{"Holder":"a1","Term":1,"Beat":2}}
4 a1 | TermWritten {"ID":4,"Outcome":1}
5 b | LayersFenced {"ID":1} | Transition {"From":"fencing","To":"standby"}
10 a1 | Tick {} | Ask {"ID":5,"To":"b","Question":{"Verb":"pledge","Epoch":1,"Term":1,"Safety":"s"}}
11 b | Asked {"ID":1,"From":"a","Question":{"Verb":"pledge","Epoch":1,"Term":1,"Safety":"s"}} | SaveAuthority {"ID":2,"Authority":{"epoch":1,"deadline":@11}} | Reply {"ID":1,"Answer":{"p":true,"h":"s"}}
12 a1 | Answered {"ID":5,"From":"b","Reached":true,"Answer":{"p":true,"h":"s"}} | Transition {"From":"standby","To":"active","Epoch":1,"Reason":"pledged"} | SaveAuthority {"ID":6,"Authority":{"epoch":1,"deadline":@110,"boot_id":"x","term":1}} | WriteTerm {"ID":7,"Record":{"Holder":"a1","Term":1,"Beat":3,"Base":{"Epoch":1,"After":2},"Epoch":1}}
13 a1 | AuthoritySaved {"ID":6,"OK":true} | Activate {"ID":8,"Deadline":@110,"Epoch":1,"Term":1}
14 a1 | TermWritten {"ID":7,"Outcome":1}
15 a1 still true
20 a2 | Tick {} | ReadTerm {"ID":2}
21 a2 | TermRead {"ID":2,"Outcome":2,"Record":{"Holder":"a1","Term":1,"Beat":3,"Base":{"Epoch":1,"After":2},"Epoch":1}}
40 a2 | Tick {} | WriteTerm {"ID":3,"Record":{"Holder":"a2","Term":2,"Beat":4,"MayHold":["a1"],"Base":{"Epoch":1,"After":2},"Epoch":1}}
41 a2 | TermWritten {"ID":3,"Outcome":1} | Transition {"From":"follower","To":"active","Epoch":1,"Reason":"inherited"} | Activate {"ID":4,"Deadline":@102,"Epoch":1,"Term":2} | WriteInfo {"Info":{"safety":{}}}
82 a2 | Tick {} | Transition {"From":"active","To":"fencing","Epoch":1} | Fence {"ID":5,"Term":2}
90 a2 | LayersFenced {"ID":5}
102 a2 | Tick {} | Transition {"From":"fencing","To":"standby"} | WriteTerm {"ID":6,"Record":{"Holder":"a2","Term":2,"Beat":5,"Epoch":1}}
103 a2 | TermWritten {"ID":6,"Outcome":1}
111 b | Tick {} | Ask {"ID":6,"To":"a","Question":{"Verb":"pledge","Epoch":2,"Safety":"s"}}
112 a2 | Asked {"ID":1,"From":"b","Question":{"Verb":"pledge","Epoch":2,"Safety":"s"}} | SaveAuthority {"ID":7,"Authority":{"epoch":2,"deadline":@112,"term":2}} | WriteTerm {"ID":8,"Record":{"Holder":"a2","Term":2,"Beat":6,"Epoch":2}}
113 a2 | TermWritten {"ID":8,"Outcome":1} | Reply {"ID":1,"Answer":{"p":true,"h":"s","t":2}}
114 b | Answered {"ID":6,"From":"a","Reached":true,"Answer":{"p":true,"h":"s","t":2}} | Transition {"From":"standby","To":"active","Epoch":2,"Reason":"pledged"} | SaveAuthority {"ID":7,"Authority":{"epoch":2,"deadline":@211,"boot_id":"y"}}
`}

// several is a, which takes by three witnesses that are never stale.
var several = script{`"Witnesses":[{},{},{}]`, `
0 a | Start {"BootID":"x"} | Transition {"From":"","To":"fencing"} | Fence {"ID":1} | WriteInfo {"Info":{"safety":{}}} | ReadRound {"ID":2} | ReadRound {"ID":3,"Witness":1} | ReadRound {"ID":4,"Witness":2}
1 a | RoundRead {"ID":2,"Flags":[{"Outcome":1},{"Outcome":1}],"Infos":[{"Outcome":1},{"Outcome":2}]}
1 a | RoundRead {"ID":3,"Flags":[{"Outcome":1},{"Outcome":1}],"Infos":[{"Outcome":1},{"Outcome":2}]}
1 a | RoundRead {"ID":4,"Flags":[{"Outcome":1},{"Outcome":1}],"Infos":[{"Outcome":1},{"Outcome":2}]}
5 a | LayersFenced {"ID":1} | Transition {"From":"fencing","To":"standby"}
100 a | Tick {} | Transition {"From":"standby","To":"candidate","Epoch":1} | WriteFlag {"ID":5,"Flag":{"state":"candidate","epoch":1,"write_id":"#a1"}} | WriteFlag {"ID":6,"Witness":1,"Flag":{"state":"candidate","epoch":1,"write_id":"#a2"}} | WriteFlag {"ID":7,"Witness":2,"Flag":{"state":"candidate","epoch":1,"write_id":"#a3"}}
101 a | FlagWritten {"ID":5,"Acked":true}
102 a | FlagWritten {"ID":6,"Acked":true}
103 a | FlagWritten {"ID":7,"Acked":true} | ReadRound {"ID":8} | ReadRound {"ID":9,"Witness":1} | ReadRound {"ID":10,"Witness":2}
104 a | RoundRead {"ID":8,"Flags":[{"Outcome":2,"Flag":{"state":"candidate","epoch":1,"write_id":"#a1"}},{"Outcome":1}]}
105 a | RoundRead {"ID":10,"Flags":[{"Outcome":2,"Flag":{"state":"candidate","epoch":1,"write_id":"#a3"}},{"Outcome":1}]}
106 a | RoundRead {"ID":9,"Flags":[{"Outcome":2,"Flag":{"state":"candidate","epoch":1,"write_id":"#a2"}},{"Outcome":1}]} | Transition {"From":"candidate","To":"active","Epoch":1,"Reason":"taken"} | SaveAuthority {"ID":11,"Authority":{"epoch":1,"deadline":@200,"boot_id":"x"}}
`}

var (
	milliseconds = regexp.MustCompile(`@(\d+)`)
	writeIDs     = regexp.MustCompile(`#([a-z])(\d+)`)
)

// nanoseconds are those of so many milliseconds.
func nanoseconds(ms string) string {
	n, _ := strconv.Atoi(ms)
	return strconv.Itoa(n * 1_000_000)
}

// trace is the script as a trace.
func (s script) trace(t *testing.T) string {
	t.Helper()
	expand := func(text string) string {
		text = milliseconds.ReplaceAllStringFunc(text, func(ms string) string { return nanoseconds(ms[1:]) })
		return writeIDs.ReplaceAllStringFunc(text, func(id string) string {
			n, _ := strconv.Atoi(id[2:])
			return fmt.Sprintf("%016x%016x", id[1], n)
		})
	}
	lines := []string{`{"world":"script","clock":"true","complete":true}`}
	for _, l := range strings.Split(strings.TrimSpace(s.text), "\n") {
		head, rest, isStep := strings.Cut(l, " | ")
		words := strings.SplitN(head, " ", 4)
		at, now, other := strings.Cut(words[0], "/")
		if !other {
			now = at
		}
		agent := words[1]
		out := fmt.Sprintf(`{"at":%s,"region":%q,"agent":%q`, nanoseconds(at), agent[:1], agent)
		if !isStep {
			lines = append(lines, out+fmt.Sprintf(`,%q:%s}`, words[2], expand(words[3])))
			continue
		}
		var tagged []string
		for _, part := range strings.Split(rest, " | ") {
			kind, with, _ := strings.Cut(part, " ")
			tagged = append(tagged, fmt.Sprintf(`{"type":%q,"with":%s}`, kind, expand(with)))
		}
		if strings.HasPrefix(rest, "Start ") {
			instance := ""
			if len(agent) > 1 {
				instance = agent
			}
			out += expand(fmt.Sprintf(`,"params":{"Region":%q,"Instance":%q,"Members":["a","b"],"TTL":@100,"RequestTimeout":@10,"FenceTimeout":@20,%s}`, agent[:1], instance, s.params))
		}
		lines = append(lines, out+fmt.Sprintf(`,"step":{"now":%s,"event":%s,"actions":[%s]}}`, nanoseconds(now), tagged[0], strings.Join(tagged[1:], ",")))
	}
	for _, l := range lines {
		if !json.Valid([]byte(l)) {
			t.Fatalf("the script makes no JSON: %s", l)
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// judge is what the program says of a trace.
func judge(trace string) (said string, code int) {
	var out strings.Builder
	code = run(nil, true, strings.NewReader(trace), &out, &out)
	return out.String(), code
}

// wrongs are, for each invariant, changes to a good trace that break it, others too perhaps: each a pair of what is
// there and what is put in its place.
var wrongs = []struct {
	invariant string
	of        script
	changes   []string
}{
	{"clock", byWitness, []string{"70000 b", "70000/80000 b"}},
	{"lands-once", byWitness, []string{`149 a landed {"witness":0,"write_id":"#a2"}`, `149 a landed {"witness":0,"write_id":"#a1"}`}},
	{"acknowledged", byWitness, []string{"149 a landed {\"witness\":0,\"write_id\":\"#a2\"}\n", ""}},
	{"witness-fresh", byWitness, []string{`353 b | RoundRead {"ID":5,"Flags":[{"Outcome":2,"Flag":{"state":"active","epoch":4,"write_id":"#a2"}`, `353 b | RoundRead {"ID":5,"Flags":[` + `{"Outcome":2,"Flag":{"state":"candidate","epoch":4,"write_id":"#a1"}`}},
	{"witness-fresh", byWitness, []string{`353 b | RoundRead {"ID":5,"Flags":[{"Outcome":2,"Flag":{"state":"active","epoch":4,"write_id":"#a2"}`, `353 b | RoundRead {"ID":5,"Flags":[` + `{"Outcome":1,"Flag":{"state":"","epoch":0,"write_id":"#a2"}`}},
	{"one-holder", byWitness, []string{`| Extend {"Deadline":@246}`, `| Extend {"Deadline":@500}`, `165 a | Start {"BootID":"x","Saved":{"epoch":4,"deadline":@246,"boot_id":"x"}} | Transition {"From":"","To":"active","Epoch":4,"Reason":"resumed"} | Activate {"ID":1,"Deadline":@246,"Epoch":4}`, `165 a | Tick {}`, `246 a | Tick {} | Transition {"From":"fencing","To":"standby"}`, `246 a | Tick {}`}},
	{"one-epoch", byWitness, []string{`"Epoch":5`, `"Epoch":4`, `"epoch":5`, `"epoch":4`}},
	{"write-id", byWitness, []string{`"ID":6,"Flag":{"state":"active","epoch":4,"write_id":"#a2"}`, `"ID":6,"Flag":{"state":"active","epoch":4,"write_id":"#a1"}`}},
	{"flag-true", byWitness, []string{`"ID":3,"Flag":{"state":"candidate"`, `"ID":3,"Flag":{"state":"withdrawn"`}},
	{"flag-true", byWitness, []string{`"ID":3,"Flag":{"state":"candidate"`, `"ID":3,"Flag":{"state":"active"`}},
	{"from-sending", byWitness, []string{`"deadline":@220`, `"deadline":@224`}},                                                       // from the answer
	{"from-sending", byWitness, []string{`| Extend {"Deadline":@246}`, `| Extend {"Deadline":@250}`}},                                 // likewise
	{"from-sending", byWitness, []string{`150 a | FlagWritten {"ID":6,"Acked":true}`, `150 a | FlagWritten {"ID":6,"Acked":false}`}},  // by nothing
	{"from-sending", byWitness, []string{"\n150 a |", "\n157 a |", "\n151 a |", "\n158 a |"}},                                         // after request_timeout
	{"from-sending", several, []string{`"ID":6,"Acked":true`, `"ID":6,"Acked":false`, `"ID":7,"Acked":true`, `"ID":7,"Acked":false`}}, // one of three
	{"from-sending", quorum, []string{`| Extend {"Deadline":@150}`, `| Extend {"Deadline":@152}`}},
	{"no-revival", byWitness, []string{"350 b | Tick {} | Tr", "300 a | Tick {} | Extend {\"Deadline\":@340}\n350 b | Tick {} | Tr"}},
	{"fence-in-time", byWitness, []string{` | Transition {"From":"active","To":"fencing","Epoch":4} | Fence {"ID":2}`, ""}},
	{"activate-held", byWitness, []string{`Activate {"ID":7,"Deadline":@220,"Epoch":4}`, `Activate {"ID":7,"Deadline":@220,"Epoch":3}`}},
	{"activate-held", byWitness, []string{`Activate {"ID":7,"Deadline":@220,"Epoch":4}`, `Activate {"ID":7,"Deadline":@221,"Epoch":4}`}},
	{"layers", byWitness, []string{"240 a layers false\n", "240 a layers true\n"}},
	{"given-up-fenced", byWitness, []string{`241 a | LayersFenced {"ID":2}`, `241 a | LayersFenced {"ID":1}`}},
	{"raise-fenced", byWitness, []string{`5 a | LayersFenced {"ID":1}`, `5 a | Tick {}`}},
	{"epoch-above", byWitness, []string{`"epoch":3`, `"epoch":4`}},
	{"evidence-wait", byWitness, []string{`"ID":4,"Flags":[{"Outcome":2,"Flag":{"state":"candidate","epoch":4,"write_id":"#a1"}},{"Outcome":2,"Flag":{"state":"active","epoch":3,"write_id":"#b1"}`, `"ID":4,"Flags":[{"Outcome":2,"Flag":{"state":"candidate","epoch":4,"write_id":"#a1"}},{"Outcome":2,"Flag":{"state":"active","epoch":3,"write_id":"#b9"}`}}, // never seen
	{"evidence-wait", byWitness, []string{`"ID":4,"Flags":[{"Outcome":2,"Flag":{"state":"candidate","epoch":4,"write_id":"#a1"}},{"Outcome":2`, `"ID":4,"Flags":[{"Outcome":2,"Flag":{"state":"candidate","epoch":4,"write_id":"#a1"}},{"Outcome":0`}},                                                                                                           // not read
	{"settled", byWitness, []string{"\n144 a |", "\n143 a |"}},
	{"read-back", byWitness, []string{`"ID":4,"Flags":[{"Outcome":2`, `"ID":4,"Flags":[{"Outcome":1`}},
	{"peers-known", byWitness, []string{`"Infos":[{"Outcome":1},{"Outcome":2`, `"Infos":[{"Outcome":1},{"Outcome":1`}},
	{"same-witnesses", several, []string{`"ID":2,"Flags":[{"Outcome":1},{"Outcome":1}],"Infos":[{"Outcome":1},{"Outcome":2}]`, `"ID":2,"Flags":[{"Outcome":1},{"Outcome":1}]`, `{"ID":10,"Flags":[{"Outcome":2`, `{"ID":10,"Flags":[{"Outcome":0`}},
	{"same-safety", byWitness, []string{`{"Outcome":2,"Info":{"safety":{"ttl":"1"}}}]}`, `{"Outcome":2,"Info":{"safety":{"ttl":"2"}}}]}`}},
	{"same-safety", quorum, []string{`Reply {"ID":1,"Answer":{"p":true,"h":"s"`, `Reply {"ID":1,"Answer":{"p":true,"h":"t"`}},
	{"veto", script{byWitness.params + `,"Quorum":true`, byWitness.text}, nil},
	{"every-pledge", quorum, []string{`12 a | Answered {"ID":5,"From":"b","Reached":true,"Answer":{"p":true`, `12 a | Answered {"ID":5,"From":"b","Reached":true,"Answer":{"p":false`}},
	{"every-pledge", quorum, []string{"\n12 a | Answered {\"ID\":5", "\n12 a | Answered {\"ID\":4"}},
	{"voided", quorum, []string{"\n12 a", "\n11 a | Asked {\"ID\":1,\"From\":\"b\",\"Question\":{\"Verb\":\"pledge\",\"Epoch\":2,\"Safety\":\"s\"}} | SaveAuthority {\"ID\":3,\"Authority\":{\"epoch\":2,\"deadline\":@11}} | Reply {\"ID\":1,\"Answer\":{\"p\":true,\"h\":\"s\"}}\n12 a"}},
	{"pledge-given", quorum, []string{`Reply {"ID":1,"Answer":{"p":true`, `Reply {"ID":1,"Answer":{"p":false`}},
	{"pledge-given", quorum, []string{`Reply {"ID":3,"Answer":{"p":true`, `Reply {"ID":3,"Answer":{"p":false`}}, // of the first one, to be used again
	{"pledgers-fenced", quorum, []string{"\n0 a | Start", "\n0 b still false\n0 b layers true\n0 a | Start"}},
	{"pledge-unheld", quorum, []string{`5 b | LayersFenced {"ID":1}`, `5 b | Tick {}`}},
	{"pledge-unheld", quorum, []string{`Start {"BootID":"y"}`, `Start {"BootID":"y","Saved":{"epoch":1,"deadline":@30,"boot_id":"y"}}`}}, // on disk
	{"pledge-epoch", quorum, []string{`Start {"BootID":"y"}`, `Start {"BootID":"y","Saved":{"epoch":2,"deadline":@0,"boot_id":"y"}}`}},
	{"pledge-saved", quorum, []string{`| SaveAuthority {"ID":2,"Authority":{"epoch":1,"deadline":@11}} `, ""}},
	{"resumed", byWitness, []string{`"Saved":{"epoch":4,"deadline":@246,"boot_id":"x"}`, `"Saved":{"epoch":4,"deadline":@246,"boot_id":"z"}`}},
	{"resumed", byWitness, []string{`Activate {"ID":1,"Deadline":@246,"Epoch":4}`, `Activate {"ID":1,"Deadline":@265,"Epoch":4}`}},
	{"resumed", byWitness, []string{`"Saved":{"epoch":4,"deadline":@246`, `"Saved":{"epoch":4,"deadline":@260`, `Activate {"ID":1,"Deadline":@246,"Epoch":4}`, `Activate {"ID":1,"Deadline":@260,"Epoch":4}`}}, // it never had that
	{"inherited", instances, []string{`3 a2 | TermRead {"ID":1,"Outcome":2,"Record":{"Holder":"a1","Term":1,"Beat":1}`, `3 a2 | TermRead {"ID":1,"Outcome":2,"Record":{"Holder":"a1","Term":1,"Beat":2}`}},
	{"inherited", instances, []string{`Activate {"ID":4,"Deadline":@102`, `Activate {"ID":4,"Deadline":@110`}},
	{"confirmed", instances, []string{"\n4 a1 | TermWritten {\"ID\":4,\"Outcome\":1}", "", "\n11 b", "\n13 b", "\n12 a1", "\n14 a1", "\n13 a1", "\n14 a1"}},
	{"alone", instances, []string{`"Term":2,"Beat":5,"Epoch":1`, `"Term":2,"Beat":5,"MayHold":["a1"],"Epoch":1`, `"Term":2,"Beat":6,"Epoch":2`, `"Term":2,"Beat":6,"MayHold":["a1"],"Epoch":2`}},
	{"record-cleared", instances, []string{`"Term":2,"Beat":5,"Epoch":1`, `"Term":2,"Beat":5,"Base":{"Epoch":1,"After":2},"Epoch":1`, `"Term":2,"Beat":6,"Epoch":2`, `"Term":2,"Beat":6,"Base":{"Epoch":1,"After":2},"Epoch":2`}},
	{"pledge-recorded", instances, []string{`"Term":2,"Beat":6,"Epoch":2`, `"Term":2,"Beat":6,"Epoch":1`}},
	{"pledge-of-term", instances, []string{"\n20 a2", "\n20 b | Asked {\"ID\":2,\"From\":\"a\",\"Question\":{\"Verb\":\"pledge\",\"Epoch\":1,\"Authority\":true,\"Term\":1,\"Safety\":\"s\"}} | Reply {\"ID\":2,\"Answer\":{\"p\":true,\"h\":\"s\"}}\n20 a2"}},
	{"pledge-of-term", instances, []string{"\n20 a2", "\n20 b | Asked {\"ID\":2,\"From\":\"a\",\"Question\":{\"Verb\":\"pledge\",\"Epoch\":1,\"Authority\":true,\"Term\":1,\"Safety\":\"s\"}} | Reply {\"ID\":2,\"Answer\":{\"p\":true,\"h\":\"s\"}}\n20 a2",
		"\n82 a2", "\n50 b | Asked {\"ID\":3,\"From\":\"a\",\"Question\":{\"Verb\":\"pledge\",\"Epoch\":1,\"Authority\":true,\"Term\":2,\"Safety\":\"s\"}} | Reply {\"ID\":3,\"Answer\":{\"p\":true,\"h\":\"s\"}}\n82 a2"}}, // to the one that it takes by too, since
}

// TestGood shows that nothing is found in a good trace.
func TestGood(t *testing.T) {
	for name, s := range map[string]script{"witness": byWitness, "quorum": quorum, "instances": instances, "several": several} {
		if said, code := judge(s.trace(t)); code != 0 {
			t.Errorf("%s: exit code %d, want 0\n%s", name, code, said)
		}
	}
}

// TestWrong shows that each invariant is found to be broken where it is.
func TestWrong(t *testing.T) {
	broken := map[string]bool{}
	for i, w := range wrongs {
		s := w.of
		for k := 0; k < len(w.changes); k += 2 {
			if !strings.Contains(s.text, w.changes[k]) {
				t.Fatalf("%d, %s: the script does not have %q", i, w.invariant, w.changes[k])
			}
			s.text = strings.ReplaceAll(s.text, w.changes[k], w.changes[k+1])
		}
		want := 1
		if n := slices.IndexFunc(invariants, func(i invariant) bool { return i.name == w.invariant }); n >= 0 && invariants[n].assumed {
			want = 3
		}
		said, code := judge(s.trace(t))
		if code != want || !strings.Contains(said, ": "+w.invariant+": ") {
			t.Errorf("%d: exit code %d, want %d and a finding of %s\n%s", i, code, want, w.invariant, said)
		}
		broken[w.invariant] = true
	}
	for _, i := range invariants {
		if !broken[i.name] {
			t.Errorf("no trace breaks %s", i.name)
		}
	}
	for name := range broken {
		if !slices.ContainsFunc(invariants, func(i invariant) bool { return i.name == name }) {
			t.Errorf("there is no invariant %s", name)
		}
	}
}

// TestMalformed shows that what makes no sense is refused, and not taken for good.
func TestMalformed(t *testing.T) {
	good := byWitness.trace(t)
	for name, trace := range map[string]string{
		"no JSON":                good + "x\n",
		"not in order":           good + good[strings.Index(good, "\n")+1:],
		"a step before Start":    strings.Replace(good, `"type":"Start"`, `"type":"Tick"`, 1),
		"no params":              strings.Replace(good, `"params"`, `"parameters"`, 1),
		"an unknown clock":       strings.Replace(good, `"clock":"true"`, `"clock":"wall"`, 1),
		"a read that was not":    strings.Replace(good, `"ID":2,"Flags"`, `"ID":99,"Flags"`, 1),
		"a field of no number":   strings.Replace(good, `"Acked":true`, `"Acked":"yes"`, 1),
		"a clock that goes back": strings.Replace(good, `"now":5000000`, `"now":500000`, 1),
	} {
		if said, code := judge(trace); code != 2 {
			t.Errorf("%s: exit code %d, want 2\n%s", name, code, said)
		}
	}
}

// TestAlone shows that the program has nothing of the code that it judges, nor of anybody else's.
func TestAlone(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "-f", "{{if not .Standard}}{{.ImportPath}}{{end}}", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Fields(string(out)); len(got) != 1 || !strings.HasSuffix(got[0], "/tracecheck") {
		t.Errorf("it is made of %v, want itself and the standard library", got)
	}
}
