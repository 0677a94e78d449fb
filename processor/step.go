package processor

import (
	"encoding/binary"

	"hongbao/eventstore"
	"hongbao/internal/mutant"
	"hongbao/schemas"
)

// step is one turn of a worker, sealed: what Pebble stores and the lane publishes (X2, X4).
// It is owned by the worker until it is handed to the lane, and by the lane until published.
type step struct {
	partition *partition
	ticket    uint64 // of the ownership under which it was made
	boundary  eventstore.Boundary
	entry     []byte
	events    int // its weight: of its events, or of its entry where that is more
}

// draft is a step being built. Its arenas are reused from step to step.
type draft struct {
	facts   []byte // the previous hash (16 bytes), then per fact uvarint length and value
	routing []byte
	outputs []byte
	scratch []byte
	count   int32
	seq     int64 // of the last fact
}

func (d *draft) begin(last eventstore.Boundary) {
	d.facts = append(warm(d.facts), last.Hash[:]...)
	d.routing, d.outputs = d.routing[:0], warm(d.outputs)
	d.count, d.seq = 0, last.Seq
}

// arenaBytesMax bounds an arena that is kept for the next step; only garbage makes larger ones.
const arenaBytesMax = 2 << 20

// warm empties an arena for its next use.
func warm(arena []byte) []byte {
	if cap(arena) > arenaBytesMax {
		return nil
	}
	return arena[:0]
}

// said is how much the step says so far, in bytes.
func (d *draft) said() int { return len(d.facts) + len(d.outputs) }

// add gives the fact its seq and appends it. chain 0 means a record without key.
func (d *draft) add(f *schemas.Fact, chain int64, trace []byte) {
	d.seq++
	d.count++
	f.Seq = d.seq
	if f.Rare != nil {
		f.Rare.Seq = d.seq
	}
	d.scratch = schemas.AppendFact(d.scratch[:0], f)
	d.facts = appendField(d.facts, d.scratch)
	d.routing = binary.AppendUvarint(d.routing, uint64(chain)) //nolint:gosec // ids are positive
	d.routing = appendField(d.routing, trace)
}

// out appends one output. Headers follow by header, exactly n of them.
func (d *draft) out(t schemas.Topic, key, value []byte, n int) {
	d.outputs = append(d.outputs, byte(t))
	d.outputs = appendField(d.outputs, key)
	d.outputs = appendField(d.outputs, value)
	d.outputs = append(d.outputs, byte(n)) //nolint:gosec // at most one per header name
}

func (d *draft) header(h header, value []byte) {
	d.outputs = append(d.outputs, byte(h))
	d.outputs = appendField(d.outputs, value)
}

// seal adds StepEnded with the running hash and writes the entry into s.
func (d *draft) seal(f *schemas.Fact, pos *schemas.Positions, clockMS int64, s *step) {
	f.Kind, f.Rare = schemas.FactStepEnded, nil
	f.Step = schemas.StepEnded{Positions: *pos, WorkerClockMS: clockMS, Facts: d.count + 1}
	start := len(d.facts)
	d.add(f, 0, nil)
	hash := schemas.HashStep(d.facts)
	f.Step.Hash = hash
	d.scratch = schemas.AppendStepHash(d.scratch, hash)
	d.facts = d.facts[:start]
	if !mutant.On(mutant.NoStepEnded) {
		d.facts = appendField(d.facts, d.scratch)
	}

	s.boundary = eventstore.Boundary{Seq: d.seq, Hash: hash, Positions: *pos, ClockMS: clockMS}
	s.entry = appendField(warm(s.entry), d.facts[len(hash):])
	s.entry = appendField(s.entry, d.routing)
	s.entry = append(s.entry, d.outputs...)
}
