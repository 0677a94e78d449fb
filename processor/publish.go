package processor

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/internal/crashpoint"
	"hongbao/internal/mutant"
)

// Pace and patience of transactions (X6). A transaction costs the broker the same however much is in
// it, so a lane that lags, where every event waits anyway, makes fewer and larger ones.
const (
	transactionPace     = 20 * time.Millisecond  // from start to start
	laggingPace         = 100 * time.Millisecond // the same while the lane lags
	laggingEvents       = 8 << 10                // read and unpublished events from which on it does
	transactionPatience = 6 * time.Second        // then the watchdog closes the client
)

// publisher turns queued steps into transactions, one at a time, in the order of the outbox (X4).
type publisher struct {
	f       *life
	taken   []*step
	newest  []*step // the last step per partition of this transaction
	owned   map[int32]bool
	slab    slab
	ends    []int // taken[i]'s records end here in the slab
	refused atomic.Pointer[refusal]
	promise func(*kgo.Record, error)
}

// refusal is the first error that a record's promise told (X6).
type refusal struct {
	record *kgo.Record
	err    error
}

func (f *life) publishLoop() {
	p := &publisher{f: f, owned: map[int32]bool{}}
	p.promise = func(r *kgo.Record, err error) {
		if err != nil {
			p.refused.CompareAndSwap(nil, &refusal{record: r, err: err})
		}
	}
	var began time.Time
	var took time.Duration
	for f.gather(began, took) {
		began = time.Now()
		if err := p.transaction(); err != nil {
			f.fail(err)
			return
		}
		took = time.Since(began)
		if !f.queue.empty() {
			signal(f.queue.wake) // more than one transaction holds
		}
	}
}

// gather waits for a step, and then until a transaction is due, by its pace or by its size. false: the life is over.
// began and took are the last one's: a broker that is slow is asked less often, lest transactions be all that it does.
func (f *life) gather(began time.Time, took time.Duration) bool {
	timer := time.NewTimer(0)
	defer timer.Stop()
	select {
	case <-f.ctx.Done():
		return false
	case <-f.queue.wake:
	}
	for {
		pace, enough := min(max(transactionPace, 2*took), laggingPace), int64(transactionEvents)
		if f.unpublished() >= laggingEvents {
			pace, enough = laggingPace, transactionEvents/2
		}
		wait := pace - time.Since(began)
		if wait <= 0 || f.queue.events.Load() >= enough {
			return true
		}
		timer.Reset(wait)
		select {
		case <-f.ctx.Done():
			return false
		case <-f.queue.wake:
		case <-timer.C:
		}
	}
}

// transaction publishes what is queued. Its errors are laneErrors: the outcome is unknown or known to be
// nothing, and either way the lane looks again at X5 before it says anything more (X6).
func (p *publisher) transaction() error {
	p.taken = p.f.queue.takeInto(p.taken[:0])
	if len(p.taken) == 0 {
		return nil
	}
	watchdog := time.AfterFunc(transactionPatience, func() {
		p.f.fail(&laneError{during: "a transaction", err: fmt.Errorf("no end after %s", transactionPatience)})
		p.f.cl.Close()
	})
	defer watchdog.Stop()
	start := time.Now()
	open, err := p.door()
	if err != nil {
		return &laneError{during: "offsets of a transaction", fenced: isFence(err), err: err}
	}
	if !open {
		return nil
	}
	crashpoint.Transaction(p.f.id, true)
	defer crashpoint.Transaction(p.f.id, false)
	crashpoint.Hit("publish.offsets.after")
	if err := p.send(); err != nil {
		return &laneError{during: "records of a transaction", fenced: isFence(err), err: err}
	}
	crashpoint.Hit("publish.commit.before")
	err = p.f.cl.EndTransaction(p.f.ctx, kgo.TryCommit)
	if err != nil && mutant.On(mutant.AbortTrusted) {
		err = p.trustAbort(err)
	}
	if err != nil {
		return &laneError{during: "commit of a transaction", fenced: isFence(err), err: err}
	}
	crashpoint.Committed(p.f.id)
	crashpoint.Hit("publish.commit.after")
	p.committed(start)
	crashpoint.Hit("publish.told.after")
	return nil
}

