//go:build synctests

package sim

import (
	"encoding/json"
	"flag"
	"fmt"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/cryptotest"
	_ "unsafe" // for go:linkname
)

var (
	flagSeed  = flag.Uint64("sim.seed", 1, "the first seed")
	flagSeeds = flag.Int("sim.seeds", 8, "how many")
	flagDrop  = flag.String("sim.drop", "", "faults of the schedule that are left out, by index")
	flagFocus = flag.String("sim.focus", "", "one kind of trouble in place of the common draw (focus_test.go)")
	flagLog   = flag.Bool("sim.log", false, "show what the processes log, on standard output")
	flagPlan  = flag.Bool("sim.plan", false, "show the schedule of each seed")
	flagMem   = flag.Uint64("sim.memory", 0, "how much address space the process may have; 0: what the system gives")
	flagKept  = flag.Bool("sim.kept", false, "the seeds of kept_test.go first")
	flagJSON  = flag.Bool("sim.json", false, "print a line of JSON for each seed, and do not fail: somebody else judges")
)

// warm are played before the first seed, so that what is made once in a process is made by then: seeds with much in them.
var warm = []uint64{0, 3021, 3044, 3058, 3080}

// TestSim plays seeds one after the other. Every bubble has one processor: the order of its goroutines is then a matter of the seed. Nothing is collected
// while a seed runs, since the collector's work would come between.
//
//nolint:paralleltest // it sets the randomness of the process
func TestSim(t *testing.T) {
	if *flagMem > 0 { // a seed that runs away must not take the machine with it
		if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: *flagMem, Max: *flagMem}); err != nil {
			t.Fatalf("limit the memory to %d bytes: %v", *flagMem, err)
		}
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	for _, seed := range warm {
		begin(t, seed)
		play(t, seed, nil, nil)
	}
	var drop []int
	if *flagDrop != "" {
		for word := range strings.SplitSeq(*flagDrop, ",") {
			n, err := strconv.Atoi(word)
			if err != nil {
				t.Fatalf("-sim.drop %q: %q is not the index of a fault", *flagDrop, word)
			}
			drop = append(drop, n)
		}
	}
	if *flagKept {
		for _, k := range kept {
			one(t, k.seed, nil)
		}
	}
	for n := range uint64(*flagSeeds) {
		one(t, *flagSeed+n, drop)
	}
}

// one plays a seed and says what it came to.
func one(t *testing.T, seed uint64, drop []int) {
	t.Helper()
	begin(t, seed)
	if *flagPlan {
		fmt.Printf("seed %d: %+v\n", seed, *draw(seed, drop))
	}
	if *flagJSON {
		say(t, "begin", result{Seed: seed, Faults: draw(seed, drop).Faults}) // for the case that the process ends
	}
	r := play(t, seed, drop, verboseWriter())
	if *flagJSON {
		say(t, "result", r)
		return
	}
	t.Logf("seed %d: trace %s, %d faults hit", seed, r.Trace, len(r.Hits))
	for _, v := range r.Violations {
		t.Errorf("seed %d: %s", seed, v)
	}
}

// kfakeDrawn is how much kfake has used of the random bytes that it draws from crypto in advance, for the ids of topics and members. At the end of them
// it draws anew.
//
//go:linkname kfakeDrawn github.com/twmb/franz-go/pkg/kfake.randPoolAt
var kfakeDrawn int

const kfakePool = 4 << 10

// begin makes the process forget what it has played before, as far as a seed could see it: what is pooled (an object of a pool is thrown away by the
// second collection that finds it), and where the random numbers of crypto stand.
func begin(t *testing.T, seed uint64) {
	t.Helper()
	runtime.GC()
	runtime.GC()
	cryptotest.SetGlobalRandom(t, seed)
	kfakeDrawn = kfakePool
}

func say(t *testing.T, what string, r result) {
	t.Helper()
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("%s %s\n", what, text)
}
