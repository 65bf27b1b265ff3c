package bench

import (
	"bytes"
	"cmp"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// releaseTags are those that releases are built with.
const releaseTags = "grpcnotrace"

// together are modules that would go together.
var together = map[string]string{
	"go.etcd.io/etcd/api/v3": "etcd's API and gRPC", "google.golang.org/grpc": "etcd's API and gRPC",
	"k8s.io/client-go": "client-go and apimachinery", "k8s.io/apimachinery": "client-go and apimachinery",
	"github.com/cilium/cilium": "Cilium's client", "github.com/go-openapi/runtime": "Cilium's client", "github.com/go-openapi/strfmt": "Cilium's client",
	"github.com/spf13/cobra": "cobra and pflag", "github.com/spf13/pflag": "cobra and pflag",
	"github.com/prometheus/client_golang": "Prometheus' client", "github.com/prometheus/client_model": "Prometheus' client", "github.com/prometheus/common": "Prometheus' client",
}

// TestSize measures the program.
func TestSize(t *testing.T) {
	size := Size{Machine: ThisMachine(t)}
	for _, tags := range []string{releaseTags, "", releaseTags + ",noetcd"} {
		b := Build{Tags: tags, Bytes: int64(len(build(t, tags, "-s -w")))}
		t.Logf("with the tags %q: %.1f MB", b.Tags, float64(b.Bytes)/1e6)
		size.Builds = append(size.Builds, b)
	}
	packages := packagesOf(t)
	code := codeOf(t, build(t, releaseTags, "-w"))
	whole := packages.reachable()
	modules := map[string][]string{}
	var total float64
	for path := range whole {
		total += code[path]
		if m := packages[path].Module; m != nil && !m.Main && !m.Indirect {
			of := cmp.Or(together[m.Path], m.Path)
			modules[of] = append(modules[of], m.Path)
		}
	}
	for of, without := range modules {
		rest := packages.reachable(without...)
		var gone float64
		for path := range whole {
			if !rest[path] {
				gone += code[path]
			}
		}
		size.Dependencies = append(size.Dependencies, Part{of, gone / total})
	}
	slices.SortFunc(size.Dependencies, func(a, b Part) int { return cmp.Or(cmp.Compare(b.Share, a.Share), cmp.Compare(a.Of, b.Of)) })
	for _, d := range size.Dependencies {
		t.Logf("%5.1f %% %s", 100*d.Share, d.Of)
	}
	save(t, "size.json", size)
}

// build builds the program as releases are, but for what the linker is told.
func build(t *testing.T, tags, ldflags string) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "failoverd")
	goTool(t, "build", "-trimpath", "-buildvcs=false", "-tags", tags, "-ldflags", ldflags, "-o", path, "./cmd/failoverd")
	program, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// goTool runs the go command in the module of failoverd.
func goTool(t *testing.T, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = module(t)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go %s: %v: %s", strings.Join(args, " "), err, said.Bytes())
	}
	return out
}

// A goPackage is what `go list` says of one.
type goPackage struct {
	ImportPath string
	Imports    []string
	ImportMap  map[string]string // of those that are vendored
	Module     *struct {
		Path, Version  string
		Main, Indirect bool
	}
}

type goPackages map[string]goPackage

func packagesOf(t *testing.T) goPackages {
	t.Helper()
	all := goPackages{}
	decoder := json.NewDecoder(bytes.NewReader(goTool(t, "list", "-deps", "-tags", releaseTags, "-json=ImportPath,Imports,ImportMap,Module", "./cmd/failoverd")))
	for {
		var p goPackage
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatalf("go list: %v", err)
		}
		all[p.ImportPath] = p
	}
}

// reachable are the packages of the program, where failoverd itself imports nothing of some modules.
func (all goPackages) reachable(without ...string) map[string]bool {
	seen := map[string]bool{}
	var visit func(path string)
	visit = func(path string) {
		if seen[path] {
			return
		}
		seen[path] = true
		p := all[path]
		own := p.Module != nil && p.Module.Main
		for _, imported := range p.Imports {
			if mapped, is := p.ImportMap[imported]; is {
				imported = mapped
			}
			if m := all[imported].Module; own && m != nil && slices.Contains(without, m.Path) {
				continue
			}
			visit(imported)
		}
	}
	visit("github.com/openova-io/failoverd/cmd/failoverd")
	visit("runtime")
	return seen
}

// codeOf is how many bytes of code and of data each package has in a program.
func codeOf(t *testing.T, program []byte) map[string]float64 {
	t.Helper()
	file, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	symbols, err := file.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	code := map[string]float64{}
	for _, s := range symbols {
		// What is all zero when it starts is not in the file.
		if int(s.Section) < len(file.Sections) && file.Sections[s.Section].Type != elf.SHT_NOBITS {
			code[packageOf(s.Name)] += float64(s.Size)
		}
	}
	return code
}

// packageOf is the package of a symbol: all before the first dot behind the last slash of its path.
func packageOf(symbol string) string {
	symbol = strings.TrimPrefix(symbol, "go:itab.")
	symbol = strings.TrimPrefix(symbol, "*")
	if end := strings.IndexAny(symbol, "([{,"); end >= 0 {
		symbol = symbol[:end] // a type that is a parameter has a path of its own
	}
	base := strings.LastIndex(symbol, "/") + 1
	name, _, _ := strings.Cut(symbol[base:], ".")
	path := symbol[:base] + strings.ReplaceAll(name, "%2e", ".")
	if path == "main" {
		return "github.com/openova-io/failoverd/cmd/failoverd"
	}
	return path
}
