// Package operate tries every verb of an operator on three real agents, in each mode, rightly and wrongly.
package operate
