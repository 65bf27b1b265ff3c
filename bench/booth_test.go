package bench

import "testing"

// TestBooth: the ticket is granted at the first site, and when that dies, at the other.
func TestBooth(t *testing.T) { testTakeover(t, booths(t)[0]) }
