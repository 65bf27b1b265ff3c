package cloudflarekv_test

import (
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// The SDK's root package imports every product of Cloudflare: minutes to
// compile, and megabytes in the binary.
func TestImports(t *testing.T) {
	allowed := map[string]bool{
		"github.com/cloudflare/cloudflare-go/v7/kv":     true,
		"github.com/cloudflare/cloudflare-go/v7/option": true,
	}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("Glob = %q, %v", files, err)
	}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(path, "github.com/cloudflare/") && !allowed[path] {
				t.Errorf("%s imports %s", name, path)
			}
		}
	}
}
