package fsm

import (
	"context"
	"errors"
	"time"

	"github.com/sony/gobreaker/v2"

	"hongbao/internal/crashpoint"
)

// Pauses between asking again, when no answer says how long.
const (
	pauseMin = 10 * time.Millisecond
	pauseMax = time.Second
)

// issueWorker is one goroutine of a pool, with the slices that it uses again.
type issueWorker struct {
	*Pool
	tasks    []Task
	requests []Request
	keys     []Key
	results  []Result
	found    []Result
	pause    time.Duration // grows while something is down
}

func newIssueWorker(p *Pool) *issueWorker {
	return &issueWorker{Pool: p, tasks: make([]Task, 0, p.cfg.Batch)}
}

// run takes what waits, up to a batch, and stays with it until each task of it is
// delivered.
func (w *issueWorker) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case t := <-w.queue:
			w.tasks = append(w.tasks[:0], t)
		}
		w.collect()
		for len(w.tasks) > 0 {
			if w.dropUnready(0, len(w.tasks)) == 0 {
				continue
			}
			if ctx.Err() != nil {
				w.giveBack("the pool is ending")
				continue
			}
			w.advance(ctx)
		}
	}
}

func (w *issueWorker) collect() {
	for len(w.tasks) < w.cfg.Batch {
		select {
		case t := <-w.queue:
			w.tasks = append(w.tasks, t)
		default:
			return
		}
	}
}

// advance sends as many tasks as it gets permits for, or waits a little.
func (w *issueWorker) advance(ctx context.Context) {
	if w.breaker.State() != gobreaker.StateClosed {
		if err := w.probe(ctx, w.tasks[0].Request.Key()); err != nil {
			w.hold(ctx, 0, err)
			return
		}
	}
	granted, wait, err := w.cfg.Limiter.Take(ctx, len(w.tasks))
	if err != nil || granted == 0 {
		w.hold(ctx, wait, err)
		return
	}
	if n := w.dropUnready(0, granted); n > 0 {
		if err := w.send(ctx, n); err != nil {
			w.hold(ctx, 0, err)
			return
		}
	}
	w.pause = 0
}

// send makes one attempt for the first n tasks and delivers it. An error means that
// nothing was sent.
func (w *issueWorker) send(ctx context.Context, n int) error {
	w.requests, w.results = w.requests[:0], w.results[:0]
	for i := range n {
		w.requests = append(w.requests, w.tasks[i].Request)
		w.results = append(w.results, Result{})
	}
	crashpoint.Hit("issue.call.before")
	if err := w.attempt(ctx); err != nil {
		return err
	}
	crashpoint.Hit("issue.call.after")
	w.lookupLast(ctx)
	for i := range n {
		w.deliver(w.tasks[i], w.results[i])
	}
	crashpoint.Hit("issue.deliver.after")
	w.tasks = w.tasks[:copy(w.tasks, w.tasks[n:])]
	return nil
}

// attempt calls the issuer. The call outlives ctx, up to its own deadline: an attempt
// cut short by a shutdown would only have an unknown outcome.
func (w *issueWorker) attempt(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.cfg.AttemptTimeout)
	defer cancel()
	_, err := w.breaker.Execute(func() (struct{}, error) {
		w.calls.Add(1)
		return struct{}{}, w.cfg.Issuer.Issue(ctx, w.requests, w.results)
	})
	if notCalled(err) {
		return err
	}
	detail := ""
	if err != nil {
		w.failed.Add(1)
		detail = err.Error()
	}
	for i := range w.results {
		r := &w.results[i]
		if r.Answer == NoAnswer || r.Answer > Unknown {
			*r = Result{Answer: Unknown, Detail: detail}
		}
	}
	return nil
}

// lookupLast asks for the remembered answer of each last attempt without a final one,
// so that no coupon is given up that the issuer has issued (F6, X11).
func (w *issueWorker) lookupLast(ctx context.Context) {
	w.keys, w.found = w.keys[:0], w.found[:0]
	for i := range w.results {
		if w.isLast(i) {
			w.keys = append(w.keys, w.requests[i].Key())
			w.found = append(w.found, Result{})
		}
	}
	if len(w.keys) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.cfg.AttemptTimeout)
	defer cancel()
	err := w.cfg.Issuer.Lookup(ctx, w.keys, w.found)
	next := 0
	for i := range w.results {
		if !w.isLast(i) {
			continue
		}
		switch f := w.found[next]; {
		case f.Answer.Final():
			w.results[i] = f
		case err == nil && f.Answer == Absent:
			w.results[i].Answer = Transient
		default:
			w.results[i].Answer = Unknown
		}
		next++
	}
}

func (w *issueWorker) isLast(i int) bool {
	return w.tasks[i].Attempts+1 >= MaxAttempts && !w.results[i].Answer.Final()
}

// dropUnready delivers those of tasks[from:to] that are no longer ready as NotSent and
// returns how many of them stay (X11).
func (w *issueWorker) dropUnready(from, to int) int {
	kept := from
	for i := from; i < to; i++ {
		if !w.cfg.Ready(&w.tasks[i]) {
			w.deliver(w.tasks[i], Result{Answer: NotSent, Detail: "not ready at the last moment: lease or commit (X11)"})
			continue
		}
		w.tasks[kept] = w.tasks[i]
		kept++
	}
	n := kept + copy(w.tasks[kept:], w.tasks[to:])
	w.tasks = w.tasks[:n]
	return kept - from
}

func (w *issueWorker) giveBack(why string) {
	for i := range w.tasks {
		w.deliver(w.tasks[i], Result{Answer: NotSent, Detail: why})
	}
	w.tasks = w.tasks[:0]
}

// hold waits as long as asked, or ever longer while err goes on, and at most a second,
// so that tasks which are no longer ready go back soon.
func (w *issueWorker) hold(ctx context.Context, wait time.Duration, err error) {
	if err != nil {
		s := err.Error()
		w.reason.Store(&s)
		w.pause = min(max(2*w.pause, pauseMin), pauseMax)
		wait = max(wait, w.pause)
	}
	w.waiting.Add(1)
	defer w.waiting.Add(-1)
	timer := time.NewTimer(min(max(wait, pauseMin), pauseMax))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

func notCalled(err error) bool {
	return errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) || errors.Is(err, ErrNotRebuilt)
}
