package cascade

import (
	"strconv"

	"hongbao/schemas"
)

// maker turns events into records. One per stream; it allocates a chunk per thousand records.
type maker struct {
	cfg    *Config
	minter *schemas.CodeMinter
	source []byte
	arena  arena
	rec    Record
	head   [6]Header
	code   []byte // scratch of mint
}

func newMaker(cfg *Config, source string) *maker {
	if cfg.Source != "" {
		source = cfg.Source
	}
	m := &maker{cfg: cfg, minter: schemas.NewCodeMinter(cfg.Keys), source: []byte(source)}
	m.code = make([]byte, 0, 128)
	return m
}

// mint is the code of an inviter until the campaign's end. It is valid until the next mint.
func (m *maker) mint(chain, inviter int64) []byte {
	return m.mintUntil(m.cfg.Campaign, chain, inviter, m.cfg.CodeEndS)
}

func (m *maker) mintUntil(campaign, chain, inviter, endS int64) []byte {
	m.code = m.minter.Append(m.code[:0], schemas.Code{Campaign: campaign, Chain: chain, Inviter: inviter, ExpiresS: endS})
	return m.code
}

// id is an event id: a letter for the kind and a number that is unique among that kind.
func (m *maker) id(letter byte, n int64) []byte {
	b := append(m.arena.room(), letter)
	return m.arena.keep(strconv.AppendInt(b, n, 10))
}

// record makes the record of e, sent at timeMS. e.ID must come from id; e.Source is set here.
func (m *maker) record(e *schemas.Event, timeMS int64) *Record {
	return m.typed(e, timeMS, typeName(e.Kind))
}

// typed is record with the type's name given.
func (m *maker) typed(e *schemas.Event, timeMS int64, kind []byte) *Record {
	e.Source = m.source
	r := &m.rec
	r.Key = m.arena.keep(schemas.AppendKey(m.arena.room(), e.Chain))
	r.Partition = schemas.Partition(r.Key, m.cfg.Partitions)
	r.TimeMS = timeMS
	r.Headers = m.head[:0]
	value := m.arena.room()
	switch m.cfg.Format {
	case Structured:
		r.Value = m.arena.keep(appendStructured(value, e, kind))
		return r
	case JSON:
		r.Value = m.arena.keep(appendJSON(value, e))
	default:
		r.Value = m.arena.keep(appendProtobuf(value, e))
	}
	r.Headers = append(r.Headers, Header{"ce_specversion", specVersion}, Header{"ce_id", e.ID},
		Header{"ce_source", m.source}, Header{"ce_type", kind})
	if m.cfg.Format == JSON {
		r.Headers = append(r.Headers, Header{"content-type", contentJSON})
	}
	if len(e.Trace) > 0 {
		r.Headers = append(r.Headers, Header{"traceparent", e.Trace})
	}
	return r
}

var contentJSON = []byte("application/json")

// trace makes a sampled W3C traceparent of 128 and 64 random bits, neither of them zero.
func (m *maker) trace(d *dice) []byte {
	if !m.cfg.Trace {
		return nil
	}
	b := append(m.arena.room(), "00-"...)
	b = appendHex(b, d.next()|1)
	b = appendHex(b, d.next())
	b = appendHex(append(b, '-'), d.next()|1)
	return m.arena.keep(append(b, "-01"...))
}

func appendHex(dst []byte, v uint64) []byte {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, digits[v>>shift&15])
	}
	return dst
}
