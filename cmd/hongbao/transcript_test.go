package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestTranscripts runs the files of testdata/cmd. In them
//
//	file              writes its lines to the file hongbao.yaml, until the next one
//	run [no-host]     runs the command of the last line under the variables of the lines before
//
// and answers with the exit code, standard output and standard error ("! " in front). Of
// `hongbao config` only what is not a default is shown.
func TestTranscripts(t *testing.T) {
	t.Parallel()
	for _, path := range transcripts(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
				switch d.Cmd {
				case "file":
					if err := os.WriteFile(filepath.Join(dir, "hongbao.yaml"), []byte(d.Input+"\n"), 0o600); err != nil {
						t.Fatal(err)
					}
					return ""
				case "run":
					return transcribe(d, dir)
				}
				t.Fatalf("%s: there is no directive %q", d.Pos, d.Cmd)
				return ""
			})
		})
	}
}

func transcripts(t *testing.T) []string {
	t.Helper()
	paths, err := filepath.Glob("../../testdata/cmd/*")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no transcripts in testdata/cmd: %v", err)
	}
	return paths
}

func transcribe(d *datadriven.TestData, dir string) string {
	lines := strings.Split(strings.ReplaceAll(d.Input, "DIR", dir), "\n")
	args := strings.Fields(lines[len(lines)-1])
	hostname := func() (string, error) { return "host-1", nil }
	if d.HasArg("no-host") {
		hostname = func() (string, error) { return "", errors.New("no name") }
	}
	var out, errOut strings.Builder
	code := run(context.Background(), process{
		args: args[1:], env: lines[:len(lines)-1], hostname: hostname,
		in: strings.NewReader(""), out: &out, errOut: &errOut,
	})
	var b strings.Builder
	fmt.Fprintf(&b, "exit %d\n", code)
	for line := range strings.Lines(out.String()) {
		if fields := strings.Fields(line); args[1] != "config" || len(fields) == 0 || fields[len(fields)-1] != "default" {
			b.WriteString(strings.Join(fields, " ") + "\n")
		}
	}
	for line := range strings.Lines(errOut.String()) {
		b.WriteString("! " + line)
	}
	return strings.ReplaceAll(b.String(), dir, "DIR")
}
