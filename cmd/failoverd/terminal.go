package main

import (
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// terminal reports whether out is a terminal that takes escape codes, and how many columns it has.
// With NO_COLOR (https://no-color.org) there are none of any kind.
func terminal(out io.Writer) (columns int, ok bool) {
	f, ok := out.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" || os.Getenv("TERM") == "" || os.Getenv("NO_COLOR") != "" {
		return 0, false
	}
	size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	switch {
	case err != nil:
		return 0, false
	case size.Col == 0: // some don't say
		return 80, true
	}
	return int(size.Col), true
}
