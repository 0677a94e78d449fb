package fsm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
)

// Task is one attempt to make for a coupon in ISSUING.
type Task struct {
	Request   Request
	Partition int32
	Attempts  int32  // made in this round before this one
	Ticket    uint64 // the caller's; comes back as it was
}

// Outcome is what became of a task. Result.Answer is NotSent when no attempt was
// made, never NoAnswer or Absent; AfterAttempt takes it with Task.Attempts + 1.
type Outcome struct {
	Task   Task
	Result Result
}

// PoolConfig is what a Pool needs.
type PoolConfig struct {
	Issuer  Issuer
	Limiter Limiter
	// Ready says whether this task may still be sent: its ISSUING fact is committed
	// and the lease was confirmed so lately that it outlasts an AttemptTimeout (X11).
	// Asked again right before the call. Safe for concurrent use, must not block.
	Ready func(*Task) bool
	// Deliver takes each submitted task's outcome, once, in no promised order. Called
	// by several goroutines; while it blocks, a worker of the pool does nothing else.
	Deliver func(Outcome)

	Workers        int           // calls at a time; default 8
	Batch          int           // requests a call at most; default 64
	Queue          int           // tasks waiting at most; default 4096
	AttemptTimeout time.Duration // of one call; default 5 s
	BreakAfter     int           // failed calls in a row that open the breaker; default 5
	BreakFor       time.Duration // until an open breaker lets a lookup probe; default 1 s
}

// Validate answers in a sentence and sets defaults.
func (c *PoolConfig) Validate() error {
	if c.Issuer == nil || c.Limiter == nil || c.Ready == nil || c.Deliver == nil {
		return errors.New("issue pool: Issuer, Limiter, Ready and Deliver must be given")
	}
	for _, n := range []struct {
		name  string
		value *int
		unset int
	}{{"Workers", &c.Workers, 8}, {"Batch", &c.Batch, 64}, {"Queue", &c.Queue, 4096}, {"BreakAfter", &c.BreakAfter, 5}} {
		if *n.value == 0 {
			*n.value = n.unset
		}
		if *n.value < 0 || *n.value > 1<<20 {
			return fmt.Errorf("issue pool: %s is %d; must be 1 to 2^20, or 0 for %d", n.name, *n.value, n.unset)
		}
	}
	if c.AttemptTimeout == 0 {
		c.AttemptTimeout = 5 * time.Second
	}
	if c.BreakFor == 0 {
		c.BreakFor = time.Second
	}
	if c.AttemptTimeout < 0 || c.BreakFor < 0 {
		return fmt.Errorf("issue pool: AttemptTimeout %s and BreakFor %s must not be negative", c.AttemptTimeout, c.BreakFor)
	}
	return nil
}

// Pool makes attempts: a bounded queue, a few workers, batches under the fleet's
// rate. While the limiter or the issuer is down, tasks wait in it and use up no
// attempt; whoever asks learns from Stats.
type Pool struct {
	cfg     PoolConfig
	queue   chan Task
	breaker *gobreaker.CircuitBreaker[struct{}]

	mu     sync.RWMutex // closed changes under Lock, Submit sends under RLock
	closed bool

	answers [NotSent + 1]atomic.Int64
	calls   atomic.Int64
	failed  atomic.Int64
	waiting atomic.Int64
	reason  atomic.Pointer[string]
}

// NewPool validates cfg; Run starts the work.
func NewPool(cfg PoolConfig) (*Pool, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	return &Pool{cfg: cfg, queue: make(chan Task, cfg.Queue), breaker: newBreaker(&cfg)}, nil
}

// Submit queues a task and says whether there was room and the pool still runs; it
// never blocks (F8). A task that was taken gets one Outcome, also when the pool ends.
func (p *Pool) Submit(t Task) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.closed {
		return false
	}
	select {
	case p.queue <- t:
		return true
	default:
		return false
	}
}

// PoolStats are counters since the start, and what the pool is doing now.
type PoolStats struct {
	Queued  int              // tasks that no worker has taken
	Waiting int              // workers held up by limiter, breaker or an issuer not rebuilt
	Reason  string           // of the last hold-up by an error
	Breaker string           // closed, half-open, open
	Calls   int64            // to Issue
	Failed  int64            // of them, with an error
	Answers map[Answer]int64 // delivered outcomes
}

// Stats may be called at any time.
func (p *Pool) Stats() PoolStats {
	s := PoolStats{
		Queued: len(p.queue), Waiting: int(p.waiting.Load()), Breaker: p.breaker.State().String(),
		Calls: p.calls.Load(), Failed: p.failed.Load(), Answers: make(map[Answer]int64),
	}
	if r := p.reason.Load(); r != nil {
		s.Reason = *r
	}
	for a := range p.answers {
		if n := p.answers[a].Load(); n > 0 {
			s.Answers[Answer(a)] = n
		}
	}
	return s
}

// Run works until ctx ends; then the calls under way are finished (AttemptTimeout at
// most, twice where a lookup follows), whatever was not sent is delivered as NotSent,
// and all goroutines are gone. The error is nil; a second Run is refused with one.
func (p *Pool) Run(ctx context.Context) error {
	p.mu.RLock()
	closed := p.closed
	p.mu.RUnlock()
	if closed {
		return errors.New("issue pool: Run after it has ended")
	}
	var wg sync.WaitGroup
	for range p.cfg.Workers {
		wg.Go(func() { newIssueWorker(p).run(ctx) })
	}
	wg.Wait()
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	for {
		select {
		case t := <-p.queue:
			p.deliver(t, Result{Answer: NotSent, Detail: "the pool has ended"})
		default:
			return nil
		}
	}
}

func (p *Pool) deliver(t Task, r Result) {
	p.answers[r.Answer].Add(1)
	p.cfg.Deliver(Outcome{Task: t, Result: r})
}
