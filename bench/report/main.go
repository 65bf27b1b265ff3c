// Command report writes what `make bench` has measured as a page of Markdown, with the raw data and plots in a folder beside it.
//
//	go run ./report -in DIR -out ../docs/benchmarks.md
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

func main() {
	in := flag.String("in", "", "the `folder` of the measurements")
	out := flag.String("out", "", "the `file` to write; what belongs to it is in a folder of the same name, without .md")
	flag.Parse()
	if *in == "" || !strings.HasSuffix(*out, ".md") || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(*in, *out); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
}

// A section is a part of the page, of one file of measurements. It is left out where that is not there.
type section struct {
	file string
	// write writes it, and its plots into a folder; the page names that folder as it is called in link.
	write func(page *bytes.Buffer, data []byte, folder, link string) error
}

// sections are all, in their order.
var sections = []section{
	{"rounds.json", writeRounds},
	{"applying.json", writeApplying},
	{"footprint.json", writeFootprint},
	{"scale.json", writeScale},
	{"size.json", writeSize},
}

// run writes the page.
func run(in, out string) error {
	folder := strings.TrimSuffix(out, ".md")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	var page bytes.Buffer
	written := 0
	for _, s := range sections {
		data, err := os.ReadFile(filepath.Join(in, s.file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if written > 0 {
			page.WriteString("\n")
		}
		if err := s.write(&page, data, folder, filepath.Base(folder)); err != nil {
			return fmt.Errorf("%s: %w", s.file, err)
		}
		if err := os.WriteFile(filepath.Join(folder, s.file), data, 0o644); err != nil {
			return err
		}
		written++
	}
	if written == 0 {
		return fmt.Errorf("%s has no measurements; `make bench` writes them", in)
	}
	return os.WriteFile(out, page.Bytes(), 0o644)
}
