package replay

import (
	"context"
	"encoding/binary"
	"fmt"

	"hongbao/eventstore"
	"hongbao/internal/topiclog"
	"hongbao/projections"
	"hongbao/schemas"
)

// feed is one partition of a what-if: the recorded verdicts in order, each with its event, and the state under the new rules.
type feed struct {
	partition int32
	campaign  int64
	keep      bool // verdicts whose events are gone
	facts     puller
	events    puller
	began     int64 // of the events that are still there
	at        *topiclog.Record

	begins int64 // of the fact log, until a fact is read
	seq    int64 // of the fact that was read last
	hasher schemas.StepHasher

	// The verdict at hand, until next.
	ended  bool
	fact   schemas.Fact
	record *topiclog.Record // its event; nil when it is gone
	timeMS int64            // append time of the event, or of the last one that was there
	passed int64            // offsets of invite.events

	rules    *schemas.Campaign // that were in force at the verdict
	versions []int64

	store     *eventstore.Partition
	state     *projections.State
	batch     *eventstore.Batch
	unwritten int // facts folded since the last write
}

// puller hands a cursor's records out one by one.
type puller struct {
	cur *topiclog.Cursor
	rs  []*topiclog.Record
}

// next is nil at the end.
func (p *puller) next() (*topiclog.Record, error) {
	if len(p.rs) == 0 {
		rs, err := p.cur.Next()
		if err != nil || rs == nil {
			return nil, err
		}
		p.rs = rs
	}
	r := p.rs[0]
	p.rs = p.rs[1:]
	return r, nil
}

func (w *WhatIf) openFeed(ctx context.Context, log *factLog, eventsStart int64, last step) (*feed, error) {
	end := last.Positions[schemas.TopicEvents]
	store, err := w.cfg.Scratch.Partition(log.partition)
	if err != nil {
		return nil, err
	}
	f := &feed{partition: log.partition, begins: log.start, campaign: w.cfg.Campaign.ID, keep: w.cfg.KeepPrefix, began: eventsStart, store: store, batch: store.Begin()}
	f.facts.cur = w.cfg.Log.Cursor(ctx, topiclog.Span{Topic: schemas.TopicFacts, Partition: log.partition, From: log.start, To: last.offset + 1}, topiclog.Committed)
	f.events.cur = w.cfg.Log.Cursor(ctx, topiclog.Span{Topic: schemas.TopicEvents, Partition: log.partition, From: eventsStart, To: end}, topiclog.Committed)
	f.passed = eventsStart
	f.hasher.Begin(schemas.Hash{})
	w.all.Add(max(0, end-eventsStart))
	if f.state, err = projections.Open(reader{store}, projections.Config{}); err != nil {
		return f, err
	}
	return f, f.fold(activation(w.cfg.Campaign))
}

// next goes to the next verdict. What else the facts say of the campaign is taken on the way.
func (f *feed) next() error {
	for {
		rec, err := f.facts.next()
		if err != nil {
			return err
		}
		if rec == nil {
			f.ended = true
			return nil
		}
		kind, err := f.follows(rec)
		if err != nil {
			return err
		}
		if kind == schemas.FactCouponMoved || kind == schemas.FactVoucherMoved || kind == schemas.FactReviewDecided || kind == schemas.FactStepEnded {
			continue // what became of a grant is not judged again
		}
		if err := f.fact.Decode(rec.Value); err != nil {
			return unfoldable(f.partition, rec.Offset, err)
		}
		switch f.fact.Kind {
		case schemas.FactAccepted, schemas.FactRefused, schemas.FactDuplicate:
			return f.find()
		case schemas.FactCampaignActivated, schemas.FactCampaignChanged:
			if err := f.ruled(); err != nil {
				return err
			}
		}
	}
}

