// Package statedir is what the daemon keeps on disk: the authority that stands,
// so that a restart within its deadline goes on where it was (docs/protocol.md
// §5), the history of the region's transitions, until when an operator has paused
// it, the report of the last drill, and who the agent is among those of its
// region. The journal is in a folder there too, but of package audit.
//
// It guarantees:
//
//   - One daemon at a time: Open takes a lock, which the kernel releases when the
//     process ends, however it ends.
//   - SaveAuthority is atomic and durable: at every moment, and after a crash or
//     a power cut at any moment, the authority on disk is the whole of the one
//     before or the whole of the new one; once it has returned nil, it is the new
//     one. An attempt that fails leaves the one before (or, where only the last
//     step failed, the new one: a caller must take neither for granted).
//   - What can't be read, or fails its checksum, is reported and never trusted:
//     LoadAuthority then says that there is none, and the region fences first.
//   - What this package keeps never takes more than a few MiB.
//   - Every error says what could not be done, with which file, and what to do.
//   - A Dir may be used by any number of goroutines. A slow write of the history
//     does not hold up the authority.
//
// A disk that is full or read-only does not keep Open from succeeding: a daemon
// that is restarted must get as far as fencing. CheckWritable tells.
package statedir
