package packaging_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const version = "1.2.3"

var (
	releaseDir  string // of what release makes; TestMain removes it
	releaseOnce = sync.OnceValue(func() error {
		for _, program := range []string{"make", "dpkg", "buildah"} {
			if _, err := exec.LookPath(program); err != nil {
				return errors.New(program + " is missing; run e2e/setup.sh, or install Debian's package of that name")
			}
		}
		var err error
		if releaseDir, err = os.MkdirTemp("", "release"); err != nil {
			return err
		}
		buildah := "buildah --storage-driver vfs --root " + releaseDir + "/storage --runroot " + releaseDir + "/run"
		cmd := exec.Command("make", "-C", root, "deb", "image", "VERSION="+version, "OUT="+releaseDir, "BUILDAH="+buildah)
		if out, err := cmd.CombinedOutput(); err != nil {
			return errors.New(err.Error() + "\n" + string(out))
		}
		return nil
	})
)

// release makes the packages and the image, once for all tests.
func release(t *testing.T) string {
	t.Helper()
	if err := releaseOnce(); err != nil {
		t.Fatalf("make deb image: %v", err)
	}
	return releaseDir
}

// TestDeb installs the package in an empty root, and takes it away again.
func TestDeb(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"etc", "var/lib/dpkg/updates", "var/lib/dpkg/info", "var/lib/failoverd"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"var/lib/dpkg/status", "var/lib/failoverd/authority"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	dpkg := func(args ...string) {
		t.Helper()
		// Nothing but this package is in the root, so systemd, which it depends on, is missing there.
		force := "--force-script-chrootless,not-root,depends,bad-path"
		if out, err := run(t, append([]string{"dpkg", "--root=" + dir, "--log=/dev/null", force}, args...)...); err != nil {
			t.Fatalf("dpkg %q: %v\n%s", args, err, out)
		}
	}
	there := func(want bool, names ...string) {
		t.Helper()
		for _, name := range names {
			if _, err := os.Stat(filepath.Join(dir, name)); (err == nil) != want {
				t.Errorf("%s is there: %v, want %v", name, err == nil, want)
			}
		}
	}
	dpkg("--install", filepath.Join(release(t), "failoverd_"+version+"_amd64.deb"))
	unit, err := os.ReadFile(filepath.Join(dir, "usr/lib/systemd/system/failoverd.service"))
	if err != nil {
		t.Fatal(err)
	}
	_, command, _ := strings.Cut(string(unit), "\nExecStart=")
	program := filepath.Join(dir, strings.Fields(command)[0])
	if out, err := run(t, program, "version"); err != nil || !strings.HasPrefix(out, "failoverd "+version) {
		t.Errorf("the program that the unit starts says %q, %v; want failoverd %s", out, err, version)
	}
	passwd, err := os.ReadFile(filepath.Join(dir, "etc/passwd"))
	if err != nil || !strings.HasPrefix(string(passwd), "failoverd:") {
		t.Errorf("the users are %q, %v; want failoverd", passwd, err)
	}
	examples := "usr/share/doc/failoverd/examples/"
	there(true, "etc/failoverd", examples+"failoverd.yaml", examples+"full.yaml", examples+"port-53.conf", examples+"operators.conf", examples+"rules.yaml", "usr/share/doc/failoverd/docs/runbooks/FailoverdDown.md", "usr/share/doc/failoverd/copyright")

	if err := os.WriteFile(filepath.Join(dir, "etc/failoverd/region.key"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	dpkg("--remove", "failoverd")
	there(false, "usr/bin/failoverd", "usr/lib/systemd/system/failoverd.service")
	there(true, "var/lib/failoverd/authority")
	dpkg("--purge", "failoverd")
	there(false, "var/lib/failoverd")
	there(true, "etc/failoverd/region.key")
}

// machines are the architectures that are released.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// static reports what keeps a program from running alone on a machine.
func static(t *testing.T, program []byte, machine elf.Machine) {
	t.Helper()
	file, err := elf.NewFile(bytes.NewReader(program))
	if err != nil {
		t.Fatal(err)
	}
	if file.Machine != machine {
		t.Errorf("the program is for %v, want %v", file.Machine, machine)
	}
	if i := slices.IndexFunc(file.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }); i >= 0 {
		t.Error("the program needs a dynamic loader")
	}
}

// TestDebs looks into the packages of both architectures.
func TestDebs(t *testing.T) {
	for arch, machine := range machines {
		t.Run(arch, func(t *testing.T) {
			deb := filepath.Join(release(t), "failoverd_"+version+"_"+arch+".deb")
			if out, err := run(t, "dpkg-deb", "--field", deb, "Architecture"); err != nil || strings.TrimSpace(out) != arch {
				t.Errorf("the package is for %q, %v; want %s", out, err, arch)
			}
			dir := t.TempDir()
			if out, err := run(t, "dpkg-deb", "--extract", deb, dir); err != nil {
				t.Fatalf("dpkg-deb: %v\n%s", err, out)
			}
			program, err := os.ReadFile(filepath.Join(dir, "usr/bin/failoverd"))
			if err != nil {
				t.Fatal(err)
			}
			static(t, program, machine)
		})
	}
}

// A blob is a file of an image by its digest, which is its name.
type blob struct {
	Digest   string `json:"digest"`
	Platform struct {
		Architecture string `json:"architecture"`
	} `json:"platform"`
}

// TestImage looks into the image, and runs the one for this machine: the program alone in an empty root, as another user.
func TestImage(t *testing.T) {
	files := untar(t, readAll(t, filepath.Join(release(t), "failoverd.tar")))
	read := func(name string, into any) {
		t.Helper()
		if err := json.Unmarshal(files[name], into); err != nil {
			t.Fatalf("%s of the image: %v", name, err)
		}
	}
	at := func(b blob) string { return "blobs/" + strings.Replace(b.Digest, ":", "/", 1) }
	var index, image struct {
		Manifests []blob `json:"manifests"`
		Config    blob   `json:"config"`
		Layers    []blob `json:"layers"`
	}
	read("index.json", &index)
	if len(index.Manifests) == 1 { // the list of all architectures, under the archive's own
		read(at(index.Manifests[0]), &index)
	}
	if got, want := len(index.Manifests), len(machines); got != want {
		t.Fatalf("the image has %d architectures, want %d", got, want)
	}
	for _, m := range index.Manifests {
		t.Run(m.Platform.Architecture, func(t *testing.T) {
			read(at(m), &image)
			var config struct {
				Config struct {
					User       string
					Entrypoint []string
					Cmd        []string
				} `json:"config"`
			}
			read(at(image.Config), &config)
			if c := config.Config; c.User != "65532:65532" || !slices.Equal(c.Entrypoint, []string{"/failoverd"}) || !slices.Equal(c.Cmd, []string{"run"}) {
				t.Errorf("the image runs %q %q as %q, want /failoverd run as 65532:65532", c.Entrypoint, c.Cmd, c.User)
			}
			content := map[string][]byte{}
			for _, l := range image.Layers {
				for name, b := range untar(t, files[at(l)]) {
					content[name] = b
				}
			}
			program, ok := content["failoverd"]
			if !ok || len(content) != 1 {
				t.Fatalf("the image has %d files, want failoverd alone", len(content))
			}
			static(t, program, machines[m.Platform.Architecture])
			if m.Platform.Architecture == "amd64" {
				runAlone(t, program)
			}
		})
	}
}

// runAlone runs the program where nothing else is, in a namespace of its own so that it takes no privilege.
func runAlone(t *testing.T, program []byte) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "failoverd"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "/failoverd", "version")
	cmd.Env, cmd.Dir = []string{}, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Chroot: dir, Cloneflags: syscall.CLONE_NEWUSER, Pdeathsig: syscall.SIGKILL,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.HasPrefix(string(out), "failoverd "+version) {
		t.Errorf("alone, the program says %q, %v; want failoverd %s", out, err, version)
	}
}

func readAll(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// untar returns the plain files of an archive, which may be compressed.
func untar(t *testing.T, archive []byte) map[string][]byte {
	t.Helper()
	var in io.Reader = bytes.NewReader(archive)
	if zipped, err := gzip.NewReader(in); err == nil {
		in = zipped
	} else {
		in = bytes.NewReader(archive)
	}
	files := map[string][]byte{}
	for r := tar.NewReader(in); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg {
			continue
		}
		if files[h.Name], err = io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
	}
}
