// Package relay makes a network bad: it delays packets, so that they overtake each other, repeats them and loses them, as
// the kernel's netem would, which not every kernel has.
//
// A [Relay] is a TUN device in the network namespace of a router. Packets that come in by the links that are led
// [Relay.Through] it go to the device, are read there, and are written back as their path says, if at all, for the router to send
// on. Every protocol takes what IP does to it: a TCP connection goes on, slower, and a datagram may come twice.
package relay
