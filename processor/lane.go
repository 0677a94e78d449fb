package processor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/internal/crashpoint"
	"hongbao/internal/mutant"
	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// transactionTimeout is below the session timeout: what a dead lane left open is over before its partitions move.
const transactionTimeout = 8 * time.Second

// How long a lane waits before its next life, and a partition before its next takeover: the longer, the more of them came to nothing, since a broker
// that is away, or a disk that refuses, says the same for minutes.
const (
	laneWaitMin     = 20 * time.Millisecond
	laneWaitMax     = 500 * time.Millisecond
	takeoverWaitMax = 5 * time.Second
)

// lane is one Kafka client for the partitions of a core or two. Its client has lives: an outcome that is
// unknown (X6), or a fence, ends the client, and every partition starts again at X5 under a new one.
type lane struct {
	x     *Processor
	id    int
	txnID string
	log   *slog.Logger

	mu    sync.Mutex
	owned map[int32]bool       // what the group gave us; the life takes them
	open  map[int32]*partition // with their stores open, running or not
	life  *life                // nil between two lives
}

// life is one client of a lane, from InitProducerID to Close.
type life struct {
	*lane
	cl     *kgo.Client
	ctx    context.Context //nolint:containedctx // a life is a context: everything of it ends with it
	cancel context.CancelCauseFunc
	tasks  sync.WaitGroup
	queue  queue
	topics map[string]schemas.Topic

	takes map[int32]context.CancelCauseFunc // what ends a partition's takeover and its work; under the lane's lock

	amu    sync.Mutex
	active map[int32]*partition
}

// run keeps the lane alive until ctx ends. It returns an error only where the process must exit (X1).
func (l *lane) run(ctx context.Context) error {
	var fences []time.Time
	wait := time.Duration(0)
	for ctx.Err() == nil {
		lived := time.Duration(0)
		f, err := l.begin(ctx)
		if err == nil {
			began := time.Now()
			err = l.live(f) // always an error: why the life ended
			lived = time.Since(began)
		}
		var le *laneError
		if errors.As(err, &le) && le.fenced {
			now := time.Now()
			fences = append(fences, now)
			if n := len(fences); n >= 3 && now.Sub(fences[n-3]) < time.Minute {
				return fmt.Errorf("X1: transactional id %s was fenced three times in a minute: another process runs on a copy of this data directory; "+
					"stop one of them and give each its own --data", l.txnID)
			}
		}
		if ctx.Err() == nil {
			l.log.Warn("lane starts again at X5", "lane", l.id, "rule", "X6", "error", err)
			l.x.metrics.laneRestarts.Inc()
			wait = laneWait(wait, lived)
			if pause(ctx, wait) != nil {
				break
			}
		}
	}
	return nil //nolint:nilerr // ctx ended
}

// laneWait follows the last wait: twice as long after a life that did not begin, or came to its end at once.
func laneWait(last, lived time.Duration) time.Duration {
	if lived > laneWaitMax {
		return laneWaitMin
	}
	return min(max(2*last, laneWaitMin), laneWaitMax)
}

// live runs one life and waits for everything in it.
func (l *lane) live(f *life) error {
	l.mu.Lock()
	l.life = f
	for p := range l.owned {
		if !l.x.isStopped(p) || l.x.tended(p) {
			f.take(p)
		}
	}
	l.mu.Unlock()
	f.tasks.Go(f.dispatch)
	f.tasks.Go(f.publishLoop)

	<-f.ctx.Done()
	l.mu.Lock()
	l.life = nil
	l.mu.Unlock()
	f.cl.Close()
	f.tasks.Wait()
	return context.Cause(f.ctx)
}

// begin makes the client and its producer id, once per client life and before its first OffsetFetch (X1).
func (l *lane) begin(ctx context.Context) (*life, error) {
	cl, err := kgo.NewClient(append(l.x.clientOptions(), l.options()...)...)
	if err != nil {
		return nil, fmt.Errorf("lane %d: %w", l.id, err)
	}
	crashpoint.Hit("lane.producer.before")
	if !mutant.On(mutant.OffsetBeforeFence) {
		if _, _, err := cl.ProducerID(ctx); err != nil {
			cl.Close()
			return nil, fmt.Errorf("lane %d: producer id: %w", l.id, err)
		}
	}
	crashpoint.Hit("lane.producer.after")
	f := &life{lane: l, cl: cl, active: map[int32]*partition{}, topics: map[string]schemas.Topic{}, takes: map[int32]context.CancelCauseFunc{}}
	f.ctx, f.cancel = context.WithCancelCause(ctx)
	f.queue.wake = make(chan struct{}, 1)
	f.queue.room = make(chan struct{}, 1)
	for t := range schemas.Topic(schemas.Inputs) {
		f.topics[l.x.routes.names[t]] = t
	}
	return f, nil
}

