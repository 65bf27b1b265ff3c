package hook

import (
	"context"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/openova-io/failoverd/layers"
)

// inherited are the variables of the daemon that a command gets to see, beside
// LC_*: what programs need to find their files, to write text and times, and to
// reach the API server from inside a pod. Nothing else, since the daemon's
// environment may hold secrets, and NOTIFY_SOCKET or LISTEN_FDS, with which a
// command could speak to systemd in the daemon's name.
var inherited = []string{
	"PATH", "HOME", "USER", "LOGNAME", "LANG", "LANGUAGE", "TZ", "TMPDIR",
	"KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT",
}

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environ is the environment of a command: what is inherited, and
//
//	FAILOVERD_GROUP     the failover group
//	FAILOVERD_REGION    this region
//	FAILOVERD_ACTION    activate, fence or observe
//	FAILOVERD_EPOCH     of the authority that the order is given under; 0 for an observation, or a fence, without one
//	FAILOVERD_REASON    the reason's code; empty for an observation without an order
//	FAILOVERD_DEADLINE  seconds left when the command starts, decimal, such as 9.873; empty if there is no deadline.
//	                    A deadline may be moved on while the command runs; it never gets nearer.
func environ(ctx context.Context, action layers.Action, o layers.Order) []string {
	var env []string
	for _, name := range inherited {
		if v, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+v)
		}
	}
	for _, kv := range os.Environ() {
		if strings.HasPrefix(kv, "LC_") {
			env = append(env, kv)
		}
	}
	if os.Getenv("PATH") == "" {
		env = append(env, "PATH="+defaultPath)
	}
	left := ""
	if deadline, ok := ctx.Deadline(); ok {
		left = seconds(time.Until(deadline))
	}
	return append(env,
		"FAILOVERD_GROUP="+o.Group,
		"FAILOVERD_REGION="+string(o.Region),
		"FAILOVERD_ACTION="+string(action),
		"FAILOVERD_EPOCH="+strconv.FormatUint(o.Epoch, 10),
		"FAILOVERD_REASON="+string(o.Reason),
		"FAILOVERD_DEADLINE="+left,
	)
}

// seconds is d in seconds to the millisecond, rounded down: a command is never
// told that it has more time than it has.
func seconds(d time.Duration) string {
	return strconv.FormatFloat(max(d, 0).Truncate(time.Millisecond).Seconds(), 'f', 3, 64)
}
