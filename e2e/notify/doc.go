// Package notify tests that people are told: real agents, real Alertmanagers in a cluster, and webhooks.
package notify
