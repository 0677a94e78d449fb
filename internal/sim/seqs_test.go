//go:build synctests

package sim

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/zeebo/xxh3"
)

// checkSeqs is I7 for facts, and the running hash of I6.
func (s *sim) checkSeqs(l *logs) {
	for p := range partitions {
		if s.expected.unread[p] {
			continue
		}
		var previous [16]byte
		h := xxh3.New()
		_, _ = h.Write(previous[:])
		facts := 0
		for i := range l.facts[p] {
			f := &l.facts[p][i]
			if f.Seq != int64(i+1) {
				s.fail("I7", "facts[%d] offset %d has seq %d after %d", p, f.rec.Offset, f.Seq, i)
				break
			}
			value := f.rec.Value
			facts++
			if f.Hash != nil {
				value = value[:len(value)-18]
			}
			_, _ = h.Write(binary.AppendUvarint(nil, uint64(len(value))))
			_, _ = h.Write(value)
			step := f.GetStepEnded()
			if step == nil {
				continue
			}
			sum := h.Sum128().Bytes()
			if string(sum[:]) != string(f.Hash) {
				s.fail("I6", "facts[%d] seq %d carries hash %x, its facts make %x", p, f.Seq, f.Hash, sum)
			}
			if int(step.Facts) != facts {
				s.fail("I7", "facts[%d] seq %d closes a step of %d facts, there are %d", p, f.Seq, step.Facts, facts)
			}
			previous, facts = sum, 0
			h.Reset()
			_, _ = h.Write(previous[:])
		}
		if facts > 0 {
			s.fail("I7", "facts[%d] end inside a step (torn)", p)
		}
	}
}

// producer is who wrote a record, in which transaction.
type producer struct {
	id    int64
	epoch int16
}

func writer(r *kgo.Record) producer { return producer{r.ProducerID, r.ProducerEpoch} }
