// Package model checks the formal model of the protocol, docs/model/lease.pml, with spin: that it is safe in every
// world, exhaustively; that it is not without each of the rules that it has; and that what it is to show does happen.
package model
