// Package watchdog speaks to the kernel's watchdog, /dev/watchdog: a timer, best in hardware, that resets the machine unless
// it is pinged. It is the last of an agent's dead-man's switches: what stands still with the agent, is reset with it.
//
// A device is armed by opening it, and disarmed by writing the letter V and closing it. Closed in any other way, as by the end
// of a process, it stays armed. One that was built with "nowayout" can't be disarmed at all.
//
// It guarantees that a device is refused which can't be disarmed, or which makes something else of the timeout, and that only
// Ping pings: nothing here does so by itself. It leaves to the agent when the device is armed, and when it is pinged.
package watchdog
