// Package daemon runs failoverd as a user does, for tests: the binary, built from this tree, as processes of its own,
// with a configuration file, keys that its own keygen made, Cloudflare's own KV code as the witness (package kvserver),
// and a hook that writes down when it ran.
//
// It judges nothing but a failover, by what the hooks wrote down. What is read here (status, history, findings, saved
// authority, the hook's file) is decoded by types of its own, so that a test notices when a documented format changes.
//
// Every process is started in a process group of its own, is signalled by this package alone and through its handle,
// never by a name, and is killed by the kernel when the test binary dies. Its output is logged only if the test failed.
package daemon
