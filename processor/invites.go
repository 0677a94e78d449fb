package processor

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"hongbao/internal/admission"
	"hongbao/projections"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// futureMS is how far event time may run ahead of append time (domain.md section 3).
const futureMS = 5 * 60 * 1000

// eventBatch is a worker's memory for one run of invite.events records. All of it is reused.
type eventBatch struct {
	recs    []*kgo.Record
	events  []schemas.Event
	poison  []*schemas.Poison // per record; nil: decoded
	ask     []int32           // per record: index into asks, or -1
	asks    []admission.Ask
	answers []admission.Answer
}

func (b *eventBatch) reset(recs []*kgo.Record) {
	b.recs = recs
	if n := len(recs); cap(b.events) < n {
		b.events = make([]schemas.Event, n*2)
		b.poison = make([]*schemas.Poison, n*2)
		b.ask = make([]int32, n*2)
	}
	n := len(recs)
	b.events, b.poison, b.ask = b.events[:n], b.poison[:n], b.ask[:n]
	b.asks = b.asks[:0]
}

// invites decides records of invite.events, as many as one step may hold.
func (w *worker) invites(ctx context.Context) error {
	q := &w.in.inputs[schemas.TopicEvents]
	for len(*q) > 0 && w.events < stepEventsMax {
		recs := (*q)[0]
		for len(recs) > 0 && w.skip(schemas.TopicEvents, recs[0]) {
			w.box.waiting.Add(-int64(weight(recs[0])))
			recs[0].Recycle()
			recs = recs[1:]
		}
		run, events := atMost(recs, stepEventsMax-w.events)
		done, err := w.judge(ctx, run)
		if err != nil {
			return err
		}
		events -= int(weightOf(run[done:]))
		w.events += events
		w.box.waiting.Add(-int64(events))
		if recs = recs[done:]; len(recs) > 0 {
			(*q)[0] = recs
			if done < len(run) {
				return nil // an answer is missing: the rest is asked again in the next step
			}
			continue
		}
		(*q)[0] = nil
		*q = (*q)[1:]
	}
	if len(*q) == 0 {
		*q = nil
	}
	return nil
}

// atMost cuts a run off before it weighs more than room, but not before its first record, and weighs it.
func atMost(recs []*kgo.Record, room int) (run []*kgo.Record, weighs int) {
	for i, r := range recs {
		n := weight(r)
		if weighs+n > room && i > 0 {
			return recs[:i], weighs
		}
		weighs += n
	}
	return recs, weighs
}

// judge runs a batch through the life of an event (ARCHITECTURE.md): decode, probe down the batch as if Redis said yes,
// ask once for what state would accept, then decide and fold in order. It says how many it decided.
func (w *worker) judge(ctx context.Context, recs []*kgo.Record) (int, error) {
	if len(recs) == 0 {
		return 0, nil
	}
	b := &w.batch
	b.reset(recs)
	for i, r := range recs {
		b.ask[i] = -1
		if b.poison[i] = w.decode(r, &b.events[i]); b.poison[i] != nil {
			continue
		}
		if ask := w.state.Probe(&b.events[i]); ask != 0 {
			b.ask[i] = int32(len(b.asks)) //nolint:gosec // a batch is small
			a, err := w.ask(&b.events[i], ask)
			if err != nil {
				return 0, err
			}
			b.asks = append(b.asks, a)
		}
	}
	w.state.EndProbe()
	if err := w.admit(ctx); err != nil {
		w.owe(0, true)
		if ctx.Err() != nil || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, errLeaseOld) {
			return 0, nil //nolint:nilerr // nothing was decided; the same events get the same answers later
		}
		return 0, err
	}
	for i, r := range recs {
		more, err := w.rule(i, r)
		if err != nil || !more {
			w.owe(i, false)
			return i, err
		}
	}
	return len(recs), nil
}

func (w *worker) admit(ctx context.Context) error {
	b := &w.batch
	if len(b.asks) == 0 {
		return nil
	}
	if cap(b.answers) < len(b.asks) {
		b.answers = make([]admission.Answer, 2*len(b.asks))
	}
	b.answers = b.answers[:len(b.asks)]
	ctx, cancel := context.WithTimeout(ctx, admitPatience)
	defer cancel()
	return w.owner.Admit(ctx, b.asks, b.answers)
}

// decode checks what can be checked without state: form, key, partition, time, code.
func (w *worker) decode(r *kgo.Record, e *schemas.Event) *schemas.Poison {
	w.decoder.Reset()
	for i := range r.Headers {
		w.decoder.Header(r.Headers[i].Key, r.Headers[i].Value)
	}
	if err := w.decoder.Event(r.Value, e); err != nil {
		return asPoison(err)
	}
	e.Offset = r.Offset
	w.verifier.VerifyEvent(e)
	if p := malformed(e); p != nil {
		return p
	}
	if p := w.route(r, e.Chain); p != nil {
		return p
	}
	if at := w.appendMS(r); e.TimeMS > at+futureMS {
		return &schemas.Poison{
			Reason:   pb.Reason_REASON_FUTURE_TIME,
			Sentence: fmt.Sprintf("event_time_ms %d is %d s after the record was appended; at most %d s are allowed", e.TimeMS, (e.TimeMS-at)/1000, futureMS/1000),
		}
	}
	return nil
}

