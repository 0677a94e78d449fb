package main

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"hongbao/internal/cascade"
	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// latencyWarmup is left out at the beginning of a latency run.
const latencyWarmup = 5 * time.Second

// latencyAnswer is one open-loop run.
type latencyAnswer struct {
	Rate    int     `json:"rate"`
	Claims  bool    `json:"claims"`
	P50     float64 `json:"p50_ms"` // from the intended send time to the read_committed consumer
	P99     float64 `json:"p99_ms"`
	LagHalf int64   `json:"lag_half"` // events sent and without a committed verdict, halfway and at the end
	LagEnd  int64   `json:"lag_end"`
	LateMS  float64 `json:"sender_late_ms"` // how far the sender fell behind its own times at most
}

// latencies runs every rate with claims off and on, each on fresh topics.
func (b *bench) latencies(ctx context.Context) ([]latencyAnswer, error) {
	var all []latencyAnswer
	for _, claims := range []bool{false, true} {
		for _, rate := range b.rates {
			own := *b
			application := *b.app
			own.app = &application
			var l latencyAnswer
			err := own.on(ctx, func(ctx context.Context) (err error) {
				l, err = own.latency(ctx, rate, claims)
				return err
			})
			if err != nil {
				return all, err
			}
			b.say("%d/s, claims %s: p50 %.1f ms, p99 %.1f ms", rate, onOff(claims), l.P50, l.P99)
			all = append(all, l)
		}
	}
	return all, nil
}

// probe remembers when every record of a partition was meant to be sent: the sender is the only one, so the
// n-th record that it sends to a partition has offset n.
type probe struct {
	mu       sync.Mutex
	intended [partitions][]int64 // Unix nanoseconds by offset
	hist     *hdrhistogram.Histogram
	from     time.Time // verdicts on events meant before are not counted
	seen     atomic.Int64
}

func (p *probe) sent(partition int32, at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.intended[partition] = append(p.intended[partition], at.UnixNano())
}

// fact is called by the read_committed consumer.
func (p *probe) fact(r *topiclog.Record, f *schemas.Fact) error {
	now := time.Now().UnixNano()
	if err := f.Decode(r.Value); err != nil {
		return err
	}
	if f.Kind > schemas.FactDuplicate {
		return nil
	}
	p.mu.Lock()
	at := p.intended[r.Partition][f.Verdict.Offset]
	p.mu.Unlock()
	p.seen.Add(1)
	if at < p.from.UnixNano() {
		return nil
	}
	return p.hist.RecordValue(max(1, (now-at)/1000))
}

func (b *bench) latency(ctx context.Context, rate int, claims bool) (latencyAnswer, error) {
	a := latencyAnswer{Rate: rate, Claims: claims}
	c, err := b.startChild(ctx, b.campaign, "", !claims)
	if err != nil {
		return a, err
	}
	err = errors.Join(b.openLoop(ctx, c, &a), c.stop())
	return a, err
}

// openLoop sends at the rate whatever the pipeline does, and reads the facts beside it.
func (b *bench) openLoop(ctx context.Context, c *child, a *latencyAnswer) error {
	if err := c.ready(ctx); err != nil {
		return err
	}
	events := int64(a.Rate * b.seconds)
	stream, err := b.stream(events, b.seed)
	if err != nil {
		return err
	}
	w, err := b.log.Writer(ctx, topiclog.WriterConfig{Linger: 5 * time.Millisecond}, schemas.TopicEvents)
	if err != nil {
		return err
	}
	defer w.Close()
	p := &probe{hist: hdrhistogram.New(1, 600_000_000, 3)}
	reading, stop := context.WithCancel(ctx)
	read := make(chan error, 1)
	go func() {
		var f schemas.Fact
		read <- b.log.Follow(reading, schemas.TopicFacts, make([]int64, partitions), func(r *topiclog.Record) error { return p.fact(r, &f) })
	}()
	s := &sender{rate: float64(a.Rate)}
	began := time.Now()
	p.from = began.Add(latencyWarmup)
	var n, dead int64
	for r := range stream.Records() {
		if err := s.wait(ctx, began, n); err != nil {
			stop()
			return err
		}
		p.sent(r.Partition, began.Add(time.Duration(float64(n)/s.rate*float64(time.Second))))
		if err := w.Write(ctx, schemas.TopicEvents, r.Partition, r.Key, r.Value, headersOf(r)); err != nil {
			stop()
			return errors.Join(err, <-read)
		}
		if n++; n == events/2 {
			a.LagHalf = n - p.seen.Load() - deadSoFar(stream, &dead)
		}
	}
	a.LagEnd = n - p.seen.Load() - deadSoFar(stream, &dead)
	err = b.caughtUp(ctx, p, n-deadSoFar(stream, &dead))
	stop()
	a.P50, a.P99 = float64(p.hist.ValueAtQuantile(50))/1e3, float64(p.hist.ValueAtQuantile(99))/1e3
	a.LateMS = float64(s.late.Microseconds()) / 1e3
	return errors.Join(err, w.Flush(ctx), <-read)
}

// deadSoFar: a dead letter is no verdict, so it never shows among the facts.
func deadSoFar(s *cascade.Synthetic, n *int64) int64 {
	*n = s.Counts().Dead.Total()
	return *n
}

func (b *bench) caughtUp(ctx context.Context, p *probe, want int64) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for p.seen.Load() < want {
		select {
		case <-ctx.Done():
			return errors.New("the pipeline did not catch up within 30 s")
		case <-tick.C:
		}
	}
	return nil
}
