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
	for n := range uint64(*flagSeeds) {
		runtime.GC()
		began := time.Now()
		r := play(t, *flagSeed+n, nil, verboseWriter())
		fmt.Printf("seed %d: %v simulated, took %v, %d events, %v\n", r.Seed, r.Simulated, time.Since(began), r.Events, r.Reached)
		for _, v := range r.Violations {
			t.Error(v)
		}
	}
}
