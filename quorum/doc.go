// Package quorum is what regions say to one another through public DNS resolvers when the
// witness does not answer, or is not to be believed (docs/protocol.md §4), as far as it is
// pure: signed questions and answers as DNS names and texts, the window in which a question
// counts, and the vote over what the resolvers return.
//
// It guarantees that nothing which a region did not sign for this question changes anything,
// that no input makes it panic, and that what changes the case of letters on its way, as
// resolvers do, changes nothing. It leaves sockets, resolvers and time to others: time is an
// argument.
//
// Numbers like §4 in comments are sections of docs/protocol.md.
package quorum
