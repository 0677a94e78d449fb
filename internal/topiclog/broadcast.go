package topiclog

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/schemas"
)

// Broadcast writes one record to every partition of a topic in one transaction, so that a
// campaign change reaches all of them or none. On an error nothing is known to be committed;
// sending again is safe because changes are numbered.
func (c *Client) Broadcast(ctx context.Context, t schemas.Topic, key, value []byte, headers []Header) (err error) {
	name := c.Name(t)
	starts, err := c.Starts(ctx, t)
	if err != nil {
		return err
	}
	// A fresh transactional id each time: nobody else's transaction is fenced, and none of
	// ours is ever in anybody's way (X5c fences only ids under hongbao/<group>/).
	var id [8]byte
	if _, err := rand.Read(id[:]); err != nil {
		return fmt.Errorf("topiclog: random transactional id: %w", err)
	}
	kc, err := kgo.NewClient(append(c.cfg.options(),
		kgo.TransactionalID("hongbao-tool/"+hex.EncodeToString(id[:])),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
	)...)
	if err != nil {
		return fmt.Errorf("topiclog: transactional producer: %w", err)
	}
	defer kc.Close()
	if err := kc.BeginTransaction(); err != nil {
		return fmt.Errorf("topiclog: begin transaction: %w", err)
	}
	var first firstError
	for p := range starts[t] {
		r := &Record{Topic: name, Partition: int32(p), Key: key, Value: value, Headers: headers}
		kc.Produce(ctx, r, func(r *Record, err error) {
			if err != nil {
				first.set(fmt.Errorf("topiclog: write to %s/%d: %w", r.Topic, r.Partition, err))
			}
		})
	}
	flushed := kc.Flush(ctx)
	// T4, X6: the promises first; EndTransaction says nil also when every record was refused.
	if err := errors.Join(flushed, first.get()); err != nil {
		return errors.Join(err, kc.EndTransaction(ctx, kgo.TryAbort))
	}
	if err := kc.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("topiclog: commit of a broadcast to %s (outcome unknown): %w", name, err)
	}
	return nil
}

type firstError struct {
	mu  sync.Mutex
	err error
}

func (f *firstError) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *firstError) get() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}
