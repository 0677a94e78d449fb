package processor

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/schemas"
)

// An outbox entry is everything that one step says to Kafka (X3), as stored in Pebble:
//
//	uvarint n, n bytes of facts:   per fact its length as uvarint and its value
//	uvarint m, m bytes of routing: per fact its chain (0: no key) and its traceparent
//	outputs until the end:         topic, key, value, headers
//
// The facts lie together because the running hash is over exactly those bytes.

var errEntry = errors.New("outbox entry is damaged")

// header is one of the few header names that hongbao writes, by its place in headerNames.
type header uint8

const (
	headerTrace header = iota
	headerSpecVersion
	headerID
	headerSource
	headerType
	headers
)

var headerNames = [headers]string{"traceparent", "ce_specversion", "ce_id", "ce_source", "ce_type"}

// routes says where outputs go: the topics' names under the prefix and the partition count.
type routes struct {
	names      [schemas.Topics]string
	partitions int32
}

// partition of a record: results are keyed by user, all else stays in the worker's partition.
func (r *routes) partition(t schemas.Topic, key []byte, own int32) int32 {
	if t == schemas.TopicResults {
		return schemas.Partition(key, r.partitions)
	}
	return own
}

// slab holds Kafka records built from entries, without an allocation per record.
// The records alias the entry and the slab, and live until reset.
type slab struct {
	records []kgo.Record
	headers []kgo.RecordHeader
	keys    []byte
}

func (s *slab) reset() {
	clear(s.records)
	s.records, s.headers, s.keys = s.records[:0], s.headers[:0], s.keys[:0]
}

// load appends the records of one entry of partition p.
func (s *slab) load(entry []byte, p int32, to *routes) error {
	facts, rest, ok := cut(entry)
	routing, outputs, ok2 := cut(rest)
	if !ok || !ok2 {
		return errEntry
	}
	for len(facts) > 0 {
		var value, trace []byte
		if value, facts, ok = cut(facts); !ok {
			return errEntry
		}
		chain, n := binary.Uvarint(routing)
		if n <= 0 {
			return errEntry
		}
		if trace, routing, ok = cut(routing[n:]); !ok {
			return errEntry
		}
		s.fact(value, int64(chain), trace, p, to) //nolint:gosec // written from an int64
	}
	for len(outputs) > 0 {
		if outputs, ok = s.output(outputs, p, to); !ok {
			return fmt.Errorf("%w: output %d", errEntry, len(s.records))
		}
	}
	return nil
}

func (s *slab) fact(value []byte, chain int64, trace []byte, p int32, to *routes) {
	r := kgo.Record{Topic: to.names[schemas.TopicFacts], Partition: p, Value: value}
	if chain != 0 {
		at := len(s.keys)
		s.keys = strconv.AppendInt(s.keys, chain, 10)
		r.Key = s.keys[at:len(s.keys):len(s.keys)]
	}
	if len(trace) > 0 {
		at := len(s.headers)
		s.headers = append(s.headers, kgo.RecordHeader{Key: headerNames[headerTrace], Value: trace})
		r.Headers = s.headers[at:len(s.headers):len(s.headers)]
	}
	s.records = append(s.records, r)
}

func (s *slab) output(b []byte, p int32, to *routes) (rest []byte, ok bool) {
	topic := schemas.Topic(b[0])
	key, rest, ok := cut(b[1:])
	if !ok || topic >= schemas.Topics {
		return nil, false
	}
	value, rest, ok := cut(rest)
	if !ok || len(rest) == 0 {
		return nil, false
	}
	n, at := rest[0], len(s.headers)
	rest = rest[1:]
	for range n {
		if len(rest) == 0 || rest[0] >= byte(headers) {
			return nil, false
		}
		name := headerNames[rest[0]]
		var v []byte
		if v, rest, ok = cut(rest[1:]); !ok {
			return nil, false
		}
		s.headers = append(s.headers, kgo.RecordHeader{Key: name, Value: v})
	}
	r := kgo.Record{Topic: to.names[topic], Partition: to.partition(topic, key, p), Key: key, Value: value}
	if n > 0 {
		r.Headers = s.headers[at:len(s.headers):len(s.headers)]
	}
	s.records = append(s.records, r)
	return rest, true
}

// eachFact calls fn with every fact value of an entry, in order.
func eachFact(entry []byte, fn func(value []byte) error) error {
	facts, _, ok := cut(entry)
	if !ok {
		return errEntry
	}
	for len(facts) > 0 {
		var value []byte
		if value, facts, ok = cut(facts); !ok {
			return errEntry
		}
		if err := fn(value); err != nil {
			return err
		}
	}
	return nil
}

// cut takes a field that is preceded by its length as uvarint.
func cut(b []byte) (field, rest []byte, ok bool) {
	n, k := binary.Uvarint(b)
	if k <= 0 || n > uint64(len(b)-k) { //nolint:gosec // k is at most len(b)
		return nil, nil, false
	}
	return b[k : k+int(n) : k+int(n)], b[k+int(n):], true //nolint:gosec // bounded by len(b)
}

func appendField(dst, field []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(field))), field...)
}