// follows takes a fact iff its seq is the next one, and a step iff its running hash is (R1), and says the fact's kind.
func (f *feed) follows(rec *topiclog.Record) (schemas.FactKind, error) {
	seq, kind := headOf(rec.Value)
	if kind == 0 {
		if err := f.fact.Decode(rec.Value); err != nil {
			return 0, unfoldable(f.partition, rec.Offset, err)
		}
		seq, kind = f.fact.Seq, f.fact.Kind
	}
	if seq != f.seq+1 {
		return 0, gap(f.partition, f.seq+1, seq, rec.Offset, f.begins)
	}
	f.seq, f.begins = seq, 0
	if kind != schemas.FactStepEnded {
		f.hasher.Add(rec.Value)
		return kind, nil
	}
	unhashed, hash, ok := schemas.SplitStepHash(rec.Value)
	f.hasher.Add(unhashed)
	if got := f.hasher.Sum(); !ok || got != hash {
		return 0, changed(f.partition, seq, rec.Offset, got, hash)
	}
	f.hasher.Begin(hash)
	return kind, nil
}

// find goes to the event of the verdict at hand.
func (f *feed) find() error {
	want := f.fact.Verdict.Offset
	f.record = nil
	if want < f.began {
		if f.keep || f.fact.Verdict.Campaign != f.campaign {
			return nil
		}
		return fmt.Errorf("invite.events begins at offset %d, and the fact with seq %d judges the one at %d: retention has removed events that would have to be judged again. "+
			"With --keep-prefix what was decided on them stands, and the new file judges the rest", f.began, f.fact.Seq, want)
	}
	for f.at == nil || f.at.Offset < want {
		r, err := f.events.next()
		if err != nil {
			return err
		}
		if r == nil {
			break
		}
		f.at, f.passed = r, r.Offset
	}
	if f.at == nil || f.at.Offset != want {
		return fmt.Errorf("the fact with seq %d judges the event at offset %d, and there is none: invite.events is not the topic that the facts were made from", f.fact.Seq, want)
	}
	f.record, f.timeMS = f.at, f.at.Timestamp.UnixMilli()
	return nil
}

// ruled notes the version in force for the values of what was granted, and folds pauses, stops and top-ups as they came.
func (f *feed) ruled() error {
	if a := f.fact.Rare.GetCampaignActivated(); a != nil {
		if a.GetCampaign() != f.campaign {
			return nil
		}
		rules, err := schemas.ParseCampaign(fmt.Sprintf("campaign %d version %d of fact %d", a.GetCampaign(), a.GetVersion(), f.fact.Seq), []byte(a.GetText()))
		if err != nil {
			return err
		}
		f.rules, f.versions = rules, append(f.versions, rules.Version)
		return nil
	}
	c := f.fact.Rare.GetCampaignChanged().GetChange()
	if c.GetCampaign() != f.campaign {
		return nil
	}
	return f.fold(&f.fact)
}

// fold gives a fact the next seq of this history and folds it; now and then what changed goes to the scratch store (R5).
func (f *feed) fold(fact *schemas.Fact) error {
	fact.Seq = f.state.Seq() + 1
	if err := f.state.Fold(fact); err != nil {
		return err
	}
	if f.unwritten++; f.unwritten < batchFacts {
		return nil
	}
	f.unwritten = 0
	if err := f.state.Flush(Writer{f.batch}); err != nil {
		return err
	}
	f.batch.Boundary(eventstore.Boundary{Seq: fact.Seq})
	if err := f.batch.CommitRestored(); err != nil {
		return err
	}
	f.state.Evict()
	f.batch = f.store.Begin()
	return nil
}

func (f *feed) close() error {
	if f.facts.cur != nil {
		f.facts.cur.Close()
		f.events.cur.Close()
	}
	return f.store.Close()
}

// headOf looks at a fact's seq and kind without decoding it: its seq comes first, then the body. Kind 0: decode it to know.
func headOf(value []byte) (seq int64, kind schemas.FactKind) {
	if len(value) < 3 || value[0] != 1<<3 {
		return 0, 0
	}
	n, size := binary.Uvarint(value[1:])
	i := 1 + size
	if size <= 0 || i >= len(value) || value[i] >= 0x80 || value[i]&7 != 2 {
		return 0, 0
	}
	return int64(n), schemas.FactKind(value[i] >> 3) //nolint:gosec // as protobuf has it: a wrong one is a gap
}
