// Package kvtest is an adversarial Cloudflare Workers KV for tests: the real
// paths, envelopes and error bodies of its REST API, with everything that the
// protocol lets a witness do (§1), and worse, at a test's command: reads that
// are stale within the declared bound or beyond it, cached misses, answers
// that are lost after the write was applied, writes that land late and out of
// order, refusals, and connections that hang or are cut.
//
// Faults are set per client, which is known by its token. They are drawn from
// one seeded source, so that one client's sequence of requests always meets
// the same faults. Within the faults' bounds it keeps what §1 promises: a
// write that was acknowledged is seen by every read that is sent Staleness
// later, and every attempt is applied at most once.
//
// It is for Go tests and, as a server on a loopback port, for processes. It
// leaves out expiry, metadata, lists and bulk requests, which failoverd does
// not use, and Cloudflare's limit of one write a second for a key.
package kvtest
