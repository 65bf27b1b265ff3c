// Package bench measures failoverd beside what a user would take instead of it: the same faults, the same times, the same
// machine, the same eyes. `make bench` runs it, and writes docs/benchmarks.md with its raw data and plots.
//
// Every system is a Contender: processes as their own documentation has them run, on loopback. What it guards acts, or does
// not, and that is what is judged: never what a node thinks of itself. All nodes are on one machine, so there is one clock.
//
// Fair to the others: settings that they recommend, what they guarantee in their own words, and nothing left out where they
// win. What acts is reported apart from what a load balancer would see by a node's health endpoint, as a node that is frozen
// can't stop what runs beside it, whichever system it is of.
package bench