func asPoison(err error) *schemas.Poison {
	if p, ok := errors.AsType[*schemas.Poison](err); ok {
		return p
	}
	return &schemas.Poison{Reason: pb.Reason_REASON_UNDECODABLE, Sentence: err.Error()}
}

// appendMS is the append time: the record's timestamp where the broker set it, else the worker clock.
func (w *worker) appendMS(r *kgo.Record) int64 {
	if r.Attrs.TimestampType() == 1 {
		return r.Timestamp.UnixMilli()
	}
	return w.clockMS
}

// malformed is the one bad code that is no verdict: of a join the code alone names campaign, chain and inviter.
func malformed(e *schemas.Event) *schemas.Poison {
	if e.Kind != schemas.EventJoin || e.Code != schemas.CodeMalformed {
		return nil
	}
	return &schemas.Poison{
		Reason:   pb.Reason_REASON_BAD_CODE,
		Sentence: fmt.Sprintf("code %.64q is not an invite code, so the join names no campaign, chain and inviter", e.CodeText),
	}
}

// route checks that the record's key is its chain and that this partition owns it.
func (w *worker) route(r *kgo.Record, chain int64) *schemas.Poison {
	if len(r.Key) == 0 {
		return &schemas.Poison{Reason: pb.Reason_REASON_NO_KEY, Sentence: fmt.Sprintf("the record has no key; its key must be its chain id %d in decimal", chain)}
	}
	var buf [20]byte
	if want := schemas.AppendKey(buf[:0], chain); string(want) != string(r.Key) {
		return &schemas.Poison{Reason: pb.Reason_REASON_MISROUTED, Sentence: fmt.Sprintf("the record's key is %.40q, its chain is %d; the key must be the chain id in decimal", r.Key, chain)}
	}
	if own := schemas.Partition(r.Key, w.x.routes.partitions); own != w.id {
		return &schemas.Poison{
			Reason: pb.Reason_REASON_MISROUTED,
			Sentence: fmt.Sprintf("key %s belongs to partition %d of %d, the record is in %d; use Kafka's murmur2 partitioner (librdkafka: partitioner=murmur2_random)",
				r.Key, own, w.x.routes.partitions, w.id),
		}
	}
	return nil
}

// ask names the event to Redis: what it wants, and by which identity it asks again.
func (w *worker) ask(e *schemas.Event, want projections.Ask) (a admission.Ask, err error) {
	a = admission.Ask{Campaign: e.Campaign, User: e.User, Chain: e.Chain, Offset: e.Offset, Event: projections.EventHash(e), EventTimeMS: e.TimeMS}
	if want&projections.AskClaim != 0 {
		a.Want |= admission.WantClaim
	}
	if want&projections.AskShare != 0 {
		a.Want |= admission.WantShare
		if w.x.cfg.Gate.Limit().Old(e.TimeMS, w.clockMS) {
			a.Known, err = w.knownShares(e.User, w.x.cfg.Gate.Limit().Bucket(e.TimeMS))
		}
	}
	return a, err
}

// rule gives record i its verdict or its dead letter. more is false where an answer of Redis is missing.
func (w *worker) rule(i int, r *kgo.Record) (more bool, err error) {
	b := &w.batch
	if p := b.poison[i]; p != nil {
		return true, w.park(r, p)
	}
	var a projections.Answer
	if k := b.ask[i]; k >= 0 {
		a = answerOf(&b.answers[k])
	}
	e := &b.events[i]
	v := &w.fact.Verdict
	outcome := w.state.Decide(e, a, v)
	if len(w.owed) > 0 && outcome != projections.NeedAnswer {
		w.payOwed(v, outcome)
	}
	switch outcome {
	case projections.NeedAnswer:
		return false, nil
	case projections.Dead:
		return true, w.park(r, unknownCampaign(e, v.Reason))
	case projections.Broken:
		return false, w.state.Err()
	}
	w.fact.Kind, w.fact.Rare = outcome.Kind(), nil
	if err := w.emit(v.Chain, v.Trace); err != nil {
		return false, err
	}
	if w.fact.Kind == schemas.FactRefused {
		w.refused(e.Offset)
	}
	w.x.metrics.verdict(w.fact.Kind, v.Reason)
	if w.fact.Kind == schemas.FactAccepted {
		if err := w.accepted(v); err != nil {
			return false, err
		}
	}
	w.took(schemas.TopicEvents, r)
	return true, nil
}

// park makes an event that can get no verdict a dead letter.
func (w *worker) park(r *kgo.Record, p *schemas.Poison) error {
	if err := w.deadLetter(schemas.TopicInviteDead, schemas.TopicEvents, r, p); err != nil {
		return err
	}
	w.took(schemas.TopicEvents, r)
	return nil
}

// accepted turns the rewards into commands; an accepted reversal reaches the order's coupons.
func (w *worker) accepted(v *schemas.Verdict) error {
	for i := range v.Rewards {
		w.command(v, &v.Rewards[i])
	}
	if v.Event == schemas.EventReversal {
		return w.reverse(v)
	}
	return nil
}

func unknownCampaign(e *schemas.Event, reason schemas.Reason) *schemas.Poison {
	return &schemas.Poison{
		Reason:   reason,
		Sentence: fmt.Sprintf("campaign %d is not known here; deploy its file, then redrive the record", e.Campaign),
	}
}

// answerOf: the numbers of the two enums are the same.
func answerOf(a *admission.Answer) projections.Answer {
	return projections.Answer{Claim: projections.Grant(a.Claim), Share: projections.Grant(a.Share)}
}
