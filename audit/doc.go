// Package audit is the journal: everything that the lease of this region was told, and what it
// decided, in order, so that anybody can check later what happened and why.
//
// A journal is a folder of files of JSON lines. Each line is an [Entry] with its hash, which
// covers the hash before it, and the region's signature of that hash. So no entry can be
// changed, left out or added within what is there without the key, and [Verify] shows it with
// nothing but the public key. What it can't show is that the newest entries, or the oldest
// files, are missing: who keeps the hash of an entry elsewhere can.
//
// It guarantees:
//
//   - An entry that [Journal.Append] has returned nil for survives the end of the process,
//     however it ends; after [Journal.Sync], of the machine too.
//   - An entry that a crash has torn is found and cut by [Open], and nothing else is ever cut:
//     a file that is damaged in any other way is set aside, under another name.
//   - The folder never takes much more than its limit: the oldest files go.
//
// [Replay] feeds the events to the core again, and wants the same actions: a journal and a
// version reproduce every decision.
package audit
