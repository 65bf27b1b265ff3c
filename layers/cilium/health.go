package cilium

import "context"

// Health asks the agent behind a socket how it and its mesh are: nil is well.
func Health(ctx context.Context, socket string) error { return newAgent(socket).check(ctx) }
