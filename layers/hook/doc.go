// Package hook is a layer that runs the operator's own commands: one to
// activate, one to fence, and optionally one that prints what the layer is.
//
// A command runs in a process group of its own, in /, with nothing on its
// standard input, and is told what it is run for in its environment (see
// environ.go). Exit status 0 says that the effect is there; where an observe
// command is configured, it must then print the state wanted too.
//
// It guarantees:
//
//   - When Activate, Fence or Observe has returned, no process of the command's
//     group runs any more: not at the deadline, not when the attempt was called
//     off, and not when the command itself has ended and left children behind.
//     So nothing that an activation began can take effect after a fence began.
//     A service is started through its service manager, never as a child of a
//     hook.
//   - They return soon after ctx ends, also when a process that left the group
//     (setsid) keeps the output open. Such a process escapes; nothing short of a
//     cgroup holds it.
//   - A command that is running when the daemon is killed is killed with it, but
//     for its children; see start in process.go.
//   - The layer may be used by any number of goroutines. It keeps nothing between
//     two attempts.
//
// It leaves to the command to be idempotent, and to look at FAILOVERD_EPOCH of
// an activation: the hook itself refuses no epoch, since it has no object to keep one on.
// A fence is never to be refused; of an agent that holds nothing it bears epoch 0.
package hook
