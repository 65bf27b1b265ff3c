package layers

// A Finding is something about an object of a layer that an operator should know before
// a failover finds it out.
type Finding struct {
	Problem bool   // failover does not work like this; otherwise it does, with less in reserve
	Object  string // namespace/name
	Got     string // what is
	Remedy  string // what to do
}
