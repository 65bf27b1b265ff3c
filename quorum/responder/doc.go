// Package responder is the authoritative DNS server of a region for its own name,
// <region>.<zone>, and nothing else (docs/protocol.md §4): it answers the questions of other
// regions, which come through public resolvers.
//
// It guarantees that only a question which a member signed, that was sent a short time ago and
// that comes for the first time is ever asked of the region; that every resolver which brings
// the same question gets the same answer; that it never recurses; that a datagram in reply has at
// most four times the octets of its query; and that neither its memory nor its connections grow
// with what is sent to it. It leaves to the region what to answer, and to the configuration which
// addresses to listen on.
package responder
