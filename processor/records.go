package processor

import (
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"
)

// pooledRecordsMax bounds a slice that is kept: some 3 MB.
const pooledRecordsMax = 16 << 10

// deadKeyMax bounds the key of a dead letter whose payload did not fit.
const deadKeyMax = 1 << 10

func validUTF8(s string) string { return strings.ToValidUTF8(s, "?") }

// recordPool lends kgo the slices that it decodes fetched records into; workers give them back by Recycle.
type recordPool struct{ free chan []kgo.Record }

func newRecordPool() *recordPool { return &recordPool{free: make(chan []kgo.Record, 256)} }

// GetRecords is kgo.PoolRecords'.
func (p *recordPool) GetRecords(n int) []kgo.Record {
	select {
	case s := <-p.free:
		if cap(s) >= n {
			return s[:0]
		}
	default:
	}
	return make([]kgo.Record, 0, n)
}

// PutRecords is kgo.PoolRecords'.
func (p *recordPool) PutRecords(s []kgo.Record) {
	if cap(s) > pooledRecordsMax {
		return
	}
	select {
	case p.free <- s:
	default:
	}
}
