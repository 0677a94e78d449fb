package verify

import (
	"encoding/binary"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// step is what the open step has had so far.
type step struct {
	facts       int32
	producer    int64
	epoch       int16
	mixed       bool
	times       span  // of coupon and voucher transitions: worker clock
	latestEvent int64 // event time, of those judged without append time
	futures     span  // event times of dead letters that say FUTURE_TIME, without append time
	lastCommand int64 // one above the highest offset on coupon.commands that a creation names
}

// span is the smallest and the largest of some times; empty while largest is 0.
type span struct{ smallest, largest int64 }

func (s *span) add(ms int64) {
	if s.largest == 0 || ms < s.smallest {
		s.smallest = ms
	}
	s.largest = max(s.largest, ms)
}

const (
	hashTag = 15<<3 | 2 // field 15 of Fact, length-delimited
	hashLen = 16
)

// addToStep hashes the fact as hongbao.invite.v1.Fact describes it, and holds the step to one
// producer: two would be two writers (X1).
func (p *partition) addToStep(r *topiclog.Record) {
	s := &p.step
	if s.facts == 0 {
		s.producer, s.epoch = r.ProducerID, r.ProducerEpoch
	}
	if (s.producer != r.ProducerID || s.epoch != r.ProducerEpoch) && !s.mixed {
		s.mixed = true
		p.bad(CheckFacts, "producer %d epoch %d wrote this fact, producer %d epoch %d the ones before it in the same step",
			r.ProducerID, r.ProducerEpoch, s.producer, s.epoch)
	}
	s.facts++
	value := r.Value
	if n := len(value) - hashLen - 2; p.fact.Kind == schemas.FactStepEnded && n >= 0 && value[n] == hashTag && value[n+1] == hashLen {
		value = value[:n]
	}
	p.scratch = binary.AppendUvarint(p.scratch[:0], uint64(len(value)))
	p.sum(p.scratch)
	p.sum(value)
}

func (p *partition) sum(b []byte) {
	_, _ = p.hasher.Write(b) // never an error
}

// endStep checks the boundary. What the fact says is believed from here on (V3).
func (p *partition) endStep() {
	e, s := &p.fact.Step, &p.step
	sum := p.hasher.Sum128().Bytes()
	if schemas.Hash(sum) != e.Hash {
		p.bad(CheckFacts, "the running hash is %s, StepEnded says %s", hex(sum[:]), hex(e.Hash[:]))
	}
	if e.Facts != s.facts {
		p.bad(CheckFacts, "the step has %d facts, StepEnded says %d", s.facts, e.Facts)
	}
	for t, at := range e.Positions {
		if before := p.previous.Positions[t]; at < before {
			p.bad(CheckFacts, "the position of %s goes back from %d to %d", schemas.Topic(t), before, at)
		}
	}
	if e.WorkerClockMS < p.previous.WorkerClockMS {
		p.bad(CheckFacts, "the worker clock goes back from %d to %d", p.previous.WorkerClockMS, e.WorkerClockMS)
	}
	if at := e.Positions[schemas.TopicEvents]; p.answered >= at {
		p.bad(CheckInputs, "the event at offset %d was answered, the position of invite.events is %d", p.answered, at)
	}
	if at := e.Positions[schemas.TopicCommands]; s.lastCommand > 0 && s.lastCommand-1 >= at {
		p.bad(CheckCoupons, "the command at offset %d was taken, the position of coupon.commands is %d", s.lastCommand-1, at)
	}
	p.passUntil(e.Positions[schemas.TopicEvents])
	p.endControl(e.Positions[schemas.TopicControl], e.WorkerClockMS)
	p.checkTimes(e.WorkerClockMS)
	p.hash = e.Hash
	p.previous = *e
	p.step = step{}
	p.hasher.Reset()
	p.sum(p.hash[:])
}

// checkTimes holds the step's times to its clock, which is read once a step (domain.md section 3).
func (p *partition) checkTimes(clock int64) {
	s := &p.step
	if s.times.largest > 0 && (s.times.smallest != clock || s.times.largest != clock) {
		p.bad(CheckCoupons, "transitions of this step are dated %d to %d, its worker clock is %d", s.times.smallest, s.times.largest, clock)
	}
	if s.latestEvent > clock+futureMS {
		p.bad(CheckInputs, "an event of time %d was judged at worker clock %d; more than 5 min ahead is FUTURE_TIME", s.latestEvent, clock)
	}
	if s.futures.largest > 0 && s.futures.smallest <= clock+futureMS {
		p.bad(CheckInputs, "an event of time %d was called FUTURE_TIME at worker clock %d; only more than 5 min ahead is", s.futures.smallest, clock)
	}
}
