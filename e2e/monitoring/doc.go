// Package monitoring tests what failoverd is watched with, by the program that does it, Prometheus: the rules, with a runbook for
// each alert, on series that are made up, on real agents that fail, and on ones to which nothing happens.
package monitoring
