// Package gpu says which GPUs are healthy, and which pods are to leave one that is not.
//
// It is pure: sources (packages dcgm and exporter) read, a Monitor judges what they have
// read, and selection works on what it is given. A GPU of which nothing is known is
// Unknown: it is never taken for healthy, and no pod is evicted for it.
package gpu

// A Device names one GPU.
type Device struct {
	UUID  string // as NVIDIA's driver names it, GPU-…; unique
	Index int    // as the source numbers it
	Model string
	Node  string // of Kubernetes, that it is in
}

// A Value is a number that a source may not have.
type Value struct {
	Number float64
	Known  bool
}

// Known is the value v.
func Known(v float64) Value { return Value{v, true} }

// A Reading is what a source has read of one GPU. What it does not have is not Known.
type Reading struct {
	Device

	Utilisation Value // percent
	MemoryUsed  Value // MiB
	MemoryFree  Value // MiB; what the driver reserves is in neither
	Temperature Value // °C
	Power       Value // watts
	SMClock     Value // MHz

	ThrottleReasons Value // the bits of DCGM_FI_DEV_CLOCKS_EVENT_REASONS
	Uncorrectable   Value // double bit ECC errors since the driver was loaded
	RemapFailed     Value // 1: a row of memory could not be replaced by a spare one

	XIDs    XIDs
	Watches Watches
}

// XIDs are the numbers of the errors that the driver has reported of a GPU, each once, in
// the order in which they came first. Known is false where the source can't tell.
type XIDs struct {
	Numbers []int
	Known   bool
}

// Watches are what DCGM's own health watches have found since they were last asked.
type Watches struct {
	Failures []string // texts for people
	Known    bool     // false before the second time of asking: the first never tells anything
}

// Bits of ThrottleReasons that tell of heat.
const (
	throttleSWThermal = 0x20 // the driver holds the clocks down
	throttleHWThermal = 0x40 // the GPU itself does, by half or more
)
