package gpu

// An XIDClass says what an XID means for other work on the same GPU.
type XIDClass string

const (
	XIDFatal       XIDClass = "fatal"       // the GPU can't be relied on until it is reset
	XIDApplication XIDClass = "application" // one program has failed, or was ended; the GPU goes on
	XIDOther       XIDClass = "other"       // a note, or a number that is not known here
)

// xidClasses are after NVIDIA's "XID Errors" document (docs.nvidia.com/deploy/xid-errors): fatal
// where its action is a reset, a restart of the node or a replacement.
var xidClasses = map[int]XIDClass{
	46:  XIDFatal, // the GPU stopped processing
	48:  XIDFatal, // a double bit ECC error
	62:  XIDFatal, // the internal microcontroller halted
	64:  XIDFatal, // a row could not be remapped, or a page not retired
	74:  XIDFatal, // NVLink
	79:  XIDFatal, // the GPU has fallen off the bus
	95:  XIDFatal, // an uncontained memory error
	110: XIDFatal, // a security fault
	119: XIDFatal, // the GSP does not answer
	120: XIDFatal, // an error in the GSP
	136: XIDFatal, // training of a link failed
	140: XIDFatal, // an ECC error that was not recovered
	143: XIDFatal, // initialisation failed

	13:  XIDApplication, // an exception in the graphics engine
	31:  XIDApplication, // a memory page fault
	43:  XIDApplication, // a channel was reset
	45:  XIDApplication, // a channel was removed, since its program had ended
	68:  XIDApplication, // an exception in the video decoder
	69:  XIDApplication, // an exception in the graphics engine class
	109: XIDApplication, // a context switch timed out: NVIDIA's device plugin goes on with the GPU too
	94:  XIDApplication, // a contained memory error: the programs that it hit were ended
	137: XIDApplication, // a fault of an NVLink peer
}

// ClassOfXID is the class of an XID; XIDOther if it is not known.
func ClassOfXID(number int) XIDClass {
	if c, ok := xidClasses[number]; ok {
		return c
	}
	return XIDOther
}
