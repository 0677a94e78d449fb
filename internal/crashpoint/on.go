//go:build crashpoints

package crashpoint

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Enabled says whether this build can kill itself.
const Enabled = true

// Record is the line that a killed process leaves behind.
type Record struct {
	Label        string `json:"label"`
	PID          int    `json:"pid"`
	UnixNano     int64  `json:"unix_nano"`
	Transactions int64  `json:"transactions"` // that the broker holds open for this process
	Coupons      int64  `json:"coupons"`      // open in its state
	Commits      int64  `json:"commits"`      // transactions that it has committed since its start
}

// plan is what the environment asks for, and what the process knows of itself.
type plan struct {
	label string
	arm   string // a file without which no passing counts; empty: each counts
	left  atomic.Int64
	log   string

	commits  atomic.Int64
	draining atomic.Bool

	mu      sync.Mutex
	open    map[int]bool    // by lane
	coupons map[int32]int64 // by partition
}

var process = sync.OnceValue(func() *plan {
	p := &plan{log: os.Getenv("HONGBAO_CRASH_LOG"), open: map[int]bool{}, coupons: map[int32]int64{}}
	text := os.Getenv("HONGBAO_CRASH")
	if text == "" {
		return p
	}
	label, count, _ := strings.Cut(text, ":")
	n, err := strconv.ParseInt(count, 10, 64)
	if err != nil || n < 1 || !Known(label) {
		fmt.Fprintf(os.Stderr, "HONGBAO_CRASH=%q: want label:n with a label of crashpoint.Labels and n of 1 or more\n", text)
		os.Exit(2) //nolint:forbidigo // a build for kills: a label that is none must not run on
	}
	p.label = label
	p.left.Store(n)
	p.arm = os.Getenv("HONGBAO_CRASH_ARM")
	return p
})

// Hit marks a place, and ends the process there if the environment asks for it.
func Hit(label string) {
	if p := process(); p.label == label && p.armed() && p.left.Add(-1) == 0 {
		p.die()
	}
}

func (p *plan) armed() bool {
	if p.arm == "" {
		return true
	}
	_, err := os.Stat(p.arm)
	return err == nil
}

// Transaction says whether the broker holds a transaction of a lane open.
func Transaction(lane int, open bool) {
	p := process()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open[lane] = open
}

// Committed says that the lane's transaction is committed, and so no longer open.
func Committed(lane int) {
	Transaction(lane, false)
	process().commits.Add(1)
}

// CheckpointEvery is the pace of checkpoints: HONGBAO_CRASH_CHECKPOINT if it is set, since nobody waits for minutes between two kills.
func CheckpointEvery(d time.Duration) time.Duration {
	if short, err := time.ParseDuration(os.Getenv("HONGBAO_CRASH_CHECKPOINT")); err == nil && short > 0 {
		return short
	}
	return d
}

// Coupons says how many coupons are open in the state of a partition: PENDING, VALIDATING or ISSUING.
func Coupons(partition int32, open int) {
	p := process()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.coupons[partition] = int64(open)
}

// Draining says that the process is stopping: what it releases from now on is nobody's, and its coupons stay in flight.
func Draining() { process().draining.Store(true) }

// Released says that partitions are another instance's now, and so are their coupons.
func Released(partitions []int32) {
	if process().draining.Load() {
		return
	}
	for _, p := range partitions {
		Coupons(p, 0)
	}
}

func (p *plan) die() {
	r := Record{
		Label: p.label, PID: os.Getpid(), UnixNano: time.Now().UnixNano(),
		Commits: p.commits.Load(),
	}
	p.mu.Lock() // for good: what it guards ends here
	for _, open := range p.open {
		if open {
			r.Transactions++
		}
	}
	for _, n := range p.coupons {
		r.Coupons += n
	}
	line, err := json.Marshal(r)
	if err == nil && p.log != "" {
		var f *os.File
		if f, err = os.OpenFile(p.log, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			_, err = f.Write(append(line, '\n'))
		}
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "crash at %s: %v\n", p.label, err)
		os.Exit(2) //nolint:forbidigo // as above
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	select {}
}
