package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
)

// pipelineAnswer is what `bench pipeline --json` prints. Its names are a contract.
type pipelineAnswer struct {
	EventsPerS     float64         `json:"events_per_s"`
	CPU            float64         `json:"cpu_us_per_event"`        // of hongbao
	BrokerCPU      float64         `json:"broker_cpu_us_per_event"` // 0: the broker is not on this machine
	RedisCPU       float64         `json:"redis_cpu_us_per_event"`
	Latency        []latencyAnswer `json:"latency"`
	TxnPerS        float64         `json:"txn_per_s"`
	BytesPerEdge   float64         `json:"bytes_per_edge"`
	RedisPerClaim  float64         `json:"redis_bytes_per_claim"`
	AllocsPerEvent float64         `json:"allocs_per_event"` // on the fold path

	Events    int64            `json:"events"`
	Chains    int              `json:"chains"`
	Commands  int64            `json:"commands"`
	Accepted  int64            `json:"accepted"`
	Duplicate int64            `json:"duplicates"`
	Refused   map[string]int64 `json:"refused"`
	Dead      int64            `json:"dead"`
	GenEPS    float64          `json:"generated_per_s"` // while filling the topic, before the clock started
}

// usage is the CPU time of the three processes at one moment.
type usage struct{ hongbao, broker, redis time.Duration }

func (b *bench) usage(c *child) usage {
	return usage{hongbao: cpuOf(c.pid()), broker: cpuOf(listener(b.cfg.Brokers[0])), redis: cpuOf(listener(b.cfg.Redis))}
}

// pacedWarmUp is how long the paced part of the warm-up takes: many small transactions are other code of the broker than few large ones.
const pacedWarmUp = 20 // seconds

// warmUp drains events, then sends some at the highest rate, each on topics of their own.
func (b *bench) warmUp(ctx context.Context) error {
	if b.warmup == 0 {
		return nil
	}
	own, application := *b, *b.app
	own.app, own.events, own.profile = &application, b.warmup, ""
	if err := own.on(ctx, func(ctx context.Context) error {
		_, err := own.drain(ctx)
		return err
	}); err != nil || len(b.rates) == 0 {
		return err
	}
	application = *b.app
	own.seconds = pacedWarmUp
	return own.on(ctx, func(ctx context.Context) error {
		_, err := own.latency(ctx, slices.Max(b.rates), true)
		return err
	})
}

// drain fills invite.events, then lets a fresh process empty it, and measures from the first committed
// offset to the last.
func (b *bench) drain(ctx context.Context) (pipelineAnswer, error) {
	stream, err := b.stream(b.events, b.seed)
	if err != nil {
		return pipelineAnswer{}, err
	}
	b.say("filling %s with %d events", b.log.Name(schemas.TopicEvents), b.events)
	s := &sender{log: b.log, bar: newBar(b.errOut, b.events, "filling")}
	began := time.Now()
	if _, err := s.send(ctx, stream.Records()); err != nil {
		return pipelineAnswer{}, err
	}
	a := pipelineAnswer{Events: b.events, Chains: min(b.chains, int(b.events/20)), GenEPS: float64(b.events) / time.Since(began).Seconds()}
	c, err := b.startChild(ctx, b.campaign, b.profile, false)
	if err != nil {
		return a, err
	}
	err = b.measureDrain(ctx, c, &a)
	if err == nil {
		err = b.claimBytes(ctx, &a)
	}
	if err = errors.Join(err, c.stop()); err != nil {
		return a, err
	}
	// Which of two joins of one user in two chains is accepted is a race; so a repetition of one of them is a
	// duplicate or refused.
	if want := stream.Counts(); a.Accepted != want.Accepted() || a.Dead != want.Dead.Total() || a.answered() != want.Duplicates+want.Refused.Total() {
		return a, fmt.Errorf("accepted %d, duplicates %d, dead %d, refused %v; the generator made %d, %d, %d, %v",
			a.Accepted, a.Duplicate, a.Dead, a.Refused, want.Accepted(), want.Duplicates, want.Dead.Total(), reasonCounts(&want.Refused))
	}
	return a, nil
}

// answered counts the verdicts that accept nothing.
func (a *pipelineAnswer) answered() int64 {
	n := a.Duplicate
	for _, v := range a.Refused {
		n += v
	}
	return n
}

func (b *bench) measureDrain(ctx context.Context, c *child, a *pipelineAnswer) error {
	ends, err := b.log.Ends(ctx, topiclog.Committed, schemas.TopicEvents)
	if err != nil {
		return err
	}
	first, err := b.waitCommitted(ctx, func(done int64) bool { return done > 0 })
	if err != nil {
		return err
	}
	t0, u0 := time.Now(), b.usage(c)
	m0, err := c.metrics(ctx)
	if err != nil {
		return err
	}
	var all int64
	for _, e := range ends[schemas.TopicEvents] {
		all += e
	}
	last, err := b.waitCommitted(ctx, func(done int64) bool { return done >= all })
	if err != nil {
		return err
	}
	seconds, u1 := time.Since(t0).Seconds(), b.usage(c)
	m1, err := c.metrics(ctx)
	if err != nil {
		return err
	}
	n := float64(last - first)
	a.EventsPerS = n / seconds
	a.CPU, a.BrokerCPU, a.RedisCPU = micros(u1.hongbao-u0.hongbao)/n, micros(u1.broker-u0.broker)/n, micros(u1.redis-u0.redis)/n
	a.TxnPerS = (m1["hongbao_transactions_total"] - m0["hongbao_transactions_total"]) / seconds
	return b.verdicts(ctx, m1, a)
}

