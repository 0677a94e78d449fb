package topiclog

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/schemas"
)

// ByKey lets Write choose the partition as Kafka's own producer does: murmur2 of the key.
const ByKey = -1

// WriterConfig sizes a Writer.
type WriterConfig struct {
	// Linger is how long a batch waits for company. Default 5 ms; it costs latency and saves
	// the broker work.
	Linger time.Duration
	// BufferedRecords bounds what is written and not yet acknowledged; Write waits when it is
	// reached. Default 50,000.
	BufferedRecords int
	// BatchBytes bounds a batch, and so a record. Default 1 MiB, as other clients have it; raise
	// it to write a record that is too large on purpose.
	BatchBytes int32
	// Compress with lz4. Off by default: events are small and the broker is near.
	Compress bool
}

// Writer is a fast producer: all replicas acknowledge, retries never double or reorder
// (idempotent). Write is for one goroutine; Close flushes nothing.
type Writer struct {
	c     *Client
	kc    *kgo.Client
	names [schemas.Topics]string
	parts [schemas.Topics]int32
	slab  []Record

	done   func(*Record, error)
	mu     sync.Mutex
	failed error
}

// slabRecords is how many records are allocated at once.
const slabRecords = 512

// Writer makes a producer on the client's topics. It asks for the partition counts first.
func (c *Client) Writer(ctx context.Context, cfg WriterConfig, topics ...schemas.Topic) (*Writer, error) {
	starts, err := c.Starts(ctx, topics...)
	if err != nil {
		return nil, err
	}
	if cfg.Linger <= 0 {
		cfg.Linger = 5 * time.Millisecond
	}
	if cfg.BufferedRecords <= 0 {
		cfg.BufferedRecords = 50_000
	}
	if cfg.BatchBytes <= 0 {
		cfg.BatchBytes = 1 * mib
	}
	compression := kgo.NoCompression()
	if cfg.Compress {
		compression = kgo.Lz4Compression()
	}
	kc, err := kgo.NewClient(append(c.cfg.options(),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerLinger(cfg.Linger),
		kgo.MaxBufferedRecords(cfg.BufferedRecords),
		kgo.ProducerBatchMaxBytes(cfg.BatchBytes),
		kgo.ProducerBatchCompression(compression),
	)...)
	if err != nil {
		return nil, fmt.Errorf("topiclog: producer: %w", err)
	}
	w := &Writer{c: c, kc: kc}
	w.done = w.acknowledged
	for _, t := range topics {
		w.names[t] = c.Name(t)
		w.parts[t] = int32(len(starts[t])) //nolint:gosec // partitions
	}
	return w, nil
}

// Partitions is the partition count of a topic that the Writer was made for.
func (w *Writer) Partitions(t schemas.Topic) int32 { return w.parts[t] }

// Write hands one record over and returns before it is acknowledged. key, value and headers are
// kept until then, not copied. partition is ByKey or, to misroute on purpose, a number; a record
// without key needs one. The error is that of an earlier record (T5), or of ctx while waiting
// for room.
func (w *Writer) Write(ctx context.Context, t schemas.Topic, partition int32, key, value []byte, headers []Header) error {
	if err := w.err(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	n := w.parts[t]
	if n == 0 {
		return fmt.Errorf("topiclog: this writer was not made for topic %s", t)
	}
	switch {
	case partition != ByKey:
	case key == nil:
		return fmt.Errorf("topiclog: a record without key for %s names no partition", w.names[t])
	default:
		partition = schemas.Partition(key, n)
	}
	if len(w.slab) == 0 {
		w.slab = make([]Record, slabRecords)
	}
	r := &w.slab[0]
	w.slab = w.slab[1:]
	r.Topic, r.Partition, r.Key, r.Value, r.Headers = w.names[t], partition, key, value, headers
	w.kc.Produce(ctx, r, w.done)
	return nil
}

// Flush waits until everything written is acknowledged and returns the first failure since the
// Writer was made (T5).
func (w *Writer) Flush(ctx context.Context) error {
	if err := w.kc.Flush(ctx); err != nil {
		return fmt.Errorf("topiclog: flush: %w", err)
	}
	return w.err()
}

// Buffered is how many records wait for their acknowledgement.
func (w *Writer) Buffered() int64 { return w.kc.BufferedProduceRecords() }

// Close drops what is not acknowledged; call Flush first.
func (w *Writer) Close() { w.kc.Close() }

func (w *Writer) acknowledged(r *Record, err error) {
	if err == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil {
		w.failed = fmt.Errorf("topiclog: write to %s/%d (key %q): %w", r.Topic, r.Partition, r.Key, err)
	}
}

func (w *Writer) err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.failed
}
