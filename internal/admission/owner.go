package admission

import (
	"context"
	"fmt"
	"time"
)

// Owner is one partition's door to the gate. It belongs to the partition's worker: Admit and
// Rebuild must not run at once. Wanted may be waited on, and Release and Close called, anywhere.
type Owner struct {
	gate      *Gate
	partition int32
	src       Source
	call      *call // used again and again
	page      page
	wanted    chan struct{}

	epoch uint64 // under the gate's lock: nonce of the epoch in which the partition stands, 0 at first
}

// Admit fills answers[i] with the answer to asks[i], judged in that order. It waits as long as
// Redis is down, or emptied and not yet rebuilt by every partition's owner; its own partition it
// rebuilds itself, in this goroutine. It fails only when ctx ends or src does, and then no answer
// may be used. Asking again is always right: the same event gets the first answer.
//
// Every answer of an earlier Admit must be folded, or thrown away, before the next call: what a
// rebuild inside it writes is the folded state. A deadline ends a rebuild too, and the next one begins
// with the first claim; so a worker with little patience must call Rebuild when Wanted says so.
func (o *Owner) Admit(ctx context.Context, asks []Ask, answers []Answer) error {
	if len(answers) < len(asks) {
		return fmt.Errorf("admission: %d answers for %d asks of partition %d", len(answers), len(asks), o.partition)
	}
	if len(asks) == 0 {
		return nil
	}
	if err := o.ask(ctx, asks); err != nil {
		return err
	}
	for i := range asks {
		answers[i] = o.call.ops[i].answer
	}
	return nil
}

// ask makes one call of the asks and stays until it is answered within one epoch.
func (o *Owner) ask(ctx context.Context, asks []Ask) error {
	for {
		if err := o.stand(ctx); err != nil {
			return err
		}
		o.call.encode(&o.gate.keys, o.gate.cfg.Limit, o.partition, asks)
		if !o.gate.submit(o, o.call) {
			continue
		}
		select {
		case <-o.call.ready:
		case <-ctx.Done():
			o.gate.withdraw(o.call)
			o.call = newCall()
			return ctx.Err()
		}
		if !o.call.again {
			return nil
		}
	}
}

// behind says whether the partition must be rebuilt before it may ask in e: it is marked by
// nobody, or this owner was admitted in another epoch, on a server that e may know nothing of.
// The caller holds the gate's lock.
func (o *Owner) behind(e epoch) bool {
	if !e.known() || o.epoch == e.nonce {
		return false
	}
	return o.epoch != 0 || !e.marked(o.partition)
}

// stand returns once the partition stands in the epoch in force.
func (o *Owner) stand(ctx context.Context) error {
	for {
		e, changed, behind := o.position()
		switch {
		case !e.known():
			select {
			case <-changed:
			case <-ctx.Done():
				return ctx.Err()
			}
		case !behind:
			return nil
		default:
			r, err := o.rebuild(ctx, e)
			if err != nil {
				return err
			}
			if r.Epoch == 0 && !pause(ctx, o.gate.cfg.Poll) {
				return ctx.Err()
			}
		}
	}
}

// position says in which epoch the partition should stand. An owner that asks for the first
// time stands in the epoch in which a former owner rebuilt: nothing changed in Redis.
func (o *Owner) position() (e epoch, changed <-chan struct{}, behind bool) {
	g := o.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	behind = o.behind(g.view)
	if g.view.known() && !behind {
		o.epoch = g.view.nonce
	}
	return g.view, g.changed, behind
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Wanted is ready when the partition's claims should be written again; then call Rebuild. A
// worker that is busy need not look: Admit does the same by itself.
func (o *Owner) Wanted() <-chan struct{} { return o.wanted }

// Close ends the ownership. Nothing in Redis changes: the next owner goes on in the same epoch.
func (o *Owner) Close() {
	g := o.gate
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.owners[o.partition] == o {
		g.owners[o.partition] = nil
	}
}