func micros(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 }

// waitCommitted polls the group's offsets until enough says so, and returns their sum.
func (b *bench) waitCommitted(ctx context.Context, enough func(done int64) bool) (int64, error) {
	tick := time.NewTicker(50 * time.Millisecond) // each look costs the broker
	defer tick.Stop()
	for {
		commits, err := b.log.CommittedOffsets(ctx, b.cfg.GroupID(), schemas.TopicEvents)
		if err != nil {
			return 0, err
		}
		var done int64
		for _, c := range commits {
			done += max(0, c.Offset)
		}
		if enough(done) {
			return done, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-tick.C:
		}
	}
}

func (b *bench) verdicts(ctx context.Context, m map[string]float64, a *pipelineAnswer) error {
	a.Refused = map[string]int64{}
	for name, v := range m {
		labels, ok := strings.CutPrefix(name, "hongbao_verdicts_total{")
		switch {
		case !ok || v == 0:
		case strings.Contains(labels, `verdict="ACCEPTED"`):
			a.Accepted = int64(v)
		case strings.Contains(labels, `verdict="DUPLICATE"`):
			a.Duplicate = int64(v)
		default:
			_, reason, _ := strings.Cut(labels, `reason="`)
			reason, _, _ = strings.Cut(reason, `"`)
			a.Refused[reason] = int64(v)
		}
	}
	a.Dead = int64(m[`hongbao_dead_letters_total`])
	var err error
	a.Commands, err = b.count(ctx, schemas.TopicCommands)
	return err
}

// count reads how many committed records a topic has.
func (b *bench) count(ctx context.Context, t schemas.Topic) (n int64, err error) {
	err = b.log.Read(ctx, t, topiclog.ReadOptions{}, func(*topiclog.Record) error {
		n++
		return nil
	})
	return n, err
}

// claimBytes asks Redis for the memory of a sample of claims, key and value.
func (b *bench) claimBytes(ctx context.Context, a *pipelineAnswer) error {
	client, err := b.redisClient()
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	var sum, n int64
	for iter := client.Scan(ctx, 0, "{"+b.cfg.RedisTag()+"}:c:*", 1000).Iterator(); iter.Next(ctx) && n < 1000; n++ {
		bytes, err := client.MemoryUsage(ctx, iter.Val()).Result()
		if err != nil {
			return fmt.Errorf("memory of a claim: %w", err)
		}
		sum += bytes
	}
	if n > 0 {
		a.RedisPerClaim = float64(sum) / float64(n)
	}
	return nil
}

func (b *bench) redisClient() (*redis.Client, error) {
	options, err := b.cfg.redisOptions()
	if err != nil {
		return nil, err
	}
	return redis.NewClient(options), nil
}

// removeKeys removes the Redis keys of this bench.
func (b *bench) removeKeys(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	client, err := b.redisClient()
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	var keys []string
	for iter := client.Scan(ctx, 0, "{"+b.cfg.RedisTag()+"}:*", 5000).Iterator(); iter.Next(ctx); {
		if keys = append(keys, iter.Val()); len(keys) == 5000 {
			err = errors.Join(err, client.Unlink(ctx, keys...).Err())
			keys = keys[:0]
		}
	}
	if len(keys) > 0 {
		err = errors.Join(err, client.Unlink(ctx, keys...).Err())
	}
	return err
}

func (a *pipelineAnswer) print(w io.Writer) {
	row := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-22s %s\n", name, fmt.Sprintf(format, args...))
	}
	row("events", "%d in %d chains, %d commands; generated at %.0f/s beforehand", a.Events, a.Chains, a.Commands, a.GenEPS)
	row("accepted", "%d, duplicates %d, dead %d, refused %v", a.Accepted, a.Duplicate, a.Dead, a.Refused)
	row("throughput", "%.0f events/s, %.1f transactions/s", a.EventsPerS, a.TxnPerS)
	row("CPU per event", "hongbao %.2f us, broker %.2f us, redis %.2f us", a.CPU, a.BrokerCPU, a.RedisCPU)
	for _, l := range a.Latency {
		row("latency at "+strconv.Itoa(l.Rate)+"/s", "claims %s: p50 %.1f ms, p99 %.1f ms, lag at the end %d events (%d halfway)", onOff(l.Claims), l.P50, l.P99, l.LagEnd, l.LagHalf)
	}
	row("memory", "%.1f B per edge, %.0f B of Redis per claim", a.BytesPerEdge, a.RedisPerClaim)
	row("allocations", "%.3f per event on the fold path", a.AllocsPerEvent)
}

func onOff(b bool) string {
	if b {
		return "on"
	}
	return "off"
}
