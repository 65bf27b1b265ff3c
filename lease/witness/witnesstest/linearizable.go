package witnesstest

import (
	"cmp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/openova-io/failoverd/lease/witness"
)

// checkTimeout is for a judge that has lost its way: it takes well below a second.
const checkTimeout = time.Minute

// RunLinearizable has several clients put and get at once, on keys with one
// writer and on one with several, and checks that what they saw is what
// linearizable registers can show, with each attempt landing at most once. For
// each client it opens the store once more; all must see the same registers,
// which are empty at first.
//
// faults, which may be nil, does harm to the store's servers or its network
// while the clients run, paced by their progress, and mends it all before it
// returns: every client must then get answers again.
func RunLinearizable(t *testing.T, open func(t *testing.T) witness.Store, faults func(t *testing.T, c *Clients)) {
	t.Helper()
	history := runClients(t, open, faults)
	if wrong := notLinearizable(t, history); wrong != "" {
		t.Error(wrong)
	}
}

// notLinearizable says where a history is not one of linearizable registers, and "" where it is.
func notLinearizable(t *testing.T, history []operation) string {
	byKey := map[string][]operation{}
	for _, o := range history {
		byKey[o.key] = append(byKey[o.key], o)
	}
	for key, ops := range byKey {
		ops, wrong := landed(ops)
		if wrong != "" {
			return wrong
		}
		result, info := porcupine.CheckOperationsVerbose(register, events(ops), checkTimeout)
		switch result {
		case porcupine.Unknown:
			t.Fatalf("%d operations on %q could not be judged in %v", len(ops), key, checkTimeout)
		case porcupine.Illegal:
			return "no linearizable register shows what clients saw of " + key + ". What follows can't be reached by any order:\n" + firstOutOfOrder(ops, info)
		}
	}
	return ""
}

// landed turns attempts of unknown outcome into operations that the judge can
// end. One that no read returned may as well have never landed. One that was
// returned has landed before the first such read ended, whenever its client
// gave it up: values are unique.
func landed(ops []operation) (_ []operation, wrong string) {
	seen := map[string]time.Duration{"": 0}
	for _, o := range ops {
		if o.put {
			seen[o.value] = never
		}
	}
	for _, o := range ops {
		if o.put {
			continue
		}
		until, ok := seen[o.value]
		if !ok {
			return nil, "a value that nobody put: " + o.String()
		}
		seen[o.value] = min(until, o.answer)
	}
	var out []operation
	for _, o := range ops {
		if o.put && o.answer == never {
			o.answer = seen[o.value]
			if o.answer == never {
				continue
			}
			if o.answer < o.sent {
				return nil, "a value was read before it was put: " + o.String()
			}
		}
		out = append(out, o)
	}
	return out, ""
}

// register is one that is missing at first.
var register = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		if o := input.(operation); o.put {
			return true, o.value
		} else {
			return state == o.value, state
		}
	},
}

func events(ops []operation) []porcupine.Operation {
	var out []porcupine.Operation
	for _, o := range ops {
		out = append(out, porcupine.Operation{ClientId: o.client, Input: o, Call: int64(o.sent), Return: int64(o.answer)})
	}
	return out
}

// firstOutOfOrder are the first operations that the longest order found has no place for.
func firstOutOfOrder(ops []operation, info porcupine.LinearizationInfo) string {
	longest := []int{}
	for _, partial := range info.PartialLinearizations()[0] {
		if len(partial) > len(longest) {
			longest = partial
		}
	}
	rest := []operation{}
	for i, o := range ops {
		if !slices.Contains(longest, i) {
			rest = append(rest, o)
		}
	}
	slices.SortFunc(rest, func(a, b operation) int { return cmp.Compare(a.sent, b.sent) })
	lines := []string{"the order found ends with:"}
	for _, i := range longest[max(0, len(longest)-5):] {
		lines = append(lines, "  "+ops[i].String())
	}
	lines = append(lines, "and has no place for:")
	for _, o := range rest[:min(10, len(rest))] {
		lines = append(lines, "  "+o.String())
	}
	return strings.Join(lines, "\n")
}
