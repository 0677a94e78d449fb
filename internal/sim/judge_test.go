//go:build synctests

package sim

import (
	"bytes"
	"time"

	"hongbao/internal/verify"
	"hongbao/schemas"
)

// oracleOf says which oracle a check of verify belongs to.
var oracleOf = map[verify.Check]string{
	verify.CheckInputs: "I1", verify.CheckFacts: "I3", verify.CheckGraph: "I2", verify.CheckAcross: "I2",
	verify.CheckRewards: "I2", verify.CheckCoupons: "I4", verify.CheckStock: "I9",
	verify.CheckControl: "I1",
}

// judge asks all oracles about what the seed left behind.
func (s *sim) judge(owners [partitions]*instance) {
	l := s.readLogs()
	s.checkReader(l)
	s.checkVerify(l)
	s.checkInputs(l)
	s.checkCoupons(l)
	s.checkCommits(l)
	s.checkLastWords(l)
	s.checkResults(l)
	s.checkSeqs(l)
	s.checkStates(l, owners)
	s.checkRest(l)
	s.checkModels(l)
	s.checkAsked(l)
	s.cover(l)
	s.result.Trace = s.trace(l)
}

func (s *sim) checkVerify(l *logs) {
	r, err := verify.Run(s.ctx, verify.Config{Log: l, Group: group, Keys: s.keys, Workers: 1})
	s.must(err)
	for _, b := range r.Broken {
		if l.lost(int(b.Partition)) || l.lostFacts() && (b.Check == verify.CheckCoupons || b.Check == verify.CheckAcross) {
			continue // verify has the log alone: a record may be about one that the broker has lost
		}
		s.fail(oracleOf[b.Check], "verify %s: partition %d seq %d offset %d: %s", b.Check, b.Partition, b.Seq, b.Offset, b.Sentence)
	}
	if r.BrokenTotal == 0 && (r.Lag > 0 || r.Open > 0) && !s.expected.anyStop() {
		s.fail("I8", "verify: lag %d, %d coupons open", r.Lag, r.Open)
	}
}

// checkReader compares what a read_committed subscriber saw while it happened with what is committed now: nothing
// aborted, nothing twice, nothing skipped, in order.
func (s *sim) checkReader(l *logs) {
	for range 20 {
		if s.reader.has(l) {
			break
		}
		s.pause(500 * time.Millisecond)
	}
	s.reader.mu.Lock()
	defer s.reader.mu.Unlock()
	for t := range schemas.Topics {
		for p := range partitions {
			saw, is := s.reader.seen[t][p], l.committed[t][p]
			for len(saw) > 0 && saw[0].Offset < l.starts[t][p] {
				saw = saw[1:] // the broker has lost it since
			}
			for i := range min(len(saw), len(is)) {
				if saw[i].Offset != is[i].Offset || !bytes.Equal(saw[i].Value, is[i].Value) {
					s.fail("I7", "%s[%d]: a subscriber read offset %d where offset %d is committed (aborted, skipped or rewritten)", t, p, saw[i].Offset, is[i].Offset)
					return
				}
			}
			if len(saw) != len(is) {
				s.fail("I7", "%s[%d]: a subscriber read %d records, %d are committed", t, p, len(saw), len(is))
				return
			}
		}
	}
}
