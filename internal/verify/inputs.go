package verify

import (
	"bytes"
	"errors"
	"fmt"

	"hongbao/internal/topiclog"
	"hongbao/schemas"
	pb "hongbao/schemas/invitepb"
)

// futureMS is how far an event may lie ahead of its append time (domain.md section 3).
const futureMS = 5 * 60 * 1000

// verdict takes a fact that answers an event: finds the event, judges it anew, folds the fact.
func (p *partition) verdict(r *topiclog.Record) {
	f := &p.fact
	o := f.Verdict.Offset
	p.countVerdict(f)
	if key := schemas.AppendKey(p.scratch[:0], f.Verdict.Chain); !bytes.Equal(key, r.Key) {
		p.bad(CheckFacts, "the fact's key is %q, its chain %s", r.Key, key)
	}
	if o <= p.answered {
		p.bad(CheckInputs, "a second verdict on the event at offset %d, or one out of order: offset %d was answered before", o, p.answered)
		return
	}
	p.passUntil(o)
	rec := p.events.peek()
	switch {
	case rec != nil && rec.Offset == o:
		p.events.take()
		p.tally.events++
		p.answer(rec)
	case o < p.v.starts[schemas.TopicEvents][p.id]:
		p.tally.gone++ // V4
	case p.events.err == nil:
		p.bad(CheckInputs, "the verdict answers offset %d of invite.events, where no committed record is", o)
	}
	p.answered = o
	p.fold(f)
}

func (p *partition) countVerdict(f *schemas.Fact) {
	switch f.Kind {
	case schemas.FactAccepted:
		p.tally.accepted++
	case schemas.FactDuplicate:
		p.tally.duplicate++
	default:
		p.tally.refused[int(f.Verdict.Reason)&63]++
	}
}

// answer compares the verdict with what the record says and with the recomputed one.
func (p *partition) answer(rec *topiclog.Record) {
	if l := p.letter(rec.Offset); l != nil {
		p.bad(CheckInputs, "the event at offset %d has a verdict and a dead letter (offset %d of invite.dead)", rec.Offset, l.at)
	}
	poison, appended := p.decode(rec)
	if poison != 0 {
		p.bad(CheckInputs, "the event at offset %d has a verdict; it is for invite.dead: %s", rec.Offset, reasonNames(poison))
		return
	}
	if !appended {
		p.step.latestEvent = max(p.step.latestEvent, p.event.TimeMS)
	}
	if field := p.mistold(); field != "" {
		p.bad(CheckInputs, "the verdict on the event at offset %d does not tell its %s", rec.Offset, field)
	}
	want := p.judge()
	if !want.allows(&p.fact) {
		p.bad(CheckGraph, "the event at offset %d (%s of chain %d, user %d) is %s; recomputed: %s",
			rec.Offset, kindName(p.event.Kind), p.event.Chain, p.event.User, verdictName(&p.fact), want)
	}
}

// mistold names the first field in which the verdict differs from the event.
func (p *partition) mistold() string {
	e, v := &p.event, &p.fact.Verdict
	accepted := p.fact.Kind == schemas.FactAccepted
	switch {
	case v.Event != e.Kind:
		return "kind"
	case !bytes.Equal(v.Source, e.Source) || !bytes.Equal(v.ID, e.ID):
		return "ce_source and ce_id"
	case v.TimeMS != e.TimeMS:
		return "event_time_ms"
	case !bytes.Equal(v.Trace, e.Trace):
		return "traceparent"
	case v.Campaign != e.Campaign:
		return "campaign"
	case v.Chain != e.Chain:
		return "chain"
	case v.User != e.User && e.Kind != schemas.EventReversal:
		return "user"
	case v.Inviter != e.Inviter:
		return "inviter"
	case !bytes.Equal(v.OrderID, e.OrderID):
		return "order_id"
	}
	if !accepted {
		return ""
	}
	switch {
	case v.AmountMinor != e.AmountMinor || !bytes.Equal(v.Currency, e.Currency):
		return "amount"
	case e.Kind == schemas.EventShare && v.CodeExpiresS != e.CodeExpiresS:
		return "code's expiry"
	case !bytes.Equal(v.Device, e.Device) || !bytes.Equal(v.Payment, e.Payment) || !bytes.Equal(v.Address, e.Address):
		return "cluster keys"
	}
	return ""
}

