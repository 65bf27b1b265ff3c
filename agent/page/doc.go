// Package page is the status page of an agent, for people: GET / of its API.
//
// The server renders all facts, so that the page says everything without
// JavaScript too, and a reload shows the newest. With JavaScript the page follows
// GET /events, a stream of server-sent events, each of which is the facts, rendered anew.
//
// What it costs the lease is one value sent to a channel at each change, which waits
// for nobody. One goroutine renders, once for all streams, no more often than every
// pace, and only while there are any; each stream then sends the newest, so whoever reads
// slowly misses some. There are at most maxStreams of them.
package page
