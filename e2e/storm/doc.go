// Package storm runs a whole group of real daemons, three regions with several instances each, on a network that breaks, and
// judges what became of it by what was seen from outside.
//
// Each instance is a host of its own: a network namespace with an address and a link to the router, which is the test's
// process. There are the witness (Cloudflare's own KV code), three public resolvers of different makes with the zones that
// they need, and the API servers of the regions, each at an address of its own. A region's layers are a hook and a route. Every packet
// between a host and one of them goes through package relay, which may lose it, delay it, repeat it or have others overtake it,
// each direction apart. What the test itself asks an instance is never disturbed.
//
// Faults are drawn from a seed, several at once, in storms of a minute. After each storm everything is mended, and the group has
// to be whole again.
//
// The judge, [Judge], knows nothing of the lease but its times: from what every instance said of its authority many times a
// second, from when its dead-man gate was open, from when its hooks ran, and from what the regions' routes were in their API
// servers, it tells whether two regions ever had authority, served, or had active layers at once, whether two regions ever acted
// under one epoch, and how long there was nobody. [Early] judges by what the witness has acknowledged, and by the hooks: whether a
// region took while another one had authority. That both see what they should is shown by tables, and by -without, which has the
// daemons break a rule of the protocol.
package storm
