package replay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"hongbao/eventstore"
	"hongbao/internal/topiclog"
)

// Live is the running service, or a stopped data directory, as far as a replay asks it.
type Live interface {
	// StateHash is the state of p at the last write of its nodes: committed in Kafka already, or soon.
	StateHash(ctx context.Context, p int32) (StateHash, error)
	// Swap puts what the data directory dir holds for p in place of the live state. p is not open in dir.
	Swap(ctx context.Context, p int32, dir string) error
}

// Config is what a replay needs.
type Config struct {
	Log        *topiclog.Client
	Store      *eventstore.Store // the shadow
	Dir        string            // where it is
	Partitions []int32
	Target     Target
	Parallel   int  // partitions at once; default 2
	Live       Live // for Compare and Swap
	Compare    bool // also hash the state and compare it with the live one at the same seq
	Swap       bool
	Patience   time.Duration            // for the live store to stand where the shadow does; default 30 s
	BatchFacts int                      // folded between two writes; default 20,000
	Wrote      func(p int32, seq int64) // called after each write by the partition's goroutine; may be nil
	Logger     *slog.Logger
}

// Verdicts of a comparison.
const (
	Same           = "same"
	StateDiffers   = "state differs"   // the same facts, another content
	HistoryDiffers = "history differs" // the live store has folded other facts
)

// Result is what became of one partition. Its names are a contract (`hongbao replay --json`).
type Result struct {
	Partition int32  `json:"partition"`
	FromSeq   int64  `json:"from_seq"` // where the shadow store stood
	Seq       int64  `json:"seq"`      // where it stands now
	Hash      string `json:"hash"`     // running hash there
	Facts     int64  `json:"facts"`    // folded by this replay
	StateHash string `json:"state_hash,omitempty"`
	LiveHash  string `json:"live_state_hash,omitempty"`
	Compared  string `json:"compared,omitempty"`
	Swapped   bool   `json:"swapped,omitempty"`
	SwapMS    int64  `json:"swap_ms,omitempty"` // until the owner worked on the partition again
}

// Engine rebuilds partitions. Use it once.
type Engine struct {
	cfg   Config
	all   atomic.Int64 // facts to fold, known so far
	done  atomic.Int64
	ended atomic.Int64 // partitions

	folding struct {
		sync.Mutex

		began, ended time.Time
	}
}

// NewEngine fills in the defaults.
func NewEngine(cfg Config) *Engine {
	if cfg.Parallel < 1 {
		cfg.Parallel = 2
	}
	if cfg.Patience == 0 {
		cfg.Patience = 30 * time.Second
	}
	if cfg.BatchFacts == 0 {
		cfg.BatchFacts = batchFacts
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Engine{cfg: cfg}
}

// Progress says how many facts are folded, of how many that are known to be wanted, and how many partitions are done. It may be
// called from any goroutine.
func (e *Engine) Progress() (done, all, partitions int64) {
	return e.done.Load(), e.all.Load(), e.ended.Load()
}

// Run rebuilds the partitions, so many at once, and returns what became of those that came to their end, in the order of
// Config.Partitions. After an error, or when ctx ends, what is written stays: the next replay goes on there (R2).
func (e *Engine) Run(ctx context.Context) ([]Result, error) {
	jobs := make([]*job, len(e.cfg.Partitions))
	for i, p := range e.cfg.Partitions {
		jobs[i] = &job{e: e, log: factLog{log: e.cfg.Log, partition: p}, result: Result{Partition: p}}
	}
	var mu sync.Mutex
	ended := map[int]bool{}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(e.cfg.Parallel)
	for _, j := range jobs { // first how much there is, so that the ETA is true from the start
		g.Go(func() error { return j.measure(gctx) })
	}
	err := g.Wait()
	e.folding.began = time.Now()
	if err == nil {
		g, gctx = errgroup.WithContext(ctx)
		g.SetLimit(e.cfg.Parallel)
		for i, j := range jobs {
			g.Go(func() error {
				if err := j.run(gctx); err != nil {
					return fmt.Errorf("replay of partition %d: %w", j.log.partition, err)
				}
				e.ended.Add(1)
				mu.Lock()
				defer mu.Unlock()
				ended[i] = true
				return nil
			})
		}
		err = g.Wait()
	}
	var results []Result
	for i, j := range jobs {
		if ended[i] {
			results = append(results, j.result)
		}
	}
	return results, err
}

// folded notes when a partition came to its goal.
func (e *Engine) folded() {
	e.folding.Lock()
	defer e.folding.Unlock()
	e.folding.ended = time.Now()
}

// Folding is the time from the first partition's begin to the last one's arrival at its goal.
func (e *Engine) Folding() time.Duration {
	e.folding.Lock()
	defer e.folding.Unlock()
	return max(0, e.folding.ended.Sub(e.folding.began))
}

// openShadow opens a partition of the shadow store; one that cannot be read begins anew.
func (e *Engine) openShadow(p int32) (*eventstore.Partition, error) {
	part, err := e.cfg.Store.Partition(p)
	if !errors.Is(err, eventstore.ErrCorrupt) {
		return part, err
	}
	e.cfg.Logger.Warn("the shadow store is damaged and begins anew", "partition", p, "error", err)
	if err := e.cfg.Store.Discard(p); err != nil {
		return nil, err
	}
	return e.cfg.Store.Partition(p)
}
