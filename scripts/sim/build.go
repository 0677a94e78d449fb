package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// patches make what runs in a bubble of testing/synctest the same each time: its maps, selects and timers draw from streams that begin
// alike in each bubble, nobody is preempted for the clock on the wall, a mutex knows the bubble's clock alone, and the global queue has no turn of its
// own. A select that waits for several timers starts them in the order in which it polls, not in that of their channels' addresses, since each draws what
// decides between timers of equal time. A context tells its children that it has ended in the order in which they came: the map in which it has them goes by their addresses, and those
// are a matter of what the process did before. What is not in a bubble is as ever.
//
// Two are for speed alone, a fifth of it: a goroutine begins with the stack that most of them grow to, and memory that a seed leaves is kept for the next.
var patches = map[string][][2]string{
	"runtime/rand.go": {
		{"func rand() uint64 {\n", "func rand() uint64 {\n\tif gp := getg(); gp.bubble != nil {\n\t\treturn bubbleRand(gp.bubble.id, 0)\n\t}\n"},
		{"// mrandinit initializes", bubbleRand + "// mrandinit initializes"},
		{"\tseed := &globalRand.seed\n\tif len(startupRand)", "\tseed := &globalRand.seed\n\tstartupRand = nil\n\tseed[0] = 1\n\tif true {\n\t} else if len(startupRand)"},
	},
	"runtime/select.go": {
		{
			"\t\tj := cheaprandn(uint32(norder + 1))\n",
			"\t\tvar j uint32\n\t\tif gp.bubble != nil {\n\t\t\tj = uint32(bubbleRand(gp.bubble.id, 1) % uint64(norder+1))\n\t\t} else {\n\t\t\tj = cheaprandn(uint32(norder + 1))\n\t\t}\n",
		},
		{
			"\tfor _, casei := range lockorder {\n\t\tcasi = int(casei)\n\t\tcas = &scases[casi]\n\t\tc = cas.c\n\t\tsg := acquireSudog()\n",
			"\tif gp.bubble != nil {\n\t\tfor _, casei := range pollorder {\n\t\t\tif c := scases[casei].c; c.timer != nil {\n\t\t\t\tblockTimerChan(c)\n\t\t\t}\n\t\t}\n\t}\n" +
				"\tfor _, casei := range lockorder {\n\t\tcasi = int(casei)\n\t\tcas = &scases[casi]\n\t\tc = cas.c\n\t\tsg := acquireSudog()\n",
		},
		{"\t\tif c.timer != nil {\n\t\t\tblockTimerChan(c)\n", "\t\tif c.timer != nil && gp.bubble == nil {\n\t\t\tblockTimerChan(c)\n"},
	},
	"runtime/time.go": {{"\t\t\tt.rand = cheaprand()\n", "\t\t\tt.rand = uint32(bubbleRand(getg().bubble.id, 2))\n"}},
	"runtime/proc.go": {
		{"const forcePreemptNS = 10 * 1000 * 1000 // 10ms", "const forcePreemptNS = 100 * 1000 * 1000 * 1000"},
		{"if pp.schedtick%61 == 0 && !sched.runq.empty() {", "if false {"},
	},
	"runtime/sema.go": {{
		"func internal_sync_nanotime() int64 {\n", "func internal_sync_nanotime() int64 {\n\tif gp := getg(); gp.bubble != nil {\n\t\treturn gp.bubble.now\n\t}\n",
	}},
	"runtime/stack.go": {
		{"var startingStackSize uint32 = fixedStack", "var startingStackSize uint32 = 8 << 10"},
		{"\tif debug.adaptivestackstart == 0 {\n", "\tif true {\n"},
	},
	"runtime/mgcscavenge.go": {{"released, workTime := scavenger.run()", "released, workTime := uintptr(0), 0.0"}},
	"context/context.go": {
		{"\tchildren map[canceler]struct{} //", "\tborn     int\n\tchildren map[canceler]int //"},
		{"p.children = make(map[canceler]struct{})", "p.children = make(map[canceler]int)"},
		{"p.children[child] = struct{}{}", "p.children[child] = p.born\n\t\t\tp.born++"},
		{"\tfor child := range c.children {\n", "\tordered := make([]canceler, c.born)\n\tfor child, n := range c.children {\n\t\tordered[n] = child\n\t}\n" +
			"\tfor _, child := range ordered {\n\t\tif child == nil {\n\t\t\tcontinue\n\t\t}\n"},
	},
}

const bubbleRand = `// bubbleStream is one stream of random numbers of the bubble that runs; each bubble begins alike.
type bubbleStream struct{ bubble, state uint64 }

var bubbleStreams [3]bubbleStream

//go:nosplit
func bubbleRand(bubble uint64, stream int) uint64 {
	s := &bubbleStreams[stream]
	if s.bubble != bubble {
		s.bubble, s.state = bubble, uint64(stream)
	}
	s.state += 0x9e3779b97f4a7c15
	z := s.state
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb
	return z ^ (z >> 31)
}

`

// build makes the test binary, with the runtime patched by an overlay.
func (o *options) build(ctx context.Context) error {
	overlay, err := o.overlay(ctx)
	if err != nil {
		return err
	}
	//nolint:gosec // the arguments are the caller's own
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-tags", o.tags, "-overlay", overlay, "-o", o.binary, "./internal/sim")
	// Without cgo Pebble takes its memory from Go: a call of C may hand the processor to another thread, and the order of goroutines with it.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("build the simulation with tags %s: %w", o.tags, err)
	}
	return nil
}

func (o *options) overlay(ctx context.Context) (string, error) {
	root, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOROOT: %w", err)
	}
	dir := filepath.Join(o.dir, "overlay")
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // sources, for everybody
		return "", err
	}
	replace := map[string]string{}
	for name, edits := range patches {
		path := filepath.Join(strings.TrimSpace(string(root)), "src", filepath.FromSlash(name))
		text, err := os.ReadFile(path)
		if err != nil {
			return "", err
		}
		source := string(text)
		for _, e := range edits {
			if strings.Count(source, e[0]) != 1 {
				return "", fmt.Errorf("%s does not have %q once: this overlay is made for go1.26", path, e[0])
			}
			source = strings.Replace(source, e[0], e[1], 1)
		}
		replace[path] = filepath.Join(dir, filepath.Base(name))
		if err := writeIfNew(replace[path], []byte(source)); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, writeIfNew(path, text)
}

// writeIfNew leaves a file alone that holds this text, so that two builds at once do not meet a half of it.
func writeIfNew(path string, text []byte) error {
	if old, err := os.ReadFile(path); err == nil && string(old) == string(text) { //nolint:gosec // a file of this build
		return nil
	}
	return os.WriteFile(path, text, 0o644) //nolint:gosec // sources, for everybody
}
