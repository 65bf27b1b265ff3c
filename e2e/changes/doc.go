// Package changes follows docs/operations.md where it changes what a group is: a safety parameter, a key, the members, the witness,
// what is in it, and what is on disk. Two regions never serve at once, and one does when all is done.
package changes
