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
	o := &options{first: 1, seeds: 9, procs: 2, chunk: 4, dir: dir, binary: filepath.Join(dir, "binary"), seedMax: 200 * time.Millisecond}
	if err := os.WriteFile(o.binary, []byte(runaway), 0o755); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err := o.many(t.Context(), &out)
	if err == nil || !strings.Contains(err.Error(), "3 of 9 seeds failed") {
		t.Errorf("%v\n%s", err, out.String())
	}
	for _, want := range []string{"seed 3: does not end: it was at it for 200ms", "seed 5: does not end: it wanted more than 3072 MiB", "seed 7: crash: ", "9 schedules"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in %s", want, out.String())
		}
	}
}
