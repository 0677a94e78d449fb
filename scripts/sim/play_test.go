package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// runaway stands for the test binary: seed 3 stands still, seed 5 takes all memory, seed 7 panics, the others are content.
const runaway = `#!/bin/sh
while [ "$1" != -sim.seed ]; do shift; done
seed=$2 n=$4
while [ "$n" -gt 0 ]; do
	case $seed in
	3) exec sleep 1000 ;;
	5) echo 'fatal error: runtime: out of memory' >&2; exit 2 ;;
	7) echo 'panic: seven' >&2; exit 2 ;;
	esac
	echo "result {\"Seed\":$seed,\"Events\":200,\"Hits\":{\"kill\":1}}"
	seed=$((seed+1)) n=$((n-1))
done
`

// A seed that takes its process with it is one failure, and those behind it are played all the same.
func TestRunaway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := &options{first: 1, seeds: 9, procs: 2, chunk: 4, dir: dir, binary: filepath.Join(dir, "binary"), seedMax: 200 * time.Millisecond, kept: []uint64{7, 11}}
	if err := os.WriteFile(o.binary, []byte(runaway), 0o755); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := o.many(t.Context(), &out)
	if err == nil || !strings.Contains(err.Error(), "4 of 11 seeds failed") {
		t.Errorf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"seed 3: does not end: it was at it for 200ms", "seed 5: does not end: it wanted more than 3072 MiB", "seed 7: crash: ", "11 schedules"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in %s", want, out.String())
		}
	}
}

// saying stands for the test binary: each seed comes to the same violation.
const saying = `#!/bin/sh
while [ "$1" != -sim.seed ]; do shift; done
seed=$2 n=$4
while [ "$n" -gt 0 ]; do
	echo "result {\"Seed\":$seed,\"Trace\":\"$$\",\"Events\":200,\"Hits\":{\"kill\":1},\"Violations\":[VIOLATION]}"
	seed=$((seed+1)) n=$((n-1))
done
`

func says(t *testing.T, violation string) *options {
	t.Helper()
	dir := t.TempDir()
	o := &options{first: 1, seeds: 4, procs: 1, chunk: 4, dir: dir, binary: filepath.Join(dir, "binary"), seedMax: time.Minute}
	if err := os.WriteFile(o.binary, []byte(strings.ReplaceAll(saying, "VIOLATION", strings.ReplaceAll(violation, `"`, `\"`))), 0o755); err != nil {
		t.Fatal(err)
	}
	return o
}

// A planted bug is caught by an oracle that says so, and by nothing else.
func TestStop(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ violation, mutant, says, fails string }{
		"caught":             {`"crash: x","I3: y"`, "old-member-kept", "caught by I3 at seed 1, after 1 seeds", "seed 1: I3: y"},
		"never seen":         {``, "old-member-kept", "4 schedules", "was not caught"},
		"a crash is no eye":  {`"crash: x"`, "old-member-kept", "4 schedules", "4 of which ended in a crash"},
		"nothing is planted": {`"I3: y"`, "", "caught by I3", "seed 1: I3: y"},
		"nothing is wrong":   {``, "", "4 schedules", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := says(t, test.violation)
			o.mutant, o.stop = test.mutant, true
			var out bytes.Buffer
			err := o.many(t.Context(), &out)
			if (err == nil) != (test.fails == "") || (err != nil && !strings.Contains(err.Error(), test.fails)) || !strings.Contains(out.String(), test.says) {
				t.Errorf("%v, want %q\n%s", err, test.fails, out.String())
			}
		})
	}
}

// Every process gives traces of its own here: of few seeds none may differ.
func TestTwice(t *testing.T) {
	t.Parallel()
	err := says(t, "").compare(t.Context(), &bytes.Buffer{})
	if err == nil || !strings.Contains(err.Error(), "only 0 of 4 seeds replay, and 0 may differ") {
		t.Error(err)
	}
	if differMax(99) != 0 || differMax(100) != 1 || differMax(500) != 5 {
		t.Errorf("%d of 99, %d of 100, %d of 500 may differ", differMax(99), differMax(100), differMax(500))
	}
}

// A binary that cannot be started is said to be the reason.
func TestNoBinary(t *testing.T) {
	t.Parallel()
	o := says(t, "")
	o.binary += "-gone"
	var out bytes.Buffer
	if err := o.many(t.Context(), &out); err == nil || !strings.Contains(out.String(), "crash: start the simulation: ") {
		t.Errorf("%v\n%s", err, out.String())
	}
}

func TestRefusedOptions(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"-seed 1 -twice", "-seed 1 -drop x", "-seed 1 -drop 1,,2", "-seeds 5 -drop 1", "", "-mutant none -seeds 5"} {
		if _, err := parse(strings.Fields(args)); err == nil {
			t.Errorf("%q is not refused", args)
		}
	}
}

func TestKeptSeeds(t *testing.T) {
	t.Parallel()
	seeds, err := keptSeeds(filepath.Join("..", "..", keptFile))
	if err != nil || len(seeds) < 20 || seeds[0] != 477 {
		t.Errorf("%v, %v", seeds, err)
	}
}
