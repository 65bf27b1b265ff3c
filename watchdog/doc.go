// Package watchdog speaks to the kernel's watchdog, /dev/watchdog: a timer, best in hardware, that resets the machine unless
// it is pinged. It is the last of an agent's dead man's switches: what stands still with the agent, is reset with it.
//
// A device is armed by opening it, and disarmed by writing the letter V and closing it. Closed in any other way, as by the end
// of a process, it stays armed. One that was built with "nowayout" can't be disarmed at all.
package watchdog