// options wait 1 and 10 ms where the defaults wait long: with them a client that met its last transaction's markers
// often stood still for 5 s.
func (l *lane) options() []kgo.Opt {
	return []kgo.Opt{
		kgo.TransactionalID(l.txnID),
		kgo.TransactionTimeout(transactionTimeout),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchCompression(kgo.NoCompression()),
		kgo.ProducerBatchMaxBytes(recordBytesMax),
		kgo.ProducerLinger(0),
		kgo.MaxBufferedRecords(1 << 20),
		kgo.MaxBufferedBytes(1 << 30),
		kgo.ConcurrentTransactionsBackoff(time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return time.Millisecond }),
		kgo.MetadataMinAge(10 * time.Millisecond),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // a position behind the last of them would be lost to retention
		kgo.FetchMaxWait(50 * time.Millisecond),
		kgo.FetchMaxBytes(fetchBytesMax),
		kgo.MaxDecompressBatchBytes(topiclog.BatchBytesMax),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		kgo.WithPools(newRecordPool()),
	}
}

// assign is called by the group's callback: it only notes the partition and starts its takeover.
func (l *lane) assign(p int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.owned[p] = true
	if l.life != nil {
		l.life.take(p)
	}
}

// release keeps X7's revoke: no new steps, then the tail is published, at most until ctx is over;
// then the client is closed. It never waits for a worker.
func (l *lane) release(ctx context.Context, p int32) {
	l.mu.Lock()
	delete(l.owned, p)
	f := l.life
	l.mu.Unlock()
	if f == nil {
		l.letGo(p)
		return
	}
	if mutant.On(mutant.RevokeWaits) {
		f.await(p)
	}
	f.endTake(p)
	f.amu.Lock()
	part := f.active[p]
	f.amu.Unlock()
	if part == nil {
		l.letGo(p)
		return
	}
	if err := f.queue.drained(ctx, part); err != nil && !mutant.On(mutant.OlderOwnership) {
		f.fail(&laneError{during: fmt.Sprintf("publishing the tail of revoked partition %d", p), err: err})
	}
	part.ticket.Store(0) // a step that is still being made belongs to nobody
	f.forget(p)
	crashpoint.Hit("member.release.after")
}

// lose is release without a lease: nothing can be published any more, and what is under way must not
// meet a later ownership of the same partition. So the client goes.
func (l *lane) lose(p int32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.owned, p)
	if l.life != nil {
		l.life.fail(&laneError{during: fmt.Sprintf("losing partition %d", p), err: errGone})
	}
}

// fail ends the life; the first reason stays.
func (f *life) fail(err error) { f.cancel(err) }

// take starts the takeover of p by X5, and another one when it has stopped and is to be tended. It holds for this ownership alone: one that began
// before p went to another and came back knows nothing of what that one has committed. The caller holds l.mu.
func (f *life) take(p int32) {
	ctx, end := context.WithCancelCause(f.ctx)
	if last := f.takes[p]; last != nil {
		last(errGone)
	}
	f.takes[p] = end
	f.tasks.Go(func() {
		defer end(nil)
		f.took(ctx, p, f.tryToOwn(ctx, p))
		if f.x.tended(p) && ctx.Err() == nil {
			f.took(ctx, p, f.tryToOwn(ctx, p))
		}
	})
}

// tryToOwn is own, again and again while the system refuses p's own files: the lane's other partitions go on.
func (f *life) tryToOwn(ctx context.Context, p int32) error {
	for wait := laneWaitMin; ; wait = min(2*wait, takeoverWaitMax) {
		err := f.own(ctx, p)
		if _, ok := errors.AsType[*directoryError](err); !ok {
			return err
		}
		f.log.Error("the partition waits: its data directory cannot be read", "rule", "X5e", "partition", p, "error", err)
		if pause(ctx, wait) != nil {
			return err
		}
	}
}

func (f *life) endTake(p int32) {
	f.lane.mu.Lock()
	defer f.lane.mu.Unlock()
	if end := f.takes[p]; end != nil {
		end(errGone)
	}
	delete(f.takes, p)
}

func (f *life) took(ctx context.Context, p int32, err error) {
	var stop *Stop
	switch {
	case err == nil, errors.Is(err, errGone), ctx.Err() != nil:
	case errors.As(err, &stop):
		f.x.stopPartition(stop)
	default:
		f.fail(&laneError{during: fmt.Sprintf("taking partition %d", p), fenced: isFence(err), err: err})
	}
}

// forget takes p out of the client and of the active set.
func (f *life) forget(p int32) {
	f.amu.Lock()
	delete(f.active, p)
	f.amu.Unlock()
	signal(f.queue.room) // what it held counts no more
	if f.ctx.Err() == nil {
		f.cl.RemoveConsumePartitions(f.topicsOf(p))
	}
}

// topicsOf are the inputs of a partition as kgo wants them.
func (f *life) topicsOf(p int32) map[string][]int32 {
	m := map[string][]int32{}
	for name := range f.topics {
		m[name] = []int32{p}
	}
	return m
}

