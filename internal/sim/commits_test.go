//go:build synctests

package sim

import (
	"fmt"
	"time"

	"hongbao/schemas"
)

// checkCommits is I3: whatever offset was committed stood for the end of a step that is in the log, written by the same
// producer, and every transaction's last fact had such an offset beside it.
func (s *sim) checkCommits(l *logs) {
	if n := len(s.watch.outside); n > 0 {
		s.fail("I3", "%d offsets were committed outside a transaction", n)
	}
	for p := range partitions {
		if s.expected.unread[p] {
			continue
		}
		steps := map[int64]*fact{}
		for i := range l.facts[p] {
			if f := &l.facts[p][i]; f.GetStepEnded() != nil {
				steps[f.Seq] = f
			}
		}
		s.checkLast(l, p, steps)
		s.checkOffset(l, p, steps)
	}
}

// checkLast walks the transactions of facts[p], which end where the producer or its epoch changes or a step's promise was made.
func (s *sim) checkLast(l *logs, p int, steps map[int64]*fact) {
	byStep := map[string]bool{} // producer, epoch, seq, hash of what was promised
	for _, c := range s.watch.commits {
		if int(c.partition) != p {
			continue
		}
		m, ok := readMetadata(c.metadata)
		if !ok {
			s.fail("I3", "partition %d was committed with metadata %q", p, c.metadata)
			continue
		}
		byStep[fmt.Sprint(c.producer, c.epoch, m.seq, m.hash)] = true
		f := steps[m.seq]
		if f == nil || writer(f.rec) != (producer{c.producer, c.epoch}) {
			continue // that transaction was not committed in the end
		}
		if string(f.Hash) != m.hash || m.positions[schemas.TopicEvents.String()] != c.offset {
			s.fail("I3", "partition %d: offset %d was committed with hash %x at seq %d, the log has hash %x", p, c.offset, m.hash, m.seq, f.Hash)
		}
		for _, at := range f.GetStepEnded().Positions {
			if m.positions[at.Topic] != at.NextOffset {
				s.fail("I3", "partition %d seq %d: the metadata has position %d of %s, StepEnded %d", p, m.seq, m.positions[at.Topic], at.Topic, at.NextOffset)
			}
		}
	}
	for i := range l.facts[p] {
		f := &l.facts[p][i]
		if i+1 < len(l.facts[p]) && writer(l.facts[p][i+1].rec) == writer(f.rec) {
			continue
		}
		if f.GetStepEnded() == nil {
			s.fail("I3", "facts[%d] seq %d ends a transaction in mid-step (torn)", p, f.Seq)
		} else if !byStep[fmt.Sprint(f.rec.ProducerID, f.rec.ProducerEpoch, f.Seq, string(f.Hash))] {
			s.fail("I3", "facts[%d] seq %d ends what producer %d epoch %d wrote, and no offset went with it", p, f.Seq, f.rec.ProducerID, f.rec.ProducerEpoch)
		}
	}
}

// checkLastWords is I3 for a partition that had to stop: nothing follows what it had committed when the fault hit, or nothing decided since. (A process
// whose clock was moved cannot say when it decided.)
func (s *sim) checkLastWords(l *logs) {
	for p, last := range s.expected.last {
		if last == nil {
			continue
		}
		m, _ := readMetadata(last.commit.Metadata)
		if c := l.commits[p]; last.tail.IsZero() && c != last.commit {
			s.fail("I3", "partition %d had to stop at offset %d, seq %d; offset %d was committed since, with %q", p, last.commit.Offset, m.seq, c.Offset, c.Metadata)
		}
		for i := range l.facts[p] {
			f := &l.facts[p][i]
			if f.Seq <= m.seq || f.GetStepEnded() == nil {
				continue
			}
			if at := f.GetStepEnded().WorkerClockMs; last.tail.IsZero() || at > last.tail.UnixMilli() && s.result.Hits["clock jump"] == 0 {
				s.fail("I3", "partition %d had to stop at seq %d; seq %d follows, of %v", p, m.seq, f.Seq, time.UnixMilli(at).UTC())
			}
			s.reach("steps of before a stop, published behind it")
		}
	}
}

// checkOffset holds the committed offset to the last fact.
func (s *sim) checkOffset(l *logs, p int, steps map[int64]*fact) {
	c := l.commits[p]
	if c.Offset < 0 {
		if len(l.facts[p]) > 0 {
			s.fail("I3", "partition %d has %d facts and no committed offset", p, len(l.facts[p]))
		}
		return
	}
	m, ok := readMetadata(c.Metadata)
	f := steps[m.seq]
	if !ok || f == nil || string(f.Hash) != m.hash || m.seq != int64(len(l.facts[p])) {
		s.fail("I3", "partition %d: the committed metadata names seq %d hash %x; the facts end at seq %d", p, m.seq, m.hash, len(l.facts[p]))
	}
}
