package layers

import "slices"

// A Tier is how far a layer is from the data. What is let in needs what is further
// inside: so activation goes from the inside out, and planned fencing from the
// outside in.
type Tier int

const (
	Data     Tier = iota // databases, and the mirroring between them
	Internal             // services and endpoints, in the cluster and between clusters
	External             // routes from outside
	Custom               // hooks: each one a stage of its own, in the order of the configuration
)

// A Stage is the layers, by their place in the list, that are acted on at once.
type Stage []int

// Plan is the order in which layers of the given tiers are acted on. A stage begins
// when those before it are there; in a fence also when they have used up their Share
// of the time, since what can be fenced must not wait for what can't.
//
// A fence that is not planned has one stage: it is in a hurry, and nothing that a
// layer does is of use to another.
func Plan(action Action, planned bool, tiers []Tier) []Stage {
	if action == Fence && !planned {
		all := make(Stage, len(tiers))
		for i := range all {
			all[i] = i
		}
		return []Stage{all}
	}
	var stages []Stage
	for tier := Data; tier <= Custom; tier++ {
		var stage Stage
		for i, t := range tiers {
			switch {
			case t != tier:
			case tier == Custom:
				stages = append(stages, Stage{i})
			default:
				stage = append(stage, i)
			}
		}
		if len(stage) > 0 {
			stages = append(stages, stage)
		}
	}
	if action == Fence {
		slices.Reverse(stages)
	}
	return stages
}
