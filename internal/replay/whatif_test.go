package replay

import (
	"bytes"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"hongbao/internal/topiclog"
	"hongbao/internal/topiclog/topictest"
	"hongbao/projections"
	"hongbao/schemas"
)

// past makes a history of one partition as a processor would, beside a Redis that says anything.
type past struct {
	t        *testing.T
	rng      *rand.Rand
	state    *projections.State
	decoder  schemas.Decoder
	verifier *schemas.CodeVerifier
	fromMS   int64
	nowMS    int64

	events, facts []*topiclog.Record
	accepted      map[string]bool // shares by value
	resent        int             // accepted again: the code had expired by the watermark
	denied, owed  int             // refusals by Redis, and those whose fact names a grant of what was denied
}

const pastOther = schemas.DemoCampaignID + 1

func newPast(t *testing.T, seed uint64) *past {
	t.Helper()
	store := open(t)
	part, err := store.Partition(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = part.Close() })
	p := &past{t: t, accepted: map[string]bool{}, rng: rand.New(rand.NewPCG(seed, 0)), verifier: schemas.NewCodeVerifier(schemas.DemoCodeKeys())}
	p.nowMS = time.Date(2027, 1, 10, 0, 0, 0, 0, time.UTC).UnixMilli()
	p.fromMS = p.nowMS
	if p.state, err = projections.Open(reader{part}, projections.Config{}); err != nil {
		t.Fatal(err)
	}
	p.add(activation(schemas.DemoCampaign()))
	p.add(activation(otherCampaign(t)))
	return p
}