// pollPace is from poll to poll while the lane does not lag: each costs the broker a fetch, however little is there.
const pollPace = 10 * time.Millisecond

// dispatch polls the lane's client and hands each partition its records. When too much is folded and not
// yet published, or read and not yet folded, it stops polling (X9): the client is the lane's own.
func (f *life) dispatch() {
	var polled time.Time
	for f.ctx.Err() == nil {
		if !f.waitForRoom() {
			return
		}
		if wait := pollPace - time.Since(polled); wait > 0 && f.unpublished() < laggingEvents && pause(f.ctx, wait) != nil {
			return
		}
		polled = time.Now()
		fetches := f.cl.PollRecords(f.ctx, pollRecordsMax)
		if f.ctx.Err() != nil {
			return
		}
		fetches.EachPartition(func(tp kgo.FetchTopicPartition) { f.deliver(&tp) })
	}
}

func (f *life) waitForRoom() bool {
	for f.unpublished() > unpublishedMax {
		select {
		case <-f.ctx.Done():
			return false
		case <-f.queue.room:
		}
	}
	return true
}

// unpublished counts, by weight, what this lane has read that is not in a committed transaction.
func (f *life) unpublished() int64 {
	n := f.queue.events.Load()
	f.amu.Lock()
	defer f.amu.Unlock()
	for _, part := range f.active {
		n += part.box.waiting.Load()
	}
	return n
}

// deliver hands what was fetched to its partition while that is active: what comes after a forget belongs to nobody.
func (f *life) deliver(tp *kgo.FetchTopicPartition) {
	f.amu.Lock()
	part := f.active[tp.Partition]
	if part != nil && len(tp.Records) > 0 {
		f.hand(part, f.topics[tp.Topic], tp)
	}
	f.amu.Unlock()
	if part != nil && tp.Err != nil {
		f.fetchFailed(tp, f.topics[tp.Topic])
	}
}

func (f *life) hand(part *partition, topic schemas.Topic, tp *kgo.FetchTopicPartition) {
	recs, end := withoutMarkers(tp.Records)
	if topic != schemas.TopicEvents && topic != schemas.TopicControl && len(recs) > 0 {
		// Commands and retries wait in Kafka, not here: one fetch at a time.
		f.cl.PauseFetchPartitions(map[string][]int32{tp.Topic: {tp.Partition}})
	}
	part.box.put(topic, recs, end)
}

// withoutMarkers takes out the control records, which end transactions, and says where the last one ends, or 0 if a record follows it.
func withoutMarkers(recs []*kgo.Record) (kept []*kgo.Record, end int64) {
	kept = recs[:0]
	for _, r := range recs {
		if r.Attrs.IsControl() {
			end = r.Offset + 1
			r.Recycle()
			continue
		}
		kept, end = append(kept, r), 0
	}
	return kept, end
}

func (f *life) fetchFailed(tp *kgo.FetchTopicPartition, topic schemas.Topic) {
	if large, ok := errors.AsType[*kgo.ErrDecompressTooLarge](tp.Err); ok {
		f.x.stopPartition(&Stop{
			Partition: tp.Partition, Rule: "X9",
			Expected: fmt.Sprintf("every batch of %s to unpack to %d bytes at most", topic, topiclog.BatchBytesMax),
			Found:    fmt.Sprintf("a larger one at offsets %d to %d", large.Offset, large.NextOffset-1),
			Remedy:   "find its producer, which no client's default makes: its records cannot be read, so start a new group on new topics (--prefix)",
		})
		return
	}
	var lost *kgo.ErrDataLoss
	if !errors.Is(tp.Err, kerr.OffsetOutOfRange) && !errors.As(tp.Err, &lost) {
		f.log.Warn("fetch failed", "topic", tp.Topic, "partition", tp.Partition, "error", tp.Err)
		return
	}
	f.x.stopPartition(truncated(tp.Partition, topic, tp.Err.Error()))
}

// truncated is the stop of a partition whose input has lost what was not read (X5f).
func truncated(p int32, t schemas.Topic, found string) *Stop {
	return &Stop{
		Partition: p, Rule: "X5f",
		Expected: fmt.Sprintf("%s to hold the offset that was read up to", t), Found: found,
		Remedy: "the topic was truncated, deleted or made again: restore it, or start a new group on new topics (--prefix)",
	}
}

// resume lets the client fetch a topic again whose records have been taken.
func (f *life) resume(t schemas.Topic, p int32) {
	f.cl.ResumeFetchPartitions(map[string][]int32{f.x.routes.names[t]: {p}})
}

func isFence(err error) bool {
	return errors.Is(err, kerr.ProducerFenced) || errors.Is(err, kerr.InvalidProducerEpoch) ||
		errors.Is(err, kerr.InvalidProducerIDMapping) || errors.Is(err, kerr.InvalidTxnState)
}
