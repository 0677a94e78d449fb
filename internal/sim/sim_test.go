//go:build synctests

package sim

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/cryptotest"
	"time"
)

var (
	flagSeed    = flag.Uint64("sim.seed", 1, "the first seed")
	flagSeeds   = flag.Int("sim.seeds", 1, "how many")
	flagVerbose = flag.Bool("sim.log", false, "what the processes log, on standard output")
)

func TestSim(t *testing.T) {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1)
	cryptotest.SetGlobalRandom(t, 1)
	play(t, 0, nil, nil) // what is made once in a process is made before the first seed
	for n := range uint64(*flagSeeds) {
		fmt.Printf("begin %d\n", *flagSeed+n)
		runtime.GC()
		began := time.Now()
		r := play(t, *flagSeed+n, nil, verboseWriter())
		fmt.Printf("seed %d: trace %s, %v simulated, took %v, %d events, %v\n", r.Seed, r.Trace, r.Simulated, time.Since(began), r.Events, r.Hits)
		reached(r.Reached)
		for _, v := range r.Violations {
			t.Error(v)
		}
	}
	if *flagSeeds > 1 {
		fmt.Println(total)
	}
}

var total = map[string]int{}

func reached(m map[string]int) {
	for k, n := range m {
		total[k] += n
	}
}