// otherCampaign is the demo campaign under another number.
func otherCampaign(t *testing.T) *schemas.Campaign {
	t.Helper()
	c, err := schemas.ParseCampaign("other", bytes.Replace(schemas.DemoCampaign().Text, []byte("campaign: 1\n"), []byte("campaign: 2\n"), 1))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (p *past) chance(percent int) bool { return p.rng.IntN(100) < percent }

// add folds a fact and writes it down.
func (p *past) add(f *schemas.Fact) {
	p.t.Helper()
	if f.Seq = p.state.Seq() + 1; f.Rare != nil {
		f.Rare.Seq = f.Seq
	}
	if err := p.state.Fold(f); err != nil {
		p.t.Fatal(err)
	}
	p.facts = append(p.facts, &topiclog.Record{Value: schemas.AppendFact(nil, f)})
}

// event is a share, a join or a purchase in one of a few chains, or one that was there before. In mine its code verifies.
func (p *past) event(campaign int64) *topiclog.Record {
	if n := len(p.events); n > 0 && p.chance(15) {
		return p.events[p.rng.IntN(n)]
	}
	chain, user, other := 1+p.rng.Int64N(6), 1+p.rng.Int64N(80), 1+p.rng.Int64N(80)
	p.nowMS += p.rng.Int64N(4 * 60 * 1000)
	if p.chance(50) {
		user = chain
	}
	code := schemas.DemoCodeKeys().Mint(schemas.Code{Campaign: campaign, Chain: chain, Inviter: user, ExpiresS: p.nowMS/1000 + p.rng.Int64N(2*3600)})
	kind, data := "ShareCreated", fmt.Sprintf(`"campaign":%d,"chain":%d,"user":%d,"code":%q`, campaign, chain, user, code)
	switch roll := p.rng.IntN(10); {
	case roll < 4:
		kind, data = "InviteJoined", fmt.Sprintf(`"code":%q,"invitee":%d`, code, other)
	case roll < 5:
		kind, data = "PurchaseSettled", fmt.Sprintf(`"campaign":%d,"chain":%d,"buyer":%d,"order_id":"o%d","amount_minor":9000,"currency":"CNY"`, campaign, chain, other, len(p.events))
	}
	return &topiclog.Record{Value: fmt.Appendf(nil, `{"specversion":"1.0","id":"e%d","source":"/test","type":"hongbao.invite.v1.%s","data":{"event_time_ms":%d,%s}}`,
		len(p.events), kind, p.nowMS, data)}
}

// judge gives an event the next offset and its verdict. Redis says yes or no, whatever it said before. A step that was cut asked in vain
// now and then: then the fact of a refusal names what may have been granted, also where Redis denied it in the end (X10).
func (p *past) judge(rec *topiclog.Record) {
	p.t.Helper()
	var e schemas.Event
	p.decoder.Reset()
	if err := p.decoder.Event(rec.Value, &e); err != nil {
		p.t.Fatal(err)
	}
	e.Offset = int64(len(p.events))
	if p.verifier.VerifyEvent(&e); e.Campaign == pastOther {
		e.Code = schemas.CodeGood // the key of tests is good for the first campaign alone
	}
	p.events = append(p.events, &topiclog.Record{Value: rec.Value, Timestamp: time.UnixMilli(p.fromMS + e.Offset)})
	p.state.Probe(&e)
	p.state.EndProbe()
	said := func() projections.Grant { return yes(p.chance(75)) }
	f := schemas.Fact{}
	v := &f.Verdict
	outcome := p.state.Decide(&e, projections.Answer{Claim: said(), Share: said()}, v)
	if f.Kind = outcome.Kind(); f.Kind == 0 {
		p.t.Fatalf("event %d: outcome %d, %v", e.Offset, outcome, p.state.Err())
	}
	if f.Kind == schemas.FactRefused && p.chance(50) {
		v.Claimed = v.Claimed || e.Kind == schemas.EventJoin || e.User == e.Chain
		v.Counted = v.Counted || e.Kind == schemas.EventShare
	}
	p.count(&f, rec)
	p.add(&f)
}

func (p *past) count(f *schemas.Fact, rec *topiclog.Record) {
	v := &f.Verdict
	if v.Campaign != schemas.DemoCampaignID {
		return
	}
	if f.Kind == schemas.FactAccepted && v.Event == schemas.EventShare {
		if p.accepted[string(rec.Value)] {
			p.resent++
		}
		p.accepted[string(rec.Value)] = true
	}
	if v.Reason == reasonShareLimit || v.Reason == reasonClaimedElsewhere {
		p.denied++
		if v.Reason == reasonShareLimit && v.Counted || v.Reason == reasonClaimedElsewhere && v.Claimed {
			p.owed++
		}
	}
}

// log is the history on a broker, its end one step.
func (p *past) log() *topictest.Log {
	end := schemas.Fact{Kind: schemas.FactStepEnded, Step: schemas.StepEnded{WorkerClockMS: p.nowMS, Facts: int32(len(p.facts) + 1)}}
	end.Step.Positions[schemas.TopicEvents] = int64(len(p.events))
	p.add(&end)
	last := p.facts[len(p.facts)-1]
	buf := make([]byte, len(schemas.Hash{}))
	for _, rec := range p.facts {
		buf = schemas.AppendHashed(buf, rec.Value)
	}
	last.Value = schemas.AppendStepHash(last.Value, schemas.HashStep(buf))
	log := topictest.Broker(p.t, 1)
	log.Write(schemas.TopicEvents, 0, true, p.events...)
	log.Write(schemas.TopicFacts, 0, true, p.facts...)
	return log
}

// TestNothingDiffers: with the campaign that was in force every verdict and every grant is the recorded one, whatever Redis said then and
// whatever the facts of refusals name, and beside another campaign whose events move the watermark of the partition (R6).
func TestNothingDiffers(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			p := newPast(t, seed)
			for range 700 {
				p.judge(p.event(schemas.DemoCampaignID + p.rng.Int64N(2)))
			}
			if p.resent == 0 || p.denied == p.owed || p.owed == 0 {
				t.Fatalf("%d shares again, %d denials, %d of what was granted before: the history lacks what is to be shown", p.resent, p.denied, p.owed)
			}
			report, err := NewWhatIf(WhatIfConfig{
				Log: p.log().Client, Scratch: open(t), Campaign: schemas.DemoCampaign(), Keys: schemas.DemoCodeKeys(),
			}).Run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if report.Changed != 0 || len(report.Largest) != 0 || !maps.Equal(report.Before, report.After) {
				t.Errorf("%d changed, %v became %v; the largest changes: %+v", report.Changed, report.Before, report.After, report.Largest)
			}
			if report.Events+report.OtherCampaigns != 700 || report.OtherCampaigns == 0 || report.Before["ACCEPTED"] == 0 || report.Totals[0].BeforeMinor == 0 {
				t.Errorf("events %d, of others %d, verdicts %v, totals %+v", report.Events, report.OtherCampaigns, report.Before, report.Totals)
			}
		})
	}
}