// door commits the offsets first, under the lease and ownership of this moment (X7): a produce that meets the last
// transaction's unfinished markers is held in the broker for some 25 ms. A refused generation has said nothing to anybody yet, so it is asked again under the next one.
func (p *publisher) door() (open bool, err error) {
	begun := false
	for {
		clear(p.owned)
		l, ok := p.f.x.member.lease(func(q int32) { p.owned[q] = true })
		p.keepOwned()
		if len(p.taken) == 0 {
			if begun {
				// The broker may hold an empty transaction open, which this client would never end.
				return false, errNothingLeft
			}
			return false, nil
		}
		if ok {
			if !begun {
				if err := p.f.cl.BeginTransaction(); err != nil {
					return false, fmt.Errorf("begin: %w", err)
				}
				begun = true
			}
			crashpoint.Hit("publish.offsets.before")
			err := p.f.x.commitOffsets(p.f.ctx, p.f.cl, p.f.txnID, l, p.newest)
			if err == nil {
				return true, nil
			}
			if !isStaleLease(err) {
				return false, err
			}
		}
		if err := pause(p.f.ctx, 5*time.Millisecond); err != nil {
			return false, err
		}
	}
}

var errNothingLeft = errors.New("the partitions of a refused transaction have moved away")

func isStaleLease(err error) bool {
	return errors.Is(err, kerr.IllegalGeneration) || errors.Is(err, kerr.RebalanceInProgress) ||
		errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.FencedInstanceID)
}

// keepOwned drops the steps of partitions that are not ours any more: they stay in Pebble as an
// unpublished tail, which the next owner does not need. So are steps of an earlier ownership of the same
// partition: its takeover has queued them again, or thrown them away (X5e). It also finds the last step per partition.
func (p *publisher) keepOwned() {
	kept := p.taken[:0]
	p.newest = p.newest[:0]
	for _, s := range p.taken {
		if !p.mayPublish(s) {
			p.f.queue.done(s)
			s.partition.recycle(s)
			continue
		}
		kept = append(kept, s)
		p.setNewest(s)
	}
	clear(p.taken[len(kept):])
	p.taken = kept
}

func (p *publisher) mayPublish(s *step) bool {
	if s.partition.stopped.Load() {
		return false
	}
	owned := p.owned[s.partition.id] || mutant.On(mutant.OlderOwnership)
	return owned && (s.ticket == s.partition.ticket.Load() || mutant.On(mutant.OlderOwnership))
}

func (p *publisher) setNewest(s *step) {
	for i, o := range p.newest {
		if o.partition == s.partition {
			p.newest[i] = s
			return
		}
	}
	p.newest = append(p.newest, s)
}

// send produces every record and waits for every promise: only those tell what the broker took (X6).
func (p *publisher) send() error {
	p.slab.reset()
	p.ends = p.ends[:0]
	for _, s := range p.taken {
		if err := p.slab.load(s.entry, s.partition.id, &p.f.x.routes); err != nil {
			return fmt.Errorf("partition %d step %d: %w", s.partition.id, s.boundary.Seq, err)
		}
		p.ends = append(p.ends, len(p.slab.records))
	}
	p.refused.Store(nil)
	for i := range p.slab.records {
		p.f.cl.Produce(p.f.ctx, &p.slab.records[i], p.promise)
	}
	crashpoint.Hit("publish.produce.after")
	if err := p.f.cl.Flush(p.f.ctx); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	r := p.refused.Load()
	if r == nil || mutant.On(mutant.PromisesIgnored) {
		return nil
	}
	if isRecordFault(r.err) {
		p.blame(r)
	}
	return fmt.Errorf("%s[%d]: %w", r.record.Topic, r.record.Partition, r.err)
}

// isRecordFault says whether Kafka refused a record for itself, so that sending it again cannot help.
func isRecordFault(err error) bool {
	return errors.Is(err, kerr.MessageTooLarge) || errors.Is(err, kerr.RecordListTooLarge) ||
		errors.Is(err, kerr.InvalidRecord) || errors.Is(err, kerr.InvalidTimestamp) || errors.Is(err, kerr.CorruptMessage)
}

// blame stops the partition whose step holds the refused record; the lane restarts without it (X6).
func (p *publisher) blame(r *refusal) {
	for i := range p.slab.records {
		if &p.slab.records[i] != r.record {
			continue
		}
		for j, end := range p.ends {
			if i < end {
				s := p.taken[j]
				p.f.x.stopPartition(&Stop{
					Partition: s.partition.id, Rule: "X6", Expected: "the broker to take every record of a step",
					Found:  fmt.Sprintf("%s of %d bytes refused: %v", r.record.Topic, len(r.record.Value), r.err),
					Remedy: "run `hongbao topics check` and mend the topic's settings, then restart",
				})
				return
			}
		}
	}
}

// committed tells every step's partition and gives the memory back.
func (p *publisher) committed(start time.Time) {
	m := p.f.x.metrics
	m.transactions.Inc()
	m.transactionSeconds.Observe(time.Since(start).Seconds())
	for _, s := range p.taken {
		s.partition.published(s)
		p.f.queue.done(s)
		s.partition.recycle(s)
	}
	clear(p.taken)
	p.taken = p.taken[:0]
}
