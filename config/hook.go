package config

import (
	"fmt"
	"os"
	"strings"
)

// hook checks one hook.
func (v *validator) hook(i int) {
	hooks := v.c.Layers.Hooks
	h, at := hooks[i], fmt.Sprintf("layers.hooks[%d]", i)
	v.text(at+".name", h.Name, isLabel)
	for j, other := range hooks[:i] {
		if other.Name == h.Name && h.Name != "" {
			v.must(false, at+".name", "found %s, which is the name of hook %d too, expected a name of its own", quote(h.Name), j+1)
			break
		}
	}
	v.command(at+".activate", h.Activate, true)
	v.command(at+".fence", h.Fence, true)
	v.command(at+".observe", h.Observe, false)
}

// command checks an argument vector.
func (v *validator) command(at string, argv []string, required bool) {
	if len(argv) == 0 {
		if v.has(at) {
			v.must(false, at, "found an empty list, expected %s", want(at))
		} else if required {
			v.must(false, at, "missing, expected %s", want(at))
		}
		return
	}
	v.must(isAbs(argv[0]), at+"[0]", "found %s, expected the absolute path of a program: a hook runs without a shell, a PATH and a working directory of yours", quote(argv[0]))
	for i, arg := range argv[1:] {
		v.must(!strings.Contains(arg, "\x00"), fmt.Sprintf("%s[%d]", at, i+1), "found a NUL character, which no argument can hold")
	}
}

// CheckFiles returns, as Problems, what of the host's files c needs and cannot
// have: hooks' programs, the authorities of receivers of notifications, and the
// directory of a file witness. It is apart from Validate, so that a configuration
// can be checked on another machine.
func (c *Config) CheckFiles() error {
	v := &validator{document: c.document(), c: c}
	for i, h := range c.Layers.Hooks {
		for _, cmd := range []struct {
			key  string
			argv []string
		}{{"activate", h.Activate}, {"fence", h.Fence}, {"observe", h.Observe}} {
			if len(cmd.argv) == 0 {
				continue
			}
			at := fmt.Sprintf("layers.hooks[%d].%s[0]", i, cmd.key)
			switch info, err := os.Stat(cmd.argv[0]); {
			case err != nil:
				v.must(false, at, "%v, expected a program; install it or correct the path", err)
			case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
				v.must(false, at, "%s is not an executable file, expected a program; run chmod +x on it or correct the path", cmd.argv[0])
			}
		}
	}
	v.checkAuthorities()
	c.eachWitness(func(at string, w *Witness) {
		f := w.File
		if f == nil {
			return
		}
		// A directory that is missing is not made: on a host where the shared
		// file system is not mounted, that would be a witness of its own.
		switch info, err := os.Stat(f.Dir); {
		case err != nil:
			v.must(false, at+".file.dir", "%v, expected a directory that every region sees; mount or make it", err)
		case !info.IsDir():
			v.must(false, at+".file.dir", "%s is not a directory, expected one that every region sees", f.Dir)
		}
	})
	return v.problems.err()
}
