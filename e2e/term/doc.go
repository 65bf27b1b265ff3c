// Package term tries the record that the instances of a region share on a real API server.
package term
