// Command gotest runs `go test -json` with its own arguments, prints one line a
// package, one a skipped test with its reason, and the whole output of what failed, and ends with one line of counts:
//
//	214 passed, 0 failed, 3 skipped
//
// Tests and subtests count alike. A package that does not build or that dies
// counts as one failure. Its exit code is that of go test.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"syscall"
)

// event is one line of `go test -json`; see `go doc test2json`. The names there begin with
// capitals, which encoding/json does not mind.
type event struct {
	Action  string  `json:"action"`
	Package string  `json:"package"`
	Test    string  `json:"test"`
	Output  string  `json:"output"`
	Elapsed float64 `json:"elapsed"`
}

// keptBytes is how much of a failed test's output is shown at least.
const keptBytes = 32 << 10

// tally reads events and keeps of them what a person wants to see.
type tally struct {
	out                     io.Writer
	passed, failed, skipped int
	failedIn                map[string]int    // failed tests by package
	output                  map[string][]byte // by package and test, until it ends
}

func newTally(out io.Writer) *tally {
	return &tally{out: out, failedIn: map[string]int{}, output: map[string][]byte{}}
}

// read consumes a stream of events. A line that is none is printed as it came:
// the go command itself complains in plain text.
func (t *tally) read(r io.Reader) error {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil {
				t.add(e)
			} else {
				fmt.Fprintf(t.out, "%s", line)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read the output of go test: %w", err)
		}
	}
}

func (t *tally) add(e event) {
	switch e.Action {
	case "output":
		if strings.HasPrefix(e.Output, "=== ") {
			return // RUN, PAUSE, CONT: noise around what a test says
		}
		t.keep(e.Package+"\x00"+e.Test, e.Output)
	case "build-output":
		fmt.Fprint(t.out, e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.endPackage(e)
		} else {
			t.endTest(e)
		}
	}
}

// keep adds to what a test has said. Of one that talks without end the last words count.
func (t *tally) keep(key, text string) {
	t.output[key] = append(t.output[key], text...)
	if said := t.output[key]; len(said) > 2*keptBytes {
		t.output[key] = append([]byte("(beginning left out)\n"), said[len(said)-keptBytes:]...)
	}
}

func (t *tally) take(key string) string {
	text := string(t.output[key])
	delete(t.output, key)
	return text
}

func (t *tally) endTest(e event) {
	text := t.take(e.Package + "\x00" + e.Test)
	switch e.Action {
	case "pass":
		t.passed++
	case "skip":
		t.skipped++
		fmt.Fprintf(t.out, "skip  %s %s: %s\n", e.Package, e.Test, reason(text))
	case "fail":
		t.failed++
		t.failedIn[e.Package]++
		fmt.Fprint(t.out, text)
	}
}

// place is where a test said something, as package testing writes it.
var place = regexp.MustCompile(`^\s*\w+\.go:\d+: `)

// reason is what a skipped test said last, in one line.
func reason(text string) string {
	said := "no reason given"
	for line := range strings.Lines(text) {
		if at := place.FindString(line); at != "" {
			said = strings.TrimSpace(line[len(at):])
		}
	}
	return said
}

func (t *tally) endPackage(e event) {
	text := t.take(e.Package + "\x00")
	switch {
	case e.Action == "skip":
		return // no test files
	case e.Action == "pass":
		fmt.Fprintf(t.out, "ok    %s  %.2fs\n", e.Package, e.Elapsed)
		return
	case t.failedIn[e.Package] == 0:
		// Not a test but the package failed: it did not build, or its process died.
		t.failed++
		t.dumpRunning(e.Package)
	}
	fmt.Fprintf(t.out, "%sFAIL  %s  %.2fs\n", text, e.Package, e.Elapsed)
}

// dumpRunning prints what tests without an end had said when their process died.
func (t *tally) dumpRunning(pkg string) {
	for key := range t.output {
		if strings.HasPrefix(key, pkg+"\x00") {
			fmt.Fprint(t.out, t.take(key))
		}
	}
}

func (t *tally) summary() string {
	return fmt.Sprintf("%d passed, %d failed, %d skipped", t.passed, t.failed, t.skipped)
}

func run(ctx context.Context, args []string, out, errOut io.Writer) int {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...) //nolint:gosec // the arguments are the caller's own
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stderr = errOut
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		fmt.Fprintln(errOut, "gotest:", err)
		return 1
	}
	if err := cmd.Start(); err != nil {
		fmt.Fprintln(errOut, "gotest: start go test:", err)
		return 1
	}
	t := newTally(out)
	readErr := t.read(stdout)
	waitErr := cmd.Wait()
	fmt.Fprintln(out, t.summary())
	if readErr != nil {
		fmt.Fprintln(errOut, "gotest:", readErr)
		return 1
	}
	if waitErr != nil || t.failed > 0 {
		return 1
	}
	return 0
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
