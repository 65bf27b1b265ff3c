package bench

import "testing"

// contenders make all that are measured, in the order of the report, for a test that outlives their groups: what several of these
// share, such as programs that are built, ends with it. To make one takes no time: what is built is built by Start.
var contenders = []func(testing.TB) []Contender{
	failoverds,
	elections,
	patronis,
	booths,
}
