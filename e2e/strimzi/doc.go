// Package strimzi tests layers/strimzi against two regions: two real API servers with the CRD of KafkaMirrorMaker2 that
// package controlplane states. Strimzi's operator, and Kafka Connect, are a stand-in (world_test.go) that does with a
// resource what they do: connectors follow their states after a while, or not, and the status follows them.
package strimzi