// decode reads a record into p.event. poison has a bit for every true reason to bury it;
// appended says whether the record carries its append time. FUTURE_TIME against the worker clock
// is left to the end of the step, which names the clock.
func (p *partition) decode(rec *topiclog.Record) (poison uint64, appended bool) {
	switch {
	case len(rec.Key) == 0:
		poison |= bit(pb.Reason_REASON_NO_KEY)
	case schemas.Partition(rec.Key, p.v.n) != p.id:
		poison |= bit(pb.Reason_REASON_MISROUTED)
	}
	p.decoder.Reset()
	for i := range rec.Headers {
		p.decoder.Header(rec.Headers[i].Key, rec.Headers[i].Value)
	}
	e := &p.event
	if err := p.decoder.Event(rec.Value, e); err != nil {
		reason := pb.Reason_REASON_UNDECODABLE
		if said, ok := errors.AsType[*schemas.Poison](err); ok {
			reason = said.Reason
		}
		*e = schemas.Event{}
		return poison | bit(reason), false
	}
	e.Offset = rec.Offset
	appended = rec.Attrs.TimestampType() == 1
	if appended && e.TimeMS > rec.Timestamp.UnixMilli()+futureMS {
		poison |= bit(pb.Reason_REASON_FUTURE_TIME)
	}
	if !p.readCode() {
		return poison | bit(pb.Reason_REASON_BAD_CODE), appended // a join whose chain nobody can tell
	}
	if key := schemas.AppendKey(p.scratch[:0], e.Chain); !bytes.Equal(key, rec.Key) {
		poison |= bit(pb.Reason_REASON_MISROUTED)
	}
	if p.campaigns[e.Campaign] == nil {
		poison |= bit(pb.Reason_REASON_UNKNOWN_CAMPAIGN)
	}
	return poison, appended
}

// readCode completes a share or join with what its code says; false for a join whose code cannot
// be read. CodeMissing stands for "well formed, its key is not known here".
func (p *partition) readCode() bool {
	e := &p.event
	if e.Kind != schemas.EventShare && e.Kind != schemas.EventJoin {
		return true
	}
	var c schemas.Code
	e.Code = p.verifier.Verify(e.CodeText, &c)
	e.CodeExpiresS = c.ExpiresS
	if e.Code == schemas.CodeForged && !p.v.cfg.Keys.Judges(&c) {
		e.Code = schemas.CodeMissing
		p.tally.unchecked++
	}
	if e.Kind == schemas.EventJoin {
		e.Campaign, e.Chain, e.Inviter = c.Campaign, c.Chain, c.Inviter
		return e.Code != schemas.CodeMalformed
	}
	if c.Campaign != e.Campaign || c.Chain != e.Chain || c.Inviter != e.User {
		e.Code = schemas.CodeForged // a code of somebody else's
	}
	return true
}

// passUntil takes the events below an offset: none of them has a verdict, so each must have a
// dead letter.
func (p *partition) passUntil(offset int64) {
	for rec := p.events.peek(); rec != nil && rec.Offset < offset; rec = p.events.peek() {
		p.events.take()
		p.tally.events++
		p.buried(rec)
	}
}

// buried checks a record without verdict.
func (p *partition) buried(rec *topiclog.Record) {
	l := p.letter(rec.Offset)
	if l == nil {
		p.v.badAt(CheckInputs, rec, p.id, "the record at offset %d of invite.events has neither a verdict nor a dead letter", rec.Offset)
		return
	}
	poison, appended := p.decode(rec)
	if c := p.campaigns[p.event.Campaign]; c != nil && c.since >= p.answered {
		poison |= bit(pb.Reason_REASON_UNKNOWN_CAMPAIGN) // activated since the last verdict: before or after this record
	}
	if l.reason == pb.Reason_REASON_FUTURE_TIME && !appended {
		poison |= bit(l.reason) // the end of the step tells
		p.step.futures.add(p.event.TimeMS)
	}
	if poison&bit(l.reason) == 0 {
		p.v.badAt(CheckInputs, rec, p.id, "the record at offset %d of invite.events was buried as %s; true is: %s", rec.Offset, reasonName(l.reason), reasonNames(poison))
	}
	if !l.tells(rec) {
		p.v.badAt(CheckInputs, rec, p.id, "the dead letter at offset %d of invite.dead does not carry the key and value of the record at offset %d", l.at, rec.Offset)
	}
}

// endInputs looks at what is left below the committed offset, and at letters about nothing.
func (p *partition) endInputs() {
	p.passUntil(p.committed)
	for len(p.letters) > 0 {
		l := &p.letters[0]
		if l.origin < p.committed {
			p.letter(p.committed)
			continue
		}
		if l.early(p.v) {
			p.v.broken.add(Broken{CheckInputs, p.id, 0, l.at, fmt.Sprintf(
				"the dead letter at offset %d of invite.dead names offset %d, the committed offset is %d", l.at, l.origin, p.committed)})
		}
		p.letters = p.letters[1:]
	}
}

func bit(r schemas.Reason) uint64 { return 1 << (uint(r) & 63) } //nolint:gosec // reasons are 0..63; others fold into a wrong one

func reasonNames(mask uint64) string {
	if mask == 0 {
		return "none, it is sound"
	}
	names := ""
	for r := range schemas.Reason(64) {
		if mask&bit(r) != 0 {
			if names != "" {
				names += ", "
			}
			names += reasonName(r)
		}
	}
	return names
}
